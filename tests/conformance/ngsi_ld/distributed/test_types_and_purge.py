"""ETSI GS CIM 009 V1.9.1 clauses 5.7.5 to 5.7.10 and 5.6.21 over several brokers."""

from __future__ import annotations

from typing import Any


def prop(value: Any) -> dict[str, Any]:
    return {"type": "Property", "value": value}


async def test_types_and_attributes_of_all_are_told(brokers: Any) -> None:
    a, b = await brokers(2)
    await a.make("urn:x:1", "Vehicle", speed=prop(1))
    await b.make("urn:x:2", "Vehicle", colour=prop("red"))
    await b.make("urn:x:3", "Ship", length=prop(2))
    both = [{"entities": [{"type": "Vehicle"}, {"type": "Ship"}]}]
    await a.knows(b.url, information=both)
    types = (await a.client.get("/types")).json()
    assert sorted(types["typeList"]) == ["Ship", "Vehicle"]
    details = (await a.client.get("/types", params={"details": "true"})).json()
    named = {t["typeName"]: sorted(t["attributeNames"]) for t in details}
    assert named == {"Ship": ["length"], "Vehicle": ["colour", "speed"]}
    one = (await a.client.get("/types/Vehicle")).json()
    assert one["entityCount"] == 2
    names = (await a.client.get("/attributes")).json()
    assert sorted(names["attributeList"]) == ["colour", "length", "speed"]
    alone = (await a.client.get("/types", params={"local": "true"})).json()
    assert alone["typeList"] == ["Vehicle"]
    elsewhere = await a.client.get("/types/Ship")
    assert elsewhere.status_code == 200


async def test_a_purge_reaches_those_that_support_it(brokers: Any) -> None:
    a, b = await brokers(2)
    await a.make("urn:x:1", "Vehicle", speed=prop(1))
    await b.make("urn:x:2", "Vehicle", speed=prop(1))
    await a.knows(b.url, operations=["redirectionOps"])
    gone = await a.client.delete("/entities", params={"type": "Vehicle"})
    assert gone.status_code == 204, gone.text
    for broker in (a, b):
        left = await broker.client.get("/entities", params={"type": "Vehicle", "local": "true"})
        assert left.json() == []
