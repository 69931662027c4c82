"""What the screens read: right, fresh and fast."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st
from litestar import Litestar

from nagara.alerting import room as alerting_room
from nagara.cases import room as cases_room
from nagara.context import Observe
from nagara.http.problem import EXCEPTION_HANDLERS
from nagara.indicators import room as indicators_room
from nagara.overview import room as overview_room
from nagara.overview.model import held_in_slots, in_slots, mean_by, slots
from nagara.overview.room import Facts
from nagara.pack import installed_packs
from nagara.values.ids import urn
from nagara.values.time import format_instant
from room_fixtures import NOON, Town

HOUR = timedelta(hours=1)


@pytest_asyncio.fixture
async def client(town: Town, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    packs = installed_packs()
    (tmp_path / "map.pmtiles").write_bytes(bytes(range(200)))
    facts = Facts(mqtt_port=1, ws_port=2, basemap=tmp_path / "map.pmtiles")
    rooms = [
        alerting_room.assemble(town.floor, packs),
        cases_room.assemble(town.floor),
        indicators_room.assemble(town.floor, packs),
        overview_room.assemble(town.floor, packs, facts),
    ]
    for room in rooms:
        for reader in room.readers:
            town.context.add_reader(reader)
        for task in room.tasks:
            town.context.spawn(task)
    app = Litestar(
        [route for room in rooms for route in room.routes],
        on_app_init=[town.floor.guard.on_app_init],
        exception_handlers=dict(EXCEPTION_HANDLERS),
    )
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://testserver.local"
    ) as made:
        yield made


async def get(client: httpx.AsyncClient, path: str) -> Any:
    answer = await client.get(f"/api/v1{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_the_city_tells_its_facts_and_its_clock(client: httpx.AsyncClient) -> None:
    city = await get(client, "/city")
    assert city["code"] == "th-bkk"
    assert city["clock"]["now"].startswith("2025-05-22T05:00")
    assert city["clock"]["mode"] == "replay"
    assert {c["group"] for c in city["categories"] if c["group"]} <= {
        g["code"] for g in city["groups"]
    }
    assert (city["mqttPort"], city["wsPort"], city["open"]) == (1, 2, False)
    assert city["shapes"]["districts"] == "approximate"


async def test_districts_are_geojson_and_asked_for_once(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/city/districts")
    assert len(answer.json()["features"]) == 50
    assert answer.json()["features"][0]["properties"]["approximate"] is True
    again = await client.get(
        "/api/v1/city/districts", headers={"if-none-match": answer.headers["etag"]}
    )
    assert again.status_code == 304
    assert (await client.get("/api/v1/city/layers/moon")).status_code == 404


async def test_a_reading_is_on_the_board_with_its_story(
    town: Town, client: httpx.AsyncClient
) -> None:
    await town.measure("54t", 31.0)
    await town.measure("11t", 99.0, flags=("jump",))
    await town.settle()
    await eventually(client, "/stations", lambda told: len(told["items"]) == 2)
    stations = {s["code"]: s for s in (await get(client, "/stations"))["items"]}
    measured = stations["54t"]["measures"]["pm25"]
    assert measured["value"] == 31.0
    assert measured["unit"] == "µg/m³"
    assert measured["provenance"] == "replayed"
    assert measured["stale"] is False
    assert stations["11t"]["measures"]["pm25"]["quality"] == ["jump"]
    assert stations["54t"]["name"]["th"]
    assert (await get(client, "/stations?type=WaterObserved"))["items"] == []
    town.pass_(hours=3)
    await eventually(
        client,
        "/stations",
        lambda told: all(s["measures"]["pm25"]["stale"] for s in told["items"]),
    )


async def eventually(client: httpx.AsyncClient, path: str, true: Any) -> Any:
    async with asyncio.timeout(60):
        while not true(told := await get(client, path)):
            await asyncio.sleep(0.01)
    return told


async def test_now_counts_what_there_is(town: Town, client: httpx.AsyncClient) -> None:
    nothing = await get(client, "/city/now")
    assert nothing["inTimeShare"] is None
    assert nothing["worst"] == []
    await town.measure("54t", 41.0)
    await town.measure("11t", 12.0)
    await town.measure("12t", 99.0, flags=("jump",))
    await town.settle()
    told = await eventually(
        client,
        "/city/now",
        lambda now: now["cases"]["open"] == 1 and now["stations"]["count"] == 3,
    )
    assert told["stations"] == {"count": 3, "fresh": 3, "stale": 0}
    assert told["alerts"] == {"open": 1, "bySeverity": {"warning": 1}}
    assert told["cases"] == {"open": 1, "overdue": 0, "today": 1}
    assert [s["code"] for s in told["worst"]][:2] == ["54t", "11t"]
    town.pass_(hours=1)
    await town.measure("54t", 10.0)
    told = await eventually(client, "/city/now", lambda now: now["alerts"]["open"] == 0)
    assert told["alerts"] == {"open": 0, "bySeverity": {}}


async def test_measures_carry_their_scale(client: httpx.AsyncClient) -> None:
    measures = {m["code"]: m for m in (await get(client, "/measures"))["items"]}
    assert measures["pm25"]["kind"] == "station"
    assert measures["pm25"]["breaks"][-1]["upTo"] is None
    assert measures["cases-in-time"]["kind"] == "district"


async def test_frames_keep_gaps_and_leave_flagged_values_out(
    town: Town, client: httpx.AsyncClient
) -> None:
    for hours, value, flags in ((0, 10.0, ()), (1, 90.0, ("jump",)), (3, 30.0, ())):
        at = NOON - timedelta(hours=5 - hours)
        await town.measure("54t", value, flags=flags, at=at)
    await town.settle()
    start, end = (format_instant(NOON - timedelta(hours=h)) for h in (5, 1))
    path = f"/measures/pm25/frames?from={start}&to={end}&step=3600"
    told = await eventually(client, path, lambda found: found["series"])
    assert len(told["times"]) == 4
    assert told["series"][0]["values"] == [10.0, None, None, 30.0]
    district = await get(client, path.replace("pm25", "pm25-district"))
    assert district["series"][0]["values"] == [10.0, None, None, 30.0]
    assert len(district["series"][0]["id"]) == 4
    assert (await get(client, "/measures/cases-in-time/frames"))["times"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/measures/moon/frames", 404),
        ("/measures/pm25/frames?step=x", 400),
        ("/measures/pm25/frames?step=1", 400),
        ("/measures/pm25/frames?from=yesterday", 400),
    ],
)
async def test_what_cannot_be_drawn_is_said(
    client: httpx.AsyncClient, path: str, status: int
) -> None:
    answer = await client.get(f"/api/v1{path}", headers={"accept-language": "th"})
    assert answer.status_code == status
    assert answer.json()["hint"]


async def test_the_basemap_is_read_in_stretches(client: httpx.AsyncClient) -> None:
    url = (await get(client, "/city"))["basemap"]
    answer = await client.get(url, headers={"range": "bytes=10-19"})
    assert (answer.status_code, answer.content) == (206, bytes(range(10, 20)))
    assert answer.headers["content-range"] == "bytes 10-19/200"
    assert (await client.get(url, headers={"range": "bytes=500-"})).status_code == 416


async def test_eighty_stations_and_their_day_are_told_whole(
    town: Town, client: httpx.AsyncClient
) -> None:
    ops = [
        Observe(
            urn("AirQualityObserved", "th-bkk", f"s{n}"),
            ("AirQualityObserved",),
            {
                "pm25": {
                    "type": "Property",
                    "value": 10.0 + n,
                    "observedAt": format_instant(NOON - h * HOUR),
                }
            },
            base={"location": {"type": "GeoProperty",
                               "value": {"type": "Point", "coordinates": [100.5, 13.7]}}},
        )
        for h in range(24, -1, -1)
        for n in range(80)
    ]  # fmt: skip
    await town.context.write(*ops, actor="test")
    await town.settle()
    await eventually(client, "/stations", lambda told: len(told["items"]) == 80)
    frames = await get(client, "/measures/pm25/frames")
    assert len(frames["series"]) == 80
    assert sum(v is not None for v in frames["series"][0]["values"]) == 24


times = st.integers(0, 2000).map(lambda minutes: NOON + timedelta(minutes=minutes))


@given(times, st.integers(0, 300), st.integers(1, 90))
def test_slots_cover_the_time_and_no_more(start: datetime, minutes: int, step: int) -> None:
    end, width = start + timedelta(minutes=minutes), timedelta(minutes=step)
    found = slots(start, end, width)
    assert all(start <= at < end for at in found)
    assert not found or found[-1] + width >= end


def test_a_held_value_is_carried_and_a_measured_one_is_not() -> None:
    grid = slots(NOON, NOON + 4 * HOUR, HOUR)
    series = [(NOON - HOUR, 1.0), (NOON + 2 * HOUR, 2.0)]
    assert held_in_slots(series, grid, HOUR) == [1.0, 1.0, 2.0, 2.0]
    assert in_slots(series, grid) == [None, None, 2.0, None]
    assert mean_by({"a": [[1.0, None], [2.0, None]]}, 2) == {"a": [1.5, None]}
