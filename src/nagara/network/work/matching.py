"""Why an offer answers a need, and whether its rules allow it. Pure.

A reason has points and words; the score is their sum. Nothing is weighed that is not written out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Literal

from msgspec import Struct

from nagara.network.work.naming import listed, named
from nagara.vocab.project import FOCUS_AREAS

OfferKind = Literal["solution", "funding", "partner", "twin"]
#: Points of each reason; together 100.
POINTS = {"focus": 30, "words": 20, "stage": 15, "money": 20, "class": 10, "named": 5}
SHARED_MAX = 5
#: Characters of a run in common: shorter ones stand in half of all texts.
RUN_MIN = 6


class Need(Struct, frozen=True):
    """What a city asks for: the columns of `network_work.need`."""

    id: str
    version: int
    city: str
    country: str
    title: str
    words: str
    focus: str | None
    stage: str | None
    kinds: tuple[str, ...]
    amount: float | None
    currency: str | None
    project: str | None
    until: date | None
    state: str
    at: datetime
    who: str


class Offer(Struct, frozen=True):
    """What somebody offers: the columns of `network_work.offer`. Empty lists allow all."""

    id: str
    version: int
    partner: str
    kind: OfferKind
    title: str
    words: str
    focus: tuple[str, ...]
    stages: tuple[str, ...]
    countries: tuple[str, ...]
    sizes: tuple[str, ...]
    climates: tuple[str, ...]
    incomes: tuple[str, ...]
    amount_min: float | None
    amount_max: float | None
    currency: str | None
    opens_on: date | None
    closes_on: date | None
    city: str | None
    source: str
    state: str
    at: datetime
    who: str


class Reason(Struct, frozen=True):
    """One reason with its points and words."""

    code: str
    points: float
    words: dict[str, str]


class Rule(Struct, frozen=True):
    """A rule of an offer, and whether a need fulfils it."""

    rule: str
    fulfilled: bool
    words: dict[str, str]


#: Class scheme → the city's class in it.
Classes = Mapping[str, str]


def reasons(need: Need, offer: Offer, mine: Classes, theirs: Classes) -> list[Reason]:
    """Why the offer answers the need; empty: nothing does. `theirs`: of a city that offers."""
    if offer.kind not in need.kinds:
        return []
    found: list[Reason] = []

    def give(code: str, part: float, en: str, th: str) -> None:
        found.append(Reason(code, round(POINTS[code] * part, 1), {"en": en, "th": th}))

    if need.focus and need.focus in offer.focus:
        name = FOCUS_AREAS.get(need.focus, {"en": need.focus, "th": need.focus})
        give("focus", 1, f"Both are about {name['en']}.", f"ทั้งสองอยู่ในด้าน{name['th']}")
    if shared := shared_words(f"{need.title}\n{need.words}", f"{offer.title}\n{offer.words}"):
        said = ", ".join(f"“{word}”" for word in shared)
        share = min(1.0, 0.4 + 0.2 * (len(shared) - 1))
        give("words", share, f"Both speak of {said}.", f"ทั้งสองกล่าวถึง {said}")
    if need.stage and need.stage in offer.stages:
        stage = named(need.stage)
        give(
            "stage", 1, f"It is meant for the stage “{stage['en']}”.", f"สำหรับระยะ “{stage['th']}”"
        )
    if fits := _money(need, offer):
        give("money", 1, *fits)
    alike = {value for scheme, value in mine.items() if theirs.get(scheme) == value}
    alike |= {
        mine[scheme]
        for scheme, allowed in _schemes(offer).items()
        if allowed and mine.get(scheme) in allowed
    }
    if alike:
        en, th = (listed(sorted(alike), language) for language in ("en", "th"))
        give("class", min(1.0, len(alike) / 2), f"Same class: {en}.", f"กลุ่มเดียวกัน: {th}")
    if need.country in offer.countries:
        land = named(need.country)
        give("named", 1, f"It names {land['en']}.", f"ระบุประเทศ{land['th']}")
    return found


def _money(need: Need, offer: Offer) -> tuple[str, str] | None:
    """Amounts of different currencies are not compared."""
    if need.amount is None or need.currency is None or need.currency != offer.currency:
        return None
    low, high = offer.amount_min, offer.amount_max
    if (low is None and high is None) or need.amount < (low or 0):
        return None
    if high is not None and need.amount > high:
        return None
    span = f"{_amount(low)}–{_amount(high)} {need.currency}"
    return (
        f"{_amount(need.amount)} {need.currency} lie within {span}.",
        f"{_amount(need.amount)} {need.currency} อยู่ในช่วง {span}",
    )


def _amount(value: float | None) -> str:
    return "…" if value is None else f"{value:,.0f}"


def _schemes(offer: Offer) -> dict[str, tuple[str, ...]]:
    return {"size": offer.sizes, "climate": offer.climates, "income": offer.incomes}


def eligibility(need: Need, offer: Offer, mine: Classes, today: date) -> list[Rule]:
    """Every rule of the offer, with whether the need fulfils it on a day.

    A class that the city does not have fulfils no rule about it.
    """
    rules: list[Rule] = []

    def rule(name: str, fulfilled: bool, en: str, th: str) -> None:
        rules.append(Rule(name, fulfilled, {"en": en, "th": th}))

    if offer.opens_on or offer.closes_on:
        span = f"{offer.opens_on or '…'} – {offer.closes_on or '…'}"
        rule("window", is_open(offer, today), f"Open {span}.", f"เปิดรับ {span}")
    if offer.countries:
        fits, land = need.country in offer.countries, named(need.country)
        rule("country", fits,
             f"For {listed(offer.countries, 'en')}; the city is of {land['en']}.",
             f"สำหรับ {listed(offer.countries, 'th')} เมืองอยู่ใน{land['th']}")  # fmt: skip
    if offer.stages:
        rule("stage", need.stage in offer.stages,
             f"For the stages {listed(offer.stages, 'en')}.",
             f"สำหรับระยะ {listed(offer.stages, 'th')}")  # fmt: skip
    if offer.focus:
        rule("focus", need.focus in offer.focus, f"For {listed(offer.focus, 'en')}.",
             f"สำหรับด้าน {listed(offer.focus, 'th')}")  # fmt: skip
    for scheme, allowed in _schemes(offer).items():
        if allowed:
            own = mine.get(scheme)
            is_in = named(own) if own else {"en": "in none", "th": "–"}
            rule(scheme, own in allowed,
                 f"For {listed(allowed, 'en')}; the city is {is_in['en']}.",
                 f"สำหรับ {listed(allowed, 'th')} เมืองเป็น {is_in['th']}")  # fmt: skip
    if need.amount is not None and (offer.amount_min is not None or offer.amount_max is not None):
        if need.currency != offer.currency:
            rule(
                "currency", False, f"Amounts in {offer.currency}.", f"จำนวนเงินเป็น {offer.currency}"
            )
        else:
            span = f"{_amount(offer.amount_min)}–{_amount(offer.amount_max)} {offer.currency}"
            rule("amount", _money(need, offer) is not None, f"From {span}.", f"วงเงิน {span}")
    return rules


def is_open(offer: Offer, today: date) -> bool:
    """Whether the window of an offer is open on a day; both its days count."""
    return not (
        (offer.opens_on and today < offer.opens_on)
        or (offer.closes_on and today > offer.closes_on)
        or offer.state != "open"
    )


_WORD = re.compile(r"[^\W\d_]{4,}")
_THAI = re.compile(r"[\u0e00-\u0e7f]+")
_COMMON = frozenset(
    ["this", "that", "with", "from", "have", "will", "city", "cities", "smart", "project", "need",
     "needs", "support", "system", "their", "which", "more", "into", "development", "plan"]
)  # fmt: skip


def shared_words(one: str, other: str) -> list[str]:
    """Words that both texts have; of Thai, which has no spaces, the longest runs in common."""
    latin = _words(one) & _words(other)
    runs = {
        text[at : at + RUN_MIN]
        for text in _THAI.findall(other)
        for at in range(len(text) - RUN_MIN + 1)
    }
    thai: set[str] = set()
    for text in _THAI.findall(one):
        start = at = 0
        while at <= len(text) - RUN_MIN:
            start = at
            while text[at : at + RUN_MIN] in runs and at <= len(text) - RUN_MIN:
                at += 1
            if at > start:
                thai.add(text[start : at + RUN_MIN - 1])
            at += 1
    return sorted(latin | thai, key=lambda word: (-len(word), word))[:SHARED_MAX]


def _words(text: str) -> set[str]:
    found = {word.casefold() for word in _WORD.findall(text) if not _THAI.search(word)}
    return found - _COMMON


def scored(found: Sequence[Reason]) -> float:
    """The sum of the points, 0 to 100."""
    return round(sum(reason.points for reason in found), 1)


def side_of(state: str, side: Literal["city", "partner"], accept: bool) -> str | None:
    """The state of a match after one side spoke; None where that is not possible."""
    if state in ("agreed", "declined"):
        return None
    if not accept:
        return "declined"
    mine, other = f"accepted-by-{side}", "partner" if side == "city" else "city"
    if state == mine:
        return None
    return "agreed" if state == f"accepted-by-{other}" else mine
