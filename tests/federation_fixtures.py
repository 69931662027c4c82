"""Cities and a network in one process, each with a database of its own, joined by what they say."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest_asyncio

from nagara.app import Application
from nagara.city import bundled_kit
from nagara.engines.database import Database
from nagara.engines.folder import Folder
from nagara.engines.owner import engine_owner
from nagara.engines.postgres import PostgresEngine
from nagara.engines.running import Engines
from nagara.federation import chains
from nagara.federation.exchange import Message
from nagara.federation.service import Federation
from nagara.settings import Settings
from nagara.vocab import indicator
from nagara.vocab.attribute import property_of

_numbers = itertools.count(1)
API = "/api/v1/federation"


class Node:
    """One installation. Its couriers and its sealer stand still: the test moves the envelopes."""

    def __init__(self, application: Application, http: httpx.AsyncClient) -> None:
        self.application = application
        self.http = http

    @property
    def federation(self) -> Federation:
        service = self.application.federation.service
        assert service is not None
        return service

    @property
    def code(self) -> str:
        return self.application.city.code

    async def ask(self, method: str, path: str, status: int = 200, **body: Any) -> Any:
        answer = await self.http.request(method, API + path, json=body or None)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def link(self, peer: str) -> Any:
        found = (await self.ask("GET", "/status"))["links"]
        return next(one for one in found if one["peer"] == peer)

    async def settle(self) -> None:
        """Everything that changed is noted."""
        await self.application.context.caught_up(30)

    async def seal(self, peer: str) -> None:
        await self.settle()
        while await self.federation.outbox.seal(peer):
            pass

    async def envelopes(self, peer: str, after: int = 0) -> list[str]:
        async with self.federation.db.acquire() as conn:
            return [jws for _, jws in await chains.list_sealed(conn, peer, after, 1000)]

    async def talk(self, upper: Node, rounds: int = 3, refused: tuple[str, ...] = ()) -> None:
        """What a carrier does: a message up, the answer down, until nothing is left. `refused`:
        codes that may come on the way."""
        for _ in range(rounds):
            await self.seal(upper.code)
            message = await self.federation.exchange.compose(upper.code)
            answer = await upper.federation.answer(message, "https", "en")
            back = msgspec.convert(answer, Message)
            assert {one["code"] for one in back.refused} <= set(refused), back.refused
            await self.federation.exchange.take(back, "https")

    async def approve(
        self, code: str, value: float | None, year: int = 2024, area: str = "", **more: Any
    ) -> None:
        """A value that town hall has approved, as the register writes it."""
        from nagara.indicators import kept as values  # the test plays the indicators' part
        from nagara.indicators.telling import entity_of

        numerator, denominator = more.get("numerator"), more.get("denominator")
        made = values.Kept(
            self.code, code, date(year, 1, 1), date(year + 1, 1, 1), area,
            more.get("breakdown", ""), value, numerator, denominator, more.get("unit", "P1"),
            "complete", "by-hand", 1, "account:somebody", datetime.now(UTC), status="approved",
        )  # fmt: skip
        register = self.application.federation_register  # type: ignore[attr-defined]
        async with self.federation.db.acquire() as conn:
            await conn.execute(
                """delete from indicators.value where city = $1 and code = $2 and period_start = $3
                   and area = $4 and breakdown = $5""",
                made.city, code, made.period_start, area, made.breakdown,
            )  # fmt: skip
            await values.insert(conn, made)
        from nagara.context import Upsert

        entity = entity_of(made, register.library)
        await self.application.context.write(Upsert(entity), actor="system:test")


Make = Callable[[str], Awaitable[Node]]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def make_node(
    postgres_engine: PostgresEngine, make_city_root: Callable[[], Path]
) -> AsyncIterator[Make]:
    """Installations by the code of their city; a module's tests share them, for each takes as long
    to start as many tests run."""
    made: dict[str, Node] = {}
    opened: list[tuple[str, Database]] = []
    admin = await postgres_engine.database("postgres").connect()

    async def make(code: str) -> Node:
        if code in made:
            return made[code]
        name = f"federation_{next(_numbers)}"
        await admin.execute(f"create database {name} template template_nagara strategy file_copy")
        database = postgres_engine.database(name)
        database.size_max = 8  # of the 40 connections that the server of the tests has
        await database.open()
        opened.append((name, database))
        made[code] = await _start(code, make_city_root(), database)
        return made[code]

    yield make
    for node in made.values():
        await node.http.aclose()
        await node.application.stop()
    for name, database in opened:
        await database.close()
        await admin.execute(f"drop database if exists {name} with (force)")
    await admin.close()


async def _start(code: str, root: Path, database: Database) -> Node:
    nats: Any = None
    engines = Engines(Folder.make(root, engine_owner()), database, nats, None)
    city = msgspec.structs.replace(bundled_kit("th-pkt"), code=code)
    settings = Settings(data=root, kit="th-pkt", open=True)
    application = Application(settings, engines, city)
    application.build()
    indicators: Any = next(r for r in application.rooms if r.name == "indicators")
    application.federation_register = indicators.register  # type: ignore[attr-defined]
    application.rooms = [  # the test carries; nothing is counted meanwhile
        msgspec.structs.replace(r, tasks=[]) if r.name in ("federation", "indicators") else r
        for r in application.rooms
    ]
    await application.start()
    transport = httpx.ASGITransport(application.asgi, client=("127.0.0.1", 40000))
    http = httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=30)
    return Node(application, http)


async def join(member: Node, upper: Node) -> None:
    """Invite, join, greet; again, with a fresh code, where they know each other already."""
    invited = await upper.ask("POST", "/members", 201, city=member.code, name="A city")
    await member.ask(
        "POST", "/uppers", 201, code=invited["code"], carrier="https", url="http://127.0.0.1:1"
    )
    await member.talk(upper)
    assert (await member.link(upper.code))["status"] == "active"


CODE = indicator.CODE
assert property_of
