"""The geometries of a filter, whichever form it came in: pure, bounded."""

from __future__ import annotations

import shapely
from shapely.geometry.base import BaseGeometry

from nagara.features.cql import POINTS_MAX, Shape
from nagara.features.errors import FilterInvalid, FilterTooComplex


def read_wkt(text: str, at: int = 1) -> BaseGeometry:
    """The geometry of well-known text. Raises `FilterInvalid`, `FilterTooComplex`."""
    try:
        made: BaseGeometry = shapely.from_wkt(text)
    except Exception as error:
        raise FilterInvalid(position=at, reason=f"WKT: {str(error)[:150]}") from error
    return checked(made, at)


def checked(made: BaseGeometry | None, at: int) -> BaseGeometry:
    """A geometry that is none too great, nor empty."""
    if made is None or made.is_empty:
        raise FilterInvalid(position=at, reason="the geometry is empty")
    if shapely.get_num_coordinates(made) > POINTS_MAX:
        raise FilterTooComplex(what="points of a geometry", limit=POINTS_MAX)
    return made


def box_shape(numbers: list[float], at: int) -> Shape:
    """A BBOX of four or six numbers; its corners wait for the system they are in."""
    if len(numbers) not in (4, 6):
        raise FilterInvalid(position=at, reason="BBOX has four or six numbers")
    if len(numbers) == 6:
        numbers = [numbers[0], numbers[1], numbers[3], numbers[4]]
    x1, y1, x2, y2 = numbers
    return Shape(shapely.Point(x1, y1), at, is_box=True, box=(x1, y1, x2, y2))
