"""PATCH of one attribute, answered after the commit, beside one UPDATE a request."""

from __future__ import annotations

import asyncio
import random
import time

from city import City, running_city
from frame import Row, Scale, ms, quantile
from http_load import request
from made import ENTITIES, entity_id, fill, send
from nagara.engines.running import attach
from procs import processor_note

CLIENTS = 64
FLOOR_CONNECTIONS = 16  # of the server's 40: the city has most of the others
REQUESTS = 20_000
BODY = b'{"type":"Property","value":%d,"unitCode":"CEL","observedAt":"2026-02-01T00:00:00Z"}'


async def bench(scale: Scale) -> list[Row]:
    """Requests a second from 64 clients."""
    chance = random.Random(2)
    numbers = [chance.randrange(scale.entities) for _ in range(min(REQUESTS, scale.entities * 2))]
    requests = [
        request("PATCH", f"{ENTITIES}/{entity_id(number)}/attrs/temperature", BODY % turn)
        for turn, number in enumerate(numbers)
    ]
    async with running_city() as city:
        await fill(city, range(scale.entities))
        used = city.processor_s()
        answer = await send(city.port, requests, connections=CLIENTS, seconds=scale.run_s)
        spent = processor_note(used, city.processor_s(), answer["count"])
        floor = await _updates(city, scale)
    times = answer["latencies_s"]
    return [
        Row(
            f"PATCH of one attribute, durable, {CLIENTS} clients",
            answer["count"] / answer["seconds"],
            "requests/s",
            4_000,
            "at least",
            floor,
            f"one autocommit UPDATE a request, {FLOOR_CONNECTIONS} connections, no HTTP",
            None,
            (f"p50 {ms(quantile(times, 0.5))}, p99 {ms(quantile(times, 0.99))}", spent),
        )
    ]


async def _updates(city: City, scale: Scale) -> float:
    """Statements a second that each change one attribute and commit."""
    sql = """update context.entity set version = version + 1, prior = version, modified_at = now(),
                 doc = jsonb_set(doc, '{temperature,value}', to_jsonb($2::int))
             where tenant = '' and id = $1"""
    done = 0
    until = time.perf_counter() + scale.run_s / 2

    async with attach(city.root / "data") as attached:

        async def one(seed: int) -> None:
            nonlocal done
            chance = random.Random(seed)
            async with attached.database.acquire() as conn:
                statement = await conn.prepare(sql)
                while time.perf_counter() < until:
                    number = chance.randrange(scale.entities)
                    await statement.fetch(entity_id(number), chance.randrange(50))
                    done += 1

        began = time.perf_counter()
        await asyncio.gather(*(one(seed) for seed in range(FLOOR_CONNECTIONS)))
        return done / (time.perf_counter() - began)
