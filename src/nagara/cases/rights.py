"""Which cases an actor sees, and which acts are his: pure.

The permission of the route says what a role may do at all (`nagara.guard.policy`); here is where:
staff in their own departments, crews in what was given to them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from nagara.cases.kept import Row
from nagara.cases.model import (
    Accept,
    Assign,
    Command,
    Note,
    Reject,
    Reroute,
    Resolve,
    Start,
    decide,
)
from nagara.guard.identity import Actor
from nagara.guard.policy import case_departments, may, sees_every_case
from nagara.values.errors import Problem

#: Acts of those whose only part is to do the work.
_CREW_ACTS = frozenset({"start", "note", "resolve"})

#: An example of each act, to ask whether it is possible, and the permission it needs.
_ACTS: dict[str, tuple[Command, str]] = {
    "accept": (Accept(), "case:act"),
    "start": (Start(), "case:act"),
    "assign": (Assign(), "case:assign"),
    "resolve": (Resolve(reason="-"), "case:act"),
    "reject": (Reject("-"), "case:act"),
    "note": (Note("-"), "case:act"),
    "reroute": (Reroute("-", "-"), "case:reroute"),
}


class Sight(Struct, frozen=True):
    """What of the list an actor sees. All of it, or departments' and a crew's own."""

    everywhere: bool
    departments: tuple[str, ...] = ()
    crew: str | None = None


def sight_of(actor: Actor) -> Sight:
    """Which cases an actor sees."""
    departments = case_departments(actor)
    if departments is None:
        return Sight(True)
    return Sight(False, departments, actor.id if "crew" in actor.roles else None)


def sees(actor: Actor, row: Row) -> bool:
    """Whether an actor sees a case."""
    sight = sight_of(actor)
    return (
        sight.everywhere
        or row.department in sight.departments
        or (sight.crew is not None and row.crew == sight.crew)
    )


def is_only_crew(actor: Actor) -> bool:
    """Whether the actor's only part is to do the work."""
    return "crew" in actor.roles and "staff" not in actor.roles and not sees_every_case(actor)


def may_act(actor: Actor, row: Row, act: str) -> bool:
    """Whether the act is the actor's, whatever the state of the case."""
    _, permission = _ACTS[act]
    if is_only_crew(actor) and act not in _CREW_ACTS:
        return False
    return may(actor, permission) and sees(actor, row)


def acts_of(actor: Actor, row: Row, now: datetime) -> list[str]:
    """The acts an actor could do to a case now."""
    return [act for act in _ACTS if may_act(actor, row, act) and _possible(row, act, now)]


def known_acts() -> Iterable[str]:
    """The names of all acts."""
    return _ACTS.keys()


def _possible(row: Row, act: str, now: datetime) -> bool:
    try:
        decide(row.case(), _ACTS[act][0], now)
    except Problem:
        return False
    return True
