"""A small MQTT 3.1.1 device for the tests: knows which of its messages were acknowledged."""

from __future__ import annotations

import asyncio
import struct


class Refused(ConnectionError):
    """The server did not let the device in; the code is that of CONNACK (clause 3.2.2.3)."""


def _text(value: str) -> bytes:
    data = value.encode()
    return struct.pack(">H", len(data)) + data


def _packet(kind: int, body: bytes) -> bytes:
    size, head = len(body), bytearray([kind])
    while True:
        size, digit = divmod(size, 128)
        head.append(digit | (0x80 if size else 0))
        if not size:
            return bytes(head) + body


class Publisher:
    """One session. `publish` sends at QoS 0 or 1; `unacknowledged` says what is still promised."""

    def __init__(self, port: int, device: str, secret: str, host: str = "127.0.0.1") -> None:
        self.port, self.device, self.secret, self.host = port, device, secret, host
        self.acknowledged = 0
        self.unacknowledged: dict[int, bytes] = {}
        self._next = 0
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._listening: asyncio.Task[None] | None = None
        self._moved = asyncio.Event()
        self.lost = asyncio.Event()

    async def connect(self) -> None:
        """Log in with a clean session. Raises `Refused`, OSError."""
        self.lost.clear()
        self._reader, self._writer = await asyncio.open_connection(self.host, self.port)
        body = _text("MQTT") + b"\x04\xc2\x00\x3c"
        body += _text(self.device) + _text(self.device) + _text(self.secret)
        self._writer.write(_packet(0x10, body))
        try:
            connack = await asyncio.wait_for(self._reader.readexactly(4), 2)
        except asyncio.IncompleteReadError as error:
            raise Refused("closed") from error
        except TimeoutError:  # nobody answers log-ins yet
            self._writer.close()
            raise
        if connack[3] != 0:
            self._writer.close()
            raise Refused(connack[3])
        self._listening = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        assert self._reader is not None
        rest = b""
        try:
            while data := await self._reader.read(65536):
                rest += data
                whole = len(rest) - len(rest) % 4  # we only ever get PUBACK: 40 02 id id
                for at in range(0, whole, 4):
                    (number,) = struct.unpack_from(">H", rest, at + 2)
                    if self.unacknowledged.pop(number, None) is not None:
                        self.acknowledged += 1
                rest = rest[whole:]
                self._moved.set()
        except OSError:
            pass
        finally:
            self.lost.set()
            self._moved.set()

    async def publish(
        self, payload: bytes, topic: str | None = None, qos: int = 1, retain: bool = False
    ) -> None:
        """Send one message. Raises ConnectionError where the session is gone."""
        if self._writer is None or self.lost.is_set():
            raise ConnectionResetError("no session")
        head = _text(topic or f"devices/{self.device}/up")
        if qos:
            self._next = self._next % 65535 + 1
            self.unacknowledged[self._next] = payload
            head += struct.pack(">H", self._next)
        self._writer.write(_packet(0x30 | qos << 1 | retain, head + payload))

    async def flush(self, window: int = 0, timeout_s: float = 30.0) -> None:
        """Wait until at most `window` messages are unacknowledged. Raises ConnectionError."""
        assert self._writer is not None
        await self._writer.drain()
        async with asyncio.timeout(timeout_s):
            while len(self.unacknowledged) > window:
                if self.lost.is_set():
                    raise ConnectionResetError("session lost")
                self._moved.clear()
                await self._moved.wait()

    async def close(self) -> None:
        """End the session in order."""
        if self._writer is not None:
            if not self.lost.is_set():
                self._writer.write(b"\xe0\x00")
            self._writer.close()
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
