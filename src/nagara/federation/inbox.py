"""What comes in: an envelope is believed, put in its place, applied; or refused in words.

Envelope, lineage and the chain's head are one transaction with the entities. Values and projects go
to the rooms that keep them just before it: said twice, they change nothing, so a hub that is killed
between the two hears the envelope again and ends up the same.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Literal

from msgspec import Struct

from nagara.context import Context
from nagara.engines.database import Connection, Database
from nagara.federation import chains, errors, kept
from nagara.federation.applying import ACTOR, Applying, newest_of
from nagara.federation.believing import Believing, read_claim, read_payload
from nagara.federation.envelope import ENVELOPE, Opened, digest_of, open_jws
from nagara.federation.kept import Link, PeerKey
from nagara.federation.matters import Matters
from nagara.federation.model import (
    EMPTY_STATE,
    ENVELOPE_BYTES_MAX,
    Claim,
    Gone,
    Item,
    KeyRevoked,
    NewKey,
    Payload,
    Project,
    Receipt,
    Thing,
    Value,
    Withdraw,
    item_digest,
    judge,
    moved_state,
    read_item,
    write_item,
)
from nagara.guard import audit
from nagara.guard.audit import AuditEntry
from nagara.values.errors import Problem
from nagara.vocab.federation import ValueBook, tenant_of_city
from nagara.vocab.project import ProjectBook


class Outcome(Struct, frozen=True):
    """What became of an envelope."""

    peer: str
    seq: int
    what: Literal["kept", "repeated"]


class _Moved(Exception):
    """The chain went on meanwhile."""


class Read(Struct, frozen=True):
    """An envelope that was believed: its items with their place, and those that were refused."""

    payload: Payload
    jws: str
    digest: str
    kid: str
    carrier: str
    new_key: PeerKey | None
    opens: bool  # it shows the code that was given out: whoever had left takes part again
    items: list[tuple[int, Item, str]]
    refused: list[tuple[int, Problem]]


class Inbox:
    """The room's incoming side."""

    def __init__(
        self,
        context: Context,
        db: Database,
        own: str,
        values: ValueBook,
        projects: ProjectBook | None,
        matters: Matters,
        wall: Callable[[], datetime],
    ) -> None:
        self._context = context
        self._db = db
        self._believing = Believing(own, wall)
        self._applying = Applying(context, db, values, projects, wall)
        self._matters = matters
        self._wall = wall
        self._one_at_a_time: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def take(self, jws: str, carrier: str) -> Outcome:
        """Keep one envelope. Raises the Problem that it is refused with; that is listed."""
        claim: Claim | None = None
        try:
            if len(jws) > ENVELOPE_BYTES_MAX:
                raise errors.EnvelopeTooLarge(bytes=ENVELOPE_BYTES_MAX, what=f"{len(jws)}")
            opened = open_jws(jws, ENVELOPE)
            claim = read_claim(opened)
            async with self._lock_of(claim):
                return await self._take(opened, claim, jws, carrier)
        except Problem as problem:
            async with self._db.acquire() as conn, conn.transaction():
                await chains.refuse(
                    conn,
                    self._wall(),
                    claim.from_ if claim else "",
                    carrier,
                    min(claim.seq, 2**62) if claim else None,
                    problem.code,
                    problem.params,
                    digest_of(jws[:ENVELOPE_BYTES_MAX]),
                )
            raise

    async def believe(
        self, conn: Connection, opened: Opened, claim: Claim
    ) -> tuple[Link, PeerKey | None]:
        """As `Believing.believe`: for questions, which are signed in the same way."""
        return await self._believing.believe(conn, opened, claim)

    def _lock_of(self, claim: Claim) -> asyncio.Lock:
        # A stranger's name makes no lock of its own: there would be as many as he likes.
        known = claim.from_ in self._one_at_a_time or len(self._one_at_a_time) < 2_000
        return self._one_at_a_time[claim.from_ if known else ""]

    async def _take(self, opened: Opened, claim: Claim, jws: str, carrier: str) -> Outcome:
        while True:
            async with self._db.acquire() as conn:
                link, new_key = await self._believing.believe(conn, opened, claim)
                payload = read_payload(opened, claim)
                digest = digest_of(jws)
                heard = await chains.find_received(conn, link.peer, payload.seq)
                if judge(link.heard, payload, digest, heard, self._wall()) == "repeated":
                    await chains.count(conn, "repeated")
                    return Outcome(link.peer, payload.seq, "repeated")
                opens = new_key is not None or self._believing.shows_code(link, opened)
                if link.side == "member" and link.status == "withdrawn" and not opens:
                    raise errors.LinkWithdrawn(peer=link.peer)
            items, refused = self._read_items(link, payload)
            kid = opened.header.kid
            read = Read(payload, jws, digest, kid, carrier, new_key, opens, items, refused)
            try:
                await self._apply(link, read)
            except _Moved:
                continue
            return Outcome(link.peer, payload.seq, "kept")

    def _read_items(
        self, link: Link, payload: Payload
    ) -> tuple[list[tuple[int, Item, str]], list[tuple[int, Problem]]]:
        items: list[tuple[int, Item, str]] = []
        refused: list[tuple[int, Problem]] = []
        for n, raw in enumerate(payload.items):
            try:
                item = read_item(raw, link.side)
                self._applying.demand_own(link, item)
                items.append((n, item, item_digest(raw)))
            except Problem as problem:
                refused.append((n, problem))
        return items, refused

    async def _apply(self, link: Link, read: Read) -> None:
        ops = await self._applying.keep(link, newest_of(read.items))
        receipt = None
        if any(isinstance(item, Withdraw) for _, item, _ in read.items):
            receipt = await self._applying.withdraw(link, read.payload.seq)

        async def within(conn: Connection) -> None:
            await self._advance(conn, link, read, receipt)

        if ops:
            tenant = tenant_of_city(link.peer)
            await self._context.write(*ops, actor=ACTOR, tenant=tenant, within=within)
            return
        async with self._db.acquire() as conn, conn.transaction():
            await within(conn)
            subject = f"envelope:{link.peer}:{read.payload.seq}"
            body = audit.digest_of([read.digest.encode()])
            entry = AuditEntry(ACTOR, "federation:receive", subject, body)
            await audit.record(conn, self._wall(), entry)

    async def _advance(
        self, conn: Connection, link: Link, read: Read, receipt: Receipt | None
    ) -> None:
        """The chain goes on by one: what only this room keeps. Raises `_Moved`."""
        payload, at = read.payload, self._wall()
        moved = await conn.fetchval(
            """update federation.link
               set in_seq = $2, in_digest = $3, heard_at = $4, heard_by = $5, failures = 0,
                   trouble = null, status = case when $6 then 'active' else status end,
                   code_hash = case when $6 then null else code_hash end
               where peer = $1 and in_seq = $2 - 1 returning peer""",
            link.peer,
            payload.seq,
            read.digest,
            at,
            read.carrier,
            read.opens,
        )
        if moved is None:
            raise _Moved
        if read.new_key is not None:
            await kept.add_key(conn, read.new_key)
        await conn.execute(
            "insert into federation.received values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            *(link.peer, payload.seq, read.digest, read.kid, read.carrier, payload.at, at),
            *(len(payload.items), read.jws),
        )
        await self._leave_lineage(conn, link, read)
        for n, problem in read.refused:
            params = {**problem.params, "item": n}
            await chains.refuse(
                conn, at, link.peer, read.carrier, payload.seq, problem.code, params, read.digest
            )
        await chains.count(conn, "kept")
        for _, item, _ in read.items:
            await self._act(conn, link, read, item, receipt)

    async def _leave_lineage(self, conn: Connection, link: Link, read: Read) -> None:
        """Where each thing came from, and the digest over all that is kept, moved on by these."""
        rows = _lineage(link.peer, read.payload.seq, read.items)
        if not rows:
            return
        after = {(row.kind, row.subject): None if row.gone else row.digest for row in rows}
        before = await chains.list_known(conn, link.peer, list(after))
        await chains.add_lineage(conn, rows)
        state = await conn.fetchval(
            "select in_state from federation.link where peer = $1", link.peer
        )
        await kept.set_link(conn, link.peer, in_state=moved_state(state, before, after))

    async def _act(
        self, conn: Connection, link: Link, read: Read, item: Item, receipt: Receipt | None
    ) -> None:
        if isinstance(item, NewKey):
            key = PeerKey(
                link.peer, item.kid, item.x, "current", read.payload.seq + 1, None, read.kid,
                self._wall(),
            )  # fmt: skip
            if await kept.find_key(conn, item.kid) is None:
                await kept.add_key(conn, key)
        elif isinstance(item, KeyRevoked):
            await kept.revoke_key(conn, link.peer, item.kid)
        elif isinstance(item, Withdraw) and receipt is not None:
            await conn.execute(
                """update federation.lineage set withdrawn_at = $2
                   where peer = $1 and withdrawn_at is null""",
                link.peer,
                self._wall(),
            )
            await kept.set_link(conn, link.peer, status="withdrawn", in_state=EMPTY_STATE)
            await chains.add_note(conn, link.peer, write_item(receipt))
        elif isinstance(item, Receipt):
            await conn.execute("delete from federation.told where peer = $1", link.peer)
            changes: dict[str, Any] = {"proof": read.jws, "out_state": EMPTY_STATE}
            await kept.set_link(conn, link.peer, status="withdrawn", **changes)
        elif not isinstance(item, Value | Project | Thing | Gone | Withdraw):
            await self._matters.hear(conn, link, item)


def _lineage(peer: str, seq: int, items: Sequence[tuple[int, Item, str]]) -> list[chains.Origin]:
    rows: list[chains.Origin] = []
    for n, item, digest in items:
        if isinstance(item, Value | Thing):
            kind = str(item.__struct_config__.tag)
            author, at = item.author, item.at
            rows.append(chains.Origin(peer, kind, item.subject, seq, n, digest, author, at, False))
        elif isinstance(item, Project):
            subject, author = item.subject, item.author
            rows.append(
                chains.Origin(peer, "project", subject, seq, n, digest, author, None, False)
            )
        elif isinstance(item, Gone):
            author, at = item.author, item.at
            rows.append(chains.Origin(peer, item.of, item.id, seq, n, digest, author, at, True))
    return rows
