"""Writing: create, change, delete; each is one transaction, and seen when it is answered."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Any

import msgspec

from nagara.context import Context, Create, Delete, Entity, Op, Patch, Written
from nagara.context.errors import AttributeNotFound, EntityNotFound
from nagara.context.ngsi.tenants import Tenants
from nagara.context.store import Conn
from nagara.guard.policy import visible_types
from nagara.sensorthings import removal
from nagara.sensorthings.amend import amend
from nagara.sensorthings.bodies import Attrs, attrs_of, instance_of, relation_of
from nagara.sensorthings.discover import Streams
from nagara.sensorthings.doer import Doer
from nagara.sensorthings.errors import BodyInvalid, ChangeRefused, ThingNotFound
from nagara.sensorthings.make import Heard, Made, Maker, StreamRef
from nagara.sensorthings.model import SETS, SLOTS, EntitySet
from nagara.sensorthings.numbering import numbers_of
from nagara.sensorthings.options import Options
from nagara.sensorthings.read import Found, Reading, Row
from nagara.sensorthings.select import Where
from nagara.sensorthings.statement import Seen
from nagara.values.time import parse_instant
from nagara.vocab.attribute import property_of

#: Values deleted with a FeatureOfInterest in one request; the rest with the next.
VALUES_DELETED_MAX = 5_000


class Writing:
    """The use cases that write."""

    def __init__(self, context: Context, streams: Streams) -> None:
        self.context = context
        self.streams = streams
        self.tenants = Tenants(context.db)
        #: Two streams of one Thing must not be given one attribute.
        self.naming = asyncio.Lock()
        #: Told of each Observation that was changed: (tenant, set, id).
        self.amended: list[Callable[[str, str, int], None]] = []

    def maker(self, reading: Reading) -> Maker:
        """A collector of operations, at the city's time."""
        return Maker(reading, self.context.clock.now(), _urn)

    def reading(self, conn: Conn, doer: Doer) -> Reading:
        """What somebody reads."""
        return Reading(conn, Seen(visible_types(doer.actor), doer.tenant))

    async def write(self, ops: list[Op], doer: Doer) -> list[Written]:
        """Commit operations, and wait until the sets know of them."""
        if not ops:
            return []
        await self.tenants.make(doer.tenant)
        written = await self.context.write(
            *ops, actor=doer.actor.name_for_audit, key=doer.key, tenant=doer.tenant
        )
        await self.streams.caught_up(patient=True)
        return written

    # -- create -------------------------------------------------------------------------------

    async def create(
        self, of: EntitySet, under: tuple[EntitySet, Row] | None, body: Any, doer: Doer
    ) -> int:
        """Make an entity with all inside; its id. `under`: the entity where it was posted.

        Raises `BodyInvalid`, and the store's Problems."""
        async with self.naming:
            async with self.context.db.acquire() as conn:
                maker = self.maker(self.reading(conn, doer))
                link = None if under is None else await back_to(maker, of, *under)
                made = await maker.make(of, body, link)
            written = await self.write(maker.ops, doer)
        if made.heard is None and written and written[0].repeated:
            made = Made(of, _same(maker.ops, written, made.urn))
        async with self.context.db.acquire() as conn:
            return await self.number(conn, made, doer.tenant)

    async def observe(self, maker: Maker, heard: list[Heard], doer: Doer) -> list[int]:
        """Commit values that were collected; their ids."""
        await self.write(maker.ops, doer)
        async with self.context.db.acquire() as conn:
            return await numbers_of(conn, heard, doer.tenant)

    async def number(self, conn: Conn, made: Made, tenant: str) -> int:
        """The id of what was made."""
        if made.heard is not None:
            return (await numbers_of(conn, [made.heard], tenant))[0]
        column = "d.id" if made.of.name == "Datastreams" else "e.no"
        number = await conn.fetchval(
            f"""select {column} from context.entity e
                left join sensorthings.datastream d on d.own = e.no
                where e.tenant = $1 and e.id = $2""",  # noqa: S608 - one of two constants
            tenant,
            made.urn,
        )
        return int(number or 0)

    # -- change -------------------------------------------------------------------------------

    async def change(self, found: Found, row: Row, body: Any, whole: bool, doer: Doer) -> None:
        """PATCH, or PUT where `whole` (clauses 10.3, 10.4). Raises `BodyInvalid`."""
        of = found.of
        if not isinstance(body, dict):
            raise BodyInvalid(kind=of.one, reason="it is a JSON object")
        if of.name == "Observations":
            await self._change_value(row, body, whole, doer)
            return
        async with self.context.db.acquire() as conn:
            maker = self.maker(self.reading(conn, doer))
            await self.change_ops(maker, of, row, body, whole)
        await self.write(maker.ops, doer)

    async def change_ops(
        self, maker: Maker, of: EntitySet, row: Row, body: Any, whole: bool
    ) -> None:
        """The operations of a change of anything but an Observation. Raises `BodyInvalid`."""
        if not isinstance(body, dict):
            raise BodyInvalid(kind=of.one, reason="it is a JSON object")
        reading = maker.reading
        conn = reading.conn
        links = await _links(maker, of, body)
        attrs = attrs_of(of, body, whole)
        if of.name == "Datastreams":
            maker.ops += await _stream_ops(conn, reading, row, attrs, links)
            return
        urn = await _urn_of_row(conn, row["id"])
        if attrs:
            maker.ops.append(Patch(urn, attrs))
        if of.name == "Things" and "Locations" in links:
            await maker.place(urn, links["Locations"])
        if of.name == "HistoricalLocations":
            moved = {"Thing": "thing", "Locations": "locations"}
            said = {moved[k]: relation_of(v) for k, v in links.items() if v}
            maker.ops += [Patch(urn, said)] if said else []
        if of.name == "Locations":
            maker.ops += await _move_things(conn, row["id"], attrs)
            for thing in links.get("Things", []):
                await maker.place(thing, [urn])

    async def _change_value(self, row: Row, body: Attrs, whole: bool, doer: Doer) -> None:
        of = SETS["Observations"]
        async with self.context.db.acquire() as conn:
            reading = self.reading(conn, doer)
            maker = self.maker(reading)
            said = body.get("Datastream")
            if said is not None and (
                not isinstance(said, dict)
                or (await maker.stream_ref(said.get("@iot.id"))).number != row["_datastream"]
            ):
                raise ChangeRefused(reason="an Observation stays in its Datastream")
            stream = await maker.stream_ref(row["_datastream"])
            before = await _instance(conn, stream, row)
            feature = (before.get("featureOfInterest") or {}).get("object")
            if body.get("FeatureOfInterest") is not None:
                target = SETS["FeaturesOfInterest"]
                feature = await maker.urn_of(target, body["FeatureOfInterest"])
                if feature is None:
                    raise BodyInvalid(kind=of.one, reason="a change names entities by @iot.id")
            kept = {} if whole else _said(before)
            merged = {**kept, **{k: v for k, v in body.items() if v is not None or k == "result"}}
            for name in [k for k, v in body.items() if v is None and k != "result"]:
                merged.pop(name, None)
            at = parse_instant(before["observedAt"])
            made = instance_of(of, merged, feature, stream.unit, at)
            if whole and "phenomenonTime" not in merged:
                made["observedAt"] = before["observedAt"]
            if "unitCode" in before:
                made["unitCode"] = before["unitCode"]
            for name in ("provenance", "quality"):
                if name in before:
                    made[name] = before[name]
        await amend(self.context, stream, row["id"] // SLOTS, made, doer)
        await self.streams.caught_up(patient=True)
        for tell in self.amended:
            tell(doer.tenant, of.name, row["id"])

    # -- delete -------------------------------------------------------------------------------

    async def delete(self, found: Found, row: Row, doer: Doer) -> None:
        """Delete an entity with what cannot be without it (clause 10.5, table 25)."""
        of, number = found.of, int(row["id"])
        async with self.context.db.acquire() as conn:
            reading = self.reading(conn, doer)
            if of.name == "Observations":
                stream = await self.maker(reading).stream_ref(row["_datastream"])
            elif of.name == "FeaturesOfInterest":
                await self.write(await removal.own_streams(conn, number), doer)
                await self.end_streams(of, number, doer)
                await self._delete_values(reading, number, doer)
                ops = await removal.feature_ops(conn, number)
            elif of.name == "HistoricalLocations":
                ops = await removal.past_op(conn, number)
            else:
                ops = await self.delete_ops(conn, of, number)
        if of.name == "Observations":
            await amend(self.context, stream, number // SLOTS, None, doer)
            await self.streams.caught_up(patient=True)
            return
        try:
            await self.write(ops, doer)
        except (EntityNotFound, AttributeNotFound) as error:  # somebody else was faster
            raise ThingNotFound(kind=of.one, id=str(number)) from error
        await self.end_streams(of, number, doer)

    async def end_streams(self, of: EntitySet, number: int, doer: Doer) -> None:
        """Streams that no entity of their own describes end here; the others by the reader."""
        async with self.context.db.acquire() as conn:
            ended = await removal.end_streams(conn, of.name, number)
        for thing in ended:
            self.streams.forget(doer.tenant, thing)

    async def delete_ops(self, conn: Conn, of: EntitySet, number: int) -> list[Op]:
        """The operations that delete an entity of the sets that stand in the log alone."""
        if of.name == "Locations":
            return await removal.location_ops(conn, number)
        if of.name == "Datastreams":
            return await removal.end_ops(conn, "d.id", number)
        column = {"Things": "d.no", "Sensors": "d.sensor"}.get(of.name, "d.property")
        ops = await removal.end_ops(conn, column, number)
        if of.name == "Things":
            ops = [op for op in ops if isinstance(op, Delete)]
            ops += await removal.past_ops(conn, "t", number)
        return [*ops, Delete(await _urn_of_row(conn, number))]

    async def _delete_values(self, reading: Reading, feature: int, doer: Doer) -> None:
        of = SETS["FeaturesOfInterest"]
        nav = of.navs["Observations"]
        found = Found(SETS["Observations"], Where(nav, feature), False)
        page = await reading.page(found, Options(top=VALUES_DELETED_MAX))
        if page.more:
            raise ChangeRefused(
                reason=f"more than {VALUES_DELETED_MAX} Observations are of this feature"
            )
        maker = self.maker(reading)
        refs: dict[int, StreamRef] = {}
        for row in page.rows:
            ref = refs.get(row["_datastream"])
            if ref is None:
                ref = refs[row["_datastream"]] = await maker.stream_ref(row["_datastream"])
            await amend(self.context, ref, row["id"] // SLOTS, None, doer)


def _urn(kind: str) -> str:
    return f"urn:ngsi-ld:{kind}:{secrets.token_hex(10)}"


def _same(ops: list[Op], written: list[Written], urn: str) -> str:
    """The urn that an operation had when its key was heard first."""
    for op, done in zip(ops, written, strict=False):
        if isinstance(op, Create) and op.entity.id == urn:
            return done.id
    return urn


async def back_to(maker: Maker, of: EntitySet, source: EntitySet, row: Row) -> tuple[str, Any]:
    """The navigation property that leads back to the entity under which was posted."""
    back = next(name for name, nav in of.navs.items() if nav.target == source.name)
    if source.name == "Datastreams":
        return back, await maker.stream_ref(row["id"])
    return back, await maker.urn_by_id(source, row["id"])


async def _links(maker: Maker, of: EntitySet, body: Attrs) -> dict[str, list[str]]:
    """The entities that a change links to; whole ones are not made by a change (clause 10.3)."""
    links: dict[str, list[str]] = {}
    for name, nav in of.navs.items():
        if body.get(name) is None:
            continue
        said = body[name] if isinstance(body[name], list) else [body[name]]
        if name in ("Observations", "Datastreams", "HistoricalLocations"):
            raise BodyInvalid(kind=of.one, reason=f"“{name}” are changed one by one")
        links[name] = []
        for one in said:
            urn = await maker.urn_of(SETS[nav.target], one)
            if urn is None:
                raise BodyInvalid(kind=of.one, reason="a change names entities by @iot.id")
            links[name].append(urn)
    return links


async def _urn_of_row(conn: Conn, number: int) -> str:
    return str(await conn.fetchval("select id from context.entity where no = $1", number))


async def _stream_ops(
    conn: Conn, reading: Reading, row: Row, attrs: Attrs, links: dict[str, list[str]]
) -> list[Op]:
    """A changed Datastream: the entity that describes it, made where there was none."""
    related = {"Sensor": "sensor", "ObservedProperty": "observedProperty"}
    said = {related[k]: relation_of(v) for k, v in links.items() if k in related}
    thing = await _urn_of_row(conn, row["_thing"])
    if links.get("Thing", [thing]) != [thing]:
        raise ChangeRefused(reason="a Datastream stays with its Thing, where its history lies")
    if row["_own"] is not None:
        changed = {**attrs, **said}
        return [Patch(await _urn_of_row(conn, row["_own"]), changed)] if changed else []
    whole = await reading.get(SETS["Datastreams"], Where(key=row["id"]), Options())
    kept = {k: whole[k] for k in ("name", "description", "observationType", "unitOfMeasurement")}
    made = {
        **attrs_of(SETS["Datastreams"], kept, False),
        "thing": relation_of([thing]),
        "sensor": relation_of([await _urn_of_row(conn, row["_sensor"])]),
        "observedProperty": relation_of([await _urn_of_row(conn, row["_property"])]),
        "attribute": property_of(row["_attr"]),
        **attrs,
        **said,
    }
    doc = {k: v for k, v in made.items() if v is not None}
    return [Create(Entity(_urn("Datastream"), ("Datastream",), doc))]


async def _move_things(conn: Conn, number: int, attrs: Attrs) -> list[Op]:
    """Things that are at a Location stand where it stands."""
    if attrs.get("location") is None:
        return []
    rows = await conn.fetch(
        """select t.id from sensorthings.link k join context.entity t on t.no = k.a
           where k.kind = 'l' and k.b = $1 and k.a <> $1 and not t.deleted limit 1000""",
        number,
    )
    return [Patch(r["id"], {"location": attrs["location"]}) for r in rows]


async def _instance(conn: Conn, stream: StreamRef, row: Row) -> dict[str, Any]:
    """The instance of a value as it stands now."""
    text = await conn.fetchval(
        """select coalesce(m.instance, sensorthings.instance(c.attrs -> $2))::text
           from context.change c left join context.amendment m
             on m.no = c.no and m.seq = c.seq and m.name = $2 and m.idx = 0
           where c.seq = $1""",
        row["id"] // SLOTS,
        stream.attr,
    )
    made: dict[str, Any] = msgspec.json.decode(text)
    return made


def _said(instance: dict[str, Any]) -> Attrs:
    """An instance as the members of an Observation."""

    def held(name: str) -> Any:
        one = instance.get(name)
        if not isinstance(one, dict):
            return None
        value = one.get("value", one.get("json"))
        return value.get("@value") if isinstance(value, dict) and "@value" in value else value

    result = instance.get("value", instance.get("json"))
    if isinstance(result, dict) and "@value" in result:
        result = result["@value"]
    said: Attrs = {"result": result, "phenomenonTime": held("phenomenonTime")}
    said["phenomenonTime"] = said["phenomenonTime"] or instance["observedAt"]
    for name in ("resultTime", "validTime", "resultQuality", "parameters"):
        if held(name) is not None:
            said[name] = held(name)
    return said
