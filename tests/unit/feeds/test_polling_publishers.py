"""Each connector against a publisher that answers well, not at all, late, cut off, or otherwise.

Nothing is lost and nothing wrong is stored, whatever he does; what is wrong is said in Thai and in
English; and once he is well again, so is the feed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from msgspec import Struct

from nagara.context import Context, Query
from nagara.engines.database import Database
from nagara.http.words import words_of
from nagara.ingest import parking
from nagara.ingest.adapters.feeds import make_feed
from nagara.ingest.adapters.polling import FeedRunner
from nagara.ingest.errors import FeedFailed
from nagara.ingest.feed import FeedUnreadable
from nagara.ingest.service import IngestService
from nagara.values.errors import Problem
from unit.feeds import made
from unit.feeds.publisher import Mood, Publisher

PATIENCE_S = 1.0  # long enough for a loaded test machine, short enough for four silent publishers


class Case(Struct, frozen=True):
    """A connector with good documents and ways to spoil them."""

    connector: str
    entity_type: str
    options: dict[str, Any]
    good: bytes
    newer: bytes  # the same and something new
    mixed: bytes  # good rows beside a bad one
    changed: bytes  # another schema
    entities: int  # in `good`
    more: int  # in `newer`
    in_mixed: int  # entities there are after `mixed`
    bad_code: str


def later(row: Callable[..., dict[str, Any]], number: int, **changes: Any) -> dict[str, Any]:
    return row(number) | changes


def air(number: int, **changes: Any) -> dict[str, Any]:
    return made.air_station(f"x{number}", **changes)


def ticket(number: int, **changes: Any) -> dict[str, Any]:
    return made.ticket(f"2025-{number}", **changes)


CASES = [
    Case(
        "air4thai",
        "AirQualityObserved",
        {},
        made.air_document(air(1), air(2)),
        made.air_document(air(1), air(2), air(3)),
        made.air_document(air(4), air(5, lat="north"), air(6)),
        made.encoded({"data": {"stations": [air(1)]}}),
        2,
        3,
        5,
        "feed-row-place",
    ),
    Case(
        "thaiwater-rain",
        "WeatherObserved",
        {"provinces": ["10"]},
        made.rain_document(made.rain_row(1), made.rain_row(2)),
        made.rain_document(made.rain_row(1), made.rain_row(2), made.rain_row(3)),
        made.rain_document(
            made.rain_row(4), made.rain_row(5, rainfall_datetime="today"), made.rain_row(6)
        ),
        made.encoded({"result": "OK", "rain": [made.rain_row(1)]}),
        2,
        3,
        5,
        "feed-row-moment",
    ),
    Case(
        "thaiwater-level",
        "WaterObserved",
        {"provinces": ["10"]},
        made.level_document(made.level_row(1), made.level_row(2)),
        made.level_document(made.level_row(1), made.level_row(2), made.level_row(3)),
        made.level_document(made.level_row(4), made.level_row(5, station=None), made.level_row(6)),
        made.encoded({"waterlevel_data": [made.level_row(1)]}),
        2,
        3,
        5,
        "feed-row-field-missing",
    ),
    Case(
        "traffy",
        "ServiceRequest",
        {"districts": {"ปทุมวัน": "1007"}},
        made.ticket_document(ticket(1), ticket(2)),
        made.ticket_document(ticket(1, state="เสร็จสิ้น"), ticket(2), ticket(3)),
        made.ticket_document(ticket(4), ticket(5, coords=None), ticket(6)),
        made.encoded({"tickets": [ticket(1)]}),
        2,
        3,
        5,
        "feed-row-place",
    ),
    Case(
        "gtfs",
        "GtfsStop",
        {"url": "http://127.0.0.1/"},
        made.gtfs_archive(),
        made.gtfs_archive(stops=made.GTFS["stops.txt"] + "P3,South,13.7,100.5,0,\n"),
        made.gtfs_archive(
            stops=made.GTFS["stops.txt"] + "P4,West,13.7,100.4,0,\nP5,Far,137,100.5,0,\n"
        ),
        made.gtfs_archive(stops="id,name\n1,2\n"),
        3,
        4,
        5,
        "feed-row-place",
    ),
]
each = pytest.mark.parametrize("case", CASES, ids=lambda case: case.connector)


class Town:
    """A city that polls one publisher by one connector."""

    def __init__(
        self, case: Case, publisher: Publisher, service: IngestService, database: Database
    ) -> None:
        feed = make_feed(case.connector, case.options)
        feed = msgspec.structs.replace(feed, url=publisher.url, timeout_s=PATIENCE_S)
        self.case, self.publisher, self.service, self.db = case, publisher, service, database
        self.runner = FeedRunner(service, database, [feed])
        self.context: Context = service.context

    async def poll(self, body: bytes, mood: Mood = "good") -> Any:
        self.publisher.body, self.publisher.mood = body, mood
        return await self.runner.poll(self.case.connector)

    async def fails(self, body: bytes, mood: Mood = "good") -> Problem:
        with pytest.raises((FeedFailed, FeedUnreadable)) as caught:
            await self.poll(body, mood)
        standing = self.runner.standings[self.case.connector]
        assert standing.failures > 0
        assert standing.problem_code == caught.value.code
        for language in ("th", "en"):
            said = words_of(caught.value, language)
            assert said.title != caught.value.code  # there are words for it
            assert said.hint
        return caught.value

    async def count(self) -> int:
        return await self.context.count(Query(types=(self.case.entity_type,)))

    async def state(self) -> list[tuple[Any, ...]]:
        """Everything stored, by id, with its version."""
        async with self.db.acquire() as conn:
            rows = await conn.fetch("select * from context.entity order by id")
        return [tuple(row.values()) for row in rows]

    async def parked(self) -> list[parking.Parked]:
        async with self.db.acquire() as conn:
            numbers = await conn.fetch("select id from ingest.parked order by id")
        return [await parking.get_parked(self.db, row["id"]) for row in numbers]

    def assert_balanced(self) -> None:
        total = self.service.intake.ledger.total()
        settled = ("stored", "duplicate", "parked", "refused")  # nothing is in flight by now
        assert total["received"] == sum(total[name] for name in settled)


@pytest.fixture
def town(case: Case, publisher: Publisher, service: IngestService, database: Database) -> Town:
    return Town(case, publisher, service, database)


@each
async def test_a_good_answer_is_stored_once_however_often_it_is_heard(town: Town) -> None:
    first = await town.poll(town.case.good)
    assert first.stored == first.received > 0
    assert await town.count() == town.case.entities
    before = await town.state()
    town.runner.standings[town.case.connector].etag = None  # as a publisher without ETag
    again = await town.poll(town.case.good)
    assert again.duplicate == again.received == first.received
    assert await town.state() == before
    assert await town.parked() == []
    town.assert_balanced()


@each
async def test_an_unchanged_answer_is_304_and_is_not_read_again(town: Town) -> None:
    await town.poll(town.case.good)
    assert await town.poll(town.case.good) is None
    asked, again = town.publisher.requests
    assert "if-none-match" not in asked
    assert again["if-none-match"] == town.publisher.etag
    newer = await town.poll(town.case.newer)
    assert newer.stored >= 1
    assert await town.count() == town.case.more


@each
@pytest.mark.parametrize("mood", ["error", "busy", "slow", "silent", "cut"])
async def test_a_publisher_in_trouble_changes_nothing_and_nothing_is_lost(
    town: Town, mood: Mood
) -> None:
    await town.poll(town.case.good)
    before = await town.state()
    problem = await town.fails(town.case.newer, mood)
    assert isinstance(problem, FeedFailed)
    assert await town.state() == before
    assert await town.parked() == []
    standing = town.runner.standings[town.case.connector]
    assert standing.rest_until is not None
    assert standing.tried_at is not None
    wait_s = (standing.rest_until - standing.tried_at).total_seconds()
    assert wait_s >= (7200 if mood == "busy" else 30)
    await town.poll(town.case.newer)  # and what he had to say is heard when he is well
    assert await town.count() == town.case.more
    assert standing.failures == 0
    assert standing.problem_code is None
    town.assert_balanced()


@each
@pytest.mark.parametrize("spoilt", ["cut-quietly", "changed", "error-page", "empty"])
async def test_a_document_that_is_none_is_parked_and_nothing_of_it_is_stored(
    town: Town, spoilt: str
) -> None:
    await town.poll(town.case.good)
    before = await town.state()
    bodies = {
        "cut-quietly": town.case.newer,
        "changed": town.case.changed,
        "error-page": b"<html><body>maintenance</body></html>",
        "empty": b"",
    }
    mood: Mood = "cut-quietly" if spoilt == "cut-quietly" else "good"
    problem = await town.fails(bodies[spoilt], mood)
    assert isinstance(problem, FeedUnreadable)
    assert await town.state() == before
    (kept,) = await town.parked()
    assert kept.code == problem.code
    if town.case.connector == "traffy":
        assert kept.payload == b""  # it may hold residents' words
    await town.fails(bodies[spoilt], mood)  # heard again, it is parked once
    assert len(await town.parked()) == 1
    await town.poll(town.case.newer)
    assert await town.count() == town.case.more
    town.assert_balanced()


@each
async def test_good_rows_beside_a_bad_one_are_kept_and_the_bad_one_is_parked(town: Town) -> None:
    await town.poll(town.case.newer)
    await town.poll(town.case.mixed)
    assert await town.count() == town.case.in_mixed
    parked = [one for one in await town.parked() if one.code == town.case.bad_code]
    assert len(parked) == 1
    problem = type("Told", (Problem,), {"code": parked[0].code})(**parked[0].params)
    for language in ("th", "en"):
        assert "{" not in words_of(problem, language).detail
    if town.case.connector == "traffy":
        assert made.PRIVATE.encode() not in parked[0].payload
    town.assert_balanced()


@each
async def test_a_moved_feed_is_followed(town: Town) -> None:
    await town.poll(town.case.good, "moved")
    assert await town.count() == town.case.entities


@pytest.mark.parametrize("case", CASES[3:4], ids=["traffy"])
async def test_nothing_of_a_residents_words_is_anywhere_in_the_database(town: Town) -> None:
    await town.poll(town.case.good)
    await town.fails(town.case.newer, "cut-quietly")
    await town.poll(town.case.mixed)
    async with town.db.acquire() as conn:
        tables = await conn.fetch(
            "select format('%I.%I', table_schema, table_name) as name "
            "from information_schema.tables where table_type = 'BASE TABLE' "
            "and table_schema not in ('pg_catalog', 'information_schema')"
        )
        for table in tables:
            rows = await conn.fetch(f"select t::text as row from {table['name']} as t")
            text = " ".join(row["row"] for row in rows)
            assert "สมชาย" not in text, table["name"]
            assert "สมชาย".encode().hex() not in text, table["name"]
