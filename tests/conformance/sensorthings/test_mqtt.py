"""Requirements classes create-observations-via-mqtt and receive-updates-via-mqtt (OGC 18-088
clauses 14.2, 14.3)."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import msgspec
import paho.mqtt.client as mqtt
import pytest

from conformance.sensorthings.test_create_update_delete import THING
from nagara.city import City
from nagara.context import Create, Entity
from nagara.engines.nats import NatsEngine
from nagara.guard.identity import ANONYMOUS
from nagara.guard.policy import visible_types
from nagara.ingest import parking
from nagara.ingest.adapters.mqtt import MqttIntake
from nagara.ingest.adapters.mqtt_login import Grant, LoginRequest, LoginService
from nagara.ingest.service import IngestService
from nagara.sensorthings import subscribers
from nagara.sensorthings.answer import Answering
from nagara.sensorthings.discover import Streams
from nagara.sensorthings.mqtt import PREFIX, Hearing
from nagara.sensorthings.subscribers import Subscribers, subject_of, topic_of, topics_of
from nagara.sensorthings.telling import Telling, read_wish
from sim.ingest.publisher import Publisher

ROOT = "http://localhost/sensorthings/v1.1"


async def decide(request: LoginRequest) -> Grant | None:
    return Grant(request.user, (f"{PREFIX}>",), (f"{PREFIX}>",))


class Listener:
    """An MQTT client that others wrote, listening."""

    def __init__(self, port: int) -> None:
        self.heard: dict[str, list[Any]] = {}
        self._port = port
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "listener")
        self._client.username_pw_set("listener", "x")
        self._client.on_message = self._on_message
        self._client.on_connect = lambda *_: self.connected.set()
        self._client.on_subscribe = lambda *_: self.subscribed.set()
        self.connected, self.subscribed = threading.Event(), threading.Event()

    def _on_message(self, _client: Any, _data: Any, message: Any) -> None:
        said = msgspec.json.decode(message.payload)
        self.heard.setdefault(message.topic, []).append(said)

    async def listen(self, *topics: str) -> None:
        """Connect and subscribe."""
        await asyncio.to_thread(self._client.connect, "127.0.0.1", self._port)
        self._client.loop_start()
        assert await asyncio.to_thread(self.connected.wait, 20)
        self._client.subscribe([(topic, 1) for topic in topics])
        assert await asyncio.to_thread(self.subscribed.wait, 20)

    async def first(self, topic: str, number: int = 1) -> Any:
        """The message of a topic, once so many have come."""
        async with asyncio.timeout(30):
            while len(self.heard.get(topic, [])) < number:
                await asyncio.sleep(0.05)
        return self.heard[topic][number - 1]

    async def close(self) -> None:
        await asyncio.to_thread(self._client.disconnect)
        self._client.loop_stop()


async def test_what_a_program_publishes_is_an_observation(
    sta: Any, nats_engine: NatsEngine, city: City
) -> None:
    await sta.post("Things", THING)
    [stream] = await sta.ids("Datastreams")
    context = sta.context
    service = IngestService(context, context.db, city, [])
    await service.load()
    streams = Streams(context)
    intake = MqttIntake(service, nats_engine, {PREFIX: Hearing(Answering(context, streams)).hear})
    await intake.prepare()
    login = await LoginService.start(nats_engine, decide)
    tasks = [asyncio.create_task(service.intake.run()), asyncio.create_task(intake.run())]
    program = Publisher(nats_engine.mqtt_port, "program", "x")
    try:
        await program.connect()
        topic = f"v1.1/Datastreams({stream})/Observations"
        for result in (30, 31):
            body = {"result": result, "phenomenonTime": f"2025-03-01T00:00:{result}Z"}
            await program.publish(msgspec.json.encode(body), topic=topic)
        await program.publish(b'{"phenomenonTime": "never"}', topic=topic)
        await program.flush()
        async with asyncio.timeout(30):
            while len(await sta.ids("Observations")) < 4:
                await asyncio.sleep(0.05)
            while not await parking.list_parked(context.db, limit=10):
                await asyncio.sleep(0.05)
        page = await sta.get(
            f"Datastreams({stream})/Observations", orderby="phenomenonTime desc", top=2
        )
        assert [one["result"] for one in page["value"]] == [31, 30]
    finally:
        await program.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await login.close()


async def test_who_subscribes_hears_what_a_get_would_tell(
    sta: Any, nats_engine: NatsEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscribers, "LOOK_EVERY_S", 0.2)
    thing = await sta.post("Things", THING)
    [stream] = await sta.ids("Datastreams")
    streams = Streams(sta.context)
    telling = Telling(sta.context, streams, visible_types(ANONYMOUS), ROOT)
    sta.room.answering.writing.amended.append(telling.amended)
    login = await LoginService.start(nats_engine, decide)
    telling_task = asyncio.create_task(Subscribers(nats_engine, telling).run())
    values, chosen = f"v1.1/Datastreams({stream})/Observations", "v1.1/Observations?$select=result"
    name, others = f"v1.1/Things({thing})/name", f"v1.1/Datastreams({stream + 1})/Observations"
    places = f"v1.1/Datastreams({stream})/Thing/Locations"
    listener = Listener(nats_engine.mqtt_port)
    try:
        await listener.listen(values, chosen, name, others, places)
        number = await sta.post(
            f"Datastreams({stream})/Observations",
            {"result": 41, "phenomenonTime": "2020-01-01T00:00:00Z"},  # late: history alone
        )
        assert await listener.first(values) == await sta.get(f"Observations({number})")
        assert await listener.first(chosen) == {"result": 41}
        await sta.send("PATCH", f"Observations({number})", {"result": 42})
        assert (await listener.first(values, 2))["result"] == 42
        await sta.send("PATCH", f"Things({thing})", {"description": "another"})
        await sta.send("PATCH", f"Things({thing})", {"name": "Renamed"})
        assert await listener.first(name) == {"name": "Renamed"}
        [place] = await sta.ids(f"Things({thing})/Locations")
        await sta.send("PATCH", f"Locations({place})", {"name": "Elsewhere"})
        assert (await listener.first(places))["name"] == "Elsewhere"
        assert len(listener.heard[name]) == 1
        assert others not in listener.heard
        assert len(telling.topics) == 5
        await listener.close()
        async with asyncio.timeout(30):  # nobody listens: nothing is put into words
            while telling.topics:
                await asyncio.sleep(0.05)
    finally:
        await listener.close()
        telling_task.cancel()
        await asyncio.gather(telling_task, return_exceptions=True)
        await login.close()


async def test_what_policy_hides_or_a_tenant_has_is_told_to_nobody(sta: Any) -> None:
    told: list[tuple[str, bytes]] = []

    async def publish(topic: str, payload: bytes) -> None:
        told.append((topic, payload))

    telling = Telling(sta.context, Streams(sta.context), visible_types(ANONYMOUS), ROOT)
    telling.want(["v1.1/Observations"])
    task = asyncio.create_task(telling.run(publish))
    await asyncio.sleep(0)
    value = {"type": "Property", "value": 1, "observedAt": "2025-03-01T00:00:00Z"}
    for kind, tenant in (("Secret", ""), ("WeatherObserved", "north"), ("WeatherObserved", "")):
        entity = Entity(f"urn:ngsi-ld:{kind}:1", (kind,), {"level": value})
        await sta.context.write(Create(entity), actor="test", tenant=tenant)
    async with asyncio.timeout(30):
        while not told:
            await asyncio.sleep(0.02)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    [stream] = await sta.ids("Datastreams", filter="Thing/description eq 'WeatherObserved'")
    [seen] = await sta.ids(f"Datastreams({stream})/Observations")
    assert [msgspec.json.decode(payload)["@iot.id"] for _, payload in told] == [seen]


def test_topics_and_what_they_ask_for() -> None:
    topic = "v1.1/Datastreams(5)/Observations?$select=result,phenomenonTime"
    assert topic_of(subject_of(topic)) == topic
    record = msgspec.json.encode(
        {
            "id": "x",
            "clean": True,
            "subs": {subject_of(topic): 1, "v1//1.>": 0, "devices.a.down": 1},
        }
    )
    assert topics_of(record) == {topic}
    assert topics_of(b"[]") == topics_of(b"{") == frozenset()
    wish = read_wish(topic)
    assert wish is not None
    assert wish.options.select == ("result", "phenomenonTime")
    for nothing in (
        "v1.0/Things",
        "v1.1/Nothing",
        "v1.1/Things?$filter=id eq 1",
        "v1.1/Things/$ref",
    ):
        assert read_wish(nothing) is None
