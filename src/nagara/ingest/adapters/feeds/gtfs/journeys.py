"""Reads and checks trips.txt and stop_times.txt, the long tables, keeping only what is asked.

Trips and their times are checked line by line and not made entities: a city has a hundred thousand
of them, they change with every timetable, and nobody asks for one. What stays is which routes
serve which stops, how many trips a route has, which shapes it follows, and the departures of each
stop (`calls.py`).
"""

from __future__ import annotations

from collections.abc import Container

from msgspec import Struct

from nagara.ingest.adapters.feeds.errors import (
    RowProblem,
    RowReferenceUnknown,
    RowTwice,
    RowValueUnknown,
)
from nagara.ingest.adapters.feeds.gtfs.archive import Archive, Line
from nagara.ingest.adapters.feeds.gtfs.calls import Call, Gathering, Trip, seconds_of
from nagara.ingest.adapters.feeds.gtfs.tables import Found
from nagara.ingest.adapters.feeds.rows import quoted

#: What is said of a destination on a vehicle's front; a longer text is no destination.
HEADSIGN_CHARS_MAX = 200


class Journeys(Struct):
    """What the timetable says of routes and stops, by the feed's own ids."""

    gathering: Gathering
    trips: dict[str, Trip] = {}
    trip_counts: dict[str, int] = {}  # by route
    shapes: dict[str, set[str]] = {}  # by route
    routes_at: dict[str, set[str]] = {}  # by stop
    stop_time_count: int = 0


def read_trips(archive: Archive, found: Found, journeys: Journeys) -> None:
    """trips.txt: every trip belongs to a route and a service that are there."""
    for line in archive.lines("trips.txt", ("route_id", "service_id", "trip_id")):
        try:
            trip, route = line.text("trip_id"), line.text("route_id")
            if trip in journeys.trips:
                raise RowTwice(item=line.item, field="trip_id", got=quoted(trip))
            _there(line, "route_id", found.routes, "routes.txt")
            _there(line, "service_id", found.services, "calendar.txt, calendar_dates.txt")
            if line.find("shape_id"):
                _there(line, "shape_id", found.shapes, "shapes.txt")
                journeys.shapes.setdefault(route, set()).add(line.find("shape_id"))
            service, headsign = line.find("service_id"), line.find("trip_headsign")
            journeys.trips[trip] = Trip(route, service, headsign[:HEADSIGN_CHARS_MAX])
            journeys.trip_counts[route] = journeys.trip_counts.get(route, 0) + 1
        except RowProblem as problem:
            archive.park(problem, line.cells)


def read_stop_times(archive: Archive, found: Found, journeys: Journeys) -> None:
    """stop_times.txt: every call is of a trip at a stop, in order, with times that do not go back.

    The order is checked within a trip as the lines come; a table sorted otherwise is left alone.
    """
    before: tuple[str, int, int] = ("", -1, -1)  # trip, sequence, departure in seconds
    columns = ("trip_id", "stop_id", "stop_sequence")
    for line in archive.lines("stop_times.txt", columns):
        try:
            trip, stop = line.find("trip_id"), line.find("stop_id")
            of = journeys.trips.get(trip)
            if of is None:
                _there(line, "trip_id", journeys.trips, "trips.txt")
                continue
            if stop not in found.stops:
                _there(line, "stop_id", found.stops, "stops.txt")
            sequence = line.find("stop_sequence")
            if not (sequence.isascii() and sequence.isdigit() and len(sequence) < 10):
                raise RowValueUnknown(item=line.item, field="stop_sequence", got=quoted(sequence))
            at = int(sequence)
            leaves, latest = _check_times(line, before, trip, at)
            before = (trip, at, latest)
            journeys.routes_at.setdefault(stop, set()).add(of.route)
            journeys.stop_time_count += 1
            if line.find("pickup_type") == "1":
                leaves = None  # nobody may board
            headsign = line.find("stop_headsign")[:HEADSIGN_CHARS_MAX]
            journeys.gathering.hear(trip, of, Call(at, stop, headsign, leaves))
        except RowProblem as problem:
            archive.park(problem, line.cells)


def _check_times(
    line: Line, before: tuple[str, int, int], trip: str, at: int
) -> tuple[int | None, int]:
    """The departure in seconds after midnight, None where no time is given; and the latest time of
    the trip so far."""
    arrives, leaves = seconds_of(line, "arrival_time"), seconds_of(line, "departure_time")
    same = before[0] == trip and at > before[1]
    if before[0] == trip and at == before[1]:
        raise RowTwice(item=line.item, field="stop_sequence", got=at)
    earliest = before[2] if same else -1
    for name, moment in (("arrival_time", arrives), ("departure_time", leaves)):
        if moment is None:
            continue
        if moment < earliest:
            raise RowValueUnknown(item=line.item, field=name, got=quoted(line.find(name)))
        earliest = moment
    return (arrives if leaves is None else leaves), earliest


def _there(line: Line, column: str, known: Container[str], table: str) -> None:
    given = line.text(column)
    if given not in known:
        raise RowReferenceUnknown(item=line.item, field=column, got=quoted(given), table=table)
