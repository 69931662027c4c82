"""ETSI GS CIM 009 V1.9.1, 5.8.1 to 5.8.5: subscriptions are made, changed, read, listed, ended."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

V1 = "/ngsi-ld/v1/subscriptions"
Api = Any


def body(**more: Any) -> dict[str, Any]:
    endpoint = {"uri": "http://localhost:1111/notify", **more.pop("endpoint", {})}
    return {
        "type": "Subscription",
        "entities": [{"type": "Building"}],
        "notification": {"endpoint": endpoint, **more.pop("notification", {})},
        **more,
    }


async def test_a_subscription_is_shown_as_it_was_made(ngsi: httpx.AsyncClient) -> None:
    sent = body(id="urn:x:1", datasetId=["urn:x:fr"], status="expired", __own="x")
    sent["notification"] |= {"timesSent": 42, "format": "normalized"}
    made = await ngsi.post(V1, json=sent)
    assert made.status_code == 201
    assert made.headers["location"] == f"{V1}/urn:x:1"
    shown = (await ngsi.get(f"{V1}/urn:x:1")).json()
    assert shown == {
        "id": "urn:x:1",
        "type": "Subscription",
        "entities": [{"type": "Building"}],
        "datasetId": ["urn:x:fr"],
        "notification": {
            "format": "normalized",
            "endpoint": {"uri": "http://localhost:1111/notify"},
        },
        "notificationTrigger": ["attributeCreated", "attributeUpdated"],
        "status": "active",
    }
    assert (await ngsi.post(V1, json=sent)).status_code == 409
    assert (await ngsi.get(f"{V1}/urn:x:2")).status_code == 404
    assert (await ngsi.get(f"{V1}/none")).status_code == 400
    assert (await ngsi.delete(f"{V1}/none")).status_code == 400
    assert (await ngsi.delete(f"{V1}/urn:x:1")).status_code == 204
    assert (await ngsi.delete(f"{V1}/urn:x:1")).status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "Nonsense"},
        {"id": "invalidId"},
        {"id": ""},
        {"entities": None},
        {"entities": [], "watchedAttributes": None},
        {"entities": [{"id": "urn:x:1"}]},
        {"entities": [{"type": "(A|"}]},
        {"watchedAttributes": []},
        {"notificationTrigger": ["entityChanged"]},
        {"throttling": -1},
        {"throttling": 5, "timeInterval": 5},
        {"timeInterval": 0},
        {"q": "n>"},
        {"csf": "(("},
        {"scopeQ": "no"},
        {"geoQ": {"georel": "near", "geometry": "Point", "coordinates": [1, 2]}},
        {"geoQ": {"georel": "within", "geometry": "Polygon", "coordinates": [1]}},
        {"expiresAt": "2000-01-01T00:00:00Z"},
        {"expiresAt": "soon"},
        {"isActive": "yes"},
        {"datasetId": []},
        {"jsonldContext": "unknownContext"},
        {"notification": {}},
        {"notification": {"format": "table"}},
        {"notification": {"format": "keyValues", "showChanges": True}},
        {"notification": {"format": "simplified", "showChanges": True}},
        {"notification": {"attributes": []}},
        {"notification": {"pick": []}},
        {"notification": {"omit": []}},
        {"notification": {"pick": ["id"], "omit": ["id"]}},
        {"notification": {"pick": ["n"], "attributes": ["n"]}},
        {"notification": {"omit": ["n"], "attributes": ["n"]}},
        {"notification": {"join": "deep"}},
        {"notification": {"pick": ["owner{name}"]}},
        {"notification": {"pick": ["owner{name{of}}"], "join": "flat"}},
        {"notification": {"pick": ["owner{name"], "join": "flat"}},
        {"endpoint": {"uri": "ftp://x"}},
        {"endpoint": {"uri": "mqtt://host"}},
        {"endpoint": {"uri": "mqtt://host/a/#"}},
        {"endpoint": {"uri": "mqtt://host/a/+"}},
        {"endpoint": {"accept": "text/html"}},
        {"endpoint": {"timeout": -1}},
        {"endpoint": {"receiverInfo": [{"key": "K", "value": 42}]}},
        {"endpoint": {"receiverInfo": [{"key": "K"}]}},
        {"endpoint": {"receiverInfo": [{"key": 5, "value": "v"}]}},
        {"endpoint": {"receiverInfo": [{"key": "Host", "value": "inside"}]}},
        {"endpoint": {"receiverInfo": [{"key": "K", "value": "a\r\nX: b"}]}},
        {"endpoint": {"notifierInfo": [{"key": "K", "value": {"a": 1}}]}},
        {"endpoint": {"notifierInfo": [{"key": "MQTT-QoS", "value": "3"}]}},
    ],
)
async def test_what_is_no_subscription_is_refused_in_words(
    ngsi: httpx.AsyncClient, wrong: dict[str, Any]
) -> None:
    sent = body(**wrong)
    if wrong.get("notification") == {}:
        sent["notification"] = {}
    sent = {k: v for k, v in sent.items() if v is not None}
    refused = await ngsi.post(V1, json=sent)
    assert refused.status_code == 400, refused.text
    assert refused.json()["type"] == "https://uri.etsi.org/ngsi-ld/errors/BadRequestData"
    assert refused.json()["title"]


async def test_a_context_that_cannot_be_had_is_told_so(ngsi: httpx.AsyncClient) -> None:
    refused = await ngsi.post(V1, json=body(jsonldContext="http://127.0.0.1:9/c.jsonld"))
    assert refused.status_code == 504  # table 6.3.2-1
    assert refused.json()["type"].endswith("LdContextNotAvailable")


async def test_names_are_kept_beyond_the_words_of_one_client(ngsi: httpx.AsyncClient) -> None:
    context = {"Turm": "https://x.example/Tower", "hoch": "https://x.example/height"}
    sent = body(id="urn:x:1", watchedAttributes=["hoch"], entities=[{"type": "(Turm|Haus)"}])
    sent["notification"]["attributes"] = ["hoch"]
    headers = {"Content-Type": "application/ld+json"}
    made = await ngsi.post(V1, json={**sent, "@context": context}, headers=headers)
    assert made.status_code == 201, made.text
    shown = (await ngsi.get(f"{V1}/urn:x:1")).json()
    assert shown["entities"] == [{"type": "https://x.example/Tower|Haus"}]
    assert shown["watchedAttributes"] == ["https://x.example/height"]
    assert shown["notification"]["attributes"] == ["https://x.example/height"]
    fragment = {"entities": [{"type": "Turm"}], "@context": context}
    changed = await ngsi.patch(f"{V1}/urn:x:1", json=fragment, headers=headers)
    assert changed.status_code == 204
    shown = (await ngsi.get(f"{V1}/urn:x:1")).json()
    assert shown["entities"] == [{"type": "https://x.example/Tower"}]
    assert shown["watchedAttributes"] == ["https://x.example/height"]


async def test_a_change_keeps_what_it_does_not_name(api: Api, ngsi: httpx.AsyncClient) -> None:
    name = await api.subscribe(throttling=5, isActive=False)
    assert (await api.get(name))["status"] == "paused"
    await api.change(name, isActive=True)
    assert (await api.get(name))["status"] == "active"
    await api.change(name, throttling=None, description="mine")
    shown = await api.get(name)
    assert "throttling" not in shown
    assert shown["description"] == "mine"
    assert shown["notification"]["endpoint"]["uri"] == api.receiver.url
    for wrong in (
        {"notification": {"endpoint": None}},
        {"notification": None},
        {"type": None},
        {"id": "urn:x:other"},
        {"expiresAt": "2000-01-01T00:00:00Z"},
        {"q": "n>"},
    ):
        refused = await ngsi.patch(f"{V1}/{name}", json=wrong)
        assert refused.status_code == 400, wrong
    assert (await ngsi.patch(f"{V1}/urn:x:none", json={"q": "n>1"})).status_code == 404
    assert (await ngsi.patch(f"{V1}/none", json={"q": "n>1"})).status_code == 400
    assert (await ngsi.patch(f"{V1}/", json={"q": "n>1"})).status_code == 405


async def test_one_that_ended_goes_on_when_its_end_is_moved(api: Api) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=0.5)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    name = await api.subscribe(expiresAt=soon)
    async with asyncio.timeout(20):
        while (await api.get(name))["status"] != "expired":
            await asyncio.sleep(0.05)
    await api.create(1, n=1)
    await api.change(name, expiresAt="2040-01-01T00:00:00Z")
    assert (await api.get(name))["status"] == "active"
    await api.create(2, n=1)
    heard = await api.receiver.heard(1)
    assert [b["data"][0]["id"] for b in heard] == ["urn:ngsi-ld:Building:2"]


async def test_lists_have_pages_and_counts(ngsi: httpx.AsyncClient) -> None:
    for number in range(3):
        assert (await ngsi.post(V1, json=body(id=f"urn:x:{number}"))).status_code == 201
    page = await ngsi.get(V1, params={"limit": 1, "offset": 1, "count": "true"},
                          headers={"Accept": "application/ld+json"})  # fmt: skip
    assert [s["id"] for s in page.json()] == ["urn:x:1"]
    assert page.headers["ngsild-results-count"] == "3"
    assert page.headers["link"].replace(" ", "").split(",") == [
        f'<{V1}?limit=1&offset=0>;rel="prev";type="application/ld+json"',
        f'<{V1}?limit=1&offset=2>;rel="next";type="application/ld+json"',
    ]
    none = await ngsi.get(f"{V1}/", params={"limit": 0, "count": "true"})
    assert (none.status_code, none.json()) == (200, [])
    assert none.headers["ngsild-results-count"] == "3"
    for wrong in ({"limit": 0}, {"limit": -1}, {"limit": "x"}, {"offset": -1}):
        assert (await ngsi.get(V1, params=wrong)).status_code == 400, wrong


@pytest.mark.parametrize(
    ("said", "applied"),
    [
        ("NGSI-LD=1.0", "ngsi-ld=1.0"),
        ('respond-async, ngsi-ld="1.0";q=0.1', "ngsi-ld=1.0"),
        ("respond-async", None),
    ],
)
async def test_a_preferred_version_changes_nothing_here(
    ngsi: httpx.AsyncClient, said: str, applied: str | None
) -> None:
    await ngsi.post(V1, json=body(id="urn:x:1"))
    answer = await ngsi.get(f"{V1}/urn:x:1", headers={"Prefer": said})
    assert answer.status_code == 200
    assert answer.headers.get("preference-applied") == applied


async def test_a_context_of_its_own_is_hosted_and_shown(ngsi: httpx.AsyncClient) -> None:
    """5.2.12: where notifications are sent with an @context that is more than a URL."""
    context = {"Turm": "https://x.example/Tower", "hoch": "https://x.example/height"}
    sent = {**body(id="urn:x:own", watchedAttributes=["hoch"]), "@context": context}
    kind = {"content-type": "application/ld+json"}
    assert (await ngsi.post(V1, json=sent, headers=kind)).status_code == 201
    shown = (await ngsi.get(f"{V1}/urn:x:own")).json()
    served = await ngsi.get(shown["jsonldContext"])
    assert served.json() == {"@context": context}
    link = f'<{shown["jsonldContext"]}>; rel="http://www.w3.org/ns/json-ld#context"'
    worded = (await ngsi.get(f"{V1}/urn:x:own", headers={"link": link})).json()
    assert worded["watchedAttributes"] == ["hoch"]
    again = await ngsi.patch(f"{V1}/urn:x:own", json=shown)
    assert again.status_code == 204, again.text
