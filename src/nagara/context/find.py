"""Queries on the present: pages of entities, and how many there are."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg
import msgspec
from asyncpg import Record

from nagara.context.errors import OffsetTooFar, QueryInvalid, QueryTooComplex
from nagara.context.expiry import entity_at
from nagara.context.geometry import are_related_wkb, fulfils, shape_of
from nagara.context.lookups import Lookups
from nagara.context.model import GeoQuery, Page, Query
from nagara.context.order import is_in_database, order_sql
from nagara.context.plain import SQL as PLAIN_SQL
from nagara.context.plain import SQL_OF_NUMBERS as PLAIN_SQL_OF_NUMBERS
from nagara.context.plain import PlainAnswer, PlainPage, plain_answer, plain_page_of
from nagara.context.q_sql import Expand
from nagara.context.store import COLUMNS, Conn, Held, held_from
from nagara.context.where import Where, box_of, conditions, sought_in
from nagara.values.time import parse_instant

__all__ = ["LIMIT_MAX", "decode_cursor", "encode_cursor", "fulfils", "query_page"]

#: The largest page: about 2 MB of entities. A caller who wants more follows the cursor.
LIMIT_MAX = 1_000
#: The furthest an offset reaches: each page reads all before it. Further on there is the cursor.
OFFSET_MAX = 100_000
#: Rows read at once while a geo-query is refined, in the order of ids.
REFINE_BATCH = 500
#: Entities in an area that are put in order without a thought.
PLACES_FEW = 2_000
#: Ids that are looked through first where more lie there: in a dense area that is enough.
WALK_FIRST = 1_000
#: Entities in an area up to which all are looked up in the index of places and put in order. Where
#: more lie, they are so dense that walking along the ids meets them soon.
PLACES_MAX = 100_000
#: A query that takes longer holds one of the city's connections: the client is told to narrow it.
QUERY_S_MAX = 5.0
#: Entities of an area that are looked at one by one, to put them in order or to count them.
COUNT_MAX = 20_000

_ORDERS = {"-modifiedAt": "modified_at", "-createdAt": "created_at"}
PLACE = "e.geometry, jsonb_typeof(e.doc -> 'location') = 'array' as is_many"


async def fetch(
    conn: Conn, sql: str, parameters: Sequence[Any], said: str, seconds: float = QUERY_S_MAX
) -> list[Record]:
    """Rows of a client's query. What PostgreSQL cannot read is the client's to mend; what takes
    too long is stopped at the server."""
    try:
        rows: list[Record] = await conn.fetch(sql, *parameters, timeout=seconds)
    except TimeoutError as error:
        raise QueryTooComplex(what="seconds of work", limit=int(seconds)) from error
    except asyncpg.PostgresError as error:
        # Bad pattern, bad value, bad jsonpath (classes 22, 2B, 42).
        if (error.sqlstate or "")[:2] in ("22", "2B", "42"):
            raise QueryInvalid(query=said[:200], position=0, reason=str(error)) from error
        raise
    return rows


def asked(query: Query) -> str:
    """What a client said, for the words of an error."""
    return str(query.q or query.id_pattern)


def among(where: Where, numbers: list[int]) -> str:
    """Entities by their numbers, as a table `e`: each is fetched by itself, whatever the planner
    thinks of walking in their order."""
    return (
        f"(select f.* from unnest({where.bind(numbers)}::bigint[]) n cross join lateral"  # noqa: S608
        " (select * from context.entity x where x.no = n offset 0) f) e"
    )


def _page_sql(
    columns: str,
    where: Where,
    branches: list[str],
    order: str,
    limit: int,
    source: str = "context.entity e",
) -> str:
    """One statement for a page. Each branch brings its own first rows in order."""
    select = f"select {columns} from {source} where {where.sql()}"  # noqa: S608
    if not branches:
        return f"{select} order by {order} limit {limit}"
    parts = [f"({select} and ({branch}) order by {order} limit {limit})" for branch in branches]
    if len(parts) == 1:
        return parts[0]
    joined = " union all ".join(parts)
    return f"select * from ({joined}) e order by {order} limit {limit}"  # noqa: S608


def encode_cursor(parts: Sequence[str]) -> str:
    """An opaque cursor."""
    return base64.urlsafe_b64encode(json.dumps(list(parts)).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, length: int) -> list[str]:
    """What a cursor says. Raises `QueryInvalid` for one that we did not make."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        parts = json.loads(base64.urlsafe_b64decode(padded))
        if isinstance(parts, list) and [type(part) for part in parts] == [str] * length:
            return parts
    except ValueError:
        pass  # the words below serve every way a cursor can be wrong
    raise QueryInvalid(query=cursor[:80], position=0, reason="this cursor is not one of ours")


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
        rows = await _in_area(conn, query, expand, limit + 1)
    else:
        rows = await _looked_up(
            conn, query, expand, COLUMNS, query.after, limit + 1, query.offset, lookups
        )
    held = [held_from(row) for row in rows[:limit]]
    if len(rows) <= limit or not held:
        return held, None
    return held, "more" if query.ordered_by else _cursor(query, held[-1])


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
    rows = await _looked_up(conn, query, expand, _PLAIN, query.after, limit + 1, 0, lookups)
    told = ",".join(row["plain"] for row in rows[:limit])
    if '"expiresAt"' in told:  # of an attribute: told with sysAttrs alone
        return None
    if len(rows) <= limit or not told:
        return told, None
    last = rows[limit - 1]
    return told, _cursor_of(query, last["id"], last["created_at"], last["modified_at"])


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
    conn: Conn,
    query: Query,
    expand: Expand,
    columns: str,
    after: str | None,
    batch: int,
    skip: int,
    lookups: Lookups,
) -> list[Record]:
    """Rows in the order of the ids, or of the times: of the few that a lookup finds, else along
    the types."""
    sought = sought_in(query, expand)
    numbers = await lookups.find(conn, query.tenant, query.types, sought)
    began = time.monotonic()
    rows = await _rows(conn, query, expand, columns, after, batch, skip, numbers)
    if numbers is None and sought and after is None and not skip:
        took_s = time.monotonic() - began
        lookups.walked(query.tenant, query.types, sought, len(rows) >= batch, took_s)
    return rows


