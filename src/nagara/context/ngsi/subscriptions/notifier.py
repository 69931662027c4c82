"""Finding out what is to be told: reads the change log, asks the index, fills the queues."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime

import msgspec
import structlog
from asyncpg import Record

from nagara.context.chronicle import SCOPE
from nagara.context.context import Context
from nagara.context.log import Reader, save_offset
from nagara.context.model import Change, Entity, Query, instances_of
from nagara.context.ngsi.fetch import Contexts
from nagara.context.ngsi.subscriptions.delivery import Delivery, encode_body
from nagara.context.ngsi.subscriptions.endpoint import Endpoint
from nagara.context.ngsi.subscriptions.happening import (
    Happening,
    group_rows,
    make_happening,
)
from nagara.context.ngsi.subscriptions.index import Index
from nagara.context.ngsi.subscriptions.letters import Box, Parcel
from nagara.context.ngsi.subscriptions.owners import Owners
from nagara.context.ngsi.subscriptions.periodic import Periods
from nagara.context.ngsi.subscriptions.rebuilt import Past, rebuild
from nagara.context.ngsi.subscriptions.replay import Replayer
from nagara.context.ngsi.subscriptions.subscription import Key, Subscription, read_subscription
from nagara.context.ngsi.subscriptions.tell import (
    JSON_LD,
    Linked,
    context_source,
    geometry_of,
    notification,
    objects_of,
    tell,
)
from nagara.context.ngsi.terms import CORE_CONTEXT, ContextUnavailable
from nagara.values.errors import Problem

READER = "subscriptions"
REVIVE_EVERY_S = 60.0
LOOK_EVERY_S = 5.0  # at owners and ends: how late a right that was lost takes effect
REVIVED_AT_ONCE = 20
LINKED_MAX = 200  # entities that one notification brings along (join)

log = structlog.get_logger("subscriptions")


class Notifier:
    """Knows the subscriptions of this city, and queues what they are to be told."""

    def __init__(
        self, context: Context, contexts: Contexts, guard_url: Callable[[str], Awaitable[str]]
    ) -> None:
        self._context = context
        self._contexts = contexts
        self._known: dict[Key, Subscription] = {}
        self._away: set[Key] = set()
        self._last_told: dict[Key, datetime] = {}
        self._index = Index()
        self._ready = asyncio.Event()
        self.delivery = Delivery(context.db, guard_url)
        self.owners = Owners(context.db)
        self._periods = Periods(context, self)
        self.replayer = Replayer(context, self)
        #: Told of each subscription that comes, changes or goes.
        self.listeners: list[Callable[[Key], None]] = []

    def reader(self) -> Reader:
        """The reader of the change log that fills the queues."""
        return Reader(READER, self._handle, keeps_offset=True)

    # --- which subscriptions there are -------------------------------------------------------

    async def run(self) -> None:
        """Runs for the life of the city: takes up the subscriptions that are kept, and delivers.

        One whose @context cannot be fetched now is tried again each minute; changes that pass
        meanwhile are not told to it.
        """
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.delivery.run())
            await self.delivery.ready()
            self._away = await self._take_up_kept()
            self._ready.set()
            tasks.create_task(self._periods.run())
            tasks.create_task(self.replayer.run())
            tasks.create_task(self._look_around())
            while True:
                await asyncio.sleep(REVIVE_EVERY_S)
                if self._away:
                    self._away = await self._take_up_kept(self._away)

    async def _take_up_kept(self, only: set[Key] | None = None) -> set[Key]:
        """Serve what is kept; the keys of those whose @context could not be had."""
        async with self._context.db.acquire() as conn:
            rows = await conn.fetch("select * from context.subscription")
        await self.owners.refresh({row["owner"] for row in rows})
        away: set[Key] = set()
        at_once = asyncio.Semaphore(REVIVED_AT_ONCE)

        async def one(row: Record) -> None:
            key = (row["tenant"], row["id"])
            if key in self._known or (only is not None and key not in only):
                return
            try:
                async with at_once:
                    made = await read_subscription(
                        row["doc"], self._contexts, row["tenant"], row["owner"], row["since"]
                    )
            except ContextUnavailable as problem:
                away.add(key)
                log.warning("subscription.context_away", id=key[1], error=str(problem))
            except Problem as problem:
                log.error("subscription.unreadable", id=key[1], error=str(problem))
            else:
                if key not in self._known:
                    self.take_up(made)
                    if row["replay_from"] is not None:
                        self.replayer.begin(key, row["replay_from"])

        await asyncio.gather(*map(one, rows))
        return away

    def take_up(self, subscription: Subscription) -> None:
        """Serve a new or changed subscription."""
        key = subscription.key
        self._known[key] = subscription
        self._index.put(subscription)
        self._context.committer.steps.wanted = True
        self._periods.put(subscription)
        self._serve(subscription)
        for listener in self.listeners:
            listener(key)

    def let_go(self, key: Key) -> None:
        """Serve a subscription no longer. Its queue goes with `delivery.forget`."""
        self._known.pop(key, None)
        self._away.discard(key)
        self._last_told.pop(key, None)
        self._index.drop(key)
        self._periods.drop(key)
        self.replayer.drop(key)
        self._context.committer.steps.wanted = bool(self._known)
        for listener in self.listeners:
            listener(key)

    async def ready(self) -> None:
        """Wait until what is kept has been taken up."""
        await self._ready.wait()

    def is_away(self, key: Key) -> bool:
        """Whether a subscription is kept that cannot be served yet: its @context is away, or the
        city is just starting."""
        return key in self._away or not self._ready.is_set()

    def all_of(self, tenant: str) -> list[Subscription]:
        """The subscriptions of a tenant that are served."""
        return [s for s in self._known.values() if s.tenant == tenant]

    def find(self, key: Key) -> Subscription | None:
        """A subscription that is served, or None."""
        return self._known.get(key)

    def is_served(self, subscription: Subscription, now: datetime) -> bool:
        """Whether it is to be told anything: active, not at its end, its owner still in his
        rights."""
        ended = subscription.expires_at is not None and subscription.expires_at <= now
        return (
            subscription.active
            and not ended
            and self.owners.find(subscription.owner, subscription.tenant) is not None
        )

    def _serve(self, subscription: Subscription) -> None:
        held = not self.is_served(subscription, datetime.now(UTC))
        self.delivery.serve(box_of(subscription.key), endpoint_of(subscription), held)

    async def _look_around(self) -> None:
        """Hold what must not be told any more, and let go what may be again."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self.owners.refresh({s.owner for s in self._known.values()})
            except Exception as error:  # the database is away: those known stay known
                log.warning("subscriptions.owners_unknown", error=type(error).__name__)
                continue
            now = datetime.now(UTC)
            for subscription in list(self._known.values()):
                held = not self.is_served(subscription, now)
                self.delivery.hold(box_of(subscription.key), held)

    # --- what is to be told ------------------------------------------------------------------

    async def _handle(self, changes: list[Change]) -> None:
        await self._ready.wait()  # until then, nobody would seem to be concerned
        if not self._known:
            return
        now = datetime.now(UTC)
        told: dict[Key, datetime] = {}
        parcels: list[Parcel] = []
        for happening in await self.happenings(changes):
            for subscription in self._index.candidates(happening):
                if self.replayer.has(subscription.key):
                    continue  # it reads the log itself until it has caught up
                parcel = await self.parcel(subscription, happening, now, told)
                if parcel is not None:
                    parcels.append(parcel)
        if parcels:
            async with self._context.db.acquire() as conn, conn.transaction():
                queued = await self.delivery.put(conn, parcels)
                await save_offset(conn, READER, changes[-1].seq)
            self._last_told |= told  # only now: a batch that failed is told again as a whole
            self.delivery.posted(queued)
        self._context.committer.steps.forget(changes[-1].seq)

    async def happenings(self, changes: Iterable[Change], steps: bool = True) -> list[Happening]:
        """What the rows of the log say, operation by operation. `steps`: with what is known of
        the states before and after."""
        found = self._context.committer.steps.find if steps else lambda _: None

        def same(a: Change, b: Change) -> bool | None:
            first, second = found(a.seq), found(b.seq)
            return None if first is None or second is None else first.after is second.after

        made: list[Happening] = []
        known: dict[Key, Past] = {}
        of_values = [
            c for c in changes
            if c.op != "temporal" and self._index.may_want(c.tenant, c.id, c.types)
        ]  # fmt: skip
        for group in group_rows(of_values, same):
            step = found(group[0].seq)
            if step is None:
                current = await self._context.find(group[0].id, group[0].tenant)
                made.append(await self._from_log(group, known, current))
                continue
            before, after = step.before.entity(), step.after.entity()
            if group[0].op == "delete":
                after = msgspec.structs.replace(
                    before, types=before.types or group[0].types, modified_at=after.modified_at
                )
            at = self._context.clock.at(group[0].recorded_at)
            made.append(make_happening(group, before, step.before.exists, after, at))
        return made

    async def _from_log(
        self, group: Sequence[Change], known: dict[Key, Past], current: Entity | None
    ) -> Happening:
        """What the log alone can say: what its rows wrote, on what rows in front of them say."""
        first = group[0]
        key = (first.tenant, first.id)
        at = self._context.clock.at(first.recorded_at)
        past = known.get(key)
        if past is None:
            async with self._context.db.acquire() as conn:
                past = await rebuild(conn, *key, first.seq)
        born = first.at if current is None else current.created_at
        was = dict(past.attrs)
        touched = {name for change in group for name in change.attrs if name != SCOPE}
        is_known, existed = past.knows(touched), past.exists
        if not past.is_whole and current is not None:
            was = {**current.attrs, **was}
            was = {name: held for name, held in was.items() if name not in past.gone}
        before = Entity(first.id, first.types, was, created_at=born, modified_at=first.recorded_at)
        for change in group:
            past.follow(change.op, change.attrs)
        known[key] = past
        if first.op == "delete":
            return make_happening(group, before, True, before, at)
        attrs = dict(was)
        for name in touched:
            attrs.pop(name, None)
            if name in past.attrs:
                attrs[name] = past.attrs[name]
        if first.op in ("create", "replace"):
            attrs = dict(past.attrs)
        entity = current or Entity(first.id, first.types, {}, created_at=first.at)
        after = msgspec.structs.replace(entity, types=first.types, attrs=attrs)
        return make_happening(
            group, before if is_known else None, existed if is_known else None, after, at
        )

    async def parcel(
        self,
        subscription: Subscription,
        happening: Happening,
        now: datetime,
        told: dict[Key, datetime],
    ) -> Parcel | None:
        """What is to be told of something that happened, or None."""
        if not subscription.may_concern(happening):
            return None
        sight = self.owners.sight(subscription.owner, subscription.tenant)
        if sight is None or not sight.allows(happening.entity.types):
            return None
        if subscription.expires_at is not None and subscription.expires_at <= now:
            return None
        if not subscription.fits(happening.entity):
            return None
        if subscription.linked and not await self._linked_fit(subscription, happening):
            return None
        key = subscription.key
        if subscription.throttling_s:
            last = told.get(key) or self._last_told.get(key)
            last = last or self.delivery.standing(box_of(key)).last_notification
            if last is not None and (now - last).total_seconds() < subscription.throttling_s:
                return None
            told[key] = now
        linked = await self.linked(subscription, [happening.entity])
        data = tell(happening, subscription, linked)
        geometries = [geometry_of(happening.entity)] * len(data)
        body = notification(subscription, str(happening.seq), data, geometries, now)
        return Parcel(box_of(key), str(happening.seq), encode_body(body))

    async def _linked_fit(self, subscription: Subscription, happening: Happening) -> bool:
        """q with a step to linked entities: the store answers it for this one entity."""
        if happening.deleted:
            return False
        sight = self.owners.sight(subscription.owner, subscription.tenant)
        if sight is None:
            return False
        query = Query(
            ids=(happening.entity.id,),
            q=subscription.q,
            tenant=subscription.tenant,
            limit=1,
            visible_types=tuple(sorted(sight.only)) if sight.only is not None else None,
            hidden_types=tuple(sorted(sight.never)) or None,
        )
        page = await self._context.query(query, subscription.q_terms.expand)
        return bool(page.entities)

    async def linked(self, subscription: Subscription, entities: Sequence[Entity]) -> Linked:
        """The entities that these link to, as far as they were asked for and may be seen."""
        shape = subscription.shape
        found: dict[str, Entity] = {}
        if shape.join is None:
            return found
        sight = self.owners.sight(subscription.owner, subscription.tenant)
        level = list(entities)
        for _ in range(shape.join_level):
            wanted = {
                target
                for entity in level
                for attribute in entity.attrs.values()
                for instance in instances_of(attribute)
                for target in objects_of(instance)
            }
            level = []
            for target in sorted(wanted - found.keys())[: LINKED_MAX - len(found)]:
                other = await self._context.find(target, subscription.tenant)
                if other is not None and sight is not None and sight.allows(other.types):
                    found[target] = other
                    level.append(other)
        return found


def box_of(key: Key) -> Box:
    """The queue of a subscription."""
    return ("subscription", *key)


def endpoint_of(subscription: Subscription) -> Endpoint:
    """Where its notifications go, with all that goes along (clauses 6.3.8, 6.3.9 and 7.2)."""
    reception = subscription.reception
    headers = {"Content-Type": reception.accept}
    if reception.accept != JSON_LD:
        url = link_url(subscription)
        headers["Link"] = (
            f'<{url}>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'
        )
    if subscription.tenant:
        headers["NGSILD-Tenant"] = subscription.tenant
    own = {key.lower() for key, _ in reception.endpoint.headers}
    kept = tuple((k, v) for k, v in headers.items() if k.lower() not in own)
    return msgspec.structs.replace(reception.endpoint, headers=(*kept, *reception.endpoint.headers))


def link_url(subscription: Subscription) -> str:
    """The URL of its @context for a Link header."""
    source = context_source(subscription)
    if isinstance(source, list) and len(source) == 1:
        source = source[0]
    if isinstance(source, str):
        return source
    hosted = subscription.doc.get("@link")
    return hosted if isinstance(hosted, str) else CORE_CONTEXT
