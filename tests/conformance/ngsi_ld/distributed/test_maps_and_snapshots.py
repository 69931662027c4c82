"""ETSI GS CIM 009 V1.9.1 clauses 5.14 (entity maps), 5.16 and 6.3.22 (snapshots)."""

from __future__ import annotations

from typing import Any

MAPS, SNAPSHOTS = "/entityMaps", "/snapshots"


def prop(value: Any) -> dict[str, Any]:
    return {"type": "Property", "value": value}


async def two(brokers: Any) -> Any:
    a, b = await brokers(2)
    for i in range(4):
        await (a if i % 2 else b).make(f"urn:ngsi-ld:Vehicle:{i}", speed=prop(i))
    name = await a.knows(b.url)
    return a, b, name


async def test_a_map_says_who_holds_what_and_later_pages_ask_only_those(brokers: Any) -> None:
    a, b, name = await two(brokers)
    made = await a.client.get(MAPS, params={"type": "Vehicle"})
    assert made.status_code == 201, made.text
    body = made.json()
    assert body["type"] == "EntityMap"
    assert body["entityMap"] == {
        f"urn:ngsi-ld:Vehicle:{i}": ["@none"] if i % 2 else [name] for i in range(4)
    }
    await b.make("urn:ngsi-ld:Vehicle:9", speed=prop(9))
    headers = {"NGSILD-EntityMap": f"/ngsi-ld/v1{MAPS}/{body['id']}"}
    page = await a.client.get(
        "/entities", params={"type": "Vehicle", "limit": 3, "offset": 2}, headers=headers
    )
    assert [e["id"][-1] for e in page.json()] == ["2", "3"]  # 9 came later
    assert page.headers["ngsild-entitymap"].endswith(body["id"])
    one = await a.client.get("/entities/urn:ngsi-ld:Vehicle:2", headers=headers)
    assert one.json()["speed"]["value"] == 2
    unknown = await a.client.get("/entities/urn:ngsi-ld:Vehicle:9", headers=headers)
    assert unknown.status_code == 404
    path = f"{MAPS}/{body['id']}"
    changed = await a.client.patch(path, json={"expiresAt": "2999-01-01T00:00:00Z"})
    assert changed.status_code == 204
    until = (await a.client.get(path)).json()["expiresAt"]
    assert body["expiresAt"] < until < "2999"  # a day at most
    past = await a.client.patch(path, json={"expiresAt": "2001-01-01T00:00:00Z"})
    assert past.status_code == 400
    assert (await a.client.delete(path)).status_code == 204
    assert (await a.client.get(path)).status_code == 404
    assert (await a.client.get(f"{MAPS}/none")).status_code == 400


async def test_a_query_makes_a_map_where_it_asks_for_one(brokers: Any) -> None:
    a, _, _ = await two(brokers)
    got = await a.client.get("/entities", params={"type": "Vehicle", "entityMap": "true"})
    assert len(got.json()) == 4
    name = got.headers["ngsild-entitymap"].rpartition("/")[2]
    assert len((await a.client.get(f"{MAPS}/{name}")).json()["entityMap"]) == 4
    body = {"type": "Query", "entities": [{"type": "Vehicle"}], "entityMap": True}
    posted = await a.client.post("/entityOperations/query", json=body)
    assert "ngsild-entitymap" in posted.headers


async def test_a_map_is_made_where_nothing_is_registered(brokers: Any) -> None:
    [a] = await brokers(1)
    await a.make("urn:ngsi-ld:Vehicle:1", speed=prop(1))
    got = await a.client.get("/entities", params={"type": "Vehicle", "entityMap": "true"})
    assert [e["id"] for e in got.json()] == ["urn:ngsi-ld:Vehicle:1"]
    assert "ngsild-entitymap" in got.headers


async def test_a_snapshot_holds_what_was(brokers: Any) -> None:
    a, b, _ = await two(brokers)
    query = {"type": "Query", "entities": [{"type": "Vehicle"}]}
    nothing = {"type": "Query", "entities": [{"type": "Ship"}]}
    body = {
        "id": "urn:ngsi-ld:Snapshot:1",
        "type": "Snapshot",
        "snapshotQueries": [query, nothing],
        "snapshotLifetime": "PT1H",
    }
    made = await a.client.post(SNAPSHOTS, json=body)
    assert made.status_code == 201, made.text
    assert made.headers["location"] == f"/ngsi-ld/v1{SNAPSHOTS}/{body['id']}"
    assert (await a.client.post(SNAPSHOTS, json=body)).status_code == 409
    got = (await a.client.get(f"{SNAPSHOTS}/{body['id']}")).json()
    assert got["snapshotStatus"] == "success"
    assert [d["resultStatus"] for d in got["snapshotQueriesDetails"]] == ["success", "empty"]
    assert {"createdAt", "modifiedAt", "expiresAt", "lastUsedAt"} <= got.keys()
    await b.client.patch("/entities/urn:ngsi-ld:Vehicle:0/attrs", json={"speed": prop(99)})
    headers = {"NGSILD-Snapshot": body["id"]}
    old = await a.client.get("/entities/urn:ngsi-ld:Vehicle:0", headers=headers)
    assert old.json()["speed"]["value"] == 0
    assert old.headers["ngsild-snapshot"] == body["id"]
    assert (await a.client.get("/entities/urn:ngsi-ld:Vehicle:0")).json()["speed"]["value"] == 99
    found = await a.client.get(
        "/entities", params={"type": "Vehicle", "q": "speed>1", "options": "keyValues"},
        headers=headers,
    )  # fmt: skip
    assert [e["speed"] for e in found.json()] == [2, 3]
    write = await a.client.delete("/entities/urn:ngsi-ld:Vehicle:1", headers=headers)
    assert write.status_code == 409
    missing = await a.client.get("/entities", headers={"NGSILD-Snapshot": "urn:x:none"})
    assert missing.status_code == 404
    cloned = await a.client.post(
        f"{SNAPSHOTS}/{body['id']}/clone", json={"id": "urn:x:clone", "type": "Snapshot"}
    )
    assert cloned.status_code == 201, cloned.text
    copy = await a.client.get(
        "/entities", params={"type": "Vehicle"}, headers={"NGSILD-Snapshot": "urn:x:clone"}
    )
    assert len(copy.json()) == 4
    changed = await a.client.patch(f"{SNAPSHOTS}/urn:x:clone", json={"snapshotPriority": 9})
    assert changed.status_code == 204
    assert (await a.client.get(f"{SNAPSHOTS}/urn:x:clone")).json()["snapshotPriority"] == 9
    assert (await a.client.delete(f"{SNAPSHOTS}/{body['id']}")).status_code == 204
    assert (await a.client.get("/entities", headers=headers)).status_code == 404
    assert (await a.client.delete(SNAPSHOTS)).status_code == 204
    assert (await a.client.get(f"{SNAPSHOTS}/urn:x:clone")).status_code == 404


async def test_what_is_no_snapshot_is_refused(brokers: Any) -> None:
    [a] = await brokers(1)
    query = {"type": "Query", "entities": [{"type": "Vehicle"}]}
    good: dict[str, Any] = {"type": "Snapshot", "snapshotQueries": [query]}
    for bad in (
        {"type": "Snapshot"},
        {**good, "type": "Photo"},
        {**good, "id": "no uri"},
        {**good, "snapshotPriority": 11},
        {**good, "snapshotLifetime": "long"},
        {**good, "snapshotQueries": []},
        {**good, "snapshotQueries": [{**query, "temporalQ": {}}]},
    ):
        assert (await a.client.post(SNAPSHOTS, json=bad)).status_code == 400, bad
