"""Patterns that strangers send cost little, whatever they say."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nagara.context.errors import QueryInvalid
from nagara.context.pattern import LENGTH_MAX, demand_pattern, flaw_of, read_pattern
from nagara.context.q import parse_q
from nagara.context.q_match import matches

SLOW = [
    "^([a-z:-]+)+X$",
    "(a+)+$",
    "(a|a)*$",
    "(a|aa)+$",
    "(a?a?)*X",
    "(.*a){30}",
    "a?" * 40 + "a" * 40,
    "(a|a)" * 30 + "X",
    ".*.*.*.*X",
    "(?:a*)*X",
    "(?=(a+))*X",
    r"(a+)\1",
    "(a{1,30}){1,30}X",
]
GOOD = [
    "^urn:ngsi-ld:AirQualityObserved:.*",
    "Sensor[0-9]+$",
    "^warn|^crit",
    "^urn:ngsi-ld:(Air|Water)[A-Za-z]+:th-bkk:.*[0-9]{2}$",
    ".*bkk.*",
    "https?://[a-z.]+/",
    "",
]


@pytest.mark.parametrize("pattern", SLOW)
def test_a_pattern_that_explodes_is_refused_in_words(pattern: str) -> None:
    with pytest.raises(QueryInvalid) as refused:
        demand_pattern(pattern, "idPattern")
    assert "idPattern: " in refused.value.params["reason"]


@pytest.mark.parametrize("pattern", GOOD)
def test_what_people_write_is_taken(pattern: str) -> None:
    demand_pattern(pattern, "idPattern")


@pytest.mark.filterwarnings("ignore::FutureWarning")
@given(st.text(alphabet="ab.*+?|()[]^{}1,2", max_size=24))
@settings(max_examples=400, deadline=None)
def test_no_pattern_that_is_taken_takes_long(pattern: str) -> None:
    if flaw_of(pattern) is not None:
        return
    started = time.perf_counter()
    read_pattern(pattern).found_in("ab" * 20 + "a" * 2_000 + "!")
    assert time.perf_counter() - started < 3.0


def test_the_query_language_refuses_them_where_it_is_read() -> None:
    for pattern in ("^([a-z:-]+)+X$", "a" * (LENGTH_MAX + 1), "("):
        for op in ("~=", "!~="):
            with pytest.raises(QueryInvalid):
                parse_q(f'name{op}"{pattern}"')


def test_a_pattern_is_found_in_a_long_text() -> None:
    tree = parse_q('name~="needle"')
    assert matches(tree, {"name": {"type": "Property", "value": "x" * 100_000 + "needle"}})
    assert not matches(tree, {"name": {"type": "Property", "value": "x" * 100_000}})
    unlike = parse_q('name!~="needle"')
    assert matches(unlike, {"name": {"type": "Property", "value": 3}})


@pytest.mark.parametrize("number", ["1e999", "-1e999", "9" * 5_000])
def test_numbers_without_bounds_are_refused(number: str) -> None:
    with pytest.raises(QueryInvalid) as refused:
        parse_q(f"pm25<{number}")
    assert "number" in refused.value.params["reason"]
