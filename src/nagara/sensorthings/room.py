"""The room, assembled: OGC SensorThings over the city's store."""

from __future__ import annotations

from nagara.context import Task
from nagara.context.room import Floor, Room
from nagara.sensorthings.answer import Answering
from nagara.sensorthings.discover import Streams
from nagara.sensorthings.mqtt import Hearing
from nagara.sensorthings.routes import service_routes


class SensorThingsRoom(Room, frozen=True, kw_only=True):
    """The room, with what hears its MQTT topics."""

    hearing: Hearing


def assemble(floor: Floor, mqtt: str | None = None) -> SensorThingsRoom:
    """Routes and the reader that numbers streams. `mqtt`: the address told in the settings."""
    streams = Streams(floor.context)
    answering = Answering(floor.context, streams, mqtt)
    return SensorThingsRoom(
        name="sensorthings",
        routes=service_routes(answering),
        readers=[streams.reader()],
        tasks=[Task("sensorthings.units", streams.begin)],
        hearing=Hearing(answering),
    )
