"""Coordinate reference systems of OGC API Features Part 2: pure arithmetic, no grid, no network.

The store holds WGS 84 longitude and latitude. Web Mercator is closed arithmetic; the transverse
Mercator of the UTM zones is the series of Krüger (1912) in the third flattening, to its sixth
order, as C. F. F. Karney gives it ("Transverse Mercator with an accuracy of a few nanometers",
2011, equations 35 and 36). docs/decisions/0018 tells what it was compared with.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import shapely
from msgspec import Struct
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

Numbers = NDArray[np.float64]
Transform = Callable[[Numbers, Numbers], tuple[Numbers, Numbers]]

_OGC = "http://www.opengis.net/def/crs/"
CRS84 = _OGC + "OGC/1.3/CRS84"
CRS84H = _OGC + "OGC/0/CRS84h"

#: WGS 84 (EPSG:7030).
_A_M, _F = 6_378_137.0, 1 / 298.257223563
_N = _F / (2 - _F)
_E = math.sqrt(_F * (2 - _F))
_K0, _FALSE_EAST_M = 0.9996, 500_000.0
#: Degrees from the middle of a zone up to which it is used. The series itself reaches further, but
#: nobody draws a map so far from its zone.
_REACH_DEG = 40.0
_REACH_M = 5_000_000.0
#: Web Mercator has no poles.
_MERCATOR_LAT_MAX = 89.9
_MERCATOR_M_MAX = 5.0e7

_RECTIFYING_M = _A_M / (1 + _N) * (1 + _N**2 / 4 + _N**4 / 64 + _N**6 / 256)
_ALPHA = (
    _N / 2 - 2 / 3 * _N**2 + 5 / 16 * _N**3 + 41 / 180 * _N**4 - 127 / 288 * _N**5
    + 7891 / 37800 * _N**6,
    13 / 48 * _N**2 - 3 / 5 * _N**3 + 557 / 1440 * _N**4 + 281 / 630 * _N**5
    - 1983433 / 1935360 * _N**6,
    61 / 240 * _N**3 - 103 / 140 * _N**4 + 15061 / 26880 * _N**5 + 167603 / 181440 * _N**6,
    49561 / 161280 * _N**4 - 179 / 168 * _N**5 + 6601661 / 7257600 * _N**6,
    34729 / 80640 * _N**5 - 3418889 / 1995840 * _N**6,
    212378941 / 319334400 * _N**6,
)  # fmt: skip
_BETA = (
    _N / 2 - 2 / 3 * _N**2 + 37 / 96 * _N**3 - 1 / 360 * _N**4 - 81 / 512 * _N**5
    + 96199 / 604800 * _N**6,
    1 / 48 * _N**2 + 1 / 15 * _N**3 - 437 / 1440 * _N**4 + 46 / 105 * _N**5
    - 1118711 / 3870720 * _N**6,
    17 / 480 * _N**3 - 37 / 840 * _N**4 - 209 / 4480 * _N**5 + 5569 / 90720 * _N**6,
    4397 / 161280 * _N**4 - 11 / 504 * _N**5 - 830251 / 7257600 * _N**6,
    4583 / 161280 * _N**5 - 108847 / 3991680 * _N**6,
    20648693 / 638668800 * _N**6,
)  # fmt: skip


class Crs(Struct, frozen=True):
    """A system: its address, names, how CRS84 becomes it and it becomes CRS84."""

    uri: str
    label: str
    to: Transform
    back: Transform
    decimals: int  # of what is told: a nanometre is no news
    is_geographic: bool = False
    is_latitude_first: bool = False


def _same(x: Numbers, y: Numbers) -> tuple[Numbers, Numbers]:
    return x, y


def _swapped(x: Numbers, y: Numbers) -> tuple[Numbers, Numbers]:
    return y, x


def _to_mercator(lon: Numbers, lat: Numbers) -> tuple[Numbers, Numbers]:
    held = np.clip(lat, -_MERCATOR_LAT_MAX, _MERCATOR_LAT_MAX)
    return _A_M * np.radians(lon), _A_M * np.arcsinh(np.tan(np.radians(held)))


def _from_mercator(x: Numbers, y: Numbers) -> tuple[Numbers, Numbers]:
    far = (np.abs(x) > _MERCATOR_M_MAX) | (np.abs(y) > _MERCATOR_M_MAX)
    lon = np.degrees(x / _A_M)
    lat = np.degrees(np.arctan(np.sinh(np.clip(y, -_MERCATOR_M_MAX, _MERCATOR_M_MAX) / _A_M)))
    return np.where(far, np.nan, lon), np.where(far, np.nan, lat)


def _conformal(tau: Numbers) -> Numbers:
    """The tangent of the conformal latitude, of that of the geographic one (Karney, 7 to 9)."""
    sigma = np.sinh(_E * np.arctanh(_E * tau / np.hypot(1, tau)))
    return np.asarray(tau * np.hypot(1, sigma) - sigma * np.hypot(1, tau))


def _geographic(tau_conformal: Numbers) -> Numbers:
    """The reverse, by Newton's method (Karney, 19 to 21): three turns are more than enough."""
    tau = tau_conformal / (1 - _E**2)
    for _ in range(4):
        held = _conformal(tau)
        step = (tau_conformal - held) / np.hypot(1, held)
        step = step * (1 + (1 - _E**2) * tau**2) / ((1 - _E**2) * np.hypot(1, tau))
        tau = tau + step
    return tau


