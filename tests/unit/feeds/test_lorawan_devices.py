"""Devices behind a LoRaWAN network server: from its message to values in the context."""

from __future__ import annotations

import base64
import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from nagara.ingest.profile import Profile
from nagara.ingest.registry import Device
from nagara.ingest.service import IngestService, outcome_of

EUI = "a81758fffe04b1c1"
ENTITY = "urn:ngsi-ld:IndoorEnvironmentObserved:th-bkk:tower"


async def register(service: IngestService, **options: Any) -> None:
    await service.registry.put_profile(
        Profile(
            name="tower-ems",
            codec="elsys",
            entity_type="IndoorEnvironmentObserved",
            options={"device": EUI, **options},
            rate_per_minute=600_000,
        )
    )
    await service.registry.add(Device("tower", "tower-ems", ENTITY), "account:tester")


async def hear(service: IngestService, *messages: dict[str, Any]) -> Any:
    items = [
        service.read_message(
            "tower",
            json.dumps(message).encode(),
            source="mqtt",
            topic="devices/tower/up",
            received_at=datetime.now(UTC),
            limited=False,
        )
        for message in messages
    ]
    await service.intake.take(items)
    return outcome_of(items)


def ttn(frame: str, eui: str = EUI, at: str = "2025-05-22T05:00:00Z") -> dict[str, Any]:
    return {
        "end_device_ids": {"device_id": "tower", "dev_eui": eui.upper()},
        "uplink_message": {
            "f_port": 5,
            "frm_payload": base64.b64encode(bytes.fromhex(frame)).decode(),
            "received_at": at,
        },
    }


async def test_a_frame_becomes_values_with_units_and_the_networks_moment(
    service: IngestService,
) -> None:
    await register(service, envelope="ttn-v3")
    outcome = await hear(service, ttn("0100d70230070e10"))
    assert (outcome.received, outcome.stored) == (1, 1)
    tower = await service.context.get(ENTITY)
    assert tower.value("temperature") == 21.5
    assert tower.value("relativeHumidity") == 48
    assert tower.value("batteryVoltage") == 3600
    said = tower.instance("temperature")
    assert said is not None
    assert (said["unitCode"], said["observedAt"]) == ("CEL", "2025-05-22T05:00:00Z")


async def test_frames_that_cannot_be_read_are_parked_with_words_and_the_good_one_is_stored(
    service: IngestService,
) -> None:
    await register(service, envelope="auto")
    outcome = await hear(
        service,
        ttn("01"),
        ttn("0100d7", eui="0000000000000001"),
        {"end_device_ids": {"dev_eui": EUI}, "join_accept": {}},
        ttn("ff00"),
        ttn("0100d8"),
    )
    assert (outcome.stored, outcome.parked) == (1, 4)
    assert [trouble.problem.code for trouble in outcome.troubles] == [
        "frame-too-short",
        "envelope-of-other-device",
        "envelope-not-uplink",
        "frame-part-unknown",
    ]
    assert (await service.context.get(ENTITY)).value("temperature") == 21.6


async def test_a_day_of_the_archives_messages_is_stored_once_and_ends_at_its_last_value(
    service: IngestService, nagara_archives: Any
) -> None:
    await register(service, envelope="helium")
    path = nagara_archives / "iot/lorawan/ems-tourperret-A81758FFFE04B1C1.ndjson.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        messages = [json.loads(next(file)) for _ in range(200)]
    first = await hear(service, *messages)
    assert (first.stored, first.parked, first.refused) == (200, 0, 0)
    again = await hear(service, *messages)
    assert again.duplicate == 200
    newest = max(messages, key=lambda message: message["reported_at"])
    tower = await service.context.get(ENTITY)
    assert tower.value("temperature") == newest["decoded"]["payload"]["temperature"]


async def test_a_relative_time_is_counted_from_the_arrival(service: IngestService) -> None:
    await service.registry.put_profile(
        Profile(name="senml-room", codec="senml", entity_type="IndoorEnvironmentObserved")
    )
    await service.registry.add(Device("room", "senml-room", ENTITY), "account:tester")
    arrived = datetime.now(UTC)
    item = service.read_message(
        "room",
        b'[{"n": "temperature", "u": "Cel", "v": 24.5, "t": -60}]',
        source="mqtt",
        topic="devices/room/up",
        received_at=arrived,
    )
    assert item.observation is not None
    (reading,) = item.observation.readings
    assert reading.observed_at == arrived - timedelta(minutes=1)
