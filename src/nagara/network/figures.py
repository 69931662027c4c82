"""The figures of a year: everything that a report says, counted once from its rows. Pure.

The renderers write what stands here and count nothing themselves.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec
from msgspec import Struct, field

from nagara.network.model import BECAME, Row, Words, became
from nagara.vocab.project import FOCUS_AREAS

#: States in the order that a report prints them.
STATUS_ORDER = ("planning", "ongoing", "ongoing_or_planning", "completed", "suspended", "cancelled")
ROWS_MAX = 20_000  # 1,000 cities with 20 projects


class Cell(Struct, frozen=True):
    """A count and its share in percent, unrounded; both None, with the reason's code, where the
    rows do not say it."""

    code: str
    name: Words
    count: int | None
    share: float | None
    missing: str | None = None


class Matrix(Struct, frozen=True):
    """Counts of focus areas (columns) in countries (rows)."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


class Fate(Struct, frozen=True, rename="camel"):
    """What became of a row; seen from the later year for `new` and `returned`."""

    year: int
    to: int
    city: str
    country: str
    name: str
    focus: str
    kind: str
    later_name: str | None
    project: str | None
    title: int


class Became(Struct, frozen=True):
    """The year before beside this one; `counts` by kind."""

    before: int
    counts: dict[str, int]
    items: tuple[Fate, ...]


class Line(Struct, frozen=True):
    """A row as the report lists it."""

    city: str
    country: str
    name: str
    focus: str
    status: str | None
    project: str | None
    file: str
    line: int


class Difference(Struct, frozen=True):
    """A printed figure beside the one of the rows. `agrees` None: not derivable."""

    measure: str
    printed: str
    unit: str
    derived: str | None
    agrees: bool | None
    why: str
    params: dict[str, str]
    note: str = ""
    source: str = ""


class Figures(Struct, frozen=True, rename="camel"):
    """All figures of one year."""

    year: int
    projects: int
    cities: int
    countries: int
    members: int
    by_focus: tuple[Cell, ...]
    by_status: tuple[Cell, ...]
    by_country: tuple[Cell, ...]
    by_city: tuple[Cell, ...]
    focus_by_country: Matrix
    became: Became | None
    rows: tuple[Line, ...]
    city_names: dict[str, dict[str, str]]
    country_names: dict[str, dict[str, str]]
    sources: tuple[str, ...]
    differences: tuple[Difference, ...] = field(default=())


def count(
    year: int,
    rows: Sequence[Row],
    before: Sequence[Row],
    seen_earlier: frozenset[int],
    ended: Mapping[str, str],
    city_names: Mapping[str, Words],
    country_names: Mapping[str, Words],
    members: int,
    parts: Mapping[int, Sequence[int]] | None = None,
) -> Figures:
    """Count a year. `before`: the rows of the last year that has some; `seen_earlier`: titles of
    years before that; `ended`: project, or title, → how it ended; `members`: how many
    belonged in the year by the register; `parts`: titles that one was split into."""
    focus = _cells(FOCUS_AREAS, (row.focus for row in rows), len(rows), keep=True)
    by_country = _cells(country_names, (row.country for row in rows), len(rows))
    by_city = _cells(city_names, (row.member for row in rows), len(rows))
    lands = tuple(cell.code for cell in by_country)
    pairs = Counter((row.country, row.focus) for row in rows)
    named = {row.member for row in (*rows, *before)}
    return Figures(
        year=year,
        projects=len(rows),
        cities=len(by_city),
        countries=len(by_country),
        members=members,
        by_focus=focus,
        by_status=_by_status(rows),
        by_country=by_country,
        by_city=by_city,
        focus_by_country=Matrix(
            lands,
            tuple(FOCUS_AREAS),
            tuple(tuple(pairs[land, area] for area in FOCUS_AREAS) for land in lands),
        ),
        became=what_became(before, rows, seen_earlier, ended, lambda _: True, parts)
        if before
        else None,
        rows=tuple(_line(row) for row in rows),
        city_names={code: dict(city_names.get(code, {"en": code})) for code in sorted(named)},
        country_names={code: dict(names) for code, names in country_names.items()},
        sources=tuple(sorted({row.file for row in rows})),
    )