def _utm(central_deg: float) -> tuple[Transform, Transform]:
    def to(lon: Numbers, lat: Numbers) -> tuple[Numbers, Numbers]:
        away = (lon - central_deg + 180.0) % 360.0 - 180.0
        far = (np.abs(away) > _REACH_DEG) | (np.abs(lat) > 90)
        turn = np.radians(np.where(far, 0.0, away))
        conformal = _conformal(np.tan(np.radians(np.clip(lat, -89.999999, 89.999999))))
        xi = np.arctan2(conformal, np.cos(turn))
        eta = np.arcsinh(np.sin(turn) / np.hypot(conformal, np.cos(turn)))
        north, east = xi.copy(), eta.copy()
        for j, a in enumerate(_ALPHA, 1):
            north = north + a * np.sin(2 * j * xi) * np.cosh(2 * j * eta)
            east = east + a * np.cos(2 * j * xi) * np.sinh(2 * j * eta)
        x = _FALSE_EAST_M + _K0 * _RECTIFYING_M * east
        return np.where(far, np.nan, x), np.where(far, np.nan, _K0 * _RECTIFYING_M * north)

    def back(x: Numbers, y: Numbers) -> tuple[Numbers, Numbers]:
        far = (np.abs(x - _FALSE_EAST_M) > _REACH_M) | (np.abs(y) > 2 * _REACH_M)
        xi = np.where(far, 0.0, y) / (_K0 * _RECTIFYING_M)
        eta = np.where(far, 0.0, x - _FALSE_EAST_M) / (_K0 * _RECTIFYING_M)
        xi0, eta0 = xi.copy(), eta.copy()
        for j, b in enumerate(_BETA, 1):
            xi0 = xi0 - b * np.sin(2 * j * xi) * np.cosh(2 * j * eta)
            eta0 = eta0 - b * np.cos(2 * j * xi) * np.sinh(2 * j * eta)
        conformal = np.sin(xi0) / np.hypot(np.sinh(eta0), np.cos(xi0))
        lon = np.degrees(np.arctan2(np.sinh(eta0), np.cos(xi0))) + central_deg
        lat = np.degrees(np.arctan(_geographic(conformal)))
        return np.where(far, np.nan, lon), np.where(far, np.nan, lat)

    return to, back


#: What the service speaks, CRS84 first. The UTM zones are those of Thailand and its neighbours.
SYSTEMS: dict[str, Crs] = {
    one.uri: one
    for one in (
        Crs(CRS84, "WGS 84 (longitude, latitude)", _same, _same, 15, is_geographic=True),
        Crs(
            _OGC + "EPSG/0/4326",
            "WGS 84 (latitude, longitude)",
            _swapped,
            _swapped,
            15,
            is_geographic=True,
            is_latitude_first=True,
        ),
        Crs(_OGC + "EPSG/0/3857", "Web Mercator", _to_mercator, _from_mercator, 4),
        Crs(_OGC + "EPSG/0/32647", "WGS 84 / UTM 47N", *_utm(99.0), 4),
        Crs(_OGC + "EPSG/0/32648", "WGS 84 / UTM 48N", *_utm(105.0), 4),
    )
}
STORAGE = SYSTEMS[CRS84]


def to_crs(geometry: dict[str, Any], crs: Crs) -> dict[str, Any] | None:
    """A GeoJSON geometry of the store in another system; None where it lies beyond its reach."""
    if crs is STORAGE:
        return geometry
    if geometry.get("type") == "GeometryCollection":
        parts = [to_crs(g, crs) for g in geometry.get("geometries") or []]
        return None if None in parts else {**geometry, "geometries": parts}
    made = _positions(geometry.get("coordinates"), crs)
    return None if made is None else {"type": geometry["type"], "coordinates": made}


def _positions(said: Any, crs: Crs) -> Any:
    """Coordinates of any depth; each list of positions is turned in one go."""
    if not isinstance(said, list) or not said:
        return said
    if isinstance(said[0], list) and said[0] and isinstance(said[0][0], list):
        parts = [_positions(one, crs) for one in said]
        return None if None in parts else parts
    rows = said if isinstance(said[0], list) else [said]
    x, y = crs.to(np.array([p[0] for p in rows], float), np.array([p[1] for p in rows], float))
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return None
    xs, ys = np.round(x, crs.decimals).tolist(), np.round(y, crs.decimals).tolist()
    made = [[a, b, *p[2:]] for a, b, p in zip(xs, ys, rows, strict=True)]
    return made if isinstance(said[0], list) else made[0]


def from_crs(geometry: BaseGeometry, crs: Crs) -> BaseGeometry | None:
    """A geometry that somebody asks about, in the store's system; None where it cannot be told."""
    if crs is STORAGE:
        return geometry

    points = shapely.get_coordinates(geometry)
    with np.errstate(all="ignore"):
        x, y = crs.back(points[:, 0], points[:, 1])
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return None  # before it is built: a ring of what is no number is none

    def turned(_: Numbers) -> Numbers:
        return np.column_stack([x, y])

    made: BaseGeometry = shapely.transform(geometry, turned)
    return made
