"""Hides small cells of a broken-down number so that nobody can be recognised: pure.

A cell is small where it counts fewer than the threshold and not none. A single hidden cell could be
had from the total, and so could several whose sum is small; therefore more cells are hidden, the
least first, until at least two are hidden and what is hidden together reaches the threshold.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TypeVar

#: Fewer than five of anything can point at somebody who lives there: the customary threshold of
#: statistics offices. A city with small districts may ask for more.
SMALL_CELL_BELOW = 5
#: Breakdowns whose cells are people, whatever is counted.
PERSONAL = frozenset({"sex", "age", "income"})

Key = TypeVar("Key", bound=Hashable)


def hidden_cells(
    cells: Mapping[Key, tuple[float, float]], below: int = SMALL_CELL_BELOW
) -> frozenset[Key]:
    """Which cells (numerator, denominator) not to tell, where the totals of both are told.

    The rest of a cell, denominator less numerator, counts people as well: nine of ten is one.
    """
    hidden: set[Key] = set()
    while True:
        grown = set(hidden)
        for part in range(3):
            counts = {key: _counts(cell)[part] for key, cell in cells.items()}
            grown |= _hide(counts, grown, below)
        if grown == hidden:
            return frozenset(hidden)
        hidden = grown


def _counts(cell: tuple[float, float]) -> tuple[float, float, float]:
    top, bottom = cell
    return top, bottom, max(bottom - top, 0.0)


def _hide(counts: Mapping[Key, float], hidden: set[Key], below: int) -> set[Key]:
    chosen = hidden | {key for key, count in counts.items() if 0 < count < below}
    if not chosen:
        return chosen
    left = sorted((k for k in counts if k not in chosen), key=lambda k: (counts[k], str(k)))
    # empty cells hide nothing, so they come last
    left.sort(key=lambda k: counts[k] == 0)
    for key in left:
        if len(chosen) > 1 and sum(counts[k] for k in chosen) >= below:
            break
        chosen.add(key)
    return chosen
