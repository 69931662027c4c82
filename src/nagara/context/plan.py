"""A group of writes before it is committed: every operation applied, nothing yet stored."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from datetime import datetime

from msgspec import Struct

from nagara.context.apply import AHEAD, LogRow, State, apply
from nagara.context.census import Tally
from nagara.context.errors import EntityInvalid
from nagara.context.geometry import Placed, place
from nagara.context.model import Create, Observe, Op, Replace, Upsert, Written, default_instance
from nagara.context.store import Cache, Conn, Held, Key, encode
from nagara.values.time import parse_instant

#: Between the texts that a commit sends joined (`nagara.context.statement`): a control character
#: that JSON escapes, and that numbers and times do not have.
SEPARATOR = "\x1f"
#: Operations computed without letting others run, 3 ms: the group before this one is being written,
#: and each answer of the database to it would otherwise wait.
BREATH_EVERY = 100


class WithResults(Struct, frozen=True):
    """Private SQL that has to know what the operations did (ingest counts what was stored)."""

    run: Callable[[Conn, list[Written]], Awaitable[None]]


Within = Callable[[Conn], Awaitable[None]] | WithResults


class Pending(Struct):
    """A call of `write` that waits for its commit."""

    ops: tuple[Op, ...]
    actor: str
    key: str | None
    tenant: str
    within: Within | None
    future: asyncio.Future[list[Written]]
    until: float
    results: list[Written] = []


class Row(Struct):
    key: Key
    row: LogRow
    patch: bytes
    before: State
    after: State


class Plan:
    """The outcome of a group before it is written."""

    def __init__(self, held: dict[Key, Held]) -> None:
        self.held = held
        self.states: dict[Key, State] = {}
        self.changed: dict[Key, None] = {}
        self.placed: dict[Key, Placed | None] = {}
        self.rows: list[Row] = []
        self.heard: set[tuple[str, str, str, datetime]] = set()
        self.members: list[Pending] = []
        self.keys: dict[tuple[str, str, str], list[Written]] = {}
        self.docs: dict[Key, tuple[bytes, bytes]] = {}  # state and sys, encoded
        self.census = Tally()
        #: Calls that do not fit, and why; told when everything before them is committed.
        self.refused: list[tuple[Pending, Exception]] = []

    def take_held(self, cache: Cache, keys: Iterable[Key]) -> list[Key]:
        """Take what is held of `keys`; those that are not held."""
        missing: list[Key] = []
        for key in keys:
            if key not in self.held:
                held = cache.find(key)
                if held is None:
                    missing.append(key)
                else:
                    self.held[key] = held
        return missing

    def outcome(self, keys: Iterable[Key]) -> dict[Key, Held]:
        """What will be held of those of `keys` that this plan changes, once it is committed."""
        return {key: self.held_after(key) for key in keys if key in self.changed}

    def held_after(self, key: Key, no: int | None = None) -> Held:
        """A changed entity as it will be held. Without `no`, one that is new has none (-1)."""
        state, (doc, sys) = self.states[key], self.docs[key]
        if no is None:
            before = self.held.get(key)
            no = before.no if before else -1
        assert state.created_at is not None
        assert state.modified_at is not None
        return Held(
            no,
            state.version,
            state.exists,
            key[1],
            state.types,
            doc,
            sys,
            state.scopes,
            state.created_at,
            state.modified_at,
            state.expires_at,
        )

    def told(self, keys: Collection[Key]) -> set[tuple[str, str, str, datetime]]:
        """What of `keys` this plan puts into the history: (tenant, id, attribute, instant)."""
        return {
            (*made.key, name, made.row.at)
            for made in self.rows
            if made.key in keys and made.row.op != "d"
            for name in made.row.attrs
        }

    def state(self, key: Key) -> State:
        """The state of an entity as the group has made it so far."""
        state = self.states.get(key)
        if state is None:
            held = self.held.get(key)
            state = self.states[key] = held.state() if held else State(key[1])
        return state

    async def add(self, pending: Pending, now: datetime) -> None:
        """Apply all operations of one call, or none of them."""
        states: dict[Key, State] = {}
        placed: dict[Key, Placed | None] = {}
        rows: list[Row] = []
        results: list[Written] = []
        tally = Tally()
        fresh: set[tuple[str, str, str, datetime]] = set()
        for number, op in enumerate(pending.ops, 1):
            if number % BREATH_EVERY == 0:
                await asyncio.sleep(0)
            key = (pending.tenant, entity_id(op))
            before = states.get(key) or self.state(key)
            if isinstance(op, Observe):

                def heard(name: str, at: datetime, key: Key = key) -> bool:
                    said = (*key, name, at)
                    return said in self.heard or said in fresh

                after, made, written = apply(before, op, now, heard)
            else:
                after, made, written = apply(before, op, now, _nothing_heard)
            results.append(written)
            if not made and after is before:
                continue
            if SEPARATOR in key[0] or SEPARATOR in key[1] or SEPARATOR in after.types[0]:
                raise EntityInvalid(id=key[1][:200], reason="a name has no control characters")
            states[key] = after
            tally.step(key[0], before, after, (name for row in made for name in row.attrs))
            here = after.attrs.get("location")
            if here != before.attrs.get("location"):  # an entity that stays keeps its index entries
                placed[key] = place(here)
            for row in made:
                rows.append(Row(key, row, encode(row.attrs), before, after))
                if isinstance(op, Observe):
                    fresh.update((*key, name, row.at) for name in row.attrs)
        self.states.update(states)
        self.changed.update(dict.fromkeys(states))
        self.placed.update(placed)
        self.rows.extend(rows)
        self.census.add(tally)
        self.heard.update(fresh)
        pending.results = results
        self.members.append(pending)


_WHOLE = (Create, Upsert, Replace)  # operations that carry an entity


def _nothing_heard(_name: str, _at: datetime) -> bool:
    return False


def entity_id(op: Op) -> str:
    """The id of the entity that an operation is about."""
    return op.entity.id if isinstance(op, _WHOLE) else op.id


def doubtful(plan: Plan, group: list[Pending]) -> list[tuple[str, str, int, datetime]]:
    """Observations that may have been heard before: not newer than all that is known."""
    wanted: list[tuple[str, str, int, datetime]] = []
    for pending in group:
        for op in pending.ops:
            if not isinstance(op, Observe):
                continue
            key = (pending.tenant, op.id)
            held = plan.held.get(key)
            if held is None:
                continue
            state = plan.state(key)
            ahead = state.sys.get(AHEAD)
            for name, instance in op.attrs.items():
                said = instance.get("observedAt")
                if said is None:
                    continue  # `apply` refuses it in words
                at = parse_instant(said)
                current = default_instance(state.attrs.get(name))
                known = current.get("observedAt") if current else None
                if (
                    not op.current
                    or (known is not None and parse_instant(known) >= at)
                    or (ahead is not None and parse_instant(ahead) >= at)
                ):
                    wanted.append((*key, held.no, at))
    return wanted
