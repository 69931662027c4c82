"""What rules decide: hysteresis, order, staleness, ladders."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from nagara.alerting.model import (
    Clear,
    Escalate,
    Ladder,
    Nothing,
    Raise,
    Rung,
    Sample,
    Standing,
    ended_by_hand,
    hear,
    hear_all,
)

START = datetime(2025, 5, 22, 5, tzinfo=UTC)
WATCH = Rung("pm25-watch", "watch", 25.0, 22.0, 0.0, "made for the test")
WARNING = Rung("pm25-warning", "warning", 37.5, 34.0, 0.0, "made for the test", "air")
LADDER = Ladder("air", "AirQualityObserved", "pm25", "GQ", "air", (WATCH, WARNING), 7200.0)
ONE = Ladder("air", "AirQualityObserved", "pm25", "GQ", "air", (WATCH,), 7200.0)

values = st.floats(min_value=0, max_value=80, allow_nan=False)


def hourly(*numbers: float) -> list[tuple[Sample, datetime]]:
    return [
        (Sample(START + timedelta(hours=n), value), START + timedelta(hours=n))
        for n, value in enumerate(numbers)
    ]


def kinds(ladder: Ladder, *numbers: float) -> list[tuple[str, str]]:
    _, decisions = hear_all(ladder, Standing(), hourly(*numbers))
    return [(type(d).__name__, d.rung.rule_id) for d in decisions]


def test_above_raises_once_and_below_clears_once() -> None:
    assert kinds(ONE, 24, 26, 30, 24, 21, 20) == [("Raise", "pm25-watch"), ("Clear", "pm25-watch")]


@given(st.lists(st.floats(min_value=22.0, max_value=25.0), min_size=1, max_size=50))
def test_between_the_two_values_nothing_ever_changes(between: list[float]) -> None:
    assert kinds(ONE, *between) == []
    assert kinds(ONE, 26, *between) == [("Raise", "pm25-watch")]


@given(st.lists(values, max_size=60))
def test_raise_and_clear_take_turns_and_each_has_its_reason(numbers: list[float]) -> None:
    _, decisions = hear_all(ONE, Standing(), hourly(*numbers))
    assert [type(d) for d in decisions] == [Raise, Clear] * (len(decisions) // 2) + [Raise] * (
        len(decisions) % 2
    )
    for decision in decisions:
        if isinstance(decision, Raise):
            assert decision.value > WATCH.raise_above
        else:
            assert decision.value < WATCH.clear_below


def test_a_warning_supersedes_the_watch_in_one_alert() -> None:
    assert kinds(LADDER, 26, 40, 36, 33, 21) == [
        ("Raise", "pm25-watch"),
        ("Escalate", "pm25-warning"),
        ("Ease", "pm25-watch"),
        ("Clear", "pm25-watch"),
    ]
    assert kinds(LADDER, 50) == [("Raise", "pm25-warning")]


@given(st.lists(values, max_size=60))
def test_at_most_one_alert_is_open_whatever_is_heard(numbers: list[float]) -> None:
    _, decisions = hear_all(LADDER, Standing(), hourly(*numbers))
    opened = 0
    for decision in decisions:
        if isinstance(decision, Raise):
            opened += 1
        elif isinstance(decision, Clear):
            opened -= 1
        else:
            assert opened == 1
        assert opened in (0, 1)


@given(st.lists(values, max_size=40), st.data())
def test_batches_do_not_matter(numbers: list[float], data: st.DataObject) -> None:
    samples = hourly(*numbers)
    together, all_at_once = hear_all(LADDER, Standing(), samples)
    standing, one_by_one = Standing(), []
    while samples:
        size = data.draw(st.integers(min_value=1, max_value=len(samples)))
        standing, some = hear_all(LADDER, standing, samples[:size])
        one_by_one += some
        samples = samples[size:]
    assert standing == together
    assert one_by_one == all_at_once


@given(st.lists(st.tuples(values, st.booleans()), max_size=40))
def test_a_flagged_value_never_decides(numbers: list[tuple[float, bool]]) -> None:
    flagged = [
        (Sample(at.at, at.value, suspect), now)
        for (at, now), (_, suspect) in zip(hourly(*(n for n, _ in numbers)), numbers, strict=True)
    ]
    good = [pair for pair in flagged if not pair[0].suspect]
    assert hear_all(LADDER, Standing(), flagged) == hear_all(LADDER, Standing(), good)


@given(st.lists(values, min_size=1, max_size=30))
def test_hearing_everything_again_changes_nothing(numbers: list[float]) -> None:
    samples = hourly(*numbers)
    standing, _ = hear_all(LADDER, Standing(), samples)
    assert hear_all(LADDER, standing, samples) == (standing, [])


def test_an_old_value_raises_nothing_and_an_earlier_one_neither() -> None:
    late = Sample(START, 60.0)
    standing, decision = hear(ONE, Standing(), late, START + timedelta(hours=3))
    assert decision == Nothing("stale")
    assert standing.holding == frozenset()
    standing, _ = hear(ONE, standing, Sample(START + timedelta(hours=3), 10), START)
    assert hear(ONE, standing, late, START)[1] == Nothing("out of order")


def test_after_an_officer_ended_it_only_worse_or_anew_is_announced() -> None:
    standing, _ = hear_all(LADDER, Standing(), hourly(26))
    standing = ended_by_hand(standing)
    again = [(s, n) for s, n in hourly(26, 28, 40)][1:]
    standing, decisions = hear_all(LADDER, standing, again)
    assert [type(d) for d in decisions] == [Raise]
    assert decisions[0].rung is WARNING


def test_a_window_takes_the_median_so_one_wild_value_does_not_decide() -> None:
    rung = Rung("rain", "watch", 20.0, 15.0, 3 * 3600.0, "made for the test")
    ladder = Ladder("rain", "WeatherObserved", "precipitation", "MMT", "rain", (rung,), 7200.0)
    assert kinds(ladder, 5, 5, 90, 5, 5) == []
    assert kinds(ladder, 5, 30, 30, 30)[0] == ("Raise", "rain")


def test_an_alert_whose_rule_has_gone_still_ends() -> None:
    standing, _ = hear_all(LADDER, Standing(), hourly(50))
    samples = hourly(50, 10)[1:]
    _, decisions = hear_all(ONE, standing, samples)
    assert [type(d) for d in decisions] == [Clear]
    _, decisions = hear_all(ONE, standing, hourly(50, 30)[1:])
    assert [type(d) for d in decisions] == [Escalate]
