"""People within a distance, on a city of squares whose numbers fit on a napkin."""

from __future__ import annotations

import math

import pytest
import shapely
from msgspec.structs import replace

from nagara.city import City, bundled_kit
from nagara.city.areas import DistrictIndex, Shapes
from nagara.city.model import Place, TransitStation
from nagara.indicators.ground import METRES_PER_DEGREE, Ground
from nagara.indicators.measures import EMPTY, GroundSet, PeopleSet, read_set

KM = 1000 / METRES_PER_DEGREE  # a kilometre in degrees, at the equator


def square(west_km: float, side_km: float) -> shapely.Polygon:
    return shapely.box(west_km * KM, 0, (west_km + side_km) * KM, side_km * KM)


@pytest.fixture(scope="module")
def city() -> City:
    """Two squares of 10 km side by side at the equator: 1,000 people in one, 3,000 in the other."""
    kit = bundled_kit("th-bkk")
    west, east = (
        replace(kit.districts[n], code=code, population=people, area_km2=100.0)
        for n, code, people in ((0, "w", 1000), (1, "e", 3000))
    )
    place = Place("p", "hospital", {"en": "H"}, (5 * KM, 5 * KM), None, None, "made")
    parks = {
        "type": "FeatureCollection",
        "features": [
            {"geometry": shapely.geometry.mapping(square(0, 1))},
            {"geometry": shapely.geometry.mapping(square(0, 1))},  # drawn twice, counted once
            {"geometry": shapely.geometry.mapping(square(10, 2))},
        ],
    }
    index = DistrictIndex({"w": square(0, 10), "e": square(10, 10)}, approximate=False)
    stations = [
        TransitStation(f"s{n}", "line", {"en": "S"}, (n * KM, 5 * KM), n != 9, "made")
        for n in (5, 6, 8, 9)
    ]
    return replace(
        kit,
        bounds=(0, -10 * KM, 20 * KM, 10 * KM),
        districts=(west, east),
        places=(place,),
        transit_stations=tuple(stations),
        shapes=Shapes(index, {"parks": parks}),
    )


def test_people_are_taken_to_be_spread_evenly(city: City) -> None:
    tally = Ground(city).tally(PeopleSet("within", ("hospital",), 1000.0))
    share = math.pi / 100  # a circle of 1 km in a square of 10
    assert tally.rows["w"] == pytest.approx(1000 * share, rel=0.01)
    assert tally.rows["e"] == 0
    assert tally.whole == pytest.approx(1000 * share, rel=0.01)


def test_all_layers_have_to_be_near(city: City) -> None:
    both = Ground(city).tally(PeopleSet("within", ("hospital", "transit"), 1000.0))
    alone = Ground(city).tally(PeopleSet("within", ("hospital",), 1000.0))
    assert both.whole == pytest.approx(alone.whole)  # a station stands at the hospital
    far = Ground(city).tally(PeopleSet("within", ("hospital", "park"), 1000.0))
    assert far.whole == pytest.approx(0.0, abs=1e-6)


def test_of_what_the_tables_do_not_name_nobody_is_near(city: City) -> None:
    assert Ground(city).tally(PeopleSet("within", ("school",), 1000.0)) == EMPTY


def test_the_distance_to_the_nearest_is_averaged_over_people(city: City) -> None:
    tally = Ground(city).tally(PeopleSet("metres", ("hospital",)))
    # mean distance from the middle of a square of side a: 0.3826 a
    assert tally.rows["w"] / 1000 == pytest.approx(3826, rel=0.01)
    assert tally.rows["e"] / 3000 == pytest.approx(10_400, rel=0.05)


def test_a_park_that_is_drawn_twice_is_counted_once(city: City) -> None:
    tally = Ground(city).tally(GroundSet("area.parks_m2"))
    assert tally.rows["w"] == pytest.approx(1e6, rel=1e-4)
    assert tally.rows["e"] == pytest.approx(4e6, rel=1e-4)


def test_a_line_is_as_long_as_the_ways_between_its_open_stations(city: City) -> None:
    assert Ground(city).tally(GroundSet("transit.km")).whole == pytest.approx(3.0, rel=1e-3)


def test_places_are_counted_in_the_district_they_stand_in(city: City) -> None:
    assert Ground(city).tally(GroundSet("places", "hospital")).rows == {"w": 1.0}


def test_a_district_has_rapid_transit_where_an_open_station_stands(city: City) -> None:
    assert Ground(city).tally(GroundSet("districts.with_transit")).rows == {"w": 1.0, "e": 0.0}


@pytest.mark.parametrize(
    "said", ["people.within(400).transit", "people.metres.hospital", "people.above(3.5).A.b"]
)
def test_words_about_people_are_understood(said: str) -> None:
    assert isinstance(read_set(said), PeopleSet)


def test_real_bangkok_has_plausible_numbers() -> None:
    """By cells around centres, without archives: an order of magnitude."""
    ground = Ground(bundled_kit("th-bkk"))
    people = ground.tally(PeopleSet("all")).whole
    near = ground.tally(PeopleSet("within", ("transit",), 400.0)).whole
    km = ground.tally(GroundSet("transit.km")).whole
    assert people is not None
    assert near is not None
    assert km is not None
    assert 5_000_000 < people < 6_500_000
    assert 0.03 < near / people < 0.2
    assert 180 < km < 300
