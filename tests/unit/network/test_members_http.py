"""Members, offices, matches and reports over HTTP: who may, and what bad input is told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from litestar import Litestar

from engine_fixtures import copied_database
from nagara.city import bundled_kit
from nagara.cli.network import codes_of_kits
from nagara.context import Context
from nagara.context.room import Floor
from nagara.engines.postgres import PostgresEngine
from nagara.guard import Guard, audit
from nagara.guard.accounts import NewAccount
from nagara.http.problem import EXCEPTION_HANDLERS
from nagara.network.archive import read_folder
from nagara.network.room import assemble
from nagara.plans.room import assemble as assemble_plans
from nagara.vocab import member as noun
from unit.network.conftest import MEMBERS, PRINTED, ROWS, silently

API = "/api/v1/network"
PEOPLE = (("clerk", "secretariat"), ("other", "secretariat"), ("chief", "chief"))


class Hub:
    """The hub's room over HTTP, with a client for each person."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.clients: dict[str, httpx.AsyncClient] = {}

    async def ask(self, who: str, method: str, path: str, status: int = 200, **said: Any) -> Any:
        answer = await self.clients[who].request(method, API + path, **said)
        assert answer.status_code == status, (answer.status_code, answer.text[:600])
        return answer.json() if "json" in answer.headers["content-type"] else answer.content


@pytest_asyncio.fixture(scope="module")
async def hub(
    postgres_engine: PostgresEngine, make_city_root: Callable[[], Path], tmp_path_factory: Any
) -> AsyncIterator[Hub]:
    """One hub for all tests of this file."""
    root, folder = make_city_root(), tmp_path_factory.mktemp("tables")
    (folder / "ascn_members.csv").write_text(MEMBERS, encoding="utf-8")
    (folder / "ascn_me_projects_2022_2025.csv").write_text(ROWS, encoding="utf-8")
    (folder / "ascn_reports_printed.csv").write_text(PRINTED, encoding="utf-8")
    async with copied_database(postgres_engine) as database:
        guard = Guard(database, root, wall=lambda: datetime.now(UTC))
        await guard.start()
        context = Context(database, audit.append)
        await context.start()
        floor = Floor(context, database, bundled_kit("ascn"), guard, root / "files")
        room = assemble(floor, assemble_plans(floor).book)
        assert room.network is not None
        found = read_folder(folder, codes_of_kits())
        await room.network.loader.load(found, "system:test", silently)
        app = Litestar(
            list(room.routes),
            on_app_init=[guard.on_app_init],
            exception_handlers=dict(EXCEPTION_HANDLERS),
        )
        made = Hub(context)
        for n, (name, role) in enumerate((*PEOPLE, ("stranger", ""))):
            client = httpx.AsyncClient(
                transport=httpx.ASGITransport(app, client=("127.0.0.1", 9200 + n)),
                base_url="http://testserver.local",
                headers={"accept-language": "en", "origin": "http://testserver.local"},
            )
            made.clients[name] = client
            if role:
                async with database.acquire() as conn:
                    new = NewAccount(f"{name}.one", name, (role,), ())
                    account = await guard.accounts.create(conn, new, at=guard.wall(), by="test")
                said = {"username": account.username, "password": account.password}
                answer = await client.post("/api/v1/session", json=said)
                client.headers["x-csrf-token"] = answer.json()["csrf"]
        yield made
        for client in made.clients.values():
            await client.aclose()
        await context.stop()


