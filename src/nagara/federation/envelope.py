"""The envelope: a JSON Web Signature in compact form (RFC 7515) with Ed25519 (RFC 8037).

The signature is made and checked by `cryptography`; here is only the form around it. A key is named
by its thumbprint (RFC 7638), so that a name cannot be given to another key.
"""

from __future__ import annotations

import binascii
import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Struct

from nagara.federation.errors import EnvelopeUnreadable, SignatureWrong

ENVELOPE = "nagara-envelope+jws"
ASK = "nagara-ask+jws"

_KEY_BYTES = 32


def b64(data: bytes) -> str:
    """base64url without padding (RFC 7515, 2)."""
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def unb64(text: str) -> bytes:
    """The bytes of a base64url text. Raises `EnvelopeUnreadable`."""
    try:
        if "=" in text or "+" in text or "/" in text:
            raise EnvelopeUnreadable(reason="base64url")
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError, UnicodeEncodeError) as error:
        raise EnvelopeUnreadable(reason="base64url") from error


def digest_of(text: str) -> str:
    """SHA-256 of a whole envelope, as the next one names it."""
    return b64(hashlib.sha256(text.encode("utf-8")).digest())


def thumbprint(x: str) -> str:
    """The name of a public key (RFC 7638, 3; members of RFC 8037, 2)."""
    told = f'{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}'
    return b64(hashlib.sha256(told.encode("ascii")).digest())


def jwk_of(x: str) -> dict[str, str]:
    """A public key as JSON Web Key."""
    return {"kty": "OKP", "crv": "Ed25519", "x": x}


class SigningKey(Struct, frozen=True):
    """A key of our own."""

    seed: bytes

    def __repr__(self) -> str:
        return f"SigningKey({self.kid})"

    @property
    def x(self) -> str:
        """The public half, base64url."""
        return b64(Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw())

    @property
    def kid(self) -> str:
        """Its name."""
        return thumbprint(self.x)

    def sign(self, payload: Any, typ: str, show: bool = False) -> str:
        """A compact JWS of a value as JSON; `show`: with the public key in its header."""
        header: dict[str, Any] = {"alg": "EdDSA", "kid": self.kid, "typ": typ}
        if show:
            header["jwk"] = jwk_of(self.x)
        return sign_bytes(self.seed, header, msgspec.json.encode(payload))


def sign_bytes(seed: bytes, header: dict[str, Any], payload: bytes) -> str:
    """The compact form (RFC 7515, 7.1) of a payload under a header."""
    told = f"{b64(msgspec.json.encode(header))}.{b64(payload)}"
    signature = Ed25519PrivateKey.from_private_bytes(seed).sign(told.encode("ascii"))
    return f"{told}.{b64(signature)}"


class Jwk(Struct, frozen=True):
    """A public key as it is shown (RFC 8037, 2)."""

    kty: str
    crv: str
    x: str


class Header(Struct, frozen=True):
    """What the protected header says. `crit` names extensions that a reader must know: we none."""

    alg: str
    kid: str
    typ: str
    jwk: Jwk | None = None
    crit: list[str] | None = None


class Opened(Struct, frozen=True):
    """An envelope taken apart; nothing in it is believed before `verify`."""

    header: Header
    payload: bytes
    told: bytes
    signature: bytes

    def shown_key(self) -> str | None:
        """The public key in the header, where it has the name that signs. Raises
        `EnvelopeUnreadable` for one of another name."""
        jwk = self.header.jwk
        if jwk is None:
            return None
        if (jwk.kty, jwk.crv) != ("OKP", "Ed25519") or thumbprint(jwk.x) != self.header.kid:
            raise EnvelopeUnreadable(reason="jwk")
        return jwk.x

    def verify(self, x: str) -> None:
        """Raises `SignatureWrong` where the key `x` has not signed this."""
        raw = unb64(x)
        if len(raw) != _KEY_BYTES:
            raise SignatureWrong(kid=self.header.kid[:60])
        try:
            Ed25519PublicKey.from_public_bytes(raw).verify(self.signature, self.told)
        except InvalidSignature as error:
            raise SignatureWrong(kid=self.header.kid[:60]) from error


def open_jws(text: str, typ: str) -> Opened:
    """Take a compact JWS apart. Raises `EnvelopeUnreadable` for anything but EdDSA and `typ`."""
    parts = text.split(".")
    if len(parts) != 3 or not text.isascii():
        raise EnvelopeUnreadable(reason="three parts")
    try:
        header = msgspec.json.decode(unb64(parts[0]), type=Header)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise EnvelopeUnreadable(reason="header") from error
    if header.alg != "EdDSA" or header.typ != typ or header.crit is not None:
        raise EnvelopeUnreadable(reason=f"alg {header.alg[:20]}, typ {header.typ[:40]}")
    told = f"{parts[0]}.{parts[1]}".encode("ascii")
    return Opened(header, unb64(parts[1]), told, unb64(parts[2]))
