"""Lean MQTT 3.1.1 devices as a process: publish at QoS 1, as fast as asked, and count PUBACKs.

Asked: {port, devices: [[id, secret], …], rate: messages a second or null, seconds or null,
count or null, window, gate: file or null, wait_s}. With a gate the process says that all devices
are logged in by making the file's neighbour `.waiting`, and begins when the file is there. Payloads
are 80 bytes and carry their own microsecond as `observedAt`.
Answers: {sent, acknowledged, seconds}: from the first message to the last PUBACK.
"""

from __future__ import annotations

import asyncio
import struct
import time
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import Any

from frame import answer_asked

TICK_S = 0.005
BURST = 20  # messages of one device in one write
PAYLOAD = b'{"observedAt":"%b.%06dZ","temperature":%2d.%02d,"humidity":%2d.%1d}'
PAYLOAD_BYTES = 80
LOGIN_S_MAX = 30.0
FLUSH_S_MAX = 60.0
GATE_EVERY_S = 0.01


class Stamps:
    """Microseconds of the wall clock, no two alike: what the store tells a repetition by."""

    def __init__(self) -> None:
        self._last_us = 0
        self._second = -1
        self._text = b""

    def take(self) -> tuple[bytes, int]:
        """The second as text, and the microsecond in it."""
        now_us = max(time.time_ns() // 1000, self._last_us + 1)
        self._last_us = now_us
        second, rest_us = divmod(now_us, 1_000_000)
        if second != self._second:
            self._second = second
            self._text = datetime.fromtimestamp(second, UTC).isoformat()[:19].encode()
        return self._text, rest_us


class Device(asyncio.Protocol):
    """One session."""

    def __init__(self, name: str, secret: str) -> None:
        self._name, self._secret = name, secret
        self._head = _text(f"devices/{name}/up")
        self._rest = b""
        self._transport: asyncio.Transport | None = None
        self._number = 0
        self.sent = self.acknowledged = 0
        self.welcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.last_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # of a stream, by contract
        body = _text("MQTT") + b"\x04\xc2\x00\x3c"
        body += _text(self._name) + _text(self._name) + _text(self._secret)
        self._transport.write(_packet(0x10, body))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.welcome.done():
            self.welcome.set_exception(exc or ConnectionResetError("not let in"))

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        if not self.welcome.done():
            if data[3] != 0:
                self.welcome.set_exception(ConnectionRefusedError(f"CONNACK {data[3]}"))
                return
            self.welcome.set_result(None)
            data = data[4:]
        whole = len(data) // 4  # after CONNACK only PUBACKs come: 40 02 id id
        self.acknowledged += whole
        self._rest = data[whole * 4 :]
        self.last_at = time.perf_counter()

    def publish(self, count: int, stamps: Stamps) -> None:
        """Send messages in one write."""
        made = []
        for _ in range(count):
            self._number = self._number % 65535 + 1
            text, us = stamps.take()
            warm, wet = self._number // 7 % 500, self._number // 5 % 300
            payload = PAYLOAD % (text, us, 20 + warm // 100, warm % 100, 50 + wet // 10, wet % 10)
            body = self._head + struct.pack(">H", self._number) + payload
            made.append(_packet(0x32, body))
        assert self._transport is not None
        self._transport.write(b"".join(made))
        self.sent += count

    def close(self) -> None:
        """End the session."""
        if self._transport is not None:
            self._transport.write(b"\xe0\x00")
            self._transport.close()


def _text(value: str) -> bytes:
    data = value.encode()
    return struct.pack(">H", len(data)) + data


def _packet(kind: int, body: bytes) -> bytes:
    size = len(body)
    if size < 128:
        return bytes((kind, size)) + body
    return bytes((kind, size & 127 | 128, size >> 7)) + body


async def _published(devices: list[Device], asked: dict[str, Any]) -> float:
    """Publish what is asked; when it began."""
    stamps, turn = Stamps(), cycle(devices)
    rate, window = asked.get("rate"), asked["window"]
    count = asked.get("count") or float("inf")
    seconds = asked.get("seconds") or float("inf")
    began = time.perf_counter()
    sent = 0
    while sent < count and (passed := time.perf_counter() - began) < seconds:
        due = min(count, rate * passed) - sent if rate else count - sent
        waiting = sent - sum(device.acknowledged for device in devices)
        room = int(min(due, window - waiting))
        while room > 0:
            part = min(BURST, room)
            next(turn).publish(part, stamps)
            sent += part
            room -= part
        await asyncio.sleep(TICK_S if rate else 0)
    return began


async def run(asked: dict[str, Any]) -> dict[str, Any]:
    """Do what is asked."""
    loop = asyncio.get_running_loop()
    devices: list[Device] = []
    async with asyncio.timeout(LOGIN_S_MAX):
        for name, secret in asked["devices"]:
            device = Device(name, secret)
            await loop.create_connection(lambda d=device: d, "127.0.0.1", asked["port"])
            await device.welcome
            devices.append(device)
    if asked.get("gate"):  # logged in; the other side opens when it is ready too
        gate = Path(asked["gate"])
        gate.with_suffix(".waiting").touch()
        async with asyncio.timeout(LOGIN_S_MAX):
            while not gate.exists():  # noqa: ASYNC110, ASYNC240 - another process makes it
                await asyncio.sleep(GATE_EVERY_S)
    await asyncio.sleep(asked.get("wait_s", 0))
    began = await _published(devices, asked)
    async with asyncio.timeout(FLUSH_S_MAX):
        while any(d.acknowledged < d.sent for d in devices):  # noqa: ASYNC110 - it measures
            await asyncio.sleep(0.002)
    ended = max(device.last_at for device in devices)
    for device in devices:
        device.close()
    sent = sum(device.sent for device in devices)
    return {"sent": sent, "acknowledged": sent, "seconds": ended - began}


if __name__ == "__main__":
    answer_asked(run)
