"""/api/v1/tenants: which there are, whose they are, who may see them and write to them."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from litestar import Controller, get, put
from litestar.params import FromPath, JSONBody

from nagara.context.errors import TenantNotFound
from nagara.context.ngsi.ask import Asked, TenantInvalid
from nagara.context.ngsi.query import whole
from nagara.engines.database import Database
from nagara.guard.permission import allow
from nagara.values.time import format_instant

LISTED_MAX = 100  # readers or writers of one tenant; more are a role
_TENANT = re.compile(r"[A-Za-z0-9_\-]{1,64}")
_HOLDER = re.compile(r"(role|account|token|system|device):[A-Za-z0-9_.:\-]{1,80}")


class TenantBody(msgspec.Struct, forbid_unknown_fields=True):
    """Whose a tenant is, and who may see it and write to it; null: whom the policy lets."""

    owner: str | None = None
    readers: list[str] | None = None
    writers: list[str] | None = None


def tenant_routes(db: Database) -> type[Controller]:
    """The routes of tenants."""

    class TenantList(Controller):
        path = "/api/v1/tenants"
        tags = ("Tenants",)

        @get("/", opt=allow("tenant:read"), summary="List tenants")
        async def list_all(self, request: Asked) -> dict[str, Any]:
            params = dict(request.query_params)
            limit = whole(params, "limit", 100, 1_000)
            offset = whole(params, "offset", 0, 1_000_000)
            async with db.acquire() as conn:
                rows = await conn.fetch(
                    "select * from context.tenant order by name limit $1 offset $2", limit, offset
                )
                total = await conn.fetchval("select count(*) from context.tenant")
            return {"total": total, "tenants": [_view(row) for row in rows]}

        @put("/{name:str}", opt=allow("tenant:write"), summary="Say who may use a tenant")
        async def change(self, name: FromPath[str], data: JSONBody[TenantBody]) -> dict[str, Any]:
            if not _TENANT.fullmatch(name):
                raise TenantInvalid(tenant=name[:80])
            for listed in (data.readers, data.writers, [data.owner] if data.owner else None):
                _demand_holders(listed)
            async with db.acquire() as conn:
                row = await conn.fetchrow(
                    """update context.tenant
                       set owner = coalesce($2, owner), readers = $3, writers = $4
                       where name = $1 returning *""",
                    name,
                    data.owner,
                    data.readers,
                    data.writers,
                )
            if row is None:
                raise TenantNotFound(tenant=name)
            return _view(row)

    return TenantList


def _demand_holders(listed: list[str] | None) -> None:
    for said in listed or ():
        if not _HOLDER.fullmatch(said):
            raise TenantInvalid(tenant=said[:80])
    if listed is not None and len(listed) > LISTED_MAX:
        raise TenantInvalid(tenant=f"{len(listed)} > {LISTED_MAX}")


def _view(row: Any) -> dict[str, Any]:
    return {
        "name": row["name"],
        "owner": row["owner"],
        "readers": row["readers"],
        "writers": row["writers"],
        "createdAt": format_instant(row["created_at"]),
    }
