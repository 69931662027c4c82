"""ETSI GS CIM 009 V1.9.1 clauses 4.5, 4.15, 4.21, 5.7.1 and 6.3: how entities are told."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

Client = httpx.AsyncClient
BASE = "/ngsi-ld/v1/entities"
ERRORS = "https://uri.etsi.org/ngsi-ld/errors/"
GEO = {"accept": "application/geo+json"}
CAR = "urn:ngsi-ld:Vehicle:1"


async def _make(ngsi: Client, *bodies: dict[str, Any]) -> None:
    for body in bodies:
        made = await ngsi.post(BASE, json=body)
        assert made.status_code == 201, made.text


def _rel(target: Any) -> dict[str, Any]:
    return {"type": "Relationship", "object": target}


def _prop(value: Any) -> dict[str, Any]:
    return {"type": "Property", "value": value}


BUILDING = {"id": "urn:x:Building:1", "type": "Building", "locatedAt": _rel("urn:x:City:Paris")}
PARIS = {
    "id": "urn:x:City:Paris",
    "type": "City",
    "name": _prop("Paris"),
    "description": _prop("on the Seine"),
    "isInCountry": _rel("urn:x:Country:France"),
}
FRANCE = {
    "id": "urn:x:Country:France",
    "type": "Country",
    "name": _prop("France"),
    "description": _prop("a republic"),
    "capital": _rel("urn:x:City:Paris"),
}


async def _get(ngsi: Client, entity_id: str, status: int = 200, **params: str) -> Any:
    got = await ngsi.get(f"{BASE}/{entity_id}", params=params)
    assert got.status_code == status, got.text
    return got.json()


async def test_linked_entities_come_inline(ngsi: Client) -> None:
    await _make(ngsi, BUILDING, PARIS, FRANCE)
    one = await _get(ngsi, BUILDING["id"], join="inline")
    assert one["locatedAt"] == {**_rel(PARIS["id"]), "entity": PARIS}
    two = await _get(ngsi, BUILDING["id"], join="inline", joinLevel="2")
    inner = {**PARIS, "isInCountry": {**_rel(FRANCE["id"]), "entity": FRANCE}}
    assert two["locatedAt"]["entity"] == inner
    deep = await _get(ngsi, BUILDING["id"], join="inline", joinLevel="9")
    country = deep["locatedAt"]["entity"]["isInCountry"]["entity"]
    assert "entity" not in country["capital"]  # Paris is around it already
    plain = await _get(ngsi, BUILDING["id"], join="inline", joinLevel="2", options="keyValues")
    assert plain["locatedAt"]["isInCountry"]["name"] == "France"
    timed = await _get(ngsi, BUILDING["id"], join="inline", options="sysAttrs")
    assert "createdAt" in timed["locatedAt"]["entity"]
    held = await _get(ngsi, BUILDING["id"], join="inline", containedBy=PARIS["id"])
    assert held == BUILDING
    assert await _get(ngsi, BUILDING["id"], join="@none") == BUILDING


async def test_linked_entities_come_flat(ngsi: Client) -> None:
    await _make(ngsi, BUILDING, PARIS, FRANCE)
    assert await _get(ngsi, BUILDING["id"], join="flat", joinLevel="2") == [BUILDING, PARIS, FRANCE]
    second = {**BUILDING, "id": "urn:x:Building:2"}
    await _make(ngsi, second)
    got = await ngsi.get(BASE, params={"type": "Building", "join": "flat"})
    assert got.json() == [BUILDING, second, PARIS]
    alone = {"id": "urn:x:Building:3", "type": "Building", "locatedAt": _rel("urn:x:City:none")}
    await _make(ngsi, alone)
    assert await _get(ngsi, alone["id"], join="flat") == alone
    assert await _get(ngsi, alone["id"], join="inline") == alone


async def test_projections_reach_linked_entities(ngsi: Client) -> None:
    await _make(ngsi, BUILDING, PARIS, FRANCE)
    pick = {"join": "inline", "joinLevel": "2", "pick": "id,locatedAt{id,name}"}
    shown = {"id": PARIS["id"], "name": PARIS["name"]}
    assert await _get(ngsi, BUILDING["id"], **pick) == {
        "id": BUILDING["id"],
        "locatedAt": {**_rel(PARIS["id"]), "entity": shown},
    }
    assert await _get(ngsi, BUILDING["id"], **{**pick, "join": "flat"}) == [
        {"id": BUILDING["id"], "locatedAt": _rel(PARIS["id"])},
        shown,
    ]
    omit = {
        "join": "flat", "joinLevel": "2",
        "omit": "type,locatedAt{name,isInCountry{description,capital}}",
    }  # fmt: skip
    assert await _get(ngsi, BUILDING["id"], **omit) == [
        {"id": BUILDING["id"], "locatedAt": BUILDING["locatedAt"]},
        {k: v for k, v in PARIS.items() if k != "name"},
        {k: v for k, v in FRANCE.items() if k not in ("description", "capital")},
    ]
    for params in [
        {"pick": "locatedAt{isInCountry{name}}", "join": "inline", "joinLevel": "1"},
        {"omit": "locatedAt{isInCountry{name}}", "join": "inline", "joinLevel": "1"},
        {"pick": "locatedAt{name}"},
        {"pick": "a{a{a{a{a{a{a{a{a{a{a{n}}}}}}}}}}}", "join": "inline", "joinLevel": "10"},
    ]:
        refused = await _get(ngsi, BUILDING["id"], 400, **params)
        assert refused["type"].endswith("BadRequestData")


async def test_relationships_to_several(ngsi: Client) -> None:
    other = {"id": "urn:x:City:Rome", "type": "City"}
    many = {
        "id": "urn:x:R:1",
        "type": "Route",
        "via": {"type": "Relationship", "object": [PARIS["id"], other["id"]]},
        "stops": {"type": "ListRelationship", "objectList": [other["id"], "urn:x:none"]},
    }
    await _make(ngsi, PARIS, other, many)
    got = await _get(ngsi, "urn:x:R:1", join="inline")
    assert got["via"]["entity"] == [PARIS, other]
    assert got["stops"]["entityList"] == [other]


async def test_pick_and_omit(ngsi: Client) -> None:
    await _make(ngsi, PARIS, {"id": "urn:x:V:1", "type": "City", "speed": _prop(1)})
    both = {"type": "City"}

    async def ask(**params: str) -> Any:
        return (await ngsi.get(BASE, params={**both, **params})).json()

    name = {"name": _prop("Paris")}
    assert await ask(pick="name") == [name]  # what has nothing of it is not told
    assert await ask(pick="id") == [{"id": PARIS["id"]}, {"id": "urn:x:V:1"}]
    assert await ask(pick="id,name") == [{"id": PARIS["id"], **name}, {"id": "urn:x:V:1"}]
    assert await ask(pick="id|name") == await ask(pick="id,name")
    assert [sorted(e) for e in await ask(omit="type,name")] == [
        ["description", "id", "isInCountry"], ["id", "speed"],
    ]  # fmt: skip
    for params in [
        {"pick": "name", "omit": "name"}, {"pick": "name", "attrs": "speed"},
        {"omit": "name", "attrs": "speed"}, {"pick": "id;name"}, {"pick": "id,locatedAt{name"},
        {"pick": "id,locatedAt{{name}"}, {"pick": "id,,name"}, {"pick": "id,locatedAt{,name}"},
        {"pick": "id,locatedAt{}"}, {"pick": "name||speed"}, {"pick": "a}"},
    ]:  # fmt: skip
        for path in (BASE, f"{BASE}/{PARIS['id']}"):
            got = await ngsi.get(path, params={**both, **params})
            assert got.status_code == 400, (path, params)


async def test_an_entity_of_which_nothing_is_left_is_not_found(ngsi: Client) -> None:
    """TP 018_19_02."""
    await _make(ngsi, {"id": "urn:x:V:1", "type": "V", "speed": _prop(1)})
    assert await _get(ngsi, "urn:x:V:1", omit="type,speed") == {"id": "urn:x:V:1"}
    gone = await _get(ngsi, "urn:x:V:1", 404, omit="id,type,speed")
    assert gone["type"] == ERRORS + "ResourceNotFound"


@pytest.mark.parametrize("params", [{"options": "keyvals"}, {"format": "short"}])
async def test_an_option_that_is_none(ngsi: Client, params: dict[str, str]) -> None:
    """TP 018_16; clause 6.3.7."""
    await _make(ngsi, {"id": "urn:x:V:1", "type": "V", "speed": _prop(1)})
    told = await _get(ngsi, "urn:x:V:1", 400, **params)
    assert told["type"] == ERRORS + "InvalidRequest"


async def test_languages(ngsi: Client) -> None:
    street = {"type": "LanguageProperty", "languageMap": {"fr": "Grand Place", "nl": "Grote Markt"}}
    square = {"type": "LanguageProperty", "languageMap": {"de": "Platz", "en-US": "Square"}}
    await _make(ngsi, {"id": "urn:x:1", "type": "B", "street": street, "square": square})
    for lang, name, tag in [
        ("fr", "street", "fr"), ("FR", "street", "fr"), ("fr-CH,fr", "street", "fr"),
        ("nl-BE", "street", "nl"), ("fr;q=0.2,nl;q=0.9", "street", "nl"), ("*", "street", "fr"),
        ("fr-CH,fr;q=0.9,en;q=0.8,*;q=0.5", "street", "fr"), ("en", "square", "en-US"),
        ("pt", "street", "fr"),
    ]:  # fmt: skip
        got = (await _get(ngsi, "urn:x:1", lang=lang))[name]
        texts = (street if name == "street" else square)["languageMap"]
        assert got == {"type": "Property", "value": texts[tag], "lang": tag}, lang
    assert (await _get(ngsi, "urn:x:1", lang="fr", options="keyValues"))["street"] == "Grand Place"


async def test_the_simplified_form_of_each_kind(ngsi: Client) -> None:
    body = {
        "id": CAR,
        "type": "Vehicle",
        "speed": [_prop(55), {**_prop(11), "datasetId": "urn:x:gps"}],
        "brand": {"type": "LanguageProperty", "languageMap": {"en": "hi"}},
        "street": {"type": "JsonProperty", "json": {"a": 1}},
        "category": {"type": "VocabProperty", "vocab": "private"},
        "depths": {"type": "ListProperty", "valueList": [1.2, 3.4]},
        "isParked": _rel("urn:x:P:1"),
        "route": {"type": "ListRelationship", "objectList": ["urn:x:R:1", "urn:x:R:2"]},
    }
    await _make(ngsi, body)
    plain = {
        "id": CAR,
        "type": "Vehicle",
        "speed": {"dataset": {"@none": 55, "urn:x:gps": 11}},
        "brand": {"languageMap": {"en": "hi"}},
        "street": {"json": {"a": 1}},
        "category": {"vocab": "private"},
        "depths": [1.2, 3.4],
        "isParked": "urn:x:P:1",
        "route": ["urn:x:R:1", "urn:x:R:2"],
    }
    for params in [{"options": "keyValues"}, {"format": "simplified"},
                   {"format": "keyValues", "options": "normalized"}]:  # fmt: skip
        assert await _get(ngsi, CAR, **params) == plain
    assert (await _get(ngsi, CAR, datasetId="urn:x:gps"))["speed"]["value"] == 11
    assert (await _get(ngsi, CAR, datasetId="@none"))["speed"] == _prop(55)
    got = await ngsi.get(BASE, params={"type": "Vehicle", "attrs": "brand", "datasetId": "urn:x:q"})
    assert got.json() == [{"id": CAR, "type": "Vehicle"}]


async def test_geojson(ngsi: Client) -> None:
    def point(lon: float, lat: float) -> dict[str, Any]:
        return {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [lon, lat]}}

    location = [{**point(9, 9), "datasetId": "urn:x:gps"}, point(1, 2)]
    body = {"id": CAR, "type": "Vehicle", "location": location, "space": point(3, 4), "speed": 5}
    await _make(ngsi, body)

    async def feature(**params: str) -> Any:
        got = await ngsi.get(f"{BASE}/{CAR}", params=params, headers=GEO)
        assert got.status_code == 200, got.text
        assert got.headers["content-type"].startswith("application/geo+json")
        return got.json()

    made = await feature()
    assert (made["type"], made["id"]) == ("Feature", CAR)
    assert made["geometry"] == {"type": "Point", "coordinates": [1, 2]}
    assert made["properties"]["type"] == "Vehicle"
    assert "id" not in made["properties"]
    assert "@context" in made
    assert (await feature(geometryProperty="space"))["geometry"]["coordinates"] == [3, 4]
    assert (await feature(geometryProperty="speed"))["geometry"] is None
    assert (await feature(geometryProperty="none"))["geometry"] is None
    simple = (await feature(options="keyValues"))["properties"]
    assert simple["speed"] == 5
    assert set(simple["location"]["dataset"]) == {"@none", "urn:x:gps"}
    got = await ngsi.get(BASE, params={"type": "Vehicle"}, headers=GEO)
    assert got.json()["type"] == "FeatureCollection"
    assert "@context" in got.json()
    assert "@context" not in got.json()["features"][0]
    plain = await ngsi.get(BASE, params={"type": "Vehicle"}, headers={**GEO, "prefer": "body=json"})
    assert "@context" not in plain.json()
    assert "link" in plain.headers


async def test_retrieving_looks_at_type_and_attributes(ngsi: Client) -> None:
    await _make(ngsi, PARIS)
    assert await _get(ngsi, PARIS["id"], type="City") == PARIS
    assert await _get(ngsi, PARIS["id"], type="Village|City") == PARIS
    for params in ({"type": "Village"}, {"type": "City;Village"}, {"attrs": "none"}):
        missing = await _get(ngsi, PARIS["id"], 404, **params)
        assert missing["type"].endswith("ResourceNotFound")
    shown = await _get(ngsi, PARIS["id"], attrs="name,none")
    assert shown == {"id": PARIS["id"], "type": "City", "name": PARIS["name"]}
    await _get(ngsi, PARIS["id"], 400, geometryProperty="location")


async def test_what_expires_is_told_with_the_times_alone(ngsi: Client) -> None:
    body = {"id": CAR, "type": "Vehicle", "expiresAt": "2100-01-01T00:00:00Z", "speed": _prop(1)}
    await _make(ngsi, body)
    assert "expiresAt" not in await _get(ngsi, CAR)
    listed = await ngsi.get(BASE, params={"type": "Vehicle"})
    assert "expiresAt" not in listed.text
    assert (await _get(ngsi, CAR, options="sysAttrs"))["expiresAt"] == "2100-01-01T00:00:00Z"


async def test_an_earlier_version_is_preferred(ngsi: Client) -> None:
    body = {"id": CAR, "type": "Vehicle", "category": {"type": "VocabProperty", "vocab": "private"}}
    await _make(ngsi, body)
    old = await ngsi.get(f"{BASE}/{CAR}", headers={"prefer": "ngsi-ld=1.5"})
    assert old.status_code == 203
    assert old.headers["preference-applied"] == "ngsi-ld=1.5"
    assert old.json()["category"] == _prop("private")
    now = await ngsi.get(f"{BASE}/{CAR}", headers={"prefer": "ngsi-ld=1.9"})
    assert (now.status_code, now.headers["preference-applied"]) == (200, "ngsi-ld=1.9")
    assert now.json() == body


async def test_the_short_and_the_long_way_say_the_same(ngsi: Client) -> None:
    """A plain query takes what lies in the store; with a view it is built. Both are one answer."""
    await _make(ngsi, PARIS, {**FRANCE, "scope": ["/a", "/b"], "type": ["Country", "State"]})
    for types in ("City", "City,Country"):
        short = await ngsi.get(BASE, params={"type": types})
        long = await ngsi.get(BASE, params={"type": types, "format": "normalized", "omit": "none"})
        assert short.json() == long.json()
        assert [e["id"] for e in short.json()] == [PARIS["id"], FRANCE["id"]][: len(short.json())]
