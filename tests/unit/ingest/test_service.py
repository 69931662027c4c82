"""Promises of the way in, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from nagara.context import Context
from nagara.engines.database import Database
from nagara.ingest import parking
from nagara.ingest.errors import IngestBusy
from nagara.ingest.intake import QUEUED_MAX, Intake
from nagara.ingest.item import Item
from nagara.ingest.model import Observation, Rules
from nagara.ingest.parking import ParkedUnknown
from nagara.ingest.profile import FieldMap, Profile
from nagara.ingest.service import IngestService
from nagara.pack import Codec, Reading
from nagara.values.time import format_instant
from nagara.vocab.observation import flags_of

D1 = "urn:ngsi-ld:AirQualityObserved:th-bkk:d1"
MIRROR = "urn:ngsi-ld:Device:th-bkk:d1"


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def message(service: IngestService, said: dict[str, Any] | bytes, key: str | None = None) -> Item:
    payload = said if isinstance(said, bytes) else msgspec.json.encode(said)
    return service.read_message(
        "d1", payload, source="mqtt", topic="devices/d1/up", received_at=now(), key=key
    )


def balance(service: IngestService) -> dict[str, int]:
    total = service.intake.ledger.total()
    ended = sum(total[name] for name in ("stored", "duplicate", "parked", "refused", "inFlight"))
    assert total["received"] == ended
    return {name: total[name] for name in ("stored", "duplicate", "parked", "refused", "inFlight")}


async def test_a_reading_becomes_the_current_value_of_the_entity(
    service: IngestService, context: Context
) -> None:
    at = now()
    item = message(service, {"observedAt": format_instant(at), "pm25": 31.2, "temperature": 33})
    await service.intake.take([item])
    assert item.result == "stored"
    entity = await context.get(D1)
    assert entity.value("pm25") == 31.2
    assert entity.instance("pm25") == {
        "type": "Property",
        "value": 31.2,
        "unitCode": "GQ",
        "observedAt": format_instant(at),
    }
    assert entity.value("name") == {"en": "Test post", "th": "จุดทดสอบ"}
    assert entity.object("refDevice") == MIRROR
    assert (await context.get(MIRROR)).object("refEntity") == D1


async def test_hearing_a_reading_twice_changes_nothing(
    service: IngestService, context: Context
) -> None:
    said = {"observedAt": format_instant(now()), "pm25": 31.2}
    await service.intake.take([message(service, said), message(service, said)])
    again = message(service, said)
    await service.intake.take([again])
    assert again.result == "duplicate"
    assert len(await context.history(D1, ("pm25",))) == 1
    assert balance(service) == {
        "stored": 1,
        "duplicate": 2,
        "parked": 0,
        "refused": 0,
        "inFlight": 0,
    }


async def test_a_poison_message_never_stops_the_good_one_behind_it(
    service: IngestService, context: Context, database: Database
) -> None:
    at = now()
    items = [
        message(service, b"\x00\xffnot json"),
        message(service, {"observedAt": format_instant(at), "pm25": 20.0}),
        message(service, {"observedAt": "yesterday", "pm25": 20.0}),
        message(service, {"observedAt": format_instant(at + timedelta(days=400)), "pm25": 20.0}),
        message(service, {"pm25": {"value": 20.0, "unitCode": "ug/m3"}}),
        message(service, {"unheard": 1}),
        message(service, {"observedAt": format_instant(at - timedelta(hours=1)), "pm25": 19.0}),
    ]
    await service.intake.take(items)
    assert [item.result for item in items] == [
        "parked",
        "stored",
        "parked",
        "parked",
        "parked",
        "parked",
        "stored",
    ]
    codes = {parked.code for parked in await parking.list_parked(database)}
    assert codes == {
        "payload-unreadable",
        "instant-unreadable",
        "observed-too-far-ahead",
        "unit-unknown",
        "fields-unknown",
    }
    assert (await context.get(D1)).value("pm25") == 20.0
    assert balance(service)["parked"] == 5


async def test_what_the_store_itself_refuses_is_parked_alone(
    service: IngestService, context: Context, database: Database
) -> None:
    at = now()
    good = [
        Observation(f"urn:ngsi-ld:T:x:{n}", "T", at, [Reading("level", float(n))]) for n in range(9)
    ]
    poison = Observation("urn:ngsi-ld:T:x:bad", "T", at, [Reading("note", "a\x00b")])
    outcome = await service.accept([*good[:5], poison, *good[5:]], source="feed:test")
    assert (outcome.stored, outcome.parked) == (9, 1)
    assert [trouble.index for trouble in outcome.troubles] == [5]
    (parked,) = await parking.list_parked(database)
    assert parked.kind == "observation"
    for number in range(9):
        assert (await context.get(f"urn:ngsi-ld:T:x:{number}")).value("level") == number
    assert balance(service) == {
        "stored": 9,
        "duplicate": 0,
        "parked": 1,
        "refused": 0,
        "inFlight": 0,
    }


async def test_a_clock_up_to_a_day_ahead_is_kept_and_never_shown_as_now(
    service: IngestService, context: Context
) -> None:
    at = now()
    await service.intake.take(
        [
            message(service, {"observedAt": format_instant(at), "pm25": 20.0}),
            message(service, {"observedAt": format_instant(at + timedelta(hours=5)), "pm25": 99.0}),
        ]
    )
    assert (await context.get(D1)).value("pm25") == 20.0
    samples = await context.history(D1, ("pm25",))
    assert [flags_of(sample.instance) for sample in samples] == [(), ("clock",)]


async def test_quality_is_judged_as_before_after_a_restart(
    service: IngestService, context: Context, database: Database
) -> None:
    at = now() - timedelta(hours=12)
    for hour, value in enumerate((20.0, 21.0, 44.0)):
        said = {"observedAt": format_instant(at + timedelta(hours=hour)), "pm25": value}
        await service.intake.take([message(service, said)])
    fresh = IngestService(context, database, service.city)
    fresh.intake.rules = service.intake.rules
    await fresh.load()
    task = asyncio.create_task(fresh.intake.run())
    said = {"observedAt": format_instant(at + timedelta(hours=3)), "pm25": 45.0}
    await fresh.intake.take([message(fresh, said)])
    task.cancel()
    samples = await context.history(D1, ("pm25",))
    flags = [flags_of(sample.instance) for sample in samples]
    assert flags == [(), (), ("jump",), ("jump",)]
    assert fresh.intake.ledger.total()["stored"] == 4


async def test_a_parked_message_is_stored_when_the_cause_is_mended(
    service: IngestService, context: Context, database: Database
) -> None:
    said = {"observedAt": format_instant(now()), "feinstaub": 12.0}
    item = message(service, said, key="log:7")
    heard_again = msgspec.structs.replace(item)
    await service.intake.take([item, heard_again])
    assert (item.result, heard_again.result) == ("parked", "duplicate")
    (parked,) = await parking.list_parked(database)
    assert (await service.replay([parked])).parked == 1
    d1 = service.registry.get("d1").device
    fields = {"feinstaub": FieldMap("pm25", "GQ")}
    await service.registry.put_profile(Profile("dust", "json", "AirQualityObserved", fields=fields))
    dusty = msgspec.structs.replace(d1, profile="dust")
    off = msgspec.structs.replace(dusty, enabled=False)
    await service.registry.change(off, "account:tester")
    assert (await service.replay_all("fields-unknown")).parked == 1  # not lost to a switch
    await service.registry.change(dusty, "account:tester")
    outcome = await service.replay_all("device-disabled")
    assert outcome.stored == 1
    assert (await context.get(D1)).value("pm25") == 12.0
    assert balance(service) == {
        "stored": 1,
        "duplicate": 1,
        "parked": 0,
        "refused": 0,
        "inFlight": 0,
    }
    with pytest.raises(ParkedUnknown):
        await parking.get_parked(database, parked.id)


async def test_a_discarded_message_is_counted_as_refused(
    service: IngestService, database: Database
) -> None:
    await service.intake.take([message(service, b"?")])
    (parked,) = await parking.list_parked(database)
    await service.discard(parked.id, "account:tester")
    assert balance(service) == {
        "stored": 0,
        "duplicate": 0,
        "parked": 0,
        "refused": 1,
        "inFlight": 0,
    }


async def test_counters_outlive_the_process(
    service: IngestService, context: Context, database: Database
) -> None:
    said = {"observedAt": format_instant(now()), "pm25": 31.2}
    await service.intake.take([message(service, said), message(service, b"?")])
    service.intake.refuse("mqtt", parking.ParkedUnknown(id=1), "d1")
    assert balance(service)["inFlight"] == 1
    await service.intake.pay_owed()
    before = balance(service)
    fresh = IngestService(context, database, service.city)
    await fresh.load()
    assert (
        balance(fresh)
        == before
        == {
            "stored": 1,
            "duplicate": 0,
            "parked": 1,
            "refused": 1,
            "inFlight": 0,
        }
    )


async def test_a_feed_item_without_readings_refreshes_the_entity_only_where_it_differs(
    service: IngestService, context: Context
) -> None:
    def ticket(status: str) -> Observation:
        base = {"status": {"type": "Property", "value": status}}
        return Observation(
            "urn:ngsi-ld:ServiceRequest:x:1", "ServiceRequest", now(), [], base, True
        )

    for status, result in (
        ("received", "stored"),
        ("received", "duplicate"),
        ("finished", "stored"),
    ):
        outcome = await service.accept([ticket(status)], source="feed:traffy")
        assert getattr(outcome, result) == 1, status
    entity = await context.get("urn:ngsi-ld:ServiceRequest:x:1")
    assert entity.value("status") == "finished"
    assert entity.version == 2


async def test_replayed_values_say_so(service: IngestService, context: Context) -> None:
    at = now()
    original = datetime(2022, 6, 1, tzinfo=UTC)
    observation = Observation(
        "urn:ngsi-ld:WeatherObserved:x:1",
        "WeatherObserved",
        at,
        [Reading("precipitation", 3.0, "MMT")],
        original_observed_at=original,
    )
    await service.accept([observation], source="replay", provenance="replayed")
    instance = (await context.get("urn:ngsi-ld:WeatherObserved:x:1")).instance("precipitation")
    assert instance is not None
    assert instance["provenance"] == {"type": "Property", "value": "replayed"}
    assert instance["originalObservedAt"]["value"]["@value"] == "2022-06-01T00:00:00Z"


async def test_a_device_that_floods_is_refused_after_an_hour_of_its_rate(
    service: IngestService,
) -> None:
    item = Item("mqtt", "t", b"", now(), now())
    at = now() - timedelta(days=1)
    for second in range(3605):
        said = {"observedAt": format_instant(at + timedelta(seconds=second)), "pm25": 20.0}
        item = message(service, said)
        if item.problem is not None:
            break
    assert item.problem is not None
    assert item.problem.code == "rate-exceeded"
    assert item.is_refused


async def test_what_waited_in_the_log_is_judged_by_the_rate_at_which_it_was_sent(
    service: IngestService,
) -> None:
    begun = now() - timedelta(hours=6)
    problems = 0
    for second in range(5000):  # read in one go, sent over more than an hour
        item = service.read_message(
            "d1",
            b'{"pm25": 20}',
            source="mqtt",
            topic="devices/d1/up",
            received_at=begun + timedelta(seconds=second),
        )
        problems += item.problem is not None
    assert problems == 0


async def test_a_message_of_before_refills_nothing_and_takes_nothing_back(
    service: IngestService,
) -> None:
    bound = service.registry.get("d1")
    at_s = now().timestamp()
    while bound.wait_s(at_s) == 0:
        pass
    assert bound.wait_s(at_s - 86_400) > 0
    assert bound.wait_s(at_s) > 0  # the clock that went back gave nothing away
    assert bound.wait_s(at_s + 60) == 0


async def test_a_device_that_is_switched_off_is_refused(service: IngestService) -> None:
    off = msgspec.structs.replace(service.registry.get("d1").device, enabled=False)
    await service.registry.change(off, "account:tester")
    item = message(service, {"pm25": 1.0})
    await service.intake.take([item])
    assert item.result == "refused"
    assert balance(service)["refused"] == 1


async def test_the_registry_is_there_after_a_restart(
    service: IngestService, context: Context, database: Database
) -> None:
    fresh = IngestService(context, database, service.city)
    await fresh.load()
    bound = fresh.registry.get("d1")
    assert bound.device.location == (100.5, 13.75)
    assert bound.profile.name == "air-json"
    await fresh.registry.remove("d1", "account:tester")
    assert fresh.registry.find("d1") is None
    assert await context.find(MIRROR) is None


async def test_a_device_that_is_moved_takes_the_entity_it_made_along(
    service: IngestService, context: Context
) -> None:
    await service.intake.take([message(service, {"pm25": 20.0})])
    moved = msgspec.structs.replace(service.registry.get("d1").device, location=(100.6, 13.8))
    await service.registry.change(moved, "account:tester")
    place = (await context.get(D1)).value("location")
    assert place == {"type": "Point", "coordinates": [100.6, 13.8]}
    assert (await context.get(D1)).value("pm25") == 20.0


async def test_a_sender_is_told_to_come_back_when_too_much_waits(
    service: IngestService, context: Context
) -> None:
    idle = Intake(context, Rules())  # nobody works here
    items = [Item("http", "t", b"", now(), now()) for _ in range(QUEUED_MAX)]
    waiting = asyncio.create_task(idle.take(items))
    await asyncio.sleep(0)
    with pytest.raises(IngestBusy) as caught:
        await idle.take(items[:1])
    assert caught.value.status == 503
    assert caught.value.params["retry_after_s"] > 0
    assert idle.ledger.total()["inFlight"] == QUEUED_MAX
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


async def test_a_codec_that_breaks_is_the_codecs_own_trouble(
    service: IngestService, database: Database
) -> None:
    def broken(_payload: bytes, _options: Mapping[str, Any]) -> list[Reading]:
        raise ZeroDivisionError

    service.registry.codecs["broken"] = Codec("broken", "breaks", broken)
    await service.registry.put_profile(Profile("odd", "broken", "T"))
    odd = msgspec.structs.replace(service.registry.get("d1").device, profile="odd")
    await service.registry.change(odd, "account:tester")
    item = message(service, b"x")
    await service.intake.take([item])
    assert item.result == "parked"
    (parked,) = await parking.list_parked(database)
    assert parked.code == "payload-unreadable"
