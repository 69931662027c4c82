"""Clauses 5.6.2 and 5.5.8: update attributes, each replaced whole; what is not there is added."""

from __future__ import annotations

from typing import Any

import httpx

NULL = "urn:ngsi-ld:null"
GPS = "urn:ngsi-ld:Dataset:gps"
Client = httpx.AsyncClient


async def test_attributes_are_replaced_whole_and_added(ngsi: Client, make: Any, seen: Any) -> None:
    at = await make(
        speed={"type": "Property", "value": 55, "unitCode": "KMH", "by": {"value": "x"}},
        name={"value": "a"},
    )
    body = {"speed": {"type": "Property", "value": 60}, "new": {"value": 1}}
    assert (await ngsi.patch(f"{at}/attrs", json=body)).status_code == 204
    got = await seen(at)
    assert got["speed"] == {"type": "Property", "value": 60}
    assert got["name"]["value"] == "a"
    assert got["new"]["value"] == 1
    typed = {"name": {"type": "Relationship", "object": "urn:x:1"}}
    assert (await ngsi.patch(f"{at}/attrs/", json=typed)).status_code == 204
    assert (await seen(at))["name"]["type"] == "Relationship"


async def test_instances_are_changed_one_by_one(ngsi: Client, make: Any, seen: Any) -> None:
    at = await make(speed=[{"value": 55}, {"value": 54.5, "datasetId": GPS}])
    assert (await ngsi.patch(f"{at}/attrs", json={"speed": {"value": 99}})).status_code == 204
    body = {"speed": {"value": 98, "datasetId": GPS}}
    assert (await ngsi.patch(f"{at}/attrs", json=body)).status_code == 204
    body = {"speed": {"value": 97, "datasetId": "urn:x:new"}}
    assert (await ngsi.patch(f"{at}/attrs", json=body)).status_code == 204
    values = {i.get("datasetId"): i["value"] for i in (await seen(at))["speed"]}
    assert values == {None: 99, GPS: 98, "urn:x:new": 97}


async def test_the_null_removes_an_instance(ngsi: Client, make: Any, seen: Any) -> None:
    nothing = {
        "p": {"type": "Property", "value": NULL},
        "r": {"type": "Relationship", "object": NULL},
        "g": {"type": "GeoProperty", "value": NULL},
        "l": {"type": "LanguageProperty", "languageMap": {"@none": NULL}},
    }
    some: dict[str, Any] = {
        "p": {"type": "Property", "value": 1},
        "r": {"type": "Relationship", "object": "urn:x:1"},
        "g": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [1, 2]}},
        "l": {"type": "LanguageProperty", "languageMap": {"en": "x"}},
    }
    at = await make(**some)
    for name, fragment in nothing.items():
        gone = await ngsi.patch(f"{at}/attrs", json={name: fragment})
        assert gone.status_code == 204, gone.text
        assert name not in await seen(at)
    for dataset in (None, GPS):
        at = await make(**{n: [a, {**a, "datasetId": GPS}] for n, a in some.items()})
        which = {} if dataset is None else {"datasetId": dataset}
        for name, fragment in nothing.items():
            gone = await ngsi.patch(f"{at}/attrs", json={name: {**fragment, **which}})
            assert gone.status_code == 204, gone.text
            left = (await seen(at))[name]
            assert isinstance(left, dict)
            assert left.get("datasetId") == (GPS if dataset is None else None)


async def test_scope_is_replaced_and_not_added(ngsi: Client, make: Any, seen: Any) -> None:
    at = await make(scope=["/a", "/b"])
    assert (await ngsi.patch(f"{at}/attrs", json={"scope": "/c"})).status_code == 204
    assert (await seen(at))["scope"] == "/c"
    bare = await make()
    partly = await ngsi.patch(f"{bare}/attrs", json={"scope": "/c", "a": 1})
    assert partly.status_code == 207
    [undone] = partly.json()["notUpdated"]
    assert undone["attributeName"].endswith("/scope")
    assert partly.json()["updated"] == ["https://uri.etsi.org/ngsi-ld/default-context/a"]
    assert "scope" not in await seen(bare)


async def test_types_are_added(ngsi: Client, make: Any, seen: Any) -> None:
    for said, expected in (
        ("Vehicle", {"Building", "Vehicle"}),
        (["Vehicle", "Car"], {"Building", "Vehicle", "Car"}),
        ("Building", {"Building"}),
        (["Building", "Vehicle"], {"Building", "Vehicle"}),
    ):
        at = await make()
        assert (await ngsi.patch(f"{at}/attrs", json={"type": said})).status_code == 204
        kept = (await seen(at))["type"]
        assert {kept} == expected if isinstance(kept, str) else set(kept) == expected


async def test_a_type_that_does_not_hold_hides_the_entity(
    ngsi: Client, make: Any, seen: Any
) -> None:
    at = await make(["Building", "Museum"], name={"value": "x"})
    fragment = {"name": {"type": "Property", "value": "y"}}
    for selector, status in (
        ("Vehicle", 404),
        ("Vehicle,Hotel", 404),
        ("Building;Vehicle", 404),
        ("(", 400),
        ("Vehicle,(Building;Museum)", 204),
        ("Vehicle|Building", 204),
    ):
        params = {"type": selector}
        for request in (
            ngsi.patch(f"{at}/attrs", json=fragment, params=params),
            ngsi.post(f"{at}/attrs", json=fragment, params=params),
            ngsi.patch(f"{at}/attrs/name", json={"value": "y"}, params=params),
            ngsi.patch(at, json=fragment, params=params),
        ):
            answer = await request
            assert answer.status_code == status, (selector, answer.request.url, answer.text)
    for params, status in (({"type": "Vehicle"}, 404), ({"type": "Building"}, 204)):
        assert (await ngsi.delete(f"{at}/attrs/name", params=params)).status_code == status
        assert (await ngsi.delete(at, params=params)).status_code == status


async def test_what_does_not_fit_changes_nothing(ngsi: Client, make: Any, seen: Any) -> None:
    at = await make(name={"value": "x"})
    before = await seen(at)
    for body in (
        {"name": {"type": "Property"}},
        {"name": {"type": "Property", "value": {"a": NULL}}},
        {"id": "urn:x:another", "name": 1},
        ["name"],
    ):
        assert (await ngsi.patch(f"{at}/attrs", json=body)).status_code == 400, body
    absent = at.rpartition("/")[0] + "/urn:x:absent"
    assert (await ngsi.patch(f"{absent}/attrs", json={"a": 1})).status_code == 404
    no_uri = await ngsi.patch("/ngsi-ld/v1/entities/nouri/attrs", json={"a": 1})
    assert no_uri.status_code == 400
    assert await seen(at) == before
