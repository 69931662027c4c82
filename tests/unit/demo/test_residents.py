"""Made-up reports: the same ones for everybody who looks, and each says that it was made up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from nagara.city import bundled_kit
from nagara.demo.residents import simulated_reports
from nagara.vocab import request

NOON = datetime(2025, 5, 22, 5, tzinfo=UTC)
CITY = bundled_kit("th-bkk")


def heard(start: datetime, end: datetime) -> list[tuple[str, datetime, str]]:
    found = simulated_reports(CITY, 1, start, end)
    return sorted((o.entity_id, o.observed_at, o.base[request.STATUS]["value"]) for o in found)


@given(cut=st.integers(0, 6 * 3600))
def test_looking_twice_shows_what_looking_once_shows(cut: int) -> None:
    end = NOON + timedelta(hours=6)
    between = NOON + timedelta(seconds=cut)
    assert sorted(heard(NOON, between) + heard(between, end)) == heard(NOON, end)


def test_a_day_has_reports_by_day_more_than_by_night_and_some_are_settled() -> None:
    day = heard(NOON, NOON + timedelta(hours=24))
    made = [at for _, at, status in day if status == "received"]
    by_night = [at for at in made if at.hour in range(16, 23)]  # 23:00 to 06:00 in Bangkok
    assert len(made) > 100
    assert len(by_night) < len(made) / 5
    assert any(status == "finished" for _, _, status in day)


def test_each_is_near_the_district_it_names_and_says_that_it_is_simulated() -> None:
    for observation in simulated_reports(CITY, 1, NOON, NOON + timedelta(hours=12)):
        assert observation.provenance == "simulated"
        assert observation.base[request.PROVENANCE]["value"] == "simulated"
        named = observation.base[request.DISTRICT]["value"]
        centre = next(d.centre for d in CITY.districts if d.code == named)
        where = observation.base[request.LOCATION]["value"]["coordinates"]
        assert abs(where[0] - centre[0]) < 0.01
        assert abs(where[1] - centre[1]) < 0.01
