"""`cayenne-lpp`: Cayenne Low Power Payload: channel, type, value; big-endian.

Types, sizes and scales as the format's open encoders and decoders write them (types are the IPSO
object number less 3200). An attribute is named `<kind>_<channel>`, for example `temperature_1`;
the profile's `attributes` give better names.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from nagara.pack import Codec, Reading
from nagara.packs.sensors.envelope import opened
from nagara.packs.sensors.errors import FramePartUnknown
from nagara.packs.sensors.parts import FrameReader, Options, chosen

UNIX_TIME = 133


class Kind(Struct, frozen=True):
    """A type: the names of its values, their size in bytes each, divisor, sign and units."""

    names: tuple[str, ...]
    size: int
    divisors: tuple[int, ...]
    signed: bool
    units: tuple[str | None, ...]


def _one(name: str, size: int, divisor: int, signed: bool, unit: str | None) -> Kind:
    return Kind((name,), size, (divisor,), signed, (unit,))


KINDS: dict[int, Kind] = {
    0: _one("digitalInput", 1, 1, False, "C62"),
    1: _one("digitalOutput", 1, 1, False, "C62"),
    2: _one("analogInput", 2, 100, True, "C62"),
    3: _one("analogOutput", 2, 100, True, "C62"),
    100: _one("genericSensor", 4, 1, False, "C62"),
    101: _one("illuminance", 2, 1, False, "LUX"),
    102: _one("presence", 1, 1, False, "C62"),
    103: _one("temperature", 2, 10, True, "CEL"),
    104: _one("relativeHumidity", 1, 2, False, "P1"),
    113: Kind(
        ("accelerationX", "accelerationY", "accelerationZ"), 2, (1000,) * 3, True, ("K40",) * 3
    ),
    115: _one("atmosphericPressure", 2, 10, False, "A97"),
    116: _one("voltage", 2, 100, False, "VLT"),
    117: _one("current", 2, 1000, False, "AMP"),
    118: _one("frequency", 4, 1, False, "HTZ"),
    120: _one("percentage", 1, 1, False, "P1"),
    121: _one("altitude", 2, 1, True, "MTR"),
    125: _one("concentration", 2, 1, False, "59"),
    128: _one("power", 2, 1, False, "WTT"),
    130: _one("distance", 4, 1000, False, "MTR"),
    131: _one("energy", 4, 1000, False, "KWH"),
    132: _one("direction", 2, 1, False, "DD"),
    UNIX_TIME: _one("unixTime", 4, 1, False, "SEC"),
    134: Kind(("rotationX", "rotationY", "rotationZ"), 2, (100,) * 3, True, ("E96",) * 3),
    135: Kind(("red", "green", "blue"), 1, (1,) * 3, False, ("C62",) * 3),
    136: Kind(
        ("latitude", "longitude", "altitude"),
        3,
        (10_000, 10_000, 100),
        True,
        ("DD", "DD", "MTR"),
    ),
    142: _one("switch", 1, 1, False, "C62"),
}


def decode(payload: bytes, options: Options) -> list[Reading]:
    """The readings of a frame. Raises `PayloadUnreadable`.

    A Unix time in the frame is the moment of all its readings.
    """
    uplink = opened(payload, options)
    reader = FrameReader(uplink.frame)
    found: list[tuple[str, Any, str | None]] = []
    moment = uplink.observed_at
    while reader.left:
        at = reader.at
        channel, tag = reader.take(2, "channel and type")
        kind = KINDS.get(tag)
        if kind is None:
            raise FramePartUnknown(tag=str(tag), at=at)
        data = reader.take(kind.size * len(kind.names), kind.names[0])
        numbers = _numbers(kind, data)
        if tag == UNIX_TIME:
            moment = datetime.fromtimestamp(numbers[0], UTC)
            continue
        found += [
            (f"{name}_{channel}", number, unit)
            for name, number, unit in zip(kind.names, numbers, kind.units, strict=True)
        ]
    return chosen([Reading(name, number, unit, moment) for name, number, unit in found], options)


def _numbers(kind: Kind, data: bytes) -> list[int | float]:
    whole = [
        int.from_bytes(data[at : at + kind.size], "big", signed=kind.signed)
        for at in range(0, len(data), kind.size)
    ]
    return [
        number if divisor == 1 else number / divisor
        for number, divisor in zip(whole, kind.divisors, strict=True)
    ]


CODEC = Codec("cayenne-lpp", "Cayenne Low Power Payload", decode)
