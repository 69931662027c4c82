"""Where a request meets the registrations: before its handler, which knows nothing of them.

`Sources.before` is a Litestar hook: it runs when the caller and his right are known, and answers
in place of the handler where other brokers hold a part. The handler's own part is asked for by a
request within the process (`inner`), so every rule of the handlers holds for it.
"""

from __future__ import annotations

import asyncio
import inspect
import secrets
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
from nagara.context.ngsi.sources.forward import HOPS_MAX, Asking, Forwarder, Guard
from nagara.context.ngsi.sources.inner import is_inner
from nagara.context.ngsi.sources.operations import Act, act_of
from nagara.context.ngsi.sources.queries import query_params
from nagara.context.ngsi.sources.reads import Reads
from nagara.context.ngsi.sources.registry import NOTED_EVERY_S, Registry
from nagara.context.ngsi.sources.routes import source_routes
from nagara.context.ngsi.sources.watch import Watcher
from nagara.context.ngsi.sources.watch_routes import watch_routes
from nagara.context.ngsi.sources.writes import Writes
from nagara.context.ngsi.subscriptions.delivery import Delivery

BASE = "/ngsi-ld/"
SWEPT_EVERY_ROUNDS = 60


def _new_id(kind: str) -> str:
    return f"urn:ngsi-ld:{kind}:{secrets.token_hex(12)}"


class Sources:
    """All that this broker does with others. `start` before use."""

    def __init__(
        self,
        context: Context,
        contexts: Contexts,
        guard_url: Guard,
        delivery: Delivery | None = None,
    ) -> None:
        self.context = context
        self.contexts = contexts
        self.registry = Registry(context.db)
        self.forwarder = Forwarder(self.registry, guard_url)
        self.reads = Reads(context, contexts, self.registry, self.forwarder)
        self.writes = Writes(context, contexts, self.registry, self.forwarder)
        self.batches = Batches(context, contexts, self.writes, self.forwarder)
        self.elsewhere = Elsewhere(context, contexts, self.registry, self.forwarder)
        self.watcher = Watcher(context, contexts, self.registry, guard_url, delivery)

    async def start(self) -> None:
        """Take up what is registered."""
        await self.registry.load()
        await self.watcher.load()

    def routes(self) -> list[Any]:
        """All routes of this package."""
        new_id = partial(_new_id, "ContextSourceRegistration")
        return [
            *source_routes(self.context, self.contexts, self.registry, new_id),
            watch_routes(
                self.context, self.contexts, self.watcher, partial(_new_id, "Subscription")
            ),
        ]

    def tasks(self) -> list[Task]:
        """What runs beside."""
        return [Task("sources.keep", self._keep), Task("sources.watch", self.watcher.run)]

    async def _keep(self) -> None:
        rounds = 0
        while True:
            await self.registry.write_notes()
            rounds += 1
            if rounds % SWEPT_EVERY_ROUNDS == 0:
                await self.registry.sweep()
            await asyncio.sleep(NOTED_EVERY_S)

    def is_alone(self) -> bool:
        """Whether the default tenant has no registrations: the short way is open."""
        return not self.registry.has_any("")

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
        tenant = request.headers.get("ngsild-tenant", "")
        if not self.registry.has_any(tenant) or is_inner(request):
            return None
        params = request.query_params
        if params.get("local") == "true":
            return None
        raw = request.scope.get("raw_path") or request.scope["path"].encode()
        act = act_of(
            request.method,
            raw.decode("latin-1").partition("?")[0],
            params.get("details") == "true",
        )
        if act is None:
            return None
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

    async def _read(self, request: Asked, asked: Asking, act: Act) -> Response[Any] | None:
        alias = self.registry.alias_of(asked.tenant)
        if len(asked.hops) > HOPS_MAX:
            raise LoopDetected(alias=alias)
        if alias in asked.hops:
            return None  # it has been here: what lies here is all there is to add
        if act.operation == "retrieveEntity":
            return await self.reads.retrieve(request, asked, act.entity_id or "")
        if act.operation == "queryEntity":
            terms = await ask.terms_of(request, self.contexts)
            return await self.reads.query(
                request, asked, list(request.query_params.multi_items()), terms
            )
        if act.operation == "queryBatch":
            sent = await ask.read_sent(request, self.contexts)
            found = query_params(request, sent.body)
            if found is None:
                return None  # the handler says what is wrong
            return await self.reads.query(request, asked, found, sent.terms, sent.body)
        return await self.elsewhere.read(request, asked, act)
