"""Rows of entities: the statements of a page, its order and its cursor."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg
from asyncpg import Record

from nagara.context.errors import QueryInvalid, QueryTooComplex
from nagara.context.model import Query
from nagara.context.q_sql import Expand
from nagara.context.store import Conn, Held
from nagara.context.where import Where, conditions
from nagara.values.time import parse_instant

#: A query that takes longer holds one of the city's connections: the client is told to narrow it.
QUERY_S_MAX = 5.0

_ORDERS = {"-modifiedAt": "modified_at", "-createdAt": "created_at"}


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


def page_sql(
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


async def read_rows(
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
    order = order_after(query, where, after)
    source = "context.entity e"
    if numbers is not None:
        source, where, branches = among(where, numbers), whole_of(where, branches), []
    if not skip:
        sql = page_sql(columns, where, branches, order, batch, source)
    else:  # what is passed over is not unpacked
        keys = page_sql(
            "e.no, e.id, e.created_at, e.modified_at", where, branches, order, batch + skip, source
        )
        sql = (
            f"select {columns} from (select no from ({keys}) s order by {order}"  # noqa: S608
            f" offset {where.bind(skip)}) s join context.entity e on e.no = s.no order by {order}"
        )
    return await fetch(conn, sql, where.parameters, asked(query))


def order_after(query: Query, where: Where, after: str | None) -> str:
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


def cursor_at(query: Query, last: Held) -> str:
    """The cursor of the page behind an entity."""
    return cursor_of(query, last.id, last.created_at, last.modified_at)


def cursor_of(query: Query, last_id: str, created_at: datetime, modified_at: datetime) -> str:
    """The same, of what is known of the entity."""
    if query.order == "id":
        return encode_cursor([last_id])
    at = modified_at if query.order == "-modifiedAt" else created_at
    return encode_cursor([at.isoformat(), last_id])


def whole_of(where: Where, branches: list[str]) -> Where:
    """The conditions with those of the types among them."""
    if branches:
        where.add("(" + " or ".join(f"({branch})" for branch in branches) + ")")
    return where
