"""Group commit: whatever waits when the last commit returns goes into the next one.

One transaction writes entity state, log rows, idempotency keys and one audit row. State is computed
here from what is held, and guarded by version in the database: where another process was faster,
the group is computed again from what is there now.

Where much waits, the next group is computed while the database writes this one, on the assumption
that this one will be committed. Where it was not, what was computed ahead is thrown away: its calls
go back to the front of the queue, in their order.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog
from asyncpg import Record, UniqueViolationError
from msgspec import Struct

from nagara.context.clock import CityClock
from nagara.context.errors import StoreBusy, StoreUnavailable
from nagara.context.expiry import Ends, keep_ends
from nagara.context.log import Tail, change_op
from nagara.context.model import (
    Change,
    Op,
    Written,
)
from nagara.context.plan import Pending, Plan, Within, WithResults, doubtful, entity_id
from nagara.context.statement import (
    APPEND,
    KEEP_KEYS,
    KEYS,
    UNPLACE,
    UPSERT,
    append_parameters,
    upsert_parameters,
)
from nagara.context.steps import Steps
from nagara.context.store import Cache, Conn, Key, encode, load, load_heard
from nagara.engines.database import Database
from nagara.engines.errors import is_connection_loss
from nagara.guard.audit import AuditEntry

AuditAppend = Callable[[Conn, datetime, Sequence[AuditEntry]], Awaitable[Any]]

#: Operations in one transaction: 2,000 take about 60 ms, a wait that nobody at a screen feels.
GROUP_MAX = 2_000
#: Operations that must wait before a group is computed ahead. Below, it is better to let them
#: gather until the database is free: fewer, larger commits.
AHEAD_MIN = 300
#: Operations waiting: two seconds of work on two cores. Beyond, callers are told to come back.
WAITING_MAX = 50_000
#: How long a write is tried again while the database is away (a restart takes 0.1 s).
TRY_FOR_S = 30.0
RETRY_EVERY_S = 0.05

log = structlog.get_logger("context")


class _Stale(Exception):
    """Another process wrote one of our entities first."""

    def __init__(self, keys: list[Key]) -> None:
        self.keys = keys


class Prepared(Struct):
    """A group that is computed and not yet written."""

    group: list[Pending]
    plan: Plan
    upserts: list[str]
    audit: list[AuditEntry]

    @property
    def writes(self) -> bool:
        """Whether there is anything for the database."""
        return bool(self.plan.changed) or any(p.within for p in self.plan.members)


class Committer:
    """Collects writes of this process and commits them in groups, one group at a time."""

    def __init__(
        self,
        db: Database,
        clock: CityClock,
        cache: Cache,
        tail: Tail,
        audit_append: AuditAppend,
    ) -> None:
        self._db = db
        self._clock = clock
        self._cache = cache
        self._tail = tail
        self._audit_append = audit_append
        self._queue: deque[Pending] = deque()
        self._waiting = 0
        self._wake = asyncio.Event()
        self._enough = asyncio.Event()
        self._underway = 0
        self.steps = Steps()
        self.ends = Ends()
        self.groups = 0
        self.written = 0

    @property
    def waiting(self) -> int:
        """Operations that are queued or on their way to the database."""
        return self._waiting + self._underway

    async def write(
        self,
        ops: tuple[Op, ...],
        actor: str,
        key: str | None,
        tenant: str,
        within: Within | None,
    ) -> list[Written]:
        """Queue operations that commit together, and wait until they have.

        Raises a Problem where an operation does not fit; `StoreBusy` where too much waits;
        `StoreUnavailable` where the database stayed away for `TRY_FOR_S`.
        """
        if self._waiting + len(ops) > max(WAITING_MAX, len(ops)):
            raise StoreBusy(waiting=self._waiting)
        future: asyncio.Future[list[Written]] = asyncio.get_running_loop().create_future()
        until = time.monotonic() + TRY_FOR_S
        self._queue.append(Pending(ops, actor, key, tenant, within, future, until))
        self._wait_more(len(ops))
        self._wake.set()
        return await future

    async def run(self) -> None:
        """Runs for the life of the city."""
        ahead: Prepared | None = None
        while True:
            if ahead is None and not self._queue:
                self._wake.clear()
                await self._wake.wait()
            try:
                ahead = await self.commit_waiting(ahead)
            finally:
                self._underway = sum(len(p.ops) for p in ahead.group) if ahead else 0

    async def commit_waiting(self, prepared: Prepared | None = None) -> Prepared | None:
        """Commit one group of what waits; the group that was computed meanwhile, if any."""
        group = prepared.group if prepared else self._take()
        while group:
            try:
                if prepared is None:
                    prepared = await self._prepare(group, None)
                return await self._commit(prepared)
            except _Stale as stale:
                self._cache.drop(stale.keys)
            except UniqueViolationError as error:
                if error.constraint_name != "idempotency_pkey":
                    group = self._settle(group, error)
                # else another process kept one of our keys: look again
            except Exception as error:
                if not is_connection_loss(error):
                    group = self._settle(group, error)
                else:
                    group = self._expire(group)
                    await asyncio.sleep(RETRY_EVERY_S)
            prepared = None
        return None

    def _take(self) -> list[Pending]:
        group: list[Pending] = []
        count = 0
        while self._queue:
            head = self._queue[0]
            # A call with SQL of its own commits alone, so that its failure is only its own.
            if group and (head.within or count + len(head.ops) > GROUP_MAX):
                break
            group.append(self._queue.popleft())
            count += len(head.ops)
            if head.within:
                break
        self._wait_more(-count)
        self._underway += count
        return group

    def _settle(self, group: list[Pending], error: Exception) -> list[Pending]:
        """After an error nobody foresaw: a single call gets it, a group is tried one by one."""
        if len(group) == 1:
            if not group[0].future.done():
                group[0].future.set_exception(error)
            return []
        log.warning("commit.split", calls=len(group), error=f"{type(error).__name__}: {error}")
        self._queue.extendleft(reversed(group[1:]))
        self._wait_more(sum(len(p.ops) for p in group[1:]))
        return group[:1]

    def _expire(self, group: list[Pending]) -> list[Pending]:
        now = time.monotonic()
        for pending in group:
            if pending.until <= now and not pending.future.done():
                pending.future.set_exception(StoreUnavailable(seconds=TRY_FOR_S))
        return [p for p in group if not p.future.done()]

    async def _prepare(self, group: list[Pending], under_way: Plan | None) -> Prepared:
        """Compute a group from what is there, and from what `under_way` will have made of it."""
        plan = await self._plan(group, self._clock.now(), under_way)
        return Prepared(group, plan, await upsert_parameters(plan), _audit_entries(plan))

    async def _commit(self, prepared: Prepared) -> Prepared | None:
        """Write a group, and compute the next one meanwhile where that is worth it."""
        for pending, error in prepared.plan.refused:
            if not pending.future.done():
                pending.future.set_exception(error)
        if not prepared.writes:
            self._resolve(prepared.plan)
            return None
        writing = asyncio.create_task(self._write(prepared), name="context.write")
        enough = asyncio.create_task(self._enough.wait(), name="context.enough")
        ahead: Prepared | None = None
        try:
            await asyncio.wait((writing, enough), return_when=asyncio.FIRST_COMPLETED)
            if not writing.done() and not self._queue[0].within:
                group = self._take()
                try:
                    ahead = await self._prepare(group, prepared.plan)
                except Exception as error:  # the next round meets it again, alone
                    log.info("commit.ahead_given_up", error=f"{type(error).__name__}: {error}")
                    self._put_back(group)
            await writing
        except BaseException:
            writing.cancel()
            if ahead is not None:
                self._put_back(ahead.group)
            raise
        finally:
            enough.cancel()
        return ahead

    def _put_back(self, group: list[Pending]) -> None:
        count = sum(len(p.ops) for p in group)
        self._queue.extendleft(reversed(group))
        self._underway -= count
        self._wait_more(count)

    def _wait_more(self, count: int) -> None:
        self._waiting += count
        if self._waiting >= AHEAD_MIN:
            self._enough.set()
        else:
            self._enough.clear()

    async def _write(self, prepared: Prepared) -> None:
        plan = prepared.plan
        recorded = datetime.now(UTC)
        appended: Record | None = None
        nos: dict[Key, int] = {}
        first_end: datetime | None = None
        try:
            async with self._db.acquire() as conn, conn.transaction():
                nos = await self._put_states(conn, plan, prepared.upserts)
                first_end = await keep_ends(conn, plan)
                self.ends.hear(first_end)  # and once more below, for who reads them in between
                await _keep_keys(conn, plan)
                await plan.census.write(conn, self.groups)
                for pending in plan.members:
                    if isinstance(pending.within, WithResults):
                        await pending.within.run(conn, pending.results)
                    elif pending.within is not None:
                        await pending.within(conn)
                if plan.rows:
                    appended = await _append(conn, plan, nos, recorded)
                    await self._audit_append(conn, recorded, prepared.audit)
        except Exception as error:
            if appended is None or not is_connection_loss(error):
                raise
            if not await self._was_committed(appended["xid"]):
                raise
        self.ends.hear(first_end)
        self._take_over(plan, nos, appended, recorded)
        self._resolve(plan)

    async def _plan(self, group: list[Pending], now: datetime, under_way: Plan | None) -> Plan:
        keys = {(p.tenant, entity_id(op)): None for p in group for op in p.ops}
        plan = Plan(under_way.outcome(keys) if under_way else {})
        missing = plan.take_held(self._cache, keys)
        asked = any(p.key is not None for p in group)
        known: dict[tuple[str, str, str], list[Written]] = {}
        if missing or asked:
            async with self._db.acquire() as conn:
                plan.held.update(await load(conn, self._cache, missing))
                known = await _known_keys(conn, group)
        doubted = doubtful(plan, group)
        if doubted:
            async with self._db.acquire() as conn:
                plan.heard = await load_heard(conn, doubted)
        if under_way is not None:
            if doubted:
                plan.heard |= under_way.told({(tenant, id_) for tenant, id_, _, _ in doubted})
            for name, results in under_way.keys.items():
                known[name] = [msgspec.structs.replace(w, repeated=True) for w in results]
        for pending in group:
            if pending.future.done():  # the caller has gone
                continue
            name = (pending.tenant, pending.actor, pending.key or "")
            if pending.key is not None and name in known:
                pending.results = known[name]
                pending.within = None
                plan.members.append(pending)
                continue
            try:
                await plan.add(pending, now)
            except Exception as error:
                # Problems and defects alike belong to this caller; the others go on.
                plan.refused.append((pending, error))
                continue
            if pending.key is not None:
                plan.keys[name] = pending.results
                known[name] = [msgspec.structs.replace(w, repeated=True) for w in pending.results]
        return plan

    async def _put_states(self, conn: Conn, plan: Plan, columns: list[str]) -> dict[Key, int]:
        if not plan.changed:
            return {}
        rows = await conn.fetch(UPSERT, *columns)
        nos = {(r["tenant"], r["id"]): r["no"] for r in rows}
        if len(nos) != len(plan.changed):
            raise _Stale([key for key in plan.changed if key not in nos])
        unplaced = [k for k, placed in plan.placed.items() if placed is None and k in plan.held]
        if unplaced:
            await conn.execute(UNPLACE, [k[0] for k in unplaced], [k[1] for k in unplaced])
        return nos

    async def _was_committed(self, xid: str) -> bool:
        """Whether a transaction whose answer was lost is in the database after all."""
        until = time.monotonic() + TRY_FOR_S
        while time.monotonic() < until:
            try:
                async with self._db.acquire() as conn:
                    status = await conn.fetchval("select pg_xact_status($1::text::xid8)", xid)
                if status != "in progress":
                    return bool(status == "committed")
            except Exception as error:
                if not is_connection_loss(error):
                    raise
            await asyncio.sleep(RETRY_EVERY_S)
        return False

    def _take_over(
        self, plan: Plan, nos: dict[Key, int], appended: Record | None, recorded: datetime
    ) -> None:
        """After the commit: what is held, and the tail of the log, follow the database."""
        for key in plan.changed:
            self._cache.put(key, plan.held_after(key, nos[key]))
        self.groups += 1
        self.written += len(plan.rows)
        if appended is None:
            return
        changes = [
            Change(
                seq,
                made.key[0],
                made.key[1],
                plan.states[made.key].types,
                change_op(made.row.op),
                made.row.attrs,
                made.row.at,
                recorded,
            )
            for seq, made in zip(appended["seqs"], plan.rows, strict=True)
        ]
        if self.steps.wanted:
            for seq, made in zip(appended["seqs"], plan.rows, strict=True):
                self.steps.keep(seq, made.before, made.after)
        self._tail.publish(appended["before"], changes)

    @staticmethod
    def _resolve(plan: Plan) -> None:
        for pending in plan.members:
            if not pending.future.done():
                pending.future.set_result(pending.results)


async def _append(conn: Conn, plan: Plan, nos: dict[Key, int], recorded: datetime) -> Record:
    row: Record | None = await conn.fetchrow(APPEND, *append_parameters(plan, nos, recorded))
    assert row is not None
    return row


def _audit_entries(plan: Plan) -> list[AuditEntry]:
    """One entry for the group: who, how much, and a digest that binds every write in it."""
    digest = hashlib.sha256()
    for made in plan.rows:
        digest.update(f"{made.key[0]}\0{made.key[1]}\0{made.row.op}\0".encode())
        digest.update(made.patch)
    actors = sorted({p.actor for p in plan.members})
    subjects = list(dict.fromkeys(made.key[1] for made in plan.rows[:1]))
    return [
        AuditEntry(
            actor=", ".join(actors)[:500],
            act="context.write",
            subject=subjects[0] if len(plan.rows) == 1 else f"{len(plan.rows)} writes",
            digest=digest.digest(),
        )
    ]


async def _known_keys(
    conn: Conn, group: list[Pending]
) -> dict[tuple[str, str, str], list[Written]]:
    keyed = [p for p in group if p.key is not None]
    if not keyed:
        return {}
    rows = await conn.fetch(
        KEYS,
        [p.tenant for p in keyed],
        [p.actor for p in keyed],
        [p.key for p in keyed],
    )
    return {
        (r["tenant"], r["scope"], r["key"]): [
            msgspec.structs.replace(w, repeated=True)
            for w in msgspec.json.decode(r["result"], type=list[Written])
        ]
        for r in rows
    }


async def _keep_keys(conn: Conn, plan: Plan) -> None:
    if not plan.keys:
        return
    names = list(plan.keys)
    await conn.execute(
        KEEP_KEYS,
        [n[0] for n in names],
        [n[1] for n in names],
        [n[2] for n in names],
        [encode(plan.keys[n]).decode() for n in names],
    )
