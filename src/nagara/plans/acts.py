"""What may be done to a project, by whom, and what comes of it. Pure."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from nagara.plans import errors
from nagara.plans.kept import Row
from nagara.plans.model import FREE, NEXT, Line, Milestone, Paragraph, Standing, Year, demands
from nagara.vocab.project import ENDED, STAGES, FormerName, Stage, State, fold_name

Name = Literal[
    "advance", "back", "publish", "withdraw", "suspend", "resume", "cancel", "complete", "rename",
    "merge", "split",
]  # fmt: skip
NAMES: tuple[Name, ...] = (
    "advance", "back", "publish", "withdraw", "suspend", "resume", "cancel", "complete", "rename",
    "merge", "split",
)  # fmt: skip
#: Names of parts that one act makes.
PARTS_MAX = 20


class ActBody(Struct, frozen=True, forbid_unknown_fields=True):
    """What an act says; each takes what concerns it."""

    to: Stage | None = None
    on: date | None = None
    words: Paragraph = ""
    year: Year | None = None
    source: Paragraph = ""
    name: Line = ""
    into: Line = ""
    names: tuple[Line, ...] = ()
    version: int | None = None


class Act(Struct, frozen=True):
    """An act by its name; `year` is the one in which it happened."""

    name: Name
    to: Stage | None = None
    on: date | None = None
    words: str = ""
    year: int | None = None
    source: str = ""
    new_name: str = ""
    into: str = ""
    names: tuple[str, ...] = ()


class Acting(Struct, frozen=True):
    """Who acts, for trace and audit, and whether he decides."""

    who: str
    role: str
    decides: bool


def decide(row: Row, act: Act, acting: Acting, today: date) -> dict[str, Any]:
    """The fields of the row that the act changes.

    Raises `DecisionNeeded`, `ProjectEnded`, `StepNotAllowed`, `StepDemandsMore`, `ReasonMissing`,
    `ProjectInvalid`.
    """
    free = act.name in ("advance", "back") and act.to in FREE and row.standing.stage is not None
    if not acting.decides and not free:
        raise errors.DecisionNeeded(act=act.name)
    standing = row.standing
    if standing.state in ENDED and act.name not in ("publish", "withdraw", "resume"):
        raise errors.ProjectEnded(state=standing.state)
    year = act.year or today.year
    match act.name:
        case "advance" | "back":
            return _move(row, act, today)
        case "publish" | "withdraw":
            return {"standing": replace(standing, published=act.name == "publish")}
        case "suspend" | "cancel":
            _demand_reason(act)
            state: State = "suspended" if act.name == "suspend" else "cancelled"
            if state == standing.state:
                raise errors.StepNotAllowed(step=act.name, allowed="resume")
            ended = year if act.name == "cancel" else None
            return _now(standing, state=state, reason=act.words, ended_year=ended)
        case "resume":
            if standing.state in ("active", "merged", "split"):
                raise errors.StepNotAllowed(step=act.name, allowed="")
            _demand_reason(act)
            return _now(standing, state="active", reason=None, ended_year=None)
        case "complete":
            return _now(standing, state="completed", ended_year=year)
        case "rename":
            return _rename(row, act, year)
        case "merge":
            words = act.words or act.source
            return _now(
                standing, state="merged", merged_into=act.into, ended_year=year, reason=words
            )
        case "split":
            if not 2 <= len(act.names) <= PARTS_MAX:
                raise errors.ProjectInvalid(field="names", reason=f"2…{PARTS_MAX}")
            words = act.words or act.source
            return _now(standing, state="split", ended_year=year, reason=words or None)


def allowed_steps(row: Row) -> list[tuple[Stage, bool, list[str]]]:
    """(stage, whether a decision is needed, what is missing) of the stages that may follow."""
    stage = row.standing.stage
    if row.standing.state != "active":
        return []
    if stage is None:
        return [(one, True, []) for one in STAGES]
    return [(one, one not in FREE, demands(row.body, one)) for one in NEXT[stage]]


def _now(standing: Standing, **changed: Any) -> dict[str, Any]:
    return {"standing": replace(standing, **changed)}


def _demand_reason(act: Act) -> None:
    if not act.words.strip():
        raise errors.ReasonMissing(act=act.name)


def _move(row: Row, act: Act, today: date) -> dict[str, Any]:
    standing, to = row.standing, act.to
    if standing.state != "active":
        raise errors.StepNotAllowed(step=act.to or "", allowed="resume")
    if to is None:
        raise errors.ProjectInvalid(field="to", reason=", ".join(STAGES))
    if standing.stage is None:
        _demand_reason(act)  # nobody placed it before: what is it placed by?
    elif act.name == "back":
        earlier = STAGES[: STAGES.index(standing.stage)]
        if to not in earlier:
            raise errors.StepNotAllowed(step=to, allowed=", ".join(earlier))
        _demand_reason(act)
    else:
        if to not in NEXT[standing.stage]:
            raise errors.StepNotAllowed(step=to, allowed=", ".join(NEXT[standing.stage]))
        missing = demands(row.body, to)
        if missing:
            raise errors.StepDemandsMore(step=to, missing=missing)
    return {
        "standing": replace(standing, stage=to),
        "body": replace(row.body, milestones=_reached(row, to, act.on or today)),
    }


def _reached(row: Row, stage: Stage, on: date) -> tuple[Milestone, ...]:
    """The milestones with the day on which a stage was reached."""
    found = {milestone.stage: milestone for milestone in row.body.milestones}
    found[stage] = replace(found.get(stage, Milestone(stage)), reached=on)
    return tuple(found[one] for one in STAGES if one in found)


def _rename(row: Row, act: Act, year: int) -> dict[str, Any]:
    name = " ".join(act.new_name.split())
    if not name:
        raise errors.ProjectInvalid(field="name", reason="…")
    if fold_name(name) == fold_name(row.body.name):
        return {"body": replace(row.body, name=name)}
    former = tuple(f for f in row.former if fold_name(f.name) != fold_name(name))
    return {
        "body": replace(row.body, name=name, names={}),
        "former": (*former, FormerName(row.body.name, year, act.source)),
    }
