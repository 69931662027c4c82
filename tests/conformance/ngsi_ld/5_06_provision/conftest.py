"""One city for the cases of a file of clause 5.6, emptied before each."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from litestar import Litestar

from engine_fixtures import copied_database
from nagara.context import Context
from nagara.context.ngsi.batch import batch_routes
from nagara.context.ngsi.common import ngsi_common
from nagara.context.ngsi.entities import entity_routes
from nagara.context.ngsi.fetch import Contexts
from nagara.context.ngsi.retrieve import retrieve_routes
from nagara.context.ngsi.slashes import Slashes
from nagara.engines.postgres import PostgresEngine
from nagara.guard import Guard, audit
from nagara.http.problem import EXCEPTION_HANDLERS

BASE = "/ngsi-ld/v1/entities"
_numbers = itertools.count(1)

Make = Callable[..., Awaitable[str]]


@pytest_asyncio.fixture(scope="module")
async def context(postgres_engine: PostgresEngine) -> AsyncIterator[Context]:
    """The context of one city for a file of tests."""
    async with copied_database(postgres_engine) as database:
        made = Context(database, audit.append)
        await made.start()
        yield made
        await made.stop()


@pytest_asyncio.fixture(scope="module")
async def client(
    context: Context, make_city_root: Callable[[], Path]
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the entities' API in open mode."""
    guard = Guard(context.db, make_city_root(), wall=partial(datetime.now, UTC), open_mode=True)
    await guard.start()
    contexts = Contexts(allow_loopback=True)
    app = Litestar(
        route_handlers=[
            entity_routes(context, contexts),
            *retrieve_routes(context, contexts),
            batch_routes(context, contexts),
        ],
        on_app_init=[guard.on_app_init, ngsi_common],
        exception_handlers=dict(EXCEPTION_HANDLERS),
        openapi_config=None,
    )
    transport = httpx.ASGITransport(Slashes(app), client=("127.0.0.1", 40000))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as made:
        yield made


@pytest_asyncio.fixture
async def ngsi(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """The client, with nothing in the city."""
    gone = await client.delete(BASE, params={"local": "true"})
    assert gone.status_code == 204, gone.text
    return client


@pytest.fixture
def make(ngsi: httpx.AsyncClient) -> Make:
    """Creates an entity of the attributes given; its address."""

    async def created(type_: Any = "Building", **attrs: Any) -> str:
        entity_id = f"urn:ngsi-ld:Building:{next(_numbers)}"
        made = await ngsi.post(BASE, json={"id": entity_id, "type": type_, **attrs})
        assert made.status_code == 201, made.text
        return f"{BASE}/{entity_id}"

    return created


@pytest.fixture
def seen(ngsi: httpx.AsyncClient) -> Callable[[str], Awaitable[dict[str, Any]]]:
    """The entity at an address, normalised."""

    async def got(address: str) -> dict[str, Any]:
        answer = await ngsi.get(address)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    return got
