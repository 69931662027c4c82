"""The tables of a kit, one function each: file name, columns, types, what they point at.

The format is described in docs/reference/city-kit.md; a test holds the two together.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from pathlib import Path

from nagara.city.calendar import Holiday
from nagara.city.errors import KitChoiceUnknown, KitDuplicate, KitReferenceUnknown
from nagara.city.model import (
    DISTRICT_OFFICE,
    DISTRICT_OFFICE_KIND,
    AirStation,
    AlertRoute,
    Alias,
    Category,
    Department,
    District,
    Place,
    Route,
    Threshold,
    TransitStation,
)
from nagara.city.table import Bounds, Row, read_rows
from nagara.values.units import UNITS

DEPARTMENT_KINDS = ("bureau", DISTRICT_OFFICE_KIND, "local-government", "outside")
HOLIDAY_KINDS = ("fixed", "royal", "lunar", "substitution", "special")
ALIAS_KINDS = ("category", "district", "station")
YES_NO = ("yes", "no")
PLACE_TABLES = {"hospitals.csv": "hospital", "fire_stations.csv": "fire-station"}
_COLOUR = re.compile(r"#[0-9a-f]{6}")

Languages = tuple[str, ...]


def names_of(stem: str, languages: Languages) -> list[str]:
    """The columns of a text in every language: name_th, name_en …"""
    return [f"{stem}_{language}" for language in languages]


def read_districts(kit: Path, languages: Languages, bounds: Bounds) -> tuple[District, ...]:
    """districts.csv: areas of the first level, with centre and population."""
    columns = ["code", *names_of("name", languages), "lon", "lat"]
    optional = ["population", "population_year", "area_km2"]
    found = []
    for row in read_rows(kit / "districts.csv", columns, optional, key=("code",)):
        counted = row.find_text("population") is not None
        found.append(
            District(
                code=row.code("code"),
                name=row.words("name", languages),
                centre=row.location(bounds),
                population=row.whole("population") if counted else None,
                population_year=row.whole("population_year", 1900) if counted else None,
                area_km2=row.find_number("area_km2", 0.01),
                source=row.source(),
            )
        )
    return tuple(found)


def read_departments(
    kit: Path, languages: Languages, districts: Collection[str]
) -> tuple[Department, ...]:
    """departments.csv: who answers for cases; a parent stands above its children."""
    columns = ["code", *names_of("name", languages), "kind"]
    optional = ["district", "parent", "hotline"]
    found: dict[str, Department] = {}
    offices: dict[str | None, int] = {}
    for row in read_rows(kit / "departments.csv", columns, optional, key=("code",)):
        has_district = row.find_text("district") is not None
        has_parent = row.find_text("parent") is not None
        code = row.code("code")
        found[code] = Department(
            code=code,
            name=row.words("name", languages),
            kind=row.choice("kind", DEPARTMENT_KINDS),
            district=row.known("district", "districts.csv", districts) if has_district else None,
            parent=row.known("parent", "departments.csv", found) if has_parent else None,
            hotline=row.find_text("hotline"),
            source=row.source(),
        )
        if found[code].kind == DISTRICT_OFFICE_KIND:
            row.text("district")
            _check_only(row, "district", offices)
    return tuple(found.values())


def _check_only(row: Row, column: str, seen: dict[str | None, int]) -> None:
    """Raises `KitDuplicate` where a cell's value stands in an earlier row already."""
    value = row.find_text(column)
    if value in seen:
        raise KitDuplicate(
            file=row.file, line=row.line, column=column, got=value, first=seen[value]
        )
    seen[value] = row.line


def read_categories(
    kit: Path, languages: Languages, departments: Collection[str]
) -> tuple[Category, ...]:
    """categories.csv: the tree. A group stands above its categories; they inherit what is empty."""
    columns = ["code", "group", *names_of("name", languages), "department", "due_hours", "icon"]
    found: dict[str, Category] = {}
    for row in read_rows(kit / "categories.csv", [*columns, "photo_advised"], key=("code",)):
        group = None
        if row.find_text("group") is not None:
            groups = {code for code, category in found.items() if category.group is None}
            group = found[row.known("group", "categories.csv", groups)]
        category = _category(row, group, languages, departments)
        found[category.code] = category
    return tuple(found.values())


