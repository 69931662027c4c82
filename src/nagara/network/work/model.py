"""A process as data: parts, lanes, states with due times, acts; and the decisions on it. Pure.

The definition says what may follow what, who may do it, until when, and what happens when the time
runs out. Joining the network, a country's programme, the yearly return and an agreement are four
definitions of this one mechanism.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from msgspec import Struct, field

Words = Mapping[str, str]
#: Who acts, seen from the subject of the process: of its city, its country, another country, the
#: partner named in it, the secretariat; `clock` is nobody.
Side = Literal["city", "national", "reviewer", "partner", "secretariat", "clock"]
Verdict = Literal["fit", "fit-with-comments", "not-yet"]
PositionKind = Literal["agree", "agree-with-comments", "abstain", "object", "no-objection"]


class Due(Struct, frozen=True, forbid_unknown_fields=True):
    """Days from entering the state, plain or of the working calendar; or a day in a field."""

    days: int = 0
    count: Literal["plain", "working"] = "plain"
    field: str | None = None


class PartKind(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A part that is written: required ones must reach `characters_min`."""

    code: str
    name: Words
    meaning: Words
    required: bool = True
    characters_min: int = 40


class Lane(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A line of review: done with `reviews_min` reviews and no standing "not yet"."""

    code: str
    name: Words
    reviews_min: int = 1


class StateKind(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A state. `timeout`: acts tried in order when time runs out; none: it is overdue."""

    code: str
    name: Words
    ended: bool = False
    due: Due | None = None
    reminders_days: tuple[int, ...] = ()
    timeout: tuple[str, ...] = ()
    editors: tuple[Side, ...] = ()
    reviews: bool = False
    positions: bool = False
    #: Whether other countries of the network see it.
    shared: bool = False


class ActKind(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A step: from where to where, by whom, on which conditions.

    `needs`: parts, lines, lanes, words, consensus, objection, `field:NAME`, `mark:NAME`. `marks`:
    what is noted in the fields. `effect`: what the service does along with it.
    """

    code: str
    name: Words
    sources: tuple[str, ...] = field(name="from")
    to: str
    by: tuple[Side, ...]
    needs: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    effect: Literal["certify", "withdraw-certificate"] | None = None


class Definition(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A process as data."""

    code: str
    version: int
    name: Words
    source: str
    begins: str
    opens_by: tuple[Side, ...]
    states: tuple[StateKind, ...]
    acts: tuple[ActKind, ...]
    parts: tuple[PartKind, ...] = ()
    lanes: tuple[Lane, ...] = ()
    #: Who reviews the lanes: people of other countries, or those who run a country's own programme.
    reviewers: tuple[Side, ...] = ("reviewer",)
    seats: Literal["members", "none"] = "none"
    #: Where a place named in a phase stands before it applied.
    named: str | None = None
    #: Whether a certificate makes its city a member of the network, and its end ends that.
    enrols: bool = False

    def state(self, code: str) -> StateKind:
        """The state of a code; definitions are checked when they are read."""
        return next(s for s in self.states if s.code == code)

    def find_act(self, code: str) -> ActKind | None:
        """The act of a code."""
        return next((a for a in self.acts if a.code == code), None)


class Review(Struct, frozen=True):
    """What one country's reviewer says of a lane."""

    country: str
    verdict: Verdict
    words: str
    at: datetime
    who: str | None = None


class Position(Struct, frozen=True):
    """Where a seat stands. `by_silence`: it said nothing until the time ran out; `who`: the account
    that spoke for it."""

    position: PositionKind
    words: str
    at: datetime
    by_silence: bool = False
    who: str | None = None


class Line(Struct, frozen=True, rename="camel"):
    """One value of a return, with where it is from and as of when.

    `how`: prefilled from an entity, entered by a person, or missing. `before`: what stood there.
    """

    key: str
    kind: Literal["project", "indicator"]
    subject: str
    name: Any
    field: str
    value: Any
    how: Literal["prefilled", "entered", "missing"]
    unit: str | None = None
    grade: str | None = None
    entity: str | None = None
    attribute: str | None = None
    as_of: str | None = None
    reason: str | None = None
    before: Any = None
    by: str | None = None


class Body(Struct, frozen=True):
    """What a process holds besides its columns."""

    fields: dict[str, Any] = {}
    parts: dict[str, str] = {}
    lines: tuple[Line, ...] = ()
    reviews: dict[str, tuple[Review, ...]] = {}
    positions: dict[str, Position] = {}
    seats: tuple[str, ...] = ()
    #: Reminders of the present state that were given.
    reminded: int = 0


class Process(Struct, frozen=True):
    """One running process: the columns of `network.process`."""

    id: str
    process: str
    version: int
    title: str
    city: str
    country: str
    year: int | None
    phase: str | None
    partner: str | None
    state: str
    ended: bool
    shared: bool
    opened_at: datetime
    entered_at: datetime
    due_at: datetime | None
    next_at: datetime | None
    overdue: bool
    step_count: int
    doc: Body


class Step(Struct, frozen=True):
    """One step as it is kept; `n` counts from 1."""

    n: int
    at: datetime
    act: str
    source: str | None
    target: str
    who: str
    office: str
    of: str | None
    words: str | None = None
    automatic: bool = False
    by_silence: bool = False
    doc: dict[str, Any] | None = None


class Lack(Struct, frozen=True):
    """Why an act is not possible: a code with words, and what is missing by name."""

    code: str
    names: tuple[Words, ...] = ()


def missing_parts(definition: Definition, parts: Mapping[str, str]) -> list[PartKind]:
    """The required parts that are empty or too short, in the order of the definition."""
    return [
        part
        for part in definition.parts
        if part.required and len(parts.get(part.code, "").strip()) < part.characters_min
    ]


def lane_done(lane: Lane, reviews: Sequence[Review]) -> bool:
    """Whether a lane has its reviews, and none says "not yet"."""
    return len(reviews) >= lane.reviews_min and all(r.verdict != "not-yet" for r in reviews)


def objections(body: Body) -> list[str]:
    """The seats that object."""
    return sorted(c for c, p in body.positions.items() if p.position == "object")


def waiting_seats(body: Body) -> list[str]:
    """The seats that have not taken a position."""
    return [seat for seat in body.seats if seat not in body.positions]


def lacks(
    definition: Definition, process: Process, act: ActKind, words: str, silence: bool = False
) -> list[Lack]:
    """What keeps an act from being done; `silence`: the time for positions has run out."""
    found: list[Lack] = []
    body = process.doc
    for need in act.needs:
        kind, _, name = need.partition(":")
        if kind == "parts" and (parts := missing_parts(definition, body.parts)):
            found.append(Lack("parts", tuple(p.name for p in parts)))
        elif kind == "lines" and (lines := [x for x in body.lines if _unexplained(x)]):
            found.append(Lack("lines", tuple({"en": x.key, "th": x.key} for x in lines[:20])))
        elif kind == "lanes":
            open_ = [x for x in definition.lanes if not lane_done(x, body.reviews.get(x.code, ()))]
            if open_:
                found.append(Lack("lanes", tuple(x.name for x in open_)))
        elif kind == "words" and not words.strip():
            found.append(Lack("words"))
        elif kind == "consensus":
            if against := objections(body):
                found.append(Lack("objections", tuple({"en": c, "th": c} for c in against)))
            elif not silence and (silent := waiting_seats(body)):
                found.append(Lack("positions", tuple({"en": c, "th": c} for c in silent)))
        elif kind == "objection" and not objections(body):
            found.append(Lack("no-objection"))
        elif kind in ("field", "mark") and not body.fields.get(name):
            found.append(Lack(kind, ({"en": name, "th": name},)))
    return found


def _unexplained(line: Line) -> bool:
    return line.value is None and not (line.reason or "").strip()


def acts_from(definition: Definition, state: str) -> list[ActKind]:
    """The acts that lead out of a state, in the order of the definition."""
    return [act for act in definition.acts if state in act.sources]
