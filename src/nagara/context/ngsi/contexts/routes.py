"""/ngsi-ld/v1/jsonldContexts (clauses 5.13, 6.29, 6.30): add, list, serve, reload, delete."""

from __future__ import annotations

import secrets
from contextlib import suppress
from typing import Any
from urllib.parse import unquote

from litestar import Controller, Response, delete, get, post
from litestar.params import FromPath

from nagara.context.errors import TenantNotFound
from nagara.context.ngsi import ask
from nagara.context.ngsi.ask import Asked
from nagara.context.ngsi.contexts.core import CORE_CONTEXT, core_context, core_version
from nagara.context.ngsi.contexts.shelf import PATH, Kind, Shelf, Shelved, kept_id
from nagara.context.ngsi.fetch import Contexts, hosted_id
from nagara.context.ngsi.query import whole
from nagara.context.ngsi.tenants import Tenants
from nagara.context.ngsi.terms import ContextUnavailable
from nagara.engines.database import Database
from nagara.guard.errors import Forbidden
from nagara.guard.permission import allow
from nagara.guard.policy import may
from nagara.values.errors import Problem
from nagara.values.time import format_instant

READ, WRITE = allow("entity:read"), allow("context:write")
_KINDS: tuple[Kind, ...] = ("Hosted", "Cached", "ImplicitlyCreated")
#: When the city's own table of core terms was made: they are as old as this program.
_CORE_SINCE = "2025-01-01T00:00:00Z"
LIST_MAX = 1_000
NOBODY = "?"  # no tenant can be called so


class ContextNotFound(Problem):
    """No @context of that id."""

    code = "jsonld-context-not-found"
    status = 404
    ngsi_type = "ResourceNotFound"


class ContextNotServed(Problem):
    """An @context from elsewhere, whose text is served there (clause 5.13.4.4)."""

    code = "jsonld-context-not-served"
    status = 422
    ngsi_type = "OperationNotSupported"


class ContextRequestWrong(Problem):
    """Something that cannot be done with an @context, or a parameter that cannot be read."""

    code = "jsonld-context-request"
    ngsi_type = "BadRequestData"


class ContextMissing(ContextRequestWrong):
    """A body without an @context."""

    code = "jsonld-context-missing"
    ngsi_type = "InvalidRequest"


