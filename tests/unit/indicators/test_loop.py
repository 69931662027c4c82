"""The loop that everything serves: sense, understand, act, account; and once only."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest_asyncio
from litestar import Litestar

from nagara.alerting import room as alerting_room
from nagara.cases import room as cases_room
from nagara.cases.kept import list_due
from nagara.cases.model import Accept, Resolve, Tend
from nagara.cases.photos import PhotoFiles
from nagara.cases.reports import Report, Reports
from nagara.cases.service import SYSTEM, Casework, Doing
from nagara.context import Entity, Query
from nagara.context.log import read_changes
from nagara.guard.accounts import NewAccount
from nagara.guard.identity import ANONYMOUS, Actor
from nagara.http.problem import EXCEPTION_HANDLERS
from nagara.indicators import room as indicators_room
from nagara.indicators.measures import Period
from nagara.pack import installed_packs
from nagara.vocab import alert, indicator
from nagara.vocab import case as noun
from room_fixtures import Town

OFFICER = Actor("account", "7", "Somchai", ("officer",))
CODE = "cases-in-time"
HERE = (100.5018, 13.7563)


class City:
    """All three rooms, with their readers running."""

    def __init__(self, town: Town) -> None:
        floor, packs = town.floor, installed_packs()
        self.town = town
        self.rooms = [
            alerting_room.assemble(floor, packs),
            cases_room.assemble(floor),
            indicators_room.assemble(floor, packs),
        ]
        for room in self.rooms:
            for reader in room.readers:
                floor.context.add_reader(reader)
        photos = PhotoFiles(floor.files, floor.guard.persons, b"s" * 32)
        self.work = Casework(floor.context, floor.db, floor.city, floor.guard, photos)
        self.reports = Reports(self.work, b"s" * 32)
        self.indicators = indicators_room.make_indicators(floor, packs)

    async def all_of(self, entity_type: str) -> list[Entity]:
        return await self.town.context.query_all(Query(types=(entity_type,)))

    async def resolve(self, case_id: str) -> None:
        by = Doing(OFFICER, "officer", words="ลดฝุ่นแล้ว")
        await self.work.act(case_id, "accept", Accept(), Doing(OFFICER, "officer"))
        await self.work.act(case_id, "resolve", Resolve(reason="ลดฝุ่นแล้ว"), by)

    async def tend(self) -> None:
        async with self.town.floor.db.acquire() as conn:
            waiting = await list_due(conn, self.town.now, 100)
        for row in waiting:
            await self.work.advance(row.case_id, Tend(), Doing(SYSTEM, "system"))


@pytest_asyncio.fixture
async def city(town: Town) -> City:
    return City(town)


async def test_a_reading_becomes_an_alert_a_case_a_result_and_a_number(
    town: Town, city: City
) -> None:
    before = await city.indicators.answer(CODE, Period())
    assert before.value.value is None
    assert before.value.quality == "missing"

    await town.measure("54t", 31.0)
    await town.settle()
    (raised,) = await city.all_of(alert.TYPE)
    (case,) = await city.all_of(noun.TYPE)
    assert case.object(noun.REF_ALERT) == raised.id
    assert (await town.context.get(raised.id)).object(alert.REF_CASE) == case.id

    town.pass_(hours=2)
    await city.resolve(case.id)
    await town.measure("54t", 20.0)
    await town.settle()
    assert (await town.context.get(raised.id)).value(alert.STATE) == "resolved"
    town.pass_(days=8)
    await city.tend()
    await town.settle()
    assert (await town.context.get(case.id)).value(noun.STATE) == "closed"

    answer = await city.indicators.answer(CODE, Period())
    assert (answer.value.value, answer.value.numerator, answer.value.denominator) == (100, 1, 1)
    district = case.value(noun.DISTRICT)
    counted = {code: v for code, v in answer.rows if v.denominator}
    assert set(counted) == {district}
    (fact,) = await city.indicators.list_counted(CODE, "numerator", Period(), district, None, 10)
    assert fact.case_id == case.id
    assert fact.provenance == "replayed"

    assert await city.indicators.refresh() > 0
    assert await city.indicators.refresh() == 0
    written = {e.id: e for e in await city.all_of(indicator.TYPE) if e.value("code") == CODE}
    assert len(written) == 2
    whole = next(e for e in written.values() if e.value(indicator.DISTRICT) is None)
    assert whole.value(indicator.VALUE) == 100
    assert "cases.resolved_in_time" in whole.value(indicator.FORMULA)


async def test_hearing_the_whole_log_twice_more_changes_nothing(town: Town, city: City) -> None:
    for value in (31.0, 45.0, 20.0, 30.0):
        town.pass_(hours=1)
        await town.measure("54t", value)
        await town.settle()
    await city.reports.report(
        Report("drain", *HERE, words="ท่อตัน", consent=True), ANONYMOUS, "k" * 16
    )
    await town.settle()

    async def everything() -> list[tuple[str, int]]:
        found = await city.all_of(alert.TYPE) + await city.all_of(noun.TYPE)
        async with town.floor.db.acquire() as conn:
            steps = await conn.fetchval("select count(*) from cases.step")
            told = await conn.fetchval("select count(*) from alerting.step")
        return [*((e.id, e.version) for e in found), ("cases", steps), ("alerts", told)]

    before = await everything()
    assert len(before) == 2 + 3 + 2  # two alerts, their cases and the report's, the steps
    async with town.floor.db.acquire() as conn:
        log = await read_changes(conn, 0, 10_000)
    for _ in range(2):
        for room in city.rooms:
            for reader in room.readers:
                await reader.handle([c for c in log if set(reader.types) & set(c.types)])
    assert await everything() == before


async def test_late_is_late_even_when_reopened_and_rejected_does_not_count(
    town: Town, city: City
) -> None:
    made = [
        await city.reports.report(
            Report("drain", *HERE, words=f"ท่อ {n}", consent=True), ANONYMOUS, None
        )
        for n in range(3)
    ]
    await city.resolve(made[0].row.case_id)
    town.stand_at(made[1].row.due_at + timedelta(hours=1))
    await city.tend()
    await city.resolve(made[1].row.case_id)
    reopened = await city.reports.find(made[1].code)
    await city.reports.reopen(reopened, ANONYMOUS, "ยังตัน")
    await city.resolve(made[1].row.case_id)
    await town.settle()
    answer = await city.indicators.answer(CODE, Period())
    # the third is open and past its time: it counts against the share
    assert (answer.value.numerator, answer.value.denominator) == (1, 3)
    none = await city.indicators.answer(CODE, Period(end=made[0].row.opened_at))
    assert none.value.value is None


async def test_the_cases_behind_a_number_are_those_one_may_see(town: Town, city: City) -> None:
    for category in ("drain", "street-light"):
        await city.reports.report(Report(category, *HERE, words="x", consent=True), ANONYMOUS, None)
    await town.settle()
    town.pass_(days=60)
    cases = await city.all_of(noun.TYPE)
    mine = cases[0].value(noun.DEPARTMENT)
    assert mine != cases[1].value(noun.DEPARTMENT)
    app = Litestar(
        [route for room in city.rooms for route in room.routes],
        on_app_init=[town.floor.guard.on_app_init],
        exception_handlers=dict(EXCEPTION_HANDLERS),
    )
    gate, seen = town.floor.guard, {}
    for role in ("officer", "staff", "crew"):
        async with town.floor.db.acquire() as conn:
            new = NewAccount(f"{role}.one", role, (role,), (mine,))
            made = await gate.accounts.create(conn, new, at=gate.wall(), by="test")
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://testserver.local"
        ) as client:
            said = {"username": made.username, "password": made.password}
            await client.post("/api/v1/session", json=said)
            answer = await client.get(f"/api/v1/indicators/{CODE}/cases")
        seen[role] = {item["department"] for item in answer.json()["items"]}
    assert seen == {
        "officer": {c.value(noun.DEPARTMENT) for c in cases},
        "staff": {mine},
        "crew": set(),
    }


async def test_every_indicator_answers_over_http_in_both_languages(town: Town, city: City) -> None:
    await town.measure("54t", 40.0)
    await town.settle()
    app = Litestar(
        [route for room in city.rooms for route in room.routes],
        on_app_init=[town.floor.guard.on_app_init],
        exception_handlers=dict(EXCEPTION_HANDLERS),
    )
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://testserver.local"
    ) as client:
        listed = (await client.get("/api/v1/indicators")).json()["items"]
        assert {i["code"] for i in listed} >= {CODE, "air-fresh-share", "air-days-above-standard"}
        by_code = {i["code"]: i for i in listed}
        assert by_code["air-fresh-share"]["value"] == 100
        assert by_code["air-days-above-standard"]["value"] == 100
        assert by_code[CODE]["value"] is None
        told: dict[str, Any] = {}
        for language in ("th", "en"):
            answer = await client.get(f"/api/v1/indicators/{CODE}?by=district&lang={language}")
            told[language] = answer.json()["missing"]
            assert len(answer.json()["rows"]) == 50
        assert told["th"] != told["en"]
        assert (await client.get("/api/v1/indicators/nothing")).status_code == 404
        assert (await client.get(f"/api/v1/indicators/{CODE}?by=moon")).status_code == 400
        assert (await client.get(f"/api/v1/indicators/{CODE}/cases")).status_code == 401
        alerts = (await client.get("/api/v1/alerts?state=open")).json()["items"]
        assert [a["severity"] for a in alerts] == ["warning"]
        assert alerts[0]["unit"] == "µg/m³"
        assert alerts[0]["refCase"].startswith("urn:ngsi-ld:Case:")
        assert (await client.get("/api/v1/alerts?state=resolved")).json()["items"] == []
        refused = await client.post(f"/api/v1/alerts/{alerts[0]['id']}/resolve", json={})
        assert refused.status_code in (401, 403)


async def test_the_tasks_of_the_rooms_do_their_work(town: Town, city: City) -> None:
    made = await city.reports.report(
        Report("drain", *HERE, words="ท่อ", consent=True), ANONYMOUS, None
    )
    town.stand_at(made.row.due_at + timedelta(minutes=1))
    tasks = [asyncio.ensure_future(t.run()) for room in city.rooms for t in room.tasks]
    try:
        async with asyncio.timeout(60):
            while not (await city.work.get(made.row.case_id)).overdue:
                await asyncio.sleep(0.02)
            while not await city.all_of(indicator.TYPE):
                await asyncio.sleep(0.02)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
