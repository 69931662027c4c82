"""The room's own table of alert facts: kept by a reader, counted by the formulas."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from nagara.engines.database import Connection
from nagara.indicators.fact_table import FactTable
from nagara.indicators.measures import AlertSet, Period, Set, Tally
from nagara.indicators.model import AlertFact

_CONDITIONS: Mapping[str, str] = {
    "issued": "true",
    "acknowledged": "acknowledged_at is not null",
    "resolved": "resolved_at is not null",
    "with_case": "case_id is not null",
    "escalated": "escalated_at is not null",
    "live": "state in ('open', 'acknowledged')",
    "median_minutes_to_acknowledge": "acknowledged_at >= issued_at",
    "median_hours_open": "resolved_at >= issued_at",
}
_MEDIANS = {
    "median_minutes_to_acknowledge": "extract(epoch from acknowledged_at - issued_at) / 60",
    "median_hours_open": "extract(epoch from resolved_at - issued_at) / 3600",
}
_TABLE = FactTable("indicators.alert_fact", AlertFact, AlertFact)
_LIST = _TABLE.columns
load, save = _TABLE.load, _TABLE.save


async def count(
    conn: Connection, wanted: Collection[AlertSet], periods: Sequence[Period], far: datetime
) -> dict[tuple[Set, int], Tally]:
    """All sets in all periods, by the day the alert was issued. `far`: any time, for its zone."""
    sets = list(wanted)
    measured = ", ".join(f"{_sql(one.count)} as c{n}" for n, one in enumerate(sets))
    rows = await conn.fetch(
        f"""select p.i::int as period, f.district, grouping(f.district) = 1 as whole, {measured}
            from unnest($1::timestamptz[], $2::timestamptz[]) with ordinality as p(s, e, i)
            join indicators.alert_fact f on f.issued_at >= p.s and f.issued_at < p.e
            group by grouping sets ((p.i, f.district), (p.i))""",  # noqa: S608 - words of this module
        [period.start or far.replace(year=1900, month=1, day=1) for period in periods],
        [period.end or far.replace(year=2900, month=1, day=1) for period in periods],
    )
    found: dict[tuple[Set, int], Tally] = {}
    of_period: list[list[Any]] = [[] for _ in periods]
    for row in rows:
        of_period[row["period"] - 1].append(row)
    for n, one in enumerate(sets):
        await asyncio.sleep(0)  # fifty numbers of fifty districts in ten years: others wait too
        additive = one.count not in _MEDIANS
        for i in range(len(periods)):
            mine = [r for r in of_period[i] if r[f"c{n}"] is not None]
            parts = {r["district"]: float(r[f"c{n}"]) for r in mine if not r["whole"]}
            whole = next((float(r[f"c{n}"]) for r in mine if r["whole"]), 0.0 if additive else None)
            found[one, i] = Tally(parts, whole, additive)
    return found


def _sql(word: str) -> str:
    condition = _CONDITIONS[word]
    if word in _MEDIANS:
        median = f"percentile_cont(0.5) within group (order by ({_MEDIANS[word]})::float8)"
        return f"{median} filter (where {condition})"
    return f"count(*) filter (where {condition})"


async def list_live_districts(conn: Connection) -> set[str]:
    """Districts with an alert that is not over."""
    rows = await conn.fetch(
        """select distinct district from indicators.alert_fact
           where state in ('open', 'acknowledged') and district is not null"""
    )
    return {row["district"] for row in rows}


async def list_counted(
    conn: Connection,
    which: str,
    period: Period,
    district: str | None,
    after: str | None,
    limit: int,
) -> list[AlertFact]:
    """The alerts behind a number, by id."""
    rows = await conn.fetch(
        f"""select {_LIST} from indicators.alert_fact
            where ({_CONDITIONS[which]})
              and ($1::timestamptz is null or issued_at >= $1)
              and ($2::timestamptz is null or issued_at < $2)
              and ($3::text is null or district = $3) and ($4::text is null or alert_id > $4)
            order by alert_id limit $5""",  # noqa: S608 - conditions of this module
        period.start,
        period.end,
        district,
        after,
        limit,
    )
    return [AlertFact(**dict(row)) for row in rows]
