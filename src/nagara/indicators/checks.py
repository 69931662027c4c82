"""Whether a value can be right, as ITU's verification asks: pure.

An *error* keeps a value from being checked; a *warning* asks for a word from whoever checks it.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Literal

from msgspec import Struct

from nagara.indicators.definitions import Definition
from nagara.values.units import UNITS, UnitMismatch, convert, get_unit

#: Populations of one city in one year agree within this share (ITU's verification of U4SSC).
POPULATION_SHARE = 0.05
#: Shares that make a whole sum to 100 within so many points (ITU's verification of U4SSC).
SUM_POINTS = 2.0
#: Values needed before a value is called unlike them: below, "usual" means little.
PAST_MIN, PEERS_MIN = 5, 8
#: Distance from the median in units of the usual spread: 3.5 is the customary limit for one's own
#: past (Iglewicz and Hoaglin); other cities differ for many reasons, so their limit is wider.
PAST_SCORE, PEERS_SCORE = 3.5, 6.0
#: Micrograms per cubic metre for each part per million, as ITU's verification has them.
PPM_UG_M3 = {"no2": 1900.0, "so2": 2620.0, "o3": 1960.0}


class Finding(Struct, frozen=True):
    """What a check found. The words of `code` are in `words/<language>.json`."""

    code: str
    severity: Literal["error", "warning"]
    params: Mapping[str, str | float] = {}


class Beside(Struct, frozen=True):
    """What a value is looked at beside: the same definition, city, period and area.

    `series`: other breakdowns by name; `others`: values of other definitions by code;
    `population`: what the city says it has; `past`: the city's own earlier values, oldest first;
    `peers`: other cities' values of the same period.
    """

    series: Mapping[str, float] = {}
    others: Mapping[str, float] = {}
    population: float | None = None
    past: Sequence[float] = ()
    peers: Sequence[float] = ()


def check(
    definition: Definition,
    value: float | None,
    numerator: float | None,
    denominator: float | None,
    breakdown: str,
    beside: Beside,
) -> list[Finding]:
    """What speaks against a value."""
    if value is None:
        return []
    if not math.isfinite(value):
        return [Finding("not-a-number", "error")]
    found = _made_of(definition, value, numerator, denominator)
    for rule in definition.rules:
        match rule.kind:
            case "range":
                found += _range(value, *rule.args)
            case "sum100" if breakdown:
                found += _sum100(definition, value, breakdown, beside.series)
            case "ordered" if breakdown:
                found += _ordered(rule.args, value, breakdown, beside.series)
            case "at_most":
                limit = beside.others.get(rule.args[0])
                if limit is not None and value > limit + 1e-9:
                    said: dict[str, str | float] = {"other": rule.args[0], "limit": limit}
                    found.append(Finding("above-other", "error", said))
            case "population":
                found += _population(denominator, beside.population)
    return found + _unlike(value, beside)


def _made_of(
    definition: Definition, value: float, numerator: float | None, denominator: float | None
) -> list[Finding]:
    if numerator is None or denominator is None:
        return []
    if denominator == 0:
        return [Finding("denominator-zero", "error")]
    made = numerator / denominator * definition.factor
    if math.isclose(made, value, rel_tol=0.005, abs_tol=0.005):
        return []
    return [Finding("not-made-of", "error", {"made": round(made, 4)})]


def _range(value: float, low: str, high: str) -> list[Finding]:
    if low and value < float(low):
        return [Finding("below-range", "error", {"low": float(low)})]
    if high and value > float(high) + 1e-9:
        return [Finding("above-range", "error", {"high": float(high)})]
    return []


def _sum100(
    definition: Definition, value: float, breakdown: str, series: Mapping[str, float]
) -> list[Finding]:
    name, _, own = breakdown.partition("=")
    wanted = definition.dimensions.get(name, ())
    known = {**series, own: value}
    if not wanted or not set(wanted) <= set(known):
        return []  # not all parts are there yet
    total = sum(known[part] for part in wanted)
    if abs(total - 100) <= SUM_POINTS:
        return []
    return [Finding("sum-not-100", "error", {"total": round(total, 2)})]


def _ordered(
    order: Sequence[str], value: float, breakdown: str, series: Mapping[str, float]
) -> list[Finding]:
    known = {**series, breakdown.partition("=")[2]: value}
    levels = [(name, known[name]) for name in order if name in known]
    for (less, low), (more, high) in pairwise(levels):
        if low > high + 1e-9:
            return [Finding("levels-not-ordered", "error", {"less": less, "more": more})]
    return []


def _population(denominator: float | None, population: float | None) -> list[Finding]:
    if not denominator or not population:
        return []
    if abs(denominator - population) <= POPULATION_SHARE * population:
        return []
    params = {"given": denominator, "known": population}
    return [Finding("population-differs", "error", params)]


def _unlike(value: float, beside: Beside) -> list[Finding]:
    found = []
    if len(beside.past) >= PAST_MIN and _score(value, beside.past) > PAST_SCORE:
        usual = round(statistics.median(beside.past), 4)
        found.append(Finding("unlike-past", "warning", {"usual": usual}))
    if len(beside.peers) >= PEERS_MIN and _score(value, beside.peers) > PEERS_SCORE:
        usual = round(statistics.median(beside.peers), 4)
        found.append(Finding("unlike-peers", "warning", {"usual": usual}))
    return found


def _score(value: float, usual: Sequence[float]) -> float:
    """How far a value is from others: by their median and its mean absolute deviation."""
    middle = statistics.median(usual)
    spread = statistics.median(abs(one - middle) for one in usual)
    # where nearly all are equal the spread is 0: a twentieth of the level stands for it then
    spread = max(spread, abs(middle) * 0.05 / 3.5, 1e-12)
    return 0.6745 * abs(value - middle) / spread


def to_unit(value: float, said: str, definition: Definition, breakdown: str) -> float:
    """A value as it was given, in the definition's own unit.

    `said` is a UN/CEFACT code or a sign; empty: the definition's own. Gases in ppm and ppb become
    µg/m³ by ITU's factors. Raises `UnitUnknown`, `UnitMismatch`.
    """
    said = said.strip()
    if said in ("", definition.unit, definition.unit_code):
        return value
    given = _unit_code(said)
    gas = breakdown.partition("=")[2]
    if definition.unit_code == "GQ" and given in ("59", "61") and gas in PPM_UG_M3:
        return convert(value, given, "59") * PPM_UG_M3[gas]
    if not definition.unit_code:
        raise UnitMismatch(got=said, expected=definition.unit)
    return convert(value, given, get_unit(definition.unit_code).code)


def _unit_code(said: str) -> str:
    """The code of a sign such as `µg/m³`; what it is not is asked for as a code."""
    plain = said.lower().replace("ug", "µg").replace("m3", "m³")
    return next((u.code for u in UNITS.values() if u.sign.lower() == plain), said)
