"""What a client sends, as attributes of entities and values of streams (pure).

The mapping is the table of docs/reference/one-entity-more-standards.md.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from nagara.context.geometry import demand_geometry
from nagara.sensorthings.errors import BodyInvalid, BodyTooMuch
from nagara.sensorthings.model import EntitySet
from nagara.values.geo import GEOMETRY_TYPES, GeometryInvalid
from nagara.values.time import InstantUnreadable, format_instant, parse_instant
from nagara.values.units import UNITS
from nagara.vocab.attribute import property_of

Attrs = dict[str, Any]
#: Entities of one request: a network of a thousand stations with its sensors.
MADE_MAX = 5_000
TEXT_CHARS_MAX = 20_000
#: How clients write units that we know by another sign: QUDT and UCUM.
_UNIT_WORDS = {
    "degc": "CEL", "celsius": "CEL", "cel": "CEL", "degreecelsius": "CEL", "degree celsius": "CEL",
    "ug/m3": "GQ", "µg/m3": "GQ", "ug.m-3": "GQ", "ug/m^3": "GQ", "mg/m3": "GP", "percent": "P1",
    "metre": "MTR", "meter": "MTR", "millimetre": "MMT", "millimeter": "MMT", "m/s": "MTS",
    "m3/s": "MQS", "kelvin": "KEL", "hectopascal": "A97", "pascal": "PAL", "second": "SEC",
}  # fmt: skip
_TEXTS = frozenset({"name", "description", "definition", "observationType", "encodingType"})
_WORD = re.compile(r"[^0-9A-Za-z\u00c0-\uffff]+")


def json_of(value: Any) -> dict[str, Any]:
    """A JsonProperty: kept as it was sent."""
    return {"type": "JsonProperty", "json": value}


def relation_of(ids: list[str]) -> dict[str, Any]:
    """A Relationship to one entity or several."""
    return {"type": "Relationship", "object": ids[0] if len(ids) == 1 else ids}


def attrs_of(of: EntitySet, body: dict[str, Any], whole: bool) -> Attrs:
    """The attributes of an entity. `whole`: every mandatory property has to be there, and what is
    not said is not kept; an attribute that is None is removed. Raises `BodyInvalid`."""
    for name in of.needed if whole else ():
        if body.get(name) is None:
            raise BodyInvalid(kind=of.one, reason=f"“{name}” is missing")
    attrs: Attrs = {}
    for name in of.columns:
        if name not in body or name in ("id", "phenomenonTime", "resultTime"):
            continue
        value = body[name]
        if value is None:
            if name in of.needed:
                raise BodyInvalid(kind=of.one, reason=f"“{name}” cannot be null")
            attrs["location" if name == "observedArea" else name] = None
            continue
        attrs.update(_property(of, name, value))
    if whole and "properties" not in attrs:
        attrs["properties"] = None
    return attrs


def _property(of: EntitySet, name: str, value: Any) -> Attrs:
    if name in _TEXTS:
        if not isinstance(value, str) or len(value) > TEXT_CHARS_MAX:
            raise BodyInvalid(kind=of.one, reason=f"“{name}” is a text of {TEXT_CHARS_MAX} at most")
        return {name: property_of(value)}
    if name == "properties":
        if not isinstance(value, dict):
            raise BodyInvalid(kind=of.one, reason="“properties” is a JSON object")
        return {name: json_of(value)}
    if name == "metadata":
        return {name: property_of(value) if isinstance(value, str) else json_of(value)}
    if name == "unitOfMeasurement":
        if not isinstance(value, dict):
            raise BodyInvalid(kind=of.one, reason="“unitOfMeasurement” is a JSON object")
        code = unit_code(value)
        return {name: json_of(value), "unitCode": property_of(code) if code else None}
    if name == "time":
        return {name: property_of(instant_of(of, name, value))}
    if name == "observedArea":
        return {name: geo_of(of, name, value)}
    return place_of(of, name, value)


def place_of(of: EntitySet, name: str, value: Any) -> Attrs:
    """A location or feature: a geometry is what others see; anything else is kept as it is."""
    if isinstance(value, dict) and value.get("type") in GEOMETRY_TYPES:
        return {"location": geo_of(of, name, value), "body": None}
    if isinstance(value, dict) and value.get("type") == "Feature":
        geometry = value.get("geometry")
        if isinstance(geometry, dict):
            return {"location": geo_of(of, name, geometry), "body": json_of(value)}
    return {"location": None, "body": json_of(value)}


def geo_of(of: EntitySet, name: str, value: Any) -> dict[str, Any]:
    """A GeoProperty. Raises `BodyInvalid` for what is no geometry."""
    try:
        demand_geometry(value)
    except GeometryInvalid as error:
        raise BodyInvalid(
            kind=of.one, reason=f"“{name}”: {error.params.get('reason', '')}"
        ) from error
    return {"type": "GeoProperty", "value": value}


def unit_code(unit: dict[str, Any]) -> str | None:
    """The UN/CEFACT code of a unit of measurement, where we know it."""
    words = [str(unit.get(key) or "").strip() for key in ("symbol", "name", "definition")]
    for word in words:
        if not word:
            continue
        low = word.lower()
        for code, known in UNITS.items():
            if word == code or (known.sign and low == known.sign.lower()):
                return code
        found = _UNIT_WORDS.get(low) or _UNIT_WORDS.get(re.split(r"[#/:]", low)[-1])
        if found is not None:
            return found
    return None


def instant_of(of: EntitySet, name: str, value: Any) -> datetime:
    """An instant. Raises `BodyInvalid`."""
    try:
        if not isinstance(value, str):
            raise InstantUnreadable(got=str(value)[:40])
        return parse_instant(value)
    except InstantUnreadable as error:
        raise BodyInvalid(kind=of.one, reason=f"“{name}” is no instant with a zone") from error


def span_of(of: EntitySet, name: str, value: Any) -> tuple[datetime, datetime | None]:
    """An instant, or a span `start/end` in order. Raises `BodyInvalid`."""
    first, slash, second = value.partition("/") if isinstance(value, str) else (value, "", "")
    start = instant_of(of, name, first)
    if not slash:
        return start, None
    end = instant_of(of, name, second)
    if end < start:
        raise BodyInvalid(kind=of.one, reason=f"“{name}” ends before it begins")
    return start, end


def instance_of(
    of: EntitySet, body: dict[str, Any], feature: str | None, unit: str | None, now: datetime
) -> dict[str, Any]:
    """An Observation as an instance of an attribute. Raises `BodyInvalid`."""
    if "result" not in body:
        raise BodyInvalid(kind=of.one, reason="“result” is missing")
    result = body["result"]
    instance = json_of(result) if isinstance(result, dict | list | None) else property_of(result)
    if body.get("phenomenonTime") is None:
        start, end = now, None
    else:
        start, end = span_of(of, "phenomenonTime", body["phenomenonTime"])
    instance["observedAt"] = format_instant(start)
    if unit is not None:
        instance["unitCode"] = unit
    if end is not None:
        instance["phenomenonTime"] = property_of(f"{format_instant(start)}/{format_instant(end)}")
    if body.get("resultTime") is not None:
        instance["resultTime"] = property_of(instant_of(of, "resultTime", body["resultTime"]))
    if body.get("validTime") is not None:
        valid, until = span_of(of, "validTime", body["validTime"])
        said = f"{format_instant(valid)}/{format_instant(until or valid)}"
        instance["validTime"] = property_of(said)
    if body.get("resultQuality") is not None:
        instance["resultQuality"] = json_of(body["resultQuality"])
    if body.get("parameters") is not None:
        if not isinstance(body["parameters"], dict):
            raise BodyInvalid(kind=of.one, reason="“parameters” is a JSON object")
        instance["parameters"] = json_of(body["parameters"])
    if feature is not None:
        instance["featureOfInterest"] = relation_of([feature])
    return instance


def attribute_name(name: str, taken: set[str]) -> str:
    """The attribute of a stream, made of what it observes: `airTemperature`, `airTemperature2`."""
    words = [w for w in _WORD.split(name[:80]) if w]
    made = "".join(w if i == 0 else w[0].upper() + w[1:] for i, w in enumerate(words)) or "value"
    made = made[0].lower() + made[1:]
    if made[0].isdigit():
        made = f"value{made}"
    number, chosen = 1, made
    while chosen in taken:
        number += 1
        chosen = f"{made}{number}"
    return chosen


def read_id(of: EntitySet, said: Any) -> int:
    """An id, a number or one in quotes. Raises `BodyInvalid`."""
    if type(said) is int and 0 <= said < 2**63:
        return said
    text = said.strip("' ") if isinstance(said, str) else ""
    if text.isascii() and text.isdecimal() and len(text) < 19:
        return int(text)
    raise BodyInvalid(kind=of.one, reason=f"“{str(said)[:40]}” is no @iot.id")


def list_of(of: EntitySet, nav: str, body: dict[str, Any]) -> list[Any]:
    """What a body has under a navigation property. Raises `BodyInvalid`, `BodyTooMuch`."""
    said = body.get(nav)
    if said is None:
        return []
    if isinstance(said, dict):
        return [said]
    if not isinstance(said, list):
        raise BodyInvalid(kind=of.one, reason=f"“{nav}” is a list")
    if len(said) > MADE_MAX:
        raise BodyTooMuch(what="entities", limit=MADE_MAX)
    return said
