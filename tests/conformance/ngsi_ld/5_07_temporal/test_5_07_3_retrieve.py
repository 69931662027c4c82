"""5.7.3 Retrieve Temporal Evolution, and the representations of 4.5.6 to 4.5.9 and 4.5.19."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

ALL = {"timerel": "after", "timeAt": "2000-01-01T00:00:00Z"}
MORNING = "2020-08-01T12:0"


def prop(value: Any, at: str, **more: Any) -> dict[str, Any]:
    return {"type": "Property", "value": value, "observedAt": at, **more}


def vehicle(entity_id: str, day: str = "2020-08-01") -> dict[str, Any]:
    return {
        "id": entity_id,
        "type": "Vehicle",
        "speed": [
            prop(120, f"{day}T12:03:00Z"),
            prop(80, f"{day}T12:05:00Z"),
            prop(100, f"{day}T12:07:00Z"),
        ],
        "fuelLevel": [
            prop(67, f"{day}T12:03:00Z"),
            prop(53, f"{day}T13:05:00Z"),
            prop(40, f"{day}T14:07:00Z"),
        ],
    }


async def told(history: httpx.AsyncClient, body: dict[str, Any]) -> str:
    answer = await history.post("/temporal/entities", json=body)
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"].endswith(body["id"])
    return f"/temporal/entities/{body['id']}"


async def test_what_was_told_is_what_is_asked_for(
    history: httpx.AsyncClient, new_id: Callable[[], str]
) -> None:
    one = await told(history, vehicle(new_id()))
    found = (await history.get(one)).json()
    assert found["type"] == "Vehicle"
    assert [i["value"] for i in found["speed"]] == [120, 80, 100]
    assert {type(i["value"]) for i in found["speed"]} == {int}
    assert all(i["instanceId"].startswith("urn:") for i in found["speed"])
    assert "createdAt" not in found["speed"][0]
    shown = (await history.get(one, params={"options": "sysAttrs"})).json()
    assert shown["speed"][0]["createdAt"]
    assert shown["createdAt"]
    present = (await history.get(f"/entities/{found['id']}")).json()
    assert present["speed"]["value"] == 100  # the newest is the present state


@pytest.mark.parametrize(
    ("span", "minutes"),
    [
        ({"timerel": "after", "timeAt": f"{MORNING}5:00Z"}, [5, 7]),
        ({"timerel": "after", "timeAt": f"{MORNING}5:00.000Z"}, [5, 7]),
        ({"timerel": "before", "timeAt": f"{MORNING}5:00Z"}, [3]),
        (
            {"timerel": "between", "timeAt": f"{MORNING}3:00Z", "endTimeAt": f"{MORNING}5:00Z"},
            [3],
        ),
        ({"lastN": "2"}, [5, 7]),
        ({**ALL, "lastN": "1"}, [7]),
    ],
)
async def test_the_start_is_included_and_the_end_is_not(
    history: httpx.AsyncClient, new_id: Callable[[], str], span: dict[str, str], minutes: list[int]
) -> None:
    one = await told(history, vehicle(new_id()))
    found = (await history.get(one, params={**span, "attrs": "speed"})).json()
    assert [i["observedAt"] for i in found["speed"]] == [f"{MORNING}{m}:00Z" for m in minutes]
    assert "fuelLevel" not in found


@pytest.mark.parametrize(
    "wrong",
    [
        {"timerel": "during", "timeAt": f"{MORNING}5:00Z"},
        {"timerel": "after"},
        {"timerel": "between", "timeAt": f"{MORNING}5:00Z"},
        {"timerel": "after", "timeAt": "2020-08-01"},
        {"timeAt": f"{MORNING}5:00Z"},
        {**ALL, "timeproperty": "seenAt"},
        {"lastN": "0"},
        {"lastN": "1.5"},
        {"options": "aggregatedValues"},
        {"options": "aggregatedValues", "aggrMethods": "median"},
        {"options": "aggregatedValues", "aggrMethods": "avg", "aggrPeriodDuration": "1 hour"},
        {"options": "aggregatedValues", "aggrMethods": "avg", "aggrPeriodDuration": "PT"},
        {"pick": "owner{name}"},
        {"pick": "speed", "omit": "speed"},
        {"pick": "speed", "attrs": "fuelLevel"},
        {"omit": "speed", "attrs": "fuelLevel"},
    ],
)
async def test_what_cannot_be_asked_is_refused_in_words(
    history: httpx.AsyncClient, new_id: Callable[[], str], wrong: dict[str, str]
) -> None:
    one = await told(history, vehicle(new_id()))
    answer = await history.get(one, params=wrong)
    assert answer.status_code == 400, answer.text
    assert answer.json()["type"].endswith("BadRequestData")
    assert answer.json()["title"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"options": "sideways"},
        {"format": "sideways"},
        {"format": "temporalValues", "options": "aggregatedValues,sideways"},
    ],
)
async def test_an_option_that_is_none_is_an_invalid_request(
    history: httpx.AsyncClient, wrong: dict[str, str]
) -> None:
    for path in ("/temporal/entities/urn:x:1", "/temporal/entities"):
        answer = await history.get(path, params={**ALL, "type": "T", **wrong})
        assert answer.status_code == 400, answer.text
        assert answer.json()["type"].endswith("InvalidRequest")
        assert "sideways" in answer.json()["detail"]


@pytest.mark.parametrize(
    "params", [{"attrs": "unknown"}, {"pick": "unknown"}, {"omit": "id,type,fuelLevel,speed"}]
)
async def test_an_entity_of_which_nothing_is_left_is_not_found(
    history: httpx.AsyncClient, new_id: Callable[[], str], params: dict[str, str]
) -> None:
    one = await told(history, vehicle(new_id()))
    answer = await history.get(one, params=params)
    assert answer.status_code == 404, answer.text
    assert answer.json()["type"].endswith("ResourceNotFound")
    never = {"timerel": "before", "timeAt": "1990-01-01T00:00:00Z", "attrs": "speed"}
    assert set((await history.get(one, params=never)).json()) == {"id", "type"}
    assert set((await history.get(one, params={"pick": "id,unknown"})).json()) == {"id"}


async def test_who_is_not_there_is_not_found(history: httpx.AsyncClient) -> None:
    assert (await history.get("/temporal/entities/urn:ngsi-ld:Vehicle:none")).status_code == 404
    assert (await history.get("/temporal/entities/none")).status_code == 400


async def test_simplified_pairs_of_every_kind_of_attribute(
    history: httpx.AsyncClient, new_id: Callable[[], str]
) -> None:
    at = "2026-08-10T00:00:01Z"
    here = {"type": "Point", "coordinates": [1.0, 2.0]}
    body = {
        "id": new_id(),
        "type": "Vehicle",
        "speed": [prop(1.5, at)],
        "location": [
            {"type": "GeoProperty", "value": here, "observedAt": at},
            {"type": "GeoProperty", "value": here, "observedAt": "2026-08-10T00:00:02Z"},
        ],
        "owner": {"type": "Relationship", "object": "urn:x:o", "observedAt": at},
        "name": {"type": "LanguageProperty", "languageMap": {"en": "red"}, "observedAt": at},
        "kind": {"type": "VocabProperty", "vocab": "monument", "observedAt": at},
        "extra": {"type": "JsonProperty", "json": {"a": [1, None]}, "observedAt": at},
        "depths": {"type": "ListProperty", "valueList": [1.2, 3.4], "observedAt": at},
        "route": {
            "type": "ListRelationship",
            "objectList": ["urn:ngsi-ld:Road:1", "urn:ngsi-ld:Road:2"],
            "observedAt": at,
        },
    }
    one = await told(history, body)
    found = (await history.get(one, params={"options": "temporalValues"})).json()
    assert found["speed"] == {"type": "Property", "values": [[1.5, at]]}
    assert found["location"]["type"] == "GeoProperty"
    assert found["location"]["values"][0] == [here, at]
    assert found["owner"] == {"type": "Relationship", "objects": [["urn:x:o", at]]}
    assert found["name"]["languageMaps"] == [[{"languageMap": {"en": "red"}}, at]]
    assert found["kind"]["vocabs"] == [[{"vocab": "monument"}, at]]
    assert found["extra"]["jsons"] == [[{"json": {"a": [1, None]}}, at]]
    assert found["depths"] == {"type": "ListProperty", "valueLists": [[[1.2, 3.4], at]]}
    assert found["route"]["objectLists"] == [[["urn:ngsi-ld:Road:1", "urn:ngsi-ld:Road:2"], at]]
    assert set(found["route"]) == {"type", "objectLists"}


async def test_aggregates_begin_with_the_first_instance_or_where_the_span_does(
    history: httpx.AsyncClient, new_id: Callable[[], str]
) -> None:
    one = await told(history, vehicle(new_id()))
    hourly = {"options": "aggregatedValues", "aggrMethods": "avg,max", "aggrPeriodDuration": "PT1H"}
    found = (await history.get(one, params=hourly)).json()
    first = ["2020-08-01T12:03:00Z", "2020-08-01T13:03:00Z"]
    assert found["speed"] == {
        "type": "Property",
        "avg": [[100.0, *first]],
        "max": [[120.0, *first]],
    }
    assert [v[0] for v in found["fuelLevel"]["avg"]] == [67.0, 53.0, 40.0]
    assert found["fuelLevel"]["avg"][2][1:] == ["2020-08-01T14:03:00Z", "2020-08-01T15:03:00Z"]
    daily = {"options": "aggregatedValues", "aggrMethods": "min,max", "aggrPeriodDuration": "P1D"}
    found = (await history.get(one, params=daily)).json()
    assert found["speed"]["min"] == [[80.0, "2020-08-01T12:03:00Z", "2020-08-02T12:03:00Z"]]
    whole = {
        "format": "aggregatedValues",
        "aggrMethods": "totalCount,distinctCount,sum,sumsq,stddev",
        "aggrPeriodDuration": "PT0S",
        "timerel": "between",
        "timeAt": "2020-08-01T12:00:00Z",
        "endTimeAt": "2020-08-02T00:00:00Z",
    }
    found = (await history.get(one, params=whole)).json()["speed"]
    edges = ["2020-08-01T12:00:00Z", "2020-08-02T00:00:00Z"]
    assert found["totalCount"] == [[3, *edges]]
    assert found["distinctCount"] == [[3, *edges]]
    assert found["sum"] == [[300.0, *edges]]
    assert found["sumsq"] == [[30800.0, *edges]]
    assert found["stddev"][0][0] == pytest.approx(16.3299, abs=1e-4)


async def test_what_has_which_aggregates(
    history: httpx.AsyncClient, new_id: Callable[[], str]
) -> None:
    """Tables 4.5.19.1-1 to -3; 5.7.3.4: InvalidRequest for one that is asked for and has none."""
    at, later = "2020-08-01T12:03:00Z", "2020-08-01T12:04:00Z"
    body = {
        "id": new_id(),
        "type": "Vehicle",
        "text": [prop("b", at), prop("a", later)],
        "sizes": [prop([1, 2], at), prop([1, 2, 3, 4], later)],
        "flag": [prop(True, at), prop(False, later)],
        "map": [prop({"a": 1}, at), prop({"a": 2}, later)],
        "opens": [
            prop({"@type": "Time", "@value": "08:00:00Z"}, at),
            prop({"@type": "Time", "@value": "09:00:01Z"}, later),
        ],
        "owner": [
            {"type": "Relationship", "object": f"urn:x:{n}", "observedAt": t}
            for n, t in ((1, at), (2, later))
        ],
    }
    one = await told(history, body)
    table = {
        "text": {"max": "b", "min": "a"},
        "sizes": {"avg": 3.0, "max": 4.0, "min": 2.0, "sum": 6.0},
        "flag": {"avg": 0.5, "max": 1.0, "min": 0.0, "stddev": 0.5, "sum": 1.0, "sumsq": 1.0},
        "map": {},
        "opens": {"avg": "08:30:00.500000Z", "max": "09:00:01Z", "min": "08:00:00Z"},
        "owner": {},
    }
    methods = ["avg", "distinctCount", "max", "min", "stddev", "sum", "sumsq", "totalCount"]
    asked = {"format": "aggregatedValues", "aggrPeriodDuration": "PT0S"}
    found = (await history.get(one, params={**asked, "aggrMethods": ",".join(methods)})).json()
    for name, wanted in table.items():
        said = {m: v[0][0] for m, v in found[name].items() if m != "type"}
        assert said == {**wanted, "distinctCount": 2, "totalCount": 2}, name
    for name, wanted in table.items():
        for period in ("PT0S", "PT1H"):
            for method in sorted(set(methods) - {"distinctCount", "totalCount"}):
                by_name = {**asked, "aggrMethods": method, "aggrPeriodDuration": period}
                answer = await history.get(one, params={**by_name, "attrs": name})
                if method in wanted:
                    assert answer.json()[name][method][0][0] == wanted[method]
                else:
                    assert answer.status_code == 400, (name, method)
                    assert answer.json()["type"].endswith("/InvalidRequest")
    left = await history.get(one, params={**asked, "aggrMethods": "avg"})
    assert set(left.json()) == {"id", "type", "sizes", "flag", "opens"}


async def test_months_go_by_the_calendar(
    history: httpx.AsyncClient, new_id: Callable[[], str]
) -> None:
    body = {
        "id": new_id(),
        "type": "Vehicle",
        "speed": [prop(n, f"2020-{n:02}-15T00:00:00Z") for n in range(1, 13)],
    }
    one = await told(history, body)
    asked = {
        "format": "aggregatedValues",
        "aggrMethods": "sum",
        "aggrPeriodDuration": "P1M",
        "timerel": "after",
        "timeAt": "2020-01-31T00:00:00Z",
    }
    found = (await history.get(one, params=asked)).json()["speed"]["sum"]
    assert found[0] == [2.0, "2020-01-31T00:00:00Z", "2020-02-29T00:00:00Z"]
    assert found[1][:2] == [3.0, "2020-02-29T00:00:00Z"]
    assert len(found) == 11


async def test_more_than_a_page_is_partial_content(
    history: httpx.AsyncClient, new_id: Callable[[], str]
) -> None:
    def times(first: int) -> list[dict[str, Any]]:
        return [prop(n, f"2020-01-01T01:{first + n:02}:00Z") for n in range(20)]

    one = await told(
        history,
        {"id": new_id(), "type": "Vehicle", "speed": times(1), "fuelLevel": times(3)},
    )
    before, after = "2019-01-01T01:01:00Z", "2021-01-01T01:01:00Z"
    answer = await history.get(one)
    assert answer.status_code == 206
    expected = "date-time 2020-01-01T01:01:00Z-2020-01-01T01:15:00Z/*"
    assert answer.headers["content-range"] == expected
    assert len(answer.json()["speed"]) == 15
    assert answer.json()["fuelLevel"][-1]["observedAt"] == "2020-01-01T01:15:00Z"
    answer = await history.get(one, params={"timerel": "after", "timeAt": before})
    assert answer.headers["content-range"] == f"date-time {before}-2020-01-01T01:15:00Z/*"
    answer = await history.get(
        one, params={"timerel": "between", "timeAt": before, "endTimeAt": after, "lastN": "20"}
    )
    assert answer.status_code == 206
    assert answer.headers["content-range"] == f"date-time {after}-2020-01-01T01:08:00Z/20"
    assert answer.json()["speed"][0]["observedAt"] == "2020-01-01T01:08:00Z"
    answer = await history.get(
        one,
        params={"timerel": "after", "timeAt": before, "lastN": "20", "format": "temporalValues"},
    )
    assert answer.headers["content-range"].startswith("date-time 2020-01-01T01:22:00Z-")


async def test_a_page_ends_for_all_attributes_at_once(
    history: httpx.AsyncClient, new_id: Callable[[], str]
) -> None:
    body = {
        "id": new_id(),
        "type": "Vehicle",
        "speed": [prop(n, f"2020-01-01T01:{n:02}:00Z") for n in range(40)],
        "fuelLevel": [prop(n, f"2020-01-02T01:{n:02}:00Z") for n in range(40)],
    }
    one = await told(history, body)
    answer = await history.get(one, params=ALL)
    assert answer.status_code == 206
    assert answer.json()["fuelLevel"] == []
    answer = await history.get(
        one, params={"timerel": "before", "timeAt": "2021-01-01T00:00:00Z", "lastN": "100"}
    )
    assert answer.json()["speed"] == []


@pytest.mark.parametrize(
    ("name", "member", "null", "pairs"),
    [
        ("fuelLevel", "value", "urn:ngsi-ld:null", "values"),
        ("owner", "object", "urn:ngsi-ld:null", "objects"),
        ("name", "languageMap", {"@none": "urn:ngsi-ld:null"}, "languageMaps"),
        ("scope", "value", [], "values"),
    ],
)
async def test_a_removed_attribute_says_when_it_was_removed(
    history: httpx.AsyncClient,
    new_id: Callable[[], str],
    name: str,
    member: str,
    null: Any,
    pairs: str,
) -> None:
    body = {
        **vehicle(new_id()),
        "scope": "/Madrid",
        "owner": {"type": "Relationship", "object": "urn:x:o"},
        "name": {"type": "LanguageProperty", "languageMap": {"en": "red"}},
    }
    one = await told(history, body)
    gone = await history.delete(f"/entities/{body['id']}/attrs/{name}")
    assert gone.status_code == 204, gone.text
    found = (await history.get(one, params={"timeproperty": "deletedAt"})).json()
    assert set(found) == {"id", "type", name}
    assert found[name][0][member] == null
    assert found[name][0]["deletedAt"]
    asked = {"timeproperty": "deletedAt", "options": "temporalValues"}
    found = (await history.get(one, params=asked)).json()
    wrapped = {member: null} if name == "name" else null
    assert found[name][pairs][0] == [wrapped, found[name][pairs][0][1]]


async def test_a_new_scope_is_an_instance_of_a_temporal_property(
    history: httpx.AsyncClient, new_id: Callable[[], str]
) -> None:
    one = new_id()
    body = {
        "id": one,
        "type": "Vehicle",
        "scope": "/Old",
        "speed": {"type": "Property", "value": 1},
    }
    assert (await history.post("/entities", json=body)).status_code == 201
    changed = await history.patch(f"/entities/{one}", json={"type": "Vehicle", "scope": "/New"})
    assert changed.status_code == 204
    found = (await history.get(f"/temporal/entities/{one}", params={"options": "sysAttrs"})).json()
    assert [i["value"] for i in found["scope"]] == ["/Old", "/New"]
    new = found["scope"][1]
    assert new["type"] == "Property"
    assert set(new) == {"type", "value", "createdAt", "modifiedAt", "observedAt"}
    assert new["observedAt"] == new["modifiedAt"]  # 4.5.6
    plain = (await history.get(f"/temporal/entities/{one}")).json()
    assert set(plain["scope"][1]) == {"type", "value", "observedAt"}


async def test_when_an_instance_ends_is_told_with_sysattrs_alone(
    history: httpx.AsyncClient, new_id: Callable[[], str]
) -> None:
    """Clause 6.3.11."""
    one = new_id()
    ends = {"expiresAt": "2100-01-01T00:00:00Z"}
    body = {"id": one, "type": "Vehicle", "speed": {"type": "Property", "value": 1, **ends}}
    assert (await history.post("/entities", json=body)).status_code == 201
    at = f"/temporal/entities/{one}"
    [speed] = (await history.get(at, params={"options": "sysAttrs"})).json()["speed"]
    assert speed["expiresAt"] == ends["expiresAt"]
    assert "expiresAt" not in (await history.get(at)).text


async def test_pick_and_omit_choose_members_too(
    history: httpx.AsyncClient, new_id: Callable[[], str]
) -> None:
    one = await told(history, vehicle(new_id()))
    assert set((await history.get(one, params={"pick": "speed"})).json()) == {"speed"}
    assert set((await history.get(one, params={"pick": "id,speed"})).json()) == {"id", "speed"}
    assert set((await history.get(one, params={"omit": "speed"})).json()) == {
        "id",
        "type",
        "fuelLevel",
    }
    assert set((await history.get(one, params={"omit": "type,speed"})).json()) == {
        "id",
        "fuelLevel",
    }


async def test_datasets_are_series_of_their_own(
    history: httpx.AsyncClient, new_id: Callable[[], str]
) -> None:
    common = "urn:ngsi-ld:Dataset:Common"
    body = {
        "id": new_id(),
        "type": "Vehicle",
        "speed": [
            prop(1, "2020-09-01T12:05:00Z"),
            prop(60, "2020-09-01T12:05:00Z", datasetId="urn:ngsi-ld:Dataset:Speed"),
            prop(80, "2020-09-01T12:05:00Z", datasetId=common),
        ],
    }
    await told(history, body)
    asked = {**ALL, "type": "Vehicle", "id": body["id"], "options": "temporalValues"}

    async def shown(datasets: str) -> Any:
        answer = await history.get("/temporal/entities", params={**asked, "datasetId": datasets})
        return answer.json()

    [found] = await shown(common)
    assert found["speed"] == {
        "type": "Property",
        "datasetId": common,
        "values": [[80, "2020-09-01T12:05:00Z"]],
    }
    [found] = await shown("@none")
    assert "datasetId" not in found["speed"]
    [found] = await shown(f"{common},urn:ngsi-ld:Dataset:Speed")
    assert {s["datasetId"] for s in found["speed"]} == {common, "urn:ngsi-ld:Dataset:Speed"}
    assert await shown("urn:ngsi-ld:Dataset:none") == []
