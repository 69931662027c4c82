"""What MQTT sessions have subscribed to, from NATS's own record of its sessions.

NATS writes each session, with its subscriptions, into the stream `$MQTT_sess` before it answers the
SUBSCRIBE, and takes a clean one out when it ends. It is internal to NATS: the version is pinned,
and a test stands on it. Topics with `+` or `#` are heard as NATS hears them, but ask for nothing.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import nats
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

from nagara.engines.errors import StreamUnreachable
from nagara.engines.mqtt_log import open_mqtt_log
from nagara.engines.nats import NatsEngine
from nagara.sensorthings.mqtt import PREFIX
from nagara.sensorthings.telling import Telling

STREAM = "$MQTT_sess"
#: How often it is asked whether sessions that had wishes are still there.
LOOK_EVERY_S = 15.0
RETRY_S_MAX = 30.0  # where another server is used that keeps its sessions to itself

log = structlog.get_logger("sensorthings.subscribers")


class Subscribers:
    """Follows the sessions of one city's MQTT, and publishes to them."""

    def __init__(self, engine: NatsEngine, telling: Telling) -> None:
        self._engine, self._telling = engine, telling
        self._sessions: dict[str, frozenset[str]] = {}
        self._client: Client | None = None

    async def run(self) -> None:
        """Runs for the life of the city; comes back when NATS was away."""
        async with asyncio.TaskGroup() as both:
            both.create_task(self._follow_for_ever())
            both.create_task(self._telling.run(self._publish))

    async def _publish(self, topic: str, payload: bytes) -> None:
        """Best effort: who is not there when it is said does not hear it (QoS 0)."""
        client = self._client
        if client is not None and client.is_connected:
            try:
                await client.publish(subject_of(topic), payload)
            except nats.errors.Error as error:
                log.warning("publish.lost", reason=type(error).__name__)

    async def _follow_for_ever(self) -> None:
        pause = 0.2
        while True:
            try:
                await self._follow()
                pause = 0.2
            except (OSError, TimeoutError, StreamUnreachable, nats.errors.Error) as error:
                log.warning("sessions.away", reason=f"{type(error).__name__}: {error}")
            await asyncio.sleep(pause)
            pause = min(pause * 2, RETRY_S_MAX)

    async def _follow(self) -> None:
        """One connection to NATS, until it is lost. Raises nats-py's errors."""
        await open_mqtt_log(self._engine)
        gone = asyncio.Event()

        async def closed() -> None:
            gone.set()

        client = await nats.connect(
            self._engine.url,
            user=self._engine.app_user,
            password=self._engine.app_password,
            name="sensorthings",
            allow_reconnect=False,
            connect_timeout=5,
            closed_cb=closed,
        )
        self._client, self._sessions = client, {}
        try:
            stream = client.jetstream()
            await stream.subscribe(
                "$MQTT.sess.>",
                stream=STREAM,
                cb=self._heard,
                manual_ack=True,
                config=ConsumerConfig(
                    deliver_policy=DeliverPolicy.LAST_PER_SUBJECT, ack_policy=AckPolicy.NONE
                ),
            )
            while not gone.is_set():
                try:
                    await asyncio.wait_for(gone.wait(), LOOK_EVERY_S)
                except TimeoutError:
                    await self._look(stream)
        finally:
            self._client = None
            await client.close()

    async def _heard(self, message: Msg) -> None:
        topics = topics_of(message.data)
        if topics:
            self._sessions[message.subject] = topics
        elif self._sessions.pop(message.subject, None) is None:
            return
        self._want()

    async def _look(self, stream: Any) -> None:
        """Forget the sessions that have ended."""
        for subject in tuple(self._sessions):
            try:
                await stream.get_last_msg(STREAM, subject)
            except NotFoundError:
                self._sessions.pop(subject, None)
                self._want()

    def _want(self) -> None:
        self._telling.want(dict.fromkeys(t for topics in self._sessions.values() for t in topics))


def topics_of(record: bytes) -> frozenset[str]:
    """The topics below ours that a session has subscribed to."""
    try:
        session = msgspec.json.decode(record)
        subjects = [str(s) for s in session.get("subs") or {}]
    except (msgspec.DecodeError, AttributeError, TypeError):
        return frozenset()
    return frozenset(
        topic_of(subject)
        for subject in subjects
        if subject.startswith(PREFIX) and not {"*", ">"} & set(subject.split("."))
    )


def topic_of(subject: str) -> str:
    """The MQTT topic of a NATS subject: `.` was `/`, and `//` was a dot."""
    return "/".join(part.replace("//", ".") for part in subject.split("."))


def subject_of(topic: str) -> str:
    """The NATS subject of an MQTT topic."""
    return ".".join(part.replace(".", "//") for part in topic.split("/"))
