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
    number. An instant that was written twice counts as it was written last."""
    rows = await conn.fetch(
        """with reading as (
               select distinct on (w.id, w.attr, w.day, c.at)
                      w.id, w.attr, w.day, c.at, (c.attrs -> w.attr -> 'value')::float8 as value,
                      coalesce(c.attrs -> w.attr -> 'quality' -> 'value', '[]') ?| $5::text[] as bad
               from unnest($1::text[], $2::text[], $3::date[]) as w(id, attr, day)
               join context.entity e on e.tenant = $6 and e.id = w.id
               join context.change c on c.no = e.no
                and c.at >= w.day::timestamp at time zone $4
                and c.at < (w.day + 1)::timestamp at time zone $4
               where jsonb_typeof(c.attrs -> w.attr -> 'value') = 'number'
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
