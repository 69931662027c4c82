"""The facts of the Bangkok kit hold together, and agree with the archives they came from."""

from __future__ import annotations

import csv
import json
import math
from collections import Counter, defaultdict
from datetime import date
from itertools import pairwise

import pytest

from nagara.city import bundled_kit
from nagara.packs.air import index
from nagara.values.geo import distance_m


def test_fifty_districts_with_official_codes_and_names_of_their_own(bangkok):
    codes = [district.code for district in bangkok.districts]
    assert codes == [str(code) for code in range(1001, 1051)]
    for language in ("th", "en"):
        assert len({district.name[language] for district in bangkok.districts}) == 50
    assert bangkok.get_district("1008").name["en"] == "Pom Prap Sattru Phai"
    assert bangkok.get_district("1024").name["th"] == "ราษฎร์บูรณะ"
    for district in bangkok.districts:
        assert not district.name["th"].startswith("เขต")
        assert not district.name["en"].startswith("Khet")


def test_the_people_of_2018_add_up(bangkok):
    assert {district.population_year for district in bangkok.districts} == {2018}
    assert sum(district.population for district in bangkok.districts) == 5_676_644
    assert sum(district.area_km2 for district in bangkok.districts) == pytest.approx(1570, abs=5)


def test_each_district_has_one_office(bangkok):
    offices = [d for d in bangkok.departments if d.kind == "district-office"]
    assert sorted(d.district for d in offices) == [d.code for d in bangkok.districts]
    assert bangkok.route("pavement", "1024").name["en"] == "Rat Burana District Office"


def test_eighty_air_stations_matched_by_code(bangkok):
    assert len(bangkok.air_stations) == 80
    assert len({station.location for station in bangkok.air_stations}) == 80
    assert len({station.name["en"] for station in bangkok.air_stations}) == 80
    assert [s.code for s in bangkok.air_stations if s.mobile] == ["bkp112t"]
    assert bangkok.find_code("district", "ราษฏร์บูรณะ") == "1024"  # as the archive misspells it


def test_the_lines_of_rapid_transit_are_complete_and_run_without_leaps(bangkok):
    lines = defaultdict(list)
    for station in bangkok.transit_stations:
        lines[station.line].append(station)
    assert {line: len(stations) for line, stations in lines.items()} == {
        "bts-sukhumvit": 47,
        "bts-silom": 14,
        "bts-gold": 3,
        "mrt-blue": 38,
        "mrt-purple": 16,
        "mrt-yellow": 23,
        "mrt-pink": 30,
        "mrt-pink-branch": 2,
        "arl": 8,
        "srt-dark-red": 10,
        "srt-light-red": 4,
    }
    for stations in lines.values():
        for here, there in pairwise(stations):
            assert 300 < distance_m(here.location, there.location) < 8_000


def test_interchanges_lie_side_by_side(bangkok):
    at = {station.code: station.location for station in bangkok.transit_stations}
    for here, there in [
        ("CEN", "CEN-S"), ("S7", "G1"), ("S12", "BL34"), ("BL10", "PP16"), ("BL15", "YL01"),
        ("E15", "YL23"), ("N17", "PK16"), ("RN06", "PK14"), ("A4", "YL11"), ("A8", "N2"),
        ("A6", "BL21"), ("RN01", "RW01"), ("N8", "BL13"), ("S2", "BL26"), ("E4", "BL22"),
        ("PP11", "PK01"), ("PP15", "RW02"), ("N9", "BL14"),
    ]:  # fmt: skip
        assert distance_m(at[here], at[there]) < 650


def test_hospitals_and_fire_stations_are_there(bangkok):
    kinds = Counter(place.kind for place in bangkok.places)
    assert kinds["hospital"] >= 30
    assert kinds["fire-station"] >= 20
    assert all(place.district for place in bangkok.places)


def test_what_nobody_checked_says_so(bangkok):
    for station in bangkok.transit_stations:  # which lists agree on it, or that none does
        assert "position to" in station.source or "unverified" in station.source, station
    checked = {"unverified" not in station.source for station in bangkok.transit_stations}
    assert checked == {True, False}
    rounded = [p for p in bangkok.places if p.source.startswith("unverified")]
    rounded += [s for s in bangkok.transit_stations if "unverified: position" in s.source]
    for place in rounded:  # no false precision
        assert all(round(degree, 3) == degree for degree in place.location)


