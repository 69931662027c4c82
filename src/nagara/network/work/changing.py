"""How a process is changed: read and locked, decided, written, in one transaction; by a person or
by the clock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from nagara.context.room import Floor
from nagara.engines.database import Connection
from nagara.guard import audit
from nagara.guard.audit import AuditEntry
from nagara.guard.identity import Actor
from nagara.network.work import certificates, errors, kept, timing
from nagara.network.work.certificates import Seal
from nagara.network.work.checks import (
    TITLE_CHARACTERS_MAX,
    demand_fields,
    demand_place,
    demand_text,
)
from nagara.network.work.definitions import Definitions
from nagara.network.work.members import enrol, let_go
from nagara.network.work.model import ActKind, Body, Definition, Line, Process, Step
from nagara.network.work.rights import offices_of

#: Processes that the clock moves in one go; the rest a moment later.
TEND_MAX = 200


class Opening(Struct, frozen=True):
    """What a process begins with. `id` None: numbered by kind and year."""

    process: str
    city: str
    country: str
    title: str
    phase: str | None = None
    year: int | None = None
    partner: str | None = None
    fields: dict[str, Any] = {}
    lines: tuple[Line, ...] = ()
    state: str | None = None
    id: str | None = None


#: What is decided on a process that is read and locked: the process, its steps, the act done.
Decided = tuple[Process, list[Step], ActKind | None]


class Changing:
    """Opens and changes processes. `members`: countries that hold a seat now."""

    def __init__(
        self,
        floor: Floor,
        definitions: Definitions,
        seal: Seal,
        members: Callable[[Connection], Awaitable[Sequence[str]]],
    ) -> None:
        self.floor = floor
        self.db = floor.db
        self.definitions = definitions
        self.seal = seal
        self._members = members

    def now(self) -> datetime:
        """The city's time."""
        return self.floor.context.clock.now()

    async def open_in(
        self, conn: Connection, opening: Opening, who: str, office: str, of: str
    ) -> Process | None:
        """Begin a process in a transaction; None where there is one of its id."""
        definition = self.definitions.get(opening.process)
        demand_text("title", opening.title, TITLE_CHARACTERS_MAX, empty=False)
        demand_place(opening.city, opening.country)
        demand_fields(opening.fields)
        now = self.now()
        number = opening.id
        if number is None:
            n = await kept.next_number(conn, f"{definition.code}-{now.year}")
            number = f"{definition.code}-{now.year}-{n:04}"
        blank = Process(
            number,
            definition.code,
            1,
            opening.title.strip(),
            opening.city,
            opening.country.upper(),
            opening.year,
            opening.phase,
            opening.partner,
            "",
            False,
            False,
            now,
            now,
            None,
            None,
            False,
            1,
            Body(fields=dict(opening.fields), lines=opening.lines),
        )
        state = opening.state or definition.begins
        made = timing.entered(definition, blank, state, now, self.floor.city.calendar)
        if not await kept.insert(conn, made):
            return None
        step = Step(1, now, "open", None, state, who, office, of, automatic=office == "clock")
        await kept.add_steps(conn, made.id, [step])
        await self._audit(conn, who, "open", made)
        return made

    # --- the clock --------------------------------------------------------------------------

    async def tend(self) -> timedelta | None:
        """Remind, let lapse, take silence for consent; city time until the next, None: nothing."""
        async with self.db.acquire() as conn:
            due = await kept.list_due(conn, self.now(), TEND_MAX)
        for process_id in due:
            await self.change(process_id, None, "clock", self._tick)
        async with self.db.acquire() as conn:
            following = await kept.next_due(conn)
        return None if following is None else following - self.now()

    def _tick(self, definition: Definition, process: Process) -> Decided:
        return timing.tick(definition, process, self.now(), self.floor.city.calendar)

    async def change(
        self,
        process_id: str,
        actor: Actor | None,
        act: str,
        decide: Callable[[Definition, Process], Decided],
        version: int | None = None,
    ) -> Process:
        """Read and lock, decide, write, all in one transaction."""
        async with self.db.acquire() as conn, conn.transaction():
            await conn.execute(
                "select 1 from network_work.process where id = $1 for update", process_id[:200]
            )
            found = await kept.find(conn, process_id[:200])
            if found is None or not (actor is None or offices_of(actor).sees(found)):
                raise errors.WorkUnknown(what="process", id=process_id[:80])
            if version is not None and version != found.version:
                raise errors.WorkChanged(id=found.id)
            definition = self.definitions.get(found.process)
            made, steps, done = decide(definition, found)
            if not steps:
                return found
            if made.state != found.state and definition.state(made.state).positions:
                seats = tuple(await self._members(conn)) if definition.seats == "members" else ()
                made = replace(made, doc=replace(made.doc, seats=seats))
            made = replace(made, version=found.version + 1)
            await kept.update(conn, made, found.version)
            await kept.add_steps(conn, made.id, steps)
            if done is not None:
                await self._take_effect(conn, definition, made, done)
            who = timing.CLOCK if actor is None else actor.name_for_audit
            await self._audit(conn, who, act, made)
            return made

    async def _take_effect(
        self, conn: Connection, definition: Definition, made: Process, done: ActKind
    ) -> None:
        """What an act does besides moving the process on."""
        if done.effect == "certify":
            hub = self.floor.city.code
            certificate = await certificates.issue(
                conn, self.seal, definition, made, self.now(), hub
            )
            if definition.enrols:
                await enrol(conn, made, certificate, self.now())
        elif done.effect == "withdraw-certificate":
            await certificates.withdraw(conn, made.id, self.now())
            if definition.enrols:
                await let_go(conn, made, self.now())

    async def _audit(self, conn: Connection, who: str, act: str, process: Process) -> None:
        digest = audit.digest_of([msgspec.json.encode(process)])
        entry = AuditEntry(who, f"network:{act}", f"process:{process.id}", digest)
        await audit.record(conn, self.floor.guard.wall(), entry)
