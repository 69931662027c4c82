"""What a newcomer sees within a minute of `make demo`, without touching anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest

from e2e.browser import words
from e2e.demo_city import DemoCity, poll
from engine_fixtures import free_port
from nagara.city import bundled_kit

pytestmark = pytest.mark.e2e

#: A minute of the newcomer is this much of the city's time, however slow the machine is.
FIRST_MINUTE = timedelta(seconds=60 * 720)


@cache
def begin() -> datetime:
    """Where the clock of a first demo begins."""
    kit = bundled_kit("th-bkk")
    assert kit.replay is not None
    begins = datetime.fromisoformat(f"{kit.replay.first_day}T{kit.replay.starts}")
    return begins.replace(tzinfo=ZoneInfo(kit.time_zone))


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def items(client: Any, path: str, pages: int = 1000) -> list[dict[str, Any]]:
    """All items of a list, or those of its first pages."""
    found: list[dict[str, Any]] = []
    after: str | None = ""
    while after is not None and pages:
        answer = client.get(f"{path}&after={quote(after)}" if after else path)
        answer.raise_for_status()
        page = answer.json()
        found += page["items"]
        after, pages = page.get("next"), pages - 1
    return found


def earliest(
    client: Any, path: str, moment_of: str, is_meant: Callable[[dict[str, Any]], Any]
) -> dict[str, Any]:
    """The earliest that came after the demo began, of a list with the newest first: as soon as its
    first page holds one, all are read, which takes either side a second."""

    def new(pages: int) -> dict[str, Any] | None:
        meant = [
            one
            for one in items(client, path, pages)
            if is_meant(one) and moment(one[moment_of]) > noon
        ]
        return min(meant, key=lambda one: moment(one[moment_of]), default=None)

    noon = begin()
    poll(lambda: new(1), f"one of {path}")
    found = new(1000)
    assert found is not None
    return found


def sees_the_loop(city: DemoCity, provenance: str) -> None:
    """Sensors move, a reading raises an alert, the alert opens a case, reports are routed."""
    with city.as_stranger() as stranger:
        stations = "/api/v1/stations?type=AirQualityObserved"
        heard = poll(
            lambda: [
                values["pm25"]
                for values in (s["measures"] for s in items(stranger, stations))
                if "pm25" in values and moment(values["pm25"]["observedAt"]) > begin()
            ],
            "stations that moved",
        )
        assert {value["provenance"] for value in heard} == {provenance}
    officer = city.as_account("officer")
    try:
        in_time = begin() + FIRST_MINUTE
        alert = earliest(
            officer,
            "/api/v1/alerts?limit=200",
            "dateIssued",
            lambda a: a["category"] == "air-quality" and a.get("refCase"),
        )
        assert moment(alert["dateIssued"]) <= in_time
        assert moment(alert["observedAt"]) <= moment(alert["dateIssued"])
        case = officer.get(f"/api/v1/cases/{alert['refCase']}").json()
        assert case["source"] == "alert"
        assert case["refAlert"] == alert["id"]
        assert case["department"]
        report = earliest(
            officer,
            "/api/v1/cases?limit=200&order=newest",
            "createdAt",
            lambda case: case["source"] != "alert",
        )
        assert moment(report["createdAt"]) <= in_time
        assert report["department"]
        assert report["dueAt"]
    finally:
        officer.close()


@pytest.fixture
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
