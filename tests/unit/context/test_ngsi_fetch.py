"""Contexts from elsewhere: bounded, and fetched from the address that was checked."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from nagara.context.ngsi import fetch
from nagara.context.ngsi.fetch import AddressForbidden, Contexts, demand_public, pinned
from nagara.context.ngsi.terms import ContextInvalid


class Server:
    """Serves contexts on loopback; /inside redirects to a private address."""

    def __init__(self) -> None:
        self.hosts: list[str] = []
        self.filler = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.hosts.append(self.headers["host"])
                if self.path == "/inside":
                    self.send_response(302)
                    self.send_header("location", "http://10.0.0.1/")
                    self.end_headers()
                    return
                word = f"word{self.path.strip('/')}"
                body = json.dumps(
                    {"@context": {word: "https://x.org/w"}, "filler": "x" * outer.filler}
                ).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Silent."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.port = self.http.server_port
        self.url = f"http://127.0.0.1:{self.port}"


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.http.shutdown()


async def test_a_name_that_changes_its_address_meets_the_address_that_was_checked(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: the first look-up says loopback, every later one an address inside."""
    loop = asyncio.get_running_loop()
    real, asked = loop.getaddrinfo, []

    async def rebinding(host: str, port: int, **more: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name != "turncoat.example":
            return await real(host, port, **more)
        asked.append(name)
        address = "127.0.0.1" if len(asked) == 1 else "10.255.255.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(loop, "getaddrinfo", rebinding)
    contexts = Contexts(allow_loopback=True)
    terms = await contexts.terms(f"http://turncoat.example:{server.port}/1")
    assert terms.expand("word1") == "https://x.org/w"
    assert len(asked) == 1
    assert server.hosts == [f"turncoat.example:{server.port}"]


async def test_redirects_are_checked_too(server: Server) -> None:
    with pytest.raises(AddressForbidden):
        await Contexts(allow_loopback=True).terms(f"{server.url}/inside")


async def test_what_is_checked_is_given_back() -> None:
    assert await demand_public("http://127.0.0.1:1/", frozenset(), True) == "127.0.0.1"
    assert await demand_public("http://inside/", frozenset({"inside"}), False) == "inside"
    for url in ("http://127.0.0.1/", "http://[::1]/", "http://x:99999999/", "ftp://x/", "http://["):
        with pytest.raises(AddressForbidden):
            await demand_public(url, frozenset(), allow_loopback=False)


@pytest.mark.parametrize(("host", "address"), [("0.0.0.0", "127.0.0.1"), ("[::]", "::1")])
async def test_the_address_of_no_host_is_this_machine_where_it_may_be_called(
    host: str, address: str
) -> None:
    assert await demand_public(f"http://{host}:8085/notify", frozenset(), True) == address
    with pytest.raises(AddressForbidden):
        await demand_public(f"http://{host}:8085/notify", frozenset(), False)


def test_a_pinned_request_keeps_the_name_for_the_receiver_and_its_certificate() -> None:
    to = pinned("https://partner.example:8443/a?b=c", "2001:db8::7")
    assert str(to.url) == "https://[2001:db8::7]:8443/a?b=c"
    assert (to.host, to.extensions) == (
        "partner.example:8443",
        {"sni_hostname": "partner.example"},
    )


async def test_contexts_are_kept_by_size(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    contexts = Contexts(allow_loopback=True)
    for i in range(3):
        await contexts.terms({f"w{i}": "https://x.org/" + "y" * fetch.KEPT_LENGTH_MAX})
    assert not contexts._compiled
    await contexts.terms({"w": "https://x.org/y"})
    assert len(contexts._compiled) == 1
    with pytest.raises(ContextInvalid):
        await contexts.terms({"w": "https://x.org/" + "y" * fetch.INLINE_LENGTH_MAX})
    with pytest.raises(ContextInvalid):
        await contexts.terms([f"{server.url}/{i}" for i in range(fetch.PARTS_MAX + 1)])
    server.filler = 1_000
    monkeypatch.setattr(fetch, "DOCUMENTS_BYTES_MAX", 3_500)
    for i in range(100, 110):
        await contexts.terms(f"{server.url}/{i}")
    assert len(contexts._documents) == 3
    assert contexts._documents_bytes == sum(n for _, n in contexts._documents.values())


@pytest.mark.parametrize("url", ["http://[", "http://[::1", "word", "//x.org/c", "http://[/:"])
async def test_what_is_no_url_is_refused_in_words(url: str) -> None:
    for source in (url, [url], {"a": {"@id": "https://x.org/a", "@context": url}}):
        with pytest.raises((ContextInvalid, AddressForbidden)):
            await Contexts().terms(source)
