"""Figures as reports printed them, and phases of countries' own programmes."""

from __future__ import annotations

from collections.abc import Sequence

from nagara.engines.database import Connection
from nagara.network.archive import Phase, Printed


async def put_printed(conn: Connection, found: Sequence[Printed]) -> None:
    """Keep figures as printed; said again, the later holds."""
    await conn.executemany(
        "insert into network.printed (year, measure, value, unit, note, on_date, cities, projects,"
        " file, line) values ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10) on conflict (year, measure) do update"
        " set value = excluded.value, unit = excluded.unit, note = excluded.note,"
        " on_date = excluded.on_date, cities = excluded.cities, projects = excluded.projects,"
        " file = excluded.file, line = excluded.line",
        [
            (p.year, p.measure, p.value, p.unit, p.note, p.on, p.cities, p.projects, p.file, p.line)
            for p in found
        ],
    )


async def list_printed(conn: Connection, year: int) -> list[Printed]:
    """Figures as printed of a year, in the order of the file."""
    rows = await conn.fetch(
        "select year, measure, value, unit, note, on_date as on, cities, projects, file, line"
        " from network.printed where year = $1 order by line",
        year,
    )
    return [Printed(**dict(row)) for row in rows]


async def put_phases(conn: Connection, found: Sequence[Phase]) -> None:
    """Keep the phases of a country's programme."""
    await conn.executemany(
        "insert into network.programme (country, phase, period, province, how, source)"
        " values ($1,$2,$3,$4,$5,$6) on conflict (country, phase, province) do update set"
        " period = excluded.period, how = excluded.how, source = excluded.source",
        [(p.country, p.phase, p.period, p.province, p.how, p.source) for p in found],
    )


async def list_phases(conn: Connection, country: str | None) -> list[Phase]:
    """Phases and provinces."""
    rows = await conn.fetch(
        "select country, phase, period, province, how, source from network.programme"
        " where $1::text is null or country = $1 order by country, phase, province",
        country,
    )
    return [Phase(**dict(row)) for row in rows]
