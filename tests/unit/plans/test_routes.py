"""Projects and plans over HTTP: drafted, taken through their stages, published, taken over."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest_asyncio
from litestar import Litestar
from openpyxl import load_workbook

from engine_fixtures import copied_database
from nagara.city import bundled_kit
from nagara.context import Context, Entity, Upsert
from nagara.context.room import Floor
from nagara.engines.postgres import PostgresEngine
from nagara.guard import Guard, audit
from nagara.guard.accounts import NewAccount
from nagara.guard.policy import KEPT_BY_ROOMS, TYPE_CLASS
from nagara.http.problem import EXCEPTION_HANDLERS
from nagara.plans import room as plans_room
from nagara.vocab import indicator, project
from nagara.vocab.attribute import property_of
from room_fixtures import NOON, Town

PROJECTS, PLANS = "/api/v1/projects", "/api/v1/plans"
READY = {
    "problem": {"en": "Nobody can walk there."},
    "success": {"en": "Ten kilometres to walk on."},
    "focusArea": "FA4",
    "projectType": "FA4.1",
    "responsible": "Drainage department",
    "measures": [
        {
            "name": "Length", "unit": "km", "baseline": 0, "baselineOn": "2025-01-01",
            "target": 10, "targetOn": "2030-01-01", "actual": 1, "actualOn": "2025-05-01",
        }
    ],
    "cost": {"currency": "THB", "priceYear": 2025, "amount": 1000},
}  # fmt: skip
MONEY = [
    {"source": "The city", "kind": "own-budget", "state": "committed", "amount": 1000,
     "currency": "THB"}
]  # fmt: skip


class Desk:
    """A town with the room, and a client for each role."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.room = plans_room.assemble(town.floor)
        for reader in self.room.readers:
            town.context.add_reader(reader)
        self.app = Litestar(
            list(self.room.routes),
            on_app_init=[town.floor.guard.on_app_init],
            exception_handlers=dict(EXCEPTION_HANDLERS),
        )
        self.clients: dict[str, httpx.AsyncClient] = {}

    async def open(self) -> None:
        for n, role in enumerate(("staff", "steward", "chief", "national", "")):
            client = httpx.AsyncClient(
                transport=httpx.ASGITransport(self.app, client=("127.0.0.1", 9100 + n)),
                base_url="http://testserver.local",
            )
            self.clients[role or "stranger"] = client
            if not role:
                continue
            gate = self.town.floor.guard
            async with self.town.floor.db.acquire() as conn:
                departments = ("drainage",) if role == "staff" else ()
                new = NewAccount(f"{role}.one", role, (role,), departments)
                made = await gate.accounts.create(conn, new, at=gate.wall(), by="test")
            said = {"username": made.username, "password": made.password}
            answer = await client.post("/api/v1/session", json=said)
            assert answer.status_code < 300, answer.text
            client.headers["x-csrf-token"] = answer.json()["csrf"]
            client.headers["origin"] = "http://testserver.local"
            client.headers["accept-language"] = "en"

    async def ask(self, role: str, method: str, path: str, status: int = 200, **said: Any) -> Any:
        answer = await self.clients[role].request(method, path, **said)
        assert answer.status_code == status, (answer.status_code, answer.text[:600])
        return answer.json() if "json" in answer.headers["content-type"] else answer.content

    async def draft(self, name: str, **said: Any) -> Any:
        return await self.ask("steward", "POST", PROJECTS, 201, json={"name": name, **said})

    async def act(self, role: str, made: Any, act: str, status: int = 200, **said: Any) -> Any:
        path = f"{PROJECTS}/{made['id']}/acts/{act}"
        return await self.ask(role, "POST", path, status, json=said)

    async def published(self, name: str, **said: Any) -> Any:
        return await self.act("chief", await self.draft(name, **said), "publish")


