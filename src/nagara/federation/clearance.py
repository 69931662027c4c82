"""What may leave the city: by class of the type, then by name of the attribute. Pure.

A type leaves only where the policy calls it public *and* it stands here; an attribute only where it
stands here. What is added to a type later stays at home until somebody writes it down. Words that a
person wrote (descriptions, notes, names of people, tracking codes, photos) stand nowhere here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from nagara.guard.policy import TYPE_CLASS
from nagara.vocab import alert, case, request

_PLACE = ("name", "location", "district")
#: Type → attributes that may leave, each a fact about a place, a thing or an institution.
CLEARED: Mapping[str, frozenset[str]] = {
    "AdministrativeArea": frozenset((*_PLACE, "code", "population", "areaKm2", "level")),
    "AirQualityObserved": frozenset(
        (*_PLACE, "stationCode", "pm25", "pm10", "o3", "no2", "so2", "co", "airQualityIndex",
         "temperature", "relativeHumidity")
    ),
    "Alert": frozenset(
        (alert.CATEGORY, alert.SEVERITY, alert.SEVERITY_PEAK, alert.STATE, alert.NAME,
         alert.DISTRICT, alert.LOCATION, alert.DATE_ISSUED, alert.RESOLVED_AT,
         alert.OBSERVED_VALUE, alert.THRESHOLD, alert.ATTRIBUTE, alert.PROVENANCE)
    ),
    "Department": frozenset(("name", "kind")),
    "Indicator": frozenset(
        ("code", "name", "unit", "indicatorValue", "asOf", "quality", "missing", "formula")
    ),
    "PointOfInterest": frozenset((*_PLACE, "kind", "category")),
    "ServiceRequest": frozenset((request.CATEGORY, request.STATUS, request.REQUESTED_AT,
                                 request.DISTRICT, request.SOURCE)),
    "TransitStation": frozenset((*_PLACE, "line", "stationCode", "opened")),
    "WaterObserved": frozenset((*_PLACE, "stationCode", "waterLevel", "flow", "bankfullShare",
                                "precipitation", "rainfall")),
    "WeatherObserved": frozenset(
        (*_PLACE, "stationCode", "temperature", "relativeHumidity", "precipitation", "rainfall",
         "windSpeed", "windDirection")
    ),
}  # fmt: skip
#: What an officer raises goes out by his own act, one at a time. Of a case that is what it is about
#: and how it stands: not where (a position can be a home), nor who, nor in which words.
RAISED: Mapping[str, frozenset[str]] = {
    alert.TYPE: CLEARED[alert.TYPE],
    case.TYPE: frozenset(
        (case.CATEGORY, case.STATE, case.DISTRICT, case.PRIORITY, case.CREATED_AT, case.DUE_AT)
    ),
}

#: A name of a station or a department; what is longer is prose.
TEXT_CHARACTERS_MAX = 200
_INSTANCE = ("type", "value", "languageMap", "unitCode", "observedAt")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}|@none")
_GEOMETRIES = ("Point", "LineString", "Polygon", "MultiPolygon", "MultiLineString")
_SUB = {"provenance", "quality"}


def may_be_chosen(entity_type: str) -> bool:
    """Whether a type can be published at all."""
    return TYPE_CLASS.get(entity_type) == "public" and entity_type in CLEARED


def clear_entity(
    types: tuple[str, ...], attrs: Mapping[str, Any], chosen: frozenset[str]
) -> dict[str, Any] | None:
    """What of an entity leaves, where `chosen` attributes were chosen (empty: all cleared ones);
    None where nothing does. An entity of several types leaves only what each of them clears."""
    if not types or not all(may_be_chosen(one) for one in types):
        return None
    allowed = frozenset.intersection(*(CLEARED[one] for one in types))
    return clear_attributes(attrs, allowed & chosen if chosen else allowed)


def clear_attributes(attrs: Mapping[str, Any], allowed: frozenset[str]) -> dict[str, Any]:
    """Attributes by name, each with the members that a reader needs and no others."""
    made: dict[str, Any] = {}
    for name in sorted(allowed & attrs.keys()):
        said = attrs[name]
        kept = [one for one in map(_clear, said if isinstance(said, list) else [said]) if one]
        if kept:
            made[name] = kept if isinstance(said, list) else kept[0]
    return made


def _clear(instance: Any) -> dict[str, Any] | None:
    if not isinstance(instance, dict):
        return None
    made = {key: instance[key] for key in _INSTANCE if key in instance}
    if "object" in instance or not _is_plain(made.get("value")):
        return None
    if not _is_words(made.get("languageMap", {})):
        return None
    if not all(_is_word(made[key]) for key in ("type", "unitCode", "observedAt") if key in made):
        return None
    for name in _SUB & instance.keys():
        sub = instance[name]
        if isinstance(sub, dict) and _is_word(sub.get("value")):
            made[name] = {"type": "Property", "value": sub["value"]}
    return made


def _is_words(value: Any) -> bool:
    """The same short text in several languages."""
    return isinstance(value, dict) and all(
        _LANGUAGE.fullmatch(key) and isinstance(text, str) and len(text) <= TEXT_CHARACTERS_MAX
        for key, text in value.items()
    )


def _is_word(value: Any) -> bool:
    many = value if isinstance(value, list) else [value]
    return all(isinstance(one, str) and len(one) <= 40 for one in many)


def _is_plain(value: Any) -> bool:
    """A number, a short text, a time, a geometry, or a few of the first two."""
    if value is None or isinstance(value, bool | int | float):
        return True
    if isinstance(value, str):
        return len(value) <= TEXT_CHARACTERS_MAX
    if isinstance(value, dict):
        if "@value" in value:
            return set(value) <= {"@type", "@value"} and _is_plain(value["@value"])
        if value.get("type") in _GEOMETRIES:
            return set(value) == {"type", "coordinates"}
        return False
    return (
        isinstance(value, list)
        and len(value) <= 50
        and all(isinstance(one, str | int | float) and _is_plain(one) for one in value)
    )
