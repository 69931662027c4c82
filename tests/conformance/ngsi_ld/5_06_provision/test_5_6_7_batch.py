"""Clauses 5.6.7 to 5.6.10 and 5.6.20: batches, and what became of each entity."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

API = "/ngsi-ld/v1/entityOperations"
BASE = "/ngsi-ld/v1/entities"
NULL = "urn:ngsi-ld:null"
CORE = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.9.jsonld"
Client = httpx.AsyncClient


async def linked(ngsi: Client, what: str, items: Any, **params: str) -> httpx.Response:
    return await ngsi.post(
        f"{API}/{what}",
        content=json.dumps(items),
        headers={"content-type": "application/ld+json"},
        params=params,
    )


def kinds(answer: httpx.Response) -> list[str]:
    return [e["error"]["type"].rsplit("/")[-1] for e in answer.json()["errors"]]


async def test_create_tells_what_was_made_and_what_was_not(ngsi: Client) -> None:
    a, b = {"id": "urn:x:a", "type": "T", "n": 1}, {"id": "urn:x:b", "type": "T", "n": 2}
    made = await ngsi.post(f"{API}/create", json=[a, b])
    assert (made.status_code, made.json()) == (201, ["urn:x:a", "urn:x:b"])
    c = {"id": "urn:x:c", "type": "T"}
    partly = await ngsi.post(f"{API}/create", json=[c, a, c, {"id": "urn:x:d"}])
    assert partly.status_code == 207
    assert partly.json()["success"] == ["urn:x:c"]
    assert sorted(e["entityId"] for e in partly.json()["errors"]) == [
        "urn:x:a",
        "urn:x:c",
        "urn:x:d",
    ]
    assert sorted(kinds(partly)) == ["AlreadyExists", "AlreadyExists", "BadRequestData"]
    assert all(e["error"]["title"] and e["error"]["status"] for e in partly.json()["errors"])


async def test_upsert_replaces_or_updates_in_order(ngsi: Client) -> None:
    await ngsi.post(BASE, json={"id": "urn:x:old", "type": "T", "a": 1, "scope": "/s"})
    items = [{"id": "urn:x:old", "type": "U", "b": 2}, {"id": "urn:x:new", "type": "T", "b": 2}]
    made = await ngsi.post(f"{API}/upsert", json=items)
    assert (made.status_code, made.json()) == (201, ["urn:x:new"])
    got = (await ngsi.get(f"{BASE}/urn:x:old")).json()
    assert got.keys() == {"id", "type", "b"}
    assert got["type"] == "U"
    items = [{"id": "urn:x:old", "type": ["V"], "c": 3, "scope": "/t"}]
    kept = await ngsi.post(f"{API}/upsert", json=items, params={"options": "update"})
    assert (kept.status_code, kept.text) == (204, "")
    got = (await ngsi.get(f"{BASE}/urn:x:old")).json()
    assert got.keys() == {"id", "type", "b", "c", "scope"}
    assert got["type"] == ["U", "V"]
    twice = [
        {"id": "urn:x:tw", "type": "T", "n": 1, "old": 1},
        {"id": "urn:x:tw", "type": "T", "n": 2},
    ]
    made = await ngsi.post(f"{API}/upsert", json=twice)
    assert (made.status_code, made.json()) == (201, ["urn:x:tw"])
    got = (await ngsi.get(f"{BASE}/urn:x:tw")).json()
    assert got["n"]["value"] == 2
    assert "old" not in got


async def test_update_appends_or_leaves_alone(ngsi: Client) -> None:
    await ngsi.post(BASE, json={"id": "urn:x:u", "type": "T", "a": 1, "b": {"value": 1}})
    items = [{"id": "urn:x:u", "type": ["T", "U"], "a": 2, "c": 3, "b": NULL}]
    done = await ngsi.post(f"{API}/update", json=items)
    assert (done.status_code, done.text) == (204, "")
    got = (await ngsi.get(f"{BASE}/urn:x:u")).json()
    assert (got["a"]["value"], got["c"]["value"], "b" in got) == (2, 3, False)
    assert got["type"] == ["T", "U"]
    keep = {"options": "noOverwrite"}
    partly = await ngsi.post(f"{API}/update", json=[{"id": "urn:x:u", "a": 9, "d": 4}], params=keep)
    assert partly.status_code == 207
    assert kinds(partly) == ["AlreadyExists"]
    got = (await ngsi.get(f"{BASE}/urn:x:u")).json()
    assert (got["a"]["value"], got["d"]["value"]) == (2, 4)
    fresh = [{"id": "urn:x:u", "type": "T", "e": 5}]
    assert (await ngsi.post(f"{API}/update", json=fresh, params=keep)).status_code == 204
    absent = await ngsi.post(f"{API}/update", json=[{"id": "urn:x:none", "a": 1}, *fresh])
    assert (absent.status_code, kinds(absent)) == (207, ["ResourceNotFound"])
    assert absent.json()["success"] == ["urn:x:u"]


async def test_merge_and_delete(ngsi: Client) -> None:
    for n in (1, 2):
        body = {"id": f"urn:x:m{n}", "type": "T", "a": {"value": 1, "unitCode": "CEL"}, "b": 1}
        await ngsi.post(BASE, json=body)
    items = [{"id": f"urn:x:m{n}", "a": {"value": 2}, "b": NULL} for n in (1, 2)]
    merged = await ngsi.post(f"{API}/merge", json=items)
    assert (merged.status_code, merged.text) == (204, "")
    got = (await ngsi.get(f"{BASE}/urn:x:m2")).json()
    assert got["a"] == {"type": "Property", "value": 2, "unitCode": "CEL"}
    assert "b" not in got
    partly = await ngsi.post(f"{API}/merge", json=[*items, {"id": "urn:x:none", "a": 1}])
    assert (partly.status_code, kinds(partly)) == (207, ["ResourceNotFound"])
    gone = await linked(ngsi, "delete", ["urn:x:m1", "urn:x:m1", "no uri"])
    assert gone.status_code == 207
    assert gone.json()["success"] == ["urn:x:m1"]
    assert sorted(kinds(gone)) == ["BadRequestData", "ResourceNotFound"]
    gone = await linked(ngsi, "delete", ["urn:x:m2"])
    assert (gone.status_code, gone.text) == (204, "")


@pytest.mark.parametrize("what", ["create", "upsert", "update", "merge", "delete"])
async def test_what_is_no_batch_is_refused_whole(ngsi: Client, what: str) -> None:
    whole = {"id": "urn:x:valid", "type": "T"}
    for content, kind in (
        ("[{", "InvalidRequest"),
        ("[]", "BadRequestData"),
        ("{}", "BadRequestData"),
        (json.dumps([whole, None]), "BadRequestData"),
    ):
        answer = await ngsi.post(
            f"{API}/{what}", content=content, headers={"content-type": "application/json"}
        )
        assert (answer.status_code, answer.json()["type"].rsplit("/")[-1]) == (400, kind), content
    assert (await ngsi.get(f"{BASE}/urn:x:valid")).status_code == 404
    text = await ngsi.post(f"{API}/{what}", content="x", headers={"content-type": "text/xml"})
    assert text.status_code == 415


async def test_each_entity_brings_its_context(ngsi: Client) -> None:
    items = [
        {"@context": [{"n": "https://a.example/n"}, CORE], "id": "urn:x:c1", "type": "T", "n": 1},
        {"@context": [{"n": "https://b.example/n"}, CORE], "id": "urn:x:c2", "type": "T", "n": 1},
        {"id": "urn:x:c3", "type": "T", "n": 1},
    ]
    partly = await linked(ngsi, "create", items)
    assert (partly.status_code, kinds(partly)) == (207, ["BadRequestData"])
    assert "https://b.example/n" in (await ngsi.get(f"{BASE}/urn:x:c2")).json()
    inside = await ngsi.post(f"{API}/create", json=[{**items[0], "id": "urn:x:c4"}])
    assert (inside.status_code, kinds(inside)) == (207, ["BadRequestData"])
    null = {
        "@context": CORE,
        "id": "urn:x:c1",
        "type": "T",
        "n": {"type": "Property", "value": None},
    }
    for what in ("update", "merge", "upsert"):
        refused = await linked(ngsi, what, [null])
        assert (refused.status_code, kinds(refused)) == (207, ["BadRequestData"])
