"""The short ways say what the long way says, and let in whom that would let in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest_asyncio

from nagara.app import Application
from nagara.context import Create, Entity, Patch
from nagara.context.ngsi.express import PREFIX, Express
from nagara.context.ngsi.terms import CORE
from nagara.guard.identity import system
from nagara.guard.limits import Limit
from nagara.guard.middleware import Doorkeeper

SEEN = "urn:ngsi-ld:AirQualityObserved:th-pkt:x1"
ODD = "urn:ngsi-ld:AirQualityObserved:th-pkt:ราษฎร์"


def client_of(app: Any) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 40000))
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


@pytest_asyncio.fixture
async def both(
    application: Application,
) -> AsyncIterator[tuple[httpx.AsyncClient, httpx.AsyncClient]]:
    """The city as it is served, and the application behind its short way."""
    attrs = {
        "pm25": {"type": "Property", "value": 12.5, "observedAt": "2026-01-01T00:00:00Z"},
        "https://example.org/other": {"type": "Property", "value": [1, {"a": None}]},
        "two": [
            {"type": "Property", "value": 1, "datasetId": "urn:d:1"},
            {"type": "Property", "value": 2},
        ],
        "name": {"type": "LanguageProperty", "languageMap": {"th": "ก", "en": "a"}},
    }
    await application.context.write(
        Create(Entity(SEEN, ("AirQualityObserved",), attrs, scopes=("/a",))),
        Create(Entity(ODD, ("AirQualityObserved",), attrs)),
        Create(Entity("urn:ngsi-ld:Case:th-pkt:1", ("Case",), {})),
        actor="test",
    )
    async with client_of(application.asgi) as short, client_of(application.litestar) as long:
        yield short, long


CASES: list[tuple[str, dict[str, str]]] = [
    (SEEN, {}),
    (ODD, {}),
    (SEEN, {"accept": "application/json"}),
    (SEEN, {"accept": "application/ld+json"}),
    (SEEN, {"accept": "image/png"}),
    (SEEN, {"accept": "application/json", "accept-encoding": "identity"}),
    (SEEN, {"link": '<https://e.org/c>; rel="http://www.w3.org/ns/json-ld#context"'}),
    (SEEN, {"ngsild-tenant": "nobody"}),
    (SEEN, {"authorization": "Bearer wrong"}),
    (SEEN + "?options=keyValues", {}),
    (SEEN + "?lang=en", {}),
    (SEEN + "/attrs", {}),
    (SEEN.replace(":", "%3A"), {}),
    ("urn:ngsi-ld:AirQualityObserved:th-pkt:none", {}),
    ("urn:ngsi-ld:Case:th-pkt:1", {}),
    ("no%20uri", {}),
]


async def test_both_ways_answer_alike(both: tuple[httpx.AsyncClient, httpx.AsyncClient]) -> None:
    short, long = both
    codes: set[int] = set()
    for path, headers in CASES:
        answers = [await one.get(PREFIX + path, headers=headers) for one in (short, long, short)]
        said = [(a.status_code, a.content, sorted(a.headers.multi_items())) for a in answers]
        assert said[0] == said[1] == said[2], (path, headers)
        codes.add(answers[0].status_code)
    assert codes >= {200, 400, 401, 404, 406}


PAGES: list[tuple[str, dict[str, str]]] = [
    ("type=AirQualityObserved", {}),
    ("type=AirQualityObserved&limit=1", {}),
    ("type=AirQualityObserved&limit=1", {"accept-encoding": "identity"}),
    ("limit=1&q=pm25>12&type=AirQualityObserved", {"accept": "application/json"}),
    ("type=AirQualityObserved&q=pm25%3E12%3Bname%5Bth%5D%3D%3D%22%E0%B8%81%22&limit=1", {}),
    ("type=AirQualityObserved&q=pm25>99", {}),
    ("type=AirQualityObserved&q=modifiedAt>2000-01-01T00:00:00Z", {}),
    ("type=AirQualityObserved&q=ref{Thing}.a==1", {}),
    ("type=Twofold", {}),
    ("type=Passing", {}),
    ("type=Case", {}),
    ("type=Nothing", {}),
    ("type=AirQualityObserved,Case", {}),
    ("type=*", {}),
    ("type=", {}),
    ("q=pm25>12", {}),
    ("", {}),
    ("type=AirQualityObserved&type=Case", {}),
    ("type=AirQualityObserved&q=pm25>", {}),
    ("type=AirQualityObserved&limit=0", {}),
    ("type=AirQualityObserved&limit=-1", {}),
    ("type=AirQualityObserved&limit=1001", {}),
    ("type=AirQualityObserved&limit=1&offset=1", {}),
    ("type=AirQualityObserved&options=keyValues", {}),
    ("type=AirQualityObserved&limit=1", {"accept": "application/ld+json"}),
    ("type=AirQualityObserved&limit=1", {"accept": "image/png"}),
    ("type=AirQualityObserved&limit=1", {"ngsild-tenant": "nobody"}),
    ("type=AirQualityObserved&limit=1", {"authorization": "Bearer wrong"}),
    ("type=AirQualityObserved&limit=1", {"accept-encoding": "gzip"}),
]


async def test_both_ways_give_the_same_pages(
    both: tuple[httpx.AsyncClient, httpx.AsyncClient], application: Application
) -> None:
    value = {"type": "Property", "value": 1}
    await application.context.write(
        Create(Entity("urn:ngsi-ld:Two:th-pkt:1", ("Twofold", "Other"), {"a": value})),
        Create(Entity("urn:ngsi-ld:Two:th-pkt:2", ("Twofold",), {})),
        Create(
            Entity(
                "urn:ngsi-ld:Passing:th-pkt:1",
                ("Passing",),
                {"a": {**value, "expiresAt": "2999-01-01T00:00:00Z"}, "b": value},
            )
        ),
        actor="test",
    )
    short, long = both
    codes: set[int] = set()
    told = 0
    for said, headers in PAGES:
        path = f"{PREFIX.rstrip('/')}?{said}"
        plain = {"accept-encoding": "identity", **headers}
        answers = [await one.get(path, headers=plain) for one in (short, long, short)]
        seen = [(a.status_code, a.content, sorted(a.headers.multi_items())) for a in answers]
        assert seen[0] == seen[1] == seen[2], (said, headers)
        codes.add(answers[0].status_code)
        told += len(answers[0].json()) if answers[0].status_code == 200 else 0
    assert codes >= {200, 400, 401, 404, 406}
    assert told > 10


async def test_what_was_kept_is_never_stale(
    both: tuple[httpx.AsyncClient, httpx.AsyncClient], application: Application
) -> None:
    short, _ = both
    for value in range(5):
        pm25 = {"type": "Property", "value": value, "observedAt": f"2026-01-02T0{value}:00:00Z"}
        await application.context.write(Patch(SEEN, {"pm25": pm25}), actor="test")
        answer = await short.get(PREFIX + SEEN, headers={"accept": "application/json"})
        assert answer.json()["pm25"]["value"] == value
        assert answer.headers["etag"] == f'"{value + 2}"'


async def test_the_short_way_takes_from_the_same_bucket(
    both: tuple[httpx.AsyncClient, httpx.AsyncClient], application: Application
) -> None:
    short, _ = both
    application.guard.buckets["anonymous"].limit = Limit(rate_per_s=1e-6, burst=5)
    codes = [
        (await short.get(PREFIX + SEEN, headers={"accept": "application/json"})).status_code
        for _ in range(7)
    ]
    assert codes == [200] * 5 + [429] * 2


JSON = {"content-type": "application/json"}
CHANGES: list[tuple[str, str, dict[str, str]]] = [
    ("pm25", '{"value": 1}', JSON),
    ("pm25", '{"type": "Property", "value": 2, "observedAt": "2026-01-03T00:00:00Z"}', JSON),
    ("pm25", '{"type": "Property", "value": 3, "unitCode": "GQ"}', {**JSON, "accept": "*/*"}),
    ("two", '{"value": 9, "datasetId": "urn:d:1"}', JSON),
    ("name", '{"languageMap": {"en": "b"}}', JSON),
    ("pm25", '{"type": "Relationship", "object": "urn:x:1"}', JSON),
    ("pm25", '{"value": "urn:ngsi-ld:null"}', JSON),
    ("absent", '{"value": 1}', JSON),
    ("scope", '{"value": 1}', JSON),
    ("pm25", "{}", JSON),
    ("pm25", "[1]", JSON),
    ("pm25", "", JSON),
    ("pm25", '{"value": ', JSON),
    ("pm25", '{"value": "\\u0000"}', JSON),
    ("pm25", '{"value": 1, "@context": "https://e.org/c"}', JSON),
    ("pm25", '{"value": 1}', {"content-type": "application/ld+json"}),
    ("pm25", '{"value": 1}', {"content-type": "text/plain"}),
    ("pm25", '{"value": 1}', {**JSON, "if-match": '"77"'}),
    ("pm25", '{"value": 1}', {**JSON, "ngsild-tenant": "nobody"}),
    ("pm25", '{"value": 1}', {**JSON, "authorization": "Bearer wrong"}),
    ("pm25", '{"value": 1}', {**JSON, "origin": "https://evil.example"}),
    ("pm25?type=Other", '{"value": 1}', JSON),
]


async def test_both_ways_change_alike(application: Application) -> None:
    guard, context = application.guard, application.context
    async with guard.db.acquire() as conn:
        _, secret = await guard.tokens.create(
            conn, "test", "steward", at=guard.wall(), by=system("test")
        )
    attrs = {
        "pm25": {"type": "Property", "value": 12.5, "observedAt": "2026-01-01T00:00:00Z"},
        "two": [
            {"type": "Property", "value": 1, "datasetId": "urn:d:1"},
            {"type": "Property", "value": 2},
        ],
        "name": {"type": "LanguageProperty", "languageMap": {"th": "ก", "en": "a"}},
    }
    codes: set[int] = set()
    async with client_of(application.asgi) as short, client_of(application.litestar) as long:
        for number, (name, body, headers) in enumerate(CHANGES):
            said: list[Any] = []
            for way, client in (("s", short), ("l", long)):
                entity_id = f"urn:ngsi-ld:Thing:th-pkt:{way}{number}"
                await context.write(Create(Entity(entity_id, ("Thing",), attrs)), actor="test")
                answer = await client.patch(
                    f"{PREFIX}{entity_id}/attrs/{name}",
                    content=body,
                    headers={"authorization": f"Bearer {secret}", **headers},
                )
                after = await context.get(entity_id)
                text = answer.text.replace(entity_id, "ID")
                told = [(k, v) for k, v in sorted(answer.headers.items()) if k != "content-length"]
                said.append((answer.status_code, text, told, after.attrs, after.version))
            assert said[0] == said[1], (name, body, headers)
            codes.add(said[0][0])
    assert codes >= {204, 400, 401, 404, 415}


async def test_the_short_way_changes_nothing_that_a_room_keeps(
    both: tuple[httpx.AsyncClient, httpx.AsyncClient], application: Application
) -> None:
    short, _ = both
    guard = application.guard
    async with guard.db.acquire() as conn:
        _, secret = await guard.tokens.create(
            conn, "test", "steward", at=guard.wall(), by=system("test")
        )
    answer = await short.patch(
        f"{PREFIX}urn:ngsi-ld:Case:th-pkt:1/attrs/state",
        content='{"value": "closed"}',
        headers={"authorization": f"Bearer {secret}", **JSON},
    )
    assert answer.status_code in (403, 404)
    for who in ({}, {"authorization": "Bearer nobody"}):
        answer = await short.patch(
            f"{PREFIX}{SEEN}/attrs/pm25", content='{"value": 1}', headers={**JSON, **who}
        )
        assert answer.status_code == 401


async def test_the_short_way_hears_a_body_in_parts(application: Application) -> None:
    """Servers hand on a body in messages of their own, the last one often empty."""

    async def long_way(*_: Any) -> None:
        raise AssertionError("the long way was taken")

    guard, context = application.guard, application.context
    async with guard.db.acquire() as conn:
        _, secret = await guard.tokens.create(
            conn, "parts", "steward", at=guard.wall(), by=system("test")
        )
    attrs = {"pm25": {"type": "Property", "value": 12.5}}
    await context.write(Create(Entity("urn:x:parts", ("Thing",), attrs)), actor="test")
    bearer = {"authorization": f"Bearer {secret}"}
    async with client_of(application.asgi) as client:  # the token is known from now on
        assert (await client.get(PREFIX + "urn:x:parts", headers=bearer)).status_code == 200
    express = Express(long_way, context, Doorkeeper(guard), CORE, ())
    parts = [b'{"value"', b": 1}", b""]
    heard = iter({"type": "http.request", "body": part, "more_body": bool(part)} for part in parts)
    told: list[Any] = []

    async def receive() -> Any:
        return next(heard)

    async def send(message: Any) -> None:
        told.append(message)

    headers = {**bearer, "content-type": "application/json", "content-length": "12"}
    scope = {
        "type": "http",
        "method": "PATCH",
        "path": f"{PREFIX}urn:x:parts/attrs/pm25",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 40000),
    }
    await express(scope, receive, send)
    assert told[0]["status"] == 204
    assert (await context.get("urn:x:parts")).value("pm25") == 1
