"""ETSI GS CIM 009 V1.9.1 clauses 5.11.2 to 5.11.7 and 5.3.2: told of registrations."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from broker_fixtures import Broker, Peer
from nagara.context.ngsi.fetch import demand_public
from nagara.context.ngsi.sources.watcher import Watcher

BASE = "/csourceSubscriptions"
NAME = "urn:ngsi-ld:Subscription:1"
REGISTRATION = "urn:ngsi-ld:ContextSourceRegistration:1"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def broker(broker_of_module: Broker) -> Broker:
    return broker_of_module


@pytest_asyncio.fixture(loop_scope="session")
async def told(peer: Peer) -> AsyncIterator[Peer]:
    peer.behave = peer.say(200)
    yield peer


def watch(peer: Peer, **members: Any) -> dict[str, Any]:
    return {
        "id": NAME,
        "type": "Subscription",
        "entities": [{"type": "Building"}],
        "notification": {"endpoint": {"uri": f"{peer.url}/notify", "accept": "application/json"}},
        **members,
    }


def registration(kind: str = "Building", **members: Any) -> dict[str, Any]:
    return {
        "id": REGISTRATION,
        "type": "ContextSourceRegistration",
        "information": [{"entities": [{"type": kind}]}, {"entities": [{"type": "Ship"}]}],
        "endpoint": "http://my.csource.org:1026",
        **members,
    }


async def heard(peer: Peer, count: int) -> list[dict[str, Any]]:
    until = time.monotonic() + 20
    while len(peer.bodies) < count:
        assert time.monotonic() < until, peer.asked
        await asyncio.sleep(0.02)
    return [json.loads(body) for body in peer.bodies]


async def heard_of(peer: Peer, kind: str) -> dict[str, Any]:
    """The first told registration of a type; another test's last words may be on their way."""
    until = time.monotonic() + 20
    while True:
        for body in map(json.loads, peer.bodies):
            if kind in json.dumps(body["data"][0]["information"]):
                return dict(body)
        assert time.monotonic() < until, peer.asked
        await asyncio.sleep(0.02)


async def test_it_is_told_what_comes_changes_and_goes(broker: Broker, told: Peer) -> None:
    made = await broker.client.post(BASE, json=watch(told))
    assert made.status_code == 201, made.text
    assert made.headers["location"] == f"/ngsi-ld/v1{BASE}/{NAME}"
    await broker.client.post("/csourceRegistrations", json=registration())
    [first] = await heard(told, 1)
    assert first["type"] == "ContextSourceNotification"
    assert first["subscriptionId"] == NAME
    assert first["triggerReason"] == "newlyMatching"
    assert [r["id"] for r in first["data"]] == [REGISTRATION]
    assert first["data"][0]["information"] == [{"entities": [{"type": ["Building"]}]}]
    path = f"/csourceRegistrations/{REGISTRATION}"
    await broker.client.patch(path, json={"description": "d"})
    assert (await heard(told, 2))[1]["triggerReason"] == "updated"
    await broker.client.patch(path, json={"information": [{"entities": [{"type": "Tree"}]}]})
    assert (await heard(told, 3))[2]["triggerReason"] == "noLongerMatching"
    await broker.client.patch(path, json={"information": [{"entities": [{"type": "Building"}]}]})
    await broker.client.delete(path)
    reasons = [n["triggerReason"] for n in await heard(told, 5)]
    assert reasons[3:] == ["newlyMatching", "noLongerMatching"]
    got = (await broker.client.get(f"{BASE}/{NAME}")).json()
    assert got["status"] == "active"
    assert got["notification"]["timesSent"] == 5
    assert {"lastNotification", "lastSuccess"} <= got["notification"].keys()
    assert (await broker.client.delete(f"{BASE}/{NAME}")).status_code == 204
    assert (await broker.client.get(f"{BASE}/{NAME}")).status_code == 404


async def test_it_is_told_what_matched_already(broker: Broker, told: Peer) -> None:
    await broker.client.post("/csourceRegistrations", json=registration())
    await broker.client.post(BASE, json=watch(told, timeInterval=1))
    first, second = (await heard(told, 2))[:2]
    assert first["triggerReason"] == second["triggerReason"] == "newlyMatching"
    await broker.client.delete(f"{BASE}/{NAME}")
    await broker.client.delete(f"/csourceRegistrations/{REGISTRATION}")


async def test_a_change_of_it_tells_what_matches_now(broker: Broker, told: Peer) -> None:
    await broker.client.post("/csourceRegistrations", json=registration("Bus"))
    await broker.client.post(BASE, json=watch(told))
    changed = await broker.client.patch(f"{BASE}/{NAME}", json={"entities": [{"type": "Bus"}]})
    assert changed.status_code == 204
    [first] = await heard(told, 1)
    assert [r["id"] for r in first["data"]] == [REGISTRATION]
    await broker.client.delete(f"{BASE}/{NAME}")
    await broker.client.delete(f"/csourceRegistrations/{REGISTRATION}")


async def test_what_comes_too_soon_is_left_out(broker: Broker, told: Peer) -> None:
    other = f"{NAME}0"  # is told of a change after NAME was
    await broker.client.post(BASE, json=watch(told, throttling=3_600))
    await broker.client.post(BASE, json=watch(told) | {"id": other})
    await broker.client.post("/csourceRegistrations", json=registration())
    await heard(told, 2)
    path = f"/csourceRegistrations/{REGISTRATION}"
    await broker.client.patch(path, json={"description": "d"})
    notes = await heard(told, 3)
    assert [n["subscriptionId"] for n in notes].count(other) == 2
    assert [n["subscriptionId"] for n in notes].count(NAME) == 1
    got = (await broker.client.get(f"{BASE}/{NAME}")).json()
    assert (got["throttling"], got["notification"]["timesSent"]) == (3_600, 1)
    for name in (NAME, other):
        await broker.client.delete(f"{BASE}/{name}")
    await broker.client.delete(path)


