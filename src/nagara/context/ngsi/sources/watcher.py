"""Who is told of registrations that come, change and go (clauses 5.11.7 and 5.3.2)."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec
import structlog

from nagara.context.context import Context
from nagara.context.ngsi.fetch import Contexts
from nagara.context.ngsi.sources.registration import Registration, render_doc
from nagara.context.ngsi.sources.registry import Registry
from nagara.context.ngsi.sources.watch import Key, Watch, read_watch
from nagara.context.ngsi.subscriptions.delivery import Delivery
from nagara.context.ngsi.subscriptions.due import Due
from nagara.context.ngsi.subscriptions.letters import Box, Parcel, Standing
from nagara.values.errors import Problem
from nagara.values.time import format_instant

Reason = Literal["newlyMatching", "updated", "noLongerMatching"]
log = structlog.get_logger("context.sources")

TOLD_MAX = 1_000  # registrations in one notification


def box_of(watch_id: str, tenant: str, first: bool = False) -> Box:
    """Its queue. What is told first has one of its own: a receiver that is slow at first hears of
    changes all the same."""
    return ("source-first" if first else "source", tenant, watch_id)


class Watcher:
    """Knows the subscriptions to registrations, and queues what they are told."""

    def __init__(
        self,
        context: Context,
        contexts: Contexts,
        registry: Registry,
        guard_url: Callable[[str], Awaitable[str]],
        delivery: Delivery | None = None,
    ) -> None:
        self._context = context
        self._contexts = contexts
        self._registry = registry
        self._own = delivery is None
        self.delivery = delivery or Delivery(context.db, guard_url)
        self._known: dict[Key, Watch] = {}
        self._due: Due[Key] = Due()
        self._told_at: dict[Key, datetime] = {}
        self._moved: asyncio.Queue[tuple[Registration | None, Registration | None]] = (
            asyncio.Queue()
        )
        self._numbers = itertools.count(1)
        registry.watchers.append(lambda before, after: self._moved.put_nowait((before, after)))

    def find(self, tenant: str, name: str) -> Watch | None:
        """A subscription, or None."""
        return self._known.get((tenant, name))

    def all_of(self, tenant: str) -> list[Watch]:
        """The subscriptions of a tenant, by id."""
        return [w for (t, _), w in sorted(self._known.items()) if t == tenant]

    def standing(self, watch: Watch) -> Standing:
        """What became of its notifications."""
        one = self.delivery.standing(box_of(watch.id, watch.tenant))
        first = self.delivery.standing(box_of(watch.id, watch.tenant, True))
        newest = max(
            (s for s in (one, first) if s.last_notification is not None),
            key=lambda s: s.last_notification or datetime.min.replace(tzinfo=UTC),
            default=one,
        )
        return Standing(
            times_sent=one.times_sent + first.times_sent,
            times_failed=one.times_failed + first.times_failed,
            last_notification=newest.last_notification,
            last_success=_later(one.last_success, first.last_success),
            last_failure=_later(one.last_failure, first.last_failure),
            last_error=newest.last_error,
        )

    def take_up(self, watch: Watch) -> None:
        """Serve a new or changed subscription, and tell it what matches now."""
        self._known[watch.key] = watch
        self._serve(watch)
        self._due.put(watch.key, 0)

    def _serve(self, watch: Watch) -> None:
        held = not watch.active
        self.delivery.serve(box_of(watch.id, watch.tenant), watch.endpoint, held)
        self.delivery.serve(box_of(watch.id, watch.tenant, True), watch.endpoint, held)

    async def let_go(self, watch: Watch) -> None:
        """A subscription has ended."""
        self._known.pop(watch.key, None)
        self._due.drop(watch.key)
        self._told_at.pop(watch.key, None)
        async with self._context.db.acquire() as conn, conn.transaction():
            for first in (False, True):
                await self.delivery.forget(conn, box_of(watch.id, watch.tenant, first))

    async def load(self) -> None:
        """Take up what is kept; it was told what matched before. Periodic ones are due at once:
        how long the city was away is not known."""
        async with self._context.db.acquire() as conn:
            rows = await conn.fetch("select tenant, doc from context.source_subscription")
        for row in rows:
            try:
                terms = await self._contexts.terms(row["doc"].get("@source"), row["tenant"])
                body = {k: v for k, v in row["doc"].items() if not k.startswith("@")}
                watch = read_watch(body, terms, row["tenant"], "", None)
            except Problem as problem:
                log.warning("source.watch", id=row["doc"].get("id"), code=problem.code)
                continue
            self._known[watch.key] = watch
            self._serve(watch)
            if watch.interval_s is not None:
                self._due.put(watch.key, 0)

    async def run(self) -> None:
        """Runs for the life of the city."""
        async with asyncio.TaskGroup() as tasks:
            if self._own:
                tasks.create_task(self.delivery.run())
            tasks.create_task(self._hear())
            await self.delivery.ready()  # until then nobody's last notification is known
            while True:
                for key in await self._due.wait():
                    await self._look(key)

    async def _hear(self) -> None:
        while True:
            before, after = await self._moved.get()
            try:
                await self._tell_change(before, after)
            except Problem:
                log.exception("source.watch")

    async def _tell_change(self, before: Registration | None, after: Registration | None) -> None:
        one = after or before
        assert one is not None
        now = datetime.now(UTC)
        for watch in self.all_of(one.tenant):
            if watch.interval_s is not None or not watch.is_served(now):
                continue
            if self._free_at(watch) > now:
                continue  # too soon after the last one (Table 5.2.12-1, throttling)
            was = before is not None and watch.matches(before)
            is_now = after is not None and watch.matches(after)
            if not was and not is_now:
                continue
            reason: Reason = "updated"
            if not was:
                reason = "newlyMatching"
            elif not is_now:
                reason = "noLongerMatching"
            await self._send(watch, [one], reason, False)

    async def _look(self, key: Key) -> None:
        """What is due now: the first word to one who is new, or changed, and periodic ones."""
        now = datetime.now(UTC)
        watch = self._known.get(key)
        if watch is None or not watch.is_served(now):
            return
        rest_s = (self._free_at(watch) - now).total_seconds()
        if rest_s > 0:
            self._due.put(key, rest_s)
            return
        found = [r for r in self._registry.all_of(watch.tenant) if watch.matches(r)]
        if watch.interval_s is not None:
            self._due.put(key, watch.interval_s)
        if found or watch.interval_s is not None:
            await self._send(watch, found[:TOLD_MAX], "newlyMatching", True)

    def _free_at(self, watch: Watch) -> datetime:
        """From when on its throttling lets it be told something."""
        last = self._told_at.get(watch.key) or self.standing(watch).last_notification
        if last is None or not watch.throttling_s:
            return datetime.min.replace(tzinfo=UTC)
        return last + timedelta(seconds=watch.throttling_s)

    async def _send(
        self, watch: Watch, found: Sequence[Registration], reason: Reason, first: bool
    ) -> None:
        now = datetime.now(UTC)
        number = f"{int(now.timestamp() * 1e6)}-{next(self._numbers)}"
        body = {
            "id": f"urn:ngsi-ld:ContextSourceNotification:{number}",
            "type": "ContextSourceNotification",
            "subscriptionId": watch.id,
            "notifiedAt": format_instant(now),
            "triggerReason": reason,
            "data": [_shown(watch, r) for r in found],
        }
        parcel = Parcel(
            box_of(watch.id, watch.tenant, first), number, msgspec.json.encode(body).decode()
        )
        async with self._context.db.acquire() as conn, conn.transaction():
            queued = await self.delivery.put(conn, [parcel])
        self._told_at[watch.key] = now
        self.delivery.posted(queued)


def _shown(watch: Watch, registration: Registration) -> dict[str, Any]:
    """A registration with only what matters to a subscriber: the parts that match, no secrets."""
    doc = {k: v for k, v in registration.doc.items() if k != "contextSourceInfo"}
    parts = [
        said
        for said, part in zip(doc["information"], registration.parts, strict=True)
        if any(
            q.concerns(msgspec.structs.replace(registration, parts=(part,)), watch.terms)
            for q in watch.questions
        )
    ]
    made = render_doc({**doc, "information": parts or doc["information"]}, watch.terms)
    for part in made["information"]:
        for entity in part.get("entities", ()):
            if isinstance(entity.get("type"), str):
                entity["type"] = [entity["type"]]
    return made


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((t for t in (one, other) if t is not None), default=None)
