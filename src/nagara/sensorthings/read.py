"""Reading: what a path names, pages of it, and what is expanded inside."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import asyncpg
import msgspec
from asyncpg import Record
from msgspec import Struct

from nagara.context.store import Conn
from nagara.sensorthings.errors import OptionInvalid, OptionTooComplex, ThingNotFound
from nagara.sensorthings.geography import settle
from nagara.sensorthings.model import SETS, EntitySet, Nav
from nagara.sensorthings.options import Options
from nagara.sensorthings.paths import Place
from nagara.sensorthings.select import (
    Plan,
    Stream,
    Where,
    children_plan,
    count_plan,
    guess_plan,
    keyed_plan,
    page_plan,
    stream_named,
    write_cursor,
)
from nagara.sensorthings.statement import Seen

#: A query that takes longer holds one of the city's connections: the client is told to narrow it.
QUERY_S_MAX, COUNT_S_MAX = 5.0, 2.0
#: Rows expanded inside one answer, of one navigation property.
EXPANDED_MAX = 50_000
#: Counted exactly up to here; beyond, the planner's belief is told, and that it is one.
COUNTED_MAX = 200_000

Row = dict[str, Any]


class Found(Struct, frozen=True):
    """What a path leads to: rows of a set under a condition; `one` where it is a single entity."""

    of: EntitySet
    where: Where
    one: bool


class Listed(Struct):
    """A page: rows, the cursor or skip of the next, and the count where it was asked."""

    rows: list[Row]
    more: bool = False
    cursor: str = ""
    count: int | None = None
    is_guess: bool = False


class Inline(Struct):
    """What is shown inside a row under a navigation property."""

    nav: str
    options: Options
    rows: list[Row]
    many: bool
    more: bool = False
    count: int | None = None


async def fetch(conn: Conn, plan: Plan, timeout_s: float = QUERY_S_MAX) -> list[Record]:
    """Rows of a client's query. What PostgreSQL cannot make of it is the client's to mend."""
    try:
        rows: list[Record] = await conn.fetch(plan.sql, *plan.parameters, timeout=timeout_s)
    except TimeoutError as error:
        raise OptionTooComplex(
            option="$filter", what="seconds of work", limit=int(timeout_s)
        ) from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        state = str(getattr(error, "sqlstate", "") or "")
        # Bad value, wrong type of value, too much (classes 22, 42, 54); a value no column holds.
        if state[:2] in ("22", "42", "54") or isinstance(error, asyncpg.DataError):
            raise OptionInvalid(option="$filter", position=0, reason=str(error)[:200]) from error
        raise
    return rows


class Reading:
    """What one caller reads, on one connection."""

    def __init__(self, conn: Conn, seen: Seen) -> None:
        self.conn = conn
        self.seen = seen

    @property
    def tenant(self) -> str:
        """The tenant that is read."""
        return self.seen.tenant

    # -- where a path leads -------------------------------------------------------------------

    async def find(self, place: Place) -> Found:
        """Where a path leads. Raises `ThingNotFound` for a step that leads nowhere."""
        of, where, parent = SETS[place.steps[0].of], Where(), None
        for at, step in enumerate(place.steps):
            of = SETS[step.of]
            nav: Nav | None = None
            if at:
                before = place.steps[at - 1]
                nav = SETS[before.of].navs[step.name]
                assert parent is not None
            key = step.key
            if nav is not None and not nav.many:
                key = parent["_" + nav.key] if parent else None
                where = Where(key=key)
            elif nav is not None:
                where = Where(nav, parent["id"] if parent else None, key, _stream(of, parent))
            else:
                where = Where(key=key)
            is_last = at == len(place.steps) - 1
            if not step.many and key is None:
                raise ThingNotFound(kind=of.one, id="")
            if not is_last:
                parent = await self.get(of, where)
        last = place.steps[-1]
        return Found(of, where, place.is_one or not last.many)

    async def get(self, of: EntitySet, where: Where, options: Options | None = None) -> Row:
        """One row. Raises `ThingNotFound`."""
        row = await self.find_one(of, where, options)
        if row is None:
            raise ThingNotFound(kind=of.one, id="" if where.key is None else str(where.key))
        return row

    async def find_one(
        self, of: EntitySet, where: Where, options: Options | None = None
    ) -> Row | None:
        """One row, or None."""
        said = Options(select=options.select) if options is not None else Options()
        rows = await fetch(self.conn, page_plan(of, said, where, self.seen, 1))
        return _row(of, rows[0]) if rows else None

    async def keyed(self, of: EntitySet, numbers: list[int]) -> list[Row]:
        """The rows of these ids that the caller may see."""
        plan = keyed_plan(of, Options(), self.seen, numbers)
        return [_row(of, row) for row in await fetch(self.conn, plan)]

    async def stream(self, number: int) -> Stream | None:
        """A Datastream that the caller may see."""
        row = await self.find_one(SETS["Datastreams"], Where(key=number), Options(select=("id",)))
        return None if row is None else _stream_of(row)

    # -- pages --------------------------------------------------------------------------------

    async def page(self, found: Found, options: Options) -> Listed:
        """A page of a set."""
        of, where = found.of, found.where
        options = await self.settled(of, options)
        if of.name == "Observations" and where == Where():
            number = stream_named(options.filter)
            stream = None if number is None else await self.stream(number)
            if stream is not None:
                where = Where(stream=stream)
        made = Listed([])
        if options.limit:
            plan = page_plan(of, options, where, self.seen, options.limit + 1)
            rows = await fetch(self.conn, plan)
            made.more = len(rows) > options.limit
            rows = rows[: options.limit]
            made.rows = [_row(of, row) for row in rows]
            if made.more and plan.cursor:
                made.cursor = write_cursor(plan.cursor, rows[-1])
        if options.count:
            await self._count(made, of, options, where)
        await self.expand(of, made.rows, options)
        return made

    async def settled(self, of: EntitySet, options: Options) -> Options:
        """Options with geographic predicates found out."""
        if options.filter is None:
            return options
        tree = await settle(self.conn, options.filter, of, "$filter", self.tenant)
        return msgspec.structs.replace(options, filter=tree)

    async def _count(self, made: Listed, of: EntitySet, options: Options, where: Where) -> None:
        shown = options.skip + len(made.rows)
        if (
            not made.more
            and not options.after
            and (made.rows or not options.skip)
            and options.limit
        ):
            made.count = shown
            return
        try:
            plan = count_plan(of, options, where, self.seen, COUNTED_MAX)
            rows = await fetch(self.conn, plan, COUNT_S_MAX)
            made.count = rows[0][0]
            if made.count <= COUNTED_MAX:
                return
        except OptionTooComplex:
            made.count = None
        explained = await fetch(self.conn, guess_plan(of, options, where, self.seen))
        said = explained[0][0]
        guess = int((json.loads(said) if isinstance(said, str) else said)[0]["Plan"]["Plan Rows"])
        made.count, made.is_guess = max(guess, made.count or shown), True

    # -- inside -------------------------------------------------------------------------------

    async def expand(self, of: EntitySet, rows: Sequence[Row], options: Options) -> None:
        """Put what is expanded into the rows, a statement for each navigation property."""
        for wish in options.expand:
            nav = of.navs[wish.nav]
            target = SETS[nav.target]
            inner = await self.settled(target, wish.options)
            if not rows:
                continue
            if nav.many:
                await self._expand_many(target, nav, wish.nav, list(rows), inner)
            else:
                await self._expand_one(target, nav, wish.nav, rows, inner)

    async def _expand_one(
        self, target: EntitySet, nav: Nav, name: str, rows: Sequence[Row], options: Options
    ) -> None:
        keys = sorted({row["_" + nav.key] for row in rows if row["_" + nav.key] is not None})
        plain = msgspec.structs.replace(options, orders=(), after="", skip=0)
        plan = keyed_plan(target, plain, self.seen, keys)
        found = {r["id"]: _row(target, r) for r in await fetch(self.conn, plan)}
        await self.expand(target, list(found.values()), options)
        for row in rows:
            other = found.get(row["_" + nav.key])
            inside = [] if other is None else [other]
            row.setdefault("_inline", []).append(Inline(name, options, inside, False))

    async def _expand_many(
        self, target: EntitySet, nav: Nav, name: str, rows: list[Row], options: Options
    ) -> None:
        limit = options.limit
        options = msgspec.structs.replace(options, after="")
        plan = children_plan(target, options, nav, self.seen, rows, limit + 1, EXPANDED_MAX + 1)
        found = await fetch(self.conn, plan)
        if len(found) > EXPANDED_MAX:
            raise OptionTooComplex(option="$expand", what="entities in it", limit=EXPANDED_MAX)
        by_parent: dict[int, list[Row]] = {}
        for record in found:
            by_parent.setdefault(record["_parent"], []).append(_row(target, record))
        shown: list[Row] = []
        for row in rows:
            inside = by_parent.get(row["id"], [])
            more, inside = len(inside) > limit, inside[:limit]
            made = Inline(name, options, inside, True, more)
            if options.count:
                made.count = await self._count_inside(target, nav, row, options, made)
            shown += inside
            row.setdefault("_inline", []).append(made)
        await self.expand(target, shown, options)

    async def _count_inside(
        self, target: EntitySet, nav: Nav, row: Row, options: Options, made: Inline
    ) -> int:
        if not made.more and not options.skip and options.limit:
            return len(made.rows)
        listed = Listed([], more=True)
        where = Where(nav, row["id"], None, _stream(target, row))
        await self._count(listed, target, options, where)
        return listed.count or 0


def _stream(of: EntitySet, parent: Row | None) -> Stream | None:
    """The stream whose values a step leads to."""
    if of.name != "Observations" or parent is None or "_attr" not in parent:
        return None
    return _stream_of(parent)


def _stream_of(row: Row) -> Stream:
    return Stream(row["id"], row["_thing"], row["_attr"], row["_slot"], row["_since"])


def _row(of: EntitySet, record: Record) -> Row:
    """A record with its JSON decoded."""
    row = dict(record)
    for name, column in of.columns.items():
        if column.kind in ("json", "geo") and isinstance(row.get(name), str):
            row[name] = msgspec.json.decode(row[name])
    return row
