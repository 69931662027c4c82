"""What the room keeps, and the questions it asks of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Literal

from msgspec import Struct

from nagara.engines.database import Connection
from nagara.network.archive import Phase, Printed
from nagara.network.model import Member, Row, Term

PAGE_MAX = 1_000


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


class Notice(Struct, frozen=True):
    """A notice that somebody replaces somebody in an office."""

    id: int
    role: str
    scope: str
    replaces: int | None
    office: str
    account: str | None
    from_on: date
    until_on: date | None
    words: str
    state: str
    announced_by: str
    announced_at: datetime
    settled_by: str | None
    settled_at: datetime | None
    term: int | None


class Match(Struct, frozen=True):
    """A proposal, with both titles."""

    id: int
    earlier: int
    later: int
    score: float
    reasons: list[dict[str, Any]]
    state: str
    kind: str | None
    note: str
    settled_by: str | None
    settled_at: datetime | None
    member: str
    earlier_name: str
    earlier_first: int
    earlier_last: int
    earlier_project: str | None
    later_name: str
    later_first: int
    later_last: int
    later_project: str | None


# --- members -------------------------------------------------------------------------------------


async def put_member(conn: Connection, member: Member, at: datetime) -> bool:
    """Keep a member; whether anything changed."""
    lon, lat = member.location or (None, None)
    return bool(
        await conn.fetchval(
            "insert into network.member as m (code, name, country, joined_year, pilot, status,"
            " left_year, lon, lat, focus, source, at)"
            " values ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12)"
            " on conflict (code) do update set name = excluded.name, country = excluded.country,"
            " joined_year = excluded.joined_year, pilot = excluded.pilot,"
            " status = excluded.status, left_year = excluded.left_year, lon = excluded.lon,"
            " lat = excluded.lat, focus = excluded.focus, source = excluded.source,"
            " version = m.version + 1, at = excluded.at"
            " where (m.name, m.country, m.joined_year, m.pilot, m.status, m.left_year, m.lon,"
            " m.lat, m.focus) is distinct from (excluded.name, excluded.country,"
            " excluded.joined_year, excluded.pilot, excluded.status, excluded.left_year,"
            " excluded.lon, excluded.lat, excluded.focus) returning true",
            member.code, dict(member.name), member.country, member.joined_year, member.pilot,
            member.status, member.left_year, lon, lat, list(member.focus), member.source, at,
        )
    )  # fmt: skip


_MEMBER = (
    "select code, name, country, joined_year, pilot, status, left_year, lon, lat, focus, source,"
    " version from network.member"
)


def _member(row: Any) -> Member:
    return Member(
        row["code"], row["name"], row["country"], row["joined_year"], row["pilot"], row["status"],
        row["left_year"], None if row["lon"] is None else (row["lon"], row["lat"]),
        tuple(row["focus"]), row["source"], row["version"],
    )  # fmt: skip


async def find_member(conn: Connection, code: str) -> Member | None:
    """The member of a code."""
    row = await conn.fetchrow(f"{_MEMBER} where code = $1", code)
    return None if row is None else _member(row)


async def list_members(
    conn: Connection,
    country: str | None = None,
    status: str | None = None,
    year: int | None = None,
    after: str | None = None,
    limit: int | None = PAGE_MAX,
) -> list[Member]:
    """Members in the order of their codes; `year`: who belonged in it."""
    rows = await conn.fetch(
        f"{_MEMBER} where ($1::text is null or country = $1) and ($2::text is null or status = $2)"
        " and ($3::int is null or joined_year <= $3 and (left_year is null or left_year > $3)"
        " and status <> 'candidate')"
        " and ($4::text is null or code > $4) order by code limit $5",
        country, status, year, after, limit,
    )  # fmt: skip
    return [_member(row) for row in rows]


async def count_members(conn: Connection, year: int) -> int:
    """How many belonged in a year."""
    return int(
        await conn.fetchval(
            "select count(*) from network.member where joined_year <= $1 and status <> 'candidate'"
            " and (left_year is null or left_year > $1)",
            year,
        )
    )


# --- titles and rows -----------------------------------------------------------------------------


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


async def list_rows(conn: Connection, wanted: Wanted) -> list[Row]:
    """Rows in the order of year (latest first), country, member, title."""
    text = None if wanted.text is None else f"%{_like(wanted.text)}%"
    year, country, member, title = wanted.after or (None, None, None, None)
    rows = await conn.fetch(
        f"{_ROW} where ($1::int is null or r.year = $1) and ($2::text is null or r.country = $2)"
        " and ($3::text is null or r.member = $3) and ($4::text is null or r.focus = $4)"
        " and ($5::text is null or case $5 when 'none' then r.status is null"
        "   else r.status = $5 end)"
        " and ($6::text is null or r.name ilike $6)"
        " and ($7::int is null or (-r.year, r.country, r.member, r.title)"
        "   > (-$7, $8::char(2), $9::text, $10::bigint))"
        " order by (-r.year), r.country, r.member, r.title limit $11",
        wanted.year, wanted.country, wanted.member, wanted.focus, wanted.status, text,
        year, country, member, title, wanted.limit,
    )  # fmt: skip
    return [Row(**dict(row)) for row in rows]


async def rows_of_year(conn: Connection, year: int, limit: int) -> list[Row]:
    """All rows of one year, in the order of the report: country, city, line."""
    rows = await conn.fetch(
        f"{_ROW} where r.year = $1 order by r.country, r.member, r.line, r.title limit $2",
        year, limit,
    )  # fmt: skip
    return [Row(**dict(row)) for row in rows]


async def rows_of_members(conn: Connection, members: Sequence[str]) -> list[Row]:
    """All rows of some members, oldest first."""
    rows = await conn.fetch(
        f"{_ROW} where r.member = any($1) order by r.year, r.title", list(members)
    )
    return [Row(**dict(row)) for row in rows]


async def years(conn: Connection) -> list[Any]:
    """(year, rows, cities) of each year that has rows."""
    return list(
        await conn.fetch(
            "select year, count(*) as rows, count(distinct member) as cities"
            " from network.row group by year order by year"
        )
    )


async def titles_before(conn: Connection, year: int) -> frozenset[int]:
    """Titles that stood in a report before a year."""
    rows = await conn.fetch("select distinct title from network.row where year < $1", year)
    return frozenset(row["title"] for row in rows)


async def summary(conn: Connection, year: int) -> list[Any]:
    """(member, focus, status, count) of a year."""
    return list(
        await conn.fetch(
            "select member, focus, status, count(*) as n from network.row where year = $1"
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


async def move_project(conn: Connection, before: str, after: str) -> None:
    """All titles of one project are another's from now on."""
    await conn.execute("update network.title set project = $2 where project = $1", before, after)


