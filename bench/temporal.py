"""History: a month of one sensor, hourly means of many, and what the floor of bare SQL takes.

Sensors measure every ten minutes for thirty days; as many of them as the scale has rows. The log is
filled by SQL and folded by the city's own function, before the city starts.
"""

from __future__ import annotations

import random
import time
from urllib.parse import quote

from city import City, running_city
from frame import Row, Scale, ms, quantile
from http_load import request
from made import send
from nagara.engines.database import Connection
from nagara.engines.running import attach

STEPS = 4_320  # ten-minute values of thirty days
SENSORS_ASKED = 1_000
FOLD_ROWS = 200_000
#: Folding takes some 30 µs a value: a fifth of the scale's rows is what three minutes allow.
ROWS_SHARE = 5
TEMPORAL = "/ngsi-ld/v1/temporal/entities"
SPAN = (
    "timerel=between&timeAt=2026-01-01T00:00:00Z&endTimeAt=2026-01-31T00:00:00Z&attrs=temperature"
)
MONTH_S_GOAL, HOURLY_S_GOAL = 0.050, 2.0

_ENTITIES = """
insert into context.entity (tenant, id, type, doc, sys, version, prior, created_at, modified_at)
select '', 'urn:ngsi-ld:BenchHistory:' || to_char(g, 'FM00000000'), 'BenchHistory', '{}', '{}', 1,
       0, now(), now()
from generate_series(1, $1::int) g
"""
_ROWS = """
insert into context.change (tenant, no, at, recorded_at, op, attrs)
select '', e.no, k.at, k.at, 'u', jsonb_build_object('temperature', jsonb_build_object(
    'type', 'Property', 'value', ((e.no * 7 + k.n * 13) % 1500 + 2000) / 100.0, 'unitCode', 'CEL',
    'observedAt', to_char(k.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')))
from (select n, timestamptz '2026-01-01Z' + n * interval '10 min' as at
      from generate_series($1::int, $2::int) n) k
cross join context.entity e where e.type = 'BenchHistory'
order by k.n, e.no
"""
_FLOOR_MONTH = """
select c.at, c.attrs::text from context.change c
where c.no = $1 and c.at >= '2026-01-01Z' and c.at < '2026-01-31Z' order by c.at
"""
_FLOOR_HOURLY = """
select no, date_trunc('hour', at) as hour,
       avg((attrs -> 'temperature' -> 'value')::float8)
from context.change where no = any($1::bigint[]) and at >= '2026-01-01Z' and at < '2026-01-31Z'
group by no, hour order by no, hour
"""


async def bench(scale: Scale) -> list[Row]:
    """A month of one sensor; hourly means of a thousand (or of all, where there are fewer)."""
    wanted = scale.history_rows // ROWS_SHARE
    sensors = max(3, wanted // STEPS)
    steps = min(STEPS, max(20, wanted // sensors))
    async with running_city() as city:
        await city.stop()
        loaded_s, folded_s, floors = await _fill(city, sensors, steps)
        await city.start()
        try:
            month, hourly = await _ask(city, scale, sensors)
        finally:
            await city.stop()
    rows = sensors * steps
    asked = min(SENSORS_ASKED, sensors)
    note = f"{rows:,} rows: loaded in {loaded_s:.0f} s, folded in {folded_s:.0f} s"
    return [
        Row(
            f"a month of one sensor out of {rows:,} rows, as instances (p50)",
            month * 1000,
            "ms",
            MONTH_S_GOAL * 1000,
            "at most",
            floors[0] * 1000,
            "its rows of the log by SQL, without words of NGSI-LD",
            None,
            (note,),
        ),
        Row(
            f"hourly means of {asked:,} sensors over {steps // 144} days (p50)",
            hourly * 1000,
            "ms",
            HOURLY_S_GOAL * 1000,
            "at most",
            floors[1] * 1000,
            "group by in SQL over the log",
            None,
            (f"{ms(hourly / asked)} a sensor",),
        ),
    ]


async def _fill(city: City, sensors: int, steps: int) -> tuple[float, float, tuple[float, float]]:
    """Load and fold; how long each took, and the medians of the floors, in seconds."""
    async with attach(city.root / "data") as attached:
        conn = await attached.database.connect()
        try:
            began = time.monotonic()
            await conn.execute("set synchronous_commit = off; set maintenance_work_mem = '256MB'")
            await conn.execute("drop index context.change_history")
            await conn.execute(_ENTITIES, sensors)
            part = max(1, 500_000 // sensors)
            for first in range(0, steps, part):
                await conn.execute(_ROWS, first, min(first + part, steps) - 1, timeout=900)
            await conn.execute(
                "create index change_history on context.change (no, at, seq)", timeout=1800
            )
            loaded = time.monotonic()
            await _fold(conn)
            for table in ("context.change", "context.entity", "context.chunk"):
                await conn.execute(f"vacuum (analyze) {table}", timeout=1800)
            await conn.execute(
                "update context.reader set seq = (select max(seq) from context.change)"
            )
            folded = time.monotonic()
            floors = await _floors(conn, sensors)
        finally:
            await conn.close()
    return loaded - began, folded - loaded, floors


async def _fold(conn: Connection) -> None:
    await conn.execute("set work_mem = '256MB'")
    was = -1
    upto = 0
    while upto != was:
        was = upto
        upto = await conn.fetchval("select context.fold($1)", FOLD_ROWS, timeout=900)


async def _floors(conn: Connection, sensors: int) -> tuple[float, float]:
    nos = [
        row["no"]
        for row in await conn.fetch(
            "select no from context.entity where type = 'BenchHistory' order by id limit $1",
            min(SENSORS_ASKED, sensors),
        )
    ]
    month, hourly = [], []
    for no in random.Random(5).sample(nos, min(20, len(nos))):
        began = time.monotonic()
        await conn.fetch(_FLOOR_MONTH, no)
        month.append(time.monotonic() - began)
    began = time.monotonic()
    await conn.fetch(_FLOOR_HOURLY, nos, timeout=300)
    hourly.append(time.monotonic() - began)
    return quantile(month, 0.5), quantile(hourly, 0.5)


async def _ask(city: City, scale: Scale, sensors: int) -> tuple[float, float]:
    chance = random.Random(6)
    numbers = [chance.randrange(1, sensors + 1) for _ in range(min(100, scale.queries))]
    one = [
        request("GET", f"{TEMPORAL}/urn:ngsi-ld:BenchHistory:{number:08d}?{SPAN}")
        for number in numbers
    ]
    duration = quote("PT1H")
    many = request(
        "GET",
        f"{TEMPORAL}?type=BenchHistory&limit={min(SENSORS_ASKED, sensors)}&{SPAN}"
        f"&format=aggregatedValues&aggrMethods=avg&aggrPeriodDuration={duration}",
    )
    month = await send(city.port, one, connections=1, once=True)
    hourly = await send(city.port, [many] * 5, connections=1, once=True)
    return quantile(month["latencies_s"], 0.5), quantile(hourly["latencies_s"], 0.5)
