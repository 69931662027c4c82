"""Part 2: coordinate reference systems by reference, 18-058r1, the abstract tests of annex A."""

from __future__ import annotations

import pytest

from nagara.features.crs import CRS84, SYSTEMS

from .conftest import AIR, Client

EPSG = "http://www.opengis.net/def/crs/EPSG/0/"
ONE = f"{AIR}/items/urn:ngsi-ld:AirQualityObserved:s05"


async def test_crs_uri_and_storage_crs(client: Client) -> None:
    body = await client.get("/collections")
    for one in body["collections"]:
        assert one["crs"][0] == CRS84
        assert one["storageCrs"] in one["crs"]
        assert one["crs"] == list(SYSTEMS)


@pytest.mark.parametrize("path", [f"{AIR}/items", ONE])
async def test_crs_parameter(client: Client, path: str) -> None:
    for uri in SYSTEMS:
        answer = await client.ask(path, crs=uri)
        assert answer.headers["content-crs"] == f"<{uri}>"
    assert (await client.ask(path)).headers["content-crs"] == f"<{CRS84}>"


@pytest.mark.parametrize("path", [f"{AIR}/items", ONE])
async def test_crs_parameter_invalid(client: Client, path: str) -> None:
    for wrong in ("", "EPSG:4326", EPSG + "9999", "http://www.opengis.net/def/crs/unknown"):
        await client.ask(path, 400, crs=wrong)


async def test_crs_parameter_transform(client: Client) -> None:
    """Check points by PROJ 9.5.1 of 100.5 E, 13.7 N."""
    for code, place in (
        ("4326", [13.7, 100.5]),
        ("3857", [11187608.8247, 1539820.6224]),
        ("32647", [662210.6563, 1515051.1732]),
    ):
        body = await client.get(ONE, crs=EPSG + code)
        found = body["geometry"]["coordinates"]
        assert found == pytest.approx(place, abs=0.001), code


async def test_bbox_crs_parameter(client: Client) -> None:
    assert await client.ids(bbox="13.6,100.15,13.8,100.35", bbox_crs=EPSG + "4326") == [
        "s02",
        "s03",
    ]
    said = "11149000,1530000,11172000,1550000"  # 100.152 to 100.359 E
    assert await client.ids(bbox=said, bbox_crs=EPSG + "3857") == ["s02", "s03"]
    said = "629000,1510000,646500,1520000"
    assert await client.ids(bbox=said, bbox_crs=EPSG + "32647") == ["s02", "s03"]


async def test_bbox_crs_parameter_default_is_crs84(client: Client) -> None:
    for said in ("100.15,13.6,100.35,13.8",):
        assert await client.ids(bbox=said) == await client.ids(bbox=said, bbox_crs=CRS84)


async def test_bbox_crs_parameter_invalid(client: Client) -> None:
    for wrong in ("", "EPSG:4326", EPSG + "9999"):
        await client.ask(f"{AIR}/items", 400, bbox="0,0,1,1", bbox_crs=wrong)
    await client.ask(f"{AIR}/items", 400, bbox="9e9,9e9,9.1e9,9.1e9", bbox_crs=EPSG + "32647")


async def test_filter_crs_is_that_of_the_filter(client: Client) -> None:
    said = "S_INTERSECTS(location, BBOX(13.6,100.15,13.8,100.35))"
    assert await client.ids(filter=said, filter_crs=EPSG + "4326") == ["s02", "s03"]
    said = (
        "S_WITHIN(location, POLYGON((13.6 100.15,13.8 100.15,13.8 100.35,13.6 100.35,13.6 100.15)))"
    )
    assert await client.ids(filter=said, filter_crs=EPSG + "4326") == ["s02", "s03"]
    await client.ask(f"{AIR}/items", 400, filter=said)  # latitude 100 there is not
