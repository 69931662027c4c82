"""Needs and offers meet by reasons that are written out; rules refuse by name; agreements lapse."""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hub_fixtures import Hub
from nagara.network.work.load import load_partners
from nagara.network.work.matching import Need, Offer, reasons, scored, shared_words, side_of

ADB = "asian-development-bank"
AT = datetime(2025, 5, 22, tzinfo=UTC)


async def need(hub: Hub, **said: Any) -> Any:
    body = {
        "city": "th-bkk", "country": "TH", "title": "Flood early warning", "kinds": ["funding"],
        "words": "Residents of the lowlands need warnings of floods; ระบบเตือนภัยน้ำท่วม",
        "focusArea": "FA3", "stage": "financing", "amount": 4e6, "currency": "USD",
    }  # fmt: skip
    return await hub.say("chief", "POST", "/needs", 201, json=body | said)


async def offer(hub: Hub, **said: Any) -> Any:
    body = {
        "partner": ADB, "kind": "funding", "title": "Flood resilience window",
        "words": "Loans for warnings of floods", "focusAreas": ["FA3"], "stages": ["financing"],
        "amountMin": 1e6, "amountMax": 1e7, "currency": "USD",
    }  # fmt: skip
    return await hub.say("partner", "POST", "/offers", 201, json=body | said)


async def test_a_match_says_why_and_persons_decide(hub: Hub) -> None:
    asked, made = await need(hub), await offer(hub)
    await offer(hub, title="Trams", words="Rails", focusAreas=["FA5"], stages=[], currency="EUR")
    await hub.say("chief-my", "POST", f"/needs/{asked['id']}/matches", 403)
    found = await hub.say("chief", "POST", f"/needs/{asked['id']}/matches")
    (match,) = found["items"]
    assert match["offer"] == made["id"]
    assert [r["code"] for r in match["reasons"]] == ["focus", "words", "stage", "money"]
    assert match["score"] == round(sum(r["points"] for r in match["reasons"]), 1)
    assert all(r["words"]["th"] and r["words"]["en"] for r in match["reasons"])
    at = f"/matches-of-needs/{match['id']}"
    await hub.say("chief-my", "POST", f"{at}/accept", 403, json={"side": "city"})
    await hub.say("chief", "POST", f"{at}/accept", 403, json={"side": "partner"})
    mine = await hub.say("chief", "POST", f"{at}/accept", json={"side": "city"})
    assert mine["state"] == "accepted-by-city"
    await hub.say("partner", "POST", f"{at}/decline", 400, json={"side": "partner"})
    both = await hub.say("partner", "POST", f"{at}/accept", json={"side": "partner"})
    assert both["state"] == "agreed"
    assert [s["office"] for s in both["steps"]] == ["city", "partner"]
    inbox = await hub.say("partner", "GET", "/matches-of-needs", params={"state": "agreed"})
    assert inbox["items"][0]["needTitle"] == "Flood early warning"
    assert (await hub.say("chief-my", "GET", "/matches-of-needs"))["items"] == []
    await hub.say("chief-my", "GET", f"/needs/{asked['id']}", 404)


async def test_a_call_refuses_with_the_rule_named_and_outside_its_window(hub: Hub) -> None:
    asked = await need(hub, title="Another")
    closed = await offer(hub, title="Past", opensOn="2020-01-01", closesOn="2020-06-30")
    at = f"/needs/{asked['id']}/apply"
    shut = await hub.say("chief", "POST", f"{at}/{closed['id']}", 409, json={})
    assert shut["code"] == "work-window-closed"
    assert shut["closes"] == "2020-06-30"
    other = await offer(hub, title="For others", countries=["LA"])
    refused = await hub.say("chief", "POST", f"{at}/{other['id']}", 409, json={})
    assert (refused["code"], refused["rule"]) == ("work-not-eligible", "country")
    rules = await hub.say(
        "chief", "GET", f"/offers/{other['id']}/eligibility", params={"need": asked["id"]}
    )
    assert rules["eligible"] is False
    assert {r["rule"]: r["fulfilled"] for r in rules["rules"]} == {
        "country": False, "stage": True, "focus": True, "amount": True,
    }  # fmt: skip
    fits = await offer(hub, title="Fits", incomes=["upper-middle"])
    applied = await hub.say("chief", "POST", f"{at}/{fits['id']}", 201, json={"words": "Please."})
    assert applied["state"] == "accepted-by-city"
    again = await hub.say("chief", "POST", f"{at}/{fits['id']}", 409, json={})
    assert again["code"] == "work-taken"


async def test_nobody_offers_in_another_s_name(hub: Hub) -> None:
    body = {"partner": "world-bank-ifc", "kind": "funding", "title": "Not ours"}
    await hub.say("partner", "POST", "/offers", 403, json=body)
    await hub.say("chief", "POST", "/offers", 403, json=body)
    await hub.say("chief", "POST", "/offers", 400, json=body | {"city": "th-bkk"})
    twin = {"partner": "th-bkk", "city": "th-bkk", "kind": "twin", "title": "Canals"}
    await hub.say("chief", "POST", "/offers", 201, json=twin)


