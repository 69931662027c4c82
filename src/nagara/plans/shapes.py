"""What goes over the wire: projects and plans as they are told."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import msgspec

from nagara.plans import readiness
from nagara.plans.acts import NAMES, Acting, allowed_steps
from nagara.plans.bankability import Irr, Result
from nagara.plans.conflicts import Finding
from nagara.plans.errors import ProjectInvalid
from nagara.plans.kept import Row, Step, scalars
from nagara.plans.model import FREE, NEXT, Flows, Project, funded, funding_gap
from nagara.plans.planning import PLAN_ACTS, PlanRow, TargetState
from nagara.plans.progress import Reading, State
from nagara.plans.wording import say, say_all, say_finding, say_switch
from nagara.values.time import format_instant
from nagara.vocab.project import (
    ENDED,
    FOCUS_AREAS,
    PROJECT_TYPES,
    STAGES,
    STATES,
    STATUSES,
)


def summary(columns: Mapping[str, Any]) -> dict[str, Any]:
    """A project in a list, from its columns."""
    lon, lat = columns["lon"], columns["lat"]
    return {
        "id": columns["id"],
        "name": columns["name"],
        "city": columns["city"],
        "country": columns["country"],
        "origin": columns["origin"],
        "published": columns["published"],
        "version": columns["version"],
        "focusArea": columns["focus_area"],
        "projectType": columns["project_type"],
        "stage": columns["stage"],
        "state": columns["state"],
        "status": columns["status"],
        "startYear": columns["start_year"],
        "endYear": columns["end_year"],
        "cost": columns["cost"],
        "currency": columns["currency"],
        "fundingGap": columns["gap"],
        "readiness": columns["readiness"],
        "location": None if lon is None else [lon, lat],
        "workedExample": columns["worked_example"],
        "dueOn": columns["due_on"].isoformat() if columns["due_on"] else None,
        "changedAt": format_instant(columns["changed_at"]),
    }


def detail(
    row: Row,
    acting: Acting | None,
    language: str,
    parts: list[str],
    plans: list[dict[str, Any]],
    states: list[tuple[Reading, State]],
) -> dict[str, Any]:
    """A project whole. `acting` None: a reader who may do nothing."""
    standing = row.standing
    body = msgspec.to_builtins(row.body)
    measures = [
        {**msgspec.to_builtins(measure), "reading": reading_out(reading, state, language)}
        for measure, (reading, state) in zip(row.body.measures, states, strict=True)
    ]
    return summary(scalars(row)) | {
        "body": body,
        "formerNames": msgspec.to_builtins(row.former),
        "years": msgspec.to_builtins(row.years),
        "mergedInto": standing.merged_into,
        "splitFrom": standing.split_from,
        "successors": [standing.merged_into] if standing.merged_into else parts,
        "adoptedFrom": body.get("adoptedFrom"),
        "endedYear": standing.ended_year,
        "reason": standing.reason,
        "money": money(row.body, language),
        "steps": [
            {
                "stage": stage,
                "name": say(f"stage.{stage}", language),
                "needs": "plan:decide" if decided else "plan:write",
                "allowed": not missing and acting is not None and (acting.decides or not decided),
                "missing": say_all("missing", missing, language),
            }
            for stage, decided, missing in allowed_steps(row)
        ],
        "acts": acts_of(row, acting),
        "plans": plans,
        "measures": measures,
    }


def acts_of(row: Row, acting: Acting | None) -> list[str]:
    """Acts that the caller may do now."""
    if acting is None or row.origin == "received":
        return []
    standing = row.standing
    if not acting.decides:
        moving = standing.state == "active" and standing.stage in ("idea", "concept")
        return ["advance"] if moving else []
    shown = "withdraw" if standing.published else "publish"
    if standing.state in ("merged", "split"):
        return [shown]
    if standing.state in ENDED:
        return [shown, "resume"]
    not_now = {"withdraw", "publish"} - {shown}
    if standing.state == "suspended":
        not_now |= {"advance", "back", "suspend"}
    else:
        not_now |= {"resume"}
    not_now |= {"back"} if standing.stage in (None, "idea") else set()
    return [name for name in NAMES if name not in not_now]


def money(body: Project, language: str) -> dict[str, Any]:
    """What it costs and who pays; null where it is not known, and why."""
    cost = body.cost
    amounts = {name: funded(body, name) for name in ("sought", "committed", "paid")}
    why = []
    if cost is None or cost.amount is None:
        why.append(say("money.costUnknown", language))
    if cost is not None and None in amounts.values():
        why.append(say("money.currencies", language))
    return {
        "currency": cost.currency if cost else None,
        "priceYear": cost.price_year if cost else None,
        "cost": cost.amount if cost else None,
        **amounts,
        "gap": funding_gap(body),
        "why": why,
    }


def reading_out(reading: Reading, state: State, language: str) -> dict[str, Any]:
    """The state of a target or measure."""
    return {
        "standing": state.standing,
        "words": say(f"standing.{state.standing}", language),
        "value": reading.value,
        "unit": reading.unit,
        "on": reading.on.isoformat() if reading.on else None,
        "quality": reading.quality,
        "entity": reading.entity,
        "expected": state.expected,
        "made": state.made,
        "why": say(f"why.{reading.why}", language, got=reading.unit or "") if reading.why else None,
    }


def step_out(step: Step) -> dict[str, Any]:
    """One line of a trace."""
    return {
        "n": step.n,
        "at": format_instant(step.at),
        "kind": step.kind,
        "who": step.who,
        "role": step.role,
        "before": step.before,
        "after": step.after,
        "words": step.words,
    }


def bankability_out(flows: Flows, result: Result, language: str) -> dict[str, Any]:
    """What flows come to."""
    payback = result.payback
    never = payback.simple is None or payback.discounted is None
    return {
        "currency": flows.currency,
        "priceYear": flows.price_year,
        "firstYear": flows.first_year,
        "rate": flows.rate,
        "years": msgspec.to_builtins(result.years),
        "npv": result.npv,
        "economicNpv": result.economic_npv,
        "irr": _irr_out(result.irr, language),
        "payback": {
            "simple": payback.simple,
            "discounted": payback.discounted,
            "why": say("paybackNever", language) if never else None,
        },
        "benefitCost": result.benefit_cost,
        "sensitivity": [
            {
                "case": case.case,
                "change": case.change,
                "npv": case.npv,
                "irr": _irr_out(case.irr, language),
                "benefitCost": case.benefit_cost,
            }
            for case in result.sensitivity
        ],
        "switching": [
            {"what": s.what, "value": s.value, "unit": s.unit, "words": say_switch(s, language)}
            for s in result.switching
        ],
        "assumptions": flows.assumptions,
        "source": flows.source,
    }


def _irr_out(irr: Irr, language: str) -> dict[str, Any]:
    return {"verdict": irr.verdict, "values": list(irr.values), "why": say(irr.why, language)}


def readiness_out(body: Project, language: str) -> dict[str, Any]:
    """The score with every point."""
    made = readiness.score(body)
    return {
        "score": made.score,
        "of": sum(mark.points for mark in made.marks),
        "rubric": readiness.RUBRIC,
        "workedExample": body.worked_example,
        "criteria": [
            {
                "code": mark.code,
                "words": say(f"criterion.{mark.code}", language),
                "points": mark.points,
                "earned": mark.earned,
                "said": mark.said,
                "evidence": [
                    {"title": e.title, "url": e.url, "file": e.file} for e in mark.evidence
                ],
                "missing": say_all("missing", mark.missing, language),
            }
            for mark in made.marks
        ],
    }


def framework_out(language: str) -> dict[str, Any]:
    """Codes with their words."""
    return {
        "focusAreas": [{"code": c, "name": names} for c, names in FOCUS_AREAS.items()],
        "projectTypes": [
            {"code": c, "focusArea": c.partition(".")[0], "name": names}
            for c, names in PROJECT_TYPES.items()
        ],
        "stages": [
            {
                "code": stage,
                "name": say(f"stage.{stage}", language),
                "next": list(NEXT[stage]),
                "needs": "plan:write" if stage in FREE else "plan:decide",
            }
            for stage in STAGES
        ],
        "states": [{"code": s, "name": say(f"state.{s}", language)} for s in STATES],
        "statuses": [
            {"code": s, "name": say(f"status.{s}", language)} for s in (*STATUSES, "none")
        ],
        "rubric": [
            {"code": c.code, "points": c.points, "name": say(f"criterion.{c.code}", language)}
            for c in readiness.CRITERIA
        ],
        "source": "ASEAN Smart Cities Framework (2018); yearly reports 2022-2025, Exhibit 1",
    }


def plan_out(row: PlanRow, may_decide: bool) -> dict[str, Any]:
    """A plan in a list."""
    acts: list[str] = []
    if may_decide:
        done = {"adopted": "adopt", "ended": "end", "reference": "reference"}.get(row.state)
        shown = "publish" if row.published else "withdraw"
        acts = [act for act in PLAN_ACTS if act not in (done, shown)]
        acts.append("withdraw" if row.published else "publish")
        acts = list(dict.fromkeys(acts))
    return {
        "id": row.id,
        "city": row.city,
        "version": row.version,
        "published": row.published,
        "state": row.state,
        "title": row.body.title,
        "firstYear": row.body.first_year,
        "lastYear": row.body.last_year,
        "changedAt": format_instant(row.changed_at),
        "acts": acts,
    }


def target_out(row: PlanRow, told: TargetState, language: str) -> dict[str, Any]:
    """A target of a plan with its state."""
    target = row.body.objectives[told.objective].targets[told.index]
    return {
        "objective": told.objective,
        "index": told.index,
        "indicator": target.indicator,
        "state": reading_out(told.reading, told.state, language),
    }


def finding_out(finding: Finding, city: str, language: str) -> dict[str, Any]:
    """A contradiction."""
    return {
        "code": finding.code,
        "words": say_finding(finding, language),
        "city": city,
        "plans": list(finding.plans),
        "indicator": finding.indicator,
        "project": finding.project,
        "between": [dict(side) for side in finding.between],
    }


def cursor_of(sort_name: str, one: str) -> str:
    """The `after` of the next page."""
    said = json.dumps([sort_name, one], ensure_ascii=False).encode()
    return base64.urlsafe_b64encode(said).decode().rstrip("=")


def read_cursor(said: str | None) -> tuple[str, str] | None:
    """What `cursor_of` wrote. Raises `ProjectInvalid`."""
    if not said:
        return None
    try:
        found = json.loads(base64.urlsafe_b64decode(said[:4_000] + "=" * (-len(said[:4_000]) % 4)))
        name, one = found
    except (ValueError, TypeError) as error:
        raise ProjectInvalid(field="after", reason=said[:40]) from error
    if not isinstance(name, str) or not isinstance(one, str) or "\0" in name + one:
        raise ProjectInvalid(field="after", reason=said[:40])
    return name, one
