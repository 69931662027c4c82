"""The periods of time that history is added up over (clause 4.5.19)."""

from __future__ import annotations

import calendar
from collections.abc import Callable
from datetime import timedelta

from msgspec import Struct

from nagara.context.packed import EPOCH, HOUR_US, instant, instant_text


class Periods(Struct, frozen=True):
    """Periods of `months` and `micros` from `origin` on (microseconds); both 0: one for all."""

    months: int
    micros: int
    origin: int | None
    end: int | None  # of the whole, where it is known

    def is_of_hours(self) -> bool:
        """Whether no period cuts through an hour, nor ends with an instance (one for all does)."""
        if self.origin is None or (self.micros == 0 and self.end is None):
            return False
        return not (self.months or self.micros % HOUR_US or self.origin % HOUR_US)


def slots(periods: Periods) -> Callable[[int], int]:
    """The number of the period that a time is in."""
    origin = periods.origin or 0
    if not periods.months:
        step = periods.micros
        return (lambda at: (at - origin) // step) if step else (lambda _at: 0)
    about = periods.months * 2_629_746_000_000 + periods.micros

    def find(at: int) -> int:
        slot = (at - origin) // about
        while begin(periods, slot + 1) <= at:
            slot += 1
        while begin(periods, slot) > at:
            slot -= 1
        return slot

    return find


def begin(periods: Periods, slot: int) -> int:
    """When a period begins, in microseconds; months go by the calendar."""
    origin = periods.origin or 0
    if not periods.months:
        return origin + slot * periods.micros
    at = instant(origin)
    month = at.year * 12 + at.month - 1 + slot * periods.months
    year, month = divmod(month, 12)
    if not 1 <= year <= 9998:
        return (1 << 62) if slot > 0 else -(1 << 62)
    length = calendar.monthrange(year, month + 1)[1]
    moved = at.replace(year=year, month=month + 1, day=min(at.day, length))
    return (moved - EPOCH) // timedelta(microseconds=1) + slot * periods.micros


def edge(periods: Periods, slot: int, last: int) -> tuple[str, str]:
    """How the start and the end of a period are written."""
    if not periods.months and not periods.micros:
        origin = periods.origin or 0
        return instant_text(origin), instant_text(last if periods.end is None else periods.end)
    return instant_text(begin(periods, slot)), instant_text(begin(periods, slot + 1))
