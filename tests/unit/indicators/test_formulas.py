"""Each formula on a made town, with the answer counted by hand.

The town: Bangkok's own districts. Two air stations in two of them, a rain gauge, seven cases, three
alerts; every number below can be had with pencil and paper from `MADE`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from nagara.context import Create, Entity, Observe
from nagara.indicators import alert_facts, case_facts
from nagara.indicators import room as indicators_room
from nagara.indicators.measures import Period
from nagara.indicators.model import AlertFact, Fact
from nagara.indicators.service import Indicators
from nagara.pack import installed_packs
from nagara.values.ids import urn
from nagara.values.time import format_instant
from nagara.vocab.attribute import point_at, property_of
from room_fixtures import NOON, Town

#: 22 May 2025, 12:00 in Bangkok; the local day began at 17:00 UTC of the day before.
HOUR = timedelta(hours=1)
#: 54t is in Din Daeng (1026), 02t in Thon Buri (1015): populations below are of the kit.
STATIONS = {"54t": "1026", "02t": "1015"}


def _case(n: int, **known: Any) -> Fact:
    return Fact(f"c{n}", n, opened_at=NOON - 48 * HOUR, due_at=NOON - 24 * HOUR, **known)


CASES = (
    # in time after 10 h, accepted after 2 h, with a photo and 5 stars
    _case(1, state="closed", district="1001", source="resident", rating=5, resolution="photo",
          accepted_at=NOON - 46 * HOUR, resolved_at=NOON - 38 * HOUR),
    # 6 h late after 30 h, accepted after 4 h, with 2 stars, once reopened
    _case(2, state="resolved", district="1001", source="traffy", rating=2, resolution="reason",
          accepted_at=NOON - 44 * HOUR, resolved_at=NOON - 18 * HOUR, missed=True, reopened=1),
    # 12 h late after 36 h, accepted after 36 h
    _case(3, state="resolved", district="1002", source="alert", resolution="reason",
          accepted_at=NOON - 12 * HOUR, resolved_at=NOON - 12 * HOUR, missed=True),
    _case(4, state="routed", district="1002", source="resident"),  # open and past due
    Fact("c5", 5, state="routed", source="resident", opened_at=NOON - HOUR,
         due_at=NOON + 24 * HOUR),  # open, in no district
    _case(6, state="rejected", district="1001", source="traffy"),
)  # fmt: skip
ALERTS = (
    AlertFact("a1", 1, "1001", severity="warning", state="resolved", issued_at=NOON - 10 * HOUR,
              acknowledged_at=NOON - 10 * HOUR + timedelta(minutes=20),
              resolved_at=NOON - 6 * HOUR, case_id="c3"),
    AlertFact("a2", 2, "1001", severity="critical", state="acknowledged",
              issued_at=NOON - 5 * HOUR, escalated_at=NOON - 4 * HOUR,
              acknowledged_at=NOON - 4 * HOUR, case_id="c9"),
    AlertFact("a3", 3, "1002", severity="watch", state="open", issued_at=NOON - HOUR),
)  # fmt: skip
#: Station → hour of the local day → PM2.5; a flagged value stands in brackets below.
AIR = {
    "54t": {1: 40.0, 2: 50.0, 3: 30.0},
    "02t": {1: 10.0, 3: 20.0},
}
FLAGGED = ("02t", 4, 400.0)
RAIN = {"g1": 100.0, "g2": 20.0}


@pytest_asyncio.fixture(loop_scope="session")
async def made(town: Town) -> Indicators:
    service = indicators_room.make_indicators(town.floor, installed_packs())
    readers = indicators_room.assemble(town.floor, installed_packs()).readers
    for reader in readers:
        town.context.add_reader(reader)
    async with town.floor.db.acquire() as conn:
        await case_facts.save(conn, CASES)
        await alert_facts.save(conn, ALERTS)
    for code, hours in AIR.items():
        for hour, value in hours.items():
            await town.measure(code, value, at=_local(hour))
    code, hour, value = FLAGGED
    await town.measure(code, value, at=_local(hour), flags=("jump",))
    town.stand_at(NOON)
    for code, value in RAIN.items():
        reading = {
            "type": "Property",
            "value": value,
            "unitCode": "MMT",
            "observedAt": format_instant(_local(7)),
        }
        base = {"district": property_of("1001"), "location": point_at(100.498, 13.755)}
        entity_id = urn("WeatherObserved", town.city.code, code)
        await town.context.write(
            Observe(entity_id, ("WeatherObserved",), {"precipitation": reading}, base=base),
            actor="device:test",
        )
    for n, state in enumerate(("enabled", "enabled", "disabled", "enabled")):
        await town.context.write(
            Create(
                Entity(
                    urn("Device", town.city.code, f"d{n}"),
                    ("Device",),
                    {"deviceState": property_of(state)},
                )
            ),
            actor="device:test",
        )
    await town.settle()
    return service


def _local(hour: int) -> datetime:
    return datetime(2025, 5, 21, 17, tzinfo=UTC) + hour * HOUR


def _expected(town: Town) -> Mapping[str, float | None]:
    people = {d.code: d.population or 0 for d in town.city.districts}
    everybody = sum(people.values())
    area = sum(d.area_km2 or 0 for d in town.city.districts)
    two = people["1026"] + people["1015"]
    return {
        "air-days-above-standard": 50.0,  # 54t reached 50, 02t 20
        "air-days-above-guideline": 100.0,
        "air-pm25-mean": (40 + 50 + 30 + 10 + 20) / 5,
        "air-pm25-people-mean": (people["1026"] * 40 + people["1015"] * 15) / two,
        "air-pm25-highest": 50.0,
        "air-people-above-15": 100 * people["1026"] / two,  # 40, and 15 is not above
        "air-spread": 25.0,
        "air-fresh-share": 0.0,  # the newest is of 3 o'clock, it is noon
        "air-people-covered": 0.0,
        "air-stations-per-km2": 0.0,
        "rain-days-very-heavy": 50.0,
        "rain-mean": 60.0,
        "rain-highest": 100.0,
        "water-days-over-bank": None,
        # c1 in time; c2 and c3 late, c4 past due; c5 not due, c6 rejected
        "cases-in-time": 100 / 4,
        "cases-overdue-share": 50.0,
        "cases-hours-to-accept": 4.0,  # of 2, 4, 36
        "cases-hours-to-resolve": 30.0,  # of 10, 30, 36
        "cases-accepted-in-day": 100 * 2 / 6,
        "cases-backlog-days": 2 / (3 / 2),  # three in the two days since the first case
        "cases-cleared": 50.0,
        "cases-hours-late": (6 + 12) / 2,
        "cases-reopened-share": 25.0,  # of four ended
        "cases-rejected-share": 25.0,
        "cases-photo-proof": 100 / 3,
        "cases-placed-share": 100 * 5 / 6,
        "cases-from-alerts": 100 / 6,
        "reports-per-100k": 5 / everybody * 100_000,
        "reports-districts": 100 * 2 / 50,
        "reports-own-channel": 60.0,
        "reports-rated-share": 100 * 2 / 3,
        "reports-satisfied-share": 50.0,
        "reports-stars": 3.5,
        "people-per-km2": everybody / area,
        "alerts-minutes-to-acknowledge": 40.0,  # of 20 and 60
        "alerts-acknowledged-share": 100 * 2 / 3,
        "alerts-hours-open": 4.0,
        "alerts-with-case": 100 * 2 / 3,
        "alerts-escalated-share": 100 / 3,
        "alerts-per-100k": 3 / everybody * 100_000,
        "alerts-people-now": 100 * (people["1001"] + people["1002"]) / everybody,
        "data-good-share": 100 * 7 / 8,  # one of eight readings is flagged
        # twelve hours of the day have passed for both stations; 3 and 2 of them have a value
        "data-complete": 100 * 5 / 24,
        "data-uptime": 100 * 3 / 12,
        "data-stations-placed": 100.0,
        "devices-enabled": 75.0,
        "open-data-share": 100 * 2 / 3,  # of air, rain and devices, the last are not for everybody
        "hospitals-per-100k": 44 / everybody * 100_000,
        "departments-hotline": 100 * 14 / 81,
        "school-people-walk": None,
        "parks-area": None,  # without the archives there are points of parks, no outlines
        "open-space-share": None,
    }


async def test_every_formula_comes_to_what_is_counted_by_hand(made: Indicators, town: Town) -> None:
    await made.add_up_days()
    answers = await made.count(list(made.formulas.values()), [Period()])
    found = {answer.formula.code: answer.value for answer in answers}
    expected = _expected(town)
    for code, wanted in expected.items():
        value = found[code].value
        assert value == (wanted if wanted is None else pytest.approx(wanted)), code
        if wanted is None:
            assert found[code].missing, code
    rest = set(found) - set(expected)
    # these are areas of shapes: `test_ground` counts them on squares
    assert rest == {
        "transit-people-400m", "transit-people-500m", "transit-people-1km",
        "hospital-people-walk", "park-people-walk", "park-people-300m", "facilities-people-walk",
        "fire-people-reach", "hospital-metres", "transit-km-per-100k", "transit-districts",
    }  # fmt: skip


async def test_parts_are_told_by_district_and_make_the_whole(made: Indicators) -> None:
    await made.add_up_days()
    answer = await made.answer("cases-in-time", Period())
    rows = {d: (v.numerator, v.denominator) for d, v in answer.rows if v.denominator}
    assert rows == {"1001": (1, 2), "1002": (0, 2)}
    assert (answer.value.numerator, answer.value.denominator) == (1, 4)


async def test_hearing_a_reading_twice_changes_no_day(made: Indicators, town: Town) -> None:
    await made.add_up_days()
    before = (await made.answer("air-pm25-mean", Period())).value
    await town.measure("54t", 40.0, at=_local(1))
    town.stand_at(NOON)
    await town.settle()
    assert (await made.answer("air-pm25-mean", Period())).value == before


async def test_a_late_reading_is_added_to_the_day_it_is_of(made: Indicators, town: Town) -> None:
    await town.measure("54t", 80.0, at=_local(2) - timedelta(minutes=30))
    town.stand_at(NOON)
    await town.settle()
    value = (await made.answer("air-pm25-mean", Period())).value
    assert value.value == pytest.approx((150 + 80) / 6)


async def test_a_period_counts_what_is_in_it_alone(made: Indicators) -> None:
    await made.add_up_days()
    before = Period(NOON - timedelta(days=30), NOON - timedelta(days=3))
    formulas = list(made.formulas.values())
    found = {a.formula.code: a.value for a in await made.count(formulas, [before])}
    assert found["cases-cleared"].value is None
    assert found["air-pm25-mean"].value is None
    assert found["reports-per-100k"].value == 0
