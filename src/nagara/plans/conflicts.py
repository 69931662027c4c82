"""Where plans of a city contradict each other or themselves. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any, Literal

from msgspec import Struct

from nagara.plans.model import Plan, Target

Code = Literal[
    "contradicting-targets", "opposite-directions", "units-differ", "budgeted-twice",
    "overlapping-responsibility", "outside-years", "project-missing",
]  # fmt: skip
#: Findings of one answer: more is a sign that the plans were not compared at all.
FINDINGS_MAX = 500


class Kept(Struct, frozen=True):
    """A plan under its id."""

    id: str
    plan: Plan


class Finding(Struct, frozen=True):
    """One contradiction. `between`: the sides of it, for the words and the screen."""

    code: Code
    plans: tuple[str, ...]
    between: tuple[Mapping[str, Any], ...]
    indicator: str | None = None
    project: str | None = None


def find_conflicts(
    plans: Sequence[Kept], projects: Mapping[str, bool] | None = None
) -> list[Finding]:
    """All contradictions among plans. `projects`: id → whether it still goes on; None: not asked.

    Cost grows with the targets and budgets of these plans, and with the square of those that
    speak of one indicator and area.
    """
    found: list[Finding] = []
    by_place: dict[tuple[str, str], list[tuple[str, Target]]] = defaultdict(list)
    for kept in plans:
        for target in _targets(kept.plan):
            by_place[target.indicator, target.area].append((kept.id, target))
            if not kept.plan.first_year <= target.target_on.year <= kept.plan.last_year:
                found.append(_outside(kept, target))
    for (indicator, _), told in sorted(by_place.items(), key=lambda item: item[0]):
        for (one_id, one), (other_id, other) in combinations(told, 2):
            found += _between(indicator, one_id, one, other_id, other)
            if len(found) >= FINDINGS_MAX:
                return found[:FINDINGS_MAX]
    found += _money(plans)
    if projects is not None:
        found += _missing(plans, projects)
    return found[:FINDINGS_MAX]


def _targets(plan: Plan) -> Iterable[Target]:
    return (target for objective in plan.objectives for target in objective.targets)


def _outside(kept: Kept, target: Target) -> Finding:
    side = _side(kept.id, target)
    years = {"firstYear": kept.plan.first_year, "lastYear": kept.plan.last_year}
    return Finding("outside-years", (kept.id,), (side | years,), target.indicator)


def _side(plan_id: str, target: Target) -> dict[str, Any]:
    return {
        "plan": plan_id,
        "target": target.target,
        "unit": target.unit,
        "on": target.target_on.isoformat(),
        "sense": target.sense,
        "area": target.area,
        "responsible": target.responsible,
    }


def _between(
    indicator: str, one_id: str, one: Target, other_id: str, other: Target
) -> list[Finding]:
    """What is wrong between two targets of one indicator and area, of one plan or two."""
    codes: list[Code] = []
    if one.unit != other.unit:
        codes.append("units-differ")  # nothing else can be compared
    elif one.sense != other.sense:
        codes.append("opposite-directions")
    elif one.target_on == other.target_on and one.target != other.target:
        codes.append("contradicting-targets")
    if one.responsible and other.responsible and one.responsible != other.responsible:
        codes.append("overlapping-responsibility")
    plans = (one_id,) if one_id == other_id else (one_id, other_id)
    sides = (_side(one_id, one), _side(other_id, other))
    return [Finding(code, plans, sides, indicator) for code in codes]


def _money(plans: Sequence[Kept]) -> list[Finding]:
    """Projects to which two plans give money for one year, or which two bodies answer for."""
    found: list[Finding] = []
    by_year: dict[tuple[str, int], list[tuple[str, Mapping[str, Any]]]] = defaultdict(list)
    bodies: dict[str, dict[str, str]] = defaultdict(dict)
    for kept in plans:
        for budget in kept.plan.budgets:
            side = {
                "plan": kept.id,
                "amount": budget.amount,
                "currency": budget.currency,
                "year": budget.year,
                "responsible": budget.responsible,
            }
            by_year[budget.project, budget.year].append((kept.id, side))
            if budget.responsible:
                bodies[budget.project].setdefault(budget.responsible, kept.id)
    for (project, _), told in sorted(by_year.items(), key=lambda item: item[0]):
        if len(told) > 1:
            ids = tuple(dict.fromkeys(plan_id for plan_id, _ in told))
            sides = tuple(side for _, side in told)
            found.append(Finding("budgeted-twice", ids, sides, project=project))
    for project, who in sorted(bodies.items()):
        if len(who) > 1:
            answers = tuple({"plan": p, "responsible": body} for body, p in who.items())
            ids = tuple(dict.fromkeys(who.values()))
            found.append(Finding("overlapping-responsibility", ids, answers, project=project))
    return found


def _missing(plans: Sequence[Kept], projects: Mapping[str, bool]) -> list[Finding]:
    found: list[Finding] = []
    for kept in plans:
        for project in sorted(named_projects(kept.plan)):
            if not projects.get(project, False):
                side = {"plan": kept.id, "known": project in projects}
                found.append(Finding("project-missing", (kept.id,), (side,), project=project))
    return found


def named_projects(plan: Plan) -> set[str]:
    """Ids of projects that a plan's targets and budgets name."""
    named = {project for target in _targets(plan) for project in target.projects}
    return named | {budget.project for budget in plan.budgets}
