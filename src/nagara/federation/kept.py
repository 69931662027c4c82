"""The room's SQL: links, keys, chains, what was told and what was heard."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from nagara.engines.database import Connection
from nagara.federation.errors import LinkUnknown
from nagara.federation.model import Carrier, Chain, Side, state_digest

PAGE_MAX = 500
#: Refusals that are listed; beyond, the oldest are forgotten, the counters are not.
REFUSED_MAX = 10_000
#: Sealed envelopes that are kept after they were acknowledged, for a stick that was lost.
ACKNOWLEDGED_KEPT = 1_000


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


async def list_links(conn: Connection) -> list[Link]:
    """All links, by peer."""
    return [Link(**dict(r)) for r in await conn.fetch("select * from federation.link order by 1")]


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


# --- keys ---------------------------------------------------------------------------------------


async def find_key(conn: Connection, kid: str) -> PeerKey | None:
    """A key of somebody else."""
    row = await conn.fetchrow("select * from federation.peer_key where kid = $1", kid)
    return None if row is None else PeerKey(**dict(row))


async def list_keys(conn: Connection, peer: str) -> list[PeerKey]:
    """The keys of a peer, the oldest first."""
    rows = await conn.fetch("select * from federation.peer_key where peer = $1 order by at", peer)
    return [PeerKey(**dict(r)) for r in rows]


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


# --- what is chosen, changed, told ----------------------------------------------------------------


async def list_choices(conn: Connection, peer: str | None = None) -> list[Choice]:
    """What is published, to one or to all."""
    rows = await conn.fetch(
        """select * from federation.choice where $1::text is null or peer = $1
           order by peer, kind, type""",
        peer,
    )
    return [Choice(r["peer"], r["kind"], r["type"], tuple(r["attrs"])) for r in rows]


async def touch(conn: Connection, rows: Iterable[tuple[str, str, str]]) -> None:
    """Note (peer, kind, subject) as changed; often the same is one."""
    await conn.executemany(
        """insert into federation.dirty (peer, kind, subject) values ($1, $2, $3)
           on conflict (peer, kind, subject) do update set mark = nextval('federation.mark')""",
        list(rows),
    )


async def list_dirty(conn: Connection, peer: str, limit: int) -> list[tuple[str, str, int]]:
    """(kind, subject, mark) of what changed, the longest ago first."""
    rows = await conn.fetch(
        "select kind, subject, mark from federation.dirty where peer = $1 order by mark limit $2",
        peer,
        limit,
    )
    return [(r["kind"], r["subject"], r["mark"]) for r in rows]


async def clean(conn: Connection, peer: str, done: Sequence[tuple[str, str, int]]) -> None:
    """Forget what was sealed, unless it was touched again meanwhile."""
    await conn.executemany(
        """delete from federation.dirty
           where peer = $1 and kind = $2 and subject = $3 and mark = $4""",
        [(peer, *one) for one in done],
    )


async def told(
    conn: Connection, peer: str, subjects: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], str]:
    """What a peer knows of subjects: (kind, subject) → digest."""
    rows = await conn.fetch(
        """select kind, subject, digest from federation.told t
           join unnest($2::text[], $3::text[]) as w(k, s) on t.kind = w.k and t.subject = w.s
           where peer = $1""",
        peer,
        [kind for kind, _ in subjects],
        [subject for _, subject in subjects],
    )
    return {(r["kind"], r["subject"]): r["digest"] for r in rows}


async def told_under(conn: Connection, peer: str, kind: str, start: str) -> list[str]:
    """Subjects that a peer was told of whose name begins so."""
    rows = await conn.fetch(
        """select subject from federation.told
           where peer = $1 and kind = $2 and starts_with(subject, $3)""",
        peer,
        kind,
        start,
    )
    return [r["subject"] for r in rows]


async def tell(
    conn: Connection, peer: str, seq: int, said: Mapping[tuple[str, str], str | None]
) -> None:
    """Keep what a peer now knows; None: it was told that it is gone."""
    gone = [key for key, digest in said.items() if digest is None]
    await conn.executemany(
        "delete from federation.told where peer = $1 and kind = $2 and subject = $3",
        [(peer, *key) for key in gone],
    )
    await conn.executemany(
        """insert into federation.told values ($1, $2, $3, $4, $5)
           on conflict (peer, kind, subject)
           do update set digest = excluded.digest, seq = excluded.seq""",
        [(peer, *key, digest, seq) for key, digest in said.items() if digest is not None],
    )


async def digest_told(conn: Connection, peer: str) -> str:
    """The digest of everything that we told a peer."""
    rows = await conn.fetch(
        "select kind, subject, digest from federation.told where peer = $1", peer
    )
    return state_digest({(r["kind"], r["subject"]): r["digest"] for r in rows})


_KNOWN = """select distinct on (kind, subject) kind, subject, digest,
                   gone or withdrawn_at is not null as away
            from federation.lineage where peer = $1 order by kind, subject, seq desc"""


async def list_known(conn: Connection, peer: str) -> dict[tuple[str, str], str]:
    """What we keep for a peer: (kind, subject) → digest."""
    rows = await conn.fetch(_KNOWN, peer)
    return {(r["kind"], r["subject"]): r["digest"] for r in rows if not r["away"]}


async def digest_known(conn: Connection, peer: str) -> str:
    """The digest of everything that we keep for a peer."""
    return state_digest(await list_known(conn, peer))


# --- notes, sealed envelopes ----------------------------------------------------------------------


async def add_note(conn: Connection, peer: str, body: Mapping[str, Any]) -> None:
    """Queue an act for a peer."""
    await conn.execute("insert into federation.note (peer, body) values ($1, $2)", peer, body)


async def list_notes(conn: Connection, peer: str, limit: int) -> list[tuple[int, dict[str, Any]]]:
    """Acts that wait, in order."""
    rows = await conn.fetch(
        "select id, body from federation.note where peer = $1 order by id limit $2", peer, limit
    )
    return [(r["id"], r["body"]) for r in rows]


async def list_sealed(conn: Connection, peer: str, after: int, limit: int) -> list[tuple[int, str]]:
    """Envelopes behind a number."""
    rows = await conn.fetch(
        """select seq, jws from federation.sealed where peer = $1 and seq > $2
           order by seq limit $3""",
        peer,
        after,
        limit,
    )
    return [(r["seq"], r["jws"]) for r in rows]


async def acknowledge(conn: Connection, peer: str, have: int) -> bool:
    """The other side has kept everything up to a number; whether that is news."""
    done = await conn.fetchval(
        """update federation.link set out_acked = $2
           where peer = $1 and out_acked < $2 and out_seq >= $2 returning peer""",
        peer,
        have,
    )
    if done is not None:
        await conn.execute(
            "delete from federation.sealed where peer = $1 and seq <= $2",
            peer,
            have - ACKNOWLEDGED_KEPT,
        )
    return done is not None


# --- what was heard -------------------------------------------------------------------------------


async def find_received(conn: Connection, peer: str, seq: int) -> str | None:
    """The digest of the envelope that was kept under a number."""
    found: str | None = await conn.fetchval(
        "select digest from federation.received where peer = $1 and seq = $2", peer, seq
    )
    return found


async def refuse(
    conn: Connection,
    at: datetime,
    peer: str,
    carrier: str,
    seq: int | None,
    code: str,
    params: Mapping[str, Any],
    digest: str,
) -> None:
    """List a refusal and count it."""
    made = await conn.fetchval(
        """insert into federation.refused (at, peer, carrier, seq, code, params, digest)
           values ($1, $2, $3, $4, $5, $6, $7) returning id""",
        at,
        peer[:60],
        carrier,
        seq,
        code,
        params,
        digest,
    )
    await count(conn, code)
    await conn.execute("delete from federation.refused where id <= $1", made - REFUSED_MAX)


async def count(conn: Connection, code: str, by: int = 1) -> None:
    """Count something."""
    await conn.execute(
        """insert into federation.counter as c (code, count) values ($1, $2)
           on conflict (code) do update set count = c.count + excluded.count""",
        code,
        by,
    )
