"""The network: lists over 1,000 cities with 20 years of reports, and a report of 134 projects.

`tiny` shows that it runs.
"""

from __future__ import annotations

import asyncio
import sys
import time
import urllib.request

from city import City, running_city
from frame import Row, Scale, ms, quantile, scale_asked
from nagara.engines.database import Connection
from nagara.engines.running import attach

LIST_MS_GOAL, REPORT_S_GOAL = 200.0, 20.0
API = "/api/v1/network"
REPORT_YEAR, REPORT_ROWS = 2031, 134

_MEMBERS = """
insert into network.member (code, name, country, joined_year, source, at, told, lon, lat)
select 'c-' || lpad(n::text, 4, '0'), jsonb_build_object('en', 'City ' || n),
    (array['BN','KH','ID','LA','MY','MM','PH','SG','TH','TL','VN'])[1 + n % 11], 2006, 'bench',
    now(), 1, 100 + n % 40 / 2.0, n % 20 from generate_series(1, $1::int) as n
"""
_TITLES = """
insert into network.title (member, folded, name, first_year, last_year, project)
select code, lower(name), name, 2006, 2025, 'urn:bench:' || code || ':' || p
from (
    select code, p, 'Project ' || p || case code || p when 'c-001311' then ' Aquifer' else '' end
        as name
    from network.member cross join generate_series(1, 20) as p
) as named
"""
_ROWS = """
insert into network.row (year, title, member, country, focus, status, name, file, line)
select y, t.id, t.member, m.country, 'FA' || 1 + t.id % 6,
    (array['planning','ongoing','completed'])[1 + (t.id + y) % 3], t.name, 'bench', t.id
from network.title t join network.member m on m.code = t.member
    cross join generate_series(2006, 2025) as y
"""
_REPORT = """
insert into network.row (year, title, member, country, focus, status, name, file, line)
select y, r.title, r.member, r.country, r.focus, r.status, r.name, r.file, r.line
from (select * from network.row where year = 2025 order by title limit $1) r
    cross join unnest(array[$2::int - 1, $2::int]) as y
"""


async def bench(scale: Scale) -> list[Row]:
    """Rows of the table."""
    tiny = scale.name == "tiny"
    async with running_city() as city:
        await city.stop()
        async with attach(city.root / "data") as attached:
            conn = await attached.database.connect()
            try:
                rows = await _fill(conn, 20 if tiny else 1_000)
            finally:
                await conn.close()
        await city.start()
        asked = await asyncio.to_thread(_questions, city, 3 if tiny else 20)
        made = await asyncio.to_thread(_reports, city)
    worst = max(asked, key=lambda name: asked[name])
    slowest = max(made, key=lambda name: made[name])
    return [
        Row(
            f"a list of the network over {rows:,} rows ({worst}, the worst)",
            asked[worst] * 1000,
            "ms",
            None if tiny else LIST_MS_GOAL,
            "at most",
            notes=tuple(f"{name}: p95 {ms(seconds)}" for name, seconds in asked.items()),
        ),
        Row(
            f"a report of {REPORT_ROWS} projects ({slowest}, the slowest format)",
            made[slowest],
            "s",
            REPORT_S_GOAL,
            "at most",
            notes=tuple(f"{name}: {ms(seconds)}" for name, seconds in made.items()),
        ),
    ]


async def _fill(conn: Connection, cities: int) -> int:
    await conn.execute(_MEMBERS, cities, timeout=600)
    await conn.execute(_TITLES, timeout=600)
    await conn.execute(_ROWS, timeout=600)
    await conn.execute(_REPORT, REPORT_ROWS, REPORT_YEAR, timeout=600)
    await conn.execute(
        "select network.count_years(array(select generate_series(2006, $1)))",
        REPORT_YEAR,
        timeout=600,
    )
    for table in ("network.member", "network.title", "network.row"):
        await conn.execute(f"vacuum (analyze) {table}", timeout=600)
    found: int = await conn.fetchval("select count(*) from network.row")
    return found


def _questions(city: City, turns: int) -> dict[str, float]:
    paths = {
        "members": f"{API}/members?limit=200",
        "members of a country": f"{API}/members?country=TH",
        "one member over twenty years": f"{API}/members/c-0007",
        "the map's summary": f"{API}/summary?year=2025",
        "years": f"{API}/years",
        "projects, first page": f"{API}/projects?limit=200",
        "projects of a year and focus area": f"{API}/projects?year=2015&focus=FA3&limit=200",
        "projects of a country by status": f"{API}/projects?country=LA&status=completed&limit=200",
        "projects by a word": f"{API}/projects?q=project%2019&limit=200",
        "projects by a rare word": f"{API}/projects?q=aquifer&limit=200",
        "projects by a word that none has": f"{API}/projects?q=zz&limit=200",
        "the report's figures": f"{API}/reports/2025",
        "printed figures beside the rows'": f"{API}/differences/2025",
        "what became of a year": f"{API}/projects/became?from=2024&to=2025&limit=500",
        "what vanished in a year": f"{API}/projects/became?from=2024&to=2025&kind=vanished",
        "status by focus area": f"{API}/status?year=2025",
        "matches": f"{API}/matches",
    }
    found = {}
    for name, path in paths.items():
        times = []
        for _ in range(turns):
            began_s = time.monotonic()
            _ask(city, path)
            times.append(time.monotonic() - began_s)
        found[name] = quantile(times, 0.95)
    return found


def _reports(city: City) -> dict[str, float]:
    found = {}
    for form in ("json", "html", "pdf", "xlsx", "sdmx"):
        for language in ("th", "en"):
            began_s = time.monotonic()
            _ask(city, f"{API}/reports/{REPORT_YEAR}.{form}?lang={language}")
            found[f"{form}, {language}"] = time.monotonic() - began_s
    return found


def _ask(city: City, path: str) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{city.port}{path}", timeout=300) as answer:
        said: bytes = answer.read()
    return said


async def _main() -> None:
    for row in await bench(scale_asked()):
        print(f"{row.what}: {row.measured:.1f} {row.unit} (goal {row.goal})")
        for note in row.notes:
            print(f"    {note}")


if __name__ == "__main__":
    sys.exit(asyncio.run(_main()))
