"""Promises of the room's routes, through the real guard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio
from litestar import Litestar
from prometheus_client import CollectorRegistry, generate_latest

from nagara.context.room import Floor
from nagara.guard import system
from nagara.guard.sessions import Tokens
from nagara.http.problem import EXCEPTION_HANDLERS
from nagara.ingest.room import IngestRoom, assemble
from nagara.pack import Pack, QualityLimits
from nagara.values.time import format_instant

PM25 = QualityLimits("pm25", "GQ", 0.5, 500.0, 10.0, 12, 3600.0, "made for the tests")
AIR = {"id": "d1", "profile": "air-json", "name": {"en": "One", "th": "หนึ่ง"}}


class Client:
    """A steward's program, and devices with their own secrets."""

    def __init__(self, http: httpx.AsyncClient, token: str, metrics: CollectorRegistry) -> None:
        self.http = http
        self.metrics = metrics
        self.as_steward = {"Authorization": f"Bearer {token}"}
        self.secrets: dict[str, str] = {}

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        said = {**self.as_steward, **headers}
        return await self.http.request(method, f"/api/v1{path}", json=body, headers=said)

    async def device(self, **changes: Any) -> dict[str, Any]:
        answer = await self.call("POST", "/devices", {**AIR, **changes})
        assert answer.status_code == 201, answer.text
        said: dict[str, Any] = answer.json()
        issued = await self.call("POST", f"/devices/{said['id']}/credential")
        self.secrets[said["id"]] = issued.json()["password"]
        return said

    async def push(self, device: str, body: bytes | Any, secret_of: str | None = None) -> Any:
        payload = body if isinstance(body, bytes) else msgspec.json.encode(body)
        who = secret_of or device
        return await self.http.post(
            f"/api/v1/ingest/{device}", content=payload, auth=(who, self.secrets[who])
        )

    async def totals(self) -> dict[str, int]:
        answer = await self.call("GET", "/counters")
        total: dict[str, int] = answer.json()["total"]
        parts = ("stored", "duplicate", "parked", "refused", "inFlight")
        assert total["received"] == sum(total[part] for part in parts)
        return total


@pytest_asyncio.fixture
async def client(floor: Floor) -> AsyncIterator[Client]:
    metrics = CollectorRegistry()
    room: IngestRoom = assemble(floor, None, [Pack("test", quality=(PM25,))], metrics)
    tasks = [asyncio.create_task(task.run()) for task in room.tasks]
    app = Litestar(
        [*room.routes],
        on_app_init=[floor.guard.on_app_init],
        exception_handlers=dict(EXCEPTION_HANDLERS),
        request_max_body_size=30_000_000,
    )
    async with floor.db.acquire() as conn:
        _, secret = await Tokens().create(
            conn, "test", "steward", at=datetime.now(UTC), by=system("test")
        )
    transport = httpx.ASGITransport(app)  # in this loop: the pool of connections is bound to it
    async with httpx.AsyncClient(transport=transport, base_url="http://city") as http:
        yield Client(http, secret, metrics)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def now() -> str:
    return format_instant(datetime.now(UTC).replace(microsecond=0))


async def test_a_device_is_registered_gets_a_secret_and_is_heard(client: Client) -> None:
    device = await client.device(location=[100.5, 13.75])
    assert device["entityId"] == "urn:ngsi-ld:AirQualityObserved:th-bkk:d1"
    answer = await client.push("d1", {"observedAt": now(), "pm25": 12.5})
    assert answer.status_code == 200
    assert answer.json()["stored"] == 1
    again = await client.call("GET", "/devices")
    (item,) = again.json()["items"]
    assert item["messages"] == 1
    assert item["observedAt"] is not None
    assert "password" not in again.text


async def test_hearing_a_push_twice_changes_nothing(client: Client) -> None:
    await client.device()
    body = {"observedAt": now(), "pm25": 12.5}
    assert (await client.push("d1", body)).json()["stored"] == 1
    assert (await client.push("d1", body)).json()["duplicate"] == 1
    assert (await client.totals())["received"] == 2


