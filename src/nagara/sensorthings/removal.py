"""What deleting an entity takes along (OGC 18-088 clause 10.5, table 25), as operations."""

from __future__ import annotations

from typing import Any

from nagara.context import Delete, DeleteAttribute, Op, Patch
from nagara.context.store import Conn
from nagara.sensorthings.bodies import Attrs, relation_of

#: Streams that no entity of their own describes, by what is deleted; `$1` is its number.
_ENDING = {
    "Datastreams": "d.id = $1",
    "Things": "d.no = $1",
    "Sensors": "d.sensor = $1",
    "ObservedProperties": "d.property = $1",
    "FeaturesOfInterest": "d.no = $1 and d.own is null and not exists"
    " (select from sensorthings.link l where l.kind = 'f' and l.b = d.id)",
}


async def end_streams(conn: Conn, kind: str, number: int) -> list[str]:
    """End what is left of streams here, the others are ended by the reader; their Things."""
    if kind not in _ENDING:
        return []
    rows = await conn.fetch(
        f"""update sensorthings.datastream d set ended = true,
                since = (select coalesce(max(seq), 0) from context.change)
            from context.entity e where e.no = d.no and {_ENDING[kind]} and not d.ended
            returning e.id""",  # noqa: S608 - one of five constants
        number,
    )
    return [row["id"] for row in rows]


async def end_ops(conn: Conn, column: str, number: int) -> list[Op]:
    """End streams: their values leave the Thing, their descriptions are deleted."""
    rows = await conn.fetch(
        f"""select e.id, d.attr, o.id as own, e.doc ? d.attr as is_there
            from sensorthings.datastream d join context.entity e on e.no = d.no and not e.deleted
            left join context.entity o on o.no = d.own and not o.deleted
            where not d.ended and {column} = $1""",  # noqa: S608 - one of four constants
        number,
    )
    ops: list[Op] = []
    for row in rows:
        if row["is_there"]:
            ops.append(DeleteAttribute(row["id"], row["attr"], everything=True))
        if row["own"] is not None:
            ops.append(Delete(row["own"]))
    return ops


async def past_ops(conn: Conn, kind: str, number: int) -> list[Op]:
    rows = await conn.fetch(
        """select e.id from sensorthings.link k join context.entity e on e.no = k.a
           where k.kind = $1::text::"char" and k.b = $2 and k.a <> $2 and not e.deleted""",
        kind,
        number,
    )
    return [Delete(r["id"]) for r in rows]


async def location_ops(conn: Conn, number: int) -> list[Op]:
    """A Location goes with the HistoricalLocations that name it; Things are then nowhere."""
    entity = await conn.fetchrow(
        "select id, coalesce(types, array[type]) as types from context.entity where no = $1", number
    )
    assert entity is not None
    if "Location" not in entity["types"]:  # a Thing's own place
        return [DeleteAttribute(entity["id"], "location", everything=True)]
    ops = await past_ops(conn, "h", number)
    rows = await conn.fetch(
        """select t.id, t.doc ? 'location' as placed,
                  array(select o.id from sensorthings.link l join context.entity o on o.no = l.b
                        where l.kind = 'l' and l.a = t.no and l.b <> $1) as others
           from sensorthings.link k join context.entity t on t.no = k.a and not t.deleted
           where k.kind = 'l' and k.b = $1""",
        number,
    )
    for row in rows:
        left = list(row["others"])
        attrs: Attrs = {"locations": relation_of(left) if left else None}
        if row["placed"] and not left:
            attrs["location"] = None
        ops.append(Patch(row["id"], attrs))
    return [*ops, Delete(entity["id"])]


async def past_op(conn: Conn, number: int) -> list[Op]:
    entity = await _entity(conn, number)
    if "HistoricalLocation" in entity["types"]:
        return [Delete(entity["id"])]
    await conn.execute(  # where a Thing stands by itself: nothing is said of it but here
        "delete from sensorthings.link where kind in ('h', 't') and a = $1 and b = $1", number
    )
    return []


async def feature_ops(conn: Conn, number: int) -> list[Op]:
    """A FeatureOfInterest goes; a Thing's own place leaves it, as where its Location is deleted."""
    entity = await _entity(conn, number)
    if "FeatureOfInterest" in entity["types"]:
        return [Delete(entity["id"])]
    return [DeleteAttribute(entity["id"], "location", everything=True)]


async def own_streams(conn: Conn, number: int) -> list[Op]:
    """The streams that only the values at a Thing's own place make up: with these they end."""
    rows = await conn.fetch(
        """select e.id, d.attr from sensorthings.datastream d join context.entity e on e.no = d.no
           where d.no = $1 and not d.ended and d.own is null and not e.deleted and e.doc ? d.attr
             and not exists (select from sensorthings.link l where l.kind = 'f' and l.b = d.id)""",
        number,
    )
    return [DeleteAttribute(r["id"], r["attr"], everything=True) for r in rows]


async def _entity(conn: Conn, number: int) -> Any:
    return await conn.fetchrow(
        "select id, coalesce(types, array[type]) as types from context.entity where no = $1", number
    )
