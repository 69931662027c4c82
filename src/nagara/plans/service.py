"""The use cases of projects: one way in for people, for reports and for other cities."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from nagara.context import Create, Delete, Entity, Replace
from nagara.context.room import Floor
from nagara.engines.database import Connection
from nagara.guard import audit
from nagara.guard.audit import AuditEntry
from nagara.guard.identity import Actor
from nagara.guard.policy import may
from nagara.plans import errors, kept
from nagara.plans.acts import Act, Acting, decide
from nagara.plans.demanding import demand_project
from nagara.plans.finding import Sight
from nagara.plans.kept import Row, Step
from nagara.plans.model import Project, Standing
from nagara.values.ids import urn
from nagara.vocab import project as noun
from nagara.vocab.attribute import Attrs, point_at, property_of, relation_to, text_of


class Write(Struct, frozen=True):
    """One project before and after; `before` None: it is new."""

    before: Row | None
    after: Row
    kind: str
    words: str | None = None


class Projects:
    """Projects of all cities of the installation."""

    def __init__(self, floor: Floor) -> None:
        self.floor = floor
        self.db = floor.db
        self.city = floor.city

    def now(self) -> datetime:
        """The city's time."""
        return self.floor.context.clock.now()

    def today(self) -> date:
        """The city's day."""
        return self.city.calendar.local_day(self.now())

    def sight(self, actor: Actor) -> Sight:
        """Drafts of the own city are for its own staff."""
        return Sight(self.city.code if may(actor, "plan:draft") else None)

    # --- reading ----------------------------------------------------------------------------

    async def get(self, project_id: str, sight: Sight) -> Row:
        """A project that is seen. Raises `ProjectUnknown`."""
        found = None
        if "\0" not in project_id:
            async with self.db.acquire() as conn:
                found = await kept.find(conn, project_id)
        if found is None or not (found.standing.published or found.city == sight.drafts_of):
            raise errors.ProjectUnknown(id=project_id[:200])
        return found

    async def list_steps(self, row: Row) -> list[Step]:
        """The trace of a project."""
        async with self.db.acquire() as conn:
            return await kept.list_steps(conn, row.id)

    # --- writing ----------------------------------------------------------------------------

    async def create(self, body: Project, acting: Acting, key: str | None = None) -> Row:
        """A new draft of the own city. Raises `ProjectInvalid`, `ContactRefused`,
        `ProjectNameTaken`."""
        demand_project(body)
        stage: noun.Stage | None = "idea"
        row = self.make(self.city.code, self.city.country, "own", body, Standing(stage))
        kind = "adopted" if body.adopted_from else "created"
        await self.write([Write(None, row, kind)], acting, key)
        return row

    async def edit(self, row: Row, body: Project, version: int | None, acting: Acting) -> Row:
        """Another body. Names change by the act of renaming, so that the former one is kept.

        Raises as `create`, and `ProjectForeign`, `ProjectEnded`, `ProjectChanged`.
        """
        self._demand_own(row, version)
        if row.standing.state in ("merged", "split"):
            raise errors.ProjectEnded(state=row.standing.state)
        if body.name != row.body.name and row.standing.published:
            raise errors.ProjectInvalid(field="name", reason="POST …/acts/rename")
        if body.adopted_from != row.body.adopted_from:
            raise errors.ProjectInvalid(field="adoptedFrom", reason="POST …/projects/adopt")
        demand_project(body)
        await self._demand_files(row, body)
        after = self._next(row, body=body)
        if after.body != row.body:
            await self.write([Write(row, after, "edited")], acting)
            return after
        return row

    async def act(self, row: Row, act: Act, acting: Acting, version: int | None) -> Row:
        """Take a project a step on, or out of the way. Raises the Problems of `acts.decide`,
        `ProjectForeign`, `ProjectChanged`, `ProjectUnknown` (of another that the act names)."""
        self._demand_own(row, version)
        changed = decide(row, act, acting, self.today())
        writes = [Write(row, self._next(row, **changed), act.name, act.words or None)]
        if act.name == "merge":
            other = await self._other(act.into, row)
            ended = writes[0].after
            writes.append(Write(other, self._absorbing(other, ended, act), "absorbed", row.id))
        if act.name == "split":
            body = Project("", focus_area=row.body.focus_area, source=act.source)
            parts = [
                self.make(
                    row.city, row.country, row.origin, replace(body, name=name),
                    Standing(published=row.standing.published, split_from=row.id),
                )
                for name in act.names
            ]  # fmt: skip
            for part in parts:
                demand_project(part.body)
            writes += [Write(None, part, "created", row.id) for part in parts]
        if writes[0].after.body != row.body:
            demand_project(writes[0].after.body)
        await self.write(writes, acting)
        return writes[0].after

    def make(
        self, city: str, country: str, origin: kept.Origin, body: Project, standing: Standing,
        project_id: str | None = None,
    ) -> Row:  # fmt: skip
        """A new project's row, under an identity that is used nowhere else."""
        made = project_id or urn(noun.TYPE, city, secrets.token_hex(8))
        return Row(made, city, country, origin, 1, self.now(), body, standing)

    async def write(
        self, writes: Sequence[Write], acting: Acting, key: str | None = None
    ) -> None:  # fmt: skip
        """Keep changes with their traces; entities, rows and audit in one transaction.

        Raises `ProjectChanged`, `ProjectNameTaken`; then nothing was kept.
        """
        ops = [op for write in writes for op in _ops(write)]

        async def within(conn: Connection) -> None:
            # changed ones first: what they are called no longer may be what a new one is called
            for write in writes:
                if write.before is not None:
                    await kept.update(conn, write.after, write.before.version)
            await kept.insert(conn, [w.after for w in writes if w.before is None])
            await kept.add_steps(conn, [(w.after.id, _step(w, acting)) for w in writes])

        if ops:
            await self.floor.context.write(*ops, actor=acting.who, key=key, within=within)
            return
        async with self.db.acquire() as conn, conn.transaction():
            await within(conn)
            entries = [
                AuditEntry(
                    acting.who,
                    f"project:{write.kind}",
                    write.after.id,
                    audit.digest_of([msgspec.json.encode(write.after)]),
                )
                for write in writes
            ]
            await audit.record(conn, self.floor.guard.wall(), *entries)

    # --- inside -----------------------------------------------------------------------------

    def _next(self, row: Row, **changed: Any) -> Row:
        return replace(row, version=row.version + 1, changed_at=self.now(), **changed)

    def _demand_own(self, row: Row, version: int | None) -> None:
        if row.origin == "received":
            raise errors.ProjectForeign(city=row.city)
        if version is not None and version != row.version:
            raise errors.ProjectChanged(version=row.version)

    async def _demand_files(self, row: Row, body: Project) -> None:
        named = {proof.file for proof in body.evidence if proof.file}
        if not named:
            return
        async with self.db.acquire() as conn:
            known = await conn.fetch("select id from plans.file where project_id = $1", row.id)
        lost = named - {one["id"] for one in known}
        if lost:
            raise errors.FileUnknown(id=min(lost))

    async def _other(self, project_id: str, row: Row) -> Row:
        other = await self.get(project_id, Sight(row.city))
        if other.city != row.city:
            raise errors.ProjectUnknown(id=project_id[:200])
        if other.id == row.id or other.standing.state in noun.ENDED:
            raise errors.ProjectEnded(state=other.standing.state)
        if row.standing.published and not other.standing.published:
            raise errors.ProjectInvalid(field="into", reason="draft")
        self._demand_own(other, None)
        return other

    def _absorbing(self, other: Row, ended: Row, act: Act) -> Row:
        """The one that goes on: it keeps the names and notes of what went into it."""
        names = [*ended.former, noun.FormerName(ended.body.name, act.year, act.source)]
        known = {noun.fold_name(f.name) for f in other.former} | {noun.fold_name(other.body.name)}
        former = other.former + tuple(n for n in names if noun.fold_name(n.name) not in known)
        notes = {(note.year, note.source): note for note in ended.years}
        notes |= {(note.year, note.source): note for note in other.years}
        years = tuple(notes[key] for key in sorted(notes))
        return self._next(other, former=former, years=years)


