"""Requirements classes resource-path and request-data (OGC 18-088 clause 9)."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pytest_asyncio

from nagara.context import Observe

POINT = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"
START = datetime(2025, 1, 1, tzinfo=UTC)


def place(name: str, location: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "description": f"place {name}",
        "encodingType": "application/geo+json",
        "location": location,
    }


def stream(name: str, observed: str, values: list[Any]) -> dict[str, Any]:
    return {
        "name": name,
        "description": f"stream {name}",
        "observationType": POINT,
        "unitOfMeasurement": {"name": "degree Celsius", "symbol": "°C", "definition": "ucum:Cel"},
        "ObservedProperty": {
            "name": observed,
            "definition": "urn:x:" + observed,
            "description": "d",
        },
        "Sensor": {
            "name": f"sensor {name}",
            "description": "s",
            "encodingType": "text",
            "metadata": "m",
        },
        "Observations": [
            {
                "phenomenonTime": (START + timedelta(hours=i)).isoformat(),
                "resultTime": (START + timedelta(hours=i, minutes=1)).isoformat(),
                "result": value,
                "parameters": {"n": i},
            }
            for i, value in enumerate(values)
        ],
    }


@pytest_asyncio.fixture
async def city_of_two(sta: Any) -> Any:
    for i, name in enumerate(("A", "B")):
        await sta.post(
            "Things",
            {
                "name": f"Thing {name}",
                "description": f"thing {name.lower()}",
                "properties": {"floor": i, "tags": ["x", name]},
                "Locations": [place(name, {"type": "Point", "coordinates": [100.0 + i, 13.0 + i]})],
                "Datastreams": [
                    stream(f"{name}1", "temperature", [1, 2, 3, 4]),
                    stream(f"{name}2", "humidity", [10 + i, 20 + i]),
                ],
            },
        )
    return sta


async def names(sta: Any, path: str, **params: Any) -> list[str]:
    return [one["name"] for one in (await sta.get(path, **params))["value"]]


async def test_the_root_names_sets_and_conformance(sta: Any) -> None:
    root = await sta.get("")
    assert {one["name"] for one in root["value"]} >= {"Things", "Observations"}
    assert all(one["url"].startswith("http://localhost/") for one in root["value"])
    assert any("deep-insert" in c for c in root["serverSettings"]["conformance"])
    answer = await sta.http.get("/v1.1/Things")
    assert answer.status_code == 200


async def test_paths_of_any_depth(city_of_two: Any) -> None:
    sta = city_of_two
    first = (await sta.ids("Things"))[0]
    one = (await sta.ids(f"Things({first})/Datastreams"))[0]
    value = (await sta.ids(f"Things({first})/Datastreams({one})/Observations"))[0]
    deep = f"Things({first})/Datastreams({one})/Observations({value})"
    assert (await sta.get(f"{deep}/Datastream/Thing/name")) == {"name": "Thing A"}
    answer = await sta.http.get(f"/v1.1/{deep}/Datastream/Thing/name/$value")
    assert answer.text == "Thing A"
    assert answer.headers["content-type"].startswith("text/plain")
    assert (await sta.get(f"{deep}/Datastream/Sensor"))["name"] == "sensor A1"
    assert (await sta.get(f"{deep}/FeatureOfInterest/feature"))["feature"]["type"] == "Point"
    assert await sta.get(f"Things({first})/properties/floor") == {"floor": 0}
    refs = await sta.get(f"Things({first})/Datastreams/$ref")
    assert [set(one) for one in refs["value"]] == [{"@iot.selfLink"}] * 2
    assert await sta.get(f"Things({first})/id") == {"@iot.id": first}
    for path in (
        f"Things({first})/Nothing", "Nothing", "Things(999999)", f"Things({first})/name/x",
        f"Things({first})/Datastreams(99999)", "Things(abc)", f"{deep}/Datastreams",
        "Things(1)/$value",
    ):  # fmt: skip
        await sta.get(path, 404)


async def test_links_lead_where_they_say(city_of_two: Any) -> None:
    sta = city_of_two
    for name in ("Things", "Locations", "HistoricalLocations", "Datastreams", "Sensors",
                 "ObservedProperties", "Observations", "FeaturesOfInterest"):  # fmt: skip
        one = (await sta.get(f"{name}?$top=1"))["value"][0]
        for key, link in one.items():
            if key.endswith(("selfLink", "navigationLink")):
                assert (await sta.http.get(link)).status_code == 200, link


async def test_select_top_skip_count_and_next_link(city_of_two: Any) -> None:
    sta = city_of_two
    page = await sta.get("Observations", top=5, count="true", select="result,id")
    assert page["@iot.count"] == 12
    assert set(page["value"][0]) == {"@iot.id", "result"}
    seen = [o["@iot.id"] for o in page["value"]]
    while "@iot.nextLink" in page:
        page = (await sta.http.get(page["@iot.nextLink"])).json()
        seen += [o["@iot.id"] for o in page["value"]]
    assert len(seen) == len(set(seen)) == 12
    assert len(await sta.ids("Observations", skip=10)) == 2
    empty = await sta.get("Things", top=0, count="true")
    assert empty == {"@iot.count": 2, "value": []}
    [one] = await sta.ids("Datastreams", filter="name eq 'A1'")
    page = await sta.get(f"Datastreams({one})/Observations?$top=3&$orderby=phenomenonTime desc")
    assert [o["result"] for o in page["value"]] == [4, 3, 2]
    page = (await sta.http.get(page["@iot.nextLink"])).json()
    assert [o["result"] for o in page["value"]] == [1]
    page = await sta.get("Things?$orderby=name desc&$top=1")
    page = (await sta.http.get(page["@iot.nextLink"])).json()
    assert [o["name"] for o in page["value"]] == ["Thing A"]


async def test_order_by_several_and_behind_navigation(city_of_two: Any) -> None:
    sta = city_of_two
    made = await names(sta, "Datastreams", orderby="Thing/name desc,name asc")
    assert made == ["B1", "B2", "A1", "A2"]
    page = await sta.get("Observations", orderby="phenomenonTime desc,id", top=2)
    assert [o["result"] for o in page["value"]] == [4, 4]
    page = await sta.get("Observations", orderby="result desc", top=2)
    assert [o["result"] for o in page["value"]] == [21, 20]


async def test_expand_nested_with_options(city_of_two: Any) -> None:
    sta = city_of_two
    page = await sta.get(
        "Things",
        expand="Datastreams($select=name;$filter=name eq 'A1' or name eq 'B1';$count=true;"
        "$expand=Observations($top=1;$orderby=phenomenonTime desc;$select=result),"
        "ObservedProperty($select=name)),Locations($select=location)",
        orderby="name",
    )
    a, b = page["value"]
    assert a["Datastreams@iot.count"] == 1
    [inner] = a["Datastreams"]
    assert inner["name"] == "A1"
    assert inner["Observations"] == [{"result": 4}]
    assert inner["Observations@iot.nextLink"].endswith("$top=1&$skip=1")
    assert inner["ObservedProperty"] == {"name": "temperature"}
    assert set(b["Locations"][0]) == {"location"}
    one = await sta.get("Observations?$top=1&$expand=Datastream/Thing,FeatureOfInterest")
    assert one["value"][0]["Datastream"]["Thing"]["name"].startswith("Thing")
    assert one["value"][0]["FeatureOfInterest"]["feature"]["type"] == "Point"


FILTERS: list[tuple[str, str, int]] = [
        ("Things", "name eq 'Thing A'", 1),
        ("Things", "name ne 'Thing A'", 1),
        ("Things", "startswith(name,'Thing') and endswith(name,'B')", 1),
        ("Things", "substringof('hing', name)", 2),
        ("Things", "length(name) eq 7 and indexof(name,'A') eq 6", 1),
        ("Things", "substring(name,6) eq 'B'", 1),
        ("Things", "substring(name,0,5) eq 'Thing'", 2),
        ("Things", "tolower(name) eq 'thing a' or toupper(name) eq 'THING B'", 2),
        ("Things", "concat(concat(name,'-'),description) eq 'Thing A-thing a'", 1),
        ("Things", "trim('  x ') eq 'x'", 2),
        ("Things", "properties/floor eq 1", 1),
        ("Things", "properties/tags/1 eq 'B'", 1),
        ("Things", "properties/absent eq null", 2),
        ("Things", "Datastreams/name eq 'B1'", 1),
        ("Things", "Datastreams/Observations/result gt 20", 1),
        ("Things", "not (Datastreams/Observations/result gt 20)", 1),
        ("Things", "Datastreams/ObservedProperty/name eq 'humidity'", 2),
        ("Things", "Locations/name eq 'A' and Datastreams/name eq 'A1'", 1),
        ("Observations", "result gt 3 and result lt 15", 4),
        ("Observations", "result add 1 eq 5", 2),
        ("Observations", "result mul 2 sub 1 eq 7", 2),
        ("Observations", "result mod 2 eq 0 and result lt 10", 4),
        ("Observations", "result div 2 eq 1.5", 2),
        ("Observations", "result eq 'text'", 0),
        ("Observations", "-1 lt -result", 0),
        ("Observations", "Datastream/name eq 'A1'", 4),
        ("Observations", "Datastream/Thing/name eq 'Thing A'", 6),
        ("Observations", "Datastream/unitOfMeasurement/symbol eq '°C'", 12),
        ("Observations", "parameters/n eq 3", 2),
        ("Observations", "phenomenonTime ge 2025-01-01T02:00:00Z", 4),
        ("Observations", "phenomenonTime gt 2025-01-01T02:00:00Z", 2),
        ("Observations", "phenomenonTime le 2025-01-01T01:00:00Z", 8),
        ("Observations", "phenomenonTime eq 2025-01-01T07:00:00+07:00", 4),
        ("Observations", "resultTime lt 2025-01-01T00:02:00Z", 4),
        ("Observations", "hour(phenomenonTime) eq 1 and year(resultTime) eq 2025", 4),
        ("Observations", "month(phenomenonTime) eq 1 and day(phenomenonTime) eq 1", 12),
        ("Observations", "minute(resultTime) eq 1 and second(resultTime) eq 0", 12),
        ("Observations", "fractionalseconds(resultTime) eq 0", 12),
        ("Observations", "date(phenomenonTime) eq 2025-01-01", 12),
        ("Observations", "time(phenomenonTime) ge 02:00:00", 4),
        ("Observations", "totaloffsetminutes(phenomenonTime) eq 0", 12),
        ("Observations", "phenomenonTime lt now() and phenomenonTime gt mindatetime()", 12),
        ("Observations", "phenomenonTime lt maxdatetime()", 12),
        ("Observations", "resultTime sub phenomenonTime eq duration'PT1M'", 12),
        ("Observations", "round(result) eq 3 or floor(result) eq 4 or ceiling(result) eq 1", 6),
        ("Observations", "FeatureOfInterest/name eq 'A'", 6),
        ("Locations", "geo.distance(location, geography'POINT(100 13.5)') lt 0.6", 1),
        ("Locations", "geo.distance(location, geography'POINT(100 13.5)') ge 0.6", 1),
        ("Locations", "geo.intersects(location, geography'Polygon ((99 12, 102 12, 102 15,"
         " 99 15, 99 12))')", 2),
        ("Locations", "st_within(location, geography'POLYGON((99 12,100.5 12,100.5 13.5,"
         "99 13.5,99 12))')", 1),
        ("Locations", "st_disjoint(location, geography'POINT(100 13)')", 1),
        ("Locations", "st_equals(location, geography'POINT(100 13)')", 1),
        ("Locations", "st_relate(location, geography'POINT(100 13)', 'T********')", 1),
        ("Locations", "geo.length(location) eq 0", 2),
        ("Locations", "not st_contains(geography'POLYGON((99 12,100.5 12,100.5 13.5,99 13.5,"
         "99 12))', location)", 1),
        ("Things", "st_within(Locations/location, geography'POLYGON((99 12,100.5 12,100.5 13.5,"
         "99 13.5,99 12))')", 1),
        ("Observations", "geo.distance(FeatureOfInterest/feature, geography'POINT(100 13)') lt 1",
         6),
]  # fmt: skip


async def test_filters(city_of_two: Any) -> None:
    wrong = []
    for path, said, expected in FILTERS:
        answer = await city_of_two.http.get(
            f"/v1.1/{path}", params={"$filter": said, "$count": "true"}
        )
        found = answer.json()
        if (answer.status_code, found.get("@iot.count")) != (200, expected):
            wrong.append((said, answer.status_code, found.get("@iot.count", found)))
    assert not wrong


async def test_a_filter_by_id_may_be_quoted(city_of_two: Any) -> None:
    sta = city_of_two
    [one] = await sta.ids("Datastreams", filter="name eq 'A1'")
    for said in (f"Datastream/id eq {one}", f"Datastream/@iot.id eq '{one}'"):
        page = await sta.get("Observations", filter=said, orderby="phenomenonTime desc", top=1)
        assert page["value"][0]["result"] == 4
    some = (await sta.ids("Observations"))[3]
    assert await sta.ids("Observations", filter=f"id eq {some}") == [some]


BAD = [
        "$filter=name eq", "$filter=nam eq 'x'", "$filter=name gt 5", "$filter=foo(name)",
        "$filter=name", "$filter=Datastreams", "$filter='x", "$filter=(name eq 'x'",
        "$filter=geo.intersects(name, geography'POINT(1 2)')", "$top=-1", "$top=x", "$skip=-1",
        "$count=perhaps", "$orderby=nothing", "$orderby=Datastreams/name", "$select=nothing",
        "$expand=Nothing", "$expand=Datastreams($top=x)", "$expand=Datastreams(", "$foo=1",
        "$top=1&$top=2", "$skiptoken=abc", "$resultFormat=xml", "$filter=length(name) eq 'x'",
        "$filter=geo.intersects(Locations/location, geography'POINT(x)')", "$filter=%00",

        "$filter=year(name) eq 2", "$filter=properties/a div 0 eq 1 and name",
]  # fmt: skip


async def test_bad_options_are_told_in_words(city_of_two: Any) -> None:
    for query in BAD:
        answer = await city_of_two.http.get(f"/v1.1/Things?{quote(query, safe='$=&%')}")
        assert answer.status_code == 400, (query, answer.text)
        assert answer.json()["code"] in ("sta-option-invalid", "sta-too-complex")
    for query in (
        "$filter=id eq 99999999999999999999999999",
        "$filter=substring(name,1e300) eq 'x'",
    ):
        answer = await city_of_two.http.get(f"/v1.1/Things?{quote(query, safe='$=&%')}")
        assert answer.status_code in (200, 400)


async def test_limits_are_told_in_words(city_of_two: Any) -> None:
    sta = city_of_two
    deep = "Datastreams"
    for _ in range(4):
        deep = f"Datastreams($expand=Thing($expand={deep}))"
    for query in (
        f"$expand={deep}",
        "$filter=" + " and ".join(["name eq 'x'"] * 100),
        "$filter=" + "(" * 40 + "true" + ")" * 40,
        "$skip=99999999",
        "$orderby=" + ",".join(["name"] * 9),
    ):
        answer = await sta.http.get(f"/v1.1/Things?{quote(query, safe='$=&')}")
        assert answer.status_code == 400
        assert answer.json()["code"] == "sta-too-complex", answer.text


async def test_data_arrays_both_ways(city_of_two: Any) -> None:
    sta = city_of_two
    page = await sta.get("Observations", resultFormat="dataArray", top=5, count="true")
    assert page["@iot.count"] == 12
    assert "@iot.nextLink" in page
    for group in page["value"]:
        assert group["dataArray@iot.count"] == len(group["dataArray"])
        assert group["components"][:3] == ["id", "phenomenonTime", "result"]
        assert (await sta.http.get(group["Datastream@iot.navigationLink"])).status_code == 200
    one, two = (await sta.ids("Datastreams"))[:2]
    feature = (await sta.ids("FeaturesOfInterest"))[0]
    answer = await sta.post(
        "CreateObservations",
        [
            {
                "Datastream": {"@iot.id": one},
                "components": ["phenomenonTime", "result", "FeatureOfInterest/id"],
                "dataArray@iot.count": 2,
                "dataArray": [
                    ["2010-12-23T10:20:00-0700", 20, feature],
                    ["2010-12-23T10:21:00-0700", 30, "probablyNotAValidId"],
                ],
            },
            {
                "Datastream": {"@iot.id": str(two)},
                "components": ["phenomenonTime", "result"],
                "dataArray": [["2010-12-23T10:20:00-0700", 65], ["2010-12-23T10:21:00-0700", 60]],
            },
        ],
    )
    assert [said.startswith("error") for said in answer] == [False, True, False, False]
    seen = [(await sta.http.get(link)).json() for link in answer if link.startswith("http")]
    assert [one["result"] for one in seen] == [20, 65, 60]
    assert seen[0]["phenomenonTime"] == "2010-12-23T17:20:00.000Z"


async def test_batches_refer_to_what_they_made(sta: Any) -> None:
    answer = await sta.send(
        "POST",
        "$batch",
        {
            "requests": [
                {"id": "0", "method": "post", "url": "Things",
                 "body": {"name": "T", "description": "d"}},
                {"id": "1", "method": "post", "url": "$0/Locations",
                 "body": place("P", {"type": "Point", "coordinates": [1, 2]})},
                {"id": "2", "method": "get", "url": "Things?$filter=name%20eq%20'T'"},
                {"id": "3", "method": "patch", "url": "$0", "body": {"description": "e"}},
                {"id": "4", "method": "get", "url": "Things(999999)"},
                {"id": "5", "atomicityGroup": "g", "method": "post", "url": "Things",
                 "body": {"name": "Gone", "description": "d"}},
                {"id": "6", "atomicityGroup": "g", "method": "post", "url": "Things", "body": {}},
                {"id": "7", "method": "get", "url": "Things?$count=true&$top=0"},
                {"id": "8", "atomicityGroup": "h", "method": "post", "url": "Things",
                 "body": {"name": "Stays", "description": "d"}},
                {"id": "9", "atomicityGroup": "h", "method": "post", "url": "$8/Locations",
                 "body": place("Q", {"type": "Point", "coordinates": [3, 4]})},
                {"id": "s", "atomicityGroup": "h", "method": "post", "url": "$8/Datastreams",
                 "body": stream("of the group", "t", [])},
                {"id": "o", "atomicityGroup": "h", "method": "post", "url": "Observations",
                 "body": {"result": 1, "Datastream": {"@iot.id": "$s"}}},
                {"id": "p", "atomicityGroup": "h", "method": "patch", "url": "$0",
                 "body": {"description": "f"}},
            ]
        },
    )  # fmt: skip
    said = {one["id"]: one for one in answer["responses"]}
    assert [said[str(i)]["status"] for i in range(8)] == [201, 201, 200, 200, 404, 400, 400, 200]
    assert len(said["2"]["body"]["value"]) == 1
    assert said["7"]["body"]["@iot.count"] == 1
    assert [said[name]["status"] for name in "89sop"] == [201, 201, 201, 201, 200], said
    assert said["p"]["body"]["description"] == "f"
    deep = "Things?$filter=name eq 'Stays'&$expand=Locations,Datastreams/Observations"
    [one] = (await sta.get(deep))["value"]
    assert one["Locations"][0]["name"] == "Q"
    assert one["Datastreams"][0]["Observations"][0]["result"] == 1


def part(method: str, url: str, body: Any = None, name: str = "") -> str:
    """A request of HTTP as a part of a batch."""
    said = "" if body is None else json.dumps(body)
    named = f"Content-ID: {name}\r\n" if name else ""
    return (
        f"Content-Type: application/http\r\n{named}\r\n{method} {url} HTTP/1.1\r\n"
        f"Host: localhost\r\nContent-Type: application/json\r\n\r\n{said}\r\n"
    )


def mixed(boundary: str, *parts: str) -> str:
    return "".join(f"--{boundary}\r\n{one}" for one in parts) + f"--{boundary}--\r\n"


def statuses(answer: httpx.Response) -> list[str]:
    return re.findall(r"^HTTP/1.1 (\d+ [A-Za-z ]+)\r$", answer.text, re.MULTILINE)


async def test_batches_in_parts_with_change_sets(sta: Any) -> None:
    """The examples of clause 11.2.1 and 11.2.2."""
    thing = await sta.post("Things", {"name": "Thing 0", "description": "d"})
    sensor = {"name": "DS18B20", "description": "d", "encodingType": "application/pdf",
              "metadata": "http://example.org/DS18B20.pdf"}  # fmt: skip
    made = stream("in parts", "t", []) | {"Sensor": {"@iot.id": "$sensor1"}}
    inner = "Content-Type: multipart/mixed;boundary=changeset_7\r\n\r\n"
    body = mixed(
        "batch_36",
        part("GET", f"/v1.1/Things({thing})?$select=name"),
        inner + mixed(
            "changeset_7",
            part("POST", "/v1.1/Sensors", sensor, "sensor1"),
            part("POST", f"/v1.1/Things({thing})/Datastreams", made, "any"),
            part("PATCH", f"http://localhost/v1.1/Things({thing})", {"name": "Patched"}, "3"),
        ),
        part("GET", "Things(999999)"),
        inner + mixed(
            "changeset_7",
            part("DELETE", f"Things({thing})", name="a"),
            part("POST", "Things", {"name": "lacks its description"}, "b"),
        ),
        part("GET", "Things?$filter=name%20eq%20'Patched'&$select=name"),
    )  # fmt: skip
    kind = "multipart/mixed;boundary=batch_36"
    answer = await sta.http.post("/v1.1/$batch", content=body, headers={"Content-Type": kind})
    assert answer.headers["content-type"].startswith("multipart/mixed; boundary=")
    assert statuses(answer) == ["200 OK", "201 Created", "201 Created", "200 OK", "404 Not Found",
                                "400 Bad Request", "200 OK"]  # fmt: skip
    assert "Content-ID: sensor1" in answer.text
    assert '{"name":"Thing 0"}' in answer.text
    assert '{"value":[{"name":"Patched"}]}' in answer.text
    [one] = (await sta.get("Datastreams?$expand=Sensor&$filter=name eq 'in parts'"))["value"]
    assert one["Sensor"]["name"] == "DS18B20"
    for bad in (b"", b"--batch_36\r\n\r\nnothing\r\n--batch_36--", b"--batch_36--"):
        refused = await sta.http.post("/v1.1/$batch", content=bad, headers={"Content-Type": kind})
        assert refused.status_code == 400


async def test_what_other_standards_write_is_there_at_once(sta: Any) -> None:
    station = {
        "name": {"type": "LanguageProperty", "languageMap": {"en": "Bang Na", "th": "บางนา"}},
        "location": {
            "type": "GeoProperty",
            "value": {"type": "Point", "coordinates": [100.6, 13.66]},
        },
        "stationCode": {"type": "Property", "value": "61t"},
    }
    for hour in range(3):
        values = {
            name: {
                "type": "Property",
                "value": 10.5 + hour,
                "unitCode": unit,
                "observedAt": f"2025-05-22T0{hour}:00:00Z",
                "provenance": {"type": "Property", "value": "replayed"},
            }
            for name, unit in (("pm25", "GQ"), ("temperature", "CEL"))
        }
        op = Observe("urn:ngsi-ld:AirQualityObserved:x:61t", ("AirQualityObserved",), values,
                     base=station)  # fmt: skip
        await sta.context.write(op, actor="device:test")
    page = await sta.get(
        "Things",
        expand="Locations,Datastreams($orderby=name;$expand=ObservedProperty,Sensor,"
        "Observations($orderby=phenomenonTime desc))",
    )
    [thing] = page["value"]
    assert thing["name"] == "Bang Na"
    assert thing["properties"]["stationCode"] == "61t"
    assert thing["properties"]["type"] == "AirQualityObserved"
    assert thing["Locations"][0]["location"]["coordinates"] == [100.6, 13.66]
    newest, number = thing["Datastreams"][0]["Observations"][0], thing["@iot.id"]
    assert newest["resultTime"] == newest["phenomenonTime"]
    assert await sta.ids(f"Things({number})/HistoricalLocations") == [number]
    assert len(await sta.ids(f"FeaturesOfInterest({number})/Observations")) == 6
    pm25 = thing["Datastreams"][0]
    assert pm25["unitOfMeasurement"]["symbol"] == "µg/m³"
    assert pm25["ObservedProperty"]["name"] == "pm25"
    assert [o["result"] for o in pm25["Observations"]] == [12.5, 11.5, 10.5]
    assert pm25["Observations"][0]["parameters"] == {"provenance": "replayed"}
    [other] = await sta.ids("Datastreams", filter="unitOfMeasurement/symbol eq '°C'")
    made = await sta.post(f"Datastreams({other})/Observations", {"result": 99})
    entity = await sta.context.get("urn:ngsi-ld:AirQualityObserved:x:61t")
    assert entity.value("temperature") == 99
    seen = await sta.get(f"Observations({made})/FeatureOfInterest")
    assert seen["name"] == "Bang Na"
    shown = await sta.send("PATCH", f"Datastreams({other})", {"name": "Warmth"})
    assert shown["name"] == "Warmth"
    assert shown["unitOfMeasurement"]["symbol"] == "°C"
    assert len(await sta.ids(f"Datastreams({other})/Observations")) == 4
