"""Frames of Wyres Base boards (payload version 3): two bytes of header, then type-length-value.

Header: bits 0–3 of the first byte the last downlink heard, bits 4–5 the payload version (1 is in
use), bit 6 set when the device will listen, bit 7 even parity; the second byte is the length of
what follows. Values are little-endian. As the maker's open decoder and firmware headers write it
out; that decoder reads a temperature below zero as a large one, ours as what it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from nagara.pack import Codec, Reading
from nagara.packs.sensors.envelope import opened
from nagara.packs.sensors.errors import FrameHeaderInvalid, FrameTooShort
from nagara.packs.sensors.parts import FrameReader, Options, chosen

VERSION = 1


def _unsigned(data: bytes) -> int:
    return int.from_bytes(data, "little")


class Value(Struct, frozen=True):
    """A type of part that measures: the maker's name, ours, the unit, and how it is read."""

    name: str
    attribute: str
    unit_code: str
    lengths: tuple[int, ...]
    read: Callable[[bytes], int | float]


PARTS: dict[int, Value] = {
    0x03: Value(
        "temperature",
        "temperature",
        "CEL",
        (2,),
        lambda data: int.from_bytes(data, "little", signed=True) / 100,
    ),
    0x04: Value("pressure", "atmosphericPressure", "A97", (4,), lambda data: _unsigned(data) / 100),
    # counts of a converter, 0 to 255 or 65535, not lux
    0x06: Value("light", "lightLevel", "C62", (1, 2), _unsigned),
    0x07: Value("battery", "batteryVoltage", "VLT", (2,), lambda data: _unsigned(data) / 1000),
}


class Frame(Struct, frozen=True):
    """What a frame says: its header, and its measuring parts by the maker's names."""

    payload_version: int
    will_listen: bool
    values: dict[int, int | float]

    def as_maker(self) -> dict[str, Any]:
        """As the maker's decoder writes it, except that a light of 0 is there (see `decode`)."""
        named = {PARTS[tag].name: value for tag, value in self.values.items()}
        return {"payloadVersion": self.payload_version, "willListen": self.will_listen, **named}


def read_frame(frame: bytes) -> Frame:
    """The frame as it stands. Raises `FrameTooShort`, `FrameHeaderInvalid`."""
    reader = FrameReader(frame)
    first, length = reader.take(2, "header")
    version = (first >> 4) & 0b11
    if version != VERSION:
        raise FrameHeaderInvalid(reason=f"payload version {version}, not {VERSION}")
    if length != reader.left:
        raise FrameHeaderInvalid(reason=f"{length} bytes announced, {reader.left} there")
    values: dict[int, int | float] = {}
    while reader.left:
        tag, size = reader.take(2, "type and length")
        data = reader.take(size, f"0x{tag:02X}")
        part = PARTS.get(tag)
        if part is None:
            continue  # moments of movement, beacons, positions: the length says where they end
        if size not in part.lengths:
            raise FrameTooShort(part=part.name, need=part.lengths[0], got=size)
        values[tag] = part.read(data)
    return Frame(version, bool(first & 0x40), values)


def decode(payload: bytes, options: Options) -> list[Reading]:
    """The readings of a frame. Raises `PayloadUnreadable`.

    A light of 0 is a reading (night), though the maker's decoder leaves it out.
    """
    uplink = opened(payload, options)
    readings = [
        Reading(PARTS[tag].attribute, value, PARTS[tag].unit_code, uplink.observed_at)
        for tag, value in read_frame(uplink.frame).values.items()
    ]
    return chosen(readings, options)


CODEC = Codec("wyres", "Wyres Base boards over LoRaWAN (payload version 3)", decode)
