"""The whole city, put together on a real database, without NATS and without a port."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from nagara.app import Application
from nagara.city import bundled_kit
from nagara.engines.database import Database
from nagara.engines.folder import Folder
from nagara.engines.owner import engine_owner
from nagara.engines.running import Engines
from nagara.settings import Settings


@pytest_asyncio.fixture
async def application(
    database: Database, city_root: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Application]:
    """A started Phuket; a test may name further settings of it."""
    folder = Folder.make(city_root, engine_owner())
    nats: Any = None
    engines = Engines(folder, database, nats, None)
    settings = Settings(data=city_root, kit="th-pkt", **getattr(request, "param", {}))
    made = Application(settings, engines, bundled_kit("th-pkt"))
    made.build()
    await made.start()
    yield made
    await made.stop()


@pytest_asyncio.fixture
async def browser(application: Application) -> AsyncIterator[httpx.AsyncClient]:
    """A stranger's browser at the city's door."""
    transport = httpx.ASGITransport(application.asgi, client=("127.0.0.1", 40000))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client
