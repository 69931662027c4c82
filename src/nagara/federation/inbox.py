"""What comes in: an envelope is believed, put in its place, applied; or refused in words.

Envelope, lineage and the chain's head are one transaction with the entities. Values and projects go
to the rooms that keep them just before it: said twice, they change nothing, so a hub that is killed
between the two hears the envelope again and ends up the same.
"""

from __future__ import annotations

import asyncio
import hmac
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any, Literal

import msgspec
import structlog
from msgspec import Struct
from msgspec.structs import replace

from nagara.context import Context, Delete, Entity, Op, Upsert
from nagara.engines.database import Connection, Database
from nagara.federation import errors, kept
from nagara.federation.clearance import clear_entity, may_be_chosen
from nagara.federation.envelope import ENVELOPE, Opened, digest_of, open_jws
from nagara.federation.kept import Link, PeerKey
from nagara.federation.matters import Matters
from nagara.federation.model import (
    ENVELOPE_BYTES_MAX,
    ITEMS_MAX,
    VERSION,
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
    enrolment,
    item_digest,
    judge,
    read_item,
    state_digest,
    write_item,
)
from nagara.guard import audit
from nagara.guard.audit import AuditEntry
from nagara.values.errors import Problem
from nagara.vocab.federation import ValueBook, tenant_of_city
from nagara.vocab.indicator import ReceivedValue
from nagara.vocab.project import ProjectBook

ACTOR = "system:federation"
_DELETES_AT_ONCE = 500