async def test_a_device_speaks_for_nobody_else(client: Client) -> None:
    await client.device()
    await client.device(id="d2")
    answer = await client.push("d1", {"observedAt": now(), "pm25": 12.5}, secret_of="d2")
    assert answer.status_code == 403
    assert answer.json()["code"] == "not-this-device"
    assert (await client.http.post("/api/v1/ingest/d1", content=b"{}")).status_code == 401
    assert (await client.totals())["refused"] == 1


async def test_a_device_cannot_spend_the_rate_of_another_nor_make_it_look_alive(
    client: Client,
) -> None:
    await client.device()
    await client.device(id="d2")
    for _ in range(3):
        answer = await client.push("d1", {"observedAt": now(), "pm25": 12.5}, secret_of="d2")
        assert answer.status_code == 403
    other = (await client.call("GET", "/devices/d1")).json()
    assert other["messages"] == 0
    assert other["heardAt"] is None
    reasons = (await client.call("GET", "/counters")).json()["reasons"]
    assert [(r["code"], r["lastDevice"]) for r in reasons] == [("not-this-device", "d2")]


@pytest.mark.parametrize("name", ["\u0000", "d1\u0000", "x" * 100_000, "\u202ed1", " \n"])
async def test_a_strange_name_of_a_device_stops_no_counting(client: Client, name: str) -> None:
    await client.device()
    item = {"device": name, "observedAt": now(), "pm25": 12.5}
    answer = await client.call("POST", "/ingest", [item])
    assert answer.status_code == 422
    assert answer.json()["refused"] == 1
    assert answer.json()["problems"][0]["code"] == "device-unknown"
    good = await client.push("d1", {"observedAt": now(), "pm25": 12.5})
    assert good.json()["stored"] == 1
    totals = await client.totals()
    assert (totals["refused"], totals["inFlight"]) == (1, 0)
    counters = (await client.call("GET", "/counters")).json()
    assert all(len(r["lastDevice"] or "") <= 64 for r in counters["reasons"])
    parked = await client.http.get(
        "/api/v1/parked", params={"device": name[:100]}, headers=client.as_steward
    )
    assert (parked.status_code, parked.json()["items"]) == (200, [])


async def test_what_was_parked_is_not_called_stored_when_it_is_sent_again(client: Client) -> None:
    await client.device()
    item = {"observedAt": now(), "pm25": {"value": 1, "unitCode": "ug"}}
    first, again = await client.push("d1", item), await client.push("d1", item)
    assert (first.status_code, again.status_code) == (422, 422)
    assert (first.json()["parked"], again.json()["duplicate"]) == (1, 1)
    assert again.json()["problems"][0]["code"] == "unit-unknown"


async def test_a_batch_tells_of_each_item_what_became_of_it(client: Client) -> None:
    await client.device()
    at = now()
    items = [
        {"device": "d1", "observedAt": at, "pm25": 12.5},
        {"device": "d1", "observedAt": at, "pm25": 12.5},
        {"device": "nobody", "observedAt": at, "pm25": 12.5},
        {"device": "d1", "pm25": 12.5},
        {"device": "d1", "observedAt": at, "pm25": {"value": 1, "unitCode": "ug"}},
        "what?",
    ]
    answer = await client.call("POST", "/ingest", items, **{"Accept-Language": "th"})
    assert answer.status_code == 207
    said = answer.json()
    counts = [said[k] for k in ("received", "stored", "duplicate", "parked", "refused")]
    assert counts == [6, 1, 1, 1, 3]
    told = [(p["index"], p["result"], p["code"]) for p in said["problems"]]
    assert told == [
        (2, "refused", "device-unknown"),
        (3, "refused", "observed-at-missing"),
        (4, "parked", "unit-unknown"),
        (5, "refused", "device-unknown"),
    ]
    assert said["problems"][0]["title"] == "ไม่รู้จักอุปกรณ์"
    await client.totals()


async def test_csv_is_read_by_its_header(client: Client) -> None:
    await client.device()
    rows = f"device,observedAt,pm25,temperature\nd1,{now()},12.5,31\nd1,2025-05-22T05:00:00Z,9,\n"
    answer = await client.http.post(
        "/api/v1/ingest",
        content=rows.encode(),
        headers={**client.as_steward, "Content-Type": "text/csv; charset=utf-8"},
    )
    assert answer.status_code == 200
    assert answer.json()["stored"] == 2