@pytest_asyncio.fixture(scope="module")
async def desk(
    postgres_engine: PostgresEngine, make_city_root: Callable[[], Path]
) -> AsyncIterator[Desk]:
    """One town and one set of accounts for all tests of this file: hashing passwords is slow."""
    root = make_city_root()
    async with copied_database(postgres_engine) as database:
        guard = Guard(database, root, wall=lambda: datetime.now(UTC))
        await guard.start()
        context = Context(database, audit.append)
        await context.start()
        town = Town(Floor(context, database, bundled_kit("th-bkk"), guard, root / "files"))
        town.stand_at(NOON)
        made = Desk(town)
        await made.open()
        yield made
        for client in made.clients.values():
            await client.aclose()
        await context.stop()


async def test_a_draft_is_the_citys_own(desk: Desk) -> None:
    made = await desk.draft("A secret draft", **READY)
    one = f"{PROJECTS}/{made['id']}"
    await desk.ask("staff", "GET", one)
    for role in ("stranger", "national"):
        await desk.ask(role, "GET", one, 404)
        for path in ("/bankability", "/readiness", "/kit"):
            await desk.ask(role, "GET", f"{one}{path}", 404)
        found = await desk.ask(role, "GET", f"{PROJECTS}?q=secret")
        assert found["items"] == []
        assert (await desk.ask(role, "GET", f"{PROJECTS}/counts?q=secret"))["total"] == 0
        assert b"secret" not in await desk.ask(role, "GET", f"{PROJECTS}/export?q=secret")
    assert (await desk.ask("staff", "GET", f"{PROJECTS}/counts?q=secret"))["total"] == 1
    assert await desk.town.context.find(made["id"]) is None
    await desk.ask("staff", "PATCH", one, 403, json={"place": "x"})
    await desk.ask("stranger", "GET", f"{one}/trace", 401)


async def test_what_is_published_is_an_entity_with_every_change(desk: Desk) -> None:
    made = await desk.published("Canal banks", **READY)
    one = f"{PROJECTS}/{made['id']}"
    entity = await desk.town.context.get(made["id"])
    assert entity.type == "Project"
    assert entity.value(project.COST) == 1000
    assert entity.value(project.READINESS) is None
    await desk.ask("steward", "PATCH", one, json={"funding": MONEY}, headers={"if-match": "2"})
    assert (await desk.town.context.get(made["id"])).value(project.FUNDING_GAP) == 0
    late = await desk.ask("steward", "PATCH", one, 409, json={}, headers={"if-match": '"2"'})
    assert late["code"] == "project-changed"
    assert late["version"] == 3
    told = await desk.ask("stranger", "GET", one)
    assert told["money"]["gap"] == 0
    assert told["acts"] == []
    assert told["measures"][0]["reading"]["standing"] == "on-track"
    trace = (await desk.ask("staff", "GET", f"{one}/trace"))["items"]
    assert [step["kind"] for step in trace] == ["created", "publish", "edited"]
    assert trace[-1]["before"] is None
    assert trace[-1]["after"]["funding"][0]["amount"] == 1000
    await desk.act("chief", made, "withdraw")
    assert await desk.town.context.find(made["id"]) is None
    await desk.ask("stranger", "GET", one, 404)


async def test_stages_demand_what_they_need(desk: Desk) -> None:
    made = await desk.draft("Bare")
    refused = await desk.act("steward", made, "advance", 409, to="concept")
    assert refused["code"] == "project-step-demands-more"
    assert "problem" in refused["codes"]
    assert "Say which problem" in refused["detail"]
    await desk.act("steward", made, "advance", 403, to="delivery")
    skipped = await desk.act("chief", made, "advance", 409, to="delivery")
    assert skipped["code"] == "project-step-not-allowed"
    one = f"{PROJECTS}/{made['id']}"
    await desk.ask("steward", "PATCH", one, json={**READY, "funding": MONEY})
    await desk.act("steward", made, "advance", to="concept")
    told = await desk.act("steward", made, "advance", to="preparation")
    assert told["status"] == "planning"
    await desk.act("steward", made, "advance", 403, to="delivery")
    told = await desk.act("chief", made, "advance", to="delivery", on="2025-05-01")
    assert told["status"] == "ongoing"
    assert {"stage": "delivery", "reached": "2025-05-01"} in told["body"]["milestones"]
    await desk.act("chief", made, "suspend", 422)
    told = await desk.act("chief", made, "suspend", words="The contractor left.")
    assert told["status"] == "suspended"
    assert "advance" not in told["acts"]
    await desk.act("chief", made, "resume", words="Another was found.")
    refused = await desk.act("chief", made, "advance", 409, to="operation")
    assert refused["codes"] == ["evidence"]
    told = await desk.act("chief", made, "back", to="preparation", words="The tender failed.")
    assert told["stage"] == "preparation"


