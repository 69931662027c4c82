"""What the room does by itself: keeps facts, counts, writes Indicators that changed."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct

from nagara.city.model import City
from nagara.context import Change, Context, Entity, Op, Query, Upsert
from nagara.context.model import default_instance
from nagara.engines.database import Database
from nagara.guard.identity import system
from nagara.indicators import alert_facts, case_facts, day_facts
from nagara.indicators.counting import Counting, Tallies
from nagara.indicators.errors import IndicatorUnknown
from nagara.indicators.measures import CaseSet, Period, Set, read_set
from nagara.indicators.model import (
    Fact,
    Missing,
    Value,
    fold,
    fold_alert,
    unknown_set,
    values_of,
)
from nagara.pack import Formula
from nagara.values.ids import given_pattern, is_given, urn
from nagara.values.time import format_instant
from nagara.vocab import alert, case
from nagara.vocab import indicator as noun
from nagara.vocab.attribute import Attrs, property_of, text_of

SYSTEM = system("indicators")
#: UN/CEFACT codes of the signs that formulas use.
_UNIT_CODES = {"%": "P1", "": "C62"}
#: A value that is asked for without a period speaks of the year behind: seasons are in it.
HEADLINE = timedelta(days=365)
#: Wall seconds after which everything is counted again though nothing was heard: values that time
#: alone changes (a case falls due) are at most this late.
RECOUNT_S = 60.0


class Answer(Struct, frozen=True):
    """A value of the whole city with those of its districts."""

    formula: Formula
    as_of: datetime
    period: Period
    value: Value
    rows: tuple[tuple[str | None, Value], ...]


class Indicators:
    """The room's use cases around formulas.

    `by_district`: codes of which each district has an Indicator too, because a map colours it.
    """

    def __init__(
        self,
        context: Context,
        db: Database,
        city: City,
        formulas: Sequence[Formula],
        counting: Counting,
        by_district: Collection[str] = ("cases-in-time",),
        observed: Collection[str] = (),
    ) -> None:
        self._context = context
        self._db = db
        self._city = city
        self._counting = counting
        self._by_district = frozenset(by_district)
        self._measured = frozenset(observed)  # attributes whose days are added up
        self.formulas: Mapping[str, Formula] = {f.code: f for f in formulas}
        self._written: dict[str, tuple[Any, ...]] | None = None
        self._heard = True
        self._adding = asyncio.Lock()
        self._counting_first = asyncio.Lock()  # many who ask a city just started count it once
        self._counted_s = -math.inf
        self._latest: dict[str, Answer] = {}

    @property
    def city(self) -> City:
        """The city that is counted."""
        return self._city

    @property
    def zone(self) -> ZoneInfo:
        """In which days begin and end."""
        return self._counting.zone

    @property
    def counting(self) -> Counting:
        """What counts."""
        return self._counting

    def now(self) -> datetime:
        """The city's time."""
        return self._context.clock.now()

    def get(self, code: str) -> Formula:
        """The formula of a code. Raises `IndicatorUnknown`."""
        found = self.formulas.get(code)
        if found is None:
            raise IndicatorUnknown(code=code[:80], known=", ".join(sorted(self.formulas)))
        return found

    # --- facts ------------------------------------------------------------------------------

    async def hear(self, changes: Sequence[Change]) -> None:
        """Keep the facts of cases. Heard twice, nothing changes."""
        mine = self._own(changes, case.TYPE)
        if not mine:
            return
        async with self._db.acquire() as conn, conn.transaction():
            known = await case_facts.load(conn, [c.id for c in mine])
            for change in mine:
                known[change.id] = fold(known[change.id], change)
            await case_facts.save(conn, list(known.values()))
        self._heard = True

    async def hear_alerts(self, changes: Sequence[Change]) -> None:
        """Keep the facts of alerts. Heard twice, nothing changes."""
        mine = self._own(changes, alert.TYPE)
        if not mine:
            return
        async with self._db.acquire() as conn, conn.transaction():
            known = await alert_facts.load(conn, [c.id for c in mine])
            for change in mine:
                known[change.id] = fold_alert(known[change.id], change)
            await alert_facts.save(conn, list(known.values()))
        self._heard = True

    def _own(self, changes: Sequence[Change], entity_type: str) -> list[Change]:
        """What changed of entities that a room of the city keeps."""
        return [
            c
            for c in changes
            if not c.tenant
            and c.op not in ("delete", "temporal")
            and is_given(c.id, entity_type, self._city.code)
        ]

    async def hear_readings(self, changes: Sequence[Change]) -> None:
        """Note the days of which readings came. Heard twice, a day is counted twice."""
        zone = self._counting.zone
        keys = {
            (change.id, name, change.at.astimezone(zone).date(), change.types[0])
            for change in changes
            if not change.tenant and change.op != "delete"
            for name in self._measured.intersection(change.attrs)
            if default_instance(change.attrs[name]) is not None
        }
        if keys:
            async with self._db.acquire() as conn:
                await day_facts.mark(conn, keys)
            self._heard = True

    async def add_up_days(self) -> int:
        """Count the days anew that heard something; how many. One at a time: whoever comes second
        would find nothing noted, and count without the days that the first is still at."""
        counted = 0
        async with self._adding:
            while True:
                async with self._db.acquire() as conn, conn.transaction():
                    keys = await day_facts.take_dirty(conn)
                    if not keys:
                        return counted
                    districts = await self._districts_of({entity for entity, _, _, _ in keys})
                    await day_facts.recount(conn, keys, str(self._counting.zone), districts)
                counted += len(keys)

    async def _districts_of(self, ids: Collection[str]) -> dict[str, str | None]:
        found: dict[str, str | None] = {}
        for entity_id in ids:
            entity = await self._context.find(entity_id)
            found[entity_id] = self._counting.district_of(entity) if entity else None
        return found

    # --- answers ----------------------------------------------------------------------------

    def headline(self, now: datetime) -> Period:
        """The period of a value that is asked for without one."""
        return Period(now - HEADLINE, None)

    async def answer(self, code: str, period: Period) -> Answer:
        """The value now, by district too. Raises `IndicatorUnknown`."""
        await self.add_up_days()
        formula = self.get(code)
        (answer,) = await self.count([formula], [period])
        return answer

    async def list_latest(self) -> list[Answer]:
        """All formulas as they were last counted, a minute or two ago at most."""
        if not self._latest:
            async with self._counting_first:
                if not self._latest:
                    await self.add_up_days()
                    await self._recount()
        return list(self._latest.values())

    async def latest(self, code: str) -> Answer:
        """A formula as it was last counted over the year behind. Raises `IndicatorUnknown`."""
        self.get(code)
        return next(one for one in await self.list_latest() if one.formula.code == code)

    async def count(self, formulas: Sequence[Formula], periods: Sequence[Period]) -> list[Answer]:
        """Each formula in each period: all periods of the first, then of the next."""
        now = self._context.clock.now()
        asked = [period if period != Period() else self.headline(now) for period in periods]
        wanted: set[Set] = set()
        for formula in formulas:
            wanted |= {one for one in _sets_of(formula) if one is not None}
        tallies = await self._counting.count(wanted, now, asked)
        incomplete: list[Mapping[Missing, int]] = [{} for _ in asked]
        if any(isinstance(one, CaseSet) for one in wanted):
            async with self._db.acquire() as conn:
                incomplete = [await case_facts.count_incomplete(conn, p) for p in asked]
        answers = []
        for formula in formulas:
            await asyncio.sleep(0)  # a year of every district is a tenth of a second: others wait
            for i, period in enumerate(asked):
                answers.append(self._answer(formula, i, period, now, tallies, incomplete[i]))
        return answers

    def _answer(
        self,
        formula: Formula,
        i: int,
        period: Period,
        now: datetime,
        tallies: Tallies,
        incomplete: Mapping[Missing, int],
    ) -> Answer:
        top, bottom = _sets_of(formula)
        if top is None or bottom is None:
            return Answer(formula, now, period, unknown_set(), ())
        lacking = _lacking(top, bottom, incomplete)
        whole, rows = values_of(formula, tallies[top, i], tallies[bottom, i], lacking)
        empty = Value(None, 0, 0, "missing", (("nothing-counted", 0),))
        told: list[tuple[str | None, Value]] = [
            (d.code, rows.get(d.code, empty)) for d in self._city.districts
        ]
        if None in rows:
            told.append((None, rows[None]))
        return Answer(formula, now, period, whole, tuple(told))

    async def list_counted(
        self,
        code: str,
        which: str,
        period: Period,
        district: str | None,
        after: str | None,
        limit: int,
        departments: Sequence[str] | None = None,
    ) -> list[Fact]:
        """The cases behind a number, of these departments (None: of all); none for an indicator
        that is not counted from cases."""
        formula = self.get(code)
        wanted = read_set(formula.numerator if which == "numerator" else formula.denominator)
        if not isinstance(wanted, CaseSet):
            return []
        now = self._context.clock.now()
        if period == Period():
            period = self.headline(now)
        word = "resolved_then" if wanted.count == "resolved_per_day" else wanted.count
        async with self._db.acquire() as conn:
            return await case_facts.list_counted(
                conn, word, now, period, district, after, limit, departments
            )

    # --- Indicators -------------------------------------------------------------------------

    async def refresh(self) -> int:
        """Write the Indicators whose value changed; how many."""
        await self.add_up_days()
        if not self._heard and time.monotonic() - self._counted_s < RECOUNT_S:
            return 0
        self._heard = False
        await self._recount()
        if self._written is None:
            entities = await self._context.query_all(
                Query(types=(noun.TYPE,), id_pattern=given_pattern(noun.TYPE, self._city.code))
            )
            self._written = {e.id: _told(e) for e in entities}
        ops: list[Op] = []
        for answer in self._latest.values():
            rows: list[tuple[str | None, Value]] = [(None, answer.value)]
            if answer.formula.code in self._by_district:
                # a district without anything to count is no row of its own: absent, not zero
                rows += [(d, v) for d, v in answer.rows if d is not None and v.denominator]
            for district, value in rows:
                entity = self._entity(answer, district, value)
                if self._written.get(entity.id) != _told(entity):
                    ops.append(Upsert(entity))
        if ops:
            await self._context.write(*ops, actor=SYSTEM.name_for_audit)
            for op in ops:
                if isinstance(op, Upsert):
                    self._written[op.entity.id] = _told(op.entity)
        return len(ops)

    async def _recount(self) -> None:
        self._counted_s = time.monotonic()
        answers = await self.count(list(self.formulas.values()), [Period()])
        self._latest = {answer.formula.code: answer for answer in answers}

    def _entity(self, answer: Answer, district: str | None, value: Value) -> Entity:
        formula = answer.formula
        local = formula.code if district is None else f"{formula.code}-{district}"
        attrs: Attrs = {
            noun.CODE: property_of(formula.code),
            noun.NAME: text_of(formula.name),
            noun.FORMULA: property_of(said(formula)),
            noun.UNIT: property_of(formula.unit),
            noun.AS_OF: property_of(answer.as_of),
            noun.QUALITY: property_of(value.quality),
        }
        # Of people in a district the entity tells no number: which cells are small is a matter of
        # the whole table, and the indicators' own API hides them (suppression.py).
        told = district is None or not formula.people
        for name, number in (
            (noun.NUMERATOR, value.numerator),
            (noun.DENOMINATOR, value.denominator),
        ):
            if number is not None and told:
                attrs[name] = property_of(number)
        if value.value is not None and told:
            attrs[noun.VALUE] = property_of(value.value) | {
                "unitCode": unit_code_of(formula),
                "observedAt": format_instant(answer.as_of),
            }
        if not told:
            attrs[noun.MISSING] = property_of(["small-cell"])
        elif value.missing:
            attrs[noun.MISSING] = property_of([why for why, _ in value.missing])
        if district is not None:
            attrs[noun.DISTRICT] = property_of(district)
        return Entity(urn(noun.TYPE, self._city.code, local), (noun.TYPE,), attrs)


