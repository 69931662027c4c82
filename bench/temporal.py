"""A long history: laid down for `history.py`, and asked for a month of one sensor and hourly means
of many, beside what bare SQL over the log takes.

Sensors measure every ten minutes for thirty days, as many of them as there shall be rows. The log
is filled by SQL. A part of the sensors is folded by the city's own function and timed; the others
measure the same, so that their chunks are those, with numbers and places in the log of their own:
folding would say no other, and take five minutes for ten million rows.
"""

from __future__ import annotations

import math
import random
import time
from urllib.parse import quote

from msgspec import Struct

from city import City
from frame import Row, ms, quantile
from http_load import request
from made import send
from nagara.engines.database import Connection

STEPS = 4_320  # ten-minute values of thirty days
SENSORS_ASKED = 1_000
FOLD_ROWS = 200_000
#: Rows that are really folded, some 30 µs a value.
FOLDED_ROWS = 1_000_000
#: Rows a statement: beyond, sorting them goes to disk.
STEP_ROWS = 500_000
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
#: Of the sensors behind number $3, $4 of them, the steps $1 to $2.
_ROWS = """
insert into context.change (tenant, no, at, recorded_at, op, attrs)
select '', $3 + p, k.at, k.at, 'u', jsonb_build_object('temperature', jsonb_build_object(
    'type', 'Property', 'value', ((p * 7 + k.n * 13) % 1500 + 2000) / 100.0, 'unitCode', 'CEL',
    'observedAt', to_char(k.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')))
from (select n, timestamptz '2026-01-01Z' + n * interval '10 min' as at
      from generate_series($1::int, $2::int) n) k
cross join generate_series(1, $4::bigint) p
order by k.n, p
"""
#: The chunks of the sensors behind number $1, $2 of them, $3 further, their rows $4 further.
_COPY = """
insert into context.chunk
select c.no + $3, name, dataset, day, n, numbers, ats, vals,
       (select array_agg(s + $4 order by i) from unnest(c.seqs) with ordinality u(s, i)),
       idxs, recorded, rests, hours, counts, sums, squares, mins, maxs
from context.chunk c where c.no > $1 and c.no <= $1 + $2
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


class Laid(Struct, frozen=True):
    """What was laid down, and what it took."""

    sensors: int
    steps: int
    rows: int
    folded_rows: int
    loaded_s: float
    folded_s: float
    floor_month_s: float
    floor_hourly_s: float


class Asked(Struct, frozen=True):
    """Medians, in seconds."""

    month_s: float
    hourly_s: float


async def lay_history(conn: Connection, rows: int) -> Laid:
    """Put `rows` rows below the present and fold them; the log's index is made anew."""
    groups = max(1, rows // FOLDED_ROWS)
    steps = min(STEPS, max(20, rows // 3))
    group = max(3, math.ceil(rows / (groups * steps)))
    sensors = groups * group
    await conn.execute("set synchronous_commit = off; set maintenance_work_mem = '256MB'")
    await conn.execute("drop index context.change_history")
    await conn.execute(_ENTITIES, sensors, timeout=900)
    base: int = await conn.fetchval("select max(no) from context.entity") - sensors
    began = time.monotonic()
    folded_s, first_seq = 0.0, 0
    for number in range(groups):
        behind = base + number * group
        seq: int = await conn.fetchval("select coalesce(max(seq), 0) from context.change")
        await _load(conn, behind, group, steps)
        if number == 0:
            first_seq = seq
            folding = time.monotonic()
            await _fold(conn)
            folded_s = time.monotonic() - folding
        else:
            further = (number * group, seq - first_seq)
            await conn.execute(_COPY, base, group, *further, timeout=1800)
    await conn.execute("create index change_history on context.change (no, at, seq)", timeout=1800)
    # Neither folding nor the readers have anything to do with what never happened.
    await conn.execute("update context.folded set seq = (select max(seq) from context.change)")
    await conn.execute("update context.reader set seq = (select max(seq) from context.change)")
    for table in ("context.change", "context.entity", "context.chunk"):
        await conn.execute(f"vacuum (analyze) {table}", timeout=1800)
    await conn.execute("checkpoint")
    loaded_s = time.monotonic() - began - folded_s
    month_s, hourly_s = await _floors(conn, sensors)
    rows = sensors * steps
    return Laid(sensors, steps, rows, group * steps, loaded_s, folded_s, month_s, hourly_s)


async def _load(conn: Connection, behind: int, count: int, steps: int) -> None:
    part = max(1, STEP_ROWS // count)
    for first in range(0, steps, part):
        last = min(first + part, steps) - 1
        await conn.execute(_ROWS, first, last, behind, count, timeout=900)


async def ask_history(city: City, laid: Laid, count: int) -> Asked:
    """`count` months of one sensor each, and hourly means of a thousand sensors five times."""
    chance = random.Random(6)
    numbers = [chance.randrange(1, laid.sensors + 1) for _ in range(count)]
    one = [
        request("GET", f"{TEMPORAL}/urn:ngsi-ld:BenchHistory:{number:08d}?{SPAN}")
        for number in numbers
    ]
    many = request(
        "GET",
        f"{TEMPORAL}?type=BenchHistory&limit={min(SENSORS_ASKED, laid.sensors)}&{SPAN}"
        f"&format=aggregatedValues&aggrMethods=avg&aggrPeriodDuration={quote('PT1H')}",
    )
    month = await send(city.port, one, connections=1, once=True)
    hourly = await send(city.port, [many] * 5, connections=1, once=True)
    return Asked(quantile(month["latencies_s"], 0.5), quantile(hourly["latencies_s"], 0.5))


def rows_of(laid: Laid, asked: Asked) -> list[Row]:
    """The lines of the table."""
    sensors = min(SENSORS_ASKED, laid.sensors)
    note = (
        f"{laid.rows:,} rows: laid down in {laid.loaded_s:.0f} s; "
        f"{laid.folded_rows:,} of them folded in {laid.folded_s:.0f} s, the others' chunks copied"
    )
    return [
        Row(
            f"a month of one sensor out of {laid.rows:,} rows, as instances (p50)",
            asked.month_s * 1000,
            "ms",
            MONTH_S_GOAL * 1000,
            "at most",
            laid.floor_month_s * 1000,
            "its rows of the log by SQL, without words of NGSI-LD",
            None,
            (note,),
        ),
        Row(
            f"hourly means of {sensors:,} sensors over {laid.steps // 144} days (p50)",
            asked.hourly_s * 1000,
            "ms",
            HOURLY_S_GOAL * 1000,
            "at most",
            laid.floor_hourly_s * 1000,
            "group by in SQL over the log",
            None,
            (f"{ms(asked.hourly_s / sensors)} a sensor",),
        ),
    ]


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
