"""Who asks."""

from __future__ import annotations

from msgspec import Struct

from nagara.guard.identity import Actor


class Doer(Struct, frozen=True):
    """Who asks, under which key, and of which tenant."""

    actor: Actor
    key: str | None = None
    tenant: str = ""
