"""Whatever a body holds, it is cut into items or refused with words."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nagara.ingest.errors import BatchUnreadable
from nagara.ingest.profile import FieldMap, Profile, binding
from nagara.ingest.push import read_batch
from nagara.values.errors import Problem
from nagara.values.time import parse_instant

names = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=8)
cells = st.text(max_size=12).filter(lambda text: "\x00" not in text)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)


def told(act: Callable[[], Any]) -> Any:
    """What comes of it, or the Problem that says why nothing does."""
    try:
        return act()
    except Problem as problem:
        return problem


@given(st.binary(max_size=400), st.sampled_from(["application/json", "text/csv", "", "x"]))
def test_no_body_is_a_surprise(body: bytes, kind: str) -> None:
    items = told(lambda: read_batch(body, kind))
    if isinstance(items, Problem):
        assert items.code in ("batch-unreadable", "batch-too-large")
    else:
        assert items


@given(st.lists(json_values, min_size=1, max_size=20))
def test_every_item_of_an_array_is_handed_on_as_it_came(items: list[object]) -> None:
    read = read_batch(msgspec.json.encode(items), "application/json")
    assert [msgspec.json.decode(item.payload) for item in read] == items


@given(st.lists(st.tuples(names, st.integers(-(10**6), 10**6), cells), min_size=1, max_size=20))
def test_rows_keep_their_numbers_and_texts(rows: list[tuple[str, int, str]]) -> None:
    sink = io.StringIO(newline="")
    writer = csv.writer(sink)
    writer.writerow(["device", "n", "note", "observedAt"])
    writer.writerows([device, n, note, "2025-05-22T05:00:00Z"] for device, n, note in rows)
    read = read_batch(sink.getvalue().encode(), "text/csv")
    assert [item.device for item in read] == [device for device, _, _ in rows]
    assert [msgspec.json.decode(item.payload)["n"] for item in read] == [n for _, n, _ in rows]
    assert all(item.is_timed for item in read)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"device,n,n\nd1,1,2\n", "twice"),
        (b"device,n\nd1,1,2\n", "line 2"),
        (b"\xef\xbb\xbfn\n1\n", "device"),
    ],
)
def test_a_table_with_a_mistake_is_told_where(body: bytes, said: str) -> None:
    with pytest.raises(BatchUnreadable) as caught:
        read_batch(body, "text/csv")
    assert said in caught.value.params["reason"]


PROFILE = Profile("p", "json", "T", {"n": FieldMap("level", "MTR"), "s": FieldMap("state")})
DECODE = binding(PROFILE, {}, "urn:x:1", None)
NOON = parse_instant("2025-05-22T05:00:00Z")


@given(st.binary(max_size=200) | json_values.map(msgspec.json.encode))
def test_a_payload_is_read_or_refused_with_words(payload: bytes) -> None:
    observation = told(lambda: DECODE(payload, NOON))
    if isinstance(observation, Problem):
        assert observation.code != "problem"
    else:
        assert observation.readings
        assert {reading.attribute for reading in observation.readings} <= {"level", "state"}


@given(st.dictionaries(st.sampled_from(["n", "s", "other"]), st.integers(0, 9), min_size=1))
def test_fields_that_the_profile_names_are_read_and_others_left_aside(said: dict[str, int]) -> None:
    expected = {
        ("level" if name == "n" else "state", v) for name, v in said.items() if name != "other"
    }
    observation = told(lambda: DECODE(msgspec.json.encode(said), NOON))
    if isinstance(observation, Problem):
        assert observation.code == "fields-unknown"
        assert not expected
    else:
        assert {(r.attribute, r.value) for r in observation.readings} == expected
        assert observation.observed_at == NOON