async def test_an_identity_outlives_its_names(desk: Desk) -> None:
    made = await desk.published("Old name", **READY)
    refused = await desk.ask(
        "chief", "PATCH", f"{PROJECTS}/{made['id']}", 422, json={"name": "New name"}
    )
    assert "rename" in refused["detail"]
    told = await desk.act("chief", made, "rename", name="New name", year=2026, source="A letter")
    assert told["id"] == made["id"]
    assert told["formerNames"] == [{"name": "Old name", "until": 2026, "source": "A letter"}]
    found = (await desk.ask("stranger", "GET", f"{PROJECTS}?q=OLD"))["items"]
    assert [one["id"] for one in found] == [made["id"]]
    other = await desk.published("The other", **READY)
    await desk.act("chief", made, "merge", into=other["id"], year=2027, source="A decree")
    merged = await desk.ask("stranger", "GET", f"{PROJECTS}/{made['id']}")
    assert (merged["state"], merged["successors"]) == ("merged", [other["id"]])
    heir = await desk.ask("stranger", "GET", f"{PROJECTS}/{other['id']}")
    assert [f["name"] for f in heir["formerNames"]] == ["Old name", "New name"]
    ended = await desk.act("chief", made, "rename", 409, name="x")
    assert ended["code"] == "project-ended"
    told = await desk.act("chief", heir, "split", names=["North bank", "South bank"], year=2028)
    assert len(told["successors"]) == 2
    part = await desk.ask("stranger", "GET", f"{PROJECTS}/{told['successors'][0]}")
    assert part["splitFrom"] == other["id"]
    taken = await desk.ask("steward", "POST", PROJECTS, 409, json={"name": " north BANK"})
    assert taken["code"] == "project-name-taken"


async def test_lists_counts_points_and_exports_agree(desk: Desk) -> None:
    formula = "=HYPERLINK(1)"
    for n, name in enumerate((formula, "Listed B", "Listed C")):
        await desk.published(
            name, place="listed", focusArea=f"FA{n + 1}", location=[100.5 + n / 100, 13.75]
        )
    page = await desk.ask("stranger", "GET", f"{PROJECTS}?q=listed&limit=2")
    rest = await desk.ask("stranger", "GET", f"{PROJECTS}?q=listed&after={page['next']}")
    names = [one["name"] for one in page["items"] + rest["items"]]
    assert names == [formula, "Listed B", "Listed C"]
    assert rest["next"] is None
    counts = await desk.ask("stranger", "GET", f"{PROJECTS}/counts?q=listed")
    assert counts["total"] == 3
    assert {row["focusArea"] for row in counts["rows"]} == {"FA1", "FA2", "FA3"}
    points = await desk.ask("stranger", "GET", f"{PROJECTS}/points?q=listed")
    assert len(points["features"]) == 3
    one = await desk.ask("stranger", "GET", f"{PROJECTS}?q=listed&focus=FA2")
    assert [row["name"] for row in one["items"]] == ["Listed B"]
    text = await desk.ask("stranger", "GET", f"{PROJECTS}/export?q=listed&lang=th")
    rows = list(csv.reader(io.StringIO(text.decode("utf-8-sig"))))
    assert rows[0][3] == "ชื่อ"
    assert rows[1][3] == "'" + formula
    sheet = await desk.ask("stranger", "GET", f"{PROJECTS}/export?q=listed&form=xlsx")
    cell = load_workbook(io.BytesIO(sheet)).active["D2"]  # type: ignore[index]
    assert (cell.value, cell.data_type) == ("'" + formula, "s")
    for bad, status in (("after=x", 422), ("year=99999", 422), ("limit=x", 400), ("gap=q", 400)):
        await desk.ask("stranger", "GET", f"{PROJECTS}?{bad}", status)


