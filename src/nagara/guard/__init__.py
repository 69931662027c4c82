"""Who may do what: identity, roles, private data, the audit. Below `http` and `context`."""

from __future__ import annotations

from nagara.guard.assembly import Guard
from nagara.guard.identity import ANONYMOUS, Actor, system
from nagara.guard.permission import PUBLIC, allow
from nagara.guard.policy import may, visible_types

__all__ = ["ANONYMOUS", "PUBLIC", "Actor", "Guard", "allow", "may", "system", "visible_types"]
