"""/ngsi-ld/v1/csourceRegistrations (clauses 5.9 and 5.10, 6.8 and 6.9), /info/sourceIdentity."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from litestar import Controller, Response, delete, get, patch, post
from litestar.params import FromPath

from nagara.context.context import Context
from nagara.context.errors import QueryInvalid
from nagara.context.model import Query
from nagara.context.ngsi import ask
from nagara.context.ngsi.ask import Asked
from nagara.context.ngsi.fetch import Contexts
from nagara.context.ngsi.query import LIMIT_DEFAULT, LIMIT_MAX, whole
from nagara.context.ngsi.read import is_uri
from nagara.context.ngsi.retrieve import page_links
from nagara.context.ngsi.sources.discovery import properties_of, question_of
from nagara.context.ngsi.sources.errors import (
    RegistrationExists,
    RegistrationInvalid,
    RegistrationNotFound,
    SourceConflict,
)
from nagara.context.ngsi.sources.registration import (
    Registration,
    compile_doc,
    merge_doc,
    read_doc,
    render_doc,
)
from nagara.context.ngsi.sources.registry import Registry
from nagara.context.ngsi.tenants import Tenants
from nagara.context.ngsi.terms import CORE, TermMap
from nagara.context.q import parse_q
from nagara.context.q_match import matches
from nagara.guard.permission import allow
from nagara.guard.policy import may
from nagara.values.time import format_instant

#: A query has at least one of these, or q (clause 5.10.2.4). `type=*` lists all.
_NARROWING = ("type", "id", "idPattern", "attrs", "pick", "csf", "georel", "scopeQ", "timerel")

READ, WRITE = allow("source:read"), allow("source:write")
BASE = "/ngsi-ld/v1/csourceRegistrations"
#: What a pair of contextSourceInfo carries is for those who may change it; others see this.
SECRET = "…"  # noqa: S105


def source_routes(
    context: Context, contexts: Contexts, registry: Registry, new_id: Callable[[], str]
) -> list[type[Controller]]:
    """The routes of registrations."""
    tenants = Tenants(context.db)

    class Registrations(Controller):
        path = BASE
        tags = ("NGSI-LD",)

        @post("/", opt=WRITE, summary="Register a context source")
        async def create(self, request: Asked) -> Response[None]:
            tenant = await tenants.writable(request)
            sent = await ask.read_sent(request, contexts)
            doc = read_doc(sent.body, sent.terms, new_id(), datetime.now(UTC))
            made = compile_doc(doc, tenant)
            registry.demand_room(tenant)
            if registry.find(tenant, made.id) is not None:
                raise RegistrationExists(id=made.id)
            registry.demand_no_clash(made)
            await demand_free_place(context, made)
            await tenants.make(tenant)
            if not await insert(context, made, request.user.name_for_audit):
                raise RegistrationExists(id=made.id)
            registry.put(made)
            headers = {"Location": f"{BASE}/{quote(made.id, safe=':')}"}
            return _nothing(request, 201, headers)

        @get("/", opt=READ, summary="Query context sources")
        async def query(self, request: Asked) -> Response[bytes]:
            tenant = await tenants.existing(request)
            terms = await ask.terms_of(request, contexts)
            accept = ask.accept_of(request)
            params = dict(request.query_params)
            limit = whole(params, "limit", LIMIT_DEFAULT, LIMIT_MAX)
            offset = whole(params, "offset", 0, 1_000_000)
            found = search(registry, request, params, terms, tenant)
            headers: dict[str, str] = {}
            if params.get("count") == "true" or "count" in str(params.get("options", "")):
                headers["NGSILD-Results-Count"] = str(len(found))
            page = found[offset : offset + limit]
            rows = await read_rows(context, tenant, [r.id for r in page])
            body = [shown(r, rows.get(r.id), terms, request) for r in page]
            answer = ask.answer(request, body, terms, accept, headers=headers)
            return with_links(request, answer, limit, offset, len(found), accept)

        @get("/{name:str}", opt=READ, summary="Retrieve a context source")
        async def retrieve(self, request: Asked, name: FromPath[str]) -> Response[bytes]:
            tenant = await tenants.existing(request)
            terms = await ask.terms_of(request, contexts)
            accept = ask.accept_of(request)
            made = get_registration(registry, tenant, name)
            rows = await read_rows(context, tenant, [name])
            body = shown(made, rows.get(name), terms, request)
            return ask.answer(request, body, terms, accept)

        @patch("/{name:str}", opt=WRITE, summary="Change a context source")
        async def change(self, request: Asked, name: FromPath[str]) -> Response[None]:
            tenant = await tenants.existing(request)
            before = get_registration(registry, tenant, name)
            sent = await ask.read_sent(request, contexts)
            merged = merge_doc(before.doc, with_secrets(sent.body, before.doc), sent.terms)
            doc = read_doc(merged, sent.terms, name, datetime.now(UTC))
            made = compile_doc(doc, tenant)
            registry.demand_no_clash(made)
            if (made.mode, made.parts) != (before.mode, before.parts):
                await demand_free_place(context, made)
            async with context.db.acquire() as conn:
                await conn.execute(
                    """update context.source_registration
                       set doc = $3, modified_at = $4, expires_at = $5
                       where tenant = $1 and id = $2""",
                    tenant,
                    name,
                    doc,
                    datetime.now(UTC),
                    made.expires_at,
                )
            registry.put(made)
            return _nothing(request)

        @delete("/{name:str}", opt=WRITE, status_code=204, summary="Forget a context source")
        async def remove(self, request: Asked, name: FromPath[str]) -> Response[None]:
            tenant = await tenants.existing(request)
            get_registration(registry, tenant, name)
            async with context.db.acquire() as conn:
                await conn.execute(
                    "delete from context.source_registration where tenant = $1 and id = $2",
                    tenant,
                    name,
                )
            registry.drop(tenant, name)
            return _nothing(request)

    return [Registrations, identity_routes(registry)]


def identity_routes(registry: Registry) -> type[Controller]:
    """Who this broker is (clauses 5.15.1 and 6.33)."""
    began_s = time.monotonic()

    class Identity(Controller):
        path = "/ngsi-ld/v1/info"
        tags = ("NGSI-LD",)

        @get("/sourceIdentity", opt=allow("entity:read"), summary="Who this broker is")
        async def identity(self, request: Asked) -> Response[bytes]:
            alias = registry.alias_of(ask.tenant_of(request))
            body = {
                "id": f"urn:ngsi-ld:ContextSourceIdentity:{alias}",
                "type": "ContextSourceIdentity",
                "contextSourceAlias": alias,
                "contextSourceUptime": f"PT{int(time.monotonic() - began_s)}S",
                "contextSourceTimeAt": format_instant(datetime.now(UTC)),
            }
            return ask.answer(request, body, CORE, ask.accept_of(request))

    return Identity


def get_registration(registry: Registry, tenant: str, name: str) -> Registration:
    """A registration. Raises `RegistrationNotFound`, `RegistrationInvalid` for what is no id."""
    if not is_uri(name):
        raise RegistrationInvalid(reason="an id is a URI")
    made = registry.find(tenant, name)
    if made is None:
        raise RegistrationNotFound(id=name)
    return made


def search(
    registry: Registry, request: Asked, params: dict[str, Any], terms: TermMap, tenant: str
) -> list[Registration]:
    """The registrations that fulfil a query (clause 5.10.2)."""
    q = params.get("q")
    tree = parse_q(q) if q else None
    if not q and not any(params.get(word) for word in _NARROWING):
        raise QueryInvalid(query="", position=0, reason="name at least one of type and attrs")
    question = question_of(params, "", terms, tenant, request.user)
    everything = params.get("type") == "*" and tree is None
    # Ids of registrations are asked for as well; then no entity is meant.
    ids = question.wanted.ids or frozenset()
    named = {i for i in ids if registry.find(tenant, i) is not None}
    whole = everything or bool(named)
    asked_for = registry.all_of(tenant) if whole else registry.candidates(tenant, question.wanted)
    return [
        r
        for r in asked_for
        if (r.id in named if named else everything or question.concerns(r, terms, strict=True))
        and (tree is None or matches(tree, properties_of(r.doc), terms.expand))
    ]


async def demand_free_place(context: Context, made: Registration) -> None:
    """Raises `SourceConflict` where what shall lie elsewhere lies here already (clause 5.9.2.4)."""
    if made.mode == "exclusive":
        for part in made.parts:
            for one in part.entities:
                stored = await context.find(one.id or "", made.tenant)
                if stored is not None and (part.attrs or frozenset()) & stored.attrs.keys():
                    raise SourceConflict(reason=f"{one.id} has such attributes here")
        return
    if made.mode != "redirect":
        return
    for part in made.parts:
        for one in part.entities:
            wanted = Query(
                types=tuple(one.types),
                ids=(one.id,) if one.id else (),
                id_pattern=one.pattern,
                attrs=tuple(part.attrs or ()),
                limit=1,
                tenant=made.tenant,
            )
            page = await context.query(wanted)
            if page.entities:
                raise SourceConflict(reason=f"{page.entities[0].id} lies here and fits it")


def with_links(
    request: Asked, answer: Response[bytes], limit: int, offset: int, total: int, accept: str
) -> Response[bytes]:
    """An answer with links to the pages around it (clause 6.3.10)."""
    if not limit:
        return answer
    pages = page_links(
        request,
        Query(limit=limit, offset=offset),
        offset + limit < total,
        accept,  # type: ignore[arg-type,unused-ignore]
    )
    if pages:
        said = answer.headers.get("Link")
        answer.headers["Link"] = ", ".join([*pages, said] if said else pages)
    return answer


async def insert(context: Context, made: Registration, owner: str) -> bool:
    """Store a new registration; False where its id is taken."""
    async with context.db.acquire() as conn:
        done: str = await conn.execute(
            """insert into context.source_registration
                   (tenant, id, doc, owner, created_at, modified_at, expires_at)
               values ($1, $2, $3, $4, $5, $5, $6) on conflict do nothing""",
            made.tenant,
            made.id,
            made.doc,
            owner,
            datetime.now(UTC),
            made.expires_at,
        )
    return done.endswith("1")


async def read_rows(context: Context, tenant: str, names: list[str]) -> dict[str, Any]:
    """What is kept of registrations beside their documents, by id."""
    async with context.db.acquire() as conn:
        rows = await conn.fetch(
            """select id, created_at, modified_at, times_sent, times_failed, last_success,
                   last_failure, status
               from context.source_registration where tenant = $1 and id = any($2)""",
            tenant,
            names,
        )
    return {row["id"]: row for row in rows}


def shown(made: Registration, row: Any, terms: TermMap, request: Asked) -> dict[str, Any]:
    """A registration as a client sees it."""
    body = render_doc(made.doc, terms)
    if "contextSourceInfo" in body and not may(request.user, "source:write"):
        body["contextSourceInfo"] = [
            {**pair, "value": SECRET} for pair in body["contextSourceInfo"]
        ]
    if row is None:
        return body
    options = f"{request.query_params.get('options', '')},{request.query_params.get('format', '')}"
    if "sysAttrs" in options:
        body["createdAt"] = format_instant(row["created_at"])
        body["modifiedAt"] = format_instant(row["modified_at"])
    if row["times_sent"]:
        body["timesSent"], body["status"] = row["times_sent"], row["status"]
        if row["times_failed"]:
            body["timesFailed"] = row["times_failed"]
        for name, word in (("last_success", "lastSuccess"), ("last_failure", "lastFailure")):
            if row[name] is not None:
                body[word] = format_instant(row[name])
    return body


def with_secrets(change: Any, kept: dict[str, Any]) -> Any:
    """A change in which a value that was shown as … is the one that is kept."""
    if not isinstance(change, dict) or not isinstance(change.get("contextSourceInfo"), list):
        return change
    # A secret goes where it was meant to go: to another address it is not taken along.
    if change.get("endpoint", kept["endpoint"]) != kept["endpoint"]:
        return change
    held = {p["key"]: p["value"] for p in kept.get("contextSourceInfo", ())}
    pairs = [
        {**p, "value": held.get(p.get("key"), SECRET)}
        if isinstance(p, dict) and p.get("value") == SECRET
        else p
        for p in change["contextSourceInfo"]
    ]
    return {**change, "contextSourceInfo": pairs}


def _nothing(
    request: Asked, status: int = 204, headers: dict[str, str] | None = None
) -> Response[None]:
    sent = dict(headers or {})
    tenant = request.headers.get("ngsild-tenant")
    if tenant:
        sent["NGSILD-Tenant"] = tenant
    return Response(None, status_code=status, headers=sent)
