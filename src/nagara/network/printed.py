"""Figures as printed beside those of the rows. Pure. Nothing is put right, nothing is guessed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from nagara.network.archive import Printed
from nagara.network.figures import Cell, Difference, Figures
from nagara.vocab.project import find_focus_area

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_STATUS = {"on-going": "ongoing", "ongoing": "ongoing", "planning": "planning",
           "completed": "completed"}  # fmt: skip


def compare(figures: Figures, printed: Sequence[Printed]) -> tuple[Difference, ...]:
    """Every printed figure of the year with what the rows give, whether they agree, and why not.

    A share agrees where the rows' share, rounded half up to the places printed, is the same.
    """
    if not printed:
        return ()
    found = _totals(figures, printed)
    found += [_one(figures, one) for one in printed]
    found += _sums(printed)
    return tuple(found)


def _totals(figures: Figures, printed: Sequence[Printed]) -> list[Difference]:
    made = []
    for name, derived in (("cities", figures.cities), ("projects", figures.projects)):
        said = sorted({getattr(one, name) for one in printed} - {None})
        for value in said:
            agrees = value == derived
            why = "agrees" if agrees else "total-differs"
            made.append(
                Difference(name, str(value), name, str(derived), agrees, why,
                           {"printed": str(value), "derived": str(derived)},
                           source=f"{printed[0].file}:{printed[0].line}")
            )  # fmt: skip
    if figures.members != figures.cities:
        made.append(
            Difference("members", "–", "cities", str(figures.members), None, "members-without-rows",
                       {"members": str(figures.members), "cities": str(figures.cities)})
        )  # fmt: skip
    return made


def _one(figures: Figures, one: Printed) -> Difference:
    source = f"{one.file}:{one.line}"
    cell = _cell(figures, one.measure)
    if cell is None:
        return Difference(one.measure, one.value, one.unit, None, None, "measure-unknown", {},
                          one.note, source)  # fmt: skip
    if cell.count is None or cell.share is None:
        return Difference(one.measure, one.value, one.unit, None, None, cell.missing or "", {},
                          one.note, source)  # fmt: skip
    numbers = _NUMBER.findall(one.value)
    if not numbers:
        return Difference(one.measure, one.value, one.unit, None, None, "not-a-number", {},
                          one.note, source)  # fmt: skip
    places = max(len(n.partition(".")[2]) for n in numbers)
    share = Fraction(100 * cell.count, figures.projects)
    derived = str(cell.count) if one.unit == "projects" else _round(share, places)
    agrees = any(Decimal(n) == Decimal(derived) for n in numbers)
    why = "agrees"
    params = {
        "count": str(cell.count),
        "total": str(figures.projects),
        "exact": _round(share, 2),
        "derived": derived,
    }
    if len(numbers) > 1:
        why = "agrees-with-one" if agrees else "agrees-with-none"
    elif not agrees:
        why = _why(Decimal(numbers[0]), cell.count, figures.projects, one.unit, params)
    return Difference(
        one.measure, one.value, one.unit, derived, agrees, why, params, one.note, source
    )


def _why(said: Decimal, count: int, total: int, unit: str, params: dict[str, str]) -> str:
    """The simplest reason that would give what was printed."""
    if unit == "projects":
        return "count-differs"
    places = -int(said.as_tuple().exponent)
    step = Decimal(1).scaleb(-places)
    cut = Decimal(count * 100 / total).quantize(step, rounding="ROUND_DOWN")
    if said in (cut, cut + step):
        return "rounded-otherwise"
    near = range(max(0, count - 20), min(total, count + 20) + 1)
    for other in sorted(near, key=lambda n: abs(n - count)):
        if other != count and _round(Fraction(100 * other, total), places) == str(said):
            params["other"] = str(other)
            return "as-if-count"
    return "no-count-gives-it"


def _sums(printed: Sequence[Printed]) -> list[Difference]:
    """Printed shares of one kind that do not sum to 100 by more than rounding can do."""
    sums: Counter[str] = Counter()
    parts: Counter[str] = Counter()
    spread: dict[str, float] = {}
    unsure: set[str] = set()
    for one in printed:
        kind = one.measure.partition(":")[0]
        numbers = _NUMBER.findall(one.value)
        if one.unit != "%" or not numbers:
            continue
        if len(numbers) > 1:  # two readings: their sum is no figure that was printed
            unsure.add(kind)
        sums[kind] += float(numbers[0])  # type: ignore[assignment]
        parts[kind] += 1
        places = len(numbers[0].partition(".")[2])
        spread[kind] = spread.get(kind, 0.0) + 0.5 * 10**-places
    made = []
    for kind, total in sums.items():
        if kind not in unsure and parts[kind] > 2 and abs(total - 100) > 1e-9:
            within = abs(total - 100) <= spread[kind] + 1e-9
            why = "sum-within-rounding" if within else "sum-not-100"
            made.append(
                Difference(f"{kind}: sum", f"{total:g}", "%", "100", within, why,
                           {"sum": f"{total:g}"}, "", f"{printed[0].file}")
            )  # fmt: skip
    return made


def _cell(figures: Figures, measure: str) -> Cell | None:
    kind, _, name = (part.strip() for part in measure.partition(":"))
    if kind == "status":
        cells, code = figures.by_status, _STATUS.get(name.casefold())
    elif kind == "focus area":
        cells, code = figures.by_focus, find_focus_area(name)
    else:
        return None
    return next((cell for cell in cells if cell.code == code), None)


def _round(share: Fraction, places: int) -> str:
    exact = Decimal(share.numerator) / Decimal(share.denominator)
    return str(exact.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP))
