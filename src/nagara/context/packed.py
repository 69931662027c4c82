"""Instances of history as they travel from the database: packed, and opened when somebody looks.

The same form comes from chunks and from the log (`context.packed` in the migrations), so that an
answer does not show where a value lay.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from nagara.values.time import format_instant

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_US, HOUR_US = 86_400_000_000, 3_600_000_000


class Packed(NamedTuple):
    """One instance. `key` is the time that was asked by, in microseconds since 1970, as `at`
    (observedAt, or the time of the write) and `recorded` are. `rest` begins with two signs: where
    the number lies (i, f: in `number`; v: in the words behind), and whether observedAt is `at`.
    """

    key: int
    seq: int
    index: int  # type: ignore[assignment]  # the tuple's own method of this name is not called
    number: float | None
    recorded: int
    rest: str
    at: int


def micros(at: datetime) -> int:
    """Microseconds since 1970, exactly."""
    return (at - EPOCH) // timedelta(microseconds=1)


def instant(us: int) -> datetime:
    """The instant of microseconds since 1970."""
    return EPOCH + timedelta(microseconds=us)


@lru_cache(maxsize=4096)
def _date(day: int) -> str:
    return (EPOCH + timedelta(days=day)).date().isoformat()


def instant_text(us: int) -> str:
    """As `format_instant` writes it, without the detour over a datetime."""
    day, rest = divmod(us, DAY_US)
    second, fraction = divmod(rest, 1_000_000)
    if fraction:
        return format_instant(instant(us))
    minute, s = divmod(second, 60)
    h, m = divmod(minute, 60)
    return f"{_date(day)}T{h:02}:{m:02}:{s:02}Z"


@lru_cache(maxsize=8192)
def _template(rest: str) -> dict[str, Any]:
    made: dict[str, Any] = msgspec.json.decode(rest[2:])
    return made


def is_removal(packed: Packed) -> bool:
    """Whether it says that the attribute was removed."""
    return packed.rest == "v-null"


def number_of(packed: Packed) -> int | float:
    """The number of an instance whose `number` is not None."""
    number = packed.number
    assert number is not None
    return int(number) if packed.rest[0] == "i" else number


def instance_of(packed: Packed) -> dict[str, Any]:
    """The instance as it was sent, with `modifiedAt` where it was amended. The caller's own."""
    rest = packed.rest
    if rest[0] == "v":
        opened: dict[str, Any] = msgspec.json.decode(rest[2:])
        return opened
    made = dict(_template(rest))
    made["value"] = number_of(packed)
    if rest[1] == "t":
        made["observedAt"] = instant_text(packed.at)
    return made
