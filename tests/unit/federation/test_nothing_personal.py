"""Nothing personal leaves, whatever is tried."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation_fixtures import Make, join
from nagara.context import Create, Entity
from nagara.federation.clearance import CLEARED, RAISED, clear_entity, may_be_chosen
from nagara.federation.envelope import ENVELOPE, open_jws
from nagara.guard.policy import TYPE_CLASS

SECRET = "Somchai Jaidee 08-1234-5678"
HIDDEN = ["Case", "Device", "Person", "Photo", "SomethingNew", "Account", "Token", ""]


@pytest.mark.parametrize("entity_type", HIDDEN)
async def test_a_hidden_type_is_never_cleared(entity_type: str) -> None:
    assert not may_be_chosen(entity_type)
    assert clear_entity((entity_type,), {"pm25": {"type": "Property", "value": 1}},
                        frozenset()) is None  # fmt: skip
    # nor in the company of a public one
    both = ("AirQualityObserved", entity_type)
    assert clear_entity(both, {"pm25": {"type": "Property", "value": 1}}, frozenset()) is None


def test_what_is_cleared_is_public_and_says_no_words_of_people() -> None:
    assert all(TYPE_CLASS[name] == "public" for name in CLEARED)
    words = {"description", "note", "words", "contact", "reporter", "trackingCode", "photo",
             "photoCount", "email", "telephone", "assigned", "acknowledgedBy", "resolvedBy",
             "location", "ticketNumber"}  # fmt: skip
    assert not RAISED["Case"] & words
    for name in ("Alert", "ServiceRequest", "AirQualityObserved"):
        assert not CLEARED[name] & (words - {"location"})
    assert "location" not in CLEARED["ServiceRequest"]


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=20),
        st.fixed_dictionaries({"type": st.just("Property"), "value": st.just(SECRET)}),
    )
)
def test_an_attribute_added_later_stays_at_home(attrs: dict[str, Any]) -> None:
    told = clear_entity(("WaterObserved",), attrs, frozenset())
    assert told is not None
    assert set(told) <= CLEARED["WaterObserved"]


@pytest.mark.parametrize(
    "value",
    ["x" * 201, {"note": {"deep": SECRET}}, [{"name": SECRET}], {"type": "Feature", "who": SECRET}],
)
def test_prose_and_nested_values_stay_even_under_a_cleared_name(value: Any) -> None:
    told = clear_entity(("WaterObserved",), {"flow": {"type": "Property", "value": value}},
                        frozenset())  # fmt: skip
    assert told == {}


def test_sub_attributes_stay() -> None:
    said = {
        "type": "Property",
        "value": 1,
        "observedBy": {"type": "Relationship", "object": "urn:p"},
        "note": {"type": "Property", "value": SECRET},
        "provenance": {"value": SECRET * 3},
    }
    told = clear_entity(("WaterObserved",), {"flow": said}, frozenset())
    assert told == {"flow": {"type": "Property", "value": 1}}


async def test_no_envelope_of_a_city_full_of_secrets_holds_one(make_node: Make) -> None:
    city, hub = await make_node("aa"), await make_node("hub")
    await join(city, hub)
    for bad in (
        {"kind": "entity", "type": "Case"},
        {"kind": "entity", "type": "Device"},
        {"kind": "entity", "type": "AirQualityObserved", "attributes": ["keeper"]},
        {"kind": "entity", "type": "ServiceRequest", "attributes": ["ticketNumber"]},
        {"kind": "report"},
    ):
        answer = await city.ask("PUT", "/uppers/hub/choices", 422, items=[bad])
        assert "federation-not-cleared" in str(answer)
    clearance = (await city.ask("GET", "/clearance"))["items"]
    everything = [{"kind": "entity", "type": one["type"]} for one in clearance]
    await city.ask(
        "PUT", "/uppers/hub/choices", items=[{"kind": "value"}, {"kind": "project"}, *everything]
    )
    attrs = {name: {"type": "Property", "value": SECRET} for name in ("description", "keeper",
             "trackingCode", "reporter", "photo", "ticketNumber", "note")}  # fmt: skip
    attrs["category"] = {"type": "Property", "value": "road"}
    for n, kind in enumerate([*TYPE_CLASS, "Person", "SomethingNew"]):
        entity = Entity(f"urn:ngsi-ld:{kind}:aa:secret-{n}", (kind,), attrs)
        await city.application.context.write(Create(entity), actor="system:test")
    case = f"urn:ngsi-ld:Case:aa:secret-{list(TYPE_CLASS).index('Case')}"
    await city.ask("POST", "/incidents", 201, peer="hub", entity=case, reason="beyond-means")
    await city.talk(hub)
    for jws in await city.envelopes("hub"):
        said = open_jws(jws, ENVELOPE).payload.decode()
        assert "Somchai" not in said
        assert "account:" not in said
    raised = (await hub.ask("GET", "/incidents"))["items"]
    assert [set(one["body"]["attrs"]) for one in raised] == [{"category"}]


async def test_small_cells_stay_hidden_and_drafts_stay_at_home(make_node: Make) -> None:
    city, hub = await make_node("aa"), await make_node("hub")
    await join(city, hub)
    await city.ask("PUT", "/uppers/hub/choices", items=[{"kind": "value"}])
    library = city.application.federation_register.library  # type: ignore[attr-defined]
    code = next(c for c, d in library.definitions.items() if "sex" in d.dimensions)
    for sex, count in (("female", 3.0), ("male", 90.0)):
        await city.approve(code, count, breakdown=f"sex={sex}", numerator=count, denominator=100.0)
    await city.approve(code, 93.0, numerator=93.0, denominator=200.0)
    await city.settle()
    async with city.federation.db.acquire() as conn:
        await conn.execute(
            "update indicators.value set status = 'draft' where city = 'aa' and breakdown = ''"
        )
    await city.talk(hub)
    found = (await hub.http.get("/api/v1/indicators/values?city=aa")).json()["items"]
    async with hub.federation.db.acquire() as conn:
        rows = await conn.fetch(
            "select breakdown, value, numerator from indicators.value where city = 'aa'"
        )
    kept = {r["breakdown"]: (r["value"], r["numerator"]) for r in rows}
    assert kept == {"sex=female": (None, None), "sex=male": (None, None)}, found
