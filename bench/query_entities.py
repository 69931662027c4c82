"""`type=…&q=…&limit=20` over many entities, beside the same SQL on a bare connection."""

from __future__ import annotations

import asyncio
import random
import time
from urllib.parse import quote

from city import City, running_city
from frame import Row, Scale, ms, quantile
from http_load import request
from laid import lay_down
from made import ENTITIES, TYPE, send
from nagara.engines.database import Connection
from nagara.engines.running import attach
from procs import processor_note

ENTITIES_MAX = 100_000
CLIENTS = 16
LIMIT = 20
GOAL_PER_S = 2_000
#: The way through HTTP, the query's words and the caller's rights, beside the SQL alone.
RATIO_MIN = 0.25
_FLOOR = """select id, type, doc::text from context.entity
    where tenant = '' and type = $1 and not deleted and doc @@ $2::jsonpath order by id limit 21"""


async def bench(scale: Scale) -> list[Row]:
    """Queries a second."""
    chance = random.Random(5)
    bounds = [20 + chance.randrange(1400) / 100 for _ in range(scale.queries)]
    many = max(200, min(ENTITIES_MAX, scale.entities * 5))
    requests = [
        request("GET", f"{ENTITIES}?type={TYPE}&q={quote(f'temperature>{b}')}&limit={LIMIT}")
        for b in bounds
    ]
    async with running_city() as city:
        await lay_down(city, 0, many)
        floor = await _floor(city, bounds, scale.run_s / 2)
        await city.start()
        await send(city.port, requests, connections=CLIENTS, seconds=scale.run_s / 8)
        used = city.processor_s()
        answer = await send(city.port, requests, connections=CLIENTS, seconds=scale.run_s)
        spent = processor_note(used, city.processor_s(), answer["count"])
    times = answer["latencies_s"]
    return [
        Row(
            f"query by type and value, {many:,} entities, {LIMIT} told, {CLIENTS} clients",
            answer["count"] / answer["seconds"],
            "requests/s",
            GOAL_PER_S,
            "at least",
            floor,
            "the bare SQL, two connections",
            RATIO_MIN,
            (f"p50 {ms(quantile(times, 0.5))}, p95 {ms(quantile(times, 0.95))}", spent),
        )
    ]


async def _floor(city: City, bounds: list[float], seconds: float) -> float:
    """The same questions as SQL, over two connections: how many a second."""
    async with attach(city.root / "data") as attached:
        connections = [await attached.database.connect() for _ in range(2)]
        try:
            until = time.monotonic() + seconds
            began = time.monotonic()
            counts = await asyncio.gather(*(_ask(conn, bounds, until) for conn in connections))
            return sum(counts) / (time.monotonic() - began)
        finally:
            for conn in connections:
                await conn.close()


async def _ask(conn: Connection, bounds: list[float], until: float) -> int:
    count = 0
    while time.monotonic() < until:
        path = f"$.temperature.value > {bounds[count % len(bounds)]}"
        await conn.fetch(_FLOOR, TYPE, path)
        count += 1
    return count
