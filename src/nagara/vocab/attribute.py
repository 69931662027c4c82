"""How a noun is written as NGSI-LD attributes (ETSI GS CIM 009 clauses 4.5.2, 4.5.3, 4.5.18)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from nagara.values.time import format_instant

Attrs = dict[str, Any]


def property_of(value: Any) -> dict[str, Any]:
    """A Property; an instant is written as a DateTime value (clause 4.6.3)."""
    if isinstance(value, datetime):
        return {"type": "Property", "value": {"@type": "DateTime", "@value": format_instant(value)}}
    return {"type": "Property", "value": value}


def text_of(words: Mapping[str, str]) -> dict[str, Any]:
    """A LanguageProperty: the same words in each language."""
    return {"type": "LanguageProperty", "languageMap": dict(words)}


def relation_to(entity_id: str) -> dict[str, Any]:
    """A Relationship to one entity."""
    return {"type": "Relationship", "object": entity_id}


def point_at(lon: float, lat: float) -> dict[str, Any]:
    """A GeoProperty that is a point, in degrees WGS 84 to 5 decimals (about a metre)."""
    coordinates = [round(lon, 5), round(lat, 5)]
    return {"type": "GeoProperty", "value": {"type": "Point", "coordinates": coordinates}}


def point_of(geojson: Any) -> tuple[float, float] | None:
    """(longitude, latitude) of a GeoJSON point; None for anything else."""
    if not isinstance(geojson, dict) or geojson.get("type") != "Point":
        return None
    lon, lat = geojson["coordinates"][:2]
    return float(lon), float(lat)
