"""Values that the city counts: made for each month and year, and kept with what they rest on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date, datetime

from msgspec import Struct

from nagara.engines.database import Database
from nagara.indicators import kept
from nagara.indicators.definitions import Library
from nagara.indicators.kept import Kept
from nagara.indicators.measures import (
    AlertSet,
    CaseSet,
    DaySet,
    GroundSet,
    PeopleSet,
    ReadingSet,
    Set,
    read_set,
)
from nagara.indicators.model import Value
from nagara.indicators.periods import Span, instants_of, month_of, months_between, year_of
from nagara.indicators.service import SYSTEM, Answer, Indicators, said
from nagara.pack import Formula
from nagara.values.time import format_instant

#: Wall seconds between two countings of the running month and year into the register.
STORE_EVERY_S = 300.0
#: Months counted at once: five years. A longer history is asked for in parts.
MONTHS_MAX = 60
#: Values of one statement: some tens of milliseconds, in which nobody else is answered.
KEEP_AT_ONCE = 1_000


class Counted(Struct, frozen=True):
    """What a counting did."""

    formulas: int
    periods: int
    values: int


class Computing:
    """Counts the formulas of the packs into the register of values."""

    def __init__(self, indicators: Indicators, library: Library, db: Database) -> None:
        self._indicators = indicators
        self._library = library
        self._db = db

    async def compute_running(self, now: datetime) -> Counted:
        """The month and the year that run."""
        today = now.astimezone(self._indicators.zone).date()
        return await self.compute((), today, today)

    async def compute(self, codes: Sequence[str], start: date, end: date) -> Counted:
        """The months that touch [start, end] and their years, of these formulas (none: of all).

        What stands as it is now, such as the distance to a hospital, is counted for the running
        year alone: nobody knows how it stood before. Raises `IndicatorUnknown`.
        """
        indicators = self._indicators
        await indicators.add_up_days()
        formulas = [indicators.get(c) for c in codes] or list(indicators.formulas.values())
        months = months_between(start, max(end, month_of(start)[1]))[-MONTHS_MAX:]
        years = sorted({year_of(span[0]) for span in months})
        running = year_of(indicators.now().astimezone(indicators.zone).date())
        flowing = [f for f in formulas if is_flow(f)]
        still = [f for f in formulas if not is_flow(f)]
        count = await self._count(flowing, [*months, *years])
        if running in years:
            count += await self._count(still, [running])
        return Counted(len(formulas), len(months) + len(years), count)

    async def _count(self, formulas: Sequence[Formula], spans: Sequence[Span]) -> int:
        if not formulas or not spans:
            return 0
        indicators = self._indicators
        periods = [instants_of(span, indicators.zone) for span in spans]
        answers = await indicators.count(formulas, periods)
        made: list[Kept] = []
        for n, answer in enumerate(answers):
            made += self._values(answer, spans[n % len(spans)])
            if n % len(spans) == 0:
                await asyncio.sleep(0)  # who asks for something else does not wait for all of them
        async with self._db.acquire() as conn, conn.transaction():
            for first in range(0, len(made), KEEP_AT_ONCE):
                await kept.count_in(conn, made[first : first + KEEP_AT_ONCE])
        return len(made)

    def _values(self, answer: Answer, span: Span) -> list[Kept]:
        found = [self._kept(answer, span, "", answer.value)]
        return found + [
            self._kept(answer, span, district, value)
            for district, value in answer.rows
            if district is not None and value.value is not None
        ]

    def _kept(self, answer: Answer, span: Span, area: str, value: Value) -> Kept:
        formula = answer.formula
        return Kept(
            city=self._indicators.city.code,
            code=formula.code,
            period_start=span[0],
            period_end=span[1],
            area=area,
            breakdown="",
            value=value.value,
            numerator=value.numerator,
            denominator=value.denominator,
            unit=self._library.get(formula.code).kept_unit,
            quality=value.quality,
            method="computed",
            formula_version=formula.version,
            author=SYSTEM.name_for_audit,
            at=answer.as_of,
            missing=[[why, count] for why, count in value.missing] or None,
            inputs={"formula": said(formula), "asOf": format_instant(answer.as_of)},
        )


def is_flow(formula: Formula) -> bool:
    """Whether a formula speaks of a period: then a past one can be counted too."""
    sets = (read_set(formula.numerator), read_set(formula.denominator))
    return any(_flows(one) for one in sets) and all(_flows(one) or _fixed(one) for one in sets)


def _flows(one: Set | None) -> bool:
    if isinstance(one, CaseSet | AlertSet | DaySet | ReadingSet):
        return True
    if isinstance(one, PeopleSet):
        return one.what in ("weighted", "measured", "above")
    return one == GroundSet("districts.with_reports")


def _fixed(one: Set | None) -> bool:
    """What may stand below a flow: residents, area, one."""
    return one == PeopleSet("all") or isinstance(one, GroundSet)
