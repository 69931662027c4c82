"""History: what the change log says of an entity's attributes in time.

Most of it lies in chunks (`history_chunks`); what the log has beyond them is read from the log.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Literal

from asyncpg import Record
from msgspec import Struct

from nagara.context.model import Sample, plain_value
from nagara.context.packed import DAY_US, Packed, instance_of, instant, is_removal, micros
from nagara.context.store import Conn
from nagara.vocab.observation import SUSPECT

TimeProperty = Literal["observedAt", "createdAt", "modifiedAt", "deletedAt"]

#: Entities whose rest in the log is looked up one by one; more are found by reading the rest of
#: the log once.
ONE_BY_ONE_MAX = 20
#: Rows of the log behind the chunks that are read at once rather than through the index.
TAIL_READ_MAX = 400_000

#: (entity number, attribute, datasetId or '') → instances in the order of their time.
Series = dict[tuple[int, str, str], list[Packed]]


class Span(Struct, frozen=True):
    """A time asked about: half-open, start included (clause 4.11)."""

    start: datetime | None = None
    end: datetime | None = None
    by: TimeProperty = "observedAt"


_PACKED = """
select c.no, x.name, coalesce(i.instance ->> 'datasetId', '') as dataset,
       context.micros({key}) as key, c.seq, x.idx,
       case when k.kind <> 'v' then (i.instance ->> 'value')::float8 end as val,
       context.micros(c.recorded_at) as recorded,
       context.pack_rest(i.instance, k.kind, to_char(
           i.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')) as rest,
       context.micros(i.at) as at
from ({rows}) c
cross join lateral context.instances(c.attrs) x
left join context.amendment m
    on m.no = c.no and m.seq = c.seq and m.name = x.name and m.idx = x.idx
cross join lateral (
    select coalesce(m.at, c.at) as at, coalesce(m.modified_at, c.recorded_at) as modified_at,
           case when m.no is null then x.instance
                else m.instance || jsonb_build_object('modifiedAt', m.modified_at) end as instance
) i
cross join lateral (
    select context.number_kind(i.instance ->> 'value', jsonb_typeof(i.instance -> 'value')) as kind
) k
where i.instance is not null and {condition}
  and ($3::text[] is null or x.name = any($3))
  and ($4::timestamptz is null or {key} >= $4) and ($5::timestamptz is null or {key} < $5)
  and not context.is_erased(c.no, x.name, coalesce(i.instance ->> 'datasetId', ''), c.seq)
order by key {direction}, c.seq {direction}, x.idx {direction} limit $6
"""

_COLUMNS = "r.no, r.seq, r.at, r.recorded_at, r.attrs"
_IN_SPAN = """r.at >= coalesce($4::timestamptz, '-infinity')
    and r.at < coalesce($5::timestamptz, 'infinity')"""
_AMENDED = f"""
select {_COLUMNS} from context.change r
where r.seq in (select a.seq from context.amendment a
                where a.no = any($1::bigint[]) and a.at >= coalesce($4::timestamptz, '-infinity')
                  and a.at < coalesce($5::timestamptz, 'infinity'))
  and r.seq > $2 and not ({_IN_SPAN})
"""  # noqa: S608 - built from constants of this module
_ONE_BY_ONE = f"""
select {_COLUMNS} from unnest($1::bigint[]) w(no)
join context.change r on r.no = w.no and {_IN_SPAN} and r.seq > $2
union all {_AMENDED}
"""  # noqa: S608 - built from constants of this module
_AT_ONCE = f"""
select {_COLUMNS} from context.change r
where r.seq > $2 and r.no = any($1::bigint[]) and {_IN_SPAN}
union all {_AMENDED}
"""  # noqa: S608 - built from constants of this module
_BY_NO = f"""
select {_COLUMNS} from unnest($1::bigint[]) w(no)
join context.change r on r.no = w.no and r.seq > $2
"""  # noqa: S608 - built from constants of this module
_KEYS = {
    "observedAt": "i.at",
    "createdAt": "c.recorded_at",
    "modifiedAt": "i.modified_at",
    "deletedAt": "i.at",
}

_CHUNKS = """
select no, name, dataset, day, ats, vals, seqs, idxs, recorded, rests from (
    select c.*, sum(n) over (partition by no, name, dataset order by day {direction})
                - n - first_value(n) over (partition by no, name, dataset order by day {direction})
                as ahead
    from context.chunk c
    where no = any($1::bigint[]) and ($2::text[] is null or name = any($2))
      and day >= $3 and day <= $4
) s where ahead <= $5 order by day
"""

DAY_MIN, DAY_MAX = -800_000, 3_000_000  # of the years that PostgreSQL and Python both know


#: Instances that are read from the log behind the chunks for one answer: half a second of work.
LOG_MAX = 200_000


async def read_instances(
    conn: Conn,
    nos: Sequence[int],
    names: Sequence[str] | None,
    span: Span,
    most: int,
    newest: bool = False,
) -> tuple[Series, int | None]:
    """The instances of attributes of entities in a span, by series.

    `most` bounds each series (more may come, less only at the end); `newest` takes them from the
    end. The second value is not None where the log behind the chunks had more than `LOG_MAX`:
    nothing is known beyond that time (microseconds).
    """
    series: Series = {}
    if span.by == "observedAt":
        # Chunks and log of one moment: what is folded between two statements is not lost.
        async with conn.transaction(isolation="repeatable_read", readonly=True):
            folded: int = await conn.fetchval("select seq from context.folded")
            await _read_chunks(conn, series, nos, names, span, most, newest)
            rows = await _read_log(conn, nos, names, span, folded, newest)
    else:
        rows = await _read_log(conn, nos, names, span, 0, newest)
    for key, packed in packed_rows(rows, removals=span.by == "deletedAt").items():
        series.setdefault(key, []).extend(packed)
    for found in series.values():
        found.sort()
    return series, rows[-1]["key"] if len(rows) == LOG_MAX else None


def packed_rows(rows: list[Record], removals: bool = False) -> Series:
    """Rows that `log_sql` brings, by series: values, or removals of attributes."""
    series: Series = {}
    for no, name, dataset, key, seq, index, number, recorded, rest, at in rows:
        packed = Packed(key, seq, index, number, recorded, rest, at)
        if is_removal(packed) == removals:
            series.setdefault((no, name, dataset), []).append(packed)
    return series


async def read_chunk_days(
    conn: Conn, days: Collection[tuple[int, str, str, int]], first: int, last: int
) -> Series:
    """The values in chunks (number, attribute, datasetId, day) from `first` to `last`."""
    if not days:
        return {}
    rows = await conn.fetch(
        """select c.no, c.name, c.dataset, c.ats, c.seqs, c.idxs, c.vals, c.recorded, c.rests
           from unnest($1::bigint[], $2::text[], $3::text[], $4::int[]) w(no, name, dataset, day)
           join context.chunk c using (no, name, dataset, day)""",
        *map(list, zip(*days, strict=True)),
    )
    series: Series = {}
    _open_chunks(series, rows, first, last)
    return series


def bounds_of(span: Span) -> tuple[int, int]:
    """The first and the last microsecond that a span takes in."""
    first = DAY_MIN * DAY_US if span.start is None else micros(span.start)
    last = DAY_MAX * DAY_US if span.end is None else micros(span.end) - 1
    return first, last


async def _read_chunks(
    conn: Conn,
    series: Series,
    nos: Sequence[int],
    names: Sequence[str] | None,
    span: Span,
    most: int,
    newest: bool,
) -> None:
    first, last = bounds_of(span)
    # Rows of the first day may lie in front of the span, so it is not counted.
    rows = await conn.fetch(
        _CHUNKS.format(direction="desc" if newest else "asc"),
        nos,
        names,
        first // DAY_US,
        last // DAY_US,
        most,
    )
    _open_chunks(series, rows, first, last)


def _open_chunks(series: Series, rows: list[Record], first: int, last: int) -> None:
    for row in rows:
        ats = row["ats"]
        found = map(
            Packed, ats, row["seqs"], row["idxs"], row["vals"], row["recorded"], row["rests"], ats
        )
        kept = [p for p in found if p.rest != "v-null"]
        if ats[0] < first or ats[-1] > last:
            kept = [p for p in kept if first <= p.at <= last]
        if kept:
            series.setdefault((row["no"], row["name"], row["dataset"]), []).extend(kept)


async def _read_log(
    conn: Conn,
    nos: Sequence[int],
    names: Sequence[str] | None,
    span: Span,
    folded: int,
    newest: bool,
) -> list[Record]:
    sql = await log_sql(conn, len(nos), span, folded, newest)
    return await conn.fetch(sql, nos, folded, names, span.start, span.end, LOG_MAX)


async def log_sql(conn: Conn, entities: int, span: Span, folded: int, newest: bool) -> str:
    """The statement that reads the log behind the chunks."""
    key, condition = _KEYS[span.by], "true"
    if span.by == "observedAt":
        rows = _ONE_BY_ONE
        if entities > ONE_BY_ONE_MAX:
            head = await conn.fetchval("select coalesce(max(seq), 0) from context.change")
            rows = _AT_ONCE if head - folded <= TAIL_READ_MAX else _ONE_BY_ONE
    else:
        rows = _BY_NO
        if span.by == "deletedAt":
            condition = "jsonb_typeof(i.instance) = 'null'"
    return _PACKED.format(
        key=key, rows=rows, condition=condition, direction="desc" if newest else "asc"
    )


async def number_of_entity(conn: Conn, tenant: str, entity_id: str) -> int | None:
    """The number by which the log knows an entity, deleted ones too."""
    no: int | None = await conn.fetchval(
        "select no from context.entity where tenant = $1 and id = $2", tenant, entity_id
    )
    return no


async def read_history(
    conn: Conn,
    tenant: str,
    entity_id: str,
    attrs: Sequence[str],
    start: datetime | None,
    end: datetime | None,
    last_n: int | None,
    limit: int,
) -> list[Sample]:
    """Instances of attributes in time order; with `last_n` the newest so many of each.

    `start` is included, `end` is not. Removed attributes give no sample.
    """
    no = await number_of_entity(conn, tenant, entity_id)
    if no is None:
        return []
    most = min(last_n or limit, limit)
    names = list(attrs) or None
    series, _ = await read_instances(conn, [no], names, Span(start, end), most, bool(last_n))
    found: list[tuple[Packed, str]] = []
    by_name: dict[str, list[Packed]] = {}
    for (_, name, _), instances in series.items():
        by_name.setdefault(name, []).extend(instances)
    for name, instances in by_name.items():
        if last_n:
            instances = sorted(instances)[-last_n:]
        found += [(packed, name) for packed in instances]
    found.sort()
    samples: list[Sample] = []
    for packed, name in found[-limit:] if last_n else found[:limit]:
        instance = instance_of(packed)
        at = instant(packed.at)
        samples.append(Sample(name, at, plain_value(instance), instance, instant(packed.recorded)))
    return samples


async def read_series(
    conn: Conn,
    tenant: str,
    ids: Sequence[str],
    attr: str,
    start: datetime,
    end: datetime,
    step: timedelta,
) -> dict[str, list[tuple[datetime, float | None]]]:
    """The newest unflagged number of each step for many entities: one query, for sliders.

    Steps are aligned to `start`; a step without a value is left out. Instances that were changed
    or deleted afterwards count as they are now.
    """
    rows = await conn.fetch(
        """with said as (
               select e.id, c.no, c.seq, c.at, c.attrs -> $3 as instance
               from context.entity e
               join context.change c on c.no = e.no and c.at >= $4 and c.at < $5
               where e.tenant = $1 and e.id = any($2::text[])
                 and jsonb_typeof(c.attrs -> $3 -> 'value') = 'number'
                 and not exists (select from context.amendment m
                                 where m.no = c.no and m.seq = c.seq and m.name = $3)
               union all
               select e.id, m.no, m.seq, m.at, m.instance
               from context.entity e
               join context.amendment m on m.no = e.no and m.at >= $4 and m.at < $5
               where e.tenant = $1 and e.id = any($2::text[]) and m.name = $3
                 and jsonb_typeof(m.instance -> 'value') = 'number'
           )
           select distinct on (s.id, slot) s.id,
                  floor(extract(epoch from s.at - $4) / $6)::bigint as slot,
                  (s.instance -> 'value')::float8 as value
           from said s
           where not coalesce(s.instance -> 'quality' -> 'value', '[]') ?| $7::text[]
             and not exists (select from context.erasure x
                             where x.no = s.no and x.name in ('', $3) and x.seq >= s.seq
                               and x.dataset in ('*', coalesce(s.instance ->> 'datasetId', '')))
           order by s.id, slot, s.at desc, s.seq desc""",
        tenant,
        list(ids),
        attr,
        start,
        end,
        step.total_seconds(),
        sorted(SUSPECT),
    )
    series: dict[str, list[tuple[datetime, float | None]]] = {entity_id: [] for entity_id in ids}
    for row in rows:
        series[row["id"]].append((start + row["slot"] * step, row["value"]))
    return series
