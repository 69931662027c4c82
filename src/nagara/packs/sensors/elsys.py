"""Frames of Elsys sensors (EMS, ERS, ELT …): type byte, then a value of known length, big-endian.

Types, lengths and scales are those of the maker's published payload description, as open decoders
write them out. Two frames of the city's archive hold what only they show: the maker's "debug" part
(0x3D, four bytes, no measurement) and the settings that a sensor reports on port 6 (0x3E), behind
which nothing else follows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from nagara.pack import Codec, Reading
from nagara.packs.sensors.envelope import opened
from nagara.packs.sensors.errors import FramePartUnknown
from nagara.packs.sensors.parts import FrameReader, Options, chosen

SETTINGS = 0x3E
#: 63 counts of the accelerometer are one g.
COUNTS_PER_G = 63


class Value(Struct, frozen=True):
    """One value of a part: the maker's name for it, and ours with its unit."""

    name: str
    attribute: str
    unit_code: str | None = None
    divisor: int = 1
    signed: bool = False
    offset: int = 0  # of its first byte in the part
    size: int = 0  # 0: to the end of the part
    little_endian: bool = False
    #: From the maker's number to ours, where they differ.
    ours: Callable[[Any], Any] | None = None


class Part(Struct, frozen=True):
    """One type of part: its length in bytes and what stands in it."""

    length: int
    values: tuple[Value, ...] = ()


def _one(length: int, *args: Any, **kwargs: Any) -> Part:
    return Part(length, (Value(*args, **kwargs),))


def _g(counts: int) -> float:
    return round(counts / COUNTS_PER_G, 4)


def _axis(name: str, offset: int) -> Value:
    return Value(
        name,
        f"acceleration{name.upper()}",
        "K40",
        signed=True,
        offset=offset,
        size=1,
        ours=_g,
    )


PARTS: dict[int, Part] = {
    0x01: _one(2, "temperature", "temperature", "CEL", 10, True),
    0x02: _one(1, "humidity", "relativeHumidity", "P1"),
    0x03: Part(3, (_axis("x", 0), _axis("y", 1), _axis("z", 2))),
    0x04: _one(2, "light", "illuminance", "LUX"),
    0x05: _one(1, "motion", "motionCount", "C62"),
    0x06: _one(2, "co2", "co2", "59"),
    0x07: _one(2, "vdd", "batteryVoltage", "2Z"),
    0x08: _one(2, "analog1", "analog1", "2Z"),
    0x09: Part(
        6,
        (
            Value("lat", "latitude", "DD", 10_000, True, 0, 3, True),
            Value("long", "longitude", "DD", 10_000, True, 3, 3, True),
        ),
    ),
    0x0A: _one(2, "pulse1", "pulseCount", "C62"),
    0x0B: _one(4, "pulseAbs", "pulseCountTotal", "C62"),
    0x0C: _one(2, "externalTemperature", "externalTemperature", "CEL", 10, True),
    0x0D: _one(1, "digital", "digitalInput", "C62"),
    0x0E: _one(2, "distance", "distance", "MMT"),
    0x0F: _one(1, "accMotion", "movementCount", "C62"),
    0x10: Part(
        4,
        (
            Value("irInternalTemperature", "irInternalTemperature", "CEL", 10, True, 0, 2),
            Value("irExternalTemperature", "irExternalTemperature", "CEL", 10, True, 2, 2),
        ),
    ),
    0x11: _one(1, "occupancy", "occupancy", "C62"),
    0x12: _one(1, "waterleak", "waterLeak", "C62"),
    0x13: Part(65),  # a grid of 64 infrared pixels, a picture rather than a reading
    0x14: _one(4, "pressure", "atmosphericPressure", "A97", 1000, True),
    0x15: Part(
        2,
        (
            Value("soundPeak", "soundPeak", "2N", offset=0, size=1),
            Value("soundAvg", "soundAverage", "2N", offset=1, size=1),
        ),
    ),
    0x16: _one(2, "pulse2", "pulseCount2", "C62"),
    0x17: _one(4, "pulseAbs2", "pulseCountTotal2", "C62"),
    0x18: _one(2, "analog2", "analog2", "2Z"),
    0x19: _one(2, "externalTemperature2", "externalTemperature2", "CEL", 10, True),
    0x1A: _one(1, "digital2", "digitalInput2", "C62"),
    0x1B: _one(
        4, "analogUv", "analogMicrovolt", "2Z", 1, True, ours=lambda microvolt: microvolt / 1000
    ),
    0x1C: _one(2, "tvoc", "tvoc", "61"),
    0x3D: Part(4),  # the maker's debug word
}


def read_frame(frame: bytes) -> dict[str, int | float]:
    """What the frame says, by the maker's names and in the maker's numbers.

    Raises `FrameTooShort`, `FramePartUnknown`.
    """
    return {value.name: number for value, number in _values(frame)}


def decode(payload: bytes, options: Options) -> list[Reading]:
    """The readings of a frame. Raises `PayloadUnreadable`."""
    uplink = opened(payload, options)
    readings = [
        Reading(
            value.attribute,
            number if value.ours is None else value.ours(number),
            value.unit_code,
            uplink.observed_at,
        )
        for value, number in _values(uplink.frame)
    ]
    return chosen(readings, options)


def _values(frame: bytes) -> list[tuple[Value, int | float]]:
    reader = FrameReader(frame)
    found = []
    while reader.left:
        at = reader.at
        tag = reader.take(1, "type")[0]
        if tag == SETTINGS:
            break  # fills the rest of the frame and measures nothing
        part = PARTS.get(tag)
        if part is None:
            raise FramePartUnknown(tag=f"0x{tag:02X}", at=at)
        named = part.values[0].name if part.values else f"0x{tag:02X}"
        data = reader.take(part.length, named)
        found += [(value, _number(value, data)) for value in part.values]
    return found


def _number(value: Value, data: bytes) -> int | float:
    data = data[value.offset : value.offset + value.size] if value.size else data
    order = "little" if value.little_endian else "big"
    number = int.from_bytes(data, order, signed=value.signed)  # type: ignore[arg-type]
    return number if value.divisor == 1 else number / value.divisor


CODEC = Codec(
    "elsys", "Elsys sensors over LoRaWAN: EMS, ERS, ELT and their kin (one common format)", decode
)
