"""The collections and features of the store: asked of it by its own queries."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import shapely
from msgspec import Struct

from nagara.context import Context
from nagara.context.census import Census, read_census
from nagara.context.expiry import entity_at
from nagara.context.find_area import PLACE
from nagara.context.find_rows import fetch, whole_of
from nagara.context.model import Entity, GeoQuery, Query, default_instance
from nagara.context.where import Where, conditions
from nagara.features.ask import Items
from nagara.features.cql import Logic, Node, Spatial, conjuncts, spatial_terms
from nagara.features.cql_sql import Filter, Queryables, is_location
from nagara.features.errors import CollectionNotFound, FeatureNotFound, FilterTooComplex
from nagara.features.extents import Bounds, Extent, Extents
from nagara.features.narrow import narrowed_by
from nagara.features.places import asked_geometry, boxes_of
from nagara.guard.identity import Actor
from nagara.guard.policy import visible_types
from nagara.values.geo import GeometryInvalid, read_geojson, to_geojson

#: Geometries that are looked at one by one for a predicate that stands inside OR, or beside others.
CANDIDATES_MAX = 20_000
SPATIAL_MAX = 5
#: Entities by which the types of properties are told.
SEEN_MAX = 20
_DIRECT = {
    "s_intersects": "intersects",
    "s_within": "within",
    "s_contains": "contains",
    "s_equals": "equals",
    "s_overlaps": "overlaps",
}
_SAID_OF_THE_OTHER = {"within": "contains", "contains": "within"}


class Who(Struct, frozen=True):
    """Who asks, and of which tenant."""

    actor: Actor
    tenant: str = ""


class Found(Struct, frozen=True):
    """A page of features. `matched` is None where only an estimate could be told."""

    entities: list[Entity]
    next: str | None
    matched: int | None


class Store:
    """Reads for one city. `monotonic` tells seconds."""

    def __init__(self, context: Context, city: Bounds, monotonic: Callable[[], float]) -> None:
        self.context = context
        self.extents = Extents(city, monotonic)

    async def census(self, who: Who) -> Census:
        """What there is, of what the caller may see."""
        async with self.context.db.acquire() as conn:
            return await read_census(conn, who.tenant, visible_types(who.actor).allows)

    async def queryables(self, collection: str, who: Who) -> Queryables:
        """The attributes of a collection with their kinds. Raises `CollectionNotFound`."""
        census = await self.census(who)
        if collection not in census.entities:
            raise CollectionNotFound(id=collection[:200])
        return census.attributes_of[collection]

    async def extent(self, collection: str, who: Who) -> Extent:
        """Where and when the features of a collection are."""
        async with self.context.db.acquire() as conn:
            return await self.extents.of(conn, self._base(collection, who))

    def _base(self, collection: str, who: Who) -> Query:
        sight = visible_types(who.actor)
        return Query(
            tenant=who.tenant,
            types=(collection,),
            visible_types=None if sight.only is None else tuple(sorted(sight.only)),
            hidden_types=tuple(sorted(sight.never)) or None,
        )

    async def some(self, collection: str, who: Who) -> list[Entity]:
        """A few entities of a collection: the first by their ids."""
        query = msgspec.structs.replace(self._base(collection, who), limit=SEEN_MAX)
        return (await self.context.query(query)).entities

    async def feature(self, collection: str, feature_id: str, who: Who) -> Entity:
        """One feature. Raises `FeatureNotFound`, for what is hidden too."""
        if feature_id and "\x00" not in feature_id:
            entity = await self.context.find(feature_id[:2_000], who.tenant)
            if (
                entity is not None
                and collection in entity.types
                and visible_types(who.actor).allows(entity.types)
            ):
                return entity
        raise FeatureNotFound(collection=collection[:200], id=feature_id[:200])

    async def items(
        self, collection: str, asked: Items, queryables: Queryables, who: Who, language: str
    ) -> Found:
        """One page of a collection. Raises the errors of the filter and of the store's limits."""
        query = await self._query(collection, asked, queryables, who, language)
        query = msgspec.structs.replace(
            query,
            limit=asked.limit,
            after=None if asked.sort else asked.cursor.after,
            offset=asked.cursor.offset if asked.sort else 0,
            ordered_by=asked.sort,
        )
        held, more = await self.context.query_held(query)
        entities = [entity_at(one, self.context.clock.now()) for one in held]
        if more is None and asked.cursor.after is None and not asked.cursor.offset:
            return Found(entities, None, len(entities))
        counted = msgspec.structs.replace(query, after=None, offset=0, ordered_by=())
        total = await self.context.count_entities(counted)
        return Found(entities, more, None if total.is_estimated else total.total)

    async def _query(
        self,
        collection: str,
        asked: Items,
        queryables: Queryables,
        who: Who,
        language: str,
    ) -> Query:
        """The store's own query for what is asked: the box by the index of places, the rest as a
        condition beside it."""
        base = self._base(collection, who)
        boxes: list[Bounds] = []
        tree = asked.tree
        plain = Filter(queryables, language)
        for term in spatial_terms(tree) if tree is not None else ():
            if not is_location(term.prop):
                plain.known(term.prop)
        if asked.area is not None:
            base = msgspec.structs.replace(base, geo=GeoQuery("intersects", to_geojson(asked.area)))
            boxes = boxes_of(asked.area)
        elif tree is not None:
            base, tree = _by_place(base, tree, asked)
        hits: dict[int, tuple[list[int], bool]] = {}
        terms = list(spatial_terms(tree)) if tree is not None else []
        if len(terms) > SPATIAL_MAX:
            raise FilterTooComplex(what="spatial predicates", limit=SPATIAL_MAX)
        for term in terms:
            hits[id(term)] = await self._settle(base, term, asked, plain)
        made = Filter(queryables, language, hits)

        def also(bind: Callable[[Any], str]) -> str:
            parts = [] if tree is None else [made.sql(tree, bind)]
            if asked.time is not None:
                parts.append(made.during(asked.time, bind))
            if len(boxes) > 1:  # across the antimeridian: the box around both is the whole world
                parts.append(f"({' or '.join(_overlaps(box, bind) for box in boxes)})")
            return " and ".join(parts)

        if tree is None and asked.time is None and len(boxes) < 2:
            return base
        also(Where().bind)  # what is wrong with the filter is told before anything is asked
        sought = narrowed_by(tree, asked.time, queryables)
        return msgspec.structs.replace(base, also=also, also_sought=sought)

    async def _settle(
        self, base: Query, term: Spatial, asked: Items, plain: Filter
    ) -> tuple[list[int], bool]:
        """The numbers of the entities that fulfil a spatial predicate, by the index of places."""
        there = asked_geometry(term.shape, asked.filter_crs)
        query = msgspec.structs.replace(base, at=self.context.clock.now())
        where = whole_of(*conditions(query, str))
        where.add(plain.has_place(term.prop, where.bind))
        if is_location(term.prop):
            boxes = " or ".join(_overlaps(box, where.bind) for box in boxes_of(there))
            where.add(f"({boxes})")
            column = PLACE
        else:
            name = where.bind(plain.known(term.prop)[0])
            column = f"e.doc ->> {name}::text as said"
        sql = (
            f"select e.no, {column} from context.entity e where {where.sql()}"  # noqa: S608
            f" limit {CANDIDATES_MAX + 1}"
        )
        async with self.context.db.acquire() as conn:
            rows = await fetch(conn, sql, where.parameters, term.op)
        if len(rows) > CANDIDATES_MAX:
            raise FilterTooComplex(what="geometries to look at one by one", limit=CANDIDATES_MAX)
        op = "s_intersects" if term.op == "s_disjoint" else term.op
        numbers = await asyncio.to_thread(_related, rows, op.removeprefix("s_"), there)
        return numbers, term.op == "s_disjoint"


