"""ETSI GS CIM 009 V1.9.1 clauses 4.3.6, 5.7.1 and 5.7.2: entities over several brokers."""

from __future__ import annotations

import json
from typing import Any

from broker_fixtures import Peer

ID = "urn:ngsi-ld:Vehicle:1"
SPEED = {"type": "Property", "value": 80}
#: Operations of a source that may be written to.
ALL = ["redirectionOps", "queryBatch"]


def prop(value: Any, **more: Any) -> dict[str, Any]:
    return {"type": "Property", "value": value, **more}


def answer(peer: Peer, body: Any, status: int = 200) -> None:
    peer.behave = peer.say(status, json.dumps(body).encode())


async def test_an_entity_that_lies_elsewhere_is_found(brokers: Any) -> None:
    a, b = await brokers(2)
    await b.make(ID, speed=SPEED)
    assert (await a.client.get(f"/entities/{ID}")).status_code == 404
    await a.knows(b.url)
    got = await a.client.get(f"/entities/{ID}")
    assert got.status_code == 200
    assert got.json() == {"id": ID, "type": "Vehicle", "speed": SPEED}
    assert (await a.client.get(f"/entities/{ID}", params={"local": "true"})).status_code == 404


async def test_the_newer_of_two_values_wins(brokers: Any) -> None:
    a, b = await brokers(2)
    await a.make(ID, speed=prop(1, observedAt="2025-01-01T00:00:00Z"), name=prop("a"))
    await b.make(ID, speed=prop(2, observedAt="2025-01-02T00:00:00Z"), colour=prop("red"))
    await a.knows(b.url)
    got = (await a.client.get(f"/entities/{ID}", params={"options": "keyValues"})).json()
    assert got == {"id": ID, "type": "Vehicle", "speed": 2, "name": "a", "colour": "red"}


async def test_an_auxiliary_source_only_fills_gaps(brokers: Any) -> None:
    a, b = await brokers(2)
    await a.make(ID, speed=prop(1, observedAt="2025-01-01T00:00:00Z"))
    await b.make(ID, speed=prop(2, observedAt="2025-01-02T00:00:00Z"), colour=prop("red"))
    await a.knows(b.url, mode="auxiliary")
    listed = await a.client.get("/entities", params={"type": "Vehicle", "options": "keyValues"})
    assert listed.json() == [{"id": ID, "type": "Vehicle", "speed": 1, "colour": "red"}]


async def test_what_an_exclusive_source_holds_comes_from_it_alone(brokers: Any) -> None:
    a, b = await brokers(2)
    await b.make(ID, speed=prop(2), colour=prop("red"))
    await a.make(ID, name=prop("n"))
    await a.knows(
        b.url,
        mode="exclusive",
        operations=ALL,
        information=[{"entities": [{"id": ID, "type": "Vehicle"}], "propertyNames": ["speed"]}],
    )
    got = (await a.client.get(f"/entities/{ID}", params={"options": "keyValues"})).json()
    assert got == {"id": ID, "type": "Vehicle", "name": "n", "speed": 2}


async def test_a_query_finds_what_lies_anywhere_in_the_order_of_ids(brokers: Any) -> None:
    a, b, c = await brokers(3)
    for i, broker in enumerate((a, b, c, a, b, c)):
        await broker.make(f"urn:ngsi-ld:Vehicle:{i}", speed=prop(i))
    await a.knows(b.url)
    await a.knows(c.url)
    listed = await a.client.get("/entities", params={"type": "Vehicle", "options": "keyValues"})
    assert [e["speed"] for e in listed.json()] == [0, 1, 2, 3, 4, 5]
    page = await a.client.get(
        "/entities",
        params={
            "type": "Vehicle",
            "limit": 2,
            "offset": 3,
            "count": "true",
            "options": "keyValues",
        },
    )
    assert [e["speed"] for e in page.json()] == [3, 4]
    assert page.headers["ngsild-results-count"] == "6"
    fast = await a.client.get("/entities", params={"type": "Vehicle", "q": "speed>3"})
    assert [e["id"][-1] for e in fast.json()] == ["4", "5"]
    body = {"type": "Query", "entities": [{"type": "Vehicle"}], "q": "speed<2"}
    posted = await a.client.post("/entityOperations/query", json=body)
    assert [e["id"][-1] for e in posted.json()] == ["0", "1"]


async def test_halves_of_an_entity_are_put_together_before_they_are_filtered(brokers: Any) -> None:
    a, b = await brokers(2)
    await a.make(ID, name=prop("n"))
    await b.make(ID, speed=prop(9))
    await a.knows(b.url)
    params = {"type": "Vehicle", "q": 'speed>5;name=="n"', "options": "keyValues"}
    whole = await a.client.get("/entities", params={**params, "splitEntities": "true"})
    assert whole.json() == [{"id": ID, "type": "Vehicle", "name": "n", "speed": 9}]
    assert (await a.client.get("/entities", params=params)).json() == []


