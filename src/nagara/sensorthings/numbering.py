"""The ids of values that were just written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from nagara.context.store import Conn
from nagara.sensorthings.make import Heard
from nagara.sensorthings.model import SLOTS
from nagara.values.time import parse_instant


async def numbers_of(conn: Conn, heard: Sequence[Heard], tenant: str) -> list[int]:
    """The ids of values in the order in which they were written: each is the newest row of the log
    that says exactly that, and is not the row of an equal one behind it."""
    said = [
        (
            one.stream.thing,
            parse_instant(one.instance["observedAt"]),
            one.stream.attr,
            msgspec.json.encode(one.instance).decode(),
        )
        for one in heard
    ]
    later = Counter(said)
    behind = []
    for value in said:
        later[value] -= 1
        behind.append(later[value])
    rows = await conn.fetch(
        """select coalesce(c.seq, 0) as seq, coalesce(d.slot, 0) as slot
           from unnest($2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::int[])
                with ordinality as w(thing, at, attr, instance, behind, i)
           left join context.entity e on e.tenant = $1 and e.id = w.thing
           left join lateral (
               select c.seq from context.change c
               where c.no = e.no and c.at = w.at and c.attrs -> w.attr = w.instance::jsonb
               order by c.seq desc offset w.behind limit 1) c on true
           left join sensorthings.datastream d on d.no = e.no and d.attr = w.attr
           order by w.i""",
        tenant,
        *([value[part] for value in said] for part in range(4)),
        behind,
    )
    return [row["seq"] * SLOTS + row["slot"] for row in rows]
