"""The register of values: entered, checked, approved, locked, reopened, received."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import asdict, replace

from nagara.context import Upsert
from nagara.context.room import Floor
from nagara.engines.database import Connection
from nagara.guard import audit
from nagara.guard.audit import AuditEntry
from nagara.guard.identity import Actor
from nagara.indicators import errors, kept
from nagara.indicators.beholding import Beholding
from nagara.indicators.checks import Finding, to_unit
from nagara.indicators.definitions import Definition, Library
from nagara.indicators.kept import Kept, Step
from nagara.indicators.periods import Span
from nagara.indicators.targets import Target
from nagara.indicators.telling import entity_of
from nagara.indicators.workflow import Act, decide, demand_draft
from nagara.vocab import indicator as noun
from nagara.vocab.indicator import ReceivedValue

NOTE_CHARACTERS_MAX = 2_000
EVIDENCE_MAX = 20
#: Values of one other city taken at once: 200 indicators of 20 years, with room.
RECEIVED_MAX = 20_000


class Entry(Struct, frozen=True):
    """What somebody says a value is. Either `value` in `unit`, or both halves of it."""

    span: Span
    value: float | None = None
    numerator: float | None = None
    denominator: float | None = None
    unit: str = ""
    area: str = ""
    breakdown: str = ""
    note: str | None = None
    evidence: tuple[dict[str, str], ...] = ()
    quality: noun.Grade = "complete"


class Register:
    """The room's use cases around values that people answer for."""

    def __init__(self, floor: Floor, library: Library) -> None:
        self._floor = floor
        self._db = floor.db
        self.city = floor.city
        self.library = library
        self._beside = Beholding(floor.city)

    def now(self) -> datetime:
        """The city's time."""
        return self._floor.context.clock.now()

    def today(self) -> date:
        """The city's day."""
        return self.city.calendar.local_day(self.now())

    # --- entering ---------------------------------------------------------------------------

    async def look_at(self, code: str, entry: Entry) -> tuple[Kept, list[Finding]]:
        """The value that an entry would be, with what the checks find; nothing is kept.

        Raises `DefinitionUnknown`, `AreaUnknown`, `BreakdownUnknown`, `ValueInvalid`,
        `UnitUnknown`, `UnitMismatch`.
        """
        definition = self.library.get(code)
        self._demand_place(definition, entry)
        value = _value_of(definition, entry)
        made = Kept(
            city=self.city.code,
            code=code,
            period_start=entry.span[0],
            period_end=entry.span[1],
            area=entry.area,
            breakdown=entry.breakdown,
            value=value,
            numerator=entry.numerator,
            denominator=entry.denominator,
            unit=definition.kept_unit,
            quality=entry.quality if value is not None else "missing",
            method="by-hand",
            formula_version=definition.version,
            author="",
            at=self._floor.context.clock.now(),
            note=entry.note,
            evidence=list(entry.evidence) or None,
        )
        async with self._db.acquire() as conn:
            return made, await self._beside.findings(conn, definition, made)

    async def enter(
        self, code: str, entry: Entry, actor: Actor, method: str = "by-hand"
    ) -> tuple[Kept, list[Finding]]:
        """Keep a new draft. Raises as `look_at`, and `ValueTaken`."""
        made, findings = await self.look_at(code, entry)
        made = replace(made, author=actor.name_for_audit, method=method, findings=_told(findings))
        async with self._db.acquire() as conn, conn.transaction():
            value_id = await kept.insert(conn, made)
            await self._leave(conn, value_id, "entered", actor, None, made.value, entry.note)
            await self._audit(conn, actor, "indicator:enter", made)
        return replace(made, id=value_id), findings

    async def change(
        self, value: Kept, entry: Entry, actor: Actor, version: int | None
    ) -> tuple[Kept, list[Finding]]:
        """Change a draft. Raises as `look_at`, `ValueLocked`, `ValueNotDraft`, `ValueChanged`."""
        demand_draft(value.status)
        if version is not None and version != value.version:
            raise errors.ValueChanged()
        same = replace(
            entry,
            span=(value.period_start, value.period_end),
            area=value.area,
            breakdown=value.breakdown,
        )
        made, findings = await self.look_at(value.code, same)
        made = replace(
            made,
            id=value.id,
            version=value.version + 1,
            author=actor.name_for_audit,
            findings=_told(findings),
        )
        async with self._db.acquire() as conn, conn.transaction():
            await kept.update(conn, made, value.version)
            await self._leave(conn, value.id, "changed", actor, value.value, made.value, entry.note)
            await self._audit(conn, actor, "indicator:change", made)
        return made, findings

    async def change_taken(self, code: str, entry: Entry, actor: Actor) -> Kept:
        """Change the draft that stands where an entry belongs. Raises as `change`."""
        found = await self._standing(code, entry)
        if found is None:
            raise errors.ValueUnknown(id=code)
        made, _ = await self.change(found, entry, actor, None)
        return made

    async def demand_open(self, code: str, entry: Entry) -> None:
        """Raises `ValueLocked`, `ValueNotDraft` where an entry would meet what is no draft."""
        found = await self._standing(code, entry)
        if found is not None:
            demand_draft(found.status)

    async def _standing(self, code: str, entry: Entry) -> Kept | None:
        wanted = kept.Wanted(
            city=self.city.code,
            codes=[code],
            start=entry.span[0],
            end=entry.span[1],
            area=entry.area,
            breakdown=entry.breakdown,
            drafts=True,
        )
        async with self._db.acquire() as conn:
            found = await kept.list_values(conn, wanted)
        return next((value for value in found if _span(value) == entry.span), None)

    # --- steps ------------------------------------------------------------------------------

    async def act(self, value: Kept, act: Act, actor: Actor, words: str) -> Kept:
        """Take a value a step on or back. Raises the Problems of `workflow.decide`."""
        definition = self.library.get(value.code)
        async with self._db.acquire() as conn:
            findings = (
                await self._beside.findings(conn, definition, value) if act == "check" else []
            )
            steps = await kept.list_steps(conn, value.id)
        checker = next((s.who for s in reversed(steps) if s.kind == "checked"), None)
        status, kind = decide(
            act, value.status, self._who(actor), value.author, checker, words, findings
        )
        after = replace(
            value,
            status=status,
            version=value.version + 1,
            findings=_told(findings) if act == "check" else value.findings,
        )

        async def within(conn: Connection) -> None:
            await kept.update(conn, after, value.version)
            await self._leave(conn, value.id, kind, actor, value.value, after.value, words or None)

        if act in ("check", "return"):
            async with self._db.acquire() as conn, conn.transaction():
                await within(conn)
                await self._audit(conn, actor, f"indicator:{act}", after)
        else:
            entity = entity_of(after, self.library)
            await self._floor.context.write(
                Upsert(entity), actor=actor.name_for_audit, within=within
            )
        return after

    def _who(self, actor: Actor) -> str:
        """Who acts, for the rule of several eyes; in open mode everybody is somebody else."""
        return actor.name_for_audit if not self._floor.guard.open_mode else ""

    async def get(self, code: str, value_id: int, drafts: bool) -> Kept:
        """A value that the caller may see. Raises `ValueUnknown`."""
        async with self._db.acquire() as conn:
            found = await kept.find(conn, value_id)
        if found is None or found.code != code or not (drafts or is_public(found)):
            raise errors.ValueUnknown(id=value_id)
        return found

    async def list_steps(self, value_id: int) -> list[Step]:
        """The steps of a value."""
        async with self._db.acquire() as conn:
            return await kept.list_steps(conn, value_id)

    # --- other cities -----------------------------------------------------------------------

    async def receive(self, city: str, values: Sequence[ReceivedValue], by: str) -> int:
        """Keep what another city says of itself; how many. Said again, the newer holds.

        Raises `DefinitionUnknown`, `ValueInvalid` for the city's own code or too many at once.
        """
        if city == self.city.code or len(values) > RECEIVED_MAX:
            raise errors.ValueInvalid(reason=f"{city}: {len(values)}")
        now = self._floor.context.clock.now()
        made = [
            Kept(
                **{f: getattr(v, f) for f in ReceivedValue.__struct_fields__},
                city=city,
                method="received",
                author=by,
                at=now,
                status="approved",
            )
            for v in values
            if self.library.get(v.code)
        ]
        async with self._db.acquire() as conn, conn.transaction():
            await kept.receive(conn, made)
            digest = audit.digest_of([msgspec.json.encode(made)])
            entry = AuditEntry(by, "indicator:receive", f"city:{city}", digest)
            await audit.record(conn, self._floor.guard.wall(), entry)
        return len(made)

    async def forget(self, city: str, by: str) -> int:
        """Take what another city said out of every answer; how many values."""
        async with self._db.acquire() as conn, conn.transaction():
            count = await kept.forget_received(conn, city)
            digest = audit.digest_of([f"{city}:{count}".encode()])
            entry = AuditEntry(by, "indicator:forget", f"city:{city}", digest)
            await audit.record(conn, self._floor.guard.wall(), entry)
        return count

    # --- targets ----------------------------------------------------------------------------

    async def set_target(self, target: Target, actor: Actor) -> Target:
        """Keep a target; what was set before stays in its history. Raises `TargetInvalid`."""
        self.library.get(target.code)
        if target.target_on <= target.baseline_on:
            raise errors.TargetInvalid(
                baseline=str(target.baseline_on), target=str(target.target_on)
            )
        if target.area and target.area not in {d.code for d in self.city.districts}:
            raise errors.AreaUnknown(area=target.area[:40])
        made = replace(
            target,
            who=actor.name_for_audit,
            at=self._floor.context.clock.now(),
            city=self.city.code,
        )
        async with self._db.acquire() as conn, conn.transaction():
            await kept.add_target(conn, made)
            digest = audit.digest_of([msgspec.json.encode(made)])
            entry = AuditEntry(made.who, "indicator:target", f"target:{made.code}", digest)
            await audit.record(conn, self._floor.guard.wall(), entry)
            (found,) = [
                t
                for t in await kept.list_targets(conn, made.city, made.code)
                if t.area == made.area
            ]
        return found

    # --- inside -----------------------------------------------------------------------------

    def _demand_place(self, definition: Definition, entry: Entry) -> None:
        if entry.area and entry.area not in {d.code for d in self.city.districts}:
            raise errors.AreaUnknown(area=entry.area[:40])
        if len(entry.note or "") > NOTE_CHARACTERS_MAX or len(entry.evidence) > EVIDENCE_MAX:
            raise errors.ValueInvalid(reason=f"note > {NOTE_CHARACTERS_MAX}, {EVIDENCE_MAX} files")
        if not entry.breakdown:
            return
        name, _, value = entry.breakdown.partition("=")
        allowed = definition.dimensions.get(name)
        if name == "district" or allowed is None or not value or len(entry.breakdown) > 80:
            raise errors.BreakdownUnknown(got=entry.breakdown[:40])
        if allowed and value not in allowed:
            raise errors.BreakdownUnknown(got=entry.breakdown[:40])

    async def _leave(
        self,
        conn: Connection,
        value_id: int,
        kind: str,
        actor: Actor,
        before: float | None,
        after: float | None,
        words: str | None,
    ) -> None:
        role = actor.roles[0] if actor.roles else actor.kind
        at = self._floor.context.clock.now()
        await kept.add_step(
            conn, value_id, Step(0, at, kind, actor.name_for_audit, role, before, after, words)
        )

    async def _audit(self, conn: Connection, actor: Actor, act: str, value: Kept) -> None:
        digest = audit.digest_of([msgspec.json.encode(asdict(value))])
        subject = f"indicator:{value.code}:{value.period_start}"
        entry = AuditEntry(actor.name_for_audit, act, subject, digest)
        await audit.record(conn, self._floor.guard.wall(), entry)


def is_public(value: Kept) -> bool:
    """Whether strangers see a value: the city counted it, or somebody answers for it."""
    return value.method in ("computed", "received") or value.status in ("approved", "locked")


def _span(value: Kept) -> tuple[date, date]:
    return value.period_start, value.period_end


def _value_of(definition: Definition, entry: Entry) -> float | None:
    top, bottom = entry.numerator, entry.denominator
    if entry.value is not None:
        return to_unit(entry.value, entry.unit, definition, entry.breakdown)
    if top is None and bottom is None:
        if not entry.note:
            raise errors.ValueInvalid(
                reason="value, or numerator and denominator, or a note why not"
            )
        return None
    if top is None or (bottom is None and definition.denominator):
        raise errors.ValueInvalid(reason="numerator and denominator")
    if bottom == 0:
        raise errors.ValueInvalid(reason="denominator = 0")
    return top / (bottom if bottom is not None else 1.0) * definition.factor


def _told(findings: Sequence[Finding]) -> list[dict[str, Any]] | None:
    return [asdict(finding) for finding in findings] or None
