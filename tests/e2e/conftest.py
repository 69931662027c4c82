"""A real demo and a real browser for the tests of this folder; both start once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import (
    Browser,
    BrowserContext,
    Page,
    WebError,
    async_playwright,
    expect,
)

from e2e.browser import ARGUMENTS, DESK, ROOT, find_chromium
from e2e.demo_city import DemoCity
from e2e.installation import Installation
from e2e.made_basemap import write_basemap
from e2e.network_hub import NetworkHub
from engine_fixtures import free_port

#: Looking for something on a page: a machine that runs the whole suite draws a map in 20 s.
PATIENCE_MS = 90_000
expect.set_options(timeout=PATIENCE_MS)


#: Those that look for one case among all come first: the demo city lives at 720 times the speed of
#: life, and after ten minutes its lists hold the cases of five days.
EARLY = ("test_first_minute", "test_report_to_rating")


#: What runs for the tests now, and the last test that visits each.
_running: dict[str, Installation] = {}
_last: dict[str, pytest.Item] = {}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The early ones, then what else is shown of the demo, then what needs no demo."""
    mine = [item for item in items if item.get_closest_marker("e2e")]
    mine.sort(key=_rank)
    items[:] = mine + [item for item in items if not item.get_closest_marker("e2e")]
    for item in mine:
        _last.update(dict.fromkeys(_uses(item), item))


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """A city costs a fifth of a core for as long as it lives: it goes when all have seen it."""
    for name in [name for name in _running if _last.get(name) is item]:
        _running.pop(name).stop()


def _rank(item: pytest.Item) -> int:
    if item.path.stem.startswith(EARLY):
        return 0
    return 1 if "demo" in _uses(item) else 2


def _uses(item: pytest.Item) -> Sequence[str]:
    names: Sequence[str] = getattr(item, "fixturenames", ())
    return names


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The browser; without one the test is left out, and says so."""
    found = find_chromium()
    if found is None:
        pytest.skip("no Chromium on this machine (apt-get install chromium)")
    return found


@pytest.fixture(scope="session")
def demo(make_city_root: Callable[[], Path]) -> Iterator[DemoCity]:
    """Bangkok as `make demo` starts it: from the archives if they are there, else simulated; on
    a basemap of one tile, which nobody needs but somebody will have."""
    root = make_city_root()
    basemap = write_basemap(root / "made.pmtiles")
    (root / "city.toml").write_text(f'basemap = "{basemap}"\n', encoding="utf-8")
    with DemoCity(root, free_port()) as city:
        _running["demo"] = city
        yield city


@pytest_asyncio.fixture(scope="session")
async def browser(chromium: Path) -> AsyncIterator[Browser]:
    """One Chromium for all tests; each test has contexts of its own."""
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield started
        await started.close()


@dataclass
class Visits:
    """The browser contexts of one test, and everything that they asked for."""

    browser: Browser
    city: Installation
    asked: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)

    async def page(
        self,
        language: str = "en",
        account: str | None = None,
        viewport: dict[str, int] = DESK,
        **more: Any,
    ) -> Page:
        """A new person at a screen: own cookies, own language, signed in if named."""
        context = await self.browser.new_context(
            base_url=self.city.base,
            viewport=viewport,
            locale={"th": "th-TH", "en": "en-GB"}[language],
            service_workers="block",
            **more,
        )
        self.contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        context.on("request", lambda request: self.asked.append(request.url))
        context.on("weberror", self._note)
        if account is not None:
            said = {"username": account, "password": self.city.passwords()[account]}
            answer = await context.request.post("/api/v1/session", data=said)
            assert answer.ok, await answer.text()
        return await context.new_page()

    def _note(self, error: WebError) -> None:
        where = error.page.url if error.page else ""
        self.faults.append(f"{where}: {error.error}")

    def strangers(self) -> set[str]:
        """Hosts other than the city's that were asked for anything."""
        parts = [urlsplit(url) for url in self.asked]
        own = urlsplit(self.city.base).netloc
        return {p.netloc for p in parts if p.scheme in ("http", "https", "ws", "wss")} - {own}


@asynccontextmanager
async def visiting(browser: Browser, city: Installation) -> AsyncIterator[Visits]:
    """People at the screens of a city. Afterwards: no other host was asked, no script failed."""
    made = Visits(browser, city)
    try:
        yield made
    finally:
        for context in made.contexts:
            await context.close()
    assert made.strangers() == set()
    assert made.faults == []


@pytest_asyncio.fixture
async def visits(browser: Browser, demo: DemoCity) -> AsyncIterator[Visits]:
    """People at the screens of the demo."""
    async with visiting(browser, demo) as made:
        yield made


@pytest.fixture(scope="session")
def hub(make_city_root: Callable[[], Path]) -> Iterator[NetworkHub]:
    """A hub with accounts, members, rows and work in progress."""
    with NetworkHub(make_city_root(), free_port()) as made:
        _running["hub"] = made
        yield made


def at_network(visits: Visits) -> Callable[..., Awaitable[Page]]:
    """Comes to a place of /network, and waits until it is drawn."""

    async def come(path: str, account: str | None = None, language: str = "en") -> Page:
        page = await visits.page(language, account, reduced_motion="reduce")
        await page.goto(f"/network#/{path}")
        await page.locator("main h1").first.wait_for()
        await expect(page.locator(".skeleton")).to_have_count(0, timeout=PATIENCE_MS)
        return page

    return come


@pytest_asyncio.fixture
async def visit(browser: Browser, hub: NetworkHub) -> AsyncIterator[Callable[..., Any]]:
    """People at the network's screens. Afterwards: no other host was asked, no script failed."""
    async with visiting(browser, hub) as visits:
        yield at_network(visits)


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, from the screens' own development dependencies."""
    script = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
    if not script.is_file():
        pytest.skip("axe-core is not installed (make setup)")
    return script.read_text(encoding="utf-8")


Audit = Callable[[Page], Awaitable[list[str]]]


@pytest.fixture
def audit(axe: str) -> Audit:
    """What axe finds wrong on a page by WCAG 2.2 AA: rule, number of places, the first of them."""

    async def run(page: Page) -> list[str]:
        await page.evaluate(axe)
        found = await page.evaluate(
            """async () => (await axe.run(document, {
                 runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'],
               })).violations.map((v) => [v.id, v.nodes.length, v.nodes[0].html.slice(0, 160),
                 v.nodes[0].failureSummary.slice(0, 300)])"""
        )
        return [f"{rule} ×{count}: {html} {why}" for rule, count, html, why in found]

    return run
