"""Lists, counts and points of projects: one filter for all, so that they cannot disagree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from nagara.engines.database import Connection
from nagara.plans.kept import SUMMARY
from nagara.vocab.project import ENDED, State, fold_name

PAGE_MAX = 200
#: Points of one picture: more cover each other on any screen.
POINTS_MAX = 5_000
#: Rows of one export: 1,000 cities with 20 projects each.
EXPORT_MAX = 20_000


class Sight(Struct, frozen=True):
    """What a caller sees: all that is published, and drafts of one city."""

    drafts_of: str | None = None


class Filter(Struct, frozen=True):
    """What is asked for; None: everything. `status` none: a state that no source tells."""

    city: str | None = None
    country: str | None = None
    focus: str | None = None
    type: str | None = None
    state: str | None = None
    stage: str | None = None
    status: str | None = None
    gap: bool | None = None
    year: int | None = None
    q: str | None = None
    plan: str | None = None
    published: bool | None = None
    noted_year: int | None = None  # in a report of the year; `year` also counts those running in it


class _Where:
    """Conditions with their arguments, numbered."""

    def __init__(self) -> None:
        self.conditions: list[str] = []
        self.arguments: list[Any] = []

    def add(self, condition: str, *arguments: Any) -> None:
        marks = []
        for argument in arguments:
            self.arguments.append(argument)
            marks.append(f"${len(self.arguments)}")
        self.conditions.append(condition.format(*marks))

    def __str__(self) -> str:
        return " and ".join(self.conditions) or "true"


_EQUAL = (
    ("city", "city"), ("country", "country"), ("focus", "focus_area"), ("type", "project_type"),
    ("state", "state"), ("stage", "stage"), ("published", "published"),
)  # fmt: skip
_NOTED = "exists (select 1 from plans.year_note y where y.project_id = p.id and y.year = {0})"
_RUNNING = "(p.start_year <= {0} and coalesce(p.end_year, p.start_year) >= {0})"
_IN_PLAN = """p.id in (
    select jsonb_path_query(body, '$.objectives[*].targets[*].projects[*]') #>> '{{}}'
      from plans.plan where id = {0} and (published or city = {1})
    union select jsonb_path_query(body, '$.budgets[*].project') #>> '{{}}'
      from plans.plan where id = {0} and (published or city = {1}))"""


def _where(wanted: Filter, sight: Sight) -> _Where:
    where = _Where()
    if sight.drafts_of is None:
        where.add("p.published")
    else:
        where.add("(p.published or p.city = {0})", sight.drafts_of)
    for field, column in _EQUAL:
        value = getattr(wanted, field)
        if value is not None:
            absent = value == "none" and column in ("focus_area", "project_type", "stage")
            if absent:
                where.add(f"p.{column} is null")
            else:
                where.add(f"p.{column} = {{0}}", value)
    if wanted.status is not None:
        if wanted.status == "none":
            where.add("p.status is null")
        else:
            where.add("p.status = {0}", wanted.status)
    if wanted.gap is not None:
        where.add("p.gap > 0" if wanted.gap else "p.gap = 0")
    if wanted.year is not None:
        where.add(f"({_NOTED} or {_RUNNING})", wanted.year)
    if wanted.noted_year is not None:
        where.add(_NOTED, wanted.noted_year)
    if wanted.q:
        escaped = fold_name(wanted.q).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        where.add("p.search like {0}", f"%{escaped}%")
    if wanted.plan is not None:
        where.add(_IN_PLAN, wanted.plan, sight.drafts_of)
    return where


async def list_summaries(
    conn: Connection, wanted: Filter, sight: Sight, after: tuple[str, str] | None, limit: int
) -> list[Any]:
    """One page by name and id; one row more than `limit` where there are more."""
    where = _where(wanted, sight)
    if after is not None:
        where.add("(p.sort_name, p.id) > ({0}, {1})", *after)
    return await conn.fetch(
        f"select {SUMMARY} from plans.project p where {where}"  # noqa: S608 - names of ours
        f" order by p.sort_name, p.id limit {limit + 1:d}",
        *where.arguments,
    )


async def count(conn: Connection, wanted: Filter, sight: Sight) -> list[Any]:
    """How many by focus area, status, stage and state: one query for every table and chart."""
    where = _where(wanted, sight)
    return await conn.fetch(
        f"""select p.focus_area, p.status, p.stage, p.state, count(*) as n
            from plans.project p where {where} group by 1, 2, 3, 4
            order by 1 nulls last, 2 nulls last, 3 nulls last, 4""",  # noqa: S608 - names of ours
        *where.arguments,
    )


async def list_points(conn: Connection, wanted: Filter, sight: Sight) -> list[Any]:
    """Those that have a place; at most `POINTS_MAX`, one more where there are more."""
    where = _where(wanted, sight)
    where.add("p.lon is not null")
    return await conn.fetch(
        f"""select p.id, p.name, p.city, p.focus_area, p.stage, p.state, p.lon, p.lat,
                   p.worked_example
            from plans.project p where {where} order by p.id limit {POINTS_MAX + 1}""",  # noqa: S608
        *where.arguments,
    )


async def list_ended(conn: Connection, noted_year: int, by_year: int) -> Mapping[str, State]:
    """Published projects that stood in the report of a year and have ended by another: id → how."""
    where = _where(Filter(noted_year=noted_year), Sight())
    where.add("p.state = any({0}::text[])", sorted(ENDED))
    where.add("(p.ended_year is null or p.ended_year <= {0})", by_year)
    rows = await conn.fetch(
        f"select p.id, p.state from plans.project p where {where}",  # noqa: S608 - conditions of ours
        *where.arguments,
    )
    return {row["id"]: row["state"] for row in rows}
