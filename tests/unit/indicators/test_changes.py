"""A change taken apart: the parts add up to it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nagara.indicators.change_routes import cause_of
from nagara.indicators.measures import Period
from nagara.indicators.model import Value
from nagara.indicators.service import Answer
from nagara.pack import Formula

NOON = datetime(2025, 5, 23, 12, tzinfo=UTC)
FORMULA = Formula(
    "made", {"en": "Made"}, {"en": "made"}, "%", "cases.overdue", "cases.open", 100.0, "up", "test"
)
COUNTS = st.integers(0, 10_000)


def answer(parts: list[int], below: int, whole: float | None = None) -> Answer:
    """An answer of districts 01, 02, … with these numerators."""
    top = float(sum(parts)) if whole is None else whole
    value = Value(top / below * 100 if below else None, top, float(below), "complete")
    rows = tuple(
        (f"{n:02}", Value(None, float(part), 1.0, "complete")) for n, part in enumerate(parts)
    )
    return Answer(FORMULA, NOON, Period(), value, rows)


@given(
    st.lists(COUNTS, min_size=1, max_size=5),
    st.lists(COUNTS, min_size=5, max_size=5),
    st.integers(1, 99_999),
    st.integers(1, 99_999),
)
def test_what_numerator_and_denominator_did_adds_up_to_the_change(
    old: list[int], new: list[int], below: int, below_now: int
) -> None:
    before, now = answer(old, below), answer(new, below_now)
    cause = cause_of(100.0, before, now)
    assert cause is not None
    change = (now.value.value or 0) - (before.value.value or 0)
    assert cause.numerator + cause.denominator == pytest.approx(change, abs=1e-6)
    assert sum(part for _, part in cause.districts) == pytest.approx(change, abs=1e-6)


def test_districts_that_do_not_sum_are_not_said_to_have_done_it() -> None:
    median = cause_of(1.0, answer([3, 5], 1, whole=4.0), answer([4, 6], 1, whole=5.0))
    assert median is not None
    assert median.districts == ()


def test_nothing_is_made_of_a_missing_value() -> None:
    assert cause_of(100.0, answer([1], 0), answer([1], 2)) is None
