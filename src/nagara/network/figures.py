"""The figures of a year: everything that a report says, counted once from its rows. Pure.

The renderers write what stands here and count nothing themselves.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec
from msgspec import Struct, field

from nagara.network.model import BECAME, Row, Words, became
from nagara.vocab.project import FOCUS_AREAS

#: States in the order that a report prints them.
STATUS_ORDER = ("planning", "ongoing", "ongoing_or_planning", "completed", "suspended", "cancelled")
ROWS_MAX = 20_000  # 1,000 cities with 20 projects
#: What became of rows, seen from the later year: they go on from none of the earlier.
FRESH = ("new", "returned")
K = TypeVar("K")


class Cell(Struct, frozen=True):
    """A count and its share in percent, unrounded; both None, with the reason's code, where the
    rows do not say it."""

    code: str
    name: Words
    count: int | None
    share: float | None
    missing: str | None = None


class Matrix(Struct, frozen=True):
    """Counts by two things together. A status that the rows do not say is the column `none`."""

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
    """The year before beside this one; `counts` by kind. `items` are left out where counts alone
    were asked for."""

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


class Tally(Struct, frozen=True):
    """How many rows of a year are alike in all that is counted."""

    country: str
    member: str
    focus: str
    status: str | None
    file: str
    n: int


class Ended(Struct, frozen=True):
    """What had ended by a later year: title, or project, → how; `parts`: the titles that one was
    split into."""

    titles: Mapping[int, str] = {}
    projects: Mapping[str, str] = {}
    parts: Mapping[int, Sequence[int]] = {}

    def how(self, title: int, project: str | None) -> str | None:
        """How a row's title or project ended: what was decided about the name comes first."""
        return self.titles.get(title) or self.projects.get(project or "")


class Figures(Struct, frozen=True, rename="camel"):
    """All figures of one year; `rows` are left out where figures alone were asked for."""

    year: int
    projects: int
    cities: int
    countries: int
    members: int
    silent: int  # rows that say no status
    by_focus: tuple[Cell, ...]
    by_status: tuple[Cell, ...]
    by_country: tuple[Cell, ...]
    by_city: tuple[Cell, ...]
    focus_by_country: Matrix
    focus_by_status: Matrix
    became: Became | None
    rows: tuple[Line, ...]
    city_names: dict[str, dict[str, str]]
    country_names: dict[str, dict[str, str]]
    sources: tuple[str, ...]
    differences: tuple[Difference, ...] = field(default=())


def tally(rows: Iterable[Row]) -> list[Tally]:
    """Rows counted as the database counts them."""
    counts = Counter((row.country, row.member, row.focus, row.status, row.file) for row in rows)
    return [Tally(*key, n) for key, n in counts.items()]


def count(
    year: int,
    tallies: Sequence[Tally],
    city_names: Mapping[str, Words],
    country_names: Mapping[str, Words],
    members: int,
    became: Became | None = None,
) -> Figures:
    """Count a year, without its rows. `members`: how many belonged in the year by the register."""
    total = sum(one.n for one in tallies)
    by_country = _cells(country_names, _sums(tallies, lambda one: one.country), total)
    by_city = _cells(city_names, _sums(tallies, lambda one: one.member), total)
    status = _sums(tallies, lambda one: one.status)
    lands = tuple(cell.code for cell in by_country)
    areas = tuple(FOCUS_AREAS)
    told = tuple(code for code in (*STATUS_ORDER, None) if status[code])
    placed = _sums(tallies, lambda one: (one.country, one.focus))
    standing = _sums(tallies, lambda one: (one.focus, one.status))
    return Figures(
        year=year,
        projects=total,
        cities=len(by_city),
        countries=len(by_country),
        members=members,
        silent=status[None],
        by_focus=_cells(FOCUS_AREAS, _sums(tallies, lambda one: one.focus), total, keep=True),
        by_status=_by_status(status),
        by_country=by_country,
        by_city=by_city,
        focus_by_country=Matrix(
            lands, areas, tuple(tuple(placed[land, area] for area in areas) for land in lands)
        ),
        focus_by_status=Matrix(
            areas,
            tuple(code or "none" for code in told),
            tuple(tuple(standing[area, code] for code in told) for area in areas),
        ),
        became=became,
        rows=(),
        city_names=names_of((one.member for one in tallies), city_names),
        country_names={code: dict(names) for code, names in country_names.items()},
        sources=tuple(sorted({one.file for one in tallies})),
    )


def names_of(codes: Iterable[str], names: Mapping[str, Words]) -> dict[str, dict[str, str]]:
    """Names of cities by code; of one that is not known its code."""
    return {code: dict(names.get(code, {"en": code})) for code in sorted(set(codes))}


def lines_of(rows: Iterable[Row]) -> tuple[Line, ...]:
    """Rows as the report lists them."""
    return tuple(
        Line(r.member, r.country, r.name, r.focus, r.status, r.project, r.file, r.line)
        for r in rows
    )


def what_became(
    before: Sequence[Row],
    rows: Sequence[Row],
    seen_earlier: frozenset[int],
    ended: Ended,
    wanted: Callable[[str], bool] = lambda _: True,
) -> Became:
    """What became of each row of a year by another, and what is new there. `seen_earlier`: titles
    of years before both."""
    by_title = {row.title: row for row in rows}
    by_project = {row.project: row for row in rows if row.project}
    year, to = before[0].year if before else 0, rows[0].year if rows else 0
    fates, met = [], set()
    for row in before:
        how = ended.how(row.title, row.project)
        kind, later = became(row, by_project, by_title, how)
        if later is not None:
            met.add(later.title)
        split = [by_title[one] for one in ended.parts.get(row.title, ()) if one in by_title]
        met.update(part.title for part in split)
        names = [one.name for one in ([later] if later else split)]
        fates.append(_fate(row, year, to, kind, " · ".join(names) or None))
    projects_before = {row.project for row in before if row.project}
    for row in rows:
        if row.title not in met and (row.project is None or row.project not in projects_before):
            kind = "returned" if row.title in seen_earlier else "new"
            fates.append(_fate(row, year, to, kind, row.name))
    counts = Counter(fate.kind for fate in fates)
    return Became(year, in_order(counts), tuple(fate for fate in fates if wanted(fate.kind)))


def in_order(counts: Mapping[str, int]) -> dict[str, int]:
    """Counts of what became of rows, every kind, in the order of the kinds."""
    return {kind: counts.get(kind, 0) for kind in BECAME}


def sha256_of(figures: Figures) -> str:
    """The hash that freezes figures: of their JSON with sorted keys."""
    return hashlib.sha256(msgspec.json.encode(figures, order="sorted")).hexdigest()


def _sums(tallies: Iterable[Tally], key: Callable[[Tally], K]) -> Counter[K]:
    sums: Counter[K] = Counter()
    for one in tallies:
        sums[key(one)] += one.n
    return sums


def _cells(
    names: Mapping[str, Words], counts: Counter[str], total: int, keep: bool = False
) -> tuple[Cell, ...]:
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


def _by_status(counts: Counter[str | None]) -> tuple[Cell, ...]:
    """Planning, on-going, completed: each only where every row says enough to tell it."""
    total, silent, both = counts.total(), counts[None], counts["ongoing_or_planning"]
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


def _fate(row: Row, year: int, to: int, kind: str, later: str | None) -> Fate:
    return Fate(
        year, to, row.member, row.country, row.name, row.focus, kind, later, row.project, row.title
    )