async def test_a_kit_goes_from_one_to_another(desk: Desk) -> None:
    made = await desk.published("To be copied", **READY, funding=MONEY)
    kit = await desk.ask("stranger", "GET", f"{PROJECTS}/{made['id']}/kit")
    taken = await desk.ask("steward", "POST", f"{PROJECTS}/adopt", 409, json=kit)
    assert taken["code"] == "project-name-taken"  # of the same city
    await desk.act("chief", made, "rename", name="Copied", year=2025, source="x")
    draft = await desk.ask("steward", "POST", f"{PROJECTS}/adopt", 201, json=kit)
    assert draft["adoptedFrom"]["id"] == made["id"]
    assert (draft["published"], draft["stage"]) == (False, "idea")
    assert draft["money"]["committed"] == 0
    again = await desk.ask("steward", "GET", f"{PROJECTS}/{draft['id']}/kit")
    assert again["project"] == kit["project"]
    kit["project"]["name"] = "Forged"
    refused = await desk.ask("steward", "POST", f"{PROJECTS}/adopt", 422, json=kit)
    assert refused["code"] == "project-kit-unreadable"
    await desk.ask("steward", "POST", f"{PROJECTS}/adopt", 422, content=b"[1, 2")


async def test_nobody_is_named(desk: Desk) -> None:
    for text in ("Ask somchai@example.org", "Call 081-234-5678", "Call +66 2 123 4567"):
        refused = await desk.ask(
            "steward", "POST", PROJECTS, 422, json={"name": "x", "challenges": [text]}
        )
        assert refused["code"] == "project-contact-refused", text
        assert refused["field"] == "challenges[0]"
    plain = "Between 2020-2030, 1,250,000,000 baht, see 13.7563,100.5018 and ISO 37120:2018"
    await desk.draft("Numbers are no telephones", challenges=[plain])


async def test_evidence_is_a_file_of_the_project(desk: Desk) -> None:
    made = await desk.published("Proved", **READY)
    one = f"{PROJECTS}/{made['id']}"
    files = {"file": ("study.pdf", b"%PDF-1.7 a study", "application/pdf")}
    kept = await desk.ask("steward", "POST", f"{one}/files", 201, files=files)
    await desk.ask("stranger", "GET", f"{one}/files/{kept['id']}", 404)
    proof = {"title": "Study", "file": kept["id"], "proves": ["study", "need"]}
    await desk.ask("steward", "PATCH", one, json={"evidence": [proof]})
    assert await desk.ask("stranger", "GET", f"{one}/files/{kept['id']}") == b"%PDF-1.7 a study"
    ready = await desk.ask("stranger", "GET", f"{one}/readiness")
    assert (ready["score"], ready["of"]) == (25, 100)
    need = next(c for c in ready["criteria"] if c["code"] == "need")
    assert need["earned"] == 10
    assert need["evidence"][0]["title"] == "Study"
    refused = await desk.ask(
        "steward", "PATCH", one, 404, json={"evidence": [{**proof, "file": "0" * 32}]}
    )
    assert refused["code"] == "project-file-unknown"
    bad = {"file": ("x.exe", b"MZ", "application/pdf")}
    await desk.ask("steward", "POST", f"{one}/files", 422, files=bad)


