"""5.7.4 Query Temporal Evolution: conditions are judged on what was so in the span."""

from __future__ import annotations

import itertools
from typing import Any

import httpx
import pytest

IN, OUT = "2026-03-01T12:00:00Z", "2026-01-05T00:00:00Z"
WINDOW = {
    "timerel": "between",
    "timeAt": "2026-03-01T00:00:00Z",
    "endTimeAt": "2026-03-02T00:00:00Z",
}
_runs = itertools.count(1)


def prop(value: Any, at: str = IN, **more: Any) -> dict[str, Any]:
    return {"type": "Property", "value": value, "observedAt": at, **more}


def place(lon: float, lat: float, at: str = IN) -> dict[str, Any]:
    point = {"type": "Point", "coordinates": [lon, lat]}
    return {"type": "GeoProperty", "value": point, "observedAt": at}


ENTITIES: dict[str, dict[str, Any]] = {
    "fast": {
        "speed": [prop(30), prop(90, OUT)],
        "heading": [prop(45)],
        "location": [place(2.29, 48.85)],
    },
    "slow": {"speed": [prop(10), prop(80, OUT)], "heading": [prop(170)]},
    "shapes": {
        "name": [prop("m")],
        "ref": [{"type": "Relationship", "object": "urn:dest:1", "observedAt": IN}],
        "tags": [prop(["a", "b"])],
        "label": [{"type": "LanguageProperty", "languageMap": {"en": "red"}, "observedAt": IN}],
    },
    "never": {"speed": [prop(99, OUT)], "location": [place(2.29, 48.85, OUT)]},
    "multi": {
        "speed": [prop(5), prop(60, datasetId="urn:ngsi-ld:Dataset:1")],
        "location": [place(10.0, 50.0)],
    },
}


async def tell(history: httpx.AsyncClient, kind: str, entities: dict[str, Any]) -> None:
    for name, attrs in entities.items():
        body = {"id": f"urn:ngsi-ld:{kind}:{name}", "type": kind, **attrs}
        answer = await history.post("/temporal/entities", json=body)
        assert answer.status_code == 201, answer.text


async def names(history: httpx.AsyncClient, **params: Any) -> set[str]:
    answer = await history.get("/temporal/entities", params={**WINDOW, **params})
    assert answer.status_code == 200, answer.text
    return {e["id"].rsplit(":", 1)[1] for e in answer.json()}


async def test_values_places_and_paging_are_of_the_span(history: httpx.AsyncClient) -> None:
    kind = f"Car{next(_runs)}"
    await tell(history, kind, ENTITIES)
    near = {"georel": "near;maxDistance==2000", "geometry": "Point", "coordinates": "[2.29,48.85]"}
    for q, expected in {
        "speed>25": {"fast", "multi"},
        "speed>=5;heading<90": {"fast"},
        "speed>25|heading>100": {"fast", "slow", "multi"},
        'speed>25|name~="^m"': {"fast", "shapes", "multi"},
        "!heading;speed>25": {"multi"},
        "speed==10..40": {"fast", "slow"},
        'ref=="urn:dest:1"': {"shapes"},
        'tags=="a"': {"shapes"},
        "speed>50": {"multi"},
        'label[en]=="red"': {"shapes"},
    }.items():
        assert await names(history, type=kind, q=q) == expected, q
    assert await names(history, type=kind) == {"fast", "slow", "shapes", "multi"}
    assert await names(history, type=kind, **near) == {"fast"}
    assert await names(history, type=kind, **{**near, "georel": "disjoint"}) == {"multi"}
    asked = {**WINDOW, "type": kind, "q": "speed>25", "count": "true", "limit": "1"}
    pages = []
    for offset in range(3):
        answer = await history.get("/temporal/entities", params={**asked, "offset": str(offset)})
        assert answer.headers["ngsild-results-count"] == "2"
        pages.append([e["id"].rsplit(":", 1)[1] for e in answer.json()])
    assert pages == [["fast"], ["multi"], []]
    none = {**WINDOW, "type": kind, "limit": "0", "count": "true"}
    answer = await history.get("/temporal/entities", params=none)
    assert (answer.json(), answer.headers["ngsild-results-count"]) == ([], "4")
    text = (await history.get("/temporal/entities", params={**WINDOW, "type": kind})).text
    assert OUT not in text


