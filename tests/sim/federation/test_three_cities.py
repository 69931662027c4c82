"""Three cities and a network as processes on one machine: one is linked by NATS leaf node, one by
HTTP through a line that is cut for a while, one by files; the network is killed once.

At the end the network is complete and equal to the cities: values, entities, digests.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from engine_fixtures import free_port, free_ports
from nagara.city.kit import KITS

pytestmark = pytest.mark.sim

PATIENCE_S = 240.0  # a crowded machine; nothing is asserted of the time
V1 = "/ngsi-ld/v1"
API = "/api/v1/federation"
CODES = ("sdg-11.6.2", "sdg-11.7.1")


class Installation:
    """`nagara up --open` with a kit of its own code."""

    def __init__(self, code: str, root: Path, leaf_port: int = 0) -> None:
        self.code, self.root = code, root
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.http = httpx.AsyncClient(base_url=self.url, timeout=60, verify=False)
        self.env = {**os.environ, "NAGARA_LEAF_PORT": str(leaf_port), "LANG": "en_GB.UTF-8"}
        self.kit = root.parent / f"{root.name}-kit"
        self.process: asyncio.subprocess.Process | None = None

    def make_kit(self) -> None:
        self.kit.mkdir()
        for path in (KITS / "th-pkt").iterdir():
            if path.is_file():
                text = path.read_bytes()
                if path.name == "city.toml":
                    text = re.sub(rb'code = "th-pkt"', f'code = "{self.code}"'.encode(), text)
                (self.kit / path.name).write_bytes(text)

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "nagara", "up", "--open", "--kit", str(self.kit)),
            *("--data", str(self.root), "--port", str(self.port)),
            stdout=asyncio.subprocess.DEVNULL,
            env=self.env,
        )
        until = time.monotonic() + PATIENCE_S
        while True:
            assert time.monotonic() < until, f"{self.code} is not ready"
            assert self.process.returncode is None, f"{self.code} ended while starting"
            with contextlib.suppress(httpx.HTTPError):
                if (await self.http.get("/health/ready", timeout=5)).status_code == 200:
                    return
            await asyncio.sleep(0.1)

    async def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        await self.process.wait()

    async def stop(self) -> None:
        await self.http.aclose()
        if self.process is not None and self.process.returncode is None:
            self.process.terminate()
            try:
                await asyncio.wait_for(self.process.wait(), 20)
            except TimeoutError:
                await self.kill()

    async def ask(self, method: str, path: str, **body: Any) -> Any:
        answer = await self.http.request(method, path, json=body or None)
        assert answer.status_code < 300, f"{self.code} {path}: {answer.text}"
        return answer.json() if answer.content else None

    async def link(self, peer: str) -> Any:
        links = (await self.ask("GET", f"{API}/status"))["links"]
        return next(one for one in links if one["peer"] == peer)

    async def command(self, *arguments: str) -> str:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "nagara", "federation", *arguments),
            *("--data", str(self.root)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=self.env,
        )
        out, _ = await asyncio.wait_for(process.communicate(), PATIENCE_S)
        assert process.returncode == 0, out.decode()
        return out.decode()

    # --- what a city does ---------------------------------------------------------------------

    async def join(self, hub: Installation, carrier: str, url: str) -> None:
        made = await hub.ask("POST", f"{API}/members", city=self.code, carrier=carrier)
        await self.ask("POST", f"{API}/uppers", code=made["code"], carrier=carrier, url=url)
        items = [{"kind": "value"}, {"kind": "entity", "type": "AirQualityObserved"}]
        await self.ask("PUT", f"{API}/uppers/{hub.code}/choices", items=items)

    async def approve(self, code: str, year: int, value: float) -> None:
        base = f"/api/v1/indicators/{code}/values"
        unit = (await self.ask("GET", f"/api/v1/indicators/definitions/{code}"))["unit"]
        period = {"start": f"{year}-01-01", "end": f"{year + 1}-01-01"}
        made = await self.ask("POST", base, period=period, value=value, unit=unit, note="counted")
        for step in ("check", "approve"):
            await self.ask("POST", f"{base}/{made['id']}/{step}", words="as it stands")

    async def measure(self, station: int, pm25: float) -> None:
        entity = {
            "id": f"urn:ngsi-ld:AirQualityObserved:{self.code}:{station}",
            "type": "AirQualityObserved",
            "pm25": {"type": "Property", "value": pm25, "unitCode": "GQ"},
            "keeper": {"type": "Property", "value": "Somchai J., 08-1234-5678"},
        }
        await self.ask_list("POST", f"{V1}/entityOperations/upsert", [entity])

    async def ask_list(self, method: str, path: str, body: list[Any]) -> None:
        answer = await self.http.request(method, path, json=body)
        assert answer.status_code < 300, answer.text

    async def values(self, city: str) -> list[Any]:
        found = (await self.ask("GET", f"/api/v1/indicators/values?city={city}"))["items"]
        return sorted((v["code"], v["period"]["start"], v["value"], v["unitCode"]) for v in found
                      if v["method"] in ("by-hand", "received"))  # fmt: skip

    async def stations(self, tenant: str = "") -> dict[str, float]:
        headers = {"NGSILD-Tenant": tenant} if tenant else {}
        answer = await self.http.get(
            f"{V1}/entities?type=AirQualityObserved&limit=500", headers=headers
        )
        if answer.status_code == 404:
            return {}
        return {one["id"]: one["pm25"]["value"] for one in answer.json()
                if ":AirQualityObserved:" + (tenant or self.code).removeprefix("city_") in one["id"]
                and "pm25" in one}  # fmt: skip


class Line:
    """A line between two ports that can be cut."""

    def __init__(self, to: int) -> None:
        self._to = to
        self.port = free_ports(1)[0]
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def restore(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    def cut(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._open:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            writer.close()
            return
        self._open |= {writer, back}
        await asyncio.gather(_pump(reader, back), _pump(there, writer), return_exceptions=True)
        self._open -= {writer, back}


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


@pytest_asyncio.fixture
async def installations(make_city_root: Callable[[], Path]) -> AsyncIterator[list[Installation]]:
    """The network, and cities for NATS, HTTP and files."""
    [leaf_port] = free_ports(1)
    made = [Installation("net", make_city_root(), leaf_port)]
    made += [Installation(code, make_city_root()) for code in ("aa-nats", "bb-http", "cc-file")]
    try:
        for one in made:
            one.make_kit()
        for pair in (made[:2], made[2:]):  # two cores
            await asyncio.gather(*(one.start() for one in pair))
        yield made
    finally:
        await asyncio.gather(*(one.stop() for one in made))


async def until(what: str, true: Callable[[], Any]) -> None:
    end = time.monotonic() + PATIENCE_S
    last: Any = None
    while time.monotonic() < end:
        with contextlib.suppress(httpx.HTTPError):
            last = await true()
            if last is True:
                return
        await asyncio.sleep(0.3)
    raise AssertionError(f"{what}: {last}")


async def test_the_network_ends_complete_and_equal_to_the_cities(
    installations: list[Installation], tmp_path: Path
) -> None:
    hub, a, b, c = installations
    line = Line(hub.port)
    await line.restore()
    leaf = f"nats-leaf://127.0.0.1:{hub.env['NAGARA_LEAF_PORT']}"
    await a.join(hub, "nats", leaf)
    await b.join(hub, "https", f"http://127.0.0.1:{line.port}")
    await c.join(hub, "file", "")
    cities = (a, b, c)
    for n, city in enumerate(cities):
        await city.approve(CODES[0], 2023, 20.0 + n)
        for station in range(5):
            await city.measure(station, 10.0 * n + station)

    async def active(city: Installation) -> Any:
        link = await city.link("net")
        return link["status"] == "active" or link

    await until("NATS", lambda: active(a))
    await until("HTTP", lambda: active(b))

    # B is cut off, and goes on living; meanwhile the network dies.
    line.cut()
    for n, city in enumerate(cities):
        await city.approve(CODES[0], 2024, 30.0 + n)
        for station in range(5):
            await city.measure(station, 50.0 + 10.0 * n + station)
    await hub.kill()
    for n, city in enumerate(cities):
        await city.approve(CODES[1], 2024, 40.0 + n)
    await hub.start()
    await line.restore()

    async def carry() -> None:
        """One way with the stick, and back."""
        up, down = tmp_path / "up", tmp_path / "down"
        await c.command("export", str(up), "--to", "net")
        await hub.command("import", str(up))
        await hub.command("export", str(down), "--to", "cc-file")
        await c.command("import", str(down))

    await until("sealed", lambda: _sealed(c))
    await carry()

    async def equal(city: Installation) -> Any:
        up, down = await city.link("net"), await hub.link(city.code)
        same = up["digest"] == down["digest"] and up["waiting"] == 0
        return (same and up["unacknowledged"] == 0) or (up, down)

    for city in cities:
        await until(f"{city.code} is equal", lambda city=city: equal(city))
        own = await city.values(city.code)
        assert len(own) == 3
        assert await hub.values(city.code) == own
        assert await hub.stations(f"city_{city.code}") == await city.stations()
        assert len(await hub.stations(f"city_{city.code}")) == 5
    assert await hub.values("net") == []  # nothing of them is its own
    carriers = {
        code: (await hub.ask("GET", f"{API}/received?city={code}"))["items"][0]["carrier"]
        for code in ("aa-nats", "bb-http", "cc-file")
    }
    assert carriers == {"aa-nats": "nats", "bb-http": "https", "cc-file": "file"}
    everything = (await hub.ask("GET", f"{API}/received?city=bb-http"))["items"]
    for one in everything:
        jws = (await hub.http.get(f"{API}/received/bb-http/{one['seq']}")).text
        assert "Somchai" not in _payload(jws)


async def _sealed(city: Installation) -> Any:
    link = await city.link("net")
    return (link["waiting"] == 0 and link["sent"] > 0) or link


def _payload(jws: str) -> str:
    from base64 import urlsafe_b64decode

    part = jws.split(".")[1]
    return urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode()
