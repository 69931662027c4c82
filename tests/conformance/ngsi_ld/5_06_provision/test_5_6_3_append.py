"""Clause 5.6.3: append attributes, with and without noOverwrite."""

from __future__ import annotations

from typing import Any

import httpx

NULL = "urn:ngsi-ld:null"
DEFAULT = "https://uri.etsi.org/ngsi-ld/default-context/"
Client = httpx.AsyncClient


async def test_append_adds_and_overwrites(ngsi: Client, make: Any, seen: Any) -> None:
    at = await make(a={"value": 1}, speed={"value": 1, "datasetId": "urn:x:a"})
    body = {"a": {"value": 2}, "b": {"value": 3}, "speed": {"value": 4, "datasetId": "urn:x:b"}}
    answer = await ngsi.post(f"{at}/attrs/", json=body)
    assert (answer.status_code, answer.text) == (204, "")
    got = await seen(at)
    assert (got["a"]["value"], got["b"]["value"], len(got["speed"])) == (2, 3, 2)


async def test_no_overwrite_leaves_instances_alone(ngsi: Client, make: Any, seen: Any) -> None:
    at = await make(speed=[{"value": 55, "datasetId": "urn:x:a"}, {"value": 54}])
    keep = {"options": "noOverwrite"}
    body = {"speed": {"value": 1, "datasetId": "urn:x:a"}, "new": {"value": 23}}
    partly = await ngsi.post(f"{at}/attrs", json=body, params=keep)
    assert partly.status_code == 207
    assert partly.json()["updated"] == [DEFAULT + "new"]
    [undone] = partly.json()["notUpdated"]
    assert undone["attributeName"] == DEFAULT + "speed"
    assert undone["reason"]
    body = {"speed": {"value": 2, "datasetId": "urn:x:c"}}
    assert (await ngsi.post(f"{at}/attrs", json=body, params=keep)).status_code == 204
    values = {i.get("datasetId"): i["value"] for i in (await seen(at))["speed"]}
    assert values == {"urn:x:a": 55, None: 54, "urn:x:c": 2}


async def test_scopes_and_types(ngsi: Client, make: Any, seen: Any) -> None:
    at = await make(scope="/a")
    keep = {"options": "noOverwrite"}
    assert (await ngsi.post(f"{at}/attrs", json={"scope": "/b"}, params=keep)).status_code == 204
    assert (await seen(at))["scope"] == ["/a", "/b"]
    assert (await ngsi.post(f"{at}/attrs", json={"scope": "/c"})).status_code == 204
    assert (await seen(at))["scope"] == "/c"
    assert (await ngsi.post(f"{at}/attrs", json={"type": "Museum"})).status_code == 204
    assert (await seen(at))["type"] == ["Building", "Museum"]


async def test_append_takes_no_null(ngsi: Client, make: Any) -> None:
    at = await make(a={"value": 1})
    for said in ({"type": "Property", "value": NULL}, NULL):
        assert (await ngsi.post(f"{at}/attrs", json={"a": said})).status_code == 400
    assert (await ngsi.post(f"{at}/attrs", json={"scope": NULL})).status_code == 400
