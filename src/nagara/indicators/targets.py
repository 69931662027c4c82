"""Whether a city is on the way to a target: one stated rule. Pure.

Between baseline and target the way is taken to be straight. Let *expected* be the part of the way
that should lie behind on a day, and *made* the part that does. A city is on track where it made at
least nine tenths of what is expected, at risk from six tenths, else off track. It has reached the
target when it is there, whatever the day; after the day it has missed it.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from msgspec import Struct

ON_TRACK_SHARE, AT_RISK_SHARE = 0.9, 0.6

Standing = Literal["reached", "on-track", "at-risk", "off-track", "missed", "no-value", "not-begun"]


class Target(Struct, frozen=True):
    """Where a city wants to be, from where, and by when. `sense` up: at least; down: at most."""

    city: str
    code: str
    area: str
    version: int
    baseline: float
    baseline_on: date
    target: float
    target_on: date
    sense: Literal["up", "down"]
    note: str | None
    source: str
    who: str
    at: datetime


class Progress(Struct, frozen=True):
    """How far on the way: shares of it, 1 is all; `wanted` is the value expected on the day."""

    standing: Standing
    expected: float | None = None
    made: float | None = None
    wanted: float | None = None


def progress(target: Target, value: float | None, on: date) -> Progress:
    """The standing of a value on a day."""
    if value is None:
        return Progress("no-value")
    there = value >= target.target if target.sense == "up" else value <= target.target
    whole = (target.target_on - target.baseline_on).days
    passed = min(max((on - target.baseline_on).days / whole, 0.0), 1.0)
    way = target.target - target.baseline
    made = 1.0 if way == 0 and there else 0.0 if way == 0 else (value - target.baseline) / way
    wanted = target.baseline + way * passed
    if there:
        return Progress("reached", passed, made, wanted)
    if on > target.target_on:
        return Progress("missed", passed, made, wanted)
    if passed == 0:
        return Progress("not-begun", passed, made, wanted)
    share = made / passed
    standing: Standing = (
        "on-track"
        if share >= ON_TRACK_SHARE
        else "at-risk"
        if share >= AT_RISK_SHARE
        else "off-track"
    )
    return Progress(standing, passed, made, wanted)
