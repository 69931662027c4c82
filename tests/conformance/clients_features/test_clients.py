"""Clients that others wrote, unchanged, and requests as QGIS sends them."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
from owslib.ogcapi.features import Features

AIR = "AirQualityObserved"


async def test_owslib_reads_collections_items_and_filters(service_url: str) -> None:
    def talk() -> None:
        service = Features(service_url)
        assert "openapi" in service.api()
        assert len(service.conformance()["conformsTo"]) > 10
        assert service.feature_collections() == ["AdministrativeArea", AIR]
        assert service.collection(AIR)["extent"]["spatial"]["bbox"]
        assert "pm25" in service.collection_queryables(AIR)["properties"]
        page = service.collection_items(AIR, limit=3)
        assert len(page["features"]) == page["numberReturned"] == 3
        boxed = service.collection_items(AIR, bbox=[100.15, 13.6, 100.35, 13.8])
        assert boxed["numberMatched"] == 2
        timed = service.collection_items(AIR, datetime_="2025-05-03/2025-05-05")
        assert timed["numberMatched"] == 3
        told = service.collection_items(AIR, filter="pm25 > 70", sortby=("pm25", "desc"))
        assert [f["properties"]["pm25"] for f in told["features"]] == [90.0, 80.0]
        one = service.collection_item(AIR, page["features"][0]["id"])
        assert one["geometry"]["type"] == "Point"

    await asyncio.to_thread(talk)


async def test_requests_as_qgis_sends_them(service_url: str) -> None:
    """The order of its provider: landing page, API document, conformance, collections, queryables,
    then items by the box of the map, page by page, in the layer's own coordinate system."""
    json = {"Accept": "application/json"}
    geo = {"Accept": "application/geo+json, application/json"}
    async with httpx.AsyncClient() as http:

        async def ask(url: str, headers: dict[str, str], **params: Any) -> Any:
            answer = await http.get(url, headers=headers, params=params or None)
            assert answer.status_code == 200, answer.text
            return answer

        landing = (await ask(service_url, json)).json()
        links = {one["rel"]: one for one in landing["links"]}
        described = await ask(
            links["service-desc"]["href"],
            {"Accept": "application/vnd.oai.openapi+json;version=3.0, application/openapi+json"},
        )
        limit = described.json()["components"]["parameters"]["limit"]["schema"]
        assert (limit["maximum"], limit["default"]) == (1000, 100)
        classes = (await ask(links["conformance"]["href"], json)).json()["conformsTo"]
        assert "http://www.opengis.net/spec/ogcapi-features-2/1.0/conf/crs" in classes
        found = (await ask(links["data"]["href"], json)).json()["collections"]
        layer = next(one for one in found if one["id"] == AIR)
        assert "http://www.opengis.net/def/crs/EPSG/0/32647" in layer["crs"]
        items = f"{service_url}/collections/{AIR}/items"
        utm = "http://www.opengis.net/def/crs/EPSG/0/32647"
        answer = await ask(
            items,
            geo,
            limit="2",
            bbox="620000,1500000,700000,1530000",
            **{"bbox-crs": utm, "crs": utm},
        )
        assert answer.headers["content-crs"] == f"<{utm}>"
        seen: list[str] = []
        while True:
            body = answer.json()
            seen += [one["id"][-3:] for one in body["features"]]
            assert all(one["geometry"]["coordinates"][0] > 600_000 for one in body["features"])
            following = [one["href"] for one in body["links"] if one["rel"] == "next"]
            if not following:
                break
            answer = await ask(following[0], geo)
        assert seen == ["s02", "s03", "s04", "s05", "s06", "s07", "s08"]
        filtered = await ask(
            items, geo, filter='("pm25" >= 30)', **{"filter-lang": "cql2-text", "limit": "1000"}
        )
        assert filtered.json()["numberMatched"] == 7
