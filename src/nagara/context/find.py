"""Queries on the present: a page of entities."""

from __future__ import annotations

import time
from datetime import datetime

from asyncpg import Record

from nagara.context.errors import OffsetTooFar, QueryInvalid
from nagara.context.expiry import entity_at
from nagara.context.find_area import all_places, in_area
from nagara.context.find_rows import (
    among,
    asked,
    cursor_at,
    cursor_of,
    decode_cursor,
    encode_cursor,
    fetch,
    read_rows,
    whole_of,
)
from nagara.context.lookups import Lookups
from nagara.context.model import Page, Query
from nagara.context.order import is_in_database, order_sql
from nagara.context.plain import SQL as PLAIN_SQL
from nagara.context.plain import SQL_OF_NUMBERS as PLAIN_SQL_OF_NUMBERS
from nagara.context.plain import PlainAnswer, PlainPage, plain_answer, plain_page_of
from nagara.context.q_sql import Expand
from nagara.context.store import COLUMNS, Conn, Held, held_from
from nagara.context.where import conditions, sought_in

#: The largest page: about 2 MB of entities. A caller who wants more follows the cursor.
LIMIT_MAX = 1_000
#: The furthest an offset reaches: each page reads all before it. Further on there is the cursor.
OFFSET_MAX = 100_000


async def query_page(conn: Conn, query: Query, expand: Expand, lookups: Lookups) -> Page:
    """One page of entities. Raises `QueryInvalid` and `QueryTooComplex` in words."""
    held, cursor = await query_held(conn, query, expand, lookups)
    return Page([entity_at(one, query.at) for one in held], cursor)


async def query_held(
    conn: Conn, query: Query, expand: Expand, lookups: Lookups
) -> tuple[list[Held], str | None]:
    """One page of entities as they lie in the store, and the cursor of the next.

    Where an order was asked for there is no cursor, but the text `more` where there are more.
    """
    limit = max(0, min(query.limit, LIMIT_MAX))
    if query.offset > OFFSET_MAX:
        raise OffsetTooFar(limit=OFFSET_MAX)
    if query.ordered_by:
        rows = await _ordered(conn, query, expand, limit + 1, lookups)
    elif query.geo is not None:
        rows = await in_area(conn, query, expand, limit + 1)
    else:
        rows = await _looked_up(conn, query, expand, COLUMNS, limit + 1, lookups)
    held = [held_from(row) for row in rows[:limit]]
    if len(rows) <= limit or not held:
        return held, None
    return held, "more" if query.ordered_by else cursor_at(query, held[-1])


#: What of an entity a page of plain texts is made of.
_PLAIN = """e.id, e.created_at, e.modified_at,
    context.plain_of(e.id, e.type, e.types, e.scopes, e.doc) as plain"""


async def query_plain(
    conn: Conn, query: Query, expand: Expand, lookups: Lookups
) -> tuple[str, str | None] | None:
    """One page of entities as JSON texts, with commas between, for one who asks for nothing
    special, and the cursor of the next; None where that cannot be said without a second look
    (`query_held` can)."""
    limit = max(0, min(query.limit, LIMIT_MAX))
    if query.ordered_by or query.geo is not None or query.offset:
        return None
    after = "" if query.after is None or query.order != "id" else decode_cursor(query.after, 1)[0]
    page = plain_page_of(query, expand, after)
    if page is not None:
        made = await read_plain(conn, page, query.at, lookups)
        if made is not None:
            return made.body, None if made.more_after is None else encode_cursor([made.more_after])
    rows = await _looked_up(conn, query, expand, _PLAIN, limit + 1, lookups)
    told = ",".join(row["plain"] for row in rows[:limit])
    if '"expiresAt"' in told:  # of an attribute: told with sysAttrs alone
        return None
    if len(rows) <= limit or not told:
        return told, None
    last = rows[limit - 1]
    return told, cursor_of(query, last["id"], last["created_at"], last["modified_at"])


async def read_plain(
    conn: Conn, page: PlainPage, now: datetime | None, lookups: Lookups
) -> PlainAnswer | None:
    """A plain page; None where `query_held` has to look. Raises `QueryInvalid`,
    `QueryTooComplex`."""
    asked, said = page.parameters(now), page.path or page.type
    numbers = await lookups.find(conn, page.tenant, (page.type,), page.sought)
    if numbers is not None:
        rows = await fetch(conn, PLAIN_SQL_OF_NUMBERS, (*asked, numbers), said)
        return plain_answer(page, *rows[0])
    began = time.monotonic()
    body, told, last_id = (await fetch(conn, PLAIN_SQL, asked, said))[0]
    if page.sought and not page.after:
        was_filled = body is None or told > page.limit
        took_s = time.monotonic() - began
        lookups.walked(page.tenant, (page.type,), page.sought, was_filled, took_s)
    return plain_answer(page, body, told, last_id)


async def _looked_up(
    conn: Conn, query: Query, expand: Expand, columns: str, batch: int, lookups: Lookups
) -> list[Record]:
    """Rows in the order of the ids, or of the times: of the few that a lookup finds, else along
    the types."""
    sought = sought_in(query, expand)
    numbers = await lookups.find(conn, query.tenant, query.types, sought)
    began = time.monotonic()
    rows = await read_rows(conn, query, expand, columns, query.after, batch, query.offset, numbers)
    if numbers is None and sought and query.after is None and not query.offset:
        took_s = time.monotonic() - began
        lookups.walked(query.tenant, query.types, sought, len(rows) >= batch, took_s)
    return rows


async def _ordered(
    conn: Conn, query: Query, expand: Expand, wanted: int, lookups: Lookups
) -> list[Record]:
    """Rows in an order that the client gives: all that fulfil the query are put in order."""
    if query.after is not None:
        raise QueryInvalid(query="after", position=0, reason="an order has pages by offset alone")
    in_database = False
    if query.collation is not None:
        names = await conn.fetch("select collname from pg_collation where collprovider = 'i'")
        in_database = is_in_database(query.collation, frozenset(str(row[0]) for row in names))
    where = whole_of(*conditions(query, expand))
    numbers: list[int] | None
    if query.geo is not None:
        numbers = await all_places(conn, query, expand)
    else:
        sought = sought_in(query, expand)
        numbers = await lookups.find(conn, query.tenant, query.types, sought)
    source = "context.entity e" if numbers is None else among(where, numbers)
    order, beside = order_sql(query, where, expand, in_database)
    # Only what is told is unpacked.
    sql = (
        f"select {COLUMNS} from (select s.no, row_number() over () as at from (select e.no"  # noqa: S608
        f" from {source}{beside} where {where.sql()} order by {order} limit {wanted}"
        f" offset {where.bind(query.offset)}) s) s join context.entity e on e.no = s.no"
        " order by s.at"
    )
    return await fetch(conn, sql, where.parameters, asked(query))
