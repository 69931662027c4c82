"""The Thai index, and the simulator that stands in for the archive."""

from __future__ import annotations

import csv
import gzip
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nagara.ingest.model import check
from nagara.packs.air import PACK, index
from nagara.packs.air.simulator import pm25_mean_24h

BANGKOK = timezone(timedelta(hours=7))
DEMO_DAY = datetime(2025, 5, 22, tzinfo=BANGKOK)
SEEDS = range(40)
PLACES = [f"{number:02d}t" for number in range(80)]

instants = st.floats(-9e8, 3e9).map(
    lambda seconds: datetime(2000, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)


@pytest.mark.parametrize(
    ("value", "code", "aqi"),
    [
        (0.0, "very-good", 0),
        (15.0, "very-good", 25),
        (15.1, "good", 26),
        (25.0, "good", 50),
        (25.1, "moderate", 51),
        (37.5, "moderate", 100),
        (37.6, "affects-health", 101),
        (75.0, "affects-health", 200),
        (75.1, "harms-health", None),
        (400.0, "harms-health", None),
    ],
)
def test_pm25_has_the_level_and_index_of_the_notification(
    value: float, code: str, aqi: int | None
) -> None:
    assert index.level_of("pm25", value).code == code
    assert index.index_of("pm25", value) == aqi


@given(
    st.sampled_from(sorted(index.SCALES)),
    st.floats(0, 500, allow_nan=False),
    st.floats(0, 500, allow_nan=False),
)
def test_dirtier_air_never_has_a_lower_index(pollutant: str, one: float, other: float) -> None:
    low, high = sorted((one, other))
    at_low, at_high = index.index_of(pollutant, low), index.index_of(pollutant, high)
    assert at_high is None or (at_low is not None and at_low <= at_high)


@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf")])
def test_what_is_no_concentration_has_no_level(value: float) -> None:
    with pytest.raises(ValueError, match="no concentration"):
        index.level_of("pm25", value)


def test_the_index_agrees_with_what_the_department_published(nagara_archives) -> None:
    """Where a station's value and index are of one hour; some indices are other pollutants' or
    stale, so nearly all, and never far off in the level of the rest of the week."""
    path = nagara_archives / "environment/bangkok/air4thai_pm25_hourly_2025-05-18_24.csv.gz"
    same = count = 0
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["pm25_ugm3"] and row["aqi_th"]:
                ours = index.index_of("pm25", float(row["pm25_ugm3"]))
                same += ours is not None and abs(ours - float(row["aqi_th"])) <= 1
                count += 1
    assert count > 13_000
    assert same / count > 0.95


def test_the_rules_are_the_citys_watch_and_warning_with_room_before_they_clear() -> None:
    rules = {rule.severity: rule for rule in PACK.rules}
    assert (rules["watch"].raise_above, rules["warning"].raise_above) == (25.0, 37.5)
    assert all(0.5 < rule.raise_above - rule.clear_below <= 1.5 for rule in rules.values())
    assert all(rule.window_s == 0 for rule in rules.values())  # a 24-hour mean already


def test_the_jump_limit_flags_station_54t_and_hardly_anything_else(nagara_archives) -> None:
    path = nagara_archives / "environment/bangkok/air4thai_pm25_hourly_2025-05-18_24.csv.gz"
    limits = next(limit for limit in PACK.quality if limit.attribute == "pm25")
    before: dict[str, float] = {}
    jumps: list[tuple[str, str]] = []
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["timestamp"])
    for row in rows:
        if row["pm25_ugm3"]:
            station, value = row["stationID"], float(row["pm25_ugm3"])
            if station in before and abs(value - before[station]) > limits.jump_max:
                jumps.append((station, row["timestamp"]))
            before[station] = value
    assert ("54t", "2025-05-24 21:00:00") in jumps
    assert len(jumps) <= 4  # the others are the way out of a zero


def test_two_wrong_hours_in_a_row_are_both_flagged_and_the_right_one_after_them_is_not() -> None:
    """Made after what station 54t showed on 24 May 2025."""
    limits = next(limit for limit in PACK.quality if limit.attribute == "pm25")
    track, flags = None, []
    for hour, value in enumerate((22.6, 23.0, 43.7, 44.8, 17.9)):
        found, track = check(limits, track, value, hour * 3600.0)
        flags.append(found)
    assert flags == [(), (), ("jump",), ("jump",), ()]


def test_a_day_of_one_value_is_a_stuck_sensor_and_a_zero_is_no_clean_air() -> None:
    limits = next(limit for limit in PACK.quality if limit.attribute == "pm25")
    track, flags = None, []
    for hour in range(24):
        found, track = check(limits, track, 29.3, hour * 3600.0)
        flags.append(found)
    assert flags[10] == ()
    assert flags[11] == flags[23] == ("stuck",)
    assert check(limits, None, 0.0, 0.0)[0] == ("range",)


def hours(seed: int, place: str, *local_hours: float) -> list[float]:
    return [pm25_mean_24h(seed, place, DEMO_DAY + timedelta(hours=hour)) for hour in local_hours]


@pytest.mark.parametrize("seed", SEEDS)
def test_about_twenty_of_eighty_stations_cross_25_on_the_demos_first_afternoon(seed: int) -> None:
    crossing = 0
    for place in PLACES:
        before, *after = hours(seed, place, 13, 14, 15, 16, 17)
        crossing += before <= 25 and max(after) > 25
    assert 10 <= crossing <= 34


def test_on_average_it_is_twenty() -> None:
    crossing = [
        sum(
            hours(seed, place, 13)[0] <= 25 < max(hours(seed, place, 14, 15, 16, 17))
            for place in PLACES
        )
        for seed in SEEDS
    ]
    assert 18 <= sum(crossing) / len(crossing) <= 23


@given(st.integers(), st.text(max_size=20), instants)
def test_the_same_seed_place_and_instant_give_the_same_value(
    seed: int, place: str, at: datetime
) -> None:
    assert pm25_mean_24h(seed, place, at) == pm25_mean_24h(seed, place, at.astimezone(BANGKOK))


@given(st.integers(), st.text(max_size=20), instants)
def test_a_simulated_value_passes_every_quality_check_of_its_own_pack(
    seed: int, place: str, at: datetime
) -> None:
    limits = next(limit for limit in PACK.quality if limit.attribute == "pm25")
    now = pm25_mean_24h(seed, place, at)
    then = pm25_mean_24h(seed, place, at + timedelta(hours=1))
    assert limits.low < now < limits.high
    assert abs(then - now) < limits.jump_max / 2
    day = [pm25_mean_24h(seed, place, at + timedelta(hours=hour)) for hour in range(12)]
    assert len(set(day)) > 1  # not stuck


@given(st.integers(0, 1000), st.sampled_from(PLACES), instants)
def test_the_cycle_repeats_every_three_days_so_that_the_demo_loops(
    seed: int, place: str, at: datetime
) -> None:
    gap = pm25_mean_24h(seed, place, at) - pm25_mean_24h(seed, place, at + timedelta(days=3))
    assert abs(gap) <= 0.6  # the hourly unrest differs, the city's weather does not
