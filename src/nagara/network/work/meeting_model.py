"""Meetings: seats, quorum, agenda, decisions. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Literal

from msgspec import Struct

from nagara.network.work import errors

Presence = Literal["in-person", "online", "absent", "excused"]
PRESENT = ("in-person", "online")


class Item(Struct, frozen=True):
    """A point of the agenda; `action`: an open one that comes back."""

    n: int
    title: str
    words: str = ""
    action: str | None = None


class Decision(Struct, frozen=True):
    """What was decided; positions by seat."""

    n: int
    item: int | None
    words: str
    positions: dict[str, dict[str, str]]
    at: str
    present: int


class Meeting(Struct, frozen=True):
    """The columns of `network_work.meeting`. Quorum: `of` parts in `in_` of the seats."""

    id: str
    version: int
    body: str
    title: str
    starts_at: datetime
    place: str
    state: Literal["called", "running", "closed"]
    seats: tuple[str, ...]
    quorum_of: int
    quorum_in: int
    attendance: dict[str, Presence]
    agenda: tuple[Item, ...]
    decisions: tuple[Decision, ...]


class Action(Struct, frozen=True):
    """The columns of `network_work.action`. `owner`: an office, never a person."""

    id: str
    meeting: str
    body: str
    item: int | None
    words: str
    owner: str
    due_on: date
    made_at: datetime
    done_at: datetime | None = None
    done_words: str | None = None
    done_by: str | None = None


def present(meeting: Meeting) -> int:
    """How many seats are there."""
    return sum(meeting.attendance.get(seat) in PRESENT for seat in meeting.seats)


def needed(meeting: Meeting) -> int:
    """How many seats have to be there: the share, rounded up."""
    return -(-len(meeting.seats) * meeting.quorum_of // meeting.quorum_in)


def quorum(meeting: Meeting) -> dict[str, Any]:
    """The quorum as shown."""
    return {
        "of": meeting.quorum_of,
        "in": meeting.quorum_in,
        "present": present(meeting),
        "needed": needed(meeting),
        "reached": present(meeting) >= needed(meeting),
    }


def demand_decidable(
    meeting: Meeting, item: int | None, positions: Mapping[str, Mapping[str, str]]
) -> None:
    """Raises what stands against a decision: `StepNotPossible`, `NoQuorum`, `Objected`."""
    if meeting.state != "running":
        raise errors.StepNotPossible(
            act="decide", state=meeting.state, why="state", possible="begin"
        )
    if item is not None and item not in {one.n for one in meeting.agenda}:
        raise errors.WorkInvalid(name="item", reason="no such point of the agenda")
    if present(meeting) < needed(meeting):
        raise errors.NoQuorum(
            present=present(meeting), seats=len(meeting.seats), needed=needed(meeting)
        )
    for seat in positions:
        if seat not in meeting.seats or meeting.attendance.get(seat) not in PRESENT:
            raise errors.WorkInvalid(name=seat[:40], reason="not present")
    against = sorted(s for s, p in positions.items() if p.get("position") == "object")
    if against:
        raise errors.Objected(seats=", ".join(against))


def carried(actions: Sequence[Action]) -> tuple[Item, ...]:
    """The agenda that a new meeting begins with: what was promised and is not done."""
    return tuple(
        Item(n, action.words[:200], f"{action.owner}, {action.due_on}", action.id)
        for n, action in enumerate(actions, 1)
    )
