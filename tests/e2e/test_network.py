"""The network's screens as the secretariat, a national representative, a chief officer, a partner
and the shepherd see and use them, on a hub of its own with made members and rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from e2e.browser import LANGUAGES, SMALLEST, words
from e2e.network_acts import choose, confirm, do, press, write
from e2e.network_hub import NetworkHub

pytestmark = pytest.mark.e2e

#: Long enough for a part of an application.
TEXT = "Canals flood every year; everybody shall get through the city when it rains hard. " * 4


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
    pair = page.locator("li").filter(has_text="Canal Water Monitoring Stations")
    await pair.last.get_by_role("button", name=words("en", "network.identities.same")).click()
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
    await press(page, "network.matching.accept.partner")
    await expect(page.get_by_text(words("en", "network.matching.accepted")).first).to_be_visible()


# --- each office at its work ---------------------------------------------------------------------


async def test_a_city_applies_is_reviewed_decided_on_and_certified(
    visit: Any, hub: NetworkHub
) -> None:
    page = await visit("joining", "applicant")
    await press(page, "network.joining.begin")
    box = page.get_by_role("dialog")
    await write(box, "network.joining.city", "Hat Yai")
    await write(box, "network.joining.code", "th-hdy")
    await choose(box, "network.country", "TH")
    await confirm(box, words("en", "network.joining.begin.do"))
    submit = page.get_by_role("button", name="Submit", exact=True)
    await expect(submit).to_be_disabled()
    texts = page.locator("main textarea")
    await expect(texts).to_have_count(5)
    for n in range(5):
        await texts.nth(n).fill(TEXT)
    await press(page, "network.save")
    await do(page, "Submit")
    where = page.url.partition("#/")[2]
    await do(await visit(where, "national-th"), "Endorse")
    office = await visit(where, "secretariat")
    await do(office, "Found complete")
    reviewer = await visit(where, "shepherd")
    for lane in range(3):
        await (
            reviewer.get_by_role("button", name=words("en", "network.lanes.review"))
            .nth(lane)
            .click()
        )
        box = reviewer.get_by_role("dialog")
        await box.get_by_label(words("en", "network.verdict.fit"), exact=True).check()
        await confirm(box, words("en", "network.save"))
    await office.reload()
    await do(office, "Put before the members")
    for country in ("national", "national-th"):
        seat = await visit(where, country)
        await press(seat, "network.positions.take")
        box = seat.get_by_role("dialog")
        await box.get_by_label(words("en", "network.position.agree"), exact=True).check()
        await confirm(box, words("en", "network.save"))
    await office.reload()
    reached = office.get_by_text(words("en", "network.positions.reached"), exact=True)
    await expect(reached).to_be_visible()
    await do(office, "Admit by consensus")
    await expect(office.get_by_text(words("en", "network.certificate.genuine"))).to_be_visible()
    anybody = await visit("members")
    await expect(anybody.locator("main").get_by_text("Hat Yai").first).to_be_visible()


async def test_a_return_goes_from_the_city_to_the_country_to_the_secretariat(
    visit: Any, hub: NetworkHub
) -> None:
    where = "returns/return-2026-th-bkk"
    page = await visit(where, "chief")
    await page.get_by_role("button", name=words("en", "network.lines.change.short")).first.click()
    box = page.get_by_role("dialog")
    await write(box, "network.lines.reason", "Not counted yet.")
    await confirm(box, words("en", "network.save"))
    found = hub.do("chief", "GET", f"/{where}")
    lines = [
        {"key": line["key"], "value": None, "reason": "Not counted yet."}
        for line in found["lines"]
        if line["value"] is None and not line["reason"]
    ]
    parts = {part["code"]: TEXT for part in found["parts"]}
    hub.do(
        "chief", "PATCH", f"/{where}", {"version": found["version"], "lines": lines, "parts": parts}
    )
    await page.reload()
    await do(page, "Send to the national representative")
    country = await visit("todo", "national-th")
    await country.locator(f"main a[href*='{where}']").click()
    await do(country, "Forward without objection")
    office = await visit(where, "secretariat")
    await do(office, "Accept and lock")
    await page.reload()
    await expect(page.get_by_text("Accepted").first).to_be_visible()
    await expect(
        page.get_by_role("button", name=words("en", "network.lines.change.short"))
    ).to_have_count(0)


async def test_a_call_is_opened_applied_to_agreed_signed_and_delivered(
    visit: Any, hub: NetworkHub
) -> None:
    partner = await visit("offers", "partner")
    await press(partner, "network.offer.new")
    box = partner.get_by_role("dialog")
    await write(box, "network.offer.title", "Canal fund 2026")
    await write(box, "network.offer.opensOn", "2026-01-01")
    await write(box, "network.offer.closesOn", "2099-12-31")
    await box.get_by_label(words("en", "network.country.TH"), exact=True).check()
    await confirm(box, words("en", "network.save"))
    await expect(partner.get_by_role("heading", name="Canal fund 2026")).to_be_visible()
    (need,) = hub.do("chief", "GET", "/needs")["items"]
    chief = await visit(f"matching/need/{need['id']}", "chief")
    call = chief.locator("li").filter(has_text="Canal fund 2026").first
    await expect(
        call.get_by_text(words("en", "network.calls.eligible"), exact=True)
    ).to_be_visible()
    await call.get_by_role("button", name=words("en", "network.calls.apply")).click()
    await confirm(chief.get_by_role("dialog"), words("en", "network.calls.apply"))
    await partner.goto("/network#/matching")
    await choose(partner.locator("main"), "network.state", "accepted-by-city")
    match = partner.locator("ul.matches > li").filter(has_text="Canal fund 2026")
    await press(match, "network.matching.accept.partner")
    await expect(match).to_have_count(0)
    await choose(chief.locator("main"), "network.state", "agreed")
    await press(
        chief.locator("ul.matches > li").filter(has_text="Canal fund 2026"), "network.agreement.new"
    )
    box = chief.get_by_role("dialog")
    await write(box, "network.agreement.endsOn", "2099-12-31")
    await box.get_by_label(words("en", "network.agreement.output.n").replace("{n}", "1")).fill(
        "Twenty gauges"
    )
    await write(box, "network.process.due", "2099-06-30")
    await confirm(box, words("en", "network.agreement.draft"))
    await do(chief, "Sign for the city")
    await partner.goto("/network#/todo")
    await partner.locator("main a[href*='/agreements/']").first.click()
    await do(partner, "Sign for the partner")
    await do(partner, "Put into force")
    await chief.reload()
    await press(chief, "network.agreement.delivered")
    box = chief.get_by_role("dialog")
    await write(box, "network.agreement.evidence", "Minutes 12/2026")
    await confirm(box, words("en", "network.save"))
    await expect(chief.get_by_text("Minutes 12/2026").first).to_be_visible()


async def test_a_meeting_has_agenda_papers_positions_and_actions(
    visit: Any, hub: NetworkHub, tmp_path: Path
) -> None:
    (meeting,) = hub.do("secretariat", "GET", "/meetings")["items"]
    page = await visit(f"meetings/{meeting['id']}", "secretariat")
    box = page.get_by_role("dialog")
    await press(page, "network.meeting.add.agenda")
    await write(box, "network.meeting.name", "Work plan")
    await confirm(box, words("en", "network.save"))
    paper = tmp_path / "plan.txt"
    for version in ("first", "second"):
        paper.write_text(version, encoding="utf-8")
        await press(page, "network.meeting.add.paper")
        await choose(box, "network.meeting.item", "1")
        await box.locator("input[type=file]").set_input_files(paper)
        await confirm(box, words("en", "network.save"))
    await expect(page.locator("a[href*='plan.txt?version=1']")).to_be_visible()
    for seat in ("SG", "TH"):
        await press(page, "network.meeting.add.attendance")
        await choose(box, "network.country", seat)
        await confirm(box, words("en", "network.save"))
    await press(page, "network.meeting.begin")
    await press(page, "network.meeting.add.decisions")
    await choose(box, "network.meeting.item", "1")
    await write(box, "network.words", "The plan is adopted.")
    await box.get_by_label("Singapore").select_option("agree")
    await confirm(box, words("en", "network.save"))
    await expect(page.get_by_text("Singapore: Agree")).to_be_visible()
    await press(page, "network.meeting.add.actions")
    await write(box, "network.words", "Send the figures.")
    await choose(box, "network.meeting.owner", "country:SG")
    await write(box, "network.process.due", "2026-12-20")
    await confirm(box, words("en", "network.save"))
    mine = await visit("meetings", "national")
    await press(mine, "network.meeting.reportDone")
    box = mine.get_by_role("dialog")
    await write(box, "network.meeting.doneWords", "Sent.")
    await confirm(box, words("en", "network.save"))
    await expect(mine.get_by_text("Send the figures.")).to_have_count(0)


async def test_the_secretariat_splits_announces_freezes_and_another_confirms(
    visit: Any, hub: NetworkHub
) -> None:
    page = await visit("matches", "secretariat")
    pair = page.locator("li").filter(has_text="Riverside Wetlands").filter(has_text="Gates and")
    await pair.first.get_by_role(
        "button", name=words("en", "network.identities.split"), exact=True
    ).click()
    box = page.get_by_role("dialog")
    await box.get_by_role("checkbox").first.check()
    await confirm(box, words("en", "network.identities.split"))
    await expect(page.get_by_text("Gates and Wetlands")).to_have_count(0)
    await page.goto("/network#/chairs")
    await press(page, "network.notice.new")
    await choose(box, "network.of", "TH")
    await write(box, "network.notice.office", "Director of planning")
    await write(box, "network.from", "2027-01-01")
    await confirm(box, words("en", "network.notice.announce"))
    other = await visit("chairs", "deputy")
    await press(other, "network.notice.confirm")
    await expect(
        other.get_by_text(words("en", "network.notice.confirmed"), exact=True).first
    ).to_be_visible()
    await page.goto("/network#/report/2025")
    await press(page, "network.route.freeze")
    stage = words("en", "network.stage.consultative-meeting")
    onward = words("en", "network.route.to").replace("{stage}", stage)
    await page.get_by_role("button", name=onward).click()
    await confirm(box, words("en", "network.process.do"))
    await expect(page.locator(".steps").get_by_text(stage)).to_be_visible()
    await press(page, "network.route.back")
    send = box.locator("footer").get_by_role("button", name=words("en", "network.process.do"))
    await expect(send).to_be_disabled()  # it goes back only with words that say why
    await write(box, "network.process.words", "Two rows are missing.")
    await confirm(box, words("en", "network.process.do"))
    await expect(page.locator(".steps").get_by_text("Two rows are missing.")).to_be_visible()
    await expect(page.get_by_role("button", name=onward)).to_be_visible()


async def test_a_city_tells_what_worked_and_needs_proof_to_publish(
    visit: Any, hub: NetworkHub
) -> None:
    page = await visit("practices", "chief")
    await press(page, "network.practices.new")
    box = page.get_by_role("dialog")
    await write(box, "network.practices.name", "Gauges in canals")
    await write(box, "network.practices.story", "Twenty gauges along two canals.")
    await write(box, "network.practices.measure", "Hours of warning")
    for key, said in (("before", "1"), ("after", "6"), ("unit", "h"), ("asOf", "2026-05-01")):
        await write(box, f"network.practices.{key}", said)
    await write(box, "network.sourceWord", "City")
    await confirm(box, words("en", "network.practices.save"))
    publish = page.get_by_role("button", name=words("en", "network.practices.publish"))
    await publish.click()
    await expect(page.get_by_text("a published project of the city").first).to_be_visible()
    await press(page, "network.practices.change")
    await box.get_by_role("checkbox").first.check()
    await confirm(box, words("en", "network.practices.save"))
    await publish.click()
    await expect(
        page.get_by_role("button", name=words("en", "network.practices.withdraw"))
    ).to_be_visible()