async def test_the_word_after_a_change_waits_for_its_time(broker: Broker, told: Peer) -> None:
    await broker.client.post("/csourceRegistrations", json=registration())
    await broker.client.post(BASE, json=watch(told, throttling=1))
    await heard(told, 1)
    await broker.client.patch(f"{BASE}/{NAME}", json={"description": "d"})
    first, second = (datetime.fromisoformat(n["notifiedAt"]) for n in await heard(told, 2))
    assert (second - first).total_seconds() >= 1
    await broker.client.delete(f"{BASE}/{NAME}")
    await broker.client.delete(f"/csourceRegistrations/{REGISTRATION}")


async def test_one_that_has_ended_may_be_changed_but_not_to_end_in_the_past(
    broker: Broker, told: Peer
) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=1)
    made = await broker.client.post(BASE, json=watch(told, expiresAt=soon.isoformat()))
    assert made.status_code == 201, made.text
    path = f"{BASE}/{NAME}"
    until = time.monotonic() + 20
    while (await broker.client.get(path)).json()["status"] != "expired":
        assert time.monotonic() < until
        await asyncio.sleep(0.05)
    assert (await broker.client.patch(path, json={"description": "d"})).status_code == 204
    got = (await broker.client.get(path)).json()
    assert (got["description"], got["status"]) == ("d", "expired")
    past = await broker.client.patch(path, json={"expiresAt": "2001-01-01T00:00:00Z"})
    assert past.status_code == 400
    later = await broker.client.patch(path, json={"expiresAt": "2999-01-01T00:00:00Z"})
    assert later.status_code == 204
    assert (await broker.client.get(path)).json()["status"] == "active"
    await broker.client.delete(path)


async def test_a_periodic_one_goes_on_after_a_restart(broker: Broker, told: Peer) -> None:
    await broker.client.post(BASE, json=watch(told, timeInterval=3_600))
    await heard(told, 1)
    sources = broker.sources
    again = Watcher(
        broker.context,
        sources.contexts,
        sources.registry,
        lambda url: demand_public(url, frozenset(), True),
    )
    await again.load()
    task = asyncio.create_task(again.run())
    try:
        await heard(told, 2)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        sources.registry.watchers.pop()
    await broker.client.delete(f"{BASE}/{NAME}")


@pytest.mark.parametrize(
    ("wishes", "members"),
    [
        ({"watchedAttributes": ["name"]}, {"information": [
            {"entities": [{"type": "Building"}], "propertyNames": ["name"]}]}),
        ({"geoQ": {"georel": "near;maxDistance==2000", "geometry": "Point",
                   "coordinates": [-8.52, 41.2]}},
         {"location": {"type": "Point", "coordinates": [-8.521, 41.2]}}),
        ({"temporalQ": {"timerel": "after", "timeAt": "2020-06-01T22:07:00Z"}},
         {"observationInterval": {"startAt": "2020-08-01T22:07:00Z"}}),
        ({"csf": 'sourceType=="sensor"'}, {"sourceType": "sensor"}),
        ({"scopeQ": "/Madrid/#"}, {"scope": "/Madrid/Centro"}),
    ],
)  # fmt: skip
async def test_its_wishes_are_heard(
    broker: Broker, told: Peer, wishes: dict[str, Any], members: dict[str, Any]
) -> None:
    await broker.client.post(BASE, json=watch(told, **wishes))
    for name, kind, more in (("2", "Tree", members), ("1", "Building", members)):
        body = registration(kind, **more) | {"id": REGISTRATION[:-1] + name}
        if name == "2":
            body["information"] = [{"entities": [{"type": "Tree"}]}]
        made = await broker.client.post("/csourceRegistrations", json=body)
        assert made.status_code == 201, made.text
    first = await heard_of(told, "Building")
    assert [r["id"] for r in first["data"]] == [REGISTRATION]
    await broker.client.delete(f"{BASE}/{NAME}")
    for name in "12":
        await broker.client.delete(f"/csourceRegistrations/{REGISTRATION[:-1]}{name}")


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "Watch"},
        {"entities": []},
        {"notification": None},
        {"notification": {"endpoint": {"uri": "nowhere"}}},
        {"watchedAttributes": []},
        {"timeInterval": -1},
        {"timeInterval": 0},
        {"throttling": -1},
        {"throttling": "5"},
        {"throttling": True},
        {"throttling": 5, "timeInterval": 5},
        {"expiresAt": "2001-01-01T00:00:00Z"},
        {"csf": "=="},
        {"q": "("},
    ],
)
async def test_what_is_wrong_is_refused(broker: Broker, told: Peer, wrong: dict[str, Any]) -> None:
    got = await broker.client.post(BASE, json=watch(told, **wrong))
    assert got.status_code == 400, got.text


async def test_a_receiver_that_refuses_is_noted(broker: Broker, told: Peer) -> None:
    told.behave = told.say(500)
    await broker.client.post(BASE, json=watch(told))
    await broker.client.post("/csourceRegistrations", json=registration())
    until = time.monotonic() + 20
    while True:
        got = (await broker.client.get(f"{BASE}/{NAME}")).json()["notification"]
        if got.get("status") == "failed":
            break
        assert time.monotonic() < until, got
        await asyncio.sleep(0.05)
    assert {"lastFailure", "lastNotification", "timesFailed"} <= got.keys()
    await broker.client.delete(f"{BASE}/{NAME}")
    await broker.client.delete(f"/csourceRegistrations/{REGISTRATION}")
