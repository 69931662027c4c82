"""The yearly report: one question, every format, every difference from print."""

from __future__ import annotations

import io
import json
import re
import xml.etree.ElementTree as ElementTree
import zlib

import msgspec
import openpyxl
import pytest
import sdmx

from nagara.network.errors import (
    ReportFormatUnknown,
    ReportSpoilt,
    ReportStepRefused,
    ReportYearUnknown,
)
from nagara.network.laid_out import lay_out
from nagara.network.rendering import render
from nagara.network.shapes import edition_out
from nagara.network.wording import LANGUAGES, texts
from nagara.vocab.project import FOCUS_AREAS
from unit.network.conftest import silently

ZONE = "Asia/Bangkok"
#: Counted by hand from the appendix tables: rows, cities, focus areas FA1 – FA6, completed.
KNOWN = {
    2022: (77, 26, [22, 5, 10, 17, 19, 4], None),
    2023: (86, 26, [25, 5, 10, 18, 20, 8], None),
    2024: (108, 31, [28, 6, 12, 20, 28, 14], 11),
    2025: (134, 35, [34, 8, 19, 25, 32, 16], 18),
}


def test_the_words_of_both_languages_are_of_the_same_things():
    thai, english = texts("th"), texts("en")
    assert thai.keys() == english.keys()
    for code, words in english.items():
        assert set(re.findall(r"{(\w+)}", words)) == set(re.findall(r"{(\w+)}", thai[code])), code


async def loaded(network, folder, read):
    await network.network.loader.load(read(folder), "system:test", silently)
    return network.reports


def table_numbers(html: str, part: str) -> dict[str, int]:
    """Names and counts as the page's table prints them."""
    section = re.search(rf'<section aria-labelledby="{part}">.*?</section>', html, re.S).group()
    cells = re.findall(r'<tr><th scope="row">(.*?)</th><td class="n">(\d+)</td>', section)
    return {name: int(count) for name, count in cells}


def demand_same_without_rows(counted, said, language):
    """Figures counted where the rows lie are those of the file that holds all rows."""
    shown = json.loads(msgspec.json.encode(edition_out(counted, language)))
    assert (counted.figures.rows, shown.pop("sha256")) == ((), None)
    became = said["became"] and {k: v for k, v in said["became"].items() if k != "items"}
    assert shown == {key: said[key] for key in shown} | {
        "became": became, "asOf": shown["asOf"],
    }  # fmt: skip
    assert said.keys() - shown.keys() == {"rows", "sha256"}
    by_status = [sum(counts) for counts in shown["focusByStatus"]["counts"]]
    assert by_status == [cell["count"] for cell in shown["byFocus"]]


async def prove(reports, year, language):
    """Every format of a year says the same."""
    edition = await reports.edition(year)
    figures = edition.figures
    files = {form: await render(edition, language, form, ZONE) for form in
             ("json", "html", "pdf", "xlsx", "sdmx")}  # fmt: skip
    said = json.loads(files["json"])
    demand_same_without_rows(await reports.counted(year), said, language)
    assert said["projects"] == figures.projects == sum(c["count"] for c in said["byFocus"])
    html = files["html"].decode()
    assert f'lang="{language}"' in html
    assert table_numbers(html, "by-focus") == {
        **{cell["name"].replace("&", "&amp;"): cell["count"] for cell in said["byFocus"]},
        texts(language)["total"]: figures.projects,
    }
    for chart in re.findall(r"<svg.*?</svg>", html, re.S):
        root = ElementTree.fromstring(chart)
        assert root.find("{http://www.w3.org/2000/svg}title") is not None
    assert "<script" not in html
    assert files["pdf"].startswith(b"%PDF-")
    book = openpyxl.load_workbook(io.BytesIO(files["xlsx"]))
    sheet = book.worksheets[1]
    counts = {row[0].value: row[1].value for row in sheet.iter_rows(min_row=2) if row[0].value}
    assert {c["name"]: c["count"] for c in said["byFocus"]}.items() <= counts.items()
    assert not any(
        cell.data_type == "f" for ws in book.worksheets for row in ws.iter_rows() for cell in row
    )
    assert heard(files["sdmx"])["COUNT", "FOCUS"] == {
        cell["code"]: cell["count"] for cell in said["byFocus"]
    }
    return figures


def demand_sdmx_json_2(message: dict) -> None:
    """The rules of the schema of data messages 2.0.0 that a message like ours can break."""
    code = re.compile(r"[A-Za-z0-9_@$-]+")
    assert code.fullmatch(message["meta"]["id"])
    assert {"prepared", "sender"} <= message["meta"].keys()
    for one in message["data"]["dataSets"]:
        assert one["links"]
        assert one["action"] in ("Information", "Append", "Replace", "Delete")
        assert all(re.fullmatch(r"\d+(:\d+)*", key) for key in one["observations"])
    for structure in message["data"]["structures"]:
        for dimension in structure["dimensions"]["observation"]:
            assert isinstance(dimension["keyPosition"], int)
            ids = [value["id"] for value in dimension["values"]]
            assert len(ids) == len(set(ids)) > 0
            assert all(code.fullmatch(one) for one in ids)
            assert all(value["name"] for value in dimension["values"])
        for attribute in structure["attributes"]["observation"]:
            assert attribute["relationship"] == {"observation": {}}
            for value in attribute["values"]:
                assert ("id" in value and "name" in value) != ("value" in value)


