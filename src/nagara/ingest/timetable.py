"""Timetables: which vehicles leave a stop when, on which days. Pure.

Times are as GTFS Schedule writes them: seconds after noon less twelve hours of the day of service,
in the zone of the timetable. That is midnight but for two days a year, and times pass 24 hours for
a vehicle that is on its way at midnight.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from heapq import merge
from itertools import islice
from zoneinfo import ZoneInfo

from msgspec import Struct

DAY_S = 86_400
NO_DATES: frozenset[date] = frozenset()


class ServiceDays(Struct, frozen=True):
    """On which days a service runs. `week`: bit 0 is Monday. `first` and `last` are None where the
    service is told by its days alone."""

    week: int = 0
    first: date | None = None
    last: date | None = None
    added: frozenset[date] = NO_DATES
    removed: frozenset[date] = NO_DATES


class Calls(Struct, frozen=True):
    """When vehicles of one line, one service and one destination leave a stop.

    `stop`, `station` (of which the stop is a part, or "") and `route` are ids of entities; `times`
    are sorted, in seconds. `every_s`: the times are only about right, a vehicle comes each so many
    seconds; 0 where they are the timetable's own.
    """

    stop: str
    station: str
    route: str
    service: str
    headsign: str
    every_s: int
    times: array[int]


class Timetable(Struct, frozen=True):
    """What one publisher's feed says of departures. `zone`: of the IANA database."""

    zone: str
    services: Mapping[str, ServiceDays]
    calls: Sequence[Calls]


class Departure(Struct, frozen=True, order=True):
    """A vehicle that leaves."""

    at: datetime
    day: date  # of service: yesterday's for a vehicle that was on its way at midnight
    seconds: int
    stop: str
    route: str
    headsign: str
    every_s: int


def begin_of(day: date, zone: ZoneInfo) -> datetime:
    """The instant from which the times of a day of service count."""
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=zone)
    return noon.astimezone(UTC) - timedelta(hours=12)


def days_around(at: datetime, until: datetime, longest_s: int, zone: ZoneInfo) -> list[date]:
    """Days of service that may have departures from `at` to `until`; `longest_s` is the greatest
    time of the timetable. A day more on either side, for days of 23 and 25 hours."""
    first = at.astimezone(zone).date() - timedelta(days=longest_s // DAY_S + 1)
    last = until.astimezone(zone).date() + timedelta(days=1)
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def next_departures(
    calls: Iterable[tuple[Calls, Sequence[date]]],
    at: datetime,
    until: datetime,
    limit: int,
    zone: ZoneInfo,
) -> list[Departure]:
    """The first departures from `at` to before `until`; calls with the days on which they run."""
    begins: dict[date, datetime] = {}

    def of(one: Calls, day: date, start: int) -> Iterable[Departure]:
        for seconds in islice(one.times, start, None):
            leaves = begins[day] + timedelta(seconds=seconds)
            if leaves >= until:
                return
            yield Departure(leaves, day, seconds, one.stop, one.route, one.headsign, one.every_s)

    waiting = []
    for one, days in calls:
        for day in days:
            if day not in begins:
                begins[day] = begin_of(day, zone)
            start = bisect_left(one.times, (at - begins[day]).total_seconds())
            if start < len(one.times):
                waiting.append(of(one, day, start))
    return list(islice(merge(*waiting), limit))
