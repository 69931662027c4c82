"""A receiver of notifications on loopback, and a broker of MQTT that takes down what it hears."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio

PATIENCE_S = 25.0


class Receiver:
    """Takes notifications one by one; answers what `status` says."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.status = 204
        self.url = ""
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/notify"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                lines = [line.split(": ", 1) for line in head.split("\r\n")[1:] if line]
                headers = dict(lines)
                body = await reader.readexactly(int(headers["Content-Length"]))
                if self.status < 300:
                    self.headers.append(headers)
                    self.bodies.append(msgspec.json.decode(body))
                writer.write(f"HTTP/1.1 {self.status} X\r\nContent-Length: 0\r\n\r\n".encode())
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def close(self) -> None:
        if self._server is not None:
            self._server.close()

    async def heard(self, count: int) -> list[dict[str, Any]]:
        """What was heard, once it is that many."""
        await until(lambda: len(self.bodies) >= count)
        return self.bodies

    def data(self) -> list[dict[str, Any]]:
        """The first entity of each notification."""
        return [body["data"][0] for body in self.bodies]


async def until(fulfilled: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(PATIENCE_S):
        while not fulfilled():
            await asyncio.sleep(0.01)


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    await made.open()
    yield made
    made.close()


class Broker:
    """An MQTT broker that takes one connection after the other and notes what is published."""

    def __init__(self) -> None:
        self.connects: list[dict[str, Any]] = []
        self.messages: list[dict[str, Any]] = []
        self.port = 0
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        version = 4
        try:
            while True:
                kind = (await reader.readexactly(1))[0]
                length, shift = 0, 0
                while True:
                    digit = (await reader.readexactly(1))[0]
                    length |= (digit & 0x7F) << shift
                    shift += 7
                    if not digit & 0x80:
                        break
                body = await reader.readexactly(length)
                if kind == 0x10:
                    version = body[6]
                    self.connects.append(_connect(body, version))
                    writer.write(b"\x20\x03\x00\x00\x00" if version == 5 else b"\x20\x02\x00\x00")
                elif kind & 0xF0 == 0x30:
                    self._published(kind, body, version, writer)
                elif kind & 0xF0 == 0x60:
                    writer.write(b"\x70\x02" + body[:2])
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def heard(self, count: int) -> list[dict[str, Any]]:
        """What was published, once it is that many."""
        await until(lambda: len(self.messages) >= count)
        return self.messages

    def _published(
        self, kind: int, body: bytes, version: int, writer: asyncio.StreamWriter
    ) -> None:
        qos = kind >> 1 & 3
        length = int.from_bytes(body[:2], "big")
        topic, rest = body[2 : 2 + length].decode(), body[2 + length :]
        number, rest = (rest[:2], rest[2:]) if qos else (b"", rest)
        payload = msgspec.json.decode(rest[1:] if version == 5 else rest)
        self.messages.append({"topic": topic, "qos": qos, "version": version, **payload})
        if qos:
            writer.write((b"\x40\x02" if qos == 1 else b"\x50\x02") + number)

    def close(self) -> None:
        if self._server is not None:
            self._server.close()


def _connect(body: bytes, version: int) -> dict[str, Any]:
    flags, at, texts = body[7], 10 + (1 if version == 5 else 0), []
    while at < len(body):
        length = int.from_bytes(body[at : at + 2], "big")
        texts.append(body[at + 2 : at + 2 + length].decode())
        at += 2 + length
    user = texts[1] if flags & 0x80 else None
    return {"version": version, "user": user, "password": texts[2] if flags & 0x40 else None}


@pytest_asyncio.fixture
async def broker() -> AsyncIterator[Broker]:
    made = Broker()
    await made.open()
    yield made
    made.close()


class Api:
    """What a subscriber and a producer do, in few words."""

    def __init__(self, client: httpx.AsyncClient, receiver: Receiver) -> None:
        self.client = client
        self.receiver = receiver

    async def subscribe(self, url: str = "", **more: Any) -> str:
        """Make a subscription; its id."""
        endpoint = {"uri": url or self.receiver.url} | more.pop("endpoint", {})
        body = {
            "type": "Subscription",
            "entities": [{"type": "Building"}],
            "notification": {"endpoint": endpoint} | more.pop("notification", {}),
            **more,
        }
        made = await self.client.post("/ngsi-ld/v1/subscriptions", json=body)
        assert made.status_code == 201, made.text
        return made.headers["location"].rsplit("/", 1)[1]

    async def get(self, name: str, **headers: str) -> dict[str, Any]:
        """A subscription as it is shown."""
        answer = await self.client.get(f"/ngsi-ld/v1/subscriptions/{name}", headers=headers)
        assert answer.status_code == 200, answer.text
        shown: dict[str, Any] = answer.json()
        return shown

    async def change(self, name: str, **fragment: Any) -> None:
        """Change a subscription."""
        answer = await self.client.patch(f"/ngsi-ld/v1/subscriptions/{name}", json=fragment)
        assert answer.status_code == 204, answer.text

    async def create(self, number: int = 1, **attrs: Any) -> str:
        """Make a Building; its id."""
        body = {"id": f"urn:ngsi-ld:Building:{number}", "type": "Building", **_typed(attrs)}
        answer = await self.client.post("/ngsi-ld/v1/entities", json=body)
        assert answer.status_code == 201, answer.text
        return str(body["id"])

    async def patch(self, entity: str, **attrs: Any) -> None:
        """Change attributes of an entity."""
        answer = await self.client.patch(f"/ngsi-ld/v1/entities/{entity}/attrs", json=_typed(attrs))
        assert answer.status_code == 204, answer.text

    async def delete(self, path: str, **params: str) -> None:
        """Delete an entity, or an attribute of it."""
        answer = await self.client.delete(f"/ngsi-ld/v1/entities/{path}", params=params)
        assert answer.status_code == 204, answer.text


def _typed(attrs: dict[str, Any]) -> dict[str, Any]:
    plain = (int, float, str, bool)
    return {
        k: {"type": "Property", "value": v} if isinstance(v, plain) and k != "type" else v
        for k, v in attrs.items()
    }


@pytest.fixture
def api(ngsi: httpx.AsyncClient, receiver: Receiver) -> Api:
    return Api(ngsi, receiver)
