"""The room over HTTP: forms, words of problems, who sees what."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest_asyncio
from litestar import Litestar
from PIL import Image

from nagara.cases.room import assemble
from nagara.guard.accounts import NewAccount
from nagara.http.problem import EXCEPTION_HANDLERS
from room_fixtures import Town

ORIGIN = "http://testserver.local"
FORM = {
    "category": "drain",
    "lon": "100.5018",
    "lat": "13.7563",
    "words": "ท่ออุดตัน",
    "consent": "true",
}


def picture() -> bytes:
    out = io.BytesIO()
    exif = Image.Exif()
    exif[0x010F] = "SecretCamera"
    Image.new("RGB", (32, 32), "green").save(out, "JPEG", exif=exif)
    return out.getvalue()


@pytest_asyncio.fixture
async def app(town: Town) -> Litestar:
    room = assemble(town.floor)
    return Litestar(
        list(room.routes),
        on_app_init=[town.floor.guard.on_app_init],
        exception_handlers=dict(EXCEPTION_HANDLERS),
    )


@pytest_asyncio.fixture
async def resident(app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url=ORIGIN, headers={"origin": ORIGIN}
    ) as client:
        yield client


async def signed_in(app: Litestar, town: Town, roles: tuple[str, ...], *departments: str) -> Any:
    gate = town.floor.guard
    name = "-".join(("user", *roles))
    async with town.floor.db.acquire() as conn:
        made = await gate.accounts.create(
            conn, NewAccount(name, name, roles, departments), at=gate.wall(), by="test"
        )
    client = httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url=ORIGIN, headers={"origin": ORIGIN}
    )
    answer = await client.post(
        "/api/v1/session", json={"username": made.username, "password": made.password}
    )
    client.headers["x-csrf-token"] = answer.json()["csrf"]
    return client


async def test_report_follow_resolve_rate_over_http(
    town: Town, app: Litestar, resident: httpx.AsyncClient
) -> None:
    sent = await resident.post(
        "/api/v1/reports", data=FORM, files=[("photos", ("a.jpg", picture(), "image/jpeg"))]
    )
    assert sent.status_code == 201, sent.text
    made = sent.json()
    code = made["trackingCode"]
    followed = (await resident.get(f"/api/v1/reports/{code}")).json()
    assert followed["caseNumber"] == made["caseNumber"]
    (address,) = followed["steps"][0]["photos"]
    photo = await resident.get(address)
    assert photo.headers["content-type"] == "image/jpeg"
    assert b"SecretCamera" not in photo.content
    bare = address.partition("?")[0]
    assert (await resident.get(bare)).status_code == 404
    assert (await resident.get("/api/v1/cases")).status_code == 401

    staff = await signed_in(app, town, ("staff",), made["department"]["code"])
    (item,) = (await staff.get("/api/v1/cases?state=open")).json()["items"]
    assert item["id"] == made["caseId"]
    detail = (await staff.get(f"/api/v1/cases/{item['id']}")).json()
    assert detail["words"] == FORM["words"]
    assert "accept" in detail["acts"]
    assert (await staff.get(bare)).status_code == 200
    await staff.post(f"/api/v1/cases/{item['id']}/accept")
    refused = await staff.post(f"/api/v1/cases/{item['id']}/resolve", json={})
    assert (refused.status_code, refused.json()["code"]) == (422, "case-proof-missing")
    done = await staff.post(
        f"/api/v1/cases/{item['id']}/resolve",
        data={"reason": "ลอกท่อแล้ว"},
        files=[("photos", ("b.jpg", picture(), "image/jpeg"))],
    )
    assert done.json()["state"] == "resolved", done.text

    rated = await resident.post(
        f"/api/v1/reports/{code}/rating", json={"stars": 5, "words": "ขอบคุณ"}
    )
    assert rated.json()["rating"] == 5
    last = rated.json()["steps"][-2]
    assert last["text"] == "ลอกท่อแล้ว"
    assert len(last["photos"]) == 1
    reopened = await resident.post(f"/api/v1/reports/{code}/reopen", json={"reason": "ตันอีก"})
    assert reopened.json()["state"] == "reopened"


async def test_problems_are_told_in_the_language_asked_for(resident: httpx.AsyncClient) -> None:
    for language, said in (("th", "รหัสติดตาม"), ("en", "tracking code")):
        answer = await resident.get("/api/v1/reports/ABC", headers={"accept-language": language})
        assert answer.status_code == 422
        assert said in answer.json()["title"]
    bad = await resident.post("/api/v1/reports", data={**FORM, "lon": "east"})
    assert bad.json()["code"] == "report-place-missing"
    fake = await resident.post(
        "/api/v1/reports", data=FORM, files=[("photos", ("a.jpg", b"MZ" * 100, "image/jpeg"))]
    )
    assert fake.status_code == 415


async def test_guessing_codes_is_held_back(resident: httpx.AsyncClient) -> None:
    answers = [await resident.get(f"/api/v1/reports/WRONG{n}") for n in range(30)]
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) >= 1


async def test_reports_of_strangers_are_limited_by_address(resident: httpx.AsyncClient) -> None:
    answers = [await resident.post("/api/v1/reports", data=FORM) for _ in range(35)]
    assert {a.status_code for a in answers} == {201, 429}


async def test_the_same_form_sent_again_is_one_report(resident: httpx.AsyncClient) -> None:
    first, second = [
        (
            await resident.post("/api/v1/reports", data=FORM, headers={"idempotency-key": "k" * 16})
        ).json()
        for _ in range(2)
    ]
    assert first == second


async def test_a_reporter_has_his_words_erased_with_his_code(resident: httpx.AsyncClient) -> None:
    code = (await resident.post("/api/v1/reports", data=FORM)).json()["trackingCode"]
    done = await resident.post("/api/v1/persons/erase", json={"trackingCode": code})
    assert done.status_code in (200, 201), done.text
    followed = (await resident.get(f"/api/v1/reports/{code}")).json()
    assert followed["state"] == "routed"
    assert followed["steps"][0]["text"] is None


async def test_what_cannot_be_read_is_said_and_is_no_defect(
    town: Town, app: Litestar, resident: httpx.AsyncClient
) -> None:
    made = (await resident.post("/api/v1/reports", data=FORM)).json()
    officer = await signed_in(app, town, ("officer",))
    path = f"/api/v1/cases/{made['caseId']}"
    broken = {"content-type": "application/json"}
    for answer in (
        await officer.post(f"{path}/note", content=b"{", headers=broken),
        await officer.post(f"{path}/note", content=b"[1]", headers=broken),
        await officer.post(f"{path}/dance", json={}),
        await resident.post("/api/v1/reports", content=b"--x", headers={
            "content-type": "multipart/form-data; boundary=x"}),
        await resident.post("/api/v1/reports", json={"category": "drain"}),
    ):  # fmt: skip
        assert 400 <= answer.status_code < 500, answer.text
        assert answer.json()["hint"]


async def test_a_chief_sees_cases_but_not_who_reported(
    town: Town, app: Litestar, resident: httpx.AsyncClient
) -> None:
    made = (await resident.post("/api/v1/reports", data={**FORM, "contact": "0812345678"})).json()
    chief = await signed_in(app, town, ("chief",))
    detail = (await chief.get(f"/api/v1/cases/{made['caseId']}")).json()
    assert (detail["words"], detail["contact"], detail["acts"]) == (None, None, [])
    officer = await signed_in(app, town, ("officer",))
    detail = (await officer.get(f"/api/v1/cases/{made['caseId']}")).json()
    assert detail["contact"] == {"name": None, "contact": "0812345678"}
    other = await signed_in(app, town, ("staff",), "fire-rescue")
    assert (await other.get(f"/api/v1/cases/{made['caseId']}")).status_code == 404
