"""The log of MQTT messages, `$MQTT_msgs`: NATS makes it with the first session of MQTT."""

from __future__ import annotations

import asyncio

from nagara.engines.errors import StreamUnreachable
from nagara.engines.nats import NatsEngine, loopback_for


async def open_mqtt_log(engine: NatsEngine, patience_s: float = 10.0) -> None:
    """Brings `$MQTT_msgs` into being by one MQTT 3.1.1 session of the city's own client.

    Before this a consumer on it cannot be made; after it, and before log-ins are answered, it must.
    Raises `StreamUnreachable`.
    """
    reason = ""
    deadline = asyncio.get_running_loop().time() + patience_s
    while asyncio.get_running_loop().time() < deadline:
        try:
            code = await asyncio.wait_for(_connect_once(engine), 5.0)
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            reason = str(error) or type(error).__name__
        else:
            if code == 0:
                return
            reason = f"CONNACK {code}"
        await asyncio.sleep(0.05)
    raise StreamUnreachable(where=f"mqtt://{engine.mqtt_host}:{engine.mqtt_port}", reason=reason)


async def _connect_once(engine: NatsEngine) -> int:
    """One CONNECT and DISCONNECT (MQTT 3.1.1, clauses 3.1 and 3.14); the CONNACK's code."""
    reader, writer = await asyncio.open_connection(loopback_for(engine.mqtt_host), engine.mqtt_port)
    try:
        fields = ("nagara-city", engine.app_user, engine.app_password)
        payload = b"".join(len(text.encode()).to_bytes(2, "big") + text.encode() for text in fields)
        # protocol name and level 4, user name + password + clean session, keep-alive 10 s
        body = b"\x00\x04MQTT\x04\xc2\x00\x0a" + payload
        writer.write(b"\x10" + _remaining_length(len(body)) + body)
        connack = await reader.readexactly(4)
        if connack[3] == 0:
            writer.write(b"\xe0\x00")
            await writer.drain()
        return connack[3]
    finally:
        writer.close()


def _remaining_length(size: int) -> bytes:
    out = bytearray()
    while True:
        size, digit = divmod(size, 128)
        out.append(digit | (0x80 if size else 0))
        if not size:
            return bytes(out)
