"""Profiles: how the payload of a kind of device becomes readings. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from nagara.ingest.errors import (
    FieldsUnknown,
    PayloadUnreadable,
    ProfileInvalid,
    ValueUnusable,
)
from nagara.ingest.model import Observation
from nagara.pack import Codec, Reading
from nagara.values.errors import Problem
from nagara.values.time import parse_instant
from nagara.values.units import get_unit
from nagara.values.unread import reason_unread

OBSERVED_AT = "observedAt"
RECEIVED_AT = "receivedAt"  # the option by which a codec is told when a payload arrived
JSON_CODEC = "json"

#: A device of the city's sends 1–60 values a minute; a catch-up after a day offline is 1,440.
RATE_PER_MINUTE_DEFAULT = 60
RATE_PER_MINUTE_MAX = 600_000  # 10,000/s: a gateway that speaks for a district's sensors
#: How much of its rate a device may use at once: an hour, so that stored readings of a device
#: that was offline are heard, not refused.
BURST_MINUTES = 60
FIELDS_MAX = 100

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_ATTRIBUTE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,127}|https?://[^\s]{1,240}")
_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9]{0,63}")
_OWN = frozenset({"type", "id", "scope", "@context", OBSERVED_AT})


class FieldMap(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Where a field of the payload goes: the attribute, and the unit that the device sends."""

    attribute: str
    unit_code: str | None = None


