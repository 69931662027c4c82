"""Made entities laid down in the database itself: a million of them in a minute."""

from __future__ import annotations

from city import City
from made import SOUTH, STEP, TYPE, WEST
from nagara.engines.database import Connection
from nagara.engines.running import attach

_STEP_ROWS = 100_000

_LAY = """
insert into context.entity (tenant, id, type, doc, sys, version, prior, created_at, modified_at,
    extent, geometry)
select '', 'urn:ngsi-ld:' || $4 || ':th-bkk:bench-' || lpad(n::text, 8, '0'), $4,
    jsonb_build_object(
        'temperature', jsonb_build_object('type', 'Property', 'unitCode', 'CEL',
            'value', round((20 + n * 7 % 1500 / 100.0)::numeric, 2),
            'observedAt', '2026-01-01T00:00:00Z'),
        'location', jsonb_build_object('type', 'GeoProperty', 'value',
            jsonb_build_object('type', 'Point', 'coordinates', jsonb_build_array(x, y))),
        'refDevice', jsonb_build_object('type', 'Relationship', 'object',
            'urn:ngsi-ld:Device:th-bkk:bench-sensor-' || lpad(n::text, 8, '0'))),
    '{}', 1, 0, now(), now(), box(point(x, y), point(x, y)),
    decode('0101000000', 'hex') || bytes_of(x) || bytes_of(y)
from (
    select n, round(($5::numeric + n % 1000 * $3::numeric), 5)::float8 as x,
        round(($6::numeric + n / 1000 % 1000 * $3::numeric), 5)::float8 as y
    from generate_series($1::bigint, $2::bigint) as g(n)
) s
"""
#: A float as WKB has it: little endian.
_BYTES = """
create or replace function pg_temp.bytes_of(v float8) returns bytea language sql immutable as $$
    select string_agg(substr(float8send(v), 9 - i, 1), ''::bytea order by i)
    from generate_series(1, 8) as i
$$
"""


async def lay_down(city: City, first: int, rows: int) -> None:
    """Stop the city, put made entities `first` to `first + rows` into its store, and put the table
    in order."""
    await city.stop()
    async with attach(city.root / "data") as attached:
        conn = await attached.database.connect()
        try:
            await lay(conn, first, rows)
        finally:
            await conn.close()


async def lay(conn: Connection, first: int, rows: int) -> None:
    """See `lay_down`; over a connection that is there."""
    await conn.execute(_BYTES)
    await conn.execute("set synchronous_commit = off")
    sql = _LAY.replace("bytes_of(", "pg_temp.bytes_of(")
    for start in range(first, first + rows, _STEP_ROWS):
        last = min(start + _STEP_ROWS, first + rows) - 1
        await conn.execute(sql, start, last, STEP, TYPE, WEST, SOUTH)
    await conn.execute("select context.recount_census()")
    await conn.execute("delete from context.lookup")  # these follow the log
    await conn.execute("vacuum (analyze) context.entity")
    await conn.execute("checkpoint")
