"""Archives are played round and round while the city's time only runs forward."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from nagara.demo.schedule import DAY, plan

PLAN = plan(date(2025, 5, 22), 3, "12:00", {"rain": date(2022, 7, 20)}, "Asia/Bangkok")
NOON = datetime(2025, 5, 22, 5, tzinfo=UTC)
hours = st.integers(-48, 24 * 40).map(lambda h: NOON + timedelta(hours=h))


def test_the_first_start_is_noon_of_the_first_day() -> None:
    assert PLAN.start_of(0) == NOON
    assert PLAN.next_start(NOON - DAY) == (0, NOON)
    assert PLAN.next_start(NOON + timedelta(minutes=1)) == (1, NOON + 3 * DAY)


@given(hours)
def test_a_new_start_never_goes_back(known: datetime) -> None:
    loop, start = PLAN.next_start(known)
    assert start >= known
    assert PLAN.loop_at(start) == loop


@given(hours)
def test_shifts_are_whole_days_and_play_the_same_days(at: datetime) -> None:
    for role in ("air", "rain"):
        shift = PLAN.shift_at(role, at)
        assert shift % DAY == timedelta(0)
        if at >= PLAN.midnight:
            first = PLAN.midnight - PLAN.shifts.get(role, timedelta())
            assert first <= at - shift < first + 3 * DAY


@given(hours, st.integers(0, 200))
def test_windows_cover_a_stretch_once_and_without_holes(start: datetime, length: int) -> None:
    end = start + timedelta(hours=length)
    at = start
    for first, last, shift, loop in PLAN.windows("rain", start, end):
        assert first + shift == at
        assert loop == PLAN.loop_at(at)
        at = last + shift
    assert at == max(start, end)
