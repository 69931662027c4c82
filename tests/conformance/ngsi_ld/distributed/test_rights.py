"""Who may register, and what comes back through sources to whom."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from broker_fixtures import Broker, Peer

ID = "urn:ngsi-ld:Vehicle:1"
REGISTRATION = {
    "type": "ContextSourceRegistration",
    "information": [{"entities": [{"type": "Vehicle"}, {"type": "WeatherObserved"}]}],
}


@pytest_asyncio.fixture(loop_scope="session")
async def closed(brokers: Any) -> AsyncIterator[Broker]:
    """A broker that asks who somebody is."""
    [broker] = await brokers(1)
    broker.guard.open_mode = False
    yield broker
    broker.guard.open_mode = True


async def test_a_stranger_registers_nothing(closed: Broker, peer: Peer) -> None:
    body = {**REGISTRATION, "endpoint": peer.url}
    for method, path in (
        ("POST", "/csourceRegistrations"),
        ("GET", "/csourceRegistrations?type=Vehicle"),
        ("POST", "/csourceSubscriptions"),
        ("GET", "/csourceSubscriptions"),
        ("POST", "/snapshots"),
        ("DELETE", "/snapshots"),
    ):
        got = await closed.client.request(method, path, json=body if method == "POST" else None)
        assert got.status_code in (401, 403), (method, path, got.text)


async def test_what_policy_hides_stays_hidden_whoever_tells_it(brokers: Any, peer: Peer) -> None:
    [broker] = await brokers(1)
    await broker.knows(peer.url, information=REGISTRATION["information"])
    vehicle = {"id": ID, "type": "Vehicle", "speed": {"type": "Property", "value": 1}}
    weather = {"id": "urn:ngsi-ld:WeatherObserved:1", "type": "WeatherObserved"}
    peer.behave = peer.say(200, json.dumps([vehicle, weather]).encode())
    params = {"type": "Vehicle,WeatherObserved"}
    seen = await broker.client.get("/entities", params=params)
    assert len(seen.json()) == 2
    broker.guard.open_mode = False
    try:
        stranger = await broker.client.get("/entities", params=params)
        assert [e["id"] for e in stranger.json()] == [weather["id"]]  # a vehicle is unclassified
        peer.behave = peer.say(200, json.dumps(vehicle).encode())
        assert (await broker.client.get(f"/entities/{ID}")).status_code == 404
        written = await broker.client.delete(f"/entities/{ID}")
        assert written.status_code in (401, 403)
    finally:
        broker.guard.open_mode = True