async def test_anybody_reads_members_projects_and_reports(hub: Hub) -> None:
    members = (await hub.ask("stranger", "GET", "/members?year=2024"))["items"]
    assert [m["code"] for m in members] == ["la-vientiane", "th-bkk"]
    one = await hub.ask("stranger", "GET", "/members/th-bkk?lang=th")
    assert one["name"]["th"] == "กรุงเทพมหานคร"
    assert {p["name"] for p in one["projects"]} >= {"canal  gates".replace("  ", " ")}
    page = await hub.ask("stranger", "GET", "/projects?limit=3")
    rest = await hub.ask("stranger", "GET", f"/projects?limit=100&after={page['next']}")
    assert len(page["items"]) + len(rest["items"]) == 8
    assert rest["next"] is None
    summary = await hub.ask("stranger", "GET", "/summary?year=2024")
    assert {m["code"]: m["projects"] for m in summary["items"]} == {
        "th-bkk": 2, "la-vientiane": 2, "tl-dili": 0,
    }  # fmt: skip
    standing = await hub.ask("stranger", "GET", "/status?year=2024")
    assert (standing["projects"], sum(i["count"] for i in standing["items"])) == (4, 4)
    for asked, names in (("bus LANES", 2), ("bu", 2), ("zz", 0), ("e", 8), ("100%", 0)):
        found = await hub.ask("stranger", "GET", "/projects", params={"q": asked})
        assert len(found["items"]) == names, asked
    silent = await hub.ask("stranger", "GET", "/projects?status=none")
    assert {row["year"] for row in silent["items"]} == {2023}
    for form, begins in (("pdf", b"%PDF"), ("html", b"<!doctype"), ("xlsx", b"PK")):
        assert (await hub.ask("stranger", "GET", f"/reports/2024.{form}")).startswith(begins)
    assert (await hub.ask("stranger", "GET", "/reports/2024.sdmx"))["meta"]["id"]
    figures = await hub.ask("stranger", "GET", "/reports/2024")
    assert "rows" not in figures, "the screen asks for figures; rows come by pages or as a file"
    assert (figures["projects"], "items" in figures["became"]) == (4, False)
    assert len((await hub.ask("stranger", "GET", "/reports/2024.json"))["rows"]) == 4
    assert (await hub.ask("stranger", "GET", "/differences/2024"))["notDerivable"] >= 1


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/members/nowhere", 404),
        ("/members?year=99999", 400),
        ("/members?status=asleep", 400),
        ("/projects?focus=FA9", 400),
        ("/projects?after=nonsense", 400),
        ("/projects?after=WzEsIngiLCJ5IiwiXHUwMDAwIl0", 400),
        ("/projects/became?from=2024&to=2023", 400),
        ("/projects/became?from=1999&to=2024", 404),
        ("/projects/became?from=2023&to=2024&after=nonsense", 400),
        ("/reports/1999", 404),
        ("/reports/2024.docx", 400),
        ("/reports/next", 400),
        ("/reports/2024?version=7", 404),
        ("/terms?on=yesterday", 400),
    ],
)
async def test_what_cannot_be_asked_is_told_in_words(hub: Hub, path: str, status: int) -> None:
    answer = await hub.ask("stranger", "GET", path, status)
    assert answer["title"]


async def test_who_may_not_is_refused(hub: Hub) -> None:
    for who, status in (("stranger", 401), ("chief", 403)):
        await hub.ask(who, "POST", "/matches/1", status, json={"decision": "reject"})
        await hub.ask(who, "POST", "/reports/2024/versions", status, json={})
        await hub.ask(who, "POST", "/terms", status, json={"role": "chair", "starts": "2026-01-01"})


async def test_a_member_is_corrected_by_version(hub: Hub) -> None:
    said = {
        "name": {"en": "Semarang"}, "country": "ID", "joinedYear": 2025, "source": "made",
        "version": 0, "location": [110.4, -6.97],
    }  # fmt: skip
    made = await hub.ask("clerk", "PUT", "/members/id-semarang", json=said)
    assert made["version"] == 1
    entity = await hub.context.find("urn:ngsi-ld:NetworkMember:ascn:id-semarang")
    assert entity is not None
    assert (entity.value(noun.STATUS), entity.value(noun.COUNTRY)) == ("member", "ID")
    await hub.ask("clerk", "PUT", "/members/id-semarang", 409, json=said)
    wrong = {**said, "version": 1, "country": "ZZ", "location": [500, 0]}
    answer = await hub.ask("clerk", "PUT", "/members/id-semarang", 422, json=wrong)
    assert answer["fields"] == "country, location"


