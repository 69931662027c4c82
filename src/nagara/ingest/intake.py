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
from uuid import uuid4

import asyncpg
import structlog

from nagara.context import Context, Written
from nagara.context.plan import WithResults
from nagara.engines.database import Connection
from nagara.engines.errors import DatabaseUnreachable, as_problem
from nagara.ingest.batch import Batch, Submission, book, compose
from nagara.ingest.errors import EntityRefused, IngestBusy
from nagara.ingest.item import Item
from nagara.ingest.ledger import Delta, Ledger
from nagara.ingest.model import Rules, Tracks, weigh
from nagara.ingest.recall import recall
from nagara.values.errors import Problem

#: Messages in one transaction: about 100 ms of work, so that a reading is seen within a second.
BATCH_MAX = 2_000
#: Messages waiting: two seconds at 10,000 a second. Beyond, senders are told to come back.
QUEUED_MAX = 20_000
#: Commits under way at once: while one is written the next is judged.
WRITES_AT_ONCE = 2
RETRY_S_MAX = 5.0
STOP_S_MAX = 3.0  # a commit takes 0.1 s; what is not acknowledged is delivered again
#: Classes of SQLSTATE that say "not now" and not "never": lack of resources, intervention, system
#: error, lock or serialisation conflict (PostgreSQL documentation, appendix A).
_NOT_NOW = ("40", "53", "55", "57", "58")

log = structlog.get_logger("ingest")


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
        self._queue: deque[Submission] = deque()
        self._queued = 0
        self._wake = asyncio.Event()
        self._owed = Delta()  # refusals that no transaction has carried yet
        self._writing: set[asyncio.Task[None]] = set()

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
            self._queue.append(Submission(part, done, patient))
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
        finally:  # told to stop: what is being written is finished, what cannot be is let go
            if self._writing:
                _, late = await asyncio.wait(self._writing, timeout=STOP_S_MAX)
                for task in late:
                    task.cancel()

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

    def _next_batch(self) -> Batch:
        submissions: list[Submission] = []
        items: list[Item] = []
        while self._queue and len(items) + len(self._queue[0].items) <= BATCH_MAX:
            submission = self._queue.popleft()
            self._queued -= len(submission.items)
            if not submission.is_patient and submission.done.done():  # the caller has gone
                self._give_back(submission, None)
                continue
            submissions.append(submission)
            items.extend(submission.items)
        return Batch(submissions, items, uuid4())

    async def _judge(self, batch: Batch) -> bool:
        """Weigh every item; False where nothing is left to be written."""
        pause = 0.1
        while batch.items:
            try:
                await recall(self._context, self.rules, self.tracks, batch.items)
                city_now = self._context.clock.now()
                for item in batch.items:
                    self._weigh(item, city_now)
                await compose(self._context, batch)
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

    # -- writing ------------------------------------------------------------------------------

    async def _settle(self, batch: Batch) -> None:
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

    async def _compose_again(self, batch: Batch) -> None:
        with contextlib.suppress(Exception):  # what was composed before serves as well
            await compose(self._context, batch)

    async def _write(self, batch: Batch) -> None:
        async def book_it(conn: Connection, written: list[Written]) -> None:
            await book(conn, batch, written, self._actor)

        try:
            await self._context.write(*batch.ops, actor=self._actor, within=WithResults(book_it))
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

    async def _isolate(self, batch: Batch, error: Exception) -> None:
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
            await compose(self._context, batch)
            await self._write(batch)
            return
        middle = len(batch.items) // 2
        for part in (batch.items[:middle], batch.items[middle:]):
            half = Batch([], part, uuid4())
            await compose(self._context, half)
            await self._write(half)

    # -- giving up ----------------------------------------------------------------------------

    def _drop_impatient(self, batch: Batch, error: Exception) -> None:
        """Tell those who can send again that the store is away; keep the others' messages."""
        kept = [s for s in batch.submissions if s.is_patient]
        for submission in batch.submissions:
            if not submission.is_patient:
                self._give_back(submission, error)
        if len(kept) < len(batch.submissions):
            batch.submissions = kept
            batch.items = [item for s in kept for item in s.items if item.result is None]
            batch.id = uuid4()

    def _give_back(self, submission: Submission, error: Exception | None) -> None:
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
