"""5.6.11 to 5.6.16: histories are created, continued, corrected and deleted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

NULL = "urn:ngsi-ld:null"


def prop(value: Any, at: str, **more: Any) -> dict[str, Any]:
    return {"type": "Property", "value": value, "observedAt": at, **more}


def vehicle(entity_id: str) -> dict[str, Any]:
    return {
        "id": entity_id,
        "type": "Vehicle",
        "speed": [prop(n, f"2020-09-01T12:0{n}:00Z") for n in (3, 5, 7)],
        "fuelLevel": [
            prop(67, "2020-09-01T12:03:00Z"),
            prop(53, "2020-09-01T13:05:00Z", datasetId="urn:ngsi-ld:fuel"),
        ],
    }


async def made(history: httpx.AsyncClient, body: dict[str, Any]) -> str:
    answer = await history.post("/temporal/entities", json=body)
    assert answer.status_code == 201, answer.text
    return f"/temporal/entities/{body['id']}"


async def values(history: httpx.AsyncClient, one: str, name: str = "speed") -> list[Any]:
    found = (await history.get(one)).json()
    return [i["value"] for i in found.get(name, [])]


async def test_told_again_types_and_instances_are_added(
    history: httpx.AsyncClient, new_id: Callable[[], str]
) -> None:
    body = {"id": new_id(), "type": "Vehicle", "speed": [prop(1, "2026-01-01T00:00:00Z")]}
    one = await made(history, body)
    more = {
        "id": body["id"],
        "type": ["Vehicle", "Truck"],
        "speed": [prop(NULL, "2026-01-02T00:00:00Z")],
    }
    assert (await history.post("/temporal/entities", json=more)).status_code == 204
    found = (await history.get(one)).json()
    assert set(found["type"]) == {"Vehicle", "Truck"}
    assert [i["value"] for i in found["speed"]] == [1, NULL]


async def test_an_attribute_has_one_value_at_a_time(
    history: httpx.AsyncClient, new_id: Callable[[], str]
) -> None:
    """4.5.7: what is told of an instant again takes the place of what was told of it."""
    body = vehicle(new_id())
    one = await made(history, body)
    again = {
        "id": body["id"],
        "type": "Vehicle",
        "speed": [prop(33, "2020-09-01T12:03:00Z"), prop(5, "2020-09-01T12:05:00Z")],
        "fuelLevel": [prop(68, "2020-09-01T12:03:00Z"), prop(54, "2020-09-01T13:05:00Z")],
    }
    assert (await history.post("/temporal/entities", json=again)).status_code == 204
    assert await values(history, one) == [33, 5, 7]
    assert await values(history, one, "fuelLevel") == [68, 53, 54]  # one of 13:05 is a dataset's
    [_, instance, _] = (await history.get(one)).json()["speed"]
    moved = f"{one}/attrs/speed/{instance['instanceId']}"
    patch = prop(6, "2020-09-01T12:06:00Z")
    assert (await history.patch(moved, json=patch)).status_code == 204
    more = {"speed": [prop(60, "2020-09-01T12:06:00Z"), prop(7.5, "2020-09-01T12:07:00Z")]}
    assert (await history.post(f"{one}/attrs", json=more)).status_code == 204
    assert await values(history, one) == [33, 60, 7.5]
    present = (await history.get(f"/entities/{body['id']}")).json()
    assert present["speed"]["value"] == 7.5


@pytest.mark.parametrize(
    "wrong",
    [
        {"expiresAt": NULL},
        {"speed": [prop(1, "2026-03-01T02:00:00+03:00")]},
        {"speed": None},
        {"type": []},
        {"id": "no uri"},
        {"speed": [{"type": "Nothing", "value": 1}]},
    ],
)
async def test_what_is_no_history_is_refused_and_nothing_is_kept(
    history: httpx.AsyncClient, new_id: Callable[[], str], wrong: dict[str, Any]
) -> None:
    body = {"id": new_id(), "type": "Vehicle", "speed": [prop(1, "2026-01-01T00:00:00Z")], **wrong}
    answer = await history.post("/temporal/entities", json=body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["type"].endswith("BadRequestData")
    if wrong.get("id") is None:
        assert (await history.get(f"/temporal/entities/{body['id']}")).status_code == 404


async def test_attributes_are_appended_to_what_is_there(
    history: httpx.AsyncClient, new_id: Callable[[], str]
) -> None:
    one = await made(history, vehicle(new_id()))
    more = {"speed": [prop(9, "2020-09-01T12:01:00Z")], "mileage": prop(7, "2020-09-01T00:00:00Z")}
    assert (await history.post(f"{one}/attrs/", json=more)).status_code == 204
    assert await values(history, one) == [9, 3, 5, 7]  # a late value takes its place in time
    assert await values(history, one, "mileage") == [7]
    absent = await history.post("/temporal/entities/urn:ngsi-ld:Vehicle:none/attrs", json=more)
    assert absent.status_code == 404


async def test_a_scope_that_is_told_is_the_present_one(
    history: httpx.AsyncClient, new_id: Callable[[], str]
) -> None:
    one = await made(history, vehicle(new_id()))
    entity = one.replace("/temporal", "")
    then = {"type": "Property", "value": "/Then", "observedAt": "2020-01-01T00:00:00Z"}
    for told, present in (
        ([then], "/Then"),
        (["/Now"], "/Now"),
        ([{**then, "value": "/Before"}], "/Now"),
    ):
        answer = await history.post(f"{one}/attrs", json={"scope": told})
        assert answer.status_code == 204, answer.text
        assert (await history.get(entity)).json()["scope"] == present
    found = (await history.get(one)).json()["scope"]
    assert {s["value"] for s in found} == {"/Then", "/Now", "/Before"}


async def test_an_instance_is_modified_and_keeps_its_id(
    history: httpx.AsyncClient, new_id: Callable[[], str]
) -> None:
    one = await made(history, vehicle(new_id()))
    before = (await history.get(one)).json()["speed"]
    place = f"{one}/attrs/speed/{before[1]['instanceId']}"
    changed = {"type": "Property", "value": 129, "observedAt": "2020-09-03T12:03:00Z"}
    assert (await history.patch(place, json=changed)).status_code == 204
    after = (await history.get(one, params={"options": "sysAttrs"})).json()["speed"]
    assert [i["value"] for i in after] == [3, 7, 129]
    assert after[2]["instanceId"] == before[1]["instanceId"]
    assert after[2]["modifiedAt"] > after[2]["createdAt"]
    span = {"timerel": "after", "timeAt": "2020-09-02T00:00:00Z", "attrs": "speed"}
    assert len((await history.get(one, params=span)).json()["speed"]) == 1
    assert (await history.patch(place, json={"value": 130})).status_code == 204
    assert (await values(history, one))[2] == 130
    summed = {"format": "aggregatedValues", "aggrMethods": "sum", "aggrPeriodDuration": "PT0S"}
    found = (await history.get(one, params={**summed, **span})).json()["speed"]["sum"]
    assert found[0][0] == 130


async def test_an_instance_is_deleted(
    history: httpx.AsyncClient, new_id: Callable[[], str]
) -> None:
    one = await made(history, vehicle(new_id()))
    first = (await history.get(one)).json()["speed"][0]["instanceId"]
    place = f"{one}/attrs/speed/{first}"
    assert (await history.delete(place)).status_code == 204
    assert await values(history, one) == [5, 7]
    assert (await history.delete(place)).status_code == 404
    assert (await history.patch(place, json={"value": 1})).status_code == 404
    unknown = await history.delete(f"{one}/attrs/speed/urn:ngsi-ld:Instance:none")
    assert unknown.status_code == 404
    assert unknown.json()["type"].endswith("ResourceNotFound")
    assert (await history.delete(f"{one}/attrs/speed/none")).status_code == 400


@pytest.mark.parametrize(
    ("params", "left"),
    [
        ({}, [53]),
        ({"deleteAll": "false"}, [53]),
        ({"datasetId": "urn:ngsi-ld:fuel"}, [67]),
        ({"deleteAll": "true"}, []),
    ],
)
async def test_an_attribute_is_deleted_by_dataset_or_whole(
    history: httpx.AsyncClient,
    new_id: Callable[[], str],
    params: dict[str, str],
    left: list[int],
) -> None:
    one = await made(history, vehicle(new_id()))
    await history.get(one)  # folded, where that is asked for
    gone = await history.delete(f"{one}/attrs/fuelLevel", params=params)
    assert gone.status_code == 204
    assert gone.content == b""
    assert await values(history, one, "fuelLevel") == left
    assert await values(history, one) == [3, 5, 7]
    again = await history.delete(f"{one}/attrs/fuelLevel", params=params)
    assert again.status_code == 404


@pytest.mark.parametrize("name", ["invalid(Name", "%2e%2e", "%252e%252e", "%2e"])
async def test_a_name_that_is_none_is_refused(
    history: httpx.AsyncClient, new_id: Callable[[], str], name: str
) -> None:
    one = await made(history, vehicle(new_id()))
    answer = await history.delete(f"{one}/attrs/{name}")
    assert answer.status_code == 400, answer.text
    assert (await history.get(one)).status_code == 200


async def test_an_address_with_an_empty_part_names_nothing(
    history: httpx.AsyncClient, new_id: Callable[[], str]
) -> None:
    one = await made(history, vehicle(new_id()))
    instance = "urn:ngsi-ld:Instance:1-0-0"
    for method, path, status in (
        ("POST", "/temporal/entities//attrs", 400),
        ("DELETE", "/temporal/entities//attrs/speed", 400),
        ("PATCH", f"/temporal/entities//attrs/speed/{instance}", 400),
        ("DELETE", f"/temporal/entities//attrs/speed/{instance}", 400),
        ("DELETE", f"{one}/attrs//{instance}", 400),
        ("PATCH", f"{one}/attrs//{instance}", 405),
        ("PATCH", f"{one}/attrs/speed/", 405),
        ("DELETE", "/temporal/entities/", 405),
    ):
        answer = await history.request(method, path, json={})
        assert answer.status_code == status, (method, path, answer.text)
    assert len((await history.get(one)).json()["speed"]) == 3


async def test_a_deleted_history_is_gone_and_can_be_told_anew(
    history: httpx.AsyncClient, new_id: Callable[[], str]
) -> None:
    body = vehicle(new_id())
    one = await made(history, body)
    assert (await history.get(one)).status_code == 200
    assert (await history.delete(one)).status_code == 204
    assert (await history.get(one)).status_code == 404
    assert (await history.delete(one)).status_code == 404
    # It was made by its history, so it is not there without it.
    assert (await history.get(f"/entities/{body['id']}")).status_code == 404
    assert await made(history, body) == one
    assert await values(history, one) == [3, 5, 7]


async def test_an_entity_that_was_not_made_by_its_history_outlives_it(
    history: httpx.AsyncClient, new_id: Callable[[], str]
) -> None:
    one = new_id()
    body = {"id": one, "type": "Vehicle", "speed": prop(1, "2026-01-01T00:00:00Z")}
    assert (await history.post("/entities", json=body)).status_code == 201
    assert (await history.delete(f"/temporal/entities/{one}")).status_code == 204
    assert (await history.get(f"/entities/{one}")).status_code == 200
    assert (await history.get(f"/temporal/entities/{one}")).status_code == 404
    assert (await history.delete(f"/entities/{one}")).status_code == 204
