"""The measures, as a stranger, a department, a data steward and the chief officer see them."""

from __future__ import annotations

import contextlib
import re
from typing import Any
from urllib.parse import quote

import pytest
from playwright.async_api import Page, expect

from e2e.browser import DESK, LANGUAGES, SMALLEST, words
from e2e.conftest import Visits
from e2e.demo_city import DemoCity
from e2e.test_screens import see

pytestmark = pytest.mark.e2e

#: View → (address, who looks at it).
VIEWS = {
    "scorecard": ("/measure", None),
    "seven": ("/measure#/by/th-smart", "chief"),
    "set": ("/measure#/set/u4ssc", None),
    "changes": ("/measure#/changes", None),
    "indicator": ("/measure#/indicator/transit-people-500m", "chief"),
    "projects": ("/measure#/projects", None),
    "plans": ("/measure#/plans", None),
    "work": ("/measure#/work", "steward"),
    "project-form": ("/measure#/project/new", "steward"),
    "plan-form": ("/measure#/plan/new", "chief"),
}
CODE = "iso37120-8.1"
CASES = f"/measure#/indicator/{CODE}"


@pytest.mark.parametrize("view", VIEWS)
async def test_axe_finds_nothing_and_nothing_is_lost_at_320_px(
    visits: Visits, audit: Any, view: str
) -> None:
    path, account = VIEWS[view]
    for language in LANGUAGES:
        page = await visits.page(language, account, DESK, reduced_motion="reduce")
        await see(page, path, "main h1")
        await page.wait_for_load_state("networkidle")
        assert await audit(page) == []
        await page.set_viewport_size({"width": SMALLEST["width"], "height": SMALLEST["height"]})
        assert await page.evaluate("document.documentElement.scrollWidth") <= SMALLEST["width"]


async def test_a_missing_measure_says_that_it_is_missing_and_why(visits: Visits) -> None:
    page = await visits.page("en")
    await see(page, "/measure#/set/u4ssc", "main section h2")
    await page.locator("details summary").first.click()
    reason = page.locator(".missing li .muted").first
    await expect(reason).to_contain_text("Not reported")


async def test_a_value_walks_down_to_the_places_it_was_counted_from(visits: Visits) -> None:
    page = await visits.page("en")
    await see(page, "/measure#/indicator/transit-people-500m", "#lineage-title")
    await expect(page.locator(".walk")).to_contain_text("people.within(500).transit")
    await expect(page.locator(".walk tbody tr").first).to_be_visible()
    await expect(page.locator(".card.now")).to_contain_text(words("en", "measure.quality.partial"))


async def test_a_chart_is_kept_as_svg_and_csv(visits: Visits) -> None:
    page = await visits.page("th")
    await see(page, "/measure#/indicator/transit-people-500m", "figure svg")
    figure = page.locator("section:has(#story-title) figure")
    async with page.expect_download() as drawn:
        await figure.get_by_role("button", name="SVG").click()
    svg = (await (await drawn.value).path()).read_text(encoding="utf-8")
    assert svg.startswith("<?xml")
    assert "var(--" not in svg.replace("var(--font)", "")
    async with page.expect_download() as table:
        await figure.get_by_role("button", name="CSV").click()
    text = (await (await table.value).path()).read_text(encoding="utf-8-sig")
    assert text.splitlines()[0].startswith(words("th", "kit.chart.period"))


