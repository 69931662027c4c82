"""Permissions, CSRF, tokens, devices, rate limits, headers: through the routes."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest
from litestar import Litestar, get

from nagara.guard import Guard, allow
from nagara.guard.assembly import check_app, check_open_mode
from nagara.guard.errors import OpenModeRefused
from nagara.guard.gate import Limits
from nagara.guard.identity import system
from nagara.guard.limits import Limit
from nagara.guard.permission import RouteWithoutPermission, check_routes
from nagara.guard.sessions import COOKIE, TOKEN_PREFIX, new_secret
from unit.guard.doors import ORIGIN, Browse, Wall, add_account, app_of, log_in


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


async def make_token(guard: Guard, role: str, by: Any = None, days: int = 30) -> str:
    async with guard.db.acquire() as conn:
        _, secret = await guard.tokens.create(
            conn, "a test", role, at=guard.wall(), by=by or system("test"), days=days
        )
    return secret


# --- permissions ------------------------------------------------------------------------------


async def test_every_route_refuses_a_stranger_unless_it_is_declared_open(
    guard: Guard, browse: Browse
) -> None:
    app = app_of(guard)
    closed = 0
    async with browse() as client:
        for path, method, permission in check_routes(app.routes):
            filled = path.replace("{account:uuid}", "0" * 32).replace("{token:uuid}", "0" * 32)
            answer = await client.request(method, filled, json={})
            if permission is None or permission in {
                "notice:read", "account:open", "person:forget", "report:create",
            }:  # fmt: skip
                assert answer.status_code != 401 or path == "/api/v1/session"
            else:
                closed += 1
                assert answer.status_code == 401, (method, path, answer.text)
    assert closed >= 12


def test_an_app_with_a_route_without_permission_does_not_start(guard: Guard) -> None:
    @get("/forgotten")
    async def forgotten() -> str:
        return "oops"

    @get("/misspelt", opt={"permission": "case:raed"})
    async def misspelt() -> str:
        return "oops"

    with pytest.raises(RouteWithoutPermission, match=r"GET /forgotten, GET /misspelt"):
        check_app(Litestar([forgotten, misspelt], openapi_config=None))


def test_a_permission_that_does_not_exist_is_found_at_import() -> None:
    with pytest.raises(ValueError, match="case:raed"):
        allow("case:raed")


async def test_known_but_not_allowed_is_403_and_a_stranger_401(
    guard: Guard, browse: Browse
) -> None:
    who = await add_account(guard, "somying", "resident")
    async with browse() as client:
        assert (await client.get("/api/v1/accounts")).status_code == 401
        await log_in(client, who)
        refused = await client.get("/api/v1/accounts")
        assert (refused.status_code, refused.json()["permission"]) == (403, "account:read")


# --- escalation -------------------------------------------------------------------------------


async def test_nobody_raises_himself(guard: Guard, browse: Browse) -> None:
    admin = await add_account(guard, "chief.admin", "administrator")
    officer = await add_account(guard, "niran", "officer")
    async with browse() as a, browse() as o:
        admin_csrf = await log_in(a, admin)
        officer_csrf = await log_in(o, officer)
        mine = (await o.get("/api/v1/session")).json()["account"]["id"]
        raised = {"roles": ["administrator"]}
        tried = await o.patch(f"/api/v1/accounts/{mine}", json=raised, headers=officer_csrf)
        assert tried.status_code == 403
        own = (await a.get("/api/v1/session")).json()["account"]["id"]
        for change in ({"roles": ["chief"]}, {"disabled": True}, {"departments": ["roads"]}):
            answer = await a.patch(f"/api/v1/accounts/{own}", json=change, headers=admin_csrf)
            assert answer.json()["code"] == "own-rights"
        for role in ("anonymous", "device", "root"):
            answer = await a.patch(
                f"/api/v1/accounts/{mine}", json={"roles": [role]}, headers=admin_csrf
            )
            assert answer.json()["code"] == "role-unknown"
        extra = {"roles": ["officer"], "password": "hidden field"}
        slipped = await a.patch(f"/api/v1/accounts/{mine}", json=extra, headers=admin_csrf)
        assert slipped.status_code == 400


async def test_strange_words_in_accounts_and_tokens_are_refused_in_words(
    guard: Guard, browse: Browse
) -> None:
    admin = await add_account(guard, "chief.admin", "administrator")
    person = {"username": "niran", "name": "N\0", "roles": ["officer"]}
    token = {"name": "x", "role": "officer"}
    async with browse() as client:
        csrf = await log_in(client, admin)
        for path, body, code in (
            ("accounts", {**person, "departments": ["a\0b"]}, "department-invalid"),
            ("accounts", {**person, "departments": ["../x"]}, "department-invalid"),
            ("accounts", {**person, "username": "a\0b"}, "username-invalid"),
            ("accounts", {**person, "roles": ["a\0b"]}, "role-unknown"),
            ("accounts", {**person, "roles": []}, "role-unknown"),
            ("accounts", {**person, "password": "short"}, "password-length"),
            ("tokens", {**token, "name": "a\0b"}, "token-name-invalid"),
            ("tokens", {**token, "name": " "}, "token-name-invalid"),
            ("tokens", {**token, "role": "a\0b"}, "role-unknown"),
            ("tokens", {**token, "days": 0}, "token-life-invalid"),
            ("tokens", {**token, "days": 10**9}, "token-life-invalid"),
        ):
            answer = await client.post(f"/api/v1/{path}", json=body, headers=csrf)
            assert answer.json().get("code") == code, (path, body, answer.text)
        made = await client.post("/api/v1/accounts", json=person, headers=csrf)
        assert made.status_code == 201
        listed = (await client.get("/api/v1/accounts")).json()["items"]
        assert "niran" in {one["username"] for one in listed}


async def test_the_last_administrator_stays(make_guard: Callable[..., Guard]) -> None:
    guard = make_guard()
    first = await guard.start()
    assert first is not None
    assert await guard.start() is None  # shown once, made once
    async with guard.db.acquire() as conn:
        (only,) = await guard.accounts.list_all(conn)
        with pytest.raises(Exception, match="last-administrator"):
            await guard.accounts.change(
                conn, only.id, by=system("test"), at=guard.wall(), disabled=True
            )
    with pytest.raises(Exception, match="last-administrator"):
        await guard.erase_person(only.person, system("test"))
    account, _ = await guard.log_in(first.username, first.password, "10.0.0.1")
    assert account.roles == ("administrator",)


async def test_changed_rights_hold_from_the_next_request(guard: Guard, browse: Browse) -> None:
    admin = await add_account(guard, "chief.admin", "administrator")
    who = await add_account(guard, "niran", "officer")
    async with browse() as a, browse() as o:
        csrf = await log_in(a, admin)
        await log_in(o, who)
        assert (await o.get("/cases")).status_code == 200
        mine = (await o.get("/api/v1/session")).json()["account"]["id"]
        body = {"roles": ["resident"]}
        assert (
            await a.patch(f"/api/v1/accounts/{mine}", json=body, headers=csrf)
        ).status_code == 200
        assert (await o.get("/cases")).status_code == 403


# --- CSRF -------------------------------------------------------------------------------------


async def test_a_cookie_alone_cannot_write(guard: Guard, browse: Browse) -> None:
    who = await add_account(guard, "data.steward", "steward")
    async with browse() as client:
        csrf = (await log_in(client, who))["X-CSRF-Token"]
        post = client.post
        assert (await post("/write")).json()["code"] == "csrf-refused"
        wrong = await post("/write", headers={"X-CSRF-Token": new_secret()})
        assert wrong.json()["code"] == "csrf-refused"
        cookie_as_token = await post("/write", headers={"X-CSRF-Token": client.cookies[COOKIE]})
        assert cookie_as_token.json()["code"] == "csrf-refused"
        for headers in (
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
        ):
            answer = await post("/write", headers={"X-CSRF-Token": csrf, **headers})
            assert answer.json()["code"] == "cross-site-refused"
        good = {"X-CSRF-Token": csrf, "Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}
        assert (await post("/write", headers=good)).status_code == 201
        assert (await client.get("/api/v1/session")).json()["csrf"] == csrf


async def test_the_csrf_token_of_another_session_does_not_fit(guard: Guard, browse: Browse) -> None:
    who = await add_account(guard, "data.steward", "steward")
    async with browse() as mine, browse() as theirs:
        await log_in(mine, who)
        other = await log_in(theirs, who)
        assert (await mine.post("/write", headers=other)).json()["code"] == "csrf-refused"


async def test_another_site_cannot_report_in_a_residents_name(browse: Browse) -> None:
    async with browse() as client:
        answer = await client.post("/report", headers={"Origin": "https://evil.example"})
        assert answer.status_code == 403
        assert (await client.post("/report")).status_code == 201


# --- tokens -----------------------------------------------------------------------------------


async def test_a_token_acts_by_its_role_until_it_is_revoked(guard: Guard, browse: Browse) -> None:
    admin = await add_account(guard, "chief.admin", "administrator")
    async with browse() as client, browse() as program:
        csrf = await log_in(client, admin)
        body = {"name": "nightly export", "role": "officer"}
        made = (await client.post("/api/v1/tokens", json=body, headers=csrf)).json()
        secret, token = made["secret"], made["token"]["id"]
        assert secret.startswith(TOKEN_PREFIX)
        assert (await program.get("/cases", headers=bearer(secret))).json() == {
            "seen": f"token:{token}"
        }
        assert (await program.post("/write", headers=bearer(secret))).status_code == 403
        listed = await client.get("/api/v1/tokens")
        assert secret not in listed.text
        assert listed.json()["items"][0]["lastUsedOn"] == "2026-11-21"
        path = f"/api/v1/tokens/{token}"
        assert (await client.delete(path, headers=csrf)).status_code == 204
        assert (await program.get("/cases", headers=bearer(secret))).status_code == 401
        assert (await client.delete(path, headers=csrf)).json()["code"] == "token-unknown"


async def test_a_token_falls_with_the_account_that_made_it(guard: Guard, browse: Browse) -> None:
    await add_account(guard, "second.admin", "administrator")
    async with guard.db.acquire() as conn:
        found = await guard.accounts.find_by_username(conn, "second.admin")
    assert found is not None
    owner = found[0]
    secret = await make_token(guard, "steward", owner.actor())
    async with browse() as program:
        assert (await program.post("/write", headers=bearer(secret))).status_code == 201
        for change in ({"roles": ("steward",)}, {"disabled": True}):
            async with guard.db.acquire() as conn:
                await guard.accounts.change(
                    conn, owner.id, by=system("test"), at=guard.wall(), **change
                )
            guard.forget_all()
            answer = await program.post("/write", headers=bearer(secret))
            assert answer.json()["code"] == "credential-refused"


async def test_a_token_ends_by_itself(guard: Guard, browse: Browse, wall: Wall) -> None:
    secret = await make_token(guard, "officer", days=2)
    async with browse() as program:
        wall.pass_(days=1)
        assert (await program.get("/cases", headers=bearer(secret))).status_code == 200
        wall.pass_(days=1, seconds=1)
        assert (await program.get("/cases", headers=bearer(secret))).status_code == 401


async def test_nobody_gives_a_token_more_than_he_has(guard: Guard) -> None:
    await add_account(guard, "niran", "officer")
    async with guard.db.acquire() as conn:
        found = await guard.accounts.find_by_username(conn, "niran")
        assert found is not None
        with pytest.raises(Exception, match="role-unknown"):
            await guard.tokens.create(
                conn, "escape", "administrator", at=guard.wall(), by=found[0].actor()
            )


async def test_a_strange_authorization_is_refused_in_words(browse: Browse) -> None:
    async with browse() as client:
        for header in (
            b"Bearer",
            b"Bearer ",
            b"Bearer nag_",
            b"Bearer nag_' or 1=1",
            b"Bearer " + b"x" * 5000,
            b"Basic !!!",
            b"Basic " + b64encode(b"\xff\xfe"),
            b"Basic " + b64encode("อุปกรณ์:\0".encode()),
            b"Basic " + b64encode(b"a\0b:secret"),
            b"Digest a=b",
            b"\xe0\xb8\x81",
        ):
            answer = await client.get("/open", headers=[(b"authorization", header)])
            assert (answer.status_code, answer.json()["code"]) == (401, "credential-refused"), (
                header
            )


# --- devices ----------------------------------------------------------------------------------


async def test_a_devices_secret_is_its_own(guard: Guard) -> None:
    at = guard.wall()
    async with guard.db.acquire() as conn:
        one = await guard.devices.issue(conn, "54t", at=at, by="system:test")
        many = await guard.devices.issue_many(conn, ["55t", "56t"], at=at, by="system:test")
    actor = await guard.by_device("54t", one)
    assert actor is not None
    assert (actor.kind, actor.id, actor.roles) == ("device", "54t", ("device",))
    assert await guard.by_device("55t", many["55t"]) is not None
    assert await guard.by_device("55t", one) is None
    assert await guard.by_device("57t", one) is None
    async with guard.db.acquire() as conn:
        two = await guard.devices.issue(conn, "54t", at=at, by="system:test")
        guard.forget_all()
        assert await guard.by_device("54t", one) is None
        assert await guard.by_device("54t", two) is not None
        assert await guard.devices.revoke(conn, "54t", at=at, by="system:test")
        guard.forget_all()
        assert await guard.by_device("54t", two) is None
        assert not await guard.devices.revoke(conn, "54t", at=at, by="system:test")


# --- limits -----------------------------------------------------------------------------------


async def test_who_asks_too_often_is_told_when_to_come_back(
    make_guard: Callable[..., Guard], browse: Browse, wall: Wall
) -> None:
    guard = make_guard(limits=Limits(address=Limit(2, 5)))
    await guard.start()
    async with browse(guard) as client:
        codes = [(await client.get("/open")).status_code for _ in range(7)]
        assert codes == [200] * 5 + [429] * 2
        refused = await client.get("/open")
        assert refused.json() == {"code": "too-many-requests", "retry_after_s": 1}
        assert refused.headers["retry-after"] == "1"
        assert refused.headers["x-content-type-options"] == "nosniff"
        wall.pass_(seconds=1)
        assert (await client.get("/open")).status_code == 200


async def test_guessing_tokens_closes_the_address_and_spares_the_known(
    make_guard: Callable[..., Guard], browse: Browse
) -> None:
    guard = make_guard(limits=Limits(address=Limit(1, 100)))
    await guard.start()
    good = await make_token(guard, "officer")
    async with browse(guard) as client:
        assert (await client.get("/cases", headers=bearer(good))).status_code == 200
        codes = [
            (await client.get("/cases", headers=bearer(TOKEN_PREFIX + new_secret()))).status_code
            for _ in range(10)
        ]
        assert codes[:5] == [401] * 5
        assert set(codes[5:]) == {429}
        assert (await client.get("/cases", headers=bearer(good))).status_code == 200


async def test_the_forwarded_address_is_believed_from_our_proxy_alone(
    make_guard: Callable[..., Guard], browse: Browse
) -> None:
    limits = Limits(address=Limit(0.001, 2))
    for proxies, expected in (((), [200, 200, 429, 429]), (("10.0.0.0/8",), [200] * 4)):
        guard = make_guard(limits=limits, proxies=proxies)
        await guard.start()
        async with browse(guard) as client:
            codes = [
                (
                    await client.get("/open", headers={"X-Forwarded-For": f"203.0.113.{n}"})
                ).status_code
                for n in range(4)
            ]
        assert codes == expected


# --- headers ----------------------------------------------------------------------------------


async def test_every_answer_carries_the_headers_errors_too(
    make_guard: Callable[..., Guard], browse: Browse
) -> None:
    for https in (False, True):
        guard = make_guard(https=https)
        await guard.start()
        async with browse(guard) as client:
            for path in ("/open", "/cases", "/nowhere"):
                headers = (await client.get(path)).headers
                policy = headers["content-security-policy"]
                assert "frame-ancestors 'none'" in policy
                assert "worker-src 'self' blob:" in policy
                assert "http" not in policy  # nobody but ourselves
                assert headers["x-content-type-options"] == "nosniff"
                assert headers["referrer-policy"] == "same-origin"
                assert ("strict-transport-security" in headers) == https


# --- open mode --------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "city.example", ""])
def test_open_mode_is_refused_on_addresses_others_reach(host: str) -> None:
    with pytest.raises(OpenModeRefused):
        check_open_mode(host)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.8.8"])
def test_open_mode_is_for_this_machine(host: str) -> None:
    check_open_mode(host)


async def test_open_mode_lets_this_machine_in_and_no_page_of_another_site(
    make_guard: Callable[..., Guard], browse: Browse
) -> None:
    guard = make_guard(open_mode=True)
    await guard.start()
    here = {"Host": "localhost:8000"}
    async with browse(guard, "127.0.0.1") as client:
        assert (await client.get("/api/v1/accounts", headers=here)).status_code == 200
        assert (await client.post("/write", headers=here)).status_code == 201
        foreign = {**here, "Origin": "https://evil.example"}
        assert (await client.post("/write", headers=foreign)).status_code == 403
        rebound = {"Host": "evil.example"}
        assert (await client.get("/api/v1/accounts", headers=rebound)).status_code == 401
    async with browse(guard, "10.0.0.9") as client:
        assert (await client.get("/api/v1/accounts", headers=here)).status_code == 401
