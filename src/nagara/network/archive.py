"""Reads a folder of a network's tables. A line that cannot be is refused with its reason; the
lines beside it are read all the same."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from nagara.network.errors import FileTooLarge, FolderUnreadable
from nagara.network.model import YEAR_MAX, YEAR_MIN, Member, Row, member_code
from nagara.network.tables import countries, country_codes, thai_names
from nagara.vocab.project import find_focus_area, fold_name

FILE_BYTES_MAX = 20_000_000  # twenty years of 1,000 cities with 20 projects
NAME_CHARACTERS_MAX = 300
MEMBERS, CITIES = "ascn_members.csv", "ascn_cities.csv"
PROJECTS, PROJECTS_AGAIN = "ascn_me_projects_2022_2025.csv", "ascn_projects_2025.csv"
PRINTED, PARTNERS, PROGRAMME = "ascn_reports_printed.csv", "partners.csv", "thailand_programme.csv"
FILES = (MEMBERS, CITIES, PROJECTS, PROJECTS_AGAIN, PRINTED, PARTNERS, PROGRAMME)
#: What a column `status_in_appendix` says → our state; a word that is not here is refused.
STATUSES: Mapping[str, str | None] = {
    "not_listed": None,
    "": None,
    "planning": "planning",
    "ongoing": "ongoing",
    "on-going": "ongoing",
    "ongoing_or_planning": "ongoing_or_planning",
    "completed": "completed",
    "suspended": "suspended",
    "cancelled": "cancelled",
}
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    MEMBERS: ("city", "country_iso2", "joined_year"),
    CITIES: ("city", "country", "joined_year", "lat", "lon"),
    PROJECTS: ("report_year", "country_iso2", "city", "project", "focus_area"),
    PROJECTS_AGAIN: ("status", "country", "city", "project", "focus_area"),
    PRINTED: ("report_year", "measure", "value_printed", "unit"),
    PARTNERS: ("name", "class", "kind_or_topic", "source"),
    PROGRAMME: ("phase", "period", "province", "how", "source"),
}
_PROGRAMME_COUNTRY = "TH"  # the file is Thailand's


class Refused(Struct, frozen=True):
    """A line that was not taken, or a file without its columns (line 1)."""

    file: str
    line: int
    code: str
    params: dict[str, str]


class FileRead(Struct, frozen=True):
    """What was in a file: how many lines were read; None: it is not in the folder."""

    file: str
    rows: int | None


class Printed(Struct, frozen=True):
    """A figure as a report printed it."""

    year: int
    measure: str
    value: str
    unit: str
    note: str
    on: date | None
    cities: int | None
    projects: int | None
    file: str
    line: int


class Phase(Struct, frozen=True):
    """A province of a phase of a country's programme."""

    country: str
    phase: int
    period: str
    province: str
    how: str
    source: str


class Found(Struct):
    """Everything that a folder says."""

    members: dict[str, Member] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    printed: list[Printed] = field(default_factory=list)
    phases: list[Phase] = field(default_factory=list)
    partners: list[dict[str, str]] = field(default_factory=list)
    files: list[FileRead] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    differs: list[Refused] = field(default_factory=list)


Line = tuple[int, dict[str, str]]


class _Bad(Exception):  # inside this module only: becomes a Refused
    def __init__(self, code: str, **params: str) -> None:
        super().__init__(code)
        self.code, self.params = code, params


def read_folder(folder: Path, kits: Mapping[tuple[str, str], str]) -> Found:
    """Everything of a network in a folder.

    Raises `FolderUnreadable` where none of the files is there, `FileTooLarge`.
    """
    found = Found()
    lines = {name: _read(folder, name, found) for name in FILES}
    if all(file.rows is None for file in found.files):
        raise FolderUnreadable(path=str(folder), files=", ".join(FILES))

    def each(name: str, take: Callable[[dict[str, str], int], None]) -> None:
        for line, row in lines[name]:
            try:
                take(row, line)
            except _Bad as bad:
                found.refused.append(Refused(name, line, bad.code, bad.params))

    each(CITIES, lambda row, _: _city(row, found, kits))
    each(MEMBERS, lambda row, line: _member(row, line, found, kits))
    seen: dict[tuple[int, str, str], int] = {}
    each(PROJECTS, lambda row, line: _project(row, line, found, kits, seen))
    each(PROJECTS_AGAIN, lambda row, line: _again(row, line, found, kits))
    each(PRINTED, lambda row, line: found.printed.append(_printed(row, line)))
    each(PARTNERS, lambda row, _: found.partners.append(_named(row, "name")))
    each(PROGRAMME, lambda row, _: found.phases.append(_phase(row)))
    return found


