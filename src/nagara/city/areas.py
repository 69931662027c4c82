"""Outlines of districts and the search for the one that holds a position.

Real outlines come from the kit-data folder (`shapes.read_shapes`). Without them each district is
the cell of all points nearer to its centre than to another's (Voronoi), clipped to the city's
bounds: honest guesses, marked approximate wherever they are shown.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import shapely
from msgspec import Struct
from shapely.geometry.base import BaseGeometry

from nagara.values.geo import to_geojson

Bounds = tuple[float, float, float, float]

#: Positions are sent with 5 decimals: about a metre, finer than any outline we are given.
GRID_DEGREES = 1e-5
#: About 30 m: a phone's fix is no better, and rounded neighbours may leave a gap of a metre.
NEAR_DEGREES = 3e-4


class DistrictIndex:
    """Outlines by district code, found by position."""

    def __init__(self, outlines: Mapping[str, BaseGeometry], approximate: bool) -> None:
        self.approximate = approximate
        self._codes = sorted(outlines)
        self._outlines = dict(outlines)
        self._tree = shapely.STRtree([outlines[code] for code in self._codes])

    def find(self, lon: float, lat: float) -> str | None:
        """The code of the district at a WGS 84 position; on a border the lower code.

        Just outside (30 m) it is that of the nearest district, farther off None.
        """
        if not (math.isfinite(lon) and math.isfinite(lat)):
            return None  # forms and payloads can say "nan"
        point = shapely.Point(lon, lat)
        hits = self._tree.query(point, predicate="intersects")
        if not len(hits):
            hits = self._tree.query_nearest(point, max_distance=NEAR_DEGREES)
        return self._codes[int(hits.min())] if len(hits) else None

    def outline(self, code: str) -> BaseGeometry:
        """The outline of a district, in WGS 84 degrees. Raises KeyError."""
        return self._outlines[code]

    def geojson(self, code: str) -> dict[str, Any]:
        """The outline of a district as a GeoJSON geometry. Raises KeyError."""
        return to_geojson(self._outlines[code])

    def codes(self) -> tuple[str, ...]:
        """All district codes that have an outline, in order."""
        return tuple(self._codes)


class Shapes(Struct, frozen=True):
    """What was read from the kit-data folder: outlines, and layers as GeoJSON collections."""

    districts: DistrictIndex | None
    layers: Mapping[str, Mapping[str, Any]]


def cells_index(centres: Mapping[str, tuple[float, float]], bounds: Bounds) -> DistrictIndex:
    """Approximate outlines: for each (longitude, latitude) centre its Voronoi cell in the bounds.

    Longitudes are shrunk by the cosine of the mid latitude, so that "nearest" is in metres.
    """
    west, south, east, north = bounds
    shrink = math.cos(math.radians((south + north) / 2))
    frame = shapely.box(west * shrink, south, east * shrink, north)
    codes = sorted(centres)
    points = [shapely.Point(centres[c][0] * shrink, centres[c][1]) for c in codes]
    cells = _voronoi(points, frame)
    outlines = {
        code: shapely.set_precision(
            shapely.transform(cell, lambda xy: xy / [shrink, 1.0]), GRID_DEGREES
        )
        for code, cell in zip(codes, cells, strict=True)
    }
    return DistrictIndex(outlines, approximate=True)


def _voronoi(points: list[shapely.Point], frame: BaseGeometry) -> list[BaseGeometry]:
    if len(points) == 1:
        return [frame]
    found = shapely.voronoi_polygons(shapely.MultiPoint(points), extend_to=frame)
    tree = shapely.STRtree(list(found.geoms))
    cells = []
    for point in points:  # the diagram does not keep the order of the points
        hit = tree.query(point, predicate="within")
        cells.append(shapely.intersection(found.geoms[int(hit[0])], frame))
    return cells
