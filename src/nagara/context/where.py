"""The conditions of a query as SQL, bound to parameters; nothing of a client's becomes SQL text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from asyncpg import Box
from shapely.geometry.base import BaseGeometry

from nagara.context.geometry import shape_of
from nagara.context.model import GeoQuery, Query, Selector
from nagara.context.q import Node, expand_values, parse_q
from nagara.context.q_sql import Expand, to_sql
from nagara.context.selection import scope_regex
from nagara.context.sought import Sought, having, sought_of

METRES_PER_DEGREE = 111_195.0  # of latitude, on the sphere of nagara.values.geo
#: Types that are read each in the order of its index; more are read together and sorted.
BRANCHES_MAX = 12


class Where:
    """Conditions of a statement and their parameters, in step."""

    def __init__(self) -> None:
        self.conditions: list[str] = []
        self.parameters: list[Any] = []

    def bind(self, value: Any) -> str:
        """The placeholder of a new parameter."""
        self.parameters.append(value)
        return f"${len(self.parameters)}"

    def add(self, condition: str) -> None:
        """One more condition, all of which must hold."""
        self.conditions.append(condition)

    def sql(self) -> str:
        """The conditions joined."""
        return " and ".join(self.conditions)


def tree_of(query: Query, expand: Expand) -> Node | None:
    """The syntax tree of a query's `q`. Raises `QueryInvalid`, `QueryTooComplex`."""
    if not query.q:
        return None
    return expand_values(parse_q(query.q), query.expand_values, expand)


def conditions(
    query: Query, expand: Expand, beside: Where | None = None
) -> tuple[Where, list[str]]:
    """The conditions of a query but for its types, and the alternatives that name the types.

    Entities of several types are few; they are a branch of their own, so that the many are read in
    the order of their index. `beside`: other conditions of the same statement, whose parameters
    these go on from.
    """
    where = Where()
    if beside is not None:
        where.parameters = beside.parameters
    where.add(f"e.tenant = {where.bind(query.tenant)}")
    where.add("not e.deleted")
    if query.at is not None:
        where.add(f"(e.expires_at is null or e.expires_at > {where.bind(query.at)})")
    _name(where, query.ids, query.id_pattern)
    if query.attrs:
        where.add(f"e.doc ?| {where.bind([expand(a) for a in query.attrs])}::text[]")
    if query.scopes:
        where.add(_scopes(where, query.scopes))
    if query.geo is not None:
        _box(where, query.geo, shape_of(query.geo))
    _visible(where, query, "e")
    if query.also is not None:
        where.add(query.also(where.bind))
    tree = tree_of(query, expand)
    if tree is not None:

        def linked(alias: str) -> str:
            inner = Where()
            inner.parameters = where.parameters
            _visible(inner, query, alias)
            return inner.sql() or "true"

        where.add(to_sql(tree, expand, where.bind, "e", linked))
    if query.selectors:
        where.add("(" + " or ".join(_selector(where, s) for s in query.selectors) + ")")
        return where, []
    return where, type_branches(where, query.types, query.types_all)


def sought_in(query: Query, expand: Expand) -> tuple[Sought, ...]:
    """What each entity that fulfils a query must hold, where it names its types one by one."""
    if not query.types or query.types_all or query.selectors or query.ids:
        return ()
    found = (*sought_of(tree_of(query, expand), expand), *query.also_sought)
    if len(query.attrs) == 1:
        found += (having(expand(query.attrs[0])),)
    return found


def name_conditions(where: Where, query: Query) -> list[str]:
    """The conditions of a query on what an entity is: id, type, and whether it may be seen. They
    hold for deleted ones too, as history asks for them."""
    inner = Where()
    inner.parameters = where.parameters
    _visible(inner, query, "e")
    if query.selectors:
        inner.add("(" + " or ".join(_selector(where, s) for s in query.selectors) + ")")
        return inner.conditions
    _name(inner, query.ids, query.id_pattern)
    branches = type_branches(where, query.types, query.types_all)
    if branches:
        inner.add("(" + " or ".join(f"({branch})" for branch in branches) + ")")
    return inner.conditions


