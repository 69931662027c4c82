"""The queues in the database: what waits, what was given up, what became of it. Only SQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TypeAlias

from msgspec import Struct

from nagara.context.store import Conn

#: Whose queue: kind of subscriber, tenant, id.
Box: TypeAlias = tuple[str, str, str]


class Parcel(Struct, frozen=True):
    """A message to be queued. `key`: what it tells of; a second one of the same is not queued."""

    box: Box
    key: str
    body: str


class Letter(Struct):
    """A message that waits."""

    no: int
    body: str
    attempts: int = 0


class Standing(Struct):
    """What became of a subscriber's messages (clause 5.2.14.2)."""

    times_sent: int = 0
    times_failed: int = 0
    last_notification: datetime | None = None
    last_success: datetime | None = None
    last_failure: datetime | None = None
    last_error: str | None = None

    @property
    def failed(self) -> bool:
        """Whether the last attempt went wrong."""
        return self.last_error is not None


class DeadNotification(Struct, frozen=True):
    """A message that was given up."""

    no: int
    body: str
    attempts: int
    at: datetime
    reason: str
    parked_at: datetime


async def queue(conn: Conn, parcels: Sequence[Parcel], at: datetime) -> list[tuple[Box, int, str]]:
    """Queue messages in the caller's transaction, in order: box, number and body of each that was
    not there already."""
    bodies = {(p.box, p.key): p.body for p in parcels}
    rows = await conn.fetch(
        """insert into context.letter (kind, tenant, subscriber, key, body, at)
           select k, t, s, y, b, $6
           from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
                with ordinality as w(k, t, s, y, b, i) order by i
           on conflict (kind, tenant, subscriber, key) do nothing
           returning no, kind, tenant, subscriber, key""",
        [p.box[0] for p in parcels],
        [p.box[1] for p in parcels],
        [p.box[2] for p in parcels],
        [p.key for p in parcels],
        [p.body for p in parcels],
        at,
    )
    made = []
    for row in rows:
        box = (row["kind"], row["tenant"], row["subscriber"])
        made.append((box, row["no"], bodies[box, row["key"]]))
    return made


async def shed(conn: Conn, box: Box, count: int, reason: str, at: datetime) -> int:
    """Give up the oldest of a queue; the number of the newest of them, 0 for none."""
    newest: int | None = await conn.fetchval(
        """with gone as (
               delete from context.letter where no in (
                   select no from context.letter
                   where kind = $1 and tenant = $2 and subscriber = $3 order by no limit $4)
               returning *)
           , kept as (
               insert into context.dead_notification
                   (no, kind, tenant, subscriber, key, body, attempts, at, reason, parked_at)
               select no, kind, tenant, subscriber, key, body, attempts, at, $5, $6 from gone
               on conflict do nothing)
           select max(no) from gone""",
        *box,
        count,
        reason,
        at,
    )
    return newest or 0


async def park(conn: Conn, reasons: Mapping[int, str], at: datetime) -> None:
    """Give up messages, each for its reason."""
    await conn.execute(
        """with gone as (
               delete from context.letter l using unnest($1::bigint[], $2::text[]) as w(no, reason)
               where l.no = w.no returning l.*, w.reason)
           insert into context.dead_notification
               (no, kind, tenant, subscriber, key, body, attempts, at, reason, parked_at)
           select no, kind, tenant, subscriber, key, body, attempts, at, reason, $3 from gone
           on conflict do nothing""",
        list(reasons),
        list(reasons.values()),
        at,
    )


async def prune_dead(conn: Conn, box: Box, most: int) -> None:
    """Keep only the newest of what a subscriber was not told."""
    await conn.execute(
        """delete from context.dead_notification
           where kind = $1 and tenant = $2 and subscriber = $3 and no <= (
               select no from context.dead_notification
               where kind = $1 and tenant = $2 and subscriber = $3
               order by no desc offset $4 limit 1)""",
        *box,
        most,
    )


async def waiting(conn: Conn, box: Box, after: int, limit: int) -> list[Letter]:
    """The next of a queue."""
    rows = await conn.fetch(
        """select no, body, attempts from context.letter
           where kind = $1 and tenant = $2 and subscriber = $3 and no > $4
           order by no limit $5""",
        *box,
        after,
        limit,
    )
    return [Letter(row["no"], row["body"], row["attempts"]) for row in rows]


