"""Indicators: a city's year counted anew, and questions to a network's twenty years of values.

The year: 40 stations that speak every hour, and 50,000 cases (`large`: 80 and 200,000). The
network: 100 cities (`large`: 1,000) with 200 definitions of 20 years. `tiny` shows that it runs.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
import urllib.request
from collections.abc import Awaitable, Callable
from typing import Any

from city import City, running_city
from frame import Row, Scale, ms, quantile, scale_asked
from nagara.engines.database import Connection
from nagara.engines.running import attach

YEAR = 2025
COUNT_S_GOAL, ASK_MS_GOAL = 30.0, 200.0
API, NETWORK = "/api/v1/indicators", "/api/v1/network"
OWN = "th-bkk"

_HISTORY = """
insert into context.change (tenant, no, at, recorded_at, op, attrs)
select '', e.no, timestamptz '2025-01-01 00:00+07' + make_interval(hours => h), now(), 'u',
    jsonb_build_object('pm25', jsonb_build_object('type', 'Property',
        'value', 10 + (h * 7 + e.no * 13) % 400 / 10.0, 'unitCode', 'GQ'))
from context.entity e cross join generate_series(0, $1::int * 24 - 1) as h
where e.type = 'AirQualityObserved' and e.id like '%:bench-%' order by h
"""
_DIRTY = """
insert into indicators.day_dirty (entity_id, attribute, day, entity_type)
select e.id, 'pm25', date '2025-01-01' + d, e.type
from context.entity e cross join generate_series(0, $1::int - 1) as d
where e.type = 'AirQualityObserved' and e.id like '%:bench-%' on conflict do nothing
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
select case when c = 0 then $4 else 'c-' || lpad(c::text, 4, '0') end, code, make_date(y, 1, 1),
    make_date(y + 1, 1, 1), (c * 7 + y) % 100, (c * 7 + y) % 100, 100, 'P1', 'complete',
    case when c = 0 then 'by-hand' else 'received' end, 1, 'bench', now(), 'approved'
from generate_series($1::int, $2::int) as c cross join unnest($3::text[]) as code
    cross join generate_series(2006, 2025) as y
"""
_MEMBERS = """
insert into network.member (code, name, country, joined_year, source, at, told, lon, lat)
select 'c-' || lpad(n::text, 4, '0'), jsonb_build_object('en', 'City ' || n),
    (array['BN','KH','ID','LA','MY','MM','PH','SG','TH','TL','VN'])[1 + n % 11], 2006, 'bench',
    now(), 1, 100 + n % 40 / 2.0, n % 20 from generate_series(1, $1::int) as n
