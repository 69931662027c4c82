"""kill -9 of the city and of PostgreSQL in the middle of a stream of changes, with receivers that
hang, fail, redirect, and answer without end.

Every change that was acknowledged is told at least once, and those of one entity in order; what the
bad receivers do delays nobody.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from engine_fixtures import free_port
from nagara.engines.supervise import processes_in

pytestmark = pytest.mark.sim

PATIENCE_S = 150.0  # a city starts in 3 s alone, in a minute on a crowded machine
ENTITIES = 4
CHANGES = int(os.environ.get("NAGARA_KILL_CHANGES", "100"))  # of each entity
V1 = "/ngsi-ld/v1"


class City:
    """`nagara up --open` on a folder of its own."""

    def __init__(self, root: Path, port: int) -> None:
        self.root, self.url = root, f"http://127.0.0.1:{port}"
        self._port = port
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "nagara", "up", "--open"),
            *("--data", str(self.root), "--port", str(self._port)),
            stdout=asyncio.subprocess.DEVNULL,
        )
        until = time.monotonic() + PATIENCE_S
        async with httpx.AsyncClient(timeout=5, verify=False) as http:
            while True:
                assert time.monotonic() < until, "the city is not ready"
                assert self._process.returncode is None, "the city ended while starting"
                try:
                    if (await http.get(f"{self.url}/health/ready")).status_code == 200:
                        return
                except httpx.HTTPError:
                    pass
                await asyncio.sleep(0.1)

    async def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        await self._process.wait()

    def kill_postgres(self) -> None:
        pids = processes_in(self.root / "pg")
        assert pids, "no PostgreSQL works in the folder"
        os.kill(min(pids), signal.SIGKILL)

    async def stop(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), 20)
            except TimeoutError:
                await self.kill()


@pytest_asyncio.fixture
async def city(city_root: Path) -> AsyncIterator[City]:
    made = City(city_root, free_port())
    try:
        await made.start()
        yield made
    finally:
        await made.stop()


class Receivers:
    """One that takes everything, and four that are bad in their ways."""

    def __init__(self) -> None:
        self.told: dict[str, list[int]] = {}
        self.url = ""
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def close(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                length = int(head.lower().split("content-length:")[1].split("\r\n")[0])
                body = json.loads(await reader.readexactly(length))
                await self._answer(head.split(" ")[1], body, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, path: str, body: Any, writer: asyncio.StreamWriter) -> None:
        if path == "/hang":
            await asyncio.sleep(3600)
        elif path == "/fail":
            writer.write(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
        elif path == "/away":
            writer.write(
                b"HTTP/1.1 307 There\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n"
            )
        elif path == "/huge":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2000000000\r\n\r\n")
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()
        else:
            for entity in body["data"]:
                self.told.setdefault(entity["id"], []).append(entity["n"]["value"])
            writer.write(b"HTTP/1.1 204 Good\r\n\r\n")
        await writer.drain()


@pytest_asyncio.fixture
async def receivers() -> AsyncIterator[Receivers]:
    made = Receivers()
    await made.open()
    yield made
    made.close()


async def _subscribe(city: City, url: str) -> None:
    body = {
        "type": "Subscription",
        "entities": [{"type": "Probe"}],
        "notification": {"endpoint": {"uri": url, "timeout": 2000}},
    }
    async with httpx.AsyncClient(base_url=city.url, timeout=30) as http:
        made = await http.post(f"{V1}/subscriptions", json=body)
        assert made.status_code == 201, made.text


class Writer:
    """Changes one entity again and again; what was not acknowledged is sent again."""

    def __init__(self, city: City, number: int) -> None:
        self.city, self.id = city, f"urn:ngsi-ld:Probe:{number}"
        self.acknowledged = 0

    async def run(self) -> None:
        async with httpx.AsyncClient(base_url=self.city.url, timeout=30) as http:
            for value in range(CHANGES):
                entity = {
                    "id": self.id,
                    "type": "Probe",
                    "n": {"type": "Property", "value": value},
                }
                await self._send(http, entity, f"{self.id}-{value}")
                self.acknowledged = value + 1

    async def _send(self, http: httpx.AsyncClient, entity: Any, key: str) -> None:
        until = time.monotonic() + PATIENCE_S
        while True:
            assert time.monotonic() < until, "the city takes nothing"
            try:
                answer = await http.post(
                    f"{V1}/entityOperations/upsert",
                    json=[entity],
                    headers={"Idempotency-Key": key},
                )
                if answer.status_code < 300:
                    return
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.1)


async def _reach(writers: list[Writer], share: float) -> None:
    until = time.monotonic() + 2 * PATIENCE_S
    while sum(w.acknowledged for w in writers) < share * CHANGES * ENTITIES:
        assert time.monotonic() < until, "too little is acknowledged"
        await asyncio.sleep(0.02)


async def test_kills_and_bad_receivers_leave_nothing_untold(
    city: City, receivers: Receivers
) -> None:
    for path in ("/hang", "/fail", "/away", "/huge", "/good"):
        await _subscribe(city, receivers.url + path)
    writers = [Writer(city, number) for number in range(ENTITIES)]
    writing = asyncio.gather(*(w.run() for w in writers))
    await _reach(writers, 0.3)
    city.kill_postgres()
    await _reach(writers, 0.6)
    city.kill_postgres()
    await city.kill()  # both at once: neither can tidy up after the other
    await city.start()
    await asyncio.wait_for(writing, 2 * PATIENCE_S)
    wanted = set(range(CHANGES))
    until = time.monotonic() + PATIENCE_S
    while not all(wanted <= set(receivers.told.get(w.id, ())) for w in writers):
        missing = {w.id: sorted(wanted - set(receivers.told.get(w.id, ())))[:5] for w in writers}
        assert time.monotonic() < until, f"never told: {missing}"
        await asyncio.sleep(0.1)
    for writer in writers:
        first = list(dict.fromkeys(receivers.told[writer.id]))
        assert first == sorted(first), "told out of order"
