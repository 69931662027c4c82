"""The life of a case: which act is possible when, and what it changes. Decisions without I/O.

    new → routed → accepted → in_progress → resolved → closed
             ↘ rejected ↙        resolved, rejected → reopened (by the resident, within a window)

`decide` says what happens or raises the Problem that tells why it cannot; `evolve` applies what
happened. Times are the city's.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from nagara.cases import errors
from nagara.vocab.case import OPEN, State
from nagara.vocab.request import Status

#: How long a resident may say that it is not solved: a week, so that a weekend lies in it.
REOPEN_WINDOW = timedelta(days=7)
#: More reopenings than these are a dispute, and belong to a person rather than to a button.
REOPENED_MAX = 3
WORDS_CHARACTERS_MAX = 2000

StepKind = Literal[
    "opened",
    "routed",
    "accepted",
    "started",
    "assigned",
    "noted",
    "rerouted",
    "resolved",
    "rejected",
    "rated",
    "reopened",
    "closed",
    "overdue",
    "alert-ended",
    "alert-worse",
    "mirrored",
]

Resolution = Literal["photo", "reason", "foreign"]


class Case(Struct, frozen=True):
    """What the life of a case depends on."""

    state: State
    department: str
    opened_at: datetime
    due_at: datetime
    accepted_at: datetime | None = None
    resolved_at: datetime | None = None
    closed_at: datetime | None = None
    ended_at: datetime | None = None  # resolved or rejected: the reopen window runs from here
    resolution: Resolution | None = None
    rating: int | None = None
    reopened_count: int = 0
    overdue: bool = False  # missed its due time; stays so when it is resolved late
    assigned: bool = False
    foreign: Status | None = None

    @property
    def reopen_until(self) -> datetime | None:
        """Until when the resident may reopen it; None where he may not."""
        if self.state not in ("resolved", "rejected") or self.ended_at is None:
            return None
        return None if self.reopened_count >= REOPENED_MAX else self.ended_at + REOPEN_WINDOW

    @property
    def next_at(self) -> datetime | None:
        """When the city itself has to look at it again: due, or past its window."""
        if self.state in OPEN:
            return None if self.overdue else self.due_at
        if self.state == "resolved" and self.ended_at is not None:
            return self.ended_at + REOPEN_WINDOW
        return None


class Accept(Struct, frozen=True):
    """The department answers for it."""


class Start(Struct, frozen=True):
    """Work begins."""


class Assign(Struct, frozen=True):
    """A crew is sent; whom, the case does not say."""


class Note(Struct, frozen=True):
    """Staff say something that the reporter reads too."""

    words: str


class Reroute(Struct, frozen=True):
    """Another department answers for it. The due time stays: the reporter was promised it."""

    department: str
    reason: str


class Resolve(Struct, frozen=True):
    """It is done, proved by photos or said in words."""

    photos: int = 0
    reason: str = ""


class Reject(Struct, frozen=True):
    """It will not be done, and why."""

    reason: str


class Rate(Struct, frozen=True):
    """The reporter says how well it was done, 1 to 5."""

    stars: int


class Reopen(Struct, frozen=True):
    """The reporter says it is not done. `due_at` is the new promise."""

    reason: str
    due_at: datetime


class Tend(Struct, frozen=True):
    """The clock has moved: mark as overdue, or close, if it is time."""


class AlertEnded(Struct, frozen=True):
    """The alert that opened it is over; the work may not be."""


class AlertWorse(Struct, frozen=True):
    """The alert that opened it has become graver."""


class Mirror(Struct, frozen=True):
    """The foreign system that the case comes from says how it stands there."""

    status: Status
    due_at: datetime


Command = (
    Accept
    | Start
    | Assign
    | Note
    | Reroute
    | Resolve
    | Reject
    | Rate
    | Reopen
    | Tend
    | AlertEnded
    | AlertWorse
    | Mirror
)


class Event(Struct, frozen=True):
    """Something that happened to a case. `state` is the state afterwards."""

    kind: StepKind
    state: State
    at: datetime
    department: str | None = None
    due_at: datetime | None = None
    stars: int | None = None
    resolution: Resolution | None = None
    foreign: Status | None = None


def open_case(department: str, opened_at: datetime, due_at: datetime) -> tuple[Case, list[Event]]:
    """A new case, routed to its department in the same breath."""
    case = Case("new", department, opened_at, due_at)
    opened = Event("opened", "new", opened_at)
    routed = Event("routed", "routed", opened_at, department=department, due_at=due_at)
    return evolve(evolve(case, opened), routed), [opened, routed]


def decide(case: Case, command: Command, now: datetime) -> list[Event]:
    """What a command comes to; none where there is nothing to do.

    Raises the Problem of `nagara.cases.errors` that says why the act is not possible.
    """
    match command:
        case Accept():
            _demand(case, ("routed", "reopened"), errors.CaseAcceptIllegal)
            return [Event("accepted", "accepted", now)]
        case Start():
            _demand(case, ("accepted",), errors.CaseStartIllegal)
            return [Event("started", "in_progress", now)]
        case Assign():
            return _assign(case, now)
        case Note(words):
            if case.state == "closed":
                raise errors.CaseNoteIllegal(state=case.state)
            _demand_words(words)
            return [Event("noted", case.state, now)]
        case Reroute(department, reason):
            _demand(
                case, ("routed", "accepted", "in_progress", "reopened"), errors.CaseRerouteIllegal
            )
            if department == case.department:
                raise errors.CaseRerouteSame(department=department)
            _demand_words(reason)
            return [Event("rerouted", "routed", now, department=department)]
        case Resolve(photos, reason):
            _demand(case, ("accepted", "in_progress"), errors.CaseResolveIllegal)
            if photos < 1 and not reason.strip():
                raise errors.CaseProofMissing()
            resolution: Resolution = "photo" if photos else "reason"
            return [*_late(case, now), Event("resolved", "resolved", now, resolution=resolution)]
        case Reject(reason):
            _demand(
                case, ("routed", "accepted", "in_progress", "reopened"), errors.CaseRejectIllegal
            )
            _demand_words(reason)
            return [Event("rejected", "rejected", now)]
        case Rate(stars):
            return _rate(case, stars, now)
        case Reopen(reason, due_at):
            return _reopen(case, reason, due_at, now)
        case Tend():
            return _tend(case, now)
        case AlertEnded():
            return (
                []
                if case.state in ("closed", "rejected")
                else [Event("alert-ended", case.state, now)]
            )
        case AlertWorse():
            return [Event("alert-worse", case.state, now)] if case.state in OPEN else []
        case Mirror(status, due_at):
            return _mirror(case, status, due_at, now)


def evolve(case: Case, event: Event) -> Case:
    """The case after something happened to it."""
    case = replace(case, state=event.state)
    match event.kind:
        case "accepted" | "started" | "mirrored" if event.state in ("accepted", "in_progress"):
            case = replace(case, accepted_at=case.accepted_at or event.at)
        case "assigned":
            case = replace(case, assigned=True)
        case "rerouted":
            case = replace(case, accepted_at=None, assigned=False)
        case "rated":
            case = replace(case, rating=event.stars)
        case "closed":
            case = replace(case, closed_at=event.at)
        case "overdue":
            case = replace(case, overdue=True)
    if event.foreign is not None:
        case = replace(case, foreign=event.foreign)
    if event.department is not None:
        case = replace(case, department=event.department)
    if event.due_at is not None:
        case = replace(case, due_at=event.due_at)
    return _end_or_reopen(case, event)


def _end_or_reopen(case: Case, event: Event) -> Case:
    if event.resolution is not None:
        return replace(case, resolved_at=event.at, ended_at=event.at, resolution=event.resolution)
    if event.state == "rejected" and case.ended_at is None:
        return replace(case, ended_at=event.at)
    if event.state == "reopened" and case.ended_at is not None:
        return replace(
            case,
            accepted_at=None,
            resolved_at=None,
            ended_at=None,
            resolution=None,
            rating=None,
            overdue=False,
            assigned=False,
            reopened_count=case.reopened_count + 1,
        )
    return case


def _assign(case: Case, now: datetime) -> list[Event]:
    """Whoever sends a crew has accepted the case, even if he did not say so."""
    _demand(case, ("routed", "accepted", "in_progress", "reopened"), errors.CaseAssignIllegal)
    if case.state in ("routed", "reopened"):
        return [Event("accepted", "accepted", now), Event("assigned", "accepted", now)]
    return [Event("assigned", case.state, now)]


def _rate(case: Case, stars: int, now: datetime) -> list[Event]:
    if not 1 <= stars <= 5:
        raise errors.StarsInvalid(got=stars)
    _demand(case, ("resolved", "closed"), errors.CaseRateIllegal)
    if case.rating is not None:
        raise errors.CaseRated(stars=case.rating)
    return [Event("rated", case.state, now, stars=stars)]


def _reopen(case: Case, reason: str, due_at: datetime, now: datetime) -> list[Event]:
    _demand(case, ("resolved", "rejected"), errors.CaseReopenIllegal)
    if case.reopened_count >= REOPENED_MAX:
        raise errors.CaseReopenedTooOften(most=REOPENED_MAX)
    until = case.reopen_until
    if until is None or now >= until:
        raise errors.CaseReopenLate(days=REOPEN_WINDOW.days)
    _demand_words(reason)
    return [Event("reopened", "reopened", now, due_at=due_at)]


def _tend(case: Case, now: datetime) -> list[Event]:
    if case.next_at is None or now <= case.next_at:
        return []
    return _late(case, now) or [Event("closed", "closed", now)]


def _late(case: Case, now: datetime) -> list[Event]:
    """The due time has passed unmarked: said before anything else, so that it stays on record."""
    late = case.state in OPEN and not case.overdue and now > case.due_at
    return [Event("overdue", case.state, now)] if late else []


def _mirror(case: Case, status: Status, due_at: datetime, now: datetime) -> list[Event]:
    """What a foreign state changes: forward, never over what our own staff have ended since."""
    if status == case.foreign or case.state == "closed":
        return []
    said = Event("mirrored", case.state, now, foreign=status)
    if case.state in OPEN:
        if status == "finished":
            return [*_late(case, now), replace(said, state="resolved", resolution="foreign")]
        if status == "rejected":
            return [replace(said, state="rejected")]
        if status == "in_progress" and case.state != "in_progress":
            return [replace(said, state="in_progress")]
        return [said]
    ended_there = case.foreign in ("finished", "rejected")
    if ended_there and status in ("received", "in_progress"):
        return [replace(said, state="reopened", due_at=due_at)]
    return [said]


def _demand(case: Case, states: tuple[State, ...], problem: type[errors.CaseActIllegal]) -> None:
    if case.state not in states:
        raise problem(state=case.state)


def _demand_words(words: str) -> None:
    if not words.strip():
        raise errors.CaseWordsMissing()
    if len(words) > WORDS_CHARACTERS_MAX:
        raise errors.CaseWordsTooLong(most=WORDS_CHARACTERS_MAX)