# --- matches -------------------------------------------------------------------------------------

_MATCH = (
    "select m.id, m.earlier, m.later, m.score, m.reasons, m.state, m.kind, m.note, m.settled_by,"
    " m.settled_at, e.member, e.name as earlier_name, e.first_year as earlier_first,"
    " e.last_year as earlier_last, e.project as earlier_project, l.name as later_name,"
    " l.first_year as later_first, l.last_year as later_last, l.project as later_project"
    " from network.match m join network.title e on e.id = m.earlier"
    " join network.title l on l.id = m.later"
)


async def put_matches(
    conn: Connection, found: Sequence[tuple[int, int, float, list[dict[str, Any]]]]
) -> int:
    """Keep proposals that are new; a settled one is left alone. How many were new."""
    made = 0
    for earlier, later, score, reasons in found:
        done = await conn.execute(
            "insert into network.match (earlier, later, score, reasons) values ($1, $2, $3, $4)"
            " on conflict (earlier, later) do nothing",
            earlier, later, score, reasons,
        )  # fmt: skip
        made += done.endswith(" 1")
    return made


async def list_matches(
    conn: Connection,
    state: str | None,
    member: str | None,
    after: int | None,
    limit: int,
) -> list[Match]:
    """Proposals by number; numbers follow likeness at the time of proposing."""
    rows = await conn.fetch(
        f"{_MATCH} where ($1::text is null or m.state = $1) and ($2::text is null or e.member = $2)"
        " and m.id > $3 order by m.id limit $4",
        state, member, after or 0, limit,
    )  # fmt: skip
    return [Match(**dict(row)) for row in rows]


async def find_match(conn: Connection, match_id: int, lock: bool = False) -> Match | None:
    """The proposal of a number; `lock`: nobody else settles it meanwhile."""
    tail = " for update of m, l" if lock else ""
    row = await conn.fetchrow(f"{_MATCH} where m.id = $1{tail}", match_id)
    return None if row is None else Match(**dict(row))


async def settle_match(
    conn: Connection, match_id: int, state: str, kind: str | None, note: str, by: str, at: datetime
) -> None:
    """Write down what was decided."""
    await conn.execute(
        "update network.match set state = $2, kind = $3, note = $4, settled_by = $5,"
        " settled_at = $6 where id = $1",
        match_id, state, kind, note, by, at,
    )  # fmt: skip


async def open_for_later(conn: Connection, later: int) -> list[int]:
    """Proposals for a later title that nobody settled yet."""
    rows = await conn.fetch(
        "select id from network.match where later = $1 and state = 'proposed'", later
    )
    return [row["id"] for row in rows]


async def merged_titles(conn: Connection) -> list[int]:
    """Earlier titles that somebody said went into another project."""
    rows = await conn.fetch(
        "select earlier from network.match where state = 'confirmed' and kind = 'merged'"
    )
    return [row["earlier"] for row in rows]


async def matches_of_titles(conn: Connection, titles: Sequence[int]) -> Mapping[int, list[int]]:
    """Earlier title → proposals that are open."""
    rows = await conn.fetch(
        "select earlier, array_agg(id order by id) as ids from network.match"
        " where earlier = any($1) and state = 'proposed' group by earlier",
        list(titles),
    )
    return {row["earlier"]: list(row["ids"]) for row in rows}


