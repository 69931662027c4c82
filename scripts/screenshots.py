"""Every main view of a demo: Thai and English, light and dark, phone and desk.

`make screenshots` starts a demo and draws all pictures into `screenshots/` (not committed); the few
that the READMEs show are made small and put into `docs/images/`.

    .venv/bin/python scripts/screenshots.py [--only ops,desk] [--lang th] [--picked]
        [--base URL --data DIR]

With --base and --data the pictures are taken of a demo that runs already. Those of /network are of
a hub of its own, with the tables of the archives where they are, else with made ones.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from playwright.sync_api import Error as BrowserError

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from e2e.browser import (  # noqa: E402
    ARGUMENTS,
    DESK,
    LANGUAGES,
    PHONE,
    find_chromium,
    words,
)
from e2e.demo_city import DemoCity, poll  # noqa: E402
from e2e.network_hub import NetworkHub  # noqa: E402
from engine_fixtures import free_port  # noqa: E402

OUT = ROOT / "screenshots"
CHOSEN = ROOT / "docs" / "images"
CHOSEN_BYTES_MAX = 300_000
THEMES = ("light", "dark")
#: A tall phone: the software renderer leaves out part of a map that lies under another element.
SIZES = {"phone": {**PHONE, "height": 1000}, "desk": DESK}
QUIET_MS = 1200  # what is drawn fades in
MAP_QUIET_MS = 6000  # shapes are read, then tiles are cut of them
PATIENCE_MS = 60_000
LONG_PX = 2600
LIGHTS = [100.5018, 13.7563]  # the middle of the city, where the made-up report is

#: Places of /network with the account that opens them; all on a hub of its own.
NETWORK = (
    ("members", None),
    ("status", None),
    ("projects", None),
    ("city/th-bkk", None),
    ("report", None),
    ("compare/th-bkk,la-vientiane", None),
    ("chairs", None),
    ("offers", None),
    ("practices", None),
    ("todo", "secretariat"),
    ("matches", "secretariat"),
    ("returns", "secretariat"),
    ("returns/return-2026-th-bkk", "chief"),
    ("joining", "national-th"),
    ("matching", "partner"),
    ("meetings", "secretariat"),
)

SECTIONS = (
    "counters",
    "accounts",
    "tokens",
    "devices",
    "feeds",
    "parked",
    "readers",
    "audit",
)

#: Picture → (view, language, theme, size): what the READMEs show.
PICKED = {
    "ops-en": ("ops", "en", "dark", "desk"),
    "ops-th": ("ops", "th", "dark", "desk"),
    "now-en": ("now", "en", "light", "phone"),
    "now-th": ("now", "th", "light", "phone"),
    "report-en": ("report-where", "en", "light", "phone"),
    "report-th": ("report-where", "th", "light", "phone"),
    "follow-en": ("follow-one", "en", "light", "phone"),
    "follow-th": ("follow-one", "th", "light", "phone"),
    "desk-en": ("desk-case", "en", "dark", "desk"),
    "desk-th": ("desk-case", "th", "dark", "desk"),
    "measure-en": ("measure", "en", "dark", "desk"),
    "measure-th": ("measure", "th", "dark", "desk"),
    "network-en": ("network-members", "en", "light", "desk"),
    "network-th": ("network-members", "th", "light", "desk"),
}


@dataclass(frozen=True)
class View:
    """A picture: where, as whom, and what is done before it is taken."""

    name: str
    path: str
    account: str | None = None
    act: Callable[[Page], None] | None = None
    whole: bool = True  # a second picture of the whole length, where the page is longer


def say(line: str) -> None:
    """What has been done, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def language_of(page: Page) -> str:
    """The language that the page is written in."""
    return page.locator("html").get_attribute("lang") or "en"


def pick_category(page: Page) -> None:
    """Choose a kind of problem: the second step asks where it is."""
    page.locator(".groups button").first.click()
    page.locator("button.leaf").first.click()
    page.get_by_role("button", name=words(language_of(page), "resident.place.map")).click()
    page.locator(".maplibregl-canvas").wait_for()


def tell_more(page: Page) -> None:
    """The third step: a photo and words."""
    pick_category(page)
    page.get_by_role("button", name=words(language_of(page), "resident.report.next")).click()
    page.locator("textarea").wait_for()


def send_it(page: Page) -> None:
    """The fourth step: check, learn what is kept, agree."""
    tell_more(page)
    page.locator("textarea").fill("หลุมลึกกลางเลนซ้าย หน้าปากซอย")
    page.get_by_role("button", name=words(language_of(page), "resident.report.next")).click()
    page.locator("input[type=checkbox]").wait_for()


def open_first_case(page: Page) -> None:
    """A case of the desk's list."""
    page.locator("a[href^='#/case/']").first.click()
    page.locator("article h2").wait_for()
    page.wait_for_timeout(QUIET_MS)  # on a desk a map comes by itself


