"""Clause 5.6.1: create an entity; what an entity may be (ETSI GS CIM 009 V1.9.1, 4.5 to 4.8)."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx
import pytest

BASE = "/ngsi-ld/v1/entities"
NULL = "urn:ngsi-ld:null"
Client = httpx.AsyncClient
_LD = {"content-type": "application/ld+json"}


async def refused(ngsi: Client, attrs: dict[str, Any], type_: Any = "Building") -> str:
    """An entity that is not created; what the answer says."""
    body = {"id": "urn:ngsi-ld:Building:refused", "type": type_, **attrs}
    answer = await ngsi.post(BASE, json=body)
    assert answer.status_code == 400, (attrs, answer.text)
    said = answer.json()
    assert said["type"] == "https://uri.etsi.org/ngsi-ld/errors/BadRequestData", attrs
    assert all(said[word] for word in ("title", "detail", "hint"))
    assert (await ngsi.get(f"{BASE}/{body['id']}")).status_code == 404
    return str(said["detail"])


async def test_every_type_of_attribute_comes_back_as_it_was_sent(ngsi: Client) -> None:
    body = {
        "id": "urn:ngsi-ld:Vehicle:1",
        "type": "Vehicle",
        "p": {"type": "Property", "value": 1.5, "unitCode": "KMH"},
        "typed": {"type": "Property", "value": {"@type": "Date", "@value": "2026-01-01"}},
        "compound": {"type": "Property", "value": {"a": [1, {"b": None}], "type": "x"}},
        "r": {"type": "Relationship", "object": "urn:ngsi-ld:X:1", "objectType": "X"},
        "rs": {"type": "Relationship", "object": ["urn:ngsi-ld:X:1", "urn:ngsi-ld:Ciudad:París"]},
        "g": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [2.35, 48.85]}},
        "l": {
            "type": "LanguageProperty",
            "languageMap": {"th": "กรุงเทพ", "en": ["a", "b"], "@none": "c"},
        },
        "v": {"type": "VocabProperty", "vocab": ["monument", "museum"]},
        "j": {"type": "JsonProperty", "json": {"id": "x", "type": "y", "null": None, "p": 1}},
        "js": {"type": "JsonProperty", "json": [{"id": 1}, {"id": 2}]},
        "lp": {"type": "ListProperty", "valueList": [1, "two", {"three": [3]}]},
        "lr": {
            "type": "ListRelationship",
            "objectList": [{"object": "urn:ngsi-ld:Road:1"}, {"object": "urn:ngsi-ld:Road:2"}],
        },
        "deep": {
            "type": "Property",
            "value": 1,
            "observedAt": "2026-01-01T00:00:00.000Z",
            "by": {
                "type": "Relationship",
                "object": "urn:ngsi-ld:Person:1",
                "sure": {"type": "Property", "value": 0.5},
            },
        },
        "ชื่อ": {"type": "Property", "value": "<b>\"'=;()</b> žltý kôň €"},
    }
    made = await ngsi.post(BASE, json=body)
    assert made.status_code == 201, made.text
    assert made.text == ""
    assert made.headers["location"] == f"{BASE}/{body['id']}"
    assert (await ngsi.get(f"{BASE}/{body['id']}")).json() == body


async def test_concise_and_simplified_become_normalised(ngsi: Client) -> None:
    point = {"type": "Point", "coordinates": [8, 49]}
    concise = {
        "id": "urn:ngsi-ld:Vehicle:2",
        "type": "Vehicle",
        "speed": 55,
        "location": point,
        "area": {"value": point},
        "brand": {"value": "Volvo", "observedAt": "2026-01-01T00:00:00Z", "by": "me"},
        "parked": {"object": "urn:ngsi-ld:P:1"},
        "json": {"a": 1},
        "tickets": {"json": {"type": "raw", "speed": 3}},
        "route": {"objectList": ["urn:ngsi-ld:R:1", {"object": "urn:ngsi-ld:R:2"}]},
        "both": [{"value": 1, "datasetId": "@none"}, {"value": 2, "datasetId": "urn:x:gps"}],
    }
    del concise["json"]
    assert (await ngsi.post(BASE, json=concise)).status_code == 201
    got = (await ngsi.get(f"{BASE}/{concise['id']}")).json()
    kinds = {name: a["type"] for name, a in got.items() if isinstance(a, dict)}
    assert kinds == {
        "speed": "Property",
        "location": "GeoProperty",
        "area": "GeoProperty",
        "brand": "Property",
        "parked": "Relationship",
        "tickets": "JsonProperty",
        "route": "ListRelationship",
    }
    assert got["brand"]["by"] == {"type": "Property", "value": "me"}
    assert got["route"]["objectList"][0] == {"object": "urn:ngsi-ld:R:1"}
    assert got["both"] == [
        {"type": "Property", "value": 1},
        {"type": "Property", "value": 2, "datasetId": "urn:x:gps"},
    ]
    simple = {
        "id": "urn:ngsi-ld:Vehicle:3",
        "type": "Vehicle",
        "speed": 55,
        "location": point,
        "address": {"type": "PostalAddress", "street": "x"},
        "name": {"languageMap": {"en": "a"}},
        "kind": {"vocab": "monument"},
        "raw": {"json": {"a": 1}},
        "both": {"dataset": {"@none": 1, "urn:x:gps": 2}},
    }
    for params in ({"options": "keyValues"}, {"format": "simplified"}):
        made = await ngsi.post(BASE, json=simple, params=params)
        assert made.status_code == 201, made.text
        kept = (await ngsi.get(f"{BASE}/{simple['id']}")).json()
        assert kept["address"] == {"type": "Property", "value": simple["address"]}
        assert kept["location"]["type"] == "GeoProperty"
        assert kept["kind"] == {"type": "VocabProperty", "vocab": "monument"}
        assert len(kept["both"]) == 2
        assert (await ngsi.delete(f"{BASE}/{simple['id']}")).status_code == 204


@pytest.mark.parametrize(
    "attribute",
    [
        {"type": "Property"},
        {"type": "Property", "value": None},
        {"type": "Relationship"},
        {"type": "Relationship", "object": "x y"},
        {"type": "LanguageProperty"},
        {"type": "Nonsense", "value": 1},
        {"value": 1, "object": "urn:x:1"},
        {"observedAt": "2026-01-01T00:00:00Z"},
    ],
)
async def test_an_attribute_has_a_type_and_what_the_type_holds(
    ngsi: Client, attribute: dict[str, Any]
) -> None:
    await refused(ngsi, {"probe": attribute})


async def test_members_that_a_type_does_not_have_are_refused(ngsi: Client) -> None:
    prop, to = {"type": "Property", "value": 1}, {"type": "Relationship", "object": "urn:x:1"}
    text = {"type": "LanguageProperty", "languageMap": {"en": "x"}}
    raw = {"type": "JsonProperty", "json": {"a": 1}}
    for attribute, more in (
        (prop, {"object": "urn:x:1"}),
        (prop, {"languageMap": {"en": "x"}}),
        (prop, {"valueList": [1]}),
        (prop, {"previousValue": 0}),
        (prop, {"entityIdSealed": "urn:x:1"}),
        (prop, {"@context": {"speed": "https://evil.example/speed"}}),
        (to, {"unitCode": "MTR"}),
        (to, {"value": 1}),
        (to, {"languageMap": {"en": "x"}}),
        (to, {"previousObject": "urn:x:0"}),
        (text, {"valueType": "xsd:string"}),
        (raw, {"unitCode": "MTR"}),
        (raw, {"value": 1}),
        ({"type": "ListProperty", "valueList": [1]}, {"value": 3}),
        (prop, {"datasetId": "not a uri"}),
        (prop, {"datasetId": NULL}),
        (prop, {"unitCode": 5}),
    ):
        await refused(ngsi, {"probe": {**attribute, **more}})
    for attribute in (
        {"type": "JsonProperty", "json": 5},
        {"type": "ListRelationship", "objectList": ["not a uri"]},
        {"type": "ListProperty", "valueList": 1},
        {"type": "VocabProperty", "vocab": 1},
        {"type": "LanguageProperty", "languageMap": {"en": 5}},
        {"type": "LanguageProperty", "languageMap": {"en": ["a", 5]}},
        {"type": "LanguageProperty", "languageMap": {"": "x"}},
    ):
        await refused(ngsi, {"probe": attribute})
    fine = {
        "id": "urn:ngsi-ld:Building:fine",
        "type": "Building",
        "a": {**prop, "valueType": "xsd:double"},
        "b": {**to, "objectType": ["A", "B"]},
        "c": {**text, "valueType": "langString"},
    }
    assert (await ngsi.post(BASE, json=fine)).status_code == 201
    assert (await ngsi.get(f"{BASE}/{fine['id']}")).json() == fine


async def test_the_ngsi_ld_null_creates_nothing(ngsi: Client) -> None:
    for attrs in (
        {"probe": NULL},
        {"probe": {"type": "Property", "value": NULL}},
        {"probe": {"type": "Relationship", "object": NULL}},
        {"probe": {"type": "Property", "value": 1, "sub": {"type": "Property", "value": NULL}}},
        {"probe": {"type": "Property", "value": {"a": {"b": NULL}}}},
        {"probe": {"type": "Property", "value": [NULL]}},
        {"probe": {"type": "LanguageProperty", "languageMap": {"@none": NULL}}},
        {"probe": {"type": "ListProperty", "valueList": [NULL]}},
        {"scope": NULL},
        {"expiresAt": NULL},
    ):
        await refused(ngsi, attrs)
    gone = await ngsi.post(BASE, json={"id": NULL, "type": "T"})
    assert gone.status_code == 400


async def test_instants_are_utc_and_plain(ngsi: Client) -> None:
    for said in (
        "yesterday",
        "2026-08-10T12:00:00+02:00",
        "2026-08-10",
        "2026-08-10T12:00:00",
        {"type": "Property", "value": "2026-08-10T12:00:00Z"},
        5,
    ):
        await refused(ngsi, {"probe": {"type": "Property", "value": 1, "observedAt": said}})
        await refused(ngsi, {"expiresAt": said})


async def test_names_ids_and_types(ngsi: Client) -> None:
    for name in ("my attr", "9lives", "a.b", "a\u200bb", "datasetId", "instanceId", "observedAt"):
        await refused(ngsi, {name: {"type": "Property", "value": 1}})
    for type_ in ("9Vehicle", "type", "@id", "a b", [], ["A", 1], None, 5, NULL):
        await refused(ngsi, {}, type_)
    for (
        odd
    ) in "\u202e\u200b\ufeff\u2028\u00a0<\ufe0f\U000e0100\ufdd0\ufffe\u115f\u3164\uffa0\u2800":
        answer = await ngsi.post(BASE, json={"id": f"urn:x:A{odd}B", "type": "T"})
        assert answer.status_code == 400, hex(ord(odd))
    thai = {"id": "urn:ngsi-ld:อาคาร:ที่๑", "type": "โรงเรียน", "ความสูง_1": 7}
    assert (await ngsi.post(BASE, json=thai)).status_code == 201
    keywords = {"@id": "urn:x:kw", "@type": "T", "a": 1}
    assert (await ngsi.post(BASE, json=keywords)).status_code == 201
    assert {"id", "type"} <= (await ngsi.get(f"{BASE}/urn:x:kw")).json().keys()


async def test_scopes_are_words_behind_slashes(ngsi: Client) -> None:
    for said in ("9bad", "/a//b", "a-b", NULL, ["/ok", "9bad"], "/", ""):
        await refused(ngsi, {"scope": said})
    for n, said in enumerate(("/Madrid/Gardens/ParqueNorte", ["/a", "/b_1"], "กรุงเทพ/บางรัก")):
        body = {"id": f"urn:x:scope{n}", "type": "T", "scope": said}
        assert (await ngsi.post(BASE, json=body)).status_code == 201
    got = (await ngsi.get(f"{BASE}/urn:x:scope2")).json()
    assert got["scope"] == "/กรุงเทพ/บางรัก"


async def test_places_are_geometries(ngsi: Client) -> None:
    text = '{"type": "Point", "coordinates": [17.1, 48.7]}'
    body = {"id": "urn:x:geo", "type": "T", "location": {"type": "GeoProperty", "value": text}}
    assert (await ngsi.post(BASE, json=body)).status_code == 201
    got = (await ngsi.get(f"{BASE}/urn:x:geo")).json()
    assert got["location"]["value"] == {"type": "Point", "coordinates": [17.1, 48.7]}
    collection = {
        "type": "GeometryCollection",
        "geometries": [{"type": "Point", "coordinates": [1, 2]}],
    }
    for attribute in (
        {"type": "GeoProperty", "value": "not a geometry"},
        {"type": "GeoProperty", "value": collection},
        {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [999, 1]}},
        {"type": "Property", "value": 7},
        collection,
    ):
        await refused(ngsi, {"location": attribute})


async def test_an_attribute_has_one_default_instance(ngsi: Client) -> None:
    one = {"type": "Property", "value": 1}
    await refused(ngsi, {"speed": [one, {**one, "datasetId": "@none"}]})
    await refused(ngsi, {"speed": [{**one, "datasetId": "urn:x:a"}] * 2})


async def test_a_proof_is_kept_as_it_is(ngsi: Client) -> None:
    proof = {
        "type": "Property",
        "entityIdSealed": "urn:x:proof",
        "entityTypeSealed": "Vehicle",
        "value": {"type": "DataIntegrityProof", "proofValue": "zQeV"},
    }
    body = {"id": "urn:x:proof", "type": "Vehicle", "ngsildproof": proof}
    assert (await ngsi.post(BASE, json=body)).status_code == 201
    assert (await ngsi.get(f"{BASE}/urn:x:proof")).json()["ngsildproof"] == proof
    await refused(ngsi, {"ngsildproof": {"type": "Property", "value": "no object"}})
    await refused(ngsi, {"ngsildproof": {**proof, "entityTypeSealed": 42}})


async def test_what_is_no_entity_says_which_error(ngsi: Client) -> None:
    for content, kind in (
        ('{"id": "urn:x:1", "type":', "InvalidRequest"),
        ("", "InvalidRequest"),
        ("{}", "InvalidRequest"),
        ('{"id": "urn:x:1", "type": "T"}', "BadRequestData"),  # without @context
    ):
        answer = await ngsi.post(BASE, content=content, headers=_LD)
        assert (answer.status_code, answer.json()["type"].rsplit("/")[-1]) == (400, kind), content
    body = {"id": "urn:x:twice", "type": "T"}
    assert (await ngsi.post(f"{BASE}/", json=body)).status_code == 201
    twice = await ngsi.post(BASE, json=body)
    assert (twice.status_code, twice.json()["type"].rsplit("/")[-1]) == (409, "AlreadyExists")
    for method, path in (("PUT", "/"), ("PATCH", "/"), ("PATCH", "//attrs/"), ("POST", "//attrs/")):
        answer = await ngsi.request(method, BASE + path, json={"a": 1})
        assert answer.status_code == 400, (method, path, answer.text)
    for method in ("PATCH", "PUT", "DELETE"):
        answer = await ngsi.request(method, f"{BASE}//attrs/speed", json={"value": 1})
        assert answer.status_code == 400, (method, answer.text)
    assert (await ngsi.delete(f"{BASE}/urn:x:twice/attrs/")).status_code == 405


@pytest.mark.parametrize(
    "entity_id",
    ["http://example.org/things/1", "urn:x:a/b%c", "urn:ngsi-ld:อาคาร:1", "urn:x:100%25"],
)
async def test_ids_are_percent_encoded_in_addresses(ngsi: Client, entity_id: str) -> None:
    made = await ngsi.post(BASE, json={"id": entity_id, "type": "T", "a": 1})
    assert made.status_code == 201, made.text
    place = made.headers["location"]
    assert place.isascii()
    for address in {place, f"{BASE}/{quote(entity_id, safe='')}"}:
        assert (await ngsi.get(address)).json()["id"] == entity_id
        assert (await ngsi.patch(f"{address}/attrs/a", json={"value": 2})).status_code == 204
        assert (await ngsi.post(f"{address}/attrs/", json={"b": 2})).status_code == 204
    assert (await ngsi.delete(place)).status_code == 204


async def test_what_has_expired_is_not_there(ngsi: Client) -> None:
    past = {"id": "urn:x:past", "type": "T", "expiresAt": "2020-01-01T00:00:00Z", "a": 1}
    assert (await ngsi.post(BASE, json=past)).status_code == 201
    assert (await ngsi.get(f"{BASE}/urn:x:past")).status_code == 404
    assert (await ngsi.patch(f"{BASE}/urn:x:past", json={"a": 2})).status_code == 404
    again = await ngsi.post(BASE, json={"id": "urn:x:past", "type": "T", "b": 1})
    assert again.status_code == 201, again.text
    assert set((await ngsi.get(f"{BASE}/urn:x:past")).json()) == {"id", "type", "b"}
