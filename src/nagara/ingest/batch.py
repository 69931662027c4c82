"""A batch: what it writes to the context, and what it books in the same transaction."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from msgspec import Struct

from nagara.context import Context, Entity, Observe, Op, Patch, Upsert, Written
from nagara.engines.database import Connection
from nagara.ingest import parking
from nagara.ingest.item import Item, parking_of
from nagara.ingest.ledger import Delta, Result
from nagara.ingest.model import Observation, Weighed


class Submission(Struct):
    """Items that one sender waits for."""

    items: Sequence[Item]
    done: asyncio.Future[None]
    is_patient: bool


class Batch(Struct):
    """Items that are written in one transaction."""

    submissions: list[Submission]
    items: list[Item]
    id: UUID
    ops: list[Op] = []
    owners: list[int] = []  # for each operation the index of its item
    results: list[Result] = []
    delta: Delta | None = None


async def compose(context: Context, batch: Batch) -> None:
    """The operations of a batch, and for each the item that it belongs to."""
    batch.ops, batch.owners = [], []
    batch.results = ["stored"] * len(batch.items)
    for index, item in enumerate(batch.items):
        observation = item.observation
        if observation is None:
            batch.results[index] = "refused" if item.is_refused else "parked"
            continue
        ops = _observes(observation, item.weighed)
        if observation.refresh and observation.base:
            ops += await _refreshing(context, observation, bool(ops))
        if not observation.readings:  # only a refresh can have changed something
            batch.results[index] = "stored" if ops else "duplicate"
        else:
            batch.results[index] = "duplicate"  # until an operation says that it stored
        batch.ops.extend(ops)
        batch.owners.extend([index] * len(ops))


async def _refreshing(context: Context, observation: Observation, creates: bool) -> list[Op]:
    entity = await context.find(observation.entity_id)
    base = dict(observation.base or {})
    if entity is None:
        if creates:
            return []
        types = (observation.entity_type,)
        return [Upsert(Entity(observation.entity_id, types, base), "update")]
    differing = {name: said for name, said in base.items() if entity.attrs.get(name) != said}
    return [Patch(observation.entity_id, differing)] if differing else []


def _observes(observation: Observation, weighed: Sequence[Weighed]) -> list[Op]:
    types = (observation.entity_type,)
    base, entity_id = observation.base, observation.entity_id
    return [Observe(entity_id, types, w.attrs, base, w.current) for w in weighed]


async def book(conn: Connection, batch: Batch, written: Sequence[Written], actor: str) -> None:
    """In the transaction of the readings: parked messages, replays and counters."""
    results = list(batch.results)
    for index, done in zip(batch.owners, written, strict=True):
        if done.stored or done.created or done.op in ("create", "update"):
            results[index] = "stored"
    delta = Delta()
    if not await delta.claim(conn, batch.id):
        return  # the answer of a commit was lost, and this is the second try
    await _park(conn, batch.items, results)
    replays: list[int] = []
    for index, item in enumerate(batch.items):
        if item.parked_id is not None:
            replays.append(index)
            continue
        code = item.problem.code if item.problem is not None else None
        delta.count(item.source, results[index], code, item.device)
    if replays:
        await _book_replays(conn, batch, replays, results, delta, actor)
    await delta.write(conn)
    batch.results, batch.delta = results, delta


async def _park(conn: Connection, items: Sequence[Item], results: list[Result]) -> None:
    parked = [
        index
        for index, item in enumerate(items)
        if results[index] == "parked" and item.parked_id is None
    ]
    if not parked:
        return
    fresh = Counter(await parking.park(conn, [parking_of(items[i]) for i in parked]))
    for index in parked:
        key = items[index].key
        if key is None:
            continue
        if fresh[key] > 0:
            fresh[key] -= 1
        else:
            results[index] = "duplicate"


async def _book_replays(
    conn: Connection,
    batch: Batch,
    replays: Sequence[int],
    results: Sequence[Result],
    delta: Delta,
    actor: str,
) -> None:
    """Parked messages that were read again: those that went well are parked no longer."""
    good = [(batch.items[i], results[i]) for i in replays if batch.items[i].problem is None]
    bad = [(i.parked_id or 0, i.problem) for i in (batch.items[r] for r in replays) if i.problem]
    ids = [item.parked_id or 0 for item, _ in good]
    settled = set(await parking.settle(conn, ids, "replayed", actor))
    for item, result in good:
        if item.parked_id in settled:
            delta.moved_on(item.source, result)
    await parking.still_parked(
        conn,
        [number for number, _ in bad],
        [problem.code for _, problem in bad],
        [problem.params for _, problem in bad],
    )
