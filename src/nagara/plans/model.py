"""What a project and a plan are, and what may follow what: pure types and decisions.

Texts that people read are by language (`{"th": …, "en": …}`). Partners, funders and owners are
organisations and functions, never persons. Money is an amount with a currency and a price year; an
amount that nobody knows is absent, never zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Literal

from msgspec import Meta, Struct

from nagara.vocab.project import Stage, State, Status

#: A line in a table; a paragraph; the projects of a large city's plan.
Line = Annotated[str, Meta(max_length=300)]
Paragraph = Annotated[str, Meta(max_length=4_000)]
Words = Mapping[Annotated[str, Meta(max_length=8)], Paragraph]
Year = Annotated[int, Meta(ge=1900, le=2200)]
Amount = Annotated[float, Meta(ge=0, le=1e15)]  # beyond any city's budget in any currency
Currency = Annotated[str, Meta(pattern="^[A-Z]{3}$")]  # ISO 4217
Code = Annotated[str, Meta(max_length=120)]
Level = Annotated[int, Meta(ge=1, le=5)]
#: Rows of a list of one project: more is a document, and belongs to the evidence.
ROWS_MAX = 60

FundingState = Literal["sought", "committed", "paid"]
FundingKind = Literal[
    "own-budget", "national-budget", "development-bank", "dialogue-partner", "private",
    "user-fees", "donor", "other",
]  # fmt: skip
PartnerRole = Literal[
    "owner", "operator", "builder", "technology", "funder", "research", "community", "adviser",
    "regulator", "other",
]  # fmt: skip


class Body(Struct, frozen=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """A part of a project or plan as it is sent and kept."""


class Measure(Body, frozen=True):
    """What shows whether it worked: an indicator by its code, or a measure of the project's own."""

    name: Line
    unit: Line
    indicator: Code | None = None
    baseline: float | None = None
    baseline_on: date | None = None
    target: float | None = None
    target_on: date | None = None
    actual: float | None = None
    actual_on: date | None = None
    sense: Literal["up", "down"] = "up"
    source: Line = ""


class Cost(Body, frozen=True):
    """What it costs in all; `amount` None: unknown."""

    currency: Currency
    price_year: Year
    amount: Amount | None = None
    source: Line = ""


class Funding(Body, frozen=True):
    """Money of one source. `year`: of the budget it stands in."""

    source: Line
    kind: FundingKind
    state: FundingState
    amount: Amount
    currency: Currency
    year: Year | None = None
    note: Line = ""


class Partner(Body, frozen=True):
    """An organisation and what it does."""

    name: Line
    role: PartnerRole
    note: Line = ""


class Risk(Body, frozen=True):
    """What may go wrong. `owner`: the function or organisation that bears it."""

    name: Line
    likelihood: Level
    consequence: Level
    owner: Line = ""
    response: Paragraph = ""


class Evidence(Body, frozen=True):
    """A file or address that proves something; `proves`: criteria of the readiness rubric."""

    title: Line
    url: Annotated[str, Meta(max_length=2_000, pattern="^https?://")] | None = None
    file: Annotated[str, Meta(pattern="^[0-9a-f]{32}$")] | None = None
    proves: tuple[Code, ...] = ()


class Legal(Body, frozen=True):
    """A law, permit or agreement that it rests on."""

    title: Line
    state: Literal["in-force", "drafted", "needed"]
    reference: Line = ""


class Milestone(Body, frozen=True):
    """When a stage is to be reached, and when it was."""

    stage: Stage
    planned: date | None = None
    reached: date | None = None


class Flows(Body, frozen=True):
    """Costs and revenues by year, all in one currency at the prices of one year.

    `operating`: what it costs to run; `benefits`: what it is worth to people beyond revenue.
    The lists begin in `first_year`; a shorter one ends earlier. `rate`: share a year.
    """

    currency: Currency
    price_year: Year
    first_year: Year
    rate: Annotated[float, Meta(gt=-0.5, le=1.0)]
    capital: Annotated[tuple[Amount, ...], Meta(max_length=60)] = ()
    operating: Annotated[tuple[Amount, ...], Meta(max_length=60)] = ()
    revenue: Annotated[tuple[Amount, ...], Meta(max_length=60)] = ()
    benefits: Annotated[tuple[Amount, ...], Meta(max_length=60)] = ()
    assumptions: Paragraph = ""
    source: Line = ""


class AdoptedFrom(Body, frozen=True):
    """Where a replication kit came from."""

    id: Code
    name: Line
    city: Code
    kit: Code  # the digest of the kit


Rows = Meta(max_length=ROWS_MAX)


class Project(Body, frozen=True):
    """What a city says of a project. Only the name is demanded; the stages demand more."""

    name: Annotated[str, Meta(min_length=1, max_length=300)]
    names: Words = {}
    summary: Words = {}
    problem: Words = {}
    success: Words = {}
    focus_area: Code | None = None
    project_type: Code | None = None
    location: tuple[float, float] | None = None  # longitude, latitude, WGS 84
    place: Line = ""
    start_year: Year | None = None
    end_year: Year | None = None
    responsible: Line = ""
    milestones: Annotated[tuple[Milestone, ...], Rows] = ()
    measures: Annotated[tuple[Measure, ...], Rows] = ()
    cost: Cost | None = None
    funding: Annotated[tuple[Funding, ...], Rows] = ()
    partners: Annotated[tuple[Partner, ...], Rows] = ()
    risks: Annotated[tuple[Risk, ...], Rows] = ()
    challenges: Annotated[tuple[Paragraph, ...], Rows] = ()
    support: Annotated[tuple[Paragraph, ...], Rows] = ()
    lessons: Annotated[tuple[Paragraph, ...], Rows] = ()
    legal: Annotated[tuple[Legal, ...], Rows] = ()
    evidence: Annotated[tuple[Evidence, ...], Rows] = ()
    flows: Flows | None = None
    source: Paragraph = ""
    worked_example: bool = False
    adopted_from: AdoptedFrom | None = None


