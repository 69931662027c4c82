"""ETSI GS CIM 009 V1.9.1 clauses 4.3.6 and 5.6: writes that are shared out over brokers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from broker_fixtures import Peer
from nagara.context import Create, Entity
from nagara.guard.policy import Keeping

ID = "urn:ngsi-ld:Vehicle:1"
OTHER = "urn:ngsi-ld:Vehicle:2"
WRITES = [
    "redirectionOps",
    "createBatch",
    "upsertBatch",
    "updateBatch",
    "deleteBatch",
    "mergeBatch",
]
LOCAL = {"local": "true"}


def prop(value: Any, **more: Any) -> dict[str, Any]:
    return {"type": "Property", "value": value, **more}


def vehicle(at: str = ID, **attrs: Any) -> dict[str, Any]:
    return {"id": at, "type": "Vehicle", **attrs}


def exclusive(*attrs: str) -> dict[str, Any]:
    part = {"entities": [{"id": ID, "type": "Vehicle"}], "propertyNames": list(attrs)}
    return {"mode": "exclusive", "operations": WRITES, "information": [part]}


async def held(broker: Any, name: str = ID) -> Any:
    got = await broker.client.get(f"/entities/{name}", params=LOCAL | {"options": "keyValues"})
    return got.json() if got.status_code == 200 else None


async def test_an_inclusive_source_gets_the_same_write(brokers: Any) -> None:
    a, b = await brokers(2)
    await a.knows(b.url, operations=WRITES)
    made = await a.client.post("/entities", json=vehicle(speed=prop(1)))
    assert made.status_code == 201, made.text
    assert made.headers["location"].endswith(ID)
    assert await held(a) == await held(b) == vehicle(speed=1)
    for status, answer in (
        (204, await a.client.post(f"/entities/{ID}/attrs", json={"name": prop("n")})),
        (204, await a.client.patch(f"/entities/{ID}/attrs", json={"speed": prop(2)})),
        (204, await a.client.patch(f"/entities/{ID}/attrs/speed", json={"value": 3})),
        (204, await a.client.patch(f"/entities/{ID}", json={"colour": prop("red")})),
        (204, await a.client.delete(f"/entities/{ID}/attrs/name")),
    ):
        assert answer.status_code == status, answer.text
    assert await held(a) == await held(b) == vehicle(speed=3, colour="red")
    replaced = await a.client.put(f"/entities/{ID}", json=vehicle(speed=prop(4)))
    assert replaced.status_code == 204
    assert await held(a) == await held(b) == vehicle(speed=4)
    assert (await a.client.delete(f"/entities/{ID}")).status_code == 204
    assert await held(a) is None
    assert await held(b) is None


async def test_an_exclusive_attribute_is_written_there_alone(brokers: Any) -> None:
    a, b = await brokers(2)
    await a.knows(b.url, **exclusive("speed"))
    made = await a.client.post("/entities", json=vehicle(speed=prop(1), name=prop("n")))
    assert made.status_code == 201, made.text
    assert await held(a) == vehicle(name="n")
    assert await held(b) == vehicle(speed=1)
    assert (await a.client.patch(f"/entities/{ID}", json={"speed": prop(2)})).status_code == 204
    assert (await held(a), await held(b)) == (vehicle(name="n"), vehicle(speed=2))
    assert (await a.client.delete(f"/entities/{ID}")).status_code == 204
    assert (await held(a), await held(b)) == (None, None)


async def test_a_redirected_entity_never_lies_here(brokers: Any) -> None:
    a, b, c = await brokers(3)
    for one in (b, c):
        await a.knows(one.url, mode="redirect", operations=WRITES)
    assert (await a.client.post("/entities", json=vehicle(speed=prop(1)))).status_code == 201
    assert await held(a) is None
    assert await held(b) == await held(c) == vehicle(speed=1)
    assert (await a.client.get(f"/entities/{ID}")).status_code == 200
    got = await a.client.post("/entities", json=vehicle(speed=prop(1)))
    assert got.status_code == 207
    assert [e["error"]["status"] for e in got.json()["errors"]] == [409, 409]


async def test_what_a_source_does_not_support_is_a_conflict_where_it_is_alone(brokers: Any) -> None:
    a, b = await brokers(2)
    await a.knows(b.url, mode="redirect", operations=["retrieveOps"])
    refused = await a.client.post("/entities", json=vehicle(speed=prop(1)))
    assert refused.status_code == 409
    assert refused.json()["type"].endswith("/Conflict")
    assert await held(b) is None


async def test_an_inclusive_source_that_supports_no_writes_is_left_alone(brokers: Any) -> None:
    a, b = await brokers(2)
    await a.knows(b.url)
    assert (await a.client.post("/entities", json=vehicle(speed=prop(1)))).status_code == 201
    assert await held(b) is None


async def test_what_one_of_several_refuses_is_told_by_source(brokers: Any) -> None:
    a, b = await brokers(2)
    name = await a.knows(b.url, operations=WRITES)
    await a.make(ID)
    got = await a.client.delete(f"/entities/{ID}")
    assert got.status_code == 207
    [error] = got.json()["errors"]
    assert (error["entityId"], error["registrationId"]) == (ID, name)
    assert error["error"]["status"] == 404
    assert got.json()["success"] == [ID]


@pytest.mark.parametrize(
    ("theirs", "ours"), [(404, 404), (403, 502), (500, 502), (409, 409), (508, 508)]
)
async def test_the_failure_of_the_only_source_is_the_failure(
    brokers: Any, peer: Peer, theirs: int, ours: int
) -> None:
    [a] = await brokers(1)
    await a.knows(peer.url, **exclusive("speed"))
    peer.behave = peer.say(theirs)
    got = await a.client.patch(f"/entities/{ID}/attrs", json={"speed": prop(1)})
    assert got.status_code == ours, got.text


async def test_a_batch_is_split_by_who_holds_what(brokers: Any) -> None:
    a, b = await brokers(2)
    await a.knows(b.url, **exclusive("speed"))
    batch = [vehicle(speed=prop(1), name=prop("n")), vehicle(OTHER, speed=prop(2))]
    made = await a.client.post("/entityOperations/create", json=batch)
    assert made.status_code == 201, made.text
    assert sorted(made.json()) == [ID, OTHER]
    assert await held(a) == vehicle(name="n")
    assert await held(a, OTHER) == vehicle(OTHER, speed=2)
    assert await held(b) == vehicle(speed=1)
    upserted = await a.client.post("/entityOperations/upsert?options=update", json=batch)
    assert upserted.status_code == 204, upserted.text
    merged = await a.client.post("/entityOperations/merge", json=[vehicle(speed=prop(7))])
    assert merged.status_code == 204, merged.text
    assert await held(b) == vehicle(speed=7)
    gone = await a.client.post("/entityOperations/delete", json=[ID, OTHER])
    assert gone.status_code == 204, gone.text
    assert [await held(a), await held(a, OTHER), await held(b)] == [None, None, None]


async def test_a_loop_is_told_and_nothing_is_written_twice(brokers: Any) -> None:
    a, b = await brokers(2)
    await a.knows(b.url, operations=WRITES)
    await b.knows(a.url, operations=WRITES)
    via = {"via": f"1.1 {a.sources.registry.alias}"}
    looped = await a.client.post("/entities", json=vehicle(), headers=via)
    assert looped.status_code == 508
    assert await held(a) is None
    made = await a.client.post("/entities", json=vehicle(speed=prop(1)))
    assert made.status_code in (201, 207)
    assert await held(a) == await held(b) == vehicle(speed=1)


async def test_the_body_goes_out_in_the_words_that_the_source_registered(
    brokers: Any, peer: Peer
) -> None:
    [a] = await brokers(1)
    pairs = [{"key": "contentType", "value": "application/ld+json"}]
    await a.knows(peer.url, **exclusive("speed"), contextSourceInfo=pairs)
    peer.behave = peer.say(201)
    made = await a.client.post("/entities", json=vehicle(speed=prop(1)))
    assert made.status_code == 201, made.text
    assert "content-type: application/ld+json" in peer.asked[-1].lower()
    assert "@context" in json.loads(peer.bodies[-1])


async def test_what_rooms_keep_goes_to_nobody(
    brokers: Any, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    [a] = await brokers(1)
    monkeypatch.setattr(a.context, "keeping", Keeping("th-bkk"))
    part = {"entities": [{"type": "Alert"}]}
    await a.knows(
        peer.url, information=[part], operations=[*WRITES, "retrieveOps"], mode="redirect"
    )
    kept, own = "urn:ngsi-ld:Alert:th-bkk:1", "urn:ngsi-ld:Alert:1"
    body = {"id": kept, "type": "Alert", "level": prop(1)}
    for answer in (
        await a.client.post("/entities", json=body),
        await a.client.delete(f"/entities/{kept}"),
        await a.client.patch(f"/entities/{kept}/attrs", json={"level": prop(2)}),
    ):
        assert answer.status_code in (403, 404), answer.text
    for operation in ("create", "upsert", "merge", "update"):
        batch = await a.client.post(f"/entityOperations/{operation}", json=[body])
        assert (batch.status_code, batch.json()["success"]) == (207, []), batch.text
    assert (await a.client.post("/entityOperations/delete", json=[kept])).status_code == 207
    assert peer.asked == []
    peer.behave = peer.say(201)
    batch = await a.client.post("/entityOperations/create", json=[body, {**body, "id": own}])
    assert (batch.status_code, batch.json()["success"]) == (207, [own]), batch.text
    [sent] = [json.loads(said) for said in peer.bodies]
    assert [one["id"] for one in sent] == [own]
    # What a room wrote meanwhile is read here, whatever is registered and told of it.
    await a.context.write(Create(Entity(kept, ("Alert",), {"level": prop(7)})), actor="system:test")
    peer.behave = peer.say(200, json.dumps([{**body, "level": prop(99)}]).encode())
    told = await a.client.get("/entities", params={"type": "Alert"})
    assert [(e["id"], e["level"]["value"]) for e in told.json()] == [(kept, 7)]
    peer.behave = peer.say(200, json.dumps({**body, "level": prop(99)}).encode())
    assert (await a.client.get(f"/entities/{kept}")).json()["level"]["value"] == 7


async def test_a_bad_body_goes_to_nobody(brokers: Any, peer: Peer) -> None:
    [a] = await brokers(1)
    await a.knows(peer.url, operations=WRITES)
    await a.knows(peer.url, **exclusive("speed"))
    for bad in (vehicle(speed={"type": "Property"}), vehicle("no uri"), [], {"id": ID}):
        got = await a.client.post("/entities", json=bad)
        assert got.status_code == 400, got.text
    assert peer.asked == []


async def test_items_of_a_batch_are_shared_out_by_their_own_contexts(
    brokers: Any, peer: Peer
) -> None:
    [a] = await brokers(1)
    context = {"Vehicle": "https://example.org/Vehicle", "speed": "https://example.org/speed"}
    info = [{"entities": [{"type": "https://example.org/Vehicle"}]}]
    await a.knows(peer.url, mode="redirect", operations=["createBatch"], information=info)
    peer.behave = peer.say(201)
    mine = {"id": "urn:x:1", "type": "Vehicle", "speed": prop(1), "@context": [context]}
    other = {"id": "urn:x:2", "type": "Ship", "speed": prop(2), "@context": [context]}
    done = await a.client.post(
        "/entityOperations/create",
        content=json.dumps([mine, other]),
        headers={"content-type": "application/ld+json"},
    )
    assert done.status_code == 201, done.text
    [sent] = [json.loads(body) for body in peer.bodies]
    assert sent == [mine]
    assert (await a.client.get("/entities/urn:x:2?local=true")).status_code == 200
