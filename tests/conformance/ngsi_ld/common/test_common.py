"""What holds for every request: headers, media types, errors (clauses 5.5, 6.3)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from nagara.context.ngsi.parameters import parameters_of
from nagara.context.ngsi.sources.relay import NOTIFY

Client = httpx.AsyncClient
V1 = "/ngsi-ld/v1"
ERRORS = "https://uri.etsi.org/ngsi-ld/errors/"
JSON, JSON_LD, GEO = "application/json", "application/ld+json", "application/geo+json"
ENTITY = {
    "id": "urn:ngsi-ld:Vehicle:common",
    "type": "Vehicle",
    "speed": {"type": "Property", "value": 50},
    "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [100.5, 13.7]}},
}
ONE = f"{V1}/entities/{ENTITY['id']}"


@pytest.fixture
async def stored(ngsi: Client) -> Client:
    assert (await ngsi.post(f"{V1}/entities", json=ENTITY)).status_code == 201
    return ngsi


def demand_problem(answer: httpx.Response, status: int, name: str) -> None:
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body["type"] == ERRORS + name, body
    assert body["title"]
    assert body["detail"]
    assert body["title"] != body["detail"]


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        (None, JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (f"{JSON_LD}, {JSON}", JSON),
        (f"{GEO}, {JSON}", JSON),
        (f"{GEO}, {JSON_LD}", JSON_LD),
        (f"{JSON};q=0.1, {JSON_LD};q=0.9", JSON_LD),
        (JSON_LD, JSON_LD),
        (GEO, GEO),
        (f"{JSON};q=0, */*", JSON_LD),
        (f"{JSON};q=0, {JSON_LD}", JSON_LD),
        (f"*/*;q=0.9, {JSON_LD};q=0.8", JSON),
        (f"{JSON_LD};q=notanumber", JSON_LD),
        ("application/xml, application/json", JSON),
        ("", JSON),
    ],
)
async def test_accept_chooses_by_weight_then_by_the_standards_order(
    stored: Client, accept: str | None, wanted: str
) -> None:
    """Clause 6.3.4; TP 045."""
    stored.headers.pop("accept")
    headers = {} if accept is None else {"accept": accept}
    answer = await stored.get(ONE, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == wanted
    in_body = "@context" in answer.json()
    assert in_body == (wanted != JSON)
    assert ("link" in answer.headers) == (wanted != JSON_LD)


@pytest.mark.parametrize("accept", ["application/xml", "text/html;q=1", f"{JSON};q=0"])
async def test_what_cannot_be_answered_in_is_406(stored: Client, accept: str) -> None:
    for address in (ONE, f"{V1}/subscriptions", f"{V1}/entities?type=Vehicle"):
        answer = await stored.get(address, headers={"accept": accept})
        assert answer.status_code == 406, address


async def test_media_types_are_judged_before_a_subscription_is_looked_up(ngsi: Client) -> None:
    """TP 048_01, 049_01, 049_02."""
    nowhere = f"{V1}/subscriptions/urn:ngsi-ld:Subscription:none"
    for accept in ("application/xml", GEO):
        assert (await ngsi.get(nowhere, headers={"accept": accept})).status_code == 406
    change = {"content": b"<a/>", "headers": {"content-type": "application/xml"}}
    assert (await ngsi.patch(nowhere, **change)).status_code == 415


async def test_an_option_that_an_operation_does_not_have_is_refused(ngsi: Client) -> None:
    """Clauses 6.3.7, 6.3.20: in what writes as in what reads."""
    for method, address in (
        ("GET", f"{V1}/entities?type=T&options=keyvals"),
        ("GET", f"{V1}/subscriptions?options=count,all"),
        ("POST", f"{V1}/entities?format=short"),
        ("POST", f"{V1}/entityOperations/upsert?options=overwrite"),
        ("POST", f"{V1}/entityOperations/upsert?options=noOverwrite"),
        ("POST", f"{V1}/entityOperations/update?options=replace"),
        ("POST", f"{V1}/entities?options=noOverwrite"),
        ("PATCH", f"{ONE}/attrs?options=noOverwrite"),
        ("GET", f"{V1}/entities?type=T&options=temporalValues"),
        ("GET", f"{ONE}?format=aggregatedValues"),
        ("GET", f"{V1}/temporal/entities/{ENTITY['id']}?options=update"),
    ):
        body = [ENTITY] if "entityOperations" in address else ENTITY
        answer = await ngsi.request(method, address, json=None if method == "GET" else body)
        demand_problem(answer, 400, "InvalidRequest")
    assert (await ngsi.get(ONE)).status_code == 404


async def test_a_flag_is_true_or_false(ngsi: Client) -> None:
    for said in ("yes", "1", "True,False"):
        answer = await ngsi.get(f"{V1}/entities", params={"type": "T", "count": said})
        demand_problem(answer, 400, "BadRequestData")
    for said in ("true", "True", "TRUE"):
        answer = await ngsi.get(f"{V1}/entities?count={said}&type=T&local=False")
        assert answer.headers["ngsild-results-count"] == "0", said


async def test_geojson_is_for_entities_alone(stored: Client) -> None:
    """Clause 6.3.15; TP 049_02."""
    answer = await stored.get(f"{V1}/subscriptions", headers={"accept": GEO})
    assert answer.status_code == 406


async def test_geojson_carries_its_context_unless_the_client_prefers_not(stored: Client) -> None:
    """Clause 6.3.6; TP 636_01."""
    for address in (ONE, f"{V1}/entities?type=Vehicle"):
        plain = await stored.get(address, headers={"accept": GEO})
        assert "@context" in plain.json()
        assert "json-ld#context" in plain.headers["link"]
        bare = await stored.get(address, headers={"accept": GEO, "prefer": "body=json"})
        assert "@context" not in bare.json()
        assert "json-ld#context" in bare.headers["link"]


async def test_a_body_without_its_length_is_411_without_a_body(stored: Client) -> None:
    """Clauses 6.3.2, 6.3.4; TP 046_01."""

    async def stream() -> AsyncIterator[bytes]:
        yield b'{"id": "urn:x:1", "type": "T"}'

    for method, address in (
        ("POST", f"{V1}/entities"),
        ("PATCH", f"{ONE}/attrs"),
        ("PUT", ONE),
    ):
        for more in ({}, {"NGSILD-Tenant": "nosuchtenant"}):
            answer = await stored.request(
                method, address, content=stream(), headers={"content-type": JSON, **more}
            )
            assert (answer.status_code, answer.content) == (411, b""), address
    assert (await stored.get(f"{V1}/entities?type=Vehicle")).status_code == 200


@pytest.mark.parametrize("kind", ["application/xml", "text/plain", ""])
async def test_other_kinds_of_body_are_415(stored: Client, kind: str) -> None:
    for method, address in (
        ("POST", f"{V1}/entities"),
        ("POST", f"{V1}/subscriptions"),
        ("POST", f"{V1}/entityOperations/create"),
        ("PATCH", f"{ONE}/attrs/speed"),
    ):
        answer = await stored.request(
            method, address, content=b"<a/>", headers={"content-type": kind}
        )
        assert answer.status_code == 415, address


async def test_merge_patch_is_read_as_json(stored: Client) -> None:
    """Clause 6.3.4; TP 044."""
    kind = {"content-type": "application/merge-patch+json"}
    address = f"{ONE}/attrs/speed"
    plain = await stored.patch(address, content=b'{"value": 51}', headers=kind)
    assert plain.status_code == 204, plain.text
    inside = b'{"value": 52, "@context": {"speed": "https://x.org/speed"}}'
    other = await stored.patch(address, content=inside, headers=kind)
    demand_problem(other, 404, "ResourceNotFound")  # its speed is another one
    assert (await stored.get(ONE)).json()["speed"]["value"] == 51


async def test_a_context_has_one_place(stored: Client) -> None:
    """Clause 6.3.5."""
    link = {"link": '<https://x.org/c>; rel="http://www.w3.org/ns/json-ld#context"'}
    entity = {"id": "urn:x:1", "type": "T"}
    within = {**entity, "@context": {"a": "https://x.org/a"}}
    for body, headers in (
        (within, {"content-type": JSON}),
        (within, {"content-type": JSON_LD, **link}),
        (entity, {"content-type": JSON_LD}),
    ):
        answer = await stored.post(f"{V1}/entities", json=body, headers=headers)
        demand_problem(answer, 400, "BadRequestData")


async def test_each_item_of_a_batch_has_its_own_context(ngsi: Client) -> None:
    """Clause 5.5.6, TP 043_01_04: one that cannot be had fails its item alone."""
    good = {"id": "urn:x:1", "type": "T", "@context": {"T": "https://x.org/T"}}
    away = {"id": "urn:x:2", "type": "T", "@context": "http://127.0.0.1:9/none.jsonld"}
    answer = await ngsi.post(
        f"{V1}/entityOperations/create", json=[away, good], headers={"content-type": JSON_LD}
    )
    assert answer.status_code == 207, answer.text
    body = answer.json()
    assert body["success"] == ["urn:x:1"]
    [failed] = body["errors"]
    assert failed["entityId"] == "urn:x:2"
    assert failed["error"]["type"] == ERRORS + "LdContextNotAvailable"
    got = (await ngsi.get(f"{V1}/entities/urn:x:1")).json()
    assert got["type"] == "https://x.org/T"


async def test_a_context_that_cannot_be_had_is_504(ngsi: Client) -> None:
    """Table 6.3.2-1: LdContextNotAvailable is 504 since version 1.9."""
    away = "http://127.0.0.1:9/none.jsonld"
    subscription = {
        "type": "Subscription",
        "entities": [{"type": "T"}],
        "notification": {"endpoint": {"uri": "http://127.0.0.1:9/n"}},
        "@context": away,
    }
    for address, body in (
        ("entities", {"id": "urn:x:1", "type": "T", "@context": [away]}),
        ("subscriptions", subscription),
        (
            "entityOperations/query",
            {"type": "Query", "entities": [{"type": "T"}], "@context": away},
        ),
    ):
        answer = await ngsi.post(f"{V1}/{address}", json=body, headers={"content-type": JSON_LD})
        demand_problem(answer, 504, "LdContextNotAvailable")
    link = {"link": f'<{away}>; rel="http://www.w3.org/ns/json-ld#context"'}
    answer = await ngsi.get(f"{V1}/entities?type=T", headers=link)
    demand_problem(answer, 504, "LdContextNotAvailable")


@pytest.mark.parametrize(
    ("method", "address"),
    [
        ("POST", "entities"),
        ("GET", "entities?type=Building"),
        ("GET", "temporal/entities?type=Building"),
        ("POST", "subscriptions"),
        ("GET", "subscriptions"),
        ("GET", "jsonldContexts"),
        ("POST", "entityOperations/query"),
    ],
)
async def test_a_parameter_that_there_is_not_is_refused(
    ngsi: Client, method: str, address: str
) -> None:
    """Clause 6.3.20; TP 059_01."""
    sign = "&" if "?" in address else "?"
    answer = await ngsi.request(
        method, f"{V1}/{address}{sign}invalidParams=invalidValue", **_body(method)
    )
    demand_problem(answer, 400, "InvalidRequest")


@pytest.mark.parametrize(
    ("method", "address"),
    [
        ("GET", "entities?type=Vehicle&lastN=1"),
        ("GET", "entities?type=Vehicle&keep=speed"),
        ("DELETE", "entities?type=Vehicle&limit=1"),
        ("DELETE", "entities?type=Vehicle&pick=speed"),
        ("POST", "entities?limit=1"),
        ("GET", f"entities/{ENTITY['id']}?q=speed==1"),
        ("PATCH", f"entities/{ENTITY['id']}/attrs/speed?datasetId=urn:a"),
        ("GET", "temporal/entities?type=Vehicle&join=flat"),
        ("GET", "subscriptions?q=speed==1"),
        ("POST", "entityOperations/delete?type=Vehicle"),
        ("GET", "jsonldContexts?type=Vehicle"),
    ],
)
async def test_a_parameter_of_another_operation_is_refused(
    stored: Client, method: str, address: str
) -> None:
    """Clause 6.3.20: incompatible with the operation. Nothing is done."""
    answer = await stored.request(method, f"{V1}/{address}", **_body(method))
    demand_problem(answer, 400, "InvalidRequest")
    assert (await stored.get(ONE)).json()["speed"]["value"] == 50


async def test_the_table_of_parameters_has_each_operation(ngsi: Client) -> None:
    """Discovery looks for itself."""
    paths = (await ngsi.get("/api/openapi/openapi.json")).json()["paths"]
    for path, item in paths.items():
        if path.startswith(V1) and not path.startswith((f"{V1}/types", f"{V1}/attributes")):
            for method in item:
                assert parameters_of(method.upper(), path) is not None, (method, path)
    assert parameters_of("POST", NOTIFY) == {"subscriptionId"}


def _body(method: str) -> dict[str, Any]:
    return {"json": {"id": "urn:x:1", "type": "T"}} if method == "POST" else {}


async def test_the_tenant_is_told_back_also_with_an_error(stored: Client) -> None:
    """Clauses 5.5.10, 6.3.14; TP 5510_01."""
    there = {"NGSILD-Tenant": "nobodys"}
    answer = await stored.get(f"{V1}/entities?type=Building", headers=there)
    demand_problem(answer, 404, "NonexistentTenant")
    assert answer.headers["ngsild-tenant"] == "nobodys"
    made = await stored.post(f"{V1}/entities", json=ENTITY, headers=there)
    assert (made.status_code, made.headers["ngsild-tenant"], made.content) == (201, "nobodys", b"")
    found = await stored.get(f"{V1}/entities?type=Vehicle", headers=there)
    assert [e["id"] for e in found.json()] == [ENTITY["id"]]
    assert found.headers["ngsild-tenant"] == "nobodys"
    for wrong in ("a b", "é", "x" * 65, "../x"):
        answer = await stored.get(
            f"{V1}/entities?type=T", headers={b"NGSILD-Tenant": wrong.encode("latin-1")}
        )
        demand_problem(answer, 400, "BadRequestData")


async def test_no_length_with_no_content(stored: Client) -> None:
    answer = await stored.delete(ONE)
    assert answer.status_code == 204
    assert "content-length" not in answer.headers


async def test_addresses_that_there_are_not(ngsi: Client) -> None:
    demand_problem(await ngsi.get(f"{V1}/nothing"), 404, "ResourceNotFound")
    answer = await ngsi.put(f"{V1}/subscriptions", json={})
    assert answer.status_code == 405
    assert answer.headers["allow"]
    assert answer.json()["type"].startswith(ERRORS)


async def test_options_tell_the_methods(stored: Client) -> None:
    for address, methods in (
        (f"{V1}/entities", {"GET", "POST"}),
        (f"{V1}/entities/", {"GET", "POST"}),
        (ONE, {"GET", "DELETE", "PATCH", "PUT"}),
        (f"{V1}/jsonldContexts", {"GET", "POST"}),
    ):
        answer = await stored.options(address)
        assert answer.status_code in (200, 204)
        told = {m.strip() for m in answer.headers["allow"].split(",")}
        assert methods <= told, address


async def test_a_slash_at_the_end_changes_nothing(stored: Client) -> None:
    for address in ("entities/?type=Vehicle", "subscriptions/", "jsonldContexts/"):
        assert (await stored.get(f"{V1}/{address}")).status_code == 200, address
    encoded = ENTITY["id"].replace(":", "%3A")
    assert (await stored.get(f"{V1}/entities/{encoded}")).json()["id"] == ENTITY["id"]
