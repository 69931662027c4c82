"""Every main view, in both languages: axe finds nothing, nothing is lost at 320 px."""

from __future__ import annotations

import asyncio
import io
import re
from typing import Any

import pytest
from PIL import Image, ImageColor
from playwright.async_api import Page, expect

from e2e.browser import DESK, LANGUAGES, SMALLEST, words
from e2e.conftest import Visits

pytestmark = pytest.mark.e2e

#: View → (address, who looks at it, what is there when it is drawn).
VIEWS = {
    "now": ("/", None, "h1, h2"),
    "report": ("/#/report", None, "h1"),
    "follow": ("/#/follow", None, "h1"),
    "account": ("/#/account", None, "h1"),
    "login": ("/login", None, "form"),
    "about": ("/about", None, "h1"),
    "missing": ("/no/such/page", None, "h1"),
    "ops": ("/ops", "officer", "[role=tabpanel] [data-id]"),
    "desk": ("/desk", "staff-environment", ".rows"),
    "counters": ("/admin#/counters", "administrator", "main h1, main h2"),
    "accounts": ("/admin#/accounts", "administrator", "main table"),
    "tokens": ("/admin#/tokens", "administrator", "main h1, main h2"),
    "devices": ("/admin#/devices", "administrator", "main h1, main h2"),
    "feeds": ("/admin#/feeds", "administrator", "main h1, main h2"),
    "parked": ("/admin#/parked", "administrator", "main h1, main h2"),
    "readers": ("/admin#/readers", "administrator", "main table"),
    "audit": ("/admin#/audit", "administrator", "main h1, main h2"),
}
THAI = re.compile("[\u0e00-\u0e7f]")


async def see(page: Page, path: str, drawn: str) -> None:
    """Go there and wait until it is drawn and nothing is being loaded."""
    await page.goto("about:blank")  # an address that differs after # alone loads nothing
    await page.goto(path)
    await page.locator(drawn).first.wait_for(state="attached")
    await expect(page.locator(".skeleton")).to_have_count(0)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("view", VIEWS)
async def test_axe_finds_nothing(visits: Visits, audit: Any, view: str, language: str) -> None:
    path, account, drawn = VIEWS[view]
    page = await visits.page(language, account, DESK, reduced_motion="reduce")
    await see(page, path, drawn)
    assert await page.locator("html").get_attribute("lang") == language
    assert await audit(page) == []


@pytest.mark.parametrize("view", VIEWS)
async def test_nothing_is_lost_at_320_px(visits: Visits, view: str) -> None:
    path, account, drawn = VIEWS[view]
    page = await visits.page("th", account, SMALLEST)
    await see(page, path, drawn)
    wider = await page.evaluate(
        """() => document.documentElement.scrollWidth <= innerWidth ? [] :
             [...document.querySelectorAll('body *')]
               .filter((e) => e.getBoundingClientRect().right > innerWidth + 1)
               .slice(0, 5).map((e) => e.outerHTML.slice(0, 120))"""
    )
    assert wider == []


async def test_the_language_is_changed_where_one_stands_and_kept(visits: Visits) -> None:
    page = await visits.page("en")
    await see(page, "/#/report", "h1")
    assert await page.locator("h1").inner_text() == words("en", "resident.report.title")
    await page.locator("button.switch[lang=th]").click()
    await expect(page.locator("h1")).to_have_text(words("th", "resident.report.title"))
    assert await page.locator("html").get_attribute("lang") == "th"
    await page.reload()
    await expect(page.locator("h1")).to_have_text(words("th", "resident.report.title"))
    answer = await page.context.request.get("/api/v1/cases/urn:ngsi-ld:Case:nowhere:1")
    assert THAI.search((await answer.json())["title"]), "the server answers in the same language"


async def test_a_report_can_be_made_by_keyboard_alone(visits: Visits) -> None:
    """Tab reaches everything in the order in which it is read; Enter and Space do the rest."""
    page = await visits.page("en")
    await see(page, "/#/report", "h1")
    await page.locator(".groups button").first.wait_for()

    async def tab_to(css: str) -> None:
        for _ in range(60):
            await page.keyboard.press("Tab")
            if await page.evaluate("(css) => document.activeElement.matches(css)", css):
                return
        raise AssertionError(f"Tab does not reach {css}")

    await tab_to("input[type=search]")
    await page.keyboard.type("flood")
    await tab_to("button.leaf")
    await page.keyboard.press("Enter")
    await expect(page.locator(".ways")).to_be_visible()
    focused = await page.evaluate("document.activeElement.tagName")
    assert focused == "H1", "the new step begins at its heading"
    await tab_to(".ways button")
    await tab_to(".ways button")
    await tab_to(".ways button")  # by district and words: for those who cannot use a map
    await page.keyboard.press("Space")
    await expect(page.locator("select option")).not_to_have_count(1)  # the districts are there
    await tab_to("select")
    await page.keyboard.press("ArrowDown")
    await tab_to("input, textarea")
    await page.keyboard.type("In front of the school")
    await tab_to("button.primary")
    await page.keyboard.press("Enter")
    await tab_to("textarea")
    await page.keyboard.type("Water up to the knee")
    await tab_to("button.primary")
    await page.keyboard.press("Enter")
    await tab_to("input[type=checkbox]")
    await page.keyboard.press("Space")
    await tab_to("button.primary")
    await page.keyboard.press("Enter")
    await expect(page.locator(".code .big")).to_be_visible()


async def test_a_pages_first_tab_stop_leads_past_the_header(visits: Visits) -> None:
    page = await visits.page("en")
    await see(page, "/", "h1, h2")
    await page.keyboard.press("Tab")
    first = await page.evaluate("document.activeElement.getAttribute('href')")
    assert first == "#content"


async def test_a_basemap_is_read_in_parts_and_drawn(visits: Visits) -> None:
    page = await visits.page(account="officer")
    parts: list[int] = []
    page.on("response", lambda r: parts.append(r.status) if ".pmtiles" in r.url else None)
    await page.goto("/ops")
    canvas = page.locator("canvas.maplibregl-canvas").first
    await canvas.wait_for()
    park = await page.evaluate(
        "getComputedStyle(document.documentElement).getPropertyValue('--map-park')"
    )
    wanted = ImageColor.getrgb(park.strip())
    async with asyncio.timeout(90):
        while True:
            picture = Image.open(io.BytesIO(await canvas.screenshot())).convert("RGB")
            counted = picture.getcolors(picture.width * picture.height) or []
            alike = sum(
                n for n, c in counted if max(abs(a - b) for a, b in zip(c, wanted, strict=True)) < 6
            )
            if alike > 0.1 * picture.width * picture.height:
                break
            await asyncio.sleep(0.5)
    assert set(parts) <= {206, 304}
    assert 206 in parts
