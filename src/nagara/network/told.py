"""Rows told as entities: what is behind is told once, whatever happened in between.

A row is written by whoever changes it, in his own transaction; the version that was told stands
beside it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from nagara.context import Entity, Upsert
from nagara.context.room import Floor
from nagara.engines.database import Connection

#: Entities of one write: a group of this size is committed in some milliseconds.
BATCH = 200
BY = "system:network"
Row = TypeVar("Row")


async def tell_untold(
    floor: Floor,
    list_untold: Callable[[Connection, int], Awaitable[list[Row]]],
    entity_of: Callable[[Row], Entity],
    set_told: Callable[[Connection, Sequence[Row]], Awaitable[None]],
) -> int:
    """Write the entity of every row that is newer than what was told; how many there were."""
    told = 0
    while True:
        async with floor.db.acquire() as conn:
            found = await list_untold(conn, BATCH)
        if not found:
            return told

        async def within(conn: Connection, found: list[Row] = found) -> None:
            await set_told(conn, found)

        entities = [Upsert(entity_of(row)) for row in found]
        await floor.context.write(*entities, actor=BY, within=within)
        told += len(found)
