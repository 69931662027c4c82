"""An HTTP server on loopback, by sockets, so that it can also break off in the middle."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Literal

Mood = Literal["good", "error", "busy", "slow", "silent", "cut", "cut-quietly", "moved"]


class Publisher:
    """Gives `body` in one of several moods and remembers what it was asked."""

    def __init__(self) -> None:
        self.body = b""
        self.mood: Mood = "good"
        self.requests: list[dict[str, str]] = []
        self._server: asyncio.Server | None = None
        self._done = asyncio.Event()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/feed"

    @property
    def etag(self) -> str:
        return f'"{hashlib.blake2b(self.body, digest_size=8).hexdigest()}"'

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def stop(self) -> None:
        self._done.set()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            asked = {
                name.lower(): value for name, _, value in (x.partition(": ") for x in head[1:])
            }
            self.requests.append(asked | {"path": head[0].split(" ")[1]})
            await self._answer(writer, asked)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the asker has hung up
        finally:
            writer.close()

    async def _answer(self, writer: asyncio.StreamWriter, asked: dict[str, str]) -> None:
        if self.mood == "silent":
            await self._done.wait()
        elif self.mood == "error":
            _send(writer, "500 Internal Server Error", b"<html>oh</html>")
        elif self.mood == "busy":
            _send(writer, "503 Service Unavailable", b"", "Retry-After: 7200")
        elif self.mood == "moved" and not self.requests[-1]["path"].endswith("/new"):
            _send(writer, "302 Found", b"", f"Location: {self.url}/new")
        elif asked.get("if-none-match") == self.etag:
            _send(writer, "304 Not Modified", None, f"ETag: {self.etag}")
        elif self.mood == "cut":  # less than was announced
            _send(writer, "200 OK", self.body, length=len(self.body) + 100)
        elif self.mood == "cut-quietly":  # nothing was announced
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
            writer.write(self.body[: len(self.body) * 2 // 3])
        elif self.mood == "slow":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(self.body))
            for byte in self.body:
                writer.write(bytes((byte,)))
                await writer.drain()
                if self._done.is_set():
                    return
                await asyncio.sleep(0.05)
        else:
            _send(writer, "200 OK", self.body, f"ETag: {self.etag}")


def _send(
    writer: asyncio.StreamWriter,
    status: str,
    body: bytes | None,
    *headers: str,
    length: int | None = None,
) -> None:
    lines = [f"HTTP/1.1 {status}", "Connection: close", *headers]
    if body is not None:
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b""))
