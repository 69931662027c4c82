"""One request answered, whether it came by itself or in a batch: method, path, query, body."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from nagara.context import Context
from nagara.sensorthings import show
from nagara.sensorthings.bodies import read_id
from nagara.sensorthings.discover import Streams
from nagara.sensorthings.doer import Doer
from nagara.sensorthings.errors import BodyInvalid, BodyTooMuch, MethodUnfit, PathUnknown
from nagara.sensorthings.json_patch import changed_by
from nagara.sensorthings.make import Heard, Maker, StreamRef
from nagara.sensorthings.model import SETS, EntitySet
from nagara.sensorthings.options import Options, read_options
from nagara.sensorthings.paths import Place, read_path
from nagara.sensorthings.read import Found, Row
from nagara.sensorthings.select import Where
from nagara.sensorthings.service import Writing
from nagara.values.errors import Problem

#: Requirements classes (OGC 18-088 clause 7), as the service's settings name them.
_SPEC = "http://www.opengis.net/spec/iot_sensing/1.1/req/"
CONFORMANCE = [
    _SPEC + name
    for name in (
        "datamodel",
        "resource-path/resource-path-to-entities",
        "request-data",
        "create-update-delete/create-entity",
        "create-update-delete/link-to-existing-entities",
        "create-update-delete/deep-insert",
        "create-update-delete/deep-insert-status-code",
        "create-update-delete/update-entity",
        "create-update-delete/delete-entity",
        "create-update-delete/historical-location-auto-creation",
        "create-update-delete/historical-location-manual-creation",
        "create-update-delete/update-entity-jsonpatch",
        "create-update-delete/update-entity-put",
        "batch-request/batch-request",
        "data-array/data-array",
    )
]
MQTT_CONFORMANCE = [
    _SPEC + "create-observations-via-mqtt/observations-creation",
    _SPEC + "receive-updates-via-mqtt/receive-updates",
]

#: Values of one CreateObservations: a day of ten-second values of a sensor.
VALUES_MAX = 20_000


class Answer(Struct):
    """What a request is answered with; `text` is set where it is not JSON."""

    status: int
    body: Any = None
    location: str | None = None
    text: str | None = None


class Answering:
    """Answers for one city."""

    def __init__(self, context: Context, streams: Streams, mqtt: str | None = None) -> None:
        self.context = context
        self.streams = streams
        self.writing = Writing(context, streams)
        self.mqtt = mqtt

    def root(self, root: str) -> Answer:
        """The service's own resource."""
        conformance = [*CONFORMANCE, *(MQTT_CONFORMANCE if self.mqtt else ())]
        return Answer(200, show.show_root(root, conformance, self.mqtt))

    # -- reading ------------------------------------------------------------------------------

    async def get(self, path: str, query: str, root: str, doer: Doer) -> Answer:
        """GET of any path (clause 9)."""
        place = read_path(path)
        options = read_options(query, place.set)
        await self.streams.caught_up(patient=False)
        async with self.context.db.acquire() as conn:
            reading = self.writing.reading(conn, doer)
            found = await reading.find(place)
            if not found.one:
                listed = await reading.page(found, options)
                address = f"{root}/{path.strip('/')}" + (f"?{query}" if query else "")
                if place.form == "ref":
                    return Answer(200, show.show_refs(found.of, listed, options, root, address))
                return Answer(200, show.show_page(found.of, listed, options, root, address))
            row = await reading.get(found.of, found.where, options)
            if place.prop:
                return _property(found.of, row, place)
            if place.form == "ref":
                link = f"{root}/{found.of.name}({row['id']})"
                return Answer(200, {"@iot.selfLink": link})
            await reading.expand(found.of, [row], options)
            return Answer(200, show.show(found.of, row, options, root))

    # -- writing ------------------------------------------------------------------------------

    async def post(self, path: str, body: Any, root: str, doer: Doer) -> Answer:
        """POST: an entity into a set (clause 10.2)."""
        if path.strip("/") == "CreateObservations":
            return await self.create_observations(body, root, doer)
        place = read_path(path)
        if place.is_one or place.form or place.prop:
            raise MethodUnfit(method="POST", path=path[:80])
        await self.streams.caught_up(patient=False)
        under: tuple[EntitySet, Row] | None = None
        async with self.context.db.acquire() as conn:
            reading = self.writing.reading(conn, doer)
            if len(place.steps) > 1:
                before = Place(place.steps[:-1])
                found = await reading.find(before)
                under = found.of, await reading.get(found.of, found.where)
        number = await self.writing.create(place.set, under, body, doer)
        location = f"{root}/{place.set.name}({number})"
        async with self.context.db.acquire() as conn:
            reading = self.writing.reading(conn, doer)
            row = await reading.find_one(place.set, Where(key=number))
        shown = None if row is None else show.show(place.set, row, Options(), root)
        return Answer(201, shown, location)

    async def change(self, path: str, body: Any, whole: bool, root: str, doer: Doer) -> Answer:
        """PATCH and PUT of one entity (clause 10.3)."""
        found, row = await self._one(path, "PUT" if whole else "PATCH", doer)
        await self.writing.change(found, row, body, whole, doer)
        async with self.context.db.acquire() as conn:
            reading = self.writing.reading(conn, doer)
            after = await reading.find_one(found.of, Where(key=row["id"]))
        location = f"{root}/{found.of.name}({row['id']})"
        shown = None if after is None else show.show(found.of, after, Options(), root)
        return Answer(200, shown, location)

    async def patch(self, path: str, body: Any, root: str, doer: Doer) -> Answer:
        """JSON Patch (RFC 6902) of the properties of one entity."""
        found, row = await self._one(path, "PATCH", doer)
        of = found.of
        held = {n: show.show_value(of, n, row) for n in of.columns if n != "id"}
        kept = {name: value for name, value in held.items() if value is not None}
        return await self.change(path, changed_by(kept, body), False, root, doer)

    async def delete(self, path: str, doer: Doer) -> Answer:
        """DELETE of one entity (clause 10.4)."""
        found, row = await self._one(path, "DELETE", doer)
        await self.writing.delete(found, row, doer)
        return Answer(200)

    async def _one(self, path: str, method: str, doer: Doer) -> tuple[Found, Row]:
        place = read_path(path)
        if not place.is_one or place.form or place.prop:
            raise MethodUnfit(method=method, path=path[:80])
        await self.streams.caught_up(patient=False)
        async with self.context.db.acquire() as conn:
            reading = self.writing.reading(conn, doer)
            found = await reading.find(place)
            return found, await reading.get(found.of, found.where)

    # -- data arrays --------------------------------------------------------------------------

    async def create_observations(self, body: Any, root: str, doer: Doer) -> Answer:
        """CreateObservations (clause 13.2): for each value its address, or “error”."""
        if not isinstance(body, list):
            raise BodyInvalid(kind="CreateObservations", reason="it is a list of data arrays")
        await self.streams.caught_up(patient=False)
        outcome: list[Heard | str] = []
        async with self.context.db.acquire() as conn:
            maker = self.writing.maker(self.writing.reading(conn, doer))
            streams: dict[str, StreamRef] = {}
            for group in body:
                for value in _values(group):
                    if len(outcome) >= VALUES_MAX:
                        raise BodyTooMuch(what="Observations", limit=VALUES_MAX)
                    since = len(maker.ops)
                    try:
                        outcome.append(await _value(maker, group, value, streams))
                    except Problem as problem:
                        maker.undo(since)
                        reason = problem.params.get("reason", problem.code)
                        outcome.append(f"error: {reason}")
        heard = [one for one in outcome if isinstance(one, Heard)]
        numbers = iter(await self.writing.observe(maker, heard, doer) if heard else ())
        said = [
            one if isinstance(one, str) else f"{root}/Observations({next(numbers)})"
            for one in outcome
        ]
        return Answer(201, said)


