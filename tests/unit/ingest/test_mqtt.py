"""MQTT: what a device publishes on its own topic is stored, parked or refused, and counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import msgspec
import nats
import pytest
import pytest_asyncio

from nagara.context import Context
from nagara.engines.database import Database
from nagara.engines.nats import NatsEngine
from nagara.ingest import parking
from nagara.ingest.adapters.mqtt import MqttIntake
from nagara.ingest.adapters.mqtt_login import Grant, LoginRequest, LoginService, rights_of
from nagara.ingest.adapters.nats_lines import Delivered
from nagara.ingest.adapters.violations import Violation, follow, topic_of, violations_in
from nagara.ingest.service import IngestService
from nagara.values.time import format_instant
from sim.ingest.publisher import Publisher, Refused

D1 = "urn:ngsi-ld:AirQualityObserved:th-bkk:d1"


async def decide(request: LoginRequest) -> Grant | None:
    return rights_of(request.user) if request.password == "right" else None


@pytest_asyncio.fixture
async def listening(service: IngestService, nats_engine: NatsEngine) -> AsyncIterator[MqttIntake]:
    intake = MqttIntake(service, nats_engine)
    await intake.prepare()
    login = await LoginService.start(nats_engine, decide)
    task = asyncio.create_task(intake.run())
    await until(lambda: intake.is_connected)
    yield intake
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await login.close()


@pytest_asyncio.fixture
async def device(listening: MqttIntake, nats_engine: NatsEngine) -> AsyncIterator[Publisher]:
    publisher = Publisher(nats_engine.mqtt_port, "d1", "right")
    await publisher.connect()
    yield publisher
    await publisher.close()


async def until(reached: Callable[[], bool], timeout_s: float = 30.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not reached():
            await asyncio.sleep(0.01)


def settled(service: IngestService) -> int:
    total = service.intake.ledger.total()
    return int(total["received"] - total["inFlight"])


async def test_a_published_reading_is_stored_with_or_without_its_own_time(
    device: Publisher, service: IngestService, context: Context
) -> None:
    at = datetime(2025, 5, 22, 5, tzinfo=UTC)
    await device.publish(msgspec.json.encode({"observedAt": format_instant(at), "pm25": 20.5}))
    await device.flush()
    await until(lambda: settled(service) == 1)
    assert (await context.get(D1)).value("pm25") == 20.5
    before = datetime.now(UTC)
    await device.publish(b'{"pm25": 21.5}')
    await device.flush()
    await until(lambda: settled(service) == 2)
    instance = (await context.get(D1)).instance("pm25")
    assert instance is not None
    assert instance["value"] == 21.5
    heard_at = datetime.fromisoformat(instance["observedAt"])
    assert abs((heard_at - before).total_seconds()) < 5


async def test_a_message_without_promise_is_heard_once(
    device: Publisher, service: IngestService, context: Context
) -> None:
    await device.publish(b'{"pm25": 19.5}', qos=0)
    await device.publish(b'{"pm25": 20.5}', qos=1)
    await device.flush()
    await until(lambda: settled(service) == 2)
    assert service.intake.ledger.total()["stored"] == 2
    assert len(await context.history(D1, ("pm25",))) == 2


async def test_bad_payloads_are_parked_with_topic_and_reason(
    device: Publisher, service: IngestService, database: Database
) -> None:
    await device.publish(b"{broken")
    await device.publish(b'{"pm25": 20}' + b" " * 100_000)
    await device.publish(b'{"pm25": 20}')
    await device.flush()
    await until(lambda: settled(service) == 3)
    parked = {p.code: p for p in await parking.list_parked(database)}
    assert set(parked) == {"payload-unreadable", "payload-too-large"}
    assert parked["payload-unreadable"].topic == "devices/d1/up"
    assert parked["payload-unreadable"].payload == b"{broken"
    assert parked["payload-too-large"].size_bytes == 100_012
    assert len(parked["payload-too-large"].payload) == 65_536
    assert service.intake.ledger.total()["stored"] == 1


async def test_what_nats_turns_away_is_counted_as_refused(
    device: Publisher, service: IngestService, nats_engine: NatsEngine
) -> None:
    assert nats_engine.child is not None
    seen: list[tuple[str | None, str]] = []

    def refuse(violation: Violation) -> None:
        seen.append((violation.device, violation.problem.code))
        service.intake.refuse("mqtt", violation.problem, violation.device)

    task = asyncio.create_task(follow(nats_engine.child.recipe.log_path, 0, refuse))
    await device.publish(b'{"pm25": 99}', topic="devices/d2/up")
    await device.flush()
    await device.publish(b'{"pm25": 99}' + b" " * 1_100_000)
    await asyncio.wait_for(device.lost.wait(), 10)
    await device.connect()
    device.unacknowledged.clear()
    await device.publish(b'{"pm25": 20}')
    await device.flush()
    await until(lambda: len(seen) == 2)
    task.cancel()
    assert seen == [("d1", "topic-forbidden"), ("d1", "payload-too-large")]
    await until(lambda: service.intake.ledger.total()["stored"] == 1)
    await service.intake.pay_owed()
    assert service.intake.ledger.total()["refused"] == 2


async def test_a_device_leaves_one_retained_message_and_no_more(
    device: Publisher, service: IngestService, nats_engine: NatsEngine
) -> None:
    for topic in ("devices/d1/a", "devices/d1/up/b", "devices/d1", "devices/d1/up"):
        await device.publish(b'{"pm25": 20}', topic, retain=True)
    await device.flush()
    await until(lambda: settled(service) == 1)
    client = await nats.connect(
        nats_engine.url, user=nats_engine.app_user, password=nats_engine.app_password
    )
    try:
        info = await client.jetstream().stream_info("$MQTT_rmsgs")
        assert info.state.messages == 1
    finally:
        await client.close()
    assert service.intake.ledger.total()["stored"] == 1


async def test_a_log_in_ends_so_that_an_old_secret_is_out(
    service: IngestService, nats_engine: NatsEngine
) -> None:
    right = "old"

    async def decide_by_secret(request: LoginRequest) -> Grant | None:
        return rights_of(request.user) if request.password == right else None

    await MqttIntake(service, nats_engine).prepare()
    login = await LoginService.start(nats_engine, decide_by_secret, lasts_s=2)
    before = Publisher(nats_engine.mqtt_port, "d1", "old")
    after = Publisher(nats_engine.mqtt_port, "d1", "new")
    try:
        await before.connect()
        await before.publish(b'{"pm25": 20}')
        await before.flush()
        right = "new"
        await asyncio.wait_for(before.lost.wait(), 10)
        with pytest.raises(Refused):
            await before.connect()
        await after.connect()
        await after.publish(b'{"pm25": 21}')
        await after.flush()
    finally:
        await before.close()
        await after.close()
        await login.close()


async def test_a_device_that_was_removed_is_refused_though_it_is_connected(
    device: Publisher, service: IngestService, database: Database
) -> None:
    await service.registry.remove("d1", "account:tester")
    for value in range(3):
        await device.publish(msgspec.json.encode({"pm25": value}))
    await device.flush()
    await until(lambda: settled(service) == 3)
    assert service.intake.ledger.total()["refused"] == 3
    assert await parking.list_parked(database) == []


async def test_what_is_delivered_again_has_had_its_place_in_the_rate(
    service: IngestService, nats_engine: NatsEngine
) -> None:
    intake = MqttIntake(service, nats_engine)
    stamp_ns = int(datetime.now(UTC).timestamp()) * 10**9
    bound = service.registry.get("d1")

    def delivered(times: int, number: int) -> str | None:
        reply = f"$JS.ACK.$MQTT_msgs.ingest.{times}.{number}.{number}.{stamp_ns}.0".encode()
        subject = b"$MQTT.msgs.devices.d1.up"
        item = intake._item(Delivered(1, subject, reply, b"", b'{"pm25": 20}'))
        return item.problem.code if item.problem is not None else None

    for number in range(int(bound.burst)):
        assert delivered(1, number) is None
    assert delivered(2, 0) is None
    assert delivered(1, 10_000) == "rate-exceeded"


async def test_a_thousand_readings_are_stored_once_each(
    device: Publisher, service: IngestService, context: Context
) -> None:
    d1 = service.registry.get("d1").device
    await service.registry.change(msgspec.structs.replace(d1), "account:tester")
    for second in range(1000):
        at = datetime(2025, 5, 22, 5, second // 60, second % 60, tzinfo=UTC)
        await device.publish(msgspec.json.encode({"observedAt": format_instant(at), "pm25": 20}))
    await device.flush()
    await until(lambda: settled(service) == 1000)
    assert service.intake.ledger.total()["stored"] == 1000
    assert len(await context.history(D1, ("pm25",))) == 1000


def test_a_topic_is_written_as_the_device_wrote_it() -> None:
    assert topic_of("devices.d1.status//json") == "devices/d1/status.json"


def test_other_lines_of_the_log_are_no_violations() -> None:
    assert violations_in(b"[1] [INF] Server is ready\n") == []
