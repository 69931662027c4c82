"""Clauses 5.6.5 and 5.6.6: delete an attribute, an instance, the scope, an entity."""

from __future__ import annotations

from typing import Any

import httpx

GPS = "urn:ngsi-ld:Dataset:gps"
Client = httpx.AsyncClient


async def test_one_instance_or_all_go(ngsi: Client, make: Any, seen: Any) -> None:
    speeds = [{"value": 1}, {"value": 2, "datasetId": "urn:x:a"}, {"value": 3, "datasetId": GPS}]
    for params, left in (
        ({"deleteAll": "false"}, [2, 3]),
        ({"datasetId": GPS}, [1, 2]),
        ({"datasetId": "@none"}, [2, 3]),
        ({"deleteAll": "true"}, []),
    ):
        at = await make(speed=speeds)
        gone = await ngsi.delete(f"{at}/attrs/speed", params=params)
        assert (gone.status_code, gone.text) == (204, "")
        got = await seen(at)
        assert [i["value"] for i in got.get("speed", [])] == left


async def test_what_is_not_there_is_not_found(ngsi: Client, make: Any) -> None:
    at = await make(speed={"value": 1, "datasetId": GPS})
    for path, params, status in (
        ("speed", {}, 404),
        ("speed", {"datasetId": "urn:x:none"}, 404),
        ("speed", {"datasetId": "no uri"}, 400),
        ("none", {}, 404),
        ("scope", {}, 404),
    ):
        answer = await ngsi.delete(f"{at}/attrs/{path}", params=params)
        assert answer.status_code == status, (path, params)
    assert (await ngsi.delete("/ngsi-ld/v1/entities/nouri")).status_code == 400
    assert (await ngsi.delete("/ngsi-ld/v1/entities/urn:x:none")).status_code == 404


async def test_the_scope_and_the_entity_go(ngsi: Client, make: Any, seen: Any) -> None:
    at = await make(scope=["/a", "/b"], v={"type": "VocabProperty", "vocab": "x"})
    assert (await ngsi.delete(f"{at}/attrs/scope")).status_code == 204
    assert (await ngsi.delete(f"{at}/attrs/v")).status_code == 204
    assert (await seen(at)).keys() == {"id", "type"}
    assert (await ngsi.delete(at)).status_code == 204
    assert (await ngsi.delete(at)).status_code == 404