def _category(
    row: Row, group: Category | None, languages: Languages, departments: Collection[str]
) -> Category:
    def inherited(column: str) -> Category | None:
        return group if row.find_text(column) is None else None

    by_department, by_hours, by_icon = map(inherited, ("department", "due_hours", "icon"))
    return Category(
        code=row.code("code"),
        group=group.code if group else None,
        name=row.words("name", languages),
        department=by_department.department if by_department else _department(row, departments),
        due_hours=by_hours.due_hours if by_hours else row.number("due_hours", 0.25, 10_000),
        icon=by_icon.icon if by_icon else row.code("icon"),
        photo_advised=row.choice("photo_advised", YES_NO) == "yes",
        source=row.source(),
    )


def read_routes(
    kit: Path,
    categories: Collection[str],
    districts: Collection[str],
    departments: Collection[str],
) -> tuple[Route, ...]:
    """routing.csv: exceptions, by category or group and district."""
    columns = ["category", "district", "department"]
    rows = read_rows(kit / "routing.csv", columns, ["note"], key=("category", "district"))
    return tuple(
        Route(
            category=row.known("category", "categories.csv", categories),
            district=row.known("district", "districts.csv", districts),
            department=_department(row, departments),
            source=row.source(),
        )
        for row in rows
    )


def read_alert_routes(
    kit: Path, categories: Collection[str], departments: Collection[str]
) -> tuple[AlertRoute, ...]:
    """alert_routing.csv: alert category → department and the category of the case."""
    columns = ["alert_category", "department", "case_category"]
    return tuple(
        AlertRoute(
            alert_category=row.code("alert_category"),
            department=_department(row, departments),
            case_category=row.known("case_category", "categories.csv", categories),
            source=row.source(),
        )
        for row in read_rows(kit / "alert_routing.csv", columns, key=("alert_category",))
    )


def read_thresholds(kit: Path, languages: Languages) -> tuple[Threshold, ...]:
    """thresholds.csv: steps of official scales, each with source and date."""
    columns = ["scale", "measure", "unit_code", "period_h", "level", "code", "colour", "value_from"]
    columns += ["value_to", "index_from", "index_to", "source_date"]
    columns += [*names_of("name", languages), *names_of("advice", languages)]
    rows = read_rows(kit / "thresholds.csv", columns, key=("scale", "measure", "level"))
    return tuple(_threshold(row, languages) for row in rows)


def _threshold(row: Row, languages: Languages) -> Threshold:
    value_from = row.number("value_from")
    index_from = row.number("index_from")
    colour = row.text("colour").lower()
    if not _COLOUR.fullmatch(colour):
        raise KitChoiceUnknown(
            file=row.file, line=row.line, column="colour", got=colour, allowed="#rrggbb"
        )
    return Threshold(
        scale=row.code("scale"),
        measure=row.code("measure"),
        unit_code=row.choice("unit_code", UNITS),
        period_h=row.number("period_h", 0.01, 8784),
        level=row.whole("level", 1),
        code=row.code("code"),
        name=row.words("name", languages),
        advice=row.words("advice", languages),
        colour=colour,
        value_from=value_from,
        value_to=row.find_number("value_to", value_from),
        index_from=index_from,
        index_to=row.find_number("index_to", index_from),
        source=row.source(),
        source_date=row.day("source_date"),
    )


