"""Meetings decide with a quorum and without objection; what was promised comes back. Practices."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hub_fixtures import Hub
from nagara.network.work.practices import grams

SEATS = ["TH", "MY", "SG"]


async def call(hub: Hub, body: str, day: str) -> Any:
    said = {
        "body": body, "title": f"{body} {day}", "startsAt": f"{day}T02:00:00Z", "seats": SEATS,
        "quorum": {"of": 2, "in": 3},
    }  # fmt: skip
    return await hub.say("secretariat", "POST", "/meetings", 201, json=said)


async def test_a_decision_needs_a_quorum_and_no_objection(hub: Hub) -> None:
    made = await call(hub, "jcm", "2025-06-02")
    at = f"/meetings/{made['id']}"
    await hub.say("th", "POST", f"{at}/agenda", 403, json={"title": "x"})
    now = await hub.say("secretariat", "POST", f"{at}/agenda", 201, json={"title": "Report 2024"})
    assert now["agenda"][0]["n"] == 1
    await hub.say("secretariat", "POST", f"{at}/decisions", 409, json={"words": "Too early."})
    await hub.say("secretariat", "PUT", f"{at}/attendance/TH", json={"present": "in-person"})
    await hub.say("secretariat", "PUT", f"{at}/attendance/XX", 400, json={"present": "online"})
    await hub.say("secretariat", "POST", f"{at}/begin")
    lone = await hub.say("secretariat", "POST", f"{at}/decisions", 409, json={"words": "Alone."})
    assert (lone["code"], lone["present"], lone["needed"]) == ("work-no-quorum", 1, 2)
    await hub.say("secretariat", "PUT", f"{at}/attendance/SG", json={"present": "online"})
    against = {"seat": "SG", "position": "object", "words": "Numbers are missing."}
    body = {"item": 1, "words": "The report is adopted.", "positions": [against]}
    refused = await hub.say("secretariat", "POST", f"{at}/decisions", 409, json=body)
    assert refused["code"] == "work-objected"
    body["positions"] = [{"seat": "SG", "position": "agree-with-comments", "words": "Add them."}]
    now = await hub.say("secretariat", "POST", f"{at}/decisions", 201, json=body)
    assert now["decisions"][0]["positions"][0]["seat"] == "SG"
    absent = {"words": "More.", "positions": [{"seat": "MY", "position": "agree"}]}
    await hub.say("secretariat", "POST", f"{at}/decisions", 400, json=absent)
    await hub.say("secretariat", "POST", f"{at}/close")
    await hub.say("secretariat", "POST", f"{at}/agenda", 409, json={"title": "Late"})


async def test_an_open_action_comes_back_until_its_owner_has_done_it(hub: Hub) -> None:
    first = await call(hub, "council", "2025-06-03")
    said = {"words": "Send the budget.", "owner": "country:TH", "dueOn": "2025-06-01"}
    made = await hub.say("secretariat", "POST", f"/meetings/{first['id']}/actions", 201, json=said)
    wrong = said | {"owner": "Somchai"}
    await hub.say("secretariat", "POST", f"/meetings/{first['id']}/actions", 400, json=wrong)
    second = await call(hub, "council", "2025-07-03")
    assert second["agenda"][0]["action"] == made["id"]
    assert (await call(hub, "another", "2025-07-04"))["agenda"] == []
    await hub.say("my", "POST", f"/actions/{made['id']}/done", 403, json={"words": "Sent."})
    await hub.say("th", "POST", f"/actions/{made['id']}/done", 400, json={})
    done = await hub.say("th", "POST", f"/actions/{made['id']}/done", json={"words": "Sent."})
    assert done["doneWords"] == "Sent."
    assert (await call(hub, "council", "2025-08-03"))["agenda"] == []
    left = await hub.say("sg", "GET", "/actions", params={"open": True, "body": "council"})
    assert left["items"] == []


async def test_a_paper_keeps_every_version_by_its_hash(hub: Hub) -> None:
    made = await call(hub, "papers", "2025-06-04")
    at = f"/meetings/{made['id']}/papers"
    asked = {"name": "report.pdf", "title": "Draft"}
    one = await hub.say("secretariat", "POST", at, 201, params=asked, content=b"first")
    same = await hub.say("secretariat", "POST", at, 201, params=asked, content=b"first")
    two = await hub.say("secretariat", "POST", at, 201, params=asked, content=b"second")
    assert (one["version"], same["version"], two["version"]) == (1, 1, 2)
    old = await hub.say("th", "GET", f"{at}/report.pdf", params={"version": 1})
    assert old.content == b"first"
    assert (await hub.say("th", "GET", f"{at}/report.pdf")).content == b"second"
    shown = await hub.say("th", "GET", f"/meetings/{made['id']}")
    assert [v["version"] for v in shown["papers"][0]["versions"]] == [1, 2]
    await hub.say("secretariat", "POST", at, 400, params={"name": "../x"}, content=b"x")
    await hub.say("stranger", "GET", f"{at}/report.pdf", 401)


async def test_a_practice_needs_a_project_and_a_result_and_is_found_in_thai_and_english(
    hub: Hub,
) -> None:
    urn = await hub.build("flood-warning", "th-bkk")
    body: dict[str, Any] = {
        "city": "th-bkk", "country": "TH", "title": "ระบบเตือนภัยน้ำท่วมชุมชน",
        "words": "Volunteers read the gauges; ชาวบ้านอ่านระดับน้ำและส่งต่อ",
    }  # fmt: skip
    made = await hub.say("chief", "POST", "/practices", 201, json=body)
    at = f"/practices/{made['id']}"
    bare = await hub.say("chief", "POST", f"{at}/publish", 409)
    assert bare["code"] == "work-practice-unproved"
    foreign = await hub.build("metro", "my-kl")
    body |= {"projects": [foreign], "version": 1}
    await hub.say("chief", "PATCH", at, json=body)
    await hub.say("chief", "POST", f"{at}/publish", 409)
    result = {"measure": "minutes to warn", "before": 90, "after": 12, "unit": "MIN",
              "source": "drill", "asOf": "2025-03-01"}  # fmt: skip
    body |= {"projects": [urn], "results": [result], "version": 2}
    await hub.say("chief", "PATCH", at, json=body)
    await hub.say("stranger", "GET", at, 404)
    await hub.say("chief-my", "POST", f"{at}/publish", 403)
    await hub.say("chief", "POST", f"{at}/publish")
    for question in ("เตือนภัยน้ำท่วม", "น้ำท่วม", "volunteers gauges", "GAUGES"):
        found = await hub.say("stranger", "GET", "/practices", params={"q": question})
        assert [p["id"] for p in found["items"]] == [made["id"]], question
    none = await hub.say("stranger", "GET", "/practices", params={"q": "รถไฟความเร็วสูง"})
    assert none["items"] == []


@given(st.text(max_size=300))
def test_every_text_has_runs_of_two_or_three(text: str) -> None:
    assert all(len(gram) in (2, 3) for gram in grams(text))
