"""Reads a kit folder whole into a frozen `City`, or refuses it whole.

A kit is `city.toml` and CSV tables (docs/reference/city-kit.md). Bundled kits lie in
`nagara/kits/<city code>/` and are read like anybody else's.
"""

from __future__ import annotations

import re
import tomllib
from datetime import time
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

from msgspec import Struct, ValidationError, convert, field

from nagara.city import tables
from nagara.city.calendar import read_calendar
from nagara.city.errors import (
    KitAbsent,
    KitFileUnreadable,
    KitReferenceUnknown,
    KitSettingInvalid,
    KitTableEmpty,
)
from nagara.city.feeds import FeedSource
from nagara.city.model import (
    Attribution,
    City,
    Controller,
    Level,
)
from nagara.city.sources import ARCHIVE_ROLES, ArchiveMap, Replay, ShapeSource
from nagara.city.table import read_text
from nagara.values.units import UNITS

KITS = Path(__file__).parent.parent / "kits"
T = TypeVar("T")
_CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class _Hours(Struct, frozen=True, forbid_unknown_fields=True):
    days: list[str]
    hours: list[tuple[str, str]]
    source: str


class _Archive(Struct, frozen=True, forbid_unknown_fields=True):
    role: str
    path: str
    title: str
    columns: dict[str, str]
    options: dict[str, str] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)


class _Shape(Struct, frozen=True, forbid_unknown_fields=True):
    layer: str
    paths: list[str]
    properties: dict[str, str] = field(default_factory=dict)
    simplify_m: float = 0.0


class _Controller(Struct, frozen=True, forbid_unknown_fields=True):
    name: dict[str, str]
    address: dict[str, str]
    contact: str
    source: str


class _Toml(Struct, frozen=True, forbid_unknown_fields=True):
    code: str
    name: dict[str, str]
    country: str
    time_zone: str
    languages: list[str]
    centre: tuple[float, float]
    bounds: tuple[float, float, float, float]
    currency: str
    fallback_department: str
    calendar: _Hours
    controller: _Controller
    level: Level = "city"
    buddhist_era: list[str] = field(default_factory=list)
    attributions: list[Attribution] = field(default_factory=list)
    archives: list[_Archive] = field(default_factory=list)
    shapes: list[_Shape] = field(default_factory=list)
    replay: Replay | None = None
    feeds: list[FeedSource] = field(default_factory=list)


def bundled_kits() -> tuple[str, ...]:
    """Codes of the kits inside the package, in order."""
    return tuple(sorted(path.parent.name for path in KITS.glob("*/city.toml")))


def bundled_kit(name: str) -> City:
    """The kit inside the package under this code (th-bkk). Raises `KitAbsent`, `KitProblem`."""
    if name not in bundled_kits():
        raise KitAbsent(path=name, known=", ".join(bundled_kits()))
    return read_kit(KITS / name)


def named_kit(name: str) -> City:
    """The kit that a setting names: a bundled one, or a folder. Raises as `read_kit`."""
    return bundled_kit(name) if name in bundled_kits() else read_kit(Path(name))


def read_kit(path: Path) -> City:
    """The city of a kit folder, every table checked against the others.

    Raises a `KitProblem` that names file, line and column; nothing is half-loaded.
    """
    if not (path / "city.toml").is_file():
        raise KitAbsent(path=str(path), known=", ".join(bundled_kits()))
    said = _read_toml(path / "city.toml")
    _check(said)
    languages = tuple(said.languages)
    districts = tables.read_districts(path, languages, said.bounds)
    district_codes = {district.code for district in districts}
    departments = tables.read_departments(path, languages, district_codes)
    department_codes = {department.code for department in departments}
    if said.fallback_department not in department_codes:
        raise KitReferenceUnknown(
            file="city.toml",
            line="–",
            column="fallback_department",
            got=said.fallback_department,
            table="departments.csv",
        )
    categories = tables.read_categories(path, languages, department_codes)
    for file, rows in (("districts.csv", districts), ("categories.csv", categories)):
        if not rows:
            raise KitTableEmpty(file=file)
    category_codes = {category.code for category in categories}
    air_stations = tables.read_air_stations(path, languages, said.bounds, district_codes)
    holidays = tables.read_holidays(path, languages)
    hours = said.calendar
    return City(
        code=said.code,
        name=said.name,
        country=said.country,
        time_zone=said.time_zone,
        languages=languages,
        centre=said.centre,
        bounds=said.bounds,
        currency=said.currency,
        level=said.level,
        buddhist_era=tuple(said.buddhist_era),
        controller=_as(Controller, said.controller),
        attributions=tuple(said.attributions),
        calendar=read_calendar(said.time_zone, hours.days, hours.hours, holidays, hours.source),
        fallback_department=said.fallback_department,
        districts=districts,
        departments=departments,
        categories=categories,
        routes=tables.read_routes(path, category_codes, district_codes, department_codes),
        alert_routes=tables.read_alert_routes(path, category_codes, department_codes),
        thresholds=tables.read_thresholds(path, languages),
        transit_stations=tables.read_transit_stations(path, languages, said.bounds),
        air_stations=air_stations,
        places=tables.read_places(path, languages, said.bounds, district_codes),
        aliases=tables.read_aliases(
            path,
            {
                "district": district_codes,
                "category": category_codes,
                "station": {station.code for station in air_stations},
            },
        ),
        archives=tuple(_as(ArchiveMap, archive) for archive in said.archives),
        shape_sources=tuple(_as(ShapeSource, shape) for shape in said.shapes),
        replay=said.replay,
        feeds=tuple(said.feeds),
    )


