"""Making entities: a body with what lies inside it becomes operations of one transaction
(OGC 18-088 clause 10.2: create, link, deep insert)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from msgspec import Struct

from nagara.context import Create, Entity, Observe
from nagara.sensorthings.bodies import (
    MADE_MAX,
    Attrs,
    attribute_name,
    attrs_of,
    instance_of,
    list_of,
    read_id,
    relation_of,
)
from nagara.sensorthings.errors import BodyInvalid, BodyTooMuch
from nagara.sensorthings.model import SETS, EntitySet
from nagara.sensorthings.options import Options
from nagara.sensorthings.placing import Placing
from nagara.sensorthings.read import Reading, Row
from nagara.sensorthings.select import Where
from nagara.values.time import parse_instant
from nagara.vocab.attribute import property_of

DEPTH_MAX = 8
#: Attributes of a Thing that no stream may take.
_TAKEN = frozenset({"id", "type", "name", "description", "properties", "location", "locations",
                    "scope"})  # fmt: skip


class StreamRef(Struct):
    """Where the values of a stream go."""

    thing: str
    types: tuple[str, ...]
    attr: str
    unit: str | None
    number: int | None = None  # None: it is being made
    slot: int = 0


class Heard(Struct, frozen=True):
    """A value on its way: found again by what it says."""

    stream: StreamRef
    instance: dict[str, Any]


class Made(Struct, frozen=True):
    """The entity that a request is about: by its urn, or a value of a stream."""

    of: EntitySet
    urn: str = ""
    heard: Heard | None = None
    stream: StreamRef | None = None


class Maker(Placing):
    """Collects the operations of one request; nothing is written here."""

    def __init__(self, reading: Reading, now: datetime, urn: Callable[[str], str]) -> None:
        super().__init__(reading, now, urn)
        #: What other requests of the same write make, by the name under which they refer to it.
        self.made: dict[str, Made] = {}
        self._attrs: dict[str, set[str]] = {}  # thing → attributes that streams have
        self._count = 0

    # -- any entity ---------------------------------------------------------------------------

    async def make(
        self, of: EntitySet, body: Any, parent: tuple[str, Any] | None = None, depth: int = 0
    ) -> Made:
        """Operations that make an entity with all inside. `parent`: the navigation property that
        leads back to where it was posted, with its urn or stream. Raises `BodyInvalid`."""
        if not isinstance(body, dict):
            raise BodyInvalid(kind=of.one, reason="it is a JSON object")
        self._count += 1
        if self._count > MADE_MAX:
            raise BodyTooMuch(what="entities", limit=MADE_MAX)
        if depth > DEPTH_MAX:
            raise BodyTooMuch(what="levels", limit=DEPTH_MAX)
        given: dict[str, Any] = dict([parent]) if parent else {}
        if of.name == "Observations":
            heard = await self.observe(body, given.get("Datastream"), depth, given)
            return Made(of, heard=heard)
        if of.name == "Datastreams":
            urn, stream = await self._stream(of, body, given, depth)
            return Made(of, urn, stream=stream)
        attrs = {k: v for k, v in attrs_of(of, body, True).items() if v is not None}
        urn = self._urn(of.type)
        if of.name == "Things":
            await self._thing(urn, attrs, body, given, depth)
        elif of.name == "HistoricalLocations":
            attrs["thing"] = relation_of([await self._one(of, "Thing", body, given, depth)])
            places = await self._many("Locations", "Locations", body, given, depth)
            if not places:
                raise BodyInvalid(kind=of.one, reason="“Locations” is missing")
            attrs["locations"] = relation_of(places)
            self.ops.append(Create(Entity(urn, (of.type,), attrs)))
            await self.follow(attrs["thing"]["object"], attrs["time"], places)
        else:
            self.bodies[urn] = attrs
            self.ops.append(Create(Entity(urn, (of.type,), attrs)))
            await self._inside(of, urn, body, given, depth)
        return Made(of, urn)

    async def _inside(self, of: EntitySet, urn: str, body: Attrs, given: Attrs, depth: int) -> None:
        """What is posted inside a Location, Sensor, ObservedProperty or FeatureOfInterest."""
        if of.name == "Locations":
            for thing in await self._many("Things", "Things", body, given, depth):
                await self.place(thing, [urn])  # it is there now, and no longer where it was
        back = {"Sensors": "Sensor", "ObservedProperties": "ObservedProperty"}.get(of.name)
        if back is not None:
            for one in list_of(of, "Datastreams", body):
                await self.make(SETS["Datastreams"], one, (back, urn), depth + 1)
        if of.name == "FeaturesOfInterest":
            for one in list_of(of, "Observations", body):
                await self.make(SETS["Observations"], one, ("FeatureOfInterest", urn), depth + 1)

    async def _thing(self, urn: str, attrs: Attrs, body: Attrs, given: Attrs, depth: int) -> None:
        at = len(self.ops)
        self._attrs[urn] = set()
        self.places[urn] = []
        places = await self._many("Locations", "Locations", body, given, depth)
        self.ops.insert(at, Create(Entity(urn, ("Thing",), attrs)))
        if places:
            await self.place(urn, places)
        for one in list_of(SETS["Things"], "Datastreams", body):
            await self.make(SETS["Datastreams"], one, ("Thing", urn), depth + 1)
        for one in list_of(SETS["Things"], "HistoricalLocations", body):
            await self.make(SETS["HistoricalLocations"], one, ("Thing", urn), depth + 1)

    # -- links --------------------------------------------------------------------------------

    async def urn_of(self, of: EntitySet, value: Any) -> str | None:
        """The urn that `{"@iot.id": 5}` names; None where it is no link but a body.

        More members beside the id are allowed, and not looked at."""
        if not isinstance(value, dict) or "@iot.id" not in value:
            return None
        return await self.urn_by_id(of, value["@iot.id"])

    async def urn_by_id(self, of: EntitySet, said: Any) -> str:
        """The urn of an entity by its number. Raises `BodyInvalid` where there is none."""
        made = self._made(of, said)
        if made is not None:
            return made.urn
        number = read_id(of, said)
        row = await self.find(of, number)
        found = None if row is None else await self.reading.conn.fetchval(
            f"select urn from {of.view} where id = $1", number  # noqa: S608 - constants
        )  # fmt: skip
        if found is None:
            raise BodyInvalid(kind=of.one, reason=f"there is no {of.one} {number}")
        return str(found)

    def _made(self, of: EntitySet, said: Any) -> Made | None:
        """What `$name` refers to."""
        made = self.made.get(said[1:]) if isinstance(said, str) and said[:1] == "$" else None
        return made if made is not None and made.of.name == of.name else None

    async def find(self, of: EntitySet, number: int) -> Row | None:
        """A row that the caller may see."""
        return await self.reading.find_one(of, Where(key=number), Options(select=("id",)))

    async def _one(self, of: EntitySet, nav: str, body: Attrs, given: Attrs, depth: int) -> str:
        """The entity of a mandatory link to one: linked, made, or where it was posted."""
        if nav in given:
            return str(given[nav])
        target = SETS[of.navs[nav].target]
        if body.get(nav) is None:
            raise BodyInvalid(kind=of.one, reason=f"“{nav}” is missing")
        linked = await self.urn_of(target, body[nav])
        return linked or (await self.make(target, body[nav], None, depth + 1)).urn

    async def _many(
        self,
        nav: str,
        target: str,
        body: Attrs,
        given: Attrs,
        depth: int,
    ) -> list[str]:
        found = [str(given[nav])] if nav in given else []
        for one in list_of(SETS[target], nav, body):
            linked = await self.urn_of(SETS[target], one)
            made = linked or (await self.make(SETS[target], one, None, depth + 1)).urn
            if made not in found:
                found.append(made)
        return found

    # -- streams ------------------------------------------------------------------------------

    async def _stream(
        self, of: EntitySet, body: Attrs, given: Attrs, depth: int
    ) -> tuple[str, StreamRef]:
        attrs = {k: v for k, v in attrs_of(of, body, True).items() if v is not None}
        thing = await self._one(of, "Thing", body, given, depth)
        sensor = await self._one(of, "Sensor", body, given, depth)
        observed = await self._one(of, "ObservedProperty", body, given, depth)
        taken = await self._taken(thing)
        name = (await self.attrs_of(observed)).get("name", {}).get("value") or attrs["name"][
            "value"
        ]
        attr = attribute_name(str(name), taken | _TAKEN)
        taken.add(attr)
        urn = self._urn(of.type)
        unit = attrs.get("unitCode", {}).get("value")
        attrs |= {
            "thing": relation_of([thing]),
            "sensor": relation_of([sensor]),
            "observedProperty": relation_of([observed]),
            "attribute": property_of(attr),
        }
        self.ops.append(Create(Entity(urn, (of.type,), attrs)))
        ref = StreamRef(thing, await self._types(thing), attr, unit)
        for one in list_of(of, "Observations", body):
            await self.observe(one, ref, depth + 1, {})
        return urn, ref

    async def _types(self, thing: str) -> tuple[str, ...]:
        found = await self.reading.conn.fetchval(
            """select coalesce(types, array[type]) from context.entity
               where tenant = $2 and id = $1 and not deleted""",
            thing,
            self.reading.tenant,
        )
        return tuple(found) if found else ("Thing",)

    async def _taken(self, thing: str) -> set[str]:
        if thing not in self._attrs:
            rows = await self.reading.conn.fetch(
                """select k.name from context.entity e cross join lateral (
                       select jsonb_object_keys(e.doc) as name union
                       select d.attr from sensorthings.datastream d where d.no = e.no) k
                   where e.tenant = $2 and e.id = $1""",
                thing,
                self.reading.tenant,
            )
            self._attrs[thing] = {r["name"] for r in rows}
        return self._attrs[thing]

    async def stream_ref(self, said: Any) -> StreamRef:
        """The stream of an id. Raises `BodyInvalid` where there is none."""
        of = SETS["Datastreams"]
        made = self._made(of, said)
        if made is not None and made.stream is not None:
            return made.stream
        number = read_id(of, said)
        row = await self.find(of, number)
        if row is None:
            raise BodyInvalid(kind=of.one, reason=f"there is no Datastream {number}")
        thing = await self.reading.conn.fetchrow(
            """select e.id, coalesce(e.types, array[e.type]) as types,
                      coalesce(o.doc -> 'unitCode' ->> 'value', e.doc -> $2 ->> 'unitCode') as unit
               from context.entity e left join context.entity o on o.no = $3 where e.no = $1""",
            row["_thing"],
            row["_attr"],
            row["_own"],
        )
        assert thing is not None
        return StreamRef(
            thing["id"], tuple(thing["types"]), row["_attr"], thing["unit"], number, row["_slot"]
        )

    async def observe(self, body: Any, stream: StreamRef | None, depth: int, given: Attrs) -> Heard:
        """A value of a stream. Raises `BodyInvalid`."""
        of = SETS["Observations"]
        if not isinstance(body, dict):
            raise BodyInvalid(kind=of.one, reason="it is a JSON object")
        if stream is None:
            said = body.get("Datastream")
            if not isinstance(said, dict):
                raise BodyInvalid(kind=of.one, reason="“Datastream” is missing")
            if "@iot.id" in said:
                stream = await self.stream_ref(said["@iot.id"])
            else:
                made_stream = await self.make(SETS["Datastreams"], said, None, depth + 1)
                stream = made_stream.stream
                assert stream is not None
        feature = given.get("FeatureOfInterest")
        if feature is None and body.get("FeatureOfInterest") is not None:
            target = SETS["FeaturesOfInterest"]
            linked = await self.urn_of(target, body["FeatureOfInterest"])
            made = body["FeatureOfInterest"]
            feature = linked or (await self.make(target, made, None, depth + 1)).urn
        if feature is None:
            feature = await self.own_feature(stream.thing)
        if feature == stream.thing:
            feature = None  # the Thing's own place: what every value means that says nothing else
        instance = instance_of(of, body, feature, stream.unit, self.now)
        current = parse_instant(instance["observedAt"]) <= self.now
        self.ops.append(
            Observe(stream.thing, stream.types, {stream.attr: instance}, current=current, anew=True)
        )
        return Heard(stream, instance)
