"""OGC API Features on a real store, over real HTTP routes, with a small made town in it."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest_asyncio
from litestar import Litestar

from engine_fixtures import copied_database
from nagara.city import City
from nagara.context import Context, Create, Entity
from nagara.context.room import Floor
from nagara.engines.database import Database
from nagara.engines.postgres import PostgresEngine
from nagara.features.room import assemble
from nagara.guard import Guard, audit
from nagara.http.problem import EXCEPTION_HANDLERS

ROOT = "/ogc/features/v1"
AIR = "/collections/AirQualityObserved"


def point(lon: float, lat: float) -> dict[str, Any]:
    return {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [lon, lat]}}


def station(number: int, lon: float, lat: float, pm25: float | None, day: int) -> Entity:
    attrs: dict[str, Any] = {
        "name": {
            "type": "LanguageProperty",
            "languageMap": {"en": f"Station {number}", "th": f"สถานี {number}"},
        },
        "stationCode": {"type": "Property", "value": f"s{number:02d}"},
        "isMoving": {"type": "Property", "value": number % 2 == 0},
        "location": point(lon, lat),
    }
    if pm25 is not None:
        attrs["pm25"] = {
            "type": "Property",
            "value": pm25,
            "unitCode": "GQ",
            "observedAt": f"2025-05-{day:02d}T05:00:00Z",
        }
    return Entity(f"urn:ngsi-ld:AirQualityObserved:s{number:02d}", ("AirQualityObserved",), attrs)


#: Ten stations on a line to the east, one a day; the last one has no value, one lies at the other
#: side of the world's seam.
STATIONS = [
    *(station(n, 100.0 + n / 10, 13.7, 10.0 * n, n) for n in range(1, 10)),
    station(10, 101.0, 13.7, None, 10),
    station(11, -179.5, -16.5, 5.0, 11),
]
SQUARE = {
    "type": "Polygon",
    "coordinates": [
        [[100.05, 13.0], [100.35, 13.0], [100.35, 14.0], [100.05, 14.0], [100.05, 13.0]]
    ],
}
AREAS = [
    Entity(
        "urn:ngsi-ld:AdministrativeArea:west",
        ("AdministrativeArea",),
        {
            "name": {"type": "Property", "value": "West <&> side"},
            "location": {"type": "GeoProperty", "value": SQUARE},
        },
    ),
    Entity(
        "urn:ngsi-ld:AdministrativeArea:nowhere",
        ("AdministrativeArea",),
        {"name": {"type": "Property", "value": "Nowhere"}},
    ),
]
HIDDEN = Entity("urn:ngsi-ld:Device:1", ("Device",), {"location": point(100.5, 13.7)})


class Client:
    """A client of the service: JSON, the status checked."""

    def __init__(self, http: httpx.AsyncClient, context: Context) -> None:
        self.http = http
        self.context = context

    async def ask(self, path: str, status: int = 200, **params: Any) -> httpx.Response:
        said = {name.replace("_", "-").strip("-"): value for name, value in params.items()}
        url = path if path.startswith("http") else ROOT + path
        answer = await self.http.get(url, params=said or None)
        assert answer.status_code == status, answer.text
        return answer

    async def get(self, path: str, status: int = 200, **params: Any) -> Any:
        return (await self.ask(path, status, **params)).json()

    async def ids(self, path: str = f"{AIR}/items", **params: Any) -> list[str]:
        """The last parts of the ids of a page."""
        made = await self.get(path, **params)
        return [one["id"].rpartition(":")[2] for one in made["features"]]


def service_app(context: Context, guard: Guard, city: City, files: Path) -> Litestar:
    """This part of the city alone."""
    room = assemble(Floor(context, context.db, city, guard, files))
    return Litestar(
        route_handlers=list(room.routes),
        on_app_init=[guard.on_app_init],
        exception_handlers=dict(EXCEPTION_HANDLERS),
        openapi_config=None,
    )


@asynccontextmanager
async def serving(
    database: Database, city: City, root: Path, *entities: Entity
) -> AsyncIterator[Client]:
    """A stranger's client of a store that holds these entities."""
    context = Context(database, audit.append)
    await context.start()
    guard = Guard(database, root, wall=partial(datetime.now, UTC))
    await guard.start()
    if entities:
        await context.write(*(Create(e) for e in entities), actor="test")
    app = service_app(context, guard, city, root)

    async def elsewhere(scope: Any, receive: Any, send: Any) -> None:
        # Every request from an address of its own: what one address may ask is not tried here.
        number = next(_addresses)
        ip = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        await app({**scope, "client": (ip, 40000)}, receive, send)  # type: ignore[arg-type]

    transport = httpx.ASGITransport(elsewhere)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        yield Client(http, context)
    await context.stop()


_addresses = itertools.count(1)


@pytest_asyncio.fixture
async def empty(database: Database, city: City, city_root: Path) -> AsyncIterator[Client]:
    """A stranger's client, of a store that holds nothing."""
    async with serving(database, city, city_root) as made:
        yield made


@pytest_asyncio.fixture(scope="module")
async def client(
    postgres_engine: PostgresEngine, city: City, make_city_root: Callable[[], Path]
) -> AsyncIterator[Client]:
    """A stranger's client, with the town in the store: one for all tests of a module."""
    town = (*STATIONS, *AREAS, HIDDEN)
    async with (
        copied_database(postgres_engine) as database,
        serving(database, city, make_city_root(), *town) as made,
    ):
        yield made
