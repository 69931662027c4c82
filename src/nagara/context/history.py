"""History: what the change log says of an entity's attributes in time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from asyncpg import Record

from nagara.context.find import _Where as Where
from nagara.context.model import Sample, instances_of, plain_value
from nagara.context.store import Conn
from nagara.vocab.observation import SUSPECT


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
    where = Where()
    where.add(f"e.tenant = {where.bind(tenant)} and e.id = {where.bind(entity_id)}")
    if start is not None:
        where.add(f"c.at >= {where.bind(start)}")
    if end is not None:
        where.add(f"c.at < {where.bind(end)}")
    if attrs:
        where.add(f"c.attrs ?| {where.bind(list(attrs))}::text[]")
    if last_n and attrs:
        rows = await _newest(conn, tenant, entity_id, attrs, start, end, min(last_n, limit))
    else:
        direction = "desc" if last_n else "asc"
        rows = await conn.fetch(
            f"""select c.at, c.recorded_at, c.attrs::text as attrs
                from context.entity e join context.change c on c.no = e.no
                where {where.sql()} order by c.at {direction}, c.seq {direction} limit {limit}""",  # noqa: S608
            *where.parameters,
        )
    samples: list[Sample] = []
    seen: dict[str, int] = {}
    for row in rows:
        for name, attribute in msgspec.json.decode(row["attrs"]).items():
            if attrs and name not in attrs:
                continue
            for instance in instances_of(attribute):
                if last_n and seen.get(name, 0) >= last_n:
                    continue
                seen[name] = seen.get(name, 0) + 1
                samples.append(
                    Sample(name, row["at"], plain_value(instance), instance, row["recorded_at"])
                )
    if last_n:
        samples.reverse()
    return samples


async def _newest(
    conn: Conn,
    tenant: str,
    entity_id: str,
    attrs: Sequence[str],
    start: datetime | None,
    end: datetime | None,
    last_n: int,
) -> list[Record]:
    """The newest rows for each attribute by itself: a fast one must not crowd out a slow one."""
    rows: list[Record] = await conn.fetch(
        """select found.at, found.recorded_at,
                  jsonb_build_object(wanted.name, found.attrs -> wanted.name)::text as attrs
           from context.entity e
           cross join unnest($3::text[]) as wanted(name)
           cross join lateral (
               select c.at, c.recorded_at, c.seq, c.attrs from context.change c
               where c.no = e.no and c.attrs ? wanted.name
                 and ($4::timestamptz is null or c.at >= $4)
                 and ($5::timestamptz is null or c.at < $5)
               order by c.at desc, c.seq desc limit $6
           ) found
           where e.tenant = $1 and e.id = $2
           order by found.at desc, found.seq desc""",
        tenant,
        entity_id,
        list(attrs),
        start,
        end,
        last_n,
    )
    return rows


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

    Steps are aligned to `start`; a step without a value is left out.
    """
    rows = await conn.fetch(
        """select distinct on (e.id, slot) e.id,
                  floor(extract(epoch from c.at - $4) / $6)::bigint as slot,
                  (c.attrs -> $3 -> 'value')::float8 as value
           from context.entity e
           join context.change c on c.no = e.no and c.at >= $4 and c.at < $5
           where e.tenant = $1 and e.id = any($2::text[])
             and jsonb_typeof(c.attrs -> $3 -> 'value') = 'number'
             and not coalesce(c.attrs -> $3 -> 'quality' -> 'value', '[]') ?| $7::text[]
           order by e.id, slot, c.at desc, c.seq desc""",
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
