"""Private data of persons: sealed under a key each, erased by destroying the key.

Every record has a 256-bit key of its own, drawn by chance; it seals the fields (AES-256-GCM) and
stands beside them, itself sealed under the key of one of 256 shelves. Shelf keys are files in the
secrets folder, never in the database. To erase is to delete the row **and to turn the shelf's
key**: the other records of the shelf (one in 256) are sealed anew under a fresh shelf key and the
old one is destroyed. So what dead pages, write-ahead logs and older copies of the database still
hold of the erased record can be opened by nobody, the city included.

A person is an id that groups records (an account and the reports made with it). No other part of
the database holds more than such ids.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct

from nagara.guard import audit
from nagara.guard.audit import AuditEntry
from nagara.guard.errors import ErasureBusy, PersonKeysMissing, PersonUnknown
from nagara.guard.keyring import SHELVES, ShelfKeys
from nagara.guard.notices import accept, retain_until

#: Taken shared by whoever seals a new record, exclusive by whoever turns a key.
_LOCK = audit.CHAIN_LOCK + 1
#: How long an erasure waits for writers before it lets them pass and tries again. Shorter than
#: PostgreSQL's deadlock time-out (1 s): if they wait for each other, the erasure gives way.
_LOCK_WAIT_MS = 300
_GIVES_WAY = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError)
_TRIES = 20  # with the pauses between, about ten seconds

_SELECT = "select r.*, s.key_id from persons.record r join persons.shelf s using (shelf)"
_ROW = _SELECT + " where id = $1"

_FILE = b"file"  # what the seal of a file is bound to
_NONCE = 12  # bytes, AES-GCM (NIST SP 800-38D)


class Kept(Struct, frozen=True):
    """Where private data were put: ids that may be stored elsewhere and tell nothing."""

    person: UUID
    record: UUID


class Begun(Struct, frozen=True):
    """A record that is not kept yet: files are sealed for it before the transaction that keeps it.

    If it never comes to that, the key is forgotten and what was sealed is noise.
    """

    record: UUID
    key: bytes

    def __repr__(self) -> str:  # a key is in no log
        return f"Begun({self.record})"

    def seal(self, content: bytes) -> bytes:
        """A file sealed under the record's key, as `Persons.seal` does."""
        return _seal(self.key, content, _FILE)


class Record(Struct, frozen=True):
    """A private record, opened."""

    id: UUID
    person: UUID
    purpose: str
    fields: Mapping[str, str]
    notice_version: str
    accepted_at: datetime
    retain_until: datetime | None


