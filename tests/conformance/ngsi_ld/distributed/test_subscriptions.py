"""ETSI GS CIM 009 V1.9.1 clauses 5.8.1 to 5.8.6: subscriptions over several brokers."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from broker_fixtures import Peer

SUBSCRIPTIONS = "/subscriptions"
ID = "urn:ngsi-ld:Vehicle:1"
NULL = "urn:ngsi-ld:null"


def prop(value: Any, **more: Any) -> dict[str, Any]:
    return {"type": "Property", "value": value, **more}


async def subscribe(broker: Any, to: Peer, **members: Any) -> str:
    body = {
        "type": "Subscription",
        "entities": [{"type": "Vehicle"}],
        "notification": {"endpoint": {"uri": f"{to.url}/told"}},
        **members,
    }
    made = await broker.client.post(SUBSCRIPTIONS, json=body)
    assert made.status_code == 201, made.text
    return str(made.headers["location"].rpartition("/")[2])


async def until(found: Any) -> Any:
    """What `found` gives as soon as it gives anything."""
    end = time.monotonic() + 40
    while True:
        got = found()
        if asyncio.iscoroutine(got):
            got = await got
        if got:
            return got
        assert time.monotonic() < end, "nothing came"
        await asyncio.sleep(0.02)


async def copies(broker: Any, count: int) -> list[Any]:
    """The subscriptions of a broker, once they are so many."""

    async def listed() -> Any:
        got = (await broker.client.get(SUBSCRIPTIONS)).json()
        return [got] if len(got) == count else None

    return (await until(listed))[0]


def heard(peer: Peer, path: str = "/told") -> list[Any]:
    """The notifications that a receiver was sent."""
    return [
        json.loads(body)
        for head, body in zip(peer.asked, peer.bodies, strict=False)
        if head.startswith(f"POST {path}")
    ]


async def test_a_change_at_a_source_reaches_the_subscriber(brokers: Any, peer: Peer) -> None:
    a, b = await brokers(2)
    peer.behave = peer.say(200)
    await a.knows(b.url)
    name = await subscribe(a, peer, q="speed>50")
    [copy] = await copies(b, 1)
    assert copy["id"] != name
    assert copy["q"] == "speed>50"
    assert copy["notification"]["endpoint"]["uri"].startswith(a.url)
    await b.make(ID, speed=prop(80), brandName=prop("Tesla"))
    await b.make("urn:ngsi-ld:Vehicle:slow", speed=prop(10))
    [told] = await until(lambda: heard(peer))
    assert told["subscriptionId"] == name
    assert told["data"] == [
        {"id": ID, "type": "Vehicle", "speed": prop(80), "brandName": prop("Tesla")}
    ]
    assert (await a.client.delete(f"{SUBSCRIPTIONS}/{name}")).status_code == 204
    await copies(b, 0)


async def test_a_source_that_comes_later_gets_a_copy_and_one_that_goes_loses_it(
    brokers: Any, peer: Peer
) -> None:
    a, b = await brokers(2)
    peer.behave = peer.say(200)
    name = await subscribe(a, peer)
    local = await subscribe(a, peer, localOnly=True)
    speed = {"entities": [{"type": "Vehicle"}], "propertyNames": ["speed"]}
    source = await a.knows(b.url, information=[speed])
    [copy] = await copies(b, 1)
    assert copy["watchedAttributes"] == ["speed"]  # never more than it registered
    assert copy["notification"]["attributes"] == ["speed"]
    changed = await a.client.patch(
        f"{SUBSCRIPTIONS}/{name}", json={"entities": [{"type": "Vehicle", "id": ID}]}
    )
    assert changed.status_code == 204

    async def replaced() -> Any:
        got = (await b.client.get(SUBSCRIPTIONS)).json()
        return len(got) == 1 and got[0]["id"] != copy["id"] and got

    [other] = await until(replaced)
    assert other["entities"] == [{"id": ID, "type": "Vehicle"}]
    assert (await a.client.delete(f"/csourceRegistrations/{source}")).status_code == 204
    await copies(b, 0)
    assert {s["id"] for s in await copies(a, 2)} == {name, local}


async def test_what_is_not_asked_for_is_not_passed_on(brokers: Any, peer: Peer) -> None:
    a, b = await brokers(2)
    await a.knows(b.url, operations=["retrieveOps"])
    await a.knows(b.url, information=[{"entities": [{"type": "Ship"}]}])
    await subscribe(a, peer)
    await subscribe(a, peer, entities=[{"type": "Ship"}])
    [copy] = await copies(b, 1)
    assert copy["entities"] == [{"type": "Ship"}]


async def test_brokers_that_know_each_other_do_not_go_round(brokers: Any, peer: Peer) -> None:
    a, b = await brokers(2)
    peer.behave = peer.say(200)
    await a.knows(b.url)
    await b.knows(a.url)
    name = await subscribe(a, peer)
    await copies(b, 1)
    await a.make(ID, speed=prop(1))
    await until(lambda: heard(peer))
    await b.make("urn:ngsi-ld:Vehicle:2", speed=prop(2))
    await until(lambda: len(heard(peer)) > 1)
    assert [n["data"][0]["id"][-1] for n in heard(peer)] == ["1", "2"]
    assert [s["id"] for s in await copies(a, 1)] == [name]
    via = {"via": f"1.1 {a.sources.registry.alias}"}
    body = {
        "id": "urn:x:back",
        "type": "Subscription",
        "entities": [{"type": "Vehicle"}],
        "notification": {"endpoint": {"uri": peer.url}},
    }
    back = await a.client.post(SUBSCRIPTIONS, json=body, headers=via)
    assert back.status_code == 508


async def notify(broker: Any, peer: Peer, **entity: Any) -> int:
    """Be the source: notify of an entity. The copy is the last that was sent."""
    copy = sent(peer)[-1]
    body = {
        "type": "Notification",
        "subscriptionId": copy["id"],
        "data": [{"id": ID, "type": "Vehicle", **entity}],
    }
    got = await broker.client.post(copy["notification"]["endpoint"]["uri"], json=body)
    return int(got.status_code)


def sent(peer: Peer) -> list[Any]:
    return heard(peer, "/ngsi-ld/v1/subscriptions")


async def test_split_entities_are_put_together_and_looked_at_here(brokers: Any, peer: Peer) -> None:
    [a] = await brokers(1)
    peer.behave = peer.say(201)
    await a.knows(peer.url, operations=["federationOps"])
    q = "speed>50;brandName==%22Tesla%22"
    name = await subscribe(a, peer, q=q, splitEntities=True)
    [copy] = await until(lambda: sent(peer))
    assert "q" not in copy
    assert copy["splitEntities"] is True
    await a.make(ID, brandName=prop("Tesla"))
    assert await notify(a, peer, speed=prop(10)) == 200
    assert await notify(a, peer, speed=prop(99)) == 200
    [told] = await until(lambda: heard(peer))
    assert told["subscriptionId"] == name
    assert told["data"][0]["speed"] == prop(99)
    assert told["data"][0]["brandName"] == prop("Tesla")


async def test_what_is_gone_at_a_source_is_told_as_gone(brokers: Any, peer: Peer) -> None:
    [a] = await brokers(1)
    peer.behave = peer.say(201)
    await a.knows(peer.url)
    await subscribe(a, peer, splitEntities=True)
    await until(lambda: sent(peer))
    done = await notify(
        a, peer,
        speed=NULL,
        isParked={"object": NULL},
        label={"languageMap": {"@none": NULL}},
        brandName="Tesla",
    )  # fmt: skip
    assert done == 200
    [told] = await until(lambda: heard(peer))
    assert told["data"] == [
        {
            "id": ID,
            "type": "Vehicle",
            "brandName": prop("Tesla"),
            "speed": prop(NULL),
            "isParked": {"type": "Relationship", "object": NULL},
            "label": {"type": "LanguageProperty", "languageMap": {"@none": NULL}},
        }
    ]


async def test_only_who_has_a_copy_may_notify_and_only_of_what_it_registered(
    brokers: Any, peer: Peer
) -> None:
    [a] = await brokers(1)
    peer.behave = peer.say(201)
    part = {"entities": [{"type": "Vehicle"}], "propertyNames": ["speed"]}
    await a.knows(peer.url, information=[part])
    await subscribe(a, peer)
    [copy] = await until(lambda: sent(peer))
    uri = copy["notification"]["endpoint"]["uri"]
    body = {"type": "Notification", "subscriptionId": "urn:x:none", "data": [{"id": ID}]}
    assert (await a.client.post(uri, json=body)).status_code == 404
    for bad in ([], {}, {"type": "Note"}, {**body, "subscriptionId": copy["id"], "data": []}):
        assert (await a.client.post(uri, json=bad)).status_code == 400, bad
    lies = [None, {"id": 3}, {"id": ID, "type": "Alert"}, {"id": ID, "type": "Ship"}]
    lie = {**body, "subscriptionId": copy["id"], "data": lies}
    assert (await a.client.post(uri, json=lie)).status_code == 200
    assert await notify(a, peer, speed=prop(1), owner=prop("me")) == 200
    [told] = await until(lambda: heard(peer))
    assert told["data"] == [{"id": ID, "type": "Vehicle", "speed": prop(1)}]


async def test_a_source_that_is_away_hears_of_a_subscription_when_it_is_back(
    brokers: Any, peer: Peer
) -> None:
    [a] = await brokers(1)
    peer.behave = peer.say(500)
    await a.knows(peer.url)
    name = await subscribe(a, peer)
    await until(lambda: len(sent(peer)) > 1)
    assert len({copy["id"] for copy in sent(peer)}) == 1  # one copy, asked for again
    peer.behave = peer.say(201)
    await until(lambda: all(c.made for c in a.sources.relay.copies.values()))
    peer.behave = peer.say(500)
    await a.client.delete(f"{SUBSCRIPTIONS}/{name}")
    await until(lambda: [h for h in peer.asked if h.startswith("DELETE")])
    peer.behave = peer.say(204)
    await until(lambda: not a.sources.relay.copies)