def wait_for_cases(page: Page) -> None:
    """The cases are the last that the operations centre reads: their tab then has a number."""
    page.locator("[role=tab] .count, [role=tab] .numbers").nth(1).wait_for()


def open_first_row(page: Page) -> None:
    """What lies at the top of the list of the operations centre."""
    page.locator("[role=tabpanel] [data-id]").first.click()


def open_worked_example(page: Page) -> None:
    """The project with the most written about it, where the demo has one; else the first."""
    cards = page.locator("a[href^='#/project/']")
    cards.first.wait_for()
    told = cards.filter(has_text=words(language_of(page), "measure.project.example"))
    (told if told.count() else cards).first.click()
    page.locator("ol.stages").wait_for()


def views(tracking_code: str) -> list[View]:
    """All views, in the order of a day: resident, operations, department, administration."""
    admin = [
        View(f"admin-{section}", f"/admin#/{section}", "administrator") for section in SECTIONS
    ]
    return [
        View("now", "/"),
        View("report-what", "/#/report"),
        View("report-where", "/#/report", act=pick_category),
        View("report-more", "/#/report", act=tell_more),
        View("report-send", "/#/report", act=send_it),
        View("follow", "/#/follow"),
        View("follow-one", f"/#/follow/{tracking_code}"),
        View("account", "/#/account"),
        View("login", "/login"),
        View("about", "/about"),
        View("ops", "/ops", "officer", act=wait_for_cases, whole=False),
        View("ops-detail", "/ops", "officer", act=open_first_row, whole=False),
        View("desk", "/desk", "staff-environment", whole=False),
        View("desk-case", "/desk", "staff-environment", act=open_first_case, whole=False),
        View("measure", "/measure", "chief"),
        View("measure-changes", "/measure#/changes", "chief"),
        View("measure-indicator", "/measure#/indicator/transit-people-500m", "chief"),
        View("measure-public", "/measure#/by/th-smart"),
        View("measure-projects", "/measure#/projects", "chief"),
        View("measure-project", "/measure#/projects", "chief", act=open_worked_example),
        View("measure-plans", "/measure#/plans", "chief"),
        View("measure-work", "/measure#/work", "steward"),
        *admin,
    ]


def wait_for_map(page: Page) -> None:
    """A map is loaded after what it shows."""
    page.locator(".maplibregl-canvas").wait_for()


def network_views() -> list[View]:
    """The places of /network, as those who have them open see them."""
    return [
        View(
            "network-" + place.partition(",")[0].replace("/", "-"),
            f"/network#/{place}",
            account,
            wait_for_map if place == "members" else None,
        )
        for place, account in NETWORK
    ]


def take(page: Page, base: str, view: View, target: Path) -> None:
    """One picture."""
    page.goto("about:blank")
    page.goto(base + view.path)
    page.locator("h1, h2").first.wait_for(state="attached", timeout=PATIENCE_MS)
    page.locator(".skeleton, [aria-busy=true]").first.wait_for(state="detached")
    if view.act is not None:
        view.act(page)
    with_map = page.locator(".maplibregl-canvas").count() > 0
    page.wait_for_timeout(MAP_QUIET_MS if with_map else QUIET_MS)
    page.screenshot(path=target, animations="disabled")
    height = page.evaluate("document.documentElement.scrollHeight")
    size = page.viewport_size
    if view.whole and size is not None and height > size["height"] + 50:
        # A taller window rather than a long picture: bars at the bottom stay at the bottom.
        page.set_viewport_size({"width": size["width"], "height": min(height, LONG_PX)})
        page.wait_for_timeout(QUIET_MS / 2)
        page.screenshot(path=target.with_stem(f"{target.stem}-whole"), animations="disabled")
        page.set_viewport_size(size)


def draw(
    browser: Browser,
    city: DemoCity | NetworkHub,
    chosen: list[View],
    languages: list[str],
    picked: bool,
) -> list[str]:
    """All pictures; gives the names of those that could not be taken, with the reason."""
    failed: list[str] = []
    states = {name: signed_in(browser, city, name) for name in {v.account for v in chosen} - {None}}
    for language in languages:
        for theme in THEMES:
            for size, viewport in SIZES.items():
                here = [
                    view
                    for view in chosen
                    if not picked or (view.name, language, theme, size) in PICKED.values()
                ]
                for account in dict.fromkeys(view.account for view in here):
                    context = browser.new_context(
                        viewport=viewport,
                        locale={"th": "th-TH", "en": "en-GB"}[language],
                        device_scale_factor=1,
                        has_touch=size == "phone",
                        storage_state=states.get(account),
                        service_workers="block",
                    )
                    context.set_default_timeout(PATIENCE_MS)
                    context.add_cookies([{"name": "lang", "value": language, "url": city.base}])
                    context.add_init_script(f"try{{localStorage.theme='{theme}'}}catch{{}}")
                    page = context.new_page()
                    for view in (v for v in here if v.account == account):
                        name = f"{view.name}-{language}-{theme}-{size}"
                        try:
                            take(page, city.base, view, OUT / f"{name}.png")
                            say(name)
                        except BrowserError as error:
                            failed.append(f"{name}: {str(error).splitlines()[0]}")
                    context.close()
    return failed


