"""Installations for the tests of this room."""

from __future__ import annotations

from federation_fixtures import make_node

__all__ = ["make_node"]