async def counts(conn: Conn) -> dict[Box, int]:
    """How much waits in every queue."""
    rows = await conn.fetch(
        """select kind, tenant, subscriber, count(*) as n from context.letter
           group by kind, tenant, subscriber"""
    )
    return {(r["kind"], r["tenant"], r["subscriber"]): r["n"] for r in rows}


async def standings(conn: Conn) -> dict[Box, Standing]:
    """What became of everybody's messages so far."""
    rows = await conn.fetch("select * from context.delivery")
    return {
        (r["kind"], r["tenant"], r["subscriber"]): Standing(
            r["times_sent"],
            r["times_failed"],
            r["last_notification"],
            r["last_success"],
            r["last_failure"],
            r["last_error"],
        )
        for r in rows
    }


async def note(
    conn: Conn,
    done: Sequence[int],
    attempts: Mapping[int, int],
    standing: Iterable[tuple[Box, Standing]],
) -> None:
    """Keep what became of messages: those that were told are gone, others counted."""
    if done:
        await conn.execute("delete from context.letter where no = any($1::bigint[])", list(done))
    if attempts:
        await conn.execute(
            """update context.letter l set attempts = w.n
               from unnest($1::bigint[], $2::int[]) as w(no, n) where l.no = w.no""",
            list(attempts),
            list(attempts.values()),
        )
    rows = list(standing)
    if rows:
        await conn.execute(
            """insert into context.delivery as d (kind, tenant, subscriber, times_sent,
                   times_failed, last_notification, last_success, last_failure, last_error)
               select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[],
                   $6::timestamptz[], $7::timestamptz[], $8::timestamptz[], $9::text[])
               on conflict (kind, tenant, subscriber) do update set
                   times_sent = excluded.times_sent, times_failed = excluded.times_failed,
                   last_notification = excluded.last_notification,
                   last_success = excluded.last_success, last_failure = excluded.last_failure,
                   last_error = excluded.last_error""",
            *([box[i] for box, _ in rows] for i in range(3)),
            [s.times_sent for _, s in rows],
            [s.times_failed for _, s in rows],
            [s.last_notification for _, s in rows],
            [s.last_success for _, s in rows],
            [s.last_failure for _, s in rows],
            [s.last_error for _, s in rows],
        )


async def forget(conn: Conn, box: Box) -> None:
    """A subscriber has gone, and what waited for him with him."""
    for table in ("letter", "dead_notification", "delivery"):
        await conn.execute(
            f"delete from context.{table} where kind = $1 and tenant = $2 and subscriber = $3",  # noqa: S608
            *box,
        )


async def list_dead(conn: Conn, box: Box, limit: int, offset: int) -> list[DeadNotification]:
    """What was given up, oldest first."""
    rows = await conn.fetch(
        """select no, body, attempts, at, reason, parked_at from context.dead_notification
           where kind = $1 and tenant = $2 and subscriber = $3 order by no limit $4 offset $5""",
        *box,
        limit,
        offset,
    )
    return [DeadNotification(**dict(row)) for row in rows]


async def count_dead(conn: Conn, box: Box) -> int:
    """How many were given up."""
    count: int = await conn.fetchval(
        """select count(*) from context.dead_notification
           where kind = $1 and tenant = $2 and subscriber = $3""",
        *box,
    )
    return count


async def revive(conn: Conn, box: Box, at: datetime, limit: int) -> list[tuple[Box, int, str]]:
    """Queue again what was given up, oldest first: box, number and body of each."""
    rows = await conn.fetch(
        """with back as (
               delete from context.dead_notification where no in (
                   select no from context.dead_notification
                   where kind = $1 and tenant = $2 and subscriber = $3 order by no limit $5)
               returning *)
           insert into context.letter (kind, tenant, subscriber, key, body, at)
           select kind, tenant, subscriber, key, body, $4 from back order by no
           on conflict (kind, tenant, subscriber, key) do nothing
           returning no, body""",
        *box,
        at,
        limit,
    )
    return sorted(((box, row["no"], row["body"]) for row in rows), key=lambda made: made[1])
