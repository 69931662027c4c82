"""Subscriptions passed on to sources: each source that may hold something gets a copy that notifies
this broker (clauses 5.8.1.4, 5.8.2.4, 5.8.5.4).

What is to be done is kept before it is done, and tried until the source has heard it: a copy is
made and ended at least once, whoever dies meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from urllib.parse import quote

import msgspec
import structlog

from nagara.context.ngsi.sources import copy_store
from nagara.context.ngsi.sources.copies import OPERATION, copy_of, digest_of, questions_of
from nagara.context.ngsi.sources.copy_store import Copy
from nagara.context.ngsi.sources.errors import LoopDetected
from nagara.context.ngsi.sources.exchange import Exchange
from nagara.context.ngsi.sources.forward import HOPS_MAX, Asking, Reply, Sending, read_via
from nagara.context.ngsi.sources.registration import Registration, compile_doc
from nagara.context.ngsi.sources.wording import wire_of
from nagara.context.ngsi.subscriptions.notifier import Notifier
from nagara.context.ngsi.subscriptions.subscription import Key, Subscription
from nagara.values.errors import Problem

SUBSCRIPTIONS = "/ngsi-ld/v1/subscriptions"
NOTIFY = "/ngsi-ld/ex/remote-notify"
RETRY_FIRST_S, RETRY_MAX_S = 0.5, 60.0
LOOK_EVERY_S = 1.0
#: A source that lost its subscriptions is given its copies again after this long.
CHECKED_EVERY_S = 600.0
#: How often the end of a copy is told to a source that is registered no more.
FAREWELLS_MAX = 3
#: Copies of one subscription: one that means every type goes to every source.
COPIES_MAX = 1_000
log = structlog.get_logger("context.sources")


class Relay:
    """Keeps the copies at the sources as the subscriptions and registrations are."""

    def __init__(self, exchange: Exchange, notifier: Notifier) -> None:
        self.exchange = exchange
        self.notifier = notifier
        self.copies: dict[str, Copy] = {}
        self.url: str | None = None
        self._via: dict[Key, str] = {}
        self._by_key: dict[Key, dict[str, None]] = {}
        self._dirty: dict[Key, None] = {}
        self._moved = asyncio.Event()
        notifier.listeners.append(self._subscription_moved)
        exchange.registry.watchers.append(self._registration_moved)

    # --- what has changed --------------------------------------------------------------------

    def _subscription_moved(self, key: Key) -> None:
        self._dirty[key] = None
        self._moved.set()

    def _registration_moved(self, before: Registration | None, after: Registration | None) -> None:
        for one in (before, after):
            if one is None:
                continue
            concerned = {
                (c.tenant, c.subscription)
                for c in self.copies.values()
                if (c.tenant, c.registration) == (one.tenant, one.id)
            }
            if OPERATION in one.operations:
                concerned |= {s.key for s in self.notifier.all_of(one.tenant) if _asks(s, one)}
            self._dirty |= dict.fromkeys(concerned)
        self._moved.set()

    async def spoken_to(self, url: str) -> None:
        """Note the address under which this broker is reached."""
        url = url.rstrip("/")
        if url != self.url:
            self.url = url
            async with self.exchange.context.db.acquire() as conn:
                await copy_store.keep_url(conn, url)

    async def came_through(self, tenant: str, name: object, via: str) -> None:
        """A subscription comes from another broker. Raises `LoopDetected` for one that has been
        here already (clause 6.3.18)."""
        hops, alias = read_via(via), self.exchange.registry.alias_of(tenant)
        if alias in hops or len(hops) > HOPS_MAX:
            raise LoopDetected(alias=alias)
        if isinstance(name, str):
            self._via.setdefault((tenant, name), via)
            async with self.exchange.context.db.acquire() as conn:
                await copy_store.keep_via(conn, tenant, name, via)

    # --- for the life of the city ------------------------------------------------------------

    async def load(self) -> None:
        """Take up what is kept."""
        async with self.exchange.context.db.acquire() as conn:
            found = await copy_store.load_copies(conn)
            self._via = await copy_store.load_via(conn)
            self.url = await copy_store.load_url(conn)
        for copy in found:
            self._put(copy)
            # Its subscription may have gone just before the city ended.
            self._dirty[(copy.tenant, copy.subscription)] = None

    def _put(self, copy: Copy) -> None:
        self.copies[copy.id] = copy
        self._by_key.setdefault((copy.tenant, copy.subscription), {})[copy.id] = None

    def _drop(self, copy: Copy) -> None:
        self.copies.pop(copy.id, None)
        key = (copy.tenant, copy.subscription)
        held = self._by_key.get(key, {})
        held.pop(copy.id, None)
        if not held:
            self._by_key.pop(key, None)

    async def run(self) -> None:
        """Runs for the life of the city."""
        await self.notifier.ready()
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._moved.wait(), LOOK_EVERY_S)
            self._moved.clear()
            try:
                await self._round()
            except Exception as error:  # the database is away: what was to be done stays so
                log.warning("source.relay", error=type(error).__name__)

    async def _round(self) -> None:
        for key in list(self._dirty):
            del self._dirty[key]
            try:
                await self._reconcile(key)
            except Problem as problem:  # its @context is away: it is looked at with the next change
                log.warning("source.relay", id=key[1], code=problem.code)
            except Exception:
                self._dirty[key] = None
                raise
        now = time.monotonic()
        due = [c for c in self.copies.values() if c.is_due and c.not_before_s <= now]
        # One that takes the place of another is made first: in between nothing would be told.
        for ending in (False, True):
            await asyncio.gather(*(self._do(c) for c in due if c.ending is ending))
        stale = [
            c
            for c in self.copies.values()
            if not c.is_due and c.checked_s + CHECKED_EVERY_S < now and c.not_before_s <= now
        ]
        await asyncio.gather(*map(self._check, stale[:8]))

    # --- what there shall be -----------------------------------------------------------------

    async def _reconcile(self, key: Key) -> None:
        subscription = self.notifier.find(key)
        if subscription is None and self.notifier.is_away(key):
            return  # looked at when it is taken up
        have = {
            (c.registration, c.digest): c
            for c in (self.copies[name] for name in self._by_key.get(key, ()))
            if not c.ending
        }
        if subscription is not None and subscription.doc.get("localOnly") is not True:
            for source in self._sources(subscription)[:COPIES_MAX]:
                wire = await wire_of(source, subscription.terms, self.exchange.contexts)
                body = copy_of(subscription, source, wire)
                if body is None:
                    continue
                place = (source.id, digest_of({**body, "to": source.endpoint}))
                if have.pop(place, None) is None:
                    await self._begin(subscription, source, place[1])
        for copy in have.values():
            await self._end(copy)
        if subscription is None and key in self._via:
            del self._via[key]
            async with self.exchange.context.db.acquire() as conn:
                await copy_store.forget_via(conn, *key)

    def _sources(self, subscription: Subscription) -> list[Registration]:
        if not subscription.active:
            return []
        hops = read_via(self._via.get(subscription.key, ""))
        found: dict[str, Registration] = {}
        for question in questions_of(subscription):
            for one in self.exchange.registry.matching(subscription.tenant, question.wanted, hops):
                if OPERATION in one.operations and question.concerns(one, subscription.terms):
                    found[one.id] = one
        return [found[name] for name in sorted(found)]

    async def _begin(self, subscription: Subscription, source: Registration, digest: str) -> None:
        name = f"urn:ngsi-ld:Subscription:{secrets.token_hex(16)}"
        copy = Copy(name, subscription.tenant, subscription.id, source.id, source.doc, digest)
        async with self.exchange.context.db.acquire() as conn:
            await copy_store.keep_copy(conn, copy)
        self._put(copy)

    async def _end(self, copy: Copy) -> None:
        copy.ending, copy.attempts, copy.not_before_s = True, 0, 0.0
        async with self.exchange.context.db.acquire() as conn:
            await copy_store.note_copy(conn, copy)

    # --- what the sources are told -----------------------------------------------------------

    async def _do(self, copy: Copy) -> None:
        source = self.source_of(copy)
        if copy.ending:
            path = f"{SUBSCRIPTIONS}/{quote(copy.id, safe=':')}"
            reply = await self._send(copy, source, Sending("DELETE", path))
            known = self.exchange.registry.find(copy.tenant, copy.registration) is not None
            copy.attempts += 1
            if reply.ok or reply.status == 404 or (not known and copy.attempts >= FAREWELLS_MAX):
                async with self.exchange.context.db.acquire() as conn:
                    await copy_store.forget_copy(conn, copy)
                self._drop(copy)
                return
        else:
            reply = await self._make(copy, source)
            if reply.ok or reply.status == 409:  # there already: its answer had been lost
                copy.made, copy.attempts, copy.checked_s = True, 0, time.monotonic()
                async with self.exchange.context.db.acquire() as conn:
                    await copy_store.note_copy(conn, copy)
                return
            copy.attempts += 1
        pause_s = min(RETRY_FIRST_S * 2.0 ** min(copy.attempts - 1, 10), RETRY_MAX_S)
        copy.not_before_s = time.monotonic() + pause_s

    async def _make(self, copy: Copy, source: Registration) -> Reply:
        subscription = self.notifier.find((copy.tenant, copy.subscription))
        if subscription is None or self.url is None:
            return Reply("resting")
        wire = await wire_of(source, subscription.terms, self.exchange.contexts)
        body = copy_of(subscription, source, wire)
        if body is None:
            return Reply("resting")
        endpoint = {"uri": self.url + NOTIFY, "accept": "application/json"}
        body["notification"] = {**body["notification"], "endpoint": endpoint}
        encoded = msgspec.json.encode({"id": copy.id, **body})
        kind = "application/json"
        return await self._send(
            copy, source, Sending("POST", SUBSCRIPTIONS, (), encoded, kind, wire.url)
        )

    async def _check(self, copy: Copy) -> None:
        """Whether the source still has it; one that lost it gets it again."""
        copy.checked_s = time.monotonic()
        source = self.source_of(copy)
        if "retrieveSubscription" not in source.operations:
            return
        path = f"{SUBSCRIPTIONS}/{quote(copy.id, safe=':')}"
        reply = await self._send(copy, source, Sending("GET", path))
        if reply.status == 404:
            copy.made = False

    async def _send(self, copy: Copy, source: Registration, sending: Sending) -> Reply:
        via = self._via.get((copy.tenant, copy.subscription), "")
        asked = Asking(copy.tenant, {"via": via} if via else {})
        return await self.exchange.forwarder.send(asked, source, sending)

    def source_of(self, copy: Copy) -> Registration:
        """The source of a copy, as it is or as it was."""
        known = self.exchange.registry.find(copy.tenant, copy.registration)
        if known is not None and not (copy.ending and known.doc != copy.address):
            return known
        return compile_doc(copy.address, copy.tenant)


def _asks(subscription: Subscription, source: Registration) -> bool:
    return any(q.concerns(source, subscription.terms) for q in questions_of(subscription))
