"""Lookups: where in the city a value is, for questions that would otherwise walk a whole type.

Nothing is looked up that nobody asks for: a question that found little and walked far leaves word
here, and what it was about is written down once and followed from then on, behind the log
(13_lookups.sql). Until then, and where too many fulfil a condition, the type is walked, which finds
a page of the many soon. An answer is the same either way.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from asyncpg import Record
from msgspec import Struct

from nagara.context.sought import Place, Range, Sought
from nagara.context.store import Conn
from nagara.engines.database import Database
from nagara.engines.errors import is_connection_loss

#: Entities of a type that are walked without a thought, in a few milliseconds.
TYPE_FEW = 2_000
#: A page that took longer was walked too far, though it was filled.
WALK_S_MAX = 0.2
#: Entities that are looked at one by one. Where more fulfil a condition, walking meets them soon.
FOUND_MAX = 2_000
#: Changes behind a lookup that are looked at besides. Where more wait, the type is walked.
BEHIND_MAX = 10_000
#: Lookups of a city: each costs a reading of its attribute a row or two, behind the writers.
LOOKUPS_MAX = 64
#: A lookup that nobody used for so long makes room for another; for so much longer, it is dropped.
UNUSED_S = 3_600.0
KEPT_S = 86_400.0
#: So long a condition that many fulfil is not looked up again.
MANY_FOR_S = 60.0
MANY_KEPT = 10_000
#: Wishes that wait; more are made by asking again.
WANTED_MAX = 32
LOOK_EVERY_S = 0.5
READ_EVERY_S = 10.0
FOLLOW_ROWS = 5_000
BUILD_S_MAX = 600.0

log = structlog.get_logger("context.lookups")


class _Name(Struct, frozen=True):
    """What a lookup is about."""

    tenant: str
    type: str
    place: Place


class Lookups:
    """The lookups that there are, and those that are wished for."""

    def __init__(self, db: Database, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._db = db
        self._monotonic = monotonic
        self._ready: dict[_Name, int] = {}
        self._used: dict[int, float] = {}
        self._wanted: dict[_Name, None] = {}
        self._many: dict[tuple[str, tuple[str, ...], Sought], float] = {}
        self._is_wanted = asyncio.Event()
        self._settling = asyncio.Lock()

    def __len__(self) -> int:
        """How many may be used."""
        return len(self._ready)

    # --- asked by queries ---

    async def find(
        self, conn: Conn, tenant: str, types: Sequence[str], sought: Sequence[Sought]
    ) -> list[int] | None:
        """The numbers of the entities of these types that may fulfil a query, few and a few too
        many; None where the types are to be walked."""
        if not self._ready or not types:
            return None
        now = self._monotonic()
        for one in sought:
            ids = [self._ready.get(_Name(tenant, name, one.place)) for name in types]
            said = (tenant, tuple(types), one)
            if None in ids or self._many.get(said, 0.0) > now:
                continue
            known = [i for i in ids if i is not None]
            self._used.update(dict.fromkeys(known, now))
            found = await _candidates(conn, known, one)
            if found is not None:
                return found
            if len(self._many) >= MANY_KEPT:
                self._many.clear()
            self._many[said] = now + MANY_FOR_S
        return None

    def walked(
        self,
        tenant: str,
        types: Sequence[str],
        sought: Sequence[Sought],
        was_filled: bool,
        took_s: float,
    ) -> None:
        """A question walked: it leaves word where it went to the end, or far."""
        if was_filled and took_s <= WALK_S_MAX:
            return
        for one in sought:
            for name in types:
                wish = _Name(tenant, name, one.place)
                if wish not in self._ready and len(self._wanted) < WANTED_MAX:
                    self._wanted[wish] = None
                    self._is_wanted.set()

    # --- at work ---

    async def run(self) -> None:
        """Runs for the life of the city."""
        read_at = -READ_EVERY_S
        while True:
            try:
                if self._monotonic() - read_at >= READ_EVERY_S:
                    await self._read()
                    read_at = self._monotonic()
                await self.settle()
            except Exception as error:
                if not is_connection_loss(error):
                    raise
            await self._wait()

    async def _wait(self) -> None:
        pause = LOOK_EVERY_S if self._ready else READ_EVERY_S
        try:
            await asyncio.wait_for(self._is_wanted.wait(), pause)
        except TimeoutError:
            return
        await asyncio.sleep(LOOK_EVERY_S)  # whoever asks once asks again: a breath between two

    async def settle(self) -> None:
        """Make what is wished for, and follow the log to its end."""
        async with self._settling:
            await self._settle()

    async def _settle(self) -> None:
        self._is_wanted.clear()
        while self._wanted:
            wish = next(iter(self._wanted))
            try:
                await self._make(wish)
            finally:
                self._wanted.pop(wish, None)
        if not self._ready:
            return
        async with self._db.acquire() as conn:
            more = True
            while more:
                more = await conn.fetchval(
                    "select context.follow_lookups($1)", FOLLOW_ROWS, timeout=60
                )

    async def _read(self) -> None:
        async with self._db.acquire() as conn:
            rows = await conn.fetch(
                """select id, tenant, type, attr, own, said from context.lookup
                   where built_at is not null"""
            )
        now = self._monotonic()
        self._ready = {_name_of(row): row["id"] for row in rows}
        self._used = {number: self._used.get(number, now) for number in self._ready.values()}
        for name, number in list(self._ready.items()):
            if now - self._used[number] > KEPT_S:
                await self._drop(name, number)

    async def _make(self, wish: _Name) -> None:
        async with self._db.acquire() as conn:
            if not await _is_large(conn, wish.tenant, wish.type):
                return
            if len(self._ready) >= LOOKUPS_MAX and not await self._make_room():
                log.info("lookups.full", type=wish.type, attribute=wish.place.attr)
                return
            began = self._monotonic()
            number = await conn.fetchval(
                """insert into context.lookup (tenant, type, attr, own, said, holders, asked_at)
                   values ($1, $2, $3, $4, $5, $5::text[]::jsonpath[], now())
                   on conflict (tenant, type, own, said) do update set asked_at = now()
                   returning id""",
                wish.tenant,
                wish.type,
                wish.place.attr,
                wish.place.own,
                list(wish.place.holders),
            )
            rows = await conn.fetchval(
                "select context.build_lookup($1)", number, timeout=BUILD_S_MAX
            )
            await conn.execute("analyze context.posting")
        self._ready[wish] = number
        self._used[number] = self._monotonic()
        took_s = round(self._monotonic() - began, 3)
        log.info(
            "lookups.made", type=wish.type, attribute=wish.place.attr, rows=rows, took_s=took_s
        )

    async def _make_room(self) -> bool:
        """Drop the lookup that was not used for longest; whether there is room now."""
        now = self._monotonic()
        name, number = min(self._ready.items(), key=lambda item: self._used.get(item[1], 0.0))
        if now - self._used.get(number, 0.0) < UNUSED_S:
            return False
        await self._drop(name, number)
        return True

    async def _drop(self, name: _Name, number: int) -> None:
        del self._ready[name]
        self._used.pop(number, None)
        async with self._db.acquire() as conn:
            await conn.execute("delete from context.lookup where id = $1", number, timeout=60)
        log.info("lookups.dropped", type=name.type, attribute=name.place.attr)


def _name_of(row: Record) -> _Name:
    place = Place(row["attr"], tuple(row["said"]), row["own"])
    return _Name(row["tenant"], row["type"], place)


async def _is_large(conn: Conn, tenant: str, name: str) -> bool:
    counted = await conn.fetchval(
        """select coalesce(sum(n), 0) from context.census
           where tenant = $1 and attr = '' and types @> array[$2::text]""",
        tenant,
        name,
    )
    return bool(counted >= TYPE_FEW)


async def _candidates(conn: Conn, ids: list[int], sought: Sought) -> list[int] | None:
    """Numbers of entities that stand in the postings, or changed since those were written; None
    where they are too many, or a lookup is gone."""
    parameters: list[Any] = [ids, sought.place.attr]

    def bind(value: Any) -> str:
        parameters.append(value)
        return f"${len(parameters)}"

    wanted = [_condition(one, bind) for one in sought.ranges] or ["true"]
    near = " union all ".join(
        f"(select p.no from context.posting p where p.lookup = any($1::int[])"  # noqa: S608
        f" and {condition} limit {FOUND_MAX + 1})"
        for condition in wanted
    )
    row = await conn.fetchrow(
        f"""with used as materialized (
                select seq from context.lookup where id = any($1::int[]) and built_at is not null
            ), behind as materialized (
                select c.no, c.op, c.attrs from context.change c
                where c.seq > (select min(seq) from used) limit {BEHIND_MAX + 1}
            ), moved as materialized (
                select b.no from behind b
                where context.may_move(b.op, b.attrs, $2) or exists (
                    select from context.entity e where e.no = b.no and e.types is not null)
            ), near as materialized ({near})
            select (select count(*) from used) as used, (select count(*) from behind) as behind,
                (select count(*) from near) as near,
                array(select no from near union select no from moved) as nos""",  # noqa: S608
        *parameters,
    )
    assert row is not None
    if row["used"] < len(ids) or row["behind"] > BEHIND_MAX or row["near"] > FOUND_MAX:
        return None
    found: list[int] = row["nos"]
    return found


def _condition(one: Range, bind: Callable[[Any], str]) -> str:
    column, kind = ("p.txt", "text") if one.is_text else ("p.num", "float8")
    parts = ["p.num is null"] if one.is_text else []
    if one.low is None and one.high is None:
        parts.append(f"{column} is not null")
    if one.low is not None and one.low == one.high:
        parts.append(f"{column} = {bind(one.low)}::{kind}")
    else:
        if one.low is not None:
            parts.append(f"{column} >= {bind(one.low)}::{kind}")
        if one.high is not None:
            parts.append(f"{column} <= {bind(one.high)}::{kind}")
    return " and ".join(parts)
