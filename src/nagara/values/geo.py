"""Geometry as GeoJSON (RFC 7946), WGS 84, longitude before latitude."""

from __future__ import annotations

import math
from typing import Any

import shapely
from shapely.geometry import mapping, shape
from shapely.geometry.base import BaseGeometry

from nagara.values.errors import Problem

#: A city's coastline has tens of thousands of points; beyond this a geometry is a whole country.
POINTS_MAX = 200_000
#: A tuple: what is looked for in it comes from outside and may be anything of JSON, lists too,
#: which a set would have to hash.
GEOMETRY_TYPES = (
    "Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon",
    "GeometryCollection",
)  # fmt: skip
EARTH_RADIUS_M = 6_371_008.8  # mean radius, IUGG 1980


class GeometryInvalid(Problem):
    """Something that is not a valid GeoJSON geometry."""

    code = "geometry-invalid"
    ngsi_type = "BadRequestData"


def read_geojson(value: Any, mended: bool = False) -> BaseGeometry:
    """The Shapely geometry of a GeoJSON geometry object.

    `mended`: a ring that crosses itself is read as the areas that it encloses, for RFC 7946 says
    nothing of it.

    Raises `GeometryInvalid` with the reason: wrong type, coordinates out of range, open ring,
    self-intersection.
    """
    if not isinstance(value, dict) or not isinstance(value.get("type"), str):
        raise GeometryInvalid(reason="a GeoJSON geometry has 'type' and 'coordinates'")
    try:
        geometry: BaseGeometry = shape(value)
    except Exception as error:
        raise GeometryInvalid(reason=_reason(error)) from error
    if geometry.is_empty:
        raise GeometryInvalid(reason="the geometry is empty")
    if shapely.get_num_coordinates(geometry) > POINTS_MAX:
        raise GeometryInvalid(reason=f"more than {POINTS_MAX} points")
    west, south, east, north = geometry.bounds
    if not all(map(math.isfinite, (west, south, east, north))):
        raise GeometryInvalid(reason="a coordinate is not a number")
    if west < -180 or east > 180 or south < -90 or north > 90:
        raise GeometryInvalid(reason="longitude is -180 to 180 and comes first, latitude -90 to 90")
    if not geometry.is_valid:
        if mended:
            return shapely.make_valid(geometry)
        raise GeometryInvalid(reason=shapely.is_valid_reason(geometry))
    return geometry


def _reason(error: Exception) -> str:
    """Of what Shapely says only what somebody who wrote a geometry understands."""
    said = str(error).strip()
    known = ("Unknown geometry type", "A linearring requires")
    return said[:200] if said.startswith(known) else "its coordinates are not as its type has them"


def to_geojson(geometry: BaseGeometry) -> dict[str, Any]:
    """The GeoJSON geometry object of a Shapely geometry."""
    return dict(mapping(geometry))


def distance_m(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Great-circle distance in metres between two (longitude, latitude) points."""
    lon_a, lat_a, lon_b, lat_b = map(math.radians, (*a, *b))
    h = (
        math.sin((lat_b - lat_a) / 2) ** 2
        + math.cos(lat_a) * math.cos(lat_b) * math.sin((lon_b - lon_a) / 2) ** 2
    )
    return 2 * EARTH_RADIUS_M * math.asin(math.sqrt(h))