def test_the_thai_index_of_2023(bangkok):
    steps = bangkok.scale("aqi-th", "pm25")
    assert [step.value_to for step in steps] == [15.0, 25.0, 37.5, 75.0, None]
    assert [step.index_to for step in steps] == [25, 50, 100, 200, None]
    assert all(step.unit_code == "GQ" and step.period_h == 24 for step in steps)
    measures = {threshold.measure for threshold in bangkok.thresholds}
    assert measures == {"pm25", "pm10", "o3", "co", "no2", "so2"}
    for measure in measures:
        for here, there in pairwise(bangkok.scale("aqi-th", measure)):
            assert here.value_to < there.value_from
            assert here.index_to + 1 == there.index_from


def test_the_air_pack_and_the_kit_speak_of_the_same_index(bangkok):
    for measure, scale in index.SCALES.items():
        steps = bangkok.scale("aqi-th", measure)
        assert tuple(scale.up_to) == tuple(step.value_to for step in steps[:-1])
        assert {(step.unit_code, step.period_h) for step in steps} == {
            (scale.unit_code, scale.period_h)
        }
        for step, level in zip(steps, index.LEVELS, strict=True):
            assert (step.code, step.colour, step.name) == (level.code, level.colour, level.words)


def test_every_year_has_its_holidays(bangkok):
    for year in range(2022, 2028):
        days = [holiday for holiday in bangkok.holidays if holiday.day.year == year]
        assert 20 <= len(days) <= 32
        for month, day in [(1, 1), (4, 6), (4, 13), (5, 4), (7, 28), (10, 23), (12, 5), (12, 10)]:
            assert date(year, month, day) in bangkok.calendar.holidays
        assert sum(h.kind == "lunar" for h in days) >= 3
    assert bangkok.calendar.holidays[date(2025, 5, 11)].name["en"] == "Visakha Bucha Day"


def test_a_fixed_holiday_on_a_week_end_has_a_day_in_lieu(bangkok):
    for holiday in bangkok.holidays:
        if holiday.kind == "substitution":
            assert holiday.day.weekday() < 5
            before = [
                bangkok.calendar.holidays.get(date.fromordinal(holiday.day.toordinal() - n))
                for n in range(1, 5)
            ]
            assert any(before), holiday.day


def test_phuket_has_three_districts_and_eighteen_local_governments():
    phuket = bundled_kit("th-pkt")
    assert [district.code for district in phuket.districts] == ["8301", "8302", "8303"]
    local = [d for d in phuket.departments if d.kind == "local-government"]
    assert len(local) == 18
    assert all(d.name["th"].startswith(("เทศบาล", "องค์การบริหาร")) for d in local)
    assert phuket.air_stations == ()


def test_every_type_of_the_ticket_archives_has_a_category(bangkok, nagara_archives):
    for name in ("bangkok_traffy_tickets_2022-12", "bangkok_traffy_routing_2024-12"):
        with (nagara_archives / f"complaints/{name}.csv").open(encoding="utf-8-sig") as text:
            types = {t for row in csv.DictReader(text) for t in row["types_th"].split(",") if t}
        assert {t for t in types if bangkok.find_code("category", t) is None} == set()


def test_people_and_names_agree_with_the_archive(bangkok, nagara_archives):
    people = Counter()
    names = {}
    path = nagara_archives / "boundaries/bangkok_subdistricts_180_population_2018.geojson"
    for feature in json.loads(path.read_text("utf-8"))["features"]:
        said = feature["properties"]
        people[said["District"]] += said["TOTAL"]
        names[said["District"]] = said["AMP_NAMT"]
    assert people == {d.code: d.population for d in bangkok.districts}
    assert names == {d.code: d.name["th"] for d in bangkok.districts}


def test_stations_agree_with_the_archive(bangkok, nagara_archives):
    path = nagara_archives / "environment/bangkok/air4thai_stations_80.csv"
    with path.open(encoding="utf-8-sig") as text:
        theirs = {row["stationID"]: row for row in csv.DictReader(text)}
    assert theirs.keys() == {station.code for station in bangkok.air_stations}
    for station in bangkok.air_stations:
        row = theirs[station.code]
        assert distance_m(station.location, (float(row["long"]), float(row["lat"]))) < 2
        assert bangkok.find_code("district", row["district"]) == station.district
        assert math.isfinite(station.location[0])
