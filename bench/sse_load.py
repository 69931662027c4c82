"""Screens as a process: open live streams and note how old each change is when it arrives.

Asked: {port, streams, type, seconds}. Answers: {events, p50_s, p99_s, max_s, streams}. The age is
taken from `observedAt`, which the devices of `device_load.py` set when they publish.
"""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any

from frame import answer_asked, quantile

_STAMP = re.compile(rb'"temperature":\{"value":[0-9.]+,"observedAt":"([^"]+)"')
HOUR_S = 3600.0
OPEN_S_MAX = 20.0


class Screen(asyncio.Protocol):
    """One stream."""

    def __init__(self, kind: str, ages_s: list[float]) -> None:
        self._kind, self._ages_s = kind, ages_s
        self._rest = b""
        self._transport: asyncio.Transport | None = None
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # of a stream, by contract
        path = f"/api/v1/live?types={self._kind}"
        self._transport.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())

    def connection_lost(self, _exc: Exception | None) -> None:
        self.lost = True

    def data_received(self, data: bytes) -> None:
        now_s = time.time() % HOUR_S
        if not self.opened.done():
            if not data.startswith(b"HTTP/1.1 200"):
                self.opened.set_exception(RuntimeError(data[:200].decode(errors="replace")))
                return
            self.opened.set_result(None)
        data = self._rest + data
        end = data.rfind(b"\n\n")
        self._rest = data[end + 2 :]
        for said in _STAMP.findall(data[: end + 2]):
            # …T12:34:56.123456Z: all happens within the hour, and the rest need not be read
            at_s = int(said[14:16]) * 60 + float(said[17:-1])
            self._ages_s.append((now_s - at_s) % HOUR_S)

    def close(self) -> None:
        """Turn the screen off."""
        if self._transport is not None:
            self._transport.close()


async def run(asked: dict[str, Any]) -> dict[str, Any]:
    """Do what is asked."""
    loop = asyncio.get_running_loop()
    ages_s: list[float] = []
    screens = []
    async with asyncio.timeout(OPEN_S_MAX):
        for _ in range(asked["streams"]):
            _, screen = await loop.create_connection(
                lambda: Screen(asked["type"], ages_s), "127.0.0.1", asked["port"]
            )
            await screen.opened
            screens.append(screen)
    await asyncio.sleep(asked["seconds"])
    still = sum(not screen.lost for screen in screens)
    for screen in screens:
        screen.close()
    return {
        "events": len(ages_s),
        "streams": still,
        "p50_s": quantile(ages_s, 0.5),
        "p99_s": quantile(ages_s, 0.99),
        "max_s": max(ages_s, default=0.0),
    }


if __name__ == "__main__":
    answer_asked(run)
