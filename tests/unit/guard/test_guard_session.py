"""Log-in and sessions, as an attacker tries them."""

from __future__ import annotations

import statistics
import time

import pytest

from nagara.guard import Guard
from nagara.guard.sessions import COOKIE, new_secret
from unit.guard.doors import ORIGIN, Browse, Wall, add_account, log_in


async def test_a_session_opens_what_the_role_may_see_and_ends(guard: Guard, browse: Browse) -> None:
    who = await add_account(guard, "niran", "officer")
    async with browse() as client:
        assert (await client.get("/cases")).status_code == 401
        await log_in(client, who)
        mine = (await client.get("/api/v1/session")).json()
        assert mine["account"]["username"] == "niran"
        assert "case:read" in mine["permissions"]
        seen = (await client.get("/cases")).json()["seen"]
        assert seen == f"account:{mine['account']['id']}"
        csrf = {"X-CSRF-Token": mine["csrf"]}
        assert (await client.delete("/api/v1/session", headers=csrf)).status_code == 204
        assert (await client.get("/api/v1/session")).json()["account"] is None
        assert (await client.get("/cases")).status_code == 401


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(
    guard: Guard, browse: Browse
) -> None:
    who = await add_account(guard, "niran", "officer")
    async with browse() as client:
        answer = await client.post(
            "/api/v1/session", json={"username": who.username, "password": who.password}
        )
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "path=/" in cookie
    assert answer.headers["cache-control"] == "no-store"
    assert who.password not in answer.text


async def test_the_database_cannot_give_back_a_session(guard: Guard, browse: Browse) -> None:
    who = await add_account(guard, "niran", "officer")
    async with browse() as client:
        await log_in(client, who)
        secret = client.cookies[COOKIE]
    async with guard.db.acquire() as conn:
        row = await conn.fetchrow("select s::text from guard.session s")
    assert secret not in row[0]
    assert secret.encode().hex() not in row[0]


async def test_a_session_planted_before_log_in_is_worth_nothing(
    guard: Guard, browse: Browse
) -> None:
    who = await add_account(guard, "niran", "officer")
    planted = new_secret()
    async with browse() as client:
        client.cookies.set(COOKIE, planted)
        await log_in(client, who)
        client.cookies.clear()
        client.cookies.set(COOKIE, planted)
        assert (await client.get("/cases")).status_code == 401


async def test_logging_in_again_ends_the_older_session_of_the_browser(
    guard: Guard, browse: Browse
) -> None:
    who = await add_account(guard, "niran", "officer")
    async with browse() as client:
        await log_in(client, who)
        older = client.cookies[COOKIE]
        await log_in(client, who)
        assert client.cookies[COOKIE] != older
        client.cookies.clear()
        client.cookies.set(COOKIE, older)
        assert (await client.get("/cases")).status_code == 401


async def test_a_tampered_cookie_is_a_stranger(guard: Guard, browse: Browse) -> None:
    who = await add_account(guard, "niran", "officer")
    async with browse() as client:
        await log_in(client, who)
        good = client.cookies[COOKIE]
        client.cookies.clear()
        for bad in (
            good[:-2] + ("A" if good[-2] != "A" else "B") + good[-1],
            good[:-1],
            good + "A",
            good.swapcase(),
            "' or 1=1 --",
            "",
            new_secret(),
        ):
            answer = await client.get("/cases", headers={"Cookie": f"{COOKIE}={bad}"})
            assert answer.status_code == 401, bad


async def test_a_second_cookie_planted_by_a_neighbour_host_makes_a_stranger(
    guard: Guard, browse: Browse
) -> None:
    who = await add_account(guard, "niran", "officer")
    async with browse() as client:
        await log_in(client, who)
        good = client.cookies[COOKIE]
        client.cookies.clear()
        for header, status in (
            (f"{COOKIE}={good}", 200),
            (f'odd="[x]; other={{1}}; {COOKIE}={good}; lang=th', 200),
            (f"{COOKIE}={new_secret()}; {COOKIE}={good}", 401),
            (f"{COOKIE}={good}; {COOKIE}={new_secret()}", 401),
        ):
            assert (await client.get("/cases", headers={"Cookie": header})).status_code == status