async def _value(
    maker: Maker, group: Any, value: dict[str, Any], streams: dict[str, StreamRef]
) -> Heard:
    """A value of a data array. `streams`: those that were named before. Raises `BodyInvalid`."""
    said = group.get("Datastream")
    if not isinstance(said, dict) or "@iot.id" not in said:
        raise BodyInvalid(kind="Observation", reason="name the Datastream by its @iot.id")
    number = str(read_id(SETS["Datastreams"], said["@iot.id"]))
    if number not in streams:
        streams[number] = await maker.stream_ref(number)
    return await maker.observe(value, streams[number], 0, {})


def _values(group: Any) -> list[dict[str, Any]]:
    """The values of one data array as bodies of Observations. Raises `BodyInvalid`."""
    if not isinstance(group, dict):
        raise BodyInvalid(kind="CreateObservations", reason="a data array is a JSON object")
    names, rows = group.get("components"), group.get("dataArray")
    if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
        raise BodyInvalid(kind="CreateObservations", reason="“components” is a list of names")
    if not isinstance(rows, list):
        raise BodyInvalid(kind="CreateObservations", reason="“dataArray” is a list of lists")
    made = []
    for row in rows:
        body: dict[str, Any] = {}
        if isinstance(row, list) and len(row) == len(names):
            for name, value in zip(names, row, strict=True):
                if name in ("FeatureOfInterest/id", "FeatureOfInterest/@iot.id"):
                    body["FeatureOfInterest"] = {"@iot.id": value}
                else:
                    body[name] = value
        made.append(body)  # one of another length lacks its result, and says so
    return made


def _property(of: EntitySet, row: Row, place: Place) -> Answer:
    """A property, or its bare value (clauses 9.2.4, 9.2.5)."""
    name, *rest = place.prop
    value = show.show_value(of, name, row)
    if rest:
        if not isinstance(value, dict | list):
            raise PathUnknown(path="/".join(place.prop)[:80], reason="it has no parts")
        value = show.pick(value, tuple(rest))
    if value is None:
        return Answer(204)
    label = place.label if rest else ("@iot.id" if name == "id" else name)
    if place.form != "value":
        return Answer(200, {label: value})
    if isinstance(value, str):
        return Answer(200, text=value)
    if isinstance(value, dict | list):
        return Answer(200, value)
    return Answer(200, text="true" if value is True else "false" if value is False else str(value))