class Persons:
    """The store of private records. Methods take a connection, so that they join a transaction."""

    def __init__(self, keys: ShelfKeys, journal: Path) -> None:
        self._keys = keys
        self._journal = journal

    async def settle(self, conn: Any) -> None:
        """At start: give every shelf a key, destroy keys that no shelf uses any more.

        Raises `PersonKeysMissing` when the secrets folder is not the one of this database.
        """
        async with conn.transaction():
            await conn.execute("select pg_advisory_xact_lock($1)", _LOCK)
            rows = await conn.fetch("select shelf, key_id from persons.shelf")
            if not rows:
                made = await asyncio.to_thread(self._keys.add, range(SHELVES))
                await conn.execute(
                    "insert into persons.shelf select * from unnest($1::smallint[], $2::text[])",
                    list(made),
                    list(made.values()),
                )
                rows = [{"shelf": s, "key_id": k} for s, k in made.items()]
            lost = [r["shelf"] for r in rows if self._keys.get(r["key_id"]) is None]
            if lost:
                raise PersonKeysMissing(shelves=len(lost))
            # Under the lock: another process must not be turning a shelf meanwhile.
            await asyncio.to_thread(self._keys.keep_only, {r["key_id"] for r in rows})

    def begin(self) -> Begun:
        """A record to come, for `keep`."""
        return Begun(uuid4(), secrets.token_bytes(32))

    async def keep(
        self,
        conn: Any,
        purpose: str,
        fields: Mapping[str, str | None],
        *,
        at: datetime,
        person: UUID | None = None,
        notice_version: str | None = None,
        begun: Begun | None = None,
    ) -> Kept:
        """Seal the fields that are given under a new key (of `begun`, where files were sealed under
        it already); kept as long as the purpose says.

        `at` is wall time; `person` groups the record with others of an account. Raises
        `NoticeUnknown`, `NoticeOutdated`; RuntimeError outside a transaction, whose end releases
        the shelf to be turned.
        """
        notice = accept(purpose, notice_version)
        if not conn.is_in_transaction():
            raise RuntimeError("keep private data inside a transaction")
        begun = begun or self.begin()
        record = begun.record
        person = person or uuid4()
        await conn.execute("select pg_advisory_xact_lock_shared($1)", _LOCK)
        shelf = record.bytes[0]
        key_id = await conn.fetchval("select key_id from persons.shelf where shelf = $1", shelf)
        own_key = begun.key
        said = {name: text for name, text in fields.items() if text}
        await conn.execute(
            "insert into persons.record values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            record,
            person,
            shelf,
            purpose,
            _seal(self._shelf_key(key_id), own_key, record.bytes),
            _seal(own_key, msgspec.json.encode(said), record.bytes),
            notice.version,
            at,
            retain_until(purpose, at),
        )
        return Kept(person, record)

    async def open(self, conn: Any, record: UUID) -> Record:
        """The record with its fields. Raises `PersonUnknown` when it is not there (any more)."""
        found = await self.open_many(conn, [record])
        if record not in found:
            raise PersonUnknown()
        return found[record]

    async def open_many(self, conn: Any, records: Sequence[UUID]) -> dict[UUID, Record]:
        """The records that are there, by id."""
        rows = await conn.fetch(
            _SELECT + " where id = any($1::uuid[])",
            list(records),
        )
        return {row["id"]: self._opened(row) for row in rows}

    async def list_of(self, conn: Any, person: UUID) -> list[Record]:
        """All that is kept of a person, oldest first: what he may demand to see."""
        rows = await conn.fetch(
            _SELECT + " where person = $1 order by accepted_at, id",
            person,
        )
        return [self._opened(row) for row in rows]

    async def amend(self, conn: Any, record: UUID, fields: Mapping[str, str | None]) -> None:
        """Change or add fields (None takes one out). Raises `PersonUnknown`."""
        row = await self._row(conn, record, _ROW + " for update of r")
        own_key = self._own_key(row)
        said = {**_fields(own_key, row), **fields}
        left = {name: text for name, text in said.items() if text}
        sealed = _seal(own_key, msgspec.json.encode(left), record.bytes)
        await conn.execute("update persons.record set sealed = $2 where id = $1", record, sealed)

    async def retain(self, conn: Any, record: UUID, until: datetime | None) -> None:
        """Keep the record until then (None: until further notice)."""
        await conn.execute(
            "update persons.record set retain_until = $2 where id = $1", record, until
        )

    async def seal(self, conn: Any, record: UUID, content: bytes) -> bytes:
        """A file sealed under the record's key: unreadable once that is erased."""
        return _seal(self._own_key(await self._row(conn, record)), content, _FILE)

    async def unseal(self, conn: Any, record: UUID, content: bytes) -> bytes:
        """What `seal` sealed. Raises `PersonUnknown` after the record is erased."""
        own_key = self._own_key(await self._row(conn, record))
        try:
            return _unseal(own_key, content, _FILE)
        except InvalidTag as error:
            raise PersonUnknown() from error

    async def erase(
        self,
        conn: Any,
        *,
        at: datetime,
        by: str,
        act: str,
        persons: Iterable[UUID] = (),
        records: Iterable[UUID] = (),
    ) -> int:
        """Destroy all records of the persons, and these single records, with their keys; how many.

        Opens its own transaction, after whose commit the old keys are destroyed: RuntimeError
        inside another. Audited as `act` by `by`, one entry a person or record, by id alone. Raises
        `ErasureBusy`.
        """
        if conn.is_in_transaction():
            raise RuntimeError("erase outside any other transaction")
        wanted = (list(persons), list(records))
        for attempt in range(_TRIES):
            try:
                return await self._erase(conn, wanted, at, by, act)
            except _GIVES_WAY:
                await asyncio.sleep(0.1 + 0.02 * attempt)
        raise ErasureBusy()

    async def _erase(
        self, conn: Any, wanted: tuple[list[UUID], list[UUID]], at: datetime, by: str, act: str
    ) -> int:
        fresh: dict[int, str] = {}
        try:
            done, old = await self._erased(conn, wanted, at, by, act, fresh)
        except _GIVES_WAY:
            # Rolled back for certain. After any other fault, a lost connection say, the commit may
            # have happened: then the fresh keys must stay, and `settle` sorts them out.
            await asyncio.to_thread(self._keys.drop, list(fresh.values()))
            raise
        await asyncio.to_thread(self._keys.drop, old)
        return done

    async def _erased(
        self,
        conn: Any,
        wanted: tuple[list[UUID], list[UUID]],
        at: datetime,
        by: str,
        act: str,
        fresh: dict[int, str],
    ) -> tuple[int, set[str]]:
        async with conn.transaction():
            await conn.execute(f"set local lock_timeout = {_LOCK_WAIT_MS}")
            await conn.execute("select pg_advisory_xact_lock($1)", _LOCK)
            gone = await conn.fetch(
                "delete from persons.record where person = any($1::uuid[]) or id = any($2::uuid[])"
                " returning id, person, shelf",
                *wanted,
            )
            # Written before the commit: an erasure that was asked for and fell through is made up
            # for at the next start, one that a restored backup undid as well.
            await asyncio.to_thread(_note, self._journal, [row["id"] for row in gone])
            old = await self._turn(conn, {row["shelf"] for row in gone}, fresh)
            whole = {row["person"] for row in gone} & set(wanted[0])
            subjects = [f"person:{person}" for person in sorted(whole)]
            subjects += [f"record:{row['id']}" for row in gone if row["person"] not in whole]
            if subjects:
                await audit.record(conn, at, *(AuditEntry(by, act, one) for one in subjects))
        return len(gone), old

    async def _turn(self, conn: Any, shelves: set[int], fresh: dict[int, str]) -> set[str]:
        """Seal what is left on the shelves under fresh keys, noted in `fresh`; ids of the old."""
        if not shelves:
            return set()
        rows = await conn.fetch(
            "select shelf, key_id from persons.shelf where shelf = any($1::smallint[])",
            list(shelves),
        )
        old = {row["shelf"]: row["key_id"] for row in rows}
        fresh.update(await asyncio.to_thread(self._keys.add, sorted(shelves)))
        await conn.execute(
            "update persons.shelf s set key_id = w.key_id"
            " from unnest($1::smallint[], $2::text[]) w(shelf, key_id) where s.shelf = w.shelf",
            list(fresh),
            list(fresh.values()),
        )
        left = await conn.fetch(
            "select id, shelf, wrapped from persons.record where shelf = any($1::smallint[])",
            list(shelves),
        )
        turned = await asyncio.to_thread(self._rewrap, left, old, fresh)
        await conn.execute(
            "update persons.record r set wrapped = w.wrapped"
            " from unnest($1::uuid[], $2::bytea[]) w(id, wrapped) where r.id = w.id",
            [row["id"] for row in left],
            turned,
        )
        return set(old.values())

    def _rewrap(
        self, rows: Sequence[Any], old: Mapping[int, str], fresh: Mapping[int, str]
    ) -> list[bytes]:
        before = {shelf: self._shelf_key(key_id) for shelf, key_id in old.items()}
        after = {shelf: self._shelf_key(key_id) for shelf, key_id in fresh.items()}
        return [
            _seal(
                after[row["shelf"]],
                _unseal(before[row["shelf"]], row["wrapped"], row["id"].bytes),
                row["id"].bytes,
            )
            for row in rows
        ]

    async def returned(self, conn: Any) -> list[UUID]:
        """Records that were erased once and are there again: a backup was restored."""
        if not self._journal.exists():
            return []
        lines = (await asyncio.to_thread(self._journal.read_text, "ascii")).split()
        erased = [UUID(line) for line in lines if len(line) == 32]
        rows = await conn.fetch("select id from persons.record where id = any($1::uuid[])", erased)
        return [row["id"] for row in rows]

    async def _row(self, conn: Any, record: UUID, query: str = _ROW) -> Any:
        row = await conn.fetchrow(query, record)
        if row is None:
            raise PersonUnknown()
        return row

    def _shelf_key(self, key_id: str) -> bytes:
        key = self._keys.get(key_id)
        if key is None:
            raise PersonKeysMissing(shelves=1)
        return key

    def _own_key(self, row: Any) -> bytes:
        return _unseal(self._shelf_key(row["key_id"]), row["wrapped"], row["id"].bytes)

    def _opened(self, row: Any) -> Record:
        return Record(
            id=row["id"],
            person=row["person"],
            purpose=row["purpose"],
            fields=_fields(self._own_key(row), row),
            notice_version=row["notice_version"],
            accepted_at=row["accepted_at"],
            retain_until=row["retain_until"],
        )


def _note(journal: Path, records: Sequence[UUID]) -> None:
    if not records:
        return
    journal.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(handle, "".join(f"{record.hex}\n" for record in records).encode())
        os.fsync(handle)
    finally:
        os.close(handle)


def _fields(own_key: bytes, row: Any) -> dict[str, str]:
    return msgspec.json.decode(
        _unseal(own_key, row["sealed"], row["id"].bytes), type=dict[str, str]
    )


def _seal(key: bytes, content: bytes, bound_to: bytes) -> bytes:
    nonce = secrets.token_bytes(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, content, bound_to)


def _unseal(key: bytes, content: bytes, bound_to: bytes) -> bytes:
    return AESGCM(key).decrypt(content[:_NONCE], content[_NONCE:], bound_to)
