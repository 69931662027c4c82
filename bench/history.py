"""Whether a long history slows questions about the present.

The same questions are put to the same city twice: with next to no history, and with as many rows as
the scale says. Each time the city has just started, so that it holds no entity in memory. Then the
history itself is asked (`temporal.py`). The environment's ROWS sets another number of rows than the
scale's: a curve is several runs.
"""

from __future__ import annotations

import os
import random
from urllib.parse import quote

from city import City, running_city
from frame import Row, Scale, ms, quantile
from http_load import request
from made import ENTITIES, SOUTH, STEP, TYPE, WEST, entity_id, fill, send
from nagara.engines.running import attach
from temporal import Laid, ask_history, lay_history, rows_of

SPAN_DEGREES = 0.004  # some eighty entities
LIMIT = 20
RATIO_MAX = 1.2


async def bench(scale: Scale) -> list[Row]:
    """The worst ratio of medians of three questions; and what the history itself is asked."""
    questions = _questions(scale)
    rows = int(os.environ.get("ROWS", scale.history_rows))
    async with running_city() as city:
        await fill(city, range(scale.entities))
        await _settle(city, 0)
        without = await _ask(city, questions)
        laid = await _settle(city, rows)
        assert laid is not None
        with_history = await _ask(city, questions)
        await city.start()
        temporal = rows_of(laid, await ask_history(city, laid, min(100, scale.queries)))
    ratios = {name: with_history[name] / without[name] for name in questions}
    worst = max(ratios, key=lambda name: ratios[name])
    notes = tuple(
        f"{name}: p50 {ms(without[name])} before, {ms(with_history[name])} after, {ratio:.2f}"
        for name, ratio in ratios.items()
    )
    return [
        Row(
            f"a question about the present with {laid.rows:,} rows of history ({worst}, the worst)",
            with_history[worst] * 1000,
            "ms",
            None,
            "at most",
            without[worst] * 1000,
            "the same question to the same city with an empty history",
            RATIO_MAX,
            notes,
        ),
        *temporal,
    ]


def _questions(scale: Scale) -> dict[str, list[bytes]]:
    chance = random.Random(4)
    numbers = chance.sample(range(scale.entities), min(scale.queries, scale.entities))
    by_id = [request("GET", f"{ENTITIES}/{entity_id(n)}") for n in numbers]
    by_value, by_box = [], []
    for _ in range(scale.queries):
        q = quote(f"temperature>{20 + chance.randrange(1400) / 100}")
        by_value.append(request("GET", f"{ENTITIES}?type={TYPE}&q={q}&limit={LIMIT}"))
        rows = max(1, scale.entities // 1000)
        west = WEST + chance.randrange(900) * STEP
        south = SOUTH + chance.randrange(rows) * STEP
        corners = [
            [west, south], [west + SPAN_DEGREES, south],
            [west + SPAN_DEGREES, south + SPAN_DEGREES], [west, south + SPAN_DEGREES],
            [west, south],
        ]  # fmt: skip
        area = quote(str([[[round(x, 5), round(y, 5)] for x, y in corners]]).replace(" ", ""))
        where = f"georel=within&geometry=Polygon&coordinates={area}"
        by_box.append(request("GET", f"{ENTITIES}?type={TYPE}&{where}&limit={LIMIT}"))
    return {"by id": by_id, "by type and value": by_value, "by area": by_box}


async def _ask(city: City, questions: dict[str, list[bytes]]) -> dict[str, float]:
    """Medians in seconds, one question at a time, of a city that has just started."""
    await city.start()
    try:
        medians = {}
        for name, requests in questions.items():
            answer = await send(city.port, requests, connections=1, once=True)
            medians[name] = quantile(answer["latencies_s"], 0.5)
        return medians
    finally:
        await city.stop()


async def _settle(city: City, rows: int) -> Laid | None:
    """Stop the city, put history below the present where there shall be any, and put the tables
    in order."""
    await city.stop()
    async with attach(city.root / "data") as attached:
        conn = await attached.database.connect()
        try:
            for table in ("context.change", "context.entity"):
                await conn.execute(f"vacuum (analyze) {table}")
            await conn.execute("checkpoint")
            return await lay_history(conn, rows) if rows else None
        finally:
            await conn.close()