async def test_a_session_ends_after_a_night_unused_and_after_a_week_whatever_the_use(
    guard: Guard, browse: Browse, wall: Wall
) -> None:
    who = await add_account(guard, "niran", "officer")
    async with browse() as client:
        await log_in(client, who)
        wall.pass_(hours=11)
        assert (await client.get("/cases")).status_code == 200
        wall.pass_(hours=11)
        assert (await client.get("/cases")).status_code == 200
        wall.pass_(hours=13)
        assert (await client.get("/cases")).status_code == 401

        await log_in(client, who)
        for _ in range(20):
            wall.pass_(hours=8)
            assert (await client.get("/cases")).status_code == 200
        wall.pass_(hours=9)
        assert (await client.get("/cases")).status_code == 401


async def test_disabling_reset_and_a_new_password_end_sessions_at_once(
    guard: Guard, browse: Browse
) -> None:
    chief = await add_account(guard, "chief.admin", "administrator")
    who = await add_account(guard, "niran", "officer")
    async with browse() as admin, browse() as client:
        csrf = await log_in(admin, chief)
        await log_in(client, who)
        mine = (await client.get("/api/v1/session")).json()["account"]["id"]
        path = f"/api/v1/accounts/{mine}"
        reset = await admin.post(f"{path}/reset", headers=csrf)
        assert reset.status_code == 200
        assert (await client.get("/cases")).status_code == 401
        fresh = reset.json()["password"]
        await log_in(client, type(who)(who.username, fresh, who.roles))
        assert (await client.get("/cases")).status_code == 200
        done = await admin.patch(path, json={"disabled": True}, headers=csrf)
        assert done.json()["disabled"] is True
        assert (await client.get("/cases")).status_code == 401
        again = await client.post("/api/v1/session", json={"username": "niran", "password": fresh})
        assert (again.status_code, again.json()["code"]) == (401, "log-in-refused")


async def test_changing_ones_password_asks_for_the_old_one_and_ends_other_sessions(
    guard: Guard, browse: Browse
) -> None:
    who = await add_account(guard, "niran", "officer", password="แม่น้ำเจ้าพระยา 2569")
    async with browse() as desk, browse() as phone:
        await log_in(phone, who)
        csrf = await log_in(desk, who)
        wrong = {"current": "not the one at all", "fresh": "บางกอกน้อย ตลาดน้ำ"}
        path = "/api/v1/session/password"
        assert (await desk.post(path, json=wrong, headers=csrf)).status_code == 401
        right = {"current": who.password, "fresh": wrong["fresh"]}
        assert (await desk.post(path, json=right, headers=csrf)).status_code == 200
        assert (await desk.get("/cases")).status_code == 200
        assert (await phone.get("/cases")).status_code == 401


async def test_guessing_is_slowed_down_and_right_guesses_do_not_pass_the_pause(
    guard: Guard, browse: Browse, wall: Wall
) -> None:
    who = await add_account(guard, "niran", "officer")
    async with browse() as client:
        codes = []
        for _ in range(8):
            answer = await client.post(
                "/api/v1/session", json={"username": "niran", "password": "wrong guess"}
            )
            codes.append(answer.status_code)
        assert codes == [401] * 5 + [429] * 3
        right = {"username": who.username, "password": who.password}
        held = await client.post("/api/v1/session", json=right)
        assert held.status_code == 429
        assert int(held.headers["retry-after"]) >= 1
        wall.pass_(seconds=int(held.headers["retry-after"]))
        assert (await client.post("/api/v1/session", json=right)).status_code == 200
    async with guard.db.acquire() as conn:
        noted = await conn.fetchval("select count(*) from guard.audit where act like '%held-back'")
    assert noted == 1


