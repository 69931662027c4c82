"""Whether a long history slows questions about the present.

The same questions are put to the same city twice: with next to no history, and with as many rows as
the scale says. Each time the city has just started, so that it holds no entity in memory.
"""

from __future__ import annotations

import random
from urllib.parse import quote

from city import City, running_city
from frame import Row, Scale, ms, quantile
from http_load import request
from made import ENTITIES, SOUTH, STEP, TYPE, WEST, entity_id, fill, send
from nagara.engines.database import Connection
from nagara.engines.running import attach

STEP_ROWS = 1_000_000
SPAN_DEGREES = 0.004  # some eighty entities
LIMIT = 20
RATIO_MAX = 1.2

_MORE = """
insert into context.change (tenant, no, at, recorded_at, op, attrs)
select '', e.no, timestamptz '2020-01-01Z' + make_interval(secs => g.n), now(), 'u',
    jsonb_build_object('temperature', jsonb_build_object('type', 'Property',
        'value', g.n % 1500 / 100.0, 'unitCode', 'CEL', 'observedAt', '2020-01-01T00:00:00Z'))
from generate_series($1::bigint, $2::bigint) as g(n)
join bench_no e on e.row = g.n % $3
order by g.n
"""


async def bench(scale: Scale) -> list[Row]:
    """The worst ratio of medians of three questions."""
    questions = _questions(scale)
    async with running_city() as city:
        await fill(city, range(scale.entities))
        await _settle(city, 0, scale.entities)
        without = await _ask(city, questions)
        rows = await _settle(city, scale.history_rows, scale.entities)
        with_history = await _ask(city, questions)
    ratios = {name: with_history[name] / without[name] for name in questions}
    worst = max(ratios, key=lambda name: ratios[name])
    notes = tuple(
        f"{name}: p50 {ms(without[name])} before, {ms(with_history[name])} after, {ratio:.2f}"
        for name, ratio in ratios.items()
    )
    return [
        Row(
            f"a question about the present with {rows:,} rows of history ({worst}, the worst)",
            with_history[worst] * 1000,
            "ms",
            None,
            "at most",
            without[worst] * 1000,
            "the same question to the same city with an empty history",
            RATIO_MAX,
            notes,
        )
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


async def _settle(city: City, rows: int, entities: int) -> int:
    """Stop the city, put history below the present, and put the tables in order; how many rows
    there are now."""
    await city.stop()
    async with attach(city.root / "data") as attached:
        conn = await attached.database.connect()
        try:
            if rows:
                await _lengthen(conn, rows, entities)
            for table in ("context.change", "context.entity"):
                await conn.execute(f"vacuum (analyze) {table}")
            await conn.execute("checkpoint")
            count: int = await conn.fetchval("select count(*) from context.change")
        finally:
            await conn.close()
    return count


async def _lengthen(conn: Connection, rows: int, entities: int) -> None:
    await conn.execute(
        """create temp table bench_no as
               select row_number() over (order by random()) - 1 as row, no
               from context.entity where type = 'BenchSensor';
           analyze bench_no;
           set synchronous_commit = off; set maintenance_work_mem = '256MB';
           drop index context.change_history"""
    )
    for first in range(0, rows, STEP_ROWS):
        await conn.execute(_MORE, first, min(first + STEP_ROWS, rows) - 1, entities)
    await conn.execute("create index change_history on context.change (no, at)")
    # The readers have nothing to do with what never happened.
    await conn.execute("update context.reader set seq = (select max(seq) from context.change)")
