"""The routes of snapshots (clauses 5.16, 6.36 to 6.38)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from litestar import Response, delete, get, patch, post
from litestar.params import FromPath

from nagara.context.ngsi import ask
from nagara.context.ngsi.ask import Asked
from nagara.context.ngsi.sources.errors import RegistrationInvalid
from nagara.context.ngsi.sources.exchange import Exchange
from nagara.context.ngsi.sources.forward import Asking
from nagara.context.ngsi.sources.snapshot import (
    SETTABLE,
    lifetime_of,
    read_purge,
    read_snapshot,
    shown,
)
from nagara.context.ngsi.sources.snapshots import BASE, Snapshots
from nagara.context.ngsi.tenants import Tenants
from nagara.context.ngsi.terms import CORE
from nagara.guard.permission import allow


def snapshot_routes(exchange: Exchange, snapshots: Snapshots) -> list[Any]:
    """The routes of snapshots (6.36 to 6.38)."""
    context, contexts = exchange.context, exchange.contexts
    tenants = Tenants(context.db)
    read, write = allow("source:read"), allow("source:write")
    tags = ["NGSI-LD"]
    one = BASE + "/{name:str}"

    def new_id() -> str:
        return f"urn:ngsi-ld:Snapshot:{secrets.token_hex(12)}"

    def made(name: str) -> Response[None]:
        place = f"{BASE}/{quote(name, safe=':')}"
        return Response(None, status_code=201, headers={"Location": place})

    @post(BASE, opt=write, tags=tags, summary="Make a snapshot")
    async def create(request: Asked) -> Response[None]:
        tenant = await tenants.existing(request)
        sent = await ask.read_sent(request, contexts)
        doc = read_snapshot(sent.body, new_id(), queries=True)
        asked = Asking(tenant, {k.lower(): v for k, v in request.headers.items()})
        await snapshots.make(request, asked, doc, sent.terms)
        return made(doc["id"])

    @delete(BASE, opt=write, tags=tags, status_code=204, summary="Delete snapshots")
    async def purge(request: Asked) -> Response[None]:
        tenant = await tenants.existing(request)
        await snapshots.purge(tenant, read_purge(request.query_params.get("q")))
        return Response(None, status_code=204)

    @post(one + "/clone", opt=write, tags=tags, summary="Copy a snapshot")
    async def clone(request: Asked, name: FromPath[str]) -> Response[None]:
        tenant = await tenants.existing(request)
        body: Any = {}
        if await request.body():
            body = (await ask.read_sent(request, contexts)).body
        doc = read_snapshot(body, new_id(), queries=False)
        await snapshots.clone(tenant, name, doc, request.user.name_for_audit)
        return made(doc["id"])

    @get(one, opt=read, tags=tags, summary="Retrieve the status of a snapshot")
    async def retrieve(request: Asked, name: FromPath[str]) -> Response[bytes]:
        row = await snapshots.row(await tenants.existing(request), name)
        return ask.answer(request, shown(row), CORE, ask.accept_of(request))

    @patch(one, opt=write, tags=tags, summary="Change a snapshot's lifetime or priority")
    async def change(request: Asked, name: FromPath[str]) -> Response[bytes]:
        tenant = await tenants.existing(request)
        row = await snapshots.row(tenant, name)
        sent = await ask.read_sent(request, contexts)
        if isinstance(sent.body, dict) and sent.body.get("id", name) != name:
            raise RegistrationInvalid(reason="its id cannot be changed")
        doc = read_snapshot({**_settable(row["doc"]), **_said(sent.body)}, name, queries=False)
        expires = row["expires_at"]
        if "snapshotLifetime" in _said(sent.body):
            expires = datetime.now(UTC) + lifetime_of(doc)
        made = await snapshots.change(tenant, name, doc, expires)
        return ask.answer(request, shown(made), CORE, ask.accept_of(request))

    @delete(one, opt=write, tags=tags, status_code=204, summary="Delete a snapshot")
    async def remove(request: Asked, name: FromPath[str]) -> Response[None]:
        tenant = await tenants.existing(request)
        await snapshots.row(tenant, name)
        await snapshots.remove(tenant, [name])
        return Response(None, status_code=204)

    return [create, purge, clone, retrieve, change, remove]


def _settable(doc: Mapping[str, Any]) -> dict[str, Any]:
    return {name: doc[name] for name in SETTABLE if name in doc}


def _said(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise RegistrationInvalid(reason="a change is a JSON object")
    return {k: v for k, v in body.items() if k != "@context"}
