"""SensorThings on a real store, over real HTTP routes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest_asyncio
from litestar import Litestar

from nagara.city import City
from nagara.context import Context
from nagara.context.room import Floor
from nagara.guard import Guard
from nagara.http.problem import EXCEPTION_HANDLERS
from nagara.sensorthings.room import assemble

BASE = "/sensorthings/v1.1"


class Client:
    """A client of the service: JSON in and out, the status checked."""

    def __init__(self, http: httpx.AsyncClient, context: Context) -> None:
        self.http = http
        self.context = context
        self.room: Any = None

    async def get(self, path: str, status: int = 200, **params: Any) -> Any:
        said = {f"${k}": v for k, v in params.items()}
        answer = await self.http.get(f"{BASE}/{path}", params=said or None)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    async def ids(self, path: str, **params: Any) -> list[int]:
        return [one["@iot.id"] for one in (await self.get(path, **params))["value"]]

    async def post(self, path: str, body: Any, status: int = 201) -> Any:
        answer = await self.http.post(f"{BASE}/{path}", json=body)
        assert answer.status_code == status, answer.text
        if status == 201 and "location" in answer.headers:
            place = answer.headers["location"]
            return int(place.rpartition("(")[2].rstrip(")"))
        return answer.json()

    async def send(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        answer = await self.http.request(method, f"{BASE}/{path}", json=body)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None


def service_app(context: Context, guard: Guard, city: City, files: Path) -> tuple[Litestar, Any]:
    """The SensorThings part of the city alone."""
    room = assemble(Floor(context, context.db, city, guard, files), "mqtt://localhost:8081")
    app = Litestar(
        route_handlers=list(room.routes),
        on_app_init=[guard.on_app_init],
        exception_handlers=dict(EXCEPTION_HANDLERS),
        openapi_config=None,
    )
    return app, room


@pytest_asyncio.fixture
async def sta(context: Context, city: City, city_root: Path) -> AsyncIterator[Client]:
    """A client in open mode."""
    guard = Guard(context.db, city_root, wall=partial(datetime.now, UTC), open_mode=True)
    await guard.start()
    app, room = service_app(context, guard, city, city_root)
    for reader in room.readers:
        context.add_reader(reader)
    for task in room.tasks:
        await task.run()
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 40000))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        client = Client(http, context)
        client.room = room
        yield client
