"""Part 3: filtering, 19-079r2, with CQL2, 21-065r2."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nagara.context import lookups
from nagara.features.cql_text import read_text
from nagara.features.narrow import narrowed_by

from .conftest import AIR, Client

ALL = [f"s{n:02d}" for n in range(1, 12)]


async def test_queryables_are_a_json_schema(client: Client) -> None:
    answer = await client.ask(f"{AIR}/queryables")
    assert answer.headers["content-type"] == "application/schema+json"
    body = answer.json()
    assert body["$id"] == str(answer.url)
    assert body["type"] == "object"
    assert body["properties"]["pm25"]["type"] == "number"
    assert body["properties"]["isMoving"]["type"] == "boolean"
    assert body["properties"]["stationCode"]["type"] == "string"
    assert body["properties"]["location"]["format"] == "geometry-any"
    links = {one["rel"]: one for one in (await client.get(AIR))["links"]}
    assert links["http://www.opengis.net/def/rel/ogc/1.0/queryables"]["href"].startswith(
        body["$id"]
    )


@pytest.mark.parametrize(
    ("said", "found"),
    [
        # basic-cql2
        ("pm25 > 70", ["s08", "s09"]),
        ("pm25 >= 80 AND stationCode <> 's09'", ["s08"]),
        ("pm25 = 10 OR pm25 = 20", ["s01", "s02"]),
        ("NOT (pm25 < 85)", ["s09"]),  # what has no value is neither
        ("pm25 IS NULL", ["s10"]),
        ("pm25 IS NOT NULL AND pm25 < 15", ["s01", "s11"]),
        ("isMoving = TRUE AND pm25 < 30", ["s02"]),
        ("isMoving AND pm25 < 30", ["s02"]),
        ("50 < pm25 AND pm25 < 70", ["s06"]),
        ("name = 'Station 3'", ["s03"]),
        ("name.th = 'สถานี 3'", ["s03"]),
        ("id = 'urn:ngsi-ld:AirQualityObserved:s03'", ["s03"]),
        ("stationCode > 's09'", ["s10", "s11"]),
        ("pm25 = 'x'", []),
        ("pm25.unitCode = 'GQ' AND pm25 = 30", ["s03"]),
        ("TRUE", ALL),
        ("FALSE", []),
        ("1 = 1 AND pm25 = 30", ["s03"]),
        # advanced comparison operators
        ("stationCode LIKE 's1%'", ["s10", "s11"]),
        ("stationCode NOT LIKE 's0_'", ["s10", "s11"]),
        ("pm25 BETWEEN 20 AND 30", ["s02", "s03"]),
        ("pm25 NOT BETWEEN 10 AND 80", ["s09", "s11"]),
        ("stationCode IN ('s01','s05','x')", ["s01", "s05"]),
        ("pm25 NOT IN (10,20,30,40,50,60,70,80)", ["s09", "s11"]),
        # case-insensitive comparison
        ("CASEI(name) = CASEI('sTATION 3')", ["s03"]),
        ("CASEI(name) LIKE CASEI('STATION 1%')", ["s01", "s10", "s11"]),
        # properties with each other
        ("stationCode = name", []),
        ("stationCode <> name AND pm25 = 10", ["s01"]),
        # spatial
        ("S_INTERSECTS(location, POINT(100.2 13.7))", ["s02"]),
        ("S_INTERSECTS(geometry, BBOX(100.15,13.6,100.35,13.8))", ["s02", "s03"]),
        ("S_INTERSECTS(location, LINESTRING(100.4 13.7, 100.5 13.7))", ["s04", "s05"]),
        ("NOT S_INTERSECTS(location, BBOX(100,13,101.5,14))", ["s11"]),
        ("S_DISJOINT(location, BBOX(100,13,101.5,14))", ["s11"]),
        ("S_INTERSECTS(location, BBOX(170,-20,-170,20))", ["s11"]),
        ("S_WITHIN(location, POLYGON((100.15 13,100.35 13,100.35 14,100.15 14,100.15 13)))",
         ["s02", "s03"]),
        ("S_INTERSECTS(location, POINT(100.1 13.7)) OR S_EQUALS(location, POINT(100.5 13.7))",
         ["s01", "s05"]),
        ("S_INTERSECTS(location, BBOX(100,13,100.35,14)) AND"
         " S_INTERSECTS(location, BBOX(100.25,13,101,14))", ["s03"]),
        ("S_TOUCHES(location, POLYGON((100.1 13.7,100.35 13,100.35 14,100.1 13.7)))", ["s01"]),
        # temporal
        ("T_AFTER(observedAt, TIMESTAMP('2025-05-08T05:00:00Z'))", ["s09", "s11"]),
        ("T_BEFORE(observedAt, DATE('2025-05-02'))", ["s01"]),
        ("T_DURING(observedAt, INTERVAL('2025-05-02','2025-05-03'))", ["s02", "s03"]),
        ("T_INTERSECTS(INTERVAL('..','2025-05-02'), observedAt)", ["s01", "s02"]),
        ("T_DISJOINT(observedAt, INTERVAL('2025-05-02','..'))", ["s01"]),
        ("T_EQUALS(pm25.observedAt, TIMESTAMP('2025-05-02T05:00:00Z'))", ["s02"]),
        ("observedAt >= DATE('2025-05-09')", ["s09", "s11"]),
        ("observedAt IS NULL", ["s10"]),
    ],
)  # fmt: skip
async def test_cql2_text(
    client: Client, said: str, found: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookups, "TYPE_FEW", 1)
    assert await client.ids(filter=said) == found
    await client.context.lookups.settle()  # what walked the first time is looked up now
    assert await client.ids(filter=said, filter_lang="cql2-text") == found


async def test_a_value_or_time_that_few_have_is_looked_up(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookups, "TYPE_FEW", 1)
    monkeypatch.setattr(lookups, "FOUND_MAX", 3)
    monkeypatch.setattr(lookups, "BEHIND_MAX", 0)
    asked = [
        {"filter": "stationCode = 's03' AND NOT isMoving", "limit": 2},
        {"filter": "pm25 BETWEEN 29 AND 31"},
        {"datetime": "2025-05-03T00:00:00Z/2025-05-04T00:00:00Z"},
    ]
    for _ in range(2):
        for params in asked:
            assert await client.ids(**params) == ["s03"]
        await client.context.lookups.settle()
    async with client.context.db.acquire() as conn:
        rows = await conn.fetch("select attr from context.lookup where built_at is not null")
        assert {row["attr"] for row in rows} >= {"stationCode", "pm25", "*"}
        queryables = {"stationCode": {"Property"}, "name": {"LanguageProperty"}}
        for said, numbers in (("stationCode = 's03'", 1), ("name = 'Station 3'", None)):
            sought = narrowed_by(read_text(said), None, queryables)
            found = await client.context.lookups.find(conn, "", ("AirQualityObserved",), sought)
            assert (None if found is None else len(found)) == numbers


async def test_cql2_json(client: Client) -> None:
    box = {"bbox": [100.15, 13.6, 100.35, 13.8]}
    said = {
        "op": "and",
        "args": [
            {"op": ">", "args": [{"property": "pm25"}, 20]},
            {"op": "s_intersects", "args": [{"property": "location"}, box]},
        ],
    }
    assert await client.ids(filter=json.dumps(said), filter_lang="cql2-json") == ["s03"]


async def test_a_filter_and_all_else_hold_together(client: Client) -> None:
    assert await client.ids(
        filter="pm25 > 20 AND S_INTERSECTS(location, BBOX(100,13,100.55,14))",
        bbox="100.35,13,101,14",
        datetime="2025-05-05/..",
        isMoving="false",
    ) == ["s05"]


@pytest.mark.parametrize(
    ("said", "position"),
    [
        ("pm25 >", 7),
        ("nothing = 1", 1),
        ("pm25 = 1 AND nothing = 1", 14),
        ("S_INTERSECTS(nothing, POINT(1 2))", 14),
        ("S_INTERSECTS(location, BBOX(1,2,3))", 24),
        ("S_INTERSECTS(location, BBOX(1,2,3,400))", 24),
    ],
)
async def test_a_filter_that_is_wrong_is_refused_with_the_place(
    client: Client, said: str, position: int
) -> None:
    body = await client.get(f"{AIR}/items", 400, filter=said)
    assert body["position"] == position
    assert str(position) in body["detail"]


async def test_an_unknown_language_of_filters_is_refused(client: Client) -> None:
    await client.ask(f"{AIR}/items", 400, filter="pm25 > 1", filter_lang="cql-text")
    await client.ask(f"{AIR}/items", 400, filter="{", filter_lang="cql2-json")


async def test_a_value_that_is_no_time_spoils_no_filter(client: Client) -> None:
    assert await client.ids(filter="T_AFTER(stationCode, DATE('2025-05-01'))") == []


_PIECES = st.sampled_from(
    ["pm25", "name", "location", "observedAt", "stationCode", "id", "(", ")", ",", "=", "<>", "<",
     "AND", "OR", "NOT", "IN", "LIKE", "BETWEEN", "IS", "NULL", "'x'", "'%\\'", "'2025-01-01'", "1",
     "1e300", "-2.5", "TRUE", "S_INTERSECTS(location,", "S_WITHIN(", "POINT(1 2)", "BBOX(1,2,3,4)",
     "POLYGON((0 0,1 0,1 1,0 0))", "DATE('2025-01-01')", "TIMESTAMP('9999-12-31T23:59:59Z')",
     "CASEI(", "T_AFTER(", "\x00", "\U0001f600", "'\ud7ff'"]
)  # fmt: skip
_VALUES = st.one_of(st.text(max_size=30), st.lists(_PIECES, max_size=10).map(" ".join))
_NAMES = st.sampled_from(
    ["filter", "bbox", "datetime", "limit", "crs", "bbox-crs", "sortby", "cursor", "geom", "f",
     "lang", "filter-lang", "name", "pm25", "location", "odd"]
)  # fmt: skip


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(params=st.dictionaries(_NAMES, _VALUES, max_size=3))
async def test_no_text_whatever_is_a_defect_of_ours(client: Client, params: dict[str, str]) -> None:
    answer = await client.http.get(f"/ogc/features/v1{AIR}/items", params=params)
    assert answer.status_code in (200, 400), answer.text


_VALID = st.recursive(
    st.sampled_from(
        ["pm25 > 30", "pm25 IS NULL", "isMoving", "stationCode LIKE 's0%'", "TRUE",
         "S_INTERSECTS(location, BBOX(100,13,100.5,14))", "pm25 IN (10,50)",
         "T_AFTER(observedAt, DATE('2025-05-04'))"]
    ),
    lambda inner: st.one_of(
        inner.map(lambda a: f"NOT ({a})"),
        st.tuples(inner, st.sampled_from(["AND", "OR"]), inner).map(
            lambda t: f"({t[0]} {t[1]} {t[2]})"
        ),
    ),
    max_leaves=5,
)  # fmt: skip


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(said=_VALID)
async def test_a_filter_and_its_negation_share_nothing(client: Client, said: str) -> None:
    yes = set(await client.ids(filter=said))
    no = set(await client.ids(filter=f"NOT ({said})"))
    assert not yes & no
    assert set(await client.ids(filter=f"NOT (NOT ({said}))")) == yes
