"""Links: invited, joined, suspended, withdrawn; keys rotated and revoked; what is chosen."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import msgspec
from msgspec import Struct

from nagara.engines.database import Connection, Database
from nagara.federation import chains, errors, kept
from nagara.federation.clearance import CLEARED, may_be_chosen
from nagara.federation.envelope import ENVELOPE, open_jws
from nagara.federation.kept import Choice, Link
from nagara.federation.keys import OwnKeys
from nagara.federation.model import Gone, Withdraw, enrolment, read_item, write_item
from nagara.federation.outbox import Outbox
from nagara.guard import audit
from nagara.guard.audit import AuditEntry

#: A code is written into a letter; a town hall answers within two weeks or asks again.
CODE_GOOD_FOR = timedelta(days=14)
LINKS_MAX = 2_000
CHOICES_MAX = 60
_CODE = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_MARK = "NGR1"
_CARRIERS = ("https", "nats", "file")
#: What a state is sent as again when envelopes are sealed anew.
_STATES = frozenset({"value", "project", "entity", "gone", "key"})


class Invitation(Struct, frozen=True):
    """What an enrolment code says: for whom, by whom, with which key, and a secret. For a member
    that was heard before also number and digest of the last envelope that was kept: there its chain
    goes on, whatever the member still knows of it."""

    member: str
    upper: str
    kid: str
    secret: str
    have: int = 0
    digest: str = ""

    def write(self) -> str:
        """The code as it is handed over."""
        parts = (_MARK, self.member, self.upper, self.kid, self.secret)
        return ".".join((*parts, str(self.have), self.digest) if self.have else parts)

    @property
    def proof_key(self) -> str:
        """What both sides make of the secret; the upper level keeps only this."""
        return hashlib.sha256(self.secret.encode()).hexdigest()


def read_code(text: str) -> Invitation:
    """Raises `LinkInvalid` for a text that is no code."""
    parts = text.strip().split(".")
    good = len(parts) in (5, 7) and parts[0] == _MARK and all(map(_CODE.fullmatch, parts[1:3]))
    if not good or (len(parts) == 7 and not (parts[5].isdecimal() and len(parts[5]) < 18)):
        raise errors.LinkInvalid(what="code", got=text[:12], known=f"{_MARK}.….….….…")
    have, digest = (int(parts[5]), parts[6]) if len(parts) == 7 else (0, "")
    return Invitation(parts[1], parts[2], parts[3], parts[4], have, digest)


class Links:
    """The room's use cases on links. `changed` is called when a link is other than it was."""

    def __init__(
        self, db: Database, own: str, keys: OwnKeys, outbox: Outbox, wall: Callable[[], datetime]
    ) -> None:
        self._db = db
        self._own = own
        self._keys = keys
        self._outbox = outbox
        self._wall = wall
        self.changed: Callable[[], None] = lambda: None
        #: Lets a member's server in, and connects ours: (member, password), (url, password).
        self.admit_leaf: Callable[[str, str], None] = lambda _member, _password: None
        self.connect_leaf: Callable[[str, str], None] = lambda _url, _password: None

    # --- members --------------------------------------------------------------------------------

    async def invite(self, city: str, name: str, carrier: str, by: str) -> tuple[Link, str]:
        """A member with its enrolment code; for one that is there already a fresh code.

        Raises `LinkInvalid`, `LinkTaken` where it is an upper level.
        """
        _demand(self._own, city, name, carrier)
        key = self._keys.current()
        made = Invitation(city, self._own, key.kid, secrets.token_urlsafe(24))
        code = {
            "code_hash": bytes.fromhex(made.proof_key),
            "code_until": self._wall() + CODE_GOOD_FOR,
        }
        async with self._db.acquire() as conn, conn.transaction():
            known = await kept.find_link(conn, city, lock=True)
            if known is None:
                link = self._new(city, "member", name, carrier, "", key.kid)
                await self._insert(conn, link)
            elif known.side != "member":
                raise errors.LinkTaken(peer=city)
            else:  # the code names the key that the member knows
                kid, have = known.my_kid, known.in_seq
                made = Invitation(city, self._own, kid, made.secret, have, known.in_digest)
            await kept.set_link(conn, city, name=name, carrier=carrier, **code)
            await self._audit(conn, by, "invite", city)
            link = await kept.get_link(conn, city)
        if carrier == "nats":
            self.admit_leaf(city, _leaf_password(made))
        self.changed()
        return link, made.write()

    async def suspend(self, city: str, by: str, resume: bool = False) -> Link:
        """Refuse what a member sends, or take it again. Raises `LinkUnknown`, `LinkInvalid`."""
        async with self._db.acquire() as conn, conn.transaction():
            link = await self._member(conn, city)
            wanted = "suspended" if resume else "active"
            if link.status != wanted:
                raise errors.LinkInvalid(what="status", got=link.status, known=wanted)
            await kept.set_link(conn, city, status="active" if resume else "suspended")
            await self._audit(conn, by, "resume" if resume else "suspend", city)
            return await kept.get_link(conn, city)

    async def revoke(self, city: str, kid: str, by: str) -> Link:
        """Believe a key no more. Raises `LinkUnknown`, `KeyUnknown`."""
        async with self._db.acquire() as conn, conn.transaction():
            link = await kept.get_link(conn, city, lock=True)
            if not await kept.revoke_key(conn, city, kid):
                raise errors.KeyUnknown(kid=kid[:60], peer=city)
            await self._audit(conn, by, "revoke", f"{city}:{kid}"[:120])
            return link

    # --- uppers ---------------------------------------------------------------------------------

    async def join(self, code: str, name: str, carrier: str, url: str, by: str) -> Link:
        """Join the upper level that gave the code; again, where it gave a fresh one.

        Raises `LinkInvalid`, `NotForUs`, `LinkTaken`.
        """
        said = read_code(code)
        if said.member != self._own:
            raise errors.NotForUs(to=said.member, own=self._own)
        _demand(self._own, said.upper, name, carrier)
        _demand_url(carrier, url)
        key = self._keys.current()
        async with self._db.acquire() as conn, conn.transaction():
            known = await kept.find_link(conn, said.upper, lock=True)
            if known is None:
                link = self._new(said.upper, "upper", name, carrier, url, key.kid)
                await self._insert(conn, link)
                if said.have:  # it knows this city from before
                    await self._go_on(conn, link, said)
            elif known.side != "upper":
                raise errors.LinkTaken(peer=said.upper)
            else:
                await self._go_on(conn, known, said)
            await kept.set_link(
                conn, said.upper, name=name, carrier=carrier, url=url, secret=said.proof_key,
                status="invited", my_kid=key.kid, trouble=None, failures=0, proof=None,
            )  # fmt: skip
            if known is None or known.peer_kid is None:
                await kept.set_link(conn, said.upper, peer_kid=said.kid)
            await self._audit(conn, by, "join", said.upper)
            link = await kept.get_link(conn, said.upper)
        if carrier == "nats":
            self.connect_leaf(url, _leaf_password(said))
        self._outbox.wake()
        self.changed()
        return link

    async def _go_on(self, conn: Connection, link: Link, said: Invitation) -> None:
        """The chain goes on behind the last envelope that the upper level has kept. What was sealed
        behind it is taken apart and signed with the new key: states are noted again, acts wait
        again in their order. A city that was put back to an older copy of itself does not know that
        envelope: it tells all that it publishes once more."""
        ours = await conn.fetchval(
            "select digest from federation.sealed where peer = $1 and seq = $2",
            link.peer,
            said.have,
        )
        knows = said.have == 0 or said.digest in (ours, link.out_digest)
        rows = await conn.fetch(
            "select jws from federation.sealed where peer = $1 and seq > $2 order by seq",
            link.peer,
            said.have if knows else link.out_acked,
        )
        states: dict[tuple[str, str], None] = {}
        for row in rows:
            for raw in msgspec.json.decode(open_jws(row["jws"], ENVELOPE).payload)["items"]:
                if raw["kind"] not in _STATES:
                    await chains.add_note(conn, link.peer, raw)
                elif raw["kind"] != "key":
                    item = read_item(raw, "member")
                    kind = item.of if isinstance(item, Gone) else raw["kind"]
                    states[(kind, item.subject)] = None  # type: ignore[union-attr]  # states have one
        doubted = await chains.doubt(conn, link.peer, list(states) if knows else None)
        await chains.touch(
            conn, dict.fromkeys((link.peer, kind, _group(kind, one)) for kind, one in doubted)
        )
        await conn.execute(
            "delete from federation.sealed where peer = $1 and seq > $2",
            link.peer,
            said.have if knows else 0,
        )
        await kept.set_link(
            conn, link.peer, out_seq=said.have, out_acked=said.have, out_digest=said.digest
        )

    async def choose(self, peer: str, wanted: Sequence[Choice], by: str) -> list[Choice]:
        """What is published to an upper level from now on; what was and is no longer chosen is
        taken back there. Raises `LinkUnknown`, `NotCleared`, `LinkInvalid`."""
        if len(wanted) > CHOICES_MAX:
            raise errors.LinkInvalid(what="choices", got=str(len(wanted)), known=str(CHOICES_MAX))
        for one in wanted:
            _demand_cleared(one)
        async with self._db.acquire() as conn, conn.transaction():
            link = await kept.get_link(conn, peer, lock=True)
            if link.side != "upper":
                raise errors.LinkInvalid(what="side", got=link.side, known="upper")
            await conn.execute("delete from federation.choice where peer = $1", peer)
            await conn.executemany(
                "insert into federation.choice values ($1, $2, $3, $4)",
                [(peer, one.kind, one.type, list(one.attrs)) for one in wanted],
            )
            # What was told is looked at again: attributes may be fewer, types may be gone.
            rows = await conn.fetch(
                "select kind, subject from federation.told where peer = $1", peer
            )
            named = [(peer, r["kind"], _group(r["kind"], r["subject"])) for r in rows]
            await chains.touch(conn, dict.fromkeys(named))
            await self._audit(conn, by, "choose", peer)
        self._outbox.forget_choices()
        for one in wanted:
            await self._outbox.note_all(one)
        async with self._db.acquire() as conn:
            return await kept.list_choices(conn, peer)

    async def withdraw(self, peer: str, by: str) -> Link:
        """Take everything back. Raises `LinkUnknown`, `LinkInvalid`."""
        async with self._db.acquire() as conn, conn.transaction():
            link = await kept.get_link(conn, peer, lock=True)
            if link.side != "upper" or link.status != "active":
                raise errors.LinkInvalid(what="status", got=link.status, known="active")
            for table in ("choice", "dirty"):
                await conn.execute(f"delete from federation.{table} where peer = $1", peer)  # noqa: S608 - two names of ours
            await chains.add_note(conn, peer, write_item(Withdraw(self._wall())))
            await kept.set_link(conn, peer, status="withdrawing")
            await self._audit(conn, by, "withdraw", peer)
            link = await kept.get_link(conn, peer)
        self._outbox.forget_choices()
        return link

    async def rotate(self, by: str) -> str:
        """A new key of our own; each link introduces it in its next envelope."""
        key = self._keys.rotate()
        async with self._db.acquire() as conn, conn.transaction():
            await self._audit(conn, by, "rotate", key.kid)
        self._outbox.wake()
        return key.kid

    # --- inside ---------------------------------------------------------------------------------

    def _new(self, peer: str, side: Any, name: str, carrier: Any, url: str, kid: str) -> Link:
        return Link(
            peer, side, name, carrier, url, "invited", None, None, None, kid, None, 0, "", 0, 0, "",
            self._wall(), None, None, None, 0, None, None,
        )  # fmt: skip

    async def _insert(self, conn: Connection, link: Link) -> None:
        if await conn.fetchval("select count(*) from federation.link") >= LINKS_MAX:
            raise errors.LinkInvalid(what="links", got=str(LINKS_MAX), known=f"< {LINKS_MAX}")
        try:
            await kept.insert_link(conn, link)
        except asyncpg.UniqueViolationError as error:
            raise errors.LinkTaken(peer=link.peer) from error

    async def _member(self, conn: Connection, city: str) -> Link:
        link = await kept.get_link(conn, city, lock=True)
        if link.side != "member":
            raise errors.LinkInvalid(what="side", got=link.side, known="member")
        return link

    async def _audit(self, conn: Connection, by: str, act: str, what: str) -> None:
        entry = AuditEntry(by, f"federation:{act}", f"link:{what}", audit.digest_of([act.encode()]))
        await audit.record(conn, self._wall(), entry)


