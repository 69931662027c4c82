"""The lean reader of NATS: however the network cuts the stream, the same messages come out."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nagara.ingest.adapters.nats_lines import Delivered, Lines, LinesClosed, connect

subjects = st.from_regex(r"[a-z$]{1,6}(\.[a-z0-9]{1,6}){0,3}", fullmatch=True)
messages = st.builds(
    Delivered,
    st.integers(1, 9),
    subjects.map(str.encode),
    st.just(b"") | subjects.map(str.encode),
    st.just(b"") | st.just(b"NATS/1.0\r\nNmqtt-Pub:1\r\n\r\n"),
    st.binary(max_size=60),
)


def wire(message: Delivered) -> bytes:
    names = b" ".join(
        part for part in (message.subject, str(message.sid).encode(), message.reply) if part
    )
    total = len(message.header) + len(message.payload)
    if message.header:
        return b"HMSG %b %d %d\r\n%b%b\r\n" % (
            names,
            len(message.header),
            total,
            message.header,
            message.payload,
        )
    return b"MSG %b %d\r\n%b\r\n" % (names, total, message.payload)


@given(st.lists(messages, max_size=8), st.data())
def test_the_cuts_of_the_network_do_not_matter(sent: list[Delivered], data: st.DataObject) -> None:
    stream = b"PING\r\n".join(wire(message) for message in sent)
    heard: list[Delivered] = []

    async def read() -> None:
        lines = Lines(lambda _info: {}, heard.extend)
        at = 0
        while at < len(stream):
            step = data.draw(st.integers(1, 40))
            lines.data_received(stream[at : at + step])
            at += step

    asyncio.new_event_loop().run_until_complete(read())
    assert heard == sent


async def test_a_refusal_of_the_server_is_told_in_its_words() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"INFO " + json.dumps({"version": "2"}).encode() + b" \r\n")
        said = await reader.readline()
        assert json.loads(said.removeprefix(b"CONNECT "))["user"] == "me"
        writer.write(b"-ERR 'Authorization Violation'\r\n")
        writer.close()

    def options(_info: dict[str, Any]) -> dict[str, Any]:
        return {"user": "me", "pass": "wrong"}

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(LinesClosed, match="Authorization Violation"):
        await connect("127.0.0.1", port, options, lambda _messages: None)
    server.close()
