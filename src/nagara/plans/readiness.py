"""How ready a project is for money, point by point. Pure.

Our own rubric, published in docs/reference/plans.md. A criterion earns points only where its
content is there and evidence of the project says that it proves it. Without any evidence there is
no score, which is not a score of nought.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from nagara.plans.model import Evidence, Project, funded

RUBRIC = "nagara-readiness/1"
#: Fewer risks than this were not looked for.
RISKS_LEAST = 3


class Criterion(Struct, frozen=True):
    """Points for what is there and proved. `lacks` names what is not there; `share` is the part of
    the points that the content earns once it is proved."""

    code: str
    points: int
    lacks: Callable[[Project], list[str]]
    share: Callable[[Project], float] = lambda _project: 1.0


class Mark(Struct, frozen=True):
    """What one criterion earned, on which evidence, and what is missing (codes of words)."""

    code: str
    points: int
    earned: int
    said: bool
    evidence: tuple[Evidence, ...]
    missing: tuple[str, ...]


class Score(Struct, frozen=True):
    """The sum; None where nothing is proved."""

    score: int | None
    marks: tuple[Mark, ...]


def _lack(**fields: bool) -> list[str]:
    return [name for name, missing in fields.items() if missing]


def _need(project: Project) -> list[str]:
    return _lack(problem=not project.problem, success=not project.success)


def _baseline(project: Project) -> list[str]:
    good = any(
        m.baseline is not None and m.baseline_on and m.target is not None and m.target_on
        for m in project.measures
    )
    return _lack(measureDated=not good)


def _cost(project: Project) -> list[str]:
    return _lack(cost=project.cost is None or project.cost.amount is None)


def _returns(project: Project) -> list[str]:
    flows = project.flows
    return _lack(
        flows=flows is None or not (flows.capital and (flows.revenue or flows.benefits)),
        assumptions=flows is not None and not flows.assumptions,
    )


def _legal(project: Project) -> list[str]:
    return _lack(
        legal=not project.legal, legalNeeded=any(item.state == "needed" for item in project.legal)
    )


def _funding(project: Project) -> list[str]:
    secured = any(f.state != "sought" for f in project.funding)
    return _lack(
        cost=project.cost is None or not project.cost.amount,
        funding=not secured,
        oneCurrency=secured and funded(project, "committed", "paid") is None,
    )


def _funding_share(project: Project) -> float:
    found = funded(project, "committed", "paid")
    amount = project.cost.amount if project.cost else None
    return min(1.0, found / amount) if found and amount else 0.0


def _risks(project: Project) -> list[str]:
    answered = [r for r in project.risks if r.owner and r.response]
    return _lack(
        risks=len(project.risks) < RISKS_LEAST, riskAnswers=len(answered) < len(project.risks)
    )


def _organisation(project: Project) -> list[str]:
    roles = {partner.role for partner in project.partners}
    return _lack(
        responsible=not project.responsible, operator=roles.isdisjoint({"owner", "operator"})
    )


def _schedule(project: Project) -> list[str]:
    return _lack(milestones=sum(m.planned is not None for m in project.milestones) < 2)


CRITERIA: tuple[Criterion, ...] = (
    Criterion("need", 10, _need),
    Criterion("baseline", 10, _baseline),
    Criterion("study", 15, lambda _project: []),
    Criterion("cost", 10, _cost),
    Criterion("returns", 15, _returns),
    Criterion("legal", 10, _legal),
    Criterion("funding", 10, _funding, _funding_share),
    Criterion("risks", 10, _risks),
    Criterion("organisation", 5, _organisation),
    Criterion("schedule", 5, _schedule),
)
CODES: Mapping[str, Criterion] = {criterion.code: criterion for criterion in CRITERIA}


def score(project: Project) -> Score:
    """The score of a project with every point."""
    marks: list[Mark] = []
    for criterion in CRITERIA:
        lacks = criterion.lacks(project)
        proofs = tuple(e for e in project.evidence if criterion.code in e.proves)
        earned = 0
        if not lacks and proofs:
            earned = int(criterion.points * criterion.share(project) + 1e-9)
        said = not lacks and criterion.code != "study"  # a study is its own evidence
        missing = (*lacks, *(() if proofs else ("proof",)))
        if not missing and earned < criterion.points:
            missing = ("rest",)
        marks.append(Mark(criterion.code, criterion.points, earned, said, proofs, missing))
    proved = any(mark.evidence for mark in marks)
    return Score(sum(m.earned for m in marks) if proved else None, tuple(marks))
