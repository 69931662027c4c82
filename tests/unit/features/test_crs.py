"""Coordinates are turned to the millimetre, and back."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from nagara.features.crs import CRS84, SYSTEMS, from_crs, to_crs

EPSG = "http://www.opengis.net/def/crs/EPSG/0/"

#: (EPSG code, longitude, latitude, easting, northing), by PROJ 9.5.1: places of Thailand and its
#: neighbours, the equator, and a place outside of its zone.
CHECK_POINTS = [
    (32647, 100.5018, 13.7563, 662366.59778, 1521280.65506),  # Bangkok
    (32647, 98.9853, 18.7883, 498450.88050, 2077403.64480),  # Chiang Mai
    (32647, 99.0, 0.0, 500000.00000, 0.00000),
    (32647, 97.3964, 5.6108, 322385.79775, 620424.91251),
    (32647, 101.9, 20.5, 802483.97613, 2269495.33311),
    (32647, 93.0, -10.0, -158712.84770, -1111418.03288),
    (32648, 102.8236, 16.4322, 267603.42277, 1817992.91803),  # Khon Kaen
    (32648, 105.6368, 15.1, 568430.06181, 1669485.55203),
    (32648, 106.6297, 10.8231, 678162.48461, 1196895.51518),
    (32648, 104.9282, 11.5564, 492171.36822, 1277502.96616),
    (3857, 100.5018, 13.7563, 11187809.19981, 1546272.21498),
    (3857, -122.4, 37.8, -13625505.67310, 4551210.91969),
]


@pytest.mark.parametrize(("code", "lon", "lat", "east", "north"), CHECK_POINTS)
def test_a_check_point_is_met_to_a_tenth_of_a_millimetre(code, lon, lat, east, north):
    crs = SYSTEMS[f"{EPSG}{code}"]
    x, y = crs.to(np.array([lon]), np.array([lat]))
    assert abs(x[0] - east) < 1e-4
    assert abs(y[0] - north) < 1e-4
    back_lon, back_lat = crs.back(np.array([east]), np.array([north]))
    assert abs(back_lon[0] - lon) < 1e-9  # a tenth of a millimetre
    assert abs(back_lat[0] - lat) < 1e-9


@given(st.sampled_from(list(SYSTEMS)), st.floats(85, 115), st.floats(-25, 35))
def test_there_and_back_is_where_it_was(uri, lon, lat):
    crs = SYSTEMS[uri]
    x, y = crs.to(np.array([lon]), np.array([lat]))
    back_lon, back_lat = crs.back(x, y)
    assert abs(back_lon[0] - lon) < 1e-10
    assert abs(back_lat[0] - lat) < 1e-10


def test_latitude_comes_first_where_the_authority_says_so():
    place = {"type": "Point", "coordinates": [100.5, 13.7, 12.0]}
    assert to_crs(place, SYSTEMS[f"{EPSG}4326"])["coordinates"] == [13.7, 100.5, 12.0]
    assert to_crs(place, SYSTEMS[CRS84]) is place
    asked = from_crs(shapely.Point(13.7, 100.5), SYSTEMS[f"{EPSG}4326"])
    assert (asked.x, asked.y) == (100.5, 13.7)


def test_every_kind_of_geometry_keeps_its_shape():
    ring = [[100.0, 13.0], [101.0, 13.0], [101.0, 14.0], [100.0, 13.0]]
    kinds = {
        "MultiPoint": ring,
        "LineString": ring,
        "MultiLineString": [ring, ring],
        "Polygon": [ring],
        "MultiPolygon": [[ring], [ring]],
    }
    places = [{"type": kind, "coordinates": said} for kind, said in kinds.items()]
    places.append({"type": "GeometryCollection", "geometries": list(places)})
    for place in places:
        made = to_crs(place, SYSTEMS[f"{EPSG}32647"])
        before, after = shapely.geometry.shape(place), shapely.geometry.shape(made)
        assert after.geom_type == before.geom_type
        assert len(shapely.get_coordinates(after)) == len(shapely.get_coordinates(before))


def test_what_lies_beyond_the_reach_of_a_zone_has_no_coordinates():
    far = {"type": "Point", "coordinates": [-80.0, 10.0]}
    assert to_crs(far, SYSTEMS[f"{EPSG}32647"]) is None
    assert from_crs(shapely.Point(9e9, 9e9), SYSTEMS[f"{EPSG}32647"]) is None