async def test_a_value_goes_from_the_department_over_the_steward_to_the_public(
    visits: Visits,
) -> None:
    """Entered with a note, checked by another, approved by the chief, then seen by everybody."""
    stranger = await visits.page("en")
    staff = await visits.page("en", "staff-environment")
    await see(staff, CASES, "main h1")
    await _press(staff, "measure.enter")
    dialog = staff.locator("dialog[open]")
    await dialog.get_by_label(words("en", "measure.enter.period")).fill("2567")
    await dialog.get_by_label(words("en", "measure.col.value"), exact=True).fill("24.5")
    await dialog.get_by_label(re.compile("^Note")).fill("Annual report, page 4")
    await dialog.get_by_role("button", name=words("en", "measure.enter.save")).click()
    await expect(staff.locator("dialog[open]")).to_have_count(0)
    await expect(staff.locator("section:has(#values-title)")).to_contain_text("24.5")
    await expect(staff.get_by_role("button", name=words("en", "measure.act.check"))).to_have_count(
        0
    )

    await see(stranger, CASES, "main h1")
    assert "24.5" not in await stranger.locator("main").inner_text(), "a draft is not public"

    for account, act in (("steward", "check"), ("chief", "approve")):
        page = await visits.page("en", account)
        await see(page, CASES, "#values-title")
        await _press(page, f"measure.act.{act}")
        dialog = page.locator("dialog[open]")
        await dialog.get_by_label(words("en", "measure.act.words")).fill("Seen in the report")
        await dialog.get_by_role("button", name=words("en", f"measure.act.{act}")).click()
        await expect(page.locator("dialog[open]")).to_have_count(0)

    await see(stranger, CASES, "#values-title")
    await expect(stranger.locator(".card.now")).to_contain_text("24.5")


async def test_a_project_is_written_by_the_steward_and_published_by_the_chief(
    visits: Visits,
) -> None:
    """A form says what is missing, a stage demands, the chief decides, then everybody sees it."""
    stranger = await visits.page("en")
    steward = await visits.page("en", "steward")
    await see(steward, "/measure#/project/new", "form")
    form = steward.locator("form")
    await _press(steward, "measure.project.create")
    await expect(form.get_by_role("alert")).to_be_visible()  # a name is needed; nothing was sent
    await form.get_by_label(words("en", "measure.project.name"), exact=True).fill("Canal shade")
    add = words("en", "measure.form.add").replace(
        "{what}", words("en", "measure.project.milestones")
    )
    await form.get_by_role("button", name=add, exact=True).click()
    row = form.locator("[data-list=milestones] .line")
    await row.get_by_label(words("en", "measure.form.stage")).select_option("concept")
    await row.get_by_label(re.compile(words("en", "measure.form.planned"))).fill("2025-01-31")
    await _press(steward, "measure.project.create")
    process = steward.locator("section:has(#process-title)")
    await expect(process).to_contain_text("late")
    await expect(process).to_contain_text("Say which problem it answers.")
    address = steward.url

    await process.get_by_role("link", name=words("en", "measure.project.edit")).click()
    for key in ("problem", "success"):
        label = re.compile(f"^{words('en', f'measure.project.{key}')} .*English")
        await form.get_by_label(label).fill("School children walk in the sun")
    await _press(steward, "measure.form.save")
    await _act(steward, "advance")
    await expect(steward.locator("[aria-current=step]")).to_contain_text("Concept")
    publish = words("en", "measure.project.act.publish")
    await expect(steward.get_by_role("button", name=publish, exact=True)).to_have_count(0)

    chief = await visits.page("en", "chief")
    await see(chief, address, "#process-title")
    await _act(chief, "publish")
    await see(stranger, address, "h1")
    await expect(stranger.locator("h1")).to_contain_text("Canal shade")
    await expect(stranger.get_by_role("link", name="Edit")).to_have_count(0)


