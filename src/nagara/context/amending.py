"""A value that is changed or deleted afterwards: the log stays, history and every standard see the
change, and the present follows where it was the current value."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from nagara.context.context import Context
from nagara.context.history_amend import Found, Place, amend, find_instance
from nagara.context.model import Amended, Correction
from nagara.context.ngsi.temporal.errors import InstanceNotFound
from nagara.context.store import Conn
from nagara.values.time import parse_instant

_NEWEST = """
select i.at, i.seq, i.instance from (
    (select c.at, c.seq, p.instance
     from context.change c cross join lateral context.instances(c.attrs) p
     where c.no = $1 and c.attrs ? $2 and c.op <> 'd' and c.at <= $3 and c.seq <> $4
       and p.name = $2 and p.instance ? 'observedAt' and not p.instance ? 'datasetId'
       and not exists (select from context.amendment m where m.no = c.no and m.seq = c.seq
                       and m.name = p.name and m.idx = p.idx)
       and not context.is_erased(c.no, p.name, '', c.seq)
     order by c.at desc, c.seq desc limit 1)
    union all
    (select m.at, m.seq, m.instance from context.amendment m
     where m.no = $1 and m.name = $2 and m.at <= $3 and m.seq <> $4
       and m.instance is not null and not m.instance ? 'datasetId'
     order by m.at desc, m.seq desc limit 1)
) i order by i.at desc, i.seq desc limit 1
"""


async def amend_value(
    context: Context,
    entity_id: str,
    name: str,
    seq: int,
    after: dict[str, Any] | None,
    actor: str,
    tenant: str = "",
) -> None:
    """Put another instance in the place of the one that row `seq` of the log tells of, or none.

    Raises `InstanceNotFound` where there is none (any more)."""
    place = Place(seq, 0)
    missing = InstanceNotFound(instance=str(seq), id=entity_id)
    async with context.db.acquire() as conn:
        no = await conn.fetchval(
            "select no from context.entity where tenant = $1 and id = $2 and not deleted",
            tenant,
            entity_id,
        )
        before = None if no is None else await find_instance(conn, no, name, place)
        if before is None:
            raise missing
        left = await _newest(conn, no, name, seq, after, context.clock.now())
    at = before.at if after is None else parse_instant(after["observedAt"])

    async def put(conn: Conn) -> None:
        now: Found | None = await find_instance(conn, no, name, place)
        if now is None:  # somebody else was faster
            raise missing
        await amend(conn, no, name, place, now, after, at, context.clock.wall())

    corrected = Correction(name, before.instance, left)
    await context.write(Amended(entity_id, corrected), actor=actor, tenant=tenant, within=put)


async def _newest(
    conn: Conn, no: int, name: str, seq: int, after: dict[str, Any] | None, now: datetime
) -> dict[str, Any] | None:
    """The newest instance that is left, which is the present value."""
    row = await conn.fetchrow(_NEWEST, no, name, now, seq)
    if after is not None:
        at = parse_instant(after["observedAt"])
        if at <= now and (row is None or (at, seq) > (row["at"], row["seq"])):
            return after
    return None if row is None else dict(row["instance"])
