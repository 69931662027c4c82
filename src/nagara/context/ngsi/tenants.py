"""Which tenants there are (clause 6.3.14): read where they exist, made by an administrator."""

from __future__ import annotations

from nagara.context.errors import TenantNotFound
from nagara.context.ngsi.ask import Asked, tenant_of
from nagara.engines.database import Database
from nagara.guard.errors import Forbidden
from nagara.guard.policy import may


class Tenants:
    """The tenants of this city. Those that were found are remembered: none is ever removed."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._known = {""}

    async def existing(self, request: Asked) -> str:
        """The tenant that a request names. Raises `TenantNotFound` where it is not there."""
        name = tenant_of(request)
        if not await self._exists(name):
            raise TenantNotFound(tenant=name)
        return name

    async def writable(self, request: Asked) -> str:
        """The tenant that a request names, there already or one that the caller may make.

        Raises `Forbidden` for a new one where the caller lacks tenant:write.
        """
        name = tenant_of(request)
        if not await self._exists(name) and not may(request.user, "tenant:write"):
            raise Forbidden(permission="tenant:write")
        return name

    async def make(self, name: str) -> None:
        """Make a tenant that `writable` gave, once what shall be written has been read."""
        if name in self._known:
            return
        async with self._db.acquire() as conn:
            await conn.execute(
                """insert into context.tenant (name, created_at) values ($1, now())
                   on conflict do nothing""",
                name,
            )
        self._known.add(name)

    async def _exists(self, name: str) -> bool:
        if name in self._known:
            return True
        async with self._db.acquire() as conn:
            found = await conn.fetchval(
                """select exists (select from context.tenant where name = $1)
                       or exists (select from context.entity where tenant = $1)""",
                name,
            )
        if found:
            self._known.add(name)
        return bool(found)
