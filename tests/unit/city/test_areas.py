"""Positions find their district: by real outlines, or honestly by the nearest centre."""

from __future__ import annotations

import math

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import shape

from nagara.city import bundled_kit
from nagara.city.areas import cells_index
from nagara.city.shapes import read_shapes
from unit.city import made

BANGKOK = bundled_kit("th-bkk")
WEST, SOUTH, EAST, NORTH = BANGKOK.bounds
positions = st.tuples(st.floats(WEST, EAST), st.floats(SOUTH, NORTH))


@given(positions)
def test_every_place_in_the_bounds_is_in_the_cell_of_the_nearest_centre(position):
    lon, lat = position
    shrink = math.cos(math.radians((SOUTH + NORTH) / 2))

    def apart(centre: tuple[float, float]) -> float:
        return math.hypot((centre[0] - lon) * shrink, centre[1] - lat)

    found = BANGKOK.district_at(lon, lat)
    assert found is not None
    nearest = min(apart(district.centre) for district in BANGKOK.districts)
    assert apart(found.centre) <= nearest + 2e-5  # cells are drawn on a grid of a metre
    assert BANGKOK.districts_approximate


@given(st.floats(-180, 180), st.floats(-90, 90))
def test_outside_the_bounds_is_no_district(lon, lat):
    near = 0.001
    if not (WEST - near <= lon <= EAST + near and SOUTH - near <= lat <= NORTH + near):
        assert BANGKOK.district_at(lon, lat) is None


@pytest.mark.parametrize("lon", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_no_district(lon):
    assert BANGKOK.district_at(lon, 13.7) is None
    assert BANGKOK.district_at(100.5, lon) is None


def test_each_centre_lies_in_its_own_cell():
    for district in BANGKOK.districts:
        assert BANGKOK.district_at(*district.centre) is district


def test_a_city_of_one_district_is_one_cell():
    index = cells_index({"only": (0.5, 0.5)}, (0.0, 0.0, 1.0, 1.0))
    assert index.find(0.1, 0.9) == "only"
    assert index.find(1.1, 0.9) is None


@given(st.lists(positions, min_size=2, max_size=12, unique=True))
def test_cells_fill_the_bounds_and_do_not_overlap(centres):
    rounded = {(round(lon, 3), round(lat, 3)) for lon, lat in centres}
    index = cells_index({f"{n:02d}": at for n, at in enumerate(sorted(rounded))}, BANGKOK.bounds)
    cells = [index.outline(code) for code in index.codes()]
    frame = shapely.box(*BANGKOK.bounds)
    assert sum(cell.area for cell in cells) == pytest.approx(frame.area, rel=1e-3)
    assert shapely.union_all(cells).area == pytest.approx(frame.area, rel=1e-3)


def test_real_outlines_replace_the_cells(made_city, tmp_path):
    city = made_city.with_shapes(read_shapes(made_city, made.write_shapes(tmp_path / "data"), None))
    assert made_city.district_at(100.55, 13.4).code == "B"  # nearer to the eastern centre
    assert city.district_at(100.55, 13.4).code == "A"  # but west of the real border
    assert city.district_at(100.95, 13.9) is None
    assert not city.districts_approximate


def test_a_step_outside_the_border_still_belongs_to_the_nearest(made_city, tmp_path):
    city = made_city.with_shapes(read_shapes(made_city, made.write_shapes(tmp_path / "data"), None))
    assert city.district_at(100.0999, 13.5).code == "A"
    assert city.district_at(100.09, 13.5) is None


def test_a_district_is_dissolved_from_its_parts(made_city, tmp_path):
    index = read_shapes(made_city, made.write_shapes(tmp_path / "data"), None).districts
    assert shape(index.geojson("A")).equals(shapely.box(100.1, 13.2, 100.6, 13.8))
