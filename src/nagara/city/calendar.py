"""The city's working calendar: which hours count towards a due time.

A due time is a promise in working hours, so a report made on the eve of Songkran is not late when
the office opens again. Everything here is pure; instants are aware, days are those of the city's
zone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from msgspec import Struct

from nagara.city.errors import KitSettingInvalid

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Holiday(Struct, frozen=True):
    """A day of the calendar. `kind`: fixed, royal, lunar, substitution or special.

    `closed` is whether the city's offices are: on Labour Day, say, banks rest and offices do not.
    """

    day: date
    name: Mapping[str, str]
    kind: str
    closed: bool
    source: str


class WorkingCalendar(Struct, frozen=True):
    """Open hours of an ordinary day, the days of the week they hold for, and the holidays.

    `hours` are (from, to) in local time, in order and without overlap; `weekdays` counts Monday
    as 0.
    """

    time_zone: str
    weekdays: frozenset[int]
    hours: tuple[tuple[time, time], ...]
    holidays: Mapping[date, Holiday]
    source: str

    def local_day(self, at: datetime) -> date:
        """The date in the city's zone at an instant."""
        return at.astimezone(ZoneInfo(self.time_zone)).date()

    def is_workday(self, day: date) -> bool:
        """Whether offices open at all on a day."""
        holiday = self.holidays.get(day)
        return day.weekday() in self.weekdays and not (holiday and holiday.closed)

    def is_open(self, at: datetime) -> bool:
        """Whether an instant lies in working hours; opening and closing time both count as in."""
        return any(start <= at <= end for start, end in self._periods(self.local_day(at)))

    def next_open(self, at: datetime) -> datetime:
        """The instant itself where offices are open then, else the next opening."""
        return self.due(at, 0.0)

    def due(self, start: datetime, working_hours: float) -> datetime:
        """The first instant by which `working_hours` of office time have passed since `start`.

        Never in closed time (closing time itself is the end of open time); due(due(s, a), b)
        equals due(s, a + b). Hours are counted to the second. Returns UTC.
        Raises ValueError for negative hours.
        """
        if working_hours < 0:
            raise ValueError("working hours are not negative")
        left = timedelta(seconds=round(working_hours * 3600))
        for opens, closes in self._periods_from(start):
            begin = max(opens, start)
            if begin > closes:
                continue
            if left <= closes - begin:
                return (begin + left).astimezone(UTC)
            left -= closes - begin
        raise AssertionError("a checked calendar opens again")  # pragma: no cover

    def working_time(self, start: datetime, end: datetime) -> timedelta:
        """Office time between two instants; zero where `end` is not after `start`."""
        total = timedelta()
        for opens, closes in self._periods_from(start):
            if opens >= end:
                return total
            total += max(timedelta(), min(closes, end) - max(opens, start))
        return total  # pragma: no cover

    def _periods(self, day: date) -> list[tuple[datetime, datetime]]:
        if not self.is_workday(day):
            return []
        zone = ZoneInfo(self.time_zone)
        return [
            (
                datetime.combine(day, opens, zone).astimezone(UTC),
                datetime.combine(day, closes, zone).astimezone(UTC),
            )
            for opens, closes in self.hours
        ]

    def _periods_from(self, start: datetime) -> Iterator[tuple[datetime, datetime]]:
        day = self.local_day(start)
        while True:
            yield from self._periods(day)
            day += timedelta(days=1)


def read_calendar(
    time_zone: str,
    days: list[str],
    hours: list[tuple[str, str]],
    holidays: tuple[Holiday, ...],
    source: str,
) -> WorkingCalendar:
    """The calendar of `[calendar]` in city.toml and the table of holidays.

    Raises `KitSettingInvalid` where it has no working hour or where periods overlap.
    """
    periods = tuple(_period(opens, closes) for opens, closes in hours)
    if not periods or any(a[1] > b[0] for a, b in pairwise(periods)):
        raise KitSettingInvalid(
            file="city.toml", key="calendar.hours", expected='[["08:00", "12:00"], …]'
        )
    unknown = [day for day in days if day not in WEEKDAYS]
    if unknown or not days:
        raise KitSettingInvalid(file="city.toml", key="calendar.days", expected=", ".join(WEEKDAYS))
    return WorkingCalendar(
        time_zone=time_zone,
        weekdays=frozenset(WEEKDAYS.index(day) for day in days),
        hours=periods,
        holidays={holiday.day: holiday for holiday in holidays},
        source=source,
    )


def _period(opens: str, closes: str) -> tuple[time, time]:
    try:
        begin, end = time.fromisoformat(opens), time.fromisoformat(closes)
    except ValueError:
        begin = end = time(0)
    if begin >= end:
        raise KitSettingInvalid(
            file="city.toml",
            key="calendar.hours",
            expected="08:00 – 12:00",
            got=f"{opens}–{closes}",
        )
    return begin, end
