"""ETSI GS CIM 009 V1.9.1 clauses 5.7.3, 5.7.4 and 5.6.11 over several brokers; merging alone."""

from __future__ import annotations

from typing import Any

from nagara.context.ngsi.sources.joining import merge_facts

ID = "urn:ngsi-ld:Vehicle:1"
HISTORY = ["retrieveTemporal", "queryTemporal", "upsertTemporal", "deleteTemporal"]
SPAN = {"timerel": "after", "timeAt": "2025-01-01T00:00:00Z"}


def at(value: int, day: int) -> dict[str, Any]:
    return {"type": "Property", "value": value, "observedAt": f"2025-02-{day:02}T00:00:00Z"}


async def test_history_is_put_together_by_time(brokers: Any) -> None:
    a, b = await brokers(2)
    for broker, days in ((a, (1, 3)), (b, (2, 3, 4))):
        body = {"id": ID, "type": "Vehicle", "speed": [at(d, d) for d in days]}
        made = await broker.client.post("/temporal/entities", json=body, params={"local": "true"})
        assert made.status_code == 201, made.text
    await a.knows(b.url, operations=HISTORY)
    got = (await a.client.get(f"/temporal/entities/{ID}", params=SPAN)).json()
    assert [i["value"] for i in got["speed"]] == [1, 2, 3, 4]
    listed = await a.client.get("/temporal/entities", params={"type": "Vehicle", **SPAN})
    assert [i["value"] for i in listed.json()[0]["speed"]] == [1, 2, 3, 4]
    plain = await a.client.get(
        f"/temporal/entities/{ID}", params={**SPAN, "options": "temporalValues"}
    )
    assert [v[0] for v in plain.json()["speed"]["values"]] == [1, 2, 3, 4]
    alone = await a.client.get(f"/temporal/entities/{ID}", params={**SPAN, "local": "true"})
    assert [i["value"] for i in alone.json()["speed"]] == [1, 3]


async def test_a_source_whose_time_is_another_is_not_asked(brokers: Any) -> None:
    a, b = await brokers(2)
    body = {"id": ID, "type": "Vehicle", "speed": [at(2, 2)]}
    assert (await b.client.post("/temporal/entities", json=body)).status_code == 201
    past = {"startAt": "2020-01-01T00:00:00Z", "endAt": "2020-02-01T00:00:00Z"}
    await a.knows(b.url, operations=HISTORY, observationInterval=past)
    got = await a.client.get("/temporal/entities", params={"type": "Vehicle", **SPAN})
    assert got.json() == []
    await a.knows(b.url, operations=HISTORY, observationInterval={"startAt": past["startAt"]})
    got = await a.client.get("/temporal/entities", params={"type": "Vehicle", **SPAN})
    assert [e["id"] for e in got.json()] == [ID]


async def test_history_is_written_where_it_is_supported(brokers: Any) -> None:
    a, b = await brokers(2)
    await a.knows(b.url, operations=HISTORY)
    body = {"id": ID, "type": "Vehicle", "speed": [at(1, 1)]}
    assert (await a.client.post("/temporal/entities", json=body)).status_code == 201
    got = await b.client.get(f"/temporal/entities/{ID}")
    assert got.status_code == 200
    assert (await a.client.delete(f"/temporal/entities/{ID}")).status_code == 204
    assert (await b.client.get(f"/temporal/entities/{ID}")).status_code == 404


def test_facts_of_types_are_put_together() -> None:
    one = {"id": "x", "type": "EntityTypeList", "typeList": ["A", "B"]}
    other = {"id": "y", "type": "EntityTypeList", "typeList": ["B", "C"]}
    assert merge_facts(one, other)["typeList"] == ["A", "B", "C"]
    here = [{"id": "A", "typeName": "A", "attributeNames": ["p"]}]
    there = [{"id": "A", "typeName": "A", "attributeNames": ["q"]}, {"id": "B"}]
    assert merge_facts(here, there) == [
        {"id": "A", "typeName": "A", "attributeNames": ["p", "q"]},
        {"id": "B"},
    ]
    count = merge_facts({"id": "A", "entityCount": 2}, {"id": "A", "entityCount": 3})
    assert count["entityCount"] == 5