async def test_bankability_says_what_it_rests_on(desk: Desk) -> None:
    made = await desk.published("Flowing", **READY)
    one = f"{PROJECTS}/{made['id']}"
    missing = await desk.ask("stranger", "GET", f"{one}/bankability", 404)
    assert missing["code"] == "project-sheet-missing"
    flows = {
        "currency": "THB", "priceYear": 2025, "firstYear": 2025, "rate": 0.05, "capital": [1000],
        "revenue": [0, 400, 400, 400], "assumptions": "Made up.",
    }  # fmt: skip
    await desk.ask("steward", "PATCH", one, json={"flows": flows})
    told = await desk.ask(
        "stranger", "GET", f"{one}/bankability", headers={"accept-language": "en"}
    )
    assert round(told["npv"], 4) == 89.2992  # 400 × 2.7232480 − 1000
    assert told["irr"]["verdict"] == "one"
    assert len(told["sensitivity"]) == 10
    assert "NPV is nought" in told["switching"][0]["words"]
    tried = await desk.ask("stranger", "POST", f"{PROJECTS}/bankability", json=flows)
    assert tried["npv"] == told["npv"]
    await desk.ask("stranger", "POST", f"{PROJECTS}/bankability", 400, json={**flows, "rate": -1})


async def test_a_target_is_read_from_the_citys_values(desk: Desk) -> None:
    target = {
        "indicator": "plans-test", "unit": "%", "baseline": 0, "baselineOn": "2024-01-01",
        "target": 100, "targetOn": "2026-01-01", "sense": "up",
    }  # fmt: skip
    body = {
        "title": {"en": "A plan", "th": "แผน"}, "firstYear": 2024, "lastYear": 2026,
        "objectives": [{"title": {"en": "Better"}, "targets": [target]}],
    }  # fmt: skip
    made = await desk.ask("steward", "POST", PLANS, 201, json=body)
    one = f"{PLANS}/{made['id']}"
    assert made["targets"][0]["state"]["standing"] == "not-reported"
    assert "no value" in made["targets"][0]["state"]["why"]
    await desk.ask("stranger", "GET", one, 404)
    await desk.ask("steward", "POST", f"{one}/acts/publish", 403, json={})
    await desk.ask("chief", "POST", f"{one}/acts/publish", json={})
    entity_id = "urn:ngsi-ld:IndicatorValue:th-bkk:plans-test-2024"
    attrs = {
        indicator.CODE: property_of("plans-test"),
        indicator.CITY: property_of("th-bkk"),
        indicator.PERIOD_START: property_of("2024-01-01"),
        indicator.PERIOD_END: property_of("2025-01-01"),
        indicator.QUALITY: property_of("complete"),
        indicator.VALUE_STATE: property_of("approved"),
        indicator.VALUE: property_of(48.0) | {"unitCode": "P1"},
    }
    entity = Entity(entity_id, (indicator.VALUE_TYPE,), attrs)
    await desk.town.context.write(Upsert(entity), actor="test")
    await desk.town.settle()
    state = (await desk.ask("stranger", "GET", one))["targets"][0]["state"]
    assert (state["standing"], state["value"], state["on"]) == ("on-track", 48, "2025-01-01")
    assert state["entity"] == entity_id
    reopened = Entity(
        entity_id,
        entity.types,
        {n: v for n, v in attrs.items() if n != indicator.VALUE}
        | {indicator.VALUE_STATE: property_of("draft")},
    )
    await desk.town.context.write(Upsert(reopened), actor="test")
    await desk.town.settle()
    state = (await desk.ask("stranger", "GET", one))["targets"][0]["state"]
    assert state["standing"] == "not-reported"
    other = {**body, "title": {"en": "Another plan"}}
    other["objectives"] = [{"title": {"en": "Worse"}, "targets": [{**target, "target": 50}]}]
    await desk.ask("steward", "POST", PLANS, 201, json=other)
    found = await desk.ask("steward", "GET", f"{PLANS}/conflicts?lang=en")
    assert [one["code"] for one in found["items"]] == ["contradicting-targets"]
    assert "plans-test" in found["items"][0]["words"]
    public = await desk.ask("stranger", "GET", f"{PLANS}/conflicts")
    assert public["items"] == []  # the other is a draft