def what_became(
    before: Sequence[Row],
    rows: Sequence[Row],
    seen_earlier: frozenset[int],
    ended: Mapping[str, str],
    wanted: Callable[[str], bool],
    parts: Mapping[int, Sequence[int]] | None = None,
) -> Became:
    """What became of each row of a year by another, and what is new there.

    `parts`: titles that one was split into."""
    by_title = {row.title: row for row in rows}
    by_project = {row.project: row for row in rows if row.project}
    year, to = before[0].year if before else 0, rows[0].year if rows else 0
    fates, met = [], set()
    for row in before:
        how = ended.get(title_key(row.title)) or ended.get(row.project or "")
        kind, later = became(row, by_project, by_title, how)
        if later is not None:
            met.add(later.title)
        split = [by_title[one] for one in (parts or {}).get(row.title, ()) if one in by_title]
        met.update(part.title for part in split)
        names = [one.name for one in ([later] if later else split)]
        fates.append(_fate(row, year, to, kind, " · ".join(names) or None))
    projects_before = {row.project for row in before if row.project}
    for row in rows:
        if row.title not in met and (row.project is None or row.project not in projects_before):
            kind = "returned" if row.title in seen_earlier else "new"
            fates.append(_fate(row, year, to, kind, row.name))
    counts = Counter(fate.kind for fate in fates)
    return Became(
        year,
        {kind: counts[kind] for kind in BECAME},
        tuple(fate for fate in fates if wanted(fate.kind)),
    )


def title_key(title: int) -> str:
    """Under which a title stands beside projects among those that ended."""
    return f"title:{title}"


def sha256_of(figures: Figures) -> str:
    """The hash that freezes figures: of their JSON with sorted keys."""
    return hashlib.sha256(msgspec.json.encode(figures, order="sorted")).hexdigest()


def _cells(
    names: Mapping[str, Words], codes: Iterable[str], total: int, keep: bool = False
) -> tuple[Cell, ...]:
    counts = Counter(codes)
    order = [code for code in names if keep or counts[code]]
    order += sorted(code for code in counts if code not in names)
    return tuple(
        Cell(
            code,
            dict(names.get(code, {"en": code})),
            counts[code],
            100 * counts[code] / total if total else None,
        )
        for code in order
    )


def _by_status(rows: Sequence[Row]) -> tuple[Cell, ...]:
    """Planning, on-going, completed: each only where every row says enough to tell it."""
    counts = Counter(row.status for row in rows)
    total, silent, both = len(rows), counts[None], counts["ongoing_or_planning"]
    cells = []
    for code in STATUS_ORDER:
        if code == "ongoing_or_planning":
            if both:
                cells.append(Cell(code, {}, both, 100 * both / total))
            continue
        told = code not in ("planning", "ongoing") or not both
        if silent or not told:
            # Suspended and cancelled are no part of any report so far: said only where found.
            if code in ("planning", "ongoing", "completed"):
                reason = "rows-without-status" if silent else "rows-mix-status"
                cells.append(Cell(code, {}, None, None, reason))
            continue
        if counts[code] or code in ("planning", "ongoing", "completed"):
            share = 100 * counts[code] / total if total else None
            cells.append(Cell(code, {}, counts[code], share))
    return tuple(cells)


def _line(row: Row) -> Line:
    return Line(
        row.member, row.country, row.name, row.focus, row.status, row.project, row.file, row.line
    )


def _fate(row: Row, year: int, to: int, kind: str, later: str | None) -> Fate:
    return Fate(
        year, to, row.member, row.country, row.name, row.focus, kind, later, row.project, row.title
    )
