"""Yearly returns: filled already, explained where missing, passed on by silence, locked."""

from __future__ import annotations

from datetime import date
from typing import Any

from hub_fixtures import Hub
from nagara.guard.identity import Actor
from nagara.guard.policy import visible_types
from nagara.network.work.model import Line
from nagara.network.work.returns import merged
from nagara.network.work.telling import tell_processes
from nagara.network.work.values import Point
from nagara.vocab import network_process as noun
from nagara.vocab import project

WORDS = {
    "progress": "Five kilometres of canal were dredged and two gates built.",
    "challenges": "The budget came late.",
}
NAME = {"en": "Households with internet", "th": "ครัวเรือนที่มีอินเทอร์เน็ต"}


def value(city: str, year: int, number: float | None, grade: str = "complete") -> Point:
    return Point(
        city, "internet", NAME, date(year, 1, 1), date(year + 1, 1, 1), number, "P1", grade,
        "2025-01-31T00:00:00Z", "uploaded", None if number is not None else "not counted",
    )  # fmt: skip


async def explained(hub: Hub, at: str) -> Any:
    now = await hub.say("chief", "GET", at)
    lines = [
        {"key": line["key"], "value": None, "reason": "not decided yet"}
        for line in now["lines"]
        if line["value"] is None and not line["reason"]
    ]
    said = {"version": now["version"], "parts": WORDS, "lines": lines}
    return await hub.say("chief", "PATCH", at, json=said)


async def test_a_return_goes_from_city_to_secretariat_and_says_where_each_value_is_from(
    hub: Hub,
) -> None:
    urn = await hub.build("canal", "th-bkk", **{project.STAGE: "delivery", project.COST: 120.5})
    await hub.build("other", "my-kl")
    hub.values.points = [value("th-bkk", 2024, 71.0, "partial"), value("my-kl", 2024, 90.0)]
    await hub.say("chief", "POST", "/returns/open", 403, json={"year": 2024})
    body = {"year": 2024, "codes": ["internet", "physicians"]}
    opened = await hub.say("secretariat", "POST", "/returns/open", json=body)
    assert opened == {"opened": ["my-kl", "sg-sg", "th-bkk"], "there": []}
    again = await hub.say("secretariat", "POST", "/returns/open", json=body)
    assert again["opened"] == []
    at = "/returns/return-2024-th-bkk"
    now = await hub.say("chief", "GET", at)
    by_key = {line["key"]: line for line in now["lines"]}
    stage = by_key[f"{urn}#{project.STAGE}"]
    assert stage["value"] == "delivery"
    assert stage["from"] == {"entity": urn, "attribute": project.STAGE, "how": "prefilled"}
    assert stage["asOf"]
    assert by_key["internet@2024-01-01/2025-01-01"]["grade"] == "partial"
    assert by_key["physicians@"]["from"]["how"] == "missing"
    assert not any("my-kl" in key for key in by_key)

    refused = await hub.say("chief", "POST", f"{at}/acts/send", 409, json={})
    assert refused["code"] == "work-incomplete"
    await hub.say("my", "PATCH", at, 404, json={"version": 1, "parts": WORDS})
    now = await explained(hub, at)
    bare = {"version": now["version"], "lines": [{"key": stage["key"], "value": None}]}
    await hub.say("chief", "PATCH", at, 400, json=bare)
    cost = f"{urn}#{project.COST}"
    text = {"version": now["version"], "lines": [{"key": cost, "value": "much"}]}
    await hub.say("chief", "PATCH", at, 400, json=text)
    entered = {"version": now["version"], "lines": [{"key": cost, "value": 99.0, "reason": "typo"}]}
    now = await hub.say("chief", "PATCH", at, json=entered)
    line = next(one for one in now["lines"] if one["key"] == cost)
    assert (line["value"], line["before"], line["from"]["how"]) == (99.0, 120.5, "entered")
    filled = await hub.say("chief", "POST", f"{at}/fill")
    line = next(one for one in filled["lines"] if one["key"] == cost)
    assert (line["value"], line["before"]) == (99.0, 120.5)

    sent = await hub.say("chief", "POST", f"{at}/acts/send", json={})
    assert sent["state"] == "national"
    locked = await hub.say("chief", "PATCH", at, 409, json={"version": sent["version"]})
    assert locked["code"] == "work-locked"
    await hub.say("th", "POST", f"{at}/acts/send-back", 400, json={})
    back = await hub.say("th", "POST", f"{at}/acts/send-back", json={"words": "Cost of 2023?"})
    assert back["state"] == "correction"
    assert back["steps"][-1]["words"] == "Cost of 2023?"
    await hub.say("chief", "POST", f"{at}/acts/send", json={})
    await hub.pass_(10)
    await hub.pass_(6)  # the national representative says nothing
    passed = await hub.say("secretariat", "GET", at)
    assert passed["state"] == "secretariat"
    last = passed["steps"][-1]
    assert (last["act"], last["automatic"], last["bySilence"]) == ("forward", True, True)
    assert passed["steps"][-2]["act"] == "remind"
    done = await hub.say("secretariat", "POST", f"{at}/acts/accept", json={})
    assert done["ended"] is True
    shut = await hub.say("chief", "PATCH", at, 409, json={"version": done["version"]})
    assert shut["code"] == "work-locked"
    await hub.say("secretariat", "POST", f"{at}/acts/reopen", 400, json={})
    again = await hub.say("secretariat", "POST", f"{at}/acts/reopen", json={"words": "Wrong year."})
    assert [s["act"] for s in again["steps"]][-2:] == ["accept", "reopen"]

    progress = await hub.say("secretariat", "GET", "/returns/progress", params={"year": 2024})
    assert progress["total"] == 3
    seen = await hub.say("my", "GET", "/returns", params={"year": 2024})
    assert [r["city"] for r in seen["items"]] == ["my-kl"]


