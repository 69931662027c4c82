"""Reads and checks the tables of GTFS Schedule: agencies, stops, routes, services, shapes.

A line that breaks the reference's rules is parked with its line number; the good ones go on.
"""

from __future__ import annotations

from datetime import date
from hashlib import blake2b
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from nagara.ingest.adapters.feeds.errors import (
    ArchiveTooLarge,
    RowFieldMissing,
    RowMomentUnreadable,
    RowProblem,
    RowReferenceUnknown,
    RowTwice,
    RowValueUnknown,
)
from nagara.ingest.adapters.feeds.gtfs.archive import Archive, Line
from nagara.ingest.adapters.feeds.rows import number_or_none, place_at, quoted
from nagara.ingest.timetable import ServiceDays
from nagara.values.ids import urn
from nagara.vocab.attribute import point_at, property_of, relation_to

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
#: Kinds of vehicle: the reference's own, and the extended ones (100 to 1702).
ROUTE_TYPES = frozenset((*range(8), 11, 12))
#: What an entity's attribute names them.
VEHICLES = {
    0: "tram",
    1: "metro",
    2: "rail",
    3: "bus",
    4: "ferry",
    5: "cable-tram",
    6: "aerial-lift",
    7: "funicular",
    11: "trolleybus",
    12: "monorail",
}


class Names(Struct, frozen=True):
    """Makes ids of entities: each feed of a city has names of its own."""

    feed: str
    city_code: str

    def local(self, given: str) -> str:
        """The local part of an id. A name whose characters a URN cannot hold gets a mark, so that
        two names never become one."""
        plain = given.isascii() and given.replace("-", "").replace("_", "").replace(".", "")
        if isinstance(plain, str) and plain.isalnum():
            return f"{self.feed}-{given}"
        mark = blake2b(given.encode("utf-8", "replace"), digest_size=5).hexdigest()
        return f"{self.feed}-{mark}"

    def id(self, entity_type: str, given: str) -> str:
        """The id of the entity."""
        return urn(entity_type, self.city_code, self.local(given))


class Found(Struct):
    """Attributes of entities by the feed's own ids, as they are gathered."""

    agencies: dict[str, dict[str, Any]] = {}
    stops: dict[str, dict[str, Any]] = {}
    routes: dict[str, dict[str, Any]] = {}
    services: dict[str, dict[str, Any]] = {}
    shapes: dict[str, list[tuple[int, float, float]]] = {}
    days: dict[str, ServiceDays] = {}
    stations: dict[str, str] = {}  # by the stop that is a part of it
    zone: str = ""


def read_agencies(archive: Archive, found: Found) -> None:
    """agency.txt. An agency without id is the only one, under the empty id."""
    columns = ("agency_name", "agency_url", "agency_timezone")
    for line in archive.lines("agency.txt", columns):
        try:
            given = line.find("agency_id")
            _once(line, "agency_id", given, found.agencies)
            said = {"agencyName": property_of(line.text("agency_name"))}
            said["timezone"] = property_of(line.text("agency_timezone"))
            said |= _some(line, {"agency_url": "page", "agency_lang": "language"})
            found.agencies[given] = said
            found.zone = found.zone or line.find("agency_timezone")  # all have the same
        except RowProblem as problem:
            archive.park(problem, line.cells)


def read_stops(archive: Archive, found: Found, names: Names) -> None:
    """stops.txt: stops, stations, entrances, boarding areas."""
    parents: list[tuple[Line, str, str]] = []
    for line in archive.lines("stops.txt", ("stop_id",)):
        try:
            given = line.text("stop_id")
            _once(line, "stop_id", given, found.stops)
            kind = _whole(line, "location_type", 0, frozenset(range(5)))
            said = _some(line, {"stop_code": "code", "zone_id": "zoneCode"})
            said["locationType"] = property_of(kind)
            if kind <= 2 or line.find("stop_lat"):  # generic nodes and boarding areas may lack it
                place = place_at(line.find("stop_lon"), line.find("stop_lat"), line.item)
                said["location"] = point_at(*place)
            name = line.find("stop_name") if kind > 2 else line.text("stop_name")
            if name:
                said["name"] = property_of(name)
            wheels = _whole(line, "wheelchair_boarding", 0, frozenset((0, 1, 2)))
            if wheels:
                said["wheelchairAccessible"] = property_of(wheels == 1)
            found.stops[given] = said
            if line.find("parent_station"):
                parents.append((line, given, line.find("parent_station")))
        except RowProblem as problem:
            archive.park(problem, line.cells)
    for line, given, parent in parents:
        if parent in found.stops:
            found.stations[given] = parent
            found.stops[given]["hasParentStation"] = relation_to(names.id("GtfsStop", parent))
        else:  # the stop itself is good; what is wrong is said
            archive.park(_unknown(line, "parent_station", parent, "stops.txt"), line.cells)


