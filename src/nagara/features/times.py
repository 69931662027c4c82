"""Instants and intervals as `datetime` and CQL2 write them (RFC 3339 clause 5.6): pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from nagara.features.cql import Span
from nagara.values.time import InstantUnreadable, parse_instant

_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)")
_DAY = timedelta(days=1) - timedelta(microseconds=1)


def read_time(text: str) -> Span:
    """A date, as its whole day in UTC, or an instant. Raises ValueError in words."""
    said = text.strip()
    if match := _DATE.fullmatch(said):
        try:
            start = datetime(*(int(part) for part in match.groups()), tzinfo=UTC)  # type: ignore[arg-type,misc]
            return Span(start, start + _DAY)
        except (ValueError, OverflowError):
            raise ValueError(f"“{said[:40]}” is no day of the calendar") from None
    try:
        at = parse_instant(said)
    except InstantUnreadable:
        raise ValueError(
            f"“{said[:40]}” is neither a date, as 2025-05-22, nor an instant with a zone, as"
            " 2025-05-22T05:00:00Z"
        ) from None
    return Span(at, at)


def read_interval(start: str, end: str) -> Span:
    """An interval; an end that is `..` or empty is open. Raises ValueError in words."""
    first = None if start.strip() in ("", "..") else read_time(start).start
    last = None if end.strip() in ("", "..") else read_time(end).end
    if first is not None and last is not None and first > last:
        raise ValueError("the interval ends before it begins")
    return Span(first, last)


def read_datetime(text: str) -> Span:
    """The parameter `datetime`: an instant, a date, or two of them with a slash between."""
    parts = text.split("/")
    if len(parts) == 1:
        return read_time(parts[0])
    if len(parts) != 2:
        raise ValueError("an interval has one slash")
    return read_interval(*parts)
