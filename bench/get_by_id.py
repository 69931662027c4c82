"""GET of an entity by its id, beside a bare Litestar JSON route."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
from collections.abc import AsyncIterator

from city import free_port, running_city
from frame import HERE, Row, Scale, ms, quantile
from http_load import request
from made import ENTITIES, entity_id, fill, send
from procs import processor_note

CLIENTS = 16
REQUESTS = 20_000
START_S_MAX = 20.0


async def bench(scale: Scale) -> list[Row]:
    """Requests a second."""
    chance = random.Random(3)
    numbers = [chance.randrange(scale.entities) for _ in range(min(REQUESTS, scale.entities * 2))]
    requests = [request("GET", f"{ENTITIES}/{entity_id(number)}") for number in numbers]
    half_s = scale.run_s / 2
    async with running_city() as city:
        await fill(city, range(scale.entities))
        used = city.processor_s()
        answer = await send(city.port, requests, connections=CLIENTS, seconds=scale.run_s)
        spent = processor_note(used, city.processor_s(), answer["count"])
    async with _bare() as port:
        await send(port, requests, connections=CLIENTS, seconds=half_s / 4)
        bare = await send(port, requests, connections=CLIENTS, seconds=half_s)
    times = answer["latencies_s"]
    return [
        Row(
            f"get by id, {CLIENTS} clients",
            answer["count"] / answer["seconds"],
            "requests/s",
            5_000,
            "at least",
            bare["count"] / bare["seconds"],
            "a bare Litestar JSON route under the same Granian settings",
            0.15,
            (f"p50 {ms(quantile(times, 0.5))}, p99 {ms(quantile(times, 0.99))}", spent),
        )
    ]


@contextlib.asynccontextmanager
async def _bare() -> AsyncIterator[int]:
    """The bare application as a process; its port."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(HERE / "bare_app.py"), str(port)
    )
    try:
        async with asyncio.timeout(START_S_MAX):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.02)
                else:
                    writer.close()
                    break
        yield port
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
