"""Every member of every kind of body, one after the other, replaced by what nobody expects there:
an answer in words, never a 500; and whatever was stored can be read again in every form."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from .test_ngsi_fuzz import LD, V1, demand_words

#: Of each kind of JSON, those first that cannot be hashed.
INSTEAD: tuple[Any, ...] = (["Point"], [["x"]], {"a": []}, [], {}, None, True, 1.5, "", "\u0000")
POINT = {"type": "Point", "coordinates": [100.5, 13.7]}
DAY = "2025-05-22T05:00:00Z"
ENTITY: dict[str, Any] = {
    "id": "urn:x:odd",
    "type": "T",
    "scope": "/a",
    "p": {"type": "Property", "value": 1, "unitCode": "CEL", "observedAt": DAY,
          "sub": {"type": "Property", "value": {"type": "Point"}}},
    "r": {"type": "Relationship", "object": "urn:x:2", "objectType": "T"},
    "l": {"type": "LanguageProperty", "languageMap": {"en": "a", "@none": "b"}},
    "v": {"type": "VocabProperty", "vocab": "w"},
    "j": {"type": "JsonProperty", "json": {"type": "Point"}},
    "li": {"type": "ListProperty", "valueList": [1]},
    "lr": {"type": "ListRelationship", "objectList": [{"object": "urn:x:2"}]},
    "m": [{"type": "Property", "value": 1}, {"value": 2, "datasetId": "urn:d:1"}],
    "location": {"type": "GeoProperty", "value": POINT},
    "@context": {"w": "https://example.org/w"},
}  # fmt: skip
CONCISE = {
    "id": "urn:x:odd", "type": "T", "p": 1, "o": {"type": "Point"}, "location": POINT,
    "r": {"object": "urn:x:2"}, "d": {"@type": "DateTime", "@value": DAY}, "li": {"valueList": [1]},
}  # fmt: skip
GEO = {"georel": "near;maxDistance==10", "geometry": "Point", "coordinates": [1, 2],
       "geoproperty": "location"}  # fmt: skip
SUBSCRIPTION = {
    "id": "urn:ngsi-ld:Subscription:odd", "type": "Subscription", "description": "d",
    "entities": [{"type": "T", "id": "urn:x:odd", "idPattern": ".*"}], "watchedAttributes": ["p"],
    "q": "p>1", "geoQ": GEO, "scopeQ": "/a", "throttling": 5, "isActive": False, "lang": "en",
    "notificationTrigger": ["entityUpdated"], "expiresAt": "2999-01-01T00:00:00Z",
    "notification": {"attributes": ["p"], "format": "concise", "showChanges": False,
                     "endpoint": {"uri": "http://127.0.0.1:9/x", "accept": "application/json",
                                  "receiverInfo": [{"key": "a", "value": "b"}],
                                  "notifierInfo": [{"key": "a", "value": "b"}]}},
}  # fmt: skip
REGISTRATION = {
    "id": "urn:ngsi-ld:ContextSourceRegistration:odd", "type": "ContextSourceRegistration",
    "information": [{"entities": [{"type": "Odd", "id": "urn:odd:1", "idPattern": "urn:odd:.*"}],
                     "propertyNames": ["p"], "relationshipNames": ["r"]}],
    "endpoint": "http://127.0.0.1:9", "mode": "inclusive", "operations": ["retrieveOps"],
    "contextSourceInfo": [{"key": "a", "value": "b"}], "expiresAt": "2999-01-01T00:00:00Z",
    "observationInterval": {"startAt": DAY, "endAt": DAY}, "location": POINT, "scope": ["/a"],
    "management": {"timeout": 1000, "cacheDuration": "PT1S", "localOnly": False}, "tenant": "odd",
}  # fmt: skip
QUERY = {
    "type": "Query", "entities": [{"type": "T", "id": "urn:x:odd", "idPattern": ".*"}],
    "attrs": ["p"], "q": "p>1", "geoQ": GEO, "scopeQ": "/a", "lang": "en", "pick": ["p"],
    "omit": ["q"], "datasetId": ["urn:d:1"], "containedBy": ["urn:x:1"], "join": "flat",
    "joinLevel": 1, "expandValues": "v", "jsonKeys": "j",
    "ordering": {"orderBy": ["p"], "collation": "en",
                 "geometry": {"type": "Point", "coordinates": [1, 2]}},
}  # fmt: skip
TEMPORAL_QUERY = QUERY | {
    "temporalQ": {"timerel": "between", "timeAt": DAY, "endTimeAt": DAY,
                  "timeproperty": "observedAt", "lastN": 1, "aggrMethods": ["avg"],
                  "aggrPeriodDuration": "PT1H"}
}  # fmt: skip
EVOLUTION = {"id": "urn:x:odd", "type": "T",
             "p": [{"type": "Property", "value": 1, "observedAt": DAY, "unitCode": "CEL"}],
             "location": [{"type": "GeoProperty", "value": POINT, "observedAt": DAY}]}  # fmt: skip
BODIES: dict[str, tuple[str, str, Any]] = {
    "entity": ("POST", "entities", ENTITY),
    "concise": ("POST", "entities", CONCISE),
    "simple": ("POST", "entities?format=simplified", CONCISE),
    "attributes": ("POST", "entities/urn:x:odd/attrs", ENTITY),
    "merge": ("PATCH", "entities/urn:x:odd", ENTITY),
    "upsert": ("POST", "entityOperations/upsert", [CONCISE, CONCISE]),
    "evolution": ("POST", "temporal/entities", EVOLUTION),
    "query": ("POST", "entityOperations/query", QUERY),
    "temporal query": ("POST", "temporal/entityOperations/query", TEMPORAL_QUERY),
    "subscription": ("POST", "subscriptions", SUBSCRIPTION),
    "registration": ("POST", "csourceRegistrations", REGISTRATION),
    "source subscription": ("POST", "csourceSubscriptions", SUBSCRIPTION),
    "context": ("POST", "jsonldContexts", {"@context": {"a": {"@id": "https://x.org/a"}}}),
}
READ = ["entities?type=T", "entities?type=T&format=simplified", "entities?type=T&options=concise",
        "temporal/entities?type=T&timerel=before&timeAt=2999-01-01T00:00:00Z",
        "types?details=true", "attributes?details=true"]  # fmt: skip


def changed(body: Any) -> Iterator[tuple[list[Any], Any]]:
    """The body with each of its members, however deep, replaced by each odd thing."""
    for path in places(body, []):
        for odd in INSTEAD:
            made = copy.deepcopy(body)
            at = made
            for step in path[:-1]:
                at = at[step]
            at[path[-1]] = odd
            yield path, made


def places(body: Any, path: list[Any]) -> Iterator[list[Any]]:
    steps = body.items() if isinstance(body, dict) else enumerate(body)
    for step, inner in steps:
        yield [*path, step]
        if isinstance(inner, dict | list):
            yield from places(inner, [*path, step])


@pytest.mark.parametrize("kind", BODIES)
@pytest.mark.filterwarnings("ignore::SyntaxWarning")
async def test_no_member_is_trusted(ngsi: httpx.AsyncClient, kind: str) -> None:
    method, address, body = BODIES[kind]
    stored = 0
    if kind in ("attributes", "merge"):
        await ngsi.post(f"{V1}/entities", json=ENTITY, headers=LD)
    for path, made in changed(body):
        answer = await ngsi.request(method, f"{V1}/{address}", json=made, headers=LD)
        try:
            demand_words(answer)
        except AssertionError as error:
            raise AssertionError(f"{path}: {made}") from error
        if answer.is_success and "ntit" in address and "query" not in address:
            stored += 1
            for asked in READ[: 6 if stored % 5 == 0 else 2]:
                demand_words(await ngsi.get(f"{V1}/{asked}"))
            as_features = {"accept": "application/geo+json"}
            demand_words(await ngsi.get(f"{V1}/entities?type=T", headers=as_features))
        if made_at := answer.headers.get("location"):
            await ngsi.delete(made_at)
