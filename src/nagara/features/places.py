"""Boxes and geometries that are asked about, brought into the store's coordinates: pure."""

from __future__ import annotations

import math
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry

from nagara.features.cql import POINTS_MAX, Shape
from nagara.features.crs import STORAGE, SYSTEMS, Crs, from_crs
from nagara.features.errors import FilterInvalid, FilterTooComplex, ParameterInvalid
from nagara.values.geo import GeometryInvalid, read_geojson, to_geojson

#: Steps of an edge of a box that is straight in its own system and bent in ours.
_EDGE_STEPS = 32


def read_crs(text: str, name: str) -> Crs:
    """One of the systems, by its address. Raises `ParameterInvalid`."""
    found = SYSTEMS.get(text)
    if found is None:
        known = ", ".join(SYSTEMS)
        raise ParameterInvalid(name=name, reason=f"“{text[:120]}” is none of {known}")
    return found


def read_bbox(text: str, crs: Crs) -> BaseGeometry:
    """The area of a `bbox`; one that begins east of where it ends crosses the antimeridian.

    Six numbers have a lowest and a greatest height, by which nothing is left out: the city's
    places are flat. Raises `ParameterInvalid`.
    """
    parts = text.split(",")
    if len(parts) not in (4, 6):
        raise ParameterInvalid(name="bbox", reason="it has four numbers, or six with heights")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        raise ParameterInvalid(name="bbox", reason="a part of it is no number") from None
    if not all(map(math.isfinite, numbers)):
        raise ParameterInvalid(name="bbox", reason="a part of it is no number")
    if len(numbers) == 6:
        if numbers[2] > numbers[5]:
            raise ParameterInvalid(name="bbox", reason="its lowest height is above the greatest")
        numbers = [numbers[0], numbers[1], numbers[3], numbers[4]]
    try:
        return area_of((numbers[0], numbers[1], numbers[2], numbers[3]), crs)
    except ValueError as error:
        raise ParameterInvalid(name="bbox", reason=str(error)) from None


def area_of(box: tuple[float, float, float, float], crs: Crs) -> BaseGeometry:
    """The area of a box in the store's coordinates. Raises ValueError in words."""
    x1, y1, x2, y2 = box
    if crs.is_latitude_first:
        x1, y1, x2, y2 = y1, x1, y2, x2
    if y1 > y2:
        raise ValueError("its south is north of its north")
    if not crs.is_geographic:
        if x1 > x2:
            raise ValueError("its west is east of its east")
        made = from_crs(_dense(x1, y1, x2, y2), crs)
        if made is None:
            raise ValueError("it lies beyond the reach of its coordinate system")
        west, south, east, north = made.bounds
        return (
            shapely.box(max(west, -180), south, min(east, 180), north)
            if (west < -180 or east > 180)
            else made
        )
    if not (-180 <= x1 <= 180 and -180 <= x2 <= 180 and y1 >= -90 and y2 <= 90):
        raise ValueError("longitude is -180 to 180, latitude -90 to 90; see bbox-crs for the order")
    if x1 <= x2:
        return _flat(x1, y1, x2, y2)
    return shapely.union_all([_flat(x1, y1, 180.0, y2), _flat(-180.0, y1, x2, y2)])


def _flat(x1: float, y1: float, x2: float, y2: float) -> BaseGeometry:
    """A box, that may be as thin as a line or a point."""
    if x1 < x2 and y1 < y2:
        return shapely.box(x1, y1, x2, y2)
    if x1 == x2 and y1 == y2:
        return shapely.Point(x1, y1)
    return shapely.LineString([(x1, y1), (x2, y2)])


def _dense(x1: float, y1: float, x2: float, y2: float) -> BaseGeometry:
    flat = _flat(x1, y1, x2, y2)
    longest = max(x2 - x1, y2 - y1)
    return flat if longest <= 0 else shapely.segmentize(flat, longest / _EDGE_STEPS)


def asked_geometry(shape: Shape, crs: Crs) -> BaseGeometry:
    """The geometry of a filter in the store's coordinates.

    Raises `FilterInvalid` with the place, `FilterTooComplex`.
    """
    try:
        if shape.box is not None:
            made = area_of(shape.box, crs)
        else:
            turned = from_crs(shapely.force_2d(shape.geometry), crs)
            if turned is None:
                raise ValueError("it lies beyond the reach of its coordinate system")
            made = turned
        if shapely.get_num_coordinates(made) > POINTS_MAX:
            raise FilterTooComplex(what="points of a geometry", limit=POINTS_MAX)
        return read_geojson(to_geojson(made))
    except ValueError as error:
        raise FilterInvalid(position=shape.at, reason=str(error)) from None
    except GeometryInvalid as error:
        reason = str(error.params.get("reason"))
        raise FilterInvalid(position=shape.at, reason=reason) from error


def boxes_of(area: BaseGeometry) -> list[tuple[float, float, float, float]]:
    """The bounding boxes of an area's parts: two, where it crosses the antimeridian."""
    parts = getattr(area, "geoms", None)
    many: list[Any] = list(parts) if parts is not None and len(parts) <= 4 else [area]
    found = []
    for one in many:
        west, south, east, north = map(float, one.bounds)
        found.append((west, south, east, north))
    return found


__all__ = ["STORAGE", "area_of", "asked_geometry", "boxes_of", "read_bbox", "read_crs"]