"""
_INDEXES = """
select indexname, indexdef from pg_indexes
where schemaname = 'indicators' and tablename = 'value' and indexname <> 'value_pkey'
"""


async def bench(scale: Scale) -> list[Row]:
    """Rows of the table."""
    days, stations, cases, cities = {
        "tiny": (5, 40, 500, 10),
        "large": (365, 80, 200_000, 1_000),
    }.get(scale.name, (365, 40, 50_000, 50))
    cities = int(os.environ.get("CITIES", cities))
    tiny = scale.name == "tiny"
    async with running_city() as city:
        await asyncio.to_thread(_stations, city, stations)
        codes = await asyncio.to_thread(_codes, city)
        await city.stop()  # a shared cache and an idle log: filling is not what is measured
        rows = await _in_database(city, lambda conn: _fill(conn, days, cases, cities, codes[:200]))
        await city.start()
        await _in_database(city, lambda conn: conn.execute(_DIRTY, days, timeout=600))
        began_s = time.monotonic()
        body = {"start": f"{YEAR}-01-01", "end": f"{YEAR}-12-31"}
        done = await asyncio.to_thread(_ask, city, "POST", f"{API}/compute", body)
        first_s = time.monotonic() - began_s
        began_s = time.monotonic()
        await asyncio.to_thread(_ask, city, "POST", f"{API}/compute", body)
        again_s = time.monotonic() - began_s
        # What was counted is told to readers of the log for a while: people ask a city at rest.
        await asyncio.sleep(scale.rest_s)
        asked = await asyncio.to_thread(_questions, city, codes, cities, 5 if tiny else 20)
    worst = max(asked, key=lambda name: asked[name])
    notes = tuple(f"{name}: p95 {ms(seconds)}" for name, seconds in asked.items())
    return [
        Row(
            f"{done['formulas']} indicators over {days} days of {stations} stations and"
            f" {cases:,} cases, counted anew",
            first_s,
            "s",
            None if tiny else COUNT_S_GOAL,
            "at most",
            notes=(f"again, the days added up: {again_s:.1f} s", f"{done['values']:,} values"),
        ),
        Row(
            f"a question to {rows:,} values of {cities:,} cities ({worst}, the worst)",
            asked[worst] * 1000,
            "ms",
            None if tiny else ASK_MS_GOAL,
            "at most",
            notes=notes,
        ),
    ]


async def _in_database(city: City, work: Callable[[Connection], Awaitable[Any]]) -> Any:
    async with attach(city.root / "data") as attached:
        conn = await attached.database.connect()
        try:
            return await work(conn)
        finally:
            await conn.close()


async def _fill(conn: Connection, days: int, cases: int, cities: int, codes: list[str]) -> int:
    await conn.execute(_HISTORY, days, timeout=600)
    await conn.execute(_CASES, cases, days * 86_400 / cases, timeout=600)
    await conn.execute(_MEMBERS, cities, timeout=600)
    # Indexes are made of what is there: four million rows one by one into three trees take minutes.
    await conn.execute("set maintenance_work_mem = '512MB'")
    indexes = await conn.fetch(_INDEXES)
    for index in indexes:
        await conn.execute(f"drop index indicators.{index['indexname']}")
    await conn.execute(_VALUES, 0, cities, codes, OWN, timeout=900)
    for index in indexes:
        await conn.execute(index["indexdef"], timeout=900)
    for table in ("context.change", "indicators.case_fact", "indicators.value", "network.member"):
        await conn.execute(f"vacuum (analyze) {table}", timeout=600)
    found: int = await conn.fetchval("select count(*) from indicators.value")
    return found


def _stations(city: City, stations: int) -> None:
    entities = [
        {
            "id": f"urn:ngsi-ld:AirQualityObserved:th-bkk:bench-{n:03d}",
            "type": "AirQualityObserved",
            "district": {"type": "Property", "value": str(1001 + n % 50)},
        }
        for n in range(stations)
    ]
    _ask(city, "POST", "/ngsi-ld/v1/entityOperations/upsert", entities)


def _codes(city: City) -> list[str]:
    found = _ask(city, "GET", f"{API}/definitions?limit=500", None)
    return [item["code"] for item in found["items"] if item["set"] != "nagara"]


def _questions(city: City, codes: list[str], cities: int, turns: int) -> dict[str, float]:
    """What the screens of /measure and /network ask for; p95 in seconds."""
    some = [f"c-{n:04d}" for n in range(1, min(cities, 40) + 1)]
    forty, twelve, few = ",".join(some), ",".join(some[:12]), ",".join(codes[1:5])
    paths = {
        "a page of one city's values": f"{API}/values?city=c-0007&limit=200",
        "one definition of a city in time": f"{API}/{codes[0]}/values?city=c-0003",
        "the city's own year, by district": f"{API}/values?from={YEAR}-01-01&area=*&limit=1000",
        "answers of a set": f"{API}/answers?set=u4ssc&year={YEAR}",
        "scorecard of a frame": f"{API}/scorecard?frame=ascf&year={YEAR}",
        "drafts": f"{API}/values?status=draft&area=*&breakdown=*&limit=200",
        "targets": f"{API}/targets",
        "forty cities over twenty years": f"{API}/compare?code={codes[1]}&cities={forty}",
        "twelve cities, four definitions": f"{NETWORK}/comparison?cities={twelve}&codes={few}",
        "the city's own indicators": API,
        "one indicator by district, as last counted": f"{API}/cases-in-time?by=district",
        "what changed, and why": f"{API}/changes?days=7",
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
    with urllib.request.urlopen(request, timeout=600) as answer:
        said = answer.read()
    return json.loads(said) if said else None


async def _main() -> None:
    for row in await bench(scale_asked()):
        print(f"{row.what}: {row.measured:.1f} {row.unit} (goal {row.goal})")
        for note in row.notes:
            print(f"    {note}")


if __name__ == "__main__":
    sys.exit(asyncio.run(_main()))
