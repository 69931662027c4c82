"""Entities within a district out of a million, beside the bare look into the index of places."""

from __future__ import annotations

import random
import time
from urllib.parse import quote

from asyncpg import Box

from city import City, running_city
from frame import Row, Scale, ms, quantile
from http_load import request
from laid import lay_down
from made import ENTITIES, SOUTH, STEP, TYPE, WEST, send
from nagara.engines.running import attach

ENTITIES_MAX = 1_000_000
LIMIT = 20
P95_GOAL_MS = 20.0
#: HTTP, the exact test and the entities themselves, beside the boxes alone.
RATIO_MAX = 6.0
_FLOOR = """select id from context.entity where tenant = '' and not deleted and type = $1
    and extent && $2::box limit 5000"""

Area = tuple[float, float, float]  # west, south, side in degrees


async def bench(scale: Scale) -> list[Row]:
    """p95 of questions one after the other."""
    many = max(1_000, min(ENTITIES_MAX, scale.entities * 50))
    areas = _areas(many, scale.queries)
    requests = [
        request("GET", f"{ENTITIES}?type={TYPE}&{_within(area)}&limit={LIMIT}") for area in areas
    ]
    async with running_city() as city:
        await lay_down(city, 0, many)
        floor = await _floor(city, areas)
        await city.start()
        await send(city.port, requests[:20], connections=1, once=True)
        answer = await send(city.port, requests, connections=1, once=True)
    times = answer["latencies_s"]
    p95 = quantile(times, 0.95)
    return [
        Row(
            f"geo-query within a district, {many:,} entities, p95",
            p95 * 1000,
            "ms",
            P95_GOAL_MS,
            "at most",
            quantile(floor, 0.95) * 1000,
            "the boxes of the same district by SQL",
            RATIO_MAX,
            (f"p50 {ms(quantile(times, 0.5))}, the SQL {ms(quantile(floor, 0.5))}",),
        )
    ]


def _areas(many: int, count: int) -> list[Area]:
    """Districts of some hundred to some thousand entities, all over the made city."""
    chance = random.Random(6)
    rows = max(1, many // 1000)
    return [
        (
            WEST + chance.randrange(900) * STEP,
            SOUTH + chance.randrange(rows) * STEP,
            chance.choice((10, 20, 40)) * STEP,
        )
        for _ in range(count)
    ]


def _within(area: Area) -> str:
    """The parameters of a district: five corners, none of them square."""
    west, south, side = area
    corners = [
        [west, south], [west + side, south], [west + side * 1.1, south + side / 2],
        [west + side, south + side], [west, south + side], [west, south],
    ]  # fmt: skip
    said = str([[[round(x, 5), round(y, 5)] for x, y in corners]]).replace(" ", "")
    return f"georel=within&geometry=Polygon&coordinates={quote(said)}"


async def _floor(city: City, areas: list[Area]) -> list[float]:
    times = []
    async with attach(city.root / "data") as attached:
        conn = await attached.database.connect()
        try:
            for west, south, side in areas:
                box = Box((west + side * 1.1, south + side), (west, south))
                began = time.perf_counter()
                await conn.fetch(_FLOOR, TYPE, box)
                times.append(time.perf_counter() - began)
        finally:
            await conn.close()
    return times
