"""What a project or plan must fulfil before it is kept."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Struct

from nagara.plans.acts import ActBody
from nagara.plans.errors import ContactRefused, PlanInvalid, ProjectInvalid
from nagara.plans.model import Plan, Project
from nagara.vocab.project import FOCUS_AREAS, PROJECT_TYPES

#: An address, or a number with so many digits and signs between them that it can be dialled. Years,
#: amounts and coordinates are numbers here, not texts, so that none is mistaken for one.
_MAIL = re.compile(r"[\w.+-]+@[\w-]+\.\w")
_PHONE = re.compile(r"(?<![\w.,/:=?&-])(?:\+\d{1,3}[\s-]?|0)\d(?:[\s-]?\d){7,10}(?![\w.,/])")

#: Fields that hold an address or an identity, in which digits may follow each other.
_ADDRESSES = (".url", ".file", ".id", ".kit", "into")


def demand_project(project: Project) -> None:
    """Raises `ProjectInvalid`, `ContactRefused`."""
    focus, kind = project.focus_area, project.project_type
    if focus is not None and focus not in FOCUS_AREAS:
        raise ProjectInvalid(field="focusArea", reason=f"{focus[:40]}: {', '.join(FOCUS_AREAS)}")
    if kind is not None and (kind not in PROJECT_TYPES or not kind.startswith(f"{focus}.")):
        known = ", ".join(code for code in PROJECT_TYPES if code.startswith(f"{focus}."))
        raise ProjectInvalid(field="projectType", reason=f"{kind[:40]} ({focus}: {known})")
    if not project.name.strip():
        raise ProjectInvalid(field="name", reason="…")
    if project.location is not None:
        lon, lat = project.location
        if not (-180 <= lon <= 180 and -90 <= lat <= 90):
            raise ProjectInvalid(field="location", reason=f"{lon}, {lat}")
    if project.start_year and project.end_year and project.end_year < project.start_year:
        raise ProjectInvalid(field="endYear", reason=f"{project.end_year} < {project.start_year}")
    for n, measure in enumerate(project.measures):
        if measure.baseline_on and measure.target_on and measure.target_on <= measure.baseline_on:
            raise ProjectInvalid(
                field=f"measures[{n}].targetOn",
                reason=f"{measure.target_on} <= {measure.baseline_on}",
            )
    for n, proof in enumerate(project.evidence):
        if (proof.url is None) == (proof.file is None):
            raise ProjectInvalid(field=f"evidence[{n}]", reason="url | file")
    _demand_no_contact(project)


def demand_plan(plan: Plan) -> None:
    """Raises `PlanInvalid`, `ContactRefused`."""
    if not any(words.strip() for words in plan.title.values()):
        raise PlanInvalid(field="title", reason="…")
    if plan.last_year < plan.first_year:
        raise PlanInvalid(field="lastYear", reason=f"{plan.last_year} < {plan.first_year}")
    for n, objective in enumerate(plan.objectives):
        for m, target in enumerate(objective.targets):
            begun = target.baseline_on
            if begun is not None and begun >= target.target_on:
                raise PlanInvalid(
                    field=f"objectives[{n}].targets[{m}].targetOn",
                    reason=f"{target.target_on} <= {begun}",
                )
    _demand_no_contact(plan)


def demand_act(act: ActBody) -> None:
    """Raises `ProjectInvalid`, `ContactRefused`: what an act says is as public as the project."""
    _demand_no_contact(act)


def _demand_no_contact(body: Struct) -> None:
    for path, text in _texts(msgspec.to_builtins(body), ""):
        if "\0" in text:  # no text that people write, and none that PostgreSQL keeps
            raise ProjectInvalid(field=path, reason="U+0000")
        if path.endswith(_ADDRESSES):
            continue
        if _MAIL.search(text) or _PHONE.search(text):
            raise ContactRefused(field=path)


def _texts(value: Any, path: str) -> list[tuple[str, str]]:
    if isinstance(value, str):
        return [(path, value)]
    if isinstance(value, dict):
        return [
            found for k, v in value.items() for found in _texts(v, f"{path}.{k}" if path else k)
        ]
    if isinstance(value, list | tuple):
        return [found for n, v in enumerate(value) for found in _texts(v, f"{path}[{n}]")]
    return []
