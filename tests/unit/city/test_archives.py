"""Archives are read by the kit's mapping, in order of time, with their traps told."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from nagara.city.archives import present_archives, read_archive
from nagara.city.errors import KitDataUnreadable
from nagara.city.shapes import read_shapes
from unit.city import made


@pytest.fixture
def folder(tmp_path):
    return made.write_archives(tmp_path / "data")


def play(city, folder, role, on_fault=None):
    (archive,) = city.archives_of(role)
    return list(read_archive(city, folder, archive, on_fault))


def in_order(sightings):
    keys = [(sighting.original_at, sighting.local) for sighting in sightings]
    return keys == sorted(keys)


def test_air_is_local_time_in_order_and_never_averaged_again(made_city, folder):
    seen = play(made_city, folder, "air")
    assert in_order(seen)
    assert seen[0].original_at == datetime(2025, 5, 17, 17, tzinfo=UTC)
    assert (seen[0].local, seen[0].district, seen[0].location) == ("s00", "A", (100.2, 13.4))
    assert seen[0].attributes["pm25"].value == 10.0
    assert seen[0].attributes["pm25"].unit_code == "GQ"
    assert seen[0].period_s == 86_400


def test_an_hour_that_repeats_the_whole_network_is_doubted_and_so_is_a_zero(made_city, folder):
    doubts = Counter()
    for sighting in play(made_city, folder, "air"):
        for doubt in sighting.attributes["pm25"].doubts:
            doubts[sighting.original_at, doubt] += 1
    assert doubts == {
        (datetime(2025, 5, 17, 20, tzinfo=UTC), "stale"): 30,
        (datetime(2025, 5, 17, 21, tzinfo=UTC), "zero"): 1,
    }


def test_a_gauge_keeps_its_identity_and_position_when_the_list_changes_its_habits(
    made_city, folder
):
    seen = play(made_city, folder, "rain")
    assert in_order(seen)
    pond = [sighting for sighting in seen if sighting.name == "บึง"]
    assert len(pond) == 2
    assert len({sighting.local for sighting in pond}) == 1
    assert {sighting.location for sighting in pond} == {(100.2, 13.5)}
    assert pond[1].original_at == datetime(2022, 7, 1, 23, tzinfo=UTC)  # 06:00 in Bangkok
    assert pond[1].attributes["precipitation"].value == 3.5


def test_a_time_after_that_of_the_list_is_of_the_day_before(made_city, folder):
    (late,) = [sighting for sighting in play(made_city, folder, "rain") if sighting.name == "สระ"]
    assert late.original_at == datetime(2022, 5, 26, 12, tzinfo=UTC)
    assert late.attributes["precipitation"].doubts == ("undated",)
    assert late.location is None
    assert late.district == "B"  # by the words of its place


def test_tickets_speak_the_words_of_the_kit(made_city, folder):
    first, second = play(made_city, folder, "tickets")
    assert (first.local, second.local) == ("T1", "T2")
    assert first.attributes["category"].value == "other"
    assert first.attributes["rating"].value == 4.0
    assert first.attributes["status"].value == "เสร็จสิ้น"  # the kit has no word for it: as it is
    assert first.district is None
    assert second.attributes["category"].value == "flood"
    assert second.attributes["status"].value == "new"
    assert second.district == "A"


def test_a_row_that_cannot_be_read_is_told_and_does_not_stop_the_others(made_city, folder):
    with (folder / "tickets.csv").open("a", encoding="utf-8") as text:
        text.write("\nT3,yesterday,ท่วม,ตต.,100.2,13.5,รอรับเรื่อง,\nT4,short\n")
    faults = []
    assert len(play(made_city, folder, "tickets", faults.append)) == 2
    reasons = sorted(fault.params["reason"] for fault in faults)
    assert ["line 4, at" in reasons[0], "line 5" in reasons[1]] == [True, True]
    with pytest.raises(KitDataUnreadable):
        play(made_city, folder, "tickets")


@pytest.mark.parametrize(
    "content", [b"", b"when,who\n", b"\x1f\x8b rubbish", b"when,who,dust\n1,2"]
)
def test_an_archive_that_is_not_what_the_kit_says_is_refused(made_city, folder, content):
    (folder / "air.csv.gz").write_bytes(content)
    with pytest.raises(KitDataUnreadable) as raised:
        play(made_city, folder, "air")
    assert raised.value.params["file"] == "air.csv.gz"


def test_only_archives_that_are_there_are_offered(made_city, folder, tmp_path):
    assert present_archives(made_city, None) == ()
    assert present_archives(made_city, tmp_path / "nowhere") == ()
    (folder / "rain.csv").unlink()
    assert [archive.role for archive in present_archives(made_city, folder)] == ["air", "tickets"]


@pytest.fixture(scope="module")
def real(bangkok, nagara_archives, tmp_path_factory):
    shapes = read_shapes(bangkok, nagara_archives, tmp_path_factory.mktemp("cache"))
    return bangkok.with_shapes(shapes), nagara_archives


def test_the_air_archive_of_may_2025(real):
    seen = play(*real, "air")
    assert len(seen) == 80 * 7 * 24
    assert in_order(seen)
    doubts = Counter(d for s in seen for d in s.attributes["pm25"].doubts)
    assert doubts == {"stale": 160, "zero": 9}  # two hours of the whole network, nine zeros
    start = datetime(2025, 5, 22, 7, tzinfo=UTC)  # 14:00 in Bangkok
    above = {
        s.local
        for s in seen
        if start <= s.original_at <= start + timedelta(hours=3) and s.attributes["pm25"].value > 25
    }
    assert len(above) >= 20


def test_the_index_beside_a_value_is_never_below_that_of_the_value(real):
    city, _ = real
    steps = city.scale("aqi-th", "pm25")
    for sighting in play(*real, "air"):
        value = sighting.attributes["pm25"].value
        step = next(s for s in steps if s.value_to is None or value <= s.value_to)
        # the archive's index is the worst of all pollutants, not that of PM2.5
        assert sighting.attributes["airQualityIndex"].value >= step.index_from - 1


def test_the_rain_archive_of_2022(real):
    seen = play(*real, "rain")
    assert len(seen) == 6881
    assert len({sighting.local for sighting in seen}) == 143  # of 273 spellings
    assert sum(sighting.location is None for sighting in seen) == 50
    assert all(sighting.district for sighting in seen)


def test_the_ticket_archive_of_december_2022(real):
    city, _ = real
    seen = play(*real, "tickets")
    assert len(seen) == len({sighting.local for sighting in seen}) == 1804
    assert sum(sighting.district is None for sighting in seen) == 3  # far outside Bangkok
    for sighting in seen:
        city.get_category(sighting.attributes["category"].value)
    (archive,) = city.archives_of("tickets")
    assert {s.attributes["status"].value for s in seen} == set(archive.values.values())
