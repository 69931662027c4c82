"""ETSI GS CIM 009 V1.9.1 clauses 5.10.2 and 5.12: which registrations a query finds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from broker_fixtures import Broker

BASE = "/csourceRegistrations"
NORTH: dict[str, Any] = {
    "id": "urn:ngsi-ld:ContextSourceRegistration:north",
    "type": "ContextSourceRegistration",
    "information": [
        {"entities": [{"id": "urn:x:v1", "type": "Vehicle"}], "propertyNames": ["speed"]},
        {"entities": [{"idPattern": ".*downtown$", "type": "Parking"}]},
    ],
    "endpoint": "http://north.example.com",
    "scope": "/Madrid/Centro",
    "location": {"type": "Point", "coordinates": [8.68, 49.41]},
    "sourceType": "sensor",
}
SOUTH: dict[str, Any] = {
    "id": "urn:ngsi-ld:ContextSourceRegistration:south",
    "type": "ContextSourceRegistration",
    "information": [{"entities": [{"type": "Vehicle"}, {"type": "Building"}]}],
    "endpoint": "http://south.example.com",
    "scope": "/Berlin",
}
PAST: dict[str, Any] = {
    **SOUTH,
    "id": "urn:ngsi-ld:ContextSourceRegistration:past",
    "endpoint": "http://past.example.com",
    "observationInterval": {"startAt": "2020-08-01T00:00:00Z", "endAt": "2021-08-01T00:00:00Z"},
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def broker(broker_of_module: Broker) -> AsyncIterator[Broker]:
    for one in (NORTH, SOUTH, PAST):
        made = await broker_of_module.client.post(BASE, json=one)
        assert made.status_code == 201, made.text
    yield broker_of_module
    for one in (NORTH, SOUTH, PAST):
        await broker_of_module.client.delete(f"{BASE}/{one['id']}")


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({"type": "Building"}, "south"),
        ({"type": "Vehicle"}, "north south"),
        ({"type": "Vehicle,Building"}, "north south"),
        ({"type": "Ship"}, ""),
        ({"type": "*"}, "north past south"),
        ({"id": NORTH["id"]}, "north"),
        ({"q": 'sourceType=="sensor"'}, "north"),
        ({"type": "Vehicle", "id": "urn:x:v2"}, "south"),
        ({"type": "Parking", "idPattern": ".*downtown$"}, "north"),
        ({"attrs": "speed"}, "north south"),
        ({"type": "Vehicle", "attrs": "colour"}, "south"),
        ({"type": "Vehicle", "csf": 'sourceType=="sensor"'}, "north"),
        ({"type": "Vehicle", "csf": 'endpoint=="http://south.example.com"'}, "south"),
        ({"type": "Vehicle", "q": 'sourceType=="sensor"'}, "north"),
        ({"type": "Vehicle", "scopeQ": "/Madrid/#"}, "north"),
        (
            {
                "type": "Vehicle",
                "georel": "near;maxDistance==2000",
                "geometry": "Point",
                "coordinates": "[8.68,49.41]",
            },
            "north",
        ),
        ({"type": "Vehicle", "timerel": "after", "timeAt": "2021-01-01T00:00:00Z"}, "past"),
        ({"type": "Vehicle", "timerel": "before", "timeAt": "2019-01-01T00:00:00Z"}, ""),
    ],
)
async def test_a_query_finds_what_may_hold_it(
    broker: Broker, params: dict[str, str], found: str
) -> None:
    got = await broker.client.get(BASE, params=params)
    assert got.status_code == 200, got.text
    assert sorted(r["id"].rpartition(":")[2] for r in got.json()) == found.split()


async def test_a_list_is_told_in_pages_and_counted(broker: Broker) -> None:
    got = await broker.client.get(BASE, params={"type": "Vehicle", "limit": 1, "count": "true"})
    assert len(got.json()) == 1
    assert "offset=1" in got.headers["link"]
    assert got.headers["ngsild-results-count"] == "2"
    none = await broker.client.get(BASE, params={"type": "Vehicle", "limit": 0, "count": "true"})
    assert none.status_code == 200
    assert none.json() == []


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"limit": "-1"},
        {"type": "V", "q": "("},
        {"type": "V", "csf": "=="},
        {"id": "no uri"},
        {"georel": "within"},
        {"type": "V", "timerel": "before"},
    ],
)
async def test_what_cannot_be_read_is_refused(broker: Broker, params: dict[str, str]) -> None:
    assert (await broker.client.get(BASE, params=params)).status_code == 400
