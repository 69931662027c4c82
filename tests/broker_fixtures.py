"""Brokers of our own on real ports, each with a database of its own, and peers that misbehave."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx
import pytest_asyncio
from granian.constants import Interfaces
from granian.server.embed import Server
from litestar import Litestar

from emptied import empty
from engine_fixtures import free_ports
from nagara.context import Context, Task
from nagara.context.ngsi.batch import batch_routes
from nagara.context.ngsi.common import ngsi_common
from nagara.context.ngsi.entities import entity_routes
from nagara.context.ngsi.fetch import Contexts, demand_public
from nagara.context.ngsi.retrieve import retrieve_routes
from nagara.context.ngsi.sources.distribute import Sources
from nagara.context.ngsi.subscriptions.notifier import Notifier
from nagara.context.ngsi.subscriptions.routes import subscription_routes
from nagara.context.ngsi.temporal import temporal_routes
from nagara.engines.database import Database
from nagara.engines.postgres import PostgresEngine
from nagara.guard import Guard, audit
from nagara.http.problem import EXCEPTION_HANDLERS

_numbers = itertools.count(1)
JSON_HEADERS = {"content-type": "application/json"}


class Broker:
    """One broker: `client` speaks to it over its port, `sources` is what it knows of others."""

    def __init__(self, database: Database, port: int, root: Any) -> None:
        self.context = Context(database, audit.append)
        self.guard = Guard(database, root, wall=partial(datetime.now, UTC), open_mode=True)
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        contexts = Contexts(allow_loopback=True)
        self.notifier = Notifier(
            self.context, contexts, lambda url: demand_public(url, frozenset(), True)
        )
        self.sources = Sources(
            self.context,
            contexts,
            lambda url: demand_public(url, frozenset(), True),
            self.notifier,
        )
        made: list[Any] = []
        for routes in (
            entity_routes(self.context, contexts),
            retrieve_routes(self.context, contexts),
            batch_routes(self.context, contexts),
            temporal_routes(self.context, contexts),
            subscription_routes(
                self.context,
                contexts,
                self.notifier,
                lambda: f"urn:ngsi-ld:Subscription:made{next(_numbers)}",
            ),
            *self.sources.routes(),
        ):
            made += routes if isinstance(routes, list) else [routes]
        self.app = Litestar(
            route_handlers=made,
            on_app_init=[self.guard.on_app_init, ngsi_common, self.sources.on_app_init],
            exception_handlers=dict(EXCEPTION_HANDLERS),
            openapi_config=None,
        )
        self.server = Server(
            self.app, "127.0.0.1", port, interface=Interfaces.ASGI, log_enabled=False
        )
        self.client = httpx.AsyncClient(base_url=f"{self.url}/ngsi-ld/v1", timeout=30, verify=False)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self.guard.start()
        await self.context.start()
        await self.sources.start()
        self.context.add_reader(self.notifier.reader())
        self.context.spawn(Task("subscriptions", self.notifier.run))
        for task in self.sources.tasks():
            self.context.spawn(task)
        self._task = asyncio.create_task(self.server.serve())
        for _ in range(400):
            try:
                await self.client.get("/info/sourceIdentity")
                return
            except httpx.TransportError:
                await asyncio.sleep(0.05)
        raise TimeoutError("the broker does not listen")

    async def stop(self) -> None:
        await self.client.aclose()
        if self._task is not None:
            await self.end()
        await self.context.stop()

    async def end(self) -> None:
        """Stop to listen, as one that has died."""
        self.server.stop()
        if self._task is not None:
            await self._task
        self._task = None

    @property
    def is_serving(self) -> bool:
        """Whether it listens."""
        return self._task is not None

    async def make(self, entity_id: str, kind: str = "Vehicle", **attrs: Any) -> None:
        """Write an entity here and nowhere else."""
        body = {"id": entity_id, "type": kind, **attrs}
        made = await self.client.post("/entities", json=body, params={"local": "true"})
        assert made.status_code == 201, made.text

    async def knows(self, endpoint: str, **members: Any) -> str:
        """Register a source of vehicles; its id."""
        body: dict[str, Any] = {
            "type": "ContextSourceRegistration",
            "information": [{"entities": [{"type": "Vehicle"}]}],
            "endpoint": endpoint,
            **members,
        }
        made = await self.client.post("/csourceRegistrations", json=body)
        assert made.status_code == 201, made.text
        return made.headers["location"].rpartition("/")[2]


class Peer:
    """A raw server: `behave` gets the request's head and the writer, and does what it likes."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.bodies: list[bytes] = []
        self.behave: Callable[[str, asyncio.StreamWriter], Awaitable[None]] = self.say(404)
        self.url = ""
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 20)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()

    def say(
        self, status: int, body: bytes = b"", *lines: str
    ) -> Callable[[str, asyncio.StreamWriter], Awaitable[None]]:
        async def answer(_: str, writer: asyncio.StreamWriter) -> None:
            head = [f"HTTP/1.1 {status} X", f"content-length: {len(body)}", "connection: close"]
            head += lines or ["content-type: application/json"]
            writer.write("\r\n".join([*head, "", ""]).encode() + body)
            await writer.drain()

        return answer

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            self.asked.append(head)
            length = next(
                (
                    int(line.split(":")[1])
                    for line in head.lower().split("\r\n")
                    if line.startswith("content-length:")
                ),
                0,
            )
            self.bodies.append(await reader.readexactly(length))
            await self.behave(head, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


class Pool:
    """Brokers that wait for their next test, emptied: to start one takes a second."""

    def __init__(self, engine: PostgresEngine, make_root: Callable[[], Any]) -> None:
        self._engine = engine
        self._make_root = make_root
        self._opened: list[tuple[str, Database]] = []
        self._idle: list[Broker] = []

    async def take(self) -> Broker:
        """A running broker that knows nothing."""
        if self._idle:
            return self._idle.pop()
        name = f"broker_{next(_numbers)}"
        admin = await self._engine.database("postgres").connect()
        try:
            await admin.execute(f"create database {name} template template_nagara")
        finally:
            await admin.close()
        database = await self._engine.database(name).open()
        self._opened.append((name, database))
        made = Broker(database, free_ports(1)[0], self._make_root())
        await made.start()
        return made

    async def give_back(self, broker: Broker) -> None:
        """Empty a broker for the next; one that its test has ended is stopped."""
        if broker.is_serving:
            await empty(broker.context, broker.client)
            self._idle.append(broker)
        else:
            await broker.stop()

    async def close(self) -> None:
        """Stop those that are left."""
        for broker in self._idle:
            await broker.stop()
        admin = await self._engine.database("postgres").connect()
        for name, database in self._opened:
            await database.close()
            await admin.execute(f"drop database if exists {name} with (force)")
        await admin.close()


@pytest_asyncio.fixture(scope="session")
async def broker_pool(
    postgres_engine: PostgresEngine, make_city_root: Callable[[], Any]
) -> AsyncIterator[Pool]:
    """The brokers of this session."""
    made = Pool(postgres_engine, make_city_root)
    yield made
    await made.close()


@pytest_asyncio.fixture
async def brokers(
    broker_pool: Pool,
) -> AsyncIterator[Callable[[int], Awaitable[list[Broker]]]]:
    """Gives running brokers that know nothing."""
    taken: list[Broker] = []

    async def take(count: int) -> list[Broker]:
        for _ in range(count):
            taken.append(await broker_pool.take())
        return taken[-count:]

    yield take
    for broker in taken:
        await broker_pool.give_back(broker)


@pytest_asyncio.fixture(scope="module")
async def broker_of_module(broker_pool: Pool) -> AsyncIterator[Broker]:
    """One running broker for all tests of a module, which leave it as they found it."""
    made = await broker_pool.take()
    yield made
    await broker_pool.give_back(made)


@pytest_asyncio.fixture
async def peer() -> AsyncIterator[Peer]:
    """A server that misbehaves as it is told."""
    made = Peer()
    await made.start()
    yield made
    await made.stop()
