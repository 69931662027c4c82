"""Queries on the present: pages of entities, and how many there are."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import asyncpg
import msgspec
from asyncpg import Record

from nagara.context.census import count_of_types
from nagara.context.errors import OffsetTooFar, QueryInvalid, QueryTooComplex
from nagara.context.geometry import are_related_wkb, fulfils, shape_of
from nagara.context.model import Count, GeoQuery, Page, Query
from nagara.context.order import is_in_database, order_sql
from nagara.context.q_sql import Expand
from nagara.context.selection import are_types_meant
from nagara.context.store import COLUMNS, Conn, Held, held_from
from nagara.context.where import Where, box_of, conditions
from nagara.values.time import parse_instant

_Where = Where  # the name under which other modules of the context know it

__all__ = ["LIMIT_MAX", "count_entities", "decode_cursor", "encode_cursor", "fulfils", "query_page"]

#: The largest page: about 2 MB of entities. A caller who wants more follows the cursor.
LIMIT_MAX = 1_000
#: The furthest an offset reaches: each page reads all before it. Further on there is the cursor.
OFFSET_MAX = 100_000
#: Rows read at once while a geo-query is refined, in the order of ids.
REFINE_BATCH = 500
#: Entities in an area up to which all are looked up in the index of places and put in order. Where
#: more lie, they are so dense that walking along the ids meets them soon.
PLACES_MAX = 4_000
#: A query that takes longer holds one of the city's connections: the client is told to narrow it.
QUERY_S_MAX = 5.0
#: Counted exactly up to here, and while it takes no longer than this; then estimated.
COUNT_MAX = 20_000
COUNT_S_MAX = 0.5
#: Pages of the table that an estimate looks at.
SAMPLE_PAGES = 400

_ORDERS = {"-modifiedAt": "modified_at", "-createdAt": "created_at"}
_PLACE = "e.geometry, jsonb_typeof(e.doc -> 'location') = 'array' as is_many"


async def _fetch(
    conn: Conn, sql: str, parameters: Sequence[Any], asked: str, seconds: float = QUERY_S_MAX
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
            raise QueryInvalid(query=asked[:200], position=0, reason=str(error)) from error
        raise
    return rows


def _asked(query: Query) -> str:
    return str(query.q or query.id_pattern)


def _page_sql(columns: str, where: Where, branches: list[str], order: str, limit: int) -> str:
    """One statement for a page. Each branch brings its own first rows in order."""
    select = f"select {columns} from context.entity e where {where.sql()}"  # noqa: S608
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


async def query_page(conn: Conn, query: Query, expand: Expand) -> Page:
    """One page of entities. Raises `QueryInvalid` and `QueryTooComplex` in words."""
    held, cursor = await query_held(conn, query, expand)
    return Page([one.state().entity() for one in held], cursor)


async def query_held(conn: Conn, query: Query, expand: Expand) -> tuple[list[Held], str | None]:
    """One page of entities as they lie in the store, and the cursor of the next.

    Where an order was asked for there is no cursor, but the text `more` where there are more.
    """
    limit = max(0, min(query.limit, LIMIT_MAX))
    if query.offset > OFFSET_MAX:
        raise OffsetTooFar(limit=OFFSET_MAX)
    if query.ordered_by:
        rows = await _ordered(conn, query, expand, limit + 1)
    elif query.geo is not None:
        rows = await _in_area(conn, query, expand, limit + 1)
    else:
        rows = await _rows(conn, query, expand, COLUMNS, query.after, limit + 1, query.offset)
    held = [held_from(row) for row in rows[:limit]]
    if len(rows) <= limit or not held:
        return held, None
    return held, "more" if query.ordered_by else _cursor(query, held[-1])


async def _rows(
    conn: Conn,
    query: Query,
    expand: Expand,
    columns: str,
    after: str | None,
    batch: int,
    skip: int = 0,
) -> list[Record]:
    """Rows in the order of the ids, or of the times."""
    where, branches = conditions(query, expand)
    order = _after(query, where, after)
    if not skip:
        sql = _page_sql(columns, where, branches, order, batch)
    else:  # what is passed over is not unpacked
        keys = _page_sql(
            "e.no, e.id, e.created_at, e.modified_at", where, branches, order, batch + skip
        )
        sql = (
            f"select {columns} from (select no from ({keys}) s order by {order}"  # noqa: S608
            f" offset {where.bind(skip)}) s join context.entity e on e.no = s.no order by {order}"
        )
    return await _fetch(conn, sql, where.parameters, _asked(query))


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
    if query.order == "id":
        return encode_cursor([last.id])
    at = last.modified_at if query.order == "-modifiedAt" else last.created_at
    return encode_cursor([at.isoformat(), last.id])


# --- areas -------------------------------------------------------------------------------------


async def _in_area(conn: Conn, query: Query, expand: Expand, wanted: int) -> list[Record]:
    """Rows that fulfil a geo-query, in order: by the index of places where few lie in its box,
    else along the ids."""
    found = await _by_place(conn, query, expand, wanted)
    if found is not None:
        return found
    found, after, skip = [], query.after, query.offset
    batch = max(wanted, REFINE_BATCH)
    while len(found) < wanted:
        rows = await _rows(conn, query, expand, f"{COLUMNS}, {_PLACE}", after, batch)
        for row in await _refined(rows, query):
            if skip:
                skip -= 1
            else:
                found.append(row)
        if len(rows) < batch:
            break
        after = _cursor(query, held_from(rows[-1]))
    return found[:wanted]


async def _by_place(conn: Conn, query: Query, expand: Expand, wanted: int) -> list[Record] | None:
    """The page, where the box of the query holds few entities; None where it holds many."""
    assert query.geo is not None
    if box_of(query.geo, shape_of(query.geo)) is None or query.order != "id":
        return None
    numbers = await _places(conn, query, expand, PLACES_MAX)
    if numbers is None:
        return None
    where = Where()
    keys = where.bind(numbers)
    order = _after(query, where, query.after)
    where.add(f"e.no = any({keys}::bigint[])")
    sql = (
        f"select {COLUMNS} from context.entity e where {where.sql()} order by {order}"  # noqa: S608
        f" limit {wanted} offset {where.bind(query.offset)}"
    )
    return await _fetch(conn, sql, where.parameters, _asked(query))


async def _places(conn: Conn, query: Query, expand: Expand, most: int) -> list[int] | None:
    """The numbers of all entities that fulfil a query with a box; None where more than `most` lie
    in the box. The box is looked up first, whatever else is asked: the planner cannot know how
    many lie in it."""
    assert query.geo is not None
    box = box_of(query.geo, shape_of(query.geo))
    where, branches = conditions(query, expand)
    if branches:
        where.add("(" + " or ".join(f"({branch})" for branch in branches) + ")")
    near = where.bind(box)
    sql = f"""with near as materialized (
            select no from context.entity where extent && {near}::box limit {most + 1}
        )
        select e.no, {_PLACE}, case when jsonb_typeof(e.doc -> 'location') = 'array'
                then e.doc ->> 'location' end as location
        from near join context.entity e on e.no = near.no
        where (select count(*) from near) <= {most} and {where.sql()}"""  # noqa: S608
    rows = await _fetch(conn, sql, where.parameters, _asked(query))
    if not rows:
        total = await conn.fetchval(
            """select count(*) from
                   (select 1 from context.entity where extent && $1::box limit $2) s""",
            box,
            most + 1,
        )
        return None if total > most else []
    return [row["no"] for row in await _refined(rows, query)]


async def _refined(rows: list[Record], query: Query) -> list[Record]:
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
    if "location" in row.keys():  # noqa: SIM118 - a Record's `in` looks at values
        return fulfils({"location": msgspec.json.decode(row["location"])}, geo)
    return fulfils(msgspec.json.decode(row["doc"]), geo)


# --- order and count ---------------------------------------------------------------------------


async def _ordered(conn: Conn, query: Query, expand: Expand, wanted: int) -> list[Record]:
    """Rows in an order that the client gives: all that fulfil the query are put in order."""
    if query.after is not None:
        raise QueryInvalid(query="after", position=0, reason="an order has pages by offset alone")
    in_database = False
    if query.collation is not None:
        names = await conn.fetch("select collname from pg_collation where collprovider = 'i'")
        in_database = is_in_database(query.collation, frozenset(str(row[0]) for row in names))
    where, branches = conditions(query, expand)
    if branches:
        where.add("(" + " or ".join(f"({branch})" for branch in branches) + ")")
    if query.geo is not None:
        numbers = await _all_places(conn, query, expand)
        where.add(f"e.no = any({where.bind(numbers)}::bigint[])")
    order = order_sql(query, where, expand, in_database)
    sql = (
        f"select {COLUMNS} from context.entity e where {where.sql()} order by {order}"  # noqa: S608
        f" limit {wanted} offset {where.bind(query.offset)}"
    )
    return await _fetch(conn, sql, where.parameters, _asked(query))


async def _all_places(conn: Conn, query: Query, expand: Expand) -> list[int]:
    """The numbers of all entities that fulfil a geo-query. Raises `QueryTooComplex` beyond
    `COUNT_MAX`."""
    columns = f"e.no, e.id, {_PLACE}, {_DOC_FOR_SHAPE}"
    where, branches = conditions(query, expand)
    if branches:
        where.add("(" + " or ".join(f"({branch})" for branch in branches) + ")")
    sql = (
        f"select {columns} from context.entity e where {where.sql()}"  # noqa: S608
        f" limit {COUNT_MAX + 1}"
    )
    rows = await _fetch(conn, sql, where.parameters, _asked(query))
    if len(rows) > COUNT_MAX:
        raise QueryTooComplex(what="entities to look at one by one", limit=COUNT_MAX)
    return [row["no"] for row in await _refined(rows, query)]


_DOC_FOR_SHAPE = "e.doc::text as doc"


async def count_entities(conn: Conn, query: Query, expand: Expand) -> Count:
    """How many entities fulfil a query: exactly where few do, else estimated from a sample."""
    if _asks_types_alone(query):
        return Count(await count_of_types(conn, query.tenant, _meaning(query)))
    try:
        if query.geo is not None:
            return Count(len(await _all_places(conn, query, expand)))
        where, branches = conditions(query, expand)
        if branches:
            where.add("(" + " or ".join(f"({branch})" for branch in branches) + ")")
        sql = (
            "select count(*) from (select 1 from context.entity e"  # noqa: S608
            f" where {where.sql()} limit {COUNT_MAX + 1}) s"
        )
        rows = await _fetch(conn, sql, where.parameters, _asked(query), COUNT_S_MAX)
        if rows[0][0] <= COUNT_MAX:
            return Count(int(rows[0][0]))
    except QueryTooComplex:
        pass  # the sample below tells
    return await _estimated(conn, query, expand)


def _asks_types_alone(query: Query) -> bool:
    """Whether the census can answer: nothing but types is asked."""
    return not (
        query.ids or query.id_pattern or query.q or query.geo or query.attrs or query.scopes
        or query.selectors
    )  # fmt: skip


def _meaning(query: Query) -> Callable[[Iterable[str]], bool]:
    wanted = (*((t,) for t in query.types), *query.types_all)
    only, never = query.visible_types, frozenset(query.hidden_types or ())

    def is_meant(types: Iterable[str]) -> bool:
        held = frozenset(types)
        if (only is not None and not held <= frozenset(only)) or held & never:
            return False
        return not wanted or are_types_meant(held, wanted)

    return is_meant


async def _estimated(conn: Conn, query: Query, expand: Expand) -> Count:
    """The count by a sample of the table's pages."""
    pages = await conn.fetchval(
        """select greatest(1, pg_relation_size('context.entity')
                  / current_setting('block_size')::int)"""
    )
    share = min(100.0, 100.0 * SAMPLE_PAGES / pages)
    where, branches = conditions(query, expand)
    if branches:
        where.add("(" + " or ".join(f"({branch})" for branch in branches) + ")")
    source = f"context.entity e tablesample system ({share})"
    if query.geo is None:
        sql = f"select count(*) from {source} where {where.sql()}"  # noqa: S608
        found = (await _fetch(conn, sql, where.parameters, _asked(query)))[0][0]
    else:
        sql = f"select e.no, {_PLACE}, {_DOC_FOR_SHAPE} from {source} where {where.sql()}"  # noqa: S608
        rows = await _fetch(conn, sql, where.parameters, _asked(query))
        found = len(await _refined(rows, query))
    return Count(round(found * 100 / share), is_estimated=share < 100)


async def count(conn: Conn, query: Query, expand: Expand) -> int:
    """How many entities fulfil a query; above `COUNT_MAX` an estimate."""
    return (await count_entities(conn, query, expand)).total
