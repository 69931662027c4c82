"""The loop as people live it: reported on a phone, seen, resolved, rated, counted."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from PIL import Image
from playwright.async_api import Page, expect
from playwright.async_api import TimeoutError as NotYet

from e2e.browser import PHONE, words
from e2e.conftest import PATIENCE_MS, Visits
from e2e.demo_city import DemoCity, poll

pytestmark = pytest.mark.e2e

CATEGORY = "flood"
DEPARTMENT_STAFF = "staff-drainage"  # who answers for flooding, by the kit's table
SAID = "น้ำท่วมถึงเข่าหน้าโรงเรียน รถจักรยานยนต์ผ่านไม่ได้"
PROOF = "The pump at the corner runs again; the street is dry."
THANKS = "เร็วมาก ขอบคุณ"
GPS_IFD = 0x8825


def photo(path: Path, colour: str) -> Path:
    """A photo as a phone takes it: with the place where it was taken inside."""
    exif = Image.Exif()
    exif.get_ifd(GPS_IFD)[1] = "N"
    exif[0x010F] = "A telephone maker"
    Image.new("RGB", (1600, 1200), colour).save(path, "JPEG", exif=exif)
    return path


async def press(page: Page, language: str, key: str) -> None:
    await page.get_by_role("button", name=words(language, key), exact=True).click()


async def report_on_the_phone(page: Page, picture: Path) -> str:
    """What a resident does, in Thai; gives the tracking code that he is shown."""
    await page.goto("/#/report")
    await page.get_by_label(words("th", "resident.report.search")).fill("น้ำท่วม")
    await page.locator("button.leaf").first.click()
    await page.get_by_role("button", name=words("th", "resident.place.map")).click()
    await page.locator(".maplibregl-canvas").wait_for()
    await press(page, "th", "resident.report.next")
    await page.locator("input[type=file]").set_input_files(picture)
    await page.locator(".photos img").wait_for()
    await page.get_by_label(words("th", "resident.more.words")).fill(SAID)
    await press(page, "th", "resident.report.next")
    await page.get_by_label(words("th", "resident.notice.agree")).check()
    await press(page, "th", "resident.send.send")
    return (await page.locator(".code .big").inner_text()).strip()


async def see_case(page: Page, case_id: str) -> None:
    """The case appears in the officer's list by itself; longer lists are unfolded."""
    row = page.locator(f'[data-id="{case_id}"]')
    more = page.locator("[role=tabpanel] button.more")
    for _ in range(60):
        try:
            await row.wait_for(timeout=PATIENCE_MS / 60)
        except NotYet:  # or further down
            if (
                await more.count()
            ):  # what a pointer aims at has moved when it arrives: the list lives
                await more.evaluate("(button) => button.click()")
        else:
            return
    raise AssertionError(f"{case_id} is not on the officer's screen")


async def resolve_with_photo(page: Page, case_id: str, picture: Path) -> None:
    """What the department does: accepts, begins, proves."""
    address = f"#/case/{quote(case_id, safe='')}"
    await page.locator(f'a[href="{address}"]').first.click()
    await expect(page.locator("blockquote")).to_have_text(SAID)
    await press(page, "en", "desk.act.accept")
    await press(page, "en", "desk.act.start")
    await press(page, "en", "desk.act.resolve")
    dialog = page.locator("dialog[open]")
    await dialog.locator("input[type=file]").set_input_files(picture)
    await dialog.locator(".photos img").wait_for()
    await dialog.get_by_label(words("en", "desk.form.resolve.reason")).fill(PROOF)
    await dialog.get_by_role("button", name=words("en", "desk.act.resolve"), exact=True).click()
    await dialog.wait_for(state="detached")


def counted(city: DemoCity, case_id: str) -> dict[str, Any] | None:
    """The case among those that the share resolved in time is made of."""
    chief = city.as_account("chief")
    try:
        code = next(
            i["code"]
            for i in chief.get("/api/v1/indicators").json()["items"]
            if "cases.resolved_in_time" in i["counted"]
        )
        path: str | None = f"/api/v1/indicators/{code}/cases?which=denominator"
        while path:
            page = chief.get(path).json()
            for item in page["items"]:
                if case_id in (item.get("id"), item.get("caseId")):
                    return item
            after = page.get("next")
            path = after and f"/api/v1/indicators/{code}/cases?which=denominator&after={after}"
    finally:
        chief.close()
    return None


async def test_from_a_phone_to_the_indicator(
    visits: Visits, demo: DemoCity, tmp_path: Path
) -> None:
    officer = await visits.page("en", "officer")
    await officer.goto("/ops")
    await officer.get_by_role("tab", name=words("en", "ops.tab.cases")).click()
    await officer.locator("[role=tabpanel]").wait_for()
    await officer.evaluate("window.sameVisit = true")

    resident = await visits.page("th", viewport=PHONE, has_touch=True)
    code = await report_on_the_phone(resident, photo(tmp_path / "before.jpg", "#46606f"))
    with demo.as_stranger() as stranger:
        told = stranger.get(f"/api/v1/reports/{code}").json()
    number = told["caseNumber"]

    officers = demo.as_account("officer")
    listed = officers.get("/api/v1/cases?order=newest&limit=200").json()["items"]
    case_id = next(item["id"] for item in listed if item["caseNumber"] == number)
    assert next(i for i in listed if i["id"] == case_id)["category"] == CATEGORY
    officers.close()

    # Reported, and on the officer's screen without a reload.
    await see_case(officer, case_id)
    assert await officer.evaluate("window.sameVisit")
    await officer.close()  # a map that nobody looks at any more is drawn by half a core

    staff = await visits.page("en", DEPARTMENT_STAFF)
    await staff.goto(f"/desk#/case/{quote(case_id, safe='')}")
    await resolve_with_photo(staff, case_id, photo(tmp_path / "after.jpg", "#7fa37a"))
    await staff.close()

    # The resident sees each step, in his language, and the proof.
    await resident.get_by_role("link", name=words("th", "resident.sent.follow")).click()
    await expect(resident.get_by_text(words("th", "kit.case.state.resolved")).first).to_be_visible()
    await expect(resident.get_by_text(PROOF)).to_be_visible()
    await expect(resident.locator("main img")).to_have_count(2)
    for picture in await resident.locator("main img").all():
        source = await picture.get_attribute("src")
        answer = await resident.context.request.get(source or "")
        assert answer.ok
        seen = Image.open(io.BytesIO(await answer.body()))
        assert not seen.getexif(), "the place of a telephone is in the photo"

    stars = resident.get_by_role("radio")
    await stars.last.check(force=True)
    await resident.get_by_label(words("th", "resident.rate.words")).fill(THANKS)
    await press(resident, "th", "resident.rate.send")
    await expect(resident.get_by_text(words("th", "resident.rate.given"))).to_be_visible()

    with demo.as_stranger() as stranger:
        after = stranger.get(f"/api/v1/reports/{code}").json()
    assert after["rating"] == 5
    assert [step["state"] for step in after["steps"]][-1] in ("resolved", "closed")
    poll(lambda: counted(demo, case_id), "the indicator that counts the case")