async def _rows(
    conn: Conn,
    query: Query,
    expand: Expand,
    columns: str,
    after: str | None,
    batch: int,
    skip: int = 0,
    numbers: list[int] | None = None,
) -> list[Record]:
    """Rows in the order of the ids, or of the times; only of those with these numbers, if any."""
    where, branches = conditions(query, expand)
    order = _after(query, where, after)
    source = "context.entity e"
    if numbers is not None:
        source, where, branches = among(where, numbers), whole_of(where, branches), []
    if not skip:
        sql = _page_sql(columns, where, branches, order, batch, source)
    else:  # what is passed over is not unpacked
        keys = _page_sql(
            "e.no, e.id, e.created_at, e.modified_at", where, branches, order, batch + skip, source
        )
        sql = (
            f"select {columns} from (select no from ({keys}) s order by {order}"  # noqa: S608
            f" offset {where.bind(skip)}) s join context.entity e on e.no = s.no order by {order}"
        )
    return await fetch(conn, sql, where.parameters, asked(query))


def _after(query: Query, where: Where, after: str | None) -> str:
    """The order of a page, and the condition that it begins behind the cursor."""
    if query.order == "id":
        if after is not None:
            where.add(f"e.id > {where.bind(decode_cursor(after, 1)[0])}")
        return "id"
    column = _ORDERS[query.order]
    if after is not None:
        at, last_id = decode_cursor(after, 2)
        where.add(f"(e.{column}, e.id) < ({where.bind(parse_instant(at))}, {where.bind(last_id)})")
    return f"{column} desc, id desc"


def _cursor(query: Query, last: Held) -> str:
    return _cursor_of(query, last.id, last.created_at, last.modified_at)


def _cursor_of(query: Query, last_id: str, created_at: datetime, modified_at: datetime) -> str:
    if query.order == "id":
        return encode_cursor([last_id])
    at = modified_at if query.order == "-modifiedAt" else created_at
    return encode_cursor([at.isoformat(), last_id])


# --- areas -------------------------------------------------------------------------------------


async def _in_area(conn: Conn, query: Query, expand: Expand, wanted: int) -> list[Record]:
    """Rows that fulfil a geo-query, in order.

    How many entities lie in an area, and where they stand in the order of ids, no planner knows. So
    the index of places is asked first. Where many lie in the box, the first ids are looked through;
    where that is not enough, all that lie in the box are put in order; where those are very many,
    the ids are looked through to the end.
    """
    assert query.geo is not None
    wanted, skip = wanted + query.offset, query.offset
    if box_of(query.geo, shape_of(query.geo)) is not None:
        rows = await _by_place(conn, query, expand, wanted, PLACES_FEW)
        if rows is None:
            rows = await _among_first(conn, query, expand, wanted)
        if rows is None:
            rows = await _by_place(conn, query, expand, wanted, PLACES_MAX)
        if rows is not None:
            return rows[skip:wanted]
    found: list[Record] = []
    after = query.after
    batch = max(wanted, REFINE_BATCH)
    while len(found) < wanted:
        rows = await _rows(conn, query, expand, f"{COLUMNS}, {PLACE}", after, batch)
        found += await refined(rows, query)
        if len(rows) < batch:
            break
        after = _cursor(query, held_from(rows[-1]))
    return found[skip:wanted]


