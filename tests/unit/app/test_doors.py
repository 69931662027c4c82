"""Every door of the city: a stranger is let in only where the door says that it is public."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import httpx
import pytest

from nagara.app import Application
from nagara.context import stream
from nagara.guard.accounts import NewAccount
from nagara.guard.identity import system
from nagara.guard.permission import check_routes
from nagara.guard.policy import MATRIX, for_tokens

WEB = Path(__file__).parents[3] / "web"


@pytest.fixture(scope="module")
def application(application_of_module: Application) -> Application:
    """One city for all doors."""
    return application_of_module


def filled(path: str) -> str:
    """A path with something in the place of each parameter."""
    path = re.sub(r"\{[^}]*:uuid\}", "00000000-0000-0000-0000-000000000000", path)
    return re.sub(r"\{[^}]*\}", "1", path)


async def test_no_route_answers_a_stranger_who_has_no_right_to_it(
    application: Application, browser: httpx.AsyncClient
) -> None:
    asked = 0
    for path, method, permission in check_routes(application.litestar.routes):
        if permission is None or permission in MATRIX["anonymous"]:
            continue
        answer = await browser.request(method, filled(path), json={})
        assert answer.status_code in (401, 403), f"{method} {path}: {answer.status_code}"
        assert answer.headers["content-type"].startswith(
            ("application/problem+json", "application/json")
        )
        asked += 1
    assert asked > 40


async def test_public_routes_are_the_few_that_are_meant_to_be(application: Application) -> None:
    public = {
        f"{method} {path}"
        for path, method, permission in check_routes(application.litestar.routes)
        if permission is None and not path.startswith("/api/openapi")
    }
    assert public == {
        "GET /health/live",
        "GET /health/ready",
        "HEAD /health/live",
        "HEAD /health/ready",
        "GET /api/v1/session",
        "POST /api/v1/session",
        "DELETE /api/v1/session",
        "POST /ngsi-ld/ex/remote-notify",  # who knows a copy's id, which is random, may notify
    } & public | public & {"GET /api/v1/about"}
    assert "GET /health/live" in public


#: A call of the screens' door to the API: its verb, and the address with its gaps.
CALL = re.compile(
    r"\bapi\.(get|post|patch|put|delete|upload)\s*"
    r"(?:<(?:[^<>()]|<(?:[^<>()]|<[^<>()]*>)*>)*>)?\(\s*([`'])((?:(?!\2).)*)\2",
    re.S,
)


def called_by_screens() -> set[tuple[str, tuple[str, ...]]]:
    """Method and segments of each address that a screen calls; `*` is filled in at run time."""
    found = set()
    for file in (WEB / "src").rglob("*"):
        if file.suffix not in (".svelte", ".ts"):
            continue
        for verb, _, address in CALL.findall(file.read_text("utf-8")):
            path = re.sub(r"\$\{[^}]*\}", "*", address).partition("?")[0]
            segments = tuple(
                "*" if part.startswith("*") else part.rstrip("*")
                for part in path.strip("/").split("/")
            )
            found.add(({"upload": "POST"}.get(verb, verb.upper()), segments))
    return found


async def test_every_address_that_a_screen_calls_is_one_of_the_city(
    application: Application,
) -> None:
    """The screens' types are written by hand: at least no screen asks for what is not there."""
    routes: dict[str, list[tuple[str, ...]]] = {}
    for path, method, _ in check_routes(application.litestar.routes):
        segments = tuple("*" if "{" in part else part for part in path.strip("/").split("/"))
        routes.setdefault(method, []).append(segments)
    calls = called_by_screens()
    assert len(calls) > 100

    def is_there(method: str, called: tuple[str, ...]) -> bool:
        whole = called if called[0] in ("api", "ngsi-ld", "*") else ("api", "v1", *called)
        for route in routes.get(method, ()):
            # an address that begins with a gap stands behind one that is made elsewhere
            same = route[-len(whole) :] if whole[0] == "*" else route
            pairs = zip(same, whole, strict=False)
            if len(same) == len(whole) and all(a == b or "*" in (a, b) for a, b in pairs):
                return True
        return False

    assert not [call for call in sorted(calls) if not is_there(*call)]


async def test_an_unknown_address_says_so_in_the_language_asked_for(
    browser: httpx.AsyncClient,
) -> None:
    thai = await browser.get("/api/v1/nothing", headers={"accept-language": "th-TH,th;q=0.9"})
    english = await browser.get("/api/v1/nothing?lang=en")
    assert (thai.status_code, english.status_code) == (404, 404)
    assert english.json()["title"] == "Nothing is here"
    assert thai.json()["title"] == "ไม่พบสิ่งที่ขอ"
    assert english.headers["content-type"].startswith("application/problem+json")


