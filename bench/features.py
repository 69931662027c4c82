"""A box of 10^5 features, ten of them asked for by OGC API Features: the time, and the plan.

python bench/features.py [how many features]
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from typing import Any
from urllib.parse import quote

from city import City, running_city
from frame import ms, quantile
from http_load import request
from laid import lay_down
from made import SOUTH, STEP, TYPE, WEST, send
from nagara.engines.running import attach

QUESTIONS = 300


async def main(many: int) -> None:
    """Prints p50 and p95 of one client, for small boxes, the whole city, and with a filter."""
    chance, side = random.Random(1), STEP * 1_000
    small, whole = [], f"{WEST - 1},{SOUTH - 1},{WEST + 3},{SOUTH + 3}"
    for _ in range(QUESTIONS):
        west = WEST + chance.random() * side * 0.9
        south = SOUTH + chance.random() * max(STEP, many / 1_000 * STEP) * 0.9
        small.append(f"{west:.5f},{south:.5f},{west + 20 * STEP:.5f},{south + 20 * STEP:.5f}")
    items = f"/ogc/features/v1/collections/{TYPE}/items?limit=10"
    asked = {
        "a small box": [f"{items}&bbox={box}" for box in small],
        "the whole city": [f"{items}&bbox={whole}"] * QUESTIONS,
        "a filter in a small box": [
            f"{items}&filter=" + quote(f"S_INTERSECTS(location,BBOX({box})) AND id IS NOT NULL")
            for box in small
        ],
    }
    async with running_city() as city:
        await lay_down(city, 0, many)
        await city.start()
        for name, paths in asked.items():
            requests = [request("GET", path) for path in paths]
            await send(city.port, requests[:10], connections=1, once=True)
            times = (await send(city.port, requests, connections=1, once=True))["latencies_s"]
            print(f"{name:25} p50 {ms(quantile(times, 0.5))}  p95 {ms(quantile(times, 0.95))}")
        await _plan(city, small[0])


async def _plan(city: City, box: str) -> None:
    west, south, east, north = map(float, box.split(","))
    sql = (
        "explain (analyze, format json) select e.no from context.entity e where e.tenant = ''"
        " and not e.deleted and e.extent && box(point($1, $2), point($3, $4))"
        " and e.types is null and e.type = $5 limit 2001"
    )
    async with attach(city.root / "data") as attached:
        conn = await attached.database.connect()
        try:
            said = await conn.fetchval(sql, east, north, west, south, TYPE)
        finally:
            await conn.close()
    print(_indexes(json.loads(said)[0]["Plan"]))


def _indexes(plan: dict[str, Any]) -> list[str]:
    """The nodes of a plan with their indexes and milliseconds."""
    mine = f"{plan['Node Type']} {plan.get('Index Name', '')} {plan['Actual Total Time']} ms"
    return [mine, *(one for part in plan.get("Plans", []) for one in _indexes(part))]


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))
