"""Publishing a message over MQTT 3.1.1 or 5.0 (clause 7.2): connect, publish, nothing else.

The libraries there are connect to a name that they look up themselves. A notification must go to
the address that was checked, so that a name cannot be turned to the inside of the network; and of
MQTT it needs only one direction.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import ssl
import time
from functools import cache

import msgspec
from msgspec import Struct

from nagara.context.ngsi.subscriptions.endpoint import Endpoint, MqttAddress, mqtt_address

KEEP_ALIVE_S = 30
IDLE_S = 20.0  # shorter than the keep-alive: nobody has to ping
LINES_MAX = 100
PACKET_BYTES_MAX = 16_000  # of what a broker may send: acknowledgements
_CONNECT, _CONNACK, _PUBLISH, _PUBACK = 0x10, 0x20, 0x30, 0x40
_PUBREC, _PUBREL, _PUBCOMP, _DISCONNECT = 0x50, 0x62, 0x70, 0xE0
_REFUSED_FROM = 0x80  # reason codes of MQTT 5.0 from here on say no


class BrokerRefused(OSError):
    """The broker does not let us in, or does not take the message."""


class _Line(Struct):
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    ids: itertools.count[int]
    idle_since: float = 0.0


class MqttPoster:
    """Publishes messages; one connection to each receiver, kept while messages come."""

    def __init__(self) -> None:
        self._idle: dict[tuple[str, Endpoint], _Line] = {}

    async def post(self, endpoint: Endpoint, address: str, body: str) -> None:
        """Publish a notification with its metadata (clause 7.2.3). The caller bounds the time.

        Returns when the broker has it, as far as the quality of service lets one know. Raises
        OSError and its kind.
        """
        metadata = msgspec.json.encode(dict(endpoint.headers)).decode()
        payload = f'{{"metadata":{metadata},"body":{body}}}'.encode()
        to = mqtt_address(endpoint.uri)
        place = (address, endpoint)
        line = self._idle.pop(place, None)
        if line is not None and not line.reader.at_eof():
            try:
                await self._publish(place, line, to, payload)
                return
            except (ConnectionError, asyncio.IncompleteReadError):
                pass  # closed while it rested
        elif line is not None:
            line.writer.transport.abort()
        line = await _connect(address, to, endpoint)
        try:
            await self._publish(place, line, to, payload)
        except asyncio.IncompleteReadError as error:
            raise ConnectionResetError("hung up without an acknowledgement") from error

    async def _publish(
        self, place: tuple[str, Endpoint], line: _Line, to: MqttAddress, payload: bytes
    ) -> None:
        endpoint = place[1]
        good = False
        try:
            await _send(line, to.topic, payload, endpoint)
            good = True
        finally:
            if good and len(self._idle) < LINES_MAX:
                line.idle_since = time.monotonic()
                self._idle[place] = line
            elif good:
                _hang_up(line)
            else:
                line.writer.transport.abort()

    def tidy(self, all_of_them: bool = False) -> None:
        """Close connections that have rested too long."""
        since = time.monotonic() - IDLE_S
        for place, line in list(self._idle.items()):
            if all_of_them or line.idle_since < since:
                del self._idle[place]
                _hang_up(line)


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


async def _connect(address: str, to: MqttAddress, endpoint: Endpoint) -> _Line:
    reader, writer = await asyncio.open_connection(
        address,
        to.port,
        ssl=_tls() if to.tls else None,
        server_hostname=to.host if to.tls else None,
    )
    line = _Line(reader, writer, itertools.count())
    try:
        five = endpoint.mqtt_version == 5
        flags = 0x02 | (0x80 if to.user is not None else 0) | (0x40 if to.password else 0)
        body = _text("MQTT") + bytes((endpoint.mqtt_version, flags))
        body += KEEP_ALIVE_S.to_bytes(2, "big") + (b"\x00" if five else b"")
        body += _text(f"nagara-{secrets.token_hex(6)}")
        if to.user is not None:
            body += _text(to.user)
        if to.password:
            body += _text(to.password)
        writer.write(_packet(_CONNECT, body))
        kind, answer = await _read(line)
        if kind != _CONNACK or len(answer) < 2:
            raise BrokerRefused("no CONNACK")
        if answer[1]:
            raise BrokerRefused(f"CONNACK {answer[1]}")
    except BaseException:
        writer.transport.abort()
        raise
    return line


async def _send(line: _Line, topic: str, payload: bytes, endpoint: Endpoint) -> None:
    qos = endpoint.mqtt_qos
    number = next(line.ids) % 65_535 + 1
    body = _text(topic)
    if qos:
        body += number.to_bytes(2, "big")
    if endpoint.mqtt_version == 5:
        body += b"\x00"
    line.writer.write(_packet(_PUBLISH | qos << 1, body + payload))
    await line.writer.drain()
    if qos == 1:
        await _acknowledged(line, _PUBACK, number)
    elif qos == 2:
        await _acknowledged(line, _PUBREC, number)
        line.writer.write(_packet(_PUBREL, number.to_bytes(2, "big")))
        await _acknowledged(line, _PUBCOMP, number)


async def _acknowledged(line: _Line, wanted: int, number: int) -> None:
    while True:
        kind, body = await _read(line)
        if kind == _DISCONNECT:
            raise BrokerRefused(f"DISCONNECT {body[0] if body else 0}")
        if kind == wanted and int.from_bytes(body[:2], "big") == number:
            if len(body) > 2 and body[2] >= _REFUSED_FROM:
                raise BrokerRefused(f"the message was refused with {body[2]}")
            return


async def _read(line: _Line) -> tuple[int, bytes]:
    first = (await line.reader.readexactly(1))[0]
    length, shift = 0, 0
    while True:
        digit = (await line.reader.readexactly(1))[0]
        length |= (digit & 0x7F) << shift
        if not digit & 0x80:
            break
        shift += 7
        if shift > 21:
            raise BrokerRefused("this is not MQTT")
    if length > PACKET_BYTES_MAX:
        raise BrokerRefused("a packet without end")
    return first & 0xF0, await line.reader.readexactly(length)


def _hang_up(line: _Line) -> None:
    line.writer.write(_packet(_DISCONNECT, b""))
    line.writer.close()


def _text(text: str) -> bytes:
    raw = text.encode()
    return len(raw).to_bytes(2, "big") + raw


def _packet(kind: int, body: bytes) -> bytes:
    length, head = len(body), bytearray((kind,))
    while True:
        digit, length = length & 0x7F, length >> 7
        head.append(digit | (0x80 if length else 0))
        if not length:
            return bytes(head) + body