def _leaf_password(said: Invitation) -> str:
    return enrolment(said.proof_key, said.member, said.upper, "leaf")


def _demand(own: str, peer: str, name: str, carrier: str) -> None:
    if not _CODE.fullmatch(peer) or peer == own:
        raise errors.LinkInvalid(what="city", got=peer[:60], known="a-z 0-9 -")
    if len(name) > 120:
        raise errors.LinkInvalid(what="name", got=name[:60], known="120")
    if carrier not in _CARRIERS:
        raise errors.LinkInvalid(what="carrier", got=carrier[:40], known=", ".join(_CARRIERS))


def _demand_url(carrier: str, url: str) -> None:
    wanted = {"https": ("https", "http"), "nats": ("nats-leaf", "tls"), "file": ("",)}[carrier]
    try:
        parts = urlsplit(url)
        good = parts.scheme in wanted and (carrier == "file" or bool(parts.hostname))
        good = good and parts.username is None and len(url) <= 300
    except ValueError:
        good = False
    if not good:
        raise errors.LinkInvalid(what="url", got=url[:60], known=" ".join(wanted) or "–")


def _demand_cleared(one: Choice) -> None:
    if one.kind in ("value", "project"):
        if one.type or one.attrs:
            raise errors.NotCleared(what=f"{one.kind}: {one.type}"[:80])
        return
    if one.kind != "entity" or not may_be_chosen(one.type):
        raise errors.NotCleared(what=one.type[:80] or one.kind[:80])
    beyond = sorted(set(one.attrs) - CLEARED[one.type])
    if beyond:
        raise errors.NotCleared(what=f"{one.type}: {', '.join(beyond)}"[:80])


def _group(kind: str, subject: str) -> str:
    """A value is noted with its whole period: small cells are hidden together."""
    return "|".join(subject.split("|")[:3]) if kind == "value" else subject
