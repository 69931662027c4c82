"""The replication kit: a project as a template that another city adopts. Pure.

What leaves: problem, measure of success, what it is, framework, measures (the figures of the
origin as an example), risks with their answers, roles of partners, kinds and shares of funding,
legal basis, what it costs and earns, lessons. What stays: names of funders and partners, promises
of money, places, dates, evidence, responsible bodies. No text may name a person, so none leaves.
"""

from __future__ import annotations

import hashlib
from datetime import date
from typing import Literal, TypeVar

import msgspec
from msgspec import Struct

from nagara.plans.model import (
    AdoptedFrom,
    Body,
    Cost,
    Flows,
    Funding,
    FundingKind,
    Legal,
    Measure,
    Paragraph,
    Partner,
    PartnerRole,
    Project,
    Risk,
    Words,
)

SCHEMA: Literal["nagara-project-kit/1"] = "nagara-project-kit/1"
#: ISO 4217's three letters for no currency: a share that nobody knows.
NO_CURRENCY = 3 * "X"


Signed = TypeVar("Signed", Cost | None, Flows | None)


class FundingShare(Body, frozen=True):
    """Part of the cost by kind of source."""

    kind: FundingKind
    share: float | None = None  # None: the cost is unknown or in another currency


class Template(Body, frozen=True):
    """What another city may take over."""

    name: str
    names: Words = msgspec.field(default_factory=dict)
    summary: Words = msgspec.field(default_factory=dict)
    problem: Words = msgspec.field(default_factory=dict)
    success: Words = msgspec.field(default_factory=dict)
    focus_area: str | None = None
    project_type: str | None = None
    measures: tuple[Measure, ...] = ()
    cost: Cost | None = None
    funding: tuple[FundingShare, ...] = ()
    roles: tuple[PartnerRole, ...] = ()
    risks: tuple[Risk, ...] = ()
    challenges: tuple[Paragraph, ...] = ()
    support: tuple[Paragraph, ...] = ()
    lessons: tuple[Paragraph, ...] = ()
    legal: tuple[Legal, ...] = ()
    flows: Flows | None = None
    worked_example: bool = False


class Origin(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The project that the kit was made from."""

    id: str
    name: str
    city: str
    country: str
    on: date


class Kit(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The file. `digest` is the SHA-256 of `project` as it is written in canonical order."""

    schema: Literal["nagara-project-kit/1"]
    digest: str
    from_: Origin = msgspec.field(name="from")
    project: Template


def digest_of(template: Template) -> str:
    """Hexadecimal SHA-256 of a template."""
    return hashlib.sha256(msgspec.json.encode(template, order="deterministic")).hexdigest()


def export(project: Project, project_id: str, city: str, country: str, on: date) -> Kit:
    """The kit of a project."""
    template = Template(
        name=project.name,
        names=project.names,
        summary=project.summary,
        problem=project.problem,
        success=project.success,
        focus_area=project.focus_area,
        project_type=project.project_type,
        measures=tuple(_measure(measure) for measure in project.measures),
        cost=_unsigned(project.cost),
        funding=_shares(project),
        roles=tuple(dict.fromkeys(partner.role for partner in project.partners)),
        risks=tuple(msgspec.structs.replace(risk, owner="") for risk in project.risks),
        challenges=project.challenges,
        support=project.support,
        lessons=project.lessons,
        legal=project.legal,
        flows=_unsigned(project.flows),
        worked_example=project.worked_example,
    )
    origin = Origin(project_id, project.name, city, country, on)
    return Kit(SCHEMA, digest_of(template), origin, template)


def adopt(kit: Kit) -> Project:
    """The draft that a city begins with. Raises ValueError where the kit was changed."""
    template = kit.project
    if digest_of(template) != kit.digest:
        raise ValueError("digest")
    currency = template.cost.currency if template.cost else NO_CURRENCY
    amount = (template.cost.amount if template.cost else None) or 0.0
    return Project(
        name=template.name,
        names=template.names,
        summary=template.summary,
        problem=template.problem,
        success=template.success,
        focus_area=template.focus_area,
        project_type=template.project_type,
        measures=template.measures,
        cost=template.cost,
        funding=tuple(
            # a share is a thing to seek here, whoever promised it there
            Funding(
                "",
                share.kind,
                "sought",
                (share.share or 0.0) * amount,
                NO_CURRENCY if share.share is None else currency,
            )
            for share in template.funding
        ),
        partners=tuple(Partner("", role) for role in template.roles),
        risks=template.risks,
        challenges=template.challenges,
        support=template.support,
        lessons=template.lessons,
        legal=template.legal,
        flows=template.flows,
        worked_example=template.worked_example,
        adopted_from=AdoptedFrom(kit.from_.id, kit.from_.name, kit.from_.city, kit.digest),
    )


def _measure(measure: Measure) -> Measure:
    """The figures stay as an example of what it can bring; the days on which it did do not."""
    return msgspec.structs.replace(
        measure, baseline_on=None, target_on=None, actual_on=None, source=""
    )


def _unsigned(part: Signed) -> Signed:
    """Without the words on who said it: they may name a funder."""
    return None if part is None else msgspec.structs.replace(part, source="")


def _shares(project: Project) -> tuple[FundingShare, ...]:
    """By kind. Sought and promised are added up: what is promised there is to be sought here."""
    amount = project.cost.amount if project.cost else None
    currency = project.cost.currency if project.cost else None
    sums: dict[FundingKind, float | None] = {}
    for part in project.funding:
        before = sums.get(part.kind, 0.0)
        known = before is not None and part.currency == currency and bool(amount)
        sums[part.kind] = before + part.amount if known and before is not None else None
    return tuple(
        FundingShare(kind, None if total is None or not amount else round(total / amount, 6))
        for kind, total in sums.items()
    )
