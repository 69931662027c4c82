"""The room's SQL: links, keys, what is chosen, what waits."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct

from nagara.engines.database import Connection
from nagara.federation.errors import LinkUnknown
from nagara.federation.model import EMPTY_STATE, Carrier, Chain, Side

PAGE_MAX = 500


class Link(Struct, frozen=True):
    """A row of `federation.link`."""

    peer: str
    side: Side
    name: str
    carrier: Carrier
    url: str
    status: str
    code_hash: bytes | None
    code_until: datetime | None
    secret: str | None
    my_kid: str
    peer_kid: str | None
    out_seq: int
    out_digest: str
    out_acked: int
    in_seq: int
    in_digest: str
    made_at: datetime
    heard_at: datetime | None
    sent_at: datetime | None
    heard_by: str | None
    failures: int
    trouble: str | None
    proof: str | None
    out_state: str = EMPTY_STATE
    in_state: str = EMPTY_STATE

    @property
    def heard(self) -> Chain:
        """The chain that we hear."""
        return Chain(self.in_seq, self.in_digest)


class PeerKey(Struct, frozen=True):
    """A row of `federation.peer_key`."""

    peer: str
    kid: str
    x: str
    status: str
    from_seq: int
    until_seq: int | None
    introduced_by: str
    at: datetime


class Choice(Struct, frozen=True):
    """A row of `federation.choice`."""

    peer: str
    kind: str
    type: str
    attrs: tuple[str, ...]


class Waiting(Struct, frozen=True):
    """What waits for a peer: changes and acts that are not sealed, and since when the oldest
    envelope is on its way."""

    peer: str
    count: int
    oldest: datetime | None


async def list_waiting(conn: Connection) -> dict[str, Waiting]:
    """What waits for each peer."""
    rows = await conn.fetch(
        """select l.peer,
                  (select count(*) from federation.dirty d where d.peer = l.peer)
                  + (select count(*) from federation.note n where n.peer = l.peer) as count,
                  (select at from federation.sealed s where s.peer = l.peer and s.seq > l.out_acked
                   order by s.seq limit 1) as oldest
           from federation.link l"""
    )
    return {row["peer"]: Waiting(*row) for row in rows}


async def count_members(conn: Connection) -> int:
    """How many publish to us."""
    found: int = await conn.fetchval("select count(*) from federation.link where side = 'member'")
    return found


async def list_links(conn: Connection) -> list[Link]:
    """All links, by peer."""
    return [Link(**dict(r)) for r in await conn.fetch("select * from federation.link order by 1")]


async def list_ready(conn: Connection, kid: str, window: int) -> list[str]:
    """Peers for whom there is something to seal and room for it; `kid`: our current key. What it
    costs grows with these, not with all links."""
    rows = await conn.fetch(
        """select peer from federation.link l
           where (side = 'member' or status in ('active', 'invited', 'withdrawing'))
             and (side = 'upper' or peer_kid is not null) and out_seq - out_acked < $2
             and (my_kid <> $1 or secret is not null or side = 'member' and out_seq = 0
                  or exists (select from federation.note n where n.peer = l.peer)
                  or side = 'upper' and exists (select from federation.dirty d
                                                where d.peer = l.peer))
           order by peer""",
        kid,
        window,
    )
    return [row["peer"] for row in rows]


async def find_link(conn: Connection, peer: str, lock: bool = False) -> Link | None:
    """The link with a peer; `lock` holds it until the transaction ends."""
    if lock:
        await conn.execute("select 1 from federation.link where peer = $1 for update", peer)
    row = await conn.fetchrow("select * from federation.link where peer = $1", peer)
    return None if row is None else Link(**dict(row))


async def get_link(conn: Connection, peer: str, lock: bool = False) -> Link:
    """As `find_link`. Raises `LinkUnknown`."""
    link = await find_link(conn, peer, lock)
    if link is None:
        raise LinkUnknown(peer=peer[:60])
    return link


async def insert_link(conn: Connection, link: Link) -> None:
    """Keep a new link. Raises asyncpg's UniqueViolationError."""
    names = Link.__struct_fields__
    marks = ", ".join(f"${n}" for n in range(1, len(names) + 1))
    await conn.execute(
        f"insert into federation.link ({', '.join(names)}) values ({marks})",  # noqa: S608 - our own type's columns
        *(getattr(link, name) for name in names),
    )


async def set_link(conn: Connection, peer: str, **changes: Any) -> None:
    """Change columns of a link."""
    sets = ", ".join(f"{name} = ${n}" for n, name in enumerate(changes, 2))
    await conn.execute(
        f"update federation.link set {sets} where peer = $1",  # noqa: S608 - names are ours
        peer,
        *changes.values(),
    )


async def find_key(conn: Connection, kid: str) -> PeerKey | None:
    """A key of somebody else."""
    row = await conn.fetchrow("select * from federation.peer_key where kid = $1", kid)
    return None if row is None else PeerKey(**dict(row))


async def list_keys(conn: Connection) -> dict[str, list[PeerKey]]:
    """The keys of all peers, of each the oldest first."""
    found: dict[str, list[PeerKey]] = {}
    for row in await conn.fetch("select * from federation.peer_key order by peer, at"):
        found.setdefault(row["peer"], []).append(PeerKey(**dict(row)))
    return found


async def add_key(conn: Connection, key: PeerKey) -> None:
    """Keep a key; the one before it signs no further than the envelope that introduced this."""
    await conn.execute(
        """update federation.peer_key set status = 'retired', until_seq = $2
           where peer = $1 and status = 'current'""",
        key.peer,
        key.from_seq - 1,
    )
    await conn.execute(
        "insert into federation.peer_key values ($1, $2, $3, $4, $5, $6, $7, $8)",
        *(getattr(key, name) for name in PeerKey.__struct_fields__),
    )
    await set_link(conn, key.peer, peer_kid=key.kid)


async def revoke_key(conn: Connection, peer: str, kid: str) -> bool:
    """Believe a key no more; whether there was one."""
    done = await conn.execute(
        "update federation.peer_key set status = 'revoked' where peer = $1 and kid = $2", peer, kid
    )
    return bool(done == "UPDATE 1")


async def list_choices(conn: Connection, peer: str | None = None) -> list[Choice]:
    """What is published, to one or to all."""
    rows = await conn.fetch(
        """select * from federation.choice where $1::text is null or peer = $1
           order by peer, kind, type""",
        peer,
    )
    return [Choice(r["peer"], r["kind"], r["type"], tuple(r["attrs"])) for r in rows]
