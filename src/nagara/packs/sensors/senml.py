"""`senml`: Sensor Measurement Lists in JSON (RFC 8428; further units of RFC 8798).

A name resolves to base name + name; the attribute is its last part behind `:` or `/`, unless the
profile's `members` map the whole name to an attribute. A time below 2²⁸ is relative to the moment
of receipt, which the caller gives as the option `receivedAt` (an aware datetime).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from nagara.pack import Codec, Reading
from nagara.packs.sensors.errors import (
    MemberMissing,
    MemberNameUnusable,
    MemberNotNumber,
    MemberUnitUnknown,
    MomentUnreadable,
    PayloadNotJson,
    TooManyReadings,
)
from nagara.packs.sensors.parts import (
    READINGS_MAX,
    Options,
    attribute_name,
    chosen,
    json_of,
    mapping_option,
    moment_of,
    number_of,
    quoted,
)

#: RFC 8428 clause 4.5.3: from here a time is absolute (seconds since 1970), below it is relative.
ABSOLUTE_S = 2**28
VERSION = 10

#: Units of RFC 8428 clause 12.1 and RFC 8798 that the city knows, with UN/CEFACT codes.
UNITS: dict[str, str] = {
    "m": "MTR",
    "s": "SEC",
    "A": "AMP",
    "K": "KEL",
    "Cel": "CEL",
    "W": "WTT",
    "Pa": "PAL",
    "V": "VLT",
    "J": "JOU",
    "lx": "LUX",
    "m2": "MTK",
    "m3": "MTQ",
    "l": "LTR",
    "m/s": "MTS",
    "m3/s": "MQS",
    "dB": "2N",
    "%RH": "P1",
    "%": "P1",
    "/": "C62",
    "%EL": "P1",
    "EL": "SEC",
    "lat": "DD",
    "lon": "DD",
    "count": "C62",
    "min": "MIN",
    "h": "HUR",
    "mV": "2Z",
    "kW": "KWT",
    "kWh": "KWH",
    "mm": "MMT",
    "cm": "CMT",
    "km": "KMT",
    "hPa": "A97",
    "ppm": "59",
    "ppb": "61",
    "ug/m3": "GQ",
    "km/h": "KMH",
    "deg": "DD",
}

_KNOWN = frozenset(
    ("bn", "bt", "bu", "bv", "bs", "bver", "n", "u", "v", "vs", "vb", "vd", "s", "t", "ut")
)


def decode(payload: bytes, options: Options) -> list[Reading]:
    """The readings of a SenML pack. Raises `PayloadUnreadable`.

    Text and data values (`vs`, `vd`) are read past: they measure nothing.
    """
    records = json_of(payload)
    if not isinstance(records, list) or not records:
        raise PayloadNotJson(reason="SenML is an array of records")
    if len(records) > READINGS_MAX:
        raise TooManyReadings(limit=READINGS_MAX)
    base: dict[str, Any] = {}
    readings = []
    for record in records:
        if not isinstance(record, dict):
            raise PayloadNotJson(reason="a SenML record is an object")
        reading = _record(record, base, options)
        if reading is not None:
            readings.append(reading)
    return chosen(readings, options)


def _record(record: Mapping[str, Any], base: dict[str, Any], options: Options) -> Reading | None:
    base.update({name: record[name] for name in ("bn", "bt", "bu", "bv", "bver") if name in record})
    if base.get("bver", VERSION) != VERSION:
        raise PayloadNotJson(reason=f"SenML version {quoted(base['bver'])}, not {VERSION}")
    for name in record:
        if name.endswith("_") and name not in _KNOWN:  # clause 4.4: must be understood
            raise MemberNameUnusable(member=quoted(name))
    values = [name for name in ("v", "vb", "vs", "vd") if name in record]
    if len(values) > 1:
        raise MemberNotNumber(member="v", got=", ".join(values))
    if not values and "n" not in record:
        return None  # only base values, which is allowed in front of the others
    name = _text(base, "bn") + _text(record, "n")
    if values and values[0] in ("vs", "vd"):
        return None
    if not values:
        if "s" in record:
            return None  # a sum without a value: the integral, not a reading
        raise MemberMissing(member=f"{quoted(name)}: v")
    return Reading(
        _attribute(name, options),
        _value(record, values[0], base),
        _unit(record.get("u", base.get("bu")), name),
        _moment(record.get("t", 0), base.get("bt", 0), name, options),
    )


def _text(members: Mapping[str, Any], name: str) -> str:
    value = members.get(name, "")
    if not isinstance(value, str):
        raise MemberNameUnusable(member=quoted(value))
    return value


def _attribute(name: str, options: Options) -> str:
    mapped = mapping_option(options, "members").get(name)
    if isinstance(mapped, Mapping):
        mapped = mapped.get("attribute")
    if mapped is not None:
        return attribute_name(str(mapped))
    return attribute_name(re.split(r"[:/]", name)[-1])


def _value(record: Mapping[str, Any], member: str, base: Mapping[str, Any]) -> Any:
    if member == "vb":
        if not isinstance(record["vb"], bool):
            raise MemberNotNumber(member="vb", got=quoted(record["vb"]))
        return record["vb"]
    return _sum(record["v"], base.get("bv", 0), "v")


def _sum(value: Any, base: Any, member: str) -> float | int:
    total: float | int = 0
    for part in (value, base):
        if isinstance(part, str | bool):
            raise MemberNotNumber(member=member, got=quoted(part))
        total += number_of(part, member)
    return number_of(total, member)


def _unit(unit: Any, name: str) -> str | None:
    if unit is None:
        return None
    code = UNITS.get(unit) if isinstance(unit, str) else None
    if code is None:
        raise MemberUnitUnknown(member=quoted(name), got=quoted(unit))
    return code


def _moment(time: Any, base: Any, name: str, options: Options) -> datetime | None:
    seconds = _sum(time, base, "t")
    if seconds >= ABSOLUTE_S:
        return moment_of(seconds, "t", "s")
    if seconds == 0:
        return None  # now: the moment of receipt
    received = options.get("receivedAt")
    if not isinstance(received, datetime):
        raise MomentUnreadable(member=quoted(name), got=f"{quoted(seconds)} s from now")
    try:
        return received + timedelta(seconds=float(seconds))
    except OverflowError:
        raise MomentUnreadable(member=quoted(name), got=quoted(seconds)) from None


CODEC = Codec("senml", "SenML in JSON (RFC 8428)", decode)
