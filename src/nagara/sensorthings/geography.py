"""Geographic predicates: found out by the index of the boxes and refined by Shapely.

Distances and lengths are in degrees, as the conformance suite of the standard expects of WGS 84
coordinates. A predicate becomes the numbers of the rows that fulfil it, so that it can stand
anywhere in an expression.
"""

from __future__ import annotations

import asyncio
import operator
from collections.abc import Callable
from typing import Any

import shapely
from asyncpg import Box
from msgspec import Struct
from shapely.geometry.base import BaseGeometry

from nagara.context.store import Conn
from nagara.sensorthings.errors import OptionInvalid, OptionTooComplex
from nagara.sensorthings.model import SETS, EntitySet
from nagara.sensorthings.odata import Apply, Call, Node, Path, Value
from nagara.sensorthings.statement import GeoHit

#: Places whose exact shape is looked at for one predicate: 0.2 s of work.
CANDIDATES_MAX = 20_000
WKT_POINTS_MAX = 5_000
GEO_MAX = 5  # predicates in one expression
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
_TURNED = {"gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}
_RELATIONS: dict[str, Callable[[BaseGeometry, BaseGeometry], bool]] = {
    "geo.intersects": lambda a, b: a.intersects(b),
    "st_intersects": lambda a, b: a.intersects(b),
    "st_equals": lambda a, b: a.equals(b),
    "st_touches": lambda a, b: a.touches(b),
    "st_within": lambda a, b: a.within(b),
    "st_overlaps": lambda a, b: a.overlaps(b),
    "st_crosses": lambda a, b: a.crosses(b),
    "st_contains": lambda a, b: a.contains(b),
}


def read_wkt(text: str, option: str) -> BaseGeometry:
    """The geometry of a WKT literal. Raises `OptionInvalid`, `OptionTooComplex`."""
    said = text.strip()
    if said[:5].upper() == "SRID=":
        said = said.partition(";")[2]
    try:
        made: BaseGeometry = shapely.from_wkt(said)
    except Exception as error:
        raise OptionInvalid(option=option, position=0, reason=f"WKT: {error}"[:200]) from error
    if made is None or made.is_empty:
        raise OptionInvalid(option=option, position=0, reason="an empty geometry")
    if shapely.get_num_coordinates(made) > WKT_POINTS_MAX:
        raise OptionTooComplex(option=option, what="points of a geometry", limit=WKT_POINTS_MAX)
    return made


async def settle(conn: Conn, node: Node, of: EntitySet, option: str, tenant: str = "") -> Any:
    """The tree with every geographic predicate replaced by what fulfils it."""
    left = [GEO_MAX]
    return await _settle(_Asked(conn, option, tenant), node, of, left)


class _Asked(Struct, frozen=True):
    """Of what places are asked for: the option that asks, and whose tenant."""

    conn: Conn
    option: str
    tenant: str


async def _settle(ask: _Asked, node: Any, of: EntitySet, left: list[int]) -> Any:
    asked = _asked(node)
    if asked is not None:
        path, call, op, limit = asked
        left[0] -= 1
        if left[0] < 0:
            raise OptionTooComplex(option=ask.option, what="geographic terms", limit=GEO_MAX)
        owner = _owner(path.steps, of, ask.option)
        numbers, inverted = await _find(ask, owner, call, op, limit)
        return GeoHit((*path.steps[:-1], "id"), tuple(numbers), inverted)
    if isinstance(node, Apply):
        made = [await _settle(ask, a, of, left) for a in node.args]
        return Apply(node.op, tuple(made))
    return node


def _asked(node: Any) -> tuple[Path, Call, str, float] | None:
    """A predicate over a path and a literal: relation, or distance or length with a number."""
    op, limit, call = "", 0.0, node
    if isinstance(node, Apply) and node.op in _COMPARE:
        one, two = node.args
        turned = isinstance(two, Call)
        call, said = (two, one) if turned else (one, two)
        op = _TURNED.get(node.op, node.op) if turned else node.op
        if isinstance(said, Value) and said.kind == "bool" and op == "eq" and said.text == "true":
            op = ""
        elif isinstance(said, Value) and said.kind == "num":
            limit = float(said.text)
        elif isinstance(said, Apply) and said.op == "-" and isinstance(said.args[0], Value):
            limit = -float(said.args[0].text) if said.args[0].kind == "num" else 0.0
        else:
            return None
    if not isinstance(call, Call) or not call.name.startswith(("geo.", "st_")):
        return None
    measured = call.name in ("geo.distance", "geo.length")
    if measured != bool(op):
        return None
    path = next((a for a in call.args if isinstance(a, Path)), None)
    return None if path is None else (path, call, op, limit)


def _owner(steps: tuple[str, ...], of: EntitySet, option: str) -> EntitySet:
    """The set whose property the path ends in."""
    for step in steps[:-1]:
        nav = of.navs.get(step)
        if nav is None:
            raise OptionInvalid(option=option, position=0, reason=f"{of.one} has no “{step[:40]}”")
        of = SETS[nav.target]
    found = of.columns.get(steps[-1])
    if found is None or found.kind != "geo":
        raise OptionInvalid(
            option=option, position=0, reason=f"“{steps[-1][:40]}” of {of.one} is no place"
        )
    return of


async def _find(
    ask: _Asked, owner: EntitySet, call: Call, op: str, limit: float
) -> tuple[list[int], bool]:
    """The numbers that fulfil a predicate, or, inverted, those that do not."""
    option = ask.option
    if call.name == "geo.length":
        return await _by_length(ask, owner, op, limit)
    literal = next((a for a in call.args if isinstance(a, Value) and a.kind == "geo"), None)
    if literal is None:
        raise OptionInvalid(
            option=option, position=0, reason=f"{call.name} needs a literal geography'…'"
        )
    there = read_wkt(literal.text, option)
    first = call.args[0] is not literal
    if call.name == "geo.distance":
        far = op in ("gt", "ge", "ne")
        near = _COMPARE[{"gt": "le", "ge": "lt", "ne": "eq"}.get(op, op)]
        rows = await _around(ask, owner, there, max(0.0, limit))
        return await asyncio.to_thread(
            lambda: [no for no, here in rows if near(here.distance(there), limit)]
        ), far
    inverted = call.name == "st_disjoint"
    margin: float | None = 0.0
    if call.name == "st_relate":
        pattern = call.args[2]
        said = pattern.text if isinstance(pattern, Value) else ""
        if len(said) != 9 or not set(said.upper()) <= set("TF*012"):
            raise OptionInvalid(
                option=option, position=0, reason="a pattern is nine of T, F, *, 0, 1, 2"
            )
        margin = None

        def holds(a: BaseGeometry, b: BaseGeometry) -> bool:
            return bool(shapely.relate_pattern(a, b, said.upper()))

    else:
        relation = _RELATIONS["geo.intersects" if inverted else call.name]

        def holds(a: BaseGeometry, b: BaseGeometry) -> bool:
            return relation(a, b)

    rows = await _around(ask, owner, there, margin)
    return await asyncio.to_thread(
        lambda: [no for no, here in rows if (holds(here, there) if first else holds(there, here))]
    ), inverted


async def _by_length(
    ask: _Asked, owner: EntitySet, op: str, limit: float
) -> tuple[list[int], bool]:
    """Points have no length: only what is larger than a point is measured."""
    points_fulfil = _COMPARE[op](0.0, limit)
    rows = await _rows(ask, owner, "not (x.extent[0] ~= x.extent[1])", [])
    wanted = [no for no, here in rows if _COMPARE[op](_length(here), limit) != points_fulfil]
    return wanted, points_fulfil


def _length(here: BaseGeometry) -> float:
    return 0.0 if here.geom_type in ("Polygon", "MultiPolygon") else float(here.length)


async def _around(
    ask: _Asked, owner: EntitySet, there: BaseGeometry, margin: float | None
) -> list[tuple[int, BaseGeometry]]:
    if margin is None:
        return await _rows(ask, owner, "true", [])
    west, south, east, north = there.bounds
    margin = min(margin, 1000.0)
    box = Box((east + margin, north + margin), (west - margin, south - margin))
    return await _rows(ask, owner, "x.extent && $2::box", [box])


async def _rows(
    ask: _Asked, owner: EntitySet, where: str, parameters: list[Any]
) -> list[tuple[int, BaseGeometry]]:
    if owner.name == "Datastreams":  # an area stands in no index: all that have one
        found = await ask.conn.fetch(
            "select x.id, x.area::text as body from sensorthings.datastreams x"  # noqa: S608
            f" where x.tenant = $1 and x.area is not null limit {CANDIDATES_MAX + 1}",
            ask.tenant,
            timeout=5.0,
        )
        made = [(r["id"], _geojson(r["body"])) for r in found]
        rows = [(no, g) for no, g in made if g is not None]
    else:
        found = await ask.conn.fetch(
            f"select x.id, x.geometry from {owner.view} x"  # noqa: S608 - constants
            f" where x.tenant = $1 and x.geometry is not null and {where}"
            f" limit {CANDIDATES_MAX + 1}",
            ask.tenant,
            *parameters,
            timeout=5.0,
        )
        rows = [(r["id"], shapely.from_wkb(r["geometry"])) for r in found]
    if len(found) > CANDIDATES_MAX:
        raise OptionTooComplex(option=ask.option, what="places to look at", limit=CANDIDATES_MAX)
    return rows


def _geojson(body: str) -> BaseGeometry | None:
    try:
        made: BaseGeometry = shapely.from_geojson(body)
    except shapely.errors.GEOSException:
        return None
    return made
