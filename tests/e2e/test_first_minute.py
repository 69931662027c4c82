"""What a newcomer sees within a minute of `make demo`, without touching anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from e2e.browser import words
from e2e.demo_city import DemoCity, poll
from engine_fixtures import free_port
from nagara.city import bundled_kit

pytestmark = pytest.mark.e2e

#: A minute of the newcomer is this much of the city's time, however slow the machine is.
FIRST_MINUTE = timedelta(seconds=60 * 720)


def noon() -> datetime:
    """Where the clock of a first demo begins."""
    kit = bundled_kit("th-bkk")
    assert kit.replay is not None
    begins = datetime.fromisoformat(f"{kit.replay.first_day}T{kit.replay.starts}")
    return begins.replace(tzinfo=ZoneInfo(kit.time_zone))


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def items(client: Any, path: str) -> list[dict[str, Any]]:
    """All items of a list, page after page."""
    found: list[dict[str, Any]] = []
    after: str | None = ""
    while after is not None:
        answer = client.get(path, params={"after": after} if after else None)
        answer.raise_for_status()
        page = answer.json()
        found += page["items"]
        after = page.get("next")
    return found


def first(found: list[dict[str, Any]], moment_of: str) -> dict[str, Any] | None:
    """The earliest that came after the demo began."""
    new = [one for one in found if moment(one[moment_of]) > noon()]
    return min(new, key=lambda one: moment(one[moment_of]), default=None)


def sees_the_loop(city: DemoCity, provenance: str) -> None:
    """Sensors move, a reading raises an alert, the alert opens a case, reports are routed."""
    with city.as_stranger() as stranger:
        stations = "/api/v1/stations?type=AirQualityObserved"
        heard = poll(
            lambda: [
                values["pm25"]
                for values in (s["measures"] for s in items(stranger, stations))
                if "pm25" in values and moment(values["pm25"]["observedAt"]) > noon()
            ],
            "stations that moved",
        )
        assert {value["provenance"] for value in heard} == {provenance}
    officer = city.as_account("officer")
    try:
        in_time = noon() + FIRST_MINUTE
        alert = poll(
            lambda: first(
                [
                    a
                    for a in items(officer, "/api/v1/alerts?limit=200")
                    if a["category"] == "air-quality" and a.get("refCase")
                ],
                "dateIssued",
            ),
            "an alert with its case",
        )
        assert moment(alert["dateIssued"]) <= in_time
        assert moment(alert["observedAt"]) <= moment(alert["dateIssued"])
        case = officer.get(f"/api/v1/cases/{alert['refCase']}").json()
        assert case["source"] == "alert"
        assert case["refAlert"] == alert["id"]
        assert case["department"]
        report = poll(
            lambda: first(
                [c for c in items(officer, "/api/v1/cases?limit=200") if c["source"] != "alert"],
                "createdAt",
            ),
            "reports of residents",
        )
        assert moment(report["createdAt"]) <= in_time
        assert report["department"]
        assert report["dueAt"]
    finally:
        officer.close()


@pytest.fixture(scope="module")
def simulated(make_city_root: Callable[[], Path]) -> Iterator[DemoCity]:
    """The same city on a machine that has no archives."""
    nothing = make_city_root()
    with DemoCity(make_city_root(), free_port(), ["--kit-data", str(nothing)]) as city:
        yield city


def test_the_loop_runs_untouched(demo: DemoCity) -> None:
    with demo.as_stranger() as stranger:
        mode = stranger.get("/api/v1/city").json()["clock"]["mode"]
    assert mode in ("replay", "simulated")
    sees_the_loop(demo, {"replay": "replayed", "simulated": "simulated"}[mode])


def test_the_loop_runs_untouched_without_archives(simulated: DemoCity) -> None:
    with simulated.as_stranger() as stranger:
        assert stranger.get("/api/v1/city").json()["clock"]["mode"] == "simulated"
    sees_the_loop(simulated, "simulated")


async def test_the_operations_centre_shows_it_live(visits: Any) -> None:
    page = await visits.page("en", "officer")
    await page.goto("/ops")
    await page.locator(".maplibregl-canvas").wait_for()
    await page.evaluate("window.sameVisit = true")
    await page.locator("[role=tabpanel] [data-id*=':Alert:']").first.wait_for()
    await page.get_by_role("tab", name=words("en", "ops.tab.cases")).click()
    await page.locator("[role=tabpanel] [data-id*=':Case:']").first.wait_for()
    await page.locator("[role=tabpanel] [data-id*=':Case:']").nth(2).hover()  # the list holds still
    before = await page.locator("header").inner_text()
    await page.wait_for_function(
        "(before) => document.querySelector('header').innerText !== before", arg=before
    )
    assert await page.evaluate("window.sameVisit"), "the page was loaded again"
