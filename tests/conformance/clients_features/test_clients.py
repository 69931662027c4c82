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
        # It pushes a filter down where the classes, by these names, and the queryables allow it.
        assert {"http://www.opengis.net/spec/cql2/1.0/conf/" + name for name in (
            "basic-cql2", "cql2-text", "basic-spatial-operators", "case-insensitive-comparison",
            "advanced-comparison-operators")} <= set(classes)  # fmt: skip
        collection = f"{service_url}/collections/{AIR}"
        asked = await ask(f"{collection}/queryables", {"Accept": "application/schema+json"})
        place = asked.json()["properties"]["location"]
        assert place["$ref"].startswith("https://geojson.org/schema/")
        schema = next(one for one in layer["links"] if one["rel"].endswith("/ogc/1.0/schema"))
        assert "pm25" in (await ask(schema["href"], json)).json()["properties"]
        for said, many in (
            ('(S_INTERSECTS(location,BBOX(100.15,13,100.45,14)) AND "pm25" > ( - (5)))', 3),
            ('(NOT ("isMoving" = TRUE))', 6),
            ('"pm25" NOT BETWEEN 1 AND 50', 4),
            ("(\"stationCode\" NOT LIKE 's0%')", 2),
            ("\"stationCode\" NOT IN ('s01','s02')", 9),
            ("(CASEI(\"stationCode\") LIKE CASEI('S1%'))", 2),
            ('("pm25" IS NULL)', 1),
            ("(\"observedAt\" >= TIMESTAMP('2025-05-09T00:00:00.000Z'))", 2),
        ):
            answer = await ask(items, geo, filter=said, **{"filter-lang": "cql2-text"})
            assert answer.json()["numberMatched"] == many, said
        options = await http.options(items)  # it asks so whether it may write
        assert "POST" not in options.headers["allow"]
