"""Where a target stands: the value that the city's indicators give it, and the stated rule. Pure.

The rule is that of the indicators (docs/reference/indicators.md, "On track"), for one number must
not be on track on one page and off track on another; a test holds the two together.
"""

from __future__ import annotations

from datetime import date
from typing import Literal

from msgspec import Struct

ON_TRACK_SHARE, AT_RISK_SHARE = 0.9, 0.6

Standing = Literal[
    "reached", "on-track", "at-risk", "off-track", "missed", "not-begun", "no-baseline",
    "not-reported",
]  # fmt: skip


class Reading(Struct, frozen=True):
    """What an indicator says. `why`: code of the words where there is no value."""

    value: float | None = None
    unit: str | None = None
    on: date | None = None
    quality: str | None = None
    entity: str | None = None
    why: str | None = None


class State(Struct, frozen=True):
    """Where a target stands; `expected` and `made` are shares of the way."""

    standing: Standing
    expected: float | None = None
    made: float | None = None


def standing(
    baseline: float | None,
    baseline_on: date | None,
    target: float,
    target_on: date,
    sense: Literal["up", "down"],
    value: float | None,
    on: date,
) -> State:
    """The standing of a value on a day."""
    if value is None:
        return State("not-reported")
    there = value >= target if sense == "up" else value <= target
    if baseline is None or baseline_on is None:
        late: Standing = "missed" if on > target_on else "no-baseline"
        return State("reached" if there else late)
    passed = min(max((on - baseline_on).days / (target_on - baseline_on).days, 0.0), 1.0)
    way = target - baseline
    made = (1.0 if there else 0.0) if way == 0 else (value - baseline) / way
    if there:
        return State("reached", passed, made)
    if on > target_on:
        return State("missed", passed, made)
    if passed == 0:
        return State("not-begun", passed, made)
    share = made / passed
    if share >= ON_TRACK_SHARE:
        return State("on-track", passed, made)
    return State("at-risk" if share >= AT_RISK_SHARE else "off-track", passed, made)
