"""An incident goes up to the province, a call comes down to the city; both sides tell the same."""

from __future__ import annotations

import time
from typing import Any

import pytest_asyncio

from federation_fixtures import Make, Node, join
from nagara.context import Entity, Upsert
from nagara.vocab.attribute import property_of

ALERT = "urn:ngsi-ld:Alert:aa:flood-1"
CALL = {"category": "road-damage", "severity": "critical", "title": {"en": "Clear the bridge",
        "th": "เคลียร์สะพาน"}}  # fmt: skip


@pytest_asyncio.fixture(loop_scope="session")
async def pair(make_node: Make) -> tuple[Node, Node]:
    """A city and its province."""
    city, province = await make_node("aa"), await make_node("hub")
    if not (await city.ask("GET", "/status"))["links"]:
        await join(city, province)
    return city, province


async def raised(city: Node) -> str:
    attrs = {"category": property_of("flood"), "severity": property_of("critical"),
             "state": property_of("open"), "description": property_of("Somchai J.")}  # fmt: skip
    entity = Entity(ALERT, ("Alert",), attrs)
    await city.application.context.write(Upsert(entity), actor="system:test")
    made = await city.ask(
        "POST", "/incidents", 201, peer="hub", entity=ALERT, reason="beyond-means"
    )
    assert (made["status"], made["ours"]) == ("raised", True)
    return str(made["id"])


async def passed(province: Node, city: Node, **changes: Any) -> str:
    made = await province.ask("POST", "/calls", 201, peer="aa", **{**CALL, **changes})
    assert (made["status"], made["ours"]) == ("passed", True)
    await city.talk(province)
    return str(made["id"])


async def matter(node: Node, kind: str, matter_id: str) -> Any:
    items = (await node.ask("GET", f"/{kind}"))["items"]
    return next(one for one in items if one["id"] == matter_id)


def statuses(found: Any) -> list[str]:
    return [step["status"] for step in found["steps"]]


async def test_an_incident_goes_up_is_acknowledged_and_resolved_on_both_sides(
    pair: tuple[Node, Node],
) -> None:
    city, province = pair
    at = await raised(city)
    await city.talk(province)
    there = await matter(province, "incidents", at)
    assert (there["status"], there["ours"], there["peer"]) == ("delivered", False, "aa")
    assert there["body"]["reason"] == "beyond-means"
    assert set(there["body"]["attrs"]) == {"category", "severity", "state"}  # no words of people
    assert (await matter(city, "incidents", at))["status"] == "delivered"

    await province.ask("POST", f"/incidents/{at}/acknowledge")
    await city.talk(province)
    assert (await matter(city, "incidents", at))["status"] == "acknowledged"
    again = await province.ask("POST", f"/incidents/{at}/acknowledge", 409)
    assert "federation-step-not-possible" in str(again)
    await city.ask("POST", f"/incidents/{at}/resolve", 409)  # not the city's to say

    await province.ask("POST", f"/incidents/{at}/resolve")
    await city.talk(province)
    here = await matter(city, "incidents", at)
    assert statuses(here) == ["raised", "delivered", "acknowledged", "resolved"]
    assert here["steps"][-1]["who"].startswith("hub:")
    there = await matter(province, "incidents", at)
    assert statuses(there) == ["delivered", "acknowledged", "resolved"]
    await city.ask("POST", f"/incidents/{at}/take-back", 409)


async def test_an_incident_taken_back_is_taken_back_there(pair: tuple[Node, Node]) -> None:
    city, province = pair
    at = await raised(city)
    await city.talk(province)
    await city.ask("POST", f"/incidents/{at}/take-back")
    await city.talk(province)
    assert (await matter(province, "incidents", at))["status"] == "taken-back"
    await province.ask("POST", f"/incidents/{at}/acknowledge", 409)


async def test_a_call_that_is_accepted_becomes_a_case_and_its_end_is_told(
    pair: tuple[Node, Node],
) -> None:
    city, province = pair
    at = await passed(province, city)
    assert (await matter(city, "calls", at))["status"] == "delivered"
    assert (await matter(city, "calls", at))["body"]["title"] == CALL["title"]
    assert (await matter(province, "calls", at))["status"] == "delivered"
    await province.ask("POST", f"/calls/{at}/accept", 409)  # only the city can

    await city.ask("POST", f"/calls/{at}/accept")
    await city.talk(province)
    assert (await matter(province, "calls", at))["status"] == "accepted"
    case = await until_case(city, at)
    base = f"/api/v1/cases/{case}"
    told = (await city.http.get(base)).json()
    assert (told["category"]["code"] if isinstance(told["category"], dict) else told["category"]
            ) == "road-damage"  # fmt: skip
    await act(city, f"{base}/accept")
    await city.talk(province)
    assert (await matter(province, "calls", at))["status"] == "in-progress"
    await act(city, f"{base}/start")
    await act(city, f"{base}/resolve", note="The bridge is clear.")
    await city.talk(province)
    for node in (city, province):
        found = await matter(node, "calls", at)
        assert statuses(found)[-4:] == ["delivered", "accepted", "in-progress", "done"]


async def act(city: Node, path: str, **body: Any) -> None:
    answer = await city.http.post(path, json=body)
    assert answer.status_code == 200, answer.text


async def until_case(city: Node, at: str) -> str:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        await city.settle()
        found = (await matter(city, "calls", at))["caseId"]
        if found:
            return str(found)
    raise AssertionError("no case was opened")


async def test_a_call_is_declined_or_taken_back_once(pair: tuple[Node, Node]) -> None:
    city, province = pair
    declined, back = await passed(province, city), await passed(province, city)
    await city.ask("POST", f"/calls/{declined}/decline")
    await province.ask("POST", f"/calls/{back}/take-back")
    await city.talk(province)
    assert (await matter(province, "calls", declined))["status"] == "declined"
    assert (await matter(city, "calls", back))["status"] == "taken-back"
    await city.ask("POST", f"/calls/{back}/accept", 409)


async def test_what_is_heard_twice_is_one_matter_with_the_same_steps(
    pair: tuple[Node, Node],
) -> None:
    city, province = pair
    at = await raised(city)
    await city.talk(province)
    before = await matter(province, "incidents", at)
    for jws in await city.envelopes("hub"):
        answer = await province.http.post("/api/v1/federation/envelopes", json={"envelopes": [jws]})
        assert answer.json()["outcomes"][0]["what"] == "repeated"
    assert await matter(province, "incidents", at) == before


async def test_what_cannot_be_raised_or_passed_is_refused_in_words(
    pair: tuple[Node, Node],
) -> None:
    city, province = pair
    await raised(city)
    device = Entity("urn:ngsi-ld:Device:aa:1", ("Device",), {"state": property_of("enabled")})
    await city.application.context.write(Upsert(device), actor="system:test")
    good = {"peer": "hub", "entity": ALERT, "reason": "beyond-means"}
    for changes, status, code in (
        ({"entity": device.id}, 422, "federation-not-cleared"),
        ({"entity": "urn:ngsi-ld:Alert:aa:none"}, 404, "not-found"),
        ({"reason": "because"}, 422, "federation-link-invalid"),
        ({"peer": "nobody"}, 404, "federation-link-unknown"),
    ):
        answer = await city.ask("POST", "/incidents", status, **{**good, **changes})
        assert code in str(answer), answer
    for changes in ({"severity": "mild"}, {"title": {"en": "x" * 141}}, {"title": {}}):
        await province.ask("POST", "/calls", 422, peer="aa", **{**CALL, **changes})
    await city.ask("POST", "/calls", 422, peer="hub", **CALL)  # a city passes nothing up
