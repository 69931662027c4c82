"""Requirements class create-observations-via-mqtt (OGC 18-088 clause 14.2)."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from conformance.sensorthings.test_create_update_delete import THING
from nagara.city import City
from nagara.engines.nats import NatsEngine
from nagara.ingest import parking
from nagara.ingest.adapters.mqtt import MqttIntake
from nagara.ingest.adapters.mqtt_login import Grant, LoginRequest, LoginService
from nagara.ingest.service import IngestService
from nagara.sensorthings.answer import Answering
from nagara.sensorthings.discover import Streams
from nagara.sensorthings.mqtt import PREFIX, Hearing
from sim.ingest.publisher import Publisher


async def decide(request: LoginRequest) -> Grant | None:
    return Grant(request.user, (f"{PREFIX}>",))


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
