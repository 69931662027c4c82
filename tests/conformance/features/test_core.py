"""Part 1: Core, 17-069r4, the abstract tests of annex A.2 by their names."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from urllib.parse import parse_qs, urlsplit

import pytest

from nagara.context import Create, Entity
from nagara.features.crs import CRS84
from nagara.values.time import parse_instant

from .conftest import AIR, ROOT, STATIONS, Client

HTML = "text/html"
GEO_JSON = "application/geo+json"


def rels(body: dict) -> dict[str, list[dict]]:
    found: dict[str, list[dict]] = {}
    for link in body["links"]:
        found.setdefault(link["rel"], []).append(link)
    return found


def demand_self_and_alternate(body: dict, kind: str) -> None:
    """A link to itself, one to every other media type; each with rel and type."""
    links = rels(body)
    assert [one["type"] for one in links["self"]] == [kind]
    assert HTML in [one["type"] for one in links["alternate"]]
    assert all(one["rel"] and one["type"] and one["href"] for one in body["links"])


async def test_root_op_and_root_success(client: Client) -> None:
    for path in ("/", ""):
        body = await client.get(path)
    links = rels(body)
    assert links["service-desc"][0]["type"] == "application/vnd.oai.openapi+json;version=3.0"
    assert {"conformance", "data", "service-doc", "self"} <= links.keys()
    for rel in ("service-desc", "conformance", "data"):
        await client.ask(links[rel][0]["href"])


async def test_api_definition_op_and_success(client: Client) -> None:
    answer = await client.ask("/api")
    assert answer.headers["content-type"] == "application/vnd.oai.openapi+json;version=3.0"
    body = answer.json()
    assert body["openapi"].startswith("3.0.")
    assert body["servers"] == [{"url": f"http://localhost{ROOT}"}]
    assert {"/", "/conformance", "/collections", f"{AIR}/items"} <= body["paths"].keys()


async def test_every_path_of_the_api_answers_as_it_says(client: Client) -> None:
    """A.3.4 of oas30: test points."""
    paths = (await client.get("/api"))["paths"]
    assert len(paths) == 4 + 2 * 5
    for path, item in paths.items():
        feature = "urn:ngsi-ld:AirQualityObserved:s01" if "AirQ" in path else (
            "urn:ngsi-ld:AdministrativeArea:west"
        )  # fmt: skip
        answer = await client.ask(path.replace("{featureId}", feature))
        assert answer.headers["content-type"] in item["get"]["responses"]["200"]["content"]


async def test_conformance_op_and_success(client: Client) -> None:
    body = await client.get("/conformance")
    part1 = "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/"
    assert {part1 + name for name in ("core", "geojson", "html", "oas30")} <= set(
        body["conformsTo"]
    )


async def test_fc_md_op_and_success(client: Client) -> None:
    body = await client.get("/collections")
    demand_self_and_alternate(body, "application/json")
    assert [one["id"] for one in body["collections"]] == [
        "AdministrativeArea",
        "AirQualityObserved",
    ]
    assert body["crs"][0] == CRS84
    for one in body["collections"]:
        items = [link for link in one["links"] if link["rel"] == "items"]
        assert {link["type"] for link in items} == {GEO_JSON, HTML}
        assert (await client.get(f"/collections/{one['id']}")) == one


async def test_fc_md_extent_holds_every_feature(client: Client) -> None:
    body = await client.get(AIR)
    west, south, east, north = body["extent"]["spatial"]["bbox"][0]
    for one in (await client.get(f"{AIR}/items"))["features"]:
        lon, lat = one["geometry"]["coordinates"]
        assert west <= lon <= east
        assert south <= lat <= north
    begin, end = body["extent"]["temporal"]["interval"][0]
    assert (begin, end) == ("2025-05-01T05:00:00Z", None)


async def test_a_collection_that_is_not_there_is_not_found(client: Client) -> None:
    for path in ("", "/queryables", "/items", "/items/urn:x:1"):
        await client.ask(f"/collections/Nothing{path}", 404)


async def test_fc_op_and_fc_response(client: Client) -> None:
    answer = await client.ask(f"{AIR}/items")
    assert answer.headers["content-type"] == GEO_JSON
    body = answer.json()
    assert body["type"] == "FeatureCollection"
    assert len(body["features"]) == len(STATIONS)
    demand_self_and_alternate(body, GEO_JSON)
    first = body["features"][0]
    assert first["type"] == "Feature"
    assert first["properties"]["pm25"] == 10.0
    assert first["properties"]["observedAt"] == "2025-05-01T05:00:00Z"


async def test_fc_time_stamp_and_numbers(client: Client) -> None:
    body = await client.get(f"{AIR}/items", limit=3)
    assert isinstance(parse_instant(body["timeStamp"]), datetime)
    assert body["numberReturned"] == len(body["features"]) == 3
    assert body["numberMatched"] == len(STATIONS)


async def test_fc_limit_definition_and_response(client: Client) -> None:
    limit = (await client.get("/api"))["components"]["parameters"]["limit"]
    assert limit["schema"] == {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}
    assert len(await client.ids(limit=1)) == 1
    assert len(await client.ids(limit=1_000_000)) == len(STATIONS)  # more is no error
    for wrong in ("0", "-1", "x", "1.5", "", "9" * 30, "٣"):
        await client.ask(f"{AIR}/items", 400, limit=wrong)


async def test_next_and_prev_walk_all_pages_and_back(client: Client) -> None:
    """No feature twice, none left out; `prev` is the page that was there."""
    pages, url = [], f"{AIR}/items?limit=4"
    while url:
        body = await client.get(url)
        pages.append((url, [one["id"] for one in body["features"]]))
        assert body["numberMatched"] == len(STATIONS)
        url = rels(body).get("next", [{"href": ""}])[0]["href"]
    walked = [one for _, page in pages for one in page]
    assert walked == sorted(e.id for e in STATIONS)
    for (_, before), (url, _) in pairwise(pages):
        back = rels(await client.get(url))["prev"][0]["href"]
        assert [one["id"] for one in (await client.get(back))["features"]] == before
    assert "prev" not in rels(await client.get(pages[0][0]))


async def test_what_was_asked_stays_in_the_links(client: Client) -> None:
    body = await client.get(f"{AIR}/items", limit=2, bbox="100,13,101,14", filter="pm25 > 20")
    said = parse_qs(urlsplit(rels(body)["next"][0]["href"]).query)
    assert said["bbox"] == ["100,13,101,14"]
    assert said["filter"] == ["pm25 > 20"]
    following = await client.get(rels(body)["next"][0]["href"])
    assert [one["properties"]["pm25"] for one in following["features"]] == [50.0, 60.0]


async def test_fc_bbox_response(client: Client) -> None:
    assert await client.ids(bbox="100.15,13.6,100.35,13.8") == ["s02", "s03"]
    assert await client.ids(bbox="100.15,13.6,-5,100.35,13.8,500") == ["s02", "s03"]
    assert await client.ids(bbox="100.2,13.7,100.2,13.7") == ["s02"]  # the edge belongs to it
    assert await client.ids(bbox="0,0,1,1") == []
    assert await client.ids(bbox="-180,-90,180,90") == [f"s{n:02d}" for n in range(1, 12)]


async def test_a_bbox_may_cross_the_antimeridian(client: Client) -> None:
    assert await client.ids(bbox="170,-20,-170,20") == ["s11"]
    assert await client.ids(bbox="100.85,-20,-170,20") == ["s09", "s10", "s11"]


async def test_a_feature_without_geometry_is_in_no_box(client: Client) -> None:
    areas = "/collections/AdministrativeArea/items"
    body = await client.get(areas)
    assert [one["geometry"] is None for one in body["features"]] == [True, False]
    assert await client.ids(areas, bbox="-180,-90,180,90") == ["west"]
    assert await client.ids(areas, bbox="100.3,13.9,100.9,14.5") == ["west"]


@pytest.mark.parametrize(
    "bbox", ["", "1,2,3", "1,2,3,4,5", "a,b,c,d", "1,5,2,4", "190,0,200,1", "0,-91,1,1",
             "nan,0,1,1", "0,0,inf,1", "0,0,9,1,1,5"]
)  # fmt: skip
async def test_query_param_invalid_bbox(client: Client, bbox: str) -> None:
    await client.ask(f"{AIR}/items", 400, bbox=bbox)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("2025-05-03T05:00:00Z", ["s03"]),
        ("2025-05-03T12:00:00+07:00", ["s03"]),
        ("2025-05-03", ["s03"]),
        ("2025-05-03/2025-05-04", ["s03", "s04"]),
        ("2025-05-03T05:00:01Z/2025-05-04T05:00:00Z", ["s04"]),
        ("../2025-05-02T23:00:00Z", ["s01", "s02"]),
        ("/2025-05-02T23:00:00Z", ["s01", "s02"]),
        ("2025-05-09T00:00:00Z/..", ["s09", "s11"]),
        ("2025-05-09T00:00:00Z/", ["s09", "s11"]),
        ("../..", [f"s{n:02d}" for n in (*range(1, 10), 11)]),
        ("1999-01-01/2000-01-01", []),
    ],
)
async def test_fc_time_response(client: Client, said: str, found: list[str]) -> None:
    assert await client.ids(datetime=said) == found


@pytest.mark.parametrize(
    "said", ["", "yesterday", "2025-13-01", "2025-05-03T05:00:00", "a/b/c", "2025-05-04/2025-05-03"]
)
async def test_query_param_invalid_datetime(client: Client, said: str) -> None:
    await client.ask(f"{AIR}/items", 400, datetime=said)


async def test_query_param_unknown(client: Client) -> None:
    for path in ("/", "/conformance", "/api", "/collections", AIR, f"{AIR}/queryables"):
        await client.ask(path, 400, unknownQueryParameter="1")
    await client.ask(f"{AIR}/items", 400, unknownQueryParameter="1")
    await client.ask(f"{AIR}/items/urn:ngsi-ld:AirQualityObserved:s01", 400, unknown="1")


async def test_properties_are_parameters(client: Client) -> None:
    assert await client.ids(stationCode="s04") == ["s04"]
    assert await client.ids(pm25="40") == ["s04"]
    assert await client.ids(isMoving="true", limit=2) == ["s02", "s04"]
    assert await client.ids(name="Station 3") == ["s03"]
    assert await client.ids(stationCode="' or 1=1 --") == []


async def test_f_op_and_f_success(client: Client) -> None:
    path = f"{AIR}/items/urn:ngsi-ld:AirQualityObserved:s01"
    answer = await client.ask(path)
    assert answer.headers["content-type"] == GEO_JSON
    body = answer.json()
    demand_self_and_alternate(body, GEO_JSON)
    assert rels(body)["collection"][0]["href"] == f"http://localhost{ROOT}{AIR}"
    assert body["id"] == "urn:ngsi-ld:AirQualityObserved:s01"
    assert body["geometry"] == {"type": "Point", "coordinates": [100.1, 13.7]}
    await client.ask(f"{AIR}/items/urn:ngsi-ld:AirQualityObserved:none", 404)
    await client.ask(f"{AIR}/items/urn:ngsi-ld:AdministrativeArea:west", 404)


async def test_sortby_orders_what_is_there(client: Client) -> None:
    assert await client.ids(sortby="-pm25", limit=2) == ["s09", "s08"]
    body = await client.get(f"{AIR}/items", sortby="-pm25", limit=2)
    following = await client.get(rels(body)["next"][0]["href"])
    assert [one["properties"]["pm25"] for one in following["features"]] == [70.0, 60.0]
    await client.ask(f"{AIR}/items", 400, sortby="nothing")


async def test_an_id_with_slashes_is_a_feature_too(client: Client) -> None:
    thing = Entity("https://example.org/things/1", ("https://example.org/Kind",), {})
    await client.context.write(Create(thing), actor="test")
    # A type that nobody classified is for the few: a stranger does not see it.
    await client.ask("/collections/https:~2F~2Fexample.org~2FKind/items", 404)


async def test_schema_gives_every_property_a_type(client: Client) -> None:
    """Part 5, Schemas: a column for each property, whatever the first features lack."""
    links = rels(await client.get(AIR))
    [one] = links["http://www.opengis.net/def/rel/ogc/1.0/schema"]
    answer = await client.ask(one["href"])
    assert answer.headers["content-type"] == "application/schema+json"
    told = answer.json()["properties"]
    kinds = {"pm25": "number", "isMoving": "boolean", "name": "string", "observedAt": "string"}
    assert {name: told[name]["type"] for name in kinds} == kinds
    assert told["location"]["x-ogc-role"] == "primary-geometry"
    assert all("type" in of for name, of in told.items() if name != "location")
    assert len({of["x-ogc-propertySeq"] for of in told.values()}) == len(told)
    await client.ask(f"{AIR}/schema", f="html")


async def test_another_tenant_has_collections_of_its_own(client: Client) -> None:
    entity = STATIONS[0]
    await client.context.write(Create(entity), actor="test", tenant="elsewhere")
    there = {"NGSILD-Tenant": "elsewhere"}
    root = f"http://localhost{ROOT}"
    answer = await client.http.get(f"{root}/collections", headers=there)
    assert [one["id"] for one in answer.json()["collections"]] == ["AirQualityObserved"]
    answer = await client.http.get(f"{root}{AIR}/items", headers=there)
    assert [one["id"] for one in answer.json()["features"]] == [entity.id]
    answer = await client.http.get(f"{root}{AIR}/items/{STATIONS[1].id}", headers=there)
    assert answer.status_code == 404
    assert len(await client.ids()) == len(STATIONS)
    answer = await client.http.get(f"{root}/collections", headers={"NGSILD-Tenant": "nobody"})
    assert answer.status_code == 404