async def test_the_standard_apis_do_not_write_projects() -> None:
    assert project.TYPE in KEPT_BY_ROOMS
    assert TYPE_CLASS[project.TYPE] == "public"


NUL = "%00"
LONE = '{"name": "\\ud800"}'
BAD_BODIES = [
    b"", b"[]", b"null", b"{", b'{"name": 1}', b'{"name": "x", "extra": 1}', b'{"name": ""}',
    b'{"name": "  "}', b'{"name": "x", "cost": {"currency": "baht", "priceYear": 2025}}',
    b'{"name": "x", "cost": {"currency": "THB", "priceYear": 2025, "amount": 1e999}}',
    b'{"name": "x", "cost": {"currency": "THB", "priceYear": 2025, "amount": -1}}',
    b'{"name": "x", "location": [200, 10]}', b'{"name": "x", "focusArea": "FA9"}',
    b'{"name": "x", "focusArea": "FA1", "projectType": "FA2.1"}', b'{"name": "x", "startYear": 12}',
    b'{"name": "x", "startYear": 2030, "endYear": 2020}', LONE.encode(), b'{"name": "a\\u0000b"}',
    b'{"name": "x", "evidence": [{"title": "t"}]}', b'{"name": "x", "adoptedFrom": {}}',
    b'{"name": "x", "measures": [{"name": "a", "unit": "b", "baselineOn": "2025-13-01"}]}',
    b'{"name": "x", "challenges": ' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    b'{"name": "x", "summary": {"en": "a\\u0000b"}}',
]  # fmt: skip


async def test_bad_input_is_told_and_keeps_nothing(desk: Desk) -> None:
    before = (await desk.ask("staff", "GET", f"{PROJECTS}/counts"))["total"]
    made = await desk.draft("To be hurt")
    one = f"{PROJECTS}/{made['id']}"
    client = desk.clients["chief"]
    doors = [
        ("POST", PROJECTS), ("PUT", one), ("PATCH", one), ("POST", f"{PROJECTS}/adopt"),
        ("POST", PLANS), ("POST", f"{PROJECTS}/bankability"), ("POST", f"{one}/acts/rename"),
    ]  # fmt: skip
    for body in BAD_BODIES:
        for method, path in doors:
            answer = await client.request(method, path, content=body)
            assert 400 <= answer.status_code < 500, (method, path, body[:80], answer.text[:300])
    for path in (
        f"{PROJECTS}?q={NUL}", f"{PROJECTS}?city={NUL}", f"{PROJECTS}/{NUL}", f"{PROJECTS}/x/kit",
        f"{PROJECTS}?after=%ff", f"{PROJECTS}?after=WzEsMl0", f"{PROJECTS}?year=0",
        f"{one}/files/..%2f..%2fx", f"{one}/files/{NUL}", f"{PLANS}?city={NUL}", f"{PLANS}/{NUL}",
        f"{PROJECTS}?plan={NUL}", f"{PROJECTS}/export?form=exe", f"{PLANS}?state={NUL}",
    ):  # fmt: skip
        answer = await client.get(path)
        assert 400 <= answer.status_code < 500, (path, answer.status_code, answer.text[:300])
    acts = [
        ("advance", {}), ("advance", {"to": "moon"}), ("merge", {"into": made["id"]}),
        ("merge", {"into": "x"}), ("split", {"names": ["a"]}), ("fly", {}), ("cancel", {}),
        ("split", {"names": ["a", "A"]}), ("rename", {"name": "\0"}), ("suspend", {"words": " "}),
        ("advance", {"to": "concept", "version": 99}), ("cancel", {"words": "a\0b"}),
    ]  # fmt: skip
    for act, said in acts:
        answer = await client.post(f"{one}/acts/{act}", json=said)
        assert 400 <= answer.status_code < 500, (act, said, answer.status_code, answer.text[:300])
    after = (await desk.ask("staff", "GET", f"{PROJECTS}/counts"))["total"]
    assert after == before + 1
