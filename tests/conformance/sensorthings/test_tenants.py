"""Tenants of the one store are apart in SensorThings too: in every read, write, count and batch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest_asyncio

from conformance.sensorthings.conftest import BASE, Client, service_app
from conformance.sensorthings.test_create_update_delete import THING
from nagara.city import City
from nagara.context import Context, Observe
from nagara.guard import Guard
from nagara.guard.identity import system

SETS = ("Things", "Locations", "HistoricalLocations", "Datastreams", "Sensors",
        "ObservedProperties", "Observations", "FeaturesOfInterest")  # fmt: skip
HEADER = "NGSILD-Tenant"


async def _whole(sta: Client, tenant: str, name: str) -> dict[str, int]:
    """A Thing with all that hangs on it, and the id of one entity of each set."""
    sta.http.headers[HEADER] = tenant
    await sta.post("Things", {**THING, "name": name})
    return {of: (await sta.ids(of))[0] for of in SETS}


async def test_two_tenants_see_nothing_of_each_other(sta: Client) -> None:
    of = {name: await _whole(sta, name, f"Thing of {name}") for name in ("north", "south", "")}
    for tenant, own in of.items():
        sta.http.headers[HEADER] = tenant
        for name in SETS:
            page = await sta.get(name, count="true")
            assert page["@iot.count"] == len(page["value"]) == (2 if name == "Observations" else 1)
            assert (await sta.get(f"{name}({own[name]})"))["@iot.id"] == own[name]
        for other in of.keys() - {tenant}:
            for name, number in of[other].items():
                await sta.get(f"{name}({number})", 404)
                assert await sta.ids(name, filter=f"id eq {number}") == []
                await sta.send("DELETE", f"{name}({number})", None, 404)
                await sta.send("PATCH", f"{name}({number})", {"name": "mine"}, 404)
            far = of[other]
            await sta.get(f"Things({own['Things']})/Datastreams({far['Datastreams']})", 404)
            value = {"result": 1, "Datastream": {"@iot.id": far["Datastreams"]}}
            await sta.post("Observations", value, 400)
            await sta.post(f"Datastreams({far['Datastreams']})/Observations", value, 404)
            linked = {**THING, "Locations": [{"@iot.id": far["Locations"]}]}
            await sta.post("Things", linked, 400)
            [said] = await sta.post(
                "CreateObservations",
                [{"Datastream": {"@iot.id": far["Datastreams"]}, "components": ["result"],
                  "dataArray": [[1]]}],
            )  # fmt: skip
            assert said.startswith("error")
            found = await sta.post("$batch", {"requests": [
                {"id": "1", "method": "get", "url": f"Things({far['Things']})"},
                {"id": "2", "method": "delete", "url": f"Things({far['Things']})"},
                {"id": "3", "atomicityGroup": "g", "method": "patch",
                 "url": f"Things({far['Things']})", "body": {"name": "mine"}},
            ]}, 200)  # fmt: skip
            assert [one["status"] for one in found["responses"]] == [404, 404, 404]
        near = "geo.distance(location, geography'POINT(100.5 13.7)') lt 1"
        assert await sta.ids("Locations", filter=near) == [own["Locations"]]
        assert await sta.ids("Things", filter="Datastreams/Observations/result gt 1") == [
            own["Things"]
        ]
        deep = await sta.get("Sensors", expand="Datastreams($expand=Thing,Observations)")
        [stream] = deep["value"][0]["Datastreams"]
        assert stream["Thing"]["name"] == f"Thing of {tenant}"
        assert len(stream["Observations"]) == 2


async def test_what_a_tenant_has_is_seen_through_every_standard(sta: Client) -> None:
    """The same id in two tenants is two entities, each with streams of its own."""
    urn = "urn:ngsi-ld:AirQualityObserved:x:1"
    for tenant, value in (("north", 1), ("", 2)):
        instance = {"type": "Property", "value": value, "observedAt": "2025-01-01T00:00:00Z"}
        op = Observe(urn, ("AirQualityObserved",), {"pm25": instance})
        await sta.context.write(op, actor="device:test", tenant=tenant)
    streams = {}
    for tenant, value in (("north", 1), ("", 2)):
        sta.http.headers[HEADER] = tenant
        [stream] = (await sta.get("Datastreams", expand="Observations,Sensor"))["value"]
        assert [one["result"] for one in stream["Observations"]] == [value]
        streams[tenant] = stream["@iot.id"], stream["Sensor"]["@iot.id"]
    assert not set(streams["north"]) & set(streams[""])
    sta.http.headers[HEADER] = "north"
    place = {"type": "Point", "coordinates": [100.5, 13.7]}
    feature = {"name": "f", "description": "d", "encodingType": "application/geo+json",
               "feature": place}  # fmt: skip
    made = await sta.post(
        f"Datastreams({streams['north'][0]})/Observations",
        {"result": 9, "FeatureOfInterest": feature},
    )
    entity = await sta.context.get(urn, "north")
    assert (entity.value("pm25"), (await sta.context.get(urn)).value("pm25")) == (9, 2)
    await sta.send("PATCH", f"Observations({made})", {"result": 10})
    assert (await sta.context.get(urn, "north")).value("pm25") == 10
    await sta.send("DELETE", f"Datastreams({streams['north'][0]})")
    assert await sta.ids("Datastreams") == []
    assert (await sta.context.get(urn)).value("pm25") == 2


async def test_the_header_is_answered_as_in_ngsi_ld(sta: Client) -> None:
    answer = await sta.http.get(f"{BASE}/Things", headers={HEADER: "nobody"})
    assert answer.status_code == 404
    assert answer.json()["code"] == "tenant-not-found"
    answer = await sta.http.get(f"{BASE}/Things", headers={HEADER: "no name!"})
    assert (answer.status_code, answer.json()["code"]) == (400, "tenant-invalid")
    body, named = {"name": "T", "description": "d"}, {HEADER: "first"}
    refused = await sta.http.post(f"{BASE}/Things", json={"name": "T"}, headers=named)
    assert refused.status_code == 400
    assert (await sta.http.get(f"{BASE}/Things", headers=named)).status_code == 404
    made = [sta.http.post(f"{BASE}/Things", json=body, headers=named) for _ in range(5)]
    assert [one.status_code for one in await asyncio.gather(*made)] == [201] * 5
    answer = await sta.http.get(f"{BASE}/Things?$count=true", headers=named)
    assert answer.json()["@iot.count"] == 5
    assert (answer.headers[HEADER], answer.headers["vary"]) == ("first", HEADER)
    keyed = {"Idempotency-Key": "once"}
    first = await sta.http.post(f"{BASE}/Things", json=body, headers={**keyed, **named})
    second = await sta.http.post(f"{BASE}/Things", json=body, headers=keyed)
    again = await sta.http.post(f"{BASE}/Things", json=body, headers={**keyed, **named})
    assert first.headers["location"] == again.headers["location"] != second.headers["location"]


@pytest_asyncio.fixture
async def callers(
    context: Context, city: City, city_root: Path
) -> AsyncIterator[dict[str, httpx.AsyncClient]]:
    """Clients with the roles of their names, of a city with a tenant that lists a reader."""
    guard = Guard(context.db, city_root, wall=partial(datetime.now, UTC))
    await guard.start()
    app, room = service_app(context, guard, city, city_root)
    for reader in room.readers:
        context.add_reader(reader)
    made = {}
    async with AsyncExitStack() as stack:
        for name in ("partner", "steward", "administrator"):
            async with context.db.acquire() as conn:
                _, secret = await guard.tokens.create(
                    conn, name, name, at=guard.wall(), by=system("test"), days=1
                )
            made[name] = await stack.enter_async_context(
                httpx.AsyncClient(
                    transport=httpx.ASGITransport(app, client=("127.0.0.1", 40002)),
                    base_url="http://localhost",
                    headers={"Authorization": f"Bearer {secret}", HEADER: "closed"},
                )
            )
        yield made


async def test_who_may_not_see_or_write_a_tenant_does_not(
    callers: dict[str, Any], context: Context
) -> None:
    body = {"name": "T", "description": "d"}
    answer = await callers["partner"].post(f"{BASE}/Things", json=body)
    assert answer.status_code == 403
    answer = await callers["administrator"].post(f"{BASE}/Things", json=body)
    assert answer.status_code == 201
    place = answer.headers["location"]
    batch = {"requests": [{"id": "1", "method": "get", "url": "Things"}]}
    assert (await callers["steward"].post(f"{BASE}/$batch", json=batch)).status_code == 200
    async with context.db.acquire() as conn:
        await conn.execute(
            "update context.tenant set readers = '{role:steward}', writers = '{}' where name = $1",
            "closed",
        )
    for method, address, code in (
        ("GET", f"{BASE}/Things", 200), ("GET", place, 200), ("PATCH", place, 403),
        ("DELETE", place, 403), ("POST", f"{BASE}/Things", 403),
    ):  # fmt: skip
        answer = await callers["steward"].request(method, address, json=body)
        assert answer.status_code == code, (method, answer.text)
        answer = await callers["partner"].request(method, address, json=body)
        assert answer.status_code in (403, 404), (method, answer.text)
    answer = await callers["steward"].post(f"{BASE}/$batch", json=batch)
    assert answer.status_code == 200
    batch["requests"][0]["method"] = "delete"
    raw = msgspec.json.encode(batch)
    answer = await callers["steward"].post(f"{BASE}/$batch", content=raw)
    assert answer.status_code == 403
    answer = await callers["partner"].get(f"{BASE}/Things", headers={HEADER: "closed"})
    assert answer.status_code == 404
