"""The network's screens as the secretariat, a national representative, a chief officer and a
partner see them, on a hub of its own with made members and rows."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, expect

from e2e.browser import DESK, LANGUAGES, SMALLEST, words
from e2e.conftest import PATIENCE_MS
from e2e.demo_city import COMMAND, LOOK_S, ROOT, START_S, STOP_S, CityFailed
from engine_fixtures import free_port

pytestmark = pytest.mark.e2e

PEOPLE = {
    "secretariat": ("secretariat", None),
    "national": ("national", "country:SG"),
    "chief": ("chief", "city:th-bkk"),
    "partner": ("partner", "partner:adb"),
}
#: Made: two cities, two years, one name spelt otherwise in the second.
FILES = {
    "ascn_members.csv": "city,country_iso2,joined_year,pilot_2018\n"
    "Bangkok,TH,2018,yes\nSingapore,SG,2018,yes\n",
    "ascn_me_projects_2022_2025.csv": "report_year,country_iso2,city,project,focus_area,"
    "status_in_appendix\n"
    "2024,TH,Bangkok,Canal Water Monitoring,Quality Environment,ongoing_or_planning\n"
    "2024,SG,Singapore,Hospital Queue Forecast,Health & Well-being,completed\n"
    "2025,TH,Bangkok,Canal Water Monitoring Stations,Quality Environment,ongoing_or_planning\n"
    "2025,SG,Singapore,Digital Identity,Civic & Social,completed\n",
    "ascn_reports_printed.csv": "report_year,report_date,cities,projects,measure,value_printed,"
    "unit,note\n2025,2025-09-30,2,2,status: completed,2,projects,\n",
}


@dataclass
class Hub:
    """A running hub and the words of its people."""

    base: str
    passwords: dict[str, str] = field(default_factory=dict)

    def as_account(self, name: str) -> httpx.Client:
        """A client of the API, signed in."""
        client = httpx.Client(base_url=self.base, timeout=60)
        said = {"username": name, "password": self.passwords[name]}
        answer = client.post("/api/v1/session", json=said)
        answer.raise_for_status()
        client.headers["X-CSRF-Token"] = answer.json()["csrf"]
        return client


def _run(*arguments: object) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NAGARA_")}
    done = subprocess.run(
        [str(COMMAND), *map(str, arguments)],
        cwd=ROOT,
        env=environment | {"LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=START_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _begin(hub: Hub) -> None:
    """A year is open, a city says what it needs, somebody offers it, a meeting is called."""
    with closing(hub.as_account("secretariat")) as office:
        opened = office.post("/api/v1/network/returns/open", json={"year": 2026, "cities": []})
        opened.raise_for_status()
        offer = {
            "partner": "adb", "kind": "funding", "title": "Clean water for cities",
            "words": "For canals and drainage.", "focusAreas": ["FA4"], "source": "made",
        }  # fmt: skip
        office.post("/api/v1/network/offers", json=offer).raise_for_status()
    with closing(hub.as_account("chief")) as chief:
        need = {
            "city": "th-bkk", "country": "TH", "title": "Canal water quality",
            "words": "Canals smell in the dry season.", "focusArea": "FA4",
            "kinds": ["funding"],
        }  # fmt: skip
        made = chief.post("/api/v1/network/needs", json=need)
        made.raise_for_status()
        proposed = chief.post(f"/api/v1/network/needs/{made.json()['id']}/matches", json={})
        proposed.raise_for_status()


@pytest.fixture(scope="module")
def hub(make_city_root: Callable[[], Path]) -> Iterator[Hub]:
    """A hub with accounts, members, rows and work in progress."""
    root, port = make_city_root(), free_port()
    made = Hub(f"http://127.0.0.1:{port}")
    folder = root.with_name(root.name + "-rows")
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NAGARA_")}
    process = subprocess.Popen(
        [str(COMMAND), "up", "--kit", "ascn", "--data", str(root), "--port", str(port)],
        cwd=ROOT,
        env=environment | {"LANG": "C.UTF-8"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until_serving(made.base, process)
        _run("network", "load", folder, "--data", root)
        for name, (role, department) in PEOPLE.items():
            office = ("--department", department) if department else ()
            said = _run("user", "add", name, "--role", role, *office, "--data", root)
            found = re.search(rf"^{name}\s+(\S+)$", said, re.MULTILINE)
            assert found, said
            made.passwords[name] = found[1]
        _begin(made)
        yield made
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_serving(base: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while True:
        if process.poll() is not None or time.monotonic() > deadline:
            raise CityFailed("The hub did not serve.")
        try:
            if httpx.get(f"{base}/api/v1/network/years", timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(LOOK_S)


@pytest_asyncio.fixture
async def visit(browser: Browser, hub: Hub) -> AsyncIterator[Callable[..., Any]]:
    """People at the network's screens; afterwards no script has failed."""
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    async def come(
        path: str, account: str | None = None, language: str = "en", viewport: Any = DESK
    ) -> Page:
        context = await browser.new_context(
            base_url=hub.base,
            viewport=viewport,
            locale={"th": "th-TH", "en": "en-GB"}[language],
            service_workers="block",
            reduced_motion="reduce",
        )
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        context.on("weberror", lambda error: faults.append(str(error.error)))
        if account is not None:
            said = {"username": account, "password": hub.passwords[account]}
            answer = await context.request.post("/api/v1/session", data=said)
            assert answer.ok, await answer.text()
        page = await context.new_page()
        await page.goto(f"/network#/{path}")
        await page.locator("main h1").first.wait_for()
        await expect(page.locator(".skeleton")).to_have_count(0, timeout=PATIENCE_MS)
        return page

    yield come
    for context in contexts:
        await context.close()
    assert faults == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("path", "account"),
    [
        ("members", None),
        ("status", None),
        ("projects", None),
        ("report/2025", None),
        ("compare", None),
        ("chairs", None),
        ("offers", None),
        ("city/th-bkk", None),
        ("todo", "secretariat"),
        ("matches", "secretariat"),
        ("joining", "national"),
        ("returns", "chief"),
        ("matching", "partner"),
        ("meetings", "secretariat"),
    ],
)
async def test_axe_finds_nothing_and_nothing_is_lost_at_320_px(
    visit: Any, audit: Any, path: str, account: str | None, language: str
) -> None:
    page = await visit(path, account, language)
    assert await audit(page) == []
    await page.set_viewport_size(SMALLEST)
    wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0


