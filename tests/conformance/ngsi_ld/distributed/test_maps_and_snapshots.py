"""ETSI GS CIM 009 V1.9.1 clauses 5.14 (entity maps), 5.16 and 6.3.22 (snapshots)."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import datetime
from typing import Any

import msgspec

from broker_fixtures import Peer
from nagara.context.ngsi.sources.linked_maps import is_trusted
from nagara.guard.identity import Actor

MAPS, SNAPSHOTS = "/entityMaps", "/snapshots"


def prop(value: Any, **more: Any) -> dict[str, Any]:
    return {"type": "Property", "value": value, **more}


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
    assert (await a.client.patch(path, json={"expiresAt": "soon"})).status_code == 400
    past = await a.client.patch(path, json={"expiresAt": "2001-01-01T00:00:00Z"})
    assert past.status_code == 204  # it has expired, and cannot be had any more (5.5.14)
    assert (await a.client.get(path)).status_code == 404
    other = (await a.client.get(MAPS, params={"type": "Vehicle"})).json()["id"]
    assert (await a.client.delete(f"{MAPS}/{other}")).status_code == 204
    assert (await a.client.get(f"{MAPS}/{other}")).status_code == 404
    long = await a.client.get(MAPS, params={"type": "Vehicle", "entityMapLifetime": "1hour"})
    assert long.status_code == 400
    wide = await a.client.get(MAPS, params={"id": "urn:ngsi-ld:Vehicle:1"})
    assert wide.status_code == 400
    assert (await a.client.get(f"{MAPS}/none")).status_code == 400


async def test_a_query_makes_a_map_where_it_asks_for_one(brokers: Any) -> None:
    a, _, _ = await two(brokers)
    got = await a.client.get("/entities", params={"type": "Vehicle", "entityMap": "true"})
    assert got.status_code == 201  # Table 6.4.3.2-2: a map was made
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


async def test_retrieving_makes_a_map_and_goes_by_one(brokers: Any) -> None:
    a, _, name = await two(brokers)
    path = "/entities/urn:ngsi-ld:Vehicle:2"
    got = await a.client.get(path, params={"entityMap": "true"})
    assert (got.status_code, got.json()["id"]) == (200, "urn:ngsi-ld:Vehicle:2")
    where = got.headers["ngsild-entitymap"]
    kept = await a.client.get(f"{MAPS}/{where.rpartition('/')[2]}")
    assert kept.json()["entityMap"] == {"urn:ngsi-ld:Vehicle:2": [name]}
    again = await a.client.get(path, headers={"NGSILD-EntityMap": where})
    assert again.headers["ngsild-entitymap"] == where
    dead = await a.client.get(path, headers={"NGSILD-EntityMap": "urn:ngsi-ld:EntityMap:dead"})
    assert dead.status_code == 200
    assert "dead" not in dead.headers["ngsild-entitymap"]


async def test_pages_of_a_map_are_full_and_what_is_gone_leaves_the_map(brokers: Any) -> None:
    a, _, _ = await two(brokers)
    made = await a.client.get("/entities", params={"type": "Vehicle", "entityMap": "true"})
    headers = {"NGSILD-EntityMap": made.headers["ngsild-entitymap"]}
    page = await a.client.get("/entities", params={"type": "Vehicle", "limit": 3}, headers=headers)
    assert page.status_code == 200
    assert [e["id"][-1] for e in page.json()] == ["0", "1", "2"]
    assert 'rel="next"' in page.headers["link"]
    assert "offset=3" in page.headers["link"]
    assert "urn:ngsi-ld:Vehicle" not in page.headers["link"]
    await a.client.delete("/entities/urn:ngsi-ld:Vehicle:1", params={"local": "true"})
    page = await a.client.get("/entities", params={"type": "Vehicle", "limit": 3}, headers=headers)
    assert [e["id"][-1] for e in page.json()] == ["0", "2", "3"]
    place = f"{MAPS}/{headers['NGSILD-EntityMap'].rpartition('/')[2]}"
    kept = await a.client.get(place, params={"local": "true"})  # clause 6.3.18: a map lies here
    assert (await a.client.get(place, params={"limit": 1})).status_code == 400
    assert "urn:ngsi-ld:Vehicle:1" not in kept.json()["entityMap"]
    counted = await a.client.get(
        "/entities", params={"type": "Vehicle", "limit": 2, "count": "true"}, headers=headers
    )
    assert (len(counted.json()), counted.headers["ngsild-results-count"]) == (2, "3")


async def test_a_map_is_gone_by_for_some_of_its_entities_alone(brokers: Any) -> None:
    a, _, _ = await two(brokers)
    made = await a.client.get("/entities", params={"type": "Vehicle", "entityMap": "true"})
    headers = {"NGSILD-EntityMap": made.headers["ngsild-entitymap"]}
    both = "urn:ngsi-ld:Vehicle:2,urn:ngsi-ld:Vehicle:3,urn:ngsi-ld:Vehicle:9"
    for narrow in ({"id": both}, {"idPattern": "[239]$"}):
        params = {"type": "Vehicle", "count": "true", **narrow}
        page = await a.client.get("/entities", params=params, headers=headers)
        assert [e["id"][-1] for e in page.json()] == ["2", "3"]
        assert page.headers["ngsild-results-count"] == "2"
    kept = await a.client.get(f"{MAPS}/{headers['NGSILD-EntityMap'].rpartition('/')[2]}")
    assert len(kept.json()["entityMap"]) == 4


async def test_sources_make_maps_too_and_are_asked_by_them(brokers: Any) -> None:
    a, b, name = await two(brokers)
    made = await a.client.get(MAPS, params={"type": "Vehicle", "entityMapLifetime": "PT30M"})
    body = made.json()
    assert list(body["linkedMaps"]) == [name]
    there = await b.client.get(f"{MAPS}/{body['linkedMaps'][name]}")
    assert there.status_code == 200
    assert there.json()["entityMap"] == {f"urn:ngsi-ld:Vehicle:{i}": ["@none"] for i in (0, 2)}
    ends = (datetime.fromisoformat(m["expiresAt"]) for m in (body, there.json()))
    assert abs((next(ends) - next(ends)).total_seconds()) < 60
    kept = await a.client.get(f"{MAPS}/{body['id']}")
    assert kept.json()["linkedMaps"] == body["linkedMaps"]
    same = {"linkedMaps": {"urn:a:b": "urn:a:c"}}  # only the broker says them (5.2.39)
    assert (await a.client.patch(f"{MAPS}/{body['id']}", json=same)).status_code == 204
    kept = await a.client.get(f"{MAPS}/{body['id']}")
    assert kept.json()["linkedMaps"] == body["linkedMaps"]
    alone = await a.client.get(MAPS, params={"type": "Vehicle", "local": "true"})
    assert alone.json()["linkedMaps"] == {}


VEHICLE = "urn:ngsi-ld:Vehicle:elsewhere"


def maker(peer: Peer, told: Any) -> None:
    """Let a source make this map of whatever it is asked, and tell one vehicle."""
    vehicle = {"id": VEHICLE, "type": "Vehicle", "speed": prop(1)}

    async def behave(head: str, writer: asyncio.StreamWriter) -> None:
        path = head.split()[1].partition("?")[0]
        body: Any = told if path.endswith("/entityMaps") else [vehicle]
        if path.endswith(VEHICLE):
            body = vehicle
        await peer.say(200, json.dumps(body).encode())(head, writer)

    peer.behave = behave


async def test_later_pages_name_the_map_of_the_source(brokers: Any, peer: Peer) -> None:
    [a] = await brokers(1)
    name = await a.knows(peer.url)
    linked = "urn:ngsi-ld:EntityMap:theirs"
    maker(peer, {"id": linked, "type": "EntityMap", "entityMap": {VEHICLE: ["@none"]}})
    made = await a.client.get(MAPS, params={"type": "Vehicle", "q": "speed>0"})
    assert made.json()["linkedMaps"] == {name: linked}
    [asked] = [head for head in peer.asked if "/entityMaps?" in head]
    assert "q=speed" in asked
    assert "type=Vehicle" in asked
    assert "entityMapLifetime=PT3600S" in asked
    peer.asked.clear()
    headers = {"NGSILD-EntityMap": made.headers["ngsild-entitymap"]}
    page = await a.client.get("/entities", params={"type": "Vehicle"}, headers=headers)
    one = await a.client.get(f"/entities/{VEHICLE}", headers=headers)
    assert ([e["id"] for e in page.json()], one.json()["id"]) == ([VEHICLE], VEHICLE)
    assert len(peer.asked) == 2
    for head in peer.asked:
        assert f"\r\nNGSILD-EntityMap: /ngsi-ld/v1{MAPS}/{linked}\r\n" in head


async def test_a_source_may_be_asked_for_maps_alone(brokers: Any, peer: Peer) -> None:
    [a] = await brokers(1)
    name = await a.knows(
        peer.url,
        operations=["createEntityMapQueryEntity"],
        information=[{"entities": [{"type": "Vehicle", "idPattern": "^urn:ngsi-ld:Vehicle:"}]}],
    )
    ids = [VEHICLE, "no uri", "@none", "", "urn:ngsi-ld:Ship:1"]  # the last is not registered
    told = {"id": "urn:a:map", "type": "EntityMap", "entityMap": {i: ["@none"] for i in ids}}
    maker(peer, told)
    made = (await a.client.get(MAPS, params={"type": "Vehicle"})).json()
    assert made["entityMap"] == {VEHICLE: [name]}
    assert made["linkedMaps"] == {name: "urn:a:map"}
    headers = {"NGSILD-EntityMap": f"/ngsi-ld/v1{MAPS}/{made['id']}"}
    page = await a.client.get("/entities", params={"type": "Vehicle"}, headers=headers)
    assert page.json() == []  # nobody tells; it may be there all the same
    kept = await a.client.get(f"{MAPS}/{made['id']}")
    assert kept.json()["entityMap"] == {VEHICLE: [name]}
    maker(peer, {**told, "id": "no uri"})  # its entities are known all the same
    made = (await a.client.get(MAPS, params={"type": "Vehicle"})).json()
    assert (made["entityMap"], made["linkedMaps"]) == ({VEHICLE: [name]}, {})
    for wrong in ({**told, "entityMap": []}, {"id": "urn:a:map"}, [told]):
        maker(peer, wrong)
        made = (await a.client.get(MAPS, params={"type": "Vehicle"})).json()
        assert (made["entityMap"], made["linkedMaps"]) == ({}, {})


async def test_a_source_that_does_not_answer_is_waited_for_once(brokers: Any, peer: Peer) -> None:
    [a] = await brokers(1)
    await a.make("urn:ngsi-ld:Vehicle:1", speed=prop(1))
    await a.knows(peer.url, management={"timeout": 300})
    left = asyncio.Event()

    async def hang(_: str, __: asyncio.StreamWriter) -> None:
        await left.wait()

    peer.behave = hang
    made = await a.client.get(MAPS, params={"type": "Vehicle"})
    left.set()
    assert made.json()["entityMap"] == {"urn:ngsi-ld:Vehicle:1": ["@none"]}
    assert "199" in made.headers["ngsild-warning"]
    assert len(peer.asked) == 1


ADMINISTRATOR = Actor("account", "1", "A", ("administrator",))


def test_what_is_hidden_from_somebody_is_looked_at_first() -> None:
    """A map names entities without their types: who does not see all takes it not on trust."""
    assert is_trusted(ADMINISTRATOR, {})
    assert not is_trusted(ADMINISTRATOR, {"splitEntities": "true"})
    assert not is_trusted(msgspec.structs.replace(ADMINISTRATOR, roles=("resident",)), {})


WINDOW = {"timerel": "after", "timeAt": "2000-01-01T00:00:00Z", "timeproperty": "createdAt"}


async def test_histories_have_maps_too(brokers: Any) -> None:
    a, b = await brokers(2)
    for i in range(4):
        await (a if i % 2 else b).make(f"urn:ngsi-ld:Vehicle:{i}", speed=prop(i))
    operations = ["queryTemporal", "retrieveTemporal", "createEntityMapQueryTemporal"]
    name = await a.knows(b.url, operations=operations)
    plain = await a.client.get("/temporal/entityMaps", params={"type": "Vehicle"})
    assert plain.status_code == 400
    made = await a.client.get("/temporal/entityMaps", params={"type": "Vehicle", **WINDOW})
    assert made.status_code == 201, made.text
    assert made.json()["entityMap"] == {
        f"urn:ngsi-ld:Vehicle:{i}": ["@none"] if i % 2 else [name] for i in range(4)
    }
    there = await b.client.get(f"{MAPS}/{made.json()['linkedMaps'][name]}")
    assert there.json()["entityMap"] == {f"urn:ngsi-ld:Vehicle:{i}": ["@none"] for i in (0, 2)}
    before = {**WINDOW, "timerel": "before"}
    empty = await a.client.get("/temporal/entityMaps", params={"type": "Vehicle", **before})
    assert empty.json()["entityMap"] == {}
    await b.make("urn:ngsi-ld:Vehicle:9", speed=prop(9))
    headers = {"NGSILD-EntityMap": made.headers["ngsild-entitymap"]}
    page = await a.client.get(
        "/temporal/entities",
        params={"type": "Vehicle", "limit": 3, "offset": 2, **WINDOW},
        headers=headers,
    )
    assert page.status_code == 200
    assert [e["id"][-1] for e in page.json()] == ["2", "3"]
    assert page.headers["ngsild-entitymap"] == headers["NGSILD-EntityMap"]
    one = await a.client.get(
        "/temporal/entities/urn:ngsi-ld:Vehicle:2", params={**WINDOW, "entityMap": "true"}
    )
    assert (one.status_code, one.json()["id"]) == (200, "urn:ngsi-ld:Vehicle:2")
    assert one.headers["ngsild-entitymap"] != headers["NGSILD-EntityMap"]
    dead = await a.client.get(
        "/temporal/entities",
        params={"type": "Vehicle", **WINDOW},
        headers={"NGSILD-EntityMap": "urn:ngsi-ld:EntityMap:dead"},
    )
    assert dead.status_code == 201
    assert len(dead.json()) == 5


async def ready(broker: Any, name: str) -> Any:
    """A snapshot once it is prepared, which happens behind the answer."""
    until = time.monotonic() + 30
    while True:
        got = (await broker.client.get(f"{SNAPSHOTS}/{name}")).json()
        if got["snapshotStatus"] != "preparing":
            return got
        assert time.monotonic() < until, got
        await asyncio.sleep(0.02)


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
    got = await ready(a, body["id"])
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
    assert changed.status_code == 200
    assert changed.json()["snapshotPriority"] == 9
    queries = await a.client.patch(f"{SNAPSHOTS}/urn:x:clone", json={"snapshotQueries": []})
    assert queries.status_code == 400
    other = await a.client.delete(SNAPSHOTS, params={"q": "speed>50"})
    assert other.status_code == 400  # 5.16.7.4: members of snapshots alone
    some = await a.client.delete(SNAPSHOTS, params={"q": "snapshotPriority<6"})
    assert some.status_code == 204
    assert (await a.client.get("/entities", headers=headers)).status_code == 404
    assert (await a.client.get(f"{SNAPSHOTS}/urn:x:clone")).status_code == 200
    assert (await a.client.delete(SNAPSHOTS)).status_code == 204
    assert (await a.client.get(f"{SNAPSHOTS}/urn:x:clone")).status_code == 404


async def test_a_snapshot_holds_history(brokers: Any) -> None:
    a, b = await brokers(2)
    for i in range(3):
        at = f"2026-01-0{i + 1}T00:00:00Z"
        body = {"type": "Vehicle", "speed": [prop(i, observedAt=at)]}
        for broker in (a, b):
            name = f"urn:ngsi-ld:Vehicle:{'a' if broker is a else 'b'}"
            done = await broker.client.post("/temporal/entities", json={"id": name, **body})
            assert done.status_code in (201, 204), done.text
    await a.knows(b.url, operations=["queryTemporal"])
    past = {"timerel": "after", "timeAt": "2026-01-01T12:00:00Z"}
    query = {"type": "Query", "entities": [{"type": "Vehicle"}], "temporalQ": past}
    body = {"id": "urn:x:past", "type": "Snapshot", "snapshotTemporalQueries": [query]}
    assert (await a.client.post(SNAPSHOTS, json=body)).status_code == 201
    got = await ready(a, "urn:x:past")
    assert got["snapshotTemporalQueriesDetails"] == [{"resultStatus": "success"}], got
    for broker in (a, b):
        await broker.client.delete(
            f"/temporal/entities/urn:ngsi-ld:Vehicle:{'a' if broker is a else 'b'}"
        )
    headers = {"NGSILD-Snapshot": "urn:x:past"}
    listed = await a.client.get(
        "/temporal/entities", params={"type": "Vehicle", **past}, headers=headers
    )
    assert [e["id"][-1] for e in listed.json()] == ["a", "b"]
    assert sorted(i["value"] for i in listed.json()[1]["speed"]) == [1, 2]
    assert "createdAt" not in listed.json()[1]["speed"][0]
    one = await a.client.get(
        "/temporal/entities/urn:ngsi-ld:Vehicle:b",
        params={"timerel": "before", "timeAt": "2026-01-02T12:00:00Z", "options": "temporalValues"},
        headers=headers,
    )
    assert one.json()["speed"] == {"type": "Property", "values": [[1, "2026-01-02T00:00:00Z"]]}
    assert (await a.client.get("/entities/urn:ngsi-ld:Vehicle:b", headers=headers)).status_code == (
        404
    )


async def test_a_snapshot_waits_for_its_sources_behind_the_answer(brokers: Any, peer: Peer) -> None:
    [a] = await brokers(1)
    await a.knows(peer.url)
    gate, told = asyncio.Event(), []

    async def late(head: str, writer: asyncio.StreamWriter) -> None:
        if head.startswith("POST /told"):
            told.append(json.loads(peer.bodies[-1]))
            await peer.say(200)(head, writer)
            return
        await gate.wait()
        far = [{"id": "urn:ngsi-ld:Vehicle:far", "type": "Vehicle", "speed": prop(88)}]
        await peer.say(200, json.dumps(far).encode())(head, writer)

    peer.behave = late
    query = {"type": "Query", "entities": [{"type": "Vehicle"}], "q": "speed>50"}
    body = {
        "id": "urn:x:late",
        "type": "Snapshot",
        "snapshotQueries": [query],
        "endpoint": {"uri": f"{peer.url}/told"},
    }
    assert (await a.client.post(SNAPSHOTS, json=body)).status_code == 201
    now = (await a.client.get(f"{SNAPSHOTS}/urn:x:late")).json()
    assert now["snapshotStatus"] == "preparing"
    gate.set()
    assert (await ready(a, "urn:x:late"))["snapshotStatus"] == "success"
    got = await a.client.get(
        "/entities", params={"type": "Vehicle"}, headers={"NGSILD-Snapshot": "urn:x:late"}
    )
    assert [e["id"] for e in got.json()] == ["urn:ngsi-ld:Vehicle:far"]
    until = time.monotonic() + 30
    while not told:
        assert time.monotonic() < until
        await asyncio.sleep(0.02)
    assert (told[0]["type"], told[0]["snapshotStatus"]) == ("SnapshotNotification", "success")
    assert told[0]["snapshotId"] == "urn:x:late"


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