def _overlaps(box: Bounds, bind: Callable[[Any], str]) -> str:
    west, south, east, north = box
    corners = ", ".join(f"{bind(n)}::float8" for n in (east, north, west, south))
    a, b, c, d = corners.split(", ")
    return f"e.extent && box(point({a}, {b}), point({c}, {d}))"


def _by_place(base: Query, tree: Node, asked: Items) -> tuple[Query, Node | None]:
    """The first spatial predicate on the location that must hold is asked by the index of places,
    page by page; the rest of the tree stays."""
    parts = list(conjuncts(tree))
    for place, part in enumerate(parts):
        if isinstance(part, Spatial) and is_location(part.prop) and part.op in _DIRECT:
            area = asked_geometry(part.shape, asked.filter_crs)
            if len(boxes_of(area)) > 1 and part.shape.box is not None:
                continue  # across the antimeridian: settled by both boxes
            relation: Any = _DIRECT[part.op]
            rest = parts[:place] + parts[place + 1 :]
            left: Node | None = None
            if rest:
                left = rest[0] if len(rest) == 1 else Logic("and", tuple(rest))
            return msgspec.structs.replace(base, geo=GeoQuery(relation, to_geojson(area))), left
    return base, tree


def _related(rows: list[Any], relation: str, there: Any) -> list[int]:
    """Which rows stand in a relation to a geometry."""
    numbers: list[int] = []
    shapes: list[Any] = []
    for row in rows:
        if "geometry" in row.keys():  # noqa: SIM118 - a record of asyncpg is asked by its keys
            made = shapely.from_wkb(row["geometry"]) if row["geometry"] is not None else None
        else:
            made = _shape_of(row["said"])
        if made is not None:
            numbers.append(row["no"])
            shapes.append(made)
    shapely.prepare(there)
    other = _SAID_OF_THE_OTHER.get(relation, relation)
    fits = getattr(shapely, other)(there, np.array(shapes, dtype=object))
    return [number for number, fit in zip(numbers, np.atleast_1d(fits), strict=True) if fit]


def _shape_of(said: str | None) -> Any:
    instance = default_instance(msgspec.json.decode(said)) if said else None
    try:
        return None if instance is None else read_geojson(instance.get("value"), mended=True)
    except GeometryInvalid:
        return None