async def test_a_stranger_reads_figures_beside_what_was_printed(visit: Any) -> None:
    page = await visit("report/2025")
    table = page.get_by_role("region", name=words("en", "network.differences.title"))
    await expect(
        table.get_by_text(words("en", "network.differences.differs"), exact=True)
    ).to_be_visible()
    assert await page.locator("a[href*='/reports/2025.pdf']").count() == 1
    await page.goto("/network#/returns")
    await expect(page.get_by_text(words("en", "network.closed.title"))).to_be_visible()


async def test_the_secretariat_decides_whether_two_names_are_one_project(visit: Any) -> None:
    page = await visit("matches", "secretariat")
    await expect(page.get_by_text("Canal Water Monitoring Stations")).to_be_visible()
    await page.get_by_role("button", name=words("en", "network.identities.same")).first.click()
    await expect(
        page.get_by_text(words("en", "network.identities.confirmed")).first
    ).to_be_visible()


async def test_a_chief_officer_finds_the_return_of_his_own_city_alone(visit: Any) -> None:
    page = await visit("todo", "chief")
    link = page.locator("main a[href*='/returns/']")
    await expect(link).to_have_count(1)
    await link.click()
    standing = page.get_by_role("region", name=words("en", "network.process.standing"))
    await expect(standing).to_be_visible()
    await expect(page.get_by_text(words("en", "network.returns.lines")).first).to_be_visible()


async def test_a_national_representative_sees_his_country_and_may_not_open_a_year(
    visit: Any,
) -> None:
    page = await visit("returns", "national")
    opening = page.get_by_role("button", name=words("en", "network.returns.open"))
    await expect(opening).to_have_count(0)
    await expect(page.locator("main").get_by_text("Bangkok")).to_have_count(0)


async def test_a_partner_reads_the_reasons_and_accepts(visit: Any) -> None:
    page = await visit("matching", "partner")
    await expect(page.locator(".reasons li").first).to_be_visible()
    await page.get_by_role("button", name=words("en", "network.matching.accept.partner")).click()
    await expect(page.get_by_text(words("en", "network.matching.accepted")).first).to_be_visible()
