"""What a project's flows come to: NPV, every IRR, payback, ratio, sensitivity. Pure.

Flows are at the prices of one year and real; the first year is not discounted (flows at the
beginning of it). `net` is revenue less capital and operating costs: what a funder sees. Benefits
beyond revenue count in the benefit-cost ratio and the economic NPV alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from nagara.plans.model import Flows

#: Rates looked through: below lies the loss of all, above what no project of a city earns.
RATE_MIN, RATE_MAX = -0.99, 10.0
#: Halvings of a bracket: a double has no more places than this can tell apart.
HALVINGS_MAX = 200
#: A value this small beside the sum of what was added up is nought.
NOUGHT = 1e-12
COST_STEPS, REVENUE_STEPS, DELAY_STEPS = (0.1, 0.2, 0.3), (-0.1, -0.2, -0.3), (1, 2, 3)

Verdict = Literal["one", "several", "none"]


class YearLine(Struct, frozen=True, rename="camel"):
    """One year; `cumulative` is the discounted net so far."""

    year: int
    capital: float
    operating: float
    revenue: float
    benefits: float
    net: float
    discounted: float
    cumulative: float


class Irr(Struct, frozen=True):
    """Every rate at which NPV is nought, as shares a year, and what that means."""

    verdict: Verdict
    values: tuple[float, ...]
    why: str  # code of the words


class Payback(Struct, frozen=True):
    """Years until what was spent has come back; None: it never does."""

    simple: float | None
    discounted: float | None


class Case(Struct, frozen=True, rename="camel"):
    """One row of the sensitivity table. `change`: a share, or years for a delay."""

    case: Literal["base", "cost", "revenue", "delay"]
    change: float
    npv: float
    irr: Irr
    benefit_cost: float | None


class Switch(Struct, frozen=True):
    """The change at which NPV is nought; None: there is no such change."""

    what: Literal["cost", "revenue", "delay", "rate"]
    value: float | None
    unit: Literal["share", "years"]


class Result(Struct, frozen=True, rename="camel"):
    """All of it."""

    years: tuple[YearLine, ...]
    npv: float
    economic_npv: float
    irr: Irr
    payback: Payback
    benefit_cost: float | None
    sensitivity: tuple[Case, ...]
    switching: tuple[Switch, ...]


def npv(rate: float, flows: Sequence[float]) -> float:
    """Net present value; the first flow is not discounted."""
    discount = 1.0 / (1.0 + rate)
    total = 0.0
    for flow in reversed(flows):  # Horner: exact to the last place even over sixty years
        total = total * discount + flow
    return total


def irr(flows: Sequence[float]) -> Irr:
    """Every internal rate between `RATE_MIN` and `RATE_MAX`.

    With v = 1 / (1 + rate), NPV is a polynomial in v. Between two neighbouring roots of its
    derivative it is monotonic, so each of its own roots is bracketed; a root that only touches
    nought lies on a root of the derivative and is looked for there.
    """
    if not any(flow > 0 for flow in flows) or not any(flow < 0 for flow in flows):
        return Irr("none", (), "irrOneSign")
    roots = _roots(list(flows), 1.0 / (1.0 + RATE_MAX), 1.0 / (1.0 + RATE_MIN))
    rates = tuple(sorted(1.0 / root - 1.0 for root in roots))
    if not rates:
        return Irr("none", (), "irrNoRoot")
    return Irr("one", rates, "irrOne") if len(rates) == 1 else Irr("several", rates, "irrSeveral")


def _roots(coefficients: list[float], low: float, high: float) -> list[float]:
    """Real roots in [low, high] of sum c[i] v^i, in order, each once."""
    while coefficients and coefficients[-1] == 0:
        coefficients = coefficients[:-1]
    if len(coefficients) < 2:
        return []
    slope = [n * c for n, c in enumerate(coefficients)][1:]
    turns = _roots(slope, low, high)
    edges = [low, *turns, high]
    found = [edge for edge in edges if _is_nought(coefficients, edge)]
    for left, right in pairwise(edges):
        if _is_nought(coefficients, left) or _is_nought(coefficients, right):
            continue
        if (_at(coefficients, left) < 0) != (_at(coefficients, right) < 0):
            found.append(_bisect(coefficients, left, right))
    distinct: list[float] = []
    for root in sorted(found):
        if not distinct or root - distinct[-1] > 1e-9 * max(1.0, abs(root)):
            distinct.append(root)
    return distinct


def _at(coefficients: Sequence[float], v: float) -> float:
    total = 0.0
    for coefficient in reversed(coefficients):
        total = total * v + coefficient
    return total


def _is_nought(coefficients: Sequence[float], v: float) -> bool:
    size = _at([abs(c) for c in coefficients], v)
    return abs(_at(coefficients, v)) <= NOUGHT * size


def _bisect(coefficients: Sequence[float], left: float, right: float) -> float:
    below = _at(coefficients, left) < 0
    for _ in range(HALVINGS_MAX):
        middle = (left + right) / 2
        if middle in (left, right):
            break
        if (_at(coefficients, middle) < 0) == below:
            left = middle
        else:
            right = middle
    return (left + right) / 2


def payback(flows: Sequence[float]) -> float | None:
    """Years until the running sum is nought or more for good, with the part of the last year.

    None where it ends below nought; 0 where it never is below.
    """
    sums: list[float] = []
    total = 0.0
    for flow in flows:
        total += flow
        sums.append(total)
    if not sums or sums[-1] < -NOUGHT * sum(abs(f) for f in flows):
        return None
    below = [n for n, value in enumerate(sums) if value < 0]
    if not below or below[-1] + 1 >= len(flows):
        return 0.0 if not below else float(len(flows))
    last = below[-1]
    return last + 1 + -sums[last] / flows[last + 1]


def assess(flows: Flows) -> Result:
    """Everything that a funder asks of the flows."""
    capital, operating, revenue, benefits = _columns(flows)
    net = [r - c - o for c, o, r in zip(capital, operating, revenue, strict=True)]
    discounted = [n / (1.0 + flows.rate) ** t for t, n in enumerate(net)]
    lines: list[YearLine] = []
    total = 0.0
    for t, value in enumerate(discounted):
        total += value
        lines.append(
            YearLine(
                flows.first_year + t,
                capital[t],
                operating[t],
                revenue[t],
                benefits[t],
                net[t],
                value,
                total,
            )
        )
    return Result(
        years=tuple(lines),
        npv=npv(flows.rate, net),
        economic_npv=npv(flows.rate, [n + b for n, b in zip(net, benefits, strict=True)]),
        irr=irr(net),
        payback=Payback(payback(net), payback(discounted)),
        benefit_cost=_ratio(flows),
        sensitivity=tuple(_cases(flows)),
        switching=tuple(_switches(flows, irr(net))),
    )


def changed(flows: Flows, cost: float = 0.0, revenue: float = 0.0, delay_years: int = 0) -> Flows:
    """The flows with dearer costs, other revenue (and benefits), or a later operation."""
    wait = (0.0,) * delay_years

    def times(values: Sequence[float], factor: float) -> tuple[float, ...]:
        return tuple(value * factor for value in values)

    return replace(
        flows,
        capital=times(flows.capital, 1 + cost),
        operating=wait + times(flows.operating, 1 + cost),
        revenue=wait + times(flows.revenue, 1 + revenue),
        benefits=wait + times(flows.benefits, 1 + revenue),
    )


def _columns(flows: Flows) -> tuple[list[float], list[float], list[float], list[float]]:
    length = max(map(len, (flows.capital, flows.operating, flows.revenue, flows.benefits)))

    def padded(values: Sequence[float]) -> list[float]:
        return [*values, *(0.0 for _ in range(length - len(values)))]

    return (
        padded(flows.capital), padded(flows.operating), padded(flows.revenue),
        padded(flows.benefits),
    )  # fmt: skip


def _net(flows: Flows) -> list[float]:
    capital, operating, revenue, _ = _columns(flows)
    return [r - c - o for c, o, r in zip(capital, operating, revenue, strict=True)]


def _ratio(flows: Flows) -> float | None:
    costs = npv(flows.rate, flows.capital) + npv(flows.rate, flows.operating)
    gains = npv(flows.rate, flows.revenue) + npv(flows.rate, flows.benefits)
    return gains / costs if costs > 0 else None


def _cases(flows: Flows) -> list[Case]:
    def case(name: Literal["base", "cost", "revenue", "delay"], by: float, made: Flows) -> Case:
        net = _net(made)
        return Case(name, by, npv(made.rate, net), irr(net), _ratio(made))

    return [
        case("base", 0.0, flows),
        *(case("cost", by, changed(flows, cost=by)) for by in COST_STEPS),
        *(case("revenue", by, changed(flows, revenue=by)) for by in REVENUE_STEPS),
        *(case("delay", by, changed(flows, delay_years=by)) for by in DELAY_STEPS),
    ]


def _switches(flows: Flows, rates: Irr) -> list[Switch]:
    """Closed forms: NPV is linear in costs and in revenue, exponential in a delay."""
    capital = npv(flows.rate, flows.capital)
    running = npv(flows.rate, flows.revenue) - npv(flows.rate, flows.operating)
    costs = capital + npv(flows.rate, flows.operating)
    revenue = npv(flows.rate, flows.revenue)
    years: float | None = None
    if capital > 0 and running > 0 and flows.rate > 0:
        found = math.log(running / capital) / math.log1p(flows.rate)
        years = found if found >= 0 else None  # below nought already, without any delay
    return [
        Switch("cost", revenue / costs - 1 if costs > 0 else None, "share"),
        Switch("revenue", costs / revenue - 1 if revenue > 0 else None, "share"),
        Switch("delay", years, "years"),
        Switch("rate", rates.values[0] if rates.verdict == "one" else None, "share"),
    ]
