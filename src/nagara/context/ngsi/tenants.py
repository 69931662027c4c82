"""Which tenants there are, and who may see and write them (clauses 4.14, 5.5.10, 6.3.14).

A tenant is made by the first write to it, by an account that holds tenant:write. It belongs to whom
made it. Its lists of readers and writers narrow what the policy gives; a tenant that somebody may
not see is not there for him.
"""

from __future__ import annotations

from contextvars import ContextVar

from asyncpg import Record

from nagara.context.errors import TenantNotFound
from nagara.context.ngsi.ask import Asked, tenant_of
from nagara.engines.database import Database
from nagara.guard.errors import Forbidden
from nagara.guard.identity import Actor
from nagara.guard.policy import may

#: Who made the request that is being answered: the owner of a tenant that it makes.
_asker: ContextVar[str] = ContextVar("asker", default="system:context")
#: Advisory lock of making tenants: one at a time, so that fifty first writes make one.
_MAKING = 7953752085141454860
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


class Tenants:
    """The tenants of this city."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def existing(self, request: Asked) -> str:
        """The tenant that a request names. Raises `TenantNotFound` where it is not there for him
        who asks, `Forbidden` where he may see it and not write to it."""
        name = tenant_of(request)
        if name:
            row = await self._find(name)
            if row is None:
                raise TenantNotFound(tenant=name)
            demand_access(row, request)
        return name

    async def writable(self, request: Asked) -> str:
        """The tenant that a request names, there already or one that the caller may make.

        Raises `Forbidden` for a new one where the caller lacks tenant:write.
        """
        name = tenant_of(request)
        if name:
            _asker.set(request.user.name_for_audit)
            row = await self._find(name)
            if row is not None:
                demand_access(row, request)
            elif not may(request.user, "tenant:write"):
                raise Forbidden(permission="tenant:write")
        return name

    async def make(self, name: str) -> None:
        """Make a tenant that `writable` gave, once what shall be written has been read."""
        if not name or await self._find(name) is not None:
            return
        async with self._db.acquire() as conn, conn.transaction():
            await conn.execute("select pg_advisory_xact_lock($1)", _MAKING)
            await conn.execute(
                """insert into context.tenant (name, created_at, owner) values ($1, now(), $2)
                   on conflict do nothing""",
                name,
                _asker.get(),
            )

    async def _find(self, name: str) -> Record | None:
        async with self._db.acquire() as conn:
            row: Record | None = await conn.fetchrow(
                """select name, owner, readers, writers from context.tenant where name = $1
                   union all
                   (select tenant, '', null, null from context.entity where tenant = $1 limit 1)
                   limit 1""",
                name,
            )
        return row


def demand_access(tenant: Record, request: Asked) -> None:
    """Raises `TenantNotFound` for who may not see a tenant, `Forbidden` for who may not write."""
    actor = request.user
    if not sees(tenant, actor):
        raise TenantNotFound(tenant=tenant["name"])
    reads = request.method in _READING or request.url.path.endswith("/query")
    if not reads and not _listed(tenant, actor, "writers"):
        raise Forbidden(permission="tenant:write")


def sees(tenant: Record, actor: Actor) -> bool:
    """Whether somebody sees a tenant: its writers do as well."""
    if tenant["readers"] is None and tenant["writers"] is None:
        return True
    return (_listed(tenant, actor, "readers") if tenant["readers"] is not None else True) or (
        tenant["writers"] is not None and _listed(tenant, actor, "writers")
    )


def _listed(tenant: Record, actor: Actor, column: str) -> bool:
    listed = tenant[column]
    if listed is None or actor.name_for_audit == tenant["owner"] or may(actor, "tenant:write"):
        return True
    names = {actor.name_for_audit, *(f"role:{role}" for role in actor.roles or ("anonymous",))}
    return not names.isdisjoint(listed)
