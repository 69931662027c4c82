"""What changed between two periods, and what made it so."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
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


def change_routes(indicators: Indicators) -> list[HTTPRouteHandler]:
    """What the city counts by itself, in the last days and in as many before them."""

    @get(f"{API}/changes", opt=allow("indicator:read"))
    async def changes(request: Asked, days: FromQuery[int] = 7) -> dict[str, Any]:
        """Each formula over the last `days` and over those before, with what made the change."""
        if not 1 <= days <= DAYS_MAX:
            raise PeriodInvalid(start=f"days={days}", end="")
        await indicators.add_up_days()
        now, span = indicators.now(), timedelta(days=days)
        periods = [Period(now - 2 * span, now - span), Period(now - span, now)]
        answers = await indicators.count(list(indicators.formulas.values()), periods)
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
