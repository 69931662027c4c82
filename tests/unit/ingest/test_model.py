"""Quality checks flag and never drop; units are converted; hearing twice changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nagara.ingest.errors import ObservedTooFarAhead, ValueUnusable
from nagara.ingest.model import (
    Observation,
    Rules,
    Track,
    Tracks,
    check,
    in_own_unit,
    retrace,
    said_at,
    weigh,
)
from nagara.pack import QualityLimits, Reading
from nagara.values.time import format_instant
from nagara.values.units import UnitMismatch, UnitUnknown
from nagara.vocab.observation import flags_of

HOUR_S = 3600.0
NOON = datetime(2025, 5, 22, 5, tzinfo=UTC)
PM25 = QualityLimits("pm25", "GQ", 0.5, 500.0, 10.0, 4, HOUR_S, "made for this test")
RULES = Rules({"pm25": PM25})
STATION = "urn:ngsi-ld:AirQualityObserved:t:54t"

values = st.floats(-100, 1000, allow_nan=False).map(lambda v: round(v, 1))
offsets_s = st.integers(-200_000, 200_000)


def heard(*series: float) -> list[tuple[str, ...]]:
    """The flags of hourly values."""
    track: Track | None = None
    flags = []
    for hour, value in enumerate(series):
        said, track = check(PM25, track, value, hour * HOUR_S)
        flags.append(said)
    return flags


def test_both_hours_of_a_false_peak_are_flagged_and_the_hour_after_is_good() -> None:
    # Station 54t of the Bangkok archive, 24 May 2025, 20:00 to 23:00.
    assert heard(20.6, 23.0, 43.7, 44.8, 17.9) == [(), (), ("jump",), ("jump",), ()]


def test_a_new_level_that_holds_is_believed_at_its_third_value() -> None:
    assert heard(20, 60, 61, 62, 63) == [(), ("jump",), ("jump",), (), ()]


def test_a_value_that_never_changes_is_stuck_from_the_count_on() -> None:
    assert heard(20, 20, 20, 20, 20, 21) == [(), (), (), ("stuck",), ("stuck",), ()]


def test_a_value_out_of_range_is_flagged_and_judges_nothing_after_it() -> None:
    assert heard(0.0, 20, 900, 21) == [("range",), (), ("range",), ()]


def test_silence_is_told_by_the_first_value_after_it() -> None:
    _, track = check(PM25, None, 20, 0)
    assert check(PM25, track, 21, 3 * HOUR_S)[0] == ()
    assert check(PM25, track, 21, 3 * HOUR_S + 1)[0] == ("gap",)


def test_over_a_silence_a_value_may_move_further() -> None:
    _, track = check(PM25, None, 20, 0)
    assert check(PM25, track, 55, 4 * HOUR_S)[0] == ("gap",)


@given(st.lists(st.tuples(offsets_s, values), max_size=40))
def test_what_is_remembered_does_not_depend_on_how_often_it_was_heard(
    samples: list[tuple[int, float]],
) -> None:
    once: Track | None = None
    twice: Track | None = None
    for at_s, value in samples:
        _, once = check(PM25, once, value, at_s)
        _, twice = check(PM25, twice, value, at_s)
        _, twice = check(PM25, twice, value, at_s)
    assert once == twice


@given(st.lists(st.tuples(offsets_s, values), min_size=1, max_size=40))
def test_a_late_value_leaves_the_track_alone(samples: list[tuple[int, float]]) -> None:
    track = retrace(PM25, samples)
    assert track is not None
    flags, after = check(PM25, track, 20.0, track.at_s - 1)
    assert after == track
    assert flags == ()


@given(st.lists(st.floats(-9.9, 9.9), max_size=60))
def test_a_series_that_moves_within_the_limit_never_jumps(steps: list[float]) -> None:
    value, series = 250.0, []
    for step in steps:
        value = min(max(value + step, 1.0), 499.0)
        series.append(value)
    assert not any("jump" in flags for flags in heard(*series))


@given(st.lists(st.tuples(st.integers(0, 200_000), values), unique_by=lambda s: s[0], max_size=40))
def test_a_track_rebuilt_from_the_history_is_the_track_that_was_kept(
    samples: list[tuple[int, float]],
) -> None:
    kept: Track | None = None
    for at_s, value in sorted(samples):
        _, kept = check(PM25, kept, value, at_s)
    assert retrace(PM25, samples) == kept


@given(st.lists(st.tuples(offsets_s, values), max_size=30))
def test_no_value_is_ever_dropped(samples: list[tuple[int, float]]) -> None:
    tracks = Tracks()
    for offset_s, value in samples:
        at = NOON + timedelta(seconds=offset_s)
        observation = Observation(STATION, "AirQualityObserved", at, [Reading("pm25", value, "GQ")])
        try:
            weighed = weigh(observation, RULES, tracks, NOON)
        except ObservedTooFarAhead:
            assert at > NOON + timedelta(hours=24)
            continue
        (one,) = weighed
        assert one.attrs["pm25"]["value"] == value
        assert one.attrs["pm25"]["observedAt"] == format_instant(at)
        assert one.current == (offset_s <= 30)
        assert ("clock" in flags_of(one.attrs["pm25"])) == (offset_s > 30)


def test_a_clock_that_is_ahead_teaches_nothing() -> None:
    tracks = Tracks()
    ahead = Observation(
        STATION, "AirQualityObserved", NOON + timedelta(hours=5), [Reading("pm25", 20.0, "GQ")]
    )
    weigh(ahead, RULES, tracks, NOON)
    assert tracks.find((STATION, "pm25")) is None


def test_milligrams_are_stored_as_micrograms() -> None:
    observation = Observation(
        STATION, "AirQualityObserved", NOON, [Reading("pm25", 0.0251, "GP"), Reading("note", "ok")]
    )
    (one,) = weigh(observation, RULES, Tracks(), NOON)
    assert one.attrs["pm25"]["value"] == 25.1
    assert one.attrs["pm25"]["unitCode"] == "GQ"
    assert one.attrs["note"] == {"type": "Property", "value": "ok", "observedAt": said_at(NOON)}


def test_an_unknown_unit_and_a_unit_of_another_quantity_are_named() -> None:
    with pytest.raises(UnitUnknown):
        in_own_unit(1.0, "ug/m3", "GQ")
    with pytest.raises(UnitUnknown):
        in_own_unit(1.0, "furlong", None)
    with pytest.raises(UnitMismatch):
        in_own_unit(1.0, "MMT", "GQ")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None, "x" * 5000, "lots", True])
def test_a_value_that_is_none_is_refused_with_its_name(value: object) -> None:
    observation = Observation(STATION, "T", NOON, [Reading("pm25", value)])
    with pytest.raises(ValueUnusable):
        weigh(observation, RULES, Tracks(), NOON)


def test_values_of_several_instants_in_one_observation_are_all_kept() -> None:
    earlier = NOON - timedelta(hours=1)
    observation = Observation(
        STATION,
        "AirQualityObserved",
        NOON,
        [Reading("pm25", 20.0, "GQ", earlier), Reading("pm25", 21.0, "GQ"), Reading("pm10", 30.0)],
    )
    first, second = weigh(observation, RULES, Tracks(), NOON)
    assert first.attrs["pm25"]["value"] == 20.0
    assert second.attrs["pm25"]["value"] == 21.0
    assert first.attrs["pm10"]["value"] == 30.0


def test_tracks_are_bounded_and_forget_the_least_recently_heard() -> None:
    tracks = Tracks(tracks_max=2)
    for name in ("a", "b", "c"):
        tracks.put((name, "pm25"), None)
    assert len(tracks) == 2
    assert ("a", "pm25") not in tracks


@given(st.datetimes(timezones=st.just(UTC)))
def test_the_short_way_to_write_an_instant_says_the_same(at: datetime) -> None:
    assert said_at(at) == format_instant(at)