async def test_a_change_of_office_is_announced_by_one_and_confirmed_by_another(hub: Hub) -> None:
    first = {"role": "national", "scope": "TH", "starts": "2024-01-01", "source": "letter 1"}
    old = await hub.ask("clerk", "POST", "/terms", 201, json=first)
    said = {"role": "national", "scope": "TH", "starts": "2026-07-01", "office": "Director"}
    notice = await hub.ask("clerk", "POST", "/notices", 201, json=said)
    assert notice["replaces"] == old["id"]
    path = f"/notices/{notice['id']}"
    await hub.ask("clerk", "POST", path, 403, json={"decision": "confirm"})
    done = await hub.ask("other", "POST", path, json={"decision": "confirm"})
    assert done["state"] == "confirmed"
    await hub.ask("other", "POST", path, 409, json={"decision": "refuse"})
    terms = (await hub.ask("stranger", "GET", "/terms?role=national&scope=TH"))["items"]
    assert [(t["starts"], t["ends"]) for t in terms] == [
        ("2024-01-01", "2026-06-30"), ("2026-07-01", None),
    ]  # fmt: skip
    assert all("account" not in term for term in terms)


async def test_a_shepherd_has_two_years_and_an_office_a_scope(hub: Hub) -> None:
    for wrong in (
        {"role": "shepherd", "scope": "MY", "starts": "2026-01-01", "ends": "2029-01-01"},
        {"role": "chief", "scope": "th-nowhere", "starts": "2026-01-01"},
        {"role": "king", "scope": "TH", "starts": "2026-01-01"},
        {"role": "national", "scope": "TH", "starts": "2026-01-02", "ends": "2026-01-01"},
    ):
        await hub.ask("clerk", "POST", "/terms", 422, json={**wrong, "source": "made"})


async def test_the_chair_follows_the_alphabet_and_exceptions_say_so(hub: Hub) -> None:
    said = await hub.ask("stranger", "GET", "/chairs")
    by_year = {chair["year"]: chair for chair in said["items"]}
    for year in range(2019, 2026):
        assert by_year[year]["byRule"] == by_year[year]["country"], year
    assert (by_year[2026]["country"], by_year[2026]["byRule"]) == ("PH", "MM")
    assert by_year[2026]["exception"]
    assert (by_year[2027]["country"], by_year[2027]["expected"]) == ("SG", True)
    assert all(chair["source"] for year, chair in by_year.items() if year < 2027)


async def test_a_draft_is_seen_by_its_makers_until_it_is_published(hub: Hub) -> None:
    made = await hub.ask("clerk", "POST", "/reports/2024/versions", 201, json={"words": "first"})
    one = f"/reports/2024/versions/{made['version']}"
    assert (await hub.ask("chief", "GET", "/reports"))["items"] == []
    await hub.ask("stranger", "GET", f"/reports/2024?version={made['version']}", 404)
    await hub.ask("clerk", "POST", one, 409, json={"to": "published"})
    for stage in ("consultative-meeting", "coordinating-council", "summit", "published"):
        await hub.ask("clerk", "POST", one, json={"to": stage})
    (seen,) = (await hub.ask("stranger", "GET", "/reports"))["items"]
    assert (seen["stage"], seen["sha256"]) == ("published", made["sha256"])
    assert "by" not in seen
    frozen = await hub.ask("stranger", "GET", f"/reports/2024?version={made['version']}")
    assert frozen["sha256"] == made["sha256"]


async def test_matches_are_settled_over_http(hub: Hub) -> None:
    (match,) = (await hub.ask("stranger", "GET", "/matches?state=proposed"))["items"]
    assert match["reasons"]
    assert "settledBy" not in match
    done = await hub.ask(
        "clerk", "POST", f"/matches/{match['id']}", json={"decision": "confirm", "note": "same"}
    )
    assert (done["state"], done["settledBy"] != "") == ("confirmed", True)
    await hub.ask("clerk", "POST", f"/matches/{match['id']}", 409, json={"decision": "reject"})
    await hub.ask("clerk", "POST", "/matches/999999", 404, json={"decision": "reject"})
    asked = "/projects/became?from=2023&to=2024"
    became = await hub.ask("stranger", "GET", asked)
    assert became["counts"]["renamed"] == 1
    (renamed,) = (await hub.ask("stranger", "GET", f"{asked}&kind=renamed"))["items"]
    assert renamed["laterName"] == "Bus Lanes of Silom Road"
    walked, after = [], ""
    while after is not None:
        page = await hub.ask("stranger", "GET", f"{asked}&limit=2&after={after}")
        assert page["counts"] == became["counts"]
        walked, after = walked + page["items"], page["next"]
    assert walked == became["items"]
