"""A lean HTTP/1.1 client as a process: keeps connections busy, one request each at a time.

Asked: {port, connections, seconds | once: true, requests: file}. The file holds whole requests,
each behind its length in four bytes; they are sent in turn, over and over until the time is up, or
once. Answers: {count, seconds, bad: {status: count}, latencies_s: [...]}.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from frame import answer_asked

LATENCIES_KEPT = 200_000
BEGIN_AFTER_S = 0.05


def write_requests(path: Path, requests: Iterable[bytes]) -> None:
    """Write the file that the process reads."""
    with path.open("wb") as out:
        for request in requests:
            out.write(struct.pack(">I", len(request)))
            out.write(request)


def request(method: str, path: str, body: bytes | None = None) -> bytes:
    """One request on a connection that stays open."""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n"
    if body is None:
        return f"{head}\r\n".encode()
    said = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return f"{head}{said}".encode() + body


def read_requests(path: Path) -> list[bytes]:
    """What `write_requests` wrote."""
    data, at, found = path.read_bytes(), 0, []
    while at < len(data):
        (size,) = struct.unpack_from(">I", data, at)
        found.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return found


class Tally:
    """What all connections have done, and what they shall do next."""

    def __init__(self, requests: list[bytes], seconds: float | None) -> None:
        self._requests = requests
        self._source = self._in_turn(once=seconds is None)
        self._seconds = seconds
        self.count = 0
        self.bad: Counter[int] = Counter()
        self.latencies_s: list[float] = []
        self.began = self.ended = 0.0

    def _in_turn(self, once: bool) -> Iterator[bytes]:
        while True:
            yield from self._requests
            if once:
                return

    def begin(self) -> None:
        """The clock runs from now."""
        self.began = time.perf_counter()

    def next(self, now: float) -> bytes | None:
        """The next request; None when it is over."""
        if self._seconds is not None and now - self.began >= self._seconds:
            return None
        return next(self._source, None)

    def note(self, status: int, began: float, now: float) -> None:
        """One answer came."""
        self.count += 1
        self.ended = now
        if status >= 300 or status == 207:
            self.bad[status] += 1
        if len(self.latencies_s) < LATENCIES_KEPT:
            self.latencies_s.append(now - began)


class Caller(asyncio.Protocol):
    """One connection."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._buffer = b""
        self._began = 0.0
        self._transport: asyncio.Transport | None = None
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # of a stream, by contract

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionResetError("the city closed the connection"))

    def send(self) -> None:
        """Send the next request."""
        now = time.perf_counter()
        request = self._tally.next(now)
        assert self._transport is not None
        if request is None:
            if not self.done.done():
                self.done.set_result(None)
            self._transport.close()
            return
        self._began = now
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        end = buffer.find(b"\r\n\r\n")
        size = 0 if end < 0 else _length(buffer[:end])
        if end < 0 or len(buffer) < end + 4 + size:
            self._buffer = buffer
            return
        self._buffer = b""
        self._tally.note(int(buffer[9:12]), self._began, time.perf_counter())
        self.send()


def _length(head: bytes) -> int:
    at = head.find(b"ontent-length: ")
    if at < 0:
        at = head.find(b"ontent-Length: ")
    if at < 0:
        if b"chunked" in head:
            raise RuntimeError("this client reads no chunked answers")
        return 0
    end = head.find(b"\r\n", at)
    return int(head[at + 15 : end if end > 0 else None])


async def run(asked: dict[str, Any]) -> dict[str, Any]:
    """Do what is asked."""
    requests = read_requests(Path(asked["requests"]))
    tally = Tally(requests, None if asked.get("once") else asked["seconds"])
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: Caller(tally), "127.0.0.1", asked["port"])
        for _ in range(asked["connections"])
    ]
    await asyncio.sleep(BEGIN_AFTER_S)
    tally.begin()
    for _, caller in made:
        caller.send()
    await asyncio.gather(*(caller.done for _, caller in made))
    return {
        "count": tally.count,
        "seconds": tally.ended - tally.began,
        "bad": dict(tally.bad),
        "latencies_s": tally.latencies_s,
    }


if __name__ == "__main__":
    answer_asked(run)
