"""Clients that others wrote, and the requests that QGIS sends, against a live service."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import frost_sta_client as frost
import httpx
from geojson import Point

QGIS_POLYGON = "geography'Polygon ((99 12, 102 12, 102 15, 99 15, 99 12))'"


def _with_frost(url: str) -> dict[str, Any]:
    service = frost.SensorThingsService(url)
    thing = frost.Thing("Mast", "A mast", {"owner": "city"})
    service.create(thing)
    location = frost.Location(
        "Roof", "A roof", "application/geo+json", location=Point((100.5, 13.7)), things=[thing]
    )
    service.create(location)
    sensor = frost.Sensor("DHT22", "A sensor", "text/plain", metadata="none")
    service.create(sensor)
    observed = frost.ObservedProperty("Temperature", "http://example.org/t", "How warm")
    service.create(observed)
    stream = frost.Datastream(
        "Temperature of the mast",
        "d",
        "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
        frost.UnitOfMeasurement("degree Celsius", "°C", "ucum:Cel"),
        thing=thing,
        sensor=sensor,
        observed_property=observed,
    )
    service.create(stream)
    for hour in range(3):
        at = datetime(2025, 1, 1, hour, tzinfo=UTC).isoformat()
        service.create(frost.Observation(phenomenon_time=at, result=hour, datastream=stream))
    found = service.datastreams().query().filter(f"id eq {stream.id}").list()
    values = service.observations().query().filter(f"Datastream/id eq {stream.id}")
    listed = values.orderby("phenomenonTime", "desc").top(2).list()
    thing.description = "Another"
    service.update(thing)
    again = service.things().find(thing.id)
    service.delete(service.observations().query().top(1).list().entities[0])
    left = service.observations().query().count().list()
    return {
        "streams": [one.name for one in found],
        "results": [one.result for one in listed],
        "description": again.description,
        "left": left.count,
    }


async def test_frost_client_creates_queries_changes_and_deletes(service_url: str) -> None:
    said = await asyncio.to_thread(_with_frost, service_url)
    assert said["streams"] == ["Temperature of the mast"]
    assert said["results"] == [2, 1]
    assert said["description"] == "Another"
    assert said["left"] == 2


async def test_the_requests_of_qgis(service_url: str) -> None:
    """As its SensorThings provider sends them: probes, counts, pages with expansions."""
    await asyncio.to_thread(_with_frost, service_url)
    async with httpx.AsyncClient(base_url=service_url + "/", timeout=30) as http:

        async def ask(path: str) -> Any:
            answer = await http.get(path)
            assert answer.status_code == 200, answer.text
            return answer.json()

        root = await ask("")
        assert {"Locations", "Things"} <= {one["name"] for one in root["value"]}
        for kind in ("Point", "Polygon", "LineString", "MultiPoint"):
            counted = await ask(
                f"Locations?$top=0&$count=true&$filter=location/type eq '{kind}'"
                f" or location/geometry/type eq '{kind}'"
            )
            assert counted["@iot.count"] == (1 if kind == "Point" else 0)
        page = await ask(
            "Locations?$top=200&$count=false"
            f"&$filter=(location/type eq 'Point' or location/geometry/type eq 'Point') and"
            f" geo.intersects(location, {QGIS_POLYGON})"
            "&$expand=Things($expand=Datastreams($filter=startswith(name,'Temp');$top=5"
            ";$expand=Observations($orderby=phenomenonTime desc;$top=10)))"
        )
        [place] = page["value"]
        [stream] = place["Things"][0]["Datastreams"]
        assert [one["result"] for one in stream["Observations"]] == [2, 1]
        page = await ask(
            f"FeaturesOfInterest?$top=200&$filter=geo.intersects(feature, {QGIS_POLYGON})"
        )
        assert len(page["value"]) == 1
        page = await ask("Datastreams?$top=200&$filter=observedArea/type eq 'Polygon'")
        assert page["value"] == []