async def test_an_unknown_name_and_a_wrong_password_look_the_same(
    guard: Guard, browse: Browse, wall: Wall
) -> None:
    await add_account(guard, "niran", "officer")
    took: dict[str, list[float]] = {"niran": [], "nobody": []}
    answers = set()
    async with browse() as client:
        for _ in range(6):
            for name, times in took.items():
                wall.pass_(hours=2)  # so that no back-off comes in between
                began = time.perf_counter()
                answer = await client.post(
                    "/api/v1/session", json={"username": name, "password": "wrong guess"}
                )
                times.append(time.perf_counter() - began)
                answers.add((answer.status_code, answer.text))
    assert len(answers) == 1
    ratio = statistics.median(took["nobody"]) / statistics.median(took["niran"])
    assert 1 / 3 < ratio < 3  # without the hash for nobody it is a twentieth


async def test_an_attack_from_elsewhere_does_not_lock_the_owner_out_at_his_desk(
    guard: Guard,
) -> None:
    who = await add_account(guard, "niran", "officer")
    await guard.log_in(who.username, who.password, "10.0.0.7")
    for number in range(40):
        with pytest.raises(Exception, match=r"log-in-refused|too-many-tries"):
            await guard.log_in(who.username, "wrong guess", f"203.0.113.{number}")
    account, _ = await guard.log_in(who.username, who.password, "10.0.0.7")
    assert account.username == "niran"


async def test_a_hundred_guesses_sent_at_once_count_as_a_hundred(guard: Guard) -> None:
    import asyncio

    await add_account(guard, "niran", "officer")
    results = await asyncio.gather(
        *(guard.log_in("niran", f"guess number {n}", "203.0.113.5") for n in range(20)),
        return_exceptions=True,
    )
    codes = [getattr(result, "code", None) for result in results]
    assert codes.count("log-in-refused") == 5
    assert codes.count("too-many-tries") == 15


async def test_a_resident_opens_an_account_and_cannot_slip_in_a_role(
    guard: Guard, browse: Browse
) -> None:
    form = {"username": "somying", "password": "ตลาดพลู ยามเย็น", "noticeVersion": "2026-11-01"}
    async with browse() as client:
        path = "/api/v1/session/register"
        slipped = await client.post(path, json={**form, "roles": ["administrator"]})
        assert slipped.status_code == 400
        outdated = await client.post(path, json={**form, "noticeVersion": "1999"})
        assert outdated.json()["code"] == "notice-outdated"
        made = await client.post(path, json=form)
        assert made.status_code == 201
        assert made.json()["account"]["roles"] == ["resident"]
        assert (await client.get("/cases")).status_code == 403
        taken = await client.post(path, json={**form, "username": "SOMYING"})
        assert taken.json()["code"] == "username-taken"


async def test_strange_names_are_refused_in_words_and_reflected_nowhere(browse: Browse) -> None:
    strange = (
        "",
        "ab",
        "x" * 41,
        "a\r\nSet-Cookie: b=c",
        "a b",
        "../etc/passwd",
        "'; drop--",
        "\0",
    )
    async with browse() as client:
        for username in strange:
            answer = await client.post(
                "/api/v1/session", json={"username": username, "password": "some password"}
            )
            assert answer.status_code == 401, username
            assert "set-cookie" not in answer.headers
            assert "b=c" not in str(answer.headers)


async def test_log_in_from_another_site_is_refused(guard: Guard, browse: Browse) -> None:
    who = await add_account(guard, "niran", "officer")
    body = {"username": who.username, "password": who.password}
    async with browse() as client:
        for headers in (
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Origin": f"{ORIGIN}.evil.example"},
        ):
            answer = await client.post("/api/v1/session", json=body, headers=headers)
            assert answer.json()["code"] == "cross-site-refused"
