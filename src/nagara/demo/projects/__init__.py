"""Projects and plans of the demo: typed from public documents, each saying which.

A file beside this one, named by the code of the city, holds what the public record supports;
nothing is filled in. One project is a worked example with made figures, and says so in its name.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from nagara.city import City
from nagara.plans.acts import Act, Acting
from nagara.plans.finding import Sight
from nagara.plans.kept import Row
from nagara.plans.model import Budget, Objective, Plan, Project
from nagara.plans.room import PlansRoom
from nagara.vocab.project import Stage, YearNote

ACTING = Acting("system:demo", "demo", True)


class Seed(Struct, frozen=True, forbid_unknown_fields=True):
    """A project: what it is, and what reports said of it. `key`: what a plan calls it."""

    body: Project
    notes: tuple[YearNote, ...] = ()
    key: str = ""
    district: str | None = None  # its middle stands for the position
    stage: Stage | None = None
    example: bool = False


class PlanSeed(Struct, frozen=True, forbid_unknown_fields=True):
    """A plan and whether the city adopted it."""

    body: Plan
    state: Literal["adopt", "reference"]


class Seeds(Struct, frozen=True, forbid_unknown_fields=True):
    """The file of a city."""

    projects: tuple[Seed, ...]
    plans: tuple[PlanSeed, ...] = ()


def read_seeds(city: City) -> Seeds | None:
    """What the demo knows of a city; None for one without a file."""
    file = files("nagara.demo.projects").joinpath(f"{city.code}.json")
    return msgspec.json.decode(file.read_bytes(), type=Seeds) if file.is_file() else None


async def load_projects(room: PlansRoom, city: City) -> int:
    """Bring the demo's projects and plans in where they are not there yet; how many were."""
    seeds = read_seeds(city)
    if seeds is None or room.projects is None or room.plans is None or room.book is None:
        return 0
    made = 0
    ids: dict[str, str] = {}
    for seed in seeds.projects:
        known = await room.book.find_by_name(city.code, seed.body.name)
        if known:
            ids[seed.key] = known[0].id
            continue
        ids[seed.key] = await _bring(room, city, seed)
        made += 1
    sight = Sight(city.code)
    known_plans = await room.plans.list_plans(city.code, None, sight, None, 200)
    titles = [row.body.title for row in known_plans]
    for plan in seeds.plans:
        if plan.body.title in titles:
            continue
        body = _named(plan.body, ids)
        row = await room.plans.create(body, ACTING)
        row = await room.plans.act(row, plan.state, None, "", ACTING)
        await room.plans.act(row, "publish", None, "", ACTING)
        made += 1
    return made


async def _bring(room: PlansRoom, city: City, seed: Seed) -> str:
    assert room.projects is not None
    assert room.book is not None
    projects, body = room.projects, seed.body
    if seed.district is not None and body.location is None:
        district = next((d for d in city.districts if d.code == seed.district), None)
        if district is not None:
            body = replace(body, location=district.centre)
    row: Row
    if seed.notes:
        record = await room.book.register(city.code, city.country, seed.notes[0], ACTING.who)
        for note in seed.notes[1:]:
            record = await room.book.note_year(record.id, note, ACTING.who)
        row = await projects.get(record.id, Sight())
        row = await projects.edit(row, body, None, ACTING)
    else:
        row = await projects.create(body, ACTING)
        steps: tuple[Stage, ...] = ("concept", "preparation") if seed.stage else ()
        for stage in steps:
            row = await projects.act(row, Act("advance", to=stage), ACTING, None)
        row = await projects.act(row, Act("publish"), ACTING, None)
    return row.id


def _named(plan: Plan, ids: dict[str, str]) -> Plan:
    """The plan with `@key` replaced by the project's identity."""

    def name(key: str) -> str:
        return ids[key[1:]] if key.startswith("@") else key

    objectives: list[Objective] = []
    for objective in plan.objectives:
        targets = tuple(
            replace(target, projects=tuple(map(name, target.projects)))
            for target in objective.targets
        )
        objectives.append(replace(objective, targets=targets))
    budgets: tuple[Budget, ...] = tuple(
        replace(budget, project=name(budget.project)) for budget in plan.budgets
    )
    return replace(plan, objectives=tuple(objectives), budgets=budgets)
