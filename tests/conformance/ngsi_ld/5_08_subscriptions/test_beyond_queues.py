"""Beyond the standard: full queues, what was given up, replay, and owners who lose their rights."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from nagara.context import Context
from nagara.context.ngsi.subscriptions import delivery
from nagara.context.ngsi.subscriptions.owners import Owners
from nagara.guard import Guard, system
from nagara.values.time import format_instant

Api = Any


async def test_a_full_queue_gives_up_its_oldest_which_can_be_told_again(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "QUEUE_MAX", 5)
    api.receiver.status = 500
    name = await api.subscribe()
    for number in range(8):
        await api.create(number, n=1)
    dead = f"/api/v1/subscriptions/{name}/dead"
    async with asyncio.timeout(25):
        while (await api.client.get(dead)).json()["count"] < 3:
            await asyncio.sleep(0.05)
    listed = (await api.client.get(dead)).json()
    assert [one["reason"] for one in listed["items"]] == ["queue-full"] * 3
    told = [one["notification"]["data"][0]["id"][-1] for one in listed["items"]]
    assert (told, listed["waiting"]) == (["0", "1", "2"], 5)
    shown = (await api.get(name))["notification"]
    assert shown["status"] == "failed"
    assert shown["timesFailed"] >= 3
    api.receiver.status = 204
    await api.receiver.heard(5)
    again = await api.client.post(f"{dead}/retry")
    assert (again.status_code, again.json()) == (200, {"queued": 3})
    await api.receiver.heard(8)
    assert [d["id"][-1] for d in api.receiver.data()] == [*"34567", *"012"]
    assert (await api.client.get(dead)).json()["count"] == 0


async def test_what_is_past_is_told_again_from_an_instant(api: Api) -> None:
    await api.create(0, n=0)
    await asyncio.sleep(0.01)
    began = format_instant(datetime.now(UTC))
    for number in range(1, 4):
        await api.create(number, n=0)
    name = await api.subscribe()
    path = f"/api/v1/subscriptions/{name}/replay"
    answer = await api.client.post(path, json={"from": began})
    assert answer.status_code == 202, answer.text
    await api.create(4, n=0)
    await api.receiver.heard(4)
    assert [d["id"][-1] for d in api.receiver.data()] == [*"1234"]
    later = format_instant(datetime.now(UTC) + timedelta(days=1))
    for wrong in ({}, {"from": "soon"}, {"from": later}, [], {"from": 7}):
        assert (await api.client.post(path, json=wrong)).status_code == 400, wrong
    assert (await api.client.post(path.replace(name, "urn:x:none"))).status_code == 404


async def test_an_owner_whose_token_is_gone_is_told_nothing(context: Context, guard: Guard) -> None:
    async with context.db.acquire() as conn:
        token, _ = await guard.tokens.create(
            conn, "broker", "partner", at=datetime.now(UTC), by=system("test")
        )
    owner = f"token:{token.id}"
    owners = Owners(context.db)
    await owners.refresh({owner, "token:none", "account:7", "system:city"})
    sight = owners.sight(owner)
    assert sight is not None
    assert sight.allows(("AirQualityObserved",))
    assert not sight.allows(("Device",))
    assert owners.find("token:none") is None
    assert owners.find("account:7") is None
    assert owners.find("system:city") is not None
    async with context.db.acquire() as conn:
        await guard.tokens.revoke(conn, token.id, at=datetime.now(UTC), by=system("test"))
    await owners.refresh({owner})
    assert owners.find(owner) is None
    assert owners.sight(owner) is None
