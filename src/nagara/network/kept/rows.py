"""Titles, and the rows of the yearly reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from nagara.engines.database import Connection
from nagara.network.figures import Tally
from nagara.network.kept.members import PAGE_MAX
from nagara.network.model import Row
from nagara.vocab.project import fold_name

#: Titles whose rows of twenty years are fetched and put in order at once.
FEW_TITLES_MAX = 500
RUN = 3  # characters of a run by which names are looked up; shorter words are looked for in all


class Wanted(Struct, frozen=True):
    """Which rows: None filters nothing. `after`: year, country, member, title of the last one."""

    year: int | None = None
    country: str | None = None
    member: str | None = None
    focus: str | None = None
    status: str | None = None
    text: str | None = None
    after: tuple[int, str, str, int] | None = None
    limit: int | None = PAGE_MAX


async def put_titles(conn: Connection, wanted: Sequence[tuple[str, str, str, int]]) -> None:
    """(member, folded, name, year) of many rows: titles that are new, years that grew."""
    await conn.execute(
        "insert into network.title as t (member, folded, name, first_year, last_year)"
        " select m, f, (array_agg(n order by y desc))[1], min(y), max(y)"
        " from unnest($1::text[], $2::text[], $3::text[], $4::int[]) as v(m, f, n, y)"
        " group by m, f"
        " on conflict (member, folded) do update set"
        " first_year = least(t.first_year, excluded.first_year),"
        " last_year = greatest(t.last_year, excluded.last_year)"
        " where excluded.first_year < t.first_year or excluded.last_year > t.last_year",
        *(list(column) for column in zip(*wanted, strict=True)),
    )


async def put_rows(conn: Connection, rows: Sequence[Row]) -> int:
    """Keep rows whose `title` is known; how many are new or other than kept."""
    return int(
        await conn.fetchval(
            "with put as (insert into network.row as r"
            " (year, title, member, country, focus, status, name, file, line)"
            " select * from unnest($1::int[], $2::bigint[], $3::text[], $4::text[], $5::text[],"
            " $6::text[], $7::text[], $8::text[], $9::int[])"
            " on conflict (year, title) do update set focus = excluded.focus,"
            " status = excluded.status, name = excluded.name, file = excluded.file,"
            " line = excluded.line where (r.focus, r.status, r.name) is distinct from"
            " (excluded.focus, excluded.status, excluded.name) returning 1)"
            " select count(*) from put",
            [r.year for r in rows], [r.title for r in rows], [r.member for r in rows],
            [r.country for r in rows], [r.focus for r in rows], [r.status for r in rows],
            [r.name for r in rows], [r.file for r in rows], [r.line for r in rows],
        )
    )  # fmt: skip


async def titles_by_name(conn: Connection) -> Mapping[tuple[str, str], int]:
    """(member, folded name) → title."""
    rows = await conn.fetch("select id, member, folded from network.title")
    return {(row["member"], row["folded"]): row["id"] for row in rows}


_ROW = (
    "select r.year, r.member, r.country, r.name, r.focus, r.status, r.file, r.line, r.title,"
    " t.project from network.row r join network.title t on t.id = r.title"
)
#: Of a few titles, kept apart: the planner would walk all pages for their rows.
_ROW_OF_FEW = _ROW.replace(
    "network.row r",
    "(select * from network.row where title = any($12::bigint[]) offset 0) r",
)


async def list_rows(conn: Connection, wanted: Wanted) -> list[Row]:
    """Rows in the order of year (latest first), country, member, title.

    A word is looked for in the names first. Where few bear it their rows are fetched; where many
    do, the pages are walked in their order, for the next one is never far.
    """
    text: str | None = None
    few: list[int] | None = None
    if wanted.text is not None:
        text = f"%{_like(fold_name(wanted.text))}%"
        few = await _few_titles(conn, fold_name(wanted.text), text)
        if few == []:
            return []
    year, country, member, title = wanted.after or (None, None, None, None)
    source = _ROW if few is None else _ROW_OF_FEW
    rows = await conn.fetch(
        f"{source} where ($1::int is null or r.year = $1) and ($2::text is null or r.country = $2)"
        " and ($3::text is null or r.member = $3) and ($4::text is null or r.focus = $4)"
        " and ($5::text is null or case $5 when 'none' then r.status is null"
        "   else r.status = $5 end)"
        " and ($6::text is null or t.folded like $6)"
        " and ($7::int is null or (-r.year, r.country, r.member, r.title)"
        "   > (-$7, $8::char(2), $9::text, $10::bigint))"
        " order by (-r.year), r.country, r.member, r.title limit $11",
        wanted.year, wanted.country, wanted.member, wanted.focus, wanted.status, text,
        year, country, member, title, wanted.limit, *([few] if few is not None else []),
    )  # fmt: skip
    return [Row(**dict(row)) for row in rows]


async def _few_titles(conn: Connection, folded: str, like: str) -> list[int] | None:
    """The titles in which a text stands; None where they are many."""
    most = FEW_TITLES_MAX + 1
    if len(folded) < RUN:
        asked = "select id from network.title where folded like $1 limit $2"
        found = await conn.fetch(asked, like, most)
    else:
        found = await conn.fetch(
            "select id from network.title where network.grams(folded) @> network.grams($3)"
            " and folded like $1 limit $2",
            like, most, folded,
        )  # fmt: skip
    return None if len(found) > FEW_TITLES_MAX else [row["id"] for row in found]


async def rows_of_year(conn: Connection, year: int, limit: int) -> list[Row]:
    """All rows of one year, in the order of the report: country, city, line."""
    rows = await conn.fetch(
        f"{_ROW} where r.year = $1 order by r.country, r.member, r.line, r.title limit $2",
        year, limit,
    )  # fmt: skip
    return [Row(**dict(row)) for row in rows]


async def tallies_of_year(conn: Connection, year: int) -> list[Tally]:
    """The rows of one year, counted by all that a report counts them by."""
    rows = await conn.fetch(
        "select country, member, focus, status, file, count(*) as n from network.row"
        " where year = $1 group by 1, 2, 3, 4, 5",
        year,
    )
    return [Tally(**dict(row)) for row in rows]


async def names_of_rows(conn: Connection, year: int, titles: Sequence[int]) -> Mapping[int, str]:
    """Title → the name that it bears in a year, of those that stand in it."""
    rows = await conn.fetch(
        "select title, name from network.row where year = $1 and title = any($2)",
        year, list(titles),
    )  # fmt: skip
    return {row["title"]: row["name"] for row in rows}


async def rows_of_members(conn: Connection, members: Sequence[str]) -> list[Row]:
    """All rows of some members, oldest first."""
    rows = await conn.fetch(
        f"{_ROW} where r.member = any($1) order by r.year, r.title", list(members)
    )
    return [Row(**dict(row)) for row in rows]


async def count_years(conn: Connection, found: Sequence[int]) -> None:
    """Count the rows and cities of years anew, after rows of them were written."""
    await conn.execute("select network.count_years($1)", list(found))


async def years(conn: Connection) -> list[Any]:
    """(year, rows, cities) of each year that has rows."""
    return list(await conn.fetch("select year, rows, cities from network.year order by year"))


async def titles_before(conn: Connection, year: int) -> frozenset[int]:
    """Titles that stood in a report before a year."""
    rows = await conn.fetch("select id from network.title where first_year < $1", year)
    return frozenset(row["id"] for row in rows)


async def summary(conn: Connection, year: int) -> list[Any]:
    """(member, focus, status, count) of a year."""
    return list(
        await conn.fetch(
            "select member, focus, status, count(*) as n from network.row where year = $1"
            " group by 1, 2, 3 order by 1, 2, 3",
            year,
        )
    )


async def status_of_year(conn: Connection, year: int) -> list[Any]:
    """(country, focus, status, count) of a year; None: the rows do not say the status."""
    return list(
        await conn.fetch(
            "select country, focus, status, count(*) as n from network.row where year = $1"
            " group by 1, 2, 3 order by 1, 2, 3",
            year,
        )
    )


async def set_project(conn: Connection, titles: Sequence[int], projects: Sequence[str]) -> None:
    """Say whose titles they are."""
    await conn.execute(
        "update network.title t set project = v.p"
        " from unnest($1::bigint[], $2::text[]) as v(id, p)"
        " where t.id = v.id and t.project is distinct from v.p",
        list(titles), list(projects),
    )  # fmt: skip


def _like(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_").replace("\0", "")
