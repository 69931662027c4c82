"""Addresses that a browser opens: screens, and the page that says that nothing is there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from nagara.http.pages import PROGRAMS, SCREENS, Pages

WEB = Path(__file__).parents[3] / "web"
HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
BEHIND = "asked the app"


async def app(scope: Any, receive: Any, send: Any) -> None:
    """What stands behind the pages."""
    await send({"type": "http.response.start", "status": 418, "headers": []})
    await send({"type": "http.response.body", "body": BEHIND.encode()})


@pytest.fixture
def browser(tmp_path: Path) -> httpx.AsyncClient:
    """A browser before the screens as they are written, unbuilt."""
    for page in WEB.glob("*.html"):
        (tmp_path / page.name).write_bytes(page.read_bytes())
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "a.js").write_text("1")
    city = {"th": "ภูเก็ต", "en": "Phuket"}
    pages = Pages(app, tmp_path, [(b"x-content-type-options", b"nosniff")], city)
    return httpx.AsyncClient(transport=httpx.ASGITransport(pages), base_url="http://city")


def test_every_page_that_is_built_has_an_address() -> None:
    assert {page.name for page in WEB.glob("*.html")} == {*SCREENS.values(), "missing.html"}


@pytest.mark.parametrize("accept", ["text/html", "*/*", HTML["accept"]])
async def test_each_screen_is_at_its_address(browser: httpx.AsyncClient, accept: str) -> None:
    for path, name in SCREENS.items():
        for asked in {path, path.rstrip("/") + "/", f"{path}?lang=th"}:
            answer = await browser.get(asked, headers={"accept": accept})
            assert answer.status_code == 200, asked
            assert answer.text == (WEB / name).read_text("utf-8"), asked


@pytest.mark.parametrize(
    "path",
    ["/nope", "/ops/nope", "/index.html", "/missing.html", "/nope.php", "/assets/gone.js", "//ops"],
)
async def test_a_browser_is_told_that_nothing_is_there(
    browser: httpx.AsyncClient, path: str
) -> None:
    answer = await browser.get(f"http://city{path}", headers={**HTML, "accept-language": "en"})
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "<h1>There is no such page</h1>" in answer.text
    assert 'href="/">Go to the city’s first page</a>' in answer.text
    assert "<title>There is no such page · Phuket</title>" in answer.text
    assert "{{" not in answer.text
    head = await browser.head(f"http://city{path}", headers=HTML)
    assert (head.status_code, head.content) == (404, b"")


async def test_it_speaks_the_language_asked_for(browser: httpx.AsyncClient) -> None:
    for more in (
        {"headers": {**HTML, "accept-language": "th-TH,en;q=0.5"}},
        {"headers": {**HTML, "accept-language": "en", "cookie": "theme=dark; lang=th"}},
        {"headers": {**HTML, "accept-language": "en"}, "params": {"lang": "th"}},
    ):
        answer = await browser.get("/nope", **more)  # type: ignore[arg-type]
        assert answer.headers["content-language"] == "th"
        assert '<html lang="th"' in answer.text
        assert "<h1>ไม่มีหน้านี้</h1>" in answer.text
        assert ">ภูเก็ต<" in answer.text
        assert 'href="?lang=en" lang="en" hreflang="en">English</a>' in answer.text
    asked = await browser.get("/nope?lang=th", headers=HTML)
    assert 'href="/?lang=th">ไปหน้าแรกของเมือง</a>' in asked.text


async def test_what_was_asked_for_is_said_and_does_nothing(browser: httpx.AsyncClient) -> None:
    path = "/%3Cscript%3Ealert(1)%3C/script%3E%00%0A"
    answer = await browser.get(path, headers={**HTML, "accept-language": "en"})
    assert "at /&lt;script&gt;alert(1)&lt;/script&gt;." in answer.text
    long = await browser.get("/" + "x" * 5_000, headers=HTML)
    assert (long.status_code, len(long.text) < 4_000) == (404, True)


async def test_programs_are_left_to_the_app(browser: httpx.AsyncClient) -> None:
    for path in ("/nope", "/assets/gone.js"):
        for accept in ("*/*", "application/json", ""):
            answer = await browser.get(path, headers={"accept": accept})
            assert answer.text == BEHIND, (path, accept)
    for part in PROGRAMS:
        assert (await browser.get(f"/{part}/nope", headers=HTML)).text == BEHIND, part
    assert (await browser.post("/nope", headers=HTML)).text == BEHIND
    assert (await browser.get("/ops", headers={"accept": "application/json"})).text == BEHIND
    assert (await browser.get("/assets/a.js", headers={"accept": "*/*"})).text == "1"
