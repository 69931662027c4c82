"""A town for the tests of this room."""

from __future__ import annotations

from room_fixtures import town

__all__ = ["town"]
