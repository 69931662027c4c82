"""Values over HTTP: entered, checked by another, approved, locked, reopened, walked down."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from litestar import Litestar
from openpyxl import Workbook, load_workbook

from engine_fixtures import copied_database
from nagara.cases import room as cases_room
from nagara.cases.photos import PhotoFiles
from nagara.cases.reports import Report, Reports
from nagara.cases.service import Casework
from nagara.city import bundled_kit
from nagara.context import Context, Query
from nagara.context.room import Floor
from nagara.engines.postgres import PostgresEngine
from nagara.guard import Guard, audit
from nagara.guard.accounts import NewAccount
from nagara.guard.identity import ANONYMOUS
from nagara.http.problem import EXCEPTION_HANDLERS
from nagara.indicators import room as indicators_room
from nagara.pack import installed_packs
from nagara.vocab import indicator as noun
from nagara.vocab.indicator import ReceivedValue
from room_fixtures import NOON, Town

API = "/api/v1/indicators"
HERE = (100.5018, 13.7563)
INTERNET, PHYSICIANS = "u4ssc-ec-ict-ict-1c", "u4ssc-sc-eh-h-3c"


class Desk:
    """A town with the room, and a client for each role."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.cases = cases_room.assemble(town.floor)
        self.room = indicators_room.assemble(town.floor, installed_packs())
        for room in (self.cases, self.room):
            for reader in room.readers:
                town.context.add_reader(reader)
        self.app = Litestar(
            list(self.room.routes),
            on_app_init=[town.floor.guard.on_app_init],
            exception_handlers=dict(EXCEPTION_HANDLERS),
        )
        self.clients: dict[str, httpx.AsyncClient] = {}

    async def open(self) -> None:
        roles = ("staff", "steward", "chief", "administrator", "")
        for n, role in enumerate(roles):
            client = httpx.AsyncClient(
                transport=httpx.ASGITransport(self.app, client=("127.0.0.1", 9000 + n)),
                base_url="http://testserver.local",
            )
            self.clients[role or "stranger"] = client
            if not role:
                continue
            gate = self.town.floor.guard
            async with self.town.floor.db.acquire() as conn:
                new = NewAccount(f"{role}.one", role, (role,), ("drainage",))
                made = await gate.accounts.create(conn, new, at=gate.wall(), by="test")
            said = {"username": made.username, "password": made.password}
            answer = await client.post("/api/v1/session", json=said)
            assert answer.status_code < 300, answer.text
            client.headers["x-csrf-token"] = answer.json()["csrf"]
            client.headers["origin"] = "http://testserver.local"

    async def close(self) -> None:
        for client in self.clients.values():
            await client.aclose()

    async def ask(self, role: str, method: str, path: str, status: int = 200, **said: Any) -> Any:
        answer = await self.clients[role].request(method, f"{API}{path}", **said)
        assert answer.status_code == status, (answer.status_code, answer.text[:600])
        if answer.headers["content-type"].startswith(("application/json", "application/problem")):
            return answer.json()
        return answer.content

    async def enter(self, role: str = "staff", code: str = INTERNET, **said: Any) -> Any:
        body = {"period": "2024", **said}
        return await self.ask(role, "POST", f"/{code}/values", 201, json=body)


