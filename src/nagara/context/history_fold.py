"""Keeping history short to read: the log is folded into chunks, and trimmed where that is wished.

Both run behind the writers and in small steps. What is not folded yet is read from the log, so it
does not matter to an answer how far the folding has come.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import structlog

from nagara.context.packed import DAY_US, micros
from nagara.engines.database import Database
from nagara.engines.errors import is_connection_loss

#: Rows folded in one transaction: about half a minute of one core, in the database. Each time, the
#: chunk of the day is made anew for every sensor that wrote: with 20,000 rows at a time, a city of
#: 10,000 sensors would make each chunk 700 times a day, with a million 14 times.
FOLD_ROWS = 1_000_000
#: Rows that may lie unfolded. A question pays for those of its own sensors and time alone, some
#: 30 µs each: a day of one value a minute is 40 ms.
WAIT_ROWS = 1_000_000
#: How long rows lie unfolded where few are written: their day is over then.
WAIT_S = 86_400.0
LOOK_EVERY_S = 10.0
#: The pause after a folding, in its own length: it takes a quarter of a core at most.
PAUSE_SHARE = 3.0
#: Rows trimmed in one transaction.
TRIM_ROWS = 2_000
TRIM_EVERY_S = 600.0
TRIM_PAUSE_S = 0.5

log = structlog.get_logger("context.history")


class HistoryKeeper:
    """Folds the log into chunks, and forgets what was written longer ago than `keep`."""

    def __init__(self, db: Database, keep: timedelta | None = None) -> None:
        self._db = db
        self._keep = keep
        self._waited_since = time.monotonic()

    async def run(self) -> None:
        """Runs for the life of the city."""
        trimmed_at = time.monotonic()
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self._fold_all_due()
                if self._keep is not None and time.monotonic() - trimmed_at > TRIM_EVERY_S:
                    await self._trim_all(self._keep)
                    trimmed_at = time.monotonic()
            except Exception as error:
                if not is_connection_loss(error):
                    raise

    async def _fold_all_due(self) -> None:
        took = await self.fold_due()
        while took is not None:
            await asyncio.sleep(took * PAUSE_SHARE)
            took = await self.fold_due()

    async def _trim_all(self, keep: timedelta) -> None:
        before = datetime.now(UTC) - keep
        trimmed = await self.trim(before)
        while trimmed:
            await asyncio.sleep(TRIM_PAUSE_S)
            trimmed = await self.trim(before)

    async def fold_due(self) -> float | None:
        """Fold some rows where enough lie there, or for long enough; how long it took (seconds)."""
        async with self._db.acquire() as conn:
            waiting: int = await conn.fetchval(
                """select coalesce((select max(seq) from context.change), 0) - seq
                   from context.folded"""
            )
        now = time.monotonic()
        if waiting <= 0:
            self._waited_since = now
            return None
        if waiting < WAIT_ROWS and now - self._waited_since < WAIT_S:
            return None
        await self.fold(FOLD_ROWS)
        if waiting <= FOLD_ROWS:
            self._waited_since = time.monotonic()
        return time.monotonic() - now

    async def fold(self, most: int) -> int:
        """Fold the next rows; up to which number all are folded."""
        async with self._db.acquire() as conn:
            upto: int = await conn.fetchval("select context.fold($1)", most, timeout=600)
        return upto

    async def trim(self, before: datetime) -> int:
        """Forget rows that were written before an instant, a step; how many.

        Only rows that every reader has passed, that are folded, and that no dead letter needs.
        The newest row stays, for the log goes on from its number.
        """
        async with self._db.acquire() as conn, conn.transaction():
            rows = await conn.fetch(
                """with bound as (
                       select least(
                           (select min(seq) from context.reader),
                           (select seq from context.folded),
                           (select min(seq) from context.lookup),
                           (select min(seq) - 1 from context.dead_letter),
                           (select max(seq) - 1 from context.change)) as seq
                   ), old as (
                       select c.seq from context.change c, bound
                       where c.seq <= bound.seq order by c.seq limit $2
                   )
                   delete from context.change c using old
                   where c.seq = old.seq and c.recorded_at < $1
                   returning c.seq, c.no, c.at,
                             array(select jsonb_object_keys(c.attrs)) as names""",
                before,
                TRIM_ROWS,
            )
            days: dict[tuple[int, str], set[int]] = {}
            for row in rows:
                for name in row["names"]:
                    days.setdefault((row["no"], name), set()).add(micros(row["at"]) // DAY_US)
            moved = await conn.fetch(
                """delete from context.amendment where seq = any($1::bigint[])
                   returning no, name, at""",
                [row["seq"] for row in rows],
            )
            for row in moved:
                days.setdefault((row["no"], row["name"]), set()).add(micros(row["at"]) // DAY_US)
            for (no, name), touched in days.items():
                await conn.execute("select context.refold($1, $2, $3)", no, name, sorted(touched))
        if rows:
            log.info("history.trimmed", rows=len(rows))
        return len(rows)
