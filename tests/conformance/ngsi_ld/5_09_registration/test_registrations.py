"""ETSI GS CIM 009 V1.9.1 clauses 5.9.2 to 5.9.5, 5.2.9 to 5.2.11, 5.2.34, 4.3.6.3, 4.20."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio

from broker_fixtures import Broker

BASE = "/csourceRegistrations"
VEHICLE = "urn:ngsi-ld:Vehicle:A1"
WHOLE: dict[str, Any] = {
    "id": "urn:ngsi-ld:ContextSourceRegistration:1",
    "type": "ContextSourceRegistration",
    "registrationName": "north",
    "description": "all that is north",
    "information": [
        {
            "entities": [{"id": VEHICLE, "type": "Vehicle"}],
            "propertyNames": ["brandName", "speed"],
            "relationshipNames": ["isParked"],
        },
        {"entities": [{"idPattern": ".*downtown$", "type": "OffStreetParking"}]},
    ],
    "tenant": "north",
    "observationInterval": {"startAt": "2020-08-01T22:07:00Z", "endAt": "2021-08-01T21:07:00Z"},
    "managementInterval": {"startAt": "2020-08-01T22:07:00Z"},
    "location": {"type": "Point", "coordinates": [8.68, 49.41]},
    "scope": ["/Madrid/Centro"],
    "datasetId": ["@none", "urn:x:d"],
    "mode": "inclusive",
    "operations": ["retrieveOps", "createEntity"],
    "refreshRate": "PT5M",
    "management": {"cacheDuration": "PT5M", "cooldown": 500, "timeout": 3000, "localOnly": True},
    "contextSourceInfo": [{"key": "X-Key", "value": "v"}],
    "contextSourceAlias": "north-broker",
    "expiresAt": "2999-01-01T00:00:00Z",
    "endpoint": "http://my.csource.org:1026",
    "csourceProperty1": "aValue",
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def broker(broker_of_module: Broker) -> Broker:
    return broker_of_module


def small(**members: Any) -> dict[str, Any]:
    return {
        "type": "ContextSourceRegistration",
        "information": [{"entities": [{"type": "Building"}]}],
        "endpoint": "http://my.csource.org:1026",
        **members,
    }


async def test_a_registration_comes_back_as_it_was_sent(broker: Broker) -> None:
    made = await broker.client.post(BASE, json=WHOLE)
    assert made.status_code == 201, made.text
    assert made.headers["location"] == f"/ngsi-ld/v1{BASE}/{WHOLE['id']}"
    got = await broker.client.get(f"{BASE}/{WHOLE['id']}")
    assert got.json() == WHOLE
    assert (await broker.client.post(BASE, json=WHOLE)).status_code == 409
    changed = {"endpoint": "http://my.new.csource.org:1026", "description": None}
    assert (await broker.client.patch(f"{BASE}/{WHOLE['id']}", json=changed)).status_code == 204
    got = (await broker.client.get(f"{BASE}/{WHOLE['id']}")).json()
    assert got["endpoint"] == changed["endpoint"]
    assert "description" not in got
    times = await broker.client.get(f"{BASE}/{WHOLE['id']}", params={"options": "sysAttrs"})
    assert {"createdAt", "modifiedAt"} <= times.json().keys()
    assert (await broker.client.delete(f"{BASE}/{WHOLE['id']}")).status_code == 204
    assert (await broker.client.get(f"{BASE}/{WHOLE['id']}")).status_code == 404
    assert (await broker.client.delete(f"{BASE}/{WHOLE['id']}")).status_code == 404
    assert (await broker.client.get(f"{BASE}/nothing")).status_code == 400


async def test_an_id_is_given_where_none_was(broker: Broker) -> None:
    made = await broker.client.post(BASE, json=small())
    name = made.headers["location"].rpartition("/")[2]
    assert name.startswith("urn:ngsi-ld:ContextSourceRegistration:")
    assert (await broker.client.delete(f"{BASE}/{name}")).status_code == 204


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "Subscription"},
        {"id": "no uri"},
        {"endpoint": "no address"},
        {"endpoint": "ftp://x"},
        {"information": []},
        {"information": [{}]},
        {"information": [{"entities": [{"id": "urn:x:1"}]}]},
        {"information": [{"entities": [{"type": "T", "id": "no uri"}]}]},
        {"information": [{"entities": [{"type": "T", "idPattern": "((((a+)+)+)+)$"}]}]},
        {"information": [{"propertyNames": "speed"}]},
        {"mode": "sometimes"},
        {"mode": "auxiliary", "operations": ["updateEntity"]},
        {"mode": "exclusive"},
        {"operations": ["fly"]},
        {"management": "yes"},
        {"management": {"cacheDuration": "bogus"}},
        {"management": {"cooldown": 0}},
        {"management": {"timeout": -5}},
        {"management": {"localOnly": "yes"}},
        {"expiresAt": "2001-01-01T00:00:00Z"},
        {"expiresAt": "soon"},
        {"observationInterval": {"endAt": "2021-01-01T00:00:00Z"}},
        {"location": {"type": "Point", "coordinates": "here"}},
        {"refreshRate": "often"},
        {"contextSourceInfo": [{"key": "a b", "value": "c"}]},
        {"contextSourceInfo": [{"key": "a", "value": "c\r\nd: e"}]},
        {"scope": "no scope!"},
        {"datasetId": ["none"]},
        {"tenant": "a b"},
        {"description": None},
    ],
)
async def test_what_is_wrong_is_refused_in_words(broker: Broker, wrong: dict[str, Any]) -> None:
    got = await broker.client.post(BASE, json=small(**wrong))
    assert got.status_code == 400, got.text
    assert got.json()["type"].endswith("/BadRequestData")


async def test_an_exclusive_registration_names_ids_and_attributes(broker: Broker) -> None:
    for part in (
        {"entities": [{"id": VEHICLE, "type": "Vehicle"}]},
        {"entities": [{"type": "Vehicle"}], "propertyNames": ["speed"]},
        {"entities": [{"type": "Vehicle", "idPattern": ".*"}], "propertyNames": ["speed"]},
    ):
        got = await broker.client.post(BASE, json=small(mode="exclusive", information=[part]))
        assert got.status_code == 400, got.text


async def test_two_sources_cannot_both_be_the_only_one(broker: Broker) -> None:
    part = {"entities": [{"id": VEHICLE, "type": "Vehicle"}], "propertyNames": ["speed"]}
    first = await broker.client.post(BASE, json=small(mode="exclusive", information=[part]))
    assert first.status_code == 201
    for mode, status in (("exclusive", 409), ("redirect", 409), ("inclusive", 201)):
        got = await broker.client.post(BASE, json=small(mode=mode, information=[part]))
        assert got.status_code == status, (mode, got.text)
        if status == 201:
            await broker.client.delete(f"{BASE}/{got.headers['location'].rpartition('/')[2]}")
    other = {**part, "propertyNames": ["colour"]}
    second = await broker.client.post(BASE, json=small(mode="exclusive", information=[other]))
    assert second.status_code == 201
    for made in (first, second):
        await broker.client.delete(f"{BASE}/{made.headers['location'].rpartition('/')[2]}")


async def test_what_lies_here_cannot_be_registered_as_lying_elsewhere(broker: Broker) -> None:
    await broker.make(VEHICLE, speed={"type": "Property", "value": 1})
    part = {"entities": [{"id": VEHICLE, "type": "Vehicle"}], "propertyNames": ["speed"]}
    for mode in ("exclusive", "redirect"):
        got = await broker.client.post(BASE, json=small(mode=mode, information=[part]))
        assert got.status_code == 409, got.text
        assert got.json()["type"].endswith("/Conflict")
    await broker.client.delete(f"/entities/{VEHICLE}")


async def test_registrations_survive_a_restart(broker: Broker) -> None:
    name = await broker.knows("http://my.csource.org:1026")
    await broker.sources.registry.load()
    assert broker.sources.registry.find("", name) is not None
    await broker.client.delete(f"{BASE}/{name}")


async def test_who_this_broker_is(broker: Broker) -> None:
    got = (await broker.client.get("/info/sourceIdentity")).json()
    assert got["type"] == "ContextSourceIdentity"
    assert got["contextSourceUptime"].startswith("PT")
    assert got["contextSourceTimeAt"].endswith("Z")
    other = await broker.client.get("/info/sourceIdentity", headers={"NGSILD-Tenant": "a"})
    assert other.json()["contextSourceAlias"] != got["contextSourceAlias"]