def context_routes(db: Database, contexts: Contexts, shelf: Shelf) -> type[Controller]:
    """The routes of @contexts."""
    tenants = Tenants(db)

    async def find(name: str, tenant: str) -> Shelved | None:
        local = hosted_id(name) or (kept_id(name) if ":" in name else name)
        return await shelf.find(local, tenant)

    class JsonldContexts(Controller):
        path = "/ngsi-ld/v1/jsonldContexts"
        tags = ("NGSI-LD",)

        @post("/", opt=WRITE, summary="Host an @context")
        async def add(self, request: Asked) -> Response[None]:
            tenant = await tenants.writable(request)
            ask.media_type_of(request)
            body = ask.read_json(await request.body())
            if not isinstance(body, dict) or body.get("@context") is None:
                raise ContextMissing(reason="The body is an object with an @context in it")
            with suppress(ContextUnavailable):  # what it names may be there when it is used
                await contexts.terms(body["@context"], tenant)
            await tenants.make(tenant)
            local = secrets.token_hex(16)
            await shelf.put(tenant, local, "Hosted", body["@context"], request.user.name_for_audit)
            return Response(None, status_code=201, headers={"Location": PATH + local})

        @get("/", opt=READ, summary="List @contexts")
        async def list_all(self, request: Asked) -> Response[bytes]:
            try:
                tenant = await tenants.existing(request)
            except TenantNotFound:  # documents from elsewhere are everybody's
                tenant = NOBODY
            params = dict(request.query_params)
            details = _flag(params, "details")
            said = params.get("kind")
            kind: Kind | None = next((k for k in _KINDS if k == said), None)
            if said is not None and kind is None:
                raise ContextRequestWrong(reason=f"The kind is one of {', '.join(_KINDS)}")
            limit = whole(params, "limit", LIST_MAX, LIST_MAX)
            offset = whole(params, "offset", 0, 1_000_000)
            found = await shelf.list_all(tenant, kind, limit, offset)
            listed = [_details(request, s) if details else _url(request, s) for s in found]
            if kind in (None, "Cached") and offset == 0:
                listed.append(_core_details(CORE_CONTEXT) if details else CORE_CONTEXT)
            return ask.plain(request, listed)

        @get("/{context_id:path}", opt=READ, summary="Serve an @context")
        async def serve(self, request: Asked, context_id: FromPath[str]) -> Response[bytes]:
            tenant = await tenants.existing(request)
            details = _flag(request.query_params, "details")
            name = _named(request, context_id)
            core = core_version(name)
            if core is not None:
                return ask.plain(
                    request,
                    _core_details(name) if details else {"@context": core_context(core)},
                )
            await shelf.write_down()
            found = await find(name, tenant)
            if found is None:
                raise ContextNotFound(id=name[:200])
            if details:
                if found.kind != "Hosted":  # of those, what is said about them is no use of them
                    shelf.used(found.tenant, found.id)  # told the next time
                return ask.plain(request, _details(request, found))
            if found.kind == "Cached":
                raise ContextNotServed(url=found.url)
            shelf.used(found.tenant, found.id)
            return ask.plain(request, {"@context": found.body})

        @delete("/{context_id:path}", opt=WRITE, status_code=204, summary="Delete or reload")
        async def remove(self, request: Asked, context_id: FromPath[str]) -> Response[None]:
            tenant = await tenants.existing(request)
            reload = _flag(request.query_params, "reload")
            name = _named(request, context_id)
            if core_version(name) is not None:
                if not reload:
                    raise ContextRequestWrong(reason="The core context is not deleted")
                contexts.forget()
                return Response(None, status_code=204)
            found = await find(name, tenant)
            if found is None:
                if reload:
                    raise ContextRequestWrong(reason=f"There is no @context “{name[:100]}” here")
                raise ContextNotFound(id=name[:200])
            if reload:
                if found.kind != "Cached" or found.url is None:
                    raise ContextRequestWrong(reason="Only an @context from elsewhere is reloaded")
                await contexts.reload(found.url)
                return Response(None, status_code=204)
            actor = request.user
            if found.owner != actor.name_for_audit and not may(actor, "entity:write"):
                raise Forbidden(permission="entity:write")
            await shelf.remove(found)
            contexts.forget_document(found.url or "")
            return Response(None, status_code=204)

    return JsonldContexts


def _named(request: Asked, decoded: str) -> str:
    """The id of the address, as it was sent: a URL keeps its two slashes."""
    raw = request.scope.get("raw_path")
    if not raw:
        return decoded.strip("/")
    _, _, name = raw.decode("latin-1").partition("/jsonldContexts/")
    return unquote(name.partition("?")[0]).removesuffix("/")


def _flag(params: Any, name: str) -> bool:
    said = params.get(name)
    if said not in (None, "", "true", "false"):
        raise ContextRequestWrong(reason=f"{name} is true or false")
    return bool(said == "true")


def _url(request: Asked, shelved: Shelved) -> str:
    if shelved.kind == "Cached" and shelved.url is not None:
        return shelved.url
    return f"{str(request.base_url).rstrip('/')}{PATH}{shelved.id}"


def _details(request: Asked, shelved: Shelved) -> dict[str, Any]:
    made: dict[str, Any] = {
        "URL": _url(request, shelved),
        "localId": shelved.id,
        "kind": shelved.kind,
        "createdAt": format_instant(shelved.created_at),
        "numberOfHits": shelved.hits,
    }
    if shelved.used_at is not None:
        made["lastUsage"] = format_instant(shelved.used_at)
    return made


def _core_details(url: str) -> dict[str, Any]:
    return {
        "URL": url,
        "localId": kept_id(url),
        "kind": "Cached",
        "createdAt": _CORE_SINCE,
        "extraInfo": {"origin": "a table of this city's own"},
    }