def read_routes(archive: Archive, found: Found, names: Names) -> None:
    """routes.txt."""
    for line in archive.lines("routes.txt", ("route_id", "route_type")):
        try:
            given = line.text("route_id")
            _once(line, "route_id", given, found.routes)
            kind = _route_type(line)
            said = _some(
                line,
                {
                    "route_short_name": "shortName",
                    "route_long_name": "name",
                    "route_color": "routeColor",
                    "route_text_color": "routeTextColor",
                },
            )
            if "shortName" not in said and "name" not in said:
                raise RowFieldMissing(item=line.item, field="route_short_name, route_long_name")
            said["routeType"] = property_of(kind)
            if kind in VEHICLES:
                said["vehicleType"] = property_of(VEHICLES[kind])
            agency = line.find("agency_id")
            if not agency and len(found.agencies) == 1:
                agency = next(iter(found.agencies))
            if agency not in found.agencies:
                raise _unknown(line, "agency_id", agency, "agency.txt")
            said["operatedBy"] = relation_to(names.id("GtfsAgency", agency or "agency"))
            found.routes[given] = said
        except RowProblem as problem:
            archive.park(problem, line.cells)


def read_services(archive: Archive, found: Found) -> None:
    """calendar.txt and calendar_dates.txt: on which days a service runs."""
    for line in archive.lines("calendar.txt", ("service_id", *DAYS, "start_date", "end_date")):
        try:
            given = line.text("service_id")
            _once(line, "service_id", given, found.services)
            days = [day for day in DAYS if _whole(line, day, None, frozenset((0, 1)))]
            first, last = _day(line, "start_date"), _day(line, "end_date")
            if last < first:
                raise RowValueUnknown(item=line.item, field="end_date", got=last.isoformat())
            week = sum(1 << DAYS.index(day) for day in days)
            found.days[given] = ServiceDays(week, first, last)
            found.services[given] = {
                "operatesOn": property_of(days),
                "validFrom": property_of(first.isoformat()),
                "validThrough": property_of(last.isoformat()),
            }
        except RowProblem as problem:
            archive.park(problem, line.cells)
    also: dict[str, dict[int, set[date]]] = {}
    columns = ("service_id", "date", "exception_type")
    for line in archive.lines("calendar_dates.txt", columns):
        try:
            kind = _whole(line, "exception_type", None, frozenset((1, 2)))
            day = _day(line, "date")
            also.setdefault(line.text("service_id"), {1: set(), 2: set()})[kind].add(day)
        except RowProblem as problem:
            archive.park(problem, line.cells)
    for given, days_of in also.items():
        added, removed = frozenset(days_of[1]), frozenset(days_of[2])
        known = found.days.get(given, ServiceDays())
        found.days[given] = replace(known, added=added, removed=removed)
        said = found.services.setdefault(given, {})
        for kind, name in ((1, "addedDates"), (2, "removedDates")):
            if days_of[kind]:
                said[name] = property_of([day.isoformat() for day in sorted(days_of[kind])])


def read_shapes(archive: Archive, found: Found) -> None:
    """shapes.txt: points in order; a shape of one point is no line."""
    columns = ("shape_id", "shape_pt_lat", "shape_pt_lon", "shape_pt_sequence")
    left = archive.limits.shape_points
    for line in archive.lines("shapes.txt", columns):
        try:
            lon, lat = place_at(line.find("shape_pt_lon"), line.find("shape_pt_lat"), line.item)
            at = _whole(line, "shape_pt_sequence", None, None)
            found.shapes.setdefault(line.text("shape_id"), []).append((at, lon, lat))
            left -= 1
            if left < 0:
                raise ArchiveTooLarge(part="shapes.txt", limit=f"{archive.limits.shape_points:,}")
        except RowProblem as problem:
            archive.park(problem, line.cells)


def _once(line: Line, column: str, given: str, known: dict[str, Any]) -> None:
    if given in known:
        raise RowTwice(item=line.item, field=column, got=quoted(given))


def _unknown(line: Line, column: str, given: str, table: str) -> RowReferenceUnknown:
    return RowReferenceUnknown(item=line.item, field=column, got=quoted(given), table=table)


def _some(line: Line, columns: dict[str, str]) -> dict[str, Any]:
    return {to: property_of(line.find(of)) for of, to in columns.items() if line.find(of)}


def _whole(line: Line, column: str, absent: int | None, allowed: frozenset[int] | None) -> int:
    text = line.find(column)
    if not text and absent is not None:
        return absent
    number = number_or_none(line.text(column), column, line.item)
    if number is None or number != int(number) or number < 0:
        raise RowValueUnknown(item=line.item, field=column, got=quoted(text))
    if allowed is not None and int(number) not in allowed:
        raise RowValueUnknown(item=line.item, field=column, got=quoted(text))
    return int(number)


def _route_type(line: Line) -> int:
    kind = _whole(line, "route_type", None, None)
    if kind not in ROUTE_TYPES and not 100 <= kind <= 1702:
        raise RowValueUnknown(item=line.item, field="route_type", got=kind)
    return kind


def _day(line: Line, column: str) -> date:
    text = line.text(column)
    try:
        if len(text) != 8 or not text.isascii() or not text.isdigit():
            raise ValueError
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        raise RowMomentUnreadable(item=line.item, field=column, got=quoted(text)) from None
