"""The context: what everybody in the city reads and writes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime, timedelta

import msgspec
import structlog
from msgspec import Struct

from nagara.context.clock import CityClock
from nagara.context.commit import AuditAppend, Committer
from nagara.context.count import count_entities
from nagara.context.errors import EntityNotFound, VersionConflict
from nagara.context.expiry import (
    LOOK_EVERY_S,
    SWEPT_MAX,
    entity_at,
    find_ended,
    forget_ends,
    sweep_of,
)
from nagara.context.find import query_held, query_page, query_plain, read_plain
from nagara.context.history import read_history, read_series
from nagara.context.history_fold import HistoryKeeper
from nagara.context.live import Live
from nagara.context.log import Reader, ReaderRunner, ReaderState, Tail
from nagara.context.lookups import Lookups
from nagara.context.model import Count, Entity, Op, Page, Query, Sample, Written
from nagara.context.plain import PlainAnswer, PlainPage
from nagara.context.plan import Within
from nagara.context.q_sql import Expand
from nagara.context.store import Cache, Held, load
from nagara.engines.database import Database
from nagara.guard.policy import Keeping

log = structlog.get_logger("context")

#: How long a key is remembered: a program that repeats a request later than this means it anew.
KEYS_KEPT = timedelta(days=30)
SWEEP_EVERY_S = 3600.0
#: A query waits so long for what has run out to be swept; then it is judged with the rest of that.
SWEEP_WAIT_S = 2.0

#: Samples of one answer: a month of one-minute values.
SAMPLES_MAX = 50_000


class Task(Struct, frozen=True):
    """Work that runs for the life of the city; started again with back-off when it fails."""

    name: str
    run: Callable[[], Awaitable[None]]


def as_written(name: str) -> str:
    """Rooms use canonical names: nothing to expand."""
    return name


class Context:
    """The NGSI-LD store of one city.

    Entities, their history and the change log, in one PostgreSQL schema. `start` before use.
    """

    def __init__(
        self, db: Database, audit_append: AuditAppend, history_kept: timedelta | None = None
    ) -> None:
        self.db = db
        self.keeper = HistoryKeeper(db, history_kept)
        self.lookups = Lookups(db)
        self.clock = CityClock()
        self.cache = Cache()
        self.tail = Tail(db, self.cache)
        self.live = Live(self.tail)
        self.committer = Committer(db, self.clock, self.cache, self.tail, audit_append)
        self.readers: dict[str, ReaderRunner] = {}
        #: What the standard APIs leave alone; whoever sets rooms to work says so.
        self.keeping = Keeping()
        self._tasks: list[asyncio.Task[None]] = []
        self._sweeping: asyncio.Task[None] | None = None

    async def start(self, readers: Sequence[Reader] = (), held_at: datetime | None = None) -> None:
        """Begin to commit, to follow the log and to serve readers.

        `held_at`: where the clock of a replay stands until it is begun.
        """
        await self.clock.load(self.db, held_at)
        await self.tail.start()
        async with self.db.acquire() as conn:
            await self.committer.ends.read(conn)
        self.spawn(Task("context.commit", self.committer.run))
        self.spawn(Task("context.follow", self.tail.follow))
        self.spawn(Task("context.sweep", self._sweep_for_ever))
        self.spawn(Task("context.history", self.keeper.run))
        self.spawn(Task("context.lookups", self.lookups.run))
        for reader in readers:
            self.add_reader(reader)

    def add_reader(self, reader: Reader) -> ReaderRunner:
        """Serve one more reader of the change log. Raises ValueError for a name that is taken."""
        if reader.name in self.readers:
            raise ValueError(f"two readers are called {reader.name}")
        runner = ReaderRunner(self.db, self.tail, reader)
        self.readers[reader.name] = runner
        self.spawn(Task(f"reader.{reader.name}", runner.run))
        return runner

    def spawn(self, task: Task) -> None:
        """Run a task for the life of the context."""
        self._tasks.append(asyncio.create_task(_keep_running(task), name=task.name))

    async def stop(self) -> None:
        """End readers and live streams; writes that wait are committed first."""
        self.live.close()
        if self._sweeping is not None:
            await _end([self._sweeping])
        await _end(t for t in self._tasks if t.get_name() != "context.commit")
        while self.committer.waiting:  # noqa: ASYNC110 - a stop looks a few times, a city runs for years
            await asyncio.sleep(0.005)
        await _end(self._tasks)
        self._tasks.clear()

    async def sweep(self) -> int:
        """Forget old keys; sweep what has run out. How many entities were looked at."""
        async with self.db.acquire() as conn:
            await conn.execute(
                "delete from context.idempotency where at < $1", self.clock.wall() - KEYS_KEPT
            )
        return await self.sweep_ended()

    async def sweep_ended(self) -> int:
        """Delete entities and attributes whose `expiresAt` has passed; how many were looked at."""
        now = self.clock.now()
        async with self.db.acquire() as conn:
            keys = await find_ended(conn, now)
            states = await load(conn, self.cache, keys)
        for key, held in states.items():
            op = sweep_of(held.state(), now)
            if op is None:
                continue
            try:
                await self.write(op, actor="system:expiry", tenant=key[0])
            except (EntityNotFound, VersionConflict):  # written meanwhile: looked at once more
                keys.remove(key)
        async with self.db.acquire() as conn:
            if keys:
                await forget_ends(conn, keys, now)
            await self.committer.ends.read(conn)
        return len(keys)

    async def _swept_now(self) -> datetime:
        """The city's time, when what attributes have run out by then are swept: a condition is
        judged in the database, on what lies there."""
        now = self.clock.now()
        loop = asyncio.get_running_loop()
        until = loop.time() + SWEEP_WAIT_S
        while self.committer.ends.is_due(now) and self._tasks and loop.time() < until:
            if self._sweeping is None or self._sweeping.done():
                self._sweeping = asyncio.create_task(self._sweep_all(), name="context.sweep_due")
            await asyncio.wait({self._sweeping}, timeout=SWEEP_WAIT_S)
        return now

    async def _sweep_all(self) -> None:
        try:
            while await self.sweep_ended() >= SWEPT_MAX:
                pass
        except Exception as error:  # the next look is a second away
            log.info("context.sweep_failed", error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(LOOK_EVERY_S)

    async def _sweep_for_ever(self) -> None:
        loop = asyncio.get_running_loop()
        swept_at = -SWEEP_EVERY_S
        while True:
            if loop.time() - swept_at >= SWEEP_EVERY_S:
                await self.sweep()
                swept_at = loop.time()
            elif await self.sweep_ended() == SWEPT_MAX:
                continue
            await asyncio.sleep(LOOK_EVERY_S)

    async def write(
        self,
        *ops: Op,
        actor: str,
        key: str | None = None,
        tenant: str = "",
        within: Within | None = None,
    ) -> list[Written]:
        """Do operations in one transaction with their history, change log and audit.

        `key`: heard a second time from the same actor, nothing is done and the first answer comes
        back. `within` runs a room's own SQL in the same transaction. Raises the Problems of
        `nagara.context.errors`; then none of the operations was done.
        """
        return await self.committer.write(ops, actor, key, tenant, within)

    async def find_held(self, entity_id: str, tenant: str = "") -> Held | None:
        """An entity as it is kept, encoded; None where there is none. The fast way out."""
        held = self.cache.find((tenant, entity_id))
        if held is None:
            async with self.db.acquire() as conn:
                found = await load(conn, self.cache, [(tenant, entity_id)])
            held = found.get((tenant, entity_id))
        if held is None or not held.exists:
            return None
        if held.expires_at is not None and held.expires_at <= self.clock.now():
            return None
        return held

    async def find(self, entity_id: str, tenant: str = "") -> Entity | None:
        """The current state of an entity, or None."""
        held = await self.find_held(entity_id, tenant)
        return None if held is None else entity_at(held, self.clock.now())

    async def get(self, entity_id: str, tenant: str = "") -> Entity:
        """The current state of an entity. Raises `EntityNotFound`."""
        entity = await self.find(entity_id, tenant)
        if entity is None:
            raise EntityNotFound(id=entity_id)
        return entity

    async def query(self, query: Query, expand: Expand = as_written) -> Page:
        """One page of the entities that fulfil a query."""
        query = msgspec.structs.replace(query, at=await self._swept_now())
        async with self.db.acquire() as conn:
            return await query_page(conn, query, expand, self.lookups)

    async def query_held(
        self, query: Query, expand: Expand = as_written
    ) -> tuple[list[Held], str | None]:
        """As `query`, but the entities encoded as they lie in the store."""
        query = msgspec.structs.replace(query, at=await self._swept_now())
        async with self.db.acquire() as conn:
            return await query_held(conn, query, expand, self.lookups)

    async def query_plain(
        self, query: Query, expand: Expand = as_written
    ) -> tuple[str, str | None] | None:
        """As `query`, but the entities as a plain GET tells them, with commas between; None: ask
        `query_held`."""
        query = msgspec.structs.replace(query, at=await self._swept_now())
        async with self.db.acquire() as conn:
            return await query_plain(conn, query, expand, self.lookups)

    async def read_plain(self, page: PlainPage) -> PlainAnswer | None:
        """A page that was compiled before; None: ask `query_held`."""
        now = await self._swept_now()
        async with self.db.acquire() as conn:
            return await read_plain(conn, page, now, self.lookups)

    async def query_all(self, query: Query) -> list[Entity]:
        """All entities that fulfil a query, page by page; for what is known to be few."""
        found: list[Entity] = []
        after: str | None = query.after
        while True:
            page = await self.query(_with_page(query, after))
            found.extend(page.entities)
            after = page.next_cursor
            if after is None:
                return found

    async def count(self, query: Query, expand: Expand = as_written) -> int:
        """How many entities fulfil a query."""
        query = msgspec.structs.replace(query, at=await self._swept_now())
        async with self.db.acquire() as conn:
            return (await count_entities(conn, query, expand, self.lookups)).total

    async def count_entities(self, query: Query, expand: Expand = as_written) -> Count:
        """How many entities fulfil a query, and whether that is an estimate."""
        query = msgspec.structs.replace(query, at=await self._swept_now())
        async with self.db.acquire() as conn:
            return await count_entities(conn, query, expand, self.lookups)

    async def history(
        self,
        entity_id: str,
        attrs: Sequence[str] = (),
        start: datetime | None = None,
        end: datetime | None = None,
        last_n: int | None = None,
        limit: int = SAMPLES_MAX,
        tenant: str = "",
    ) -> list[Sample]:
        """Values of an entity's attributes in time, oldest first; `start` included, `end` not."""
        async with self.db.acquire() as conn:
            return await read_history(
                conn, tenant, entity_id, attrs, start, end, last_n, min(limit, SAMPLES_MAX)
            )

    async def series(
        self,
        ids: Sequence[str],
        attr: str,
        start: datetime,
        end: datetime,
        step: timedelta,
        tenant: str = "",
    ) -> dict[str, list[tuple[datetime, float | None]]]:
        """The newest number in each step of time, for many entities in one query."""
        async with self.db.acquire() as conn:
            return await read_series(conn, tenant, ids, attr, start, end, step)

    async def reader_states(self) -> list[ReaderState]:
        """How far every reader has come."""
        async with self.db.acquire() as conn:
            rows = await conn.fetch(
                "select reader, count(*) as dead from context.dead_letter group by reader"
            )
        dead = {row["reader"]: row["dead"] for row in rows}
        return [
            ReaderState(
                name, runner.seq, runner.lag, dead.get(name, 0), runner.last_error, runner.moved_at
            )
            for name, runner in sorted(self.readers.items())
        ]

    async def caught_up(self, timeout_s: float = 30.0) -> None:
        """Return when every reader has passed what is in the log now. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            head = self.tail.head
            while any(r.seq < head for r in self.readers.values()):  # noqa: ASYNC110 - for tests and the CLI
                await asyncio.sleep(0.005)


def _with_page(query: Query, after: str | None) -> Query:
    return msgspec.structs.replace(query, limit=1000, after=after)


async def _end(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancels until all have ended: nats-py swallows a cancellation while it connects."""
    living = {task for task in tasks if not task.done()}
    while living:
        for task in living:
            task.cancel()
        _, living = await asyncio.wait(living, timeout=0.5)


async def _keep_running(task: Task) -> None:
    pause = 0.2
    loop = asyncio.get_running_loop()
    while True:
        started = loop.time()
        try:
            await task.run()
            return
        except asyncio.CancelledError:
            raise
        except Exception as error:
            log.exception("task.failed", task=task.name, error=f"{type(error).__name__}: {error}")
        if loop.time() - started > 60:
            pause = 0.2
        await asyncio.sleep(pause)
        pause = min(pause * 2, 10.0)
