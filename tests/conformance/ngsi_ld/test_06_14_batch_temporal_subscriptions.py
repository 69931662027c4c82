"""ETSI GS CIM 009 V1.9.1: batch operations, temporal retrieval, subscriptions."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import msgspec
import pytest

Client = httpx.AsyncClient
V1 = "/ngsi-ld/v1"


def entity(i: int, value: Any = 1) -> dict[str, Any]:
    return {"id": f"urn:x:{i}", "type": "T", "n": {"type": "Property", "value": value}}


async def test_batches_do_what_can_be_done_and_say_what_cannot(ngsi: Client) -> None:
    create = await ngsi.post(f"{V1}/entityOperations/create", json=[entity(i) for i in range(3)])
    assert (create.status_code, len(create.json())) == (201, 3)
    partly = await ngsi.post(
        f"{V1}/entityOperations/create", json=[entity(2), entity(3), {"id": "bad", "type": "T"}]
    )
    assert partly.status_code == 207
    assert partly.json()["success"] == ["urn:x:3"]
    assert {e["entityId"] for e in partly.json()["errors"]} == {"urn:x:2", "bad"}
    upsert = await ngsi.post(f"{V1}/entityOperations/upsert", json=[entity(3, 9), entity(4)])
    assert (upsert.status_code, upsert.json()) == (201, ["urn:x:4"])
    again = await ngsi.post(f"{V1}/entityOperations/upsert", json=[entity(4, 8)])
    assert again.status_code == 204
    update = await ngsi.post(f"{V1}/entityOperations/update", json=[entity(4, 7), entity(99)])
    assert update.status_code == 207
    found = await ngsi.post(
        f"{V1}/entityOperations/query",
        json={"type": "Query", "entities": [{"type": "T"}], "q": "n>6"},
    )
    assert [e["n"]["value"] for e in found.json()] == [9, 7]
    gone = await ngsi.post(f"{V1}/entityOperations/delete", json=["urn:x:0", "urn:x:77"])
    assert gone.status_code == 207
    assert gone.json()["success"] == ["urn:x:0"]


async def test_history_is_read_by_time(ngsi: Client) -> None:
    for hour in range(4):
        body = entity(1)
        body["n"] |= {"value": hour, "observedAt": f"2025-05-22T0{hour}:00:00Z"}
        await ngsi.post(f"{V1}/entityOperations/upsert", json=[body])
    one = f"{V1}/temporal/entities/urn:x:1"
    full = (await ngsi.get(one)).json()
    assert [i["value"] for i in full["n"]] == [0, 1, 2, 3]
    assert all(i["instanceId"] for i in full["n"])
    span = {
        "timerel": "between",
        "timeAt": "2025-05-22T01:00:00Z",
        "endTimeAt": "2025-05-22T03:00:00Z",
    }
    part = (await ngsi.get(one, params={**span, "options": "temporalValues"})).json()
    assert part["n"]["values"] == [[1, "2025-05-22T01:00:00Z"], [2, "2025-05-22T02:00:00Z"]]
    last = (await ngsi.get(one, params={"lastN": 1})).json()
    assert last["n"][0]["value"] == 3
    many = await ngsi.get(
        f"{V1}/temporal/entities",
        params={"type": "T", "timerel": "after", "timeAt": "2025-05-22T03:00:00Z"},
    )
    assert many.json()[0]["n"][0]["value"] == 3
    assert (await ngsi.get(f"{V1}/temporal/entities", params={"type": "T"})).status_code == 400


class Receiver:
    """An HTTP server that takes notifications; `fail` makes it answer 500."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []
        self.headers: list[dict[str, str]] = []
        self.fail = False
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if not receiver.fail:
                    receiver.bodies.append(msgspec.json.decode(body))
                    receiver.headers.append(dict(self.headers))
                self.send_response(500 if receiver.fail else 204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/notify"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()


async def arrived(receiver: Receiver, count: int) -> None:
    async with asyncio.timeout(10):
        while len(receiver.bodies) < count:
            await asyncio.sleep(0.01)


def subscription(receiver: Receiver, **more: Any) -> dict[str, Any]:
    return {
        "id": "urn:x:sub",
        "type": "Subscription",
        "entities": [{"type": "T"}],
        "notification": {
            "format": "keyValues",
            "endpoint": {
                "uri": receiver.url,
                "accept": "application/json",
                "receiverInfo": [{"key": "X-Key", "value": "7"}],
            },
        },
        **more,
    }


async def test_changes_that_fit_are_told_and_others_are_not(
    ngsi: Client, receiver: Receiver
) -> None:
    made = await ngsi.post(f"{V1}/subscriptions", json=subscription(receiver, q="n>5"))
    assert made.status_code == 201, made.text
    for value in (1, 6, 3, 9):
        await ngsi.post(f"{V1}/entityOperations/upsert", json=[entity(value, value)])
    await arrived(receiver, 2)
    assert [b["data"][0]["n"] for b in receiver.bodies] == [6, 9]
    assert receiver.headers[0]["X-Key"] == "7"
    assert receiver.bodies[0]["subscriptionId"] == "urn:x:sub"
    async with asyncio.timeout(5):
        while True:
            kept = (await ngsi.get(f"{V1}/subscriptions/urn:x:sub")).json()
            if kept["notification"]["timesSent"] == 2:
                break
            await asyncio.sleep(0.02)
    assert kept["notification"]["lastSuccess"]
    listed = await ngsi.get(f"{V1}/subscriptions", params={"count": "true"})
    assert listed.headers["ngsild-results-count"] == "1"
    paused = await ngsi.patch(f"{V1}/subscriptions/urn:x:sub", json={"isActive": False})
    assert paused.status_code == 204
    assert (await ngsi.get(f"{V1}/subscriptions/urn:x:sub")).json()["status"] == "paused"
    assert (await ngsi.delete(f"{V1}/subscriptions/urn:x:sub")).status_code == 204
    assert (await ngsi.get(f"{V1}/subscriptions/urn:x:sub")).status_code == 404


async def test_a_receiver_that_was_away_gets_all_in_order(ngsi: Client, receiver: Receiver) -> None:
    receiver.fail = True
    await ngsi.post(f"{V1}/subscriptions", json=subscription(receiver, watchedAttributes=["n"]))
    for value in range(3):
        await ngsi.post(f"{V1}/entityOperations/upsert", json=[entity(value, value)])
    async with asyncio.timeout(10):
        while True:
            kept = (await ngsi.get(f"{V1}/subscriptions/urn:x:sub")).json()
            if kept["notification"]["timesFailed"]:
                break
            await asyncio.sleep(0.02)
    receiver.fail = False
    await arrived(receiver, 3)
    assert [b["data"][0]["id"] for b in receiver.bodies] == ["urn:x:0", "urn:x:1", "urn:x:2"]


@pytest.mark.parametrize(
    "change",
    [
        {"type": "Nonsense"},
        {"entities": None, "watchedAttributes": None},
        {"notification": {}},
        {"notification": {"endpoint": {"uri": "ftp://x"}}},
        {"q": "n>"},
        {"throttling": -1},
    ],
)
async def test_a_wrong_subscription_is_refused(
    ngsi: Client, receiver: Receiver, change: dict[str, Any]
) -> None:
    body = {**subscription(receiver), **change}
    body = {k: v for k, v in body.items() if v is not None}
    assert (await ngsi.post(f"{V1}/subscriptions", json=body)).status_code == 400


async def test_a_pattern_that_explodes_is_refused(ngsi: Client, receiver: Receiver) -> None:
    evil = "^([a-z:-]+)+X$"
    body = subscription(receiver, entities=[{"type": "T", "idPattern": evil}])
    refused = await ngsi.post(f"{V1}/subscriptions", json=body)
    assert refused.status_code == 400
    assert "repeat" in refused.json()["detail"]
    for params in ({"idPattern": evil}, {"idPattern": "a" * 201}, {"q": f'n~="{evil}"'}):
        asked = await ngsi.get(f"{V1}/entities", params={"type": "T", **params})
        assert asked.status_code == 400, asked.text


async def test_history_without_bounds_is_a_first_look(ngsi: Client) -> None:
    """TP 020_13, 020_14: a page by default; who says how much he wants gets it."""
    values = [
        {"type": "Property", "value": n, "observedAt": f"2020-01-01T01:{n:02}:00Z"}
        for n in range(40)
    ]
    made = await ngsi.post(
        f"{V1}/temporal/entities", json={"id": "urn:x:1", "type": "T", "n": values}
    )
    assert made.status_code == 201, made.text
    after = {"timerel": "after", "timeAt": "2019-01-01T00:00:00Z"}
    between = {**after, "timerel": "between", "endTimeAt": "2021-01-01T00:00:00Z"}
    year = {**between, "timeAt": "2020-01-01T00:00:00Z"}
    for params, status, count in (
        ({}, 206, 15),
        (after, 206, 15),
        (between, 206, 15),
        ({**between, "lastN": "20"}, 206, 15),
        ({"lastN": "10"}, 200, 10),
        ({"lastN": "30"}, 200, 30),
        (year, 200, 40),
        ({"local": "true"}, 200, 40),
    ):
        got = await ngsi.get(f"{V1}/temporal/entities/urn:x:1", params=params)
        assert (got.status_code, len(got.json()["n"])) == (status, count), params
