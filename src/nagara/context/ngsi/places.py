"""Where in the world a request asks, among its parameters (clauses 4.10, 4.23.3)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from nagara.context.errors import QueryInvalid
from nagara.context.geometry import shape_of
from nagara.context.model import GeoQuery
from nagara.context.ngsi.terms import TermMap
from nagara.values.geo import GEOMETRY_TYPES

_GEORELS = ("near", "within", "contains", "intersects", "equals", "disjoint", "overlaps")
_DISTANCE = re.compile(r"(max|min)Distance==?(\d{1,12}(?:\.\d{1,12})?(?:[eE][+-]?\d{1,3})?)")


def wrong(query: Any, reason: str) -> QueryInvalid:
    """A parameter that is not as the standard has it."""
    return QueryInvalid(query=str(query)[:200], position=0, reason=reason)


def read_geo(params: Mapping[str, Any], terms: TermMap) -> GeoQuery | None:
    """The geo-query of parameters (clause 4.10). Raises `QueryInvalid`, `GeometryInvalid`."""
    georel, geometry = params.get("georel"), params.get("geometry")
    coordinates = params.get("coordinates")
    if georel is None and coordinates is None and geometry is None:
        return None
    if not georel or not geometry or coordinates is None:
        raise wrong(georel, "a geo-query names georel, geometry and coordinates")
    relation, *modifiers = str(georel).split(";")
    if relation not in _GEORELS:
        raise wrong(georel, f"no georel “{relation[:40]}”")
    most, least = _distances(str(georel), relation, modifiers)
    if geometry not in GEOMETRY_TYPES:
        raise wrong(geometry, "geometry is the type of a GeoJSON geometry")
    held = "geometries" if geometry == "GeometryCollection" else "coordinates"
    name = params.get("geoproperty")
    made = GeoQuery(
        relation,  # type: ignore[arg-type] # checked above
        {"type": geometry, held: _coordinates(coordinates)},
        most,
        least,
        terms.expand(str(name)) if name else "location",
    )
    shape_of(made)
    return made


def _distances(
    georel: str, relation: str, modifiers: list[str]
) -> tuple[float | None, float | None]:
    if relation != "near":
        if modifiers:
            raise wrong(georel, "only near has a distance")
        return None, None
    match = _DISTANCE.fullmatch(modifiers[0]) if len(modifiers) == 1 else None
    metres = float(match[2]) if match else 0.0
    if match is None or not math.isfinite(metres) or metres <= 0:
        raise wrong(georel, "near has one ;maxDistance==metres or ;minDistance==metres above 0")
    return (metres, None) if match[1] == "max" else (None, metres)


def _coordinates(said: Any) -> Any:
    if isinstance(said, str):
        try:
            said = json.loads(said)
        except (ValueError, RecursionError) as error:
            raise wrong(said, "coordinates is a JSON array") from error
    if not isinstance(said, list):
        raise wrong(said, "coordinates is a JSON array")
    return said


def order_from(params: Mapping[str, Any]) -> tuple[float, float] | None:
    """The point from which distances are ordered (clause 4.23.3). Raises `QueryInvalid`."""
    said = params.get("orderFrom", params.get("orderCoordinates"))
    kind = params.get("orderGeometry", "Point")
    if kind != "Point":
        raise wrong(kind, "distances are ordered from a Point")
    if said is None:
        return None
    where = _coordinates(said)
    if len(where) not in (2, 3) or not all(
        type(c) in (int, float) and math.isfinite(c) for c in where
    ):
        raise wrong(said, "orderFrom is [longitude, latitude]")
    lon, lat = float(where[0]), float(where[1])
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        raise wrong(said, "orderFrom is [longitude, latitude] on the earth")
    return lon, lat
