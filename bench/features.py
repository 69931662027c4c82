"""OGC API Features: ten features of many, by place, value and time; and what has no index."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Iterator
from urllib.parse import quote

from city import running_city
from frame import SCALES, Row, Scale, ms, quantile
from http_load import request
from laid import lay_down
from made import SOUTH, STEP, TYPE, WEST, send

FEATURES_MAX = 100_000
#: One client that asks one after the other, as a person before a map does.
QUESTIONS_MAX = 100
#: Questions that read all features are slow: a few tell enough.
SLOW_MAX = 6
LIMIT = 10
ITEMS = f"/ogc/features/v1/collections/{TYPE}/items?limit={LIMIT}"


async def bench(scale: Scale) -> list[Row]:
    """p95 of each kind of question."""
    many = max(1_000, min(FEATURES_MAX, scale.entities * 5))
    rows = []
    async with running_city() as city:
        await lay_down(city, 0, many)
        await city.start()
        for what, paths in _questions(many, min(scale.queries, QUESTIONS_MAX)):
            requests = [request("GET", path) for path in paths]
            await send(city.port, requests[:3], connections=1, once=True)
            times = (await send(city.port, requests, connections=1, once=True))["latencies_s"]
            rows.append(
                Row(
                    f"features {what}, {many:,} in the collection, p95",
                    quantile(times, 0.95) * 1000,
                    "ms",
                    sense="at most",
                    notes=(f"p50 {ms(quantile(times, 0.5))}, {len(times)} questions",),
                )
            )
    return rows


def _questions(many: int, count: int) -> Iterator[tuple[str, list[str]]]:
    chance = random.Random(1)
    small = []
    for _ in range(count):
        west = WEST + chance.randrange(900) * STEP
        south = SOUTH + chance.randrange(max(1, many // 1_000)) * STEP
        small.append(f"{west:.5f},{south:.5f},{west + 20 * STEP:.5f},{south + 20 * STEP:.5f}")
    whole = f"{WEST - 1},{SOUTH - 1},{WEST + 3},{SOUTH + 3}"
    slow = min(count, SLOW_MAX)
    yield "of a small box", [f"{ITEMS}&bbox={box}" for box in small]
    yield "of the whole city", [f"{ITEMS}&bbox={whole}"] * slow
    inside = (f"S_INTERSECTS(location,BBOX({box})) AND temperature > 27" for box in small)
    yield "of a small box by CQL2, and a value", [f"{ITEMS}&filter={quote(f)}" for f in inside]
    yield "with a value that many have", _filtered("temperature > 27", slow)
    yield "with a value of one in 1,500", _filtered("temperature = 34.99", slow)
    yield "with a value that none has", _filtered("temperature > 1000", slow)
    yield "at a time that all have", [f"{ITEMS}&datetime=2026-01-01/2026-01-02"] * slow
    yield "at a time that none has", [f"{ITEMS}&datetime=2027-01-01/.."] * slow


def _filtered(said: str, count: int) -> list[str]:
    return [f"{ITEMS}&filter={quote(said)}"] * count


if __name__ == "__main__":
    for made in asyncio.run(bench(SCALES[sys.argv[1] if len(sys.argv) > 1 else "default"])):
        print(f"{made.what:70} {made.measured:8.1f} {made.unit}  {made.notes[0]}")
