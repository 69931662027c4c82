"""Clause 5.6.4: partial attribute update, member by member of one instance."""

from __future__ import annotations

from typing import Any

import httpx

NULL = "urn:ngsi-ld:null"
GPS = "urn:ngsi-ld:Dataset:gps"
Client = httpx.AsyncClient


async def test_members_are_overwritten_and_others_stay(ngsi: Client, make: Any, seen: Any) -> None:
    sub = {"type": "Property", "value": "x"}
    at = await make(
        t={"type": "Property", "value": 25, "unitCode": "CEL", "source": sub},
        l={"type": "LanguageProperty", "languageMap": {"fr": "a", "nl": "b"}, "source": sub},
        j={"type": "JsonProperty", "json": {"id": "a", "null": None}, "source": sub},
        v={"type": "VocabProperty", "vocab": "a", "source": sub},
        r={"type": "Relationship", "object": "urn:x:1", "source": sub},
    )
    by = {"type": "Relationship", "object": "urn:x:john"}
    for name, fragment in {
        "t": {"type": "Property", "value": 100, "observedAt": "2022-03-14T13:00:00.000Z"},
        "l": {"languageMap": {"fr": "c", "es": "d"}},
        "j": {"json": {"id": "b"}},
        "v": {"vocab": "b"},
        "r": {"object": "urn:x:2"},
    }.items():
        answer = await ngsi.patch(f"{at}/attrs/{name}", json={**fragment, "by": by})
        assert (answer.status_code, answer.text) == (204, ""), name
    got = await seen(at)
    assert got["t"]["unitCode"] == "CEL"
    assert got["t"]["observedAt"] == "2022-03-14T13:00:00.000Z"
    assert got["l"]["languageMap"] == {"fr": "c", "es": "d"}
    assert got["j"]["json"] == {"id": "b"}
    assert (got["v"]["vocab"], got["r"]["object"]) == ("b", "urn:x:2")
    for name in "tljvr":
        assert got[name]["source"] == sub
        assert got[name]["by"] == by


async def test_the_null_removes_members_and_instances(ngsi: Client, make: Any, seen: Any) -> None:
    sub = {"type": "Property", "value": "x"}
    at = await make(
        t=[{"value": 1, "unitCode": "CEL", "source": sub}, {"value": 2, "datasetId": GPS}]
    )
    fragment = {"unitCode": NULL, "source": NULL}
    assert (await ngsi.patch(f"{at}/attrs/t", json=fragment)).status_code == 204
    assert (await seen(at))["t"][0] == {"type": "Property", "value": 1}
    gone = await ngsi.patch(f"{at}/attrs/t", json={"type": "Property", "value": NULL})
    assert gone.status_code == 204
    assert (await seen(at))["t"] == {"type": "Property", "value": 2, "datasetId": GPS}
    assert (await ngsi.patch(f"{at}/attrs/t", json={"value": NULL})).status_code == 404
    gone = await ngsi.patch(f"{at}/attrs/t", json={"value": NULL, "datasetId": GPS})
    assert gone.status_code == 204
    assert "t" not in await seen(at)


async def test_what_does_not_fit_is_refused(ngsi: Client, make: Any, seen: Any) -> None:
    at = await make(
        scope="/a", speed={"value": 1, "datasetId": GPS}, address={"value": {"country": "TH"}}
    )
    before = await seen(at)
    for name, fragment, status in (
        ("speed", {"value": 2}, 404),  # there is no default instance
        ("speed", {"value": 2, "datasetId": "urn:x:unknown"}, 404),
        ("absent", {"value": 2}, 404),
        ("speed", {"type": "Relationship", "object": "urn:x:1", "datasetId": GPS}, 400),
        ("speed", {"datasetId": NULL}, 400),
        ("speed", {}, 400),
        ("speed", [], 400),
        ("scope", {"value": "/b"}, 400),
        ("@invalid", {"value": 1}, 400),
        ("address", {"value": {"country": NULL}}, 400),
        ("address", {"value": None}, 400),
    ):
        answer = await ngsi.patch(f"{at}/attrs/{name}", json=fragment)
        assert answer.status_code == status, (name, fragment, answer.text)
    assert await seen(at) == before
    merged = await ngsi.patch(
        f"{at}/attrs/address",
        content=b'{"value": 1}',
        headers={"content-type": "application/merge-patch+json"},
    )
    assert merged.status_code == 204
