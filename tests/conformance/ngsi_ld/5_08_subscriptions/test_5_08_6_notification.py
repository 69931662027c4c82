"""ETSI GS CIM 009 V1.9.1, 5.8.6 and 5.3.1: who is told what, when, and in which form."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from nagara.context import Context
from nagara.values.time import format_instant

Api = Any
NULL = "urn:ngsi-ld:null"
POINT = {"type": "Point", "coordinates": [-8.5, 41.2]}
KINDS: dict[str, Any] = {
    "name": {"type": "Property", "value": "Eiffel Tower"},
    "location": {"type": "GeoProperty", "value": POINT},
    "street": {"type": "LanguageProperty", "languageMap": {"fr": "Grand Place", "nl": "Markt"}},
    "locatedAt": {"type": "Relationship", "object": "urn:ngsi-ld:City:Paris"},
}


def prop(value: Any) -> dict[str, Any]:
    return {"type": "Property", "value": value}


async def test_a_notification_says_what_5_3_1_demands(api: Api) -> None:
    name = await api.subscribe(
        endpoint={"receiverInfo": [{"key": "X-Additional-Key", "value": "Value"}]}
    )
    entity = await api.create(n=4)
    [told] = await api.receiver.heard(1)
    assert told["type"] == "Notification"
    assert told["subscriptionId"] == name
    assert told["notifiedAt"].endswith("Z")
    assert told["data"] == [
        {"id": entity, "type": "Building", "n": {"type": "Property", "value": 4}}
    ]
    headers = api.receiver.headers[0]
    assert headers["X-Additional-Key"] == "Value"
    assert headers["Content-Type"] == "application/json"
    assert headers["Link"].endswith(
        '>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'
    )
    shown = (await api.get(name))["notification"]
    assert (shown["timesSent"], shown["status"]) == (1, "ok")
    assert shown["lastNotification"]
    assert shown["lastSuccess"]
    assert "lastFailure" not in shown


async def test_what_was_there_before_the_subscription_is_not_told(api: Api) -> None:
    entity = await api.create(n=1)
    await api.subscribe()
    await api.patch(entity, n=2)
    await api.receiver.heard(1)
    assert [d["n"]["value"] for d in api.receiver.data()] == [2]


async def test_an_entity_made_of_values_of_several_instants_is_told_once(api: Api) -> None:
    await api.subscribe()
    await api.create(
        a=1,
        b={"type": "Property", "value": 2, "observedAt": "2025-01-01T00:00:00Z"},
        c={"type": "Property", "value": 3, "observedAt": "2025-01-02T00:00:00Z"},
    )
    await api.create(2, a=1)
    told = await api.receiver.heard(2)
    assert [b["data"][0]["id"][-1] for b in told] == ["1", "2"]
    assert {"a", "b", "c"} <= told[0]["data"][0].keys()


async def test_each_change_is_told_with_its_own_value(api: Api) -> None:
    await api.subscribe()
    entity = await api.create(n=0)
    await asyncio.gather(*(api.patch(entity, n=value) for value in range(1, 20)))
    await api.receiver.heard(20)
    values = [d["n"]["value"] for d in api.receiver.data()]
    assert sorted(values) == list(range(20))


TRIGGERS = {
    "entityCreated": ["made"],
    "entityUpdated": ["changed", "added", "taken"],
    "entityDeleted": ["ended"],
    "attributeCreated": ["made", "added"],
    "attributeUpdated": ["changed"],
    "attributeDeleted": ["taken", "ended"],
}


@pytest.mark.parametrize("trigger", sorted(TRIGGERS))
async def test_triggers_choose_the_kind_of_change(api: Api, trigger: str) -> None:
    await api.subscribe(notificationTrigger=[trigger])
    entity = await api.create(n=1)
    await api.patch(entity, n=2)
    await api.client.post(
        f"/ngsi-ld/v1/entities/{entity}/attrs", json={"m": {"type": "Property", "value": 3}}
    )
    await api.delete(f"{entity}/attrs/m")
    await api.delete(entity)
    await api.subscribe(entities=[{"type": "End"}])
    await api.client.post("/ngsi-ld/v1/entities", json={"id": "urn:x:end", "type": "End"})
    await api.receiver.heard(len(TRIGGERS[trigger]) + 1)

    def kind(one: dict[str, Any]) -> str:
        if one["id"] == "urn:x:end":
            return "end"
        if "deletedAt" in one:
            return "ended"
        if "m" in one:
            return "taken" if one["m"]["value"] == NULL else "added"
        return "made" if one["n"]["value"] == 1 else "changed"

    assert sorted(map(kind, api.receiver.data())) == sorted([*TRIGGERS[trigger], "end"])


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"entities": [{"type": "(Building|Tower)"}]}, [1, 2, 3]),
        ({"entities": [{"type": "Building;Tower"}]}, []),
        ({"entities": [{"type": "*"}]}, [1, 2, 3]),
        ({"entities": [{"type": "Building", "id": "urn:ngsi-ld:Building:2"}]}, [2]),
        ({"entities": [{"type": "Building", "idPattern": ".*:[13]$"}]}, [1, 3]),
        ({"entities": None, "watchedAttributes": ["n"]}, [1, 2, 3]),
        ({"watchedAttributes": ["m"]}, [3]),
        ({"q": "n>1"}, [2, 3]),
        ({"q": 'word=="b"'}, [2]),
        ({"q": 'word=="b"|n==3'}, [2, 3]),
        ({"q": 'word=="%62"'}, [2]),  # as it stands in an address
        ({"q": "!m"}, [1, 2]),
        ({"geoQ": {"georel": "near;maxDistance==1000", "geometry": "Point",
                   "coordinates": [100.5, 13.7]}}, [2]),
        ({"scopeQ": "/city/#"}, [3]),
    ],
)  # fmt: skip
async def test_only_what_was_asked_for_is_told(
    api: Api, more: dict[str, Any], told: list[int]
) -> None:
    body = {k: v for k, v in more.items() if v is not None}
    if "entities" in more and more["entities"] is None:
        made = await api.client.post(
            "/ngsi-ld/v1/subscriptions",
            json={"type": "Subscription", "notification": {"endpoint": {"uri": api.receiver.url}},
                  **body},
        )  # fmt: skip
        assert made.status_code == 201, made.text
    else:
        await api.subscribe(**body)
    place = {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [100.501, 13.701]}}
    await api.create(1, n=1, word="a")
    await api.create(2, n=2, word="b", location=place)
    await api.create(3, n=3, m=1, word="c", scope=["/city/north"])
    await api.subscribe(entities=[{"type": "End"}])
    await api.client.post("/ngsi-ld/v1/entities", json={"id": "urn:x:end", "type": "End"})
    await api.receiver.heard(len(told) + 1)
    heard = [d["id"] for d in api.receiver.data() if d["id"] != "urn:x:end"]
    if more.get("entities") == [{"type": "*"}]:
        heard = [i for i in heard if i != "urn:x:end"]
    assert [int(i[-1]) for i in heard] == told


async def test_q_may_ask_of_linked_entities(api: Api) -> None:
    for name, level in (("low", 0.3), ("full", 0.95)):
        body = {
            "id": f"urn:x:{name}",
            "type": "Gauge",
            "level": {"type": "Property", "value": level},
        }
        made = await api.client.post("/ngsi-ld/v1/entities", json=body)
        assert made.status_code == 201, made.text
    await api.subscribe(q="gauge{level}<0.5")
    await api.create(1, gauge={"type": "Relationship", "object": "urn:x:full"})
    await api.create(2, gauge={"type": "Relationship", "object": "urn:x:low"})
    await api.receiver.heard(1)
    assert [d["id"][-1] for d in api.receiver.data()] == ["2"]


FORMS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"format": "normalized"}, {"n": {"type": "Property", "value": 5}, "m": {"type": "Property",
                                                                            "value": 1}}),
    ({"format": "concise"}, {"n": 5, "m": 1}),
    ({"format": "keyValues"}, {"n": 5, "m": 1}),
    ({"format": "simplified", "attributes": ["n"]}, {"n": 5}),
    ({"format": "simplified", "pick": ["id", "n"]}, {"n": 5, "type": None}),
    ({"format": "simplified", "omit": ["n", "type"]}, {"m": 1, "type": None}),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "shown"), FORMS)
async def test_forms_and_chosen_members(
    api: Api, asked: dict[str, Any], shown: dict[str, Any]
) -> None:
    entity = await api.create(n=4, m=1)
    await api.subscribe(notification=asked)
    await api.patch(entity, n=5)
    await api.receiver.heard(1)
    expected = {"id": entity, "type": "Building", **shown}
    assert api.receiver.data() == [{k: v for k, v in expected.items() if v is not None}]


async def test_system_times_are_told_where_asked_for(api: Api) -> None:
    entity = await api.create(n=4)
    await api.subscribe(notification={"sysAttrs": True})
    await api.patch(entity, n=5)
    await api.receiver.heard(1)
    [one] = api.receiver.data()
    assert {"createdAt", "modifiedAt"} <= one.keys()
    assert {"createdAt", "modifiedAt"} <= one["n"].keys()
    await api.subscribe(notificationTrigger=["entityDeleted"], notification={"sysAttrs": True})
    await api.delete(entity)
    await api.receiver.heard(2)
    assert api.receiver.data()[1].keys() == {"id", "type", "createdAt", "modifiedAt", "deletedAt"}


async def test_a_deleted_entity_is_told_bare(api: Api) -> None:
    entity = await api.create(n=4)
    await api.subscribe(notificationTrigger=["entityDeleted"])
    await api.delete(entity)
    await api.receiver.heard(1)
    [one] = api.receiver.data()
    assert one.keys() == {"id", "type", "deletedAt"}
    assert one["id"] == entity


async def test_watched_attributes_of_a_deleted_entity_are_told_as_null(api: Api) -> None:
    entity = await api.create(**KINDS)
    await api.subscribe(
        notificationTrigger=["attributeDeleted"],
        watchedAttributes=["name"],
        notification={"sysAttrs": True},
    )
    await api.delete(entity)
    await api.receiver.heard(1)
    [one] = api.receiver.data()
    assert one.keys() == {"id", "type", "createdAt", "modifiedAt", "deletedAt", "name"}
    assert one["name"]["value"] == NULL
    assert one["name"].keys() == {"type", "value", "createdAt", "modifiedAt", "deletedAt"}


async def test_an_attribute_that_has_run_out_is_told_as_deleted(api: Api) -> None:
    soon = format_instant(datetime.now(UTC) + timedelta(seconds=1))
    await api.subscribe(notificationTrigger=["attributeDeleted"])
    body = {"id": "urn:ngsi-ld:Building:1", "type": "Building", "kept": prop(1)}
    body["brief"] = {**prop(2), "expiresAt": soon}
    answer = await api.client.post("/ngsi-ld/v1/entities", json=body)
    assert answer.status_code == 201, answer.text
    [told] = await api.receiver.heard(1)
    assert told["data"][0]["brief"] == {"type": "Property", "value": NULL}
    assert told["data"][0]["kept"] == prop(1)
    left = (await api.client.get(f"/ngsi-ld/v1/entities/{body['id']}")).json()
    assert set(left) == {"id", "type", "kept"}
    past = {"timeproperty": "deletedAt"}
    gone = await api.client.get(f"/ngsi-ld/v1/temporal/entities/{body['id']}", params=past)
    assert set(gone.json()) == {"id", "type", "brief"}


async def test_what_has_run_out_and_is_not_swept_yet_is_neither_told_nor_judged(
    api: Api, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing() -> int:
        return 0

    monkeypatch.setattr(context, "sweep_ended", nothing)
    soon = datetime.now(UTC) + timedelta(seconds=0.5)
    body = {"id": "urn:ngsi-ld:Building:1", "type": "Building", "kept": prop(1)}
    body["brief"] = {**prop(2), "expiresAt": format_instant(soon)}
    assert (await api.client.post("/ngsi-ld/v1/entities", json=body)).status_code == 201
    await api.subscribe(q="brief==2", description="never")
    await api.subscribe(watchedAttributes=["kept"])
    await asyncio.sleep(max(0.0, (soon - datetime.now(UTC)).total_seconds()))
    for value in (2, 3):
        change = {"kept": prop(value)}
        await api.client.patch(f"/ngsi-ld/v1/entities/{body['id']}/attrs", json=change)
        told = await api.receiver.heard(value - 1)
        assert told[-1]["data"] == [{"id": body["id"], "type": "Building", **change}]


async def test_one_instance_that_is_deleted_is_told_as_null_beside_the_others(api: Api) -> None:
    names = [
        {"type": "Property", "value": "Eiffel Tower"},
        {"type": "Property", "value": "Eiffelturm", "datasetId": "urn:x:de"},
        {"type": "Property", "value": "Tour Eiffel", "datasetId": "urn:x:fr"},
    ]
    entity = await api.create(name=names)
    for form in ("normalized", "keyValues"):
        await api.subscribe(notificationTrigger=["attributeDeleted"], notification={"format": form})
    await api.delete(f"{entity}/attrs/name", datasetId="urn:x:fr")
    await api.receiver.heard(2)
    told = sorted((d["name"] for d in api.receiver.data()), key=lambda n: isinstance(n, dict))
    assert told[0] == [*names[:2], {**names[2], "value": NULL}]
    assert told[1] == {
        "dataset": {"@none": "Eiffel Tower", "urn:x:de": "Eiffelturm", "urn:x:fr": NULL}
    }
    await api.delete(f"{entity}/attrs/name", deleteAll="true")
    await api.receiver.heard(4)
    assert {str(d["name"]) for d in api.receiver.data()[2:]} == {
        str({"type": "Property", "value": NULL}), NULL
    }  # fmt: skip


CHANGES = [
    ("name", {"type": "Property", "value": "Tour"}, {"previousValue": "Eiffel Tower"}),
    (
        "locatedAt",
        {"type": "Relationship", "object": "urn:ngsi-ld:City:Nantes"},
        {"previousObject": "urn:ngsi-ld:City:Paris"},
    ),
    (
        "location",
        {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [1, 2]}},
        {"previousValue": POINT},
    ),
    (
        "street",
        {"type": "LanguageProperty", "languageMap": {"es": "Gran Lugar"}},
        {"previousLanguageMap": {"fr": "Grand Place", "nl": "Markt"}},
    ),
]


@pytest.mark.parametrize(("name", "new", "previous"), CHANGES)
async def test_show_changes_tells_what_was(
    api: Api, name: str, new: dict[str, Any], previous: dict[str, Any]
) -> None:
    entity = await api.create(**KINDS)
    await api.subscribe(notification={"showChanges": True})
    await api.patch(entity, **{name: new})
    await api.receiver.heard(1)
    [one] = api.receiver.data()
    assert one[name] == {**new, **previous}
    others = {k: v for k, v in KINDS.items() if k != name}
    assert {k: one[k] for k in others} == others


@pytest.mark.parametrize("name", sorted(KINDS))
async def test_show_changes_tells_what_a_deleted_attribute_was(api: Api, name: str) -> None:
    entity = await api.create(**KINDS)
    await api.subscribe(
        notificationTrigger=["attributeDeleted"], notification={"showChanges": True}
    )
    await api.delete(f"{entity}/attrs/{name}")
    await api.receiver.heard(1)
    holder = {"street": "languageMap", "locatedAt": "object"}.get(name, "value")
    was = KINDS[name]
    null = {"@none": NULL} if name == "street" else NULL
    previous = "previous" + holder[0].upper() + holder[1:]
    [one] = api.receiver.data()
    assert one[name] == {"type": was["type"], holder: null, previous: was[holder]}


async def test_show_changes_tells_all_of_a_deleted_entity_and_nothing_of_a_new_one(
    api: Api,
) -> None:
    await api.subscribe(
        notificationTrigger=["entityCreated", "entityDeleted"], notification={"showChanges": True}
    )
    entity = await api.create(**KINDS)
    await api.delete(entity)
    new, gone = [b["data"][0] for b in await api.receiver.heard(2)]
    assert "previous" not in str(new)
    assert gone["street"] == {
        "type": "LanguageProperty",
        "languageMap": NULL,
        "previousLanguageMap": KINDS["street"]["languageMap"],
    }
    assert gone["name"] == {"type": "Property", "value": NULL, "previousValue": "Eiffel Tower"}


async def test_linked_entities_come_along(api: Api) -> None:
    city = {
        "id": "urn:ngsi-ld:City:Paris",
        "type": "City",
        "name": {"type": "Property", "value": "Paris"},
    }
    await api.client.post("/ngsi-ld/v1/entities", json=city)
    entity = await api.create(locatedAt=KINDS["locatedAt"])
    await api.subscribe(notification={"join": "flat", "attributes": ["locatedAt"]})
    await api.patch(entity, locatedAt=KINDS["locatedAt"])
    [told] = await api.receiver.heard(1)
    assert told["data"] == [
        {"id": entity, "type": "Building", "locatedAt": KINDS["locatedAt"]},
        city,
    ]
    await api.change(
        told["subscriptionId"],
        notification={"join": "inline", "endpoint": {"uri": api.receiver.url}},
    )
    await api.patch(entity, locatedAt=KINDS["locatedAt"])
    told = (await api.receiver.heard(2))[1]
    assert told["data"][0]["locatedAt"] == {**KINDS["locatedAt"], "entity": city}
    await api.change(
        told["subscriptionId"],
        notification={
            "join": "inline", "format": "simplified", "endpoint": {"uri": api.receiver.url}
        },
    )  # fmt: skip
    await api.patch(entity, locatedAt=KINDS["locatedAt"])
    told = (await api.receiver.heard(3))[2]
    assert told["data"][0]["locatedAt"] == {**city, "name": "Paris"}


async def test_projections_reach_into_linked_entities(api: Api) -> None:
    for place in (
        {"id": "urn:x:Land", "type": "Land", "name": prop("Siam"), "size": prop(3)},
        {"id": "urn:ngsi-ld:City:Paris", "type": "City", "name": prop("Paris"), "size": prop(2),
         "inLand": {"type": "Relationship", "object": "urn:x:Land"}},
    ):  # fmt: skip
        await api.client.post("/ngsi-ld/v1/entities", json=place)
    entity = await api.create(locatedAt=KINDS["locatedAt"], size=1)
    picked = ["id", "locatedAt{name,inLand{id,name}}"]
    chosen: dict[str, Any] = {"join": "inline", "joinLevel": 2, "pick": picked}
    name = await api.subscribe(notification=chosen)
    assert (await api.get(name))["notification"]["pick"] == picked
    await api.patch(entity, locatedAt=KINDS["locatedAt"])
    [told] = await api.receiver.heard(1)
    [one] = told["data"]
    assert set(one) == {"id", "locatedAt"}
    city = one["locatedAt"]["entity"]
    assert set(city) == {"name", "inLand"}
    assert city["inLand"]["entity"] == {"id": "urn:x:Land", "name": prop("Siam")}
    left = {"join": "flat", "joinLevel": 2, "omit": ["size", "locatedAt{type,size,inLand{size}}"]}
    await api.change(name, notification={**left, "endpoint": {"uri": api.receiver.url}})
    await api.patch(entity, locatedAt=KINDS["locatedAt"])
    told = (await api.receiver.heard(2))[1]
    assert [set(each) for each in told["data"]] == [
        {"id", "type", "locatedAt"},
        {"id", "name", "inLand"},
        {"id", "type", "name"},
    ]


async def test_json_ld_carries_its_context(api: Api) -> None:
    await api.subscribe(endpoint={"accept": "application/ld+json"})
    await api.create(n=1)
    [told] = await api.receiver.heard(1)
    assert "@context" in told
    assert "@context" in told["data"][0]
    assert "Link" not in api.receiver.headers[0]
    assert api.receiver.headers[0]["Content-Type"] == "application/ld+json"


async def test_geo_json_is_a_collection_of_features(api: Api) -> None:
    await api.subscribe(
        endpoint={"accept": "application/geo+json"}, notification={"format": "simplified"}
    )
    entity = await api.create(**KINDS)
    [told] = await api.receiver.heard(1)
    assert told["data"]["type"] == "FeatureCollection"
    [feature] = told["data"]["features"]
    assert (feature["id"], feature["type"], feature["geometry"]) == (entity, "Feature", POINT)
    assert feature["properties"]["name"] == "Eiffel Tower"


async def test_a_context_of_its_own_is_used_for_notifications(api: Api) -> None:
    core = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.8.jsonld"
    context = {"Building": "https://x.example/Building", "n": "https://x.example/n"}
    body = {
        "type": "Subscription",
        "entities": [{"type": "Building"}],
        "notification": {"endpoint": {"uri": api.receiver.url, "accept": "application/ld+json"}},
        "jsonldContext": core,
        "@context": context,
    }
    ld = {"Content-Type": "application/ld+json"}
    made = await api.client.post("/ngsi-ld/v1/subscriptions", json=body, headers=ld)
    assert made.status_code == 201, made.text
    entity = {"id": "urn:x:1", "type": "Building", "n": {"type": "Property", "value": 1}}
    await api.client.post("/ngsi-ld/v1/entities", json={**entity, "@context": context}, headers=ld)
    [told] = await api.receiver.heard(1)
    one = told["data"][0]
    assert one["type"] == "https://x.example/Building"
    assert one["https://x.example/n"] == {"type": "Property", "value": 1}
    assert one["@context"] == core


async def test_languages_and_datasets_are_chosen(api: Api) -> None:
    name = [
        {"type": "Property", "value": "Tower"},
        {"type": "Property", "value": "Tour", "datasetId": "urn:x:fr"},
    ]
    await api.subscribe(datasetId=["urn:x:fr"])
    await api.subscribe(lang="nl", notification={"format": "simplified"})
    await api.create(name=name, street=KINDS["street"])
    told = await api.receiver.heard(2)
    by_form = {isinstance(b["data"][0].get("street"), str): b["data"][0] for b in told}
    assert by_form[False]["name"] == name[1]
    assert by_form[True]["street"] == "Markt"


async def test_throttling_leaves_out_what_comes_too_soon(api: Api) -> None:
    await api.subscribe(throttling=600)
    entity = await api.create(n=0)
    for value in range(1, 4):
        await api.patch(entity, n=value)
    await api.subscribe(entities=[{"type": "End"}])
    await api.client.post("/ngsi-ld/v1/entities", json={"id": "urn:x:end", "type": "End"})
    await api.receiver.heard(2)
    assert {d["id"] for d in api.receiver.data()} == {entity, "urn:x:end"}
    assert len(api.receiver.bodies) == 2


async def test_a_paused_subscription_is_told_nothing_and_then_all_that_follows(api: Api) -> None:
    name = await api.subscribe(isActive=False)
    entity = await api.create(n=0)
    await api.change(name, isActive=True)
    await api.patch(entity, n=1)
    await api.receiver.heard(1)
    assert [d["n"]["value"] for d in api.receiver.data()] == [1]


async def test_periodic_ones_are_told_what_fits_whatever_changes(api: Api) -> None:
    await api.create(1, n=1)
    await api.create(2, n=2)
    name = await api.subscribe(timeInterval=0.3, q="n>1")
    told = await api.receiver.heard(2)
    assert all([d["id"][-1] for d in b["data"]] == ["2"] for b in told)
    assert (await api.client.delete(f"/ngsi-ld/v1/subscriptions/{name}")).status_code == 204


async def test_a_tenant_hears_of_its_own(api: Api) -> None:
    headers = {"NGSILD-Tenant": "north"}
    body = {
        "type": "Subscription",
        "entities": [{"type": "Building"}],
        "notification": {"endpoint": {"uri": api.receiver.url}},
    }
    made = await api.client.post("/ngsi-ld/v1/subscriptions", json=body, headers=headers)
    assert made.status_code == 201, made.text
    await api.create(1, n=1)
    entity = {"id": "urn:x:north", "type": "Building"}
    await api.client.post("/ngsi-ld/v1/entities", json=entity, headers=headers)
    await api.receiver.heard(1)
    assert [d["id"] for d in api.receiver.data()] == ["urn:x:north"]
    assert api.receiver.headers[0]["NGSILD-Tenant"] == "north"


async def test_failures_are_counted_and_mended_in_order(api: Api) -> None:
    api.receiver.status = 500
    name = await api.subscribe()
    for number in range(3):
        await api.create(number, n=1)
    async with asyncio.timeout(20):
        while (await api.get(name))["notification"].get("status") != "failed":
            await asyncio.sleep(0.02)
    shown = (await api.get(name))["notification"]
    assert shown["timesFailed"] >= 1
    assert shown["lastFailure"]
    api.receiver.status = 204
    await api.receiver.heard(3)
    assert [d["id"][-1] for d in api.receiver.data()] == ["0", "1", "2"]
    async with asyncio.timeout(20):
        while (await api.get(name))["notification"]["status"] != "ok":
            await asyncio.sleep(0.02)


OTHER_KINDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "use": (
        {"type": "VocabProperty", "vocab": "monument"},
        {"type": "VocabProperty", "vocab": NULL, "previousVocab": "monument"},
    ),
    "raw": (
        {"type": "JsonProperty", "json": {"id": "some-id", "null": None}},
        {"type": "JsonProperty", "json": NULL, "previousJson": {"id": "some-id", "null": None}},
    ),
}


@pytest.mark.parametrize("name", sorted(OTHER_KINDS))
async def test_what_a_vocabulary_or_json_was_is_told_when_it_goes(api: Api, name: str) -> None:
    """TP 046_35, 046_38, 046_39."""
    was, told = OTHER_KINDS[name]
    await api.subscribe(
        notificationTrigger=["attributeDeleted", "entityDeleted"],
        notification={"showChanges": True},
    )
    entity = await api.create(1, **{name: was})
    await api.delete(f"{entity}/attrs/{name}")
    other = await api.create(2, **{name: was})
    await api.delete(other)
    await api.receiver.heard(2)
    first, second = api.receiver.data()
    assert first == {"id": entity, "type": "Building", name: told}
    assert second.keys() == {"id", "type", "deletedAt", name}
    assert second[name] == told


async def test_an_attribute_that_null_has_deleted_is_told(api: Api) -> None:
    """TP 046_22_08 to 046_22_13: by merging, by updating, by a partial update."""
    await api.subscribe(notificationTrigger=["attributeDeleted"], watchedAttributes=["locatedAt"])
    null = {"type": "Relationship", "object": NULL}
    for number, (path, body) in enumerate(
        [("", {"locatedAt": null}), ("/attrs", {"locatedAt": null}), ("/attrs/locatedAt", null)], 1
    ):
        entity = await api.create(number, **KINDS)
        done = await api.client.patch(f"/ngsi-ld/v1/entities/{entity}{path}", json=body)
        assert done.status_code == 204, (path, done.text)
        told = (await api.receiver.heard(number))[-1]["data"]
        others = {k: v for k, v in KINDS.items() if k != "locatedAt"}
        assert told == [{"id": entity, "type": "Building", **others, "locatedAt": null}], path


async def test_linked_entities_have_their_times_too(api: Api) -> None:
    """TP 046_28."""
    city = {"id": "urn:ngsi-ld:City:Paris", "type": "City"}
    await api.client.post("/ngsi-ld/v1/entities", json=city)
    entity = await api.create(locatedAt=KINDS["locatedAt"])
    await api.subscribe(notification={"join": "inline", "sysAttrs": True})
    await api.patch(entity, n=1)
    [told] = await api.receiver.heard(1)
    times = {"createdAt", "modifiedAt"}
    [one] = told["data"]
    assert one.keys() == {"id", "type", "n", "locatedAt"} | times
    assert one["locatedAt"].keys() == {"type", "object", "entity"} | times
    assert one["locatedAt"]["entity"].keys() == {"id", "type"} | times
