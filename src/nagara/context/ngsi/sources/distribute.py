"""Where a request meets the registrations: before its handler, which knows nothing of them.

`Sources.before` is a Litestar hook: it runs when the caller and his right are known, and answers
in place of the handler where other brokers hold a part. The handler's own part is asked for by a
request within the process (`inner`), so every rule of the handlers holds for it.
"""

from __future__ import annotations

import asyncio
import inspect
import secrets
from collections.abc import Iterable
from functools import partial
from typing import Any

from litestar import Response
from litestar.config.app import AppConfig

from nagara.context.context import Context, Task
from nagara.context.ngsi import ask
from nagara.context.ngsi.ask import Asked
from nagara.context.ngsi.fetch import Contexts
from nagara.context.ngsi.sources.batches import Batches
from nagara.context.ngsi.sources.elsewhere import Elsewhere
from nagara.context.ngsi.sources.errors import LoopDetected
from nagara.context.ngsi.sources.exchange import Exchange
from nagara.context.ngsi.sources.forward import HOPS_MAX, Asking, Forwarder, Guard
from nagara.context.ngsi.sources.hearing import hearing_routes
from nagara.context.ngsi.sources.inner import is_inner
from nagara.context.ngsi.sources.map_routes import map_routes
from nagara.context.ngsi.sources.map_store import MapStore
from nagara.context.ngsi.sources.maps import Maps
from nagara.context.ngsi.sources.operations import Act, act_of
from nagara.context.ngsi.sources.posed import Posed
from nagara.context.ngsi.sources.queries import query_params
from nagara.context.ngsi.sources.reads import Reads
from nagara.context.ngsi.sources.registry import NOTED_EVERY_S, Registry
from nagara.context.ngsi.sources.relay import SUBSCRIPTIONS, Relay
from nagara.context.ngsi.sources.routes import source_routes
from nagara.context.ngsi.sources.snapshot_answers import SnapshotAnswers
from nagara.context.ngsi.sources.snapshot_routes import snapshot_routes
from nagara.context.ngsi.sources.snapshots import Snapshots
from nagara.context.ngsi.sources.temporal_maps import TemporalMaps
from nagara.context.ngsi.sources.watch_routes import watch_routes
from nagara.context.ngsi.sources.watcher import Watcher
from nagara.context.ngsi.sources.writes import Writes
from nagara.context.ngsi.subscriptions.notifier import Notifier
from nagara.context.ngsi.tenants import Tenants

BASE = "/ngsi-ld/"
SNAPSHOTS = "/ngsi-ld/v1/snapshots"
REGISTRATIONS = "/ngsi-ld/v1/csourceRegistrations"
SWEPT_EVERY_ROUNDS = 60
_SPECIAL = frozenset({b"ngsild-snapshot", b"ngsild-entitymap"})


def _new_id(kind: str) -> str:
    return f"urn:ngsi-ld:{kind}:{secrets.token_hex(12)}"


