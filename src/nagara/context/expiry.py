"""What runs out: entities and instances of attributes with `expiresAt` (clauses 4.8, 5.2.4, 5.2.5).

What has run out is not told any more from that instant on, and is swept soon after. When the next
attribute of an entity runs out is kept beside it, in the transaction of its write: nobody searches
the city for ends.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from nagara.context.model import Attrs, Delete, Entity, Gone, Op, Patch, instances_of
from nagara.context.plan import Plan
from nagara.context.state import State
from nagara.context.store import Conn, Held, Key
from nagara.values.time import parse_instant

#: How a document that has an attribute with an end is told from the others, unread.
MARK = b'"expiresAt"'
#: Between two looks at what has run out.
LOOK_EVERY_S = 1.0
#: Entities swept in one go.
SWEPT_MAX = 1_000

_KEEP = """
insert into context.expiry (tenant, id, at)
select * from unnest($1::text[], $2::text[], $3::timestamptz[])
on conflict (tenant, id) do update set at = excluded.at
"""
_ENDED = """
(select tenant, id from context.entity where expires_at <= $1 and not deleted limit $2)
union (select tenant, id from context.expiry where at <= $1 limit $2)
"""


class Ends:
    """When the next attribute of all runs out, in memory: a query that comes later waits until
    that is swept, so that no condition is judged by what has run out. Ends that another process
    writes are known from the next look on."""

    def __init__(self) -> None:
        self._next: datetime | None = None
        self._heard: datetime | None = None

    def hear(self, at: datetime | None) -> None:
        """An end was committed."""
        self._next, self._heard = _earlier(self._next, at), _earlier(self._heard, at)

    def is_due(self, now: datetime) -> bool:
        """Whether something has run out that is not swept."""
        return self._next is not None and self._next <= now

    async def read(self, conn: Conn) -> None:
        """Read the next end; what is committed meanwhile counts too."""
        self._heard = None
        at: datetime | None = await conn.fetchval("select min(at) from context.expiry")
        self._next = _earlier(at, self._heard)


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min(one, other) if one is not None and other is not None else one or other


def next_end(attrs: Attrs) -> datetime | None:
    """When the first instance of an attribute runs out; None where none does."""
    ends = [i["expiresAt"] for i in _instances(attrs.values()) if "expiresAt" in i]
    return min(map(parse_instant, ends), default=None)


def _instances(attributes: Iterable[Any]) -> Iterable[dict[str, Any]]:
    for attribute in attributes:
        yield from instances_of(attribute)


def is_over(instance: dict[str, Any], now: datetime) -> bool:
    """Whether an instance of an attribute has run out."""
    said = instance.get("expiresAt")
    return isinstance(said, str) and parse_instant(said) <= now


def without_ended(entity: Entity, now: datetime) -> Entity:
    """An entity without the instances of attributes that have run out."""
    if not any(is_over(i, now) for i in _instances(entity.attrs.values())):
        return entity
    attrs: Attrs = {}
    for name, attribute in entity.attrs.items():
        kept = [i for i in instances_of(attribute) if not is_over(i, now)]
        if kept:
            attrs[name] = kept if isinstance(attribute, list) and len(kept) > 1 else kept[0]
    return msgspec.structs.replace(entity, attrs=attrs)


def entity_at(held: Held, now: datetime | None) -> Entity:
    """A held entity as it is told at an instant; None: with what has run out."""
    entity = held.state().entity()
    return entity if now is None or MARK not in held.doc else without_ended(entity, now)


async def keep_ends(conn: Conn, plan: Plan) -> datetime | None:
    """Keep when attributes of the entities of a commit run out; the first of these instants."""
    ends = [
        (*key, at)
        for key in plan.changed
        if MARK in plan.docs[key][0] and (at := next_end(plan.states[key].attrs)) is not None
    ]
    if ends:
        ends.sort()  # in the order of all commits: two cannot wait for each other
        await conn.execute(_KEEP, *map(list, zip(*ends, strict=True)))
    return min((at for *_, at in ends), default=None)


async def find_ended(conn: Conn, now: datetime) -> list[Key]:
    """Entities of which something has run out, or that have themselves."""
    rows = await conn.fetch(_ENDED, now, SWEPT_MAX)
    return [(row["tenant"], row["id"]) for row in rows]


async def forget_ends(conn: Conn, keys: list[Key], now: datetime) -> None:
    """Entities were looked at: what is kept of them up to now is done with."""
    await conn.execute(
        """delete from context.expiry x using unnest($1::text[], $2::text[]) as w(tenant, id)
           where x.tenant = w.tenant and x.id = w.id and x.at <= $3""",
        [k[0] for k in keys],
        [k[1] for k in keys],
        now,
    )


def sweep_of(state: State, now: datetime) -> Op | None:
    """What is to be done to an entity of which something has run out; None: nothing (any more)."""
    if not state.exists:
        return None
    if state.expires_at is not None and state.expires_at <= now:
        return Delete(state.id, state.version)
    gone: Attrs = {}
    for name, attribute in state.attrs.items():
        ended = [i for i in instances_of(attribute) if is_over(i, now)]
        if len(ended) == len(instances_of(attribute)):
            gone[name] = None
        elif ended:
            gone[name] = [Gone(i.get("datasetId")) for i in ended]
    return Patch(state.id, gone, "append", if_version=state.version) if gone else None
