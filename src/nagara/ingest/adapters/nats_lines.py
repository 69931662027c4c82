"""A lean reader of the NATS client protocol, for the one hot path of the city.

nats-py spends 58 µs of processor time on a pulled message with a header (measured: NATS 2.15.1,
nats-py 2.16, this project's bench machine), more than the whole budget of a reading. This reader
spends about 4: it splits whatever the socket gave in one go and hands over plain tuples. It knows
only what a consumer needs: INFO, PING, HMSG, MSG, PUB, SUB. Everything else (making streams,
answering log-ins) is left to nats-py.
https://docs.nats.io/reference/reference-protocols/nats-protocol
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import Any, NamedTuple

CONNECT_TIMEOUT_S = 5.0
#: A line longer than the server's max_control_line (4096) means that the stream is out of step.
LINE_BYTES_MAX = 8192


class Delivered(NamedTuple):
    """One message as it came: subject, reply subject, header block and payload, undecoded."""

    sid: int
    subject: bytes
    reply: bytes
    header: bytes
    payload: bytes


class LinesClosed(ConnectionError):
    """The connection to NATS ended or was refused; the words are NATS's own."""


class Lines(asyncio.Protocol):
    """One connection. `on_messages` gets all messages that one read of the socket gave."""

    def __init__(
        self,
        options: Callable[[dict[str, Any]], dict[str, Any]],
        on_messages: Callable[[list[Delivered]], None],
    ) -> None:
        self._options = options
        self._on_messages = on_messages
        self._rest = b""
        self._transport: asyncio.Transport | None = None
        self._said: str = ""
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[None] = loop.create_future()
        self._heard: list[asyncio.Future[None]] = []

    # -- asyncio.Protocol ---------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a stream transport, by contract

    def connection_lost(self, exc: Exception | None) -> None:
        reason = LinesClosed(self._said or str(exc or "NATS closed the connection"))
        if not self.ready.done():
            self.ready.set_exception(reason)
        if not self.closed.done():
            self.closed.set_result(None)
        for waiter in self._heard:
            if not waiter.done():
                waiter.set_exception(reason)

    def data_received(self, data: bytes) -> None:
        buffer = self._rest + data if self._rest else data
        messages: list[Delivered] = []
        at, end = 0, len(buffer)
        find = buffer.find
        while at < end:
            eol = find(b"\r\n", at)
            if eol < 0:
                if end - at > LINE_BYTES_MAX:
                    self._abort("a line of the protocol is too long")
                    return
                break
            first = buffer[at]
            if first == 72:  # H: HMSG subject sid [reply] header-size total-size
                parts = buffer[at + 5 : eol].split()
                total = int(parts[-1])
                start = eol + 2
                stop = start + total
                if stop + 2 > end:
                    break
                split = start + int(parts[-2])
                reply = parts[2] if len(parts) == 5 else b""
                messages.append(
                    Delivered(
                        int(parts[1]), parts[0], reply, buffer[start:split], buffer[split:stop]
                    )
                )
                at = stop + 2
            elif first == 77:  # M: MSG subject sid [reply] size
                parts = buffer[at + 4 : eol].split()
                start = eol + 2
                stop = start + int(parts[-1])
                if stop + 2 > end:
                    break
                reply = parts[2] if len(parts) == 4 else b""
                messages.append(Delivered(int(parts[1]), parts[0], reply, b"", buffer[start:stop]))
                at = stop + 2
            else:
                self._control(bytes(buffer[at:eol]))
                at = eol + 2
        self._rest = buffer[at:] if at < end else b""
        if messages:
            self._on_messages(messages)

    # -- what a consumer says -----------------------------------------------------------------

    def subscribe(self, subject: str, sid: int) -> None:
        """Ask for the messages of a subject under the number `sid`."""
        self.write(f"SUB {subject} {sid}\r\n".encode())

    def publish(self, subject: str, payload: bytes, reply: str = "") -> None:
        """Send one message."""
        head = f"PUB {subject} {reply} {len(payload)}\r\n" if reply else None
        line = head or f"PUB {subject} {len(payload)}\r\n"
        self.write(line.encode() + payload + b"\r\n")

    def acknowledge(self, replies: list[bytes]) -> None:
        """Acknowledge JetStream messages by their reply subjects; an empty message is an ack."""
        if replies:
            self.write(b"PUB " + b" 0\r\n\r\nPUB ".join(replies) + b" 0\r\n\r\n")

    async def flush(self) -> None:
        """Return when NATS has taken in all that was said. Raises LinesClosed, TimeoutError."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._heard.append(waiter)
        self.write(b"PING\r\n")
        await asyncio.wait_for(waiter, CONNECT_TIMEOUT_S)

    def write(self, data: bytes) -> None:
        """Send raw protocol. Raises LinesClosed when the connection is gone."""
        if self._transport is None or self._transport.is_closing():
            raise LinesClosed(self._said or "not connected to NATS")
        self._transport.write(data)

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.close()

    # -- inside -------------------------------------------------------------------------------

    def _control(self, line: bytes) -> None:
        if line.startswith(b"PING"):
            with contextlib.suppress(LinesClosed):
                self.write(b"PONG\r\n")
        elif line.startswith(b"INFO"):
            if self.ready.done():
                return  # news of the cluster; this connection does not follow it
            options = self._options(json.loads(line[5:]))
            greeting = {"verbose": False, "pedantic": False, "headers": True, "lang": "python"}
            said = json.dumps({**greeting, "no_responders": True, "version": "1", **options})
            self.write(f"CONNECT {said}\r\nPING\r\n".encode())
        elif line.startswith(b"PONG"):
            if not self.ready.done():
                self.ready.set_result(None)
            elif self._heard:
                waiter = self._heard.pop(0)
                if not waiter.done():
                    waiter.set_result(None)
        elif line.startswith(b"-ERR"):
            self._said = line[4:].decode(errors="replace").strip(" '")

    def _abort(self, reason: str) -> None:
        self._said = reason
        if self._transport is not None:
            self._transport.abort()


async def connect(
    host: str,
    port: int,
    options: Callable[[dict[str, Any]], dict[str, Any]],
    on_messages: Callable[[list[Delivered]], None],
) -> Lines:
    """A connection that is ready to be used. Raises OSError or LinesClosed."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(CONNECT_TIMEOUT_S):
        _, lines = await loop.create_connection(lambda: Lines(options, on_messages), host, port)
        try:
            await lines.ready
        except BaseException:
            lines.close()
            raise
    return lines
