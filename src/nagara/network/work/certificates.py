"""Certificates of the network: a document that anybody can check, signed by the hub.

JSON Web Signature in compact form (RFC 7515) with EdDSA over Ed25519 (RFC 8037). The private key
lies outside the database, in `DATA/secrets`.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec import Struct

from nagara.engines.database import Connection
from nagara.network.work.errors import WorkUnknown
from nagara.network.work.model import Definition, Process
from nagara.values.time import format_instant

#: A certificate is some hundred bytes; nothing longer is looked at.
JWS_CHARACTERS_MAX = 20_000
TYPE = "nagara-certificate+json"


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Checked(Struct, frozen=True):
    """What a check found. `why`: code of the reason where it is not genuine."""

    genuine: bool
    document: dict[str, Any] | None = None
    why: str | None = None


class Seal:
    """The hub's key. `seed`: 32 secret bytes."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        public = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.key_id = hashlib.sha256(public).hexdigest()[:16]
        self.jwk = {
            "kty": "OKP",
            "crv": "Ed25519",
            "x": _b64(public),
            "kid": self.key_id,
            "use": "sig",
            "alg": "EdDSA",
        }

    def sign(self, document: dict[str, Any]) -> str:
        """The document as a compact JWS."""
        header = {"alg": "EdDSA", "kid": self.key_id, "typ": TYPE}
        parts = [
            _b64(msgspec.json.encode(part, order="deterministic")) for part in (header, document)
        ]
        signed = ".".join(parts)
        return f"{signed}.{_b64(self._key.sign(signed.encode()))}"

    def check(self, jws: str) -> Checked:
        """Whether a JWS is of this key and unchanged; never raises for what it is given."""
        return check_jws(jws, self._key.public_key(), self.key_id)


def check_jws(jws: str, key: Ed25519PublicKey, key_id: str) -> Checked:
    """As `Seal.check`, by the public key alone."""
    parts = jws.strip().split(".")
    if len(parts) != 3 or len(jws) > JWS_CHARACTERS_MAX or not jws.isascii():
        return Checked(False, why="unreadable")
    try:
        header = msgspec.json.decode(_unb64(parts[0]), type=dict[str, Any])
        document = msgspec.json.decode(_unb64(parts[1]), type=dict[str, Any])
        signature = _unb64(parts[2])
    except (ValueError, msgspec.MsgspecError):
        return Checked(False, why="unreadable")
    if header.get("alg") != "EdDSA" or header.get("typ") != TYPE:
        return Checked(False, why="other-kind")
    if header.get("kid") != key_id:
        return Checked(False, why="other-key")
    try:
        key.verify(signature, f"{parts[0]}.{parts[1]}".encode())
    except InvalidSignature:
        return Checked(False, why="changed")
    return Checked(True, document)


async def issue(
    conn: Connection, seal: Seal, definition: Definition, process: Process, at: datetime, hub: str
) -> str:
    """Sign and keep the certificate of a process that was decided; its id."""
    certificate = f"{process.id}-{process.step_count}"
    document = {
        "certificate": certificate,
        "issuer": hub,
        "process": definition.code,
        "processVersion": definition.version,
        "name": dict(definition.name),
        "city": process.city,
        "country": process.country,
        "title": process.title,
        "phase": process.phase,
        "issuedAt": format_instant(at),
        "validUntil": None,
        "positions": {
            seat: {"position": p.position, "bySilence": p.by_silence}
            for seat, p in sorted(process.doc.positions.items())
        },
        "partsSha256": {
            code: hashlib.sha256(text.encode()).hexdigest()
            for code, text in sorted(process.doc.parts.items())
        },
    }
    if process.due_at is not None:
        document["validUntil"] = format_instant(process.due_at)
    await conn.execute(
        "insert into network_work.certificate values ($1, $2, $3, null, $4, $5)",
        certificate,
        process.id,
        at,
        document,
        seal.sign(document),
    )
    return certificate


async def withdraw(conn: Connection, process_id: str, at: datetime) -> None:
    """The certificates of a process do not hold any more."""
    await conn.execute(
        "update network_work.certificate set withdrawn_at = $2"
        " where process_id = $1 and withdrawn_at is null",
        process_id,
        at,
    )


async def get(conn: Connection, certificate: str) -> dict[str, Any]:
    """A certificate as kept. Raises `WorkUnknown`."""
    row = await conn.fetchrow("select * from network_work.certificate where id = $1", certificate)
    if row is None:
        raise WorkUnknown(what="certificate", id=certificate[:80])
    return dict(row)


async def find_of(conn: Connection, process_id: str) -> dict[str, Any] | None:
    """The newest certificate of a process."""
    row = await conn.fetchrow(
        "select id, issued_at, withdrawn_at from network_work.certificate where process_id = $1"
        " order by issued_at desc limit 1",
        process_id,
    )
    return None if row is None else dict(row)
