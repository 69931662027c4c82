"""What a measured value says of itself, shared by ingest, alerting, indicators and screens."""

from __future__ import annotations

from typing import Any, Literal

#: Where a value comes from. Anything but `measured` is said on every screen.
Provenance = Literal["measured", "replayed", "simulated"]

#: Quality checks that flag a value. `gap` speaks of the silence before it, so the value stays good.
QualityFlag = Literal["range", "stuck", "jump", "gap", "clock"]
SUSPECT: frozenset[str] = frozenset({"range", "stuck", "jump", "clock"})

PROVENANCE = "provenance"
QUALITY = "quality"
ORIGINAL_OBSERVED_AT = "originalObservedAt"

#: Attribute of an observed entity: seconds between two values, where it is not what the pack says.
REPORTING_PERIOD = "reportingPeriod"


def flags_of(instance: dict[str, Any]) -> tuple[str, ...]:
    """The quality flags of an attribute instance, in the order they were set."""
    quality = instance.get(QUALITY)
    if not isinstance(quality, dict):
        return ()
    value = quality.get("value")
    return tuple(value) if isinstance(value, list) else ()


def is_suspect(instance: dict[str, Any]) -> bool:
    """Whether a value is flagged so that no decision may rest on it alone."""
    return not SUSPECT.isdisjoint(flags_of(instance))


def provenance_of(instance: dict[str, Any]) -> str:
    """`measured`, `replayed` or `simulated`; a value that says nothing is taken as measured."""
    said = instance.get(PROVENANCE)
    value = said.get("value") if isinstance(said, dict) else None
    return value if isinstance(value, str) else "measured"