@pytest.mark.parametrize(
    ("body", "kind", "code", "status"),
    [
        (b"{", "application/json", "batch-unreadable", 400),
        (b"[]", "application/json", "batch-unreadable", 400),
        (b"[" * 100_000, "application/json", "batch-unreadable", 400),
        (b"name,pm25\nx,1\n", "text/csv", "batch-unreadable", 400),
        (b"\xff\xfe", "text/csv", "batch-unreadable", 400),
        (b"[" + b"{}," * 3_500_000 + b"{}]", "application/json", "batch-too-large", 413),
        (b"[" + b"{}," * 20_001 + b"{}]", "application/json", "batch-too-large", 413),
    ],
)
async def test_a_body_that_is_no_batch_gets_words(
    client: Client, body: bytes, kind: str, code: str, status: int
) -> None:
    answer = await client.http.post(
        "/api/v1/ingest", content=body, headers={**client.as_steward, "Content-Type": kind}
    )
    assert answer.status_code == status
    problem = answer.json()
    assert problem["code"] == code
    assert problem["hint"]


async def test_a_message_of_ten_megabytes_is_refused_with_words_and_counted(client: Client) -> None:
    await client.device()
    answer = await client.push("d1", b'{"pm25":' + b" " * 10_000_000 + b"1}")
    assert answer.status_code == 413
    assert answer.json()["code"] == "payload-too-large"
    assert (await client.totals())["refused"] == 1


async def test_what_cannot_be_read_is_parked_shown_and_replayed_after_the_fix(
    client: Client,
) -> None:
    await client.device()
    answer = await client.push("d1", {"observedAt": now(), "feinstaub": 12.5})
    assert answer.status_code == 422
    assert answer.json()["parked"] == 1
    shown = (await client.call("GET", "/parked", **{"Accept-Language": "en"})).json()
    (item,) = shown["items"]
    assert item["reason"]["code"] == "fields-unknown"
    assert "feinstaub" in item["reason"]["detail"]
    assert item["topic"] == "/api/v1/ingest/d1"
    assert shown["reasons"][0]["count"] == 1
    profile = {
        "name": "dust",
        "codec": "json",
        "entityType": "AirQualityObserved",
        "fields": {"feinstaub": {"attribute": "pm25", "unitCode": "GQ"}},
    }
    assert (await client.call("POST", "/device-profiles", profile)).status_code == 201
    assert (await client.call("PATCH", "/devices/d1", {"profile": "dust"})).status_code == 200
    assert (await client.call("POST", "/parked/replay", {})).json()["stored"] == 1
    assert (await client.call("GET", "/parked")).json()["items"] == []
    assert (await client.totals())["stored"] == 1
    assert (await client.call("POST", f"/parked/{item['id']}/replay")).status_code == 404


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"id": "a b"}, "device-invalid"),
        ({"profile": "none"}, "profile-unknown"),
        ({"entityId": "no uri"}, "device-invalid"),
        ({"location": [200, 0]}, "device-invalid"),
    ],
)
async def test_a_registration_with_a_mistake_is_told_which(
    client: Client, changes: dict[str, Any], code: str
) -> None:
    answer = await client.call("POST", "/devices", {**AIR, **changes})
    assert answer.json()["code"] == code


async def test_a_removed_device_has_no_secret_any_more(client: Client) -> None:
    await client.device()
    assert (await client.call("DELETE", "/devices/d1")).status_code == 204
    answer = await client.push("d1", {"observedAt": now(), "pm25": 12.5})
    assert answer.status_code == 401


async def test_counters_are_in_the_metrics(client: Client) -> None:
    await client.device()
    await client.push("d1", {"observedAt": now(), "pm25": 12.5})
    text = generate_latest(client.metrics).decode()
    assert 'nagara_ingest_received_total{source="http"} 1.0' in text
    assert 'nagara_ingest_stored_total{source="http"} 1.0' in text


async def test_a_timestamp_years_ahead_is_parked_with_the_citys_time(client: Client) -> None:
    await client.device()
    ahead = format_instant(datetime.now(UTC) + timedelta(days=3650))
    answer = await client.push("d1", {"observedAt": ahead, "pm25": 12.5})
    assert answer.status_code == 422
    (problem,) = answer.json()["problems"]
    assert problem["code"] == "observed-too-far-ahead"
    assert problem["city_time"] in problem["detail"]
