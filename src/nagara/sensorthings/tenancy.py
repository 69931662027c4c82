"""Whose city is asked: the header `NGSILD-Tenant`, with the names, permissions and errors that it
has in NGSI-LD (ETSI GS CIM 009 clauses 4.14, 6.3.14). SensorThings itself knows no tenants."""

from __future__ import annotations

from typing import Any, cast

from msgspec import Struct

from nagara.context.ngsi.ask import Asked
from nagara.context.ngsi.tenants import Tenants
from nagara.sensorthings.doer import Doer

HEADER = "NGSILD-Tenant"


class _Reading(Struct, frozen=True):
    """A request that reads, whatever its method says."""

    headers: Any
    query_params: Any
    user: Any
    url: Any
    method: str = "GET"


async def doer_of(tenants: Tenants, request: Asked, makes: bool = False) -> Doer:
    """Who asks, and whom. `makes`: what is posted may be the first of its tenant.

    Raises `TenantInvalid`, `TenantNotFound`, `Forbidden`."""
    tenant = ""
    if HEADER in request.headers:
        tenant = await (tenants.writable(request) if makes else tenants.existing(request))
    key = request.headers.get("idempotency-key")
    return Doer(request.user, key[:200] if key and request.method != "GET" else None, tenant)


async def doer_of_batch(tenants: Tenants, request: Asked, writes: bool) -> Doer:
    """Who asks in a batch, which is a POST though all that is in it may be read."""
    if HEADER not in request.headers:
        return Doer(request.user)
    if writes:
        return Doer(request.user, None, await tenants.writable(request))
    reading = _Reading(request.headers, request.query_params, request.user, request.url)
    return Doer(request.user, None, await tenants.existing(cast("Asked", reading)))


def tenant_headers(doer: Doer) -> dict[str, str]:
    """The tenant told back (clause 6.3.14); and that the answer is another for another one."""
    return {"Vary": HEADER, **({HEADER: doer.tenant} if doer.tenant else {})}
