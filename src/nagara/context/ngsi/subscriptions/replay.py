"""Telling a subscription again what changed since some time: it reads the log by itself.

While it does, the common reader leaves it out, so that it hears of everything in order; when it has
caught up, it goes on with the others. How far it has come is kept with what it queued.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

from nagara.context.context import Context
from nagara.context.log import read_changes
from nagara.context.ngsi.subscriptions.delivery import QUEUE_MAX
from nagara.context.ngsi.subscriptions.letters import Parcel
from nagara.context.ngsi.subscriptions.subscription import Key
from nagara.context.store import Conn
from nagara.engines.errors import is_connection_loss

if TYPE_CHECKING:
    from nagara.context.ngsi.subscriptions.notifier import Notifier

BATCH = 500
#: A queue that is half full is waited for: a replay alone never makes a queue give anything up.
WAITING_MAX = QUEUE_MAX // 2
PAUSE_S = 0.2

log = structlog.get_logger("subscriptions")


class Replayer:
    """The subscriptions that are being told what is past."""

    def __init__(self, context: Context, notifier: Notifier) -> None:
        self._context = context
        self._notifier = notifier
        self._at: dict[Key, int] = {}
        self._changed = asyncio.Event()

    def begin(self, key: Key, after: int) -> None:
        """Tell a subscription of everything behind a number of the log."""
        self._at[key] = after
        self._changed.set()

    def drop(self, key: Key) -> None:
        """Leave it."""
        self._at.pop(key, None)

    def has(self, key: Key) -> bool:
        """Whether a subscription reads for itself now."""
        return key in self._at

    async def run(self) -> None:
        """Runs for the life of the city."""
        while True:
            if not self._at:
                self._changed.clear()
                await self._changed.wait()
            moved = False
            for key in list(self._at):
                try:
                    moved |= await self._one(key)
                except Exception as error:
                    if not is_connection_loss(error):
                        log.exception("subscription.replay", id=key[1])
            if not moved:
                await asyncio.sleep(PAUSE_S)

    async def _one(self, key: Key) -> bool:
        """One batch of one subscription; whether there was anything to do."""
        notifier, box = self._notifier, ("subscription", *key)
        subscription = notifier.find(key)
        after = self._at.get(key)
        if subscription is None or after is None:
            self._at.pop(key, None)
            return True
        if notifier.delivery.waiting(box) >= WAITING_MAX:
            return False
        runner = self._context.readers.get("subscriptions")
        reached = runner.seq if runner is not None else 0
        if after >= reached:
            # The common reader stands here, or behind: from its place on, it tells.
            self._at.pop(key, None)
            await self._keep(key, None)
            return True
        async with self._context.db.acquire() as conn:
            changes = [c for c in await read_changes(conn, after, BATCH) if c.seq <= reached]
        if not changes:
            return False
        now, told = datetime.now(UTC), dict[Key, datetime]()
        parcels: list[Parcel] = []
        for happening in await notifier.happenings(changes, steps=False):
            if happening.tenant != key[0]:
                continue
            parcel = await notifier.parcel(subscription, happening, now, told)
            if parcel is not None:
                parcels.append(parcel)
        if self._at.get(key) != after:
            return True  # begun anew, or ended, meanwhile
        async with self._context.db.acquire() as conn, conn.transaction():
            queued = await notifier.delivery.put(conn, parcels) if parcels else None
            await _keep(conn, key, changes[-1].seq)
        self._at[key] = changes[-1].seq
        if queued is not None:
            notifier.delivery.posted(queued)
        return True

    async def _keep(self, key: Key, at: int | None) -> None:
        async with self._context.db.acquire() as conn:
            await _keep(conn, key, at)


async def _keep(conn: Conn, key: Key, at: int | None) -> None:
    await conn.execute(
        "update context.subscription set replay_from = $3 where tenant = $1 and id = $2", *key, at
    )


async def number_before(conn: Conn, at: datetime) -> int:
    """The number of the newest row of the log that was written before an instant."""
    # Rows are numbered in the order in which they were written, but there is no index on the time.
    low: int = 0
    high: int = await conn.fetchval("select coalesce(max(seq), 0) from context.change")
    while low < high:
        middle = (low + high) // 2
        row = await conn.fetchrow(
            "select seq, recorded_at from context.change where seq > $1 order by seq limit 1",
            middle,
        )
        if row is None or row["recorded_at"] >= at:
            high = middle
        else:
            low = row["seq"]
    return low
