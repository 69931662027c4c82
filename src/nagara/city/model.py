"""A city as data: frozen, typed, complete. Read by `kit.read_kit`; nothing here does I/O."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from functools import cached_property
from typing import Literal, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from nagara.city.areas import DistrictIndex, Shapes, cells_index
from nagara.city.calendar import Holiday, WorkingCalendar
from nagara.city.errors import (
    CategoryUnknown,
    DepartmentUnknown,
    DistrictUnknown,
    NotInCity,
)
from nagara.city.feeds import FeedSource
from nagara.city.sources import ArchiveMap, Replay, ShapeSource

Words = Mapping[str, str]  # language → text
LonLat = tuple[float, float]
T = TypeVar("T")
#: What an installation is of: the same software runs all of them.
Level = Literal["city", "province", "country", "network"]

#: In place of a department: the office of the district where the thing is.
DISTRICT_OFFICE = "@district"
DISTRICT_OFFICE_KIND = "district-office"


class District(Struct, frozen=True):
    """An administrative area of the first level below the city."""

    code: str
    name: Words
    centre: LonLat
    population: int | None
    population_year: int | None
    area_km2: float | None
    source: str


class Department(Struct, frozen=True):
    """Somebody who answers for cases.

    `kind`: bureau (of the city), district-office, local-government (within a province that runs
    as one city) or outside. `district` is the district it is for; `hotline` a public number.
    """

    code: str
    name: Words
    kind: str
    district: str | None
    parent: str | None
    hotline: str | None
    source: str


class Category(Struct, frozen=True):
    """What a case is about. A group has no `group` of its own and holds categories.

    `due_hours` are working hours from report to resolution; `department` is a code or
    `DISTRICT_OFFICE`. Both of a category are its own or its group's.
    """

    code: str
    group: str | None
    name: Words
    department: str
    due_hours: float
    icon: str
    photo_advised: bool
    source: str


class Route(Struct, frozen=True):
    """An exception to a category's department, for one district."""

    category: str
    district: str
    department: str
    source: str


class AlertRoute(Struct, frozen=True):
    """Which department answers for alerts of a category, and the category of the case opened."""

    alert_category: str
    department: str
    case_category: str
    source: str


class Threshold(Struct, frozen=True):
    """One step of an official scale, as its table prints it: `value_from` – `value_to`.

    A value belongs to the first step whose `value_to` it does not exceed (None: no end). Values
    are in `unit_code` (UN/CEFACT) averaged over `period_h` hours; `index_from` and `index_to` are
    the index at both ends.
    """

    scale: str
    measure: str
    unit_code: str
    period_h: float
    level: int
    code: str
    name: Words
    advice: Words
    colour: str
    value_from: float
    value_to: float | None
    index_from: float
    index_to: float | None
    source: str
    source_date: date


class Place(Struct, frozen=True):
    """A point people know: hospital, fire-station, police-station, park, market …"""

    code: str
    kind: str
    name: Words
    location: LonLat
    district: str | None
    operator: str | None
    source: str


class TransitStation(Struct, frozen=True):
    """A station of rapid transit on one line; an interchange has a row for each of its lines."""

    code: str
    line: str
    name: Words
    location: LonLat
    opened: bool
    source: str


class AirStation(Struct, frozen=True):
    """A station of the air network. `mobile`: a vehicle; its position is where it stood."""

    code: str
    name: Words
    location: LonLat
    district: str
    mobile: bool
    source: str


class Alias(Struct, frozen=True):
    """A name that somebody else uses for one of our codes. `kind`: district, category, station."""

    kind: str
    name: str
    code: str
    source: str


class Controller(Struct, frozen=True):
    """Who answers for personal data, as every privacy notice names it."""

    name: Words
    address: Words
    contact: str
    source: str


class Attribution(Struct, frozen=True, forbid_unknown_fields=True):
    """Whose data the city shows, and under which licence."""

    title: str | Words  # one text for all readers, or one for each language
    licence: str
    url: str | None = None


