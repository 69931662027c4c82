"""Queries on current state and on history: the SQL of reading."""

from __future__ import annotations

import asyncio
import base64
import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import asyncpg
import msgspec
import shapely
import shapely.ops
from asyncpg import Box, Record
from shapely.geometry.base import BaseGeometry

from nagara.context.errors import QueryInvalid, QueryTooComplex
from nagara.context.model import (
    Attrs,
    Entity,
    GeoQuery,
    Page,
    Query,
    default_instance,
)
from nagara.context.q import Node, parse_q
from nagara.context.q_sql import Expand, to_jsonpath
from nagara.context.store import COLUMNS, Conn, held_from
from nagara.values.geo import GeometryInvalid, distance_m, read_geojson
from nagara.values.time import parse_instant

#: The largest page: about 2 MB of entities. A caller who wants more follows the cursor.
LIMIT_MAX = 1_000
#: Rows read at once while a geo-query is refined.
REFINE_BATCH = 500
#: Points of a query's geometry: a district drawn by hand has fifty, an official one some hundreds.
QUERY_POINTS_MAX = 5_000
#: A query that takes longer holds one of the city's connections: the client is told to narrow it.
QUERY_S_MAX = 5.0
METRES_PER_DEGREE = 111_195.0  # of latitude, on the sphere of nagara.values.geo

_ORDERS = {"-modifiedAt": "modified_at", "-createdAt": "created_at"}


class _Where:
    """Conditions of a statement and their parameters, in step."""

    def __init__(self) -> None:
        self.conditions: list[str] = []
        self.parameters: list[Any] = []

    def bind(self, value: Any) -> str:
        """The placeholder of a new parameter."""
        self.parameters.append(value)
        return f"${len(self.parameters)}"

    def add(self, condition: str) -> None:
        """One more condition, all of which must hold."""
        self.conditions.append(condition)

    def sql(self) -> str:
        """The conditions joined."""
        return " and ".join(self.conditions)


def conditions(query: Query, expand: Expand, tree: Node | None = None) -> tuple[_Where, list[str]]:
    """The conditions of a query but for its types, and the alternatives that name the types.

    Entities of several types are few; they are a branch of their own, so that the many are read in
    the order of their index.
    """
    where = _Where()
    where.add(f"e.tenant = {where.bind(query.tenant)}")
    where.add("not e.deleted")
    if query.at is not None:
        where.add(f"(e.expires_at is null or e.expires_at > {where.bind(query.at)})")
    if query.ids:
        where.add(f"e.id = any({where.bind(list(query.ids))}::text[])")
    if query.id_pattern is not None:
        where.add(f"e.id ~ {where.bind(query.id_pattern)}")
    if query.attrs:
        where.add(f"e.doc ?| {where.bind([expand(a) for a in query.attrs])}::text[]")
    if query.q:
        path = to_jsonpath(tree or parse_q(query.q), expand)
        where.add(f"e.doc @@ {where.bind(path)}::text::jsonpath")
    if query.scopes:
        where.add(f"e.scopes && {where.bind(list(query.scopes))}::text[]")
    if query.geo is not None:
        _geo_condition(where, query.geo, shape_of(query.geo))
    if query.visible_types is not None:
        seen = where.bind(list(query.visible_types))
        where.add(f"coalesce(e.types, array[e.type]) <@ {seen}::text[]")
    if query.hidden_types:
        unseen = where.bind(list(query.hidden_types))
        where.add(f"not (coalesce(e.types, array[e.type]) && {unseen}::text[])")
    if not query.types:
        return where, []
    types = list(query.types)
    one = where.bind(types[0] if len(types) == 1 else types)
    many = where.bind(types)
    only = f"e.type = {one}" if len(types) == 1 else f"e.type = any({one}::text[])"
    return where, [
        f"e.types is null and {only}",
        f"e.types is not null and e.types && {many}::text[]",
    ]


def _geo_condition(where: _Where, geo: GeoQuery, there: BaseGeometry) -> None:
    """A bounding-box filter that the index answers; the rest is refined in `_fulfils`."""
    if geo.geoproperty != "location" or geo.georel == "disjoint" or geo.min_distance_m is not None:
        if geo.geoproperty == "location":
            where.add("e.extent is not null")
        return
    west, south, east, north = there.bounds
    if geo.georel == "near" and geo.max_distance_m is not None:
        up = geo.max_distance_m / METRES_PER_DEGREE
        poleward = min(89.0, max(abs(south), abs(north)) + up)
        side = up / math.cos(math.radians(poleward))
        west, south, east, north = west - side, south - up, east + side, north + up
    box = where.bind(Box((east, north), (west, south)))
    where.add(f"e.extent && {box}::box")


@lru_cache(maxsize=256)
def _shape(geojson: bytes) -> BaseGeometry:
    made = read_geojson(msgspec.json.decode(geojson))
    if shapely.get_num_coordinates(made) > QUERY_POINTS_MAX:
        raise QueryTooComplex(what="points in its geometry", limit=QUERY_POINTS_MAX)
    shapely.prepare(made)
    return made


def shape_of(geo: GeoQuery) -> BaseGeometry:
    """The geometry that is asked about, read once. Raises `GeometryInvalid`, `QueryTooComplex`."""
    text = msgspec.json.encode(geo.geometry)
    if len(text) > 200 * QUERY_POINTS_MAX:
        raise QueryTooComplex(what="points in its geometry", limit=QUERY_POINTS_MAX)
    return _shape(text)


