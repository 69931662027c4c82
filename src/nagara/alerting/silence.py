"""Open alerts whose sensor has fallen silent: said while it lasts, ended after a day.

An alert that nobody confirms or clears any more is neither true nor over. It stays open and says
since when nothing was heard (`silentSince`), for the danger may last while the sensor is what
drowned. After `END_AFTER` it ends by itself, with that reason, and the next value decides anew.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from functools import partial

import structlog
from msgspec import Struct

from nagara.alerting import record, standing
from nagara.alerting.model import Ladder
from nagara.alerting.rules import RuleBook
from nagara.alerting.standing import Contended, Key, Step
from nagara.context import Context, Entity, Patch
from nagara.context.errors import EntityNotFound, VersionConflict
from nagara.engines.database import Connection, Database
from nagara.guard.identity import system
from nagara.values.errors import Problem
from nagara.values.time import parse_instant
from nagara.vocab import alert as noun

SYSTEM = system("alerting")
#: A night and a day: a station that was switched off over the weekend has been looked at by then.
END_AFTER = timedelta(hours=24)
LOOK_EVERY_S = 15.0

log = structlog.get_logger("alerting")


class _Open(Struct, frozen=True):
    key: Key
    alert_id: str
    ladder: Ladder | None


class Silence:
    """Looks after the alerts that are open."""

    def __init__(self, context: Context, db: Database, book: RuleBook) -> None:
        self._context, self._db = context, db
        self._ladders = {ladder.id: ladder for ladder in book.ladders}

    async def run(self) -> None:
        """Runs for the life of the city."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> int:
        """One round over the open alerts; how many were changed."""
        async with self._db.acquire() as conn:
            rows = await standing.list_open(conn)
        done = 0
        for key, alert_id in rows:
            try:
                done += await self._look_at(_Open(key, alert_id, self._ladders.get(key[1])))
            except (Contended, VersionConflict, EntityNotFound) as error:
                # A value or an officer was faster: the next round sees what became of it.
                log.info("alert.silence_contended", alert=alert_id, reason=type(error).__name__)
        return done

    async def _look_at(self, one: _Open) -> bool:
        now = self._context.clock.now()
        alert = await self._context.get(one.alert_id, one.key[0])
        heard_at = await self._heard_at(one, _instant(alert, noun.DATE_ISSUED))
        known = alert.instance(noun.SILENT_SINCE)
        limit = timedelta(seconds=one.ladder.stale_after_s) if one.ladder else timedelta(0)
        severity = noun.severity_of(alert.value(noun.SEVERITY))
        if heard_at is None or now - heard_at <= limit:
            if known is None:
                return False
            attrs, kind = {noun.SILENT_SINCE: None}, "heard"
        elif now - heard_at > END_AFTER:
            attrs, kind = record.ended_silent(now), "silent_end"
        elif known is None:
            attrs, kind = record.silent(heard_at), "silent"
        else:
            return False
        step = Step(one.alert_id, now, kind, severity, None, SYSTEM.name_for_audit, noun.SYSTEM)
        await self._context.write(
            Patch(one.alert_id, attrs, if_version=alert.version),
            actor=SYSTEM.name_for_audit,
            tenant=one.key[0],
            within=partial(_keep, one.key, step),
        )
        return True

    async def _heard_at(self, one: _Open, otherwise: datetime | None) -> datetime | None:
        """When the newest value was measured. An entity that has gone is silent since the alert;
        one whose rule has gone too has nobody left who could ever end it."""
        entity = await self._context.find(one.key[2], one.key[0])
        if entity is None or one.ladder is None:
            return otherwise
        instance = entity.instance(one.ladder.attribute)
        said = instance.get("observedAt") if instance else None
        return parse_instant(said) if said else otherwise


def _instant(alert: Entity, name: str) -> datetime | None:
    """A time of an alert; None for what a client of a tenant wrote in its place."""
    try:
        return alert.instant(name)
    except Problem:
        return None


async def _keep(key: Key, step: Step, conn: Connection) -> None:
    if step.kind == "silent_end":
        await standing.end_alert(conn, key[0], step.alert_id)
        await standing.forget_holding(conn, key)
    else:
        await standing.hold_open(conn, key[0], step.alert_id)
    await standing.add_step(conn, key[0], step)
