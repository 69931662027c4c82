"""ISO 8601 durations as seconds, for lifetimes. A year is 365 days, a month 30."""

from __future__ import annotations

import re

_DURATION = re.compile(
    r"P(?!$)(?:(\d+(?:\.\d+)?)Y)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)W)?(?:(\d+(?:\.\d+)?)D)?"
    r"(?:T(?=\d)(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?)?"
)
_SECONDS = (31_536_000, 2_592_000, 604_800, 86_400, 3_600, 60, 1)


def seconds_of(said: object) -> float | None:
    """The seconds of a duration; None where it is none."""
    found = _DURATION.fullmatch(said) if isinstance(said, str) and len(said) <= 100 else None
    if found is None:
        return None
    parts = (float(part or 0) for part in found.groups())
    return sum(n * s for n, s in zip(parts, _SECONDS, strict=True))
