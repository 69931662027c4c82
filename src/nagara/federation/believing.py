"""Who signed an envelope or a question, and whether that is believed."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from datetime import datetime

import msgspec
from msgspec import Struct

from nagara.engines.database import Connection
from nagara.federation import errors, kept
from nagara.federation.envelope import Opened
from nagara.federation.kept import Link, PeerKey
from nagara.federation.model import ITEMS_MAX, VERSION, Claim, Payload, enrolment
from nagara.values.unread import reason_unread


class _Enrol(Struct, frozen=True):
    enrol: str | None = None


class Believing:
    """Looks for the link and the key behind a signature. `own` is our code."""

    def __init__(self, own: str, wall: Callable[[], datetime]) -> None:
        self._own = own
        self._wall = wall

    async def believe(
        self, conn: Connection, opened: Opened, claim: Claim
    ) -> tuple[Link, PeerKey | None]:
        """The link of who signed, and the key where it is introduced by an enrolment code.

        Raises `SenderUnknown`, `NotForUs`, `KeyUnknown`, `KeyForeign`, `KeyRevoked`, `KeyRetired`,
        `CodeWrong`, `SignatureWrong`, `LinkSuspended`.
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
            if not self._is_right(link, kid, proof):
                raise errors.CodeWrong(peer=link.peer)
        return PeerKey(link.peer, kid, x, "current", claim.seq, None, "code", self._wall())

    def shows_code(self, link: Link, opened: Opened) -> bool:
        """Whether an envelope of a member shows the code that is open for it."""
        if link.side != "member" or link.code_hash is None:
            return False
        proof = msgspec.json.decode(opened.payload, type=_Enrol).enrol
        return proof is not None and self._is_right(link, opened.header.kid, proof)

    def _is_right(self, link: Link, kid: str, proof: str) -> bool:
        until = link.code_until
        if link.code_hash is None or until is None or until < self._wall():
            return False
        wanted = enrolment(link.code_hash.hex(), link.peer, self._own, kid)
        return hmac.compare_digest(wanted.encode(), proof.encode())


def read_claim(opened: Opened) -> Claim:
    """What an envelope says of itself. Raises `EnvelopeUnreadable`."""
    if b"\\u0000" in opened.payload:  # what PostgreSQL cannot keep is no text
        raise errors.EnvelopeUnreadable(reason="U+0000")
    try:
        return msgspec.json.decode(opened.payload, type=Claim)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise errors.EnvelopeUnreadable(reason=reason_unread(error, opened.payload)) from error


def read_payload(opened: Opened, claim: Claim) -> Payload:
    """What was signed. Raises `VersionNewer`, `EnvelopeUnreadable`, `EnvelopeTooLarge`."""
    if claim.v > VERSION:  # said before its shape is looked at, which may be another by then
        raise errors.VersionNewer(version=claim.v, known=VERSION)
    try:
        payload = msgspec.json.decode(opened.payload, type=Payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise errors.EnvelopeUnreadable(reason=reason_unread(error, opened.payload)) from error
    if payload.at.tzinfo is None or payload.seq < 1:
        raise errors.EnvelopeUnreadable(reason="at, seq")
    if len(payload.items) > 2 * ITEMS_MAX:
        raise errors.EnvelopeTooLarge(bytes=2 * ITEMS_MAX, what=f"{len(payload.items)} items")
    return payload
