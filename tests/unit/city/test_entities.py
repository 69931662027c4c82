"""What a kit gives to the context store is well formed, sourced and the same at every load."""

from __future__ import annotations

from collections import Counter

import pytest

from nagara.city import bundled_kit, bundled_kits
from nagara.city.entities import air_station_attributes, city_entities
from nagara.values.geo import read_geojson
from nagara.vocab.area import AREA_TYPES

VALUE_OF = {
    "Property": "value",
    "GeoProperty": "value",
    "LanguageProperty": "languageMap",
    "Relationship": "object",
}


@pytest.mark.parametrize("code", bundled_kits())
def test_every_entity_is_well_formed_and_says_its_source(code):
    entities = city_entities(bundled_kit(code))
    assert entities == city_entities(bundled_kit(code))
    ids = {entity["id"] for entity in entities}
    assert len(ids) == len(entities)
    for entity in entities:
        assert entity["id"].startswith(f"urn:ngsi-ld:{entity['type']}:{code}:")
        assert entity["type"] in AREA_TYPES
        assert entity["source"]["value"]
        assert set(entity["name"]["languageMap"]) == {"th", "en"}
        for name, instance in entity.items():
            if name not in ("id", "type"):
                assert instance.get(VALUE_OF[instance["type"]]) is not None
        if "location" in entity:
            read_geojson(entity["location"]["value"])
        for related in ("parent", "serves"):
            assert entity.get(related, {}).get("object") in ids | {None}


def test_bangkok_has_its_districts_departments_places_and_stations(bangkok):
    counted = Counter(entity["type"] for entity in city_entities(bangkok))
    assert counted["AdministrativeArea"] == 50
    assert counted["Department"] > 70
    assert counted["PointOfInterest"] == len(bangkok.places)
    assert counted["TransitStation"] == len(bangkok.transit_stations)


def test_a_place_of_two_kinds_has_two_entities(bangkok):
    ids = [entity["id"] for entity in city_entities(bangkok)]
    assert "urn:ngsi-ld:PointOfInterest:th-bkk:hospital-lat-krabang" in ids
    assert "urn:ngsi-ld:PointOfInterest:th-bkk:fire-station-lat-krabang" in ids


def test_a_station_says_where_it_stands(bangkok):
    station = next(s for s in bangkok.air_stations if s.code == "bkp112t")
    attributes = air_station_attributes(station)
    assert attributes["district"]["value"] == "1031"
    assert attributes["mobile"]["value"] is True
    assert attributes["stationCode"]["value"] == "bkp112t"
