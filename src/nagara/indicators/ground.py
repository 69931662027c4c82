"""What a city's own tables and shapes say: people, places, parks, railways. Counted once.

People are known by district. Where they live within it is not, so they are taken to be spread
evenly over its area; distances are straight lines, and a walk along streets is longer. Both are
said wherever such a number is shown.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import shapely
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from nagara.city.model import City
from nagara.indicators.measures import EMPTY, GroundSet, PeopleSet, Tally

METRES_PER_DEGREE = 111_195.0  # of latitude, on the mean sphere
#: Side of the squares by which the distance to the nearest is averaged: finer than a bus stop's
#: reach, and 6,500 squares for a Bangkok.
SQUARE_M = 500.0
#: Stations of one line farther apart than this are not neighbours: the table turns to a branch.
NEIGHBOURS_M_MAX = 8_000.0


class Ground:
    """Numbers that change only with the kit. Everything here computes; nothing waits."""

    def __init__(self, city: City) -> None:
        self._city = city
        self._shrink = math.cos(math.radians((city.bounds[1] + city.bounds[3]) / 2))
        self._known: dict[GroundSet | PeopleSet, Tally] = {}

    @property
    def population(self) -> dict[str, float]:
        """Residents by district, of those districts that say it."""
        return {d.code: float(d.population) for d in self._city.districts if d.population}

    def tally(self, one: GroundSet | PeopleSet) -> Tally:
        """The number that a set names."""
        if one not in self._known:
            self._known[one] = (
                self._people(one) if isinstance(one, PeopleSet) else self._ground(one)
            )
        return self._known[one]

    def list_places(self, one: GroundSet | PeopleSet) -> list[dict[str, Any]]:
        """The places behind a number: of a layer, or of a kind of place."""
        layers = one.layers if isinstance(one, PeopleSet) else (one.kind,)
        if isinstance(one, GroundSet) and one.word.startswith("transit"):
            layers = ("transit",)
        found: list[dict[str, Any]] = []
        for layer in layers:
            if layer == "transit":
                found += [
                    {"layer": layer, "code": s.code, "name": s.name, "location": s.location}
                    for s in self._city.transit_stations
                    if s.opened
                ]
            found += [
                {"layer": layer, "code": p.code, "name": p.name, "location": p.location}
                for p in self._city.places
                if p.kind == layer
            ]
        return found

    # --- people -----------------------------------------------------------------------------

    def _people(self, one: PeopleSet) -> Tally:
        people = self.population
        if not people:
            return EMPTY
        if one.what == "all":
            return _summed(people)
        if one.what == "within" and one.limit is not None:
            return self._within(people, one.layers, one.limit)
        if one.what == "metres":
            return self._metres(people, one.layers[0])
        return EMPTY  # the others depend on what is measured: `counting` makes them

    def _within(self, people: dict[str, float], layers: Sequence[str], metres: float) -> Tally:
        reach: BaseGeometry | None = None
        for layer in layers:
            shapes = self._layer(layer)
            if not shapes:
                return EMPTY
            near = shapely.union_all(shapely.buffer(np.array(shapes), metres, quad_segs=8))
            reach = near if reach is None else shapely.intersection(reach, near)
        assert reach is not None
        shapely.prepare(reach)
        rows = {}
        for code, outline in self._outlines.items():
            if code in people and outline.area > 0:
                share = shapely.intersection(outline, reach).area / outline.area
                rows[code] = people[code] * share
        return _summed(rows)

    def _metres(self, people: dict[str, float], layer: str) -> Tally:
        shapes = self._layer(layer)
        if not shapes:
            return EMPTY
        tree = shapely.STRtree(shapes)
        rows = {}
        for code, outline in self._outlines.items():
            if code not in people:
                continue
            points = _squares(outline)
            _, metres = tree.query_nearest(points, return_distance=True, all_matches=False)
            rows[code] = people[code] * float(np.mean(metres))
        return _summed(rows)

    # --- places and areas -------------------------------------------------------------------

    def _ground(self, one: GroundSet) -> Tally:
        city = self._city
        match one.word:
            case "one":
                return Tally({d.code: 1.0 for d in city.districts}, 1.0, additive=False)
            case "area.km2":
                areas = {d.code: d.area_km2 for d in city.districts if d.area_km2}
                return _summed(areas) if areas else EMPTY
            case "area.parks_m2":
                return self._parks_m2()
            case "places":
                return self._places(one.kind)
            case "transit.stations":
                points = [s.location for s in city.transit_stations if s.opened]
                return self._points(points) if points else EMPTY
            case "transit.km":
                km = self._transit_km()
                return Tally({}, km, additive=False) if km else EMPTY
            case "departments.all":
                return _one(len(city.departments))
            case "departments.hotline":
                return _one(sum(d.hotline is not None for d in city.departments))
            case "districts.all":
                return _summed({d.code: 1.0 for d in city.districts})
            case "districts.with_transit":
                stations = self._ground(GroundSet("transit.stations")).rows
                return _summed({d.code: float(d.code in stations) for d in city.districts})
        return EMPTY

    def _places(self, kind: str) -> Tally:
        points = [place.location for place in self._city.places if place.kind == kind]
        return self._points(points) if points else EMPTY

    def _points(self, points: Sequence[tuple[float, float]]) -> Tally:
        rows: dict[str | None, float] = defaultdict(float)
        for point in points:
            district = self._city.district_at(*point)
            rows[district.code if district else None] += 1
        return Tally(dict(rows), float(len(points)))

    def _parks_m2(self) -> Tally:
        parks = [s for s in self._layer("park") if s.area > 0]
        if not parks:
            return EMPTY
        green = shapely.union_all(parks)  # maps draw some parks twice
        shapely.prepare(green)
        return _summed(
            {code: shapely.intersection(o, green).area for code, o in self._outlines.items()}
        )

    def _transit_km(self) -> float:
        """Straight lines between neighbours in the order of the table."""
        lines: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for station in self._city.transit_stations:
            if station.opened:
                lines[station.line].append(self._flat(*station.location))
        km = 0.0
        for points in lines.values():
            for a, b in pairwise(points):
                metres = math.dist(a, b)
                if metres <= NEIGHBOURS_M_MAX:
                    km += metres / 1000
        return km

    # --- shapes in metres -------------------------------------------------------------------

    def _flat(self, lon: float, lat: float) -> tuple[float, float]:
        return lon * self._shrink * METRES_PER_DEGREE, lat * METRES_PER_DEGREE

    def _flatten(self, geometry: BaseGeometry) -> BaseGeometry:
        scale = [self._shrink * METRES_PER_DEGREE, METRES_PER_DEGREE]
        flat = shapely.transform(geometry, lambda xy: xy * scale)
        return flat if flat.is_valid else shapely.make_valid(flat)

    @cached_property
    def _outlines(self) -> dict[str, BaseGeometry]:
        index = self._city.district_index
        return {code: self._flatten(index.outline(code)) for code in index.codes()}

    def _layer(self, layer: str) -> list[BaseGeometry]:
        """What a layer consists of, in metres: outlines where a map has them, else points."""
        city = self._city
        if layer == "transit":
            return [
                shapely.Point(self._flat(*s.location)) for s in city.transit_stations if s.opened
            ]
        found: list[BaseGeometry] = []
        if city.shapes is not None and layer == "park" and "parks" in city.shapes.layers:
            features = city.shapes.layers["parks"]["features"]
            found = [self._flatten(shape(f["geometry"])) for f in features]
        points = [p.location for p in city.places if p.kind == layer]
        return found + [shapely.Point(self._flat(*point)) for point in points]


def _squares(outline: BaseGeometry) -> np.ndarray[Any, Any]:
    west, south, east, north = outline.bounds
    xs = np.arange(west + SQUARE_M / 2, east, SQUARE_M)
    ys = np.arange(south + SQUARE_M / 2, north, SQUARE_M)
    grid: Any = shapely.points(np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2))
    inside = grid[shapely.contains(outline, grid)]
    return inside if len(inside) else np.array([outline.representative_point()])


def _summed(rows: dict[str, float]) -> Tally:
    return Tally(dict(rows), sum(rows.values()))


def _one(count: int) -> Tally:
    return Tally({}, float(count), additive=False)
