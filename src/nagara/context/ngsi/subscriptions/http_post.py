"""Posting a message over HTTP/1.1: what a notification needs, and nothing more.

A general client costs ten times as much for each message as what is here: with 1,000 notifications
a second that would be a whole core. Redirects are not followed, an answer's body is thrown away,
and a receiver that answers without end is hung up on. Connections stay open for the next message.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
import time
from collections import deque
from functools import cache
from urllib.parse import unquote, urlsplit

from msgspec import Struct

#: Head of an answer: what servers send at most. A body up to here is read, to keep the connection.
HEAD_BYTES_MAX = 64_000
BODY_BYTES_MAX = 64_000
IDLE_MAX = 200  # connections kept open for the next message, of all receivers together
IDLE_S = 20.0  # most servers hang up after longer than this


class AnswerUnreadable(OSError):
    """What came back is not HTTP."""


class Target(Struct, frozen=True):
    """A receiver taken apart: where to connect, and what the request says."""

    host: str
    port: int
    tls: bool
    head: bytes  # request line and the headers that never change


def target_of(uri: str, headers: tuple[tuple[str, str], ...]) -> Target:
    """What is the same for every message to a receiver. Raises ValueError for a wrong URI."""
    parts = urlsplit(uri)
    host = parts.hostname or ""
    tls = parts.scheme == "https"
    path = parts.path or "/"
    if parts.query:
        path += "?" + parts.query
    named = f"[{host}]" if ":" in host else host
    netloc = named if parts.port is None else f"{named}:{parts.port}"
    lines = [f"POST {path} HTTP/1.1", f"Host: {netloc}"]
    if parts.username and not any(k.lower() == "authorization" for k, _ in headers):
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        lines.append(f"Authorization: Basic {base64.b64encode(pair.encode()).decode()}")
    lines += [f"{key}: {value}" for key, value in headers]
    head = "\r\n".join(lines).encode("latin-1") + b"\r\nContent-Length: "
    return Target(host, parts.port or (443 if tls else 80), tls, head)


class _Line(Struct):
    """An open connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    idle_since: float = 0.0


_Place = tuple[str, str, int, bool]  # address, name, port, tls


class HttpPoster:
    """Posts messages, keeping connections open between them."""

    def __init__(self) -> None:
        self._idle: dict[_Place, deque[_Line]] = {}
        self._idle_count = 0

    async def post(self, target: Target, address: str, body: bytes) -> int:
        """The status of the answer. The caller bounds the time.

        `address`: where the name was checked to lead. Raises OSError and its kind.
        """
        place = (address, target.host, target.port, target.tls)
        message = target.head + b"%d\r\n\r\n" % len(body) + body
        line = self._take(place)
        if line is not None:
            try:
                return await self._exchange(place, line, message)
            except (ConnectionError, asyncio.IncompleteReadError):
                pass  # it was closed while it rested: a fresh one decides
        line = await _open(place)
        try:
            return await self._exchange(place, line, message)
        except asyncio.IncompleteReadError as error:
            raise ConnectionResetError("hung up without an answer") from error

    async def _exchange(self, place: _Place, line: _Line, message: bytes) -> int:
        keep = False
        try:
            line.writer.write(message)
            await line.writer.drain()
            status, keep = await _answer(line.reader)
        finally:
            if keep and self._idle_count < IDLE_MAX:
                line.idle_since = time.monotonic()
                self._idle.setdefault(place, deque()).append(line)
                self._idle_count += 1
            else:
                line.writer.transport.abort()
        return status

    def _take(self, place: _Place) -> _Line | None:
        lines = self._idle.get(place)
        while lines:
            line = lines.pop()
            self._idle_count -= 1
            if not lines:
                del self._idle[place]
            if not line.reader.at_eof() and not line.writer.is_closing():
                return line
            line.writer.transport.abort()
        return None

    def tidy(self, all_of_them: bool = False) -> None:
        """Close connections that have rested too long."""
        since = time.monotonic() - IDLE_S
        for place in list(self._idle):
            lines = self._idle[place]
            while lines and (all_of_them or lines[0].idle_since < since):
                lines.popleft().writer.transport.abort()
                self._idle_count -= 1
            if not lines:
                del self._idle[place]


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


async def _open(place: _Place) -> _Line:
    address, name, port, tls = place
    reader, writer = await asyncio.open_connection(
        address,
        port,
        limit=HEAD_BYTES_MAX,
        ssl=_tls() if tls else None,
        server_hostname=name if tls else None,
    )
    return _Line(reader, writer)


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bool]:
    """Status, and whether the connection can be used again."""
    while True:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError as error:
            raise AnswerUnreadable("the head of the answer has no end") from error
        status = _status(head)
        if status == 101 or status >= 200:
            break
    lowered = head.lower()
    if status in (204, 304):
        return status, b"connection: close" not in lowered and head.startswith(b"HTTP/1.1")
    at = lowered.find(b"\r\ncontent-length:")
    if at < 0 or b"connection: close" in lowered or not head.startswith(b"HTTP/1.1"):
        return status, False
    said = lowered[at + 17 :].split(b"\r\n", 1)[0].strip()
    length = int(said) if said.isdigit() and len(said) < 12 else BODY_BYTES_MAX + 1
    if length > BODY_BYTES_MAX:
        return status, False
    try:
        await reader.readexactly(length)
    except asyncio.IncompleteReadError:
        return status, False
    return status, True


def _status(head: bytes) -> int:
    word = head[9:12]
    if not head.startswith(b"HTTP/1.") or not word.isdigit():
        raise AnswerUnreadable("this is not an answer of HTTP")
    return int(word)
