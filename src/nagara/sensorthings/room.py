"""The room, assembled: OGC SensorThings over the city's store."""

from __future__ import annotations

from nagara.context import Task
from nagara.context.room import Floor, Room
from nagara.engines.nats import NatsEngine
from nagara.guard.identity import ANONYMOUS, OPEN
from nagara.guard.policy import visible_types
from nagara.sensorthings.answer import Answering
from nagara.sensorthings.discover import Streams
from nagara.sensorthings.mqtt import Hearing
from nagara.sensorthings.routes import service_routes
from nagara.sensorthings.subscribers import Subscribers
from nagara.sensorthings.telling import Telling


class SensorThingsRoom(Room, frozen=True, kw_only=True):
    """The room, with what hears its MQTT topics."""

    hearing: Hearing
    answering: Answering


def assemble(
    floor: Floor, mqtt: str | None = None, nats: NatsEngine | None = None, root: str = ""
) -> SensorThingsRoom:
    """Routes, the reader that numbers streams, and what tells subscribers.

    `mqtt`: the address told in the settings; `root`: that of the service in what is told by MQTT,
    where no request says by which name the city was reached.
    """
    streams = Streams(floor.context)
    answering = Answering(floor.context, streams, mqtt)
    tasks = [Task("sensorthings.units", streams.begin)]
    if nats is not None:
        seen = visible_types(OPEN if floor.guard.open_mode else ANONYMOUS)
        telling = Telling(floor.context, streams, seen, root)
        answering.writing.amended.append(telling.amended)
        tasks.append(Task("sensorthings.subscribers", Subscribers(nats, telling).run))
    return SensorThingsRoom(
        name="sensorthings",
        routes=service_routes(answering),
        readers=[streams.reader()],
        tasks=tasks,
        hearing=Hearing(answering),
        answering=answering,
    )
