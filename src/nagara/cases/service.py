"""What the room does: opens cases, moves them on, tends them as time passes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog
from msgspec import Struct
from msgspec.structs import replace

from nagara.cases import kept, record, rights
from nagara.cases.errors import CaseContended, CaseNotFound, CrewUnknown
from nagara.cases.kept import Contended, Photo, Row, Step
from nagara.cases.model import (
    Assign,
    Command,
    Event,
    Reopen,
    Reroute,
    Tend,
    decide,
    evolve,
    open_case,
)
from nagara.cases.photos import PhotoFiles
from nagara.city.model import City
from nagara.context import Context, Create, Entity, Op, Patch
from nagara.context.errors import VersionConflict
from nagara.engines.database import Connection, Database
from nagara.guard.errors import Forbidden
from nagara.guard.gate import Gate
from nagara.guard.identity import Actor, system
from nagara.guard.persons import Begun
from nagara.guard.uploads import Picture, new_photo_id
from nagara.values.errors import Problem
from nagara.values.ids import urn
from nagara.vocab import case as noun
from nagara.vocab.request import Status

SYSTEM = system("cases")
#: Others change the same case only in a race; five losses in a row are a defect.
TRIES_MAX = 5
#: Cases looked at in one go when many fall due at once.
TEND_MAX = 200

Within = Callable[[Connection], Awaitable[None]]

log = structlog.get_logger("cases")


class Opening(Struct, frozen=True):
    """What a new case is about. `department` None: by category and district."""

    category: str
    district: str | None
    location: tuple[float, float] | None
    source: str
    provenance: str
    opened_at: datetime
    department: str | None = None
    priority: str | None = None
    ref_alert: str | None = None
    ref_request: str | None = None
    foreign: Status | None = None  # how it stands where it comes from; no step of its own


class Doing(Struct, frozen=True):
    """How an act is done: by whom, in which words, with which pictures."""

    actor: Actor
    role: str
    words: str | None = None
    sealed: str | None = None  # field of the reporter's record that holds his words
    begun: Begun | None = None  # the record that sealed pictures are sealed for
    pictures: Sequence[Picture] = ()
    crew: str | None = None
    priority: str | None = None
    key: str | None = None  # heard a second time under this key, nothing is done


class Casework:
    """The room's use cases on a case, whoever asks for them."""

    def __init__(
        self, context: Context, db: Database, city: City, gate: Gate, photos: PhotoFiles
    ) -> None:
        self.context = context
        self.db = db
        self.city = city
        self.gate = gate
        self.photos = photos

    # --- opening ------------------------------------------------------------------------------

    async def open(
        self,
        opening: Opening,
        doing: Doing,
        origin: tuple[str, str] | None,
        also: Sequence[Op] = (),
        prepare: Callable[[Connection, Row], Awaitable[Row]] | None = None,
    ) -> Row:
        """Open a case, routed and with its due time; the one there is where `origin` was heard.

        `prepare` may complete the row in the transaction (the private record). `also` is written
        with the case; `{case}` in a relationship of it stands for the case's id.
        """
        async with self.db.acquire() as conn:
            if origin is not None:
                found = await kept.find_origin(conn, *origin)
                if found is not None:
                    return await self._get(conn, found)
            number = await kept.next_number(conn)
        row, steps = self._compose(opening, doing, number)
        photos = _number_pictures(row.case_id, doing, steps[0].n)
        row = replace(row, photo_count=len(photos))
        done: list[Row] = []

        async def within(conn: Connection) -> None:
            if origin is not None:
                await kept.claim_origin(conn, *origin, row.case_id)
            final = row if prepare is None else await prepare(conn, row)
            await kept.insert(conn, final)
            await kept.add_steps(conn, final.case_id, steps)
            await kept.add_photos(conn, [photo for photo, _ in photos])
            done[:] = [final]

        create = Create(Entity(row.case_id, (noun.TYPE,), record.attrs_of(row)))
        ops = [create, *(_pointing(op, row.case_id) for op in also)]
        try:
            async with self.photos.lying(self.db, photos, doing.begun):
                await self.context.write(*ops, actor=doing.actor.name_for_audit, within=within)
        except kept.OriginTaken as taken:
            return await self.get(taken.case_id)
        log.info("case.opened", case=row.case_id, source=row.source, department=row.department)
        return done[0]

    def _compose(self, opening: Opening, doing: Doing, number: int) -> tuple[Row, list[Step]]:
        department = opening.department or self.city.route(opening.category, opening.district).code
        due_at = self.city.due_at(opening.category, opening.opened_at)
        case, events = open_case(department, opening.opened_at, due_at)
        local_year = self.city.calendar.local_day(opening.opened_at).year
        name = f"{local_year}-{number:06d}"
        lon, lat = opening.location or (None, None)
        row = Row(
            case_id=urn(noun.TYPE, self.city.code, name),
            number=name,
            version=1,
            state="routed",
            category=opening.category,
            department=department,
            district=opening.district,
            lon=None if lon is None else round(lon, 5),
            lat=None if lat is None else round(lat, 5),
            source=opening.source,
            priority=opening.priority,
            provenance=opening.provenance,
            opened_at=opening.opened_at,
            due_at=due_at,
            ref_alert=opening.ref_alert,
            ref_request=opening.ref_request,
            foreign_status=opening.foreign,
            step_count=len(events),
        ).after(replace(case, foreign=opening.foreign))
        steps = _steps(row, 0, events, doing)
        # The reporter opens, the city routes: his words belong to the first step.
        steps[0] = replace(steps[0], words=doing.words, sealed=doing.sealed)
        steps[-1] = replace(
            steps[-1], words=None, sealed=None, who=SYSTEM.name_for_audit, role="system"
        )
        return row, steps

    # --- moving on ----------------------------------------------------------------------------

    async def advance(
        self,
        case_id: str,
        command: Command,
        doing: Doing,
        also: Within | None = None,
        now: datetime | None = None,
    ) -> Row:
        """Do what a command comes to, with its steps; the case as it is then.

        Raises `CaseNotFound`, the Problems of the model, `CaseContended`.
        """
        photos = _number_pictures(case_id, doing, 0)
        async with self.photos.lying(self.db, photos, doing.begun):
            return await self._advance(case_id, command, doing, photos, also, now)

    async def _advance(
        self,
        case_id: str,
        command: Command,
        doing: Doing,
        photos: Sequence[tuple[Photo, Picture]],
        also: Within | None,
        now: datetime | None,
    ) -> Row:
        for _ in range(TRIES_MAX):
            before = await self.get(case_id)
            # asked after the reading: a twin that ends in between is seen here, a later one by
            # the version of the entity
            if await self._is_done(case_id, doing):
                return await self.get(case_id)
            at = now or self.context.clock.now()
            try:
                events = decide(before.case(), command, at)
            except Problem:
                if await self._is_done(case_id, doing):  # by its twin, a moment ago
                    return await self.get(case_id)
                raise
            if not events:
                return before
            after, steps = self._after(before, events, doing)
            photos = [(replace(photo, n=steps[-1].n), picture) for photo, picture in photos]
            after = replace(after, photo_count=before.photo_count + len(photos))
            within = partial(self._keep_step, after, steps, photos, also)
            try:
                await self.context.write(
                    Patch(case_id, record.patch_of(before, after)),
                    actor=doing.actor.name_for_audit,
                    within=within,
                )
            except (Contended, VersionConflict):
                continue
            return await self.get(case_id)
        raise CaseContended()

    async def _is_done(self, case_id: str, doing: Doing) -> bool:
        if doing.key is None:
            return False
        async with self.db.acquire() as conn:
            return await kept.is_done(conn, case_id, doing.actor.name_for_audit, doing.key)

    def _after(self, before: Row, events: Sequence[Event], doing: Doing) -> tuple[Row, list[Step]]:
        case = before.case()
        for event in events:
            case = evolve(case, event)
        after = before.after(case)
        if any(event.kind == "assigned" for event in events):
            after = replace(after, crew=doing.crew)
        if doing.priority is not None:
            after = replace(after, priority=doing.priority)
        steps = _steps(after, before.step_count, events, doing)
        return replace(after, step_count=before.step_count + len(steps)), steps

    async def _keep_step(
        self,
        after: Row,
        steps: Sequence[Step],
        photos: Sequence[tuple[Photo, Picture]],
        also: Within | None,
        conn: Connection,
    ) -> None:
        await kept.update(conn, after)
        await kept.add_steps(conn, after.case_id, steps)
        await kept.add_photos(conn, [photo for photo, _ in photos])
        if also is not None:
            await also(conn)

    async def act(self, case_id: str, act: str, command: Command, doing: Doing) -> Row:
        """An act of staff on a case they see. Raises `CaseNotFound` also where they do not see it,
        `Forbidden` where it is not theirs, `CrewUnknown`, `NotInCity`."""
        row = await self.get_seen(case_id, doing.actor)
        if not rights.may_act(doing.actor, row, act):
            raise Forbidden(permission=f"case:{act}")
        if isinstance(command, Reroute):
            self.city.get_department(command.department)
        if isinstance(command, Assign):
            crews = await self.crews_of(row.department)
            if doing.crew not in crews:
                raise CrewUnknown(crew=(doing.crew or "")[:80])
        return await self.advance(case_id, command, doing)

    async def tend(self) -> timedelta | None:
        """Mark what is overdue, close what nobody reopened; the city time until the next."""
        now = self.context.clock.now()
        async with self.db.acquire() as conn:
            waiting = await kept.list_due(conn, now, TEND_MAX)
        for row in waiting:
            try:
                await self.advance(row.case_id, Tend(), Doing(SYSTEM, "system"), now=now)
            except Problem as problem:
                # contended, or the store is away for a moment: it stays in the list
                if problem.status < 500:  # its entity is gone, say
                    log.warning("case.untended", case=row.case_id, problem=problem.code)
                    await self._give_up(row)
        async with self.db.acquire() as conn:
            following = await kept.next_due(conn)
        return None if following is None else following - self.context.clock.now()

    async def _give_up(self, row: Row) -> None:
        """No longer look at a case that time cannot move, so that the others have their turn."""
        async with self.db.acquire() as conn:
            await kept.stop_looking(conn, row.case_id)

    # --- looking ------------------------------------------------------------------------------

    async def get(self, case_id: str) -> Row:
        """The case of an id. Raises `CaseNotFound`."""
        async with self.db.acquire() as conn:
            return await self._get(conn, case_id)

    async def get_seen(self, case_id: str, actor: Actor) -> Row:
        """The case of an id, where the actor sees it. Raises `CaseNotFound` otherwise."""
        row = await self.get(case_id)
        if not rights.sees(actor, row):
            raise CaseNotFound(id=case_id[:200])
        return row

    async def crews_of(self, department: str) -> Mapping[str, str]:
        """Accounts of the field crews of a department: id → name."""
        async with self.db.acquire() as conn:
            accounts = await self.gate.accounts.list_all(conn)
        return {
            str(account.id): account.name
            for account in accounts
            if "crew" in account.roles
            and department in account.departments
            and not account.disabled
        }

    def new_due_at(self, row: Row) -> datetime:
        """The promise for a case that is opened again now."""
        return self.city.due_at(row.category, self.context.clock.now())

    def reopening(self, row: Row, reason: str) -> Reopen:
        """The command of a reporter who says it is not done."""
        return Reopen(reason, self.new_due_at(row))

    async def _get(self, conn: Connection, case_id: str) -> Row:
        row = await kept.find_row(conn, case_id)
        if row is None:
            raise CaseNotFound(id=case_id[:200])
        return row


