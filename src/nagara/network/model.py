"""Members, offices, titles, the way of a report: types and decisions, pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Literal, get_args

from msgspec import Struct

from nagara.network.errors import ReportStepRefused, TermInvalid

Words = Mapping[str, str]

MemberStatus = Literal["candidate", "member", "suspended", "left"]
MEMBER_STATUSES: tuple[MemberStatus, ...] = get_args(MemberStatus)
Role = Literal["chief", "national", "secretariat", "shepherd", "chair", "partner"]
ROLES: tuple[Role, ...] = get_args(Role)
#: A shepherd guides for two years (terms of reference of the network).
SHEPHERD_YEARS = 2
YEAR_MIN, YEAR_MAX = 1990, 2200

Stage = Literal[
    "draft", "consultative-meeting", "coordinating-council", "summit", "published", "withdrawn"
]
STAGES: tuple[Stage, ...] = get_args(Stage)
_ROUTE: tuple[Stage, ...] = STAGES[:5]

BecameKind = Literal[
    "continued",
    "respelled",
    "renamed",
    "completed",
    "merged",
    "split",
    "cancelled",
    "vanished",
    "new",
    "returned",
]
BECAME: tuple[BecameKind, ...] = get_args(BecameKind)


class Member(Struct, frozen=True):
    """A city that belongs. `name` has English always; `location` is lon, lat."""

    code: str
    name: Words
    country: str
    joined_year: int
    pilot: bool = False
    status: MemberStatus = "member"
    left_year: int | None = None
    location: tuple[float, float] | None = None
    focus: tuple[str, ...] = ()
    source: str = ""
    version: int = 1


class Term(Struct, frozen=True):
    """An office held from `starts` to `ends` (its last day), in a scope; no person's name."""

    role: str
    scope: str
    starts: date
    ends: date | None
    source: str
    office: str = ""
    account: str | None = None
    id: int = 0


class Row(Struct, frozen=True):
    """A line of a yearly report as printed. `status` None: it does not say one."""

    year: int
    member: str
    country: str
    name: str
    focus: str
    status: str | None
    file: str
    line: int
    title: int = 0
    project: str | None = None


class Chair(Struct, frozen=True):
    """Who chairs in a year, and how that is known. `exception`: why it was not the rule's."""

    year: int
    country: str
    exception: str
    source: str
    exception_th: str = ""


def member_code(country: str, name: str, kits: Mapping[tuple[str, str], str]) -> str:
    """The code of a city: that of its kit where there is one (`kits`: (country, English name) →
    code), else country and name (`la-luang-prabang`)."""
    found = kits.get((country, name))
    if found:
        return found
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")
    return f"{country.lower()}-{slug}"


def chair_by_rule(year: int, known: Sequence[Chair], countries: Mapping[str, str]) -> str | None:
    """The chair that the alphabet gives: who follows the chair of the year before by English name
    (ASEAN Charter, article 31 (1)). `countries`: code → English name. None where nobody is known.
    """
    before = max((c for c in known if c.year < year), key=lambda c: c.year, default=None)
    order = sorted(countries, key=lambda code: countries[code])
    if before is None or before.country not in order:
        return None
    place = order.index(before.country) + (year - before.year)
    return order[place % len(order)]


def demand_term(term: Term, members: Mapping[str, Any], countries: Mapping[str, str]) -> Term:
    """The term if it can be. Raises `TermInvalid` with the rule that it breaks."""

    def refuse(why: str) -> TermInvalid:
        return TermInvalid(role=term.role[:40], scope=term.scope[:80], why=why)

    if term.role not in ROLES:
        raise refuse(f"role: {', '.join(ROLES)}")
    if term.role == "chief" and term.scope not in members:
        raise refuse("scope: the code of a member")
    if term.role in ("national", "shepherd", "chair") and term.scope not in countries:
        raise refuse(f"scope: {', '.join(countries)}")
    if term.ends is not None and term.ends < term.starts:
        raise refuse(f"{term.ends} < {term.starts}")
    if term.role == "shepherd" and term.ends is not None:
        days = (term.ends - term.starts).days
        if days > SHEPHERD_YEARS * 366:
            raise refuse(f"shepherd: {SHEPHERD_YEARS} years")
    if not term.source.strip():
        raise refuse("source: what says so")
    return term


def next_stage(stage: str, wanted: str, words: str) -> Stage:
    """Where a report goes. One stage on; back to a draft or withdrawn only with words.

    Raises `ReportStepRefused`.
    """
    place = next((n for n, one in enumerate(_ROUTE) if one == stage), len(_ROUTE))
    on = _ROUTE[place + 1] if place + 1 < len(_ROUTE) else None
    if on is not None and wanted == on:
        return on
    if words.strip() and place < 4:
        if wanted == "draft" and place > 0:
            return "draft"
        if wanted == "withdrawn":
            return "withdrawn"
    raise ReportStepRefused(
        stage=stage, got=wanted[:40], next=on or "–", words="yes" if words.strip() else "no"
    )


class Signs(Struct, frozen=True):
    """What decides what became of a row by a later year.

    `same`: by what it stands there, its title or the identity of its project; `ended`: how the
    book of projects, or who settled its name, says that it ended.
    """

    same: Literal["title", "project"] | None
    same_name: bool
    completed: bool
    later_completed: bool
    ended: str | None


def fate_of(signs: Signs) -> BecameKind:
    """What became of a row that shows these signs."""
    if signs.ended == "merged":
        return "merged"
    if signs.ended == "split" and signs.same is None:
        return "split"
    if signs.same is not None:
        if signs.later_completed and not signs.completed:
            return "completed"
        if signs.same == "project":
            return "renamed"
        # Capitals and spaces alone make no other project; that they changed is told all the same.
        return "continued" if signs.same_name else "respelled"
    if signs.ended == "cancelled":
        return "cancelled"
    return "completed" if signs.ended == "completed" or signs.completed else "vanished"


def became(
    row: Row, later: Mapping[str, Row], later_titles: Mapping[int, Row], ended: str | None
) -> tuple[BecameKind, Row | None]:
    """What became of a row in a later year, and the row that it stands as there.

    `later`: rows of that year by identity; `later_titles`: by title; `ended`: how it ended, if
    anybody says so.
    """
    same = later_titles.get(row.title)
    by_title = same is not None
    if same is None and row.project:
        same = later.get(row.project)
    signs = Signs(
        same=None if same is None else "title" if by_title else "project",
        same_name=same is not None and same.name == row.name,
        completed=row.status == "completed",
        later_completed=same is not None and same.status == "completed",
        ended=ended,
    )
    return fate_of(signs), same
