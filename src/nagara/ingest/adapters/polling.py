"""Polled feeds: when, with which conditions, and what to do when they fail.

A feed is off until a steward switches it on: a city calls nobody that it was not told to call.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import httpx
import msgspec
import structlog
from msgspec import Struct

from nagara.engines.database import Database
from nagara.guard.outbound import HostUnknown
from nagara.ingest.adapters.fetching import Fetched, demand_callable, fetch
from nagara.ingest.departures import keep_timetable
from nagara.ingest.errors import FeedUnknown, RowUnreadable
from nagara.ingest.feed import Feed, FeedBatch, FeedObservation, FeedUnreadable, FetchMeta
from nagara.ingest.item import Item
from nagara.ingest.model import Observation
from nagara.ingest.service import IngestService, Outcome, digest
from nagara.values.errors import Problem
from nagara.values.ids import urn
from nagara.vocab.attribute import property_of

FIRST_RETRY_S = 30.0
#: After so many failures in a row the circuit is open: the publisher has a problem that asking
#: more often does not mend.
FAILURES_MAX = 5
REST_S_MIN = 900.0
REST_S_MAX = 6 * 3600.0
PERIOD_S_MIN = 10.0
LOOK_EVERY_S = 1.0
POLLS_AT_ONCE = 3

State = Literal["off", "waiting", "polling", "good", "late", "failing", "resting"]

log = structlog.get_logger("ingest.feeds")

_SAVE = """
insert into ingest.feed (name, enabled, url, period_s, etag, last_modified, tried_at,
    succeeded_at, changed_at, newest_at, failures, rest_until, problem_code, problem_params,
    last_counts)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
on conflict (name) do update set enabled = excluded.enabled, url = excluded.url,
    period_s = excluded.period_s, etag = excluded.etag, last_modified = excluded.last_modified,
    tried_at = excluded.tried_at, succeeded_at = excluded.succeeded_at,
    changed_at = excluded.changed_at, newest_at = excluded.newest_at,
    failures = excluded.failures, rest_until = excluded.rest_until,
    problem_code = excluded.problem_code, problem_params = excluded.problem_params,
    last_counts = excluded.last_counts