def test_what_a_person_entered_outlives_filling_again() -> None:
    def line(key: str, said: Any, how: Any, reason: str | None = None) -> Line:
        return Line(key, "indicator", key, {}, "value", said, how, reason=reason)

    old = [
        line("a", 1, "prefilled"),
        line("b", 2, "entered"),
        line("c", None, "missing", "none"),
    ]
    fresh = [line("a", 5, "prefilled"), line("b", 6, "prefilled"), line("c", None, "missing")]
    made = {one.key: one for one in merged(old, fresh)}
    assert made["a"].value == 5
    assert (made["b"].value, made["b"].before) == (2, 6)
    assert made["c"].reason == "none"


async def test_a_comparison_stands_in_the_order_of_names_and_ranks_nobody(hub: Hub) -> None:
    hub.values.points = [
        value("th-bkk", 2023, 60.0), value("th-bkk", 2024, 71.0, "partial"),
        value("sg-sg", 2024, 99.0), value("my-kl", 2024, None, "missing"),
    ]  # fmt: skip
    asked = {"cities": "th-bkk,sg-sg,my-kl,xx-no", "codes": "internet"}
    shown = await hub.say("stranger", "GET", "/comparison", params=asked)
    (chart,) = shown["charts"]
    assert [c["city"] for c in chart["cities"]] == ["th-bkk", "my-kl", "sg-sg", "xx-no"]
    assert [p["grade"] for p in chart["cities"][0]["points"]] == ["complete", "partial"]
    assert chart["cities"][1]["points"][0]["missing"] == "not counted"
    assert chart["cities"][3]["missing"]["th"]
    assert "rank" not in str(shown).lower()
    table = await hub.say("stranger", "GET", "/comparison.csv", params=asked)
    rows = table.content.decode("utf-8-sig").splitlines()
    assert rows[0].startswith("code,name,city")
    assert len(rows) == 1 + 5
    await hub.say("stranger", "GET", "/comparison", 400, params={"cities": "", "codes": "x"})
    many = {"cities": ",".join(map(str, range(41))), "codes": "x"}
    await hub.say("stranger", "GET", "/comparison", 400, params=many)


async def test_peers_share_classes_that_say_their_source(hub: Hub) -> None:
    shown = await hub.say("stranger", "GET", "/comparison/classes")
    for city in shown["items"]:
        assert {c["scheme"] for c in city["classes"]} == {"size", "income", "climate"}
        assert all(
            c["source"] and c["evidence"] in ("cited", "unverified") for c in city["classes"]
        )
    found = await hub.say(
        "stranger", "GET", "/comparison/peers", params={"city": "my-kl", "same": "climate"}
    )
    assert [p["city"] for p in found["items"]] == ["sg-sg"]
    await hub.say(
        "stranger", "GET", "/comparison/peers", 400, params={"city": "my-kl", "same": "x"}
    )


async def test_a_due_time_that_is_over_can_be_subscribed_to_like_anything_else(hub: Hub) -> None:
    await hub.say("secretariat", "POST", "/returns/open", json={"year": 2022})
    await tell(hub)
    context = hub.town.context
    found = await context.find("urn:ngsi-ld:NetworkProcess:th-bkk:return-2022-sg-sg")
    assert found is not None
    assert found.value(noun.WAITING_FOR) == ["city:sg-sg"]
    assert (found.value(noun.OVERDUE), found.value(noun.REMINDERS)) == (False, 0)
    await hub.pass_(40)
    await hub.pass_(10)
    await tell(hub)
    late = await context.find(found.id)
    assert late is not None
    assert late.value(noun.OVERDUE) is True
    assert late.value(noun.REMINDERS) >= 1
    assert visible_types(Actor("account", "s", "s", ("secretariat",))).allows([noun.TYPE])
    for role in ("steward", "chief", "anonymous", "partner"):
        assert not visible_types(Actor("account", "x", "x", (role,))).allows([noun.TYPE])


async def tell(hub: Hub) -> None:
    await tell_processes(hub.town.floor, hub.work.processes.definitions)
