"""Subscriptions with a timeInterval: the entities that fit, told again and again (clause 5.8.6)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import structlog

from nagara.context.context import Context
from nagara.context.model import Entity
from nagara.context.ngsi.query import make_query
from nagara.context.ngsi.subscriptions.delivery import encode_body
from nagara.context.ngsi.subscriptions.due import Due
from nagara.context.ngsi.subscriptions.letters import Parcel
from nagara.context.ngsi.subscriptions.selector import write_types
from nagara.context.ngsi.subscriptions.subscription import Key, Subscription
from nagara.context.ngsi.subscriptions.tell import geometry_of, notification, show
from nagara.context.ngsi.terms import CORE
from nagara.engines.errors import is_connection_loss
from nagara.guard.identity import Actor
from nagara.values.errors import Problem

if TYPE_CHECKING:
    from nagara.context.ngsi.subscriptions.notifier import Notifier

#: Entities of one notification; a subscriber to more asks for them page by page.
ENTITIES_MAX = 1_000
#: Messages of a subscription that may wait: an older state of the same entities helps nobody.
WAITING_MAX = 10
AT_ONCE = 4
INTERVAL_MIN_S = 0.1

log = structlog.get_logger("subscriptions")


class Periods:
    """When which subscription is due."""

    def __init__(self, context: Context, notifier: Notifier) -> None:
        self._context = context
        self._notifier = notifier
        self._due: Due[Key] = Due()
        self._at_once = asyncio.Semaphore(AT_ONCE)

    def put(self, subscription: Subscription) -> None:
        """Take up a subscription; its first notification is due after one interval."""
        if subscription.interval_s is None or not subscription.active:
            self._due.drop(subscription.key)
            return
        self._due.put(subscription.key, _interval_s(subscription))

    def drop(self, key: Key) -> None:
        """Take a subscription out."""
        self._due.drop(key)

    async def run(self) -> None:
        """Runs for the life of the city."""
        while True:
            keys = await self._due.wait()
            await asyncio.gather(*(self._one(key) for key in keys))

    async def _one(self, key: Key) -> None:
        subscription = self._notifier.find(key)
        if subscription is None or subscription.interval_s is None:
            return
        self._due.put(key, _interval_s(subscription))
        async with self._at_once:
            try:
                await self._tell(subscription)
            except Problem as problem:
                log.warning("subscription.not_asked", id=key[1], error=str(problem))
            except Exception as error:
                if not is_connection_loss(error):
                    log.exception("subscription.period", id=key[1])

    async def _tell(self, subscription: Subscription) -> None:
        now = datetime.now(UTC)
        notifier, box = self._notifier, ("subscription", *subscription.key)
        owner = notifier.owners.find(subscription.owner, subscription.tenant)
        if owner is None or not notifier.is_served(subscription, now):
            return
        if notifier.delivery.waiting(box) >= WAITING_MAX:
            return
        found = await self.matching(subscription, owner)
        if not found:
            return
        linked = await notifier.linked(subscription, found)
        data: list[dict[str, Any]] = []
        geometries: list[Any] = []
        for entity in found:
            shown = show(entity, subscription.shape, subscription.terms, linked)
            data += shown
            geometries += [geometry_of(entity)] * len(shown)
        key = f"p{int(now.timestamp() * 1e6)}"
        body = notification(subscription, key, data, geometries, now)
        async with self._context.db.acquire() as conn, conn.transaction():
            queued = await notifier.delivery.put(conn, [Parcel(box, key, encode_body(body))])
        notifier.delivery.posted(queued)

    async def matching(self, subscription: Subscription, owner: Actor) -> list[Entity]:
        """The entities that a subscription is about, as its owner sees them."""
        found: dict[str, Entity] = {}
        for params in _queries(subscription):
            query = make_query(params, CORE, subscription.tenant, owner)
            page = await self._context.query(query, subscription.q_terms.expand)
            for entity in page.entities:
                if subscription.fits(entity):
                    found.setdefault(entity.id, entity)
        return list(found.values())[:ENTITIES_MAX]


def _interval_s(subscription: Subscription) -> float:
    return max(INTERVAL_MIN_S, subscription.interval_s or 0)


def _queries(subscription: Subscription) -> list[dict[str, Any]]:
    """The same as queries (clause 5.7.2), one for each selector."""
    doc = subscription.doc
    shared: dict[str, Any] = {"limit": str(ENTITIES_MAX), **(doc.get("geoQ") or {})}
    if subscription.q:
        shared["q"] = subscription.q
    if doc.get("scopeQ"):
        shared["scopeQ"] = doc["scopeQ"]
    if not subscription.selectors:
        return [shared | {"attrs": ",".join(sorted(subscription.watched))}]
    made = []
    for selector in subscription.selectors:
        params = dict(shared)
        if selector.types is not None:
            params["type"] = write_types(selector.types, str)
        if selector.ids:
            params["id"] = ",".join(sorted(selector.ids))
        elif selector.pattern is not None:
            params["idPattern"] = selector.pattern
        made.append(params)
    return made
