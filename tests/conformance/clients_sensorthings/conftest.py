"""SensorThings behind a real server on loopback, for clients that were not written by us."""

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

from conformance.sensorthings.conftest import service_app
from engine_fixtures import free_port
from nagara.city import City
from nagara.context import Context
from nagara.guard import Guard


@pytest_asyncio.fixture
async def service_url(context: Context, city: City, city_root: Path) -> AsyncIterator[str]:
    """The address of a service in open mode."""
    guard = Guard(context.db, city_root, wall=partial(datetime.now, UTC), open_mode=True)
    await guard.start()
    app, room = service_app(context, guard, city, city_root)
    for reader in room.readers:
        context.add_reader(reader)
    for task in room.tasks:
        await task.run()
    port = free_port()
    server = Server(app, "127.0.0.1", port, interface=Interfaces.ASGI, log_enabled=False)
    serving = asyncio.create_task(server.serve())
    url = f"http://127.0.0.1:{port}/v1.1"
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
