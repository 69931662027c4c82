"""Nothing that a stranger sends brings the city to say 500 (Hypothesis, over the real routes)."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

V1 = "/ngsi-ld/v1"
LD = {"content-type": "application/ld+json"}
#: More of it by NAGARA_FUZZ_EXAMPLES: an hour at night finds what a minute does not.
EXAMPLES = int(os.environ.get("NAGARA_FUZZ_EXAMPLES", "60"))
ODD = ["", "@none", "urn:ngsi-ld:null", "\u0000", "ก", "a" * 3_000, "{}", "[", "%00", "-1", "1e999"]
_text = st.text(max_size=12) | st.sampled_from(ODD)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_text, inner, max_size=4),
    max_leaves=12,
)
_members = [
    "value", "object", "languageMap", "vocab", "json", "valueList", "objectList", "type",
    "observedAt", "unitCode", "datasetId", "createdAt", "coordinates", "@value", "expiresAt",
    "scope", "id", "@id", "@type", "lang", "objectType", "instanceId", "ngsildproof", "entity",
]  # fmt: skip
_kinds = [
    "Property", "Relationship", "GeoProperty", "LanguageProperty", "VocabProperty", "JsonProperty",
    "ListProperty", "ListRelationship", "Point", "Polygon", "Nothing",
]  # fmt: skip
_geometry = st.fixed_dictionaries(
    {"type": st.sampled_from(["Point", "Polygon", "LineString", "MultiPolygon", "X"])},
    optional={"coordinates": _json, "geometries": _json},
)
_instance = st.dictionaries(
    st.sampled_from(_members) | _text,
    _json | _geometry | st.sampled_from(_kinds),
    max_size=4,
).map(lambda d: {"type": "Property", "value": 1, **d})
_attribute = _json | _instance | st.lists(_instance, max_size=3)
_context = _json | st.dictionaries(_text | st.sampled_from(["a", "@vocab", "@base"]), _json)
_entity = st.fixed_dictionaries(
    {"id": st.sampled_from(["urn:x:1", "urn:x:2"]) | _text, "type": st.just("T") | _json},
    optional={
        "a": _attribute, "location": _attribute, "@context": _context, "scope": _json,
        "expiresAt": _json, "b": _attribute,
    },
)  # fmt: skip

_q = st.text("abc.;|()[]<>=!~\"'.,:0123456789-TZ@ก\\^$*+{}", max_size=25) | st.sampled_from(
    ["a==1..2", "a[b.c]>1", "a~=^(x|y)+$", "(" * 200, "!a", 'a=="\\u0000"', "a.b[c]==urn:x:1"]
)
_times = st.sampled_from(
    [
        "2020-01-01T00:00:00Z",
        "now",
        "0000-00-00T00:00:00Z",
        "9999-12-31T23:59:59.999999Z",
        "",
        "P1D",
    ]
)
_params = st.fixed_dictionaries(
    {},
    optional={
        "type": _text | st.sampled_from(["T", "T;U", "(T|U);V", "*", "((("]),
        "id": _text,
        "idPattern": _text | st.sampled_from(["(a+)+$", "[", ".*"]),
        "q": _q,
        "csf": _q,
        "scopeQ": st.text("/ab#+;,()|", max_size=12),
        "georel": st.sampled_from(
            ["near", "near;maxDistance==1", "near;maxDistance==x", "within", "disjoint", "x;;"]
        ),
        "geometry": st.sampled_from(["Point", "Polygon", "X", ""]),
        "coordinates": st.sampled_from(
            ["[1,2]", "[[[0,0],[1,1],[1,0],[0,0]]]", "[", "{}", "[1e999,0]", "null", "[[[]]]"]
        ) | _text,
        "geoproperty": _text,
        "attrs": _text, "pick": _text | st.sampled_from(["a{b}", "a{", "a,,b"]),
        "omit": _text, "lang": _text, "datasetId": _text,
        "options": st.sampled_from(["keyValues", "concise", "sysAttrs", "x", "temporalValues",
                                    "aggregatedValues"]) | _text,
        "format": _text,
        "orderBy": _text | st.sampled_from(["a;desc", "a;near", "id", "a.b;asc;x"]),
        "limit": _text | st.integers().map(str),
        "offset": _text | st.integers().map(str),
        "count": _text, "after": _text, "join": st.sampled_from(["inline", "flat", "x"]),
        "joinLevel": _text, "containedBy": _text, "local": _text,
        "timerel": st.sampled_from(["before", "after", "between", "x"]),
        "timeAt": _times, "endTimeAt": _times, "timeproperty": _text, "lastN": _text,
        "aggrMethods": _text | st.sampled_from(["avg,max", "sum"]),
        "aggrPeriodDuration": _text | st.sampled_from(["PT1H", "PT0S", "P1000000Y", "P1M"]),
        "details": _text, "kind": _text,
    },
)  # fmt: skip
READ = ["entities", "temporal/entities", "types", "attributes", "jsonldContexts", "subscriptions",
        "csourceRegistrations", "entities/urn:x:1", "temporal/entities/urn:x:1"]  # fmt: skip
WRITTEN = ["entities", "subscriptions", "jsonldContexts", "csourceRegistrations",
           "temporal/entities", "entityOperations/query", "temporal/entityOperations/query",
           "entities/urn:x:1/attrs"]  # fmt: skip
BATCHES = ["create", "upsert", "update", "delete", "merge"]

pytestmark = pytest.mark.filterwarnings("ignore::SyntaxWarning")
_run = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None
)


def demand_words(answer: httpx.Response) -> None:
    """Never a 500; and what is refused is refused with a reason."""
    assert answer.status_code < 500 or answer.status_code in (503, 504), answer.text
    if answer.status_code in (400, 403, 404, 422):
        body = answer.json()
        assert body["type"]
        assert body["title"]


async def send(ngsi: httpx.AsyncClient, method: str, address: str, **more: Any) -> None:
    try:
        request = ngsi.build_request(method, f"{V1}/{address}", **more)
    except (UnicodeError, ValueError):
        return  # no HTTP client can say that
    async with asyncio.timeout(60):
        demand_words(await ngsi.send(request))


@_run
@given(st.sampled_from(READ), _params)
async def test_any_question_is_answered_or_refused_in_words(
    ngsi: httpx.AsyncClient, address: str, params: dict[str, str]
) -> None:
    await send(ngsi, "GET", address, params=params)


@_run
@given(_entity, st.sampled_from(["POST", "PUT", "PATCH"]), st.booleans())
async def test_any_entity_is_stored_or_refused_in_words(
    ngsi: httpx.AsyncClient, body: Any, method: str, linked: bool
) -> None:
    address = "entities" if method == "POST" else "entities/urn:x:1"
    if not linked:
        body = {k: v for k, v in body.items() if k != "@context"}
    await send(ngsi, method, address, json=body, headers=LD if linked else None)
    await send(ngsi, "GET", "entities", params={"type": "T", "options": "concise,sysAttrs"})


@_run
@given(st.sampled_from(WRITTEN), _json | _entity, st.booleans(), _params)
async def test_any_body_is_taken_or_refused_in_words(
    ngsi: httpx.AsyncClient, address: str, body: Any, linked: bool, params: dict[str, str]
) -> None:
    given_params = {k: v for k, v in params.items() if k in ("options", "format", "limit")}
    await send(
        ngsi, "POST", address, json=body, params=given_params, headers=LD if linked else None
    )


@_run
@given(st.sampled_from(BATCHES), st.lists(_entity | _json, max_size=4), st.booleans())
async def test_any_batch_is_taken_or_refused_in_words(
    ngsi: httpx.AsyncClient, name: str, body: list[Any], linked: bool
) -> None:
    headers = LD if linked else None
    await send(ngsi, "POST", f"entityOperations/{name}", json=body, headers=headers)


@_run
@given(
    st.fixed_dictionaries(
        {"type": st.just("Subscription")},
        optional={
            "id": _text, "entities": _json, "watchedAttributes": _json, "q": _q, "geoQ": _json,
            "scopeQ": _text, "csf": _q, "notificationTrigger": _json, "timeInterval": _json,
            "throttling": _json, "expiresAt": _json, "isActive": _json, "temporalQ": _json,
            "jsonldContext": _json, "lang": _json, "datasetId": _json,
            "notification": _json | st.fixed_dictionaries(
                {"endpoint": st.fixed_dictionaries(
                    {"uri": st.just("http://127.0.0.1:9/") | _text},
                    optional={"accept": _json, "receiverInfo": _json, "notifierInfo": _json},
                )},
                optional={"attributes": _json, "format": _json, "sysAttrs": _json,
                          "showChanges": _json, "pick": _json, "join": _json},
            ),
        },
    )
)  # fmt: skip
async def test_any_subscription_is_kept_or_refused_in_words(
    ngsi: httpx.AsyncClient, body: dict[str, Any]
) -> None:
    body.setdefault("entities", [{"type": "T"}])
    await send(ngsi, "POST", "subscriptions", json=body)


@_run
@given(
    st.sampled_from(["POST", "PATCH", "PUT"]),
    st.sampled_from(WRITTEN),
    st.binary(max_size=40)
    | st.sampled_from([b"[" * 100_000, b"{}", b"null", b"\xff", b'"x"', b"1"]),
    st.sampled_from(
        ["application/json", "application/ld+json", "application/merge-patch+json", "x/y"]
    ),
)
async def test_any_bytes_are_refused_in_words(
    ngsi: httpx.AsyncClient, method: str, address: str, raw: bytes, kind: str
) -> None:
    await send(ngsi, method, address, content=raw, headers={"content-type": kind})


@_run
@given(
    st.sampled_from(["link", "accept", "prefer", "if-match", "ngsild-tenant", "idempotency-key",
                     "via", "content-type", "accept-language"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=30)
    | st.sampled_from(['<>; rel="http://www.w3.org/ns/json-ld#context"',
                       '<urn:x>; rel="http://www.w3.org/ns/json-ld#context"',
                       '<http://[>; rel="http://www.w3.org/ns/json-ld#context"']),
)  # fmt: skip
async def test_any_header_is_taken_or_refused_in_words(
    ngsi: httpx.AsyncClient, name: str, value: str
) -> None:
    headers = {name.encode(): value.encode("latin-1")}
    await send(ngsi, "GET", "entities", params={"type": "T"}, headers=headers)
    body = {"id": "urn:x:1", "type": "T"}
    await send(ngsi, "POST", "entities", json=body, headers=headers)
