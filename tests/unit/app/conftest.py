"""The whole city, put together on a real database, without NATS and without a port."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from engine_fixtures import copied_database
from nagara.app import Application
from nagara.city import bundled_kit
from nagara.engines.database import Database
from nagara.engines.folder import Folder
from nagara.engines.owner import engine_owner
from nagara.engines.postgres import PostgresEngine
from nagara.engines.running import Engines
from nagara.settings import Settings


@asynccontextmanager
async def phuket(database: Database, root: Path, **more: Any) -> AsyncIterator[Application]:
    """A started Phuket; `more` are further settings of it."""
    nats: Any = None
    engines = Engines(Folder.make(root, engine_owner()), database, nats, None)
    settings = Settings(data=root, kit="th-pkt", **more)
    made = Application(settings, engines, bundled_kit("th-pkt"))
    made.build()
    await made.start()
    yield made
    await made.stop()


@pytest_asyncio.fixture
async def application(
    database: Database, city_root: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Application]:
    """A started Phuket; a test may name further settings of it."""
    async with phuket(database, city_root, **getattr(request, "param", {})) as made:
        yield made


@pytest_asyncio.fixture(scope="module")
async def application_of_module(
    postgres_engine: PostgresEngine, make_city_root: Callable[[], Path]
) -> AsyncIterator[Application]:
    """One for a file whose tests do not mind each other: to put it together takes a processor a
    second and a half."""
    async with (
        copied_database(postgres_engine) as database,
        phuket(database, make_city_root()) as made,
    ):
        yield made


@pytest_asyncio.fixture
async def browser(application: Application) -> AsyncIterator[httpx.AsyncClient]:
    """A stranger's browser at the city's door."""
    transport = httpx.ASGITransport(application.asgi, client=("127.0.0.1", 40000))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client
