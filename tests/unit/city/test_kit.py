"""A kit is read whole or refused whole, with words that say where the mistake is."""

from __future__ import annotations

import csv
import json
import shutil
import string
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nagara.city import bundled_kit, bundled_kits, read_kit
from nagara.city import errors as city_errors
from nagara.city.errors import KitAbsent, KitProblem, NotInCity
from nagara.city.kit import KITS
from nagara.values.errors import Problem, problem_classes

MESSAGES = KITS.parent / "messages"


def spoil(kit: Path, file: str, old: str, new: str) -> None:
    path = kit / file
    text = path.read_text(encoding="utf-8")
    assert old in text, "the example no longer spoils anything"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def refused(kit: Path) -> Problem:
    with pytest.raises(KitProblem) as raised:
        read_kit(kit)
    return raised.value


@pytest.mark.parametrize("code", bundled_kits())
def test_every_bundled_kit_is_whole(code):
    city = bundled_kit(code)
    assert city.code == code
    assert city.districts
    assert city.leaf_categories()


@pytest.mark.parametrize(
    "table", sorted(KITS.glob("*/*.csv")), ids=lambda p: f"{p.parent.name}/{p.name}"
)
def test_every_row_of_a_bundled_kit_names_its_source(table):
    with table.open(encoding="utf-8", newline="") as text:
        rows = list(csv.DictReader(text))
    unsourced = [n for n, row in enumerate(rows, 2) if not row["source"].strip()]
    assert unsourced == []
    if table.name == "thresholds.csv":
        assert all(row["source_date"] for row in rows)


@pytest.mark.parametrize(
    ("file", "old", "new", "code", "where"),
    [
        ("districts.csv", "1000,2018,made", "1000,2018, ", "kit-source-missing", 2),
        ("districts.csv", "13.5,1000", "13.5x,1000", "kit-number-unreadable", 2),
        ("districts.csv", "13.5,1000", "nan,1000", "kit-number-unreadable", 2),
        ("districts.csv", "1000,2018", "-5,2018", "kit-number-out-of-range", 2),
        ("districts.csv", "100.25,13.5", "13.5,100.25", "kit-number-out-of-range", 2),
        ("districts.csv", "100.25,13.5", "98.25,13.5", "kit-place-out-of-bounds", 2),
        ("districts.csv", "ตะวันออก", "", "kit-cell-empty", 3),
        ("districts.csv", "B,", "A,", "kit-duplicate", 3),
        ("districts.csv", "A,ตะวันตก", "ก ข,ตะวันตก", "kit-choice-unknown", 2),
        ("districts.csv", "name_en", "nam_en", "kit-columns-wrong", None),
        ("districts.csv", "West,", "West,extra,", "kit-row-ragged", 2),
        ("departments.csv", "bureau,,clerk", "bureau,,nobody", "kit-reference-unknown", 3),
        ("departments.csv", "district-office,B", "district-office,A", "kit-duplicate", 6),
        ("departments.csv", "district-office,B", "district-office,", "kit-cell-empty", 6),
        ("departments.csv", "bureau,,,1555", "boss,,,1555", "kit-choice-unknown", 2),
        ("categories.csv", "bridge,streets", "bridge,nowhere", "kit-reference-unknown", 4),
        ("categories.csv", "works,70", "nobody,70", "kit-reference-unknown", 4),
        ("categories.csv", "works,70", "works,0", "kit-number-out-of-range", 4),
        ("categories.csv", "@district,35", ",35", "kit-cell-empty", 2),
        ("routing.csv", "water,B,works", "water,C,works", "kit-reference-unknown", 2),
        ("alert_routing.csv", "flood,made", "fog,made", "kit-reference-unknown", 2),
        ("thresholds.csv", "GQ", "ug/m3", "kit-choice-unknown", 2),
        ("thresholds.csv", "#00ff00", "green", "kit-choice-unknown", 2),
        ("thresholds.csv", "2023-07-03", "2566-07-03", "kit-date-unreadable", 2),
        ("holidays.csv", "2026-04-13", "13/4/2569", "kit-date-unreadable", 2),
        ("places.csv", "lake,park", "lake,hospital", "kit-choice-unknown", 2),
        ("names.csv", "flood,,made", "fog,,made", "kit-reference-unknown", 2),
        (
            "city.toml",
            'languages = ["th", "en"]',
            'languages = ["th", "lo"]',
            "kit-setting-invalid",
            None,
        ),
        ("city.toml", "Asia/Bangkok", "Asia/Krungthep", "kit-setting-invalid", None),
        ("city.toml", 'path = "rain.csv"', 'path = "../rain.csv"', "kit-setting-invalid", None),
        ("city.toml", 'role = "rain"', 'role = "snow"', "kit-setting-invalid", None),
        ("city.toml", 'time = "when", ', "", "kit-setting-invalid", None),
        ("city.toml", "currency", "curency", "kit-setting-invalid", None),
        ("city.toml", "xx-made", "xx made", "kit-setting-invalid", None),
        ("city.toml", "pm25=GQ", "pm25=ug", "kit-setting-invalid", None),
        ("city.toml", 'period_h = "24"', 'period_h = "day"', "kit-setting-invalid", None),
        ("city.toml", 'layer = "parks"', 'layer = "districts"', "kit-setting-invalid", None),
        ("city.toml", '"Made data"', '{ en = "Made data" }', "kit-setting-invalid", None),
        (
            "city.toml",
            'buddhist_era = ["th"]',
            'buddhist_era = ["lo"]',
            "kit-setting-invalid",
            None,
        ),
        ("city.toml", "days = 1", "days = 0", "kit-setting-invalid", None),
        ("city.toml", "01:00", "noon", "kit-setting-invalid", None),
        ("city.toml", "{ rain =", "{ snow =", "kit-setting-invalid", None),
        ("city.toml", "[calendar]", "[calendar", "kit-file-unreadable", None),
        ("city.toml", '= "clerk"', '= "nobody"', "kit-reference-unknown", None),
    ],
)
def test_a_spoilt_kit_is_refused_and_the_place_is_named(made_kit, file, old, new, code, where):
    spoil(made_kit, file, old, new)
    problem = refused(made_kit)
    assert problem.code == code
    assert problem.params["file"] == file
    if where is not None:
        assert problem.params["line"] == where


