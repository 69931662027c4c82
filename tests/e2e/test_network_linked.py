"""The network's screens where a member runs a Nagara of its own: its values beside others', an
incident raised, a call passed down; and a country's own programme."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.async_api import Browser, expect

from e2e.browser import words
from e2e.conftest import at_network, visiting
from e2e.demo_city import poll
from e2e.network_acts import choose, confirm, do, press, write
from e2e.network_hub import MemberTown, NetworkHub
from engine_fixtures import free_port

pytestmark = pytest.mark.e2e

CODE = "sdg-11.6.2"
PATONG = ("98.2960", "7.8965")


@pytest.fixture(scope="module")
def town(make_city_root: Callable[[], Path], hub: NetworkHub) -> Iterator[MemberTown]:
    """Phuket, linked to the hub, with two years that it answers for."""
    with MemberTown(make_city_root(), free_port(), hub) as made:
        unit = made.do("clerk", "GET", f"/api/v1/indicators/definitions/{CODE}")["unit"]
        for year, value in ((2023, 24.5), (2024, 21.5)):
            made.approve(CODE, year, value, unit)
        yield made


def report(town: MemberTown) -> str:
    """What a resident reports becomes a case: its id."""
    with closing(town.as_stranger()) as resident:
        notice = resident.get("/api/v1/notices/report").json()
        body = {
            "category": resident.get("/api/v1/city").json()["categories"][0]["code"],
            "lon": PATONG[0], "lat": PATONG[1], "words": "The road is under water.",
            "consent": "true", "noticeVersion": str(notice.get("version", "")), "language": "en",
        }  # fmt: skip
        answer = resident.post("/api/v1/reports", data=body, files={"none": (None, "")})
        return str(answer.raise_for_status().json()["caseId"])


async def test_chosen_peers_stand_side_by_side_with_values_and_quality(
    visit: Any, hub: NetworkHub, town: MemberTown
) -> None:
    where = f"/comparison?cities=th-pkt,th-bkk&codes={CODE}"

    def told() -> bool:
        (chart,) = hub.do("secretariat", "GET", where)["charts"]
        return sum(len(one["points"]) for one in chart["cities"]) == 2

    poll(told, "the values of the town at the hub")
    page = await visit(f"compare/th-pkt,th-bkk/{CODE}")
    figure = page.locator("figure").first
    await expect(figure.locator("svg").first).to_contain_text("Phuket")
    await press(figure, "kit.chart.showTable")
    row = figure.locator("tbody tr", has_text="21.5")
    await expect(row).to_contain_text("Phuket")
    await expect(row.locator("td").last).not_to_have_text("–")  # its quality
    missing = page.locator("li", has_text="No value that the city answers for")
    await expect(missing).to_contain_text("Bangkok")
    files = {}
    for kind in ("SVG", "CSV"):
        async with page.expect_download() as saved:
            await figure.get_by_role("button", name=kind, exact=True).click()
        files[kind] = (await (await saved.value).path()).read_text(encoding="utf-8-sig")
    assert "Phuket" in files["SVG"]
    assert any("Phuket" in line and "24.5" in line for line in files["CSV"].splitlines())
    link = page.get_by_role("link", name=words("en", "network.compare.csv"))
    table = await page.request.get(str(await link.get_attribute("href")))
    assert "th-pkt" in await table.text()


async def test_an_incident_is_raised_and_a_call_passed_down(
    visit: Any, browser: Browser, hub: NetworkHub, town: MemberTown
) -> None:
    case = report(town)
    async with visiting(browser, town) as people:
        come = at_network(people)
        city = await come(f"matters/raise/{quote(case, safe='')}", "officer")
        box = city.get_by_role("dialog")
        await choose(box, "network.matter.why", "needs-support")
        await confirm(box, words("en", "network.matter.raise"))
        office = await visit("matters", "secretariat")
        await press(office, "network.matter.step.acknowledge")
        await press(office, "network.matter.pass")
        box = office.get_by_role("dialog")
        await choose(box, "network.matter.category", "question")
        await write(box, "network.matter.title.en", "Send two pumps to Krabi")
        await confirm(box, words("en", "network.matter.pass"))
        raised = city.locator(
            "main li", has_text=words("en", "network.matter.reason.needs-support")
        )
        status = words("en", "network.matter.status.acknowledged")
        await expect(raised.get_by_text(status, exact=True)).to_be_visible()
        call = city.locator("main li", has_text="Send two pumps to Krabi").first
        await press(call, "network.matter.step.accept")
        await expect(call.locator("a[href^='/desk']")).to_be_visible()
        passed = office.locator("main li", has_text="Send two pumps to Krabi").first
        status = words("en", "network.matter.status.accepted")
        await expect(passed.get_by_text(status, exact=True)).to_be_visible()


async def test_a_province_of_the_programme_takes_its_first_step(visit: Any) -> None:
    page = await visit("joining", "national-th")
    await choose(page.locator("main"), "network.joining.programme", "thailand")
    programme = page.get_by_role("region", name=words("en", "network.programme.title"))
    unnamed = programme.get_by_text(words("en", "network.programme.open")).first
    await expect(unnamed).to_be_visible()
    await programme.get_by_role("link", name="Phuket").click()
    await do(page, "Prepare an application")
    await expect(page.get_by_text("In preparation", exact=True).first).to_be_visible()
    text = page.locator("main textarea").first
    await text.fill("Buses that come on time.")
    await page.goto("/network#/members")
    await page.locator("main h1", has_text=words("en", "network.members.title")).wait_for()
    await page.go_back()
    await press(page, "kit.draft.continue")  # what was begun is offered again
    await expect(text).to_have_value("Buses that come on time.")
