"""Token buckets and back-off: what they promise, whatever the order of events."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nagara.guard.limits import FORGET_AFTER_S, FREE_TRIES, Backoff, Buckets, Limit

steps = st.lists(st.floats(0, 10), max_size=200)


@given(steps, st.floats(0.1, 50), st.floats(1, 50))
def test_never_more_than_the_burst_and_the_rate_allow(
    pauses_s: list[float], rate_per_s: float, burst: float
) -> None:
    buckets = Buckets(Limit(rate_per_s, burst))
    now_s, taken = 0.0, 0
    for pause_s in pauses_s:
        now_s += pause_s
        taken += buckets.take("a", now_s) == 0
        assert taken <= burst + rate_per_s * now_s + 1e-6


@given(steps, st.floats(0.1, 50), st.floats(1, 50))
def test_who_waits_as_told_gets_in(pauses_s: list[float], rate_per_s: float, burst: float) -> None:
    buckets = Buckets(Limit(rate_per_s, burst))
    now_s = 0.0
    for pause_s in pauses_s:
        now_s += pause_s
        wait_s = buckets.take("a", now_s)
        if wait_s > 0:
            now_s += wait_s
            assert buckets.take("a", now_s) == 0


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(0, 1)), max_size=300))
def test_the_number_of_buckets_is_bounded(visits: list[tuple[int, float]]) -> None:
    buckets = Buckets(Limit(1, 3), most=10)
    now_s = 0.0
    for key, pause_s in visits:
        now_s += pause_s
        buckets.take(key, now_s)
        assert len(buckets) <= 10


def test_a_clock_set_back_opens_nothing() -> None:
    buckets = Buckets(Limit(1, 2))
    assert [buckets.take("a", at) for at in (100.0, 100.0)] == [0, 0]
    assert buckets.take("a", 50.0) > 0


def test_one_key_does_not_pay_for_another() -> None:
    buckets = Buckets(Limit(0.001, 1))
    assert buckets.take("a", 0) == 0
    assert buckets.take("b", 0) == 0
    assert buckets.take("a", 0) > 0
    assert buckets.wait_s("b", 0) > 0
    assert buckets.wait_s("c", 0) == 0


@given(st.integers(FREE_TRIES, 60))
def test_waits_double_up_to_the_longest_and_are_forgotten(failures: int) -> None:
    backoff = Backoff(60.0)
    for _ in range(failures):
        backoff.failed("a", 0.0)
    expected_s = min(60.0, 2.0 ** (failures - FREE_TRIES))
    assert backoff.wait_s("a", 0.0) == expected_s
    assert backoff.wait_s("a", expected_s) == 0
    assert backoff.wait_s("a", FORGET_AFTER_S + 1) == 0
    assert backoff.wait_s("b", 0.0) == 0
    backoff.succeeded("a")
    assert backoff.wait_s("a", 0.0) == 0


def test_taking_one_failure_back_keeps_the_others() -> None:
    backoff = Backoff(60.0, free=2)
    for _ in range(4):
        backoff.failed("a", 0.0)
    backoff.take_back("a")
    assert backoff.wait_s("a", 0.0) == 2.0
