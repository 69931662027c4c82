"""What every pack of ours promises: complete in both languages, sourced, in known units, pure."""

from __future__ import annotations

import ast
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

import nagara.packs
from nagara.alerting.rules import rule_book
from nagara.city import bundled_kit
from nagara.http.words import catalogue
from nagara.indicators.measures import read_set
from nagara.ingest.adapters.feeds.air4thai import MEASURES
from nagara.ingest.profile import BUILT_IN
from nagara.pack import Pack, PayloadUnreadable, installed_packs
from nagara.packs import air, building, community, mobility, sensors, water
from nagara.packs.sensors import csv_line  # its error is one of the family
from nagara.values.errors import problem_classes
from nagara.values.units import convert, get_unit

PACKS = (air.PACK, building.PACK, community.PACK, mobility.PACK, sensors.PACK, water.PACK)
THAI = re.compile(r"[\u0e00-\u0e7f]")


def said_in_both(words: dict[str, str]) -> bool:
    thai, english = words["th"], words["en"]
    return bool(thai.strip() and english.strip()) and not THAI.search(english)


def test_our_packs_are_found_by_entry_point() -> None:
    assert {pack.name for pack in PACKS} <= {pack.name for pack in installed_packs()}


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.name)
def test_everything_people_read_is_there_in_thai_and_english(pack: Pack) -> None:
    for rule in pack.rules:
        assert said_in_both(dict(rule.name)), rule.id
        assert said_in_both(dict(rule.advice)), rule.id
    for formula in pack.formulas:
        assert said_in_both(dict(formula.name)), formula.code
        assert said_in_both(dict(formula.meaning)), formula.code
    for layer in pack.layers:
        assert said_in_both(dict(layer.name)), layer.code
        assert all(said_in_both(dict(words)) or words["th"] for _, _, words in layer.breaks)


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.name)
def test_every_number_has_a_source_or_a_reason(pack: Pack) -> None:
    assert all(rule.source and rule.source_date for rule in pack.rules)
    assert all(formula.source for formula in pack.formulas)
    assert all(layer.source for layer in pack.layers)
    assert all(limits.reason for limits in pack.quality)
    assert all(noun.source and noun.concerns and noun.seen_by for noun in pack.nouns)


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.name)
def test_every_unit_is_a_code_the_city_knows(pack: Pack) -> None:
    for coded in (*pack.rules, *pack.quality, *pack.simulators):
        assert get_unit(coded.unit_code).code == coded.unit_code


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.name)
def test_a_rule_clears_below_what_raises_it_and_within_what_is_plausible(pack: Pack) -> None:
    limits = {limit.attribute: limit for limit in pack.quality}
    for rule in pack.rules:
        assert rule.clear_below < rule.raise_above, rule.id
        known = limits[rule.attribute]
        assert known.unit_code == rule.unit_code
        assert known.low < rule.clear_below < rule.raise_above < known.high, rule.id


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.name)
def test_a_layers_steps_rise_and_the_last_has_no_end(pack: Pack) -> None:
    for layer in pack.layers:
        ends = [end for end, _, _ in layer.breaks]
        assert ends[-1] is None
        bounded = [end for end in ends if end is not None]
        assert len(bounded) == len(ends) - 1
        assert all(low < high for low, high in pairwise(bounded)), layer.code
        assert all(re.fullmatch(r"#[0-9a-fA-F]{6}", colour) for _, colour, _ in layer.breaks)


def test_no_two_packs_name_the_same_thing() -> None:
    for slot, name in (
        ("codecs", "name"),
        ("rules", "id"),
        ("formulas", "code"),
        ("simulators", "name"),
        ("layers", "code"),
        ("nouns", "type"),
        ("quality", "attribute"),
    ):
        names = Counter(getattr(one, name) for pack in PACKS for one in getattr(pack, slot))
        assert not [given for given, count in names.items() if count > 1], slot


def test_no_codec_of_ours_hides_the_citys_own_json_reader() -> None:
    """`json` in a profile is read by ingest itself."""
    assert "json" not in {codec.name for codec in sensors.PACK.codecs}


def test_every_way_of_being_unreadable_says_the_same_in_the_message_files() -> None:
    assert issubclass(csv_line.LineUnreadable, PayloadUnreadable)
    ours = [found for found in problem_classes() if issubclass(found, PayloadUnreadable)]
    assert len(ours) == 16
    for found in ours:
        english, thai = catalogue("en")[found.code], catalogue("th")[found.code]
        assert english.detail == found.words
        places = re.compile(r"{(\w+)}")
        assert sorted(places.findall(thai.detail)) == sorted(places.findall(english.detail))
        assert THAI.search(thai.title)
        assert THAI.search(thai.hint)


def test_packs_are_pure_no_clock_no_chance_no_files_no_network() -> None:
    folder = Path(nagara.packs.__file__).parent
    banned = {
        "random", "secrets", "uuid", "time", "os", "socket", "pathlib", "httpx", "asyncio", "io",
    }  # fmt: skip
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                assert not banned & {alias.name.split(".")[0] for alias in node.names}, file
            if isinstance(node, ast.ImportFrom):
                assert (node.module or "").split(".")[0] not in banned, file
            if isinstance(node, ast.Name):
                assert node.id != "open" or file.name == "envelope.py", file
            if isinstance(node, ast.Attribute):
                assert node.attr not in ("now", "utcnow", "today"), file


def test_what_the_citys_own_profiles_send_is_in_a_unit_of_the_packs_quantity() -> None:
    """Else a station that sends ozone beside its dust would have all of it parked."""
    own = {limits.attribute: limits.unit_code for pack in PACKS for limits in pack.quality}
    for profile in BUILT_IN:
        for field in profile.fields.values():
            if field.unit_code and field.attribute in own:
                assert convert(1.0, field.unit_code, own[field.attribute]) >= 0.0


def test_what_the_feeds_send_is_in_the_packs_own_unit() -> None:
    own = {limits.attribute: limits.unit_code for pack in PACKS for limits in pack.quality}
    assert dict(MEASURES.values()) == {name: own[name] for name, _ in MEASURES.values()}


def test_a_formula_names_only_what_the_indicators_can_count() -> None:
    for pack in PACKS:
        for formula in pack.formulas:
            assert read_set(formula.numerator) is not None, formula.code
            assert read_set(formula.denominator) is not None, formula.code


def test_the_rules_of_all_packs_stand_beside_each_other_in_one_book() -> None:
    book = rule_book(PACKS, {})
    assert [len(ladder.rungs) for ladder in book.ladders] == [3, 2, 2]
    assert book.entity_types == ("AirQualityObserved", "WaterObserved", "WeatherObserved")


def test_a_kit_answers_for_every_category_that_a_rule_raises() -> None:
    city = bundled_kit("th-bkk")
    for pack in PACKS:
        for rule in pack.rules:
            assert city.route_alert(rule.category, None) is not None, rule.category
            if rule.case_category is not None:
                assert city.find_category(rule.case_category) is not None, rule.case_category