# --- offices -------------------------------------------------------------------------------------


async def add_term(conn: Connection, term: Term, at: datetime) -> int:
    """A term; its number."""
    return int(
        await conn.fetchval(
            "insert into network.term (role, scope, office, account, starts, ends, source, at)"
            " values ($1,$2,$3,$4,$5,$6,$7,$8) returning id",
            term.role, term.scope, term.office, term.account, term.starts, term.ends,
            term.source, at,
        )
    )  # fmt: skip


async def find_term(conn: Connection, role: str, scope: str, on: date) -> Term | None:
    """Who holds an office on a day; the latest to begin, where two overlap."""
    found = await list_terms(conn, role, scope, on)
    return found[-1] if found else None


async def list_terms(
    conn: Connection, role: str | None = None, scope: str | None = None, on: date | None = None
) -> list[Term]:
    """Terms by their beginning; `on`: those that hold on a day."""
    rows = await conn.fetch(
        "select id, role, scope, starts, ends, source, office, account from network.term"
        " where ($1::text is null or role = $1) and ($2::text is null or scope = $2)"
        " and ($3::date is null or starts <= $3 and (ends is null or ends >= $3))"
        " order by starts, id limit 10000",
        role, scope, on,
    )  # fmt: skip
    return [Term(**dict(row)) for row in rows]


async def end_term(conn: Connection, term_id: int, last: date) -> None:
    """A term ends on a day, if it has not ended before."""
    await conn.execute(
        "update network.term set ends = greatest(starts, $2::date), version = version + 1"
        " where id = $1 and (ends is null or ends > $2)",
        term_id, last,
    )  # fmt: skip


async def add_notice(
    conn: Connection, term: Term, words: str, replaces: int | None, by: str, at: datetime
) -> int:
    """A notice; its number."""
    return int(
        await conn.fetchval(
            "insert into network.notice (role, scope, replaces, office, account, from_on, until_on,"
            " words, announced_by, announced_at) values ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10)"
            " returning id",
            term.role, term.scope, replaces, term.office, term.account, term.starts, term.ends,
            words, by, at,
        )
    )  # fmt: skip


async def find_notice(conn: Connection, notice_id: int) -> Notice | None:
    """The notice of a number; nobody else settles it meanwhile."""
    row = await conn.fetchrow("select * from network.notice where id = $1 for update", notice_id)
    return None if row is None else Notice(**dict(row))


async def list_notices(conn: Connection, state: str | None) -> list[Notice]:
    """Notices, the newest first."""
    rows = await conn.fetch(
        "select * from network.notice where $1::text is null or state = $1"
        " order by id desc limit 1000",
        state,
    )
    return [Notice(**dict(row)) for row in rows]


async def settle_notice(
    conn: Connection,
    notice_id: int,
    state: Literal["confirmed", "refused"],
    by: str,
    at: datetime,
    term: int | None,
) -> None:
    """Write down how a notice was settled."""
    await conn.execute(
        "update network.notice set state = $2, settled_by = $3, settled_at = $4, term = $5"
        " where id = $1",
        notice_id, state, by, at, term,
    )  # fmt: skip


# --- what was printed, and a country's programme -------------------------------------------------


async def put_printed(conn: Connection, found: Sequence[Printed]) -> None:
    """Keep figures as printed; said again, the later holds."""
    await conn.executemany(
        "insert into network.printed (year, measure, value, unit, note, on_date, cities, projects,"
        " file, line) values ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10) on conflict (year, measure) do update"
        " set value = excluded.value, unit = excluded.unit, note = excluded.note,"
        " on_date = excluded.on_date, cities = excluded.cities, projects = excluded.projects,"
        " file = excluded.file, line = excluded.line",
        [
            (p.year, p.measure, p.value, p.unit, p.note, p.on, p.cities, p.projects, p.file, p.line)
            for p in found
        ],
    )


async def list_printed(conn: Connection, year: int) -> list[Printed]:
    """Figures as printed of a year, in the order of the file."""
    rows = await conn.fetch(
        "select year, measure, value, unit, note, on_date as on, cities, projects, file, line"
        " from network.printed where year = $1 order by line",
        year,
    )
    return [Printed(**dict(row)) for row in rows]


async def put_phases(conn: Connection, found: Sequence[Phase]) -> None:
    """Keep the phases of a country's programme."""
    await conn.executemany(
        "insert into network.programme (country, phase, period, province, how, source)"
        " values ($1,$2,$3,$4,$5,$6) on conflict (country, phase, province) do update set"
        " period = excluded.period, how = excluded.how, source = excluded.source",
        [(p.country, p.phase, p.period, p.province, p.how, p.source) for p in found],
    )


async def list_phases(conn: Connection, country: str | None) -> list[Phase]:
    """Phases and provinces."""
    rows = await conn.fetch(
        "select country, phase, period, province, how, source from network.programme"
        " where $1::text is null or country = $1 order by country, phase, province",
        country,
    )
    return [Phase(**dict(row)) for row in rows]


def _like(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_").replace("\0", "")
