"""Where and when the features of a collection are: exactly of few, else by a part of them.

Counting all of a great collection on a request would cost as much as the city is large. So of a
collection with more than `EXACT_MAX` features a part is looked at, and the city's own bounds are
taken in; its time is left open. What was found is kept for a minute.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from msgspec import Struct

from nagara.context.find_rows import fetch, whole_of
from nagara.context.model import Query
from nagara.context.store import Conn
from nagara.context.where import conditions
from nagara.features.cql_sql import TIME_SQL

EXACT_MAX = 5_000
KEPT_S = 60.0
KEPT_MAX = 2_000
SECONDS_MAX = 2.0

Bounds = tuple[float, float, float, float]


class Extent(Struct, frozen=True):
    """West, south, east, north; and the first time. `has_time` without it: open to the past."""

    bounds: Bounds | None = None
    begin: datetime | None = None
    has_time: bool = False


class Extents:
    """Extents by what is asked, for a minute each. `monotonic` tells seconds."""

    def __init__(self, city: Bounds, monotonic: Callable[[], float]) -> None:
        self._city = city
        self._monotonic = monotonic
        self._kept: dict[Query, tuple[float, Extent]] = {}
        self._lock = asyncio.Lock()

    async def of(self, conn: Conn, query: Query) -> Extent:
        """The extent of what a query of a type alone finds."""
        async with self._lock:
            known = self._kept.get(query)
            now = self._monotonic()
            if known is not None and now - known[0] < KEPT_S:
                return known[1]
            if len(self._kept) >= KEPT_MAX:
                self._kept.clear()
            made = await self._find(conn, query)
            self._kept[query] = (now, made)
            return made

    async def _find(self, conn: Conn, query: Query) -> Extent:
        where = whole_of(*conditions(query, str))
        sql = (
            "select count(*) as n, min((x.extent[1])[0]) as west, min((x.extent[1])[1]) as south,"  # noqa: S608
            " max((x.extent[0])[0]) as east, max((x.extent[0])[1]) as north, min(x.at) as begin"
            f" from (select e.extent, {TIME_SQL} as at from context.entity e"
            f" where {where.sql()} limit {EXACT_MAX + 1}) x"
        )
        rows = await fetch(conn, sql, where.parameters, query.types[0], SECONDS_MAX)
        row = rows[0]
        is_whole = row["n"] <= EXACT_MAX
        bounds: Bounds | None = None
        if row["west"] is not None:
            bounds = (row["west"], row["south"], row["east"], row["north"])
            if not is_whole:
                west, south, east, north = self._city
                bounds = (
                    min(bounds[0], west),
                    min(bounds[1], south),
                    max(bounds[2], east),
                    max(bounds[3], north),
                )
        begin = row["begin"] if is_whole else None
        return Extent(bounds, begin, row["begin"] is not None)
