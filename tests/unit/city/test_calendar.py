"""The working calendar keeps its promises for every instant, not only in the examples."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nagara.city import bundled_kit
from nagara.city.calendar import read_calendar
from nagara.city.errors import KitSettingInvalid

BANGKOK = ZoneInfo("Asia/Bangkok")
CALENDAR = bundled_kit("th-bkk").calendar
NEW_YORK = read_calendar(  # a zone that changes its clocks, and hours that end at midnight's edge
    "America/New_York", ["mon", "sat"], [("00:30", "02:30"), ("20:00", "23:59")], (), "made"
)

instants = st.integers(0, 6 * 365 * 24 * 60).map(
    lambda minutes: datetime(2021, 12, 1, tzinfo=UTC) + timedelta(minutes=minutes, seconds=7)
)
hours = st.integers(0, 60 * 24 * 60).map(lambda minutes: minutes / 60)
calendars = st.sampled_from([CALENDAR, NEW_YORK])


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BANGKOK)


@given(calendars, instants, hours)
def test_nothing_is_due_in_closed_time(calendar, start, worked):
    due = calendar.due(start, worked)
    assert calendar.is_open(due)
    assert due >= start


@given(calendars, instants, instants, hours, hours)
def test_due_times_never_overtake_each_other(calendar, start, other, worked, more):
    early, late = sorted((start, other))
    less, most = sorted((worked, more))
    assert calendar.due(early, less) <= calendar.due(late, less)
    assert calendar.due(early, less) <= calendar.due(early, most)


@given(calendars, instants, hours, hours)
def test_hours_add_up_however_they_are_split(calendar, start, first, then):
    assert calendar.due(calendar.due(start, first), then) == calendar.due(start, first + then)


@given(calendars, instants, hours)
def test_the_office_time_until_due_is_what_was_promised(calendar, start, worked):
    passed = calendar.working_time(start, calendar.due(start, worked))
    assert abs(passed - timedelta(hours=worked)) <= timedelta(seconds=1)


@pytest.mark.parametrize(
    ("reported", "worked", "due"),
    [
        ("2025-05-22T09:00", 2, "2025-05-22T11:00"),
        ("2025-05-22T11:00", 2, "2025-05-22T14:00"),  # over lunch
        ("2025-05-22T15:00", 2, "2025-05-23T09:00"),  # over night
        ("2025-05-23T15:00", 2, "2025-05-26T09:00"),  # over a week-end
        ("2026-04-10T15:00", 2, "2026-04-16T09:00"),  # over Songkran
        ("2025-04-30T15:00", 2, "2025-05-01T09:00"),  # offices work on Labour Day
        ("2025-05-22T15:00", 1, "2025-05-22T16:00"),  # closing time is still in time
        ("2025-05-24T03:00", 0, "2025-05-26T08:00"),  # nothing falls due on a Saturday
    ],
)
def test_a_due_time_skips_lunch_nights_and_holidays(reported, worked, due):
    assert CALENDAR.due(local(reported), worked) == local(due)


def test_a_substitute_for_a_holiday_on_a_sunday_is_closed():
    assert date(2025, 5, 12) in CALENDAR.holidays
    assert not CALENDAR.is_workday(date(2025, 5, 12))


def test_negative_hours_are_refused():
    with pytest.raises(ValueError, match="negative"):
        CALENDAR.due(local("2025-05-22T09:00"), -1)


@pytest.mark.parametrize(
    ("days", "hours_said"),
    [
        ([], [("08:00", "12:00")]),
        (["someday"], [("08:00", "12:00")]),
        (["mon"], []),
        (["mon"], [("12:00", "08:00")]),
        (["mon"], [("08:00", "12:00"), ("11:00", "13:00")]),
        (["mon"], [("late", "later")]),
    ],
)
def test_a_calendar_that_never_opens_or_overlaps_is_refused(days, hours_said):
    with pytest.raises(KitSettingInvalid):
        read_calendar("Asia/Bangkok", days, hours_said, (), "made")
