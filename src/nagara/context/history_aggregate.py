"""Aggregates over history (clause 4.5.19): counts, sums, extremes for each period of time.

Whole hours of numbers are taken from what the chunks hold for each hour; the ragged rest is
counted from its values. Both ways add within the hour first, in the order of time, so that an
answer is the same to the last bit wherever its values lay.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, time, timedelta
from operator import add
from typing import Any, Literal

from asyncpg import Record
from msgspec import Raw, Struct

from nagara.context.history import (
    Series,
    Span,
    bounds_of,
    log_sql,
    packed_rows,
    read_chunk_days,
    read_instances,
)
from nagara.context.history_periods import Periods, edge, slots
from nagara.context.model import plain_value
from nagara.context.packed import (
    DAY_US,
    HOUR_US,
    Packed,
    instance_of,
    instant_text,
    micros,
    number_of,
)
from nagara.context.store import Conn, encode

SeriesKey = tuple[int, str, str]
#: Targets and URIs are counted only; times of the day have a mean (tables 4.5.19.1-2 and -3).
_Sort = Literal["", "target", "time"]


class Encoded(Struct, frozen=True):
    """Periods that are JSON already: an object for each hour of a thousand sensors is most of the
    work of an answer."""

    count: int
    text: Raw

    def __len__(self) -> int:
        return self.count


#: method → [value, start, end] of each period that has values.
Aggregates = dict[str, list[list[Any]] | Encoded]

#: Values of one aggregate answer: hourly values of 1,000 sensors over 40 days.
AGGREGATES_MAX = 1_000_000
#: Instances of one series that are read for an aggregate.
INSTANCES_MAX = 5_000_000

_HOURLY = frozenset({"totalCount", "sum", "avg", "min", "max", "stddev", "sumsq"})


class _Sum:
    """What is known of the numbers of a period, or of an hour of it."""

    __slots__ = ("high", "low", "n", "square", "total")

    def __init__(self, n: int, total: float, square: float, low: float, high: float) -> None:
        self.n, self.total, self.square, self.low, self.high = n, total, square, low, high

    def add(self, n: int, total: float, square: float, low: float, high: float) -> None:
        self.n += n
        self.total += total
        self.square += square
        self.low = low if low < self.low else self.low
        self.high = high if high > self.high else self.high


def _deviation(n: int, total: float, square: float) -> float:
    """The standard deviation of all the values (not of a sample)."""
    mean = total / n
    return math.sqrt(max(0.0, square / n - mean * mean))


_SAYS: dict[str, Callable[[_Sum], Any]] = {
    "totalCount": lambda s: s.n,
    "sum": lambda s: s.total,
    "avg": lambda s: s.total / s.n,
    "min": lambda s: s.low,
    "max": lambda s: s.high,
    "sumsq": lambda s: s.square,
    "stddev": lambda s: _deviation(s.n, s.total, s.square),
}

_HOURS = """
select no, name, dataset, day, hours, counts, sums, numbers = n as pure {columns}
from context.chunk
where no = any($1::bigint[]) and ($2::text[] is null or name = any($2)) and day >= $3 and day <= $4
order by no, name, dataset, day
"""


async def read_aggregates(
    conn: Conn,
    nos: Sequence[int],
    names: Sequence[str] | None,
    span: Span,
    periods: Periods,
    methods: Sequence[str],
) -> dict[SeriesKey, Aggregates]:
    """Aggregates of the attributes of entities, by series."""
    if span.by == "observedAt" and periods.is_of_hours() and _HOURLY.issuperset(methods):
        return await _read_hourly(conn, nos, names, span, periods, methods)
    series, _ = await read_instances(conn, nos, names, span, INSTANCES_MAX)
    return aggregate(series, periods, methods)


def aggregate(
    series: Series, periods: Periods, methods: Sequence[str]
) -> dict[SeriesKey, Aggregates]:
    """Aggregates of instances that are at hand. Without an origin, the periods of an entity begin
    at its first instance."""
    first: dict[int, int] = {}
    for (no, _, _), found in series.items():
        first[no] = min(first.get(no, found[0].key), found[0].key)
    made = {}
    for key, found in series.items():
        own = periods
        if periods.origin is None:
            own = Periods(periods.months, periods.micros, first[key[0]], periods.end)
        if all(p.number is not None for p in found) and _HOURLY.issuperset(methods):
            made[key] = _told(_sums(_parts(found, own), own), found[-1].key, own, methods)
        else:
            made[key] = _of_anything(found, own, methods)
    return made


_Part = tuple[int, int, float, float, float, float]  # time, n, sum, sum of squares, min, max


def _parts(found: Iterable[Packed], periods: Periods) -> list[_Part]:
    """Numbers added up by the hour, or one by one where a period cuts through hours."""
    if not periods.is_of_hours():
        return [(p.key, 1, v, v * v, v, v) for p in found if (v := p.number) is not None]
    parts: list[_Part] = []
    hour, n, total, square, low, high = -1 << 62, 0, 0.0, 0.0, 0.0, 0.0
    for p in found:
        v = p.number
        assert v is not None
        here = p.key // HOUR_US
        if here != hour:
            if n:
                parts.append((hour * HOUR_US, n, total, square, low, high))
            hour, n, total, square, low, high = here, 0, 0.0, 0.0, v, v
        n += 1
        total += v
        square += v * v
        low = v if v < low else low
        high = v if v > high else high
    if n:
        parts.append((hour * HOUR_US, n, total, square, low, high))
    return parts


def _sums(parts: Iterable[_Part], periods: Periods) -> dict[int, _Sum]:
    slot_of = slots(periods)
    sums: dict[int, _Sum] = {}
    for at, n, total, square, low, high in parts:
        slot = slot_of(at)
        held = sums.get(slot)
        if held is None:
            sums[slot] = _Sum(n, total, square, low, high)
        else:
            held.add(n, total, square, low, high)
    return sums


def _told(sums: dict[int, _Sum], last: int, periods: Periods, methods: Sequence[str]) -> Aggregates:
    edges = [(edge(periods, slot, last), s) for slot, s in sorted(sums.items())]
    return {m: [[_SAYS[m](s), start, end] for (start, end), s in edges] for m in methods}


async def _read_hourly(
    conn: Conn,
    nos: Sequence[int],
    names: Sequence[str] | None,
    span: Span,
    periods: Periods,
    methods: Sequence[str],
) -> dict[SeriesKey, Aggregates]:
    """Aggregates of whole hours: from the chunks where they are whole, else from the values."""
    first, last = bounds_of(span)
    full = not {"min", "max", "sumsq", "stddev"}.isdisjoint(methods)
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        folded: int = await conn.fetchval("select seq from context.folded")
        sql = await log_sql(conn, len(nos), span, folded, newest=False)
        tail = packed_rows(
            await conn.fetch(sql, nos, folded, names, span.start, span.end, INSTANCES_MAX)
        )
        rows = await conn.fetch(
            _HOURS.format(columns=", squares, mins, maxs" if full else ""),
            nos,
            names,
            first // DAY_US,
            last // DAY_US,
        )
        ragged = {(*key, p.key // DAY_US) for key, found in tail.items() for p in found}
        plain: list[Record] = []
        cut = (last + 1) % HOUR_US != 0 and span.end is not None
        for row in rows:
            place = (row["no"], row["name"], row["dataset"], row["day"])
            if not row["pure"] or place in ragged or (cut and row["day"] == last // DAY_US):
                ragged.add(place)
            else:
                plain.append(row)
        values = await read_chunk_days(conn, ragged, first, last)
        for key, found in tail.items():
            values.setdefault(key, []).extend(found)
        mixed = {k for k, found in values.items() if any(p.number is None for p in found)}
        if mixed:  # what is not all numbers is counted from its values alone
            days = {
                (r["no"], r["name"], r["dataset"], r["day"])
                for r in plain
                if (r["no"], r["name"], r["dataset"]) in mixed
            }
            for key, found in (await read_chunk_days(conn, days, first, last)).items():
                values[key].extend(found)
    for found in values.values():
        found.sort()
    if first % DAY_US == 0 and (last + 1) % DAY_US == 0:
        bounds = None
    else:
        bounds = (first // HOUR_US, last // HOUR_US)
    if not values and not full and periods.micros == HOUR_US:
        return _hours_as_they_are(plain, bounds, methods)
    parts = _hour_parts(plain, bounds, full, mixed)
    for key, found in values.items():
        if key not in mixed:
            parts.setdefault(key, []).extend(_parts(found, periods))
    made: dict[SeriesKey, Aggregates] = {}
    for key, own in parts.items():
        own.sort()
        end = values[key][-1].key if key in values else 0
        made[key] = _told(_sums(own, periods), max(end, own[-1][0]), periods, methods)
    made.update(aggregate({k: values[k] for k in mixed}, periods, methods))
    return made


def _hours_as_they_are(
    rows: Iterable[Record], bounds: tuple[int, int] | None, methods: Sequence[str]
) -> dict[SeriesKey, Aggregates]:
    """Counts, sums and means by the hour, where the chunks have all of it: the common question."""
    texts: dict[SeriesKey, dict[str, list[bytes]]] = {}
    days: dict[int, list[bytes]] = {}  # what follows the number of each hour
    for no, name, dataset, day, hours, counts, sums, _pure in rows:
        ends = days.get(day)
        if ends is None:
            marks = [instant_text(day * DAY_US + h * HOUR_US) for h in range(25)]
            ends = days[day] = [f',"{a}","{b}"]'.encode() for a, b in itertools.pairwise(marks)]
        if bounds is not None:
            first, last = bounds[0] - day * 24, bounds[1] - day * 24
            kept = [i for i, h in enumerate(hours) if first <= h <= last]
            if len(kept) < len(hours):
                hours, counts, sums = ([c[i] for i in kept] for c in (hours, counts, sums))
        if not hours:
            continue
        own = texts.get((no, name, dataset))
        if own is None:
            own = texts[(no, name, dataset)] = {m: [] for m in methods}
        if len(hours) < 24:
            ends = [ends[h] for h in hours]
        for method in methods:
            if method == "avg":
                said = [s / n for n, s in zip(counts, sums, strict=True)]
            else:
                said = sums if method == "sum" else counts
            own[method] += map(add, encode(said)[1:-1].split(b","), ends)
    return {key: {m: _encoded(said) for m, said in own.items()} for key, own in texts.items()}


def _encoded(periods: list[bytes]) -> Encoded:
    return Encoded(len(periods), Raw(b"[[" + b",[".join(periods) + b"]"))


def _hour_parts(
    rows: Iterable[Record], bounds: tuple[int, int] | None, full: bool, mixed: set[SeriesKey]
) -> dict[SeriesKey, list[_Part]]:
    parts: dict[SeriesKey, list[_Part]] = {}
    for row in rows:
        key = (row["no"], row["name"], row["dataset"])
        if key in mixed:
            continue
        start = row["day"] * 24
        sums = row["sums"]
        columns = (row["squares"], row["mins"], row["maxs"]) if full else (sums, sums, sums)
        made = [
            ((start + hour) * HOUR_US, *numbers)
            for hour, *numbers in zip(row["hours"], row["counts"], sums, *columns, strict=True)
            if bounds is None or bounds[0] <= start + hour <= bounds[1]
        ]
        if made:
            parts.setdefault(key, []).extend(made)
    return parts


def _of_anything(found: list[Packed], periods: Periods, methods: Sequence[str]) -> Aggregates:
    """Aggregates of values of any kind; a method that does not fit them is left out."""
    slot_of = slots(periods)
    groups: dict[int, list[tuple[Any, _Sort]]] = {}
    for p in found:
        if p.number is not None:
            said: tuple[Any, _Sort] = number_of(p), ""
        else:
            instance = instance_of(p)
            said = plain_value(instance), _sort_of(instance)
        groups.setdefault(slot_of(p.key), []).append(said)
    made: dict[str, list[list[Any]]] = {}
    for slot, values in sorted(groups.items()):
        start, end = edge(periods, slot, found[-1].key)
        for method in methods:
            told = _said(method, [v for v, _ in values], {sort for _, sort in values})
            if told is not None:
                made.setdefault(method, []).append([told, start, end])
    return {**made}


def _sort_of(instance: dict[str, Any]) -> _Sort:
    """What the value of an instance is, where it does not say so by itself (4.5.19.1)."""
    if not instance.keys().isdisjoint(("object", "objectList")):
        return "target"
    value = instance.get("value")
    kind = value.get("@type") if isinstance(value, dict) else instance.get("valueType")
    if kind == "URI":
        return "target"
    return "time" if kind == "Time" else ""


def _said(method: str, values: list[Any], sorts: set[_Sort]) -> Any:
    if method == "totalCount":
        return len(values)
    if method == "distinctCount":
        return len({json.dumps(v, sort_keys=True) for v in values})
    if "target" in sorts:
        return None
    if method == "avg" and sorts == {"time"}:
        return _mean_time(values)
    if method in ("stddev", "sumsq") and any(isinstance(v, list) for v in values):
        return None
    if method in ("min", "max") and all(isinstance(v, str) for v in values):
        return min(values) if method == "min" else max(values)
    numbers = [_as_number(v) for v in values]
    if any(n is None for n in numbers):
        return None
    total = _Sum(0, 0.0, 0.0, math.inf, -math.inf)
    for n in numbers:
        assert n is not None
        total.add(1, n, n * n, n, n)
    return _SAYS[method](total)


def _mean_time(values: list[Any]) -> str | None:
    """The mean of times of the day."""
    try:
        times = [time.fromisoformat(v) for v in values]
    except (TypeError, ValueError):
        return None
    second = 1_000_000
    micros_of = [((t.hour * 60 + t.minute) * 60 + t.second) * second + t.microsecond for t in times]
    mean = datetime(1, 1, 1, tzinfo=UTC) + timedelta(microseconds=sum(micros_of) // len(micros_of))
    return mean.time().isoformat() + ("Z" if all(t.tzinfo for t in times) else "")


def _as_number(value: Any) -> float | None:
    """Numbers, the size of a list, a boolean as 0 or 1 (table 4.5.19.1-1)."""
    if isinstance(value, list):
        return float(len(value))
    try:
        return float(value) if isinstance(value, bool | int | float) else None
    except OverflowError:  # a whole number of more than 308 digits
        return None


def end_of(span: Span) -> int | None:
    """The end of a span in microseconds, if it has one."""
    return None if span.end is None else micros(span.end)