def _as(kind: type[T], settings: Struct) -> T:
    return convert(settings, kind, from_attributes=True)


def _read_toml(path: Path) -> _Toml:
    try:
        plain = tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise KitFileUnreadable(file=path.name, reason=str(error)) from error
    try:
        return convert(plain, _Toml)
    except ValidationError as error:
        raise KitSettingInvalid(file=path.name, key=str(error), expected="city-kit.md") from error


def _check(said: _Toml) -> None:
    _demand(f"code {said.code}", bool(_CODE.fullmatch(said.code)), "th-bkk")
    _demand("languages", bool(said.languages), '["th", "en"]')
    _demand("buddhist_era", set(said.buddhist_era) <= set(said.languages), '["th"]')
    layers = [shape.layer for shape in said.shapes]
    named = len(set(layers)) == len(layers) and all(map(_CODE.fullmatch, layers))
    _demand("shapes.layer", named, "districts, parks, water")
    for key, words in (
        ("name", said.name),
        ("controller.name", said.controller.name),
        ("controller.address", said.controller.address),
        *(
            ("attributions.title", a.title)
            for a in said.attributions
            if not isinstance(a.title, str)
        ),
    ):
        missing = [language for language in said.languages if not words.get(language)]
        _demand(f"{key}.{', '.join(missing)}", not missing, "text")
    try:
        ZoneInfo(said.time_zone)
    except (KeyError, ValueError, OSError):
        _demand("time_zone", False, "Asia/Bangkok")
    west, south, east, north = said.bounds
    lon, lat = said.centre
    inside = -180 <= west < lon < east <= 180 and -90 <= south < lat < north <= 90
    _demand("bounds, centre", inside, "west < lon < east, south < lat < north")
    for text in (said.calendar.source, said.controller.source):
        _demand("source", bool(text.strip()), "source")
    _check_feeds(said.feeds)
    for archive in said.archives:
        _check_archive(archive)
    if said.replay is not None:
        _check_replay(said.replay, {archive.role for archive in said.archives})
    paths = [archive.path for archive in said.archives]
    paths += [path for shape in said.shapes for path in shape.paths]
    for path in paths:
        safe = not Path(path).is_absolute() and ".." not in Path(path).parts
        _demand(f"path {path}", safe, "a path inside the kit-data folder")


def _check_archive(archive: _Archive) -> None:
    _demand(f"role {archive.role}", archive.role in ARCHIVE_ROLES, ", ".join(ARCHIVE_ROLES))
    absent = [c for c in ARCHIVE_ROLES[archive.role] if c not in archive.columns]
    _demand(f"{archive.path} columns {', '.join(absent)}", not absent, "columns")
    _demand(f"{archive.path} options", "entity_type" in archive.options, "entity_type")
    units = [pair.partition("=") for pair in archive.options.get("units", "").split(",") if pair]
    unknown = [unit for _, _, unit in units if unit.strip() not in UNITS]
    _demand(f"{archive.path} units {', '.join(unknown)}", not unknown, "pm25=GQ")
    period = archive.options.get("period_h", "24")
    _demand(f"{archive.path} period_h {period}", period.isdecimal(), "24")


def _check_feeds(feeds: list[FeedSource]) -> None:
    names = [feed.name or feed.connector for feed in feeds]
    named = len(set(names)) == len(names) and all(map(_CODE.fullmatch, names))
    _demand(f"feeds {', '.join(names)}", named, "a name of its own for each feed")
    for feed in feeds:
        _demand(f"feeds {feed.name or feed.connector} source", bool(feed.source.strip()), "source")
        is_web = feed.url is None or feed.url.startswith(("http://", "https://"))
        _demand(f"feeds url {feed.url}", is_web, "https://…")


def _check_replay(replay: Replay, roles: set[str]) -> None:
    _demand("replay.days", replay.days >= 1, "1 …")
    unknown = sorted(replay.archive_days.keys() - roles)
    _demand(f"replay.archive_days {', '.join(unknown)}", not unknown, ", ".join(sorted(roles)))
    try:
        starts = time.fromisoformat(replay.starts)
    except ValueError:
        starts = None
    _demand("replay.starts", starts is not None and starts.tzinfo is None, "12:00")


def _demand(key: str, holds: bool, expected: str) -> None:
    if not holds:
        raise KitSettingInvalid(file="city.toml", key=key, expected=expected)