"""


class Standing(Struct):
    """How a feed does. Times are wall time, but for `newest_at`."""

    name: str
    enabled: bool = False
    url: str | None = None
    period_s: float | None = None
    etag: str | None = None
    last_modified: str | None = None
    tried_at: datetime | None = None
    succeeded_at: datetime | None = None
    changed_at: datetime | None = None
    newest_at: datetime | None = None
    failures: int = 0
    rest_until: datetime | None = None
    problem_code: str | None = None
    problem_params: dict[str, Any] | None = None
    last_counts: dict[str, int] | None = None


class FeedRunner:
    """Polls the feeds of one city."""

    def __init__(
        self,
        service: IngestService,
        db: Database,
        feeds: Iterable[Feed],
        transport: httpx.AsyncBaseTransport | None = None,
        allow_loopback: bool = False,
    ) -> None:
        self._service = service
        self._db = db
        self.feeds: dict[str, Feed] = {feed.name: feed for feed in feeds}
        self.standings: dict[str, Standing] = {name: Standing(name) for name in self.feeds}
        self._locks = {name: asyncio.Lock() for name in self.feeds}
        self._slots = asyncio.Semaphore(POLLS_AT_ONCE)
        self._transport = transport
        self._allow_loopback = allow_loopback

    async def load(self) -> None:
        """Take over what is known from before."""
        async with self._db.acquire() as conn:
            rows = await conn.fetch("select * from ingest.feed")
        for row in rows:
            if row["name"] in self.feeds:
                self.standings[row["name"]] = msgspec.convert(dict(row), Standing)

    async def run(self) -> None:
        """Polls what is due, for the life of the city."""
        async with asyncio.TaskGroup() as polls:
            while True:
                now = datetime.now(UTC)
                for name, standing in self.standings.items():
                    due = self.next_at(name)
                    if standing.enabled and due <= now and not self._locks[name].locked():
                        polls.create_task(self._poll_quietly(name))
                await asyncio.sleep(LOOK_EVERY_S)

    def get(self, name: str) -> Feed:
        """A feed by name. Raises `FeedUnknown`."""
        try:
            return self.feeds[name]
        except KeyError:
            raise FeedUnknown(feed=name[:64], known=", ".join(self.feeds)) from None

    def period_s(self, name: str) -> float:
        """How often the feed is asked."""
        return max(PERIOD_S_MIN, self.standings[name].period_s or self.feeds[name].period_s)

    def next_at(self, name: str) -> datetime:
        """When the feed is due (wall time)."""
        standing = self.standings[name]
        if standing.rest_until is not None:
            return standing.rest_until
        if standing.tried_at is None:
            return datetime.min.replace(tzinfo=UTC)
        return standing.tried_at + timedelta(seconds=self.period_s(name))

    def state_of(self, name: str) -> State:
        """One word for the screen."""
        standing, feed = self.standings[name], self.feeds[name]
        if self._locks[name].locked():
            return "polling"
        if not standing.enabled:
            return "off"
        if standing.failures >= FAILURES_MAX:
            return "resting"
        if standing.failures:
            return "failing"
        if standing.succeeded_at is None:
            return "waiting"
        late_after_s = feed.late_after_s or 3 * self.period_s(name)
        newest = standing.newest_at
        if newest is not None and self.lag_s(name) > late_after_s:
            return "late"
        return "good"

    def lag_s(self, name: str) -> float:
        """City seconds since the newest observation of the feed; 0 where none was heard."""
        newest = self.standings[name].newest_at
        if newest is None:
            return 0.0
        return max(0.0, (self._service.context.clock.now() - newest).total_seconds())

    async def change(
        self, name: str, enabled: bool | None, url: str | None, period_s: float | None
    ) -> None:
        """Switch a feed on or off, or let it ask another address or at other times.

        Raises `AddressForbidden` for an address inside the city's own network.
        """
        feed = self.get(name)
        if url:
            with contextlib.suppress(HostUnknown):  # a name that is not known yet
                await demand_callable(feed, url, self._allow_loopback)
        standing = self.standings[name]
        if enabled is not None:
            standing.enabled = enabled
        if url is not None:
            standing.url = url or None
            standing.etag = standing.last_modified = None
        if period_s is not None:
            standing.period_s = period_s or None
        standing.rest_until = None
        await self._save(standing)

    async def poll(self, name: str) -> Outcome | None:
        """Ask a feed now; None where nothing is new. Raises `FeedFailed`, `FeedUnreadable`."""
        feed = self.get(name)
        async with self._locks[name], self._slots:
            standing = self.standings[name]
            standing.tried_at = datetime.now(UTC)
            try:
                fetched = await self._fetch(feed, standing)
                outcome = None
                if fetched.body is not None:
                    outcome = await self._take(feed, standing, fetched)
            except Problem as problem:
                await self._fail(feed, standing, problem)
                raise
            standing.succeeded_at = datetime.now(UTC)
            standing.failures = 0
            standing.rest_until = standing.problem_code = standing.problem_params = None
            if fetched.body is not None:
                standing.changed_at = standing.succeeded_at
                standing.etag, standing.last_modified = fetched.etag, fetched.last_modified
            await self._save(standing)
            return outcome

    # -- asking -------------------------------------------------------------------------------

    async def _poll_quietly(self, name: str) -> None:
        try:
            await self.poll(name)
        except Problem as problem:
            log.warning("feed.failed", feed=name, problem=str(problem)[:300])
        except Exception:
            log.exception("feed.broken", feed=name)

    async def _fetch(self, feed: Feed, standing: Standing) -> Fetched:
        conditions = {}
        if standing.etag:
            conditions["If-None-Match"] = standing.etag
        if standing.last_modified:
            conditions["If-Modified-Since"] = standing.last_modified
        url = standing.url or feed.url
        return await fetch(feed, url, conditions, self._transport, self._allow_loopback)

    async def _take(self, feed: Feed, standing: Standing, fetched: Fetched) -> Outcome:
        body = fetched.body or b""
        city_code = self._service.city.code
        meta = FetchMeta(
            url=standing.url or feed.url,
            fetched_at=self._service.context.clock.now(),
            city_code=city_code,
            content_type=fetched.content_type,
            etag=fetched.etag,
            last_modified=fetched.last_modified,
        )
        try:
            batch = await asyncio.to_thread(feed.parse, body, meta)
        except Problem as problem:
            await self._park_document(feed, meta.url, body, problem)
            raise
        except Exception as error:  # a connector may be a stranger's
            unreadable = FeedUnreadable(f"{type(error).__name__}: {error}"[:300])
            await self._park_document(feed, meta.url, body, unreadable)
            raise unreadable from error
        outcome = await self._accept(feed, meta.url, batch)
        if batch.timetable is not None:
            zone = self._service.city.time_zone
            await keep_timetable(self._db, feed.name, batch.timetable, zone)
        moments = [
            reading.observed_at or heard.observed_at
            for heard in batch.observations
            for reading in heard.readings
        ] or [heard.observed_at for heard in batch.observations]
        ahead = self._service.context.clock.now() + timedelta(minutes=1)
        newest = max((moment for moment in moments if moment <= ahead), default=None)
        if newest is not None and (standing.newest_at is None or newest > standing.newest_at):
            standing.newest_at = newest
        standing.last_counts = {
            "received": outcome.received + len(batch.parked),
            "stored": outcome.stored,
            "duplicate": outcome.duplicate,
            "parked": outcome.parked + len(batch.parked),
            "refused": outcome.refused,
        }
        return outcome

    async def _accept(self, feed: Feed, url: str, batch: FeedBatch) -> Outcome:
        source = source_of(feed)
        city_code = self._service.city.code
        rows = [
            self._item(
                feed, url, row.payload, row.problem or RowUnreadable(reason=row.reason[:300])
            )
            for row in batch.parked
        ]
        await self._service.intake.take(rows, patient=True)
        observations = [_observation(heard, city_code) for heard in batch.observations]
        return await self._service.accept(observations, source=source, topic=url, patient=True)

    async def _park_document(self, feed: Feed, url: str, body: bytes, problem: Problem) -> None:
        kept = b"" if feed.personal else body
        item = self._item(feed, url, kept, problem)
        item.key = digest(source_of(feed), body)
        await self._service.intake.take([item], patient=True)

    def _item(self, feed: Feed, url: str, payload: bytes, problem: Problem) -> Item:
        wall = datetime.now(UTC)
        source = source_of(feed)
        item = Item(source, url, payload, wall, self._service.city_time(wall), "fragment")
        item.key = digest(source, payload)
        item.fail(problem)
        return item

    # -- remembering --------------------------------------------------------------------------

    async def _fail(self, feed: Feed, standing: Standing, problem: Problem) -> None:
        standing.failures += 1
        standing.problem_code = problem.code
        standing.problem_params = dict(problem.params)
        wait_s = pause_s(standing.failures, self.period_s(feed.name))
        asked_s = problem.params.get("retry_after_s")
        if isinstance(asked_s, int | float):
            wait_s = min(max(wait_s, float(asked_s)), REST_S_MAX)
        standing.rest_until = datetime.now(UTC) + timedelta(seconds=wait_s)
        with contextlib.suppress(Problem):  # the database is away: it is known in memory
            await self._save(standing)

    async def _save(self, standing: Standing) -> None:
        values = [getattr(standing, name) for name in Standing.__struct_fields__]
        async with self._db.acquire() as conn:
            await conn.execute(_SAVE, *values)


def pause_s(failures: int, period_s: float) -> float:
    """How long to wait after so many failures in a row: doubling, then a rest."""
    if failures >= FAILURES_MAX:
        rest_s = REST_S_MIN * 2 ** min(failures - FAILURES_MAX, 10)
        return float(min(max(rest_s, period_s), REST_S_MAX))
    return float(min(FIRST_RETRY_S * 2 ** (failures - 1), max(period_s, FIRST_RETRY_S)))


def source_of(feed: Feed) -> str:
    """The name of a feed in the counters."""
    return f"feed:{feed.name}"


def _observation(heard: FeedObservation, city_code: str) -> Observation:
    base = dict(heard.base)
    if heard.source:
        base.setdefault("source", property_of(heard.source))
    return Observation(
        urn(heard.entity_type, city_code, heard.entity_local_id),
        heard.entity_type,
        heard.observed_at,
        heard.readings,
        base,
        heard.refresh,
    )
