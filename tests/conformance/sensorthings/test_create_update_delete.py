"""Requirements classes create-update-delete (OGC 18-088 clause 10)."""

from __future__ import annotations

import json
from typing import Any

from nagara.context import Query

THING: dict[str, Any] = {
    "name": "Mast 1",
    "description": "A mast",
    "properties": {"owner": "city", "deep": {"a": [1, 2]}},
    "Locations": [
        {
            "name": "Roof",
            "description": "A roof",
            "encodingType": "application/geo+json",
            "location": {"type": "Point", "coordinates": [100.5, 13.7]},
        }
    ],
    "Datastreams": [
        {
            "name": "Air temperature of mast 1",
            "description": "Air temperature",
            "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
            "unitOfMeasurement": {
                "name": "degree Celsius",
                "symbol": "°C",
                "definition": "http://unitsofmeasure.org/ucum.html#para-30",
            },
            "ObservedProperty": {
                "name": "Air Temperature",
                "definition": "http://dbpedia.org/page/Temperature",
                "description": "How warm the air is",
            },
            "Sensor": {
                "name": "DHT22",
                "description": "A sensor",
                "encodingType": "application/pdf",
                "metadata": "https://example.org/dht22.pdf",
            },
            "Observations": [
                {"phenomenonTime": "2025-01-01T00:00:00Z", "result": 20},
                {"phenomenonTime": "2025-01-01T01:00:00Z", "result": 21.5},
            ],
        }
    ],
}


async def test_deep_insert_makes_everything_in_one_act(sta: Any) -> None:
    number = await sta.post("Things", THING)
    thing = await sta.get(
        f"Things({number})", expand="Locations,Datastreams/Observations,Datastreams/Sensor"
    )
    assert thing["@iot.id"] == number
    assert thing["properties"] == THING["properties"]
    assert thing["Locations"][0]["location"] == THING["Locations"][0]["location"]
    [stream] = thing["Datastreams"]
    assert stream["Sensor"]["name"] == "DHT22"
    assert sorted(o["result"] for o in stream["Observations"]) == [20, 21.5]
    assert stream["phenomenonTime"] == "2025-01-01T00:00:00.000Z/2025-01-01T01:00:00.000Z"
    assert len(await sta.ids(f"Things({number})/HistoricalLocations")) == 1
    feature = await sta.get(f"Datastreams({stream['@iot.id']})/Observations?$top=1")
    one = feature["value"][0]["@iot.id"]
    seen = await sta.get(f"Observations({one})/FeatureOfInterest")
    assert seen["feature"] == THING["Locations"][0]["location"]


async def test_nothing_is_made_of_a_body_that_lacks_a_part(sta: Any) -> None:
    broken = {**THING, "Datastreams": [{**THING["Datastreams"][0], "Sensor": None}]}
    await sta.post("Things", broken, 400)
    assert (await sta.get("Things"))["value"] == []
    assert (await sta.get("Locations"))["value"] == []
    await sta.post("Things", {"name": "x"}, 400)
    await sta.post("Observations", {"result": 1}, 400)


async def test_patch_changes_and_put_replaces(sta: Any) -> None:
    number = await sta.post("Things", THING)
    shown = await sta.send("PATCH", f"Things({number})", {"description": "Changed"})
    assert shown["description"] == "Changed"
    assert shown["properties"] == THING["properties"]
    shown = await sta.send("PUT", f"Things({number})", {"name": "A", "description": "B"})
    assert "properties" not in shown
    await sta.send("PATCH", f"Things({number})", {"Locations": [{"name": "whole"}]}, 400)
    [stream] = await sta.ids("Datastreams")
    shown = await sta.send(
        "PATCH",
        f"Datastreams({stream})",
        {"unitOfMeasurement": {"name": "K", "symbol": "K", "definition": "x"}},
    )
    assert shown["unitOfMeasurement"]["name"] == "K"
    [sensor] = await sta.ids("Sensors")
    assert (await sta.send("PATCH", f"Sensors({sensor})", {"metadata": "M"}))["metadata"] == "M"


async def test_json_patch_and_a_historical_location_that_is_newer(sta: Any) -> None:
    thing = await sta.post("Things", {"name": "T", "description": "d"})

    async def patch(operations: Any, status: int = 200) -> Any:
        kind = {"Content-Type": "application/json-patch+json"}
        path = f"/sensorthings/v1.1/Things({thing})"
        answer = await sta.http.patch(path, content=json.dumps(operations), headers=kind)
        assert answer.status_code == status, answer.text
        return answer.json()

    await patch([{"op": "add", "path": "/properties", "value": {"key1": 1, "list": [1, 3]}}])
    changed = await patch([
        {"op": "test", "path": "/properties/key1", "value": 1},
        {"op": "copy", "from": "/properties/key1", "path": "/properties/a~1b"},
        {"op": "move", "from": "/properties/key1", "path": "/properties/key2"},
        {"op": "add", "path": "/properties/list/1", "value": 2},
        {"op": "add", "path": "/properties/list/-", "value": 4},
        {"op": "remove", "path": "/properties/list/0"},
        {"op": "replace", "path": "/name", "value": "U"},
    ])  # fmt: skip
    assert changed["properties"] == {"a/b": 1, "key2": 1, "list": [2, 3, 4]}
    assert changed["name"] == "U"
    for bad in ({}, [1], [{"op": "add", "path": "/name"}], [{"op": "remove", "path": "/no"}],
                [{"op": "test", "path": "/name", "value": "T"}], [{"op": "move", "path": "/x"}],
                [{"op": "replace", "path": "", "value": {}}],
                [{"op": "add", "path": "/properties/list/9", "value": 1}],
                [{"op": "remove", "path": "/name"}]):  # fmt: skip
        await patch(bad, 400)
    at = [await sta.post("Locations", THING["Locations"][0]) for _ in range(3)]
    for where, hour in ((0, "06"), (1, "08"), (2, "07")):
        past = {"time": f"2016-01-01T{hour}:00:00Z", "Thing": {"@iot.id": thing},
                "Locations": [{"@iot.id": at[where]}]}  # fmt: skip
        await sta.post("HistoricalLocations", past)
    assert await sta.ids(f"Things({thing})/Locations") == [at[1]]


