"""What is asked of the register: values, answers over the crosswalk, scorecards, comparison."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import date

from msgspec import Struct
from msgspec.structs import replace

from nagara.city.model import City
from nagara.engines.database import Database
from nagara.indicators import errors, kept
from nagara.indicators.cells import Cell, list_cells
from nagara.indicators.definitions import Definition, Library, Place
from nagara.indicators.kept import Kept, Wanted, Whole
from nagara.indicators.suppression import PERSONAL, SMALL_CELL_BELOW, hidden_cells
from nagara.indicators.targets import Progress, Target, progress

#: Cities of one comparison: more small multiples than this are no picture.
CITIES_MAX = 40


class Told(Struct, frozen=True):
    """A value as it is told: `hidden` where a small cell keeps its numbers."""

    kept: Kept
    hidden: bool = False


class Reply(Struct, frozen=True):
    """The answer to a definition: a value, its own or of another definition of its measure,
    converted; or none. `by` is the definition whose value it is."""

    definition: Definition
    value: float | None = None
    by: Definition | None = None
    kept: Kept | None = None
    near: bool = False


class Line(Struct, frozen=True):
    """One indicator of a scorecard. `before` is the value of the year before, `change` the
    difference; `better` None: neither direction is better, or there is nothing to compare."""

    reply: Reply
    before: float | None
    change: float | None
    better: bool | None
    target: Target | None
    progress: Progress | None


class Reading:
    """The room's questions around values. `below`: threshold of small cells."""

    def __init__(
        self, db: Database, city: City, library: Library, below: int = SMALL_CELL_BELOW
    ) -> None:
        self._db = db
        self._city = city
        self.library = library
        self.below = below

    async def list_values(self, wanted: Wanted, reveal: bool = False) -> list[Told]:
        """Values; `reveal`: small cells too, for those who check them."""
        async with self._db.acquire() as conn:
            found = await kept.list_values(conn, wanted)
        return [Told(v) for v in found] if reveal else await self.hide(found)

    async def walk(self, wanted: Wanted, reveal: bool) -> AsyncIterator[Told]:
        """All values that are wanted, `limit` of them at most, page by page."""
        left, after = wanted.limit, wanted.after
        while left > 0:
            size = min(left, kept.PAGE_MAX)
            found = await self.list_values(replace(wanted, limit=size, after=after), reveal)
            for told in found:
                yield told
            if len(found) < size:
                return
            left -= size
            last = found[-1].kept
            after = (
                last.city,
                last.code,
                last.period_end,
                last.period_start,
                last.area,
                last.breakdown,
            )

    async def hide(self, values: Sequence[Kept]) -> list[Told]:
        """The values, without the numbers of cells that could point at somebody."""
        tables = {
            (v.city, v.code, v.period_start, v.period_end, bool(v.breakdown))
            for v in values
            if (v.area or v.breakdown) and self._is_of_people(v)
        }
        hidden: set[int] = set()
        if tables:
            async with self._db.acquire() as conn:
                cells = await list_cells(conn, sorted(tables))
            hidden = self._hidden_among(cells)
        return [Told(_blank(v), True) if v.id in hidden else Told(v) for v in values]

    def _is_of_people(self, value: Kept) -> bool:
        definition = self.library.definitions.get(value.code)
        personal = value.breakdown.partition("=")[0] in PERSONAL
        return personal or (definition is not None and definition.people)

    def _hidden_among(self, cells: Iterable[Cell]) -> set[int]:
        """Small cells of each table: districts under the city, and each dimension by itself."""
        sums: dict[tuple[int, str, str], dict[int, tuple[float, float]]] = {}
        for one in cells:
            dimension = one.breakdown.partition("=")[0]
            # districts of one breakdown sum to the city's; values of a dimension to the whole
            keys = [("area", one.breakdown)] if one.area else []
            keys += [(dimension, one.area)] if dimension else []
            for key in keys:
                counts = (one.numerator or 0.0, one.denominator or 0.0)
                sums.setdefault((one.table, *key), {})[one.id] = counts
        found: set[int] = set()
        for parts in sums.values():
            found |= hidden_cells(parts, self.below)
        return found

    # --- answers ----------------------------------------------------------------------------

    async def replies(
        self, definitions: Sequence[Definition], year: int, drafts: bool, city: str | None = None
    ) -> list[Reply]:
        """An answer to each definition from the values of a year: one query for all."""
        newest = await self._newest(year, drafts, city)
        return [self._reply(definition, newest) for definition in definitions]

    async def _newest(self, year: int, drafts: bool, city: str | None) -> Mapping[str, Kept]:
        async with self._db.acquire() as conn:
            found = await kept.list_newest(
                conn, city or self._city.code, date(year + 1, 1, 1), date(year, 1, 1), drafts
            )
        return {v.code: v for v in found}

    def _reply(self, definition: Definition, newest: Mapping[str, Kept]) -> Reply:
        own = newest.get(definition.code)
        if own is not None and own.value is not None:
            return Reply(definition, own.value, definition, own)
        others = [d for d in self.library.of_measure(definition.measure) if d is not definition]
        others.sort(key=lambda d: d.relation == "near")
        for other in others:
            found = newest.get(other.code)
            if found is not None and found.value is not None:
                value = found.value / other.from_measure * definition.from_measure
                near = "near" in (definition.relation, other.relation)
                return Reply(definition, value, other, found, near)
        fallback = own or next((newest[d.code] for d in others if d.code in newest), None)
        return Reply(definition, kept=fallback)

    # --- scorecard --------------------------------------------------------------------------

    async def scorecard(
        self, frame: str, year: int, drafts: bool
    ) -> list[tuple[Place, list[Line]]]:
        """Each place of a frame with its indicators: one line a measure. Raises `FrameUnknown`."""
        places = self.library.of_frame(frame)
        now, before, targets = await self._years(year, drafts)
        cards = []
        for place in places:
            lines, told = [], set()
            for definition in self.library.at_place(frame, place.code):
                first = self.library.of_measure(definition.measure)[0]
                if first.measure not in told:
                    told.add(first.measure)
                    lines.append(self._line(first, now, before, targets, year))
            cards.append((place, lines))
        return cards

    async def lines(self, definitions: Sequence[Definition], year: int, drafts: bool) -> list[Line]:
        """The lines of a set: each definition by itself, its answer over the crosswalk too."""
        now, before, targets = await self._years(year, drafts)
        return [self._line(definition, now, before, targets, year) for definition in definitions]

    async def _years(
        self, year: int, drafts: bool
    ) -> tuple[Mapping[str, Kept], Mapping[str, Kept], Mapping[str, Target]]:
        now = await self._newest(year, drafts, None)
        before = await self._newest(year - 1, drafts, None)
        async with self._db.acquire() as conn:
            targets = await kept.list_targets(conn, self._city.code)
        return now, before, {t.code: t for t in targets if not t.area}

    def _line(
        self,
        definition: Definition,
        now: Mapping[str, Kept],
        before: Mapping[str, Kept],
        targets: Mapping[str, Target],
        year: int,
    ) -> Line:
        reply = self._reply(definition, now)
        earlier = self._reply(definition, before).value
        change = None if reply.value is None or earlier is None else reply.value - earlier
        better = None
        if change and definition.direction in ("up", "down"):
            better = (change > 0) == (definition.direction == "up")
        target = targets.get(definition.code)
        on = reply.kept.at.date() if reply.kept else date(year, 12, 31)
        standing = None if target is None else progress(target, reply.value, on)
        return Line(reply, earlier, change, better, target, standing)

    async def targets(
        self, code: str | None, today: date, drafts: bool
    ) -> list[tuple[Target, Progress, float | None]]:
        """The targets that hold, with where the newest value of the last two years stands."""
        async with self._db.acquire() as conn:
            targets = await kept.list_targets(conn, self._city.code, code)
        newest = {
            **await self._newest(today.year - 1, drafts, None),
            **await self._newest(today.year, drafts, None),
        }
        found = []
        for target in targets:
            value = None
            if not target.area and target.code in self.library.definitions:
                value = self._reply(self.library.get(target.code), newest).value
            elif target.area:
                value = await self._value_of_area(target, today, drafts)
            found.append((target, progress(target, value, today), value))
        return found

    async def _value_of_area(self, target: Target, today: date, drafts: bool) -> float | None:
        values = await self.list_values(
            Wanted(
                city=self._city.code,
                codes=[target.code],
                area=target.area,
                start=date(today.year - 1, 1, 1),
                drafts=drafts,
            )
        )
        return values[-1].kept.value if values else None

    # --- cities -----------------------------------------------------------------------------

    async def list_whole(
        self,
        cities: Sequence[str],
        codes: Sequence[str] | None,
        start: date,
        end: date,
        of_each_max: int,
    ) -> list[Whole]:
        """What is answered for whole cities, in no order: none of it is a small cell."""
        async with self._db.acquire() as conn:
            return await kept.list_whole(conn, cities, codes, start, end, of_each_max)

    async def compare(
        self, code: str, cities: Sequence[str], start: date, end: date, drafts: bool
    ) -> Mapping[str, list[Kept]]:
        """One definition in several cities over time. Raises `CitiesTooMany`."""
        self.library.get(code)
        if len(cities) > CITIES_MAX:
            raise errors.CitiesTooMany(limit=CITIES_MAX)
        async with self._db.acquire() as conn:
            found = await kept.list_across(conn, code, cities, start, end, drafts)
        by_city: dict[str, list[Kept]] = {city: [] for city in cities}
        for value in found:
            by_city[value.city].append(value)
        return by_city


def _blank(value: Kept) -> Kept:
    return replace(value, value=None, numerator=None, denominator=None, recount=None, note=None)
