"""Cost grows with the answer: the short ways lead to the same rows as the long ones."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.sensorthings.test_create_update_delete import THING
from nagara.context import DeleteAttribute, Observe, Patch
from nagara.sensorthings import newest, read, settling

STATIONS, HOURS = 6, 5


async def _stations(sta: Any) -> None:
    """Stations that tell by turns, in the order of time but for the last, which tells of the past.

    What each tells: the hour, and its own number."""
    for hour in range(HOURS):
        for n in range(STATIONS):
            at = f"2025-01-0{1 if n else 2}T{hour:02d}:{n:02d}:00Z"
            level = {"type": "Property", "value": hour * 10 + n, "observedAt": at}
            op = Observe(f"urn:ngsi-ld:River:{n}", ("River",), {f"level{n % 2}": level})
            await sta.context.write(op, actor="device:test")


async def _walk(sta: Any, query: str) -> list[int]:
    """The ids of all pages."""
    page = await sta.get(f"Observations?{query}")
    found = [one["@iot.id"] for one in page["value"]]
    while "@iot.nextLink" in page:
        page = (await sta.http.get(page["@iot.nextLink"])).json()
        found += [one["@iot.id"] for one in page["value"]]
    return found


QUERIES = (
    "$orderby=phenomenonTime desc&$top=7",
    "$orderby=phenomenonTime&$top=7",
    "$orderby=phenomenonTime desc,id desc&$top=4&$filter=result gt 12",
    "$orderby=phenomenonTime desc&$top=3&$skip=5",
    "$orderby=phenomenonTime&$top=2&$filter=Datastream/ObservedProperty/name eq 'level1'",
    "$orderby=phenomenonTime desc&$top=2&$filter=result eq 3 or result eq 40",
)


async def test_the_newest_values_of_a_city_are_the_same_by_every_way(
    sta: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _stations(sta)
    changed = (await sta.ids("Observations", filter="result eq 41"))[0]
    later = {"result": 41, "phenomenonTime": "2025-01-03T00:00:00Z"}
    await sta.send("PATCH", f"Observations({changed})", later)
    ways = {}
    for name, looked in (
        ("whole", ((5_000, 1),)),
        ("end of the log", ((10, 1), (20, 2), (30, 3))),
        ("stream by stream", ()),
    ):
        monkeypatch.setattr(newest, "LOOKED_AT", looked)
        ways[name] = [await _walk(sta, query) for query in QUERIES]
    assert ways["whole"] == ways["end of the log"] == ways["stream by stream"]
    sizes = [len(found) for found in ways["whole"]]
    assert sizes == [30, 30, 21, 25, 15, 2]
    assert ways["whole"][0][0] == changed
    assert sorted(ways["whole"][0]) == sorted(ways["whole"][1])


async def test_far_pages_are_those_that_the_near_ones_lead_to(
    sta: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _stations(sta)
    monkeypatch.setattr(read, "SKIP_BY_ID", 3)
    for of, order in (("Datastreams", "name desc"), ("Things", "id"), ("Observations", "result")):
        whole = (await sta.get(of, orderby=order))["value"]
        for skip in (1, 3, 5):
            page = await sta.get(of, orderby=order, skip=skip, top=2, count="true")
            assert page["value"] == whole[skip : skip + 2]
            assert page["@iot.count"] == len(whole)


async def test_what_is_said_of_streams_is_settled_or_left(
    sta: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _stations(sta)
    said = (
        "Datastream/ObservedProperty/name eq 'level1' and result lt 20",
        "not startswith(Datastream/Thing/name,'urn:ngsi-ld:River:1') and result ge 40",
        "Datastream/Sensor/name eq 'River' and Datastream/Thing/name eq 'urn:ngsi-ld:River:3'",
        "endswith(Datastream/name,'level0') or result eq 1",
        "Datastream/Thing/name eq Datastream/Sensor/name",
        "Datastream/ObservedProperty/name eq 'nothing'",
    )
    settled = [sorted(await sta.ids("Observations", filter=one)) for one in said]
    assert [len(found) for found in settled] == [6, 5, 5, 16, 0, 0]
    monkeypatch.setattr(settling, "FOUND_MAX", 0)
    assert [sorted(await sta.ids("Observations", filter=one)) for one in said] == settled


async def test_an_observation_is_one_row_of_the_log(sta: Any) -> None:
    await sta.post("Things", THING)
    [stream] = await sta.ids("Datastreams")

    async def rows() -> int:
        async with sta.context.db.acquire() as conn:
            return int(await conn.fetchval("select count(*) from context.change"))

    before = await rows()
    for result in (1, 2, 3):
        await sta.post(f"Datastreams({stream})/Observations", {"result": result})
    body = {"Datastream": {"@iot.id": stream}, "components": ["result", "phenomenonTime"],
            "dataArray": [[n % 3, "2025-02-01T00:00:00Z"] for n in range(6)]}  # fmt: skip
    links = await sta.post("CreateObservations", [body])
    assert await rows() == before + 9
    told = [(await sta.http.get(link)).json()["result"] for link in links]
    assert told == [0, 1, 2, 0, 1, 2]
    assert len(set(links)) == 6


async def test_a_value_that_does_not_fit_takes_nothing_else_with_it(sta: Any) -> None:
    await sta.post("Things", THING)
    [stream] = await sta.ids("Datastreams")
    feature = {"name": "new", "description": "d", "encodingType": "application/geo+json",
               "feature": {"type": "Point", "coordinates": [1, 2]}}  # fmt: skip
    body = {"Datastream": {"@iot.id": stream},
            "components": ["result", "phenomenonTime", "FeatureOfInterest"],
            "dataArray": [[1, "never", feature], [2, "2025-02-01T00:00:00Z", feature]]}  # fmt: skip
    wrong, made = await sta.post("CreateObservations", [body])
    assert wrong.startswith("error")
    assert (await sta.http.get(f"{made}/FeatureOfInterest")).json()["name"] == "new"
    assert len(await sta.ids("FeaturesOfInterest", filter="name eq 'new'")) == 1


async def test_a_count_that_is_an_estimate_says_so(
    sta: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _stations(sta)
    monkeypatch.setattr(read, "COUNTED_MAX", 3)
    mark = "@nagara.countIsEstimate"
    for path in ("Observations?$count=true&$top=2", "Observations/$ref?$count=true&$top=2",
                 "Observations?$count=true&$top=2&$filter=result gt 1"):  # fmt: skip
        page = await sta.get(path)
        assert page[mark] is True
        assert page["@iot.count"] > 3
    page = await sta.get("Datastreams", top=1, expand="Observations($count=true;$top=1)")
    [stream] = page["value"]
    assert stream["Observations@nagara.countIsEstimate"] is True
    page = await sta.get("Observations", count="true")  # all of it is in the answer
    assert (page["@iot.count"], mark in page) == (30, False)


async def test_a_thing_that_moves_is_where_it_stands(sta: Any) -> None:
    bus, at = "urn:ngsi-ld:Vehicle:1", "2025-01-01T00:00:00Z"
    speed = {"type": "Property", "value": 1, "observedAt": at}

    def point(lon: float) -> dict[str, Any]:
        return {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [lon, 13]}}

    async def places() -> list[float]:
        page = await sta.get("Things", expand="Locations,HistoricalLocations")
        [thing] = page["value"]
        assert len(thing["HistoricalLocations"]) == len(thing["Locations"])
        return [one["location"]["coordinates"][0] for one in thing["Locations"]]

    op = Observe(bus, ("Vehicle",), {"speed": speed}, base={"location": point(100)})
    await sta.context.write(op, actor="device:test")
    for lon in (101, 102, 103, 104):
        await sta.context.write(Patch(bus, {"location": point(lon)}), actor="device:test")
        assert await places() == [lon]
    await sta.context.write(DeleteAttribute(bus, "location", everything=True), actor="test")
    assert await places() == []
    for lon in (105, 106):
        await sta.context.write(Patch(bus, {"location": point(lon)}), actor="device:test")
        assert await places() == [lon]
