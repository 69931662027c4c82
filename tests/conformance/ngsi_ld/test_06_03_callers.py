"""Who calls: subscriptions belong to their owner, tenants are made by administrators (6.3.14)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from conformance.ngsi_ld.conftest import ngsi_app
from emptied import empty
from nagara.context import Context, Task
from nagara.context.ngsi import temporal
from nagara.guard import Guard
from nagara.guard.identity import system

V1 = "/ngsi-ld/v1"
Callers = dict[str, httpx.AsyncClient]
SECRET = {"key": "X-Key", "value": "hush"}


@pytest_asyncio.fixture(scope="module")
async def known(context: Context, make_city_root: Callable[[], Path]) -> AsyncIterator[Callers]:
    """Clients with tokens: two partners, a steward, an administrator."""
    guard = Guard(context.db, make_city_root(), wall=partial(datetime.now, UTC))
    await guard.start()
    app, notifier = ngsi_app(context, guard)
    context.add_reader(notifier.reader())
    context.spawn(Task("subscriptions", notifier.run))
    made: Callers = {}
    async with AsyncExitStack() as stack:
        for name in ("partner", "partner2", "steward", "administrator"):
            async with context.db.acquire() as conn:
                _, secret = await guard.tokens.create(
                    conn, name, name.rstrip("2"), at=guard.wall(), by=system("test"), days=1
                )
            made[name] = await stack.enter_async_context(
                httpx.AsyncClient(
                    transport=httpx.ASGITransport(app, client=("127.0.0.1", 40000)),
                    base_url="http://localhost",
                    headers={"Authorization": f"Bearer {secret}"},
                )
            )
        yield made


@pytest_asyncio.fixture
async def callers(context: Context, known: Callers) -> Callers:
    """The clients, of a city that knows nothing but who they are."""
    await empty(context, known["administrator"])
    return known


def subscription(uri: str = "http://127.0.0.1:9/n") -> dict[str, Any]:
    return {
        "id": "urn:x:sub",
        "type": "Subscription",
        "entities": [{"type": "Alert"}],
        "notification": {"endpoint": {"uri": uri, "receiverInfo": [SECRET]}},
    }


async def test_a_partner_sees_and_changes_his_own_subscriptions_only(callers: Callers) -> None:
    one = f"{V1}/subscriptions/urn:x:sub"
    made = await callers["partner"].post(f"{V1}/subscriptions", json=subscription())
    assert made.status_code == 201, made.text
    other = callers["partner2"]
    assert (await other.get(one)).status_code == 404
    assert (await other.patch(one, json={"isActive": False})).status_code == 404
    assert (await other.delete(one)).status_code == 404
    listed = await other.get(f"{V1}/subscriptions", params={"count": "true"})
    assert (listed.json(), listed.headers["ngsild-results-count"]) == ([], "0")
    own = (await callers["partner"].get(one)).json()
    assert own["notification"]["endpoint"]["receiverInfo"] == [SECRET]
    assert len((await callers["partner"].get(f"{V1}/subscriptions")).json()) == 1


async def test_a_steward_mends_without_seeing_secrets_or_giving_sight(
    callers: Callers, context: Context
) -> None:
    one = f"{V1}/subscriptions/urn:x:sub"
    await callers["partner"].post(f"{V1}/subscriptions", json=subscription())

    async def kept() -> tuple[dict[str, Any], str]:
        async with context.db.acquire() as conn:
            row = await conn.fetchrow("select doc, owner from context.subscription")
        assert row is not None
        return row["doc"], row["owner"]

    _, owner = await kept()  # what is told is what the owner may see (test_beyond_queues)
    steward = callers["steward"]
    seen = (await steward.get(one)).json()
    assert seen["notification"]["endpoint"]["receiverInfo"] == [{"key": "X-Key", "value": "…"}]
    change = {"notification": {"endpoint": seen["notification"]["endpoint"]}, "isActive": False}
    assert (await steward.patch(one, json=change)).status_code == 204
    after, owner_after = await kept()
    assert owner.startswith("token:")
    assert owner_after == owner
    assert after["notification"]["endpoint"]["receiverInfo"] == [SECRET]
    elsewhere = {**seen["notification"]["endpoint"], "uri": "http://127.0.0.1:10/mine"}
    led_away = await steward.patch(one, json={"notification": {"endpoint": elsewhere}})
    assert led_away.status_code == 400
    assert (await kept())[0]["notification"]["endpoint"]["uri"] == "http://127.0.0.1:9/n"
    assert (await steward.delete(one)).status_code == 204


async def test_tenants_are_made_by_who_may(callers: Callers) -> None:
    steward, administrator = callers["steward"], callers["administrator"]
    there = {"NGSILD-Tenant": "harbour"}
    entity = {"id": "urn:x:1", "type": "Alert", "state": "open"}

    async def absent(answer: httpx.Response) -> None:
        assert answer.status_code == 404, answer.text
        assert answer.json()["type"].endswith("/NonexistentTenant")

    span = {"timerel": "after", "timeAt": "2025-05-22T03:00:00Z"}
    for address, params in (
        (f"{V1}/entities", {"type": "Alert"}),
        (f"{V1}/entities/urn:x:1", {}),
        (f"{V1}/temporal/entities", {"type": "Alert", **span}),
        (f"{V1}/subscriptions", {}),
    ):
        await absent(await steward.get(address, params=params, headers=there))
    query = {"type": "Query", "entities": [{"type": "Alert"}]}
    await absent(await steward.post(f"{V1}/entityOperations/query", json=query, headers=there))
    await absent(await steward.delete(f"{V1}/entities/urn:x:1", headers=there))
    for address, body in (
        ("entities", entity),
        ("entityOperations/upsert", [entity]),
        ("subscriptions", subscription()),
    ):
        refused = await steward.post(f"{V1}/{address}", json=body, headers=there)
        assert refused.status_code == 403, refused.text
    broken = await administrator.post(f"{V1}/entities", json={"id": "x"}, headers=there)
    assert broken.status_code == 400
    await absent(await steward.get(f"{V1}/entities", params={"type": "Alert"}, headers=there))
    entity["type"] = "Buoy"
    made = await administrator.post(f"{V1}/entities", json=entity, headers=there)
    assert made.status_code == 201, made.text
    got = await steward.get(f"{V1}/entities", params={"type": "Buoy"}, headers=there)
    assert [e["id"] for e in got.json()] == ["urn:x:1"]
    again = await steward.post(f"{V1}/entities", json={**entity, "id": "urn:x:2"}, headers=there)
    assert again.status_code == 201


async def test_one_answer_tells_a_bounded_number_of_samples(
    callers: Callers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(temporal.consume, "INSTANCES_MAX", 7)
    steward = callers["steward"]
    for hour in range(3):
        batch = [
            {"id": f"urn:x:{i}", "type": "Buoy", "n": {"value": hour, "observedAt": at}}
            for i in range(5)
            for at in [f"2025-05-22T0{hour}:00:00Z"]
        ]
        sent = await steward.post(f"{V1}/entityOperations/upsert", json=batch)
        assert sent.status_code in (201, 204), sent.text
    params = {"type": "Buoy", "timerel": "after", "timeAt": "2025-05-22T00:00:00Z"}
    page = await steward.get(f"{V1}/temporal/entities", params=params)
    assert page.status_code == 206
    assert page.headers["content-range"].endswith("-2025-05-22T01:00:00Z/*")
    assert [len(e["n"]) for e in page.json()] == [2] * 5  # cut for all at one time: none has a gap