def _read(folder: Path, name: str, found: Found) -> list[Line]:
    path = folder / name
    if not path.is_file():
        found.files.append(FileRead(name, None))
        return []
    if path.stat().st_size > FILE_BYTES_MAX:
        raise FileTooLarge(path=str(path), max_mb=FILE_BYTES_MAX // 1_000_000)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        found.files.append(FileRead(name, 0))
        found.refused.append(Refused(name, line, "not-utf8", {}))
        return []
    lines = list(_lines(text, name, found))
    found.files.append(FileRead(name, len(lines)))
    return lines


def _lines(text: str, name: str, found: Found) -> Iterator[Line]:
    reader = csv.DictReader(io.StringIO(text.replace("\0", "")))
    missing = [c for c in _COLUMNS[name] if c not in (reader.fieldnames or ())]
    if missing:
        found.refused.append(Refused(name, 1, "columns-missing", {"columns": ", ".join(missing)}))
        return
    for row in reader:
        if None in row or None in row.values():
            found.refused.append(Refused(name, reader.line_num, "cells-shifted", {}))
            continue
        yield reader.line_num, {key: " ".join(value.split()) for key, value in row.items()}


def _city(row: dict[str, str], found: Found, kits: Mapping[tuple[str, str], str]) -> None:
    country = country_codes().get(row["country"])
    if country is None:
        raise _Bad("country-unknown", got=row["country"])
    made = _make_member(row["city"], country, row, row.get("pilot_city_2018", "") == "1", kits)
    lon, lat = _number(row, "lon", -180, 180), _number(row, "lat", -90, 90)
    found.members[made.code] = Member(
        made.code, made.name, country, made.joined_year, made.pilot, location=(lon, lat),
        source=CITIES,
    )  # fmt: skip


def _member(
    row: dict[str, str], line: int, found: Found, kits: Mapping[tuple[str, str], str]
) -> None:
    country = _country(row)
    made = _make_member(row["city"], country, row, row.get("pilot_2018", "") == "yes", kits)
    known = found.members.get(made.code)
    if known is not None and (known.joined_year, known.pilot) != (made.joined_year, made.pilot):
        found.differs.append(
            Refused(MEMBERS, line, "member-differs", {
                "city": row["city"], "other": CITIES,
                "got": f"{made.joined_year}, pilot {made.pilot}",
                "there": f"{known.joined_year}, pilot {known.pilot}"})
        )  # fmt: skip
    found.members[made.code] = Member(
        made.code, made.name, country, made.joined_year, made.pilot,
        location=known.location if known else None, source=MEMBERS,
    )  # fmt: skip


def _make_member(
    name: str, country: str, row: dict[str, str], pilot: bool, kits: Mapping[tuple[str, str], str]
) -> Member:
    if not name or len(name) > NAME_CHARACTERS_MAX:
        raise _Bad("name-missing", column="city")
    year = _year(row, "joined_year")
    words = {"en": name}
    thai = thai_names().get((country, name))
    if thai:
        words["th"] = thai
    return Member(member_code(country, name, kits), words, country, year, pilot)


def _project(
    row: dict[str, str],
    line: int,
    found: Found,
    kits: Mapping[tuple[str, str], str],
    seen: dict[tuple[int, str, str], int],
) -> None:
    country, year = _country(row), _year(row, "report_year")
    code = _known_city(row, country, found, kits)
    name = row["project"]
    if not name or len(name) > NAME_CHARACTERS_MAX:
        raise _Bad("name-missing", column="project")
    focus = find_focus_area(row["focus_area"])
    if focus is None:
        raise _Bad("focus-unknown", got=row["focus_area"])
    said = row.get("status_in_appendix", "").casefold()
    if said not in STATUSES:
        raise _Bad("status-unknown", got=said)
    before = seen.setdefault((year, code, fold_name(name)), line)
    if before != line:
        raise _Bad("twice", line=str(before))
    found.rows.append(Row(year, code, country, name, focus, STATUSES[said], PROJECTS, line))


def _again(
    row: dict[str, str], line: int, found: Found, kits: Mapping[tuple[str, str], str]
) -> None:
    """The list of 2025 is a second typing of the same table: compared, never added."""
    country = country_codes().get(row["country"])
    if country is None:
        raise _Bad("country-unknown", got=row["country"])
    code = member_code(country, row["city"], kits)
    if code not in found.members:
        found.differs.append(
            Refused(PROJECTS_AGAIN, line, "city-differs", {"got": row["city"], "other": PROJECTS})
        )
        return
    there = [r for r in found.rows if r.year == 2025 and r.member == code]
    same = [r for r in there if fold_name(r.name) == fold_name(row["project"])]
    if not same:
        found.differs.append(
            Refused(PROJECTS_AGAIN, line, "name-differs",
                    {"got": row["project"], "city": row["city"], "other": PROJECTS})
        )  # fmt: skip
        return
    if same[0].focus != find_focus_area(row["focus_area"]) or same[0].status != STATUSES.get(
        row["status"], "?"
    ):
        found.differs.append(
            Refused(PROJECTS_AGAIN, line, "cells-differ",
                    {"got": row["project"], "city": row["city"], "other": PROJECTS})
        )  # fmt: skip


def _printed(row: dict[str, str], line: int) -> Printed:
    if not row["measure"]:
        raise _Bad("name-missing", column="measure")
    try:
        on = date.fromisoformat(row["report_date"]) if row.get("report_date") else None
    except ValueError:
        raise _Bad("date-wrong", got=row["report_date"]) from None
    return Printed(
        _year(row, "report_year"),
        row["measure"],
        row["value_printed"],
        row["unit"],
        row.get("note", ""),
        on,
        _whole(row, "cities"),
        _whole(row, "projects"),
        PRINTED,
        line,
    )


def _phase(row: dict[str, str]) -> Phase:
    phase = _whole(row, "phase")
    if phase is None:
        raise _Bad("number-wrong", column="phase", got="")
    return Phase(
        _PROGRAMME_COUNTRY, phase, row["period"], row["province"], row["how"], row["source"]
    )


def _named(row: dict[str, str], column: str) -> dict[str, str]:
    if not row[column]:
        raise _Bad("name-missing", column=column)
    return row


def _country(row: dict[str, str]) -> str:
    code = row["country_iso2"].upper()
    if code not in countries():
        raise _Bad("country-unknown", got=row["country_iso2"])
    return code


def _known_city(
    row: dict[str, str], country: str, found: Found, kits: Mapping[tuple[str, str], str]
) -> str:
    code = member_code(country, row["city"], kits)
    if code not in found.members:
        raise _Bad("city-unknown", got=row["city"])
    return code


def _year(row: dict[str, str], column: str) -> int:
    year = _whole(row, column)
    if year is None or not YEAR_MIN <= year <= YEAR_MAX:
        raise _Bad("year-wrong", column=column, got=row[column])
    return year


def _whole(row: Mapping[str, Any], column: str) -> int | None:
    said = row.get(column, "")
    if not said:
        return None
    if not said.isascii() or not said.isdigit() or len(said) > 9:
        raise _Bad("number-wrong", column=column, got=said)
    return int(said)


def _number(row: Mapping[str, str], column: str, low: float, high: float) -> float:
    try:
        value = float(row[column])
    except ValueError:
        raise _Bad("number-wrong", column=column, got=row[column]) from None
    if not low <= value <= high:
        raise _Bad("number-wrong", column=column, got=row[column])
    return value
