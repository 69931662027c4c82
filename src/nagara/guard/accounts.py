"""Local accounts: staff, residents, the first administrator.

The log-in name is stored as a keyed hash and, sealed, in the person's record: a stolen table tells
nobody who works here, and erasing the person leaves nothing to recognise him by.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from msgspec import Struct

from nagara.guard import audit
from nagara.guard.audit import AuditEntry, digest_of
from nagara.guard.errors import (
    AccountUnknown,
    DepartmentInvalid,
    LastAdministrator,
    OwnRights,
    RoleUnknown,
    UsernameInvalid,
    UsernameTaken,
)
from nagara.guard.identity import Actor
from nagara.guard.notices import find_notice
from nagara.guard.passwords import Passwords, check_strength, random_password
from nagara.guard.persons import Persons
from nagara.guard.policy import for_accounts

#: Letters and digits of any script, and . _ - @ inside: 3 to 40 characters.
_USERNAME = re.compile(r"[^\W_](?:[\w.@-]|[\u0e30-\u0e4e]){1,38}(?:[^\W_]|[\u0e30-\u0e4e])")
NAME_MAX = 80
_DEPARTMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,79}")
_LANGUAGE = re.compile(r"[a-z]{2,3}")

_SELECT = (
    "select id, login_hash, password, roles, departments, language, person, record, created_at,"
    " disabled_at, last_used_on from guard.account"
)
_INSERT = (
    "insert into guard.account (id, login_hash, password, roles, departments, language, person,"
    " record, created_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
)


class Account(Struct, frozen=True):
    """An account, with its sealed names opened."""

    id: UUID
    username: str
    name: str
    roles: tuple[str, ...]
    departments: tuple[str, ...]
    language: str
    person: UUID
    record: UUID
    created_at: datetime
    disabled: bool
    last_used_on: str | None

    def actor(self) -> Actor:
        """The account as one who acts."""
        return Actor(
            kind="account",
            id=str(self.id),
            name=self.name,
            roles=self.roles,
            departments=self.departments,
            language=self.language,
            person=str(self.person),
        )


class Credentials(Struct, frozen=True):
    """A log-in name with its password in clear: shown once, kept by nobody here."""

    username: str
    password: str
    roles: tuple[str, ...]


class NewAccount(Struct, frozen=True):
    """What an account is made of. Without a password a random one is drawn."""

    username: str
    name: str
    roles: tuple[str, ...]
    departments: tuple[str, ...] = ()
    language: str = "th"
    password: str | None = None
    notice_version: str | None = None


def fold_username(username: str) -> str:
    """The log-in name as compared: case and form of the code points do not count.

    Raises `UsernameInvalid`.
    """
    folded = unicodedata.normalize("NFKC", username).strip().casefold()
    if not _USERNAME.fullmatch(folded):
        raise UsernameInvalid()
    return folded


def check_roles(roles: Sequence[str]) -> tuple[str, ...]:
    """The roles without repetition. Raises `RoleUnknown` for none, or one no account can have."""
    possible = for_accounts()
    wrong = [role for role in roles if role not in possible]
    if wrong or not roles:
        raise RoleUnknown(got=", ".join(wrong)[:80], known=", ".join(sorted(possible)))
    return tuple(dict.fromkeys(roles))


def check_departments(departments: Sequence[str]) -> tuple[str, ...]:
    """The codes without repetition. Raises `DepartmentInvalid`; whether the city has them, the
    city knows."""
    for code in departments:
        if not _DEPARTMENT.fullmatch(code):
            raise DepartmentInvalid(got="".join(filter(str.isprintable, code))[:40])
    return tuple(dict.fromkeys(departments))


class Accounts:
    """The accounts of the city. `key` hashes log-in names; `at` is always wall time."""

    def __init__(self, persons: Persons, passwords: Passwords, key: bytes) -> None:
        self._persons = persons
        self._passwords = passwords
        self._key = key

    def login_hash(self, username: str) -> bytes:
        """Keyed hash of a log-in name (BLAKE2b): equal names meet, and the table tells nothing."""
        return hashlib.blake2b(
            fold_username(username).encode(), key=self._key, digest_size=32
        ).digest()

    async def create(self, conn: Any, new: NewAccount, *, at: datetime, by: str) -> Credentials:
        """Make the account. Raises `UsernameTaken`, `UsernameInvalid`, `RoleUnknown`, and what a
        chosen password that is too weak raises."""
        roles = check_roles(new.roles)
        departments = check_departments(new.departments)
        username = fold_username(new.username)
        password = new.password or random_password()
        if new.password is not None:
            check_strength(password, username)
        hashed = await self._passwords.hash(password)
        account = uuid4()
        language = new.language if _LANGUAGE.fullmatch(new.language) else "th"
        try:
            async with conn.transaction():
                kept = await self._persons.keep(
                    conn,
                    "account" if roles == ("resident",) else "staff",
                    {"username": username, "name": new.name.strip()[:NAME_MAX] or username},
                    at=at,
                    notice_version=new.notice_version,
                )
                await conn.execute(
                    _INSERT,
                    account,
                    self.login_hash(username),
                    hashed,
                    list(roles),
                    list(departments),
                    language,
                    kept.person,
                    kept.record,
                    at,
                )
                said = AuditEntry(by, "account:create", f"account:{account}", _digest(roles))
                await audit.record(conn, at, said)
        except asyncpg.UniqueViolationError as error:
            raise UsernameTaken() from error
        return Credentials(username, password, roles)

    async def find(self, conn: Any, account: UUID) -> Account | None:
        """The account of this id, or None."""
        rows = await conn.fetch(
            _SELECT + " where id = $1",
            account,
        )
        found = await self._opened(conn, rows)
        return found[0] if found else None

    async def get(self, conn: Any, account: UUID) -> Account:
        """The account of this id. Raises `AccountUnknown`."""
        found = await self.find(conn, account)
        if found is None:
            raise AccountUnknown()
        return found

    async def find_by_username(self, conn: Any, username: str) -> tuple[Account, str] | None:
        """The account of this log-in name with its password hash, or None."""
        try:
            hashed = self.login_hash(username)
        except UsernameInvalid:
            return None
        rows = await conn.fetch(
            _SELECT + " where login_hash = $1",
            hashed,
        )
        found = await self._opened(conn, rows)
        return (found[0], rows[0]["password"]) if found else None

    async def list_all(self, conn: Any) -> list[Account]:
        """All accounts, oldest first."""
        rows = await conn.fetch(_SELECT + " order by created_at, id")
        return await self._opened(conn, rows)

    async def change(
        self,
        conn: Any,
        account: UUID,
        *,
        by: Actor,
        at: datetime,
        disabled: bool | None = None,
        roles: Sequence[str] | None = None,
        departments: Sequence[str] | None = None,
    ) -> Account:
        """Disable or enable, give and take roles and departments; ends sessions of a disabled one.

        Raises `AccountUnknown`, `RoleUnknown`, `OwnRights`, `LastAdministrator`.
        """
        if by.kind == "account" and by.id == str(account):
            raise OwnRights()
        wanted = check_roles(roles) if roles is not None else None
        belongs = check_departments(departments) if departments is not None else None
        async with conn.transaction():
            await _lock_accounts(conn)
            before = await self.get(conn, account)
            now_roles = wanted or before.roles
            now_disabled = before.disabled if disabled is None else disabled
            now_departments = before.departments if belongs is None else belongs
            if "administrator" in before.roles and (
                now_disabled or "administrator" not in now_roles
            ):
                await _demand_another_administrator(conn, account)
            await conn.execute(
                "update guard.account set roles = $2, departments = $3, disabled_at ="
                " case when $4 then coalesce(disabled_at, $5) end where id = $1",
                account,
                list(now_roles),
                list(now_departments),
                now_disabled,
                at,
            )
            await self._retain(conn, before, now_roles, now_disabled, at)
            if now_disabled:
                await conn.execute("delete from guard.session where account = $1", account)
            act = "account:disable" if now_disabled and not before.disabled else "account:change"
            digest = _digest((*now_roles, *now_departments, str(now_disabled)))
            await audit.record(
                conn, at, AuditEntry(by.name_for_audit, act, f"account:{account}", digest)
            )
            return await self.get(conn, account)

    async def reset(self, conn: Any, account: UUID, *, by: str, at: datetime) -> Credentials:
        """A new random password; all sessions of the account end. Raises `AccountUnknown`."""
        found = await self.get(conn, account)
        password = random_password()
        await self._set_password(conn, found, password, by=by, act="account:reset", at=at)
        return Credentials(found.username, password, found.roles)

    async def choose_password(
        self, conn: Any, account: UUID, password: str, *, by: str, at: datetime
    ) -> None:
        """A password chosen by its owner; all sessions of the account end.

        Raises `AccountUnknown`, `PasswordTooShort`, `PasswordTooEasy`.
        """
        found = await self.get(conn, account)
        check_strength(password, found.username)
        await self._set_password(conn, found, password, by=by, act="account:password", at=at)

    async def first_administrator(
        self, conn: Any, *, at: datetime, username: str = "admin"
    ) -> Credentials | None:
        """The first administrator with a random password, when the city has none; else None."""
        async with conn.transaction():
            await _lock_accounts(conn)
            there = await conn.fetchval(
                "select true from guard.account where 'administrator' = any(roles)"
                " and disabled_at is null limit 1"
            )
            if there:
                return None
            name = {"th": "ผู้ดูแลระบบ", "en": "Administrator"}
            new = NewAccount(username, name["th"], ("administrator",))
            return await self.create(conn, new, at=at, by="system:first-start")

    async def used(self, conn: Any, account: Account, at: datetime) -> None:
        """Note the day of the last log-in; a resident's record lives on from there."""
        await conn.execute(
            "update guard.account set last_used_on = $2 where id = $1", account.id, at.date()
        )
        await self._retain(conn, account, account.roles, False, at)

    async def erase(self, conn: Any, account: Account, *, by: str, at: datetime) -> int:
        """Erase the person behind the account, with the account and all his records; how many.

        Raises `LastAdministrator`.
        """
        async with conn.transaction():
            await _lock_accounts(conn)
            if "administrator" in account.roles and not account.disabled:
                await _demand_another_administrator(conn, account.id)
            await conn.execute("delete from guard.account where id = $1", account.id)
        return await self._persons.erase(
            conn, at=at, by=by, act="person:erase", persons=[account.person]
        )

    async def _set_password(
        self, conn: Any, account: Account, password: str, *, by: str, act: str, at: datetime
    ) -> None:
        hashed = await self._passwords.hash(password)
        async with conn.transaction():
            await conn.execute(
                "update guard.account set password = $2 where id = $1", account.id, hashed
            )
            await conn.execute("delete from guard.session where account = $1", account.id)
            await audit.record(conn, at, AuditEntry(by, act, f"account:{account.id}"))

    async def _retain(
        self, conn: Any, account: Account, roles: Sequence[str], disabled: bool, at: datetime
    ) -> None:
        resident = tuple(roles) == ("resident",)
        purpose = "account" if resident else "staff"
        ends = resident or disabled  # the record of staff in service has no end
        kept = timedelta(days=find_notice(purpose).kept_days)
        await self._persons.retain(conn, account.record, at + kept if ends else None)

    async def _opened(self, conn: Any, rows: Sequence[Any]) -> list[Account]:
        sealed = await self._persons.open_many(conn, [row["record"] for row in rows])
        return [
            _account(row, sealed[row["record"]].fields) for row in rows if row["record"] in sealed
        ]


def _account(row: Any, fields: Mapping[str, str]) -> Account:
    used = row["last_used_on"]
    return Account(
        id=row["id"],
        username=fields.get("username", ""),
        name=fields.get("name", ""),
        roles=tuple(row["roles"]),
        departments=tuple(row["departments"]),
        language=row["language"],
        person=row["person"],
        record=row["record"],
        created_at=row["created_at"],
        disabled=row["disabled_at"] is not None,
        last_used_on=used.isoformat() if used else None,
    )


async def _lock_accounts(conn: Any) -> None:
    # Two administrators who disable each other at the same moment must not both succeed.
    await conn.execute("select pg_advisory_xact_lock($1)", audit.CHAIN_LOCK + 2)


async def _demand_another_administrator(conn: Any, account: UUID) -> None:
    another = await conn.fetchval(
        "select true from guard.account where 'administrator' = any(roles)"
        " and disabled_at is null and id <> $1 limit 1",
        account,
    )
    if not another:
        raise LastAdministrator()


def _digest(words: Sequence[str]) -> bytes:
    return digest_of(word.encode() for word in words)
