"""Clauses 5.6.18 and 5.6.19: replace an entity, replace an attribute."""

from __future__ import annotations

from typing import Any

import httpx

GPS = "urn:ngsi-ld:Dataset:gps"
Client = httpx.AsyncClient


async def test_an_entity_is_replaced_whole(ngsi: Client, make: Any, seen: Any) -> None:
    at = await make(
        scope="/a", name={"value": 1}, old={"value": 1}, expiresAt="2999-01-01T00:00:00Z"
    )
    born = (await ngsi.get(at, params={"options": "sysAttrs"})).json()["createdAt"]
    body = {"id": at.rpartition("/")[2], "type": ["Museum"], "name": {"value": 2}}
    answer = await ngsi.put(at, json=body)
    assert (answer.status_code, answer.text) == (204, "")
    got = (await ngsi.get(at, params={"options": "sysAttrs"})).json()
    assert got.keys() == {"id", "type", "name", "createdAt", "modifiedAt"}
    assert (got["type"], got["createdAt"]) == ("Museum", born)
    untyped = await ngsi.put(at, json={"scope": ["/x", "/y"]})
    assert untyped.status_code == 204
    assert await seen(at) == {**{k: got[k] for k in ("id", "type")}, "scope": ["/x", "/y"]}
    for address, status in (("nouri", 400), ("", 400), ("urn:x:none", 404)):
        answer = await ngsi.put(f"/ngsi-ld/v1/entities/{address}", json={"type": "T"})
        assert answer.status_code == status, address
    assert (await ngsi.put(at, json={"id": "urn:x:another", "type": "T"})).status_code == 400


async def test_an_attribute_is_replaced_whole(ngsi: Client, make: Any, seen: Any) -> None:
    at = await make(
        scope="/a",
        speed=[{"value": 1, "unitCode": "KMH"}, {"value": 2, "datasetId": GPS}],
        parked={"object": "urn:x:1", "by": {"value": "x"}},
    )
    born = (await ngsi.get(at, params={"options": "sysAttrs"})).json()["parked"]["createdAt"]
    for name, body in (
        ("speed", {"type": "Property", "value": 3}),
        ("speed", {"type": "Property", "value": 4, "datasetId": GPS}),
        ("parked", {"type": "Property", "value": "street"}),
    ):
        answer = await ngsi.put(f"{at}/attrs/{name}", json=body)
        assert (answer.status_code, answer.text) == (204, "")
    got = (await ngsi.get(at, params={"options": "sysAttrs"})).json()
    assert got["parked"]["createdAt"] == born
    plain = await seen(at)
    assert plain["speed"] == [
        {"type": "Property", "value": 3},
        {"type": "Property", "value": 4, "datasetId": GPS},
    ]
    assert plain["parked"] == {"type": "Property", "value": "street"}
    for name, body, status in (
        ("@invalid", {"value": 1}, 400),
        ("none", {"value": 1}, 404),
        ("parked", {"value": 1, "datasetId": GPS}, 404),
        ("scope", {"scope": "/b"}, 400),
        ("parked", {"type": "Property"}, 400),
    ):
        assert (await ngsi.put(f"{at}/attrs/{name}", json=body)).status_code == status, name
