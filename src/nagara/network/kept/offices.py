"""Terms of office, and notices of who follows whom."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from msgspec import Struct

from nagara.engines.database import Connection
from nagara.network.model import Term


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
