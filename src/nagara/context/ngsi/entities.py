"""/ngsi-ld/v1/entities: create, change, delete (clauses 5.6, 6.4 to 6.7); reading is `retrieve`."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from litestar import Controller, Response, delete, patch, post, put, route
from litestar.params import FromPath

from nagara.context.context import Context
from nagara.context.errors import AttributeNotFound, EntityInvalid
from nagara.context.model import (
    Create,
    Delete,
    DeleteAttribute,
    DeleteScope,
    Entity,
    Op,
    Patch,
    PatchMode,
    Replace,
    Written,
)
from nagara.context.ngsi import ask
from nagara.context.ngsi.ask import Asked
from nagara.context.ngsi.contexts.core import CORE_TERMS, DEFAULT_VOCAB
from nagara.context.ngsi.fetch import Contexts
from nagara.context.ngsi.names import is_name, is_uri, read_instant
from nagara.context.ngsi.partial import attribute_body, partial_update
from nagara.context.ngsi.purge import purge
from nagara.context.ngsi.query import is_whole
from nagara.context.ngsi.read import (
    Nulls,
    Simple,
    read_attribute,
    read_attribute_name,
    read_entity,
    read_fragment,
)
from nagara.context.ngsi.target import demand_id, demand_writable, get_target, words
from nagara.context.ngsi.tenants import Tenants
from nagara.context.ngsi.terms import TermMap
from nagara.guard.permission import allow
from nagara.http.problem import MethodWrong

__all__ = ["WRITE", "demand_writable", "entity_routes"]

WRITE = allow("entity:write")
_SIMPLE = frozenset({"keyValues", "simplified"})
_NULLS: dict[PatchMode, Nulls] = {"change": "whole", "merge": "merge"}


def entity_routes(context: Context, contexts: Contexts) -> type[Controller]:
    """The routes of entities and their attributes."""
    tenants = Tenants(context.db)

    class Entities(Controller):
        path = "/ngsi-ld/v1/entities"
        tags = ("NGSI-LD",)

        @post("/", opt=WRITE, summary="Create an entity")
        async def create(self, request: Asked) -> Response[None]:
            if (await request.body()).strip() in (b"", b"{}"):
                raise ask.BodyUnreadable(reason="it is empty")
            sent = await ask.read_sent(request, contexts)
            tenant = await tenants.writable(request)
            simple = Simple() if is_simple(request) else None
            entity = read_entity(sent.body, sent.terms, simple=simple)
            await tenants.make(tenant)
            await self._write(request, Create(entity), tenant)
            place = f"/ngsi-ld/v1/entities/{quote(entity.id, safe=':')}"
            return _nothing(201, {"Location": place})

        @delete("/", opt=WRITE, status_code=204, summary="Purge entities")
        async def purge_entities(self, request: Asked) -> Response[None]:
            tenant = await tenants.existing(request)
            terms = await ask.terms_of(request, contexts)
            await purge(context, request, terms, tenant)
            return _nothing()

        @route("/", http_method=["PUT", "PATCH"], opt=WRITE, include_in_schema=False)
        async def without_id(self, request: Asked) -> Response[None]:
            demand_id("")
            raise MethodWrong(path=request.url.path[:200], method=request.method)

        @put("/{entity_id:str}", opt=WRITE, summary="Replace an entity")
        async def replace(self, request: Asked, entity_id: FromPath[str]) -> Response[None]:
            sent = await ask.read_sent(request, contexts)
            tenant = await tenants.existing(request)
            before = await get_target(context, request, entity_id, tenant, sent.terms)
            body = sent.body
            if isinstance(body, dict) and "type" not in body and "@type" not in body:
                body = {**body, "type": [sent.terms.compact(t) for t in before.types]}
            simple = Simple(before) if is_simple(request) else None
            entity = read_entity(body, sent.terms, entity_id, simple)
            await self._write(request, Replace(entity, _if_match(request)), tenant)
            return _nothing()

        @patch("/{entity_id:str}", opt=WRITE, summary="Merge an entity")
        async def merge(self, request: Asked, entity_id: FromPath[str]) -> Response[None]:
            await self._change(request, entity_id, "merge")
            return _nothing()

        @delete("/{entity_id:str}", opt=WRITE, status_code=204, summary="Delete an entity")
        async def remove(self, request: Asked, entity_id: FromPath[str]) -> Response[None]:
            tenant = await tenants.existing(request)
            terms = await ask.terms_of(request, contexts)
            await get_target(context, request, entity_id, tenant, terms)
            await self._write(request, Delete(entity_id, _if_match(request)), tenant)
            return _nothing()

        @post("/{entity_id:str}", opt=WRITE, include_in_schema=False)
        async def no_post(self, request: Asked, entity_id: FromPath[str]) -> Response[None]:
            demand_id(entity_id)  # `/entities//attrs` arrives here: its id is not there
            raise MethodWrong(path=request.url.path[:200], method=request.method)

        @post("/{entity_id:str}/attrs", opt=WRITE, summary="Append attributes")
        async def append(self, request: Asked, entity_id: FromPath[str]) -> Response[Any]:
            keep = "noOverwrite" in words(request.query_params.get("options"))
            mode: PatchMode = "append_new" if keep else "append"
            return _partly(request, *await self._change(request, entity_id, mode))

        @patch("/{entity_id:str}/attrs", opt=WRITE, summary="Update attributes")
        async def update(self, request: Asked, entity_id: FromPath[str]) -> Response[Any]:
            return _partly(request, *await self._change(request, entity_id, "change"))

        @patch("/{entity_id:str}/attrs/{name:str}", opt=WRITE, summary="Change an attribute")
        async def change_attribute(
            self, request: Asked, entity_id: FromPath[str], name: FromPath[str]
        ) -> Response[None]:
            sent = await ask.read_sent(request, contexts)
            tenant = await tenants.existing(request)
            entity = await get_target(context, request, entity_id, tenant, sent.terms)
            change = partial_update(entity, name, sent.body, sent.terms, _if_match(request))
            await self._write(request, change, tenant)
            return _nothing()

        @put("/{entity_id:str}/attrs/{name:str}", opt=WRITE, summary="Replace an attribute")
        async def replace_attribute(
            self, request: Asked, entity_id: FromPath[str], name: FromPath[str]
        ) -> Response[None]:
            sent = await ask.read_sent(request, contexts)
            tenant = await tenants.existing(request)
            entity = await get_target(context, request, entity_id, tenant, sent.terms)
            said = attribute_body(sent.body, name, entity_id)
            canonical = _attribute_name(name, sent.terms, entity)
            made = read_attribute(said, name, sent.terms.of_types(entity.types), entity_id)
            change = Patch(entity_id, {canonical: made}, "strict", _if_match(request))
            await self._write(request, change, tenant)
            return _nothing()

        @delete(
            "/{entity_id:str}/attrs/{name:str}",
            opt=WRITE,
            status_code=204,
            summary="Delete an attribute",
        )
        async def remove_attribute(
            self, request: Asked, entity_id: FromPath[str], name: FromPath[str]
        ) -> Response[None]:
            tenant = await tenants.existing(request)
            terms = await ask.terms_of(request, contexts)
            entity = await get_target(context, request, entity_id, tenant, terms)
            params = request.query_params
            dataset = params.get("datasetId")
            if dataset is not None and dataset != "@none" and not is_uri(dataset):
                raise EntityInvalid(id=entity_id, reason="datasetId is a URI")
            op: Op = DeleteScope(entity_id)
            if name != "scope":
                op = DeleteAttribute(
                    entity_id,
                    terms.of_types(entity.types).expand(name) if is_name(name) else name,
                    None if dataset == "@none" else dataset,
                    params.get("deleteAll") == "true",
                )
            await self._write(request, op, tenant)
            return _nothing()

        @route(
            "/{entity_id:str}/{rest:str}",
            http_method=["POST", "PATCH", "PUT", "DELETE"],
            opt=WRITE,
            include_in_schema=False,
        )
        async def no_attrs(self, entity_id: FromPath[str], rest: FromPath[str]) -> Response[None]:
            demand_id(entity_id)  # `/entities//attrs/{name}` arrives here: its id is not there
            raise AttributeNotFound(id=entity_id, attribute=rest[:200])

        async def _change(
            self, request: Asked, entity_id: str, mode: PatchMode
        ) -> tuple[Written, Patch, TermMap]:
            """The change of an entity by a fragment: append, update or merge."""
            sent = await ask.read_sent(request, contexts)
            tenant = await tenants.existing(request)
            entity = await get_target(context, request, entity_id, tenant, sent.terms)
            simple = None
            if is_simple(request):
                simple = Simple(entity, request.query_params.get("lang"))
            nulls = _NULLS.get(mode, "refused")
            _, said = read_fragment(sent.body, sent.terms, entity_id, nulls, entity.types, simple)
            change = Patch(
                entity_id,
                said.attrs,
                mode,
                _if_match(request),
                said.types,
                said.scopes,
                said.expires_at,
                observed_at(request) if mode == "merge" else None,
            )
            return await self._write(request, change, tenant), change, sent.terms

        async def _write(self, request: Asked, op: Op, tenant: str) -> Written:
            demand_writable(context, op, tenant)
            [written] = await context.write(
                op, actor=request.user.name_for_audit, key=ask.key_of(request), tenant=tenant
            )
            return written

    return Entities


def is_simple(request: Asked) -> bool:
    """Whether the body is simplified: values alone (clause 4.5.4)."""
    params = request.query_params
    said = words(params.get("options")) + words(params.get("format"))
    return not _SIMPLE.isdisjoint(said)


def observed_at(request: Asked) -> str | None:
    """The time of values that a merge sends without one (clause 5.6.17)."""
    said = request.query_params.get("observedAt")
    return None if said is None else read_instant(said, "observedAt")


def _attribute_name(name: str, terms: TermMap, entity: Entity) -> str:
    return read_attribute_name(name, terms.of_types(entity.types), entity.id)


def _if_match(request: Asked) -> int | None:
    said = request.headers.get("if-match", "").strip().removeprefix("W/").strip('"')
    return int(said) if is_whole(said) else None


def _nothing(status: int = 204, headers: dict[str, str] | None = None) -> Response[None]:
    return Response(None, status_code=status, headers=headers)


def _partly(request: Asked, written: Written, change: Patch, terms: TermMap) -> Response[Any]:
    """204 where all was done, else 207 with what was and what was not, by full names (5.2.18)."""
    if not written.untouched:
        return _nothing()
    why = "is there already" if change.mode == "append_new" else "is not there"
    named = [*change.attrs, *(["scope"] if change.scopes is not None else [])]
    body = {
        "updated": [full_name(n) for n in named if n not in written.untouched],
        "notUpdated": [{"attributeName": full_name(n), "reason": why} for n in written.untouched],
    }
    return ask.answer(request, body, terms, status=207)


def full_name(name: str) -> str:
    """The IRI of a canonical name."""
    return CORE_TERMS.get(name) or (name if ":" in name else DEFAULT_VOCAB + name)
