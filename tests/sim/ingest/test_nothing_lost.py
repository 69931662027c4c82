"""kill -9 of the city, PostgreSQL and NATS in the middle of 100,000 acknowledged writes.

None is lost and none is there twice. Devices do what MQTT 3.1.1 and HTTP ask of them: what was not
acknowledged is sent again.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio

from engine_fixtures import free_port
from nagara.engines.running import attach
from nagara.engines.supervise import processes_in
from nagara.values.time import format_instant
from sim.ingest.publisher import Publisher

pytestmark = pytest.mark.sim

PROGRAM = Path(__file__).with_name("city_process.py")
#: `up`: the whole city by its own command; else the small process beside this test.
WHOLE = os.environ.get("NAGARA_KILL_CITY") == "up"
WRITES = int(os.environ.get("NAGARA_KILL_WRITES", "100000"))
MQTT_DEVICES, HTTP_DEVICES = 8, 4
BATCH = 200  # items of an HTTP push
WINDOW = 500  # unacknowledged messages of a device
PATIENCE_S = 60.0
BEGIN = datetime(2025, 5, 1, tzinfo=UTC)
PROFILE = {
    "name": "probe",
    "codec": "json",
    "entityType": "Probe",
    "fields": {"n": {"attribute": "n"}},
    "periodS": 1,
    "ratePerMinute": 600_000,
}


class City:
    """The process under test, and what its callers need to know of it."""

    def __init__(self, root: Path, port: int) -> None:
        self.root, self.port = root, port
        self.mqtt_port = port + 1
        self.token = ""
        self.starts = 0
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self.starts += 1
        if WHOLE:
            await self._start_whole()
        else:
            await self._start_small()

    async def _start_whole(self) -> None:
        nagara = (sys.executable, "-m", "nagara")
        where = ("--data", str(self.root))
        self._process = await asyncio.create_subprocess_exec(
            *nagara, "up", *where, "--port", str(self.port), stdout=asyncio.subprocess.DEVNULL
        )
        deadline = time.monotonic() + PATIENCE_S
        async with httpx.AsyncClient(timeout=5, verify=False) as http:
            while True:
                assert time.monotonic() < deadline, "the city is not ready"
                assert self._process.returncode is None, "the city ended while starting"
                try:
                    answer = await http.get(f"http://127.0.0.1:{self.port}/health/ready")
                    if answer.status_code == 200:
                        break
                except httpx.HTTPError:
                    pass
                await asyncio.sleep(0.05)
        if not self.token:
            command = (*nagara, "token", "--role", "steward", *where)
            pipe = asyncio.subprocess.PIPE
            made = await asyncio.create_subprocess_exec(*command, stdout=pipe)
            said, _ = await asyncio.wait_for(made.communicate(), PATIENCE_S)
            self.token = said.decode().strip()

    async def _start_small(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(PROGRAM),
            str(self.root),
            str(self.port),
            stdout=asyncio.subprocess.PIPE,
        )
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), PATIENCE_S)
        assert line, "the city ended while starting"
        self.token = json.loads(line)["token"]

    async def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        await self._process.wait()

    async def stop(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), 20)
            except TimeoutError:
                await self.kill()

    def kill_engine(self, folder: str) -> None:
        """SIGKILL to the leader of the engine whose processes work in DATA/<folder>."""
        pids = processes_in(self.root / folder)
        assert pids, f"no process works in {folder}"
        os.kill(min(pids), signal.SIGKILL)

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}/api/v1") as http:
            headers = {"Authorization": f"Bearer {self.token}"}
            answer = await http.request(method, path, json=body, headers=headers, timeout=40)
            assert answer.status_code < 300, answer.text
            return answer.json()


class Progress:
    """How many writes were acknowledged, by all writers."""

    def __init__(self) -> None:
        self.acknowledged = 0

    async def reach(self, share: float) -> None:
        deadline = time.monotonic() + 2 * PATIENCE_S
        while self.acknowledged < share * WRITES:
            assert time.monotonic() < deadline, f"only {self.acknowledged} acknowledged"
            await asyncio.sleep(0.01)


@pytest_asyncio.fixture
async def city(city_root: Path) -> AsyncIterator[City]:
    made = City(city_root, free_port())
    try:
        await made.start()
        yield made
    finally:
        await made.stop()


def reading(number: int) -> dict[str, Any]:
    """Message `number` of a device: its own second, so that it is there once or it is not."""
    return {"observedAt": format_instant(BEGIN + timedelta(seconds=number)), "n": number}


async def publish_all(city: City, device: str, secret: str, count: int, seen: Progress) -> None:
    """Publish at QoS 1; after a lost session send again what was not acknowledged."""
    publisher = Publisher(city.mqtt_port, device, secret)
    deadline = time.monotonic() + 3 * PATIENCE_S
    waiting = [msgspec.json.encode(reading(number)) for number in range(count)]
    waiting.reverse()
    told = 0
    while waiting or publisher.unacknowledged:
        assert time.monotonic() < deadline, f"{device}: {publisher.acknowledged} acknowledged"
        try:
            await publisher.connect()
            again = list(publisher.unacknowledged.values())
            publisher.unacknowledged.clear()
            for payload in again:
                await publisher.publish(payload)
            while waiting:
                for payload in reversed(waiting[-50:]):
                    await publisher.publish(payload)
                del waiting[-50:]
                await publisher.flush(WINDOW, timeout_s=5)
                seen.acknowledged += publisher.acknowledged - told
                told = publisher.acknowledged
            await publisher.flush(0, timeout_s=5)
        except (OSError, TimeoutError):
            await publisher.close()
            await asyncio.sleep(0.05)
    seen.acknowledged += publisher.acknowledged - told
    await publisher.close()


async def push_all(city: City, device: str, count: int, seen: Progress) -> None:
    """Push in batches; a batch without a good answer is sent again."""
    deadline = time.monotonic() + 3 * PATIENCE_S
    async with httpx.AsyncClient(timeout=40, verify=False) as http:
        for start in range(0, count, BATCH):
            numbers = range(start, min(start + BATCH, count))
            body = msgspec.json.encode([{"device": device, **reading(n)} for n in numbers])
            while True:
                assert time.monotonic() < deadline, f"{device}: stuck at {start}"
                try:
                    answer = await http.post(
                        f"http://127.0.0.1:{city.port}/api/v1/ingest",
                        content=body,
                        headers={"Authorization": f"Bearer {city.token}"},
                    )
                except httpx.HTTPError:
                    await asyncio.sleep(0.05)
                    continue
                if answer.status_code == 200:
                    break
                assert answer.status_code in (401, 429, 503), answer.text
                await asyncio.sleep(0.05)
            seen.acknowledged += len(numbers)


async def kill_about(city: City, seen: Progress) -> None:
    """Everything dies at least once while writes are under way."""
    acts: list[tuple[float, Callable[[], Awaitable[None] | None]]] = [
        (0.10, lambda: city.kill_engine("pg")),
        (0.25, lambda: city.kill_engine("nats")),
        (0.40, city.kill),
        (0.60, lambda: city.kill_engine("nats")),
        (0.70, lambda: city.kill_engine("pg")),
        (0.80, city.kill),
    ]
    for share, act in acts:
        await seen.reach(share)
        done = act()
        if done is not None:
            await done
            await city.start()


async def heard_of(root: Path) -> dict[str, tuple[int, int, int]]:
    """For each probe: rows in the history, distinct readings among them, sum of their values."""
    async with attach(root) as attached, attached.database.acquire() as conn:
        rows = await conn.fetch(
            """select e.id, count(*) as rows, count(distinct (c.attrs -> 'n' ->> 'value')) as once,
                      sum((c.attrs -> 'n' ->> 'value')::bigint) as total
               from context.change c join context.entity e on e.no = c.no
               where e.type = 'Probe' and c.attrs ? 'n' group by e.id"""
        )
    return {row["id"]: (row["rows"], row["once"], int(row["total"])) for row in rows}


async def test_no_acknowledged_write_is_lost_or_doubled_by_any_death(city: City) -> None:
    await city.call("POST", "/device-profiles", PROFILE)
    devices = [f"m{n}" for n in range(MQTT_DEVICES)] + [f"h{n}" for n in range(HTTP_DEVICES)]
    secrets = {}
    for device in devices:
        await city.call("POST", "/devices", {"id": device, "profile": "probe"})
        issued = await city.call("POST", f"/devices/{device}/credential")
        secrets[device] = issued["password"]
    each = WRITES // len(devices)
    seen = Progress()
    async with asyncio.TaskGroup() as work:
        for device in devices:
            if device.startswith("m"):
                work.create_task(publish_all(city, device, secrets[device], each, seen))
            else:
                work.create_task(push_all(city, device, each, seen))
        work.create_task(kill_about(city, seen))
    expected = {
        f"urn:ngsi-ld:Probe:th-bkk:{device}": (each, each, each * (each - 1) // 2)
        for device in devices
    }
    deadline = time.monotonic() + PATIENCE_S
    heard = await heard_of(city.root)
    while heard != expected and time.monotonic() < deadline:
        await asyncio.sleep(0.5)
        heard = await heard_of(city.root)
    assert heard == expected
    assert city.starts == 3
    counters = await settled_counters(city)
    ended = sum(counters[name] for name in ("stored", "duplicate", "parked", "refused"))
    assert counters["received"] == ended + counters["inFlight"]
    assert counters["stored"] == each * len(devices)
    assert counters["parked"] == 0


async def settled_counters(city: City) -> dict[str, int]:
    """The counters once nothing is in flight: what was unacknowledged is delivered again."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        counters: dict[str, int] = (await city.call("GET", "/counters"))["total"]
        if counters["inFlight"] == 0 or time.monotonic() > deadline:
            return counters
        await asyncio.sleep(0.2)
