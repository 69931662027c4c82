"""The entity sets of OGC SensorThings 1.1, clause 8.2, and where the store keeps each: pure data.

A column is an expression over the alias of its view; `{x}` stands for that alias.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

Kind = Literal["num", "text", "time", "span", "json", "bool", "geo"]

#: Observations have the number of their log row and of their stream in it, within 2^53.
SLOTS = 1024

GEOJSON_ENCODINGS = ("application/geo+json", "application/vnd.geo+json")


class Column(Struct, frozen=True):
    """A property: its SQL over `{x}`, and what it is. `end`: of a span."""

    sql: str
    kind: Kind
    end: str = ""


class Nav(Struct, frozen=True):
    """A navigation property: the set it leads to, whether to many, and the join of child `{c}`
    with the id `{p}` of the parent. `key`: the parent's column that holds the child's id."""

    target: str
    many: bool
    join: str
    key: str = ""


class EntitySet(Struct, frozen=True):
    """One of the eight sets. `later`: what is shown, and found out for the rows of a page alone."""

    name: str
    one: str
    view: str
    type: str  # the NGSI-LD type of what is made through SensorThings
    columns: Mapping[str, Column]
    navs: Mapping[str, Nav]
    needed: tuple[str, ...]  # mandatory when it is made
    optional: tuple[str, ...] = ()  # left out of an answer where there is none
    later: tuple[str, ...] = ()


def _col(sql: str, kind: Kind, end: str = "") -> Column:
    return Column("{x}." + sql, kind, end and "{x}." + end)


_ID = _col("id", "num")
_NAME, _DESCRIPTION = _col("name", "text"), _col("description", "text")
_ENCODING, _PROPERTIES = _col("encoding", "text"), _col("properties", "json")


def _linked(kind: str, forward: bool = True) -> str:
    """The child is among those linked: `in`, so that the few links lead to the many rows."""
    a, b = ("a", "b") if forward else ("b", "a")
    return (
        f"{{c}}.id in (select l.{b} from sensorthings.link l"  # noqa: S608 - constants
        f" where l.kind = '{kind}' and l.{a} = {{p}})"
    )


SETS: Mapping[str, EntitySet] = {
    one.name: one
    for one in (
        EntitySet(
            "Things",
            "Thing",
            "sensorthings.things",
            "Thing",
            {
                "id": _ID,
                "name": _NAME,
                "description": _DESCRIPTION,
                "properties": _PROPERTIES,
            },
            {
                "Datastreams": Nav("Datastreams", True, "{c}.thing = {p}"),
                "HistoricalLocations": Nav("HistoricalLocations", True, _linked("t", False)),
                "Locations": Nav("Locations", True, _linked("l")),
            },
            ("name", "description"),
            ("properties",),
        ),
        EntitySet(
            "Locations",
            "Location",
            "sensorthings.locations",
            "Location",
            {
                "id": _ID,
                "name": _NAME,
                "description": _DESCRIPTION,
                "encodingType": _ENCODING,
                "location": _col("body", "geo"),
                "properties": _PROPERTIES,
            },
            {
                "Things": Nav("Things", True, _linked("l", False)),
                "HistoricalLocations": Nav("HistoricalLocations", True, _linked("h", False)),
            },
            ("name", "description", "encodingType", "location"),
            ("properties",),
        ),
        EntitySet(
            "HistoricalLocations",
            "HistoricalLocation",
            "sensorthings.historical",
            "HistoricalLocation",
            {"id": _ID, "time": _col("time", "time")},
            {
                "Thing": Nav("Things", False, "{c}.id = {p}", "thing"),
                "Locations": Nav("Locations", True, _linked("h")),
            },
            ("time",),
        ),
        EntitySet(
            "Datastreams",
            "Datastream",
            "sensorthings.datastreams",
            "Datastream",
            {
                "id": _ID,
                "name": _NAME,
                "description": _DESCRIPTION,
                "observationType": _col("kind", "text"),
                "unitOfMeasurement": _col("unit", "json"),
                "observedArea": _col("area", "geo"),
                "phenomenonTime": _col("first_at", "span", "last_at"),
                "resultTime": _col("first_result_at", "span", "last_result_at"),
                "properties": _PROPERTIES,
            },
            {
                "Thing": Nav("Things", False, "{c}.id = {p}", "thing"),
                "Sensor": Nav("Sensors", False, "{c}.id = {p}", "sensor"),
                "ObservedProperty": Nav("ObservedProperties", False, "{c}.id = {p}", "property"),
                "Observations": Nav("Observations", True, "{c}.datastream = {p}"),
            },
            ("name", "description", "observationType", "unitOfMeasurement"),
            ("observedArea", "phenomenonTime", "resultTime", "properties"),
            ("phenomenonTime", "resultTime"),
        ),
        EntitySet(
            "Sensors",
            "Sensor",
            "sensorthings.sensors",
            "Sensor",
            {
                "id": _ID,
                "name": _NAME,
                "description": _DESCRIPTION,
                "encodingType": _ENCODING,
                "metadata": _col("metadata", "json"),
                "properties": _PROPERTIES,
            },
            {"Datastreams": Nav("Datastreams", True, "{c}.sensor = {p}")},
            ("name", "description", "encodingType", "metadata"),
            ("properties",),
        ),
        EntitySet(
            "ObservedProperties",
            "ObservedProperty",
            "sensorthings.observed",
            "ObservedProperty",
            {
                "id": _ID,
                "name": _NAME,
                "definition": _col("definition", "text"),
                "description": _DESCRIPTION,
                "properties": _PROPERTIES,
            },
            {"Datastreams": Nav("Datastreams", True, "{c}.property = {p}")},
            ("name", "definition", "description"),
            ("properties",),
        ),
        EntitySet(
            "Observations",
            "Observation",
            "sensorthings.observations",
            "",
            {
                "id": _ID,
                "phenomenonTime": Column("{x}.at", "span", "coalesce({x}.end_at, {x}.at)"),
                "result": _col("result", "json"),
                "resultTime": _col("result_at", "time"),
                "resultQuality": _col("quality", "json"),
                "validTime": _col("valid_from", "span", "valid_to"),
                "parameters": _col("parameters", "json"),
            },
            {
                "Datastream": Nav("Datastreams", False, "{c}.id = {p}", "datastream"),
                "FeatureOfInterest": Nav("FeaturesOfInterest", False, "{c}.id = {p}", "feature"),
            },
            ("result",),
            ("resultQuality", "validTime", "parameters"),
        ),
        EntitySet(
            "FeaturesOfInterest",
            "FeatureOfInterest",
            "sensorthings.features",
            "FeatureOfInterest",
            {
                "id": _ID,
                "name": _NAME,
                "description": _DESCRIPTION,
                "encodingType": _ENCODING,
                "feature": _col("body", "geo"),
                "properties": _PROPERTIES,
            },
            {
                "Observations": Nav(
                    "Observations",
                    True,
                    "{c}.datastream in (select l.b from sensorthings.link l where l.kind = 'f'"
                    " and l.a = {p} union all select d.id from sensorthings.datastream d"
                    " where d.no = {p}) and {c}.feature = {p}",
                )
            },
            ("name", "description", "encodingType", "feature"),
            ("properties",),
        ),
    )
}

BY_ONE: Mapping[str, EntitySet] = {one.one: one for one in SETS.values()}
BY_TYPE: Mapping[str, EntitySet] = {one.type: one for one in SETS.values() if one.type}

#: What a path of several steps comes down to, as a column of the row itself.
SHORT: Mapping[tuple[str, ...], str] = {
    ("Observations", "Datastream", "id"): "datastream",
    ("Observations", "Datastream", "Thing", "id"): "thing",
    ("Observations", "Datastream", "Sensor", "id"): "sensor",
    ("Observations", "Datastream", "ObservedProperty", "id"): "property",
    ("Observations", "FeatureOfInterest", "id"): "feature",
    ("Datastreams", "Thing", "id"): "thing",
    ("Datastreams", "Sensor", "id"): "sensor",
    ("Datastreams", "ObservedProperty", "id"): "property",
    ("HistoricalLocations", "Thing", "id"): "thing",
}

#: Two steps that a row of Observations goes in one: what its Datastream leads to, is in the row.
HOPS: Mapping[tuple[str, str, str], Nav] = {
    ("Observations", "Datastream", one): Nav(target, False, "{c}.id = {p}", key)
    for one, target, key in (
        ("Thing", "Things", "thing"),
        ("Sensor", "Sensors", "sensor"),
        ("ObservedProperty", "ObservedProperties", "property"),
    )
}

#: The letter of each set in `sensorthings.member`.
LETTERS: Mapping[str, str] = {
    "Thing": "t",
    "Location": "l",
    "HistoricalLocation": "h",
    "Sensor": "s",
    "ObservedProperty": "o",
    "FeatureOfInterest": "f",
}
