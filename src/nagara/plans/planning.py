"""The use cases of plans."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from nagara.engines.database import Connection
from nagara.guard import audit
from nagara.guard.audit import AuditEntry
from nagara.plans import errors, kept
from nagara.plans.acts import Acting
from nagara.plans.conflicts import Finding, find_conflicts, named_projects
from nagara.plans.conflicts import Kept as Compared
from nagara.plans.demanding import demand_plan
from nagara.plans.finding import Sight
from nagara.plans.kept import Step
from nagara.plans.model import Plan, PlanState
from nagara.plans.progress import Reading, State, standing
from nagara.plans.readers import Readings
from nagara.plans.service import Projects
from nagara.values.ids import urn
from nagara.values.units import UNITS, UnitMismatch, UnitUnknown, convert
from nagara.vocab.project import ENDED, fold_name

PlanAct = Literal["publish", "withdraw", "adopt", "end", "reference"]
PLAN_ACTS: tuple[PlanAct, ...] = ("publish", "withdraw", "adopt", "end", "reference")
_STATES: dict[str, PlanState] = {"adopt": "adopted", "end": "ended", "reference": "reference"}
PAGE_MAX = 200
#: Plans of one city that are compared: more than any city has in force.
COMPARED_MAX = 100
_SELECT = "select id, city, published, state, version, changed_at, body, sort_name from plans.plan "


class PlanRow(Struct, frozen=True):
    """A plan as it is kept."""

    id: str
    city: str
    published: bool
    state: PlanState
    version: int
    changed_at: datetime
    body: Plan


class TargetState(Struct, frozen=True):
    """A target of a plan with where it stands."""

    objective: int
    index: int
    reading: Reading
    state: State


class Plans:
    """Plans of the cities of an installation."""

    def __init__(self, projects: Projects, readings: Readings) -> None:
        self.projects = projects
        self.readings = readings
        self.db = projects.db

    async def get(self, plan_id: str, sight: Sight) -> PlanRow:
        """A plan that is seen. Raises `PlanUnknown`."""
        if "\0" in plan_id:
            raise errors.PlanUnknown(id=plan_id.replace("\0", "")[:200])
        async with self.db.acquire() as conn:
            row = await conn.fetchrow(_SELECT + "where id = $1", plan_id)
        if row is None or not (row["published"] or row["city"] == sight.drafts_of):
            raise errors.PlanUnknown(id=plan_id[:200])
        return _row(row)

    async def list_plans(
        self, city: str | None, state: str | None, sight: Sight, after: tuple[str, str] | None,
        limit: int,
    ) -> list[PlanRow]:  # fmt: skip
        """One page by title; one more than `limit` where there are more."""
        async with self.db.acquire() as conn:
            rows = await conn.fetch(
                _SELECT
                + """where (published or city = $1) and ($2::text is null or city = $2)
                    and ($3::text is null or state = $3)
                    and ($4::text is null or (sort_name, id) > ($4, $5))
                    order by sort_name, id limit $6""",
                sight.drafts_of,
                city,
                state,
                after[0] if after else None,
                after[1] if after else None,
                min(limit, PAGE_MAX) + 1,
            )
        return [_row(row) for row in rows]

    async def create(self, body: Plan, acting: Acting) -> PlanRow:
        """A new draft. Raises `PlanInvalid`, `ContactRefused`."""
        demand_plan(body)
        city = self.projects.city.code
        row = PlanRow(
            urn("Plan", city, secrets.token_hex(8)), city, False, "draft", 1, self.projects.now(),
            body,
        )  # fmt: skip
        await self._keep(None, row, "created", acting, "")
        return row

    async def edit(self, row: PlanRow, body: Plan, version: int | None, acting: Acting) -> PlanRow:
        """Another body. Raises as `create`, `PlanInvalid` (ended), `ProjectChanged`."""
        self._demand_own(row, version)
        if row.state == "ended":
            raise errors.PlanInvalid(field="state", reason="ended")
        demand_plan(body)
        after = replace(row, body=body, version=row.version + 1, changed_at=self.projects.now())
        await self._keep(row, after, "edited", acting, "")
        return after

    async def act(
        self, row: PlanRow, act: PlanAct, version: int | None, words: str, acting: Acting
    ) -> PlanRow:
        """Publish, withdraw, adopt, end. Raises `DecisionNeeded`, `ProjectChanged`."""
        self._demand_own(row, version)
        if not acting.decides:
            raise errors.DecisionNeeded(act=act)
        after = replace(
            row,
            published=row.published if act in _STATES else act == "publish",
            state=_STATES.get(act, row.state),
            version=row.version + 1,
            changed_at=self.projects.now(),
        )
        await self._keep(row, after, act, acting, words)
        return after

    async def list_steps(self, row: PlanRow) -> list[Step]:
        """The trace of a plan."""
        async with self.db.acquire() as conn:
            return await kept.list_steps(conn, row.id)

    async def list_states(self, row: PlanRow) -> list[TargetState]:
        """Where each target of a plan stands today."""
        targets = [
            (n, m, target)
            for n, objective in enumerate(row.body.objectives)
            for m, target in enumerate(objective.targets)
        ]
        if row.state == "reference":  # targets of others: what this city reports says nothing of
            none = Reading(why="referencePlan")
            return [TargetState(n, m, none, State("not-reported")) for n, m, _ in targets]
        readings = await self.readings.list_readings(
            row.city, [(target.indicator, target.area) for _, _, target in targets]
        )
        today = self.projects.today()
        found = []
        for n, m, target in targets:
            reading = self.same_unit(readings[target.indicator, target.area], target.unit)
            state = standing(
                target.baseline, target.baseline_on, target.target, target.target_on,
                target.sense, reading.value, reading.on or today,
            )  # fmt: skip
            found.append(TargetState(n, m, reading, state))
        return found

    def same_unit(self, reading: Reading, unit: str) -> Reading:
        """The reading in the unit of a target, or none where they cannot be compared."""
        if reading.value is None or reading.unit is None or not unit:
            return reading
        got, wanted = _code_of(reading.unit), _code_of(unit)
        if got == wanted:
            return replace(reading, unit=unit)
        try:
            return replace(reading, value=convert(reading.value, got, wanted), unit=unit)
        except (UnitUnknown, UnitMismatch):
            return replace(reading, value=None, why="unitDiffers")

    async def list_conflicts(self, city: str, sight: Sight) -> list[Finding]:
        """Where plans of a city that are in force or being written contradict each other."""
        rows = await self.list_plans(city, None, sight, None, COMPARED_MAX)
        plans = [
            Compared(row.id, row.body)
            for row in rows[:COMPARED_MAX]
            if row.state in ("draft", "adopted")
        ]
        named = sorted(set[str]().union(*(named_projects(one.plan) for one in plans)))
        async with self.db.acquire() as conn:
            found = await conn.fetch(
                """select id, state from plans.project
                   where id = any($1::text[]) and (published or city = $2)""",
                named,
                sight.drafts_of,
            )
        going = {
            row["id"]: row["state"] not in ENDED or row["state"] == "completed" for row in found
        }
        return find_conflicts(plans, going)

    async def list_naming(self, project_id: str, city: str, sight: Sight) -> list[dict[str, Any]]:
        """Plans of a city whose targets name a project."""
        rows = await self.list_plans(city, None, sight, None, COMPARED_MAX)
        return [
            {
                "id": row.id,
                "title": row.body.title,
                "indicator": target.indicator,
                "target": target.target,
                "unit": target.unit,
                "targetOn": target.target_on.isoformat(),
            }
            for row in rows[:COMPARED_MAX]
            for objective in row.body.objectives
            for target in objective.targets
            if project_id in target.projects
        ]

    # --- inside -----------------------------------------------------------------------------

    def _demand_own(self, row: PlanRow, version: int | None) -> None:
        if row.city != self.projects.city.code:
            raise errors.ProjectForeign(city=row.city)
        if version is not None and version != row.version:
            raise errors.ProjectChanged(version=row.version)

    async def _keep(
        self, before: PlanRow | None, after: PlanRow, kind: str, acting: Acting, words: str
    ) -> None:
        async with self.db.acquire() as conn, conn.transaction():
            if before is None:
                await conn.execute(
                    "insert into plans.plan values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                    *_values(after),
                )
            else:
                await self._update(conn, before, after)
            await kept.add_steps(conn, [(after.id, _step(before, after, kind, acting, words))])
            digest = audit.digest_of([msgspec.json.encode(after)])
            entry = AuditEntry(acting.who, f"plan:{kind}", after.id, digest)
            await audit.record(conn, self.projects.floor.guard.wall(), entry)

    async def _update(self, conn: Connection, before: PlanRow, after: PlanRow) -> None:
        done = await conn.execute(
            """update plans.plan set city = $2, sort_name = $3, published = $4, state = $5,
                   first_year = $6, last_year = $7, version = $8, changed_at = $9, body = $10
               where id = $1 and version = $11""",
            *_values(after),
            before.version,
        )
        if done == "UPDATE 0":
            raise errors.ProjectChanged(version=after.version)


def _code_of(unit: str) -> str:
    """The UN/CEFACT code of a sign; a code as it is."""
    return next((code for code, one in UNITS.items() if one.sign == unit), unit)


def _values(row: PlanRow) -> Sequence[Any]:
    body = row.body
    title = next(iter(body.title.values()), "")
    return (
        row.id, row.city, fold_name(title), row.published, row.state, body.first_year,
        body.last_year, row.version, row.changed_at, body,
    )  # fmt: skip


def _row(row: Any) -> PlanRow:
    fields = {name: row[name] for name in PlanRow.__struct_fields__ if name != "body"}
    return PlanRow(**fields, body=msgspec.convert(row["body"], Plan))


def _told(row: PlanRow) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(row.body)
    return told | {"state": row.state, "published": row.published}


def _step(
    before: PlanRow | None, after: PlanRow, kind: str, acting: Acting, words: str
) -> Step:  # fmt: skip
    was, now = (_told(before) if before else {}), _told(after)
    changed = [name for name in {**was, **now} if was.get(name) != now.get(name)]
    return Step(
        after.version, after.changed_at, kind, acting.who, acting.role,
        {name: was[name] for name in changed if name in was} or None,
        {name: now[name] for name in changed if name in now} or None,
        words or None,
    )  # fmt: skip
