"""Delivering notifications: a durable queue for each subscription, a courier for each queue.

The reader of the change log puts notifications into a table, in order. What is there survives a
restart and is delivered at least once; a receiver that is dead delays nobody else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
import structlog
from asyncpg import Record

from nagara.context.context import Context
from nagara.context.log import Reader
from nagara.context.model import Change
from nagara.context.ngsi.fetch import Contexts, pinned
from nagara.context.ngsi.render import View, render, render_feature
from nagara.context.ngsi.subscriptions.subscription import Subscription, read_subscription
from nagara.context.ngsi.terms import CORE_CONTEXT, ContextUnavailable
from nagara.engines.errors import is_connection_loss
from nagara.guard.identity import system
from nagara.values.errors import Problem
from nagara.values.time import format_instant

#: Notifications that wait for one receiver; the oldest are let go beyond, and counted as failed.
QUEUE_MAX = 10_000
DELIVER_TIMEOUT_S = 5.0
BACKOFF_FIRST_S, BACKOFF_MAX_S = 0.5, 300.0
IDLE_LOOK_S = 5.0
REVIVE_EVERY_S = 60.0
REVIVED_AT_ONCE = 20
JSONLD_LINK = (
    f'<{CORE_CONTEXT}>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'
)

log = structlog.get_logger("subscriptions")


class Notifier:
    """Knows the subscriptions of this city and delivers what they ask for."""

    def __init__(
        self, context: Context, contexts: Contexts, guard_url: Callable[[str], Awaitable[str]]
    ) -> None:
        self._context = context
        self._contexts = contexts
        self._guard_url = guard_url
        self._known: dict[tuple[str, str], Subscription] = {}
        self._couriers: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._wake: dict[tuple[str, str], asyncio.Event] = {}
        self._last_sent: dict[tuple[str, str], datetime] = {}
        self._ready = asyncio.Event()

    def reader(self) -> Reader:
        """The reader of the change log that fills the queues."""
        return Reader("subscriptions", self._handle)

    async def run(self) -> None:
        """Runs for the life of the city: takes up the subscriptions that are kept.

        One whose @context cannot be fetched now is tried again each minute; changes that pass
        meanwhile are not told to it.
        """
        try:
            for subscription in list(self._known.values()):  # after a failure, all begin anew
                await self.take_up(subscription)
            away = await self._take_up_kept()
            self._ready.set()
            while True:
                await asyncio.sleep(REVIVE_EVERY_S)
                if away:
                    away = await self._take_up_kept(away)
        finally:
            for courier in self._couriers.values():
                courier.cancel()

    async def _take_up_kept(self, only: set[tuple[str, str]] | None = None) -> set[tuple[str, str]]:
        """Serve what is kept; the keys of those whose @context could not be had."""
        async with self._context.db.acquire() as conn:
            rows = await conn.fetch("select * from context.subscription")
        away: set[tuple[str, str]] = set()
        at_once = asyncio.Semaphore(REVIVED_AT_ONCE)

        async def one(row: Record) -> None:
            key = (row["tenant"], row["id"])
            if key in self._known or (only is not None and key not in only):
                return
            try:
                async with at_once:
                    made = await self._revive(row)
            except ContextUnavailable as problem:
                away.add(key)
                log.warning("subscription.context_away", id=key[1], error=str(problem))
            except Problem as problem:
                log.error("subscription.unreadable", id=key[1], error=str(problem))
            else:
                if key not in self._known:
                    await self.take_up(made)

        await asyncio.gather(*map(one, rows))
        return away

    async def _revive(self, row: Record) -> Subscription:
        doc = dict(row["doc"])
        source, sees = doc.pop("@source", None), doc.pop("@sees", None)
        terms = await self._contexts.terms(source)
        return read_subscription(
            doc,
            terms,
            row["tenant"],
            system("subscriptions"),
            None if sees is None else frozenset(sees),
            row["id"],
        )  # the term map carries its source along

    async def take_up(self, subscription: Subscription) -> None:
        """Serve a new or changed subscription."""
        key = (subscription.tenant, subscription.id)
        before = self._known.get(key)
        self._known[key] = subscription
        self._wake.setdefault(key, asyncio.Event()).set()
        courier = self._couriers.get(key)
        if before is not None and before.uri != subscription.uri and courier is not None:
            courier.cancel()  # its open connection belongs to the receiver before
            courier = None
        if courier is None or courier.done():
            self._couriers[key] = asyncio.create_task(self._courier(key), name=f"courier {key[1]}")

    def let_go(self, key: tuple[str, str]) -> None:
        """Serve a subscription no longer."""
        self._known.pop(key, None)
        self._wake.pop(key, None)
        self._last_sent.pop(key, None)
        courier = self._couriers.pop(key, None)
        if courier is not None:
            courier.cancel()

    async def _handle(self, changes: list[Change]) -> None:
        await self._ready.wait()  # until then, nobody would seem to be concerned
        rows: list[tuple[str, str, int, str]] = []
        sent: dict[tuple[str, str], datetime] = {}
        now = datetime.now(UTC)
        for change in changes:
            for subscription in list(self._known.values()):
                if subscription.active and subscription.may_concern(change):
                    body = await self._notification(subscription, change, now, sent)
                    if body is not None:
                        text = msgspec.json.encode(body).decode()
                        rows.append((subscription.tenant, subscription.id, change.seq, text))
        if not rows:
            return
        async with self._context.db.acquire() as conn:
            await conn.execute(
                """insert into context.notification (tenant, subscription, seq, body, due_at)
                   select t, s, q, b::jsonb, now()
                   from unnest($1::text[], $2::text[], $3::bigint[], $4::text[]) as w(t, s, q, b)
                   on conflict (tenant, subscription, seq) do nothing""",
                *(list(column) for column in zip(*rows, strict=True)),
            )
        self._last_sent |= sent  # only now: a batch that failed is told again as a whole
        for tenant, name, *_ in rows:
            wake = self._wake.get((tenant, name))
            if wake is not None:
                wake.set()

    async def _notification(
        self,
        subscription: Subscription,
        change: Change,
        now: datetime,
        sent: dict[tuple[str, str], datetime],
    ) -> dict[str, Any] | None:
        if subscription.expires_at is not None and subscription.expires_at <= now:
            return None
        entity = await self._context.find(change.id, change.tenant)
        if entity is None:
            return None
        terms = subscription.terms
        if not subscription.concerns(entity, terms.expand):
            return None
        key = (subscription.tenant, subscription.id)
        if subscription.throttling_s:
            last = sent.get(key) or self._last_sent.get(key)
            if last is not None and (now - last).total_seconds() < subscription.throttling_s:
                return None
            sent[key] = now
        view = View(form=subscription.form, attrs=subscription.attrs)
        if subscription.accept == "application/geo+json":
            data: Any = {
                "type": "FeatureCollection",
                "features": [render_feature(entity, terms, view, "location")],
            }
        else:
            data = [render(entity, terms, view)]
        return {
            "id": f"urn:ngsi-ld:Notification:{change.seq}",
            "type": "Notification",
            "subscriptionId": subscription.id,
            "notifiedAt": format_instant(now),
            "data": data,
        }

    async def _courier(self, key: tuple[str, str]) -> None:
        """Deliver the queue of one subscription, in order."""
        pause = BACKOFF_FIRST_S
        async with httpx.AsyncClient(timeout=DELIVER_TIMEOUT_S, trust_env=False) as client:
            while key in self._known:
                try:
                    outcome = await self._deliver_next(client, key)
                except Exception as error:
                    if not is_connection_loss(error):
                        log.exception("subscription.courier", id=key[1])
                    outcome = False
                if outcome is None:
                    await self._rest(key)
                elif outcome:
                    pause = BACKOFF_FIRST_S
                else:
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, BACKOFF_MAX_S)

    async def _rest(self, key: tuple[str, str]) -> None:
        wake = self._wake.get(key)
        if wake is None:
            return
        try:
            await asyncio.wait_for(wake.wait(), IDLE_LOOK_S)
        except TimeoutError:
            return
        wake.clear()

    async def _deliver_next(self, client: httpx.AsyncClient, key: tuple[str, str]) -> bool | None:
        """Deliver the oldest; None where nothing waits."""
        async with self._context.db.acquire() as conn:
            row = await conn.fetchrow(
                """select no, body::text as body from context.notification
                   where tenant = $1 and subscription = $2 order by no limit 1""",
                *key,
            )
        subscription = self._known.get(key)
        if row is None or subscription is None or not subscription.active:
            return None
        error = await self._post(client, subscription, row["body"])
        async with self._context.db.acquire() as conn:
            await _note(conn, key, row["no"], error)
        return error is None

    async def _post(
        self, client: httpx.AsyncClient, subscription: Subscription, body: str
    ) -> str | None:
        """Send one; what went wrong, or None."""
        headers = {
            "Content-Type": "application/json"
            if subscription.accept == "application/geo+json"
            else subscription.accept,
            **dict(subscription.headers),
        }
        if subscription.tenant:
            headers["NGSILD-Tenant"] = subscription.tenant
        content = body
        if subscription.accept == "application/ld+json":
            content = msgspec.json.encode(
                {**msgspec.json.decode(body), "@context": CORE_CONTEXT}
            ).decode()
        else:
            headers["Link"] = JSONLD_LINK
        try:
            to = pinned(subscription.uri, await self._guard_url(subscription.uri))
            headers["Host"] = to.host
            answer = await client.post(
                to.url, content=content, headers=headers, extensions=to.extensions
            )
        except Problem as problem:
            return problem.code
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return type(error).__name__
        return None if answer.is_success else f"status {answer.status_code}"


async def _note(conn: Any, key: tuple[str, str], no: int, error: str | None) -> None:
    """Keep what became of a notification (clause 5.2.14, NotificationParams)."""
    at = datetime.now(UTC)
    if error is None:
        await conn.execute("delete from context.notification where no = $1", no)
        await conn.execute(
            """update context.subscription set times_sent = times_sent + 1, status = 'ok',
                   last_notification = $3, last_success = $3, last_error = null
               where tenant = $1 and id = $2""",
            *key,
            at,
        )
        return
    await conn.execute("update context.notification set attempts = attempts + 1 where no = $1", no)
    await conn.execute(
        """update context.subscription set times_sent = times_sent + 1, status = 'failed',
               times_failed = times_failed + 1, last_notification = $3, last_failure = $3,
               last_error = $4 where tenant = $1 and id = $2""",
        *key,
        at,
        error,
    )
    await conn.execute(
        """delete from context.notification where tenant = $1 and subscription = $2 and no <=
               (select no from context.notification where tenant = $1 and subscription = $2
                order by no desc offset $3 limit 1)""",
        *key,
        QUEUE_MAX,
    )
