"""Whatever a publisher sends, a connector gives rows, parked rows, or one refusal with words."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nagara.ingest.adapters.feeds import gtfs
from nagara.ingest.adapters.feeds.air4thai import parse as parse_air
from nagara.ingest.adapters.feeds.thaiwater import parse_level, parse_rain
from nagara.ingest.adapters.feeds.traffy import parse as parse_tickets
from nagara.ingest.feed import FeedBatch, FeedUnreadable
from unit.feeds import made

SHAPES: dict[str, Any] = {
    "air": (parse_air, lambda rows: {"stations": rows}, made.air_station()),
    "rain": (parse_rain, lambda rows: {"data": rows}, made.rain_row()),
    "level": (parse_level, lambda rows: {"waterlevel_data": {"data": rows}}, made.level_row()),
    "tickets": (parse_tickets, lambda rows: {"results": rows}, made.ticket()),
}
each = pytest.mark.parametrize("name", SHAPES)
leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(10**400), 10**400)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["-1", "N/A", "2025-05-22 12:00", "13.7", "9999-99-99 99:99", "nan", "inf"])
)
anything = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["date", "time", "PM25", "value", "th", "id"]), inner)
    ),
    max_leaves=8,
)


def answers_well(parse: Any, data: bytes) -> None:
    try:
        batch: FeedBatch = parse(data, made.META)
    except FeedUnreadable as error:
        said_well(error)
        return
    for one in batch.observations:
        assert one.observed_at.tzinfo is not None
        assert one.entity_local_id
        assert one.readings or one.refresh
        for reading in one.readings:
            assert math.isfinite(reading.value)
    for item in batch.parked:
        assert item.reason
        assert len(item.payload) <= 16 * 1024


def said_well(error: FeedUnreadable) -> None:
    assert error.params["reason"]
    assert len(error.params["reason"]) < 600


@each
@given(data=st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_arbitrary_bytes(name: str, data: bytes) -> None:
    answers_well(SHAPES[name][0], data)


@each
@given(rows=st.lists(anything, max_size=5))
@settings(max_examples=150, deadline=None)
def test_arbitrary_rows(name: str, rows: list[Any]) -> None:
    parse, document, _ = SHAPES[name]
    answers_well(parse, json.dumps(document(rows)).encode())


@each
@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_a_good_row_with_anything_in_one_of_its_members(name: str, data: st.DataObject) -> None:
    parse, document, row = SHAPES[name]
    changed = json.loads(json.dumps(row))
    where = changed
    while True:
        key = data.draw(st.sampled_from(sorted(where)))
        if isinstance(where[key], dict) and where[key] and data.draw(st.booleans()):
            where = where[key]
            continue
        where[key] = data.draw(anything)
        break
    encoded = json.dumps(document([row, changed])).encode()
    answers_well(parse, encoded)
    batch = parse(encoded, made.META)
    assert batch.observations[0] == parse(json.dumps(document([row])).encode(), made.META)\
        .observations[0]  # fmt: skip


tables = st.sampled_from(sorted(made.GTFS))
cells = st.sampled_from(["", "A", "P1", "R1", "T1", "WD", "L", "1", "-1", "13.7", "1e400", "nan",
                         "20250101", "5:00:00", "99:99:99", '"', "é", "x" * 300])  # fmt: skip


@given(data=st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_arbitrary_bytes_for_an_archive(data: bytes) -> None:
    answers_well(gtfs.parse, data)


@given(table=tables, text=st.binary(max_size=300))
@settings(max_examples=150, deadline=None)
def test_arbitrary_bytes_for_a_table(table: str, text: bytes) -> None:
    answers_well(gtfs.parse, made.gtfs_archive(**{table.removesuffix(".txt"): text}))


@given(table=tables, rows=st.lists(st.lists(cells, max_size=11), max_size=6))
@settings(max_examples=250, deadline=None)
def test_arbitrary_lines_under_a_good_heading(table: str, rows: list[list[str]]) -> None:
    text = made.GTFS[table] + "".join(",".join(row) + "\n" for row in rows)
    answers_well(gtfs.parse, made.gtfs_archive(**{table.removesuffix(".txt"): text}))


@given(at=st.integers(0, 2000), bits=st.binary(min_size=1, max_size=4))
@settings(max_examples=150, deadline=None)
def test_a_damaged_archive(at: int, bits: bytes) -> None:
    data = bytearray(made.gtfs_archive())
    data[at : at + len(bits)] = bits
    answers_well(gtfs.parse, bytes(data))
