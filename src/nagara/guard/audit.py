"""The audit: a chain of rows in which nothing can be taken out, changed or moved unseen.

hash(n) = SHA-256(hash(n-1) | n as 8 bytes | canonical bytes of row n), hash(0) = 32 zero bytes.
Row numbers have no gap. What the chain alone cannot show is that its end was cut off, or that
all of it was computed anew: for that, heads are written to a file outside the database
(`nagara.guard.anchors`), which an operator copies to another machine.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct

GENESIS = bytes(32)

#: The advisory lock under which the change log and the audit are appended to, one transaction at a
#: time: "nagara" in ASCII and the number of the lock. Written out in `context.append`
#: (10_context.sql), which takes it too.
CHAIN_LOCK = 0x6E61_6761_7261_0001

#: Longest text of a field; ids are far shorter. Longer ones are cut: no caller may fail here.
TEXT_MAX = 400

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class AuditEntry(Struct, frozen=True):
    """One act to be remembered. No field may hold personal data: they cannot be erased here.

    `digest` is the SHA-256 of what was written (`digest_of`), 32 bytes.
    """

    actor: str
    act: str
    subject: str
    digest: bytes = GENESIS


class AuditRow(Struct, frozen=True):
    """A row as it stands in the chain."""

    seq: int
    at: datetime
    actor: str
    act: str
    subject: str
    digest: bytes
    prev: bytes
    hash: bytes


class AuditHead(Struct, frozen=True):
    """The newest row: its number and hash. (0, zeros) for an empty chain."""

    seq: int
    hash: bytes


def digest_of(writes: Iterable[bytes]) -> bytes:
    """SHA-256 over the writes in order, each preceded by its length."""
    state = hashlib.sha256()
    for write in writes:
        state.update(struct.pack(">I", len(write)))
        state.update(write)
    return state.digest()


def canonical(at: datetime, actor: str, act: str, subject: str, digest: bytes) -> bytes:
    """The bytes of a row that its hash covers, besides its number and the hash before it."""
    micros = (at - _EPOCH) // timedelta(microseconds=1)
    parts = [b"nagara-audit-1", struct.pack(">q", micros)]
    for field in (actor.encode(), act.encode(), subject.encode(), digest):
        parts += [struct.pack(">I", len(field)), field]
    return b"".join(parts)


def link(prev: bytes, seq: int, body: bytes) -> bytes:
    """The hash of row `seq` with canonical bytes `body`, after a row with hash `prev`."""
    return hashlib.sha256(prev + struct.pack(">q", seq) + body).digest()


# One statement, one round trip: the last head is read, the hashes are computed and the rows are
# put in by the server, with the sha256() that PostgreSQL has built in.
_APPEND = """
with recursive tail as materialized (
    select seq, hash from guard.audit order by seq desc limit 1
), chain (n, seq, prev, hash) as (
    select 0, coalesce((select seq from tail), 0), ''::bytea,
           coalesce((select hash from tail), decode(repeat('00', 32), 'hex'))
    union all
    select n + 1, seq + 1, hash, sha256(hash || int8send(seq + 1) || ($6::bytea[])[n + 1])
    from chain where n < cardinality($6::bytea[])
), put as (
    insert into guard.audit (seq, at, actor, act, subject, digest, prev, hash)
    select seq, $1, ($2::text[])[n], ($3::text[])[n], ($4::text[])[n], ($5::bytea[])[n], prev, hash
    from chain where n > 0
)
select seq, hash from chain order by n desc limit 1
"""


async def append(conn: Any, at: datetime, entries: Sequence[AuditEntry]) -> AuditHead:
    """Append the entries at wall time `at`; the new head.

    Call it inside a transaction (read committed) that has taken `CHAIN_LOCK` as a statement of its
    own before. Without the lock two writers meet in the primary key and one of them fails.
    """
    rows = [(_clean(e.actor), _clean(e.act), _clean(e.subject), e.digest) for e in entries]
    row = await conn.fetchrow(
        _APPEND,
        at,
        [actor for actor, _, _, _ in rows],
        [act for _, act, _, _ in rows],
        [subject for _, _, subject, _ in rows],
        [digest for _, _, _, digest in rows],
        [canonical(at, *fields) for fields in rows],
    )
    return AuditHead(row["seq"], row["hash"])


async def lock_chain(conn: Any) -> None:
    """Take the lock of the chain until the transaction ends."""
    await conn.execute("select pg_advisory_xact_lock($1)", CHAIN_LOCK)


async def record(conn: Any, at: datetime, *entries: AuditEntry) -> AuditHead:
    """Lock the chain and append: for the guard's own acts, last in their transaction."""
    await lock_chain(conn)
    return await append(conn, at, entries)


async def head(conn: Any) -> AuditHead:
    """The newest committed row."""
    row = await conn.fetchrow("select seq, hash from guard.audit order by seq desc limit 1")
    return AuditHead(row["seq"], row["hash"]) if row else AuditHead(0, GENESIS)


async def list_rows(conn: Any, after: int, limit: int) -> list[AuditRow]:
    """Up to `limit` rows with a number above `after`, in order."""
    rows = await conn.fetch(
        "select * from guard.audit where seq > $1 order by seq limit $2", after, limit
    )
    return [AuditRow(**dict(row)) for row in rows]


async def list_latest(conn: Any, before: int, limit: int) -> list[AuditRow]:
    """Up to `limit` rows with a number below `before`, the newest first."""
    rows = await conn.fetch(
        "select * from guard.audit where seq < $1 order by seq desc limit $2", before, limit
    )
    return [AuditRow(**dict(row)) for row in rows]


def _clean(text: str) -> str:
    # PostgreSQL stores no NUL, UTF-8 no lone surrogate; a chain must never fail on a strange id.
    safe = text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
    return safe[:TEXT_MAX]