class Standing(Struct, frozen=True):
    """Where a project stands; moved by acts, never by an edit."""

    stage: Stage | None = None
    state: State = "active"
    published: bool = False
    merged_into: str | None = None
    split_from: str | None = None
    ended_year: int | None = None
    reason: str | None = None


# --- plans --------------------------------------------------------------------------------------


class Target(Body, frozen=True):
    """Where the city wants to be with one indicator, from where, and by when."""

    indicator: Code
    unit: Line
    target: float
    target_on: date
    sense: Literal["up", "down"]
    baseline: float | None = None
    baseline_on: date | None = None
    area: Code = ""
    responsible: Line = ""
    projects: Annotated[tuple[Code, ...], Rows] = ()
    source: Line = ""


class Objective(Body, frozen=True):
    """What the plan wants, with the targets that show it."""

    title: Words
    targets: Annotated[tuple[Target, ...], Rows] = ()
    frame: Code = ""  # place in a frame: ascf:FA4.1


class Budget(Body, frozen=True):
    """Money that the plan gives to a project."""

    project: Code
    amount: Amount
    currency: Currency
    year: Year
    responsible: Line = ""


PlanState = Literal["draft", "adopted", "ended", "reference"]


class Plan(Body, frozen=True):
    """A plan of a city. Years are both included."""

    title: Words
    first_year: Year
    last_year: Year
    summary: Words = {}
    responsible: Line = ""
    objectives: Annotated[tuple[Objective, ...], Rows] = ()
    budgets: Annotated[tuple[Budget, ...], Meta(max_length=500)] = ()
    source: Paragraph = ""


# --- money --------------------------------------------------------------------------------------


def funded(project: Project, *states: FundingState) -> float | None:
    """Sum of funding in these states; None where a currency differs from the cost's."""
    wanted = [f for f in project.funding if f.state in states]
    currency = project.cost.currency if project.cost else None
    if any(f.currency != currency for f in wanted):
        return None
    return float(sum(f.amount for f in wanted))


def funding_gap(project: Project) -> float | None:
    """Cost less what is committed and paid, at least 0; None where either cannot be told."""
    if project.cost is None or project.cost.amount is None:
        return None
    found = funded(project, "committed", "paid")
    return None if found is None else max(0.0, project.cost.amount - found)


# --- the life cycle -----------------------------------------------------------------------------

#: From a stage, the stages that may follow. Works paid from the city's own budget need no round of
#: financing, and works of its own hands no procurement.
NEXT: Mapping[Stage, tuple[Stage, ...]] = {
    "idea": ("concept",),
    "concept": ("preparation",),
    "preparation": ("financing", "procurement", "delivery"),
    "financing": ("procurement", "delivery"),
    "procurement": ("delivery",),
    "delivery": ("operation",),
    "operation": ("closed",),
    "closed": (),
}
#: Stages into which whoever writes may take a project; the others bind money and are decided.
FREE: frozenset[str] = frozenset({"idea", "concept", "preparation"})


def demands(project: Project, stage: Stage) -> list[str]:
    """What a stage demands and the project lacks: codes whose words are in `words/`."""
    missing: list[str] = []
    if stage != "idea":
        missing += ["problem"] * (not project.problem) + ["success"] * (not project.success)
    if stage not in ("idea", "concept"):
        missing += ["focusArea"] * (project.focus_area is None)
        missing += ["responsible"] * (not project.responsible)
        known = any(m.baseline is not None and m.target is not None for m in project.measures)
        missing += ["measure"] * (not known)
    if stage in ("financing", "procurement", "delivery"):
        missing += ["cost"] * (project.cost is None or project.cost.amount is None)
    if stage in ("procurement", "delivery"):
        gap = funding_gap(project)
        missing += ["fundingGap"] * (gap is None or gap > 0)
    if stage in ("operation", "closed"):
        missing += ["evidence"] * (not project.evidence)
    if stage == "closed":
        missing += ["actual"] * (not any(m.actual is not None for m in project.measures))
        missing += ["lessons"] * (not project.lessons)
    return missing


def due_on(project: Project, standing: Standing) -> date | None:
    """The day for which the next stage is planned; past: it is late. None where nothing is planned
    or the project has ended."""
    if standing.state not in ("active", "suspended"):
        return None
    open_ = [m.planned for m in project.milestones if m.planned and m.reached is None]
    return min(open_, default=None)


def status_of(standing: Standing, noted: Status | None) -> Status | None:
    """The word of the yearly reports; the newest report's own where no stage is known."""
    if standing.state in ("suspended", "cancelled"):
        return "suspended" if standing.state == "suspended" else "cancelled"
    if standing.state == "completed" or standing.stage in ("operation", "closed"):
        return "completed"
    if standing.stage is None:
        return noted
    return "ongoing" if standing.stage == "delivery" else "planning"