def signed_in(browser: Browser, city: DemoCity | NetworkHub, account: str) -> dict[str, object]:
    """The cookies of an account: it signs in once, for the city counts log-ins."""
    context = browser.new_context(base_url=city.base)
    answer = context.request.post(
        "/api/v1/session", data={"username": account, "password": city.passwords()[account]}
    )
    assert answer.ok, answer.text()
    state = context.storage_state()
    context.close()
    return dict(state)


def alerts_of(city: DemoCity) -> int:
    """How many alerts are open: the pictures are of an afternoon, not of a quiet noon."""
    with city.as_stranger() as stranger:
        return int(stranger.get("/api/v1/city/now").json()["alerts"]["open"])


def made_up_report(city: DemoCity) -> str:
    """A report of a resident with two steps behind it: its tracking code."""
    with city.as_stranger() as resident:
        places = resident.get("/api/v1/city").json()
        notice = resident.get("/api/v1/notices/report").json()
        body = {
            "category": next(c["code"] for c in places["categories"] if c["photoAdvised"]),
            "lon": str(LIGHTS[0]),
            "lat": str(LIGHTS[1]),
            "words": "มีหลุมขนาดใหญ่ตรงทางม้าลาย รถเสียหลักหลายคันแล้ว",
            "consent": "true",
            "noticeVersion": str(notice.get("version", "")),
            "language": "th",
        }
        answer = resident.post("/api/v1/reports", data=body, files={"none": (None, "")})
        answer.raise_for_status()
        made = answer.json()
    with contextlib.closing(city.as_account("officer")) as officer:
        for act in ("accept", "start"):
            officer.post(f"/api/v1/cases/{made['caseId']}/{act}", json={}).raise_for_status()
    return str(made["trackingCode"])


def pick() -> None:
    """The READMEs' pictures, as WebP below the limit."""
    CHOSEN.mkdir(parents=True, exist_ok=True)
    for name, (view, language, theme, size) in PICKED.items():
        source = OUT / f"{view}-{language}-{theme}-{size}.png"
        if not source.exists():
            continue
        picture = Image.open(source).convert("RGB")
        picture = picture.crop((0, 0, picture.width, min(picture.height, 1000)))
        for quality in (86, 78, 70, 60):
            picture.save(CHOSEN / f"{name}.webp", quality=quality, method=6)
            if (CHOSEN / f"{name}.webp").stat().st_size < CHOSEN_BYTES_MAX:
                break


@contextlib.contextmanager
def network_hub() -> Iterator[NetworkHub]:
    """A hub for the pictures: the network's own tables if they are there."""
    folder = Path(tempfile.mkdtemp(prefix="nagara-hub-"))
    tables = ROOT.parent / "shared" / "data" / "asean"
    try:
        with NetworkHub(folder, free_port(), tables if tables.is_dir() else None) as hub:
            yield hub
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def running(arguments: argparse.Namespace) -> Iterator[DemoCity]:
    """The demo that is pointed at, or one started for the pictures."""
    if arguments.base:
        city = DemoCity(arguments.data, int(arguments.base.rpartition(":")[2]))
        yield city
        return
    folder = Path(tempfile.mkdtemp(prefix="nagara-screens-"))  # the engines must reach it
    try:
        with DemoCity(folder, free_port()) as city:
            yield city
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    """Takes the pictures; 1 if one could not be taken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="beginnings of views' names, with commas")
    parser.add_argument("--lang", default=",".join(LANGUAGES))
    parser.add_argument("--picked", action="store_true", help="only what the READMEs show")
    parser.add_argument("--base", default="")
    parser.add_argument("--data", type=Path)
    arguments = parser.parse_args()
    program = find_chromium()
    if program is None:
        say("There is no Chromium here: apt-get install chromium")
        return 1
    OUT.mkdir(exist_ok=True)
    wanted, languages = tuple(arguments.only.split(",")), arguments.lang.split(",")
    failed: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        hub_views = [v for v in network_views() if v.name.startswith(wanted)]
        if not all(name.startswith("network") for name in wanted):
            with running(arguments) as city:
                if not arguments.base:
                    poll(lambda: alerts_of(city) > 2, "the demo's alerts")
                chosen = [v for v in views(made_up_report(city)) if v.name.startswith(wanted)]
                failed += draw(browser, city, chosen, languages, arguments.picked)
        if hub_views:
            with network_hub() as hub:
                failed += draw(browser, hub, hub_views, languages, arguments.picked)
        browser.close()
    pick()
    for line in failed:
        say(f"not taken: {line}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
