"""What filters mean: spans of time, parts of JSON, and navigation (clause 9.3.3.5)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest_asyncio

from conformance.sensorthings.conftest import Client, service_app
from nagara.city import City
from nagara.context import Context
from nagara.guard import Guard

T6, T7, T8, T9 = (f"2016-01-01T0{hour}:00:00Z" for hour in (6, 7, 8, 9))
#: The phenomenonTime of the Observations, whose result is their place in this list.
TIMES = (T6, T7, T8, T9, f"{T6}/{T7}", f"{T7}/{T8}", f"{T8}/{T9}", f"{T6}/{T8}", f"{T7}/{T9}")
#: Operator → what is so compared with seven o'clock, and with the hour from seven to eight.
SPANS = {
    "lt": ([0, 4], [0, 4]),
    "gt": ([2, 3, 6], [2, 3, 6]),
    "le": ([0, 1, 4], [0, 1, 4, 5, 7]),
    "ge": ([1, 2, 3, 5, 6, 8], [2, 3, 5, 6, 8]),
    "eq": ([1], [5]),
}
TURNED = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le", "eq": "eq"}
STREAM: dict[str, Any] = {
    "name": "S",
    "description": "d",
    "observationType": "x",
    "unitOfMeasurement": {"name": "a", "symbol": "b", "definition": "c"},
    "ObservedProperty": {"name": "p", "definition": "urn:x", "description": "d"},
    "Sensor": {"name": "s", "description": "s", "encodingType": "t", "metadata": "m"},
}


@pytest_asyncio.fixture
async def hours(sta: Any) -> Any:
    """A stream of instants and spans between six and nine o'clock."""
    values = [
        {
            "result": i,
            "phenomenonTime": at,
            "parameters": {"list": [i, [i + 1]], "even": i % 2 == 0 if i < 8 else "no"},
            **({"resultTime": at} if "/" not in at else {"validTime": at}),
        }
        for i, at in enumerate(TIMES)
    ]
    place = {"type": "Point", "coordinates": [100, 13]}
    for name, field in (("A", 1), ("B", 2)):
        where = {"name": f"at {name}", "description": "d", "encodingType": "application/geo+json",
                 "location": place, "properties": {"field": 1}}  # fmt: skip
        streams = [{**STREAM, "Observations": values}] if name == "A" else []
        await sta.post("Things", {"name": name, "description": "d", "properties": {"field": field},
                                  "Locations": [where], "Datastreams": streams})  # fmt: skip
    return sta


async def results(sta: Any, said: str) -> list[int]:
    page = await sta.get("Observations", filter=said)
    return sorted(one["result"] for one in page["value"])


async def test_spans_are_compared_by_both_ends(hours: Any) -> None:
    wrong = []
    for op, expected in SPANS.items():
        for literal, wanted in zip((T7, f"{T7}/{T8}"), expected, strict=True):
            turned = f"{literal} {TURNED[op]} phenomenonTime"
            for said in (f"phenomenonTime {op} {literal}", turned):
                found = await results(hours, said)
                if found != wanted:
                    wrong.append((said, found, wanted))
    assert not wrong
    assert await results(hours, f"validTime lt {T7}/{T8}") == [4]
    assert await results(hours, f"resultTime ge {T8}/{T9}") == [3]
    later = f"phenomenonTime lt {T6}/{T7} add duration'PT1H'"
    assert await results(hours, later) == [0, 4]
    assert await results(hours, f"year({T6}/{T7}) eq 2016 and result eq 1") == [1]


async def test_a_stream_tells_from_when_to_when_it_is(hours: Any) -> None:
    [stream] = (await hours.get("Datastreams"))["value"]
    whole = f"{T6}/{T9}".replace("Z", ".000Z")
    assert (stream["phenomenonTime"], stream["resultTime"]) == (whole, whole)
    number = stream["@iot.id"]
    assert await hours.ids("Datastreams", filter=f"resultTime le {T9}") == [number]
    assert await hours.ids("Datastreams", filter=f"resultTime gt {T6}") == []
    for one in await hours.ids("Observations"):
        await hours.send("DELETE", f"Observations({one})")
    [stream] = (await hours.get("Datastreams"))["value"]
    assert not {"phenomenonTime", "resultTime"} & stream.keys()


async def test_parts_of_lists_are_named_in_either_way(hours: Any) -> None:
    assert await results(hours, "parameters/list[0] eq 3") == [3]
    assert await results(hours, "parameters/list/0 eq 3") == [3]
    assert await results(hours, "parameters/list[1][0] gt 7") == [7, 8]
    first = (await hours.ids("Observations", filter="result eq 2"))[0]
    path = f"Observations({first})/parameters/list"
    assert await hours.get(f"{path}%5B0%5D") == {"list[0]": 2}
    assert await hours.get(f"{path}%5B1%5D%5B0%5D") == {"list[1][0]": 3}
    assert await hours.get(f"{path}/0") == {"0": 2}


async def test_what_is_neither_true_nor_false_is_not_its_opposite(hours: Any) -> None:
    assert await results(hours, "parameters/even") == [0, 2, 4, 6]
    assert await results(hours, "not parameters/even") == [1, 3, 5, 7]
    assert len(await results(hours, "not (parameters/even eq true)")) == 5


async def test_navigation_is_compared_with_the_row_itself(hours: Any) -> None:
    async def things(said: str) -> list[str]:
        return [one["name"] for one in (await hours.get("Things", filter=said))["value"]]

    assert await things("Locations/properties/field eq properties/field") == ["A"]
    assert await things("HistoricalLocations/Locations/properties/field lt properties/field") == [
        "B"
    ]
    assert await things("Datastreams/id eq null") == ["B"]
    assert await things("Datastreams/id ne null") == ["A"]
    await hours.get("Things", 400, filter="Datastreams/name eq Locations/name")


async def test_a_city_without_rooms_begins_to_number_when_it_is_asked(
    context: Context, city: City, city_root: Path
) -> None:
    guard = Guard(context.db, city_root, wall=context.clock.wall, open_mode=True)
    await guard.start()
    app, _ = service_app(context, guard, city, city_root)  # and no reader of the room
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 40000))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        bare = Client(http, context)
        number = await bare.post("Things", {"name": "T", "description": "d"})
        assert await bare.ids("Things") == [number]
