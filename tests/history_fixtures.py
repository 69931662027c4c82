"""History over HTTP (clauses 5.6.11 to 5.7.4) on one store for each module: pages of 15 instances,
and once more with all of the log folded into chunks."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from litestar import Litestar

from engine_fixtures import copied_database
from nagara.context import Context
from nagara.context.ngsi.entities import entity_routes
from nagara.context.ngsi.fetch import Contexts
from nagara.context.ngsi.retrieve import retrieve_routes
from nagara.context.ngsi.temporal import temporal_routes
from nagara.engines.postgres import PostgresEngine
from nagara.guard import Guard, audit
from nagara.http.problem import EXCEPTION_HANDLERS

PAGE = 15
_numbers = itertools.count(1)


@pytest_asyncio.fixture(scope="module")
async def context(postgres_engine: PostgresEngine) -> AsyncIterator[Context]:
    """The context of one city for a file of tests."""
    async with copied_database(postgres_engine) as database:
        made = Context(database, audit.append)
        await made.start()
        yield made
        await made.stop()


@pytest.fixture(scope="module")
def root(make_city_root: Callable[[], Path]) -> Path:
    """Where that city keeps its keys."""
    return make_city_root()


@pytest_asyncio.fixture(scope="module", params=["log", "chunks"])
async def history(
    request: pytest.FixtureRequest, context: Context, root: Path
) -> AsyncIterator[httpx.AsyncClient]:
    """A client; with `chunks`, everything written is folded before each question."""
    guard = Guard(context.db, root, wall=partial(datetime.now, UTC), open_mode=True)
    await guard.start()
    contexts = Contexts(allow_loopback=True)
    app = Litestar(
        route_handlers=[
            entity_routes(context, contexts),
            *retrieve_routes(context, contexts),
            temporal_routes(context, contexts, PAGE),
        ],
        on_app_init=[guard.on_app_init],
        exception_handlers=dict(EXCEPTION_HANDLERS),
        openapi_config=None,
    )

    async def fold(asked: httpx.Request) -> None:
        if request.param == "chunks" and asked.method == "GET":
            async with context.db.acquire() as conn:
                await conn.fetchval("select context.fold(1000000)")

    transport = httpx.ASGITransport(app, client=("127.0.0.1", 40000))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://localhost/ngsi-ld/v1", event_hooks={"request": [fold]}
    ) as client:
        yield client


@pytest.fixture
def new_id() -> Callable[[], str]:
    """Ids that nobody has."""
    return lambda: f"urn:ngsi-ld:Vehicle:{next(_numbers):05}"