async def test_a_project_is_renamed_suspended_and_merged_with_its_reasons_on_its_page(
    visits: Visits, demo: DemoCity
) -> None:
    with contextlib.closing(demo.as_account("steward")) as steward:
        made = {}
        for name in ("Canal gauges", "Flood warning"):
            answer = steward.post("/api/v1/projects", json={"name": name})
            made[name] = answer.raise_for_status().json()["id"]
    page = await visits.page("en", "chief")
    await see(page, f"/measure#/project/{quote(made['Canal gauges'], safe='')}", "#process-title")
    dialog = page.locator("dialog[open]")

    async def write(key: str, text: str) -> None:
        await dialog.get_by_label(re.compile(f"^{re.escape(words('en', key))}")).fill(text)

    await _press(page, "measure.project.act.rename")
    await write("measure.project.newName", "Canal water levels")
    await write("measure.source", "Council minutes 4/2026")
    await _confirm(page, "rename")
    await expect(page.locator("h1")).to_contain_text("Canal water levels")
    former = page.locator("li", has_text="Canal gauges")
    await expect(former.first).to_contain_text("Council minutes 4/2026")

    await _press(page, "measure.project.act.suspend")
    send = dialog.get_by_role("button", name=words("en", "measure.project.act.suspend"), exact=True)
    await expect(send).to_be_disabled()  # nothing is suspended without a reason
    await write("measure.project.why", "The tender had no bids.")
    await _confirm(page, "suspend")
    reason = page.locator("p", has_text=words("en", "measure.project.reason"))
    await expect(reason).to_contain_text("The tender had no bids.")

    await _press(page, "measure.project.act.merge")
    into = dialog.get_by_label(words("en", "measure.project.into"))
    await into.select_option(made["Flood warning"])
    await write("measure.source", "Budget 2027")
    await _confirm(page, "merge")
    await expect(reason).to_contain_text("Budget 2027")
    await page.get_by_role("link", name="Flood warning").click()
    await expect(page.locator("h1")).to_contain_text("Flood warning")


async def test_a_draft_is_offered_again_and_gone_after_signing_out(visits: Visits) -> None:
    page = await visits.page("en", "steward")
    await see(page, "/measure#/plan/new", "form")
    title = page.get_by_label(re.compile(f"^{words('en', 'measure.plan.title')} .*English"))
    note = page.get_by_text(words("en", "kit.draft.left"))
    await title.fill("Plan for dry feet")
    await page.goto("/measure#/plans")
    await see(page, "/measure#/plan/new", "form")
    await expect(note).to_be_visible()
    await expect(title).to_have_value("")
    await _press(page, "kit.draft.continue")
    await expect(title).to_have_value("Plan for dry feet")
    await expect(note).to_have_count(0)
    await page.reload()
    await _press(page, "kit.draft.discard")
    await page.reload()
    await page.locator("form").wait_for()
    await expect(note).to_have_count(0)
    await title.fill("Plan for dry feet")
    await _press(page, "kit.signOut")
    await page.wait_for_function("!Object.keys(sessionStorage).some((key) => /^draft/.test(key))")


async def test_a_spreadsheet_with_a_wrong_cell_names_the_cell(
    visits: Visits, demo: DemoCity
) -> None:
    page = await visits.page("en", "staff-environment")
    await see(page, "/measure#/work", "[role=tab]")
    await page.get_by_role("tab", name=words("en", "measure.work.upload")).click()
    with contextlib.closing(demo.as_account("staff-environment")) as staff:
        template = staff.get("/api/v1/indicators/template.xlsx?set=sdg-11&year=2024")
    assert template.status_code == 200
    sheet = b"code,period,value,unit\r\nsdg-11.6.2,2023,twenty,\xc2\xb5g/m\xc2\xb3\r\n"
    await page.locator("input[type=file]").set_input_files(
        [{"name": "return.csv", "mimeType": "text/csv", "buffer": sheet}]
    )
    await expect(page.locator("code", has_text=re.compile(r"^[A-Z]\d+$")).first).to_be_visible()
    await expect(page.get_by_role("button", name=re.compile("^Keep "))).to_have_count(0)


async def test_a_stranger_is_told_that_the_work_list_is_town_halls(visits: Visits) -> None:
    page = await visits.page("th")
    await see(page, "/measure#/work", "main")
    await expect(page.locator("main")).to_contain_text(words("th", "measure.work.forbidden"))


async def _press(page: Page, key: str) -> None:
    await page.get_by_role("button", name=words("en", key), exact=True).first.click()


async def _act(page: Page, act: str) -> None:
    """Take a project a step, in the dialog that says what the step means."""
    await _press(page, f"measure.project.act.{act}")
    await _confirm(page, act)


async def _confirm(page: Page, act: str) -> None:
    dialog = page.locator("dialog[open]")
    name = words("en", f"measure.project.act.{act}")
    await dialog.get_by_role("button", name=name, exact=True).click()
    await expect(page.locator("dialog[open]")).to_have_count(0)
