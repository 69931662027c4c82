"""The geometry columns of an entity: WKB and the bounding box of its `location`."""

from __future__ import annotations

import struct
from typing import Any

import shapely

from nagara.context.model import default_instance
from nagara.values.geo import GeometryInvalid, read_geojson

Placed = tuple[str, bytes]  # a box as PostgreSQL writes it, WKB


def place(location: Any) -> Placed | None:
    """Bounding box and WKB of a stored `location` attribute; None where there is none.

    Raises `GeometryInvalid` for a value that is no GeoJSON geometry. Points, nearly all of what a
    city writes, do not take the way through Shapely.
    """
    instance = default_instance(location)
    if instance is None:
        return None
    value = instance.get("value")
    if isinstance(value, dict) and value.get("type") == "Point":
        lon, lat = _position(value.get("coordinates"))
        wkb = struct.pack("<BIdd", 1, 1, lon, lat)
        return f"({lon!r},{lat!r}),({lon!r},{lat!r})", wkb
    geometry = read_geojson(value)
    west, south, east, north = geometry.bounds
    return f"({east!r},{north!r}),({west!r},{south!r})", shapely.to_wkb(geometry)


def demand_geometry(value: Any) -> None:
    """Raise `GeometryInvalid` for a value that is no GeoJSON geometry."""
    if isinstance(value, dict) and value.get("type") == "Point":
        _position(value.get("coordinates"))
    else:
        read_geojson(value)


def _position(coordinates: Any) -> tuple[float, float]:
    if (
        not isinstance(coordinates, list | tuple)
        or len(coordinates) not in (2, 3)
        or not all(type(c) in (int, float) for c in coordinates)
    ):
        raise GeometryInvalid(reason="a Point has coordinates [longitude, latitude]")
    lon, lat = float(coordinates[0]), float(coordinates[1])
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        raise GeometryInvalid(reason="longitude is -180 to 180 and comes first, latitude -90 to 90")
    return lon, lat