@pytest_asyncio.fixture(scope="module")
async def shared(
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
        await made.close()
        await context.stop()


@pytest_asyncio.fixture
async def desk(shared: Desk) -> Desk:
    """The town on a new day, with nothing of the day before in the room's tables."""
    shared.town.pass_(days=1)
    await shared.town.settle()
    async with shared.town.floor.db.acquire() as conn:
        await conn.execute(
            """truncate indicators.value, indicators.step, indicators.target,
                        indicators.case_fact, indicators.alert_fact, indicators.day_fact,
                        indicators.day_dirty"""
        )
    return shared


async def test_a_value_goes_through_three_hands_and_a_locked_one_is_not_changed(
    desk: Desk,
) -> None:
    made = await desk.enter(value=91.5, note="survey")
    path = f"/{INTERNET}/values/{made['id']}"
    assert (made["status"], made["unit"], made["period"]["label"]) == ("draft", "%", "2024")
    # a stranger does not hear of a draft, not even in a count
    assert (await desk.ask("stranger", "GET", f"/{INTERNET}/values"))["items"] == []
    await desk.ask("stranger", "GET", path, 404)

    changed = await desk.ask("staff", "PATCH", path, json={"value": 92.5})
    assert (changed["value"], changed["version"]) == (92.5, 2)
    stale = {"headers": {"if-match": '"1"'}}
    refused = await desk.ask("staff", "PATCH", path, 409, json={"value": 1.0}, **stale)
    assert refused["code"] == "indicator-value-changed"

    await desk.ask("staff", "POST", f"{path}/check", 403, json={})
    await desk.ask("steward", "POST", f"{path}/check", json={})
    await desk.ask("steward", "POST", f"{path}/approve", 403, json={})
    refused = await desk.ask("staff", "PATCH", path, 409, json={"value": 1.0})
    assert refused["code"] == "indicator-value-not-draft"
    await desk.ask("chief", "POST", f"{path}/approve", json={})
    await desk.ask("chief", "POST", f"{path}/lock", json={})
    refused = await desk.ask("staff", "PATCH", path, 409, json={"value": 1.0})
    assert refused["code"] == "indicator-value-locked"
    assert "ล็อก" in (await desk.ask("staff", "PATCH", f"{path}?lang=th", 409, json={}))["detail"]

    (seen,) = (await desk.ask("stranger", "GET", f"/{INTERNET}/values"))["items"]
    assert (seen["value"], seen["status"]) == (92.5, "locked")
    assert "author" not in seen
    (entity,) = await desk.town.context.query_all(Query(types=(noun.VALUE_TYPE,)))
    assert (entity.value(noun.VALUE), entity.value(noun.VALUE_STATE)) == (92.5, "locked")

    await desk.ask("chief", "POST", f"{path}/reopen", 400, json={"words": " "})
    await desk.ask("chief", "POST", f"{path}/reopen", json={"words": "new survey"})
    told = await desk.ask("chief", "GET", path)
    kinds = [step["kind"] for step in told["steps"]]
    assert kinds == ["entered", "changed", "checked", "approved", "locked", "reopened"]
    assert told["steps"][1]["before"] == 91.5
    assert told["steps"][-1]["words"] == "new survey"
    (entity,) = await desk.town.context.query_all(Query(types=(noun.VALUE_TYPE,)))
    assert entity.value(noun.VALUE) is None
    assert entity.value(noun.VALUE_STATE) == "draft"
    async with desk.town.floor.db.acquire() as conn:
        acts = {r["act"] for r in await conn.fetch("select act from guard.audit")}
    assert {"indicator:enter", "indicator:change", "indicator:check"} <= acts


async def test_the_same_person_does_not_check_what_he_entered(desk: Desk) -> None:
    made = await desk.enter("steward", value=80.0)
    path = f"/{INTERNET}/values/{made['id']}/check"
    assert (await desk.ask("steward", "POST", path, 403, json={}))["code"] == (
        "indicator-same-person"
    )
    await desk.ask("administrator", "POST", path, json={})


async def test_bad_input_gets_a_clear_answer(desk: Desk) -> None:
    async def refused(status: int, code: str, of: str = INTERNET, **said: Any) -> None:
        body = {"period": "2024", **said}
        answer = await desk.ask("staff", "POST", f"/{of}/values", status, json=body)
        assert answer["code"] == code
        assert answer["detail"]
        assert answer["hint"]

    await refused(400, "indicator-period-invalid", period="soon", value=1.0)
    await refused(400, "indicator-value-invalid")
    await refused(400, "indicator-value-invalid", numerator=1.0, denominator=0.0)
    await refused(400, "unit-mismatch", value=1.0, unit="KMT")
    await refused(400, "unit-unknown", value=1.0, unit="furlong")
    await refused(400, "indicator-area-unknown", value=1.0, area="9999")
    await refused(400, "indicator-breakdown-unknown", value=1.0, breakdown="moon=full")
    await refused(404, "indicator-definition-unknown", of="nothing", value=1.0)
    await refused(400, "indicator-value-invalid", value=1.0, evidence=[{"title": "x"}])
    bad = {"title": "x", "url": "javascript:alert(1)"}
    await refused(400, "indicator-value-invalid", value=1.0, evidence=[bad])
    await desk.enter(value=1.0)
    await refused(409, "indicator-value-taken", value=2.0)
    findings = (await desk.enter(period="2023", value=104.0))["findings"]
    assert [f["code"] for f in findings] == ["above-range"]
    for path in ("/nothing", "/values?after=x", "/values?from=x", "/answers?set=x"):
        answer = await desk.clients["stranger"].get(API + path)
        assert answer.status_code in (400, 404), path
    answer = await desk.clients["stranger"].get(f"{API}/scorecard?frame=x")
    assert answer.status_code == 404


async def test_a_population_that_differs_is_found_and_stops_the_check(desk: Desk) -> None:
    people = sum(d.population or 0 for d in desk.town.city.districts)
    good = await desk.enter(code=PHYSICIANS, numerator=5000.0, denominator=people * 1.04)
    assert good["findings"] == []
    assert good["value"] == pytest.approx(5000 / (people * 1.04) * 100_000)
    bad = await desk.enter(
        code=PHYSICIANS, period="2023", numerator=5000.0, denominator=people * 1.06
    )
    assert [f["code"] for f in bad["findings"]] == ["population-differs"]
    path = f"/{PHYSICIANS}/values/{bad['id']}/check"
    answer = await desk.ask("steward", "POST", path, 409, json={"words": "it is so"})
    assert answer["code"] == "indicator-findings-open"


async def test_one_entry_answers_every_set_that_asks_the_same(desk: Desk) -> None:
    made = await desk.enter("staff", PHYSICIANS, value=210.0)
    asked = await desk.ask("staff", "GET", "/answers?set=iso-37120&year=2024")
    by_code = {item["code"]: item for item in asked["items"]}
    assert by_code["iso37120-12.3"]["value"] == 210.0
    assert by_code["iso37120-12.3"]["answeredBy"] == PHYSICIANS
    assert by_code["iso37120-12.3"]["valueId"] == made["id"]
    assert not by_code["iso37120-12.3"]["near"]
    assert by_code["iso37120-5.6"]["value"] is None
    assert by_code["iso37120-5.6"]["missing"]
    # strangers hear nothing of the draft
    asked = await desk.ask("stranger", "GET", "/answers?set=iso-37120&year=2024")
    assert all(item["value"] is None for item in asked["items"])
    # 120 minutes for each power cut are two hours
    await desk.enter("staff", "u4ssc-ec-i-es-2c", value=120.0)
    asked = await desk.ask("staff", "GET", "/answers?set=iso-37120&year=2024")
    by_code = {item["code"]: item for item in asked["items"]}
    assert by_code["iso37120-7.7"]["value"] == pytest.approx(2.0)


async def test_what_the_city_counts_is_kept_and_walks_down_to_readings_and_cases(
    desk: Desk,
) -> None:
    town = desk.town
    await town.measure("54t", 40.0)
    await town.measure("02t", 20.0, at=town.now - timedelta(hours=1))
    photos = PhotoFiles(town.floor.files, town.floor.guard.persons, b"s" * 32)
    floor = town.floor
    work = Casework(floor.context, floor.db, floor.city, floor.guard, photos)
    reports = Reports(work, b"s" * 32)
    for n in range(3):
        report = Report("drain", *HERE, words=f"ท่อ {n}", consent=True)
        await reports.report(report, ANONYMOUS, None)
    town.pass_(minutes=1)
    await town.settle()
    done = await desk.ask("steward", "POST", "/compute", json={})
    assert done["periods"] == 2  # the running month and year
    assert done["values"] > 60
    listed = await desk.ask("stranger", "GET", "/air-pm25-mean/values")
    year = next(v for v in listed["items"] if v["period"]["label"] == "2025")
    assert (year["value"], year["numerator"], year["denominator"]) == (30, 60, 2)
    path = f"/air-pm25-mean/values/{year['id']}/lineage"
    lineage = await desk.ask("stranger", "GET", path)
    assert lineage["kind"] == "station-days"
    assert lineage["countedNow"]["value"] == 30
    assert lineage["inputs"]["formula"].startswith("readings.AirQualityObserved.pm25.sum")
    assert {item["sum"] for item in lineage["items"]} == {20.0, 40.0}
    item = next(i for i in lineage["items"] if i["sum"] == 40.0)
    asked = f"{path}/readings?entity={item['entity']}&day={item['day']}"
    (reading,) = (await desk.ask("stranger", "GET", asked))["items"]
    assert (reading["value"], reading["provenance"]) == (40.0, "replayed")

    listed = await desk.ask("steward", "GET", "/cases-placed-share/values")
    value = next(v for v in listed["items"] if v["period"]["label"] == "2025")
    path = f"/cases-placed-share/values/{value['id']}/lineage"
    assert len((await desk.ask("steward", "GET", path))["items"]) == 3
    assert (await desk.ask("stranger", "GET", path))["items"] == []  # numbers, but no cases
    page = await desk.ask("steward", "GET", f"{path}?limit=2")
    rest = await desk.ask("steward", "GET", f"{path}?limit=2&after={page['next']}")
    assert (len(page["items"]), len(rest["items"]), rest["next"]) == (2, 1, None)

    # counted again nothing changes; published sets are answered
    again = await desk.ask("stranger", "GET", "/air-pm25-mean/values")
    await desk.ask("steward", "POST", "/compute", json={})
    assert await desk.ask("stranger", "GET", "/air-pm25-mean/values") == again
    asked = await desk.ask("stranger", "GET", "/answers?set=u4ssc&year=2025")
    air = next(i for i in asked["items"] if i["standardCode"] == "EN: EN: AQ: 1C")
    assert (air["value"], air["answeredBy"]) == (30, "air-pm25-mean")


async def test_a_count_does_not_write_over_what_somebody_answers_for(desk: Desk) -> None:
    town = desk.town
    await town.measure("54t", 40.0)
    await town.settle()
    await desk.ask("steward", "POST", "/compute", json={"codes": ["air-pm25-mean"]})
    listed = await desk.ask("steward", "GET", "/air-pm25-mean/values")
    value = next(v for v in listed["items"] if v["period"]["label"] == "2025")
    path = f"/air-pm25-mean/values/{value['id']}"
    await desk.ask("steward", "POST", f"{path}/check", json={})
    town.pass_(hours=1)
    await town.measure("54t", 60.0)
    await town.settle()
    await desk.ask("steward", "POST", "/compute", json={"codes": ["air-pm25-mean"]})
    told = await desk.ask("steward", "GET", path)
    assert (told["value"], told["recount"], told["status"]) == (40, 50, "checked")


async def test_what_people_entered_is_found_among_what_the_city_counts(desk: Desk) -> None:
    made = await desk.enter(value=91.5, note="survey")
    await desk.ask("steward", "POST", "/compute", json={"codes": ["people-per-km2"]})
    path = "/values?status=draft&area=*&breakdown=*"
    everything = (await desk.ask("steward", "GET", path))["items"]
    assert len(everything) > 50  # a value for each district
    entered = (await desk.ask("steward", "GET", f"{path}&entered=true"))["items"]
    assert [one["id"] for one in entered] == [made["id"]]
    assert (await desk.ask("stranger", "GET", f"{path}&entered=true"))["items"] == []


async def test_small_cells_are_hidden_with_what_would_give_them_away(desk: Desk) -> None:
    codes = [d.code for d in desk.town.city.districts[:4]]
    counts = (2.0, 7.0, 30.0, 40.0)
    deaths = "u4ssc-sc-sh-sa-9c"
    for area, count in zip(codes, counts, strict=True):
        people = float(next(d.population or 0 for d in desk.town.city.districts if d.code == area))
        made = await desk.enter("staff", deaths, numerator=count, denominator=people, area=area)
        path = f"/{deaths}/values/{made['id']}"
        await desk.ask("steward", "POST", f"{path}/check", json={"words": "ok"})
        await desk.ask("chief", "POST", f"{path}/approve", json={})
    seen = await desk.ask("stranger", "GET", f"/{deaths}/values?area=*")
    hidden = {v["area"] for v in seen["items"] if v["suppressed"]}
    assert hidden == set(codes[:2])  # the two, and the seven that would give the two away
    assert all(v["value"] is None and v["numerator"] is None for v in seen["items"][:0])
    for one in seen["items"]:
        if one["suppressed"]:
            assert (one["value"], one["numerator"], one["denominator"]) == (None, None, None)
            alone = await desk.ask("stranger", "GET", f"/{deaths}/values/{one['id']}")
            assert alone["value"] is None
            assert alone["steps"] == []
    table = await desk.ask("stranger", "GET", "/export?form=csv")
    rows = list(csv.DictReader(io.StringIO(table.decode("utf-8-sig"))))
    assert {r["area"] for r in rows if r["value"] == ""} == set(codes[:2])
    checked = await desk.ask("steward", "GET", f"/{deaths}/values?area=*")
    assert not any(v["suppressed"] for v in checked["items"])


async def test_targets_have_baseline_date_and_standing(desk: Desk) -> None:
    await desk.enter("staff", INTERNET, period="2025", value=95.0)
    body = {
        "baseline": 80.0,
        "baseline_on": "2024-01-01",
        "target": 100.0,
        "target_on": "2028-01-01",
        "source": "plan of the city",
    }
    await desk.ask("staff", "PUT", f"/{INTERNET}/target", 403, json=body)
    made = await desk.ask("chief", "PUT", f"/{INTERNET}/target", json=body)
    assert (made["version"], made["sense"], made["standing"]) == (1, "up", "on-track")
    made = await desk.ask("chief", "PUT", f"/{INTERNET}/target", json=body | {"target": 90.0})
    assert (made["version"], made["standing"]) == (2, "reached")
    wrong = body | {"target_on": "2023-01-01"}
    answer = await desk.ask("chief", "PUT", f"/{INTERNET}/target", 400, json=wrong)
    assert answer["code"] == "indicator-target-invalid"
    (seen,) = (await desk.ask("stranger", "GET", "/targets"))["items"]
    assert (seen["standing"], "who" in seen) == ("no-value", False)  # the value is a draft
    card = await desk.ask("chief", "GET", "/scorecard?frame=th-smart&year=2025")
    economy = next(p for p in card["items"] if p["code"] == "economy")
    line = next(i for i in economy["indicators"] if i["code"] == INTERNET)
    assert line["target"]["standing"] == "reached"


async def test_other_cities_are_compared_and_never_mixed(desk: Desk) -> None:
    register = desk.room.register
    assert register is not None
    values = [
        ReceivedValue(INTERNET, date(y, 1, 1), date(y + 1, 1, 1), 50.0 + y - 2020, "P1")
        for y in range(2020, 2025)
    ]
    assert await register.receive("th-pkt", values, "token:network") == 5
    assert await register.receive("th-pkt", values, "token:network") == 5
    asked = f"/compare?code={INTERNET}&cities=th-pkt,th-bkk&from=2021-06-01"
    found = await desk.ask("stranger", "GET", asked)
    by_city = {item["city"]: [v["value"] for v in item["values"]] for item in found["items"]}
    assert by_city == {"th-pkt": [51.0, 52.0, 53.0, 54.0], "th-bkk": []}
    own = await desk.ask("stranger", "GET", f"/{INTERNET}/values")
    assert own["items"] == []

    reading = desk.room.reading
    assert reading is not None
    await desk.enter(period="2023", value=9.0, note="a draft")  # nobody answers for it
    asked_of = ["th-pkt", register.city.code, "nowhere"]
    always = date(1900, 1, 1), date(2900, 1, 1)
    whole = await reading.list_whole(asked_of, [INTERNET], *always, 100)
    assert {(v.city, v.value) for v in whole} == {("th-pkt", 50.0 + n) for n in range(5)}
    assert len(await reading.list_whole(asked_of, None, *always, 2)) == 2


async def test_what_changed_is_told_as_it_was_last_counted(desk: Desk) -> None:
    first = await desk.ask("stranger", "GET", "/changes?days=7")
    desk.town.pass_(hours=1)
    assert (await desk.ask("stranger", "GET", "/changes?days=7"))["asOf"] == first["asOf"]
    later = await desk.ask("stranger", "GET", "/changes?days=8")  # another span: counted anew
    assert later["asOf"] > first["asOf"]
    assert [item["code"] for item in later["items"]] == [item["code"] for item in first["items"]]


# --- spreadsheets ----------------------------------------------------------------------------


def sheet(*rows: list[Any]) -> dict[str, Any]:
    book = Workbook()
    table = book.active
    assert table is not None
    for row in rows:
        table.append(row)
    out = io.BytesIO()
    book.save(out)
    return {"files": {"file": ("return.xlsx", out.getvalue())}}


HEAD = ["code", "name", "period", "value", "numerator", "denominator", "unit", "note"]


async def test_a_template_comes_back_filled_and_is_stored(desk: Desk) -> None:
    data = await desk.ask("staff", "GET", "/template.xlsx?set=u4ssc&year=2024&lang=th")
    book = load_workbook(io.BytesIO(data))
    table = book.active
    assert table is not None
    assert table["A1"].value == "รหัส"
    assert table.max_row > 91  # a row for each series too
    table["F2"] = 88.0
    table["F3"] = "77.5 %"
    out = io.BytesIO()
    book.save(out)
    said = {"files": {"file": ("return.xlsx", out.getvalue())}}
    looked = await desk.ask("staff", "POST", "/uploads", **said)
    assert (looked["rows"], looked["stored"], looked["problems"]) == (2, 0, [])
    stored = await desk.ask("staff", "POST", "/uploads?store=true", **said)
    assert (stored["stored"], stored["changed"]) == (2, 0)
    again = await desk.ask("staff", "POST", "/uploads?store=true", **said)
    assert (again["stored"], again["changed"]) == (0, 2)
    (kept,) = (await desk.ask("staff", "GET", f"/{INTERNET}/values"))["items"]
    assert (kept["value"], kept["method"]) == (88.0, "by-hand")


async def test_problems_are_named_by_cell_and_nothing_is_stored(desk: Desk) -> None:
    said = sheet(
        ["Return of Bangkok"],
        HEAD,
        [INTERNET, "x", 2024, 91, None, None, "%", None],
        [PHYSICIANS, "x", 2024, "many", None, None, None, None],
        ["nothing", "x", 2024, 1, None, None, None, None],
        [INTERNET, "x", "sometime", 1, None, None, None, None],
        [INTERNET, "x", 2023, "=1+1", None, None, None, None],
        [INTERNET, "x", 2022, 1, None, None, "km", None],
        [INTERNET, "x", 2021, 140, None, None, None, None],
        [None, INTERNET, "x", 2020, 55, None, None, None],
        [INTERNET, "x", 2567, 91, None, None, "%", None],
    )
    looked = await desk.ask("staff", "POST", "/uploads?lang=en", **said)
    found = {(p["cell"], p["code"]) for p in looked["problems"]}
    assert found == {
        ("D4", "cell-not-a-number"),
        ("A5", "code-unknown"),
        ("C6", "period-unreadable"),
        ("D7", "cell-formula"),
        ("G8", "unit-mismatch"),
        ("D9", "above-range"),
        ("B10", "columns-shifted"),
        ("A11", "row-twice"),  # 2567 of the Buddhist Era is 2024
    }
    assert all("{" not in p["words"] for p in looked["problems"])
    thai = await desk.ask("staff", "POST", "/uploads?lang=th", **said)
    assert thai["problems"][0]["words"] != looked["problems"][0]["words"]
    refused = await desk.ask("staff", "POST", "/uploads?store=true", 422, **said)
    assert refused["code"] == "indicator-sheet-has-problems"
    assert len(refused["problems"]) == 8
    assert (await desk.ask("staff", "GET", f"/{INTERNET}/values"))["items"] == []


async def test_columns_are_found_by_their_headings_wherever_they_stand(desk: Desk) -> None:
    said = sheet(["ค่า", None, "ปี", "รหัส"], ["๙๑.๕", None, "๒๕๖๗", INTERNET])
    stored = await desk.ask("staff", "POST", "/uploads?store=true", **said)
    assert stored["stored"] == 1
    (kept,) = (await desk.ask("staff", "GET", f"/{INTERNET}/values"))["items"]
    assert (kept["value"], kept["period"]["label"]) == (91.5, "2024")


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04broken", b"\x00\x01\x02", b"a,b\n1,2\n"])
async def test_what_is_no_spreadsheet_is_said_to_be_none(desk: Desk, data: bytes) -> None:
    answer = await desk.ask("staff", "POST", "/uploads", 400, files={"file": ("x.xlsx", data)})
    assert answer["code"] == "indicator-sheet-unreadable"


async def test_no_cell_of_an_export_is_a_formula(desk: Desk) -> None:
    await desk.enter(value=None, note="=cmd|' /C calc'!A0")
    for form in ("csv", "xlsx"):
        data = await desk.ask("staff", "GET", f"/export?form={form}")
        if form == "csv":
            cells = [c for row in csv.reader(io.StringIO(data.decode("utf-8-sig"))) for c in row]
        else:
            table = load_workbook(io.BytesIO(data)).active
            assert table is not None
            cells = [str(c.value or "") for row in table.iter_rows() for c in row]
        assert cells
        assert not any(c.startswith(("=", "+", "@")) for c in cells)


async def test_evidence_is_kept_for_town_hall(desk: Desk) -> None:
    file = {"file": ("report.pdf", b"%PDF-1.7 made")}
    made = await desk.ask("staff", "POST", "/evidence", 201, files=file)
    assert made["mediaType"] == "application/pdf"
    assert await desk.ask("chief", "GET", f"/evidence/{made['id']}") == b"%PDF-1.7 made"
    await desk.ask("stranger", "GET", f"/evidence/{made['id']}", 401)
    bad = {"file": ("x.exe", b"MZ....")}
    refused = await desk.ask("staff", "POST", "/evidence", 400, files=bad)
    assert refused["code"] == "indicator-evidence-refused"
    await desk.ask("staff", "GET", "/evidence/..%2f..%2fsecret", 404)


async def test_no_route_of_values_lets_a_stranger_write(desk: Desk) -> None:
    for method, path in (
        ("POST", f"/{INTERNET}/values"),
        ("PATCH", f"/{INTERNET}/values/1"),
        ("POST", f"/{INTERNET}/values/1/check"),
        ("POST", f"/{INTERNET}/values/1/return"),
        ("POST", f"/{INTERNET}/values/1/approve"),
        ("POST", f"/{INTERNET}/values/1/lock"),
        ("POST", f"/{INTERNET}/values/1/reopen"),
        ("POST", "/compute"),
        ("PUT", f"/{INTERNET}/target"),
        ("POST", "/uploads"),
        ("POST", "/evidence"),
        ("GET", "/template.xlsx"),
    ):
        answer = await desk.clients["stranger"].request(method, API + path, json={})
        assert answer.status_code in (401, 403), (method, path)
