"""What is not public is not found through the standard APIs, whichever way a stranger asks."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import pytest_asyncio

from nagara.app import Application
from nagara.context import Create, Entity
from nagara.guard.identity import system

CASE, DEVICE = "urn:ngsi-ld:Case:th-pkt:leak-1", "urn:ngsi-ld:Device:th-pkt:leak-2"
UNKNOWN, OPEN = "urn:ngsi-ld:Diary:th-pkt:leak-3", "urn:ngsi-ld:AirQualityObserved:th-pkt:open-4"
MARK = "LEAK-MARK-7719"


def entity(entity_id: str, *types: str) -> Entity:
    attrs: dict[str, Any] = {
        "caseNumber": {"type": "Property", "value": MARK, "observedAt": "2026-11-21T03:00:00Z"},
        "location": {
            "type": "GeoProperty",
            "value": {"type": "Point", "coordinates": [98.39, 7.88]},
        },
    }
    return Entity(id=entity_id, types=types, attrs=attrs)


@pytest.fixture(scope="module")
def application(application_of_module: Application) -> Application:
    """One city for all of them: what they ask for stays as it was."""
    return application_of_module


@pytest_asyncio.fixture(scope="module")
async def filled(application: Application) -> Application:
    await application.context.write(
        Create(entity(CASE, "Case")),
        Create(entity(DEVICE, "Device")),
        Create(entity(UNKNOWN, "Diary")),
        Create(entity("urn:ngsi-ld:Mixed:th-pkt:leak-5", "AirQualityObserved", "Case")),
        actor=system("test").name_for_audit,
    )
    return application


def ways() -> list[str]:
    """Ways to ask for what one may not see."""
    found = []
    for entity_id in (CASE, DEVICE, UNKNOWN, "urn:ngsi-ld:Mixed:th-pkt:leak-5"):
        found += [
            f"/ngsi-ld/v1/entities/{entity_id}",
            f"/ngsi-ld/v1/entities/{entity_id}?options=keyValues",
            f"/ngsi-ld/v1/entities/{entity_id}?attrs=caseNumber",
            f"/ngsi-ld/v1/entities?id={entity_id}",
            f"/ngsi-ld/v1/entities?id={entity_id}&type=AirQualityObserved",
            f"/ngsi-ld/v1/temporal/entities/{entity_id}",
            f"/ngsi-ld/v1/temporal/entities?id={entity_id}",
        ]
    near = "georel=near%3BmaxDistance==5000&geometry=Point&coordinates=%5B98.39,7.88%5D"
    for kind in ("Case", "Device", "Diary", "AirQualityObserved", "Case,AirQualityObserved"):
        found += [
            f"/ngsi-ld/v1/entities?type={kind}",
            f"/ngsi-ld/v1/entities?type={kind}&count=true&limit=0",
            f'/ngsi-ld/v1/entities?type={kind}&q=caseNumber=="{MARK}"',
            f"/ngsi-ld/v1/entities?type={kind}&attrs=caseNumber",
            f"/ngsi-ld/v1/entities?type={kind}&{near}",
            f"/ngsi-ld/v1/temporal/entities?type={kind}",
            f"/ngsi-ld/v1/temporal/entities?type={kind}&lastN=5",
        ]
    return [
        *found,
        "/ngsi-ld/v1/entities?attrs=caseNumber",
        f'/ngsi-ld/v1/entities?q=caseNumber=="{MARK}"',
        "/ngsi-ld/v1/entities?idPattern=.*leak.*",
        f"/ngsi-ld/v1/entities?{near}",
        "/ngsi-ld/v1/entities?local=true",
        "/ngsi-ld/v1/temporal/entities?attrs=caseNumber",
        "/ngsi-ld/v1/types",
        "/ngsi-ld/v1/attributes",
        "/api/v1/cases",
        "/api/v1/stations",
        "/api/v1/city/now",
        "/api/v1/alerts",
        "/api/v1/indicators",
    ]


async def ask(client: httpx.AsyncClient, path: str, **headers: str) -> httpx.Response:
    return await client.get(path, headers=headers)


async def test_a_stranger_finds_nothing_closed_whichever_way_he_asks(
    filled: Application, browser: httpx.AsyncClient
) -> None:
    for path in ways():
        answer = await ask(browser, path)
        assert answer.status_code < 500, (path, answer.text)
        assert MARK not in answer.text, path
        if answer.status_code == 200:  # a refusal repeats the id that was asked for
            assert "leak-" not in answer.text, path
        if "count=true" in path:
            assert answer.headers.get("NGSILD-Results-Count", "0") == "0", path


async def test_what_is_hidden_and_what_is_not_there_get_the_same_answer(
    filled: Application, browser: httpx.AsyncClient
) -> None:
    absent = CASE.replace("leak-1", "none-1")
    for path in ("/ngsi-ld/v1/entities/{}", "/ngsi-ld/v1/temporal/entities/{}"):
        hidden, none = (
            await ask(browser, path.format(CASE)),
            await ask(browser, path.format(absent)),
        )
        assert (hidden.status_code, none.status_code) == (404, 404)
        assert hidden.text.replace(CASE, "") == none.text.replace(absent, "")


async def test_the_posted_query_finds_no_more_than_the_asked_one(
    filled: Application, browser: httpx.AsyncClient
) -> None:
    for body in (
        {"type": "Query", "entities": [{"type": "Case"}]},
        {"type": "Query", "entities": [{"id": CASE, "type": "Case"}]},
        {"type": "Query", "attrs": ["caseNumber"]},
        {"type": "Query", "q": f'caseNumber=="{MARK}"'},
    ):
        for path in (
            "/ngsi-ld/v1/entityOperations/query",
            "/ngsi-ld/v1/temporal/entityOperations/query",
        ):
            answer = await browser.post(path, json=body)
            assert answer.status_code < 500, (path, answer.text)
            assert MARK not in answer.text, (path, body)


async def test_a_steward_finds_them_so_that_the_test_above_can_fail(
    filled: Application, browser: httpx.AsyncClient
) -> None:
    guard = filled.guard
    async with guard.db.acquire() as conn:
        _, secret = await guard.tokens.create(
            conn, "a test", "administrator", at=guard.wall(), by=system("test")
        )
    headers = {"Authorization": f"Bearer {secret}"}
    for path in (
        f"/ngsi-ld/v1/entities/{CASE}",
        "/ngsi-ld/v1/entities?type=Case",
        f"/ngsi-ld/v1/temporal/entities/{CASE}",
    ):
        assert MARK in (await ask(browser, path, **headers)).text, path


async def test_a_partner_does_not_subscribe_to_what_he_may_not_see(
    filled: Application, browser: httpx.AsyncClient
) -> None:
    guard = filled.guard
    async with guard.db.acquire() as conn:
        _, secret = await guard.tokens.create(
            conn, "a test", "partner", at=guard.wall(), by=system("test")
        )
    headers = {"Authorization": f"Bearer {secret}"}
    body = {
        "type": "Subscription",
        "entities": [{"type": "Case"}],
        "notification": {"endpoint": {"uri": "https://partner.example/hook"}},
    }
    answer = await browser.post("/ngsi-ld/v1/subscriptions", json=body, headers=headers)
    assert answer.status_code in (201, 400, 403, 422), answer.text
