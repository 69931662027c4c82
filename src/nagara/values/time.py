"""Instants: ISO 8601 in UTC, as stored and sent (RFC 3339 profile)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from nagara.values.errors import Problem

_SHAPE = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(Z|z|[+-]\d\d:?\d\d)"
)

#: `…:00Z`, and with a fraction of three or six digits: what the standard library reads itself.
_SHORT = frozenset((20, 24, 27))
_CHARS_MAX = 35  # nine digits of a second and an offset; nothing longer is an instant

#: How far ahead of the city clock an observation may be and still be stored (flagged).
AHEAD_MAX = timedelta(hours=24)  # a device with its day wrong by one; beyond is a broken clock


class InstantUnreadable(Problem):
    """A text that is not an instant with a zone."""

    code = "instant-unreadable"
    ngsi_type = "BadRequestData"


def parse_instant(text: str) -> datetime:
    """The aware UTC datetime of an ISO 8601 text that names its zone.

    Digits beyond the microsecond are cut. Raises `InstantUnreadable` where the text has no zone,
    is no date, or is out of range.
    """
    if not isinstance(text, str) or len(text) > _CHARS_MAX:
        raise InstantUnreadable(got=str(text)[:64])
    return _parse(text)


@lru_cache(maxsize=8192)  # a reading's instant is asked for nine times on its way into the store
def _parse(text: str) -> datetime:
    if (
        len(text) in _SHORT
        and text[10] == "T"
        and text[7] == "-"  # no week dates, which the library would read too
        and text[-1] == "Z"
    ):
        try:
            return datetime.fromisoformat(text)  # what the city itself writes: ten times faster
        except ValueError:
            pass  # the long way below says what is wrong
    match = _SHAPE.fullmatch(text)
    if match is None:
        raise InstantUnreadable(got=text[:64])
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    micros = int((fraction or "0").ljust(6, "0")[:6])
    try:
        naive = datetime(
            int(year), int(month), int(day), int(hour), int(minute), int(second), micros, UTC
        )
        if zone in "Zz":
            return naive
        digits = zone[1:].replace(":", "")
        shift = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
        return naive - shift if zone[0] == "+" else naive + shift
    except (ValueError, OverflowError) as error:
        raise InstantUnreadable(got=text[:64]) from error


@lru_cache(maxsize=4096)  # a group of writes says one instant thousands of times
def format_instant(at: datetime) -> str:
    """The instant as `2025-05-22T05:00:00Z`, with a fraction only where there is one."""
    text = at.astimezone(UTC).replace(tzinfo=None).isoformat()
    if "." in text:
        text = text.rstrip("0")
    return text + "Z"
