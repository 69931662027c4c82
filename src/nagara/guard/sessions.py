"""Sessions of people by cookie, tokens of programs, credentials of devices.

All three secrets are 256 random bits, and the database holds a hash of each. A fast hash is right
here and argon2 would be wrong: argon2 slows down guessing, and 2^256 guesses need no slowing; but
900 devices a second log in after a power cut, and each request of a program is checked.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from base64 import urlsafe_b64encode
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from msgspec import Struct

from nagara.guard import audit
from nagara.guard.audit import AuditEntry, digest_of
from nagara.guard.errors import RoleUnknown, TokenLifeInvalid, TokenNameInvalid, TokenUnknown
from nagara.guard.identity import Actor
from nagara.guard.policy import MATRIX, for_tokens, may_give

COOKIE = "nagara_session"
#: A shift and a little more: a screen left alone overnight is closed in the morning.
IDLE_MAX = timedelta(hours=12)
#: A week: then the password is asked again, whatever the use.
SESSION_MAX = timedelta(days=7)
#: `seen_at` is written at most so often: a write a request would cost more than the request.
SEEN_EVERY = timedelta(minutes=5)

TOKEN_PREFIX = "nag_"  # noqa: S105 - so that scanners of leaked secrets can tell what it is
TOKEN_DAYS, TOKEN_DAYS_MAX = 365, 730
DEVICE_PREFIX = "nagd_"
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")


def new_secret() -> str:
    """256 random bits as 43 characters."""
    return secrets.token_urlsafe(32)


def is_secret(text: str) -> bool:
    """Whether a text has the shape of such a secret; others need no look into the database."""
    return _SECRET.fullmatch(text) is not None


def hash_of(secret: str) -> bytes:
    """What the database keeps of a session's or token's secret: its SHA-256."""
    return hashlib.sha256(secret.encode()).digest()


def csrf_of(secret: str) -> str:
    """The CSRF token of a session: a hash of its secret, so that nothing more must be stored.

    Another site can neither read the cookie nor compute this.
    """
    return (
        urlsafe_b64encode(hashlib.sha256(b"csrf|" + secret.encode()).digest()).decode().rstrip("=")
    )


class Session(Struct, frozen=True):
    """A living session. `account` is opened by the caller."""

    account: UUID
    seen_at: datetime
    ends_at: datetime


class Sessions:
    """Sessions in the database. `at` is wall time."""

    async def open(self, conn: Any, account: UUID, at: datetime) -> str:
        """A new session; its secret, for the cookie alone."""
        secret = new_secret()
        await conn.execute(
            "insert into guard.session values ($1, $2, $3, $3, $4)",
            hash_of(secret),
            account,
            at,
            at + SESSION_MAX,
        )
        return secret

    async def find(self, conn: Any, hashed: bytes, at: datetime) -> Session | None:
        """The session of this hash, when neither idle too long nor at its end."""
        row = await conn.fetchrow(
            "select account, seen_at, ends_at from guard.session"
            " where hash = $1 and ends_at > $2 and seen_at > $3",
            hashed,
            at,
            at - IDLE_MAX,
        )
        if row is None:
            return None
        if at - row["seen_at"] >= SEEN_EVERY:
            await conn.execute("update guard.session set seen_at = $2 where hash = $1", hashed, at)
        return Session(row["account"], row["seen_at"], row["ends_at"])

    async def close(self, conn: Any, hashed: bytes) -> None:
        """End the session."""
        await conn.execute("delete from guard.session where hash = $1", hashed)

    async def sweep(self, conn: Any, at: datetime) -> int:
        """Delete sessions that are over; how many."""
        done = await conn.execute(
            "delete from guard.session where ends_at <= $1 or seen_at <= $2", at, at - IDLE_MAX
        )
        return int(done.rpartition(" ")[2])


class Token(Struct, frozen=True):
    """A program's token as listed: everything but the secret."""

    id: UUID
    name: str
    role: str
    owner: UUID | None
    created_at: datetime
    expires_at: datetime
    last_used_on: date | None


