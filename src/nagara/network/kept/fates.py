"""What became of the rows of a year by another, counted where they lie: none is fetched."""

from __future__ import annotations

from nagara.engines.database import Connection
from nagara.network.figures import Ended
from nagara.network.model import Signs

_YEARS = """
with before as (
    select r.title, r.name, r.status, t.project
    from network.row r join network.title t on t.id = r.title where r.year = $1
), later as (
    select r.title, r.name, r.status, t.project, t.first_year, r.country, r.member, r.line
    from network.row r join network.title t on t.id = r.title where r.year = $2
)"""
#: Of several rows of one project the last in the order of the report, as `what_became` takes it.
_SIGNS = """, standing as (
    select distinct on (project) project, status from later where project is not null
    order by project, country desc, member desc, line desc, title desc
)
select
    case when l.title is not null then 'title' when s.project is not null then 'project' end
        as same,
    coalesce(l.name = b.name, false) as same_name,
    coalesce(b.status = 'completed', false) as completed,
    coalesce(case when l.title is not null then l.status else s.status end = 'completed', false)
        as later_completed,
    coalesce(named.how, booked.how) as ended,
    count(*) as n
from before b
left join later l on l.title = b.title
left join standing s on l.title is null and s.project = b.project
left join unnest($3::bigint[], $4::text[]) as named(title, how) on named.title = b.title
left join unnest($5::text[], $6::text[]) as booked(project, how) on booked.project = b.project
group by 1, 2, 3, 4, 5
"""
_NEW = """
select l.first_year < $1 as returned, count(*) as n from later l
where not exists (select 1 from before b where b.title = l.title)
    and not exists (select 1 from before b where b.project = l.project)
    and not exists (
        select 1 from unnest($3::bigint[], $4::bigint[]) as part(whole, title)
        join before b on b.title = part.whole where part.title = l.title
    )
group by 1
"""


async def count_signs(
    conn: Connection, earlier: int, later: int, ended: Ended
) -> list[tuple[Signs, int]]:
    """How many rows of a year show which signs of what became of them by another."""
    rows = await conn.fetch(
        _YEARS + _SIGNS, earlier, later, list(ended.titles), list(ended.titles.values()),
        list(ended.projects), list(ended.projects.values()),
    )  # fmt: skip
    return [
        (
            Signs(
                row["same"], row["same_name"], row["completed"], row["later_completed"],
                row["ended"],
            ),
            row["n"],
        )
        for row in rows
    ]  # fmt: skip


async def count_new(conn: Connection, earlier: int, later: int, ended: Ended) -> tuple[int, int]:
    """How many rows of the later year go on from none of the earlier, nor are a part of one: those
    that stand in no report before, and those that have come back."""
    pairs = [(whole, part) for whole, parts in ended.parts.items() for part in parts]
    rows = await conn.fetch(
        _YEARS + _NEW, earlier, later, [whole for whole, _ in pairs], [part for _, part in pairs]
    )
    found = {row["returned"]: row["n"] for row in rows}
    return found.get(False, 0), found.get(True, 0)
