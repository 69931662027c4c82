"""Two real processes hear the same log at once: one alert is opened."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nagara.alerting.rules import rule_book
from nagara.alerting.service import Alerting
from nagara.city import bundled_kit
from nagara.context import Context, Query
from nagara.context.clock import Anchor
from nagara.context.log import read_changes
from nagara.engines.database import Database
from nagara.guard import audit
from nagara.packs.air import PACK
from nagara.vocab import alert as noun
from room_fixtures import NOON, Town

ROUNDS = 5
#: Held by the test until both processes stand at it.
GATE = 77_001


async def hear_the_log(where: str, arguments: dict[str, Any]) -> None:
    """What each process does: hears more and more of the log, from the same moment on."""
    db = await Database(where, arguments, size_max=4).open()
    context = Context(db, audit.append)
    await context.start()
    context.clock.anchor = Anchor(NOON, datetime.now(UTC), 1e-9, "replay")
    room = Alerting(context, db, bundled_kit("th-bkk"), rule_book([PACK], {}))
    async with db.acquire() as conn:
        log = await read_changes(conn, 0, 10_000)
        await conn.execute("select pg_advisory_lock_shared($1)", GATE)
    for size in range(1, ROUNDS + 1):
        await room.hear(log[: size * len(log) // ROUNDS])
    await context.stop()
    await db.close()


async def test_two_processes_open_one_alert_for_each_station(town: Town) -> None:
    stations = ["54t", "11t", "12t", "50t", "52t"]
    for code in stations:
        await town.measure(code, 26.0)
    db = town.floor.db
    async with db.acquire() as gate:
        await gate.execute("select pg_advisory_lock($1)", GATE)
        processes = [
            await asyncio.create_subprocess_exec(
                sys.executable,
                __file__,
                db.where,
                json.dumps(db.arguments),
                env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            )
            for _ in range(2)
        ]
        async with asyncio.timeout(60):
            while await gate.fetchval(
                "select count(*) from pg_locks where locktype = 'advisory' and not granted"
                " and objid = $1",
                GATE,
            ) < len(processes):
                await asyncio.sleep(0.02)
        await gate.execute("select pg_advisory_unlock($1)", GATE)
    assert [await process.wait() for process in processes] == [0, 0]
    alerts = await town.context.query_all(Query(types=(noun.TYPE,)))
    assert len(alerts) == len(stations)
    assert {a.version for a in alerts} == {1}
    async with db.acquire() as conn:
        assert await conn.fetchval("select count(*) from alerting.open") == len(stations)
        assert await conn.fetchval("select count(*) from alerting.step") == len(stations)


if __name__ == "__main__":
    asyncio.run(hear_the_log(sys.argv[1], json.loads(sys.argv[2])))
