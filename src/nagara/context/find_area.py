"""Entities in an area: by the index of places, or along the ids where the area is dense."""

from __future__ import annotations

import asyncio

import msgspec
from asyncpg import Record

from nagara.context.errors import QueryTooComplex
from nagara.context.find_rows import (
    asked,
    cursor_at,
    fetch,
    order_after,
    page_sql,
    read_rows,
    whole_of,
)
from nagara.context.geometry import are_related_wkb, fulfils, shape_of
from nagara.context.model import GeoQuery, Query
from nagara.context.q_sql import Expand
from nagara.context.store import COLUMNS, Conn, held_from
from nagara.context.where import Where, box_of, conditions

#: Rows read at once while a geo-query is refined, in the order of ids.
REFINE_BATCH = 500
#: Entities in an area that are put in order without a thought.
PLACES_FEW = 2_000
#: Ids that are looked through first where more lie there: in a dense area that is enough.
WALK_FIRST = 1_000
#: Entities in an area up to which all are looked up in the index of places and put in order. Where
#: more lie, they are so dense that walking along the ids meets them soon.
PLACES_MAX = 100_000
#: Entities of an area that are looked at one by one, to put them in order or to count them.
COUNT_MAX = 20_000
#: What the exact test of an area needs of a row; and what it needs where the places are many.
PLACE = "e.geometry, jsonb_typeof(e.doc -> 'location') = 'array' as is_many"
DOC = "e.doc::text as doc"


async def in_area(conn: Conn, query: Query, expand: Expand, wanted: int) -> list[Record]:
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
        rows = await read_rows(conn, query, expand, f"{COLUMNS}, {PLACE}", after, batch)
        found += await refined(rows, query)
        if len(rows) < batch:
            break
        after = cursor_at(query, held_from(rows[-1]))
    return found[skip:wanted]


async def _among_first(
    conn: Conn, query: Query, expand: Expand, wanted: int
) -> list[Record] | None:
    """The page, where enough are found among the first ids; None where not."""
    if query.order != "id":
        return None
    free = msgspec.structs.replace(query, geo=None, q=None, also=None)
    where, branches = conditions(free, expand)
    order_after(query, where, query.after)
    keys = page_sql("e.no, e.id", where, branches, "id", WALK_FIRST)
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
        order = order_after(query, behind, after)
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
        after, batch = cursor_at(query, held_from(rows[-1])), batch * 4
    return found


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
