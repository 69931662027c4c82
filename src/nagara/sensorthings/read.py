"""Reading: what a path names, pages of it, and what is expanded inside."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

import msgspec
from asyncpg import Record
from msgspec import Struct

from nagara.context.store import Conn
from nagara.sensorthings.cursors import write_cursor
from nagara.sensorthings.errors import OptionTooComplex, ThingNotFound
from nagara.sensorthings.fetching import COUNT_S_MAX, COUNT_S_MIN, fetch
from nagara.sensorthings.geography import settle
from nagara.sensorthings.model import SETS, EntitySet, Nav
from nagara.sensorthings.newest import find_newest
from nagara.sensorthings.options import Options
from nagara.sensorthings.paths import Place
from nagara.sensorthings.select import (
    Stream,
    Where,
    children_plan,
    count_plan,
    guess_plan,
    keyed_plan,
    page_plan,
    stream_named,
    times_plan,
)
from nagara.sensorthings.settling import settle_streams
from nagara.sensorthings.statement import Seen

#: Rows expanded inside one answer, of one navigation property.
EXPANDED_MAX = 50_000
#: Counted exactly up to here; beyond, the planner's belief is told, and that it is one.
COUNTED_MAX = 200_000

Row = dict[str, Any]
_KEYS = Options(select=("id",))
#: From so many skipped rows on, they are skipped by their ids, and only those shown are read.
SKIP_BY_ID = 50


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
    is_guess: bool = False


class Reading:
    """What one caller reads, on one connection."""

    def __init__(self, conn: Conn, seen: Seen) -> None:
        self.conn = conn
        self.seen = seen
        self._counting_s = COUNT_S_MAX  # left for all counts of one answer

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
                parent = await self.get(of, where, _KEYS)
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
        return (await self._rows(of, rows, said))[0] if rows else None

    async def _rows(self, of: EntitySet, records: Sequence[Record], options: Options) -> list[Row]:
        """Records with their JSON decoded, and with what is found out for them alone."""
        rows = [_row(of, record) for record in records]
        later = [n for n in of.later if not options.select or n in options.select]
        if rows and later:
            told = await fetch(self.conn, times_plan(rows))
            for row, ends in zip(rows, told, strict=True):
                for name in later:
                    word = "result_at" if name == "resultTime" else "at"
                    row[name], row[f"{name}.end"] = ends[f"first_{word}"], ends[f"last_{word}"]
        return rows

    async def keyed(self, of: EntitySet, numbers: list[int]) -> list[Row]:
        """The rows of these ids that the caller may see."""
        plan = keyed_plan(of, Options(), self.seen, numbers)
        return await self._rows(of, await fetch(self.conn, plan), Options())

    async def stream(self, number: int) -> Stream | None:
        """A Datastream that the caller may see."""
        row = await self.find_one(SETS["Datastreams"], Where(key=number), _KEYS)
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
            by_id = options.skip >= SKIP_BY_ID and not options.after
            wanted = msgspec.structs.replace(options, select=("id",)) if by_id else options
            limit = options.limit + 1
            plan = page_plan(of, wanted, where, self.seen, limit)
            rows = await find_newest(self.conn, of, wanted, where, self.seen, limit)
            if rows is None:
                rows = await fetch(self.conn, plan)
            made.more = len(rows) > options.limit
            rows = rows[: options.limit]
            if made.more and plan.cursor:
                made.cursor = write_cursor(plan.cursor, rows[-1])
            if by_id:
                rows = await self._in_order(of, options, rows)
            made.rows = await self._rows(of, rows, options)
        if options.count:
            await self._count(made, of, options, where)
        await self.expand(of, made.rows, options)
        return made

    async def _in_order(
        self, of: EntitySet, options: Options, rows: Sequence[Record]
    ) -> list[Record]:
        """The whole rows of those of which the ids are known."""
        plain = Options(select=options.select)
        plan = keyed_plan(of, plain, self.seen, [row["id"] for row in rows])
        found = {row["id"]: row for row in await fetch(self.conn, plan)}
        return [found[row["id"]] for row in rows if row["id"] in found]

    async def settled(self, of: EntitySet, options: Options) -> Options:
        """Options with what is found out beforehand: geography, and what is said of streams."""
        if options.filter is None:
            return options
        tree = await settle(self.conn, options.filter, of, "$filter", self.tenant)
        tree = await settle_streams(self.conn, tree, of, self.seen)
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
        guess = None
        if of.name == "Observations" and where == Where() and options.filter is None:
            guess = await self._guess(of, options, where)
        if (guess or 0) <= 2 * COUNTED_MAX:
            made.count = await self._counted(of, options, where)
            if made.count is not None and made.count <= COUNTED_MAX:
                return
        if guess is None:
            guess = await self._guess(of, options, where)
        made.count, made.is_guess = max(guess, made.count or shown), True

    async def _counted(self, of: EntitySet, options: Options, where: Where) -> int | None:
        """How many there are, up to one more than `COUNTED_MAX`; None where that takes too long."""
        if self._counting_s < COUNT_S_MIN:
            return None
        began = time.monotonic()
        try:
            plan = count_plan(of, options, where, self.seen, COUNTED_MAX)
            return int((await fetch(self.conn, plan, self._counting_s))[0][0])
        except OptionTooComplex:
            return None
        finally:
            self._counting_s -= time.monotonic() - began

    async def _guess(self, of: EntitySet, options: Options, where: Where) -> int:
        """What the planner believes."""
        explained = await fetch(self.conn, guess_plan(of, options, where, self.seen))
        said = explained[0][0]
        return int((json.loads(said) if isinstance(said, str) else said)[0]["Plan"]["Plan Rows"])

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
        records = await fetch(self.conn, plan)
        found = {row["id"]: row for row in await self._rows(target, records, options)}
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
        for made_row in await self._rows(target, found, options):
            by_parent.setdefault(made_row["_parent"], []).append(made_row)
        shown: list[Row] = []
        for row in rows:
            inside = by_parent.get(row["id"], [])
            more, inside = len(inside) > limit, inside[:limit]
            made = Inline(name, options, inside, True, more)
            if options.count:
                await self._count_inside(target, nav, row, options, made)
            shown += inside
            row.setdefault("_inline", []).append(made)
        await self.expand(target, shown, options)

    async def _count_inside(
        self, target: EntitySet, nav: Nav, row: Row, options: Options, made: Inline
    ) -> None:
        if not made.more and not options.skip and options.limit:
            made.count = len(made.rows)
            return
        listed = Listed([], more=True)
        where = Where(nav, row["id"], None, _stream(target, row))
        await self._count(listed, target, options, where)
        made.count, made.is_guess = listed.count, listed.is_guess


def _stream(of: EntitySet, parent: Row | None) -> Stream | None:
    """The stream whose values a step leads to."""
    if of.name != "Observations" or parent is None or "_attr" not in parent:
        return None
    return _stream_of(parent)


def _stream_of(row: Row) -> Stream:
    names = ("_thing", "_attr", "_slot", "_since", "_sensor", "_property")
    return Stream(row["id"], *(row[name] for name in names))


def _row(of: EntitySet, record: Record) -> Row:
    """A record with its JSON decoded."""
    row = dict(record)
    for name, column in of.columns.items():
        if column.kind in ("json", "geo") and isinstance(row.get(name), str):
            row[name] = msgspec.json.decode(row[name])
    return row
