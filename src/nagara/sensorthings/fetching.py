"""A client's query, put to the database."""

from __future__ import annotations

import asyncpg
from asyncpg import Record

from nagara.context.store import Conn
from nagara.sensorthings.errors import OptionInvalid, OptionTooComplex
from nagara.sensorthings.select import Plan

#: A query that takes longer holds one of the city's connections: the client is told to narrow it.
QUERY_S_MAX, COUNT_S_MAX, COUNT_S_MIN = 5.0, 2.0, 0.02


async def fetch(conn: Conn, plan: Plan, timeout_s: float = QUERY_S_MAX) -> list[Record]:
    """Rows of a client's query. What PostgreSQL cannot make of it is the client's to mend."""
    try:
        rows: list[Record] = await conn.fetch(plan.sql, *plan.parameters, timeout=timeout_s)
    except TimeoutError as error:
        raise OptionTooComplex(
            option="$filter", what="seconds of work", limit=int(timeout_s)
        ) from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        state = str(getattr(error, "sqlstate", "") or "")
        # Bad value, wrong type of value, too much (classes 22, 42, 54); a value no column holds.
        if state[:2] in ("22", "42", "54") or isinstance(error, asyncpg.DataError):
            raise OptionInvalid(option="$filter", position=0, reason=str(error)[:200]) from error
        raise
    return rows
