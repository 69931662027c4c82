"""Indicators: a city's year counted anew, and questions to a network's twenty years of values.

The year: 80 stations that speak every hour, and 200,000 cases. The network: 1,000 cities with 200
definitions of 20 years. `tiny` shows that it runs.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
import urllib.request
from typing import Any

from city import City, running_city
from frame import Row, Scale, ms, quantile, scale_asked
from nagara.engines.database import Connection
from nagara.engines.running import attach

YEAR = 2025
STATIONS = 80
COUNT_S_GOAL, ASK_MS_GOAL = 30.0, 200.0
API = "/api/v1/indicators"

_HISTORY = """
insert into context.change (tenant, no, at, recorded_at, op, attrs)
select '', e.no, timestamptz '2025-01-01 00:00+07' + make_interval(hours => h), now(), 'u',
    jsonb_build_object('pm25', jsonb_build_object('type', 'Property',
        'value', 10 + (h * 7 + e.no * 13) % 400 / 10.0, 'unitCode', 'GQ'))
from context.entity e cross join generate_series(0, $1::int * 24 - 1) as h
where e.type = 'AirQualityObserved' order by h
"""
_DIRTY = """
insert into indicators.day_dirty (entity_id, attribute, day, entity_type)
select e.id, 'pm25', date '2025-01-01' + d, e.type
from context.entity e cross join generate_series(0, $1::int - 1) as d
where e.type = 'AirQualityObserved' on conflict do nothing
"""
_CASES = """
insert into indicators.case_fact
    (case_id, seq, district, department, category, source, state, provenance, opened_at, due_at,
     accepted_at, resolved_at)
select 'urn:bench:' || n, n, (1001 + n % 50)::text, 'd' || n % 80, 'drain', 'resident',
    case when n % 5 = 0 then 'routed' else 'closed' end, 'measured', at, at + interval '3 days',
    at + make_interval(hours => n % 30),
    case when n % 5 > 0 then at + make_interval(hours => 10 + n % 120) end
from (select n, timestamptz '2025-01-01 00:00+07' + make_interval(secs => n * $2::float8) as at
      from generate_series(1, $1::int) as n) made
"""
_VALUES = """
insert into indicators.value
    (city, code, period_start, period_end, value, numerator, denominator, unit, quality, method,
     formula_version, author, at, status)
select 'c-' || lpad(c::text, 4, '0'), code, make_date(y, 1, 1), make_date(y + 1, 1, 1),
    (c * 7 + y) % 100, (c * 7 + y) % 100, 100, 'P1', 'complete', 'received', 1, 'bench', now(),
    'approved'
from generate_series($1::int, $2::int) as c cross join unnest($3::text[]) as code
    cross join generate_series(2006, 2025) as y
"""


async def bench(scale: Scale) -> list[Row]:
    """Rows of the table."""
    tiny = scale.name == "tiny"
    days, cases, cities = (5, 500, 10) if tiny else (365, 200_000, 1_000)
    cities = int(os.environ.get("CITIES", cities))
    async with running_city() as city:
        await city.start()
        await asyncio.to_thread(_stations, city)
        codes = await asyncio.to_thread(_codes, city)
        await city.stop()
        async with attach(city.root / "data") as attached:
            conn = await attached.database.connect()
            try:
                rows = await _fill(conn, days, cases, cities, codes[:200])
            finally:
                await conn.close()
        await city.start()
        began_s = time.monotonic()
        body = {"start": f"{YEAR}-01-01", "end": f"{YEAR}-12-31"}
        done = await asyncio.to_thread(_ask, city, "POST", f"{API}/compute", body)
        first_s = time.monotonic() - began_s
        began_s = time.monotonic()
        await asyncio.to_thread(_ask, city, "POST", f"{API}/compute", body)
        again_s = time.monotonic() - began_s
        asked = await asyncio.to_thread(_questions, city, codes, cities, 5 if tiny else 30)
    worst = max(asked, key=lambda name: asked[name])
    notes = tuple(f"{name}: p95 {ms(seconds)}" for name, seconds in asked.items())
    return [
        Row(
            f"{done['formulas']} indicators over {days} days of {STATIONS} stations and"
            f" {cases:,} cases, counted anew",
            first_s,
            "s",
            None if tiny else COUNT_S_GOAL,
            "at most",
            notes=(f"again, the days added up: {again_s:.1f} s", f"{done['values']:,} values"),
        ),
        Row(
            f"a question to {rows:,} values ({worst}, the worst)",
            asked[worst] * 1000,
            "ms",
            None if tiny else ASK_MS_GOAL,
            "at most",
            notes=notes,
        ),
    ]


async def _fill(conn: Connection, days: int, cases: int, cities: int, codes: list[str]) -> int:
    await conn.execute(_HISTORY, days, timeout=600)
    await conn.execute(_DIRTY, days, timeout=600)
    await conn.execute(_CASES, cases, days * 86_400 / cases, timeout=600)
    for first in range(1, cities + 1, 100):
        await conn.execute(_VALUES, first, min(first + 99, cities), codes, timeout=600)
    for table in ("context.change", "indicators.case_fact", "indicators.value"):
        await conn.execute(f"vacuum (analyze) {table}", timeout=600)
    found: int = await conn.fetchval("select count(*) from indicators.value")
    return found


def _stations(city: City) -> None:
    entities = [
        {
            "id": f"urn:ngsi-ld:AirQualityObserved:th-bkk:bench-{n:03d}",
            "type": "AirQualityObserved",
            "district": {"type": "Property", "value": str(1001 + n % 50)},
        }
        for n in range(STATIONS)
    ]
    _ask(city, "POST", "/ngsi-ld/v1/entityOperations/upsert", entities)


def _codes(city: City) -> list[str]:
    found = _ask(city, "GET", f"{API}/definitions?limit=500", None)
    return [item["code"] for item in found["items"] if item["set"] != "nagara"]


def _questions(city: City, codes: list[str], cities: int, turns: int) -> dict[str, float]:
    some = ",".join(f"c-{n:04d}" for n in range(1, min(cities, 40) + 1))
    paths = {
        "a page of one city's values": f"{API}/values?city=c-0007&limit=200",
        "one definition of a city in time": f"{API}/{codes[0]}/values?city=c-0003",
        "answers of a set": f"{API}/answers?set=u4ssc&year={YEAR}",
        "scorecard of a frame": f"{API}/scorecard?frame=ascf&year={YEAR}",
        "forty cities over twenty years": f"{API}/compare?code={codes[1]}&cities={some}",
        "the city's own indicators": API,
        "one indicator by district, counted now": f"{API}/cases-in-time?by=district",
    }
    found = {}
    for name, path in paths.items():
        times = []
        for _ in range(turns):
            began_s = time.monotonic()
            _ask(city, "GET", path, None)
            times.append(time.monotonic() - began_s)
        found[name] = quantile(times, 0.95)
    return found


def _ask(city: City, method: str, path: str, body: Any) -> Any:
    request = urllib.request.Request(
        f"http://127.0.0.1:{city.port}{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=300) as answer:
        said = answer.read()
    return json.loads(said) if said else None


async def _main() -> None:
    for row in await bench(scale_asked()):
        print(f"{row.what}: {row.measured:.1f} {row.unit} (goal {row.goal})")
        for note in row.notes:
            print(f"    {note}")


if __name__ == "__main__":
    sys.exit(asyncio.run(_main()))
