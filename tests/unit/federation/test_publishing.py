"""What a city publishes arrives whole, is kept under its code, and can be taken back."""

from __future__ import annotations

from typing import Any

from federation_fixtures import Make, Node, join
from nagara.context import Delete, Entity, Query, Upsert
from nagara.vocab.federation import tenant_of_city
from nagara.vocab.project import YearNote

PLACE = "urn:ngsi-ld:AirQualityObserved:a:1"


async def publish(city: Node, hub: Node, *items: dict[str, Any]) -> None:
    answer = await city.ask("PUT", f"/uppers/{hub.code}/choices", items=list(items))
    assert len(answer["items"]) == len(items)


def station(pm25: float, **more: Any) -> Entity:
    attrs = {
        "pm25": {"type": "Property", "value": pm25, "unitCode": "GQ"},
        "name": {"type": "LanguageProperty", "languageMap": {"en": "Pier", "th": "ท่าเรือ"}},
        **more,
    }
    return Entity(PLACE, ("AirQualityObserved",), attrs)


async def test_values_and_entities_arrive_under_the_city_and_never_beside_the_hubs_own(
    make_node: Make,
) -> None:
    city, hub = await make_node("aa"), await make_node("hub")
    await join(city, hub)
    await publish(city, hub, {"kind": "value"}, {"kind": "entity", "type": "AirQualityObserved"})
    code = next(iter(city.application.federation_register.library.definitions))  # type: ignore[attr-defined]
    await city.approve(code, 12.5)
    await city.application.context.write(Upsert(station(31.0)), actor="device:x")
    await city.talk(hub)
    values = (await hub.http.get("/api/v1/indicators/values?city=aa")).json()["items"]
    assert [(v["code"], v["value"], v["method"]) for v in values] == [(code, 12.5, "received")]
    there = await hub.application.context.find(PLACE, tenant=tenant_of_city("aa"))
    assert there is not None
    assert there.value("pm25") == 31.0
    assert await hub.application.context.find(PLACE) is None
    lineage = (await hub.ask("GET", "/lineage?city=aa"))["items"]
    assert {(one["kind"], one["author"], one["carrier"]) for one in lineage} == {
        ("value", "aa", "https"),
        ("entity", "aa", "https"),
    }
    up, down = await city.link("hub"), await hub.link("aa")
    assert up["digest"] == down["digest"]
    assert up["acknowledged"] == up["sent"] == down["received"]

    await city.application.context.write(Upsert(station(44.0)), actor="device:x")
    await city.application.context.write(Delete(PLACE), actor="device:x")
    await city.talk(hub)
    assert await hub.application.context.find(PLACE, tenant=tenant_of_city("aa")) is None
    assert (await city.link("hub"))["digest"] == (await hub.link("aa"))["digest"]


async def test_a_city_takes_everything_back_and_gets_the_proof(make_node: Make) -> None:
    city, hub = await make_node("aa"), await make_node("hub")
    await join(city, hub)
    await publish(city, hub, {"kind": "value"}, {"kind": "entity", "type": "AirQualityObserved"})
    code = next(iter(city.application.federation_register.library.definitions))  # type: ignore[attr-defined]
    await city.approve(code, 12.5)
    await city.application.context.write(Upsert(station(31.0)), actor="device:x")
    await city.talk(hub)
    before = (await hub.link("aa"))["digest"]
    await city.ask("POST", "/uppers/hub/withdraw")
    await city.talk(hub)
    assert (await hub.http.get("/api/v1/indicators/values?city=aa")).json()["items"] == []
    tenant = tenant_of_city("aa")
    query = Query(types=("AirQualityObserved",), tenant=tenant)
    assert (await hub.application.context.query(query)).entities == []
    lineage = (await hub.ask("GET", "/lineage?city=aa"))["items"]
    assert lineage
    assert all(one["withdrawnAt"] for one in lineage)
    link = await city.link("hub")
    assert (link["status"], bool(link["proof"])) == ("withdrawn", True)
    import msgspec

    from nagara.federation.envelope import ENVELOPE, open_jws

    proof = open_jws(link["proof"], ENVELOPE)
    items = msgspec.json.decode(proof.payload)["items"]
    receipt = next(one for one in items if one["kind"] == "receipt")
    assert (receipt["values"], receipt["entities"], receipt["digest"]) == (1, 1, before)


async def test_a_projects_state_and_its_end_of_being_published_reach_the_network(
    make_node: Make,
) -> None:
    city, hub = await make_node("aa"), await make_node("hub")
    await join(city, hub)
    await publish(city, hub, {"kind": "project"})
    own, theirs = city.application.plans.book, hub.application.plans.book
    assert own is not None
    assert theirs is not None
    note = YearNote(2024, "Canal path", "Report 2024", "FA4", "ongoing")
    known = await own.register("aa", "TH", note, "system:test")
    hidden = await own.register(
        "aa", "TH", YearNote(2024, "Not yet told", "Draft"), "system:test", published=False
    )
    await city.talk(hub)
    told = await theirs.find(known.id)
    assert told is not None
    assert (told.city, told.name, told.state) == ("aa", "Canal path", "active")
    assert await theirs.find(hidden.id) is None  # a draft is nobody's but the city's

    await own.suspend(known.id, 2025, "no money this year", "Council, 2025-03-01", "system:test")
    await city.talk(hub)
    told = await theirs.find(known.id)
    assert told is not None
    assert told.state == "suspended"
    assert (told.reason or "").startswith("no money this year")
    lineage = (await hub.ask("GET", "/lineage?city=aa&kind=project"))["items"]
    assert [one["subject"] for one in lineage] == [known.id] * len(lineage)
    assert len(lineage) >= 2

    await publish(city, hub)  # no longer chosen: taken back there, kept at home
    await city.talk(hub)
    told = await theirs.find(known.id)
    assert told is None or not told.published
    assert (await city.link("hub"))["digest"] == (await hub.link("aa"))["digest"]
