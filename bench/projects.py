"""Projects: lists, counts and the map over twenty thousand of a thousand cities.

`tiny` shows that it runs.
"""

from __future__ import annotations

from city import City, running_city
from frame import Row, Scale, ms, quantile
from http_load import request
from made import send
from nagara.engines.running import attach

LIST_MS_GOAL = 200.0
API = "/api/v1/projects"

_PROJECTS = """
insert into plans.project
select 'urn:ngsi-ld:Project:c' || c || ':' || n, 'c' || c, 'TH',
       'Project ' || md5(c || '-' || n), 'project ' || md5(c || '-' || n),
       'register', true, 'FA' || (1 + n % 6), null,
       (array['idea', 'delivery', null])[1 + n % 3], 'active',
       (array['planning', 'ongoing', null])[1 + n % 3], 2020 + n % 5, 2028, 'THB',
       1000, n % 2, null, 100 + c / 1000.0, 10 + n, false, null, null, null, null,
       null, null, 1, now(),
       'project ' || md5(c || '-' || n) || repeat(' words', 20),
       '{"name": "x"}'
from generate_series(1, $1::int) c, generate_series(1, 20) n
"""
_NOTES = """
insert into plans.year_note select id, y, 'report', name, focus_area, null
from plans.project, generate_series(2022, 2025) y
"""
_ASKED = (
    "", "city=c500", "focus=FA3", "gap=true", "year=2024", "q=abc", "q=nothing", "status=none",
    "country=TH", "stage=delivery&focus=FA2",
)  # fmt: skip


async def bench(scale: Scale) -> list[Row]:
    """The slowest of all lists, p95."""
    tiny = scale.name == "tiny"
    async with running_city() as city:
        await city.stop()
        count = await _fill(city, 20 if tiny else 1_000)
        await city.start()
        found = {
            f"{part or 'list'}?{said}": await _ask(city, f"{API}{part}?{said}", 3 if tiny else 20)
            for part in ("", "/counts", "/points")
            for said in _ASKED
        }
    slowest = sorted(found, key=lambda name: found[name], reverse=True)
    return [
        Row(
            f"projects: lists, counts, map over {count:,} ({slowest[0]}, the slowest), p95",
            found[slowest[0]] * 1000,
            "ms",
            None if tiny else LIST_MS_GOAL,
            "at most",
            notes=tuple(f"{name}: {ms(found[name])}" for name in slowest[1:4]),
        )
    ]


async def _fill(city: City, cities: int) -> int:
    async with attach(city.root / "data") as attached:
        conn = await attached.database.connect()
        try:
            await conn.execute(_PROJECTS, cities, timeout=600)
            await conn.execute(_NOTES, timeout=600)
            await conn.execute("analyze plans.project; analyze plans.year_note")
            count: int = await conn.fetchval("select count(*) from plans.project")
            return count
        finally:
            await conn.close()


async def _ask(city: City, path: str, turns: int) -> float:
    answer = await send(city.port, [request("GET", path)] * turns, connections=1, once=True)
    return quantile(answer["latencies_s"], 0.95)
