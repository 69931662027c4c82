"""The entities a kit gives to the context store (`nagara load`): NGSI-LD normalised, short names.

Ids are `urn:ngsi-ld:<Type>:<city>:<code>`, so loading a kit again changes only what changed in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nagara.city.model import AirStation, City, Department, District, Place, TransitStation
from nagara.values.ids import urn
from nagara.vocab.area import (
    ADMINISTRATIVE_AREA,
    DEPARTMENT,
    DISTRICT,
    POINT_OF_INTEREST,
    SOURCE,
    TRANSIT_STATION,
)

Entity = dict[str, Any]


def city_entities(city: City) -> list[Entity]:
    """All entities of a kit: districts, departments, places and stations, in the order of it."""
    found = [_district(city, district) for district in city.districts]
    found += [_department(city, department) for department in city.departments]
    found += [_place(city, place) for place in city.places]
    found += [_transit_station(city, station) for station in city.transit_stations]
    return found


def air_station_attributes(station: AirStation) -> Entity:
    """What does not change about a station of the air network: base of its observed entity."""
    return {
        "name": _words(station.name),
        "location": _point(station.location),
        "stationCode": _value(station.code),
        DISTRICT: _value(station.district),
        "mobile": _value(station.mobile),
        SOURCE: _value(station.source),
    }


def _district(city: City, district: District) -> Entity:
    entity = _entity(city, ADMINISTRATIVE_AREA, district.code, district.name, district.source)
    entity["location"] = _point(district.centre)
    entity["level"] = _value("district")
    if district.population is not None:
        entity["population"] = _value(district.population, "C62")
        entity["populationYear"] = _value(district.population_year)
    if district.area_km2 is not None:
        entity["area"] = _value(round(district.area_km2 * 1e6), "MTK")
    return entity


def _department(city: City, department: Department) -> Entity:
    entity = _entity(city, DEPARTMENT, department.code, department.name, department.source)
    entity["kind"] = _value(department.kind)
    if department.parent is not None:
        entity["parent"] = _related(urn(DEPARTMENT, city.code, department.parent))
    if department.district is not None:
        entity[DISTRICT] = _value(department.district)
        entity["serves"] = _related(urn(ADMINISTRATIVE_AREA, city.code, department.district))
    if department.hotline is not None:
        entity["hotline"] = _value(department.hotline)
    return entity


def _place(city: City, place: Place) -> Entity:
    local = f"{place.kind}-{place.code}"
    entity = _entity(city, POINT_OF_INTEREST, local, place.name, place.source)
    entity["code"] = _value(place.code)
    entity["category"] = _value(place.kind)
    entity["location"] = _point(place.location)
    if place.district is not None:
        entity[DISTRICT] = _value(place.district)
    if place.operator is not None:
        entity["operator"] = _value(place.operator)
    return entity


def _transit_station(city: City, station: TransitStation) -> Entity:
    entity = _entity(city, TRANSIT_STATION, station.code, station.name, station.source)
    entity["line"] = _value(station.line)
    entity["opened"] = _value(station.opened)
    entity["location"] = _point(station.location)
    return entity


def _entity(
    city: City, entity_type: str, local: str, name: Mapping[str, str], source: str
) -> Entity:
    return {
        "id": urn(entity_type, city.code, local),
        "type": entity_type,
        "code": _value(local),
        "name": _words(name),
        SOURCE: _value(source),
    }


def _value(value: Any, unit_code: str | None = None) -> Entity:
    instance = {"type": "Property", "value": value}
    return instance if unit_code is None else instance | {"unitCode": unit_code}


def _words(words: Mapping[str, str]) -> Entity:
    return {"type": "LanguageProperty", "languageMap": dict(words)}


def _point(position: tuple[float, float]) -> Entity:
    geometry = {"type": "Point", "coordinates": list(position)}
    return {"type": "GeoProperty", "value": geometry}


def _related(entity_id: str) -> Entity:
    return {"type": "Relationship", "object": entity_id}