async def test_no_door_breaks_at_a_nul_in_its_address(
    application: Application, browser: httpx.AsyncClient
) -> None:
    """PostgreSQL has no such character: whoever sends one is told so, and nothing is a defect."""
    guard, asked = application.guard, 0
    async with guard.db.acquire() as conn:
        _, secret = await guard.tokens.create(
            conn, "a test", "administrator", at=guard.wall(), by=system("test")
        )
    headers = {"Authorization": f"Bearer {secret}", "accept-language": "th"}
    for path, method, _ in check_routes(application.litestar.routes):
        address = filled(re.sub(r"\{[^}:]*:(?:str|path)\}", "a%00b", path))
        if method != "GET" or "%00" not in address:
            continue
        answer = await browser.get(address, headers=headers)
        assert answer.status_code < 500, f"{path}: {answer.text[:200]}"
        asked += 1
    assert asked > 30
    code = application.city.code
    told = await browser.get(f"/api/v1/alerts/urn:ngsi-ld:Alert:{code}:a%00b", headers=headers)
    assert (told.status_code, told.json()["code"]) == (400, "request-malformed")
    assert "อักขระ NUL" in told.json()["detail"]


async def test_health_tells_what_is_not_well(browser: httpx.AsyncClient) -> None:
    assert (await browser.get("/health/live")).json() == {"status": "live"}


async def test_security_headers_are_on_every_answer(browser: httpx.AsyncClient) -> None:
    for path in ("/health/live", "/api/v1/nothing", "/ngsi-ld/v1/entities?type=T"):
        headers = (await browser.get(path)).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"], path
        assert headers["x-content-type-options"] == "nosniff"


async def test_no_role_passes_a_door_that_is_not_its_own(
    application: Application, browser: httpx.AsyncClient
) -> None:
    guard, refused = application.guard, 0
    doors = check_routes(application.litestar.routes)
    for role in sorted(for_tokens()):
        async with guard.db.acquire() as conn:
            _, secret = await guard.tokens.create(
                conn, f"test of {role}", role, at=guard.wall(), by=system("test")
            )
        headers = {"Authorization": f"Bearer {secret}"}
        for path, method, permission in doors:
            if permission is None or permission in MATRIX[role]:
                continue
            answer = await browser.request(method, filled(path), json={}, headers=headers)
            assert answer.status_code == 403, f"{role}: {method} {path}: {answer.status_code}"
            refused += 1
    assert refused > 200


async def test_no_cookie_writes_through_any_door_without_the_sessions_token(
    application: Application, browser: httpx.AsyncClient
) -> None:
    guard, asked = application.guard, 0
    new = NewAccount("the.admin", "Test", ("administrator",))
    async with guard.db.acquire() as conn:
        who = await guard.accounts.create(conn, new, at=guard.wall(), by="system:test")
    _, secret = await guard.log_in(who.username, who.password, "127.0.0.1")
    headers = {"Cookie": f"nagara_session={secret}"}
    for path, method, _ in check_routes(application.litestar.routes):
        if method in ("GET", "HEAD") or path in ("/api/v1/session", "/api/v1/session/register"):
            continue
        answer = await browser.request(method, filled(path), json={}, headers=headers)
        assert answer.status_code == 403, f"{method} {path}: {answer.status_code}"
        assert answer.json()["type"].endswith("csrf-refused"), path
        asked += 1
    assert asked > 30
    assert (await guard.by_session(secret)).is_known


async def test_who_is_disabled_hears_nothing_more(
    application: Application, browser: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "ASK_AGAIN_S", 0.0)
    monkeypatch.setattr(stream, "HEARTBEAT_S", 0.05)
    guard = application.guard
    new = NewAccount("the.officer", "Test", ("officer",))
    async with guard.db.acquire() as conn:
        who = await guard.accounts.create(conn, new, at=guard.wall(), by="system:test")
    account, secret = await guard.log_in(who.username, who.password, "127.0.0.1")
    headers = {"Cookie": f"nagara_session={secret}"}
    listening = asyncio.create_task(browser.get("/api/v1/live", headers=headers, timeout=60))
    async with asyncio.timeout(30):
        while not len(application.context.live):
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.3)
    assert not listening.done()
    async with guard.db.acquire() as conn:
        await conn.execute("update guard.account set disabled_at = now() where id = $1", account.id)
    async with asyncio.timeout(30):
        assert (await listening).status_code == 200  # the stream has ended
