"""A process as told to somebody, and whether the next step is his. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from nagara.network.work.model import (
    ActKind,
    Definition,
    Process,
    Step,
    acts_from,
    lane_done,
    waiting_seats,
)
from nagara.network.work.rights import Offices


class Told(Struct, frozen=True):
    """A process with its definition, for whom it is told, and all its steps."""

    process: Process
    definition: Definition
    offices: Offices
    steps: Sequence[Step] = ()
    certificate: Mapping[str, Any] | None = None


def has_to_act(told: Told) -> bool:
    """Whether the next step is one of the actor's own offices."""
    process, definition = told.process, told.definition
    sides = told.offices.of(process)
    state = definition.state(process.state)
    if state.positions and told.offices.countries.intersection(process.doc.seats) - set(
        process.doc.positions
    ):
        return True
    if state.reviews:
        said = {r.country for reviews in process.doc.reviews.values() for r in reviews}
        if any(side in sides and sides[side] not in said for side in definition.reviewers):
            return True
    if not state.ended and set(state.editors) & set(sides):
        return True
    return any(
        set(act.by) & set(sides) and not _is_exit(act)
        for act in definition.acts
        if process.state in act.sources
    )


def _is_exit(act: ActKind) -> bool:
    """Acts that are possible at any time are nobody's next task."""
    return act.code in ("withdraw", "end", "leave", "renew")


def waiting_states(definitions: Sequence[Definition], offices: Offices) -> list[str]:
    """`process:state` in which the offices could have something to do."""
    sides: set[str] = set()
    for held, of in (
        (offices.network, ("secretariat",)),
        (offices.cities, ("city",)),
        (offices.countries, ("national", "reviewer")),
        (offices.guided, ("reviewer",)),
        (offices.partners, ("partner",)),
    ):
        if held:
            sides.update(of)
    found = []
    for one in definitions:
        for state in one.states:
            acts = [a for a in one.acts if state.code in a.sources and not _is_exit(a)]
            mine = (
                any(sides & set(act.by) for act in acts)
                or sides & set(state.editors)
                or (state.reviews and sides & set(one.reviewers))
                or (state.positions and "national" in sides)
            )
            if mine and not state.ended:
                found.append(f"{one.code}:{state.code}")
    return found


def waiting_for(process: Process, definition: Definition) -> list[dict[str, Any]]:
    """Who has to do what now: office, for whom it is held, and the act."""
    state = definition.state(process.state)
    of = {
        "city": process.city,
        "national": process.country,
        "partner": process.partner,
        "secretariat": "network",
    }
    found: list[dict[str, Any]] = []
    if state.positions:
        seats = waiting_seats(process.doc)
        found += [{"office": "national", "of": seat, "act": "position"} for seat in seats]
    reviews = process.doc.reviews
    if state.reviews and any(
        not lane_done(lane, reviews.get(lane.code, ())) for lane in definition.lanes
    ):
        foreign = f"not {process.country}"
        found += [
            {"office": side, "of": of.get(side, foreign), "act": "review"}
            for side in definition.reviewers
        ]
    found += [
        {"office": side, "of": of.get(side), "act": act.code}
        for act in acts_from(definition, process.state)
        for side in act.by
        if side in of and "words" not in act.needs
    ]
    return found
