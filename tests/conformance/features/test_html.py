"""Part 1, class HTML: pages for people (17-069r4 clause 8.2), and who may see what."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from nagara.context import Create, Entity

from .conftest import AIR, ROOT, Client

PAGES = [
    "/", "/conformance", "/api", "/collections", AIR, f"{AIR}/queryables", f"{AIR}/items",
    f"{AIR}/items/urn:ngsi-ld:AirQualityObserved:s01", "/collections/AdministrativeArea/items",
]  # fmt: skip
_VOID = {"meta", "link", "br"}


class Reader(HTMLParser):
    """Every tag that is opened is closed; what is linked is remembered."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.hrefs: list[str] = []

    def handle_starttag(self, tag, attrs):
        said = dict(attrs)
        assert not {"style", "onclick"} & said.keys()  # our policy would refuse it
        if tag not in _VOID:
            self.open.append(tag)
        for name in ("href", "src"):
            if name in said:
                self.hrefs.append(said[name])

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("language", ["th", "en"])
async def test_every_resource_is_a_page_too(client: Client, path: str, language: str) -> None:
    answer = await client.ask(path, f="html", lang=language)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert f'<html lang="{language}">' in answer.text
    reader = Reader()
    reader.feed(answer.text)
    assert reader.open == []
    assert "<h1>" in answer.text
    assert "<script" not in answer.text
    for href in reader.hrefs:  # nobody else's host
        assert href.startswith(("/", "#", "http://localhost/")), href
    for href in reader.hrefs:
        if ROOT in href:
            assert (await client.http.get(href)).status_code == 200, href


@pytest.mark.parametrize("path", PAGES)
async def test_a_browser_gets_a_page_a_program_the_document(client: Client, path: str) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    answer = await client.http.get(ROOT + path, headers=browser)
    assert answer.headers["content-type"].startswith("text/html")
    for accept in ("application/json", "application/geo+json", "*/*", ""):
        answer = await client.http.get(ROOT + path, headers={"Accept": accept})
        assert "json" in answer.headers["content-type"], accept
    await client.ask(path, 400, f="xml")


async def test_what_somebody_wrote_is_text_and_never_markup(client: Client) -> None:
    answer = await client.ask("/collections/AdministrativeArea/items", f="html")
    assert "West &lt;&amp;&gt; side" in answer.text
    evil = '"><script>alert(1)</script>'
    answer = await client.ask(f"{AIR}/items", f="html", stationCode=evil)
    assert "<script" not in answer.text


async def test_a_small_map_shows_what_the_table_says(client: Client) -> None:
    answer = await client.ask(f"{AIR}/items", f="html", bbox="100,13,101.5,14")
    assert len(re.findall("<circle", answer.text)) == 10
    assert answer.text.count('<th scope="row">') == 10
    areas = await client.ask("/collections/AdministrativeArea/items", f="html")
    assert areas.text.count('class="area"') == 1


async def test_a_stranger_sees_public_types_alone(client: Client) -> None:
    """A device is for the engine room: absent from lists, counts, documents and by its address."""
    assert "Device" not in (await client.ask("/collections")).text
    assert "Device" not in (await client.ask("/api")).text
    await client.ask("/collections/Device/items", 404)
    await client.ask("/collections/Device/items/urn:ngsi-ld:Device:1", 404)
    await client.ask(f"{AIR}/items/urn:ngsi-ld:Device:1", 404)
    both = Entity("urn:ngsi-ld:X:1", ("AirQualityObserved", "Device"), {})
    await client.context.write(Create(both), actor="test")
    assert "1" not in await client.ids()
    assert (await client.get(f"{AIR}/items"))["numberMatched"] == 11
    await client.ask(f"{AIR}/items/urn:ngsi-ld:X:1", 404)


async def test_an_empty_city_has_no_collections_and_says_so(empty: Client) -> None:
    assert (await empty.get("/collections"))["collections"] == []
    assert "nothing here yet" in (await empty.ask("/collections", f="html", lang="en")).text


async def test_what_is_made_is_seen_at_once(empty: Client) -> None:
    await empty.ask("/collections/WaterObserved/items", 404)
    gauge = Entity("urn:ngsi-ld:WaterObserved:1", ("WaterObserved",), {})
    await empty.context.write(Create(gauge), actor="test")
    assert await empty.ids("/collections/WaterObserved/items") == ["1"]
