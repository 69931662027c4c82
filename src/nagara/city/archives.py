"""Readers of the archives in the kit-data folder: air, rain, tickets.

Which file plays which part and what its columns are called is said by `city.toml`; nothing here
knows a city. A reader gives what was seen, in order of time, at its original instant; whoever
plays it back shifts it. What is known to be wrong in an archive is told as a doubt beside the
value, and nothing is left out in silence.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from nagara.city.archive_rows import ArchiveRow, Fault, read_archive_rows
from nagara.city.errors import KitDataUnreadable
from nagara.city.model import City
from nagara.city.sources import ArchiveMap

#: A feed in which this share of at least so many stations repeats its last value stood still.
STALE_SHARE = 0.9
STALE_STATIONS_MIN = 20

#: Doubts about an archived value. `zero`: a mean of exactly nothing, an instrument at rest;
#: `stale`: the whole feed repeated the hour before; `undated`: the day had to be concluded.
ZERO, STALE, UNDATED = "zero", "stale", "undated"

LonLat = tuple[float, float]


class Seen(Struct, frozen=True):
    """One attribute as archived: value, UN/CEFACT unit, and what speaks against it."""

    value: Any
    unit_code: str | None = None
    doubts: tuple[str, ...] = ()


class Sighting(Struct, frozen=True):
    """One row of an archive.

    `original_at` is when it was true (UTC), `local` the local part of the entity's id
    (`values.ids.urn(entity_type, city.code, local)`), `location` (longitude, latitude),
    `period_s` the time the value stands for, where the kit says.
    """

    original_at: datetime
    entity_type: str
    local: str
    attributes: Mapping[str, Seen]
    name: str | None
    location: LonLat | None
    district: str | None
    period_s: float | None


def present_archives(city: City, kit_data: Path | None) -> tuple[ArchiveMap, ...]:
    """The archives of the kit whose files are in the kit-data folder."""
    if kit_data is None:
        return ()
    return tuple(archive for archive in city.archives if (kit_data / archive.path).is_file())


def read_archive(
    city: City, kit_data: Path, archive: ArchiveMap, on_fault: Fault | None = None
) -> Iterator[Sighting]:
    """What an archive holds, in order of time and, within an instant, of entity.

    `on_fault` hears of each row that cannot be read, which is then left out; without it the
    first raises `KitDataUnreadable`. That is also raised for a missing file, column or role.
    """
    reader = _READERS.get(archive.role)
    if reader is None:
        raise KitDataUnreadable(
            file=archive.path, reason=f"role {archive.role!r}, not {', '.join(_READERS)}"
        )
    parse, finish = reader(city, archive)
    parsed = []
    for row in read_archive_rows(kit_data / archive.path, archive, on_fault):
        try:
            parsed.append(parse(row))
        except KitDataUnreadable as problem:
            if on_fault is None:
                raise
            on_fault(problem)
    found = list(finish(parsed))
    found.sort(key=lambda sighting: (sighting.original_at, sighting.local))
    yield from found


#: How a role is read: a function for each row, and one for all that were parsed.
_Reader = tuple[Callable[[ArchiveRow], Any], Callable[[list[Any]], Iterable[Sighting]]]


def _air_reader(city: City, archive: ArchiveMap) -> _Reader:
    """Stations of the kit, found by code; local time; values as they are, never averaged again."""
    zone = ZoneInfo(city.time_zone)
    units = _units(archive)
    stations = {station.code: station for station in city.air_stations}
    measured = [word for word in archive.columns if word not in ("time", "date", "station")]

    def parse(row: ArchiveRow) -> Sighting:
        code = row.text("station")
        station = stations.get(code)
        if station is None:
            raise row.fault("station", code)
        attributes = {}
        for word in measured:
            value = row.find_number(word)
            if value is not None:
                doubts = (ZERO,) if value == 0 and word in units else ()
                attributes[word] = Seen(value, units.get(word), doubts)
        return Sighting(
            original_at=row.instant(zone),
            entity_type=archive.options["entity_type"],
            local=code,
            attributes=attributes,
            name=None,
            location=station.location,
            district=station.district,
            period_s=_period_s(archive),
        )

    return parse, _doubt_stale


def _doubt_stale(sightings: list[Sighting]) -> Iterator[Sighting]:
    """Marks the hours in which the whole feed repeats the hour before: it stood still."""
    by_time: dict[datetime, dict[str, Sighting]] = defaultdict(dict)
    for sighting in sightings:
        by_time[sighting.original_at][sighting.local] = sighting
    before: dict[str, Sighting] = {}
    for at in sorted(by_time):
        now = by_time[at]
        both = now.keys() & before.keys()
        same = sum(_values(now[local]) == _values(before[local]) for local in both)
        stale = len(both) >= STALE_STATIONS_MIN and same >= STALE_SHARE * len(both)
        before = now
        yield from (_doubted(sighting, STALE) if stale else sighting for sighting in now.values())


def _values(sighting: Sighting) -> dict[str, Any]:
    return {word: seen.value for word, seen in sighting.attributes.items()}


def _doubted(sighting: Sighting, doubt: str) -> Sighting:
    attributes = {
        word: replace(seen, doubts=(*seen.doubts, doubt))
        for word, seen in sighting.attributes.items()
    }
    return replace(sighting, attributes=attributes)


class _Gauge(Struct, frozen=True):
    """A row of a list of rain gauges before its day and its gauge are settled."""

    listed_at: datetime
    name: str
    place: str
    value: float
    location: LonLat | None


def _rain_reader(city: City, archive: ArchiveMap) -> _Reader:
    """Daily lists of gauges: a date, a time of day, a name, and at times a position.

    The date is that of the list. Most gauges of a list say the same time, that of the list; one
    that says a later time has spoken last on the day before. A gauge is known by its name and
    place; where some rows give its position, all rows of it have it.
    """
    zone = ZoneInfo(city.time_zone)
    prefix = archive.options.get("name_prefix", "")

    def parse(row: ArchiveRow) -> _Gauge:
        value = row.find_number("precipitation")
        if value is None:
            raise row.fault("precipitation", "")
        name = " ".join(row.text("name").removeprefix(prefix).split())
        if not name:
            raise row.fault("name", "")
        place = " ".join(row.text("place").split())
        return _Gauge(row.instant(zone), name, place, value, row.find_location())

    def finish(gauges: list[_Gauge]) -> Iterator[Sighting]:
        positions = {(g.name, g.place): g.location for g in gauges if g.location}
        taken_at = _list_times(gauges, zone)
        for gauge in gauges:
            location = positions.get((gauge.name, gauge.place))
            late = gauge.listed_at > taken_at[_local_day(gauge.listed_at, zone)]
            seen = Seen(gauge.value, _units(archive).get("precipitation"), (UNDATED,) * late)
            yield Sighting(
                original_at=gauge.listed_at - timedelta(days=int(late)),
                entity_type=archive.options["entity_type"],
                local=_gauge_id(gauge, location),
                attributes={"precipitation": seen},
                name=gauge.name,
                location=location,
                district=_district(city, location, gauge.place),
                period_s=_period_s(archive),
            )

    return parse, finish


def _list_times(gauges: list[_Gauge], zone: ZoneInfo) -> dict[str, datetime]:
    """For each day the time that most gauges of its list name; of two the later."""
    named: dict[str, Counter[datetime]] = defaultdict(Counter)
    for gauge in gauges:
        named[_local_day(gauge.listed_at, zone)][gauge.listed_at] += 1
    return {day: max(times, key=lambda at: (times[at], at)) for day, times in named.items()}


def _local_day(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).date().isoformat()


def _gauge_id(gauge: _Gauge, location: LonLat | None) -> str:
    where = gauge.place if location is None else f"{location[0]:.4f} {location[1]:.4f}"
    return "rain-" + hashlib.sha256(f"{gauge.name}|{where}".encode()).hexdigest()[:12]


def _ticket_reader(city: City, archive: ArchiveMap) -> _Reader:
    """Tickets of a foreign system: category and district by the kit's table of names.

    Of several types the first that is known counts; `options.other_category` stands where none
    is. The status is that at the time of the export, in the kit's words for it (`values`).
    """
    zone = ZoneInfo(city.time_zone)

    def parse(row: ArchiveRow) -> Sighting:
        types = [text.strip() for text in row.text("category").split(",")]
        known = (city.find_code("category", text) for text in types if text)
        category = next(filter(None, known), None) or archive.options.get("other_category")
        attributes = {
            "category": Seen(category),
            "status": Seen(archive.values.get(row.text("status"), row.text("status"))),
        }
        rating = row.find_number("rating")
        if rating is not None:
            attributes["rating"] = Seen(rating)
        location = row.find_location()
        if not row.text("id"):
            raise row.fault("id", "")
        return Sighting(
            original_at=row.instant(zone),
            entity_type=archive.options["entity_type"],
            local=row.text("id"),
            attributes=attributes,
            name=None,
            location=location,
            district=_district(city, location, row.text("district")),
            period_s=None,
        )

    return parse, lambda sightings: sightings


_READERS: dict[str, Callable[[City, ArchiveMap], _Reader]] = {
    "air": _air_reader,
    "rain": _rain_reader,
    "tickets": _ticket_reader,
}


def _district(city: City, location: LonLat | None, said: str) -> str | None:
    """The district of a position where outlines are real; else the one a text names.

    Around centres only, a text ("อ.ดุสิต จ.…") knows better than the cell.
    """
    found = None if location is None else city.district_at(*location)
    if found is not None and not city.districts_approximate:
        return found.code
    for word in said.split():
        named = city.find_code("district", word.removeprefix("อ.").removeprefix("เขต"))
        if named is not None:
            return named
    return None if found is None else found.code


def _units(archive: ArchiveMap) -> dict[str, str]:
    """`units = "pm25=GQ, pm10=GQ"` as a table."""
    pairs = (pair.partition("=") for pair in archive.options.get("units", "").split(","))
    return {word.strip(): unit.strip() for word, _, unit in pairs if unit}


def _period_s(archive: ArchiveMap) -> float | None:
    hours = archive.options.get("period_h")
    return None if hours is None else float(hours) * 3600
