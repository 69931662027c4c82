"""Processes as they are answered."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import msgspec

from nagara.network.work import say
from nagara.network.work.inbox import Told, waiting_for
from nagara.network.work.kept import page_size
from nagara.network.work.model import (
    ActKind,
    Definition,
    Line,
    PartKind,
    Process,
    Step,
    acts_from,
    lacks,
    lane_done,
    missing_parts,
    objections,
    waiting_seats,
)
from nagara.values.time import format_instant


def instant(at: datetime | None) -> str | None:
    """An instant as sent, or None."""
    return None if at is None else format_instant(at)


def day(on: date | None) -> str | None:
    """A day as sent, or None."""
    return None if on is None else on.isoformat()


def page(items: Sequence[dict[str, Any]], limit: int) -> dict[str, Any]:
    """A page of one item more than the limit, with the cursor of the next."""
    size = page_size(limit)
    more = len(items) > size
    return {"items": list(items[:size]), "next": items[size - 1]["id"] if more else None}


def head(told: Told) -> dict[str, Any]:
    """A process as lists show it."""
    p = told.process
    return {
        "id": p.id,
        "process": p.process,
        "processName": dict(told.definition.name),
        "version": p.version,
        "title": p.title,
        "city": p.city,
        "country": p.country,
        "year": p.year,
        "phase": p.phase,
        "partner": p.partner,
        "state": p.state,
        "stateName": dict(told.definition.state(p.state).name),
        "ended": p.ended,
        "openedAt": instant(p.opened_at),
        "enteredAt": instant(p.entered_at),
        "dueAt": instant(p.due_at),
        "overdue": p.overdue,
        "fields": p.doc.fields,
    }


def with_acts(told: Told) -> dict[str, Any]:
    """A process as the inbox shows it: with what the caller may do."""
    whose = waiting_for(told.process, told.definition)
    return head(told) | {"acts": _acts(told), "whose": whose, "may": _may(told)}


def whole(told: Told) -> dict[str, Any]:
    """One process with all that is known of it."""
    p, d = told.process, told.definition
    missing = missing_parts(d, p.doc.parts)
    return with_acts(told) | {
        "parts": [_part(one, p.doc.parts.get(one.code), one in missing) for one in d.parts],
        "completeness": {
            "complete": not missing,
            "missing": [
                {"code": m.code, "name": dict(m.name), "why": _lack(m, p.doc.parts.get(m.code))}
                for m in missing
            ],
        },
        "lanes": [_lane(one, p) for one in d.lanes],
        "positions": [
            {
                "country": seat,
                "position": taken.position,
                "words": taken.words,
                "at": instant(taken.at),
                "bySilence": taken.by_silence,
                "who": taken.who,
            }
            for seat, taken in sorted(p.doc.positions.items())
        ],
        "consensus": {
            "reached": bool(p.doc.seats) and not objections(p.doc) and not waiting_seats(p.doc),
            "objections": objections(p.doc),
            "waitingFor": waiting_seats(p.doc),
            "seats": list(p.doc.seats),
        },
        "certificate": certificate(told.certificate),
        "lines": [line(one) for one in p.doc.lines],
        "steps": [step(one, d) for one in told.steps],
    }


def certificate(found: Any) -> dict[str, Any] | None:
    """A certificate in short."""
    if found is None:
        return None
    return {
        "id": found["id"],
        "issuedAt": instant(found["issued_at"]),
        "withdrawnAt": instant(found["withdrawn_at"]),
    }


def line(one: Line) -> dict[str, Any]:
    """A value of a return, saying where it is from and as of when."""
    said: dict[str, Any] = msgspec.to_builtins(one)
    source = {"entity": one.entity, "attribute": one.attribute, "how": one.how}
    for name in ("entity", "attribute", "how"):
        said.pop(name)
    return said | {"from": source}


def step(one: Step, definition: Definition) -> dict[str, Any]:
    """One step; `name` only where the definition names the act."""
    kind = definition.find_act(one.act)
    return {
        "n": one.n,
        "at": instant(one.at),
        "act": one.act,
        "name": dict(kind.name) if kind else None,
        "from": one.source or None,
        "to": one.target,
        "who": one.who,
        "office": one.office,
        "of": one.of,
        "words": one.words,
        "automatic": one.automatic,
        "bySilence": one.by_silence,
        "before": one.doc,
    }


def definition(one: Definition) -> dict[str, Any]:
    """A definition as data; the states say whether they are ends."""
    said: dict[str, Any] = msgspec.to_builtins(one)
    for state in said["states"]:
        state["kind"] = "ended" if state.pop("ended") else "open"
    return said


def _acts(told: Told) -> list[dict[str, Any]]:
    sides = set(told.offices.of(told.process))
    return [
        _act(told, act)
        for act in acts_from(told.definition, told.process.state)
        if sides & set(act.by)
    ]


def _act(told: Told, act: ActKind) -> dict[str, Any]:
    found = lacks(told.definition, told.process, act, "-")
    reason = say.why(found[0].code, found[0].names) if found else None
    return {
        "code": act.code,
        "name": dict(act.name),
        "to": act.to,
        "possible": not found,
        "why": reason,
        "wantsWords": "words" in act.needs,
        "takes": list(act.takes),
    }


def _may(told: Told) -> dict[str, Any]:
    p, d = told.process, told.definition
    state, sides = d.state(p.state), told.offices.of(p)
    review = state.reviews and bool(set(d.reviewers) & set(sides))
    return {
        "edit": bool(set(state.editors) & set(sides)),
        "review": [x.code for x in d.lanes] if review else [],
        "position": state.positions and bool(told.offices.countries & set(p.doc.seats)),
    }


def _part(part: PartKind, text: str | None, missing: bool) -> dict[str, Any]:
    return {
        "code": part.code,
        "name": dict(part.name),
        "meaning": dict(part.meaning),
        "required": part.required,
        "charactersMin": part.characters_min,
        "text": text,
        "missing": _lack(part, text) if missing else None,
    }


def _lack(part: PartKind, text: str | None) -> dict[str, str]:
    if not (text or "").strip():
        return say.why("empty")
    count = str(part.characters_min)
    return say.why("short", ({"en": count, "th": count},))


def _lane(lane: Any, p: Process) -> dict[str, Any]:
    reviews = p.doc.reviews.get(lane.code, ())
    return {
        "code": lane.code,
        "name": dict(lane.name),
        "reviewsMin": lane.reviews_min,
        "done": lane_done(lane, reviews),
        "reviews": [
            {
                "country": r.country,
                "verdict": r.verdict,
                "words": r.words,
                "at": instant(r.at),
                "who": r.who,
            }
            for r in reviews
        ],
    }
