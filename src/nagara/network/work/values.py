"""Values of indicators of many cities, as the work asks for them.

The room that keeps them is another; the composition root hands over what answers this.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Protocol

from msgspec import Struct


class Point(Struct, frozen=True, rename="camel"):
    """A value of a city for a period. `end` is not included. `value` None: `missing` says why."""

    city: str
    code: str
    name: dict[str, str]
    start: date
    end: date
    value: float | None
    unit: str | None
    grade: str
    as_of: str
    method: str = ""
    missing: str | None = None
    direction: str | None = None


class ValueBook(Protocol):
    """All values of an installation that somebody answers for (approved, locked, computed)."""

    async def list_points(
        self, cities: Sequence[str], codes: Sequence[str] | None, start: date, end: date, /
    ) -> list[Point]:
        """Values of whole cities by city, code and start; `codes` None: of all definitions."""


class NoValues:
    """Where no room keeps values: nothing is known, and it says so."""

    async def list_points(
        self, _cities: Sequence[str], _codes: Sequence[str] | None, _start: date, _end: date
    ) -> list[Point]:
        """Nothing."""
        return []
