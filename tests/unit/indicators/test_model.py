"""How a value is made, and what it says when it cannot be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nagara.context import Change
from nagara.indicators.measures import CaseSet, DaySet, StationSet, Tally, read_set
from nagara.indicators.model import Fact, fold, value_of, values_of
from nagara.pack import Formula, installed_packs
from nagara.vocab import case as noun
from nagara.vocab.attribute import property_of

NOON = datetime(2025, 5, 22, 5, tzinfo=UTC)
SHARE = Formula("x", {}, {}, "%", "a", "b", 100.0, "up", "made for the test")
counts = st.tuples(st.integers(0, 50).map(float), st.integers(50, 100).map(float))


def test_the_sets_that_formulas_name_are_understood() -> None:
    assert read_set("cases.resolved_in_time") == CaseSet("resolved_in_time")
    assert read_set("stations.AirQualityObserved.pm25.fresh") == StationSet(
        "AirQualityObserved", "pm25", "fresh"
    )
    assert read_set("days.AirQualityObserved.pm25.above(37.5)") == DaySet(
        "AirQualityObserved", "pm25", 37.5
    )
    assert read_set("days.AirQualityObserved.pm25.any") == DaySet(
        "AirQualityObserved", "pm25", None
    )


@pytest.mark.parametrize("said", ["", "cases", "cases.nice", "stations.A.b.old", "drop table x"])
def test_words_that_nobody_knows_are_no_set(said: str) -> None:
    assert read_set(said) is None


def test_every_formula_of_the_packs_on_this_machine_can_be_counted() -> None:
    for pack in installed_packs():
        for formula in pack.formulas:
            assert read_set(formula.numerator) is not None, formula.code
            assert read_set(formula.denominator) is not None, formula.code


def test_nothing_counted_is_no_zero() -> None:
    value = value_of(SHARE, 0, 0, {})
    assert value.value is None
    assert value.quality == "missing"
    assert value.missing[0][0] == "nothing-counted"


@given(st.lists(counts, min_size=1, max_size=20))
def test_the_whole_is_made_of_the_same_numbers_as_its_parts(
    parts: list[tuple[float, float]],
) -> None:
    above = {str(n): top for n, (top, _) in enumerate(parts)}
    below = {str(n): bottom for n, (_, bottom) in enumerate(parts)}
    tops, bottoms = Tally(above, sum(above.values())), Tally(below, sum(below.values()))
    whole, rows = values_of(SHARE, tops, bottoms, {})
    assert whole.numerator == sum(v.numerator or 0 for v in rows.values())
    assert whole.denominator == sum(v.denominator or 0 for v in rows.values())
    assert whole.value is not None
    assert 0 <= whole.value <= 100


def test_of_what_the_city_has_nothing_there_is_no_zero() -> None:
    whole, rows = values_of(SHARE, Tally({}, None), Tally({}, None), {})
    assert (whole.value, whole.quality, whole.missing) == (None, "missing", (("no-source", 0),))
    assert rows == {}


def test_what_lacks_something_is_said_and_lowers_the_grade() -> None:
    value = value_of(SHARE, 1, 2, {"without-district": 3, "without-due-time": 0})
    assert value.value == 50
    assert value.quality == "partial"
    assert value.missing == (("without-district", 3),)


def change(seq: int, **attrs: object) -> Change:
    said = {k: None if v is None else property_of(v) for k, v in attrs.items()}
    return Change(seq, "", "case", (noun.TYPE,), "update", said, NOON, NOON)


def test_a_fact_follows_its_case_and_remembers_that_it_was_late() -> None:
    log = [
        change(1, state="routed", district="1001", dueAt=NOON, openedAt=NOON),
        change(2, overdue=True),
        change(3, state="resolved", resolvedAt=NOON + timedelta(hours=1)),
        change(4, state="reopened", resolvedAt=None, overdue=False, dueAt=NOON + timedelta(days=9)),
    ]
    fact = Fact("case")
    for one in log:
        fact = fold(fact, one)
    assert (fact.state, fact.resolved_at, fact.missed) == ("reopened", None, True)
    for one in log:
        assert fold(fact, one) == fact