class City(Struct, frozen=True, dict=True):
    """Everything a kit says. `get_` raises `NotInCity`, `find_` may return None."""

    code: str
    name: Words
    country: str
    time_zone: str
    languages: tuple[str, ...]
    centre: LonLat
    bounds: tuple[float, float, float, float]  # west, south, east, north
    currency: str
    buddhist_era: tuple[str, ...]  # languages whose years are of the Buddhist Era (AD + 543)
    controller: Controller
    attributions: tuple[Attribution, ...]
    calendar: WorkingCalendar
    fallback_department: str
    districts: tuple[District, ...]
    departments: tuple[Department, ...]
    categories: tuple[Category, ...]
    routes: tuple[Route, ...]
    alert_routes: tuple[AlertRoute, ...]
    thresholds: tuple[Threshold, ...]
    transit_stations: tuple[TransitStation, ...]
    air_stations: tuple[AirStation, ...]
    places: tuple[Place, ...]
    aliases: tuple[Alias, ...]
    archives: tuple[ArchiveMap, ...]
    shape_sources: tuple[ShapeSource, ...]
    replay: Replay | None = None  # None: nothing to play, the demo simulates
    shapes: Shapes | None = None
    feeds: tuple[FeedSource, ...] = ()
    level: Level = "city"

    def with_shapes(self, shapes: Shapes) -> City:
        """The same city, placing positions by these shapes."""
        return replace(self, shapes=shapes)

    def get_district(self, code: str) -> District:
        """The district of a code. Raises `DistrictUnknown`."""
        return _get(self._districts, code, DistrictUnknown, self.code)

    def get_department(self, code: str) -> Department:
        """The department of a code. Raises `DepartmentUnknown`."""
        return _get(self._departments, code, DepartmentUnknown, self.code)

    def get_category(self, code: str) -> Category:
        """The category or group of a code. Raises `CategoryUnknown`."""
        return _get(self._categories, code, CategoryUnknown, self.code)

    def find_category(self, code: str) -> Category | None:
        """The category or group of a code."""
        return self._categories.get(code)

    def find_department(self, code: str) -> Department | None:
        """The department of a code."""
        return self._departments.get(code)

    def find_code(self, kind: str, name: str) -> str | None:
        """Our code for a name somebody else uses: the table of aliases, then our own names.

        `kind` is district, category or station; a code stands for itself.
        """
        return self._names.get((kind, " ".join(name.split())))

    def leaf_categories(self) -> tuple[Category, ...]:
        """The categories a person can choose: those that are no group of others."""
        groups = {category.group for category in self.categories}
        return tuple(c for c in self.categories if c.code not in groups)

    def route(self, category: str, district: str | None) -> Department:
        """Who answers for a case of this category here; never nobody.

        The most specific wins: category in this district, its group in this district, the
        category's department, at last the city's fallback. Raises `NotInCity` for a category or
        district the city does not have.
        """
        what = self.get_category(category)
        if district is None:
            return self._department_at(what.department, None)
        self.get_district(district)
        for code in (what.code, what.group):
            found = self._routes.get((code, district))
            if found is not None:
                return self._department_at(found.department, district)
        return self._department_at(what.department, district)

    def route_alert(
        self, alert_category: str, district: str | None
    ) -> tuple[Department, str] | None:
        """The department that answers for an alert and the category of its case, or None."""
        found = self._alert_routes.get(alert_category)
        if found is None:
            return None
        return self._department_at(found.department, district), found.case_category

    def due_at(self, category: str, reported_at: datetime) -> datetime:
        """By when a case of this category is to be resolved (UTC). Raises `NotInCity`."""
        return self.calendar.due(reported_at, self.get_category(category).due_hours)

    def district_at(self, lon: float, lat: float) -> District | None:
        """The district of a position, None outside the city.

        By the shapes where they were read; else by the nearest centre within the bounds, which
        is approximate (`districts_approximate`).
        """
        code = self.district_index.find(lon, lat)
        return None if code is None else self._districts[code]

    @property
    def districts_approximate(self) -> bool:
        """Whether district outlines are cells around centres rather than real ones."""
        return self.district_index.approximate

    @property
    def holidays(self) -> tuple[Holiday, ...]:
        """All holidays by date."""
        return tuple(self.calendar.holidays[day] for day in sorted(self.calendar.holidays))

    @cached_property
    def district_index(self) -> DistrictIndex:
        """Outlines of the districts, and the search in them."""
        if self.shapes is not None and self.shapes.districts is not None:
            return self.shapes.districts
        return cells_index({d.code: d.centre for d in self.districts}, self.bounds)

    def scale(self, scale: str, measure: str) -> tuple[Threshold, ...]:
        """The steps of an official scale for a measure, from the best up; none if not known."""
        steps = [t for t in self.thresholds if t.scale == scale and t.measure == measure]
        return tuple(sorted(steps, key=lambda step: step.level))

    def archives_of(self, role: str) -> tuple[ArchiveMap, ...]:
        """The archives that play a role (air, rain, tickets)."""
        return tuple(archive for archive in self.archives if archive.role == role)

    def _department_at(self, code: str, district: str | None) -> Department:
        if code == DISTRICT_OFFICE:
            return self._offices.get(district, self._departments[self.fallback_department])
        return self._departments[code]

    @cached_property
    def _districts(self) -> dict[str, District]:
        return {district.code: district for district in self.districts}

    @cached_property
    def _departments(self) -> dict[str, Department]:
        return {department.code: department for department in self.departments}

    @cached_property
    def _offices(self) -> dict[str | None, Department]:
        return {d.district: d for d in self.departments if d.kind == DISTRICT_OFFICE_KIND}

    @cached_property
    def _categories(self) -> dict[str, Category]:
        return {category.code: category for category in self.categories}

    @cached_property
    def _routes(self) -> dict[tuple[str | None, str], Route]:
        return {(route.category, route.district): route for route in self.routes}

    @cached_property
    def _alert_routes(self) -> dict[str, AlertRoute]:
        return {route.alert_category: route for route in self.alert_routes}

    @cached_property
    def _names(self) -> dict[tuple[str, str], str]:
        named = [("district", d.code, d.name) for d in self.districts]
        named += [("category", c.code, c.name) for c in self.categories]
        named += [("station", s.code, s.name) for s in self.air_stations]
        found = {(kind, text): code for kind, code, name in named for text in name.values()}
        found |= {(kind, code): code for kind, code, _ in named}
        return found | {(alias.kind, alias.name): alias.code for alias in self.aliases}


def _get(table: Mapping[str, T], code: str, unknown: type[NotInCity], city: str) -> T:
    found = table.get(code)
    if found is None:
        raise unknown(got=code[:64], city=city)
    return found