class Sources:
    """All that this broker does with others. `start` before use."""

    def __init__(
        self,
        context: Context,
        contexts: Contexts,
        guard_url: Guard,
        notifier: Notifier | None = None,
    ) -> None:
        self.context = context
        self.tenants = Tenants(context.db)
        self.contexts = contexts
        self.registry = Registry(context.db)
        self.forwarder = Forwarder(self.registry, guard_url)
        exchange = Exchange(context, contexts, self.registry, self.forwarder)
        self.exchange = exchange
        self.reads = Reads(exchange)
        self.elsewhere = Elsewhere(exchange)
        store = MapStore(context.db)
        self.maps = Maps(exchange, self.reads, store)
        self.temporal_maps = TemporalMaps(self.elsewhere, store)
        self.writes = Writes(exchange)
        self.batches = Batches(exchange, self.writes)
        delivery = notifier.delivery if notifier is not None else None
        self.watcher = Watcher(context, contexts, self.registry, guard_url, delivery)
        self.relay = Relay(exchange, notifier) if notifier is not None else None
        self.snapshots = Snapshots(exchange, self.reads, self.elsewhere, self.watcher.delivery)
        self._kept = SnapshotAnswers(exchange, self.reads)

    async def start(self) -> None:
        """Take up what is registered."""
        await self.registry.load()
        await self.watcher.load()
        await self.snapshots.load()
        if self.relay is not None:
            await self.relay.load()

    def routes(self) -> list[Any]:
        """All routes of this package."""
        new_id = partial(_new_id, "ContextSourceRegistration")
        return [
            *source_routes(self.context, self.contexts, self.registry, new_id),
            watch_routes(
                self.context, self.contexts, self.watcher, partial(_new_id, "Subscription")
            ),
            *map_routes(self.exchange, self.maps, self.temporal_maps, self.maps.store),
            *snapshot_routes(self.exchange, self.snapshots),
            *(hearing_routes(self.relay) if self.relay is not None else ()),
        ]

    def tasks(self) -> list[Task]:
        """What runs beside."""
        return [
            Task("sources.keep", self._keep),
            Task("sources.watch", self.watcher.run),
            Task("sources.snapshots", self.snapshots.run),
            *([Task("sources.relay", self.relay.run)] if self.relay is not None else []),
        ]

    async def _keep(self) -> None:
        rounds = 0
        while True:
            await self.registry.write_notes()
            rounds += 1
            if rounds % SWEPT_EVERY_ROUNDS == 0:
                await self.registry.sweep()
            await asyncio.sleep(NOTED_EVERY_S)

    def is_alone(self, entity_id: str | None, types: Iterable[str]) -> bool:
        """Whether no source may hold a part of an entity of the default tenant: the short way is
        open for it."""
        return self.registry.is_alone("", entity_id, types)

    def on_app_init(self, config: AppConfig) -> AppConfig:
        """Litestar's hook: `before` runs behind what is there for every request already."""
        first = config.before_request

        async def both(request: Asked) -> Any:
            if first is not None:
                said: Any = first(request)
                if inspect.isawaitable(said):
                    said = await said
                if said is not None:
                    return said
            return await self.before(request)

        config.before_request = both
        return config

    async def before(self, request: Asked) -> Response[Any] | None:
        """Answer in place of the handler, or None for the handler to answer."""
        if not request.scope["path"].startswith(BASE):
            return None
        if self.relay is not None and request.method == "POST" and _begins(request):
            await self._begun(self.relay, request)
        if not self.registry.is_used and not _is_special(request):
            return None  # the whole cost of all this in a city without neighbours
        tenant = request.headers.get("ngsild-tenant", "")
        known = self.registry.has_any(tenant)
        if not (known or _is_special(request)) or is_inner(request):
            return None
        params = request.query_params
        raw = request.scope.get("raw_path") or request.scope["path"].encode()
        path = raw.decode("latin-1").partition("?")[0]
        act = act_of(request.method, path, params.get("details") == "true")
        snapshot = request.headers.get("ngsild-snapshot")
        if snapshot is not None and not path.startswith(SNAPSHOTS):
            tenant = await self.tenants.existing(request)
            asked = Asking(tenant, {})
            return await self._kept.answer(request, asked, act, snapshot)
        if act is None or (params.get("local") == "true" and not _is_special(request)):
            return None
        if not known:
            tenant = await self.tenants.existing(request)
        asked = Asking(tenant, {k.lower(): v for k, v in request.headers.items()})
        if act.is_read:
            return await self._read(request, asked, act)
        if act.is_temporal:
            return await self.elsewhere.write(request, asked, act)
        if act.operation == "purgeEntity":
            return await self.writes.purge(request, asked, act)
        if act.is_batch:
            return await self.batches.run(request, asked, act)
        return await self.writes.one(request, asked, act)

    async def _begun(self, relay: Relay, request: Asked) -> None:
        """Somebody subscribes or registers: note where this broker is reached, and through whom a
        subscription came."""
        await relay.spoken_to(str(request.base_url))
        via = request.headers.get("via")
        if via and request.scope["path"].startswith(SUBSCRIPTIONS):
            body = ask.read_json(await request.body())
            name = body.get("id") if isinstance(body, dict) else None
            await relay.came_through(ask.tenant_of(request), name, via)

    async def _read(self, request: Asked, asked: Asking, act: Act) -> Response[Any] | None:
        alias = self.registry.alias_of(asked.tenant)
        if len(asked.hops) > HOPS_MAX:
            raise LoopDetected(alias=alias)
        if alias in asked.hops:
            return None  # it has been here: what lies here is all there is to add
        named = _named_map(request)
        params = list(request.query_params.items())
        linked = request.query_params.get("join") in ("flat", "inline")
        if act.operation == "retrieveEntity":
            if named is not None:
                return await self.maps.retrieve(request, asked, act.entity_id or "", named)
            made = await self.reads.retrieve(request, asked, act.entity_id or "", None, linked)
            return None if made is None else made.answer
        if act.operation == "queryEntity":
            terms = await ask.terms_of(request, self.contexts)
            if named is not None:
                return await self.maps.query(Posed(request, asked, params, terms), named)
            return await self.reads.query(request, asked, params, terms, None, linked)
        if act.operation == "queryBatch":
            sent = await ask.read_sent(request, self.contexts)
            found = query_params(request, sent.body)
            if found is None:
                return None  # the handler says what is wrong
            if named is None and dict(found).get("entityMap") == "true":
                named = ""
            if named is not None:
                posed = Posed(request, asked, found, sent.terms, sent.body)
                return await self.maps.query(posed, named)
            return await self.reads.query(request, asked, found, sent.terms, sent.body)
        if act.is_temporal and named is not None:
            return await self._history_by_map(request, asked, act, named)
        return await self.elsewhere.read(request, asked, act)

    async def _history_by_map(
        self, request: Asked, asked: Asking, act: Act, named: str
    ) -> Response[Any] | None:
        if act.entity_id is not None:
            terms = await ask.terms_of(request, self.contexts)
            return await self.temporal_maps.retrieve(request, asked, act.entity_id, terms, named)
        if request.method == "POST":
            sent = await ask.read_sent(request, self.contexts)
            params = query_params(request, sent.body)
            if params is None:
                return None  # the handler says what is wrong
            posed = Posed(request, asked, params, sent.terms, sent.body)
        else:
            terms = await ask.terms_of(request, self.contexts)
            posed = Posed(request, asked, list(request.query_params.items()), terms)
        return await self.temporal_maps.query(posed, named)


def _begins(request: Asked) -> bool:
    """Whether a request makes a subscription or a registration."""
    path = request.scope["path"].rstrip("/")
    return path in (SUBSCRIPTIONS, REGISTRATIONS)


def _is_special(request: Asked) -> bool:
    """Whether a request names a snapshot or an entity map, or wants one."""
    scope = request.scope
    for name, _ in scope["headers"]:
        if name in _SPECIAL:
            return True
    return b"entityMap=" in scope["query_string"]


def _named_map(request: Asked) -> str | None:
    """The entity map that a request names; "" for a new one, None where none is wanted."""
    said: str = request.headers.get("ngsild-entitymap") or ""
    said = said or request.query_params.get("entityMap", "")
    if said in ("", "false"):
        return None
    return "" if said == "true" else said.rstrip("/").rpartition("/")[2]