class Tokens:
    """Bearer tokens of programs."""

    async def create(
        self, conn: Any, name: str, role: str, *, at: datetime, by: Actor, days: int = TOKEN_DAYS
    ) -> tuple[Token, str]:
        """A token with its secret, which is shown once.

        Made by an account, it acts only while that account may give its role; made by the system
        (command line) it has no owner. Raises `RoleUnknown`, `TokenLifeInvalid`,
        `TokenNameInvalid`.
        """
        possible = sorted(r for r in for_tokens() if may_give(by.roles, r))
        if role not in possible:
            raise RoleUnknown(got=role[:40], known=", ".join(possible))
        if not 1 <= days <= TOKEN_DAYS_MAX:
            raise TokenLifeInvalid(most=TOKEN_DAYS_MAX)
        if not 1 <= len(name.strip()) <= 80 or not name.strip().isprintable():
            raise TokenNameInvalid()
        secret = TOKEN_PREFIX + new_secret()
        token = Token(
            id=uuid4(),
            name=name.strip(),
            role=role,
            owner=UUID(by.id) if by.kind == "account" else None,
            created_at=at,
            expires_at=at + timedelta(days=days),
            last_used_on=None,
        )
        async with conn.transaction():
            await conn.execute(
                "insert into guard.token (id, hash, name, role, owner, created_at, expires_at)"
                " values ($1, $2, $3, $4, $5, $6, $7)",
                token.id,
                hash_of(secret),
                token.name,
                token.role,
                token.owner,
                token.created_at,
                token.expires_at,
            )
            entry = AuditEntry(
                by.name_for_audit, "token:create", f"token:{token.id}", digest_of([role.encode()])
            )
            await audit.record(conn, at, entry)
        return token, secret

    async def find_actor(self, conn: Any, secret: str, at: datetime) -> Actor | None:
        """Who acts by this token; None when unknown, expired, or its owner lost his right to it."""
        if not secret.startswith(TOKEN_PREFIX) or not is_secret(secret[len(TOKEN_PREFIX) :]):
            return None
        row = await conn.fetchrow(
            "select t.id, t.name, t.role, t.owner, t.last_used_on, a.roles, a.disabled_at"
            " from guard.token t left join guard.account a on a.id = t.owner"
            " where t.hash = $1 and t.expires_at > $2",
            hash_of(secret),
            at,
        )
        if row is None:
            return None
        if row["owner"] is not None and (
            row["disabled_at"] is not None or not may_keep(row["roles"], row["role"])
        ):
            return None
        if row["last_used_on"] != at.date():
            await conn.execute(
                "update guard.token set last_used_on = $2 where id = $1", row["id"], at.date()
            )
        return Actor(
            kind="token", id=str(row["id"]), name=row["name"], roles=(row["role"],), language="en"
        )

    async def list_all(self, conn: Any) -> list[Token]:
        """All tokens, newest first, expired ones too."""
        rows = await conn.fetch(
            "select id, name, role, owner, created_at, expires_at, last_used_on from guard.token"
            " order by created_at desc, id"
        )
        return [Token(**dict(row)) for row in rows]

    async def revoke(self, conn: Any, token: UUID, *, at: datetime, by: Actor) -> None:
        """Take the token away for good. Raises `TokenUnknown`."""
        async with conn.transaction():
            gone = await conn.fetchval("delete from guard.token where id = $1 returning id", token)
            if gone is None:
                raise TokenUnknown()
            entry = AuditEntry(by.name_for_audit, "token:revoke", f"token:{token}")
            await audit.record(conn, at, entry)


def may_keep(owner_roles: list[str], role: str) -> bool:
    """Whether a token of a role may go on, by the roles that its owner has now."""
    holds_write = any("token:write" in MATRIX.get(r, ()) for r in owner_roles)
    return holds_write and may_give(owner_roles, role)


class Devices:
    """Credentials of devices: the device's id and a secret, for MQTT and for HTTP Basic.

    The hash is keyed (BLAKE2b) with a key outside the database.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def hash(self, device: str, secret: str) -> bytes:
        """The stored form: bound to the device, so that rows cannot be exchanged."""
        message = device.encode() + b"\0" + secret.encode()
        return hashlib.blake2b(message, key=self._key, digest_size=32).digest()

    async def issue(self, conn: Any, device: str, *, at: datetime, by: str) -> str:
        """A fresh secret for the device; the one before stops working. Shown once."""
        secret = DEVICE_PREFIX + new_secret()
        async with conn.transaction():
            await conn.execute(
                "insert into guard.device_credential values ($1, $2, $3)"
                " on conflict (device) do update set hash = $2, issued_at = $3",
                device,
                self.hash(device, secret),
                at,
            )
            await audit.record(conn, at, AuditEntry(by, "device:credential", f"device:{device}"))
        return secret

    async def issue_many(
        self, conn: Any, devices: list[str], *, at: datetime, by: str
    ) -> dict[str, str]:
        """A fresh secret for each, in one transaction and one audit row (a fleet is registered)."""
        issued = {device: DEVICE_PREFIX + new_secret() for device in devices}
        async with conn.transaction():
            await conn.execute(
                "insert into guard.device_credential"
                " select d, h, $3 from unnest($1::text[], $2::bytea[]) w(d, h)"
                " on conflict (device) do update set hash = excluded.hash, issued_at = $3",
                list(issued),
                [self.hash(device, secret) for device, secret in issued.items()],
                at,
            )
            entry = AuditEntry(
                by,
                "device:credential",
                f"{len(issued)} devices",
                digest_of(device.encode() for device in issued),
            )
            await audit.record(conn, at, entry)
        return issued

    async def revoke(self, conn: Any, device: str, *, at: datetime, by: str) -> bool:
        """Take the device's credential away; whether it had one."""
        async with conn.transaction():
            gone = await conn.fetchval(
                "delete from guard.device_credential where device = $1 returning device", device
            )
            if gone is None:
                return False
            await audit.record(conn, at, AuditEntry(by, "device:revoke", f"device:{device}"))
        return True

    async def find_actor(self, conn: Any, device: str, secret: str) -> Actor | None:
        """The device as one who acts, when the secret is its own; else None."""
        if not device.isprintable():  # PostgreSQL takes no NUL, and no device has such an id
            return None
        stored = await conn.fetchval(
            "select hash from guard.device_credential where device = $1", device
        )
        offered = self.hash(device, secret)
        if not hmac.compare_digest(stored or bytes(32), offered):
            return None
        return Actor(kind="device", id=device, name=device, roles=("device",), language="en")
