"""The tables of a kit, one function each: file name, columns, types, what they point at.

The format is described in docs/reference/city-kit.md; a test holds the two together.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from pathlib import Path

from nagara.city.calendar import Holiday
from nagara.city.errors import KitChoiceUnknown, KitReferenceUnknown
from nagara.city.model import (
    DISTRICT_OFFICE,
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

DEPARTMENT_KINDS = ("bureau", "district-office", "outside")
HOLIDAY_KINDS = ("fixed", "royal", "lunar", "substitution", "special")
ALIAS_KINDS = ("category", "district", "station")
YES_NO = ("yes", "no")
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
    return tuple(found.values())


def read_categories(
    kit: Path, languages: Languages, departments: Collection[str]
) -> tuple[Category, ...]:
    """categories.csv: the tree. A group stands above its categories; they inherit what is empty."""
    columns = ["code", "group", *names_of("name", languages), "department", "due_hours", "icon"]
    found: dict[str, Category] = {}
    for row in read_rows(kit / "categories.csv", [*columns, "photo_advised"], key=("code",)):
        group = None
        if row.find_text("group") is not None:
            roots = {code for code, category in found.items() if category.group is None}
            group = found[row.known("group", "categories.csv", roots)]
        inherits = group is not None
        code = row.code("code")
        own_department = not (inherits and row.find_text("department") is None)
        found[code] = Category(
            code=code,
            group=group.code if group else None,
            name=row.words("name", languages),
            department=_department(row, departments) if own_department else group.department,  # type: ignore[union-attr]
            due_hours=row.number("due_hours", 0.25, 10_000)
            if group is None or row.find_text("due_hours")
            else group.due_hours,
            icon=row.code("icon") if group is None or row.find_text("icon") else group.icon,
            photo_advised=row.choice("photo_advised", YES_NO) == "yes",
            source=row.source(),
        )
    return tuple(found.values())


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
    found: list[Place] = []
    for file, kind in (
        ("hospitals.csv", "hospital"),
        ("fire_stations.csv", "fire-station"),
        ("places.csv", None),
    ):
        required = columns if kind else [*columns, "kind"]
        rows = read_rows(kit / file, required, ["district", "operator"], key=("code",))
        for row in rows:
            has_district = row.find_text("district") is not None
            found.append(
                Place(
                    code=row.code("code"),
                    kind=kind or row.code("kind"),
                    name=row.words("name", languages),
                    location=row.location(bounds),
                    district=row.known("district", "districts.csv", districts)
                    if has_district
                    else None,
                    operator=row.find_text("operator"),
                    source=row.source(),
                )
            )
    return tuple(found)


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