async def test_what_is_asked_is_what_was_registered(brokers: Any, peer: Peer) -> None:
    [a] = await brokers(1)
    await a.make(ID, name=prop("n"))
    await a.knows(
        peer.url + "/broker1/",
        mode="exclusive",
        operations=ALL,
        information=[{"entities": [{"id": ID, "type": "Vehicle"}], "propertyNames": ["speed"]}],
    )
    answer(peer, [{"id": ID, "type": "Vehicle", "speed": prop(3), "name": prop("other")}])
    listed = await a.client.get("/entities", params={"type": "Vehicle"})
    assert listed.json()[0] | {"type": "Vehicle"} == {
        "id": ID, "type": "Vehicle", "name": prop("n"), "speed": prop(3),
    }  # fmt: skip
    line = peer.asked[-1].split("\r\n")[0]
    assert line == f"GET /broker1/ngsi-ld/v1/entities?type=Vehicle&id={ID}&attrs=speed HTTP/1.1"
    await a.client.get(f"/entities/{ID}")
    assert peer.asked[-1].startswith(f"GET /broker1/ngsi-ld/v1/entities/{ID}?attrs=speed ")


async def test_a_plain_query_is_passed_on_as_it_came(brokers: Any, peer: Peer) -> None:
    [a] = await brokers(1)
    await a.knows(peer.url)
    answer(peer, [])
    await a.client.get("/entities?attrs=isParked2&type=Vehicle")
    assert peer.asked[-1].startswith("GET /ngsi-ld/v1/entities?attrs=isParked2&type=Vehicle ")
    await a.client.get("/entities?type=Vehicle&q=speed>20&scopeQ=/A&splitEntities=true")
    assert "q=" not in peer.asked[-1].split("\r\n")[0].replace("scopeQ", "")
    refused = await a.client.get("/entities?type=Vehicle&orderBy=name")
    assert refused.status_code == 400
    before = len(peer.asked)
    await a.client.get('/entities?type=Vehicle&csf=sourceType=="archive"')
    assert len(peer.asked) == before


async def test_only_what_the_registration_names_of_the_caller_goes_along(
    brokers: Any, peer: Peer
) -> None:
    [a] = await brokers(1)
    pairs = [
        {"key": "X-Fixed", "value": "f"},
        {"key": "user", "value": "urn:ngsi-ld:request"},
        {"key": "NGSILD-Tenant", "value": "evil"},
        {"key": "Via", "value": "1.1 evil"},
    ]
    await a.knows(peer.url, contextSourceInfo=pairs, tenant="theirs")
    answer(peer, {"id": ID, "type": "Vehicle"})
    headers = {"user": "abcd", "authorization": "Bearer secret", "cookie": "session=1"}
    await a.client.get(f"/entities/{ID}", headers=headers)
    head = peer.asked[-1].lower()
    assert "x-fixed: f\r\n" in head
    assert "user: abcd\r\n" in head
    assert "ngsild-tenant: theirs" in head
    assert "secret" not in head
    assert "session" not in head
    assert "evil" not in head
    assert f"via: 1.1 {a.sources.registry.alias}" in head


async def test_three_brokers_in_a_ring_answer_once(brokers: Any) -> None:
    a, b, c = await brokers(3)
    await c.make(ID, speed=SPEED)
    await a.knows(b.url)
    await b.knows(c.url)
    await c.knows(a.url)
    got = await a.client.get(f"/entities/{ID}")
    assert got.json()["speed"] == SPEED
    listed = await a.client.get("/entities", params={"type": "Vehicle"})
    assert [e["id"] for e in listed.json()] == [ID]


async def test_a_source_that_knows_only_queries_is_asked_for_one_entity_by_a_query(
    brokers: Any, peer: Peer
) -> None:
    for operation, verb in (("queryEntity", "GET"), ("queryBatch", "POST")):
        [a] = await brokers(1)
        await a.knows(peer.url, operations=[operation])
        answer(peer, [{"id": ID, "type": "Vehicle", "speed": SPEED}])
        got = await a.client.get(f"/entities/{ID}")
        assert (got.status_code, got.json()["speed"]) == (200, SPEED)
        assert peer.asked[-1].startswith(verb)
        if verb == "POST":
            assert json.loads(peer.bodies[-1])["entities"] == [{"type": "Vehicle", "id": ID}]
        answer(peer, [])
        none = await a.client.get(f"/entities/{ID}")
        assert none.status_code == 404
        assert "ngsild-warning" not in none.headers


async def test_linked_entities_are_found_wherever_they_lie(brokers: Any) -> None:
    a, b, c = await brokers(3)
    owner, home = "urn:ngsi-ld:Person:1", "urn:ngsi-ld:House:1"
    await a.make(ID, owner={"type": "Relationship", "object": owner})
    await b.make(owner, "Person", name=prop("Ann"), home={"type": "Relationship", "object": home})
    await c.make(home, "House", floors=prop(2))
    await a.knows(b.url, information=[{"entities": [{"type": "Person"}]}])
    await a.knows(
        c.url,
        operations=["retrieveEntity"],
        information=[{"entities": [{"type": "House", "idPattern": "House"}]}],
    )
    deep = {"join": "inline", "joinLevel": 2, "options": "concise"}
    got = (await a.client.get(f"/entities/{ID}", params=deep)).json()
    assert got["owner"]["entity"]["name"] == "Ann"
    assert got["owner"]["entity"]["home"]["entity"]["floors"] == 2
    flat = {"type": "Vehicle", "join": "flat"}
    listed = await a.client.get("/entities", params=flat)
    assert [e["id"] for e in listed.json()] == [ID, owner]
    alone = await a.client.get("/entities", params={**flat, "local": "true"})
    assert [e["id"] for e in alone.json()] == [ID]
    await c.end()
    lost = await a.client.get(f"/entities/{ID}", params=deep)
    assert lost.json()["owner"]["entity"]["name"] == "Ann"
    assert "199" in lost.headers["ngsild-warning"]
