"""The change log as it is followed: a tail in memory, and durable readers behind it."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

import msgspec
import structlog
from msgspec import Struct

from nagara.context.model import Change, ChangeOp
from nagara.context.store import Cache, Conn
from nagara.engines.database import Database
from nagara.engines.errors import is_connection_loss

#: Changes kept in memory so that readers that keep up never ask the database; about 20 MB.
TAIL_MAX = 20_000
#: Longest pause between looks at the log where no wake-up came: a missed NOTIFY heals in this time.
LOOK_EVERY_S = 5.0
#: An offset moves at most this often where a reader saw nothing that concerns it.
IDLE_SAVE_S = 2.0
ATTEMPTS_MAX = 5
BACKOFF_FIRST_S, BACKOFF_MAX_S = 0.1, 10.0

_OPS: dict[bytes | str, ChangeOp] = {
    "c": "create",
    "u": "update",
    "r": "replace",
    "d": "delete",
    "t": "temporal",
}

_AFTER = """
select c.seq, c.tenant, e.id, e.type, e.types, c.op::text as op, c.attrs::text as attrs, c.at,
       c.recorded_at
from context.change c join context.entity e on e.no = c.no
where c.seq > $1 order by c.seq limit $2
"""

log = structlog.get_logger("context")


def change_op(letter: str) -> ChangeOp:
    """The word for the letter that the log stores."""
    return _OPS[letter]


async def read_changes(conn: Conn, after: int, limit: int) -> list[Change]:
    """Rows of the log behind `after`, in order."""
    rows = await conn.fetch(_AFTER, after, limit)
    return [
        Change(
            seq=row["seq"],
            tenant=row["tenant"],
            id=row["id"],
            types=tuple(row["types"]) if row["types"] else (row["type"],),
            op=_OPS[row["op"]],
            attrs=msgspec.json.decode(row["attrs"]),
            at=row["at"],
            recorded_at=row["recorded_at"],
        )
        for row in rows
    ]


class Tail:
    """The newest part of the log in memory, contiguous from `floor` to `head`.

    This process's commits are published as they happen. What other processes wrote is found by
    NOTIFY, or by looking, and read from the database.
    """

    def __init__(self, db: Database, cache: Cache) -> None:
        self._db = db
        self._cache = cache
        self._changes: list[Change] = []
        self.floor = 0
        self.head = 0
        self._moved = asyncio.Event()
        self._called = asyncio.Event()
        self.listeners: list[Callable[[Sequence[Change]], None]] = []
        self.gaps: list[Callable[[], None]] = []

    async def start(self) -> None:
        """Set the head to where the log stands."""
        async with self._db.acquire() as conn:
            self.floor = self.head = await conn.fetchval(
                "select coalesce(max(seq), 0) from context.change"
            )

    def publish(self, before: int, changes: Sequence[Change]) -> None:
        """Take in the rows of a commit; `before` is the number of the row in front of them."""
        fresh = [c for c in changes if c.seq > self.head] if before < self.head else changes
        if not fresh:
            return
        if before > self.head:
            # Another process wrote in between: what it changed is not known here. Everything held
            # is forgotten, and screens are told to ask for the whole. Readers go on by number.
            self._changes.clear()
            self.floor = before
            self._cache.clear()
            for told in self.gaps:
                told()
        self._changes.extend(fresh)
        self.head = fresh[-1].seq
        if len(self._changes) > TAIL_MAX:
            cut = len(self._changes) - TAIL_MAX // 2
            self.floor = self._changes[cut - 1].seq
            del self._changes[:cut]
        for listener in self.listeners:
            listener(fresh)
        self._moved.set()
        self._moved = asyncio.Event()

    async def follow(self) -> None:
        """Runs for the life of the city: hears of other processes' commits."""
        while True:
            try:
                await self._listen()
            except Exception as error:
                if not is_connection_loss(error):
                    raise
                await asyncio.sleep(BACKOFF_FIRST_S)

    async def _listen(self) -> None:
        conn = await self._db.connect()
        try:
            await conn.add_listener("nagara_change", lambda *_: self._called.set())
            while not conn.is_closed():
                await self._catch_up(conn)
                try:
                    await asyncio.wait_for(self._called.wait(), LOOK_EVERY_S)
                except TimeoutError:
                    continue
                # Our own commits call too: let them publish first, then look at what is left.
                await asyncio.sleep(0.002)
                self._called.clear()
        finally:
            conn.terminate()

    async def _catch_up(self, conn: Conn) -> None:
        while True:
            newest: int = await conn.fetchval("select coalesce(max(seq), 0) from context.change")
            if newest <= self.head:
                return
            before = self.head
            foreign = await read_changes(conn, before, 1000)
            if foreign and self.head == before:
                self._cache.drop((c.tenant, c.id) for c in foreign)
                self.publish(before, foreign)

    async def after(self, seq: int, limit: int) -> list[Change]:
        """Up to `limit` changes behind `seq`, from memory where it reaches so far."""
        if seq >= self.head:
            return []
        if seq >= self.floor:
            start = bisect_right(self._changes, seq, key=lambda c: c.seq)
            return self._changes[start : start + limit]
        async with self._db.acquire() as conn:
            return await read_changes(conn, seq, limit)

    async def moved(self, beyond: int, timeout_s: float) -> None:
        """Return when the head is beyond a number, or after a time-out."""
        if self.head > beyond:
            return
        try:
            await asyncio.wait_for(self._moved.wait(), timeout_s)
        except TimeoutError:
            return


