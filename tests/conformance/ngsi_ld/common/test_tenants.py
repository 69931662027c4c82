"""Tenants: made once, by who may, apart in everything (clauses 4.14, 5.5.10)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest_asyncio

from conformance.ngsi_ld.conftest import ngsi_app
from emptied import empty
from nagara.context import Context, Task
from nagara.guard import Guard
from nagara.guard.identity import system

V1 = "/ngsi-ld/v1"
TENANTS = "/api/v1/tenants"
Callers = dict[str, httpx.AsyncClient]
NAMES = ("partner", "partner2", "steward", "administrator")


@pytest_asyncio.fixture(scope="module")
async def known(context: Context, make_city_root: Callable[[], Path]) -> AsyncIterator[Callers]:
    """Clients with tokens, and a stranger."""
    guard = Guard(context.db, make_city_root(), wall=partial(datetime.now, UTC))
    await guard.start()
    app, notifier = ngsi_app(context, guard)
    context.add_reader(notifier.reader())
    context.spawn(Task("subscriptions", notifier.run))
    made: Callers = {}
    async with AsyncExitStack() as stack:
        for name in (*NAMES, "stranger"):
            headers = {}
            if name != "stranger":
                async with context.db.acquire() as conn:
                    _, secret = await guard.tokens.create(
                        conn, name, name.rstrip("2"), at=guard.wall(), by=system("test"), days=1
                    )
                headers = {"Authorization": f"Bearer {secret}"}
            made[name] = await stack.enter_async_context(
                httpx.AsyncClient(
                    transport=httpx.ASGITransport(app, client=("127.0.0.1", 40000)),
                    base_url="http://localhost",
                    headers=headers,
                )
            )
        yield made


@pytest_asyncio.fixture
async def callers(context: Context, known: Callers) -> Callers:
    """The clients, of a city that knows nothing but who they are."""
    await empty(context, known["administrator"])
    return known


def alert(n: int = 1) -> dict[str, Any]:
    return {"id": f"urn:x:{n}", "type": "AirQualityObserved", "pm25": n}


def absent(answer: httpx.Response) -> bool:
    return answer.status_code == 404 and answer.json()["type"].endswith("/NonexistentTenant")


async def test_fifty_first_writes_make_one_tenant(callers: Callers, context: Context) -> None:
    there = {"NGSILD-Tenant": "rush"}
    administrator = callers["administrator"]

    async def write(n: int) -> int:
        async with asyncio.timeout(60):
            made = await administrator.post(f"{V1}/entities", json=alert(n), headers=there)
        return made.status_code

    assert await asyncio.gather(*(write(n) for n in range(50))) == [201] * 50
    async with context.db.acquire() as conn:
        rows = await conn.fetch("select owner from context.tenant where name = 'rush'")
    assert len(rows) == 1
    assert rows[0]["owner"].startswith("token:")
    params = {"type": "AirQualityObserved", "count": "true", "limit": "0"}
    counted = await administrator.get(f"{V1}/entities", params=params, headers=there)
    assert counted.headers["ngsild-results-count"] == "50"


async def test_tenants_share_nothing(callers: Callers) -> None:
    administrator = callers["administrator"]
    a, b = {"NGSILD-Tenant": "ta"}, {"NGSILD-Tenant": "tb"}
    subscription = {
        "id": "urn:x:sub",
        "type": "Subscription",
        "entities": [{"type": "AirQualityObserved"}],
        "notification": {"endpoint": {"uri": "http://127.0.0.1:9/n"}},
    }
    for headers in (a, b):
        made = await administrator.post(f"{V1}/entities", json=alert(), headers=headers)
        assert made.status_code == 201
    assert (
        await administrator.post(f"{V1}/subscriptions", json=subscription, headers=a)
    ).status_code == 201
    await administrator.patch(f"{V1}/entities/urn:x:1/attrs/pm25", json={"value": 7}, headers=a)
    for headers, value in ((a, 7), (b, 1)):
        got = await administrator.get(f"{V1}/entities/urn:x:1", headers=headers)
        assert got.json()["pm25"]["value"] == value
    assert (await administrator.get(f"{V1}/subscriptions", headers=b)).json() == []
    assert (await administrator.delete(f"{V1}/entities/urn:x:1", headers=a)).status_code == 204
    assert (await administrator.get(f"{V1}/entities/urn:x:1", headers=b)).status_code == 200
    assert (await administrator.get(f"{V1}/entities/urn:x:1")).status_code == 404


async def test_a_tenant_is_seen_and_written_by_whom_its_lists_name(callers: Callers) -> None:
    administrator, steward, partner = (callers[n] for n in ("administrator", "steward", "partner"))
    there = {"NGSILD-Tenant": "harbour"}
    address = f"{V1}/entities/urn:x:1"
    assert (
        await administrator.post(f"{V1}/entities", json=alert(), headers=there)
    ).status_code == 201
    for client in callers.values():  # no lists: whom the policy lets
        assert (await client.get(address, headers=there)).status_code == 200
    lists = {"readers": ["role:partner"], "writers": ["role:steward"]}
    changed = await administrator.put(f"{TENANTS}/harbour", json=lists)
    assert changed.status_code == 200, changed.text
    assert (await partner.get(address, headers=there)).status_code == 200
    assert (await steward.get(address, headers=there)).status_code == 200  # who writes, sees
    assert (await steward.post(f"{V1}/entities", json=alert(2), headers=there)).status_code == 201
    stranger = callers["stranger"]
    query = {"type": "Query", "entities": [{"type": "AirQualityObserved"}]}
    assert absent(await stranger.get(address, headers=there))
    assert absent(await stranger.get(f"{V1}/entities?type=AirQualityObserved", headers=there))
    span = "timerel=after&timeAt=2020-01-01T00:00:00Z"
    assert absent(
        await stranger.get(f"{V1}/temporal/entities?type=AirQualityObserved&{span}", headers=there)
    )
    assert absent(await stranger.post(f"{V1}/entityOperations/query", json=query, headers=there))
    hosted = {"@context": {"a": "https://x.org/a"}}
    refused = await partner.post(f"{V1}/jsonldContexts", json=hosted, headers=there)
    assert refused.status_code == 403  # reads, does not write
    await administrator.put(f"{TENANTS}/harbour", json={"readers": [], "writers": []})
    for name in ("partner", "steward", "stranger"):
        assert absent(await callers[name].get(address, headers=there))
    assert absent(await steward.post(f"{V1}/entities", json=alert(3), headers=there))
    assert (await administrator.get(address, headers=there)).status_code == 200


async def test_tenants_are_listed_for_administrators(callers: Callers) -> None:
    administrator = callers["administrator"]
    for name in ("t2", "t1"):
        headers = {"NGSILD-Tenant": name}
        await administrator.post(f"{V1}/entities", json=alert(), headers=headers)
    listed = (await administrator.get(TENANTS)).json()
    assert [t["name"] for t in listed["tenants"]] == ["t1", "t2"]
    assert listed["total"] == 2
    assert (await administrator.get(f"{TENANTS}?limit=1&offset=1")).json()["tenants"][0][
        "name"
    ] == "t2"
    for name in ("steward", "partner", "stranger"):
        assert (await callers[name].get(TENANTS)).status_code in (401, 403)
        assert (await callers[name].put(f"{TENANTS}/t1", json={})).status_code in (401, 403)
    assert (await administrator.put(f"{TENANTS}/none", json={})).status_code == 404
    for wrong in ({"readers": ["everybody"]}, {"readers": ["role:a b"]}, {"more": 1}):
        assert (await administrator.put(f"{TENANTS}/t1", json=wrong)).status_code == 400


async def test_who_may_not_make_a_tenant_makes_none(callers: Callers, context: Context) -> None:
    there = {"NGSILD-Tenant": "mine"}
    for name, path, body in (
        ("steward", "entities", alert()),
        ("partner", "jsonldContexts", {"@context": {"a": "https://x.org/a"}}),
    ):
        refused = await callers[name].post(f"{V1}/{path}", json=body, headers=there)
        assert refused.status_code == 403, refused.text
    broken = await callers["administrator"].post(
        f"{V1}/entities", json={"id": "no uri"}, headers=there
    )
    assert broken.status_code == 400
    async with context.db.acquire() as conn:
        assert await conn.fetchval("select count(*) from context.tenant") == 0