def _steps(row: Row, last: int, events: Sequence[Event], doing: Doing) -> list[Step]:
    """The steps of events; words and stars belong to the last, the rest led up to it."""
    steps = [
        Step(
            n=last + i,
            at=event.at,
            kind=event.kind,
            state=event.state,
            department=event.department or row.department,
            who=doing.actor.name_for_audit,
            role=doing.role,
            stars=event.stars,
            status=event.foreign,
        )
        for i, event in enumerate(events, 1)
    ]
    steps[-1] = replace(steps[-1], words=doing.words, sealed=doing.sealed, key=doing.key)
    return steps


def _number_pictures(case_id: str, doing: Doing, n: int) -> list[tuple[Photo, Picture]]:
    sealed = doing.sealed is not None
    return [
        (
            Photo(
                new_photo_id(),
                case_id,
                n,
                sealed,
                picture.media_type,
                len(picture.data),
                picture.width_px,
                picture.height_px,
            ),
            picture,
        )
        for picture in doing.pictures
    ]


def _pointing(op: Op, case_id: str) -> Op:
    """An operation that goes with a new case, pointing at it."""
    if not isinstance(op, Patch):
        return op
    attrs: dict[str, Any] = {
        name: value | {"object": case_id} if value.get("object") == "{case}" else value
        for name, value in op.attrs.items()
    }
    return replace(op, attrs=attrs)
