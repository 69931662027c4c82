"""The fixtures of `doors`, for every test of the guard."""

from __future__ import annotations

from unit.guard.doors import browse, guard, make_guard, wall

__all__ = ["browse", "guard", "make_guard", "wall"]
