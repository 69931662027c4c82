"""Delivering: a durable, bounded queue for each subscriber, a courier for each queue that is not
empty (docs/decisions/0014-notifications.md).

    delivery.serve(box, endpoint)                 # from now on its messages go there
    async with conn.transaction():
        queued = await delivery.put(conn, parcels)  # beside whatever else the caller writes
    delivery.posted(queued)                       # after the commit: couriers set out

What is queued survives a restart and is delivered at least once, in the order of the queue. A
receiver that is dead delays nobody else. What was delivered is taken out of the database a moment
later, together with what others delivered, so that a message costs no transaction of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog
from msgspec import Struct, field

from nagara.context.ngsi.subscriptions import letters
from nagara.context.ngsi.subscriptions.endpoint import Endpoint, checked_url
from nagara.context.ngsi.subscriptions.http_post import HttpPoster, Target, target_of
from nagara.context.ngsi.subscriptions.letters import Box, Letter, Parcel, Standing
from nagara.context.ngsi.subscriptions.mqtt_post import MqttPoster
from nagara.context.store import Conn
from nagara.engines.database import Database
from nagara.engines.errors import is_connection_loss
from nagara.values.errors import Problem

#: Messages that wait for one receiver: a sensor's readings of a week. Beyond, the oldest are given
#: up, listed as dead, and counted as failed.
QUEUE_MAX = 10_000
DEAD_MAX = 10_000  # of one receiver; beyond, the oldest are forgotten: the log can replay them
#: Attempts at one message before it is given up: about eight hours of a receiver's refusals.
ATTEMPTS_MAX = 100
BACKOFF_FIRST_S, BACKOFF_MAX_S = 0.5, 300.0
#: In memory, of one receiver and of all together: about 20 MB. The rest is read in its turn.
HELD_MAX, HELD_TOTAL_MAX = 200, 20_000
PAGE = 100
#: Attempts at once. Receivers that failed last time share a smaller number, so that however many
#: of them hang, the others' messages go out.
WELL_AT_ONCE, SICK_AT_ONCE = 400, 100
FLUSH_EVERY_S = 0.2
FLUSH_MAX = 2_000  # deliveries that are noted in one transaction
CHECKED_FOR_S = 30.0  # an address that was checked is called for so long
REVIVED_MAX = 1_000

GuardUrl = Callable[[str], Awaitable[str]]
log = structlog.get_logger("delivery")


class Queued(Struct):
    """What a transaction queued and gave up; for `posted`, once it is committed."""

    made: list[tuple[Box, int, str]] = field(default_factory=list)
    shed: dict[Box, tuple[int, int]] = field(default_factory=dict)  # newest given up, how many


class _Desk(Struct):
    """One subscriber: his receiver, what is in memory of his queue, how he stands."""

    endpoint: Endpoint | None = None
    held: bool = False  # paused: what waits goes on waiting
    letters: deque[Letter] = field(default_factory=deque)
    waiting: int = 0
    last_no: int = 0  # what follows is in the database, if `behind`
    behind: bool = False
    news: int = 0
    failures: int = 0
    not_before: float = 0.0
    standing: Standing = field(default_factory=Standing)
    courier: asyncio.Task[None] | None = None
    moved: asyncio.Event = field(default_factory=asyncio.Event)
    target: Target | None = None
    address: str = ""
    checked_at: float = float("-inf")


class Delivery:
    """Delivers what is queued. `guard_url` gives the address to call for a URL, or raises the
    Problem of one that must not be called."""

    def __init__(
        self, db: Database, guard_url: GuardUrl, wall: Callable[[], datetime] | None = None
    ) -> None:
        self._db = db
        self._guard_url = guard_url
        self._wall = wall or (lambda: datetime.now(UTC))
        self._desks: dict[Box, _Desk] = {}
        self._http, self._mqtt = HttpPoster(), MqttPoster()
        self._well = asyncio.Semaphore(WELL_AT_ONCE)
        self._sick = asyncio.Semaphore(SICK_AT_ONCE)
        self._in_memory = 0
        self._done: list[int] = []
        self._attempts: dict[int, int] = {}
        self._parked: dict[int, str] = {}
        self._parked_boxes: set[Box] = set()
        self._dirty: set[Box] = set()
        self._flush_now = asyncio.Event()
        self._loaded = asyncio.Event()
        #: Tells that a queue has grown shorter (replay waits for it).
        self.drained: Callable[[Box], None] | None = None

    # --- for those who queue -----------------------------------------------------------------

    async def ready(self) -> None:
        """Return once it is known what waits from before the start."""
        await self._loaded.wait()

    def serve(self, box: Box, endpoint: Endpoint, held: bool = False) -> None:
        """From now on a subscriber's messages go to this endpoint; `held`: not for now."""
        desk = self._desks.setdefault(box, _Desk())
        if desk.endpoint != endpoint:
            desk.target, desk.checked_at = None, float("-inf")
            desk.failures, desk.not_before = 0, 0.0
        desk.endpoint, desk.held = endpoint, held
        desk.moved.set()
        self._set_out(box, desk)

    def hold(self, box: Box, held: bool) -> None:
        """Let a subscriber's messages wait, or go on."""
        desk = self._desks.get(box)
        if desk is not None and desk.held != held:
            desk.held = held
            desk.moved.set()
            self._set_out(box, desk)

    async def forget(self, conn: Conn, box: Box) -> None:
        """A subscriber has gone, and all that waited with him, in the caller's transaction."""
        desk = self._desks.pop(box, None)
        if desk is not None:
            self._in_memory -= len(desk.letters)
            if desk.courier is not None:
                desk.courier.cancel()
        self._dirty.discard(box)
        await letters.forget(conn, box)

    async def put(self, conn: Conn, parcels: Sequence[Parcel]) -> Queued:
        """Queue messages in the caller's transaction. A queue that is full gives up its oldest."""
        now = self._wall()
        queued = Queued(await letters.queue(conn, parcels, now))
        grown: dict[Box, int] = {}
        for box, _, _ in queued.made:
            grown[box] = grown.get(box, 0) + 1
        for box, count in grown.items():
            desk = self._desks.setdefault(box, _Desk())
            over = desk.waiting + count - QUEUE_MAX
            if over > 0:
                newest = await letters.shed(conn, box, over, "queue-full", now)
                await letters.prune_dead(conn, box, DEAD_MAX)
                queued.shed[box] = (newest, over)
        return queued

    def posted(self, queued: Queued) -> None:
        """After the commit of what `put` queued: let couriers set out."""
        for box, no, body in queued.made:
            desk = self._desks.setdefault(box, _Desk())
            desk.waiting += 1
            if no <= desk.last_no:
                continue  # a courier read it between the commit and now
            full = len(desk.letters) >= HELD_MAX or self._in_memory >= HELD_TOTAL_MAX
            if desk.behind or full:
                desk.behind = True
                desk.news += 1
            else:
                desk.letters.append(Letter(no, body))
                desk.last_no = no
                self._in_memory += 1
            self._set_out(box, desk)
        for box, (newest, count) in queued.shed.items():
            self._let_fall(box, newest, count)

    def standing(self, box: Box) -> Standing:
        """What became of a subscriber's messages until now."""
        desk = self._desks.get(box)
        return Standing() if desk is None else desk.standing

    def waiting(self, box: Box) -> int:
        """How many messages wait for a subscriber."""
        desk = self._desks.get(box)
        return 0 if desk is None else desk.waiting

    async def revive(self, box: Box) -> int:
        """Queue again what was given up; how many. The oldest `REVIVED_MAX` at once."""
        async with self._db.acquire() as conn, conn.transaction():
            made = await letters.revive(conn, box, self._wall(), REVIVED_MAX)
        # Their numbers are their new places: behind what waits.
        self.posted(Queued(made))
        return len(made)

    # --- for the life of the city ------------------------------------------------------------

    async def run(self) -> None:
        """Runs for the life of the city: finds what waits, notes what was delivered."""
        if not self._loaded.is_set():
            async with self._db.acquire() as conn:
                known, waiting = await letters.standings(conn), await letters.counts(conn)
            for box, standing in known.items():
                self._desks.setdefault(box, _Desk()).standing = standing
            for box, count in waiting.items():
                desk = self._desks.setdefault(box, _Desk())
                desk.waiting, desk.behind = count, True
                self._set_out(box, desk)
            self._loaded.set()
        for box, desk in self._desks.items():
            self._set_out(box, desk)
        try:
            while True:
                try:
                    await asyncio.wait_for(self._flush_now.wait(), FLUSH_EVERY_S)
                except TimeoutError:
                    self._http.tidy()
                    self._mqtt.tidy()
                try:
                    await self.flush()
                except Exception as error:  # kept in mind, and noted the next time
                    log.warning("delivery.not_noted", error=type(error).__name__)
                    await asyncio.sleep(BACKOFF_FIRST_S)
        finally:
            for desk in self._desks.values():
                if desk.courier is not None:
                    desk.courier.cancel()
            self._http.tidy(all_of_them=True)
            self._mqtt.tidy(all_of_them=True)
            await asyncio.shield(self._last_flush())

    async def _last_flush(self) -> None:
        try:
            async with asyncio.timeout(2):
                await self.flush()
        except Exception as error:  # what is not noted is told once more
            log.warning("delivery.not_noted", error=type(error).__name__)

    async def flush(self) -> None:
        """Note what became of messages since the last time, in one transaction."""
        self._flush_now.clear()
        done, self._done = self._done, []
        attempts, self._attempts = self._attempts, {}
        parked, self._parked = self._parked, {}
        boxes, self._parked_boxes = self._parked_boxes, set()
        dirty, self._dirty = self._dirty, set()
        if not (done or attempts or parked or dirty):
            return
        known = [(box, self._desks[box].standing) for box in dirty if box in self._desks]
        # A message that was told or given up needs no count of attempts any more.
        counted = {no: n for no, n in attempts.items() if no not in parked}
        try:
            async with self._db.acquire() as conn, conn.transaction():
                await letters.note(conn, done, counted, known)
                if parked:
                    await letters.park(conn, parked, self._wall())
                    for box in boxes:
                        await letters.prune_dead(conn, box, DEAD_MAX)
        except BaseException:
            self._done = done + self._done
            self._attempts = attempts | self._attempts
            self._parked = parked | self._parked
            self._parked_boxes |= boxes
            self._dirty |= dirty
            raise

    # --- couriers ----------------------------------------------------------------------------

    def _set_out(self, box: Box, desk: _Desk) -> None:
        if desk.endpoint is None or desk.held or not (desk.letters or desk.behind):
            return
        if desk.courier is None or desk.courier.done():
            desk.courier = asyncio.create_task(self._courier(box, desk), name=f"courier {box[2]}")

    async def _courier(self, box: Box, desk: _Desk) -> None:
        """Deliver what waits, in order, until nothing does."""
        while self._desks.get(box) is desk:
            endpoint = desk.endpoint
            if endpoint is None or desk.held:
                return
            if not desk.letters:
                if not desk.behind:
                    return
                await self._fetch(box, desk)
                continue
            rest = desk.not_before - time.monotonic()
            if rest > 0:
                desk.moved.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(desk.moved.wait(), rest)
                continue
            letter = desk.letters[0]
            async with self._sick if desk.failures else self._well:
                if desk.endpoint is not endpoint or desk.held:
                    continue
                error = await self._attempt(desk, endpoint, letter)
            self._settle(box, desk, letter, error)

    async def _fetch(self, box: Box, desk: _Desk) -> None:
        """The next messages of a queue that is longer than what is in memory."""
        news = desk.news
        try:
            async with self._db.acquire() as conn:
                found = await letters.waiting(conn, box, desk.last_no, PAGE)
        except Exception as error:
            if not is_connection_loss(error):
                log.exception("delivery.queue_unread", subscriber=box[2])
            await asyncio.sleep(BACKOFF_FIRST_S)
            return
        desk.letters.extend(found)
        self._in_memory += len(found)
        if found:
            desk.last_no = found[-1].no
        if len(found) < PAGE and desk.news == news:
            desk.behind = False
            if not found:  # what a crash left behind in the count is put right here
                desk.waiting = 0

    async def _attempt(self, desk: _Desk, endpoint: Endpoint, letter: Letter) -> str | None:
        """Try once; what went wrong, in a few words, or None."""
        desk.standing.times_sent += 1
        desk.standing.last_notification = self._wall()
        try:
            async with asyncio.timeout(endpoint.timeout_s):
                return await self._call(desk, endpoint, letter)
        except TimeoutError:
            return "no answer in time"
        except Problem as problem:
            desk.checked_at = float("-inf")
            return problem.code
        except (OSError, ValueError) as error:
            desk.checked_at = float("-inf")
            return f"{type(error).__name__}: {error}"[:200]
        except Exception as error:
            log.exception("delivery.defect", uri=endpoint.uri.split("?")[0][:200])
            return type(error).__name__

    async def _call(self, desk: _Desk, endpoint: Endpoint, letter: Letter) -> str | None:
        if time.monotonic() - desk.checked_at > CHECKED_FOR_S:
            desk.address = await self._guard_url(checked_url(endpoint))
            desk.checked_at = time.monotonic()
        if endpoint.is_mqtt:
            await self._mqtt.post(endpoint, desk.address, letter.body)
            return None
        if desk.target is None:
            desk.target = target_of(endpoint.uri, endpoint.headers)
        status = await self._http.post(desk.target, desk.address, letter.body.encode())
        return None if 200 <= status < 300 else f"status {status}"

    def _settle(self, box: Box, desk: _Desk, letter: Letter, error: str | None) -> None:
        """Keep in mind what became of an attempt; `flush` writes it."""
        if self._desks.get(box) is not desk:
            return
        standing, now = desk.standing, self._wall()
        self._dirty.add(box)
        if error is None:
            desk.failures = 0
            standing.last_success, standing.last_error = now, None
            self._done.append(letter.no)
            self._take_out(box, desk, letter)
            if len(self._done) >= FLUSH_MAX:
                self._flush_now.set()
            return
        desk.failures += 1
        standing.times_failed += 1
        standing.last_failure, standing.last_error = now, error
        pause = min(BACKOFF_FIRST_S * 2 ** min(desk.failures - 1, 20), BACKOFF_MAX_S)
        cooldown_s = desk.endpoint.cooldown_s if desk.endpoint else 0.0
        desk.not_before = time.monotonic() + max(pause, cooldown_s)
        letter.attempts += 1
        if letter.attempts >= ATTEMPTS_MAX:
            self._parked[letter.no] = error
            self._parked_boxes.add(box)
            self._take_out(box, desk, letter)
        else:
            self._attempts[letter.no] = letter.attempts

    def _take_out(self, box: Box, desk: _Desk, letter: Letter) -> None:
        if desk.letters and desk.letters[0] is letter:  # else it fell out of a full queue
            desk.letters.popleft()
            self._in_memory -= 1
            desk.waiting = max(0, desk.waiting - 1)
        if self.drained is not None:
            self.drained(box)

    def _let_fall(self, box: Box, newest: int, count: int) -> None:
        """What was given up because the queue was full is not in memory either."""
        desk = self._desks.get(box)
        if desk is None:
            return
        while desk.letters and desk.letters[0].no <= newest:
            desk.letters.popleft()
            self._in_memory -= 1
        desk.last_no = max(desk.last_no, newest)
        desk.waiting = max(0, desk.waiting - count)
        desk.standing.times_failed += count
        desk.standing.last_failure, desk.standing.last_error = self._wall(), "queue-full"
        self._dirty.add(box)


def encode_body(body: Any) -> str:
    """A notification as the text that is queued."""
    return msgspec.json.encode(body).decode()
