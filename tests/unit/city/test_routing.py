"""Somebody always answers for a case, and the most specific rule decides who."""

from __future__ import annotations

import itertools

import pytest

from nagara.city import bundled_kit, bundled_kits
from nagara.city.errors import NotInCity


@pytest.mark.parametrize("code", bundled_kits())
def test_every_case_has_somebody_who_answers_for_it(code):
    city = bundled_kit(code)
    places = [None, *(district.code for district in city.districts)]
    for category, place in itertools.product(city.categories, places):
        department = city.route(category.code, place)
        assert city.get_department(department.code) is department
    for route in city.alert_routes:
        for place in places:
            department, case_category = city.route_alert(route.alert_category, place)
            assert city.get_department(department.code) is department
            assert city.get_category(case_category).group is not None


def test_category_in_a_district_before_group_in_a_district_before_the_department(made_city):
    assert made_city.route("flood", "A").code == "office-A"  # an exception for the category
    assert made_city.route("flood", "B").code == "works"  # an exception for its group
    assert made_city.route("flood", None).code == "drains"  # its group's department
    assert made_city.route("road-damage", "B").code == "office-B"  # the district's office
    assert made_city.route("road-damage", None).code == "clerk"  # no district: the fallback
    assert made_city.route("bridge", "A").code == "works"  # the category's own


def test_a_category_inherits_from_its_group_what_it_does_not_say(made_city):
    assert made_city.get_category("road-damage").due_hours == 35
    assert made_city.get_category("road-damage").icon == "road"
    assert made_city.get_category("bridge").due_hours == 70
    assert [c.code for c in made_city.leaf_categories()] == [
        "road-damage",
        "bridge",
        "flood",
        "other",
    ]


def test_an_alert_of_no_known_category_opens_no_case(made_city):
    assert made_city.route_alert("eclipse", "A") is None
    assert made_city.route_alert("flood", "A")[0].code == "office-A"


@pytest.mark.parametrize(("category", "district"), [("eclipse", "A"), ("flood", "Z")])
def test_what_the_city_does_not_have_is_not_routed(made_city, category, district):
    with pytest.raises(NotInCity):
        made_city.route(category, district)


def test_the_air_pack_finds_its_way_to_a_department_in_both_cities():
    for city in map(bundled_kit, bundled_kits()):
        if city.level != "city":  # a network of cities measures no air
            continue
        department, case_category = city.route_alert("air-quality", city.districts[0].code)
        assert department.code == "environment"
        assert case_category == "air-pollution"
