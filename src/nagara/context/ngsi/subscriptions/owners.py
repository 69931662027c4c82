"""Which subscriptions may be served: those whose owner may still have them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime

from asyncpg import Record

from nagara.context.ngsi.tenants import sees
from nagara.engines.database import Database
from nagara.guard.identity import Actor
from nagara.guard.owners import find_actors
from nagara.guard.policy import TypeFilter, may, visible_types


class Owners:
    """What the owners of subscriptions may see, asked of the guard every few seconds."""

    def __init__(self, db: Database, wall: Callable[[], datetime] | None = None) -> None:
        self._db = db
        self._wall = wall or (lambda: datetime.now(UTC))
        self._actors: dict[str, Actor] = {}
        self._sights: dict[str, TypeFilter] = {}
        self._tenants: dict[str, Record] = {}

    async def refresh(self, names: Collection[str]) -> None:
        """Ask the guard who is behind these names."""
        async with self._db.acquire() as conn:
            found = await find_actors(conn, names, self._wall())
            tenants = await conn.fetch("select name, owner, readers, writers from context.tenant")
        self._tenants = {row["name"]: row for row in tenants}
        for name in names:  # others may have come meanwhile: they stay as they are
            actor = found.get(name)
            if actor is not None and may(actor, "subscription:write"):
                self.know(actor, name)
            else:
                self._actors.pop(name, None)
                self._sights.pop(name, None)

    def know(self, actor: Actor, name: str) -> None:
        """Somebody who is known to be in his rights now."""
        self._actors[name] = actor
        self._sights[name] = visible_types(actor)

    def find(self, name: str, tenant: str = "") -> Actor | None:
        """The owner, or None for one who may not have subscriptions in a tenant any more."""
        actor, row = self._actors.get(name), self._tenants.get(tenant)
        return actor if actor is None or row is None or sees(row, actor) else None

    def sight(self, name: str, tenant: str = "") -> TypeFilter | None:
        """The types that an owner sees now; None where he may see nothing any more."""
        return self._sights.get(name) if self.find(name, tenant) is not None else None