def read_holidays(kit: Path, languages: Languages) -> tuple[Holiday, ...]:
    """holidays.csv: public holidays, and whether the city's offices close on them."""
    columns = ["date", *names_of("name", languages), "kind", "closed"]
    return tuple(
        Holiday(
            day=row.day("date"),
            name=row.words("name", languages),
            kind=row.choice("kind", HOLIDAY_KINDS),
            closed=row.choice("closed", YES_NO) == "yes",
            source=row.source(),
        )
        for row in read_rows(kit / "holidays.csv", columns, key=("date",))
    )


def read_transit_stations(
    kit: Path, languages: Languages, bounds: Bounds
) -> tuple[TransitStation, ...]:
    """transit_stations.csv: one row for each station and line."""
    columns = ["code", "line", *names_of("name", languages), "lon", "lat", "opened"]
    return tuple(
        TransitStation(
            code=row.code("code"),
            line=row.code("line"),
            name=row.words("name", languages),
            location=row.location(bounds),
            opened=row.choice("opened", YES_NO) == "yes",
            source=row.source(),
        )
        for row in read_rows(kit / "transit_stations.csv", columns, key=("code",))
    )


def read_air_stations(
    kit: Path, languages: Languages, bounds: Bounds, districts: Collection[str]
) -> tuple[AirStation, ...]:
    """air_stations.csv: the air network, matched to its feeds by code."""
    columns = ["code", *names_of("name", languages), "lon", "lat", "district", "mobile"]
    return tuple(
        AirStation(
            code=row.code("code"),
            name=row.words("name", languages),
            location=row.location(bounds),
            district=row.known("district", "districts.csv", districts),
            mobile=row.choice("mobile", YES_NO) == "yes",
            source=row.source(),
        )
        for row in read_rows(kit / "air_stations.csv", columns, ["note"], key=("code",))
    )


def read_places(
    kit: Path, languages: Languages, bounds: Bounds, districts: Collection[str]
) -> tuple[Place, ...]:
    """hospitals.csv, fire_stations.csv and places.csv: points of interest of all kinds."""
    columns = ["code", *names_of("name", languages), "lon", "lat"]
    optional = ["district", "operator"]
    found: list[Place] = []
    for file, kind in PLACE_TABLES.items():
        rows = read_rows(kit / file, columns, optional, key=("code",))
        found += [_place(row, kind, languages, bounds, districts) for row in rows]
    for row in read_rows(kit / "places.csv", [*columns, "kind"], optional, key=("code",)):
        kind = row.code("kind")
        if kind in PLACE_TABLES.values():
            allowed = f"not {kind}: it has a table of its own"
            raise KitChoiceUnknown(
                file=row.file, line=row.line, column="kind", got=kind, allowed=allowed
            )
        found.append(_place(row, kind, languages, bounds, districts))
    return tuple(found)


def _place(
    row: Row, kind: str, languages: Languages, bounds: Bounds, districts: Collection[str]
) -> Place:
    has_district = row.find_text("district") is not None
    return Place(
        code=row.code("code"),
        kind=kind,
        name=row.words("name", languages),
        location=row.location(bounds),
        district=row.known("district", "districts.csv", districts) if has_district else None,
        operator=row.find_text("operator"),
        source=row.source(),
    )


def read_aliases(kit: Path, codes: dict[str, Iterable[str]]) -> tuple[Alias, ...]:
    """names.csv: names that archives and feeds use for our codes, misspellings among them."""
    columns = ["kind", "name", "code"]
    found = []
    for row in read_rows(kit / "names.csv", columns, ["note"], key=("kind", "name")):
        kind = row.choice("kind", ALIAS_KINDS)
        code = row.known("code", f"{kind} codes", set(codes[kind]))
        found.append(Alias(kind=kind, name=row.text("name"), code=code, source=row.source()))
    return tuple(found)


def _department(row: Row, departments: Collection[str]) -> str:
    if row.text("department") == DISTRICT_OFFICE:
        return DISTRICT_OFFICE
    try:
        return row.known("department", "departments.csv", departments)
    except KitReferenceUnknown as error:
        error.params["table"] = f"departments.csv ({DISTRICT_OFFICE})"
        raise
