"""A restart of the city loses no notification."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import msgspec
import pytest

from nagara.context import Context, Create, Entity, Task
from nagara.context.ngsi.fetch import Contexts
from nagara.context.ngsi.subscriptions import notifier as notify
from nagara.context.ngsi.subscriptions.notifier import Notifier
from nagara.context.ngsi.terms import CORE, ContextUnavailable
from nagara.engines.database import Database
from nagara.guard import audit


class Receiver:
    """Takes notifications on loopback, one connection at a time."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.url = ""
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/n"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
        body = msgspec.json.decode(await reader.readexactly(length))
        self.ids += [e["id"] for e in body["data"]]
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async def heard(self, *ids: str) -> None:
        async with asyncio.timeout(15):
            while set(ids) - set(self.ids):
                await asyncio.sleep(0.01)

    def close(self) -> None:
        if self._server is not None:
            self._server.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


async def started(database: Database, contexts: Contexts) -> Context:
    """A city's context with its notifier, begun in the order in which the city begins."""

    async def here(_: str) -> str:
        return "127.0.0.1"

    context = Context(database, audit.append)
    await context.start()
    notifier = Notifier(context, contexts, here)
    context.add_reader(notifier.reader())
    # The reader is let run first, as it may be in a city: the order must not matter.
    await asyncio.sleep(0)
    context.spawn(Task("subscriptions", notifier.run))
    return context


async def subscribe(database: Database, url: str, source: object = None) -> None:
    doc = {
        "id": "urn:x:s",
        "type": "Subscription",
        "entities": [{"type": "T"}],
        "notification": {"endpoint": {"uri": url}},
    }
    async with database.acquire() as conn:
        await conn.execute(
            """insert into context.subscription
                   (tenant, id, doc, owner, since, created_at, modified_at)
               values ('', 'urn:x:s', $1, 'system:test', 0, now(), now())""",
            {**doc, "@source": source},
        )


async def write(context: Context, name: str) -> None:
    await context.write(Create(Entity(name, ("T",), {})), actor="test")


async def test_what_changes_while_the_notifier_is_down_is_told(
    database: Database, receiver: Receiver
) -> None:
    await receiver.open()
    await subscribe(database, receiver.url)
    first = await started(database, Contexts())
    await write(first, "urn:x:1")
    await receiver.heard("urn:x:1")
    await first.stop()
    between = Context(database, audit.append)
    await between.start()
    await write(between, "urn:x:2")
    await between.stop()
    second = await started(database, Contexts())
    try:
        await receiver.heard("urn:x:2")
    finally:
        await second.stop()


class Away(Contexts):
    """Remote contexts cannot be had at first."""

    failures = 1

    async def terms(self, source: object, tenant: str | None = None) -> object:  # type: ignore[override]
        if source is not None and self.failures:
            self.failures -= 1
            raise ContextUnavailable(url=str(source), reason="away")
        return CORE


async def test_a_subscription_whose_context_is_away_is_tried_again(
    database: Database, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify, "REVIVE_EVERY_S", 0.05)
    await receiver.open()
    await subscribe(database, receiver.url, "https://away.example/context.jsonld")
    context = await started(database, Away())
    try:
        async with asyncio.timeout(15):
            number = 0
            while not receiver.ids:
                number += 1
                await write(context, f"urn:x:{number}")
                await asyncio.sleep(0.05)
    finally:
        await context.stop()
