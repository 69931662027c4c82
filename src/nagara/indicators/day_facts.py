"""What stations measured, by day: counted anew from history for each day that heard something."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

from nagara.context.days import sum_days
from nagara.engines.database import Connection
from nagara.indicators.measures import DaySet, Period, ReadingSet, Set, Tally

#: Days of stations counted anew in one transaction: about a second of work.
DIRTY_BATCH = 5_000
DayKey = tuple[str, str, date, str]  # entity, attribute, local day, type
Kind = tuple[str, str]  # type, attribute


async def mark(conn: Connection, keys: Collection[DayKey]) -> None:
    """Note days whose readings changed. Noted twice is noted once."""
    ordered = sorted(set(keys))  # one order for all who write: no deadlock
    await conn.execute(
        """insert into indicators.day_dirty (entity_id, attribute, day, entity_type)
           select * from unnest($1::text[], $2::text[], $3::date[], $4::text[])
           on conflict do nothing""",
        *[list(column) for column in zip(*ordered, strict=True)],
    )


async def take_dirty(conn: Connection) -> list[DayKey]:
    """Some of the days that were noted, forgotten in this transaction."""
    rows = await conn.fetch(
        """delete from indicators.day_dirty where ctid in
               (select ctid from indicators.day_dirty limit $1 for update skip locked)
           returning entity_id, attribute, day, entity_type""",
        DIRTY_BATCH,
    )
    return [tuple(row) for row in rows]


async def recount(
    conn: Connection, keys: Sequence[DayKey], zone: str, districts: Mapping[str, str | None]
) -> int:
    """Count these days anew from history; how many have any reading."""
    types = {(entity, attribute, day): kind for entity, attribute, day, kind in keys}
    sums = await sum_days(conn, list(types), zone)
    rows = [
        (
            one.entity_id,
            one.attribute,
            one.day,
            types[one.entity_id, one.attribute, one.day],
            districts.get(one.entity_id),
            one.readings,
            one.good,
            one.total,
            one.highest,
            one.hours,
        )
        for one in sums
    ]
    if not rows:
        return 0
    await conn.execute(
        """insert into indicators.day_fact as f
               (entity_id, attribute, day, entity_type, district, readings, good, total, highest,
                hours)
           select * from unnest($1::text[], $2::text[], $3::date[], $4::text[], $5::text[],
                                $6::int[], $7::int[], $8::float8[], $9::float8[], $10::int[])
           on conflict (entity_id, attribute, day) do update set
               district = excluded.district, readings = excluded.readings, good = excluded.good,
               total = excluded.total, highest = excluded.highest, hours = excluded.hours""",
        *[list(column) for column in zip(*rows, strict=True)],
    )
    return len(sums)


class _Row(Struct, frozen=True):
    """What the readings of one district come to in one period."""

    district: str | None
    readings: int
    good: int
    total: float
    highest: float | None
    hours: int
    hours_due: float
    days: int
    above: Mapping[float, int]


async def count(
    conn: Connection,
    wanted: Collection[DaySet | ReadingSet],
    now: datetime,
    periods: Sequence[Period],
    zone: ZoneInfo,
) -> dict[tuple[Set, int], Tally]:
    """All sets in all periods: one look at the facts for each type and attribute."""
    by_kind: dict[Kind, list[DaySet | ReadingSet]] = defaultdict(list)
    for one in wanted:
        by_kind[one.entity_type, one.attribute].append(one)
    found: dict[tuple[Set, int], Tally] = {}
    for kind, sets in by_kind.items():
        limits = sorted({s.above for s in sets if isinstance(s, DaySet) and s.above is not None})
        rows = await _rows(conn, kind, limits, now, periods, zone)
        heard: list[tuple[float, float]] = []
        if any(isinstance(s, ReadingSet) and s.what.startswith("heard") for s in sets):
            heard = await _heard(conn, kind, now, periods, zone)
        for i in range(len(periods)):
            for one in sets:
                found[one, i] = _tally(one, rows[i], heard[i] if heard else (0.0, 0.0))
    return found


def _days(period: Period, now: datetime, zone: ZoneInfo) -> tuple[date, date, datetime]:
    """First local day, last (included), and the instant up to which there can be readings."""
    start = period.start.astimezone(zone).date() if period.start else date(1900, 1, 1)
    until = min(period.end or now, now)
    return start, (until - timedelta(microseconds=1)).astimezone(zone).date(), until


async def _rows(
    conn: Connection,
    kind: Kind,
    limits: Sequence[float],
    now: datetime,
    periods: Sequence[Period],
    zone: ZoneInfo,
) -> list[list[_Row]]:
    bounds = [_days(period, now, zone) for period in periods]
    above = "".join(
        f", count(*) filter (where highest > ${7 + n}) as above{n}" for n in range(len(limits))
    )
    outer = "".join(f", sum(above{n})::bigint as above{n}" for n in range(len(limits)))
    rows = await conn.fetch(
        f"""select period, district, sum(readings)::bigint as readings, sum(good)::bigint as good,
                   sum(total) as total, max(highest) as highest, sum(hours)::bigint as hours,
                   sum(hours_due) as hours_due, sum(days)::bigint as days {outer}
            from (
                select p.i::int as period, f.entity_id, max(f.district) as district,
                       sum(f.readings) as readings, sum(f.good) as good, sum(f.total) as total,
                       max(f.highest) as highest, sum(bit_count(f.hours::bit(32))) as hours,
                       ceil(extract(epoch from
                            p.until - min(f.day)::timestamp at time zone $6) / 3600)::float8
                           as hours_due,
                       count(*) filter (where f.good > 0) as days {above}
                from unnest($1::date[], $2::date[], $3::timestamptz[])
                     with ordinality as p(s, e, until, i)
                join indicators.day_fact f on ($4 = 'any' or f.entity_type = $4)
                 and ($5 = 'any' or f.attribute = $5) and f.day between p.s and p.e
                group by p.i, p.until, f.entity_id, f.attribute
            ) station group by period, district""",  # noqa: S608 - numbers of this module
        [start for start, _, _ in bounds],
        [end for _, end, _ in bounds],
        [until for _, _, until in bounds],
        *kind,
        str(zone),
        *limits,
    )
    found: list[list[_Row]] = [[] for _ in periods]
    for row in rows:
        found[row["period"] - 1].append(
            _Row(
                row["district"],
                row["readings"],
                row["good"],
                row["total"],
                row["highest"],
                row["hours"],
                row["hours_due"],
                row["days"],
                {limit: row[f"above{n}"] for n, limit in enumerate(limits)},
            )
        )
    return found


async def _heard(
    conn: Connection, kind: Kind, now: datetime, periods: Sequence[Period], zone: ZoneInfo
) -> list[tuple[float, float]]:
    """Hours in which any station spoke, and hours since the first of them, in each period."""
    bounds = [_days(period, now, zone) for period in periods]
    rows = await conn.fetch(
        """select period, sum(bit_count(hours::bit(32))) as heard, min(day) as first from (
               select p.i::int as period, f.day, bit_or(f.hours) as hours
               from unnest($1::date[], $2::date[]) with ordinality as p(s, e, i)
               join indicators.day_fact f on ($3 = 'any' or f.entity_type = $3)
                and ($4 = 'any' or f.attribute = $4) and f.day between p.s and p.e
               where f.good > 0
               group by p.i, f.day
           ) daily group by period""",
        [start for start, _, _ in bounds],
        [end for _, end, _ in bounds],
        *kind,
    )
    by_period = {row["period"] - 1: row for row in rows}
    found = []
    for i, (_, _, until) in enumerate(bounds):
        row = by_period.get(i)
        if row is None:
            found.append((0.0, 0.0))
            continue
        began = datetime.combine(row["first"], datetime.min.time(), zone)
        due = -(-(until - began).total_seconds() // 3600)
        found.append((float(row["heard"]), max(due, float(row["heard"]))))
    return found


def _tally(one: DaySet | ReadingSet, rows: Sequence[_Row], heard: tuple[float, float]) -> Tally:
    if not rows:
        return Tally({}, None)
    if isinstance(one, DaySet):
        return _summed(
            (r.district, float(r.days if one.above is None else r.above[one.above])) for r in rows
        )
    match one.what:
        case "all":
            return _summed((r.district, float(r.readings)) for r in rows)
        case "good":
            return _summed((r.district, float(r.good)) for r in rows)
        case "sum":
            return _summed((r.district, r.total) for r in rows)
        case "hours":
            return _summed((r.district, float(r.hours)) for r in rows)
        case "hours_due":
            return _summed((r.district, max(r.hours_due, float(r.hours))) for r in rows)
        case "heard":
            return Tally({}, heard[0], additive=False)
        case "heard_due":
            return Tally({}, heard[1], additive=False)
        case "highest":
            most = {r.district: r.highest for r in rows if r.highest is not None}
            return Tally(most, max(most.values(), default=None), additive=False)
        case _:  # spread
            means = [r.total / r.good for r in rows if r.good and r.district is not None]
            return Tally({}, max(means) - min(means) if len(means) > 1 else None, additive=False)


def _summed(pairs: Iterable[tuple[str | None, float]]) -> Tally:
    rows = dict(pairs)
    return Tally(rows, sum(rows.values()))


async def list_counted(
    conn: Connection,
    one: DaySet | ReadingSet,
    now: datetime,
    period: Period,
    zone: ZoneInfo,
    district: str | None,
    after: tuple[str, date] | None,
    limit: int,
) -> list[Mapping[str, object]]:
    """The station days behind a number, by station and day."""
    start, end, _ = _days(period, now, zone)
    above = one.above if isinstance(one, DaySet) else None
    rows = await conn.fetch(
        """select entity_id, attribute, day, district, readings, good, total, highest
           from indicators.day_fact
           where ($1 = 'any' or entity_type = $1) and ($2 = 'any' or attribute = $2)
             and day between $3 and $4 and ($5::float8 is null or highest > $5)
             and ($6::text is null or district = $6)
             and ($7::text is null or (entity_id, day) > ($7, $8::date))
           order by entity_id, day limit $9""",
        one.entity_type,
        one.attribute,
        start,
        end,
        above,
        district,
        after[0] if after else None,
        after[1] if after else None,
        limit,
    )
    return [dict(row) for row in rows]
