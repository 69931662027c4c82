"""ETSI GS CIM 009 V1.9.1 clauses 6.4 to 6.7: entities and attributes."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

Client = httpx.AsyncClient
BASE = "/ngsi-ld/v1/entities"
CORE = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.9.jsonld"
VEHICLE: dict[str, Any] = {
    "id": "urn:ngsi-ld:Vehicle:A4567",
    "type": "Vehicle",
    "brandName": {"type": "Property", "value": "Mercedes"},
    "speed": {
        "type": "Property",
        "value": 55,
        "unitCode": "KMH",
        "observedAt": "2025-05-22T05:00:00Z",
        "source": {"type": "Property", "value": "Speedometer"},
    },
    "isParked": {"type": "Relationship", "object": "urn:ngsi-ld:OffStreetParking:Downtown1"},
    "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [100.5, 13.7]}},
}


async def test_an_entity_comes_back_as_it_was_sent(ngsi: Client) -> None:
    made = await ngsi.post(BASE, json=VEHICLE)
    assert made.status_code == 201, made.text
    assert made.headers["location"] == f"{BASE}/{VEHICLE['id']}"
    got = await ngsi.get(made.headers["location"])
    assert got.status_code == 200
    assert got.json() == VEHICLE
    assert 'rel="http://www.w3.org/ns/json-ld#context"' in got.headers["link"]
    plain = await ngsi.get(f"{BASE}/{VEHICLE['id']}", params={"options": "keyValues"})
    assert plain.json()["speed"] == 55
    assert plain.json()["isParked"] == "urn:ngsi-ld:OffStreetParking:Downtown1"
    concise = await ngsi.get(f"{BASE}/{VEHICLE['id']}", params={"options": "concise"})
    assert concise.json()["brandName"] == "Mercedes"
    assert concise.json()["speed"]["source"] == "Speedometer"
    times = await ngsi.get(f"{BASE}/{VEHICLE['id']}", params={"options": "sysAttrs"})
    assert {"createdAt", "modifiedAt"} <= times.json()["speed"].keys() & times.json().keys()


async def test_what_was_concise_is_stored_normalised(ngsi: Client) -> None:
    body = {
        "id": "urn:x:1",
        "type": "T",
        "a": 5,
        "b": {"value": 6, "unitCode": "CEL"},
        "c": {"object": "urn:x:2"},
        "d": {"languageMap": {"th": "ก", "en": "a"}},
        "e": {"type": "Point", "coordinates": [1, 2]},
    }
    assert (await ngsi.post(BASE, json=body)).status_code == 201
    got = (await ngsi.get(f"{BASE}/urn:x:1")).json()
    kinds = {name: got[name]["type"] for name in "abcde"}
    assert kinds == {
        "a": "Property",
        "b": "Property",
        "c": "Relationship",
        "d": "LanguageProperty",
        "e": "GeoProperty",
    }
    said = (await ngsi.get(f"{BASE}/urn:x:1", params={"lang": "en"})).json()
    assert said["d"] == {"type": "Property", "value": "a", "lang": "en"}


async def test_words_mean_what_their_context_says(ngsi: Client) -> None:
    context = [
        {"schema": "https://schema.org/", "brand": "schema:brand", "Car": "schema:Car"},
        CORE,
    ]
    body = {"@context": context, "id": "urn:x:car", "type": "Car", "brand": {"value": "M"}}
    headers = {"content-type": "application/ld+json"}
    made = await ngsi.post(BASE, content=json.dumps(body), headers=headers)
    assert made.status_code == 201, made.text
    bare = (await ngsi.get(f"{BASE}/urn:x:car")).json()
    assert bare["type"] == "https://schema.org/Car"
    assert "https://schema.org/brand" in bare
    assert (await ngsi.get(BASE, params={"type": "Car"})).json() == []
    found = await ngsi.get(BASE, params={"type": "https://schema.org/Car"})
    assert len(found.json()) == 1


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({"type": "T"}, 400, "BadRequestData"),
        ({"id": "no-uri", "type": "T"}, 400, "BadRequestData"),
        ({"id": "urn:x:1"}, 400, "BadRequestData"),
        ({"id": "urn:x:1", "type": "T", "a": {"type": "Property"}}, 400, "BadRequestData"),
        (
            {"id": "urn:x:1", "type": "T", "a": {"type": "Nonsense", "value": 1}},
            400,
            "BadRequestData",
        ),
        (
            {"id": "urn:x:1", "type": "T", "a": {"type": "Relationship", "object": "x y"}},
            400,
            "BadRequestData",
        ),
        (
            {"id": "urn:x:1", "type": "T", "a": {"value": 1, "observedAt": "yesterday"}},
            400,
            "BadRequestData",
        ),
        (
            {
                "id": "urn:x:1",
                "type": "T",
                "location": {
                    "type": "GeoProperty",
                    "value": {"type": "Point", "coordinates": [999, 1]},
                },
            },
            400,
            "BadRequestData",
        ),
        ([], 400, "BadRequestData"),
    ],
)
async def test_what_is_no_entity_is_refused_in_words(
    ngsi: Client, body: Any, status: int, kind: str
) -> None:
    answer = await ngsi.post(BASE, json=body, headers={"accept-language": "th"})
    assert answer.status_code == status, answer.text
    said = answer.json()
    assert said["type"].endswith(kind)
    assert said["detail"]
    assert any("฀" <= c <= "๿" for c in said["hint"])


async def test_errors_have_the_standards_types(ngsi: Client) -> None:
    assert (await ngsi.post(BASE, json=VEHICLE)).status_code == 201
    twice = await ngsi.post(BASE, json=VEHICLE)
    assert (twice.status_code, twice.json()["type"].rsplit("/")[-1]) == (409, "AlreadyExists")
    absent = await ngsi.get(f"{BASE}/urn:x:absent")
    assert (absent.status_code, absent.json()["type"].rsplit("/")[-1]) == (404, "ResourceNotFound")
    broken = await ngsi.post(BASE, content="{", headers={"content-type": "application/json"})
    assert (broken.status_code, broken.json()["type"].rsplit("/")[-1]) == (400, "InvalidRequest")
    text = await ngsi.post(BASE, content="x", headers={"content-type": "text/plain"})
    assert text.status_code == 415
    html = await ngsi.get(f"{BASE}/{VEHICLE['id']}", headers={"accept": "text/html"})
    assert html.status_code == 406
    everything = await ngsi.get(BASE)
    assert everything.status_code == 400


async def test_attributes_are_appended_updated_merged_replaced_and_deleted(ngsi: Client) -> None:
    await ngsi.post(BASE, json=VEHICLE)
    one = f"{BASE}/{VEHICLE['id']}"
    appended = await ngsi.post(f"{one}/attrs", json={"color": {"type": "Property", "value": "red"}})
    assert appended.status_code == 204, appended.text
    kept = await ngsi.post(
        f"{one}/attrs",
        json={"color": {"value": "blue"}, "doors": 4},
        params={"options": "noOverwrite"},
    )
    assert kept.status_code == 207
    assert kept.json()["updated"] == ["https://uri.etsi.org/ngsi-ld/default-context/doors"]
    green = await ngsi.patch(f"{one}/attrs", json={"color": {"value": "green"}})
    assert green.status_code == 204
    assert (await ngsi.patch(f"{one}/attrs/speed", json={"value": 60})).status_code == 204
    merged = await ngsi.patch(one, json={"speed": {"value": 70}, "doors": None})
    assert merged.status_code == 204, merged.text
    assert (await ngsi.put(f"{one}/attrs/color", json={"value": "white"})).status_code == 204
    assert (await ngsi.delete(f"{one}/attrs/isParked")).status_code == 204
    assert (await ngsi.delete(f"{one}/attrs/isParked")).status_code == 404
    got = (await ngsi.get(one)).json()
    assert got["speed"]["value"] == 70
    assert got["speed"]["unitCode"] == "KMH"
    assert got["color"]["value"] == "white"
    assert not {"doors", "isParked"} & got.keys()
    replaced = await ngsi.put(one, json={"id": VEHICLE["id"], "type": "Vehicle", "a": 1})
    assert replaced.status_code == 204, replaced.text
    assert set((await ngsi.get(one)).json()) == {"id", "type", "a"}
    assert (await ngsi.delete(one)).status_code == 204
    assert (await ngsi.get(one)).status_code == 404


async def test_instances_by_dataset_live_side_by_side(ngsi: Client) -> None:
    speeds = [
        {"type": "Property", "value": 55, "datasetId": "urn:x:gps"},
        {"type": "Property", "value": 54},
    ]
    await ngsi.post(BASE, json={"id": "urn:x:1", "type": "T", "speed": speeds})
    await ngsi.post(
        f"{BASE}/urn:x:1/attrs",
        json={"speed": {"type": "Property", "value": 60, "datasetId": "urn:x:gps"}},
    )
    got = (await ngsi.get(f"{BASE}/urn:x:1")).json()["speed"]
    assert {i.get("datasetId"): i["value"] for i in got} == {"urn:x:gps": 60, None: 54}
    gone = await ngsi.delete(f"{BASE}/urn:x:1/attrs/speed", params={"datasetId": "urn:x:gps"})
    assert gone.status_code == 204
    assert (await ngsi.get(f"{BASE}/urn:x:1")).json()["speed"]["value"] == 54


async def test_queries_count_page_and_shape(ngsi: Client) -> None:
    for i in range(5):
        body = {"id": f"urn:x:{i}", "type": "T", "n": i, "location": VEHICLE["location"]}
        await ngsi.post(BASE, json=body)
    page = await ngsi.get(BASE, params={"type": "T", "limit": 2, "count": "true"})
    assert [e["id"] for e in page.json()] == ["urn:x:0", "urn:x:1"]
    assert page.headers["ngsild-results-count"] == "5"
    rest = await ngsi.get(BASE, params={"type": "T", "limit": 2, "offset": 4})
    assert [e["id"] for e in rest.json()] == ["urn:x:4"]
    none = await ngsi.get(BASE, params={"type": "T", "limit": 0, "count": "true"})
    assert (none.status_code, none.json(), none.headers["ngsild-results-count"]) == (200, [], "5")
    some = await ngsi.get(BASE, params={"type": "T", "q": "n>=3", "attrs": "n"})
    assert [e["n"]["value"] for e in some.json()] == [3, 4]
    assert "location" not in some.json()[0]
    near = await ngsi.get(
        BASE,
        params={
            "type": "T",
            "georel": "near;maxDistance==10",
            "geometry": "Point",
            "coordinates": "[100.5,13.7]",
        },
    )
    assert len(near.json()) == 5
    geo = await ngsi.get(BASE, params={"type": "T"}, headers={"accept": "application/geo+json"})
    assert geo.json()["features"][0]["geometry"]["type"] == "Point"
    bad = await ngsi.get(BASE, params={"type": "T", "q": "n>"})
    assert bad.status_code == 400


async def test_tenants_are_apart(ngsi: Client) -> None:
    headers = {"NGSILD-Tenant": "other"}
    assert (await ngsi.post(BASE, json=VEHICLE, headers=headers)).status_code == 201
    assert (await ngsi.get(f"{BASE}/{VEHICLE['id']}")).status_code == 404
    got = await ngsi.get(f"{BASE}/{VEHICLE['id']}", headers=headers)
    assert (got.status_code, got.headers["ngsild-tenant"]) == (200, "other")


async def test_an_idempotency_key_heard_twice_changes_nothing(ngsi: Client) -> None:
    headers = {"Idempotency-Key": "k1"}
    first = await ngsi.post(BASE, json=VEHICLE, headers=headers)
    again = await ngsi.post(BASE, json=VEHICLE, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)


async def test_nul_is_refused_in_words_wherever_it_hides(ngsi: Client) -> None:
    plain = {"id": "urn:x:1", "type": "T", "a": {"value": "x"}}
    kind = {"content-type": "application/json"}
    for body in (
        '{"id": "urn:x:\\u0000", "type": "T"}',
        '{"id": "urn:x:1", "type": "T\\u0000"}',
        '{"id": "urn:x:1", "type": "T", "a\\u0000": 1}',
        '{"id": "urn:x:1", "type": "T", "a": "\\u0000"}',
    ):
        refused = await ngsi.post(BASE, content=body, headers=kind)
        assert refused.status_code == 400, refused.text
        assert "NUL" in refused.json()["detail"]
    for params in ({"id": "urn:x:\x00"}, {"q": 'a=="\x00"'}, {"type": "T\x00"}, {"attrs": "\x00"}):
        assert (await ngsi.get(BASE, params=params)).status_code == 400
    for address in (f"{BASE}/urn:x:%00", f"{BASE}/urn:x:%01"):
        assert (await ngsi.get(address)).status_code == 400
    said = await ngsi.post(BASE, json={**plain, "a": {"value": "the text \\u0000 in words"}})
    assert said.status_code == 201, said.text
    assert (await ngsi.get(f"{BASE}/urn:x:1/attrs/a%00")).status_code in (404, 405)
    assert (await ngsi.delete(f"{BASE}/urn:x:1/attrs/a%00")).status_code == 404


async def test_numbers_that_are_none_are_refused(ngsi: Client) -> None:
    for said in ("²", "9" * 5_000, "-1", "١"):
        answer = await ngsi.get(BASE, params={"type": "T", "limit": said})
        assert answer.status_code == 400, said
    await ngsi.post(BASE, json={"id": "urn:x:1", "type": "T"})
    odd = await ngsi.delete(f"{BASE}/urn:x:1", headers={"if-match": '"' + "9" * 5_000 + '"'})
    assert odd.status_code == 204
    assert (await ngsi.get(BASE, params={"type": "T", "q": "a<1e999"})).status_code == 400
