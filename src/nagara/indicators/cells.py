"""The cells of broken-down values, as much of them as hiding the small ones needs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from msgspec import Struct

from nagara.engines.database import Connection


class Cell(Struct, frozen=True):
    """What hiding small cells needs of a value; `table` is the place of its table in the
    question."""

    table: int
    id: int
    area: str
    breakdown: str
    numerator: float | None
    denominator: float | None


#: A table of cells: city, definition, start and end of its period, and whether it is broken down.
Table = tuple[str, str, date, date, bool]


async def list_cells(conn: Connection, tables: Sequence[Table]) -> list[Cell]:
    """Every cell of these tables, drafts too, in one statement."""
    rows = await conn.fetch(
        """select t.n::int, v.id, v.area, v.breakdown, v.numerator, v.denominator
           from unnest($1::text[], $2::text[], $3::date[], $4::date[], $5::bool[])
                with ordinality as t(city, code, starts, ends, broken, n)
           cross join lateral (
               select * from indicators.value
               where city = t.city and code = t.code and period_end = t.ends
                 and period_start = t.starts and (t.broken or breakdown = '')
                 and (area, breakdown) <> ('', '')
               offset 0  -- the index for each table, never all values at once
           ) v""",
        *[list(column) for column in zip(*tables, strict=True)],
    )
    return [Cell(*row) for row in rows]
