"""A city is data: Phuket starts with no code changed, and works."""

from __future__ import annotations

import httpx

from nagara.app import Application


async def test_another_city_starts_from_its_kit_alone(
    application: Application, browser: httpx.AsyncClient
) -> None:
    city = (await browser.get("/api/v1/city")).json()
    assert city["name"] == {"th": "ภูเก็ต", "en": "Phuket"}
    assert city["shapes"]["districts"] == "approximate"
    districts = (await browser.get("/api/v1/city/districts")).json()
    assert len(districts["features"]) == 3
    assert all(f["properties"]["approximate"] for f in districts["features"])
    areas = await browser.get(
        "/ngsi-ld/v1/entities", params={"type": "AdministrativeArea", "options": "keyValues"}
    )
    assert {area["name"]["languageMap"]["en"] for area in areas.json()} >= {"Kathu", "Thalang"}


async def test_a_resident_of_another_city_reports_and_follows(
    application: Application, browser: httpx.AsyncClient
) -> None:
    city = application.city
    lon, lat = city.districts[0].centre
    form = {
        "category": city.leaf_categories()[0].code,
        "lon": str(lon),
        "lat": str(lat),
        "words": "ไฟถนนดับสามดวงหน้าตลาด",
        "consent": "true",
        "language": "th",
    }
    made = await browser.post("/api/v1/reports", data=form, files={})
    assert made.status_code == 201, made.text
    told = made.json()
    assert told["department"]["name"]["th"]
    assert told["dueAt"].endswith("Z")
    followed = await browser.get(f"/api/v1/reports/{told['trackingCode']}")
    assert followed.status_code == 200
    assert followed.json()["caseNumber"] == told["caseNumber"]
    wrong = await browser.get("/api/v1/reports/AAAA-AAAA-AAAA-AAAA")
    assert wrong.status_code in (404, 422)  # unknown, or no code at all
