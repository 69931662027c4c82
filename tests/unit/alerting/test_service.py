"""Alerts on a real store: one at a time, each in one transaction, whoever hears it how often."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from nagara.alerting import record
from nagara.alerting.errors import AlertAcknowledged, AlertEnded, AlertNotFound, NoteMissing
from nagara.alerting.rules import rule_book
from nagara.alerting.service import Alerting
from nagara.alerting.shapes import alert_of
from nagara.alerting.silence import Silence
from nagara.context import Change, Context, Create, Delete, Entity, Patch, Query, Upsert
from nagara.context.log import read_changes
from nagara.context.stream import simplify
from nagara.guard import audit
from nagara.guard.identity import Actor
from nagara.packs.air import PACK
from nagara.values.time import format_instant
from nagara.vocab import alert as noun
from room_fixtures import Town

OFFICER = Actor("account", "7", "Somchai", ("officer",))


def alerting(town: Town, context: Context | None = None) -> Alerting:
    context = context or town.context
    return Alerting(context, context.db, town.city, rule_book([PACK], {}))


async def changes(town: Town) -> list[Change]:
    async with town.floor.db.acquire() as conn:
        return await read_changes(conn, 0, 10_000)


async def alerts(town: Town) -> list[Entity]:
    return await town.context.query_all(Query(types=(noun.TYPE,)))


async def count_open(town: Town) -> int:
    async with town.floor.db.acquire() as conn:
        found: int = await conn.fetchval("select count(*) from alerting.open")
    return found


async def heard(town: Town, *values: float) -> Alerting:
    """An hour passes before each value; the room hears the whole log each time."""
    room = alerting(town)
    for value in values:
        town.pass_(hours=1)
        await town.measure("54t", value)
        await room.hear(await changes(town))
    return room


async def test_a_value_above_the_limit_raises_one_alert_with_who_and_when(town: Town) -> None:
    room = await heard(town, 26.0)
    (alert,) = await alerts(town)
    assert alert.value(noun.SEVERITY) == "watch"
    assert alert.value(noun.STATE) == "open"
    assert alert.value(noun.OBSERVED_VALUE) == 26.0
    assert alert.value(noun.THRESHOLD) == 25.0
    assert alert.instant(noun.DATE_ISSUED) == pytest.approx(town.now, abs=timedelta(seconds=1))
    assert alert.value(noun.ISSUED_BY) == "system"
    assert alert.value(noun.PROVENANCE) == "replayed"
    assert alert.value(noun.DISTRICT) == next(
        s.district for s in town.city.air_stations if s.code == "54t"
    )
    assert alert.value(noun.ENTITY_NAME)["th"]
    assert alert.value(noun.CASE_CATEGORY) == "air-pollution"
    (step,) = await room.steps(alert.id)
    assert (step.kind, step.who, step.role) == ("raised", "system:alerting", "system")


async def test_a_new_alert_is_told_live_with_the_unit_that_the_list_shows(town: Town) -> None:
    await heard(town, 26.0)
    told: dict[str, Any] = {}
    for change in await changes(town):  # the value comes behind the rest, in the same commit
        if noun.TYPE in change.types:
            told |= simplify(change)
    (alert,) = await alerts(town)
    value, listed = told[noun.OBSERVED_VALUE], alert_of(alert)
    assert (listed["observedValue"], listed["unit"]) == (26.0, "µg/m³")
    assert (value["value"], value["unit"]) == (26.0, "µg/m³")


async def test_hearing_the_whole_log_again_changes_nothing(town: Town) -> None:
    room = await heard(town, 26.0, 40.0, 20.0, 30.0)
    before = [(a.id, a.version) for a in await alerts(town)]
    assert len(before) == 2
    await room.hear(await changes(town))
    for change in await changes(town):
        await room.hear([change])
    assert [(a.id, a.version) for a in await alerts(town)] == before


async def test_an_alert_whose_entity_is_gone_holds_up_no_value(town: Town) -> None:
    room = await heard(town, 26.0)
    (lost,) = await alerts(town)
    await town.context.write(Delete(lost.id), actor="test")
    for value in (40.0, 20.0):
        town.pass_(hours=1)
        await town.measure("54t", value)
        await room.hear(await changes(town))
    (alert,) = await alerts(town)
    assert alert.id != lost.id
    assert (alert.value(noun.SEVERITY_PEAK), alert.value(noun.STATE)) == ("warning", "resolved")
    assert await count_open(town) == 0


async def test_in_a_tenant_clients_may_spoil_an_alert_and_hold_up_no_value(town: Town) -> None:
    room, silence = alerting(town), Silence(town.context, town.floor.db, rule_book([PACK], {}))
    tenant, station = "harbour", "urn:ngsi-ld:AirQualityObserved:th-bkk:quay"

    async def measure(value: float) -> None:
        reading = {"type": "Property", "value": value, "unitCode": "GQ"}
        reading["observedAt"] = format_instant(town.now)
        op = Upsert(Entity(station, ("AirQualityObserved",), {"pm25": reading}), "update")
        await town.context.write(op, actor="test", tenant=tenant)
        await room.hear(await changes(town))

    taken = record.alert_id(town.city.code, "air.pm25.watch", station, town.now)
    odd = {"type": "Property", "value": {"a": ["nonsense"]}}
    spoilt = dict.fromkeys((noun.SEVERITY, noun.SEVERITY_PEAK, noun.DATE_ISSUED), odd)
    await town.context.write(
        Create(Entity(taken, ("Building",), spoilt)), actor="test", tenant=tenant
    )
    await measure(26.0)
    alert = await town.context.get(taken, tenant)
    assert (alert.types, alert.value(noun.SEVERITY)) == ((noun.TYPE,), "watch")
    for value in ("2026-99-99T00:00:00Z", {"a": ["nonsense"]}):
        late = {"type": "Property", "value": value}
        spoilt[noun.DATE_ISSUED] = spoilt[noun.SILENT_SINCE] = late
        await town.context.write(Patch(taken, spoilt), actor="test", tenant=tenant)
        await silence.look()
    town.pass_(hours=1)
    await measure(40.0)
    assert (await town.context.get(taken, tenant)).value(noun.SEVERITY) == "warning"
    await town.context.write(Patch(taken, spoilt), actor="test", tenant=tenant)
    town.pass_(hours=26)
    assert await silence.look() == 1
    assert await count_open(town) == 0
    assert await alerts(town) == []  # none of the city's


async def test_watch_becomes_warning_and_ends_in_one_alert(town: Town) -> None:
    room = await heard(town, 26.0, 40.0)
    (alert,) = await alerts(town)
    assert alert.value(noun.SEVERITY) == "warning"
    assert alert.value(noun.RULE) == "air.pm25.warning"
    town.pass_(hours=1)
    await town.measure("54t", 20.0)
    await room.hear(await changes(town))
    (alert,) = await alerts(town)
    assert (alert.value(noun.STATE), alert.value(noun.RESOLVED_BY)) == ("resolved", "system")
    assert alert.value(noun.SEVERITY_PEAK) == "warning"
    assert await count_open(town) == 0
    assert [s.kind for s in await room.steps(alert.id)] == ["raised", "escalated", "resolved"]


async def test_a_flagged_value_raises_nothing_and_an_old_one_neither(town: Town) -> None:
    room = alerting(town)
    await town.measure("54t", 90.0, flags=("jump",))
    await town.measure("11t", 90.0, at=town.now - timedelta(hours=5))
    await room.hear(await changes(town))
    assert await alerts(town) == []


async def test_a_value_out_of_order_raises_nothing(town: Town) -> None:
    room = await heard(town, 20.0)
    await town.measure("54t", 90.0, at=town.now - timedelta(minutes=30))
    await room.hear(await changes(town))
    assert await alerts(town) == []


async def test_a_batch_comes_to_the_same_as_one_by_one(town: Town) -> None:
    for value in (26.0, 40.0, 20.0, 27.0):
        town.pass_(hours=1)
        await town.measure("54t", value)
        await town.measure("11t", value + 1)
    await alerting(town).hear(await changes(town))
    found = await alerts(town)
    assert sorted(a.value(noun.STATE) for a in found) == ["open", "open", "resolved", "resolved"]
    assert await count_open(town) == 2


async def test_two_writers_that_hear_the_same_open_one_alert(town: Town) -> None:
    """Two contexts are what two processes are: own connections, own commits, own caches."""
    other = Context(town.floor.db, audit.append)
    await other.start()
    other.clock.anchor = town.context.clock.anchor
    try:
        rooms = [alerting(town), alerting(town, other)]
        for value in (26.0, 40.0, 20.0, 30.0, 10.0, 50.0):
            town.pass_(hours=1)
            other.clock.anchor = town.context.clock.anchor
            await town.measure("54t", value)
            log = await changes(town)
            await asyncio.gather(*(room.hear(log) for room in rooms * 3))
    finally:
        await other.stop()
    found = await alerts(town)
    assert sorted(a.value(noun.STATE) for a in found) == ["open", "resolved", "resolved"]
    assert await count_open(town) == 1


async def test_the_database_itself_refuses_a_second_open_alert(town: Town) -> None:
    await heard(town, 26.0)
    async with town.floor.db.acquire() as conn:
        with pytest.raises(Exception, match="open_tenant_rule_id_entity_id_key"):
            await conn.execute(
                """insert into alerting.open
                   select tenant, 'another ladder', entity_id, rule_id, 'another', opened_at
                   from alerting.open"""
            )


async def test_an_officer_acknowledges_and_ends_an_alert_with_his_words(town: Town) -> None:
    room = await heard(town, 26.0)
    (alert,) = await alerts(town)
    alert = await room.acknowledge(alert.id, OFFICER, "calling the station")
    assert alert.value(noun.STATE) == "acknowledged"
    assert alert.value(noun.ACKNOWLEDGED_BY) == "officer"
    with pytest.raises(AlertAcknowledged):
        await room.acknowledge(alert.id, OFFICER, None)
    with pytest.raises(NoteMissing):
        await room.resolve(alert.id, OFFICER, "  ")
    alert = await room.resolve(alert.id, OFFICER, "a fire next door, out now")
    assert (alert.value(noun.STATE), alert.value(noun.RESOLVED_BY)) == ("resolved", "officer")
    with pytest.raises(AlertEnded):
        await room.resolve(alert.id, OFFICER, "again")
    with pytest.raises(AlertNotFound):
        await room.resolve("urn:ngsi-ld:Alert:th-bkk:none", OFFICER, "none")
    assert "Somchai" not in str(alert.attrs)
    assert [(s.kind, s.who, s.note) for s in await room.steps(alert.id)][1:] == [
        ("acknowledged", "account:7", "calling the station"),
        ("resolved", "account:7", "a fire next door, out now"),
    ]


async def test_after_an_end_by_hand_the_same_value_is_not_announced_again(town: Town) -> None:
    room = await heard(town, 26.0)
    (alert,) = await alerts(town)
    await room.resolve(alert.id, OFFICER, "known")
    for value, count in ((27.0, 1), (40.0, 2)):
        town.pass_(hours=1)
        await town.measure("54t", value)
        await room.hear(await changes(town))
        assert len(await alerts(town)) == count


async def test_escalation_asks_for_a_new_acknowledgement(town: Town) -> None:
    room = await heard(town, 26.0)
    (alert,) = await alerts(town)
    await room.acknowledge(alert.id, OFFICER, None)
    town.pass_(hours=1)
    await town.measure("54t", 40.0)
    await room.hear(await changes(town))
    assert (await room.get(alert.id)).value(noun.STATE) == "open"


async def test_a_silent_sensor_is_said_to_be_silent_and_not_to_be_well(town: Town) -> None:
    await heard(town, 26.0)
    silence = Silence(town.context, town.floor.db, rule_book([PACK], {}))
    assert await silence.look() == 0
    town.pass_(hours=6)
    assert await silence.look() == 1
    assert await silence.look() == 0  # said once
    (alert,) = await alerts(town)
    assert alert.value(noun.STATE) == "open"
    assert alert.instant(noun.SILENT_SINCE) == pytest.approx(
        town.now - timedelta(hours=6), abs=timedelta(seconds=1)
    )
    room = await heard(town, 27.0)
    assert await silence.look() == 1
    (alert,) = await alerts(town)
    assert alert.value(noun.SILENT_SINCE) is None
    assert [s.kind for s in await room.steps(alert.id)] == ["raised", "silent", "heard"]


async def test_after_a_day_of_silence_the_alert_ends_and_the_next_value_decides_anew(
    town: Town,
) -> None:
    await heard(town, 26.0)
    silence = Silence(town.context, town.floor.db, rule_book([PACK], {}))
    town.pass_(hours=25)
    assert await silence.look() == 1
    (alert,) = await alerts(town)
    assert (alert.value(noun.STATE), alert.value(noun.RESOLVED_BY)) == ("resolved", "system")
    assert await count_open(town) == 0
    await heard(town, 26.0)
    assert await count_open(town) == 1
    assert len(await alerts(town)) == 2
