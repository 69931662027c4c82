"""Gathers departures by stop, line, service and destination: what a stop's page asks for.

A city has a hundred thousand trips and millions of calls; kept are the times alone, four bytes
each. A vehicle's last stop is no departure, nor is a stop where nobody may board or one that the
timetable gives no time.
"""

from __future__ import annotations

import re
from array import array
from typing import NamedTuple

from nagara.ingest.adapters.feeds.errors import (
    ArchiveTooLarge,
    RowProblem,
    RowReferenceUnknown,
    RowValueUnknown,
)
from nagara.ingest.adapters.feeds.gtfs.archive import Archive, Line
from nagara.ingest.adapters.feeds.rows import quoted

#: Hours may pass 24 for a trip that runs past midnight; a week of them is a mistake.
_TIME = re.compile(r"(\d{1,3}):([0-5]\d):([0-5]\d)")
HOURS_MAX = 168


class Trip(NamedTuple):
    """What a trip says of its calls, by the feed's own ids."""

    route: str
    service: str
    headsign: str


class Key(NamedTuple):
    """What departures are gathered by."""

    stop: str
    route: str
    service: str
    headsign: str
    every_s: int


class Call(NamedTuple):
    """A vehicle at a stop. `leaves` is None where nobody may board, or no time is given."""

    sequence: int
    stop: str
    headsign: str
    leaves: int | None


class Window(NamedTuple):
    """A line of frequencies.txt: from one time to another, each so many seconds."""

    start: int
    end: int
    headway_s: int
    exact: bool


class Gathering:
    """Departures as they are read, in whatever order the lines come."""

    def __init__(self, most: int) -> None:
        self.times: dict[Key, array[int]] = {}
        self.windows: dict[str, list[Window]] = {}
        self._left = self._most = most
        self._last: dict[str, Call] = {}
        self._patterns: dict[str, list[Call]] = {}

    def hear(self, trip_id: str, trip: Trip, call: Call) -> None:
        """One line of stop_times.txt. Raises `ArchiveTooLarge`."""
        if trip_id in self.windows:  # a pattern: its times say only how far apart the stops are
            self._patterns.setdefault(trip_id, []).append(call)
            return
        last = self._last.get(trip_id)
        if last is None or call.sequence > last.sequence:
            self._last[trip_id] = call  # perhaps the vehicle's last: known when another follows
            if last is None:
                return
            call = last
        self._keep(trip, call, call.leaves, 0)

    def end(self, trips: dict[str, Trip]) -> None:
        """After the last line: trips that come each so often are spread over their windows."""
        for trip_id, calls in self._patterns.items():
            calls.sort()
            begun = next((call.leaves for call in calls if call.leaves is not None), None)
            if begun is None:
                continue
            for window in self.windows[trip_id]:
                once = window.headway_s >= window.end - window.start
                every_s = 0 if window.exact or once else window.headway_s
                for start in range(window.start, window.end, window.headway_s):
                    for call in calls[:-1]:
                        if call.leaves is not None:
                            self._keep(trips[trip_id], call, start + call.leaves - begun, every_s)

    def _keep(self, trip: Trip, call: Call, leaves: int | None, every_s: int) -> None:
        if leaves is None:
            return
        self._left -= 1
        if self._left < 0:
            raise ArchiveTooLarge(part="stop_times.txt", limit=f"{self._most:,}")
        key = Key(call.stop, trip.route, trip.service, call.headsign or trip.headsign, every_s)
        times = self.times.get(key)
        if times is None:
            times = self.times[key] = array("i")
        times.append(leaves)


def read_frequencies(archive: Archive, trips: dict[str, Trip], gathering: Gathering) -> None:
    """frequencies.txt: trips that come each so many seconds. One whose line is wrong does not come
    at all: its times in stop_times.txt are no departures."""
    columns = ("trip_id", "start_time", "end_time", "headway_secs")
    for line in archive.lines("frequencies.txt", columns):
        try:
            trip = line.text("trip_id")
            if trip not in trips:
                raise RowReferenceUnknown(
                    item=line.item, field="trip_id", got=quoted(trip), table="trips.txt"
                )
            windows = gathering.windows.setdefault(trip, [])
            windows.append(_window(line))
        except RowProblem as problem:
            archive.park(problem, line.cells)


def _window(line: Line) -> Window:
    from_s, to_s = seconds_of(line, "start_time"), seconds_of(line, "end_time")
    if from_s is None or to_s is None or to_s <= from_s:
        raise RowValueUnknown(item=line.item, field="end_time", got=quoted(line.find("end_time")))
    said = line.text("headway_secs")
    # one longer than the window comes once, at its start; feeds write so
    if not (said.isascii() and said.isdigit() and len(said) < 10 and int(said)):
        raise RowValueUnknown(item=line.item, field="headway_secs", got=quoted(said))
    return Window(from_s, to_s, int(said), line.find("exact_times") == "1")


def seconds_of(line: Line, column: str) -> int | None:
    """A time of day in seconds; None where the cell is empty. Raises `RowValueUnknown`."""
    text = line.find(column)
    if not text:
        return None
    match = _TIME.fullmatch(text)
    if match is None or int(match[1]) > HOURS_MAX:
        raise RowValueUnknown(item=line.item, field=column, got=quoted(text))
    return int(match[1]) * 3600 + int(match[2]) * 60 + int(match[3])