async def _among_first(
    conn: Conn, query: Query, expand: Expand, wanted: int
) -> list[Record] | None:
    """The page, where enough are found among the first ids; None where not."""
    if query.order != "id":
        return None
    free = msgspec.structs.replace(query, geo=None, q=None, also=None)
    where, branches = conditions(free, expand)
    _after(query, where, query.after)
    keys = _page_sql("e.no, e.id", where, branches, "id", WALK_FIRST)
    exact = whole_of(*conditions(query, expand, where))
    sql = (
        f"with keys as materialized ({keys}) select {COLUMNS}, {PLACE} from keys k"  # noqa: S608
        f" join context.entity e on e.no = k.no where {exact.sql()} order by e.id"
        f" limit {wanted * 4}"
    )
    rows = await refined(await fetch(conn, sql, where.parameters, asked(query)), query)
    return rows if len(rows) >= wanted else None


async def _by_place(
    conn: Conn, query: Query, expand: Expand, wanted: int, most: int
) -> list[Record] | None:
    """The page by the index of places; None where more than `most` lie in the box."""
    found: list[Record] = []
    after, batch = query.after, max(wanted * 4, 100)
    while len(found) < wanted:
        where = whole_of(*conditions(query, expand))
        sql_near = (
            f"select e.no, e.id, e.created_at, e.modified_at from context.entity e"  # noqa: S608
            f" where {where.sql()} limit {most + 1}"
        )
        near_parameters = len(where.parameters)
        behind = Where()
        behind.parameters = where.parameters
        order = _after(query, behind, after)
        condition = behind.sql().replace("e.", "n.") or "true"
        sql = (
            f"with near as materialized ({sql_near})"  # noqa: S608
            f" select {COLUMNS}, {PLACE}, s.all_near from (select n.no,"
            f" (select count(*) from near) as all_near from near n"
            f" where {condition} order by {order} limit {batch}) s"
            f" join context.entity e on e.no = s.no order by e.{order.replace(', id', ', e.id')}"
        )
        rows = await fetch(conn, sql, where.parameters, asked(query))
        if not rows and after is not None:  # nothing behind the cursor, or nothing of a part
            counted = f"select count(*) from ({sql_near}) s"  # noqa: S608
            total = await conn.fetchval(counted, *where.parameters[:near_parameters])
            return None if total > most else found
        if rows and rows[0]["all_near"] > most:
            return None
        found += await refined(rows, query)
        if len(rows) < batch:
            break
        after, batch = _cursor(query, held_from(rows[-1])), batch * 4
    return found


def whole_of(where: Where, branches: list[str]) -> Where:
    """The conditions with those of the types among them."""
    if branches:
        where.add("(" + " or ".join(f"({branch})" for branch in branches) + ")")
    return where


async def refined(rows: list[Record], query: Query) -> list[Record]:
    """The rows that fulfil the geo-query exactly. Hundreds of them are looked at in a thread."""
    assert query.geo is not None
    if len(rows) <= 50:
        return _fulfilling(rows, query.geo)
    return await asyncio.to_thread(_fulfilling, rows, query.geo)


def _fulfilling(rows: list[Record], geo: GeoQuery) -> list[Record]:
    if geo.geoproperty != "location":
        return [row for row in rows if fulfils(msgspec.json.decode(row["doc"]), geo)]
    single = [row for row in rows if row["geometry"] is not None and not row["is_many"]]
    fits: dict[int, bool] = {}
    if single:
        related = are_related_wkb([row["geometry"] for row in single], geo)
        fits = {row["no"]: bool(fit) for row, fit in zip(single, related, strict=True)}
    return [
        row for row in rows if fits.get(row["no"], False) or (row["is_many"] and _any(row, geo))
    ]


def _any(row: Record, geo: GeoQuery) -> bool:
    """Whether one of several instances of the location fulfils the query."""
    return fulfils(msgspec.json.decode(row["doc"]), geo)


# --- order and count ---------------------------------------------------------------------------


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
    order = order_sql(query, where, expand, in_database)
    sql = (
        f"select {COLUMNS} from {source} where {where.sql()} order by {order}"  # noqa: S608
        f" limit {wanted} offset {where.bind(query.offset)}"
    )
    return await fetch(conn, sql, where.parameters, asked(query))


async def all_places(conn: Conn, query: Query, expand: Expand) -> list[int]:
    """The numbers of all entities that fulfil a geo-query. Raises `QueryTooComplex` beyond
    `COUNT_MAX`."""
    columns = f"e.no, e.id, {PLACE}, {DOC}"
    where = whole_of(*conditions(query, expand))
    sql = (
        f"select {columns} from context.entity e where {where.sql()}"  # noqa: S608
        f" limit {COUNT_MAX + 1}"
    )
    rows = await fetch(conn, sql, where.parameters, asked(query))
    if len(rows) > COUNT_MAX:
        raise QueryTooComplex(what="entities to look at one by one", limit=COUNT_MAX)
    return [row["no"] for row in await refined(rows, query)]


DOC = "e.doc::text as doc"
