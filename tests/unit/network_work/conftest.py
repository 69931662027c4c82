"""A hub for the tests of this room's work."""

from __future__ import annotations

from hub_fixtures import hub

__all__ = ["hub"]
