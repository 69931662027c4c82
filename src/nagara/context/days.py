"""What readings come to in a day: counted from history, for those who add up days."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from msgspec import Struct

from nagara.context.store import Conn
from nagara.vocab.observation import SUSPECT


class DaySum(Struct, frozen=True):
    """The numbers of one attribute of one entity in one local day.

    `readings` counts instants; `good` those without a suspect flag, of which `total` is the sum and
    `highest` the largest; bit h of `hours` stands for a good reading in local hour h.
    """

    entity_id: str
    attribute: str
    day: date
    readings: int
    good: int
    total: float
    highest: float | None
    hours: int


async def sum_days(
    conn: Conn, wanted: Sequence[tuple[str, str, date]], zone: str, tenant: str = ""
) -> list[DaySum]:
    """The sums of (entity, attribute, day), days in the time zone `zone`; none for a day without a
    number. An instant that was written twice counts as it was written last; one that was amended or
    erased afterwards as that says (docs/decisions/0013-history-in-chunks.md)."""
    rows = await conn.fetch(
        """with wanted as materialized (
               select e.no, w.id, w.attr, w.day, w.day::timestamp at time zone $4 as since,
                      (w.day + 1)::timestamp at time zone $4 as until
               from unnest($1::text[], $2::text[], $3::date[]) as w(id, attr, day)
               join context.entity e on e.tenant = $6 and e.id = w.id
           ),
           reading as (
               select distinct on (w.id, w.attr, w.day, c.at)
                      w.id, w.attr, w.day, c.at, (said.a -> 'value')::float8 as value,
                      coalesce(said.a -> 'quality' -> 'value', '[]') ?| $5::text[] as bad
               from wanted w
               cross join lateral (  -- each day by the index; joined, days × readings are compared
                   select c.no, c.seq, c.at, c.attrs from context.change c
                   where c.no = w.no and c.at >= w.since and c.at < w.until
                   offset 0
               ) c
               left join context.amendment m
                 on m.no = c.no and m.seq = c.seq and m.name = w.attr and m.idx = 0
               cross join lateral (
                   select case when m.no is null then c.attrs -> w.attr else m.instance end as a
               ) said
               where jsonb_typeof(said.a -> 'value') = 'number'
                 and not exists (
                     select 1 from context.erasure x
                     where x.no = c.no and x.name in ('', w.attr) and x.dataset in ('', '*')
                       and x.seq >= c.seq
                 )
               order by w.id, w.attr, w.day, c.at, c.seq desc
           )
           select id, attr, day, count(*) as readings, count(*) filter (where not bad) as good,
                  coalesce(sum(value) filter (where not bad), 0) as total,
                  max(value) filter (where not bad) as highest,
                  coalesce(bit_or(1 << extract(hour from at at time zone $4)::int)
                           filter (where not bad), 0) as hours
           from reading group by id, attr, day""",
        [entity_id for entity_id, _, _ in wanted],
        [attribute for _, attribute, _ in wanted],
        [day for _, _, day in wanted],
        zone,
        sorted(SUSPECT),
        tenant,
    )
    return [DaySum(*row) for row in rows]
