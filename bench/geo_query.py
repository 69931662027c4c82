"""Entities within a district out of a million, beside the bare look into the index of places; and
what questions cost as the entities become a hundred times as many."""

from __future__ import annotations

import asyncio
import random
import time
from urllib.parse import quote

from asyncpg import Box

from city import City, running_city
from frame import Row, Scale, ms, quantile
from http_load import request
from laid import lay_down
from made import ENTITIES, SOUTH, STEP, TYPE, WEST, entity_id, send
from nagara.context.lookups import TYPE_FEW
from nagara.engines.running import attach

ENTITIES_MAX = 1_000_000
LIMIT = 20
P95_GOAL_MS = 20.0
#: HTTP, the exact test and the entities themselves, beside the boxes alone.
RATIO_MAX = 6.0
#: A question's median beside the same among a hundredth of the entities: the answer is as long.
GROWTH_MAX = 2.0
RARE = "by a value that one has"
_FLOOR = """select id from context.entity where tenant = '' and not deleted and type = $1
    and extent && $2::box limit 5000"""

Area = tuple[float, float, float]  # west, south, side in degrees


async def bench(scale: Scale) -> list[Row]:
    """p95 of areas, and how questions about the present grow from a hundredth of the entities to
    all; one question after the other, to a city that has just started."""
    most = max(1_000, min(ENTITIES_MAX, scale.entities * 50))
    sizes = [max(100, most // 100), max(300, most // 10), most]
    asked: list[dict[str, dict[str, float]]] = []
    walked: list[tuple[float, float]] = []
    async with running_city() as city:
        laid = 0
        for many in sizes:
            await lay_down(city, laid, many - laid)
            laid = many
            areas = _areas(many, scale.queries)
            floor = await _floor(city, areas)
            await city.start()
            asked.append(await _ask(city, many, areas))
            walked.append(await _look_up(city, many))
            asked[-1][RARE] = await _measure(city, _rare(many, scale.queries))
    area = asked[-1]["by area"]
    rows = [
        Row(
            f"geo-query within a district, {most:,} entities, p95",
            area["p95"] * 1000,
            "ms",
            P95_GOAL_MS,
            "at most",
            quantile(floor, 0.95) * 1000,
            "the boxes of the same district by SQL",
            RATIO_MAX,
            (f"p50 {ms(area['p50'])}, the SQL {ms(quantile(floor, 0.5))}",),
        )
    ]
    for kind in asked[0]:
        medians = [one[kind]["p50"] for one in asked]
        told = ", ".join(f"{n:,}: {ms(p50)}" for n, p50 in zip(sizes, medians, strict=True))
        if kind == RARE:
            told += "; the first, which walked: " + ", ".join(
                f"{n:,}: {ms(first)} and looked up after {after:.1f} s"
                for n, (first, after) in zip(sizes, walked, strict=True)
            )
        rows.append(
            Row(
                f"a question {kind}, {most:,} entities, p50",
                medians[-1] * 1000,
                "ms",
                None,
                "at most",
                medians[0] * 1000,
                f"the same with {sizes[0]:,} entities",
                GROWTH_MAX,
                (told,),
            )
        )
    return rows


async def _ask(city: City, many: int, areas: list[Area]) -> dict[str, dict[str, float]]:
    """Median and 95th percentile in seconds, by kind of question."""
    chance = random.Random(8)
    count = len(areas)
    bounds = [quote(f"temperature>{20 + chance.randrange(1400) / 100}") for _ in range(count)]
    kinds = {
        "by id": [f"/{entity_id(chance.randrange(many))}" for _ in range(count)],
        "by type and value": [f"?type={TYPE}&q={bound}&limit={LIMIT}" for bound in bounds],
        "by area": [f"?type={TYPE}&{_within(area)}&limit={LIMIT}" for area in areas],
    }
    return {kind: await _measure(city, words) for kind, words in kinds.items()}


async def _measure(city: City, words: list[str]) -> dict[str, float]:
    requests = [request("GET", ENTITIES + said) for said in words]
    await send(city.port, requests[:20], connections=1, once=True)
    times = (await send(city.port, requests, connections=1, once=True))["latencies_s"]
    return {"p50": quantile(times, 0.5), "p95": quantile(times, 0.95)}


def _rare(many: int, count: int) -> list[str]:
    """Questions for a value that one entity has and others have not."""
    chance = random.Random(9)
    return [_of_device(chance.randrange(many)) for _ in range(count)]


def _of_device(number: int) -> str:
    device = f"urn:ngsi-ld:Device:th-bkk:bench-sensor-{number:08}"
    return f"?type={TYPE}&q={quote(f'refDevice=={device}')}&limit={LIMIT}"


async def _look_up(city: City, many: int) -> tuple[float, float]:
    """Ask for a value that one entity has: how long it takes the first time, when all are walked,
    and after how long it is looked up (both in seconds)."""
    began = time.monotonic()
    found = await city.call("GET", ENTITIES + _of_device(many - 1))
    first = time.monotonic() - began
    assert len(found) == 1, "one entity has the value"
    while many >= TYPE_FEW and await city.gauge("nagara_lookups") < 1:  # noqa: ASYNC110
        await asyncio.sleep(0.1)
    return first, time.monotonic() - began


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
