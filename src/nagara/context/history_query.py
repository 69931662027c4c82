"""Which entities a temporal query means: those that have history in the span (clause 5.7.4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg
from asyncpg import Record

from nagara.context.errors import QueryInvalid, QueryTooComplex
from nagara.context.history import Span
from nagara.context.model import Query
from nagara.context.store import Conn
from nagara.context.where import Where, name_conditions

#: A question of history may look further than one of the present.
QUERY_S_MAX = 20.0

_COLUMNS = "e.no, e.id, e.type, e.types, e.created_at, e.modified_at, e.deleted"


def _where(query: Query, span: Span, names: Sequence[str] | None, after: str | None) -> Where:
    where = Where()
    where.add(f"e.tenant = {where.bind(query.tenant)}")
    for condition in name_conditions(where, query):
        where.add(condition)
    if after is not None:
        where.add(f"e.id > {where.bind(after)}")
    inner = ["c.no = e.no", "c.op <> 'd'", "c.attrs <> '{}'"]
    key = "c.at" if span.by in ("observedAt", "deletedAt") else "c.recorded_at"
    # What was amended to another time is found by its own branch.
    moved = ["m.no = e.no", "m.instance is not null"]
    if span.start is not None:
        bound = where.bind(span.start)
        inner.append(f"{key} >= {bound}")
        moved.append(f"m.at >= {bound}")
    if span.end is not None:
        bound = where.bind(span.end)
        inner.append(f"{key} < {bound}")
        moved.append(f"m.at < {bound}")
    if names:
        wanted = where.bind(list(names))
        inner.append(f"c.attrs ?| {wanted}::text[]")
        moved.append(f"m.name = any({wanted}::text[])")
    inner.append(
        "c.seq > coalesce((select x.seq from context.erasure x "
        "where x.no = e.no and x.name = '' and x.dataset = '*'), 0)"
    )
    has = f"exists (select from context.change c where {' and '.join(inner)})"
    if span.by == "observedAt":
        has += f" or exists (select from context.amendment m where {' and '.join(moved)})"
    where.add(f"({has})")
    return where


async def find_subjects(
    conn: Conn,
    query: Query,
    span: Span,
    names: Sequence[str] | None,
    after: str | None,
    limit: int,
    offset: int = 0,
    descending: bool = False,
) -> list[Record]:
    """Entities with history in the span, in the order of their ids: at most `limit`, behind
    `after`. Deleted ones are among them."""
    where = _where(query, span, names, after)
    order = "desc" if descending else "asc"
    sql = (
        f"select {_COLUMNS} from context.entity e where {where.sql()} "  # noqa: S608
        f"order by e.id {order} limit {int(limit)} offset {int(offset)}"
    )
    return await fetch(conn, sql, where.parameters, query)


async def count_subjects(conn: Conn, query: Query, span: Span, names: Sequence[str] | None) -> int:
    """How many entities have history in the span."""
    where = _where(query, span, names, None)
    sql = f"select count(*) from context.entity e where {where.sql()}"  # noqa: S608
    rows = await fetch(conn, sql, where.parameters, query)
    return int(rows[0][0])


async def fetch(conn: Conn, sql: str, parameters: Sequence[Any], query: Query) -> list[Record]:
    """Rows of a client's question; what takes too long is stopped at the server.

    Raises `QueryInvalid`, `QueryTooComplex`.
    """
    try:
        return list(await conn.fetch(sql, *parameters, timeout=QUERY_S_MAX))
    except TimeoutError as error:
        raise QueryTooComplex(what="seconds of work", limit=int(QUERY_S_MAX)) from error
    except asyncpg.PostgresError as error:
        if (error.sqlstate or "")[:2] in ("22", "2B", "42"):
            raise QueryInvalid(
                query=str(query.id_pattern)[:200], position=0, reason=str(error)
            ) from error
        raise


async def find_subject(conn: Conn, tenant: str, entity_id: str) -> Record | None:
    """One entity that has, or had, history that counts; deleted ones too."""
    row: Record | None = await conn.fetchrow(
        f"""select {_COLUMNS} from context.entity e
            where e.tenant = $1 and e.id = $2 and exists (
                select from context.change c where c.no = e.no and c.seq > coalesce((
                    select x.seq from context.erasure x
                    where x.no = e.no and x.name = '' and x.dataset = '*'), 0)
                  and (c.attrs <> '{{}}' or c.op in ('c', 'r')))""",  # noqa: S608
        tenant,
        entity_id,
    )
    return row


async def kinds_before(
    conn: Conn, wanted: Sequence[tuple[int, str]]
) -> dict[tuple[int, str, str], str]:
    """The attribute type that removed attributes last had, by number, name and datasetId."""
    if not wanted:
        return {}
    rows = await conn.fetch(
        """select w.no, w.name, k.kind, k.dataset
           from unnest($1::bigint[], $2::text[]) w(no, name)
           cross join lateral (
               select x.instance ->> 'type' as kind,
                      coalesce(x.instance ->> 'datasetId', '') as dataset
               from context.change c
               cross join lateral context.instances(
                   jsonb_build_object(w.name, c.attrs -> w.name)) x
               where c.no = w.no and c.attrs ? w.name and jsonb_typeof(x.instance) = 'object'
               order by c.at desc, c.seq desc limit 1
           ) k""",
        [no for no, _ in wanted],
        [name for _, name in wanted],
    )
    return {(r["no"], r["name"], r["dataset"]): r["kind"] for r in rows}
