"""The NGSI-LD API on a real store, over real HTTP routes.

One city serves a file of tests and is emptied before each: a city of its own takes a second.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import httpx
import pytest_asyncio
from litestar import Litestar, Router
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin

from emptied import empty
from engine_fixtures import copied_database
from nagara.context import Context, Task
from nagara.context.ngsi.batch import batch_routes
from nagara.context.ngsi.common import ngsi_common
from nagara.context.ngsi.contexts.routes import context_routes
from nagara.context.ngsi.contexts.shelf import Shelf
from nagara.context.ngsi.entities import entity_routes
from nagara.context.ngsi.fetch import Contexts, demand_public
from nagara.context.ngsi.retrieve import retrieve_routes
from nagara.context.ngsi.slashes import Slashes
from nagara.context.ngsi.subscriptions.letter_routes import letter_routes
from nagara.context.ngsi.subscriptions.notifier import Notifier
from nagara.context.ngsi.subscriptions.routes import subscription_routes
from nagara.context.ngsi.temporal import temporal_routes
from nagara.context.ngsi.tenant_routes import tenant_routes
from nagara.engines.postgres import PostgresEngine
from nagara.guard import PUBLIC, Guard, audit
from nagara.http.problem import EXCEPTION_HANDLERS

_HEADERS = httpx.AsyncClient(verify=False).headers  # those of a client to whom nobody gave any


def ngsi_app(context: Context, guard: Guard) -> tuple[Litestar, Notifier]:
    """The NGSI-LD part of the city alone."""
    shelf = Shelf(context.db)
    contexts = Contexts(allow_loopback=True, shelf=shelf)
    notifier = Notifier(
        context, contexts, lambda url: demand_public(url, frozenset(), allow_loopback=True)
    )
    numbers = itertools.count(1)
    routes = subscription_routes(
        context, contexts, notifier, lambda: f"urn:ngsi-ld:Subscription:{next(numbers)}"
    )
    app = Litestar(
        route_handlers=[
            entity_routes(context, contexts),
            *retrieve_routes(context, contexts),
            batch_routes(context, contexts),
            temporal_routes(context, contexts),
            context_routes(context.db, contexts, shelf),
            tenant_routes(context.db),
            routes,
            *letter_routes(context, contexts, notifier),
        ],
        on_app_init=[guard.on_app_init, ngsi_common],
        exception_handlers=dict(EXCEPTION_HANDLERS),
        openapi_config=OpenAPIConfig(
            "NGSI-LD",
            "1",
            render_plugins=[JsonRenderPlugin()],
            openapi_router=Router("/api/openapi", route_handlers=[], opt=PUBLIC),
        ),
    )
    return app, notifier


@pytest_asyncio.fixture(scope="module")
async def context(postgres_engine: PostgresEngine) -> AsyncIterator[Context]:
    """The context of one city for a file of tests."""
    async with copied_database(postgres_engine) as database:
        made = Context(database, audit.append)
        await made.start()
        yield made
        await made.stop()


@pytest_asyncio.fixture(scope="module")
async def guard(context: Context, make_city_root: Callable[[], Path]) -> Guard:
    """Its guard, in open mode."""
    made = Guard(context.db, make_city_root(), wall=partial(datetime.now, UTC), open_mode=True)
    await made.start()
    return made


@pytest_asyncio.fixture(scope="module")
async def served(context: Context, guard: Guard) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the API."""
    app, notifier = ngsi_app(context, guard)
    context.add_reader(notifier.reader())
    context.spawn(Task("subscriptions", notifier.run))
    transport = httpx.ASGITransport(Slashes(app), client=("127.0.0.1", 40000))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


@pytest_asyncio.fixture
async def ngsi(context: Context, served: httpx.AsyncClient) -> httpx.AsyncClient:
    """The client, of a city that knows nothing."""
    await empty(context, served)
    served.headers = httpx.Headers(_HEADERS)
    return served
