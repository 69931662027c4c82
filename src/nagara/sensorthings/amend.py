"""A value that is changed or deleted afterwards (context.amendment): the log stays, every standard
sees the change, and the present follows where it was the current value."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from nagara.context import Context, history_amend
from nagara.context.store import Conn
from nagara.guard import audit
from nagara.guard.identity import Actor
from nagara.sensorthings.errors import ThingNotFound
from nagara.sensorthings.make import StreamRef
from nagara.values.time import parse_instant

_NEWEST = """
select i.instance::text from (
    (select c.at, c.seq, sensorthings.instance(c.attrs -> $2) as instance
     from context.change c where c.no = $1 and c.attrs ? $2 and c.op <> 'd'
       and sensorthings.instance(c.attrs -> $2) ? 'observedAt' and not exists (
         select from context.amendment m
         where m.no = $1 and m.seq = c.seq and m.name = $2 and m.idx = 0)
     order by c.at desc, c.seq desc limit 1)
    union all
    (select m.at, m.seq, m.instance from context.amendment m
     where m.no = $1 and m.name = $2 and m.idx = 0 and m.instance is not null
     order by m.at desc, m.seq desc limit 1)
) i where i.at <= $3 order by i.at desc, i.seq desc limit 1
"""


async def amend(
    context: Context,
    stream: StreamRef,
    seq: int,
    after: dict[str, Any] | None,
    actor: Actor,
) -> None:
    """Put another instance in the place of one, or none. Raises `ThingNotFound`."""
    wall = datetime.now(UTC)
    text = None if after is None else msgspec.json.encode(after).decode()
    async with context.db.acquire() as conn, conn.transaction():
        await audit.lock_chain(conn)
        no = await conn.fetchval(
            """select no from context.entity
               where tenant = '' and id = $1 and not deleted for update""",
            stream.thing,
        )
        if no is None:
            raise ThingNotFound(kind="Observation", id=str(seq))
        place = history_amend.Place(seq, 0)
        found = await history_amend.find_instance(conn, no, stream.attr, place)
        if found is None:
            raise ThingNotFound(kind="Observation", id=str(seq))
        at = found.at if after is None else parse_instant(after["observedAt"])
        await history_amend.amend(conn, no, stream.attr, place, found, after, at, wall)
        await _present(conn, context, no, stream.attr, wall)
        entry = audit.AuditEntry(
            actor=actor.name_for_audit,
            act="context.amend",
            subject=f"{stream.thing} {stream.attr} {seq}",
            digest=audit.digest_of([(text or "").encode()]),
        )
        await audit.append(conn, wall, [entry])
    context.cache.drop([("", stream.thing)])


async def _present(conn: Conn, context: Context, no: int, attr: str, wall: datetime) -> None:
    """The current value is the newest that is left."""
    newest = await conn.fetchval(_NEWEST, no, attr, context.clock.now())
    if newest is None:
        await conn.execute(
            """insert into context.census (tenant, types, attr, kind, n)
               select tenant, coalesce(types, array[type]), a.attr, a.kind, -1
               from context.entity e cross join lateral context.anatomy(e.doc) a
               where e.no = $1 and not e.deleted and a.attr = $2""",
            no,
            attr,
        )
        await conn.execute(
            """update context.entity set doc = doc - $2, version = version + 1, prior = version,
               modified_at = $3 where no = $1""",
            no,
            attr,
            wall,
        )
        return
    await conn.execute(
        """update context.entity set doc = jsonb_set(doc, array[$2], $3::text::jsonb),
               version = version + 1, prior = version
           where no = $1 and doc -> $2 is distinct from $3::text::jsonb""",
        no,
        attr,
        newest,
    )
