"""What alerting does: hears values, opens, changes and ends alerts; officers' acts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import structlog
from msgspec import Struct

from nagara.alerting import record, standing
from nagara.alerting.errors import (
    AlertAcknowledged,
    AlertContended,
    AlertEnded,
    AlertNotFound,
    NoteMissing,
)
from nagara.alerting.model import Act, Clear, Ease, Escalate, Ladder, Nothing, Raise, Sample, hear
from nagara.alerting.rules import RuleBook, RuleWords
from nagara.alerting.standing import Contended, Kept, Key, Step
from nagara.city.model import City
from nagara.context import Change, Context, Create, Entity, Op, Patch, Upsert
from nagara.context.errors import EntityAlreadyExists, EntityNotFound, VersionConflict
from nagara.context.model import default_instance
from nagara.engines.database import Connection, Database
from nagara.guard.identity import Actor, system
from nagara.values.ids import is_given
from nagara.values.time import format_instant, parse_instant
from nagara.values.units import convert
from nagara.vocab import alert as noun
from nagara.vocab.attribute import point_of
from nagara.vocab.federation import is_of_other_city
from nagara.vocab.observation import is_suspect, provenance_of

#: Others change the same standing only in a race; five losses in a row are a defect.
TRIES_MAX = 5
NOTE_CHARACTERS_MAX = 2000
SYSTEM = system("alerting")

Check = Callable[[Connection], Awaitable[None]]
_KINDS: dict[type[Act], str] = {
    Raise: "raised",
    Escalate: "escalated",
    Ease: "eased",
    Clear: "resolved",
}

log = structlog.get_logger("alerting")


class Heard(Struct, frozen=True):
    """One value of one change, for one ladder."""

    key: Key
    ladder: Ladder
    change: Change
    sample: Sample
    now: datetime
    instance: dict[str, Any]


class _Outcome(Struct):
    """What a batch comes to, before it is written."""

    ops: list[Op]
    steps: list[Step]
    moves: list[tuple[str, Key, str, str, datetime]]  # what, key, rule, alert, when
    kept: dict[Key, Kept]
    peaks: dict[str, noun.Severity]


class Alerting:
    """The room's use cases. One value for the life of the city; it holds no state of its own."""

    def __init__(self, context: Context, db: Database, city: City, book: RuleBook) -> None:
        self._context = context
        self._db = db
        self._city = city
        self._book = book

    async def hear(self, changes: Sequence[Change]) -> None:
        """Fold changes of observations into the standings; write what follows, all or nothing.

        Heard twice, nothing changes: a standing keeps the number of its last change. Raises
        `UnitMismatch` for a value that cannot be compared, `AlertContended` after `TRIES_MAX`
        lost races.
        """
        by_tenant: dict[str, list[Heard]] = {}
        for change in changes:
            for heard in self._read(change):
                by_tenant.setdefault(change.tenant, []).append(heard)
        for tenant, all_heard in by_tenant.items():
            await self._hear_tenant(tenant, all_heard)

    async def acknowledge(self, alert_id: str, actor: Actor, note: str | None) -> Entity:
        """An officer has seen the alert and takes it on. Raises `AlertNotFound`, `AlertEnded`,
        `AlertAcknowledged`."""

        async def check(conn: Connection) -> None:
            await standing.hold_open(conn, "", alert_id)

        return await self._act(alert_id, actor, note, "acknowledged", check)

    async def resolve(self, alert_id: str, actor: Actor, note: str | None) -> Entity:
        """An officer ends the alert by hand, in words. Raises `AlertNotFound`, `AlertEnded`,
        `NoteMissing`."""
        if not note or not note.strip():
            raise NoteMissing()

        async def end(conn: Connection) -> None:
            await standing.end_alert(conn, "", alert_id)

        return await self._act(alert_id, actor, note, "resolved", end)

    async def get(self, alert_id: str) -> Entity:
        """The alert of an id. Raises `AlertNotFound`."""
        if not is_given(alert_id, noun.TYPE, self._city.code):
            raise AlertNotFound(id=alert_id[:200])  # a client's own, or nobody's
        try:
            entity = await self._context.get(alert_id)
        except EntityNotFound as error:
            raise AlertNotFound(id=alert_id[:200]) from error
        if noun.TYPE not in entity.types:
            raise AlertNotFound(id=alert_id[:200])
        return entity

    async def steps(self, alert_id: str) -> list[Step]:
        """What was done to an alert, when and by whom."""
        async with self._db.acquire() as conn:
            return await standing.list_steps(conn, "", alert_id)

    # --- hearing ------------------------------------------------------------------------------

    def _read(self, change: Change) -> list[Heard]:
        if change.op in ("delete", "temporal"):  # history is no news
            return []
        if is_of_other_city(change.tenant):  # that city raises its own alerts
            return []
        found = []
        for ladder in self._book.listening_to(change.types):
            instance = default_instance(change.attrs.get(ladder.attribute))
            value = None if instance is None else instance.get("value")
            if instance is None or isinstance(value, bool) or not isinstance(value, int | float):
                continue
            unit = instance.get("unitCode", ladder.unit_code)
            if unit != ladder.unit_code:
                value = convert(float(value), unit, ladder.unit_code)
            said = instance.get("observedAt")
            at = change.at if said is None else parse_instant(said)
            sample = Sample(at, float(value), is_suspect(instance))
            key = (change.tenant, ladder.id, change.id)
            found.append(Heard(key, ladder, change, sample, self._recorded(change), instance))
        return found

    def _recorded(self, change: Change) -> datetime:
        """The city's time when a change was recorded: the same however late it is read."""
        return self._context.clock.at(change.recorded_at)

    async def _hear_tenant(self, tenant: str, all_heard: list[Heard]) -> None:
        for _ in range(TRIES_MAX):
            async with self._db.acquire() as conn:
                kept = await standing.load(conn, {heard.key for heard in all_heard})
            known = {one.alert_id for one in kept.values() if one.alert_id}
            try:
                outcome = await self._fold(tenant, all_heard, kept)
                await self._write(tenant, outcome)
                return
            except (Contended, VersionConflict, EntityAlreadyExists):
                continue
            except EntityNotFound:
                if not await self._forget_vanished(tenant, known):
                    raise
        raise AlertContended()

    async def _forget_vanished(self, tenant: str, alert_ids: set[str]) -> int:
        """Forget open alerts whose entity is gone, so that their ladders go on; how many."""
        forgotten = 0
        for alert_id in sorted(alert_ids):
            if await self._context.find(alert_id, tenant=tenant) is not None:
                continue
            log.warning("alert.vanished", alert=alert_id)
            async with self._db.acquire() as conn:
                forgotten += await standing.forget_alert(conn, tenant, alert_id)
        return forgotten

    async def _fold(self, tenant: str, all_heard: list[Heard], kept: dict[Key, Kept]) -> _Outcome:
        outcome = _Outcome([], [], [], {}, {})
        for heard in all_heard:
            before = kept[heard.key]
            if heard.change.seq <= before.seq:
                continue
            after, decision = hear(heard.ladder, before.standing, heard.sample, heard.now)
            alert_id = before.alert_id
            if not isinstance(decision, Nothing):
                alert_id = await self._plan(tenant, outcome, heard, decision, alert_id)
            kept[heard.key] = now_kept = Kept(after, heard.change.seq, before.prior, alert_id)
            if _worth_keeping(heard.ladder, before, now_kept):
                outcome.kept[heard.key] = now_kept
        return outcome

    async def _plan(
        self, tenant: str, outcome: _Outcome, heard: Heard, act: Act, alert_id: str | None
    ) -> str | None:
        """Add the operations of a decision; returns the alert that is open afterwards."""
        rule, severity, at = act.rung.rule_id, act.rung.severity, heard.now
        words = self._book.words.get(rule) or RuleWords({}, {})
        if isinstance(act, Raise):
            alert_id = record.alert_id(self._city.code, rule, heard.change.id, act.at)
            observed = await self._observed(tenant, heard)
            attrs = record.raised(heard.ladder, act, words, observed, at)
            made = Entity(alert_id, (noun.TYPE,), attrs)
            # In a tenant clients write what they like: whatever has this id there gives way.
            outcome.ops.append(Upsert(made) if tenant else Create(made))
            outcome.peaks[alert_id] = severity
        else:
            if alert_id is None:  # the model acts only on an open alert
                raise Contended
            peak = await self._peak(tenant, outcome, alert_id)
            attrs = record.changed(heard.ladder, act, words, peak, at)
            outcome.ops.append(Patch(alert_id, attrs))
            if noun.graver(severity, peak):
                outcome.peaks[alert_id] = severity
        kind = _KINDS[type(act)]
        who = SYSTEM.name_for_audit
        outcome.moves.append((kind, heard.key, rule, alert_id, at))
        outcome.steps.append(Step(alert_id, at, kind, severity, act.value, who, noun.SYSTEM))
        return None if isinstance(act, Clear) else alert_id

    async def _observed(self, tenant: str, heard: Heard) -> record.Observed:
        entity = await self._context.find(heard.change.id, tenant=tenant)
        attrs = heard.change.attrs if entity is None else entity.attrs | heard.change.attrs
        location = default_instance(attrs.get(noun.LOCATION))
        district = default_instance(attrs.get(noun.DISTRICT))
        code = district.get("value") if district else None
        if code is None and location is not None:
            point = point_of(location.get("value"))
            area = self._city.district_at(*point) if point else None
            code = area.code if area else None
        return record.Observed(
            heard.change.id,
            heard.ladder.entity_type,
            default_instance(attrs.get("name")),
            location,
            code,
            provenance_of(heard.instance),
        )

    async def _peak(self, tenant: str, outcome: _Outcome, alert_id: str) -> noun.Severity:
        if alert_id not in outcome.peaks:
            entity = await self._context.get(alert_id, tenant=tenant)
            outcome.peaks[alert_id] = noun.severity_of(entity.value(noun.SEVERITY_PEAK))
        return outcome.peaks[alert_id]

    async def _write(self, tenant: str, outcome: _Outcome) -> None:
        async def within(conn: Connection) -> None:
            for what, key, rule, alert_id, at in outcome.moves:
                if what == "raised":
                    await standing.open_alert(conn, key, rule, alert_id, at)
                elif what == "resolved":
                    await standing.end_alert(conn, tenant, alert_id)
                else:
                    await standing.move_alert(conn, key, rule, alert_id)
            await standing.save(conn, sorted(outcome.kept.items()))
            for step in outcome.steps:
                await standing.add_step(conn, tenant, step)

        if outcome.ops:
            await self._context.write(
                *outcome.ops, actor=SYSTEM.name_for_audit, tenant=tenant, within=within
            )
            log.info("alerts", steps=[(s.kind, s.alert_id) for s in outcome.steps])
        elif outcome.kept:
            async with self._db.acquire() as conn, conn.transaction():
                await within(conn)

    # --- officers -----------------------------------------------------------------------------

    async def _act(
        self, alert_id: str, actor: Actor, note: str | None, kind: str, check: Check
    ) -> Entity:
        words = (note or "").strip()[:NOTE_CHARACTERS_MAX] or None
        role = _role(actor)
        for _ in range(TRIES_MAX):
            entity = await self.get(alert_id)
            _demand_possible(entity, kind)
            now = self._context.clock.now()
            acts = {"acknowledged": record.acknowledged, "resolved": record.resolved}
            severity = entity.value(noun.SEVERITY)
            step = Step(alert_id, now, kind, severity, None, actor.name_for_audit, role, words)

            try:
                await self._context.write(
                    Patch(alert_id, acts[kind](role, now), if_version=entity.version),
                    actor=actor.name_for_audit,
                    within=partial(_note_step, check, step),
                )
                return await self.get(alert_id)
            except (Contended, VersionConflict):
                continue
        raise AlertContended()


async def _note_step(check: Check, step: Step, conn: Connection) -> None:
    await check(conn)
    await standing.add_step(conn, "", step)


def _worth_keeping(ladder: Ladder, before: Kept, after: Kept) -> bool:
    """Whether a standing must be written: not where only the newest value counts and it changed
    nothing, which is nearly always (a reader of 2,000 values a second would write as many)."""
    if ladder.window_s > 0:
        return before.standing != after.standing
    same = before.standing.holding == after.standing.holding
    return not same or before.standing.alert != after.standing.alert


def _role(actor: Actor) -> str:
    """The role an act is done in, as shown to everybody: never a person's name."""
    return actor.roles[0] if actor.roles else actor.kind


def _demand_possible(entity: Entity, kind: str) -> None:
    if entity.value(noun.STATE) == "resolved":
        ended = entity.instant(noun.RESOLVED_AT)
        raise AlertEnded(at=format_instant(ended) if ended else "?")
    if kind == "acknowledged" and entity.value(noun.STATE) == "acknowledged":
        seen = entity.instant(noun.ACKNOWLEDGED_AT)
        raise AlertAcknowledged(at=format_instant(seen) if seen else "?")
