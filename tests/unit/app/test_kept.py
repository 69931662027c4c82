"""What clients write beside the city's own is no room's business."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx
import pytest

from nagara.app import Application
from nagara.guard.policy import KEPT_BY_ROOMS
from nagara.vocab import alert, case, device, indicator, member, network_process, project

V1 = "/ngsi-ld/v1"
MARK = "NONSENSE-4711"
#: Names that rooms read; they get values that no room would write.
NAMES = sorted(
    said
    for module in (alert, case, device, indicator, member, network_process, project)
    for name, said in vars(module).items()
    if name.isupper() and isinstance(said, str) and said[:1].islower()
)


def nonsense(type_: str, entity_id: str) -> dict[str, Any]:
    odd: list[Any] = [MARK, {"a": [MARK]}, -1e300, [[MARK]], True, "2026-99-99T00:00:00Z"]
    attrs: dict[str, Any] = {
        name: {"type": "Property", "value": odd[i % len(odd)]} for i, name in enumerate(NAMES)
    }
    place = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}
    attrs["location"] = {"type": "GeoProperty", "value": place}
    return {"id": entity_id, "type": type_, **attrs}


#: Lists in which a stray would count.
COUNTED = tuple(
    f"/api/v1/{path}"
    for path in ("alerts", "cases", "devices", "indicators", "projects", "plans", "city/now")
)


def lists_of(application: Application) -> list[str]:
    """Every address of the city's own API that is asked without a name."""
    return sorted(
        route.path
        for route in application.litestar.routes
        if "GET" in getattr(route, "methods", ())
        and route.path.startswith("/api/v1/")
        and "{" not in route.path
        and route.path not in ("/api/v1/live", "/api/v1/audit")
    )


async def seen(application: Application, client: httpx.AsyncClient) -> dict[str, str]:
    """What the rooms' lists and the screens say."""
    told = {}
    for path in lists_of(application):
        answer = await client.get(path)
        assert answer.status_code < 500, (path, answer.text)
        told[path] = answer.text
    return told


def size(told: str) -> int:
    """How long an answer is but for its instants, whose fractions end in no noughts."""
    return len(re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+", "", told))


async def at_rest(application: Application, client: httpx.AsyncClient) -> dict[str, str]:
    """The same, once the city has counted what it starts with: thrice alike, a second apart."""
    sizes: list[list[int]] = []
    for _ in range(60):
        told = await seen(application, client)
        sizes = [*sizes[-2:], [size(told[path]) for path in COUNTED]]
        if sizes[-1:] * 3 == sizes:
            return told
        await asyncio.sleep(1.0)
    raise AssertionError("the city does not come to rest")


async def settled(application: Application) -> None:
    """Every reader has read what is there, and none had trouble with it."""
    context = application.context
    await context.caught_up(60.0)
    for state in await context.reader_states():
        assert (state.dead, state.last_error) == (0, None), state


async def write(client: httpx.AsyncClient, body: dict[str, Any], tenant: str) -> None:
    """Make an entity, change it."""
    headers = {"NGSILD-Tenant": tenant} if tenant else {}
    answer = await client.post(f"{V1}/entities", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    change = {"state": {"type": "Property", "value": "resolved"}}
    place = f"{V1}/entities/{body['id']}/attrs"
    answer = await client.patch(place, json=change, headers=headers)
    assert answer.status_code == 204, answer.text


@pytest.mark.parametrize("application", [{"open": True}], indirect=True)
async def test_no_room_takes_for_its_own_what_clients_wrote(
    application: Application, browser: httpx.AsyncClient
) -> None:
    before = await at_rest(application, browser)
    types = sorted(KEPT_BY_ROOMS)
    own = {type_: f"urn:ngsi-ld:{type_}:th-pkt:{MARK}" for type_ in types}
    for type_, entity_id in own.items():
        body = nonsense(type_, entity_id)
        assert (await browser.post(f"{V1}/entities", json=body)).status_code == 403
        await write(browser, body, "harbour")
        for free_id in (f"urn:ngsi-ld:{type_}:{MARK}", f"urn:x:{MARK}:{type_}"):
            await write(browser, nonsense(type_, free_id), "")
    several = nonsense("", f"urn:x:{MARK}:all") | {"type": [*types, "Building"]}
    await write(browser, several, "")
    await settled(application)
    after = await seen(application, browser)
    assert len(after) > 20
    for path, told in after.items():
        assert MARK not in told, path
    for path in COUNTED:
        assert size(after[path]) == size(before[path]), (path, before[path], after[path])
    missing = await browser.get(f"/api/v1/alerts/urn:ngsi-ld:Alert:{MARK}")
    assert missing.status_code == 404
    # Nor is an entity of a room's to be fed by somebody's device.
    profile = sorted(application.ingest_service.registry.profiles)[0]
    device = {"id": "sly", "profile": profile, "entityId": own["Case"]}
    assert (await browser.post("/api/v1/devices", json=device)).status_code == 403
    for tenant, entity_id in (("harbour", own["Case"]), ("", several["id"])):
        headers = {"NGSILD-Tenant": tenant} if tenant else {}
        answer = await browser.delete(f"{V1}/entities/{entity_id}", headers=headers)
        assert answer.status_code == 204
    await settled(application)
