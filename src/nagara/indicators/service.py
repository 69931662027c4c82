"""What the room does: keeps facts, answers for values, writes Indicators that changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from nagara.city.model import City
from nagara.context import Change, Context, Entity, Op, Query, Upsert
from nagara.engines.database import Database
from nagara.guard.identity import system
from nagara.indicators import facts
from nagara.indicators.counting import Counting
from nagara.indicators.errors import IndicatorUnknown
from nagara.indicators.facts import Period
from nagara.indicators.model import (
    CaseSet,
    Count,
    Fact,
    Value,
    fold,
    read_set,
    unknown_set,
    value_of,
)
from nagara.pack import Formula
from nagara.values.ids import urn
from nagara.values.time import format_instant
from nagara.vocab import indicator as noun
from nagara.vocab.attribute import Attrs, property_of, text_of

SYSTEM = system("indicators")
#: UN/CEFACT codes of the signs that formulas use.
_UNIT_CODES = {"%": "P1", "": "C62"}


class Answer(Struct, frozen=True):
    """A value of the whole city with those of its districts."""

    formula: Formula
    as_of: datetime
    value: Value
    rows: tuple[tuple[str | None, Value], ...]


class Indicators:
    """The room's use cases."""

    def __init__(
        self,
        context: Context,
        db: Database,
        city: City,
        formulas: Sequence[Formula],
        counting: Counting,
    ) -> None:
        self._context = context
        self._db = db
        self._city = city
        self._counting = counting
        self.formulas: Mapping[str, Formula] = {f.code: f for f in formulas}
        self._written: dict[str, tuple[Any, ...]] | None = None

    def get(self, code: str) -> Formula:
        """The formula of a code. Raises `IndicatorUnknown`."""
        found = self.formulas.get(code)
        if found is None:
            raise IndicatorUnknown(code=code[:80], known=", ".join(sorted(self.formulas)))
        return found

    async def hear(self, changes: Sequence[Change]) -> None:
        """Keep the facts of cases. Heard twice, nothing changes."""
        mine = [c for c in changes if not c.tenant and c.op not in ("delete", "temporal")]
        if not mine:
            return
        async with self._db.acquire() as conn, conn.transaction():
            known = await facts.load(conn, [c.id for c in mine])
            for change in mine:
                known[change.id] = fold(known[change.id], change)
            await facts.save(conn, list(known.values()))

    async def answer(self, code: str, period: Period) -> Answer:
        """The value now, by district too. Raises `IndicatorUnknown`."""
        formula = self.get(code)
        now = self._context.clock.now()
        counted = await self._counting.count(formula, now, period)
        if counted is None:
            return Answer(formula, now, unknown_set(), ())
        counts, incomplete = counted
        by_code = {count.district: count for count in counts}
        rows: list[tuple[str | None, Value]] = [
            (d.code, value_of(formula, [by_code.get(d.code, Count(d.code, 0, 0))], {}))
            for d in self._city.districts
        ]
        if None in by_code:
            rows.append((None, value_of(formula, [by_code[None]], {})))
        return Answer(formula, now, value_of(formula, counts, incomplete), tuple(rows))

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
        async with self._db.acquire() as conn:
            return await facts.list_counted(
                conn, wanted.count, now, period, district, after, limit, departments
            )

    async def refresh(self) -> int:
        """Write the Indicators whose value changed; how many."""
        if self._written is None:
            entities = await self._context.query_all(Query(types=(noun.TYPE,)))
            self._written = {e.id: _told(e) for e in entities}
        ops: list[Op] = []
        for code in self.formulas:
            answer = await self.answer(code, Period())
            rows: list[tuple[str | None, Value]] = [(None, answer.value)]
            # a district without anything to count is no row of its own: it is absent, not zero
            rows += [(d, v) for d, v in answer.rows if d is not None and v.denominator > 0]
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

    def _entity(self, answer: Answer, district: str | None, value: Value) -> Entity:
        formula = answer.formula
        local = formula.code if district is None else f"{formula.code}-{district}"
        attrs: Attrs = {
            noun.CODE: property_of(formula.code),
            noun.NAME: text_of(formula.name),
            noun.NUMERATOR: property_of(value.numerator),
            noun.DENOMINATOR: property_of(value.denominator),
            noun.FORMULA: property_of(said(formula)),
            noun.UNIT: property_of(formula.unit),
            noun.AS_OF: property_of(answer.as_of),
            noun.QUALITY: property_of(value.quality),
        }
        if value.value is not None:
            attrs[noun.VALUE] = property_of(value.value) | {
                "unitCode": _UNIT_CODES.get(formula.unit, formula.unit),
                "observedAt": format_instant(answer.as_of),
            }
        if value.missing:
            attrs[noun.MISSING] = property_of([why for why, _ in value.missing])
        if district is not None:
            attrs[noun.DISTRICT] = property_of(district)
        return Entity(urn(noun.TYPE, self._city.code, local), (noun.TYPE,), attrs)


def said(formula: Formula) -> str:
    """The formula as it is written down: what over what."""
    factor = "" if formula.factor == 1 else f"{formula.factor:g} × "
    return f"{factor}{formula.numerator} / {formula.denominator}"


def _told(entity: Entity) -> tuple[Any, ...]:
    """What makes an Indicator worth writing again: all but its time."""
    names = (noun.VALUE, noun.NUMERATOR, noun.DENOMINATOR, noun.QUALITY, noun.MISSING, noun.FORMULA)
    return tuple(str(entity.value(name)) for name in names)