async def test_an_observation_is_changed_and_deleted_for_every_standard(sta: Any) -> None:
    await sta.post("Things", THING)
    [stream] = await sta.ids("Datastreams")
    first, last = await sta.ids(f"Datastreams({stream})/Observations", orderby="phenomenonTime")
    shown = await sta.send("PATCH", f"Observations({last})", {"result": 7})
    assert shown["result"] == 7
    assert (await sta.get(f"Observations({last})"))["result"] == 7
    shown = await sta.send(
        "PATCH", f"Observations({first})", {"phenomenonTime": "2025-02-01T00:00:00.000Z"}
    )
    assert shown["phenomenonTime"] == "2025-02-01T00:00:00.000Z"
    ordered = await sta.ids(f"Datastreams({stream})/Observations", orderby="phenomenonTime")
    assert ordered == [last, first]
    [thing] = (await sta.get("Things"))["value"]
    [entity] = await sta.context.query_all(Query(types=("Thing",)))
    assert entity.value("airTemperature") == 20
    await sta.send("DELETE", f"Observations({first})")
    await sta.get(f"Observations({first})", 404)
    assert await sta.ids(f"Datastreams({stream})/Observations") == [last]
    [entity] = await sta.context.query_all(Query(types=("Thing",)))
    assert entity.value("airTemperature") == 7
    assert thing["name"] == "Mast 1"


async def test_deleting_takes_along_what_cannot_be_without(sta: Any) -> None:
    number = await sta.post("Things", THING)
    [stream] = await sta.ids("Datastreams")
    await sta.send("DELETE", f"Datastreams({stream})")
    assert await sta.ids("Observations") == []
    await sta.get(f"Datastreams({stream})", 404)
    await sta.send("DELETE", f"Things({number})")
    assert await sta.ids("HistoricalLocations") == []
    await sta.send("DELETE", f"Things({number})", None, 404)
    for name in ("Locations", "Sensors", "ObservedProperties", "FeaturesOfInterest"):
        for one in await sta.ids(name):
            await sta.send("DELETE", f"{name}({one})")
        assert await sta.ids(name) == []


async def test_a_link_may_be_quoted_and_carry_more(sta: Any) -> None:
    number = await sta.post("Things", {"name": "a", "description": "b"})
    place = {**THING["Locations"][0], "Things": [{"@iot.id": str(number), "name": "ignored"}]}
    where = await sta.post("Locations", place)
    assert await sta.ids(f"Things('{number}')/Locations") == [where]
    assert await sta.ids(f"Locations({where})/HistoricalLocations/") != []
    other = await sta.post(f"Things({number})/Locations", THING["Locations"][0])
    assert await sta.ids(f"Things({number})/Locations") == [other]


async def test_two_observations_of_one_instant_are_two(sta: Any) -> None:
    await sta.post("Things", THING)
    [stream] = await sta.ids("Datastreams")
    at = "2025-01-01T01:00:00Z"
    made = [
        await sta.post(f"Datastreams({stream})/Observations", {"result": r, "phenomenonTime": at})
        for r in (1, 2, 2)
    ]
    assert len(set(made)) == 3
    assert [(await sta.get(f"Observations({one})"))["result"] for one in made] == [1, 2, 2]
    assert len(await sta.ids("Observations", filter=f"phenomenonTime eq {at}")) == 4


async def test_an_observation_needs_a_feature_or_a_place(sta: Any) -> None:
    body = {k: v for k, v in THING.items() if k != "Locations"}
    stream = {k: v for k, v in THING["Datastreams"][0].items() if k != "Observations"}
    await sta.post("Things", {**body, "Datastreams": [stream]})
    [number] = await sta.ids("Datastreams")
    await sta.post("Observations", {"result": 1, "Datastream": {"@iot.id": number}}, 400)
    for result in (1, 1.5, "text", True, {"a": 1}, [1, "two"], None):
        made = await sta.post(
            f"Datastreams({number})/Observations",
            {
                "result": result,
                "FeatureOfInterest": {
                    "name": "f",
                    "description": "d",
                    "encodingType": "application/geo+json",
                    "feature": {"type": "Point", "coordinates": [1, 2]},
                },
            },
        )
        assert (await sta.get(f"Observations({made})"))["result"] == result
    words = {**THING["Locations"][0], "encodingType": "text/plain", "location": "by the river"}
    thing = {**body, "Datastreams": [], "Locations": [words, THING["Locations"][0]]}
    whole = {"result": 2, "Datastream": {**stream, "name": "whole", "Thing": thing}}
    made = await sta.post("Observations", whole)
    feature = await sta.get(f"Observations({made})/FeatureOfInterest/feature")
    assert feature["feature"]["type"] == "Point"
    assert (await sta.get(f"Observations({made})/Datastream/name")) == {"name": "whole"}
