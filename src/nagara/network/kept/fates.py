"""What became of the rows of a year by another: counted, and read by pages, where they lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nagara.engines.database import Connection
from nagara.network.figures import Ended
from nagara.network.model import Signs

#: Country, member and title of the last one of a page.
Place = tuple[str, str, int]

_YEARS = """
with before as (
    select r.country, r.member, r.title, r.name, r.focus, r.status, t.project
    from network.row r join network.title t on t.id = r.title where r.year = $1
), later as (
    select r.country, r.member, r.title, r.name, r.focus, r.status, r.line, t.project, t.first_year
    from network.row r join network.title t on t.id = r.title where r.year = $2
)"""
#: Looked for by their project are those alone whose title does not stand there any more: few. Of
#: several rows of one project the last in the order of the report, as `what_became` takes it.
_TOLD = """, gone as (
    select distinct project from before b
    where project is not null and not exists (select 1 from later l where l.title = b.title)
), standing as (
    select distinct on (project) project, name, status from later join gone using (project)
    order by project, country desc, member desc, line desc, title desc
), told as (
    select b.country, b.member, b.title, b.name, b.focus, b.project,
        case when l.title is not null then 'title' when s.project is not null then 'project' end
            as same,
        coalesce(l.name = b.name, false) as same_name,
        coalesce(b.status = 'completed', false) as completed,
        coalesce(case when l.title is not null then l.status else s.status end = 'completed', false)
            as later_completed,
        coalesce(named.how, booked.how) as ended,
        coalesce(l.name, s.name) as later_name
    from before b
    left join later l on l.title = b.title
    left join standing s on l.title is null and s.project = b.project
    left join unnest($3::bigint[], $4::text[]) as named(title, how) on named.title = b.title
    left join unnest($5::text[], $6::text[]) as booked(project, how) on booked.project = b.project
)"""
_COUNTED = """
select same, same_name, completed, later_completed, ended, count(*) as n from told
group by 1, 2, 3, 4, 5"""
_PAGE = """
select * from told
where exists (
        select 1 from unnest($7::text[], $8::bool[], $9::bool[], $10::bool[], $11::text[])
            as w(same, same_name, completed, later_completed, ended)
        where (w.same, w.same_name, w.completed, w.later_completed, w.ended) is not distinct from
            (told.same, told.same_name, told.completed, told.later_completed, told.ended)
    ) and ($12::text is null or (country, member, title) > ($12::char(2), $13::text, $14::bigint))
order by country, member, title limit $15"""
_FRESH = """
from later l
where not exists (select 1 from before b where b.title = l.title)
    and not exists (select 1 from before b where b.project = l.project)
    and not exists (
        select 1 from unnest($3::bigint[], $4::bigint[]) as part(whole, title)
        join before b on b.title = part.whole where part.title = l.title
    )"""
_FRESH_COUNTED = "\nselect l.first_year < $1 as returned, count(*) as n" + _FRESH + " group by 1"
_FRESH_PAGE = (
    "\nselect l.country, l.member, l.title, l.name, l.focus, l.project,"
    " l.first_year < $1 as returned"
    + _FRESH
    + " and (l.first_year < $1) = any($5::bool[]) and ($6::text is null"
    " or (l.country, l.member, l.title) > ($6::char(2), $7::text, $8::bigint))"
    " order by l.country, l.member, l.title limit $9"
)


async def count_signs(
    conn: Connection, earlier: int, later: int, ended: Ended
) -> list[tuple[Signs, int]]:
    """How many rows of a year show which signs of what became of them by another."""
    rows = await conn.fetch(_YEARS + _TOLD + _COUNTED, earlier, later, *_ends(ended))
    return [(signs_of(row), row["n"]) for row in rows]


async def list_signs(
    conn: Connection,
    earlier: int,
    later: int,
    ended: Ended,
    wanted: Sequence[Signs],
    after: Place | None,
    limit: int,
) -> list[Any]:
    """Rows of a year that show one of the signs wanted, by country, city and title, with the name
    under which each stands in the other year."""
    columns = [[getattr(signs, name) for signs in wanted] for name in Signs.__struct_fields__]
    return list(
        await conn.fetch(
            _YEARS + _TOLD + _PAGE, earlier, later, *_ends(ended), *columns,
            *(after or (None, None, None)), limit,
        )
    )  # fmt: skip


async def count_new(conn: Connection, earlier: int, later: int, ended: Ended) -> tuple[int, int]:
    """How many rows of the later year go on from none of the earlier, nor are a part of one: those
    that stand in no report before, and those that have come back."""
    rows = await conn.fetch(_YEARS + _FRESH_COUNTED, earlier, later, *_parts(ended))
    found = {row["returned"]: row["n"] for row in rows}
    return found.get(False, 0), found.get(True, 0)


async def list_new(
    conn: Connection,
    earlier: int,
    later: int,
    ended: Ended,
    returned: Sequence[bool],
    after: Place | None,
    limit: int,
) -> list[Any]:
    """Those rows, by country, city and title; `returned`: which of the two kinds."""
    return list(
        await conn.fetch(
            _YEARS + _FRESH_PAGE, earlier, later, *_parts(ended), list(returned),
            *(after or (None, None, None)), limit,
        )
    )  # fmt: skip


def signs_of(row: Any) -> Signs:
    """The signs that a row shows."""
    return Signs(*(row[name] for name in Signs.__struct_fields__))


def _ends(ended: Ended) -> tuple[list[int], list[str], list[str], list[str]]:
    titles, projects = ended.titles, ended.projects
    return list(titles), list(titles.values()), list(projects), list(projects.values())


def _parts(ended: Ended) -> tuple[list[int], list[int]]:
    pairs = [(whole, part) for whole, parts in ended.parts.items() for part in parts]
    return [whole for whole, _ in pairs], [part for _, part in pairs]
