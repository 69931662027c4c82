"""The room's own table of case facts: kept by a reader, counted by the formulas."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from nagara.engines.database import Connection
from nagara.indicators.fact_table import FactTable
from nagara.indicators.measures import CaseSet, Period, Set, Tally
from nagara.indicators.model import Fact, Missing

_OVER = "state in ('resolved', 'closed', 'rejected')"
#: What is true of a case that counts; `$1` is the city's time.
_CONDITIONS: Mapping[str, str] = {
    "resolved_in_time": (
        "state <> 'rejected' and resolved_at <= due_at and not missed and due_at is not null"
    ),
    "resolved_or_overdue": "state <> 'rejected' and (resolved_at is not null or due_at < $1)",
    "opened": "true",
    "open": f"not {_OVER}",
    "overdue": f"not {_OVER} and due_at < $1",
    "accepted": "accepted_at is not null",
    "accepted_in_day": "accepted_at <= opened_at + interval '24 hours'",
    "resolved": "resolved_at is not null",
    "resolved_late": "resolved_at > due_at",
    "ended": _OVER,
    "reopened": "reopened > 0",
    "rejected": "state = 'rejected'",
    "photo_proof": "resolved_at is not null and resolution = 'photo'",
    "placed": "district is not null",
    "from_alerts": "source = 'alert'",
    "from_people": "source is distinct from 'alert'",
    "own_channel": "source = 'resident'",
    "rated": "rating is not null",
    "satisfied": "rating >= 4",
    # each is counted over cases that have the times it speaks of
    "stars": "rating is not null",
    "hours_late": "resolved_at > due_at",
    "median_hours_to_accept": "accepted_at >= opened_at",
    "median_hours_to_resolve": "resolved_at >= opened_at",
    "resolved_then": "resolved_at is not null",
}
_SUMS = {"stars": "rating", "hours_late": "extract(epoch from resolved_at - due_at) / 3600"}
_MEDIANS = {
    "median_hours_to_accept": "extract(epoch from accepted_at - opened_at) / 3600",
    "median_hours_to_resolve": "extract(epoch from resolved_at - opened_at) / 3600",
}
#: Counted by the day they were resolved; all others by the day they were opened.
_BY_RESOLUTION = frozenset({"resolved_then"})
_TABLE = FactTable("indicators.case_fact", Fact, Fact)
_LIST = _TABLE.columns
load, save = _TABLE.load, _TABLE.save


async def count(
    conn: Connection, wanted: Collection[CaseSet], now: datetime, periods: Sequence[Period]
) -> dict[tuple[Set, int], Tally]:
    """All sets in all periods, in one look at the table for each way of dating."""
    found: dict[tuple[Set, int], Tally] = {}
    for column in ("opened_at", "resolved_at"):
        sets = [s for s in wanted if (s.count in _BY_RESOLUTION) == (column == "resolved_at")]
        if sets:
            found |= await _count_by(conn, column, sets, now, periods)
    return found


async def _count_by(
    conn: Connection,
    column: str,
    sets: Sequence[CaseSet],
    now: datetime,
    periods: Sequence[Period],
) -> dict[tuple[Set, int], Tally]:
    measured = ", ".join(f"{_sql(one.count)} as c{n}" for n, one in enumerate(sets))
    rows = await conn.fetch(
        f"""select p.i::int as period, f.district, grouping(f.district) = 1 as whole, {measured}
            from unnest($2::timestamptz[], $3::timestamptz[]) with ordinality as p(s, e, i)
            join indicators.case_fact f on f.{column} >= p.s and f.{column} < p.e
            where $1::timestamptz is not null
            group by grouping sets ((p.i, f.district), (p.i))""",  # noqa: S608 - words of this module
        now,
        [period.start or datetime.min.replace(tzinfo=now.tzinfo, year=1900) for period in periods],
        [period.end or datetime.max.replace(tzinfo=now.tzinfo, year=2900) for period in periods],
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
    if word in _SUMS:
        return f"coalesce(sum({_SUMS[word]}) filter (where {condition}), 0)::float8"
    if word in _MEDIANS:
        median = f"percentile_cont(0.5) within group (order by ({_MEDIANS[word]})::float8)"
        return f"{median} filter (where {condition})"
    return f"count(*) filter (where {condition})"


async def count_incomplete(conn: Connection, period: Period) -> dict[Missing, int]:
    """Cases that a value cannot count in full, by what they lack."""
    row = await conn.fetchrow(
        """select count(*) filter (where district is null) as without_district,
                  count(*) filter (where due_at is null) as without_due_time
           from indicators.case_fact
           where ($1::timestamptz is null or opened_at >= $1)
             and ($2::timestamptz is null or opened_at < $2)""",
        period.start,
        period.end,
    )
    if row is None:
        return {}
    return {
        "without-district": row["without_district"],
        "without-due-time": row["without_due_time"],
    }


async def first_opened_at(conn: Connection) -> datetime | None:
    """When the first case was opened that the city knows."""
    found: datetime | None = await conn.fetchval("select min(opened_at) from indicators.case_fact")
    return found


async def list_counted(
    conn: Connection,
    which: str,
    now: datetime,
    period: Period,
    district: str | None,
    after: str | None,
    limit: int,
    departments: Sequence[str] | None = None,
) -> list[Fact]:
    """The cases behind a number, by id; of these departments alone (None: of all)."""
    column = "resolved_at" if which in _BY_RESOLUTION else "opened_at"
    rows = await conn.fetch(
        f"""select {_LIST} from indicators.case_fact
            where ({_CONDITIONS[which]}) and $1::timestamptz is not null
              and ($2::timestamptz is null or {column} >= $2)
              and ($3::timestamptz is null or {column} < $3)
              and ($4::text is null or district = $4) and ($5::text is null or case_id > $5)
              and ($7::text[] is null or department = any($7))
            order by case_id limit $6""",  # noqa: S608 - conditions of this module
        now,
        period.start,
        period.end,
        district,
        after,
        limit,
        None if departments is None else list(departments),
    )
    return [Fact(**dict(row)) for row in rows]
