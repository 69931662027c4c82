"""How many entities fulfil a query: exactly where few do, else estimated."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from nagara.context.census import count_of_types
from nagara.context.errors import QueryTooComplex
from nagara.context.find_area import COUNT_MAX, DOC, PLACE, all_places, refined
from nagara.context.find_rows import among, asked, fetch, whole_of
from nagara.context.lookups import Lookups
from nagara.context.model import Count, Query
from nagara.context.q_sql import Expand
from nagara.context.selection import are_types_meant
from nagara.context.store import Conn
from nagara.context.where import conditions, sought_in

#: A count that takes longer is estimated, as is one above `COUNT_MAX`.
COUNT_S_MAX = 0.5
#: Pages of the table that an estimate looks at.
SAMPLE_PAGES = 400


async def count_entities(conn: Conn, query: Query, expand: Expand, lookups: Lookups) -> Count:
    """How many entities fulfil a query: exactly where few do, else estimated from a sample."""
    if _asks_types_alone(query):
        is_meant = _meaning(query)
        counted = await count_of_types(conn, query.tenant, is_meant)
        return Count(counted - await _expired(conn, query, is_meant))
    try:
        if query.geo is not None:
            return Count(len(await all_places(conn, query, expand)))
        where = whole_of(*conditions(query, expand))
        sought = sought_in(query, expand)
        numbers = await lookups.find(conn, query.tenant, query.types, sought)
        source = "context.entity e" if numbers is None else among(where, numbers)
        sql = (
            f"select count(*) from (select 1 from {source}"  # noqa: S608
            f" where {where.sql()} limit {COUNT_MAX + 1}) s"
        )
        rows = await fetch(conn, sql, where.parameters, asked(query), COUNT_S_MAX)
        if rows[0][0] <= COUNT_MAX:
            return Count(int(rows[0][0]))
    except QueryTooComplex:
        pass  # the sample below tells
    return await _estimated(conn, query, expand)


def _asks_types_alone(query: Query) -> bool:
    """Whether the census can answer: nothing but types is asked."""
    return not (
        query.ids or query.id_pattern or query.q or query.geo or query.attrs or query.scopes
        or query.selectors or query.also
    )  # fmt: skip


async def _expired(conn: Conn, query: Query, is_meant: Callable[[Iterable[str]], bool]) -> int:
    """How many of them have expired and are not swept away yet: few, by an index of their own."""
    if query.at is None:
        return 0
    rows = await conn.fetch(
        """select coalesce(types, array[type]) as types, count(*) as n from context.entity
           where tenant = $1 and expires_at <= $2 and not deleted group by 1""",
        query.tenant,
        query.at,
    )
    return sum(row["n"] for row in rows if is_meant(row["types"]))


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
    where = whole_of(*conditions(query, expand))
    source = f"context.entity e tablesample system ({share})"
    if query.geo is None:
        sql = f"select count(*) from {source} where {where.sql()}"  # noqa: S608
        found = (await fetch(conn, sql, where.parameters, asked(query)))[0][0]
    else:
        sql = f"select e.no, {PLACE}, {DOC} from {source} where {where.sql()}"  # noqa: S608
        rows = await fetch(conn, sql, where.parameters, asked(query))
        found = len(await refined(rows, query))
    return Count(round(found * 100 / share), is_estimated=share < 100)
