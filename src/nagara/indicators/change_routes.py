"""What changed between two periods, and what made it so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery
from msgspec import Struct

from nagara.guard.language import language_of
from nagara.guard.permission import allow
from nagara.indicators import shapes
from nagara.indicators.errors import PeriodInvalid
from nagara.indicators.measures import Period
from nagara.indicators.model import Value
from nagara.indicators.routes import API, Asked
from nagara.indicators.service import Answer, Indicators
from nagara.values.time import format_instant

DAYS_MAX = 366
#: Spans that the screen offers: counted again by themselves.
SPANS_DAYS = (1, 7, 30)
#: Wall seconds for which a count of another span is told again; three times as long where counting
#: goes on by itself, so that a slow count is waited for by nobody.
KEPT_S = 300.0
OTHER_SPANS_MAX = 8
#: Districts that are named: those that did most of it.
DISTRICTS_TOLD = 5
#: A sum of districts that misses the whole by more than this is none: a median, a mean of means.
SUM_TOLERANCE = 1e-6


class Cause(Struct, frozen=True):
    """A change taken apart; the two parts add up to it. `districts` is empty where they do not."""

    numerator: float
    denominator: float
    districts: tuple[tuple[str, float], ...] = ()


def cause_of(factor: float, before: Answer, now: Answer) -> Cause | None:
    """How much of a change came from what stands above the line and from what stands below.

    The change of one is taken at the mean of the other, so that the parts are exact and do not
    depend on an order. A district did `factor × (n₁ ÷ D₁ - n₀ ÷ D₀)`: these add up as well. None
    where either value is missing.
    """
    old, new = before.value, now.value
    if (
        old.value is None
        or new.value is None
        or not old.denominator
        or not new.denominator
        or old.numerator is None
        or new.numerator is None
    ):
        return None
    above = (
        (new.numerator - old.numerator) * (1 / old.denominator + 1 / new.denominator) / 2 * factor
    )
    below = (
        (1 / new.denominator - 1 / old.denominator) * (old.numerator + new.numerator) / 2 * factor
    )
    return Cause(above, below, _districts(factor, before, now))


def _districts(factor: float, before: Answer, now: Answer) -> tuple[tuple[str, float], ...]:
    old, new = _numerators(before), _numerators(now)
    for answer, parts in ((before, old), (now, new)):
        whole = answer.value.numerator or 0.0
        if abs(sum(parts.values()) - whole) > SUM_TOLERANCE * max(1.0, abs(whole)):
            return ()
    bottoms = before.value.denominator or 1.0, now.value.denominator or 1.0
    moved = [
        (
            district,
            factor * (new.get(district, 0.0) / bottoms[1] - old.get(district, 0.0) / bottoms[0]),
        )
        for district in old.keys() | new.keys()
        if district is not None
    ]
    moved = [one for one in moved if one[1]]
    moved.sort(key=lambda one: (-abs(one[1]), one[0]))
    return tuple(moved[:DISTRICTS_TOLD])


def _numerators(answer: Answer) -> Mapping[str | None, float]:
    return {district: value.numerator or 0.0 for district, value in answer.rows}


class Changed(Struct, frozen=True):
    """All formulas in the last days and in as many before them, as of a time."""

    as_of: datetime
    span: timedelta
    answers: Sequence[Answer]  # of each formula that of before, then that of now
    counted_s: float  # on the clock of the machine


class Changing:
    """What changed, as it was last counted: a count looks at every case of its days, which grows
    with the city, and a screen does not wait for it."""

    def __init__(self, indicators: Indicators) -> None:
        self._indicators = indicators
        self._kept: dict[int, Changed] = {}
        self._counting = asyncio.Lock()

    async def ask(self, days: int) -> Changed:
        """The last count of the spans that are counted again by themselves; of any other span, or
        of one that nothing counts again any more, a count of the last minutes."""
        found = self._fresh(days)
        if found is None:
            async with self._counting:  # who asks at the same time waits for the same count
                found = self._fresh(days) or await self._count(days)
        return found

    async def count_again(self) -> None:
        """Count the spans of the screen again."""
        for days in SPANS_DAYS:
            async with self._counting:
                await self._count(days)

    def _fresh(self, days: int) -> Changed | None:
        found = self._kept.get(days)
        keep_s = KEPT_S * (3 if days in SPANS_DAYS else 1)
        return found if found and time.monotonic() - found.counted_s < keep_s else None

    async def _count(self, days: int) -> Changed:
        await self._indicators.add_up_days()
        now, span = self._indicators.now(), timedelta(days=days)
        periods = [Period(now - 2 * span, now - span), Period(now - span, now)]
        answers = await self._indicators.count(list(self._indicators.formulas.values()), periods)
        made = Changed(now, span, answers, time.monotonic())
        self._kept[days] = made
        for other in [d for d in self._kept if d not in SPANS_DAYS][:-OTHER_SPANS_MAX]:
            del self._kept[other]
        return made


def change_routes(changing: Changing) -> list[HTTPRouteHandler]:
    """What the city counts by itself, in the last days and in as many before them."""

    @get(f"{API}/changes", opt=allow("indicator:read"))
    async def changes(request: Asked, days: FromQuery[int] = 7) -> dict[str, Any]:
        """Each formula over the last `days` and over those before, with what made the change, as it
        was last counted: `asOf` says when."""
        if not 1 <= days <= DAYS_MAX:
            raise PeriodInvalid(start=f"days={days}", end="")
        found = await changing.ask(days)
        now, span, answers = found.as_of, found.span, found.answers
        language = language_of(request)
        return {
            "asOf": format_instant(now),
            "from": format_instant(now - span),
            "before": format_instant(now - 2 * span),
            "items": [
                _item(before, after, language)
                for before, after in zip(answers[::2], answers[1::2], strict=True)
            ],
            "next": None,
        }

    return [changes]


def _item(before: Answer, now: Answer, language: str) -> dict[str, Any]:
    formula = now.formula
    old, new = before.value.value, now.value.value
    change = None if old is None or new is None else new - old
    better = None
    if change and formula.direction in ("up", "down"):
        better = (change > 0) == (formula.direction == "up")
    cause = cause_of(formula.factor, before, now)
    told = None
    if cause is not None and change:
        told = {
            "numerator": cause.numerator,
            "denominator": cause.denominator,
            # of people only the whole city: a district could be a small cell
            "districts": []
            if formula.people
            else [{"district": code, "part": part} for code, part in cause.districts],
        }
    return {
        "code": formula.code,
        "name": formula.name,
        "unit": formula.unit,
        "direction": formula.direction,
        "now": _side(now.value, language, formula.caveat),
        "before": _side(before.value, language, formula.caveat),
        "change": change,
        "better": better,
        "cause": told,
    }


def _side(value: Value, language: str, caveat: Any) -> dict[str, Any]:
    return {
        "value": value.value,
        "numerator": value.numerator,
        "denominator": value.denominator,
        "quality": value.quality,
        "missing": shapes.missing_of(value, language, caveat),
    }