def _ops(write: Write) -> list[Create | Replace | Delete]:
    was = write.before is not None and write.before.standing.published
    if not write.after.standing.published:
        return [Delete(write.after.id)] if was else []
    entity = entity_of(write.after)
    return [Replace(entity) if was else Create(entity)]


def _step(write: Write, acting: Acting) -> Step:
    before = _told(write.before) if write.before else {}
    after = _told(write.after)
    changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return Step(
        write.after.version,
        write.after.changed_at,
        write.kind,
        acting.who,
        acting.role,
        {name: before[name] for name in changed if name in before} or None,
        {name: after[name] for name in changed if name in after} or None,
        write.words,
    )


def _told(row: Row) -> Mapping[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(row.body)
    standing: dict[str, Any] = msgspec.to_builtins(row.standing)
    told |= {name: value for name, value in standing.items() if value is not None}
    told["formerNames"] = msgspec.to_builtins(row.former)
    told["years"] = msgspec.to_builtins(row.years)
    return told


def entity_of(row: Row) -> Entity:
    """The project as everybody reads it. What is not known is absent."""
    body, columns = row.body, kept.scalars(row)
    attrs: Attrs = {
        noun.NAME: text_of(body.names) if body.names else property_of(body.name),
        noun.CITY: property_of(row.city),
        noun.COUNTRY: property_of(row.country),
        noun.STATE: property_of(row.standing.state),
        noun.VERSION: property_of(row.version),
    }
    optional = {
        noun.FOCUS_AREA: body.focus_area,
        noun.PROJECT_TYPE: body.project_type,
        noun.STAGE: row.standing.stage,
        noun.STATUS: row.status,
        noun.START_YEAR: body.start_year,
        noun.END_YEAR: body.end_year,
        noun.CURRENCY: columns["currency"],
        noun.PRICE_YEAR: body.cost.price_year if body.cost else None,
        noun.COST: columns["cost"],
        noun.FUNDING_GAP: columns["gap"],
        noun.READINESS: columns["readiness"],
        noun.SOURCE: body.source or None,
        noun.WORKED_EXAMPLE: body.worked_example or None,
        noun.FORMER_NAMES: msgspec.to_builtins(row.former) or None,
    }
    attrs |= {name: property_of(value) for name, value in optional.items() if value is not None}
    if body.summary:
        attrs[noun.SUMMARY] = text_of(body.summary)
    if body.location:
        attrs[noun.LOCATION] = point_at(*body.location)
    for name, other in (
        (noun.MERGED_INTO, row.standing.merged_into),
        (noun.SPLIT_FROM, row.standing.split_from),
        (noun.ADOPTED_FROM, columns["adopted_from"]),
    ):
        if other:
            attrs[name] = relation_to(other)
    return Entity(row.id, (noun.TYPE,), attrs)