log = structlog.get_logger("federation")


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
        self._own = own
        self._values = values
        self._projects = projects
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
                await kept.refuse(
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

    def _lock_of(self, claim: Claim) -> asyncio.Lock:
        # A stranger's name makes no lock of its own: there would be as many as he likes.
        known = claim.from_ in self._one_at_a_time or len(self._one_at_a_time) < 2_000
        return self._one_at_a_time[claim.from_ if known else ""]

    async def _take(self, opened: Opened, claim: Claim, jws: str, carrier: str) -> Outcome:
        while True:
            async with self._db.acquire() as conn:
                link, new_key = await self.believe(conn, opened, claim)
                payload = _read_payload(opened, claim)
                digest = digest_of(jws)
                heard = await kept.find_received(conn, link.peer, payload.seq)
                if judge(link.heard, payload, digest, heard, self._wall()) == "repeated":
                    await kept.count(conn, "repeated")
                    return Outcome(link.peer, payload.seq, "repeated")
                _demand_open(link, new_key)
            read = self._read(link, payload, jws, digest, opened.header.kid, carrier, new_key)
            try:
                await self._apply(link, read)
            except _Moved:
                continue
            return Outcome(link.peer, payload.seq, "kept")

    # --- believing ------------------------------------------------------------------------------

    async def believe(
        self, conn: Connection, opened: Opened, claim: Claim
    ) -> tuple[Link, PeerKey | None]:
        """The link of who signed, and the key where it is introduced by an enrolment code.

        Raises `SenderUnknown`, `NotForUs`, `KeyUnknown`, `KeyForeign`, `KeyRevoked`, `KeyRetired`,
        `CodeWrong`, `SignatureWrong`.
        """
        link = await kept.find_link(conn, claim.from_)
        if link is None:
            raise errors.SenderUnknown(peer=claim.from_[:60])
        if claim.to != self._own:
            raise errors.NotForUs(to=claim.to[:60], own=self._own)
        kid = opened.header.kid
        key = await kept.find_key(conn, kid)
        if key is None:
            made = self._introduced(link, opened, claim)
            opened.verify(made.x)
            return link, made
        if key.peer != link.peer:
            raise errors.KeyForeign(kid=kid[:60], peer=link.peer)
        opened.verify(key.x)
        if key.status == "revoked":
            raise errors.KeyRevoked(kid=kid[:60], peer=link.peer)
        if key.status == "retired" and claim.seq > (key.until_seq or 0):
            raise errors.KeyRetired(kid=kid[:60], peer=link.peer)
        if link.status == "suspended":
            raise errors.LinkSuspended(peer=self._own)
        return link, None

    def _introduced(self, link: Link, opened: Opened, claim: Claim) -> PeerKey:
        """The key of a first envelope, or of one after a fresh code."""
        if link.status == "suspended":
            raise errors.LinkSuspended(peer=self._own)
        kid, x = opened.header.kid, opened.shown_key()
        if x is None:
            raise errors.KeyUnknown(kid=kid[:60], peer=link.peer)
        if link.side == "upper":
            if kid != link.peer_kid:  # the code we were given names the key
                raise errors.KeyUnknown(kid=kid[:60], peer=link.peer)
        else:
            proof = msgspec.json.decode(opened.payload, type=_Enrol).enrol
            if proof is None:
                raise errors.KeyUnknown(kid=kid[:60], peer=link.peer)
            until = link.code_until
            if link.code_hash is None or until is None or until < self._wall():
                raise errors.CodeWrong(peer=link.peer)
            wanted = enrolment(link.code_hash.hex(), link.peer, self._own, kid)
            if not hmac.compare_digest(wanted, proof):
                raise errors.CodeWrong(peer=link.peer)
        by, seq = "code", claim.seq
        return PeerKey(link.peer, kid, x, "current", seq, None, by, self._wall())

    def _read(
        self,
        link: Link,
        payload: Payload,
        jws: str,
        digest: str,
        kid: str,
        carrier: str,
        new_key: PeerKey | None,
    ) -> Read:
        items: list[tuple[int, Item, str]] = []
        refused: list[tuple[int, Problem]] = []
        for n, raw in enumerate(payload.items):
            try:
                item = read_item(raw, link.side)
                self._demand_own(link, item)
                items.append((n, item, item_digest(raw)))
            except Problem as problem:
                refused.append((n, problem))
        return Read(payload, jws, digest, kid, carrier, new_key, items, refused)

    def _demand_own(self, link: Link, item: Item) -> None:
        """An item that speaks of another city, or of what nobody here knows, is no item."""
        if isinstance(item, Value):
            self._demand_value(item.code, item.start, item.end, item.area, item.breakdown)
        if isinstance(item, Thing) and not all(map(may_be_chosen, item.types or ("",))):
            raise errors.NotCleared(what=", ".join(item.types)[:80])
        if isinstance(item, Gone) and item.of == "value":
            try:
                code, start, end, area, breakdown = item.id.split("|")
                span = date.fromisoformat(start), date.fromisoformat(end)
            except ValueError as error:
                raise errors.ItemInvalid(kind="gone", reason=item.id[:80]) from error
            self._demand_value(code, *span, area, breakdown)
        if isinstance(item, Project):
            if self._projects is None:
                raise errors.ItemUnknown(kind="project")
            if item.record.city != link.peer:
                raise errors.ItemInvalid(kind="project", reason=f"of {item.record.city[:60]}")

    def _demand_value(self, code: str, start: date, end: date, area: str, breakdown: str) -> None:
        if not self._values.knows(code):
            raise errors.ItemInvalid(kind="value", reason=f"no definition {code[:80]}")
        if start >= end or len(area) > 80 or len(breakdown) > 80 or "|" in area + breakdown:
            raise errors.ItemInvalid(kind="value", reason=f"{code}: {start} {end}")

    # --- applying -------------------------------------------------------------------------------

    async def _apply(self, link: Link, read: Read) -> None:
        newest: dict[tuple[str, str], Item] = {}
        for _, item, _ in read.items:
            if isinstance(item, Value | Project | Thing):
                newest[(str(item.__struct_config__.tag), item.subject)] = item
            elif isinstance(item, Gone):
                newest[(item.of, item.id)] = item
        await self._keep_values(link, newest)
        await self._keep_projects(link, newest)
        ops = await self._entity_ops(link, newest)
        receipt = None
        if any(isinstance(item, Withdraw) for _, item, _ in read.items):
            receipt = await self._withdraw(link, read)

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

    async def _keep_values(self, link: Link, newest: dict[tuple[str, str], Item]) -> None:
        values = []
        for (kind, subject), item in newest.items():
            if isinstance(item, Value):
                values.append(
                    ReceivedValue(
                        item.code, item.start, item.end, item.value, item.unit, item.numerator,
                        item.denominator, item.area, item.breakdown, item.quality,
                        item.formula_version, "hidden: small cell" if item.hidden else None,
                    )
                )  # fmt: skip
            elif kind == "value":
                code, start, end, area, breakdown = subject.split("|")
                values.append(
                    msgspec.convert(
                        {"code": code, "period_start": start, "period_end": end, "value": None,
                         "unit": "", "area": area, "breakdown": breakdown, "quality": "missing",
                         "note": "taken back by the city"},
                        ReceivedValue,
                    )
                )  # fmt: skip
        if values:
            await self._values.receive(link.peer, values, ACTOR)

    async def _keep_projects(self, link: Link, newest: dict[tuple[str, str], Item]) -> None:
        if self._projects is None:
            return
        records = [item.record for item in newest.values() if isinstance(item, Project)]
        for (kind, subject), item in newest.items():
            if kind == "project" and isinstance(item, Gone):
                found = await self._projects.find(subject)
                if found is not None and found.city == link.peer:
                    records.append(replace(found, published=False))
        if records:
            await self._projects.receive(link.peer, records, ACTOR)

    async def _entity_ops(self, link: Link, newest: dict[tuple[str, str], Item]) -> list[Op]:
        tenant = tenant_of_city(link.peer)
        ops: list[Op] = []
        for (kind, subject), item in newest.items():
            if isinstance(item, Thing):
                # Cleared here once more: a member that publishes too much does not spread it.
                attrs = clear_entity(item.types, item.attrs, frozenset()) or {}
                ops.append(Upsert(Entity(item.id, item.types, attrs)))
            elif kind == "entity" and await self._context.find(subject, tenant=tenant) is not None:
                ops.append(Delete(subject))
        return ops

    async def _withdraw(self, link: Link, read: Read) -> Receipt:
        """Take everything of a city out of the answers; done twice, the second does nothing."""
        async with self._db.acquire() as conn:
            known = await kept.list_known(conn, link.peer)
        values = await self._values.withdraw(link.peer, ACTOR)
        gone = {
            (kind, subject): Gone(kind, subject, link.peer, self._wall())  # type: ignore[arg-type]  # a kind that was kept
            for kind, subject in known
            if kind != "value"
        }
        await self._keep_projects(link, dict(gone))
        ops = await self._entity_ops(link, dict(gone))
        for start in range(0, len(ops), _DELETES_AT_ONCE):
            part = ops[start : start + _DELETES_AT_ONCE]
            await self._context.write(*part, actor=ACTOR, tenant=tenant_of_city(link.peer))
        log.info("federation.withdrawn", peer=link.peer, values=values, entities=len(ops))
        count = {kind: sum(k == kind for k, _ in known) for kind in ("value", "project", "entity")}
        return Receipt(
            read.payload.seq,
            state_digest(known),
            count["value"],
            count["project"],
            count["entity"],
            self._wall(),
        )

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
            read.new_key is not None,
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
        await conn.executemany(
            "insert into federation.lineage values ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
            " on conflict (peer, kind, subject, seq) do update set n = excluded.n,"
            " digest = excluded.digest, gone = excluded.gone",
            _lineage(link.peer, payload.seq, read.items),
        )
        for n, problem in read.refused:
            params = {**problem.params, "item": n}
            await kept.refuse(
                conn, at, link.peer, read.carrier, payload.seq, problem.code, params, read.digest
            )
        await kept.count(conn, "kept")
        for _, item, _ in read.items:
            await self._act(conn, link, read, item, receipt)

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
            await kept.set_link(conn, link.peer, status="withdrawn")
            await kept.add_note(conn, link.peer, write_item(receipt))
        elif isinstance(item, Receipt):
            await kept.set_link(conn, link.peer, status="withdrawn", proof=read.jws)
            await conn.execute("delete from federation.told where peer = $1", link.peer)
        elif not isinstance(item, Value | Project | Thing | Gone | Withdraw):
            await self._matters.hear(conn, link, item)


class _Enrol(Struct, frozen=True):
    enrol: str | None = None


def read_claim(opened: Opened) -> Claim:
    """What an envelope says of itself. Raises `EnvelopeUnreadable`."""
    if b"\\u0000" in opened.payload:  # what PostgreSQL cannot keep is no text
        raise errors.EnvelopeUnreadable(reason="U+0000")
    try:
        return msgspec.json.decode(opened.payload, type=Claim)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise errors.EnvelopeUnreadable(reason=str(error)[:200]) from error


def _read_payload(opened: Opened, claim: Claim) -> Payload:
    if claim.v > VERSION:  # said before its shape is looked at, which may be another by then
        raise errors.VersionNewer(version=claim.v, known=VERSION)
    try:
        payload = msgspec.json.decode(opened.payload, type=Payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise errors.EnvelopeUnreadable(reason=str(error)[:200]) from error
    if payload.at.tzinfo is None or payload.seq < 1:
        raise errors.EnvelopeUnreadable(reason="at, seq")
    if len(payload.items) > 2 * ITEMS_MAX:
        raise errors.EnvelopeTooLarge(bytes=2 * ITEMS_MAX, what=f"{len(payload.items)} items")
    return payload


def _demand_open(link: Link, new_key: PeerKey | None) -> None:
    if new_key is not None:
        return  # a fresh code opens a link again
    if link.side == "member" and link.status == "withdrawn":
        raise errors.LinkWithdrawn(peer=link.peer)


def _lineage(peer: str, seq: int, items: Sequence[tuple[int, Item, str]]) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for n, item, digest in items:
        if isinstance(item, Value | Thing):
            kind = str(item.__struct_config__.tag)
            rows.append((peer, kind, item.subject, seq, n, digest, item.author, item.at, False))
        elif isinstance(item, Project):
            rows.append((peer, "project", item.subject, seq, n, digest, item.author, None, False))
        elif isinstance(item, Gone):
            rows.append((peer, item.of, item.id, seq, n, digest, item.author, item.at, True))
    return rows
