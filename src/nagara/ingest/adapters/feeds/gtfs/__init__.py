"""GTFS Schedule: agencies, stops, routes, shapes, services, departures of transport, from a zip.

Checked against the reference's rules (required files and columns, references, positions, kinds,
dates, times); a line that breaks one is parked with its number. Entities bear the names of Smart
Data Models (GtfsAgency, GtfsStop, GtfsRoute, GtfsShape, GtfsService) and are refreshed with every
new edition of the feed.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Any

from nagara.ingest.adapters.feeds.errors import (
    ArchivePartMissing,
    FeedRowsAllUnreadable,
    RowValueUnknown,
)
from nagara.ingest.adapters.feeds.gtfs.archive import Archive, Limits
from nagara.ingest.adapters.feeds.gtfs.calls import Gathering, read_frequencies
from nagara.ingest.adapters.feeds.gtfs.journeys import Journeys, read_stop_times, read_trips
from nagara.ingest.adapters.feeds.gtfs.tables import (
    Found,
    Names,
    read_agencies,
    read_routes,
    read_services,
    read_shapes,
    read_stops,
)
from nagara.ingest.feed import Feed, FeedBatch, FeedObservation, FetchMeta
from nagara.ingest.timetable import Calls, Timetable
from nagara.vocab.attribute import property_of, relation_to

LIMITS = Limits()
REQUIRED = ("agency.txt", "stops.txt", "routes.txt", "trips.txt", "stop_times.txt")
__all__ = ["Limits", "feed", "parse"]


def parse(
    data: bytes, meta: FetchMeta, *, name: str = "gtfs", source: str = "", limits: Limits = LIMITS
) -> FeedBatch:
    """The entities of an archive. Raises `FeedUnreadable`.

    Ids are made of `name` and the feed's own ids; `source` says whose feed it is.
    """
    archive = Archive(data, limits)
    archive.need(*REQUIRED)
    if not archive.names & {"calendar.txt", "calendar_dates.txt"}:
        raise ArchivePartMissing(part="calendar.txt")
    names = Names(name, meta.city_code)
    found, journeys = Found(), Journeys(Gathering(limits.departures))
    read_agencies(archive, found)
    read_stops(archive, found, names)
    read_routes(archive, found, names)
    read_services(archive, found)
    read_shapes(archive, found)
    read_trips(archive, found, journeys)
    read_frequencies(archive, journeys.trips, journeys.gathering)
    read_stop_times(archive, found, journeys)
    journeys.gathering.end(journeys.trips)
    _check_something(archive, found, journeys)
    observations = [
        FeedObservation(
            entity_local_id=names.local(given),
            entity_type=entity_type,
            observed_at=meta.fetched_at,
            readings=[],
            base=attrs,
            source=source,
            refresh=True,
        )
        for entity_type, given, attrs in _entities(archive, found, journeys, names)
    ]
    return FeedBatch(observations, archive.all_parked(), _timetable(found, journeys, names))


def _timetable(found: Found, journeys: Journeys, names: Names) -> Timetable:
    stops = {given: names.id("GtfsStop", given) for given in found.stops}
    routes = {given: names.id("GtfsRoute", given) for given in found.routes}
    gathered = journeys.gathering.times
    calls = [
        Calls(
            stops[key.stop],
            stops.get(found.stations.get(key.stop, ""), ""),
            routes[key.route],
            key.service,
            key.headsign,
            key.every_s,
            array("i", sorted(gathered[key])),
        )
        for key in sorted(gathered)
    ]
    return Timetable(found.zone, found.days, calls)


def _entities(
    archive: Archive, found: Found, journeys: Journeys, names: Names
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for given, attrs in found.agencies.items():
        yield "GtfsAgency", given or "agency", attrs
    for given, attrs in found.stops.items():
        routes = sorted(journeys.routes_at.get(given, ()))
        served = [names.id("GtfsRoute", route) for route in routes]
        yield "GtfsStop", given, attrs | ({"servedBy": _relations(served)} if served else {})
    for given, attrs in found.routes.items():
        shapes = [names.id("GtfsShape", one) for one in sorted(journeys.shapes.get(given, ()))]
        count = {"tripCount": property_of(journeys.trip_counts.get(given, 0))}
        yield (
            "GtfsRoute",
            given,
            attrs | count | ({"hasShape": _relations(shapes)} if shapes else {}),
        )
    for given, attrs in found.services.items():
        yield "GtfsService", given, attrs
    for given, points in found.shapes.items():
        line = [[lon, lat] for _, lon, lat in sorted(points)]
        if len(line) < 2 or all(point == line[0] for point in line):
            problem = RowValueUnknown(item="shapes.txt", field="shape_id", got=given[:64])
            archive.park(problem, {"shape_id": given[:64]})
            continue
        geometry = {"type": "LineString", "coordinates": line}
        yield "GtfsShape", given, {"location": {"type": "GeoProperty", "value": geometry}}


def _relations(ids: list[str]) -> dict[str, Any]:
    """One relationship to one or several entities (ETSI GS CIM 009 clause 4.5.3)."""
    return relation_to(ids[0]) if len(ids) == 1 else {"type": "Relationship", "object": ids}


def _check_something(archive: Archive, found: Found, journeys: Journeys) -> None:
    """A table in which no line could be read is another format, not a bad line."""
    read = (
        ("agency.txt", len(found.agencies)),
        ("stops.txt", len(found.stops)),
        ("routes.txt", len(found.routes)),
        ("trips.txt", len(journeys.trips)),
        ("stop_times.txt", journeys.stop_time_count),
    )
    for table, count in read:
        if count:
            continue
        first = next((item.reason for item in archive.parked if item.reason.startswith(table)), "–")
        raise FeedRowsAllUnreadable(count=archive.bad(table), first=first)


def feed(
    *,
    url: str,
    name: str = "gtfs",
    title: dict[str, str] | None = None,
    publisher: str = "",
    licence: str = "",
    period_s: float = 86_400.0,  # timetables change by the week; ETag spares the download
    limits: Limits = LIMITS,
) -> Feed:
    """The timetable of one publisher; `name` keeps the feeds of a city apart."""
    return Feed(
        name=name,
        url=url,
        period_s=period_s,
        parse=lambda data, meta: parse(data, meta, name=name, source=publisher, limits=limits),
        title=title or {"th": f"ตารางเดินรถ {name}", "en": f"Timetable, {name}"},
        publisher=publisher,
        licence=licence,
        timeout_s=120.0,
    )
