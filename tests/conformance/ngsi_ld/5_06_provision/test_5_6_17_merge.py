"""Clauses 5.6.17 and 5.5.12: merge an entity (PATCH /entities/{id})."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

V1 = "/ngsi-ld/v1"
NULL = "urn:ngsi-ld:null"
GPS = "urn:ngsi-ld:Dataset:gps"
Client = httpx.AsyncClient


async def test_a_merge_goes_into_attributes_and_values(ngsi: Client, make: Any, seen: Any) -> None:
    at = await make(
        level={"value": 4, "unitCode": "C62", "observedAt": "2020-09-09T16:40:00.000Z"},
        address={"value": {"street": "a", "city": "Berlin", "country": "DE", "geo": {"x": 1}}},
        name={"languageMap": {"th": "ก", "en": "a"}},
        raw={"json": {"a": 1, "b": 2}},
        deep={"value": 1, "sub": {"value": 2, "subsub": {"value": 3}}},
        gone={"value": 1},
        location={"type": "Point", "coordinates": [1, 2]},
    )
    body = {
        "level": {"type": "Property", "value": 1, "observedAt": "2024-01-01T00:00:00.000Z"},
        "address": {"value": {"street": "b", "country": NULL, "geo": {"y": 2}}},
        "name": {"languageMap": {"en": NULL, "fr": "b"}},
        "raw": {"json": {"b": NULL, "c": 3}},
        "deep": {"sub": {"subsub": {"value": 4}}},
        "gone": NULL,
        "location": {"type": "LineString", "coordinates": [[1, 2], [3, 4]]},
        "new": {"object": "urn:x:1"},
    }
    merged = await ngsi.patch(at, json=body)
    assert (merged.status_code, merged.text) == (204, "")
    got = await seen(at)
    assert got["level"]["unitCode"] == "C62"
    assert got["level"]["value"] == 1
    assert got["address"]["value"] == {"street": "b", "city": "Berlin", "geo": {"x": 1, "y": 2}}
    assert got["name"]["languageMap"] == {"th": "ก", "fr": "b"}
    assert got["raw"]["json"] == {"a": 1, "c": 3}
    assert got["deep"]["sub"]["value"] == 2
    assert got["deep"]["sub"]["subsub"]["value"] == 4
    assert got["location"]["value"]["type"] == "LineString"
    assert got["new"]["type"] == "Relationship"
    assert "gone" not in got
    assert NULL not in str(got)
    again = await ngsi.patch(at, json=body)
    assert again.status_code == 204
    assert await seen(at) == got


async def test_the_null_removes_an_instance_or_a_member(ngsi: Client, make: Any, seen: Any) -> None:
    at = await make(
        p=[{"value": 1}, {"value": 2, "datasetId": GPS}],
        l=[{"languageMap": {"en": "a"}}, {"languageMap": {"en": "b"}, "datasetId": GPS}],
        t={"value": 1, "unitCode": "CEL", "by": {"value": "x"}},
        scope="/a",
        expiresAt="2999-01-01T00:00:00Z",
    )
    body = {
        "p": {"type": "Property", "value": NULL},
        "l": {"type": "LanguageProperty", "languageMap": {"@none": NULL}, "datasetId": GPS},
        "t": {"unitCode": NULL, "by": {"type": "Property", "value": NULL}},
        "scope": NULL,
        "expiresAt": NULL,
        "absent": NULL,
    }
    merged = await ngsi.patch(at, json=body)
    assert merged.status_code == 204, merged.text
    got = await seen(at)
    assert got["p"] == {"type": "Property", "value": 2, "datasetId": GPS}
    assert got["l"] == {"type": "LanguageProperty", "languageMap": {"en": "a"}}
    assert got["t"] == {"type": "Property", "value": 1}
    assert not {"scope", "expiresAt", "absent"} & got.keys()


async def test_another_type_replaces_and_types_are_added(
    ngsi: Client, make: Any, seen: Any
) -> None:
    at = await make(a={"value": 1, "unitCode": "CEL"})
    body = {"type": "Museum", "a": {"type": "Relationship", "object": "urn:x:1"}, "scope": "/s"}
    assert (await ngsi.patch(at, json=body)).status_code == 204
    got = await seen(at)
    assert got["a"] == {"type": "Relationship", "object": "urn:x:1"}
    assert got["type"] == ["Building", "Museum"]
    assert got["scope"] == "/s"


@pytest.mark.parametrize("in_a_batch", [False, True])
async def test_simplified_values_keep_the_type_that_is_there(
    ngsi: Client, make: Any, seen: Any, in_a_batch: bool
) -> None:
    at = await make(
        speed={"value": 1, "unitCode": "KMH", "observedAt": "2020-01-01T00:00:00Z"},
        count={"value": 1},
        parked={"object": "urn:x:1"},
        name={"languageMap": {"th": "ก", "en": "a"}},
        kind={"vocab": "a"},
        stops={"objectList": ["urn:x:1"]},
        depths={"valueList": [1]},
        raw={"json": {"a": 1}},
    )
    body = {
        "speed": 2,
        "count": 2,
        "parked": "urn:x:2",
        "name": "b",
        "kind": "b",
        "stops": ["urn:x:2"],
        "depths": [2, 3],
        "raw": {"b": 2},
        "fresh": {"type": "PostalAddress"},
    }
    params = {"format": "simplified", "lang": "en", "observedAt": "2026-01-01T00:00:00Z"}
    if in_a_batch:  # 5.6.20
        item = {"id": at.rpartition("/")[2], **body}
        merged = await ngsi.post(f"{V1}/entityOperations/merge", json=[item], params=params)
    else:
        merged = await ngsi.patch(at, json=body, params=params)
    assert merged.status_code == 204, merged.text
    got = await seen(at)
    assert got["speed"] == {
        "type": "Property",
        "value": 2,
        "unitCode": "KMH",
        "observedAt": "2026-01-01T00:00:00Z",
    }
    assert "observedAt" not in got["count"]  # only where there was one before
    assert got["parked"]["object"] == "urn:x:2"
    assert got["name"]["languageMap"] == {"th": "ก", "en": "b"}
    assert got["kind"]["vocab"] == "b"
    assert got["stops"]["objectList"] == [{"object": "urn:x:2"}]
    assert got["depths"]["valueList"] == [2, 3]
    assert got["raw"]["json"] == {"a": 1, "b": 2}
    assert got["fresh"]["value"] == {"type": "PostalAddress"}
    wrong = await ngsi.patch(at, json={"a": 1}, params={"observedAt": "today"})
    assert wrong.status_code == 400


async def test_what_does_not_fit_is_refused(ngsi: Client, make: Any, seen: Any) -> None:
    at = await make(a={"value": 1})
    before = await seen(at)
    for address, body, status in (
        (at, {"id": "urn:x:another", "a": 2}, 400),
        (at, {"a": {"value": None}}, 400),
        (at, {"b": {"unitCode": "CEL"}}, 400),
        (at, {"a": {"datasetId": NULL}}, 400),
        ("/ngsi-ld/v1/entities/nouri", {"a": 2}, 400),
        ("/ngsi-ld/v1/entities/", {"a": 2}, 400),
        ("/ngsi-ld/v1/entities/urn:x:none", {"a": 2}, 404),
    ):
        answer = await ngsi.patch(address, json=body)
        assert answer.status_code == status, (address, body, answer.text)
    assert await seen(at) == before
    stale = await ngsi.patch(at, json={"a": 3}, headers={"if-match": '"99"'})
    assert stale.status_code == 412
