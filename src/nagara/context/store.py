"""The current state of entities: loading, and a cache that follows the change log."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, TypeAlias

import msgspec
from asyncpg import Connection, Record
from asyncpg.pool import PoolConnectionProxy
from msgspec import Struct

from nagara.context.apply import State

Key = tuple[str, str]  # tenant, id
Conn: TypeAlias = "Connection[Record] | PoolConnectionProxy[Record]"

#: About 1.2 kB each: 60 MB of a city's 600. A city of 10,000 sensors and its open cases fits.
HELD_MAX = 50_000

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder().decode

COLUMNS = """e.no, e.tenant, e.id, e.type, e.types, e.scopes, e.doc::text as doc,
    e.sys::text as sys, e.version, e.created_at, e.modified_at, e.expires_at, e.deleted"""

_LOAD = f"""
select {COLUMNS}
from unnest($1::text[], $2::text[]) as w(tenant, id)
join context.entity e on e.tenant = w.tenant and e.id = w.id
"""  # noqa: S608 - built from constants of this module

_HEARD = """
select w.tenant, w.id, c.at, a.name
from unnest($1::text[], $2::text[], $3::bigint[], $4::timestamptz[]) as w(tenant, id, no, at)
join context.change c on c.no = w.no and c.at = w.at
cross join lateral jsonb_object_keys(c.attrs) as a(name)
where c.op <> 'd'
union
select w.tenant, w.id, m.at, m.name
from unnest($1::text[], $2::text[], $3::bigint[], $4::timestamptz[]) as w(tenant, id, no, at)
join context.amendment m on m.no = w.no and m.at = w.at
where m.instance is not null
"""


class Held(Struct):
    """An entity as it lies in the cache: still encoded, decoded when somebody needs it."""

    no: int
    version: int
    exists: bool
    id: str
    types: tuple[str, ...]
    doc: bytes
    sys: bytes
    scopes: tuple[str, ...]
    created_at: datetime
    modified_at: datetime
    expires_at: datetime | None
    plain: bytes | None = None  # the payload of a plain GET, once somebody asked (ngsi/express.py)

    def state(self) -> State:
        """The decoded state; its dicts are the caller's own."""
        return State(
            id=self.id,
            exists=self.exists,
            no=self.no,
            version=self.version,
            types=self.types,
            attrs=decode(self.doc),
            sys=decode(self.sys),
            scopes=self.scopes,
            created_at=self.created_at,
            modified_at=self.modified_at,
            expires_at=self.expires_at,
        )


def held_from(row: Record) -> Held:
    """The held form of a row that was read with `COLUMNS`."""
    types: Sequence[str] | None = row["types"]
    return Held(
        no=row["no"],
        version=row["version"],
        exists=not row["deleted"],
        id=row["id"],
        types=tuple(types) if types else (row["type"],),
        doc=row["doc"].encode(),
        sys=row["sys"].encode(),
        scopes=tuple(row["scopes"] or ()),
        created_at=row["created_at"],
        modified_at=row["modified_at"],
        expires_at=row["expires_at"],
    )


class Cache:
    """Entities by (tenant, id), least recently used out first.

    Never stale: this process's own commits replace what they changed, and the change log drops
    what another process wrote (`nagara.context.log`). What was being loaded while that happened
    is not kept.
    """

    def __init__(self, held_max: int = HELD_MAX) -> None:
        self._held: OrderedDict[Key, Held] = OrderedDict()
        self._held_max = held_max
        self.generation = 0

    def __len__(self) -> int:
        return len(self._held)

    def find(self, key: Key) -> Held | None:
        """What is held of an entity, or None."""
        held = self._held.get(key)
        if held is not None:
            self._held.move_to_end(key)
        return held

    def put(self, key: Key, held: Held, generation: int | None = None) -> None:
        """Hold an entity. With `generation`: only if nothing was dropped since it was read."""
        if generation is not None:
            known = self._held.get(key)
            if generation != self.generation or (known and known.version > held.version):
                return
        self._held[key] = held
        self._held.move_to_end(key)
        while len(self._held) > self._held_max:
            self._held.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        self.generation += 1
        self._held.clear()

    def drop(self, keys: Iterable[Key]) -> None:
        """Forget entities that another process changed."""
        self.generation += 1
        for key in keys:
            self._held.pop(key, None)


async def load(conn: Conn, cache: Cache, keys: Iterable[Key]) -> dict[Key, Held]:
    """What the store knows of `keys` (tombstones too), from the cache or the database."""
    found: dict[Key, Held] = {}
    missing: list[Key] = []
    for key in keys:
        held = cache.find(key)
        if held is None:
            missing.append(key)
        else:
            found[key] = held
    if missing:
        generation = cache.generation
        rows = await conn.fetch(_LOAD, [k[0] for k in missing], [k[1] for k in missing])
        for row in rows:
            key = (row["tenant"], row["id"])
            found[key] = held_from(row)
            cache.put(key, found[key], generation)
    return found


async def load_heard(
    conn: Conn, wanted: Sequence[tuple[str, str, int, datetime]]
) -> set[tuple[str, str, str, datetime]]:
    """Which (tenant, id, attribute, observedAt) are in the history, of (tenant, id, no, at)."""
    if not wanted:
        return set()
    columns: list[list[Any]] = [list(column) for column in zip(*wanted, strict=True)]
    rows = await conn.fetch(_HEARD, *columns)
    return {(r["tenant"], r["id"], r["name"], r["at"]) for r in rows}
