"""The room's own table of case facts: kept by a reader, counted by the formulas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import asdict

from nagara.engines.database import Connection
from nagara.indicators.model import CaseCount, Count, Fact, Missing

#: What is true of a case that counts; `$1` is the city's time.
_CONDITIONS: Mapping[CaseCount, str] = {
    "resolved_in_time": (
        "state <> 'rejected' and resolved_at <= due_at and not missed and due_at is not null"
    ),
    "resolved_or_overdue": "state <> 'rejected' and (resolved_at is not null or due_at < $1)",
    "opened": "true",
    "open": "state not in ('resolved', 'closed', 'rejected')",
    "overdue": "state not in ('resolved', 'closed', 'rejected') and due_at < $1",
}
_COLUMNS = Fact.__struct_fields__
_LIST = ", ".join(_COLUMNS)
_SAVE = (
    f"insert into indicators.case_fact as f ({_LIST}) values"  # noqa: S608 - our own type's columns
    f" ({', '.join(f'${i}' for i in range(1, len(_COLUMNS) + 1))})"
    " on conflict (case_id) do update set "
    + ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[1:])
    + " where f.seq < excluded.seq"
)


class Period(Struct, frozen=True):
    """Cases opened from `start` (included) to `end` (not); None: without bound."""

    start: datetime | None = None
    end: datetime | None = None


async def load(conn: Connection, case_ids: Sequence[str]) -> dict[str, Fact]:
    """The facts of these cases, a fresh one where nothing is known."""
    rows = await conn.fetch(
        f"select {_LIST} from indicators.case_fact where case_id = any($1::text[])",  # noqa: S608
        list(case_ids),
    )
    found = {case_id: Fact(case_id) for case_id in case_ids}
    return found | {row["case_id"]: Fact(**dict(row)) for row in rows}


async def save(conn: Connection, facts: Sequence[Fact]) -> None:
    """Keep facts that are newer than what is kept."""
    await conn.executemany(_SAVE, [tuple(asdict(fact).values()) for fact in facts])


async def count(
    conn: Connection,
    numerator: CaseCount,
    denominator: CaseCount,
    now: datetime,
    period: Period,
) -> list[Count]:
    """The two counts by district, in one look at the table."""
    rows = await conn.fetch(
        f"""select district,
                   count(*) filter (where {_CONDITIONS[numerator]}) as numerator,
                   count(*) filter (where {_CONDITIONS[denominator]}) as denominator
            from indicators.case_fact
            where ($2::timestamptz is null or opened_at >= $2)
              and ($3::timestamptz is null or opened_at < $3)
              and $1::timestamptz is not null
            group by district order by district""",  # noqa: S608 - conditions of this module
        now,
        period.start,
        period.end,
    )
    return [Count(row["district"], row["numerator"], row["denominator"]) for row in rows]


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


async def list_counted(
    conn: Connection,
    which: CaseCount,
    now: datetime,
    period: Period,
    district: str | None,
    after: str | None,
    limit: int,
    departments: Sequence[str] | None = None,
) -> list[Fact]:
    """The cases behind a number, by id; of these departments alone (None: of all)."""
    rows = await conn.fetch(
        f"""select {_LIST} from indicators.case_fact
            where ({_CONDITIONS[which]}) and $1::timestamptz is not null
              and ($2::timestamptz is null or opened_at >= $2)
              and ($3::timestamptz is null or opened_at < $3)
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
