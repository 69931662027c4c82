"""The gate: everything the guard holds, wired together, and the use cases that need several parts.

Wall time comes from `wall`, so that a test can let weeks pass; nothing here reads the city clock.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from pathlib import Path
from uuid import UUID

import structlog
from msgspec import Struct

from nagara.engines.database import Database
from nagara.guard import audit
from nagara.guard.accounts import Account, Accounts
from nagara.guard.audit import AuditEntry
from nagara.guard.errors import LogInRefused, TooManyTries, UsernameInvalid
from nagara.guard.identity import ANONYMOUS, Actor, system
from nagara.guard.keyring import ShelfKeys, load_key, secrets_folder
from nagara.guard.limits import (
    ACCOUNT_LIMIT,
    ACCOUNT_WAIT_MAX_S,
    ADDRESS_LIMIT,
    ADDRESS_WAIT_MAX_S,
    DEVICE_LIMIT,
    FREE_TRIES,
    TOKEN_LIMIT,
    Backoff,
    Buckets,
    Limit,
)
from nagara.guard.notices import CONTROLLER, Localised
from nagara.guard.passwords import Passwords, needs_rehash
from nagara.guard.persons import Persons, Record
from nagara.guard.sessions import Devices, Sessions, Tokens, hash_of

#: Seconds that a looked-up actor is believed. This process forgets at once when anything is
#: revoked; another process of the same city after this.
CACHED_S = 5.0
CACHED_MAX = 10_000  # a kilobyte each
#: Addresses remembered as an account's own, spared from the account's back-off.
KNOWN_ADDRESSES_MAX = 50_000
#: An address shared by a neighbourhood may count this many failures before it waits.
ADDRESS_FREE_TRIES = 30

#: New accounts from one address: a family, not a factory.
REGISTER_LIMIT = Limit(rate_per_s=1 / 600, burst=5)

#: Finds the person behind a credential of another room (a report's tracking code), or None.
FindPerson = Callable[[str], Awaitable[UUID | None]]

log = structlog.get_logger("guard")


class Limits(Struct, frozen=True):
    """How often each kind of caller may come."""

    address: Limit = ADDRESS_LIMIT
    account: Limit = ACCOUNT_LIMIT
    device: Limit = DEVICE_LIMIT
    token: Limit = TOKEN_LIMIT


class Gate:
    """Identity, private data and limits of one city.

    `hosts`: names besides the Host header under which browsers reach the city (behind a proxy that
    rewrites it). `proxies`: addresses whose X-Forwarded-For is believed.
    """

    def __init__(
        self,
        db: Database,
        data_dir: Path,
        *,
        wall: Callable[[], datetime],
        open_mode: bool = False,
        https: bool = False,
        hosts: tuple[str, ...] = (),
        proxies: tuple[str, ...] = (),
        controller: Localised = CONTROLLER,
        limits: Limits | None = None,
    ) -> None:
        folder = secrets_folder(data_dir)
        self.db, self.data_dir, self.wall = db, data_dir, wall
        self.open_mode, self.https = open_mode, https
        self.hosts, self.proxies, self.controller = hosts, proxies, controller
        self.passwords = Passwords()
        self.persons = Persons(ShelfKeys(folder), data_dir / "audit" / "erased.log")
        self.accounts = Accounts(self.persons, self.passwords, load_key(folder, "log-in"))
        self.sessions, self.tokens = Sessions(), Tokens()
        self.devices = Devices(load_key(folder, "device"))
        limits = limits or Limits()
        self.buckets: Mapping[str, Buckets] = {
            "anonymous": Buckets(limits.address),
            "account": Buckets(limits.account),
            "device": Buckets(limits.device),
            "token": Buckets(limits.token),
        }
        self.registering = Buckets(REGISTER_LIMIT)
        self._account_backoff = Backoff(ACCOUNT_WAIT_MAX_S)
        self._address_backoff = Backoff(ADDRESS_WAIT_MAX_S, free=ADDRESS_FREE_TRIES)
        self._known: OrderedDict[tuple[bytes, str], None] = OrderedDict()
        self._cache: OrderedDict[bytes, tuple[Actor, float]] = OrderedDict()
        self._find_person: dict[str, FindPerson] = {}

    # --- log-in ---------------------------------------------------------------------------

    async def log_in(self, username: str, password: str, address: str) -> tuple[Account, str]:
        """The account and the secret of a new session.

        Raises `LogInRefused` (whatever was wrong), `TooManyTries`, `LogInBusy`. A failure costs
        the same work whether or not the account exists.
        """
        at = self.wall()
        account, fresh = await self._checked(username, password, address, at)
        async with self.db.acquire() as conn, conn.transaction():
            if fresh:
                await conn.execute(
                    "update guard.account set password = $2 where id = $1", account.id, fresh
                )
            secret = await self.sessions.open(conn, account.id, at)
            await self.accounts.used(conn, account, at)
            actor = account.actor().name_for_audit
            await audit.record(conn, at, AuditEntry(actor, "session:open", actor))
        return account, secret

    async def confirm(self, username: str, password: str, address: str) -> None:
        """Ask for the password again before what cannot be undone. Raises as `log_in`."""
        await self._checked(username, password, address, self.wall())

    async def _checked(
        self, username: str, password: str, address: str, at: datetime
    ) -> tuple[Account, str | None]:
        """The account, and its password's hash made anew where the old one has become weak."""
        now_s = at.timestamp()
        key = self._backoff_key(username, address)
        wait_s = max(
            self._account_backoff.wait_s(key, now_s), self._address_backoff.wait_s(address, now_s)
        )
        if wait_s > 0:
            raise TooManyTries(retry_after_s=int(wait_s) + 1)
        count = self._account_backoff.failed(key, now_s)
        self._address_backoff.failed(address, now_s)
        async with self.db.acquire() as conn:
            found = await self.accounts.find_by_username(conn, username)
        account, hashed = found if found and not found[0].disabled else (None, None)
        if not await self.passwords.matches(password, hashed) or account is None or hashed is None:
            if count == FREE_TRIES:
                await self._note_held_back(found[0] if found else None, at)
            raise LogInRefused()
        self._account_backoff.succeeded(key)
        self._address_backoff.take_back(address)
        self._remember(username, address)
        fresh = await self.passwords.hash(password) if needs_rehash(hashed) else None
        return account, fresh

    async def log_out(self, secret: str) -> None:
        """End the session of this cookie, here at once."""
        hashed = hash_of(secret)
        self._cache.pop(hashed, None)
        async with self.db.acquire() as conn:
            await self.sessions.close(conn, hashed)

    def _backoff_key(self, username: str, address: str) -> object:
        try:
            name = self.accounts.login_hash(username)
        except UsernameInvalid:
            name = hashlib.sha256(username.encode("utf-8", "replace")).digest()
        # Whoever attacks an account from elsewhere must not lock its owner out at his own desk.
        return (name, address) if (name, address) in self._known else name

    def _remember(self, username: str, address: str) -> None:
        known = (self.accounts.login_hash(username), address)
        self._known[known] = None
        self._known.move_to_end(known)
        while len(self._known) > KNOWN_ADDRESSES_MAX:
            self._known.popitem(last=False)

    async def _note_held_back(self, account: Account | None, at: datetime) -> None:
        subject = f"account:{account.id}" if account else "account:unknown"
        log.warning("guard.log_in_held_back", subject=subject)
        if account is not None:  # a stranger must not fill the audit with names he invents
            async with self.db.acquire() as conn, conn.transaction():
                entry = AuditEntry("anonymous", "session:held-back", subject)
                await audit.record(conn, at, entry)

    # --- who is it ------------------------------------------------------------------------

    async def by_session(self, secret: str) -> Actor:
        """Who has this cookie; a stranger when the session is over."""
        return await self._look_up(hash_of(secret), self._session_actor, secret) or ANONYMOUS

    async def by_token(self, secret: str) -> Actor | None:
        """Whose token it is, or None."""
        return await self._look_up(hash_of(secret), self._token_actor, secret)

    async def by_device(self, device: str, secret: str) -> Actor | None:
        """The device, when the secret is its own, or None. Also for the MQTT log-in."""
        key = self.devices.hash(device, secret)
        return await self._look_up(key, self._device_actor, device, secret)

    def is_cached(self, secret: str) -> bool:
        """Whether the secret is believed without asking the database."""
        return hash_of(secret) in self._cache

    def held(self, secret: str) -> Actor | None:
        """Whose secret it is, where the last look at the database is fresh enough."""
        return self._fresh(hash_of(secret), self.wall().timestamp())

    def forget_all(self) -> None:
        """Believe nobody without asking again: after anything was revoked or changed."""
        self._cache.clear()

    def _fresh(self, key: bytes, now_s: float) -> Actor | None:
        held = self._cache.get(key)
        return held[0] if held is not None and 0 <= now_s - held[1] < CACHED_S else None

    async def _look_up(
        self, key: bytes, find: Callable[..., Awaitable[Actor | None]], *offered: str
    ) -> Actor | None:
        now_s = self.wall().timestamp()
        known = self._fresh(key, now_s)
        if known is not None:
            return known
        actor = await find(*offered)
        if actor is None:
            self._cache.pop(key, None)
            return None
        self._cache[key] = (actor, now_s)
        self._cache.move_to_end(key)
        while len(self._cache) > CACHED_MAX:
            self._cache.popitem(last=False)
        return actor

    async def _session_actor(self, secret: str) -> Actor | None:
        async with self.db.acquire() as conn:
            session = await self.sessions.find(conn, hash_of(secret), self.wall())
            account = await self.accounts.find(conn, session.account) if session else None
        return account.actor() if account and not account.disabled else None

    async def _token_actor(self, secret: str) -> Actor | None:
        async with self.db.acquire() as conn:
            return await self.tokens.find_actor(conn, secret, self.wall())

    async def _device_actor(self, device: str, secret: str) -> Actor | None:
        async with self.db.acquire() as conn:
            return await self.devices.find_actor(conn, device, secret)

    # --- persons --------------------------------------------------------------------------

    def find_person_by(self, credential: str, find: FindPerson) -> None:
        """Let a room say whom a credential of its own belongs to (`trackingCode`: cases)."""
        self._find_person[credential] = find

    async def person_of(self, credential: str, value: str) -> UUID | None:
        """The person behind a room's credential, or None."""
        find = self._find_person.get(credential)
        return await find(value) if find else None

    async def erase_person(self, person: UUID, by: Actor) -> int:
        """Erase all that is kept of a person, his account too; how many records.

        Raises `LastAdministrator`, `ErasureBusy`.
        """
        at = self.wall()
        async with self.db.acquire() as conn:
            account = await conn.fetchval("select id from guard.account where person = $1", person)
            found = await self.accounts.find(conn, account) if account else None
            if found is not None:
                done = await self.accounts.erase(conn, found, by=by.name_for_audit, at=at)
            else:
                done = await self.persons.erase(
                    conn, at=at, by=by.name_for_audit, act="person:erase", persons=[person]
                )
        self.forget_all()
        return done

    async def sweep(self, at: datetime) -> int:
        """Erase what is past its retention, and what a restored backup brought back; how many."""
        async with self.db.acquire() as conn:
            due = await conn.fetch("select id from persons.record where retain_until <= $1", at)
            records = [row["id"] for row in due] + await self.persons.returned(conn)
            await self.sessions.sweep(conn, at)
            if not records:
                return 0
            await conn.execute("delete from guard.account where record = any($1::uuid[])", records)
            done = 0
            # One shelf at a time: at a million records, turning one holds writers up for a tenth
            # of a second, turning all at once for half a minute.
            for shelf in sorted({record.bytes[0] for record in records}):
                done += await self.persons.erase(
                    conn,
                    at=at,
                    by=system("retention").name_for_audit,
                    act="person:sweep",
                    records=[record for record in records if record.bytes[0] == shelf],
                )
        self.forget_all()
        return done

    async def list_records(self, person: UUID) -> list[Record]:
        """What is kept of a person, for himself to see."""
        async with self.db.acquire() as conn:
            return await self.persons.list_of(conn, person)