def _name(where: Where, ids: Sequence[str], pattern: str | None) -> None:
    if ids:
        where.add(f"e.id = any({where.bind(list(ids))}::text[])")
    elif pattern is not None:  # clause 5.2.33: id takes precedence
        where.add(f"e.id ~ {where.bind(pattern)}")


def _visible(where: Where, query: Query, alias: str) -> None:
    types = f"coalesce({alias}.types, array[{alias}.type])"
    if query.visible_types is not None:
        where.add(f"{types} <@ {where.bind(list(query.visible_types))}::text[]")
    if query.hidden_types:
        where.add(f"not ({types} && {where.bind(list(query.hidden_types))}::text[])")


def _selector(where: Where, selector: Selector) -> str:
    inner = Where()
    inner.parameters = where.parameters
    _name(inner, selector.ids, selector.id_pattern)
    branches = type_branches(where, selector.types, selector.types_all)
    if branches:
        inner.add("(" + " or ".join(f"({branch})" for branch in branches) + ")")
    return "(" + (inner.sql() or "true") + ")"


def type_branches(
    where: Where, types: Sequence[str], types_all: Sequence[Sequence[str]]
) -> list[str]:
    """The alternatives under which an entity has the types that are asked for; empty: any."""
    branches: list[str] = []
    many: list[str] = []
    if types:
        if len(types) <= BRANCHES_MAX:
            branches = [f"e.types is null and e.type = {where.bind(t)}" for t in types]
        else:
            branches = [f"e.types is null and e.type = any({where.bind(list(types))}::text[])"]
        many.append(f"e.types && {where.bind(list(types))}::text[]")
    many += [f"e.types @> {where.bind(list(all_of))}::text[]" for all_of in types_all]
    if many:
        branches.append(f"e.types is not null and ({' or '.join(many)})")
    return branches


def _scopes(where: Where, alternatives: Sequence[Sequence[str]]) -> str:
    made = []
    for all_of in alternatives:
        plain = [p for p in all_of if "+" not in p and "#" not in p]
        parts = [f"e.scopes @> {where.bind(plain)}::text[]"] if plain else []
        for pattern in all_of:
            if pattern not in plain:
                regex = where.bind(f"^{scope_regex(pattern)}$")
                parts.append(
                    f"exists (select 1 from unnest(e.scopes) s where s ~ {regex})"  # noqa: S608
                )
        made.append("(" + " and ".join(parts) + ")")
    return "(e.scopes is not null and (" + " or ".join(made) + "))"


def box_of(geo: GeoQuery, there: BaseGeometry) -> Box | None:
    """The box that all entities lie in or touch which fulfil a geo-query; None where none bounds
    them, or the query is not about `location`, whose boxes alone are indexed."""
    if geo.geoproperty != "location" or geo.georel == "disjoint" or geo.min_distance_m is not None:
        return None
    west, south, east, north = there.bounds
    if geo.georel == "near" and geo.max_distance_m is not None:
        up = geo.max_distance_m / METRES_PER_DEGREE
        poleward = min(89.0, max(abs(south), abs(north)) + up)
        side = up / math.cos(math.radians(poleward))
        west, south, east, north = west - side, south - up, east + side, north + up
    return Box((east, north), (west, south))


def _box(where: Where, geo: GeoQuery, there: BaseGeometry) -> None:
    """A bounding-box filter that the index answers; the rest is refined by the exact test."""
    box = box_of(geo, there)
    if box is not None:
        where.add(f"e.extent && {where.bind(box)}::box")
    elif geo.geoproperty == "location":
        where.add("e.extent is not null")
    else:
        where.add(f"e.doc ? {where.bind(geo.geoproperty)}::text")