async def test_scopes_hold_from_when_they_were_set_until_they_were_not(
    history: httpx.AsyncClient,
) -> None:
    kind = f"Bus{next(_runs)}"

    def scope(value: Any, hour: str) -> dict[str, Any]:
        return prop(value, f"2026-03-01T{hour}:00Z")

    def speed(value: str, minute: str) -> dict[str, Any]:
        return prop(value, f"2026-03-01T12:{minute}:00Z")

    await tell(
        history,
        kind,
        {
            "ab": {"scope": [scope("/A/B", "10:00")], "speed": [speed("ab", "05")]},
            "bare": {"speed": [speed("bare", "05")]},
            "both": {"scope": [scope(["/A/B", "/C"], "10:00")], "speed": [speed("both", "05")]},
            "mid": {
                "scope": [scope("/M", "12:10")],
                "speed": [speed("midpre", "05"), speed("midpost", "15")],
            },
            "rep": {
                "scope": [scope("/R", "10:00"), scope("/S", "12:30")],
                "speed": [speed("repold", "15"), speed("repnew", "45")],
            },
            "late": {"scope": [scope("/Z", "14:00")], "speed": [speed("late", "05")]},
        },
    )
    window = {
        "timerel": "between",
        "timeAt": "2026-03-01T12:00:00Z",
        "endTimeAt": "2026-03-01T13:00:00Z",
        "type": kind,
    }
    for scopes, expected in {
        "/A/B": {"ab", "both"},
        "/Y": set(),
        "/A/#": {"ab", "both"},
        "/#": {"ab", "both", "mid", "rep"},
        "/A/B|/M": {"ab", "both", "mid"},
        "(/A/B;/C)": {"both"},
        "/Z": set(),
    }.items():
        assert await names(history, **{**window, "scopeQ": scopes}) == expected, scopes

    async def text(scopes: str) -> str:
        answer = await history.get("/temporal/entities", params={**window, "scopeQ": scopes})
        return answer.text

    assert "midpost" in await text("/M")
    assert "midpre" not in await text("/M")
    assert "repold" in await text("/R")
    assert "repnew" not in await text("/R")
    assert "repnew" in await text("/S")
    assert "repold" not in await text("/S")
    # Annex C.5.16: the scope that held when the span began is told, though it was set before it.
    asked = {**window, "scopeQ": "/A/#"}
    for said in (await history.get("/temporal/entities", params=asked)).json():
        assert [s["observedAt"] for s in said["scope"]] == ["2026-03-01T10:00:00Z"]
    assert [s["value"] for s in said["scope"]] == [["/A/B", "/C"]]
    pairs = {**asked, "options": "temporalValues"}
    [_, both] = (await history.get("/temporal/entities", params=pairs)).json()
    assert both["scope"]["values"] == [[["/A/B", "/C"], "2026-03-01T10:00:00Z"]]
    bare = (await history.get("/temporal/entities", params={**asked, "attrs": "speed"})).json()
    assert all("scope" not in said for said in bare)
    assert "10:00" not in await text("/S")


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {**WINDOW},
        {**WINDOW, "attrs": "createdAt"},
        {**WINDOW, "id": "urn:ngsi-ld:Entity:01,urn:ngsi-ld:Entity:02"},
        {**WINDOW, "type": "Building", "pick": "a", "attrs": "b"},
        {"type": "Building"},
        {**WINDOW, "type": "Building", "pick": "owner{name}"},
        {**WINDOW, "type": "Building", "q": 'owner{name}=="x"'},
        {**WINDOW, "type": "Building", "id": "not a uri"},
        {**WINDOW, "type": "Building", "csf": "))bad(("},
        {**WINDOW, "type": "Building", "orderBy": "name"},
        {**WINDOW, "type": "Building", "limit": "-1"},
    ],
)
async def test_a_question_that_is_none_is_refused(
    history: httpx.AsyncClient, wrong: dict[str, str]
) -> None:
    answer = await history.get("/temporal/entities", params=wrong)
    assert answer.status_code == 400, answer.text
    assert answer.json()["type"].endswith("BadRequestData")


async def test_a_query_by_body(history: httpx.AsyncClient) -> None:
    kind = f"Van{next(_runs)}"
    await tell(history, kind, ENTITIES)
    span = {"timerel": "after", "timeAt": "2026-02-01T00:00:00Z"}
    body: dict[str, Any] = {"type": "Query", "entities": [{"type": kind}], "temporalQ": span}
    where = "/temporal/entityOperations/query"
    answer = await history.post(where, json=body)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()) == 4
    for methods in ("avg,max", ["avg"]):
        temporal = {**span, "aggrMethods": methods}
        answer = await history.post(where, json={**body, "temporalQ": temporal})
        assert "avg" in answer.text, answer.text
        assert "instanceId" not in answer.text
    params = {"aggrMethods": ["avg"], "aggrPeriodDuration": "PT0S"}
    answer = await history.post(where, json={**body, "aggrParams": params})
    assert '"avg"' in answer.text
    for word, part in {
        "aggrMethods": {"aggrParams": {"aggrMethods": ["median"]}},
        "aggrPeriodDuration": {
            "aggrParams": {"aggrMethods": ["avg"], "aggrPeriodDuration": "hourly"}
        },
        "lastN": {"temporalQ": {**span, "lastN": 0}},
        "timerel": {"temporalQ": {"timerel": "during", "timeAt": IN}},
        "timeproperty": {"temporalQ": {**span, "timeproperty": "seenAt"}},
    }.items():
        answer = await history.post(where, json={**body, **part})
        assert answer.status_code == 400, answer.text
        assert word in answer.text


async def test_created_and_modified_are_times_to_ask_by_too(history: httpx.AsyncClient) -> None:
    kind = f"Cab{next(_runs)}"
    body = {
        "id": f"urn:ngsi-ld:{kind}:1",
        "type": kind,
        "category": {"type": "VocabProperty", "vocab": "commercial"},
    }
    assert (await history.post("/entities", json=body)).status_code == 201
    span = {"timerel": "after", "timeAt": "2020-01-01T00:00:00Z"}
    for by in ("createdAt", "modifiedAt"):
        asked = {**span, "timeproperty": by, "type": kind}
        answer = await history.get("/temporal/entities", params=asked)
        assert [e["category"][0]["vocab"] for e in answer.json()] == ["commercial"]
    asked = {"timerel": "before", "timeAt": "2020-01-01T00:00:00Z", "timeproperty": "createdAt"}
    assert (await history.get("/temporal/entities", params={**asked, "type": kind})).json() == []
