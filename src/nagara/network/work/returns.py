"""Yearly returns: opened for all, filled from the cities' own systems, corrected, locked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from nagara.context import Entity, Query
from nagara.guard.identity import Actor
from nagara.network.work import errors, kept
from nagara.network.work.changing import Opening
from nagara.network.work.checks import demand_text
from nagara.network.work.inbox import Told
from nagara.network.work.members import list_members
from nagara.network.work.model import Line, Process
from nagara.network.work.rights import offices_of
from nagara.network.work.service import Processes
from nagara.network.work.values import Point, ValueBook
from nagara.values.ids import given_pattern
from nagara.values.time import format_instant
from nagara.vocab import project

PROCESS = "return"
LINES_MAX = 2_000  # 40 projects by 6 fields and 250 indicators, with room
CITIES_MAX = 2_000
CODES_MAX = 300
REASON_CHARACTERS_MAX = 1_000

#: What is asked of each project: attribute of the entity, and its unit where that is one.
PROJECT_FIELDS: tuple[str, ...] = (
    project.STATE,
    project.STAGE,
    project.STATUS,
    project.FOCUS_AREA,
    project.COST,
    project.FUNDING_GAP,
)


class Due(Struct, frozen=True):
    """A city whose return is opened."""

    city: str
    country: str
    title: str


class Correction(Struct, frozen=True):
    """What a person says of a line: a value, or none with its reason."""

    key: str
    value: Any = None
    reason: str | None = None


class Returns:
    """The use cases around yearly returns."""

    def __init__(self, processes: Processes, values: ValueBook) -> None:
        self.processes = processes
        self._values = values
        self._context = processes.floor.context

    async def open_year(
        self, year: int, dues: Sequence[Due], codes: Sequence[str], actor: Actor
    ) -> tuple[list[str], list[str]]:
        """Open a return for each city, all members where none is named: opened, there before.

        `codes`: indicators that are asked for; one without a value becomes a missing line.
        Raises `WorkNotYours`, `WorkInvalid`, `TooMany`.
        """
        offices_of(actor).demand_network()
        if not 1990 <= year <= self.processes.now().year:
            raise errors.WorkInvalid(name="year", reason="a year that has begun")
        if len(dues) > CITIES_MAX or len(codes) > CODES_MAX:
            raise errors.TooMany(limit=CITIES_MAX if len(dues) > CITIES_MAX else CODES_MAX)
        async with self.processes.db.acquire() as conn:
            members = await list_members(conn) if not dues else []
        wanted = dues or [Due(m.code, m.country, m.said()) for m in members]
        filled = await self.fill([due.city for due in wanted], year, codes)
        opened: list[str] = []
        there: list[str] = []
        async with self.processes.db.acquire() as conn, conn.transaction():
            for due in wanted:
                opening = Opening(
                    PROCESS,
                    due.city,
                    due.country,
                    due.title,
                    year=year,
                    fields={"codes": list(codes)},
                    lines=filled[due.city],
                    id=f"return-{year}-{due.city}",
                )
                made = await self.processes.open_in(
                    conn, opening, actor.name_for_audit, "secretariat", "network"
                )
                (there if made is None else opened).append(due.city)
        return opened, there

    async def fill(
        self, cities: Sequence[str], year: int, codes: Sequence[str]
    ) -> dict[str, tuple[Line, ...]]:
        """The lines of each city as its own system has them now."""
        q = f'{project.CITY}=="{cities[0]}"' if len(cities) == 1 else None
        found = await self._context.query_all(
            Query(types=(project.TYPE,), id_pattern=given_pattern(project.TYPE), q=q, limit=1_000)
        )
        by_city: dict[str, list[Entity]] = defaultdict(list)
        for entity in found:
            if not entity.value(project.WORKED_EXAMPLE):
                by_city[str(entity.value(project.CITY))].append(entity)
        start, end = date(year, 1, 1), date(year + 1, 1, 1)
        points = await self._values.list_points(cities, None, start, end)
        valued: dict[str, list[Point]] = defaultdict(list)
        for point in points:
            valued[point.city].append(point)
        return {
            city: (
                *project_lines(by_city[city]),
                *indicator_lines(valued[city], codes),
            )[:LINES_MAX]
            for city in cities
        }

    async def refill(self, process_id: str, actor: Actor) -> Process:
        """Fill again; what a person entered stays, and says what the system has now."""
        told = await self._get(process_id, actor)
        process = told.process
        codes = process.doc.fields.get("codes", [])
        fresh = (await self.fill([process.city], process.year or 0, codes))[process.city]

        def merge(now: Process, _who: str) -> tuple[Line, ...]:
            return merged(now.doc.lines, fresh)

        return await self.processes.edit(process_id, process.version, actor, {}, {}, merge)

    async def correct(
        self,
        process_id: str,
        version: int,
        actor: Actor,
        parts: Mapping[str, str],
        corrections: Sequence[Correction],
    ) -> Process:
        """Change parts and lines. Raises as `Processes.edit`, and `WorkInvalid` for a line."""
        if len(corrections) > LINES_MAX:
            raise errors.TooMany(limit=LINES_MAX)

        def change(now: Process, who: str) -> tuple[Line, ...]:
            return corrected(now.doc.lines, corrections, who, format_instant(self.processes.now()))

        await self._get(process_id, actor)
        return await self.processes.edit(process_id, version, actor, parts, {}, change)

    async def progress(self, year: int, actor: Actor) -> list[dict[str, Any]]:
        """How many returns of a year are in each state, in the order of the definition."""
        async with self.processes.db.acquire() as conn:
            found = await kept.count_states(conn, PROCESS, year, offices_of(actor))
        counts = {state: (n, late) for state, n, late in found}
        return [
            {
                "state": state.code,
                "name": dict(state.name),
                "count": counts.get(state.code, (0, 0))[0],
                "overdue": counts.get(state.code, (0, 0))[1],
            }
            for state in self.processes.definitions.get(PROCESS).states
        ]

    async def _get(self, process_id: str, actor: Actor) -> Told:
        told = await self.processes.get(process_id, actor)
        if told.process.process != PROCESS:
            raise errors.WorkUnknown(what="return", id=process_id[:80])
        return told


def project_lines(entities: Sequence[Entity]) -> list[Line]:
    """One line for each field of each project; an absent attribute is a missing value."""
    lines = []
    for entity in sorted(entities, key=lambda e: e.id):
        as_of = format_instant(entity.modified_at) if entity.modified_at else None
        name = entity.value(project.NAME)
        currency = entity.value(project.CURRENCY)
        money = f"{currency} {entity.value(project.PRICE_YEAR) or ''}".strip() if currency else None
        for attribute in PROJECT_FIELDS:
            value = entity.value(attribute)
            lines.append(
                Line(
                    key=f"{entity.id}#{attribute}",
                    kind="project",
                    subject=entity.id,
                    name=name,
                    field=attribute,
                    value=value,
                    how="missing" if value is None else "prefilled",
                    unit=money if attribute in (project.COST, project.FUNDING_GAP) else None,
                    entity=entity.id,
                    attribute=attribute,
                    as_of=as_of,
                )
            )
    return lines


def indicator_lines(points: Sequence[Point], codes: Sequence[str]) -> list[Line]:
    """One line for each value, and one for each code that is asked for and has none."""
    lines = [
        Line(
            key=f"{p.code}@{p.start}/{p.end}",
            kind="indicator",
            subject=p.code,
            name=p.name,
            field="value",
            value=p.value,
            how="missing" if p.value is None else "prefilled",
            unit=p.unit,
            grade=p.grade,
            entity=f"{p.code}@{p.start}",
            attribute=p.method,
            as_of=p.as_of,
            reason=p.missing if p.value is None else None,
        )
        for p in points
    ]
    known = {p.code for p in points}
    lines += [
        Line(f"{code}@", "indicator", code, {"en": code, "th": code}, "value", None, "missing")
        for code in codes
        if code not in known
    ]
    return lines


def merged(old: Sequence[Line], fresh: Sequence[Line]) -> tuple[Line, ...]:
    """Fresh lines, with what persons entered or explained kept over them."""
    by_key = {line.key: line for line in old}
    made = []
    for line in fresh:
        known = by_key.pop(line.key, None)
        if known is not None and known.how == "entered":
            made.append(replace(known, before=line.value))
        elif known is not None and line.value is None and known.reason:
            made.append(replace(line, reason=known.reason, by=known.by))
        else:
            made.append(line)
    made += [line for line in by_key.values() if line.how == "entered"]
    return tuple(made)


def corrected(
    lines: Sequence[Line], corrections: Sequence[Correction], who: str, at: str
) -> tuple[Line, ...]:
    """The lines after a person spoke. Raises `WorkInvalid` for a key that is not there, a value
    that is neither number nor short text, or a value taken away without a reason."""
    by_key = {line.key: line for line in lines}
    for one in corrections:
        known = by_key.get(one.key)
        if known is None:
            raise errors.WorkInvalid(name=one.key[:80], reason="no such line")
        reason = (one.reason or "").strip() or None
        demand_text(one.key[:40], reason or "", REASON_CHARACTERS_MAX)
        if one.value is None and reason is None:
            raise errors.WorkInvalid(name=one.key[:80], reason="neither a value nor a reason")
        if isinstance(one.value, bool | dict | list) or (
            isinstance(one.value, str) and not 0 < len(one.value) <= REASON_CHARACTERS_MAX
        ):
            raise errors.WorkInvalid(name=one.key[:80], reason="a number or a short text")
        if isinstance(known.value, int | float) and isinstance(one.value, str):
            raise errors.WorkInvalid(name=one.key[:80], reason="a number")
        before = known.value if known.how == "prefilled" else known.before
        by_key[one.key] = replace(
            known,
            value=one.value,
            reason=reason,
            how="missing" if one.value is None else "entered",
            before=before,
            by=who,
            as_of=at,
        )
    return tuple(by_key.values())
