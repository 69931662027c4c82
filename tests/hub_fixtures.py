"""A hub with members of three countries, and a client for each office."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest_asyncio
from litestar import Litestar

from engine_fixtures import copied_database
from nagara.city import bundled_kit
from nagara.context import Context, Create, Entity
from nagara.context.room import Floor
from nagara.engines.postgres import PostgresEngine
from nagara.guard import Guard, audit
from nagara.guard.accounts import NewAccount
from nagara.http.problem import EXCEPTION_HANDLERS
from nagara.network.work.room import assemble_work
from nagara.network.work.values import Point
from nagara.vocab import project
from room_fixtures import NOON, Town

API = "/api/v1/network"

MEMBERS = [
    ("th-bkk", "Bangkok", "TH"),
    ("my-kl", "Kuala Lumpur", "MY"),
    ("sg-sg", "Singapore", "SG"),
]

#: Office → roles and for whom.
PEOPLE = {
    "secretariat": ("secretariat", ()),
    "chief": ("chief", ("city:th-bkk",)),
    "chief-my": ("chief", ("city:my-kl",)),
    "th": ("national", ("country:TH",)),
    "my": ("national", ("country:MY",)),
    "sg": ("national", ("country:SG",)),
    "shepherd": ("shepherd", ("country:LA",)),
    "partner": ("partner", ("partner:asian-development-bank",)),
    "stranger": ("", ()),
}


class Values:
    """Values of indicators as another room would tell them."""

    def __init__(self) -> None:
        self.points: list[Point] = []

    async def list_points(self, cities: Any, codes: Any, start: date, end: date, /) -> list[Point]:
        return [
            p
            for p in sorted(self.points, key=lambda p: (p.city, p.code, p.start))
            if p.city in cities and (codes is None or p.code in codes) and start <= p.start < end
        ]


class Hub:
    """The network's work over HTTP."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.values = Values()
        self.work = assemble_work(town.floor, self.values)
        self.app = Litestar(
            list(self.work.routes),
            on_app_init=[town.floor.guard.on_app_init],
            exception_handlers=dict(EXCEPTION_HANDLERS),
        )
        self.clients: dict[str, httpx.AsyncClient] = {}

    async def open(self) -> None:
        gate = self.town.floor.guard
        async with self.town.floor.db.acquire() as conn:
            for code, name, country in MEMBERS:
                await conn.execute(
                    "insert into network.member (code, name, country, joined_year, source, at)"
                    " values ($1, $2, $3, 2018, 'test', $4)",
                    code,
                    {"en": name, "th": name},
                    country,
                    NOON,
                )
        for n, (office, (role, departments)) in enumerate(PEOPLE.items()):
            client = httpx.AsyncClient(
                transport=httpx.ASGITransport(self.app, client=("127.0.0.1", 9100 + n)),
                base_url="http://testserver.local",
            )
            self.clients[office] = client
            if not role:
                continue
            async with self.town.floor.db.acquire() as conn:
                new = NewAccount(f"{office}.one", office, (role,), departments)
                made = await gate.accounts.create(conn, new, at=gate.wall(), by="test")
            said = {"username": made.username, "password": made.password}
            answer = await client.post("/api/v1/session", json=said)
            assert answer.status_code < 300, answer.text
            client.headers["x-csrf-token"] = answer.json()["csrf"]
            client.headers["origin"] = "http://testserver.local"

    async def close(self) -> None:
        for client in self.clients.values():
            await client.aclose()

    async def say(self, office: str, method: str, path: str, status: int = 200, **said: Any) -> Any:
        """A request of an office, with the status it is answered with."""
        answer = await self.clients[office].request(method, f"{API}{path}", **said)
        assert answer.status_code == status, (office, method, path, answer.status_code, answer.text)
        return answer.json() if "json" in answer.headers.get("content-type", "") else answer

    async def pass_(self, days: float) -> None:
        """Let days pass, and the clock do what is due, as it would day by day."""
        self.town.pass_(days=days)
        while True:
            async with self.town.floor.db.acquire() as conn:
                due = await conn.fetchval(
                    "select count(*) from network_work.process where next_at <= $1", self.town.now
                )
            if not due:
                return
            await self.work.processes.tend()

    async def build(self, local: str, city: str, **attrs: Any) -> str:
        """A published project of a city."""
        said = {project.NAME: local, project.CITY: city, project.STATE: "active"} | attrs
        made = {name: {"type": "Property", "value": value} for name, value in said.items()}
        entity = Entity(f"urn:ngsi-ld:Project:{city}:{local}", (project.TYPE,), made)
        await self.town.context.write(Create(entity), actor="system:plans")
        return entity.id


@pytest_asyncio.fixture(scope="module")
async def hub(
    postgres_engine: PostgresEngine, make_city_root: Callable[[], Path]
) -> AsyncIterator[Hub]:
    """One hub for a module."""
    folder = make_city_root()
    async with copied_database(postgres_engine) as database:
        guard = Guard(database, folder, wall=lambda: datetime.now(UTC))
        await guard.start()
        context = Context(database, audit.append)
        await context.start()
        floor = Floor(context, database, bundled_kit("th-bkk"), guard, folder / "files")
        town = Town(floor)
        town.stand_at(NOON)
        made = Hub(town)
        await made.open()
        yield made
        await made.close()
        await context.stop()
