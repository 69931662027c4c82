"""The geometry columns of an entity, and the exact geo-query on documents (clause 4.10)."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from nagara.context.errors import QueryTooComplex
from nagara.context.model import Attrs, GeoQuery, default_instance, instances_of
from nagara.values.geo import GeometryInvalid, distance_m, read_geojson

Placed = tuple[str, bytes]  # a box as PostgreSQL writes it, WKB

#: Points of a query's geometry: a district drawn by hand has fifty, an official one some hundreds.
QUERY_POINTS_MAX = 5_000
#: A distance is looked for along an edge in so many steps of the planar solution.
_EDGE_TURNS = 3


def place(location: Any) -> Placed | None:
    """Bounding box of all instances and WKB of the default one of a stored `location` attribute;
    None where there is none.

    Raises `GeometryInvalid` for a value that is no GeoJSON geometry. Points, nearly all of what a
    city writes, do not take the way through Shapely.
    """
    instance = default_instance(location)
    if instance is None:
        return None
    value = instance.get("value")
    if isinstance(value, dict) and value.get("type") == "Point" and location is instance:
        lon, lat = _position(value.get("coordinates"))
        wkb = struct.pack("<BIdd", 1, 1, lon, lat)
        return f"({lon!r},{lat!r}),({lon!r},{lat!r})", wkb
    geometry = _read(value)
    others = [_read(i.get("value")) for i in instances_of(location) if i is not instance]
    bounds = np.array([g.bounds for g in (geometry, *others)])
    west, south = map(float, bounds[:, :2].min(axis=0))
    east, north = map(float, bounds[:, 2:].max(axis=0))
    return f"({east!r},{north!r}),({west!r},{south!r})", shapely.to_wkb(geometry)


def demand_geometry(value: Any) -> None:
    """Raise `GeometryInvalid` for a value that is no GeoJSON geometry."""
    if isinstance(value, dict) and value.get("type") == "Point":
        _position(value.get("coordinates"))
    else:
        _read(value)


def _read(value: Any) -> BaseGeometry:
    """What is kept as it came: a ring that crosses itself is found by the areas it encloses."""
    return read_geojson(value, mended=True)


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


@lru_cache(maxsize=256)
def _shape(geojson: bytes) -> BaseGeometry:
    made = _read(msgspec.json.decode(geojson))
    if shapely.get_num_coordinates(made) > QUERY_POINTS_MAX:
        raise QueryTooComplex(what="points in its geometry", limit=QUERY_POINTS_MAX)
    shapely.prepare(made)
    return made


def shape_of(geo: GeoQuery) -> BaseGeometry:
    """The geometry that is asked about, read once. Raises `GeometryInvalid`, `QueryTooComplex`."""
    text = msgspec.json.encode(geo.geometry)
    if len(text) > 200 * QUERY_POINTS_MAX:
        raise QueryTooComplex(what="points in its geometry", limit=QUERY_POINTS_MAX)
    return _shape(text)


def fulfils(attrs: Attrs, geo: GeoQuery) -> bool:
    """The exact geo-query on one document: whether any instance of the geo-property fulfils it
    (clause 4.10, OGC Simple Features relations)."""
    for instance in instances_of(attrs.get(geo.geoproperty)):
        try:
            here = _read(instance.get("value"))
        except GeometryInvalid:
            continue  # another geoproperty than `location` may hold what is no geometry
        if bool(are_related(np.array([here]), geo)[0]):
            return True
    return False


def are_related_wkb(shapes: Sequence[bytes], geo: GeoQuery) -> Any:
    """Which of geometries, as WKB, fulfil a geo-query: an array of booleans."""
    return are_related(shapely.from_wkb(list(shapes)), geo)


def are_related(here: Any, geo: GeoQuery) -> Any:
    """Which of an array of geometries fulfil a geo-query: an array of booleans."""
    there = shape_of(geo)
    if geo.georel == "near":
        metres = np.array([distance_between_m(one, there) for one in here])
        if geo.max_distance_m is not None:
            return metres <= geo.max_distance_m
        return metres >= (geo.min_distance_m or 0.0)
    inverse = {"within": "contains", "contains": "within"}.get(geo.georel, geo.georel)
    # The prepared geometry asks: much the faster way.
    return getattr(shapely, inverse)(there, here)


def distance_between_m(a: Any, b: Any) -> float:
    """Distance of the nearest points of two geometries along the sphere, in metres.

    The nearest points are looked for in a plane whose east is shortened by the latitude between
    them, so that a degree is as long one way as the other.
    """
    if a.geom_type == "Point" and b.geom_type == "Point":
        return distance_m((a.x, a.y), (b.x, b.y))
    if a.intersects(b):
        return 0.0
    _, south, _, north = a.bounds
    latitude = (south + north) / 2
    found = math.inf
    for _ in range(_EDGE_TURNS):
        shrink = max(0.001, math.cos(math.radians(latitude)))
        line = shapely.shortest_line(_shrunk(a, shrink), _shrunk(b, shrink))
        (x1, y1), (x2, y2) = line.coords
        found = min(found, distance_m((x1 / shrink, y1), (x2 / shrink, y2)))
        latitude = (y1 + y2) / 2
    return found


def _shrunk(geometry: BaseGeometry, shrink: float) -> Any:
    return shapely.transform(geometry, lambda c: c * np.array([shrink, 1.0]))