async def test_partners_are_loaded_once_and_bad_lines_are_named(hub: Hub, tmp_path: Path) -> None:
    path = tmp_path / "partners.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        write = csv.writer(file).writerow
        write(["name", "class", "kind_or_topic", "source"])
        write(["Milwaukee (United States)", "twin city", "Phuket: water management", "article"])
        write(["", "lender", "", "article"])
    first = await load_partners(hub.work.processes, path)
    assert (first.read, first.fresh, [r.line for r in first.refused]) == (1, 1, [3])
    second = await load_partners(hub.work.processes, path)
    assert (second.read, second.fresh) == (1, 0)
    shown = await hub.say("stranger", "GET", "/offers", params={"kind": "twin"})
    assert "Phuket: water management" in {o["words"] for o in shown["items"]}


async def test_the_partners_of_the_archive_are_read_whole(hub: Hub, nagara_archives: Path) -> None:
    done = await load_partners(hub.work.processes, nagara_archives / "asean" / "partners.csv")
    assert (done.read, done.refused) == (24, ())


async def test_an_agreement_is_signed_by_both_reminded_renewed_and_expires(hub: Hub) -> None:
    today = hub.town.now.date()
    body = {
        "city": "th-bkk", "country": "TH", "partner": ADB, "title": "Warnings",
        "startsOn": str(today), "endsOn": str(date(today.year + 1, 1, 1)),
        "outputs": [{"code": "o1", "words": "20 gauges", "dueOn": str(today)}],
    }  # fmt: skip
    made = await hub.say("chief", "POST", "/agreements", 201, json=body)
    at = f"/agreements/{made['id']}"
    await hub.say("chief", "POST", f"{at}/acts/begin", 409, json={})
    await hub.say("partner", "POST", f"{at}/acts/sign-city", 403, json={})
    signed = await hub.say("chief", "POST", f"{at}/acts/sign-city", json={})
    changed = {"version": signed["version"], "outputs": body["outputs"]}
    await hub.say("partner", "PATCH", at, json=changed)
    await hub.say("partner", "POST", f"{at}/acts/sign-partner", json={})
    unsigned = await hub.say("partner", "POST", f"{at}/acts/begin", 409, json={})
    assert unsigned["possible"] == "signedByCity"
    await hub.say("chief", "POST", f"{at}/acts/sign-city", json={})
    begun = await hub.say("chief", "POST", f"{at}/acts/begin", json={})
    assert begun["state"] == "active"
    proof = {"deliveredOn": str(today), "evidence": "minutes 4/2568"}
    done = await hub.say("partner", "POST", f"{at}/outputs/o1", json=proof)
    assert done["outputs"][0]["evidence"] == "minutes 4/2568"
    early = {"words": "longer", "fields": {"endsOn": str(today)}}
    await hub.say("chief", "POST", f"{at}/acts/renew", 400, json=early)
    end = date(today.year + 2, 1, 1)
    later = {"words": "It helps.", "fields": {"endsOn": str(end)}}
    await hub.say("chief", "POST", f"{at}/acts/renew", json=later)
    left = (end - today).days
    for passed in (left - 170, 90, 60, 30):
        await hub.pass_(passed)
    over = await hub.say("partner", "GET", at)
    assert over["state"] == "expired"
    assert [s["act"] for s in over["steps"]].count("remind") == 3


def blank_need(**said: Any) -> Need:
    plain: dict[str, Any] = {
        "id": "n", "version": 1, "city": "a", "country": "TH", "title": "", "words": "",
        "focus": None, "stage": None, "kinds": ("funding",), "amount": None, "currency": None,
        "project": None, "until": None, "state": "open", "at": AT, "who": "",
    }  # fmt: skip
    return Need(**plain | said)


def blank_offer(**said: Any) -> Offer:
    plain: dict[str, Any] = {
        "id": "o", "version": 1, "partner": "p", "kind": "funding", "title": "", "words": "",
        "focus": (), "stages": (), "countries": (), "sizes": (), "climates": (), "incomes": (),
        "amount_min": None, "amount_max": None, "currency": None, "opens_on": None,
        "closes_on": None, "city": None, "source": "", "state": "open", "at": AT, "who": "",
    }  # fmt: skip
    return Offer(**plain | said)


def test_amounts_of_two_currencies_are_not_compared() -> None:
    asked = blank_need(amount=5.0, currency="THB")
    assert reasons(asked, blank_offer(amount_max=10.0, currency="USD"), {}, {}) == []
    assert reasons(asked, blank_offer(amount_max=10.0, currency="THB"), {}, {})[0].code == "money"


def test_thai_words_in_common_are_found_without_spaces() -> None:
    found = shared_words("ต้องการระบบเตือนภัยน้ำท่วมในเขตต่ำ", "บริการเตือนภัยน้ำท่วมล่วงหน้า")
    assert "เตือนภัยน้ำท่วม" in found


@given(st.text(max_size=200), st.text(max_size=200), st.sampled_from(["FA1", "FA3", None]))
def test_the_score_is_the_sum_of_its_reasons_and_at_most_100(a: str, b: str, focus: Any) -> None:
    asked = blank_need(title=a, focus=focus, stage="idea", amount=5.0, currency="USD")
    made = blank_offer(
        words=b, focus=("FA3",), stages=("idea",), amount_max=9.0, currency="USD",
        countries=("TH",), sizes=("large",),
    )  # fmt: skip
    mine = {"size": "large", "income": "high", "climate": "savanna"}
    found = reasons(asked, made, mine, mine)
    assert 0 <= scored(found) <= 100
    assert all(r.points > 0 for r in found)


def test_a_declined_match_stays_declined() -> None:
    assert side_of("declined", "city", accept=True) is None
    assert side_of("accepted-by-city", "partner", accept=False) == "declined"
    assert side_of("accepted-by-city", "city", accept=True) is None
