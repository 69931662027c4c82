"""The book of projects, as the network and the federation use it."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from nagara.indicators import targets
from nagara.plans import errors
from nagara.plans.book import Book, record_of
from nagara.plans.finding import Sight
from nagara.plans.progress import standing
from nagara.plans.service import Projects, entity_of
from nagara.vocab.project import (
    PROJECT_TYPES,
    ProjectBook,
    ProjectRecord,
    YearNote,
    find_focus_area,
)
from room_fixtures import Town

BY = "system:network"


@pytest_asyncio.fixture
async def book(town: Town) -> AsyncIterator[Book]:
    yield Book(Projects(town.floor))


def note(name: str, year: int = 2024, **more: object) -> YearNote:
    return YearNote(year, name, f"report {year}", **more)  # type: ignore[arg-type]


async def test_a_report_heard_twice_makes_one_project(book: ProjectBook, town: Town) -> None:
    first = await book.register("la-vte", "LA", note("Smart Market", focus_area="FA6"), BY)
    head = town.context.tail.head
    again = await book.register("la-vte", "LA", note("smart  MARKET", focus_area="FA6"), BY)
    assert again.id == first.id
    # the same words again change nothing; other capitals are what that year's report printed
    later = await book.register("la-vte", "LA", note("smart  MARKET", focus_area="FA6"), BY)
    assert later == again
    assert town.context.tail.head - head <= 2
    elsewhere = await book.register("la-lpb", "LA", note("Smart Market"), BY)
    assert elsewhere.id != first.id
    entity = await town.context.get(first.id)
    assert entity.value("cityCode") == "la-vte"
    assert entity.value("reportedStatus") is None  # no row says it


async def test_status_is_the_newest_reports(book: ProjectBook) -> None:
    made = await book.register("la-vte", "LA", note("X", 2025, status="completed"), BY)
    assert made.status == "completed"
    made = await book.note_year(made.id, note("X", 2022, status="planning"), BY)
    assert made.status == "completed"
    assert [one.year for one in made.years] == [2022, 2025]


async def test_names_are_found_for_ever(book: ProjectBook) -> None:
    made = await book.register("la-vte", "LA", note("One"), BY)
    await book.rename(made.id, "Two", 2025, "report 2025", BY)
    assert [one.id for one in await book.find_by_name("la-vte", "ONE")] == [made.id]
    other = await book.register("la-vte", "LA", note("Other"), BY)
    heir = await book.merge(other.id, made.id, 2025, "a letter", BY)
    assert heir.id == made.id
    assert [f.name for f in heir.former_names] == ["One", "Other"]
    assert await book.merge(other.id, made.id, 2025, "a letter", BY) == heir  # once
    noted = await book.register("la-vte", "LA", note("Other", 2026), BY)
    assert noted.id == made.id  # a report still calls it by its old name
    parts = await book.split(made.id, ["A", "B"], 2027, "a letter", BY)
    assert {part.split_from for part in parts} == {made.id}
    ended = await book.cancel(parts[0].id, 2028, "no money", "a letter", BY)
    assert (ended.state, ended.status) == ("cancelled", "cancelled")
    assert await book.cancel(parts[0].id, 2028, "no money", "a letter", BY) == ended
    with pytest.raises(errors.ProjectUnknown):
        await book.rename("urn:ngsi-ld:Project:la-vte:none", "x", 2025, "", BY)


async def test_another_city_speaks_for_itself(book: ProjectBook, town: Town) -> None:
    reported = await book.register("la-vte", "LA", note("Bridge", 2024, status="ongoing"), BY)
    sent = ProjectRecord(
        "urn:ngsi-ld:Project:la-vte:abc", "la-vte", "LA", "Bridge", "FA5", 3, True,
        stage="delivery",
    )  # fmt: skip
    (kept,) = await book.receive("la-vte", [sent], "city:la-vte")
    assert (kept.id, kept.stage, kept.status) == (sent.id, "delivery", "ongoing")
    assert [one.year for one in kept.years] == [2024]  # what the report said of it goes along
    old = await book.find(reported.id)
    assert old is not None
    assert (old.state, old.merged_into) == ("merged", sent.id)
    head = town.context.tail.head
    assert await book.receive("la-vte", [sent], "city:la-vte") == [kept]
    assert town.context.tail.head == head
    with pytest.raises(errors.ProjectForeign):
        await book.rename(sent.id, "x", 2025, "", BY)
    for forged in (
        msgspec.structs.replace(sent, city="th-bkk"),
        msgspec.structs.replace(sent, id="urn:ngsi-ld:Project:th-pkt:abc"),
        msgspec.structs.replace(sent, state="flying"),
        msgspec.structs.replace(sent, name=" "),
    ):
        with pytest.raises(errors.ProjectInvalid):
            await book.receive("la-vte", [forged], "city:la-vte")


async def test_two_who_register_at_once_make_one(book: ProjectBook) -> None:
    made = await asyncio.gather(
        *(book.register("la-vte", "LA", note("Race", 2020 + n), BY) for n in range(4)),
        return_exceptions=True,
    )
    told = [one for one in made if isinstance(one, ProjectRecord)]
    assert len({one.id for one in told}) == 1
    assert len(await book.find_by_name("la-vte", "Race")) == 1


async def test_a_record_survives_what_it_is_made_of(town: Town) -> None:
    projects = Projects(town.floor)
    made = await Book(projects).register("la-vte", "LA", note("X", 2025, focus_area="FA1"), BY)
    row = await projects.get(made.id, Sight())
    assert record_of(row) == made
    assert entity_of(row).attrs == (await town.context.get(made.id)).attrs


async def test_the_reports_are_registered_once_each(
    book: ProjectBook, nagara_archives: Path
) -> None:
    with (nagara_archives / "asean" / "ascn_me_projects_2022_2025.csv").open() as file:
        rows = list(csv.DictReader(file))
    fresh = []
    for row in rows:
        area = find_focus_area(row["focus_area"])
        assert area is not None, row
        said = YearNote(int(row["report_year"]), row["project"], "report", area)
        fresh.append((row["city"], row["country_iso2"], said))
    made = await book.register_many(fresh, BY)
    assert len(made) == 405
    assert await book.register_many(fresh, BY) == await book.register_many(fresh, BY)
    for year, count in ((2022, 77), (2023, 86), (2024, 108), (2025, 134)):
        found, _ = await book.list_projects(year=year)
        assert len(found) == count


async def test_the_framework_is_the_one_that_was_published(nagara_archives: Path) -> None:
    with (nagara_archives / "asean" / "ascf_taxonomy.csv").open() as file:
        rows = list(csv.DictReader(file))
    types = {row["code"]: row["name"] for row in rows if row["level"] == "project_type"}
    assert types == {code: names["en"] for code, names in PROJECT_TYPES.items()}
    for row in rows:
        if row["level"] == "focus_area":
            assert find_focus_area(row["name"]) == row["code"]


def test_on_track_is_what_the_indicators_call_so() -> None:
    begun, until = date(2024, 1, 1), date(2028, 1, 1)
    for sense, baseline, target in (("up", 0.0, 100.0), ("down", 80.0, 20.0)):
        theirs = targets.Target(
            "c", "x", "", 1, baseline, begun, target, until, sense,  # type: ignore[arg-type]
            None, "", "", None,  # type: ignore[arg-type]
        )  # fmt: skip
        for value in (None, -5.0, 0.0, 20.0, 35.0, 50.0, 60.0, 80.0, 99.0, 120.0):
            for on in (begun, date(2025, 1, 1), date(2026, 6, 1), until, date(2029, 1, 1)):
                one = targets.progress(theirs, value, on)
                other = standing(baseline, begun, target, until, sense, value, on)  # type: ignore[arg-type]
                name = {"no-value": "not-reported"}.get(one.standing, one.standing)
                assert other.standing == name, (sense, value, on)
