"""Who sees and who writes; and that nothing sent to the service ends in a 500."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import msgspec
import pytest_asyncio

from conformance.sensorthings.conftest import BASE, service_app
from nagara.city import City
from nagara.context import Context, Observe
from nagara.guard import Guard
from nagara.guard.policy import Keeping

NASTY = [
    "'", "%", "%ff", "\x7f", "(" * 50, "a" * 5000, "1e999", "-0", "null", "𝔘", "'; drop table x--",
    "Things(1", "Things()", "Things(-1)", "Things(9223372036854775807)", "$ref", "$value",
    "Things(1)/properties/../x", "Observations(1)", "Observations(9223372036854775807)",
]  # fmt: skip


@pytest_asyncio.fixture
async def stranger(context: Context, city: City, city_root: Path) -> AsyncIterator[Any]:
    guard = Guard(context.db, city_root, wall=partial(datetime.now, UTC))
    await guard.start()
    app, room = service_app(context, guard, city, city_root)
    for reader in room.readers:
        context.add_reader(reader)
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 40001))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        yield http


async def _measure(context: Context, kind: str) -> None:
    value = {"type": "Property", "value": 1, "observedAt": "2025-01-01T00:00:00Z"}
    await context.write(
        Observe(f"urn:ngsi-ld:{kind}:x:1", (kind,), {"level": value}), actor="device:test"
    )


async def test_what_policy_hides_is_in_no_answer_and_no_count(
    stranger: httpx.AsyncClient, context: Context
) -> None:
    context.keeping = Keeping("x")
    for kind in ("WaterObserved", "SecretObserved", "Alert", "Device"):
        await _measure(context, kind)
    for path in ("Things", "Datastreams", "Observations"):
        answer = (await stranger.get(f"{BASE}/{path}?$count=true")).json()
        assert answer["@iot.count"] == 1, path
        assert len(answer["value"]) == 1
    answer = (await stranger.get(f"{BASE}/Observations?$expand=Datastream/Thing")).json()
    thing = answer["value"][0]["Datastream"]["Thing"]
    assert thing["properties"]["type"] == "WaterObserved"
    async with context.db.acquire() as conn:
        rows = await conn.fetch("select d.id, d.no from sensorthings.datastream d")
    assert len(rows) == 2  # alerts and devices are no Things for anybody
    seen = [(await stranger.get(f"{BASE}/Datastreams({row['id']})")).status_code for row in rows]
    assert sorted(seen) == [200, 404]
    seen = [
        (await stranger.get(f"{BASE}/Datastreams({row['id']})/Observations")).status_code
        for row in rows
    ]
    assert sorted(seen) == [200, 404]
    found = await stranger.get(
        f"{BASE}/ObservedProperties?$filter=Datastreams/Thing/properties/type eq 'SecretObserved'"
    )
    assert found.json()["value"] == []


async def test_a_type_of_the_rooms_under_an_id_of_ones_own_is_a_thing(
    stranger: httpx.AsyncClient, context: Context
) -> None:
    context.keeping = Keeping("x")
    value = {"type": "Property", "value": 1, "observedAt": "2025-01-01T00:00:00Z"}
    for own in ("urn:ngsi-ld:Device:x:1", "urn:x:my-device"):
        await context.write(Observe(own, ("Device",), {"level": value}), actor="device:test")
    assert (await stranger.get(f"{BASE}/Things")).status_code == 200  # all is numbered now
    async with context.db.acquire() as conn:
        rows = await conn.fetch(
            """select e.id from sensorthings.datastream d join context.entity e on e.no = d.no"""
        )
    assert [row["id"] for row in rows] == ["urn:x:my-device"]


async def test_a_stranger_writes_nothing(stranger: httpx.AsyncClient, context: Context) -> None:
    await _measure(context, "WaterObserved")
    [one] = (await stranger.get(f"{BASE}/Things")).json()["value"]
    thing = f"{BASE}/Things({one['@iot.id']})"
    body = {"name": "x", "description": "y"}
    answers = [
        await stranger.post(f"{BASE}/Things", json=body),
        await stranger.post(f"{BASE}/CreateObservations", json=[]),
        await stranger.patch(thing, json=body),
        await stranger.put(thing, json=body),
        await stranger.delete(thing),
    ]
    assert {answer.status_code for answer in answers} <= {401, 403}
    batch = {"requests": [{"id": "0", "method": "post", "url": "Things", "body": body},
                          {"id": "1", "method": "get", "url": "Things"}]}  # fmt: skip
    answer = (await stranger.post(f"{BASE}/$batch", json=batch)).json()
    assert [one["status"] for one in answer["responses"]] == [403, 200]


async def test_nothing_that_is_sent_ends_in_a_500(sta: Any) -> None:
    bodies = [None, 1, "x", [], {}, {"name": None}, {"name": 5, "description": {}},
              {"Locations": 5}, {"Datastreams": [[]]}, {"@iot.id": {}}]  # fmt: skip
    for nasty in NASTY:
        said = quote(nasty, safe="()$'/")
        for path in (said, f"Things({said})", f"Things/{said}", f"Things(1)/Datastreams({said})"):
            answer = await sta.http.get(f"{BASE}/{path}")
            assert answer.status_code < 500, (path, answer.text)
        for option in ("filter", "orderby", "expand", "select", "top", "skip", "skiptoken"):
            for of in ("Things", "Observations"):
                answer = await sta.http.get(f"{BASE}/{of}?${option}={said}")
                assert answer.status_code < 500, (option, nasty, answer.text)
    for body in bodies:
        for path in ("Things", "Locations", "Datastreams", "Observations", "CreateObservations",
                     "$batch", "HistoricalLocations", "Things(1)", "Nothing"):  # fmt: skip
            patched = await sta.http.patch(
                f"{BASE}/{path}",
                content=msgspec.json.encode(body),
                headers={"Content-Type": "application/json-patch+json"},
            )
            assert 400 <= patched.status_code < 500, (path, body, patched.text)
            answer = await sta.http.post(f"{BASE}/{path}", json=body)
            assert 400 <= answer.status_code < 500 or body == [], (path, body, answer.text)
    for kind in ("multipart/mixed", "multipart/mixed;boundary=b", "multipart/mixed;boundary="):
        for sent in (b"", b"--b", b"--b\r\n\r\n--b--", b"\xff\xfe", b"--b\r\nContent-Type: "
                     b"multipart/mixed;boundary=c\r\n\r\n--c--\r\n--b--",
                     b"--b\r\nContent-Type: application/http\r\n\r\nGET\r\n--b--"):  # fmt: skip
            answer = await sta.http.post(
                f"{BASE}/$batch", content=sent, headers={"Content-Type": kind}
            )
            assert 400 <= answer.status_code < 500, (kind, sent, answer.text)