async def _fetch(conn: Conn, sql: str, parameters: Sequence[Any], asked: str) -> list[Record]:
    """Rows of a client's query. What PostgreSQL cannot read is the client's to mend; what takes
    too long is stopped at the server."""
    try:
        rows: list[Record] = await conn.fetch(sql, *parameters, timeout=QUERY_S_MAX)
    except TimeoutError as error:
        raise QueryTooComplex(what="seconds of work", limit=int(QUERY_S_MAX)) from error
    except asyncpg.PostgresError as error:
        # Bad pattern, bad value, bad jsonpath (classes 22, 2B, 42).
        if (error.sqlstate or "")[:2] in ("22", "2B", "42"):
            raise QueryInvalid(query=asked[:200], position=0, reason=str(error)) from error
        raise
    return rows


def _page_sql(where: _Where, branches: list[str], order: str, limit: int) -> str:
    """One statement for a page. Each branch brings its own first rows in order."""
    columns = f"select {COLUMNS} from context.entity e where {where.sql()}"  # noqa: S608
    if not branches:
        return f"{columns} order by {order} limit {limit}"
    parts = [f"({columns} and {branch} order by {order} limit {limit})" for branch in branches]
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
    limit = max(0, min(query.limit, LIMIT_MAX))
    tree = parse_q(query.q) if query.q else None
    found: list[Entity] = []
    after, skip = query.after, query.offset
    while True:
        batch = max(limit + 1, REFINE_BATCH) if query.geo else limit + 1
        rows = await _rows(conn, query, expand, tree, after, batch, 0 if query.geo else skip)
        fitting = rows
        if query.geo is not None:
            fitting = await asyncio.to_thread(_refine, rows, query.geo)
        for row in fitting:
            if query.geo is not None and skip:
                skip -= 1
                continue
            if len(found) == limit:
                return Page(found, _cursor(query, found[-1]) if found else None)
            found.append(held_from(row).state().entity())
        if len(rows) < batch or limit == 0:
            return Page(found, None)
        last = rows[-1]
        after = _cursor(query, held_from(last).state().entity())


async def _rows(
    conn: Conn,
    query: Query,
    expand: Expand,
    tree: Node | None,
    after: str | None,
    batch: int,
    skip: int,
) -> list[Record]:
    where, branches = conditions(query, expand, tree)
    if query.order == "id":
        order = "id"
        if after is not None:
            where.add(f"e.id > {where.bind(decode_cursor(after, 1)[0])}")
    else:
        column = _ORDERS[query.order]
        order = f"{column} desc, id desc"
        if after is not None:
            at, last_id = decode_cursor(after, 2)
            where.add(
                f"(e.{column}, e.id) < ({where.bind(parse_instant(at))}, {where.bind(last_id)})"
            )
    sql = _page_sql(where, branches, order, batch + skip)
    if skip:
        sql = f"select * from ({sql}) s order by {order} offset {where.bind(skip)}"  # noqa: S608
    return await _fetch(conn, sql, where.parameters, str(query.q or query.id_pattern))


def _cursor(query: Query, last: Entity) -> str:
    if query.order == "id":
        return encode_cursor([last.id])
    at = last.modified_at if query.order == "-modifiedAt" else last.created_at
    return encode_cursor([(at or datetime.now(UTC)).isoformat(), last.id])


async def count(conn: Conn, query: Query, expand: Expand) -> int:
    """How many entities fulfil a query, exactly."""
    if query.geo is not None:
        total, after = 0, None
        while True:
            page = await query_page(
                conn,
                msgspec.structs.replace(query, limit=LIMIT_MAX, after=after, order="id", offset=0),
                expand,
            )
            total += len(page.entities)
            after = page.next_cursor
            if after is None:
                return total
    where, branches = conditions(query, expand)
    if branches:
        where.add("(" + " or ".join(f"({branch})" for branch in branches) + ")")
    sql = f"select count(*) from context.entity e where {where.sql()}"  # noqa: S608
    rows = await _fetch(conn, sql, where.parameters, str(query.q or query.id_pattern))
    return int(rows[0][0])


def _refine(rows: list[Record], geo: GeoQuery) -> list[Record]:
    return [row for row in rows if fulfils(msgspec.json.decode(row["doc"]), geo)]


def fulfils(attrs: Attrs, geo: GeoQuery) -> bool:
    """The exact geo-query on one document (clause 4.10, OGC Simple Features relations)."""
    instance = default_instance(attrs.get(geo.geoproperty))
    if instance is None:
        return False
    try:
        here = read_geojson(instance.get("value"))
    except GeometryInvalid:
        return False  # another geoproperty than `location` may hold what is no geometry
    there = shape_of(geo)
    if geo.georel == "near":
        distance = _distance_m(here, there)
        if geo.max_distance_m is not None and distance > geo.max_distance_m:
            return False
        return geo.min_distance_m is None or distance >= geo.min_distance_m
    inverse = {"within": "contains", "contains": "within"}.get(geo.georel, geo.georel)
    return bool(getattr(there, inverse)(here))  # the prepared geometry asks: much the faster way


def _distance_m(a: BaseGeometry, b: BaseGeometry) -> float:
    """Distance of the nearest points of two geometries along the sphere, in metres."""
    if a.intersects(b):
        return 0.0
    near_a, near_b = shapely.ops.nearest_points(a, b)
    return distance_m((near_a.x, near_a.y), (near_b.x, near_b.y))
