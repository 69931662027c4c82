"""Every size has a limit, and says so in words (docs/reference/ngsi-ld/provision.md)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from nagara.context.apply import ATTRIBUTES_MAX
from nagara.context.ngsi.batch import BATCH_MAX
from nagara.context.ngsi.names import SCOPES_MAX, TYPES_MAX
from nagara.context.ngsi.read import DEPTH_MAX, INSTANCES_MAX, LIST_MAX, VALUE_DEPTH_MAX

BASE = "/ngsi-ld/v1/entities"


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


def sub_attributes(levels: int) -> dict[str, Any]:
    attribute: dict[str, Any] = {"type": "Property", "value": 1}
    for _ in range(levels):
        attribute = {"type": "Property", "value": 1, "sub": attribute}
    return attribute


@pytest.mark.parametrize(
    ("most", "body"),
    [
        (ATTRIBUTES_MAX, lambda n: {f"a{i}": 1 for i in range(n)}),
        (
            INSTANCES_MAX,
            lambda n: {"a": [{"value": 1, "datasetId": f"urn:x:{i}"} for i in range(n)]},
        ),
        (DEPTH_MAX, lambda n: {"a": sub_attributes(n)}),
        (VALUE_DEPTH_MAX, lambda n: {"a": {"type": "Property", "value": nested(n)}}),
        (VALUE_DEPTH_MAX, lambda n: {"a": {"type": "JsonProperty", "json": nested(n)}}),
        (LIST_MAX, lambda n: {"a": {"valueList": [1] * n}}),
        (LIST_MAX, lambda n: {"a": {"object": ["urn:x:1"] * n}}),
        (SCOPES_MAX, lambda n: {"scope": [f"/s{i}" for i in range(n)]}),
        (TYPES_MAX, lambda n: {"type": [f"T{i}" for i in range(n)]}),
    ],
)
async def test_as_much_as_the_limit_and_no_more(
    ngsi: httpx.AsyncClient, most: int, body: Any
) -> None:
    full = await ngsi.post(BASE, json={"id": "urn:x:full", "type": "T", **body(most)})
    assert full.status_code == 201, full.text
    over = await ngsi.post(
        BASE,
        json={"id": "urn:x:over", "type": "T", **body(most + 1)},
        headers={"accept-language": "th"},
    )
    assert over.status_code == 400
    said = over.json()
    assert said["code"] == "entity-over-limit"
    assert said["type"].endswith("/BadRequestData")
    assert str(most) in said["detail"]
    assert any("฀" <= c <= "๿" for c in said["hint"])


async def test_a_batch_and_a_body_have_a_limit(ngsi: httpx.AsyncClient) -> None:
    items = [{"id": f"urn:x:{i}", "type": "T"} for i in range(BATCH_MAX + 1)]
    over = await ngsi.post("/ngsi-ld/v1/entityOperations/create", json=items)
    assert (over.status_code, over.json()["code"]) == (400, "entity-over-limit")
    huge = {"id": "urn:x:huge", "type": "T", "a": "x" * 10_000_001}
    assert (await ngsi.post(BASE, json=huge)).status_code == 413


async def test_a_value_that_nests_without_end_is_no_defect(ngsi: httpx.AsyncClient) -> None:
    for levels in (900, 100_000):
        content = b'{"id":"urn:x:1","type":"T","a":' + b"[" * levels + b"]" * levels + b"}"
        answer = await ngsi.post(
            BASE, content=content, headers={"content-type": "application/json"}
        )
        assert answer.status_code == 400, levels
