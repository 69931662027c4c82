"""Joining: complete or told what is missing, reviewed by others, decided by consensus."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub_fixtures import Hub
from nagara.network.register import tell_members
from nagara.network.work.certificates import Seal
from nagara.network.work.definitions import check, read_definitions
from nagara.network.work.model import Definition
from nagara.vocab import member

TEXT = "น้ำท่วมทุกปี เมืองต้องการให้ทุกคนเดินทางได้แม้ฝนตกหนัก " * 6
PARTS = ("vision", "solutions", "infrastructure", "data_platform", "sustainability")


async def ready(hub: Hub, title: str) -> dict[str, Any]:
    """An application of Bangkok, found complete and under review."""
    made = await hub.say(
        "chief", "POST", "/applications", 201,
        json={"process": "joining", "city": "th-bkk", "country": "TH", "title": title},
    )  # fmt: skip
    at = f"/applications/{made['id']}"
    said = {"version": made["version"], "parts": dict.fromkeys(PARTS, TEXT)}
    await hub.say("chief", "PATCH", at, json=said)
    await hub.say("chief", "POST", f"{at}/acts/submit", json={})
    await hub.say("th", "POST", f"{at}/acts/endorse", json={})
    done: dict[str, Any] = await hub.say("secretariat", "POST", f"{at}/acts/complete", json={})
    return done


async def before_members(hub: Hub, title: str) -> str:
    """The address of an application that stands before the members."""
    made = await ready(hub, title)
    at = f"/applications/{made['id']}"
    for lane in ("planning", "technology", "finance"):
        await hub.say("my", "PUT", f"{at}/reviews/{lane}", json={"verdict": "fit"})
    await hub.say("secretariat", "POST", f"{at}/acts/to-decision", json={})
    return at


async def test_an_incomplete_application_is_told_which_parts_are_missing(hub: Hub) -> None:
    said = {"process": "joining", "city": "th-bkk", "country": "TH", "title": "Bangkok"}
    made = await hub.say("chief", "POST", "/applications", 201, json=said)
    at = f"/applications/{made['id']}"
    edit = {"version": made["version"], "parts": {"vision": TEXT, "solutions": "short"}}
    now = await hub.say("chief", "PATCH", at, json=edit)
    missing = {m["code"]: m["why"]["en"] for m in now["completeness"]["missing"]}
    assert list(missing) == ["solutions", "infrastructure", "data_platform", "sustainability"]
    assert "200" in missing["solutions"]
    assert now["completeness"]["missing"][1]["why"]["th"]
    refused = await hub.say("chief", "POST", f"{at}/acts/submit", 409, json={})
    assert refused["code"] == "work-incomplete"
    assert "City data platform plan" in refused["missing"]
    (submit, *_) = [a for a in now["acts"] if a["code"] == "submit"]
    assert submit["possible"] is False
    stale = await hub.say("chief", "PATCH", at, 409, json=edit)
    assert stale["code"] == "work-changed"


async def test_reviewers_are_of_other_countries_and_each_lane_has_to_be_done(hub: Hub) -> None:
    made = await ready(hub, "Lanes")
    at = f"/applications/{made['id']}"
    own = await hub.say("th", "PUT", f"{at}/reviews/planning", 403, json={"verdict": "fit"})
    assert own["code"] == "work-own-country"
    nobody = await hub.say(
        "secretariat", "PUT", f"{at}/reviews/planning", 403, json={"verdict": "fit"}
    )
    assert nobody["code"] == "work-not-yours"
    silent = await hub.say("my", "PUT", f"{at}/reviews/planning", 400, json={"verdict": "not-yet"})
    assert silent["code"] == "work-words-missing"
    await hub.say(
        "my", "PUT", f"{at}/reviews/planning", json={"verdict": "not-yet", "words": "No years."}
    )
    await hub.say("shepherd", "PUT", f"{at}/reviews/technology", json={"verdict": "fit"})
    await hub.say("sg", "PUT", f"{at}/reviews/finance", json={"verdict": "fit"})
    early = await hub.say("secretariat", "POST", f"{at}/acts/to-decision", 409, json={})
    assert early["code"] == "work-step-not-possible"
    assert "Vision and planning" in early["possible"]
    await hub.say("my", "PUT", f"{at}/reviews/planning", json={"verdict": "fit"})
    done = await hub.say("secretariat", "POST", f"{at}/acts/to-decision", json={})
    assert done["state"] == "decision"
    assert [s["of"] for s in done["steps"] if s["act"].startswith("review")] == [
        "MY",
        "LA",
        "SG",
        "MY",
    ]


async def test_consensus_makes_a_certificate_that_can_be_checked(
    hub: Hub,
) -> None:
    at = await before_members(hub, "Certified")
    early = await hub.say("secretariat", "POST", f"{at}/acts/admit", 409, json={})
    assert early["possible"] == "MY; SG; TH"
    await hub.say("my", "PUT", f"{at}/position", json={"position": "agree"})
    await hub.say("sg", "PUT", f"{at}/position", json={"position": "abstain"})
    comments = {"position": "agree-with-comments", "words": "Publish the data plan."}
    now = await hub.say("th", "PUT", f"{at}/position", json=comments)
    assert now["consensus"]["reached"] is True
    done = await hub.say("secretariat", "POST", f"{at}/acts/admit", json={})
    assert done["state"] == "admitted"
    assert done["ended"]
    shown = await hub.say("stranger", "GET", f"/certificates/{done['certificate']['id']}")
    assert shown["document"]["positions"]["SG"] == {"position": "abstain", "bySilence": False}
    checked = await hub.say("stranger", "POST", "/certificates/check", json={"jws": shown["jws"]})
    assert checked["genuine"]
    assert checked["issuedHere"]
    assert not checked["withdrawn"]
    head, body, mark = shown["jws"].split(".")
    forged = json.loads(base64.urlsafe_b64decode(body + "=="))
    forged["city"] = "th-hdy"
    body = base64.urlsafe_b64encode(json.dumps(forged).encode()).rstrip(b"=").decode()
    said = await hub.say(
        "stranger", "POST", "/certificates/check", json={"jws": f"{head}.{body}.{mark}"}
    )
    assert said["genuine"] is False
    assert said["why"] == "changed"
    await hub.say("chief", "POST", f"{at}/acts/leave", json={"words": "Merged with its province."})
    after = await hub.say("stranger", "POST", "/certificates/check", json={"jws": shown["jws"]})
    assert after["genuine"]
    assert after["withdrawn"]


async def test_who_is_admitted_is_a_member_and_an_entity_until_it_leaves(hub: Hub) -> None:
    await admit(hub, "Admitted")
    assert await register(hub) == ("member", None)
    at = await admit(hub, "Leaving")
    await hub.say("chief", "POST", f"{at}/acts/leave", json={"words": "To another network."})
    assert await register(hub) == ("left", hub.town.now.year)
    await admit(hub, "Back")
    assert await register(hub) == ("member", None)


async def admit(hub: Hub, title: str) -> str:
    """The address of an application of Bangkok to which all who hold a seat agreed."""
    at = await before_members(hub, title)
    seats = (await hub.say("chief", "GET", at))["consensus"]["seats"]
    for seat in seats:
        now = await hub.say(seat.lower(), "PUT", f"{at}/position", json={"position": "agree"})
    spoke = [one["who"] for one in now["positions"]]
    assert len(set(spoke)) == len(seats), "who spoke for a country is kept beside it"
    await hub.say("secretariat", "POST", f"{at}/acts/admit", json={})
    return at


async def register(hub: Hub) -> tuple[str, int | None]:
    """What the register says of Bangkok, told by its entity as well."""
    await tell_members(hub.town.floor)
    async with hub.town.floor.db.acquire() as conn:
        row = await conn.fetchrow(
            "select status, left_year from network.member where code = 'th-bkk'"
        )
    entity = await hub.town.context.find("urn:ngsi-ld:NetworkMember:th-bkk:th-bkk")
    assert entity is not None
    told = (entity.value(member.STATUS), entity.value(member.LEFT_YEAR))
    assert told == (row["status"], row["left_year"])
    return told


async def test_silence_is_no_objection_and_is_recorded_as_such(hub: Hub) -> None:
    at = await before_members(hub, "Silent")
    await hub.say("my", "PUT", f"{at}/position", json={"position": "agree"})
    await hub.pass_(25)
    await hub.pass_(8)
    done = await hub.say("chief", "GET", at)
    assert done["state"] == "admitted"
    silent = {p["country"]: (p["position"], p["bySilence"]) for p in done["positions"]}
    assert silent == {
        "MY": ("agree", False), "SG": ("no-objection", True), "TH": ("no-objection", True),
    }  # fmt: skip
    last = done["steps"][-1]
    assert (last["act"], last["automatic"], last["bySilence"]) == ("admit", True, True)
    assert [s["act"] for s in done["steps"]].count("remind") >= 1


async def test_an_objection_with_its_reason_stops_even_the_clock(hub: Hub) -> None:
    at = await before_members(hub, "Objected")
    bare = await hub.say("sg", "PUT", f"{at}/position", 400, json={"position": "object"})
    assert bare["code"] == "work-words-missing"
    await hub.say("sg", "PUT", f"{at}/position", json={"position": "object", "words": "Who pays?"})
    refused = await hub.say("secretariat", "POST", f"{at}/acts/admit", 409, json={})
    assert refused["why"] == "objections"
    await hub.pass_(32)
    done = await hub.say("chief", "GET", at)
    assert done["state"] == "consultation"
    assert done["certificate"] is None


async def test_what_is_another_country_s_is_neither_seen_nor_written(
    hub: Hub,
) -> None:
    said = {"process": "joining", "city": "th-bkk", "country": "TH", "title": "Hidden"}
    foreign = await hub.say("chief-my", "POST", "/applications", 403, json=said)
    assert foreign["code"] == "work-not-yours"
    made = await hub.say("chief", "POST", "/applications", 201, json=said)
    at = f"/applications/{made['id']}"
    await hub.say("my", "GET", at, 404)
    await hub.say("my", "POST", f"{at}/acts/submit", 404, json={})
    await hub.say("stranger", "GET", at, 401)
    assert made["id"] not in [
        i["id"] for i in (await hub.say("my", "GET", "/applications"))["items"]
    ]
    assert made["id"] in [i["id"] for i in (await hub.say("chief", "GET", "/inbox"))["items"]]
    await hub.say("chief", "PATCH", at, 400, json={"version": 1, "parts": {"poem": "x"}})


async def test_a_draft_that_nobody_finishes_lapses_after_reminders(hub: Hub) -> None:
    said = {"process": "joining", "city": "th-bkk", "country": "TH", "title": "Forgotten"}
    made = await hub.say("chief", "POST", "/applications", 201, json=said)
    for _ in range(19):
        await hub.pass_(10)
    done = await hub.say("chief", "GET", f"/applications/{made['id']}")
    assert done["state"] == "lapsed"
    assert [s["act"] for s in done["steps"]] == ["open", "remind", "remind", "lapse"]


async def test_thailand_s_programme_is_the_same_mechanism_with_other_data(hub: Hub) -> None:
    async with hub.town.floor.db.acquire() as conn:
        await conn.executemany(
            "insert into network.programme (country, phase, period, province, how, source)"
            " values ('TH', $1, $2, $3, 'named', 'made') on conflict do nothing",
            [(1, "2018-2019", "Phuket"), (1, "2018-2019", "Bangkok"), (3, "2020-2021", "")],
        )
    shown = await hub.say("stranger", "GET", "/programmes/thailand")
    assert [p["place"] for p in shown["items"]] == ["Bangkok", "Phuket", None]
    body = {
        "process": "thailand",
        "city": "th-hdy",
        "country": "TH",
        "title": "Hat Yai",
        "phase": "1",
    }
    refused = await hub.say("th", "POST", "/applications", 409, json=body)
    assert refused["code"] == "work-place-not-named"
    assert "Phuket" in refused["named"]
    made = await hub.say("th", "POST", "/applications", 201, json=body | {"phase": "3"})
    at = f"/applications/{made['id']}"
    edit = {"version": 1, "parts": dict.fromkeys(PARTS, TEXT)}
    await hub.say("th", "PATCH", at, json=edit)
    await hub.say("th", "POST", f"{at}/acts/submit", json={})
    await hub.say("secretariat", "POST", f"{at}/acts/complete", json={})
    for lane in ("plan", "digital"):
        await hub.say("shepherd", "PUT", f"{at}/reviews/{lane}", 403, json={"verdict": "fit"})
        await hub.say("th", "PUT", f"{at}/reviews/{lane}", json={"verdict": "fit"})
    await hub.say("secretariat", "POST", f"{at}/acts/to-committee", json={})
    done = await hub.say("th", "POST", f"{at}/acts/recognise", json={"words": "Meeting 3"})
    assert done["state"] == "recognised"
    assert done["certificate"]
    for _ in range(8):
        await hub.pass_(100)
    late = await hub.say("th", "GET", at)
    assert late["state"] == "expired"
    assert late["certificate"]["withdrawnAt"]


def test_a_definition_that_names_what_it_does_not_have_is_refused() -> None:
    for one in read_definitions().all.values():
        said = msgspec.to_builtins(one)
        said["acts"][0]["to"] = "nowhere"
        with pytest.raises(ValueError, match="no state nowhere"):
            check(msgspec.convert(said, Definition))


@given(st.text(max_size=300))
def test_a_check_answers_whatever_it_is_given(text: str) -> None:
    assert Seal(b"7" * 32).check(text).genuine is False


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_no_changed_character_of_a_certificate_is_genuine(at: int, by: int) -> None:
    seal = Seal(b"7" * 32)
    jws = seal.sign({"certificate": "x", "city": "th-bkk", "words": "ตัวอย่าง"})
    n = at % len(jws)
    letter = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[by % 64]
    if letter == jws[n] or n in (len(jws) - 1, jws.index("."), jws.rindex(".")):
        return
    changed = seal.check(jws[:n] + letter + jws[n + 1 :])
    assert not changed.genuine or changed.document == seal.check(jws).document
