"""Clause 5.6.21: purge what a query finds, or attributes of it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from nagara.context import Context, Create, Entity
from nagara.guard.policy import Keeping

BASE = "/ngsi-ld/v1/entities"
Client = httpx.AsyncClient


async def test_what_a_query_finds_goes(ngsi: Client, make: Any) -> None:
    tower = await make("Tower", name={"value": "Eiffel"})
    other = await make("Tower", name={"value": "CN"})
    house = await make("House", name={"value": "Eiffel"})
    gone = await ngsi.delete(BASE, params={"type": "Tower", "q": 'name=="Eiffel"'})
    assert (gone.status_code, gone.text) == (204, "")
    states = [(await ngsi.get(at)).status_code for at in (tower, other, house)]
    assert states == [404, 200, 200]
    gone = await ngsi.delete(
        f"{BASE}/", params={"type": "Tower,House", "id": house[len(BASE) + 1 :]}
    )
    assert gone.status_code == 204
    states = [(await ngsi.get(at)).status_code for at in (other, house)]
    assert states == [200, 404]
    assert (await ngsi.delete(BASE, params={"type": "Nothing"})).status_code == 204


async def test_attributes_are_dropped_or_kept(ngsi: Client, make: Any, seen: Any) -> None:
    at = await make("Tower", a={"value": 1}, b={"value": 2}, c={"value": 3}, scope="/s")
    assert (await ngsi.delete(BASE, params={"type": "Tower", "drop": "a"})).status_code == 204
    assert (await seen(at)).keys() == {"id", "type", "b", "c", "scope"}
    keep = {"id": at[len(BASE) + 1 :], "keep": "b"}
    assert (await ngsi.delete(BASE, params=keep)).status_code == 204
    assert (await seen(at)).keys() == {"id", "type", "b", "scope"}
    drop = {"type": "Tower", "drop": "scope,b"}
    assert (await ngsi.delete(BASE, params=drop)).status_code == 204
    assert (await seen(at)).keys() == {"id", "type"}


async def test_what_is_too_wide_is_refused(ngsi: Client, make: Any) -> None:
    at = await make("Tower", name={"value": "x"})
    for params in (
        {},
        {"id": at[len(BASE) + 1 :]},
        {"idPattern": ".*"},
        {"attrs": "createdAt"},
        {"q": 'modifiedAt>"2020-01-01T00:00:00Z"'},
        {"type": "Tower", "keep": "a", "drop": "b"},
        {"type": "Tower", "q": 'owner{name}=="x"'},
        {"type": "Tower", "attrs": "owner{name}"},
    ):
        answer = await ngsi.delete(BASE, params=params)
        assert answer.status_code == 400, (params, answer.text)
        assert answer.json()["type"].endswith("/BadRequestData"), params
    assert (await ngsi.get(at)).status_code == 200


async def test_what_rooms_keep_stays(
    ngsi: Client, make: Any, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "keeping", Keeping("th-bkk"))
    case = Entity("urn:ngsi-ld:Case:th-bkk:2025-000009", ("Case",), {})
    await context.write(Create(case), actor="room:cases")
    at = await make("Tower")
    assert (await ngsi.delete(BASE, params={"type": "Case"})).status_code in (400, 403, 409)
    assert (await ngsi.delete(BASE, params={"local": "true"})).status_code == 204
    assert (await ngsi.get(at)).status_code == 404
    assert (await context.get(case.id)).version == 1