class Profile(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A kind of device. `fields` maps names in the payload (or of the codec's readings) to
    attributes; with a codec other than `json` it may be empty: readings keep their names."""

    name: str
    codec: str
    entity_type: str
    fields: dict[str, FieldMap] = {}
    period_s: float = 60.0
    rate_per_minute: int = RATE_PER_MINUTE_DEFAULT
    options: dict[str, Any] = {}
    title: dict[str, str] = {}


#: Profiles that come with the city. A device that sends other names gets a profile of its own.
BUILT_IN: tuple[Profile, ...] = (
    Profile(
        name="air-json",
        codec=JSON_CODEC,
        entity_type="AirQualityObserved",
        fields={
            "pm25": FieldMap("pm25", "GQ"),
            "pm10": FieldMap("pm10", "GQ"),
            "o3": FieldMap("o3", "61"),
            "no2": FieldMap("no2", "61"),
            "so2": FieldMap("so2", "61"),
            "co": FieldMap("co", "59"),
            "temperature": FieldMap("temperature", "CEL"),
            "humidity": FieldMap("relativeHumidity", "P1"),
        },
        title={"en": "Air quality, JSON", "th": "คุณภาพอากาศ แบบ JSON"},
    ),
    Profile(
        name="weather-json",
        codec=JSON_CODEC,
        entity_type="WeatherObserved",
        fields={
            "rain": FieldMap("precipitation", "MMT"),
            "temperature": FieldMap("temperature", "CEL"),
            "humidity": FieldMap("relativeHumidity", "P1"),
            "pressure": FieldMap("atmosphericPressure", "A97"),
            "windSpeed": FieldMap("windSpeed", "MTS"),
            "windDirection": FieldMap("windDirection", "DD"),
        },
        title={"en": "Weather and rain, JSON", "th": "อากาศและฝน แบบ JSON"},
    ),
    Profile(
        name="water-json",
        codec=JSON_CODEC,
        entity_type="WaterObserved",
        fields={"level": FieldMap("waterLevel", "MTR"), "flow": FieldMap("flow", "MQS")},
        title={"en": "Water level, JSON", "th": "ระดับน้ำ แบบ JSON"},
    ),
)


def validated(profile: Profile, codecs: Iterable[str]) -> Profile:
    """The profile itself. Raises `ProfileInvalid`, `UnitUnknown` with what to change."""
    known = {JSON_CODEC, *codecs}
    if not _NAME.fullmatch(profile.name):
        raise ProfileInvalid(reason="name: small letters, digits and hyphens, 64 at most")
    if profile.codec not in known:
        raise ProfileInvalid(reason=f"codec: one of {', '.join(sorted(known))}")
    if not _TYPE.fullmatch(profile.entity_type):
        raise ProfileInvalid(reason="entityType: a name such as AirQualityObserved")
    if not profile.fields and profile.codec == JSON_CODEC:
        raise ProfileInvalid(reason="fields: at least one, for a JSON device")
    if len(profile.fields) > FIELDS_MAX:
        raise ProfileInvalid(reason=f"fields: at most {FIELDS_MAX}")
    for field, to in profile.fields.items():
        if not _ATTRIBUTE.fullmatch(to.attribute) or to.attribute in _OWN:
            raise ProfileInvalid(reason=f"fields: “{field}” goes to an attribute name such as pm25")
        if to.unit_code is not None:
            get_unit(to.unit_code)
    if not 0 < profile.period_s <= 366 * 86400:
        raise ProfileInvalid(reason="periodS: seconds between two messages, up to a year")
    if not 0 < profile.rate_per_minute <= RATE_PER_MINUTE_MAX:
        raise ProfileInvalid(reason=f"ratePerMinute: 1 to {RATE_PER_MINUTE_MAX}")
    return profile


#: Reads one payload of one device: (payload, when it arrived in city time) → observation.
Decode = Callable[[bytes, datetime], Observation]

_decode_json = msgspec.json.Decoder().decode


def binding(
    profile: Profile,
    codecs: Mapping[str, Codec],
    entity_id: str,
    base: dict[str, Any] | None,
) -> Decode:
    """The decoder of one device, with all look-ups done before the first message.

    It raises the Problem that says why a payload cannot be read.
    """
    if profile.codec == JSON_CODEC:
        read_fields = _json_reader(profile)
    else:
        codec = codecs.get(profile.codec)
        if codec is None:
            raise ProfileInvalid(reason=f"the codec {profile.codec} is not installed")
        read_fields = _codec_reader(profile, codec)
    entity_type = profile.entity_type

    def decode(payload: bytes, arrived_at: datetime) -> Observation:
        observed_at, readings = read_fields(payload, arrived_at)
        return Observation(entity_id, entity_type, observed_at or arrived_at, readings, base)

    return decode


def read_instant(said: Any) -> datetime:
    """An instant as a device says it: text in ISO 8601 with a zone. Raises `InstantUnreadable`."""
    return parse_instant(said)


#: (payload, when it arrived) → the moment it tells, and its readings.
ReadFields = Callable[[bytes, datetime], tuple[datetime | None, list[Reading]]]


def _json_reader(profile: Profile) -> ReadFields:
    fields = {name: (to.attribute, to.unit_code) for name, to in profile.fields.items()}
    known = ", ".join(fields)

    def read(payload: bytes, _: datetime) -> tuple[datetime | None, list[Reading]]:
        try:
            said = _decode_json(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise PayloadUnreadable(reason=reason_unread(error, payload)) from None
        if not isinstance(said, dict):
            raise PayloadUnreadable(reason="a JSON object is expected, {…}")
        readings: list[Reading] = []
        for name, value in said.items():
            to = fields.get(name)
            if to is None or value is None:  # null: the device has no value for it now
                continue
            unit = to[1]
            if isinstance(value, dict):
                unit = value.get("unitCode", unit)
                value = value.get("value")
                if unit is not None and not isinstance(unit, str):
                    raise ValueUnusable(attribute=to[0], got="unitCode")
            if isinstance(value, list | dict):
                raise ValueUnusable(attribute=to[0], got="…")
            readings.append(Reading(to[0], value, unit))
        if not readings:
            raise FieldsUnknown(got=", ".join(map(str, said))[:200], known=known)
        instant = said.get(OBSERVED_AT)
        return (None if instant is None else read_instant(instant)), readings

    return read


def _codec_reader(profile: Profile, codec: Codec) -> ReadFields:
    fields = profile.fields
    options = dict(profile.options)

    def read(payload: bytes, arrived_at: datetime) -> tuple[datetime | None, list[Reading]]:
        try:
            # formats with times relative to now (SenML) need to know when now is
            decoded = codec.decode(payload, {**options, RECEIVED_AT: arrived_at})
        except Problem:
            raise
        except Exception as error:  # a codec may be a stranger's: whatever it does stays its own
            raise PayloadUnreadable(reason=str(error)[:200] or type(error).__name__) from error
        if fields:
            mapped = [(fields.get(reading.attribute), reading) for reading in decoded]
            decoded = [
                Reading(to.attribute, r.value, r.unit_code or to.unit_code, r.observed_at)
                for to, r in mapped
                if to is not None
            ]
        if not decoded:
            raise FieldsUnknown(got=codec.name, known=", ".join(fields) or codec.meaning)
        return None, decoded

    return read
