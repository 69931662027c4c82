"""MQTT at QoS 1, from publish to the PostgreSQL commit, sustained.

Latency is what a third party sees: a connection of its own looks at the log every few milliseconds
and compares the time at which a row is there with the microsecond at which it was published.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from datetime import UTC, datetime

from city import City, running_city
from frame import Row, Scale, ms, quantile, run_apart
from nagara.engines.database import Database
from nagara.engines.running import attach
from procs import processor_note

DEVICES = 64
GOAL = 10_000  # messages a second
OFFERED_SHARE = 0.85  # of what the city was seen to read from its log
WINDOW = 20_000  # unacknowledged at once, of all devices
BURST = 60_000  # messages that wait while the city is asleep
LOOK_EVERY_S = 0.02
SAMPLED = 20  # each so many rows
SETTLED_S_MAX = 300.0
TYPE = "BenchProbe"
PROFILE = {
    "name": "bench",
    "codec": "json",
    "entityType": TYPE,
    "fields": {
        "temperature": {"attribute": "temperature", "unitCode": "CEL"},
        "humidity": {"attribute": "relativeHumidity", "unitCode": "P1"},
    },
    "periodS": 1,
    "ratePerMinute": 600_000,
}


async def make_devices(city: City, count: int) -> list[list[str]]:
    """Registers devices; [id, secret] of each."""
    await city.call("POST", "/api/v1/device-profiles", PROFILE)
    made = []
    for number in range(count):
        name = f"bench-{number}"
        await city.call("POST", "/api/v1/devices", {"id": name, "profile": "bench"})
        issued = await city.call("POST", f"/api/v1/devices/{name}/credential")
        made.append([name, issued["password"]])
    return made


async def bench(scale: Scale) -> list[Row]:
    """Messages a second that are stored, how long each took, and what NATS alone acknowledges."""
    count = 4 if scale.name == "tiny" else DEVICES
    burst = 400 if scale.name == "tiny" else BURST
    async with running_city() as city, attach(city.root / "data") as attached:
        devices = await make_devices(city, count)
        asked = {"port": city.mqtt_port, "devices": devices, "window": WINDOW}
        puback, drained = await _asleep(city, asked, burst)
        offered = max(GOAL, OFFERED_SHARE * drained)
        used = city.processor_s()
        look = asyncio.create_task(_look(attached.database))
        answer = await run_apart(
            "device_load.py", {**asked, "rate": offered, "seconds": scale.sustained_s}
        )
        tail_s = await _until_stored(city, burst + answer["sent"])
        spent = processor_note(used, city.processor_s(), answer["sent"])
        look.cancel()
        latencies_s = await look
        rows = await _stored(attached.database)
    sent = answer["sent"]
    stored = rows - burst
    notes = (
        f"offered {offered:,.0f}/s for {scale.sustained_s:g} s by {count} devices, two values each",
        f"publish to commit p50 {ms(quantile(latencies_s, 0.5))}, "
        f"p99 {ms(quantile(latencies_s, 0.99))}",
        f"{sent:,} acknowledged, {stored:,} in the log; backlog at the end {tail_s:.1f} s",
        spent,
        f"from a backlog, with nobody publishing: {drained:,.0f}/s",
    )
    if stored != sent:
        raise RuntimeError(f"{sent:,} acknowledged but {stored:,} in the log")
    return [
        Row(
            "MQTT QoS 1, publish to PostgreSQL commit",
            sent / (answer["seconds"] + tail_s),
            "messages/s",
            GOAL,
            "at least",
            puback,
            "PUBACKs of NATS to the same devices while the city is asleep",
            None,
            notes,
        )
    ]


async def _asleep(city: City, asked: dict[str, object], burst: int) -> tuple[float, float]:
    """PUBACKs a second while the city's process is stopped; messages a second that it reads from
    its log when it goes on."""
    gate = city.root / "gate"
    waiting = gate.with_suffix(".waiting")
    publishing = asyncio.create_task(
        run_apart("device_load.py", {**asked, "count": burst, "gate": str(gate)})
    )
    while not waiting.exists() and not publishing.done():  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.01)
    os.kill(city.pid, signal.SIGSTOP)
    gate.touch()
    try:
        answer = await publishing
    finally:
        os.kill(city.pid, signal.SIGCONT)
    began = time.perf_counter()
    await _until_stored(city, burst)
    return answer["sent"] / answer["seconds"], burst / (time.perf_counter() - began)


async def _until_stored(city: City, count: int) -> float:
    """Wait until the counters have so many; the seconds waited. Raises TimeoutError."""
    began = time.perf_counter()
    async with asyncio.timeout(SETTLED_S_MAX):
        while True:
            counters = (await city.call("GET", "/api/v1/counters"))["total"]
            if counters["stored"] >= count:
                return time.perf_counter() - began
            if counters["parked"] or counters["refused"]:
                raise RuntimeError(f"not all messages were good: {counters}")
            await asyncio.sleep(0.05)


async def _look(database: Database) -> list[float]:
    """Until cancelled: seconds from publish to the moment a row is seen, of sampled rows."""
    latencies_s: list[float] = []
    async with database.acquire() as conn:
        head = await conn.fetchval("select coalesce(max(seq), 0) from context.change")
        read = await conn.prepare(
            """select max(seq) as head,
                      array_agg(at) filter (where seq % $2 = 0 and op = 'u') as at
               from context.change where seq > $1"""
        )
        try:
            while True:
                row = await read.fetchrow(head, SAMPLED)
                now = datetime.now(UTC)
                if row is not None and row["head"] is not None:
                    head = row["head"]
                    latencies_s += [(now - at).total_seconds() for at in row["at"] or ()]
                await asyncio.sleep(LOOK_EVERY_S)
        except asyncio.CancelledError:
            return latencies_s


async def _stored(database: Database) -> int:
    """Rows of the log that hold a reading of the devices."""
    async with database.acquire() as conn:
        count: int = await conn.fetchval(
            """select count(*) from context.change c join context.entity e on e.no = c.no
               where e.type = $1 and c.op <> 'c'""",
            TYPE,
        )
    return count