def said(formula: Formula) -> str:
    """The formula as it is written down: what over what."""
    factor = "" if formula.factor == 1 else f"{formula.factor:g} × "
    return f"{factor}{formula.numerator} / {formula.denominator}"


def unit_code_of(formula: Formula) -> str:
    """The UN/CEFACT code of a formula's unit, or its sign where there is none."""
    return formula.unit_code or _UNIT_CODES.get(formula.unit, formula.unit)


def _sets_of(formula: Formula) -> tuple[Set | None, Set | None]:
    return read_set(formula.numerator), read_set(formula.denominator)


def _lacking(top: Set, bottom: Set, incomplete: Mapping[Missing, int]) -> Mapping[Missing, int]:
    """What of the cases' gaps concerns a formula: a due time only where one is counted."""
    sets = [one for one in (top, bottom) if isinstance(one, CaseSet)]
    if not sets:
        return {}
    counts = {one.count for one in sets}
    due = counts & {"resolved_in_time", "resolved_or_overdue", "overdue", "resolved_late"}
    return {why: count for why, count in incomplete.items() if why != "without-due-time" or due}


def _told(entity: Entity) -> tuple[Any, ...]:
    """What makes an Indicator worth writing again: all but its time, and the last digits."""
    names = (noun.QUALITY, noun.MISSING, noun.FORMULA)
    numbers = (noun.VALUE, noun.NUMERATOR, noun.DENOMINATOR)
    rounded = tuple(_rounded(entity.value(name)) for name in numbers)
    return (*rounded, *(str(entity.value(name)) for name in names))


def _rounded(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, int | float) else str(value)
