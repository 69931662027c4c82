"""What is asked of the store, and kept in the room's tables, of entities that have streams."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from nagara.context.model import default_instance
from nagara.context.store import Conn


class Described(Struct, frozen=True):
    """An entity as the store has it, by its number."""

    no: int
    id: str
    types: tuple[str, ...]
    doc: dict[str, Any]

    def target(self, name: str) -> list[str]:
        """The entities that a relationship leads to."""
        instance = default_instance(self.doc.get(name)) or {}
        held = instance.get("object")
        many = held if isinstance(held, list) else [held]
        return [one for one in many if isinstance(one, str)]


async def list_described(conn: Conn, tenant: str, ids: set[str]) -> dict[str, Described]:
    """The entities of these ids that are there."""
    found = await conn.fetch(
        """select e.no, e.id, coalesce(e.types, array[e.type]) as types, e.doc::text as doc
           from context.entity e
           where e.tenant = $2 and e.id = any($1::text[]) and not e.deleted""",
        list(ids),
        tenant,
    )
    return {
        r["id"]: Described(r["no"], r["id"], tuple(r["types"]), msgspec.json.decode(r["doc"]))
        for r in found
    }


async def things_among(conn: Conn, tenant: str, rows: list[Described]) -> set[int]:
    """Which of these are Things already, though of another type."""
    found = await conn.fetch(
        """select no from sensorthings.member
           where tenant = $2 and kind = 't' and no = any($1::bigint[])""",
        [row.no for row in rows],
        tenant,
    )
    return {r["no"] for r in found}


async def numbered(conn: Conn, tenant: str, pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Which (entity, attribute) are streams already."""
    found = await conn.fetch(
        """select w.id, w.attr from unnest($1::text[], $2::text[]) as w(id, attr)
           join context.entity e on e.tenant = $3 and e.id = w.id
           join sensorthings.datastream d on d.no = e.no and d.attr = w.attr and not d.ended""",
        [p[0] for p in pairs],
        [p[1] for p in pairs],
        tenant,
    )
    return [(r["id"], r["attr"]) for r in found]


async def numbers_of(conn: Conn, tenant: str, ids: Iterable[str]) -> dict[str, int]:
    """The numbers of entities that are there, by id."""
    found = await conn.fetch(
        """select e.id, e.no from context.entity e
           where e.tenant = $2 and e.id = any($1::text[]) and not e.deleted""",
        list(ids),
        tenant,
    )
    return {r["id"]: r["no"] for r in found}


async def forget_deleted(conn: Conn, tenant: str, ids: list[str]) -> None:
    """Entities that were deleted leave the sets; their streams end."""
    if not ids:
        return
    found = await conn.fetch(
        "select no from context.entity where tenant = $2 and id = any($1::text[]) and deleted",
        ids,
        tenant,
    )
    numbers = [r["no"] for r in found]
    await conn.execute("delete from sensorthings.member where no = any($1::bigint[])", numbers)
    await conn.execute(
        """delete from sensorthings.link where a = any($1::bigint[])
           or (b = any($1::bigint[]) and kind <> 'f')""",
        numbers,
    )
    await conn.execute(
        """update sensorthings.datastream set ended = true, own = null,
               since = (select coalesce(max(seq), 0) from context.change)
           where (no = any($1::bigint[]) or own = any($1::bigint[])) and not ended""",
        numbers,
    )


async def keep_own_stream(conn: Conn, tenant: str, row: Described) -> None:
    """The stream that an entity of type Datastream describes; left out where it names no Thing."""
    attribute = (default_instance(row.doc.get("attribute")) or {}).get("value")
    wanted = {name: row.target(name)[:1] for name in ("thing", "sensor", "observedProperty")}
    ids = [i for found in wanted.values() for i in found]
    numbers = await numbers_of(conn, tenant, ids)
    said = [numbers.get(found[0]) if found else None for found in wanted.values()]
    if not isinstance(attribute, str) or None in said:
        return
    await conn.execute(
        """insert into sensorthings.datastream as d (tenant, no, attr, slot, own, sensor, property)
           values ($6, $1, $2, coalesce((select max(m.slot) + 1 from sensorthings.datastream m
                   where m.no = $1), 0), $3, $4, $5)
           on conflict (no, attr) do update set own = $3, sensor = $4, property = $5,
               ended = false""",
        said[0],
        attribute,
        row.no,
        said[1],
        said[2],
        tenant,
    )
    await conn.execute(
        """insert into sensorthings.member (tenant, kind, no) values ($2, 't', $1)
           on conflict do nothing""",
        said[0],
        tenant,
    )
