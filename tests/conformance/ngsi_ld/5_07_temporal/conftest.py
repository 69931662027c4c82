"""The store of history that these tests share with those of the other half of it."""

from __future__ import annotations

from history_fixtures import context, history, new_id, root

__all__ = ["context", "history", "new_id", "root"]
