"""OGC API Features behind a real server on loopback, for clients that were not written by us."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import httpx
import pytest_asyncio
from granian.constants import Interfaces
from granian.server.embed import Server

from conformance.features.conftest import AREAS, ROOT, STATIONS, service_app
from engine_fixtures import free_port
from nagara.city import City
from nagara.context import Context, Create
from nagara.guard import Guard


@pytest_asyncio.fixture
async def service_url(context: Context, city: City, city_root: Path) -> AsyncIterator[str]:
    """The address of the service, with a small town in it."""
    guard = Guard(context.db, city_root, wall=partial(datetime.now, UTC))
    await guard.start()
    await context.write(*(Create(e) for e in (*STATIONS, *AREAS)), actor="test")
    port = free_port()
    app = service_app(context, guard, city, city_root)
    server = Server(app, "127.0.0.1", port, interface=Interfaces.ASGI, log_enabled=False)
    serving = asyncio.create_task(server.serve())
    url = f"http://127.0.0.1:{port}{ROOT}"
    async with httpx.AsyncClient() as http:
        until = asyncio.get_running_loop().time() + 20
        while True:
            try:
                await http.get(url)
                break
            except httpx.TransportError:
                assert asyncio.get_running_loop().time() < until
                await asyncio.sleep(0.05)
    yield url
    server.stop()
    await serving