class Reader(Struct, frozen=True):
    """Somebody who reads the change log: every change of the types named, at least once and in
    order per entity. `handle` raises where it could not do its work; it is called again."""

    name: str
    handle: Callable[[list[Change]], Awaitable[None]]
    types: tuple[str, ...] = ()  # empty: all
    batch: int = 500
    #: `handle` keeps the offset itself, in the transaction of its work (`save_offset`).
    keeps_offset: bool = False


class ReaderState(Struct, frozen=True):
    """How far a reader has come."""

    name: str
    seq: int
    lag: int
    dead: int
    last_error: str | None
    moved_at: datetime | None


async def save_offset(conn: Conn, name: str, seq: int) -> None:
    """Keep how far a reader has come; never less far than before."""
    await conn.execute(
        """insert into context.reader (name, seq, moved_at) values ($1, $2, now())
           on conflict (name) do update
               set seq = greatest(context.reader.seq, excluded.seq),
                   moved_at = excluded.moved_at""",
        name,
        seq,
    )


class ReaderRunner:
    """Drives one reader: durable offset, retry with back-off, dead letters."""

    def __init__(self, db: Database, tail: Tail, reader: Reader) -> None:
        self.reader = reader
        self._types = frozenset(reader.types)
        self._db = db
        self._tail = tail
        self.seq = 0
        self._saved = 0
        self._saved_at = 0.0
        self.last_error: str | None = None
        self.moved_at: datetime | None = None

    @property
    def lag(self) -> int:
        """Rows of the log that the reader has not passed."""
        return max(0, self._tail.head - self.seq)

    async def run(self) -> None:
        """Runs for the life of the city."""
        async with self._db.acquire() as conn:
            self.seq = self._saved = (
                await conn.fetchval(
                    "select seq from context.reader where name = $1", self.reader.name
                )
                or 0
            )
        while True:
            changes = await self._tail.after(self.seq, self.reader.batch)
            if not changes:
                await self._save_idle()
                await self._tail.moved(self.seq, LOOK_EVERY_S)
                continue
            wanted = self._wanted(changes)
            if wanted:
                await self._handle(wanted)
            self.seq = changes[-1].seq
            self.moved_at = changes[-1].recorded_at
            if wanted and not self.reader.keeps_offset:
                await self._save()
            else:
                await self._save_idle()

    def _wanted(self, changes: list[Change]) -> list[Change]:
        types = self._types
        if not types:
            return changes
        return [c for c in changes if not types.isdisjoint(c.types)]

    async def _handle(self, changes: list[Change]) -> None:
        """Hand over a batch; on trouble one at a time, parking what fails for good."""
        try:
            await self.reader.handle(changes)
            self.last_error = None
            return
        except Exception as error:
            self.last_error = f"{type(error).__name__}: {error}"[:500]
            log.warning("reader.batch_failed", reader=self.reader.name, error=self.last_error)
        for change in changes:
            await self._handle_one(change)

    async def _handle_one(self, change: Change) -> None:
        attempts, pause = 0, BACKOFF_FIRST_S
        while True:
            try:
                await self.reader.handle([change])
                return
            except Exception as error:
                self.last_error = f"{type(error).__name__}: {error}"[:500]
                attempts += 0 if is_connection_loss(error) else 1
                if attempts >= ATTEMPTS_MAX:
                    await self._park(change, attempts)
                    return
                await asyncio.sleep(pause)
                pause = min(pause * 2, BACKOFF_MAX_S)

    async def _park(self, change: Change, attempts: int) -> None:
        log.error("reader.parked", reader=self.reader.name, seq=change.seq, entity=change.id)
        async with self._db.acquire() as conn:
            await conn.execute(
                """insert into context.dead_letter
                       (reader, seq, entity_id, reason, attempts, parked_at)
                   values ($1, $2, $3, $4, $5, now())
                   on conflict (reader, seq) do update
                       set reason = excluded.reason,
                           attempts = context.dead_letter.attempts + excluded.attempts""",
                self.reader.name,
                change.seq,
                change.id,
                self.last_error,
                attempts,
            )

    async def _save(self) -> None:
        while True:
            try:
                async with self._db.acquire() as conn:
                    await save_offset(conn, self.reader.name, self.seq)
                self._saved, self._saved_at = self.seq, time.monotonic()
                return
            except Exception as error:
                if not is_connection_loss(error):
                    raise
                await asyncio.sleep(BACKOFF_FIRST_S)

    async def _save_idle(self) -> None:
        if self.seq > self._saved and time.monotonic() - self._saved_at > IDLE_SAVE_S:
            await self._save()

    async def retry(self, dead_id: int) -> bool:
        """Hand a dead letter over once more; True where it went well and is gone."""
        async with self._db.acquire() as conn:
            seq = await conn.fetchval(
                "select seq from context.dead_letter where id = $1 and reader = $2",
                dead_id,
                self.reader.name,
            )
            changes = [] if seq is None else await read_changes(conn, seq - 1, 1)
        if not changes:
            return False
        await self.reader.handle(changes)
        async with self._db.acquire() as conn:
            await conn.execute("delete from context.dead_letter where id = $1", dead_id)
        return True
