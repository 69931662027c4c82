"""Where a Thing is, and the feature that its values are of: operations of one request."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime

import msgspec

from nagara.context import Create, Entity, Op, Patch, Upsert
from nagara.sensorthings.bodies import Attrs, relation_of
from nagara.sensorthings.errors import BodyInvalid
from nagara.sensorthings.read import Reading
from nagara.values.time import parse_instant
from nagara.vocab.attribute import property_of


class Placing:
    """Collects operations; nothing is written here."""

    def __init__(self, reading: Reading, now: datetime, urn: Callable[[str], str]) -> None:
        self.reading = reading
        self.now = now
        self._urn = urn
        self.ops: list[Op] = []
        self.places: dict[str, list[str]] = {}  # thing → urns of its Locations
        self.bodies: dict[str, Attrs] = {}  # of entities that are made or were looked at here
        self._features: dict[str, str] = {}  # thing → the feature that its place is

    def undo(self, since: int) -> None:
        """Take back the operations behind the first so many."""
        for op in self.ops[since:]:
            if isinstance(op, Create | Upsert):
                self.bodies.pop(op.entity.id, None)
        del self.ops[since:]
        self._features.clear()

    async def places_of(self, thing: str) -> list[str]:
        """The urns of the Locations of a Thing."""
        if thing not in self.places:
            rows = await self.reading.conn.fetch(
                """select l.id from context.entity t
                   join sensorthings.link k on k.kind = 'l' and k.a = t.no and k.b <> t.no
                   join context.entity l on l.no = k.b and not l.deleted
                   where t.tenant = $2 and t.id = $1""",
                thing,
                self.reading.tenant,
            )
            self.places[thing] = [r["id"] for r in rows]
        return self.places[thing]

    async def place(self, thing: str, places: list[str]) -> None:
        """Put a Thing somewhere, which is remembered (clause 8.2.3). Its own `location` is that of
        the first Location with a geometry, so that other standards see it there."""
        self.places[thing] = places
        self._features.pop(thing, None)
        self.ops.append(Patch(thing, await self._placed(places)))
        past = {
            "time": property_of(self.now),
            "thing": relation_of([thing]),
            "locations": relation_of(places),
        }
        urn = self._urn("HistoricalLocation")
        self.ops.append(Create(Entity(urn, ("HistoricalLocation",), past)))

    async def follow(self, thing: str, time: Attrs, places: list[str]) -> None:
        """A Thing is where its newest HistoricalLocation says (clause 10.2.1)."""
        newest = await self.reading.conn.fetchval(
            """select max(h.time) from sensorthings.historical h
               join context.entity e on e.no = h.thing
               where e.tenant = $2 and e.id = $1""",
            thing,
            self.reading.tenant,
        )
        if newest is None and self.places.get(thing):
            newest = self.now  # it is put somewhere by the same request
        held = time["value"]
        at = parse_instant(held["@value"] if isinstance(held, dict) else held)
        if newest is None or at > newest:
            self.places[thing] = places
            self._features.pop(thing, None)
            self.ops.append(Patch(thing, await self._placed(places)))

    async def _placed(self, places: list[str]) -> Attrs:
        """What a Thing has that is at these Locations."""
        attrs: Attrs = {"locations": relation_of(places)}
        for urn in places:
            location = (await self.attrs_of(urn)).get("location")
            if location is not None:
                attrs["location"] = location
                break
        return attrs

    async def attrs_of(self, urn: str) -> Attrs:
        """The attributes of an entity that is there, or is made here; none where there is none."""
        if urn not in self.bodies:
            text = await self.reading.conn.fetchval(
                """select doc::text from context.entity
                   where tenant = $2 and id = $1 and not deleted""",
                urn,
                self.reading.tenant,
            )
            self.bodies[urn] = msgspec.json.decode(text) if text else {}
        return self.bodies[urn]

    async def own_feature(self, thing: str) -> str:
        """The feature that the Thing's Location is (clause 10.2.1.3), made once for each place."""
        if thing not in self._features:
            self._features[thing] = await self._feature_of(thing)
        return self._features[thing]

    async def _feature_of(self, thing: str) -> str:
        places = await self.places_of(thing)
        if not places:
            if "location" in await self.attrs_of(thing):
                return thing
            raise BodyInvalid(
                kind="Observation",
                reason="“FeatureOfInterest” is missing, and the Thing has no Location to take",
            )
        chosen = places[0]
        for one in places:  # one on the map rather than one in words
            if "location" in await self.attrs_of(one):
                chosen = one
                break
        attrs = await self.attrs_of(chosen)
        kept = {k: attrs[k] for k in ("name", "description", "encodingType", "location", "body")
                if attrs.get(k) is not None}  # fmt: skip
        where = msgspec.json.encode([kept.get("location"), kept.get("body")], order="sorted")
        place = chosen.rpartition(":")[2]
        digest = hashlib.sha256(where).hexdigest()[:16]
        urn = f"urn:ngsi-ld:FeatureOfInterest:{place}:{digest}"
        if not await self.attrs_of(urn):  # what is there is not written again with each value
            self.bodies[urn] = kept
            self.ops.append(Upsert(Entity(urn, ("FeatureOfInterest",), kept), "update"))
        return urn
