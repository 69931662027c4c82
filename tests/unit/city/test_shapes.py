"""Shapes are read where they lie, kept for the next start, and never trusted when stale."""

from __future__ import annotations

import json
import os

import pytest
import shapely

from nagara.city.errors import KitDataUnreadable
from nagara.city.shapes import read_shapes
from unit.city import made


@pytest.fixture
def data(tmp_path):
    return made.write_shapes(tmp_path / "data")


def test_without_a_folder_there_are_no_shapes_and_no_error(made_city, tmp_path):
    for folder in (None, tmp_path / "nowhere"):
        shapes = read_shapes(made_city, folder, tmp_path / "cache")
        assert shapes.districts is None
        assert dict(shapes.layers) == {}


def test_a_layer_holds_what_lies_in_the_bounds(made_city, data):
    parks = read_shapes(made_city, data, None).layers["parks"]
    assert [feature["properties"] for feature in parks["features"]] == [{"name": "สวน"}]


def test_a_second_reading_is_equal_and_does_not_touch_the_source(made_city, data, tmp_path):
    first = read_shapes(made_city, data, tmp_path / "cache")
    for path in data.glob("*.geojson"):
        stamp = path.stat()
        path.write_bytes(b" " * stamp.st_size)  # same name, size and time: the cache answers
        os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    again = read_shapes(made_city, data, tmp_path / "cache")
    assert again.layers == first.layers
    assert again.districts.geojson("A") == first.districts.geojson("A")


def test_a_changed_source_is_read_anew(made_city, data, tmp_path):
    read_shapes(made_city, data, tmp_path / "cache")
    text = (data / "parks.geojson").read_text("utf-8")
    (data / "parks.geojson").write_text(text.replace("\\u0e2a", "X"), "utf-8")
    parks = read_shapes(made_city, data, tmp_path / "cache").layers["parks"]
    assert parks["features"][0]["properties"]["name"].startswith("X")


@pytest.mark.parametrize("rubbish", [b"", b"{", b"[]", b'{"features": 3}', b"\xff\xfe"])
def test_a_broken_cache_is_read_anew(made_city, data, tmp_path, rubbish):
    first = read_shapes(made_city, data, tmp_path / "cache")
    for path in (tmp_path / "cache").iterdir():
        path.write_bytes(rubbish)
    again = read_shapes(made_city, data, tmp_path / "cache")
    assert again.layers == first.layers
    assert again.districts.codes() == ("A", "B")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"CODE": "B"', '"CODE": "C"', "CODE='C'"),
        ('"CODE": "B"', '"CODE": "A"', "B"),
        ("100.9", '"x"', "geometry"),
        ('"features"', '"parts"', "FeatureCollection"),
    ],
)
def test_a_file_that_is_not_what_the_kit_says_is_refused(made_city, data, old, new, said):
    path = data / "districts.geojson"
    path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")
    with pytest.raises(KitDataUnreadable) as raised:
        read_shapes(made_city, data, None)
    assert raised.value.params["file"] == "districts.geojson"
    assert said in raised.value.params["reason"]


def test_bangkok_of_the_archive_is_light_whole_and_lies_where_the_kit_says(
    bangkok, nagara_archives, tmp_path
):
    shapes = read_shapes(bangkok, nagara_archives, tmp_path)
    city = bangkok.with_shapes(shapes)
    (kept,) = tmp_path.glob("shapes-districts-*.geojson")
    assert kept.stat().st_size < 400_000
    assert len(json.loads(kept.read_text("utf-8"))["features"]) == 50
    assert sorted(shapes.layers) == ["buildings", "parks", "water"]
    outlines = [city.district_index.outline(d.code) for d in city.districts]
    assert all(outline.is_valid for outline in outlines)
    overlap = sum(o.area for o in outlines) - shapely.union_all(outlines).area
    assert overlap < 1e-6
    whole = shapely.union_all(outlines)
    holes = [ring for part in getattr(whole, "geoms", [whole]) for ring in part.interiors]
    for ring in holes:  # gaps of rounding belong to a neighbour, not to nobody
        assert city.district_at(*shapely.Polygon(ring).representative_point().coords[0])
    for district in city.districts:
        assert city.district_at(*district.centre) is district
    for station in city.air_stations:
        assert city.district_at(*station.location).code == station.district
    for place in city.places:
        assert city.district_at(*place.location).code == place.district


def test_phuket_of_the_archive_is_read_without_a_line_of_code(nagara_archives, tmp_path):
    from nagara.city import bundled_kit

    phuket = bundled_kit("th-pkt")
    city = phuket.with_shapes(read_shapes(phuket, nagara_archives, tmp_path))
    assert city.district_at(98.301, 7.896).code == "8302"  # Patong
    assert all(city.district_at(*d.centre) is d for d in city.districts)
