"""ETSI GS CIM 009 V1.9.1 clauses 5.7.5 to 5.7.11: types and attributes that there are."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx

from nagara.context import Context

Client = httpx.AsyncClient
BASE = "/ngsi-ld/v1/entities"
TYPES = "/ngsi-ld/v1/types"
ATTRIBUTES = "/ngsi-ld/v1/attributes"
IRI = "https://example.org/terms#"
DEFAULT = "https://uri.etsi.org/ngsi-ld/default-context/"


async def _city(ngsi: Client) -> None:
    for body in [
        {"id": "urn:x:1", "type": IRI + "Building", IRI + "name": "a", "location": {
            "type": "Point", "coordinates": [1, 2]}},
        {"id": "urn:x:2", "type": IRI + "Building", IRI + "name": {"languageMap": {"en": "b"}}},
        {"id": "urn:x:3", "type": "Vehicle", "isParked": {"object": "urn:x:1"}},
        {"id": "urn:x:4", "type": ["Vehicle", "Boat"], "length": 3},
    ]:  # fmt: skip
        made = await ngsi.post(BASE, json=body)
        assert made.status_code == 201, made.text


async def test_types(ngsi: Client) -> None:
    await _city(ngsi)
    got = await ngsi.get(TYPES, params={"count": "true"})
    assert got.headers["ngsild-results-count"] == "3"
    assert got.json()["typeList"] == ["Boat", "Vehicle", IRI + "Building"]
    assert got.json()["type"] == "EntityTypeList"
    assert got.json()["id"].startswith("urn:ngsi-ld:EntityTypeList:")
    assert (await ngsi.get(TYPES + "/")).json() == got.json()
    details = (await ngsi.get(TYPES, params={"details": "true"})).json()
    assert details[1] == {
        "id": DEFAULT + "Vehicle",
        "type": "EntityType",
        "typeName": "Vehicle",
        "attributeNames": ["isParked", "length"],
    }
    one = await ngsi.get(f"{TYPES}/{quote(IRI + 'Building', safe='')}")
    assert (
        one.json()
        == {
            "id": IRI + "Building",
            "type": "EntityTypeInfo",
            "typeName": IRI + "Building",
            "entityCount": 2,
            "attributeDetails": [
                {
                    "id": IRI + "name",
                    "type": "Attribute",
                    "attributeName": IRI + "name",
                    "attributeTypes": ["LanguageProperty", "Property"],
                },
                {
                    "id": "https://uri.etsi.org/ngsi-ld/location",
                    "type": "Attribute",
                    "attributeName": "location",
                    "attributeTypes": ["GeoProperty"],
                },
            ],
        }
        or one.json()["attributeDetails"][0]["attributeName"] == IRI + "name"
    )
    missing = await ngsi.get(f"{TYPES}/Nothing")
    assert missing.status_code == 404
    assert missing.json()["type"].endswith("ResourceNotFound")


async def test_attributes(ngsi: Client) -> None:
    await _city(ngsi)
    listed = (await ngsi.get(ATTRIBUTES)).json()
    assert listed["type"] == "AttributeList"
    assert listed["attributeList"] == [IRI + "name", "isParked", "length", "location"]
    details = (await ngsi.get(ATTRIBUTES, params={"details": "true"})).json()
    assert details[2] == {
        "id": DEFAULT + "length",
        "type": "Attribute",
        "attributeName": "length",
        "typeNames": ["Boat", "Vehicle"],
    }
    one = (await ngsi.get(f"{ATTRIBUTES}/{quote(IRI + 'name', safe='')}")).json()
    assert (one["attributeCount"], one["typeNames"]) == (2, [IRI + "Building"])
    assert one["attributeTypes"] == ["LanguageProperty", "Property"]
    for name in ("none", "id", "type", "scope", "createdAt", "modifiedAt", "deletedAt"):
        missing = await ngsi.get(f"{ATTRIBUTES}/{name}")
        assert missing.status_code == 404, name
        assert missing.json()["type"].endswith("ResourceNotFound")


async def test_a_parameter_that_discovery_does_not_have(ngsi: Client) -> None:
    for path in (
        f"{ATTRIBUTES}?limit=5",
        f"{ATTRIBUTES}/t?details=true",
        f"{TYPES}/B?details=true",
    ):
        got = await ngsi.get(path)
        assert got.status_code == 400
        assert got.json()["type"].endswith("InvalidRequest")


async def test_the_census_follows_every_write(ngsi: Client, context: Context) -> None:
    """Counted as it is written, it is what counting all entities would give."""
    await _city(ngsi)
    upsert = "/ngsi-ld/v1/entityOperations/upsert"
    steps: list[Any] = [
        ngsi.patch(f"{BASE}/urn:x:3/attrs", json={"isParked": {"object": "urn:x:2"}}),
        ngsi.post(f"{BASE}/urn:x:3/attrs", json={"speed": 5}),
        ngsi.delete(f"{BASE}/urn:x:3/attrs/isParked"),
        ngsi.delete(f"{BASE}/urn:x:1"),
        ngsi.post(upsert, json=[{"id": f"urn:y:{n}", "type": "Boat", "x": n} for n in range(50)]),
        ngsi.post(upsert, json=[{"id": f"urn:y:{n}", "type": "Boat", "z": n} for n in range(25)]),
        ngsi.post(BASE, json={"id": "urn:x:1", "type": "Tram", "x": {"object": "urn:x:2"}}),
    ]
    for step in steps:
        assert (await step).status_code < 300
        async with context.db.acquire() as conn:
            await conn.execute("select context.fold_census()")
            kept = await conn.fetch(
                "select types, attr, kind, n from context.census order by 1, 2, 3"
            )
            counted = await conn.fetch(
                """select coalesce(types, array[type]) as types, attr, kind, count(*) as n
                   from context.entity, lateral context.anatomy(doc)
                   where not deleted group by 1, 2, 3 order by 1, 2, 3"""
            )
        assert [tuple(row) for row in kept] == [tuple(row) for row in counted]


async def test_types_of_another_tenant_are_not_told(ngsi: Client) -> None:
    for tenant, name in (("one", "TypeOfOne"), ("two", "TypeOfTwo")):
        made = await ngsi.post(
            BASE, json={"id": "urn:x:1", "type": name}, headers={"NGSILD-Tenant": tenant}
        )
        assert made.status_code == 201
    got = await ngsi.get(TYPES, headers={"NGSILD-Tenant": "two"})
    assert got.json()["typeList"] == ["TypeOfTwo"]
    assert (
        await ngsi.get(f"{TYPES}/TypeOfOne", headers={"NGSILD-Tenant": "two"})
    ).status_code == 404
