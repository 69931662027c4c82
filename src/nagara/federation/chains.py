"""The room's SQL: what changed, was told, sealed, heard and refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from nagara.engines.database import Connection
from nagara.federation.envelope import ENVELOPE, open_jws
from nagara.federation.kept import set_link
from nagara.federation.model import moved_state

#: Refusals that are listed; beyond, the oldest are forgotten, the counters are not.
REFUSED_MAX = 10_000
#: Sealed envelopes that are kept after they were acknowledged, for a stick that was lost.
ACKNOWLEDGED_KEPT = 1_000


class Origin(Struct, frozen=True):
    """A row of `federation.lineage`, but for its withdrawal."""

    peer: str
    kind: str
    subject: str
    seq: int
    n: int
    digest: str
    author: str
    authored_at: datetime | None
    gone: bool


async def list_kids_in_use(conn: Connection) -> set[str]:
    """Our keys that are needed still: those that a peer believes in, and those that signed what it
    has not acknowledged."""
    links = await conn.fetch("select distinct my_kid from federation.link")
    sealed = await conn.fetch(
        """select s.jws from federation.sealed s join federation.link l using (peer)
           where s.seq > l.out_acked"""
    )
    return {r["my_kid"] for r in links} | {open_jws(r["jws"], ENVELOPE).header.kid for r in sealed}


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
    """Keep what a peer now knows; None: it was told that it is gone. The caller holds the link."""
    if not said:
        return
    before = await told(conn, peer, list(said))
    state = await conn.fetchval("select out_state from federation.link where peer = $1", peer)
    await set_link(conn, peer, out_state=moved_state(state, before, said))
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


async def doubt(
    conn: Connection, peer: str, subjects: Sequence[tuple[str, str]] | None = None
) -> list[tuple[str, str]]:
    """Note that we do not know what a peer knows of these things (None: of all that it was told),
    so that each is told once more, be it that it is gone; of which. The caller holds the link."""
    if subjects is None:
        rows = await conn.fetch("select kind, subject from federation.told where peer = $1", peer)
        subjects = [(r["kind"], r["subject"]) for r in rows]
    before = await told(conn, peer, subjects)
    await conn.executemany(
        """insert into federation.told values ($1, $2, $3, '', 0)
           on conflict (peer, kind, subject) do update set digest = '', seq = 0""",
        [(peer, *one) for one in subjects],
    )
    state = await conn.fetchval("select out_state from federation.link where peer = $1", peer)
    await set_link(conn, peer, out_state=moved_state(state, before, dict.fromkeys(before)))
    return list(subjects)


async def list_known(
    conn: Connection, peer: str, subjects: Sequence[tuple[str, str]] | None = None
) -> dict[tuple[str, str], str]:
    """What we keep for a peer, of these (kind, subject) or of all: → digest."""
    if subjects is None:
        rows = await conn.fetch(
            """select * from (
                   select distinct on (kind, subject) kind, subject, digest,
                          gone or withdrawn_at is not null as away
                   from federation.lineage where peer = $1 order by kind, subject, seq desc
               ) newest where not away""",
            peer,
        )
    else:
        rows = await conn.fetch(
            """select w.kind, w.subject, l.digest
               from unnest($2::text[], $3::text[]) as w(kind, subject)
               cross join lateral (
                   select digest, gone or withdrawn_at is not null as away from federation.lineage
                   where peer = $1 and kind = w.kind and subject = w.subject
                   order by seq desc limit 1
               ) l where not l.away""",
            peer,
            [kind for kind, _ in subjects],
            [subject for _, subject in subjects],
        )
    return {(r["kind"], r["subject"]): r["digest"] for r in rows}


async def add_lineage(conn: Connection, rows: Sequence[Origin]) -> None:
    """Keep where things came from."""
    await conn.executemany(
        """insert into federation.lineage values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
           on conflict (peer, kind, subject, seq)
           do update set n = excluded.n, digest = excluded.digest, gone = excluded.gone""",
        [tuple(getattr(row, name) for name in Origin.__struct_fields__) for row in rows],
    )


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
    """The other side has kept everything up to a number; whether that is news.

    It may be less than it said before: then it was put back to an older copy of itself, and gets
    again what lies behind that, as far as it is still here.
    """
    done = await conn.fetchval(
        """update federation.link l set out_acked = $2
           where peer = $1 and out_acked <> $2 and out_seq >= $2
             and (out_acked < $2 or exists (select from federation.sealed s
                                            where s.peer = $1 and s.seq = $2 + 1))
           returning peer""",
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
