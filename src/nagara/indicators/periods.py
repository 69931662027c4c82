"""The periods that values speak of: months, quarters and years of the city's calendar. Pure."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from nagara.indicators.errors import PeriodInvalid
from nagara.indicators.measures import Period

#: A year from here on is one of the Buddhist Era; no city reports for AD 2400 yet.
BUDDHIST_FROM = 2400
BUDDHIST_AHEAD = 543
_LABEL = re.compile(r"(\d{4})(?:-(?:(0[1-9]|1[0-2])|Q([1-4])))?")

Span = tuple[date, date]


def read_label(label: str) -> Span:
    """The first day and the day after the last of `2025`, `2025-05` or `2025-Q2`; a Buddhist year
    is taken as such. Raises `PeriodInvalid`."""
    match = _LABEL.fullmatch(label.strip())
    if match is None:
        raise PeriodInvalid(start=label[:40], end="")
    year = int(match[1]) - (BUDDHIST_AHEAD if int(match[1]) >= BUDDHIST_FROM else 0)
    if not 1900 <= year <= 2200:
        raise PeriodInvalid(start=label[:40], end="")
    if match[2]:
        start = date(year, int(match[2]), 1)
        return start, _later(start, 1)
    if match[3]:
        start = date(year, 3 * int(match[3]) - 2, 1)
        return start, _later(start, 3)
    return date(year, 1, 1), date(year + 1, 1, 1)


def read_span(label: str | None, start: str | None, end: str | None) -> Span:
    """A period by its label, or by two days. Raises `PeriodInvalid`."""
    if label:
        return read_label(label)
    try:
        span = date.fromisoformat(start or ""), date.fromisoformat(end or "")
    except ValueError as error:
        raise PeriodInvalid(start=str(start)[:40], end=str(end)[:40]) from error
    if span[1] <= span[0]:
        raise PeriodInvalid(start=start, end=end)
    return span


def label_of(start: date, end: date) -> str:
    """How a period is written: `2025`, `2025-Q2`, `2025-05`, else both days."""
    if start.day == end.day == 1:
        if end == _later(start, 12) and start.month == 1:
            return f"{start.year}"
        if end == _later(start, 3) and start.month % 3 == 1:
            return f"{start.year}-Q{(start.month + 2) // 3}"
        if end == _later(start, 1):
            return f"{start.year}-{start.month:02}"
    return f"{start.isoformat()}/{(end - timedelta(days=1)).isoformat()}"


def month_of(day: date) -> Span:
    """The month of a day."""
    start = day.replace(day=1)
    return start, _later(start, 1)


def year_of(day: date) -> Span:
    """The year of a day."""
    return date(day.year, 1, 1), date(day.year + 1, 1, 1)


def months_between(start: date, end: date) -> list[Span]:
    """The months that have a day in [start, end)."""
    found = []
    at = start.replace(day=1)
    while at < end:
        found.append((at, _later(at, 1)))
        at = _later(at, 1)
    return found


def instants_of(span: Span, zone: ZoneInfo) -> Period:
    """A period as instants, its days beginning at the city's midnight."""
    midnight = datetime.min.time()
    return Period(
        datetime.combine(span[0], midnight, zone), datetime.combine(span[1], midnight, zone)
    )


def _later(start: date, months: int) -> date:
    count = start.year * 12 + start.month - 1 + months
    return date(count // 12, count % 12 + 1, 1)
