"""/api/v1/readers: how far the readers of the change log have come, and what they could not do."""

from __future__ import annotations

from typing import Any

from litestar import get, post
from litestar.params import FromPath

from nagara.context.context import Context
from nagara.context.errors import DeadLetterNotFound
from nagara.guard.permission import allow
from nagara.values.time import format_instant

DEAD_SHOWN_MAX = 200


def reader_routes(context: Context) -> list[Any]:
    """The routes."""

    @get("/api/v1/readers", opt=allow("reader:read"), summary="Readers, lag, dead letters")
    async def readers() -> dict[str, Any]:
        states = await context.reader_states()
        async with context.db.acquire() as conn:
            dead = await conn.fetch(
                """select id, reader, seq, entity_id, reason, attempts, parked_at
                   from context.dead_letter order by id desc limit $1""",
                DEAD_SHOWN_MAX,
            )
        return {
            "head": context.tail.head,
            "items": [
                {
                    "name": s.name,
                    "offset": s.seq,
                    "lag": s.lag,
                    "dead": s.dead,
                    "lastError": s.last_error,
                    "movedAt": format_instant(s.moved_at) if s.moved_at else None,
                }
                for s in states
            ],
            "deadLetters": [
                {
                    "id": row["id"],
                    "reader": row["reader"],
                    "seq": row["seq"],
                    "entityId": row["entity_id"],
                    "reason": row["reason"],
                    "attempts": row["attempts"],
                    "parkedAt": format_instant(row["parked_at"]),
                }
                for row in dead
            ],
        }

    @post(
        "/api/v1/readers/{name:str}/dead/{dead_id:int}/retry",
        opt=allow("reader:act"),
        status_code=200,
        summary="Hand a change to its reader once more",
    )
    async def retry(name: FromPath[str], dead_id: FromPath[int]) -> dict[str, bool]:
        runner = context.readers.get(name)
        if runner is None or not await runner.retry(dead_id):
            raise DeadLetterNotFound(reader=name, id=dead_id)
        return {"done": True}

    return [readers, retry]
