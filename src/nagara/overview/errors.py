"""What can go wrong when a screen asks for the city."""

from __future__ import annotations

from nagara.values.errors import Problem


class MeasureUnknown(Problem):
    """No layer of a pack has that code."""

    code = "measure-unknown"
    status = 404


class LayerUnknown(Problem):
    """The city's data has no such layer."""

    code = "layer-unknown"
    status = 404


class FramesTooMany(Problem):
    """More steps than a slider has."""

    code = "frames-too-many"


class StepUnreadable(Problem):
    """A step that is no stretch of time."""

    code = "step-unreadable"
