"""kill -9 of two brokers, one subscribed to the other, in the middle of a stream of changes.

Every change that the source acknowledged is told to the subscriber of the other at least once; a
copy of a subscription is made and ended, whoever dies right after he promised it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from broker_fixtures import Peer
from engine_fixtures import free_port

pytestmark = pytest.mark.sim

PATIENCE_S = 400.0  # a crowded machine; nothing is asserted of the time
ENTITIES = 2
CHANGES = 60  # of each entity
PORT_IN_USE = 2  # what the command ends with
V1 = "/ngsi-ld/v1"


class City:
    """`nagara up --open` on a folder of its own."""

    def __init__(self, root: Path) -> None:
        self._root, self._port = root, free_port()
        self.http = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{self._port}", timeout=30, verify=False
        )
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        await self._spawn()

        async def is_ready() -> bool:
            assert self._process is not None
            if self._process.returncode == PORT_IN_USE:
                await self._spawn()  # by a connection of somebody else, for a moment
            assert self._process.returncode is None, "the city ended while starting"
            with contextlib.suppress(httpx.HTTPError):
                return (await self.http.get("/health/ready")).status_code == 200
            return False

        await until(is_ready, "a city is ready")

    async def _spawn(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "nagara", "up", "--open", "--bare"),
            *("--data", str(self._root), "--port", str(self._port)),
            stdout=asyncio.subprocess.DEVNULL,
        )

    async def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        await self._process.wait()

    async def stop(self) -> None:
        await self.http.aclose()
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), 20)
            except TimeoutError:
                await self.kill()

    async def subscriptions(self) -> int:
        return len((await self.http.get(f"{V1}/subscriptions")).json())

    async def changed(self, entity: str, value: int) -> bool:
        """Whether it acknowledged a change."""
        attribute = {"type": "Property", "value": value}
        with contextlib.suppress(httpx.HTTPError):
            answer = await self.http.post(
                f"{V1}/entityOperations/upsert",
                json=[{"id": entity, "type": "Probe", "n": attribute}],
                headers={"Idempotency-Key": f"{entity}-{value}"},
            )
            return answer.status_code < 300
        return False


async def until(found: Callable[[], Awaitable[bool]], what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not await found():
        assert time.monotonic() < end, f"not in time: {what}"
        await asyncio.sleep(0.1)


@pytest_asyncio.fixture
async def cities(make_city_root: Callable[[], Path]) -> AsyncIterator[tuple[City, City]]:
    made = City(make_city_root()), City(make_city_root())
    try:
        await asyncio.gather(*(one.start() for one in made))
        yield made
    finally:
        await asyncio.gather(*(one.stop() for one in made))


@pytest_asyncio.fixture
async def peer() -> AsyncIterator[Peer]:
    made = Peer()
    made.behave = made.say(204)
    await made.start()
    yield made
    await made.stop()


async def test_kills_leave_no_change_of_a_source_untold(
    cities: tuple[City, City], peer: Peer
) -> None:
    here, there = cities
    source = {
        "type": "ContextSourceRegistration",
        "information": [{"entities": [{"type": "Probe"}]}],
        "operations": ["createSubscription", "deleteSubscription"],
        "endpoint": str(there.http.base_url).rstrip("/"),
    }
    made = await here.http.post(f"{V1}/csourceRegistrations", json=source)
    assert made.status_code == 201, made.text
    body = {
        "type": "Subscription",
        "entities": [{"type": "Probe"}],
        "notification": {"endpoint": {"uri": peer.url}},
    }
    made = await here.http.post(f"{V1}/subscriptions", json=body)
    assert made.status_code == 201, made.text
    await here.kill()  # it promised, and may have done nothing yet
    await here.start()

    async def is_passed_on() -> bool:
        return await there.subscriptions() == 1

    await until(is_passed_on, "the copy is made")
    acknowledged = dict.fromkeys((f"urn:ngsi-ld:Probe:{i}" for i in range(ENTITIES)), 0)

    async def change(entity: str) -> None:
        for value in range(CHANGES):

            async def one(value: int = value) -> bool:
                return await there.changed(entity, value)

            await until(one, "a change is acknowledged")
            acknowledged[entity] = value + 1

    async def reached(share: float) -> None:
        async def enough() -> bool:
            return sum(acknowledged.values()) >= share * ENTITIES * CHANGES

        await until(enough, "so much is acknowledged")

    writing = asyncio.gather(*map(change, acknowledged))
    await reached(0.25)
    await here.kill()
    await reached(0.5)  # meanwhile nobody takes what the source tells
    await asyncio.gather(there.kill(), here.start())
    await there.start()
    await writing

    def told(entity: str) -> set[int]:
        said: list[Any] = [json.loads(one)["data"] for one in peer.bodies]
        return {e["n"]["value"] for data in said for e in data if e["id"] == entity}

    async def all_told() -> bool:
        return all(told(entity) == set(range(CHANGES)) for entity in acknowledged)

    await until(all_told, "every change is told")
    gone = await here.http.delete(made.headers["location"])
    assert gone.status_code == 204
    await here.kill()
    await here.start()

    async def is_ended() -> bool:
        return await there.subscriptions() == 0

    await until(is_ended, "the copy is ended")