@pytest.mark.parametrize("file", ["districts.csv", "categories.csv"])
def test_a_city_without_districts_or_categories_is_refused(made_kit, file):
    (made_kit / "routing.csv").unlink()
    (made_kit / file).unlink()
    assert isinstance(refused(made_kit), KitProblem)


def test_a_table_that_a_city_has_no_use_for_may_be_absent(made_kit):
    for name in ("transit_stations", "fire_stations", "air_stations", "places", "names"):
        (made_kit / f"{name}.csv").unlink()
    city = read_kit(made_kit)
    assert city.transit_stations == ()
    assert city.air_stations == ()


def test_a_table_saved_by_a_spreadsheet_is_read(made_kit):
    path = made_kit / "districts.csv"
    path.write_text(path.read_text("utf-8").replace("\n", "\r\n") + "\r\n", encoding="utf-8-sig")
    assert [district.code for district in read_kit(made_kit).districts] == ["A", "B"]


def test_thai_in_another_encoding_is_refused(made_kit):
    path = made_kit / "districts.csv"
    path.write_bytes(path.read_text("utf-8").encode("cp874"))
    problem = refused(made_kit)
    assert problem.code == "kit-encoding-wrong"
    assert problem.params["byte"] == path.read_bytes().index("ต".encode("cp874"))


def test_an_absent_kit_names_those_that_are_there(tmp_path):
    with pytest.raises(KitAbsent) as raised:
        read_kit(tmp_path)
    assert "th-bkk" in raised.value.params["known"]
    with pytest.raises(KitAbsent):
        bundled_kit("../kits/th-bkk")


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_whatever_is_broken_no_kit_is_half_loaded(tmp_path_factory, data):
    kit = tmp_path_factory.mktemp("fuzz") / "kit"
    shutil.copytree(KITS / "th-pkt", kit)
    file = data.draw(st.sampled_from(sorted(path.name for path in kit.iterdir())))
    content = bytearray((kit / file).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(
            st.sampled_from([b"", b",", b'"', b"\n", b"\xff", b"\0", b"9", "ก".encode()])
        )
    (kit / file).write_bytes(content)
    try:
        city = read_kit(kit)
    except KitProblem:
        return
    assert city.route("flood", "8301").name["th"]


def test_codes_that_are_not_there_are_answered_clearly(made_city):
    for ask in (made_city.get_district, made_city.get_department, made_city.get_category):
        with pytest.raises(NotInCity):
            ask("nowhere")


def test_names_of_others_are_matched_to_our_codes(made_city):
    assert made_city.find_code("category", "ท่วม") == "flood"
    assert made_city.find_code("district", " ตต. ") == "A"
    assert made_city.find_code("district", "West") == "A"
    assert made_city.find_code("district", "B") == "B"
    assert made_city.find_code("district", "ที่อื่น") is None


def test_every_error_of_a_city_has_words_in_both_languages():
    ours = [c for c in problem_classes() if c.__module__ == city_errors.__name__]
    assert len(ours) >= 15
    for language in ("en", "th"):
        texts = json.loads((MESSAGES / language / "city.json").read_text("utf-8"))
        assert sorted(texts) == sorted(c.code for c in ours)
        for text in texts.values():
            assert all(text[part].strip() for part in ("title", "detail", "hint"))


def test_the_words_of_both_languages_ask_for_the_same_facts():
    def asked(language: str) -> dict[str, set[str]]:
        texts = json.loads((MESSAGES / language / "city.json").read_text("utf-8"))
        return {
            code: {
                name
                for words in text.values()
                for _, name, _, _ in string.Formatter().parse(words)
                if name
            }
            for code, text in texts.items()
        }

    assert asked("en") == asked("th")