def heard(data: bytes) -> dict[tuple[str, str], dict[str, float]]:
    """Our message as sdmx1, a library of others, reads it.

    It knows the content of SDMX-JSON 2.0 in the envelope of 1.0, so that the envelope alone is
    changed here: `meta` and `data` opened, the one structure of the list taken.
    """
    message = json.loads(data)
    demand_sdmx_json_2(message)
    (structure,) = message["data"]["structures"]
    for one in structure["attributes"]["observation"]:  # it makes a Code of what has an id
        one["values"] = [{"name": v.get("id") or v["value"]["en"]} for v in one["values"]]
    opened = {
        "header": {
            **message["meta"],
            "sender": {"id": message["meta"]["sender"]["id"]},
        },
        "structure": structure,
        "dataSets": message["data"]["dataSets"],
    }
    read = sdmx.read_sdmx(io.BytesIO(json.dumps(opened).encode()), format="JSON")
    found: dict[tuple[str, str], dict[str, float]] = {}
    for observation in read.data[0].obs:
        key = observation.dimension
        place = found.setdefault((key["MEASURE"].value, key["DIMENSION"].value), {})
        place[key["ITEM"].value] = observation.value
    return found


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_made_year_says_the_same_in_every_format(network, made_folder, read, language):
    figures = await prove(await loaded(network, made_folder, read), 2024, language)
    assert figures.projects == 4
    assert [cell.count for cell in figures.by_focus] == [1, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_four_years_come_out_of_the_rows(network, nagara_archives, read, language):
    reports = await loaded(network, nagara_archives / "asean", read)
    for year, (rows, cities, focus, completed) in KNOWN.items():
        figures = await prove(reports, year, language)
        assert (figures.projects, figures.cities) == (rows, cities)
        assert [cell.count for cell in figures.by_focus] == focus
        status = {cell.code: cell for cell in figures.by_status}
        assert status["completed"].count == completed
        assert status["ongoing"].count is None  # the rows never tell it from planning
        assert len(figures.by_focus) == len(FOCUS_AREAS)


async def test_every_printed_figure_is_listed_with_what_the_rows_say(
    network, nagara_archives, read
):
    reports = await loaded(network, nagara_archives / "asean", read)
    differ: dict[int, dict[str, tuple[str, str]]] = {}
    for year in KNOWN:
        found = (await reports.figures(year)).differences
        measures = [one.measure for one in found]
        assert len(measures) == len(set(measures))
        differ[year] = {one.measure: (one.derived, one.why) for one in found if one.agrees is False}
        for one in found:
            if one.measure.startswith("status: on-going"):
                assert (one.agrees, one.derived) == (None, None)
    assert differ == {
        2022: {"status: sum": ("100", "sum-not-100")},
        2023: {
            "focus area: Civic & Social": ("29", "rounded-otherwise"),
            "focus area: Industry & Innovation": ("9", "as-if-count"),
        },
        2024: {
            "focus area: Civic & Social": ("26", "as-if-count"),
            "focus area: Quality Environment": ("19", "rounded-otherwise"),
            "focus area: Industry & Innovation": ("13", "agrees-with-none"),
        },
        2025: {
            "focus area: Quality Environment": ("19", "rounded-otherwise"),
            "focus area: Built Infrastructure": ("24", "as-if-count"),
        },
    }


async def test_printed_figures_of_the_made_year(network, made_folder, read):
    reports = await loaded(network, made_folder, read)
    found = {one.measure: one for one in (await reports.figures(2024)).differences}
    assert found["projects"].agrees is False  # five printed, four rows
    assert found["status: completed"].agrees is True
    assert found["status: on-going"].derived is None
    assert found["focus area: Civic & Social"].agrees is True
    assert (found["focus area: Quality Environment"].derived) == "25"


async def test_a_report_goes_its_way_with_the_very_figures_it_was_drafted_with(
    network, made_folder, read
):
    reports = await loaded(network, made_folder, read)
    draft = await reports.freeze(2024, "account:clerk", "first")
    async with network.network.db.acquire() as conn:
        await conn.execute("delete from network.row where year = 2024 and country = 'LA'")
    frozen = await reports.edition(2024, draft.version)
    assert frozen.figures.projects == 4
    assert frozen.sha256 == draft.sha256
    assert (await reports.edition(2024)).figures.projects == 2
    with pytest.raises(ReportStepRefused):
        await reports.move(2024, 1, "summit", "", "account:clerk")
    with pytest.raises(ReportStepRefused):
        await reports.move(2024, 1, "withdrawn", " ", "account:clerk")
    for stage in ("consultative-meeting", "coordinating-council"):
        await reports.move(2024, 1, stage, "", "account:clerk")
    await reports.move(2024, 1, "draft", "two rows are missing", "account:clerk")
    steps = await reports.list_steps(2024, 1)
    assert [step.after for step in steps] == [
        "draft", "consultative-meeting", "coordinating-council", "draft",
    ]  # fmt: skip
    assert (await reports.freeze(2024, "account:clerk")).version == 2
    async with network.network.db.acquire() as conn:
        data = await conn.fetchval("select figures from network.report where version = 1")
        spoilt = zlib.compress(zlib.decompress(data).replace(b'"projects":4', b'"projects":5'))
        await conn.execute("update network.report set figures = $1 where version = 1", spoilt)
    with pytest.raises(ReportSpoilt):
        await reports.edition(2024, 1)


async def test_what_there_is_not_is_said(network, made_folder, read):
    reports = await loaded(network, made_folder, read)
    with pytest.raises(ReportYearUnknown) as caught:
        await reports.figures(1999)
    assert caught.value.params["known"] == "2023, 2024"
    with pytest.raises(ReportFormatUnknown):
        await render(await reports.edition(2024), "en", "docx", ZONE)


async def test_thai_years_are_of_the_buddhist_era(network, made_folder, read):
    reports = await loaded(network, made_folder, read)
    laid = lay_out(await reports.edition(2024), "th", ZONE)
    assert "2567" in laid.title
