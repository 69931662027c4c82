"""A feed's address is no window into the city's own network, whoever sets it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from nagara.engines.database import Database
from nagara.guard.outbound import AddressForbidden
from nagara.ingest import parking
from nagara.ingest.adapters.polling import FeedRunner
from nagara.ingest.errors import FeedFailed
from nagara.ingest.feed import Feed, FeedBatch, FeedUnreadable, FetchMeta
from nagara.ingest.service import IngestService


class Inside:
    """A server on this machine; `/moved?…` redirects to what follows, `/loop` to itself."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        assert self.server is not None
        return int(self.server.sockets[0].getsockname()[1])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        path = head.split(b" ")[1].decode()
        self.asked.append(path)
        to = path.partition("/moved?")[2] or (path if path == "/loop" else "")
        if to:
            writer.write(f"HTTP/1.1 302 Found\r\nLocation: {to}\r\n".encode())
            writer.write(b"Content-Length: 0\r\nConnection: close\r\n\r\n")
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\n")
            writer.write(b"secret")
        await writer.drain()
        writer.close()


def unreadable(_body: bytes, _meta: FetchMeta) -> FeedBatch:
    raise FeedUnreadable("not what was expected")


@pytest_asyncio.fixture
async def inside() -> AsyncIterator[Inside]:
    made = Inside()
    made.server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    yield made
    made.server.close()
    await made.server.wait_closed()


def runner_of(
    service: IngestService, database: Database, url: str, allow_loopback: bool = False
) -> FeedRunner:
    feed = Feed("f", url, 60.0, unreadable, timeout_s=5.0)
    return FeedRunner(service, database, [feed], allow_loopback=allow_loopback)


ADDRESSES = [
    "http://127.0.0.1:{port}/",
    "http://localhost:{port}/",
    "http://[::1]:{port}/",
    "http://169.254.169.254/latest/meta-data/",
    "http://10.0.0.1/",
    "file:///etc/passwd",
]


@pytest.mark.parametrize("address", ADDRESSES)
async def test_a_steward_cannot_point_a_feed_inside(
    service: IngestService, database: Database, inside: Inside, address: str
) -> None:
    runner = runner_of(service, database, "http://feed.example/")
    with pytest.raises(AddressForbidden):
        await runner.change("f", True, address.format(port=inside.port), None)
    assert runner.standings["f"].url is None
    assert not runner.standings["f"].enabled
    runner.standings["f"].url = address.format(port=inside.port)  # kept from an earlier version
    with pytest.raises(AddressForbidden):
        await runner.poll("f")
    assert runner.standings["f"].problem_code == "address-forbidden"
    assert inside.asked == []
    assert await parking.list_parked(database) == []


async def test_a_redirect_leads_nowhere_inside(
    service: IngestService, database: Database, inside: Inside
) -> None:
    other = Inside()
    other.server = await asyncio.start_server(other.serve, "127.0.0.1", 0)
    at = f"http://127.0.0.1:{inside.port}/moved?http://127.0.0.1:{other.port}/"
    runner = runner_of(service, database, at)
    with pytest.raises(AddressForbidden):
        await runner.poll("f")
    assert len(inside.asked) == 1  # the kit's own address is trusted
    assert other.asked == []
    other.server.close()
    await other.server.wait_closed()


async def test_the_kits_server_may_redirect_to_itself_but_not_for_ever(
    service: IngestService, database: Database, inside: Inside
) -> None:
    runner = runner_of(service, database, f"http://127.0.0.1:{inside.port}/moved?/there")
    with pytest.raises(FeedUnreadable):
        await runner.poll("f")
    assert inside.asked[-1] == "/there"
    inside.asked.clear()
    runner = runner_of(service, database, f"http://127.0.0.1:{inside.port}/loop")
    with pytest.raises(FeedFailed) as caught:
        await runner.poll("f")
    assert "redirects" in caught.value.params["reason"]
    assert len(inside.asked) == 6


async def test_an_open_city_may_ask_this_machine(
    service: IngestService, database: Database, inside: Inside
) -> None:
    runner = runner_of(service, database, "http://feed.example/", allow_loopback=True)
    await runner.change("f", None, f"http://127.0.0.1:{inside.port}/", None)
    with pytest.raises(FeedUnreadable):
        await runner.poll("f")
    assert inside.asked == ["/"]
    with pytest.raises(AddressForbidden):
        await runner.change("f", None, "http://10.0.0.1/", None)


async def test_a_proxy_of_the_environment_is_not_used(
    service: IngestService,
    database: Database,
    inside: Inside,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    proxy = Inside()
    proxy.server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    runner = runner_of(service, database, f"http://127.0.0.1:{inside.port}/")
    with pytest.raises(FeedUnreadable):
        await runner.poll("f")
    assert (len(inside.asked), proxy.asked) == (1, [])
    proxy.server.close()
    await proxy.server.wait_closed()
