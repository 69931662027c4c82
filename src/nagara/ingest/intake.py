"""The way in: whatever waits is judged, then written in one transaction, then answered.

Device messages, pushed batches, feeds and replays meet here, so that units, quality checks,
parking and counters are the same for all, and so that many small senders share one commit.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

import asyncpg
import msgspec
import structlog
from msgspec import Struct

from nagara.context import Context, Entity, Observe, Op, Patch, Upsert, Written
from nagara.context.commit import WithResults
from nagara.engines.database import Connection
from nagara.engines.errors import DatabaseUnreachable, as_problem
from nagara.ingest import parking
from nagara.ingest.errors import EntityRefused, IngestBusy
from nagara.ingest.ledger import Delta, Ledger, Result
from nagara.ingest.model import (
    CLOCK_SKEW_S,
    SETTLED_COUNT,
    Observation,
    Rules,
    Tracks,
    Weighed,
    retrace,
    weigh,
)
from nagara.ingest.parking import Kind, Parking
from nagara.values.errors import Problem
from nagara.vocab.observation import flags_of

#: Messages in one transaction: about 100 ms of work, so that a reading is seen within a second.
BATCH_MAX = 2_000
#: Messages waiting: two seconds at 10,000 a second. Beyond, senders are told to come back.
QUEUED_MAX = 20_000
#: Commits under way at once: while one is written the next is judged.
WRITES_AT_ONCE = 2
PRIMED_AT_ONCE = 8  # entities looked up together when they are heard for the first time
RETRY_S_MAX = 5.0
#: Samples read back to rebuild a track, at least and at most: long enough for every stuck check.
RETRACED_MIN = SETTLED_COUNT + 2
RETRACED_MAX = 100

#: Classes of SQLSTATE that say "not now" and not "never": lack of resources, intervention, system
#: error, lock or serialisation conflict (PostgreSQL documentation, appendix A).
_NOT_NOW = ("40", "53", "55", "57", "58")

log = structlog.get_logger("ingest")


class Item(Struct):
    """One message on its way: what came, what was read from it, how it ended."""

    source: str
    topic: str
    payload: bytes
    received_at: datetime  # wall time
    arrived_at: datetime  # city time
    kind: Kind = "message"
    device: str | None = None
    key: str | None = None  # the same message heard again has the same
    observation: Observation | None = None
    problem: Problem | None = None
    is_refused: bool = False  # a problem that refuses; else it parks
    result: Result | None = None
    parked_id: int | None = None  # a replay of this parked message
    weighed: Sequence[Weighed] = ()

    def fail(self, problem: Problem, refused: bool = False) -> None:
        """Say why it cannot be stored."""
        self.problem = problem.with_traceback(None)  # its frames would keep the payload alive
        self.is_refused = refused
        self.observation = None
        self.weighed = ()


class _Submission(Struct):
    items: Sequence[Item]
    done: asyncio.Future[None]
    is_patient: bool


class _Batch(Struct):
    submissions: list[_Submission]
    items: list[Item]
    id: UUID
    ops: list[Op] = []
    owners: list[int] = []  # for each operation the index of its item
    results: list[Result] = []
    delta: Delta | None = None


def is_not_now(error: BaseException) -> bool:
    """Whether an error is the store's trouble, to be tried again, and not the message's."""
    if isinstance(error, Problem):
        return error.status >= 500
    if isinstance(error, asyncpg.PostgresError):
        return str(error.sqlstate or "").startswith(_NOT_NOW) or as_problem(error) is not None
    return isinstance(error, OSError | TimeoutError) or as_problem(error) is not None


class Intake:
    """Takes items in and settles each as stored, duplicate, parked or refused."""

    def __init__(self, context: Context, rules: Rules, actor: str = "system:ingest") -> None:
        self.ledger = Ledger()
        self.tracks = Tracks()
        self.rules = rules
        self._context = context
        self._actor = actor
        self._queue: deque[_Submission] = deque()
        self._queued = 0
        self._wake = asyncio.Event()
        self._owed = Delta()  # refusals that no transaction has carried yet
        self._writing: set[asyncio.Task[None]] = set()
        self._samples = max((r.stuck_count for r in rules.limits.values()), default=0)

    @property
    def queued(self) -> int:
        """Messages that wait to be judged."""
        return self._queued

    async def take(self, items: Sequence[Item], patient: bool = False) -> None:
        """Settle items; each has its result when this returns.

        A patient sender (one that nobody can answer: MQTT) waits for as long as the store is away;
        others get `IngestBusy`, or the Problem of the store, and may send again.
        """
        if not items:
            return
        if not patient and self._queued + len(items) > max(QUEUED_MAX, len(items)):
            raise IngestBusy(waiting=self._queued, retry_after_s=2)
        futures = []
        for start in range(0, len(items), BATCH_MAX):
            part = items[start : start + BATCH_MAX]
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            futures.append(done)
            for source, count in Counter(i.source for i in part if i.parked_id is None).items():
                self.ledger.begin(source, count)
            self._queue.append(_Submission(part, done, patient))
            self._queued += len(part)
        self._wake.set()
        try:
            await asyncio.gather(*futures)
        except BaseException:
            for done in futures:  # heard or not, what is written stays written
                done.add_done_callback(_quietly)
            raise

    def refuse(self, source: str, problem: Problem, device: str | None = None) -> None:
        """Count a message that was turned away before it became an item."""
        self._owed.count(source, "refused", problem.code, device)
        self.ledger.begin(source, 1)

    async def run(self) -> None:
        """Judges and writes for the life of the city, in the order of arrival."""
        slots = asyncio.Semaphore(WRITES_AT_ONCE)
        try:
            while True:
                if not self._queue:
                    self._wake.clear()
                    await self._wake.wait()
                batch = self._next_batch()
                await slots.acquire()
                judged = False
                try:
                    judged = await self._judge(batch)
                finally:
                    if not judged:
                        slots.release()
                if judged:
                    task = asyncio.create_task(self._settle(batch))
                    self._writing.add(task)
                    task.add_done_callback(self._writing.discard)
                    task.add_done_callback(lambda _: slots.release())
        finally:
            if self._writing:
                await asyncio.gather(*self._writing, return_exceptions=True)

    async def pay_owed(self) -> None:
        """Write down refusals that were counted since the last call."""
        if not self._owed.tallies:
            return
        owed, self._owed = self._owed, Delta()
        try:
            async with self._context.db.acquire() as conn, conn.transaction():
                await owed.write(conn)
        except Exception:
            self._owed.merge(owed)
            raise
        for source, tally in owed.tallies.items():
            self.ledger.end(source, tally.settled)
        self.ledger.take_in(owed)

    # -- judging ------------------------------------------------------------------------------

    def _next_batch(self) -> _Batch:
        submissions: list[_Submission] = []
        items: list[Item] = []
        while self._queue and len(items) + len(self._queue[0].items) <= BATCH_MAX:
            submission = self._queue.popleft()
            self._queued -= len(submission.items)
            if not submission.is_patient and submission.done.done():  # the caller has gone
                self._give_back(submission, None)
                continue
            submissions.append(submission)
            items.extend(submission.items)
        return _Batch(submissions, items, uuid4())

    async def _judge(self, batch: _Batch) -> bool:
        """Weigh every item; False where nothing is left to be written."""
        pause = 0.1
        while batch.items:
            try:
                await self._prime(batch.items)
                city_now = self._context.clock.now()
                for item in batch.items:
                    self._weigh(item, city_now)
                await self._compose(batch)
                return True
            except Exception as error:
                if not is_not_now(error):
                    log.exception("ingest.judge_failed", error=type(error).__name__)
                self._drop_impatient(batch, error)
            await asyncio.sleep(pause)
            pause = min(pause * 2, RETRY_S_MAX)
        return False

    def _weigh(self, item: Item, city_now: datetime) -> None:
        observation = item.observation
        if observation is None:
            return
        try:
            item.weighed = weigh(observation, self.rules, self.tracks, city_now)
        except Problem as problem:
            item.fail(problem)
        except Exception as error:  # one strange value must not stop the batch
            log.exception("ingest.weigh_failed", topic=item.topic)
            item.fail(EntityRefused(reason=f"{type(error).__name__}: {error}"[:200]))

    async def _prime(self, items: Sequence[Item]) -> None:
        """Read back what the city knows of attributes heard for the first time since the start."""
        limits, tracks = self.rules.limits, self.tracks
        unknown: dict[str, set[str]] = {}
        for item in items:
            observation = item.observation
            if observation is None:
                continue
            entity_id = observation.entity_id
            for reading in observation.readings:
                name = reading.attribute
                if name in limits and (entity_id, name) not in tracks:
                    unknown.setdefault(entity_id, set()).add(name)
        ids = list(unknown)
        for start in range(0, len(ids), PRIMED_AT_ONCE):
            part = ids[start : start + PRIMED_AT_ONCE]
            await asyncio.gather(*(self._retrace(i, sorted(unknown[i])) for i in part))

    async def _retrace(self, entity_id: str, names: Sequence[str]) -> None:
        held = await self._context.find_held(entity_id)
        if held is None:
            for name in names:
                self.tracks.put((entity_id, name), None)
            return
        count = min(max(RETRACED_MIN, self._samples), RETRACED_MAX)
        history = await self._context.history(entity_id, names, last_n=count)
        latest_s = self._context.clock.now().timestamp() + CLOCK_SKEW_S
        samples: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
        for sample in history:
            value, at_s = sample.value, sample.observed_at.timestamp()
            usable = isinstance(value, int | float) and not isinstance(value, bool)
            if usable and at_s <= latest_s and "clock" not in flags_of(sample.instance):
                samples[sample.attr].append((at_s, value))
        for name in names:
            track = retrace(self.rules.limits[name], samples[name])
            self.tracks.put((entity_id, name), track)

    async def _compose(self, batch: _Batch) -> None:
        """The operations of a batch, and for each the item that it belongs to."""
        batch.ops, batch.owners = [], []
        batch.results = ["stored"] * len(batch.items)
        for index, item in enumerate(batch.items):
            observation = item.observation
            if observation is None:
                batch.results[index] = "refused" if item.is_refused else "parked"
                continue
            ops = _observes(observation, item.weighed)
            if observation.refresh and observation.base:
                ops += await self._refreshing(observation, bool(ops))
            if not observation.readings:  # only a refresh can have changed something
                batch.results[index] = "stored" if ops else "duplicate"
            else:
                batch.results[index] = "duplicate"  # until an operation says that it stored
            batch.ops.extend(ops)
            batch.owners.extend([index] * len(ops))

    async def _refreshing(self, observation: Observation, creates: bool) -> list[Op]:
        entity = await self._context.find(observation.entity_id)
        base = dict(observation.base or {})
        if entity is None:
            if creates:
                return []
            types = (observation.entity_type,)
            return [Upsert(Entity(observation.entity_id, types, base), "update")]
        differing = {name: said for name, said in base.items() if entity.attrs.get(name) != said}
        return [Patch(observation.entity_id, differing)] if differing else []

    # -- writing ------------------------------------------------------------------------------

    async def _settle(self, batch: _Batch) -> None:
        """Write a batch and answer its senders; on the store's trouble, again and again."""
        pause = 0.1
        while batch.items:
            try:
                await self._write(batch)
                break
            except Exception as error:
                if not is_not_now(error):  # cannot be: `_write` parks what is at fault
                    log.exception("ingest.settle_failed", error=type(error).__name__)
                batch.items = [item for item in batch.items if item.result is None]
                self._drop_impatient(batch, error)
                await self._compose_again(batch)
            await asyncio.sleep(pause)
            pause = min(pause * 2, RETRY_S_MAX)
        for submission in batch.submissions:
            if not submission.done.done():
                submission.done.set_result(None)

    async def _compose_again(self, batch: _Batch) -> None:
        with contextlib.suppress(Exception):  # what was composed before serves as well
            await self._compose(batch)

    async def _write(self, batch: _Batch) -> None:
        async def book(conn: Connection, written: list[Written]) -> None:
            await self._book(conn, batch, written)

        try:
            await self._context.write(*batch.ops, actor=self._actor, within=WithResults(book))
        except Exception as error:
            if is_not_now(error):
                raise
            await self._isolate(batch, error)
            return
        delta = batch.delta
        assert delta is not None  # `book` ran, or the write raised
        for item, result in zip(batch.items, batch.results, strict=True):
            item.result = result
        own = Counter(item.source for item in batch.items if item.parked_id is None)
        for source, count in own.items():
            self.ledger.end(source, count)
        self.ledger.take_in(delta)

    async def _isolate(self, batch: _Batch, error: Exception) -> None:
        """One operation of the batch was refused: find it by halving, park it, write the rest."""
        if len(batch.items) == 1:
            problem = (
                error
                if isinstance(error, Problem)
                else EntityRefused(reason=f"{type(error).__name__}: {error}"[:200])
            )
            if batch.items[0].observation is None:  # parking itself is refused: a defect of ours
                raise DatabaseUnreachable(where="ingest.parked", reason=str(error)[:200])
            self._forget(batch.items)
            batch.items[0].fail(problem)
            batch.id = uuid4()
            await self._compose(batch)
            await self._write(batch)
            return
        middle = len(batch.items) // 2
        for part in (batch.items[:middle], batch.items[middle:]):
            half = _Batch([], part, uuid4())
            await self._compose(half)
            await self._write(half)

    async def _book(self, conn: Connection, batch: _Batch, written: list[Written]) -> None:
        """In the transaction of the readings: parked messages, replays and counters."""
        results = list(batch.results)
        for index, done in zip(batch.owners, written, strict=True):
            if done.stored or done.created or done.op in ("create", "update"):
                results[index] = "stored"
        delta = Delta()
        if not await delta.claim(conn, batch.id):
            return  # the answer of a commit was lost, and this is the second try
        await self._park(conn, batch.items, results)
        replays: list[int] = []
        for index, item in enumerate(batch.items):
            if item.parked_id is not None:
                replays.append(index)
                continue
            code = item.problem.code if item.problem is not None else None
            delta.count(item.source, results[index], code, item.device)
        await self._book_replays(conn, [batch.items[i] for i in replays], delta, results, replays)
        await delta.write(conn)
        batch.results, batch.delta = results, delta

    async def _park(self, conn: Connection, items: Sequence[Item], results: list[Result]) -> None:
        parked = [
            index
            for index, item in enumerate(items)
            if results[index] == "parked" and item.parked_id is None
        ]
        if not parked:
            return
        fresh = Counter(await parking.park(conn, [_parking_of(items[i]) for i in parked]))
        for index in parked:
            key = items[index].key
            if key is None:
                continue
            if fresh[key] > 0:
                fresh[key] -= 1
            else:
                results[index] = "duplicate"

    async def _book_replays(
        self,
        conn: Connection,
        items: Sequence[Item],
        delta: Delta,
        results: Sequence[Result],
        indexes: Sequence[int],
    ) -> None:
        if not items:
            return
        good = [
            (item.parked_id or 0, item.source, results[index])
            for item, index in zip(items, indexes, strict=True)
            if item.problem is None
        ]
        ids = [number for number, _, _ in good]
        settled = set(await parking.settle(conn, ids, "replayed", self._actor))
        for number, source, result in good:
            if number in settled:
                delta.moved_on(source, result)
        bad = [item for item in items if item.problem is not None]
        await parking.still_parked(
            conn,
            [item.parked_id or 0 for item in bad],
            [item.problem.code for item in bad if item.problem],
            [item.problem.params for item in bad if item.problem],
        )

    # -- giving up ----------------------------------------------------------------------------

    def _drop_impatient(self, batch: _Batch, error: Exception) -> None:
        """Tell those who can send again that the store is away; keep the others' messages."""
        kept = [s for s in batch.submissions if s.is_patient]
        for submission in batch.submissions:
            if not submission.is_patient:
                self._give_back(submission, error)
        if len(kept) < len(batch.submissions):
            batch.submissions = kept
            batch.items = [item for s in kept for item in s.items if item.result is None]
            batch.id = uuid4()

    def _give_back(self, submission: _Submission, error: Exception | None) -> None:
        problem = error if isinstance(error, Problem) else as_problem(error) if error else None
        if problem is None:
            problem = DatabaseUnreachable(reason=type(error).__name__)
        for item in submission.items:
            if item.result is not None:  # written before the store went away
                continue
            if item.parked_id is None:
                self._owed.count(item.source, "refused", problem.code, item.device)
            item.result = "refused"
        self._forget(submission.items)
        if not submission.done.done():
            submission.done.set_exception(problem)

    def _forget(self, items: Sequence[Item]) -> None:
        self.tracks.forget(
            (item.observation.entity_id, reading.attribute)
            for item in items
            if item.observation is not None
            for reading in item.observation.readings
        )


def _quietly(done: asyncio.Future[None]) -> None:
    if not done.cancelled():
        done.exception()  # taken, so that asyncio does not complain that nobody took it


def _observes(observation: Observation, weighed: Sequence[Weighed]) -> list[Op]:
    types = (observation.entity_type,)
    base, entity_id = observation.base, observation.entity_id
    return [Observe(entity_id, types, w.attrs, base, w.current) for w in weighed]


def _parking_of(item: Item) -> Parking:
    problem = item.problem or EntityRefused(reason="unknown")
    return Parking(
        source=item.source,
        device=item.device,
        topic=item.topic,
        kind=item.kind,
        received_at=item.received_at,
        arrived_at=item.arrived_at,
        code=problem.code,
        params=problem.params,
        payload=item.payload,
        key=item.key,
    )


def payload_of(observation: Observation) -> bytes:
    """An observation as it is parked, to be read again by `observation_from`."""
    return msgspec.json.encode(observation)


def observation_from(payload: bytes) -> Observation:
    """The observation that `payload_of` wrote. Raises msgspec.DecodeError."""
    return msgspec.json.decode(payload, type=Observation)
