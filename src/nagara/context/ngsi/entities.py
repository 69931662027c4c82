"""/ngsi-ld/v1/entities: create, change, delete (clauses 6.4 to 6.7); reading is `retrieve`."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec
from litestar import Controller, Response, delete, patch, post, put
from litestar.params import FromPath

from nagara.context.context import Context
from nagara.context.errors import AttributeNotFound, EntityInvalid
from nagara.context.model import (
    Create,
    Delete,
    DeleteAttribute,
    Op,
    Patch,
    Replace,
    Written,
    default_instance,
)
from nagara.context.ngsi import ask
from nagara.context.ngsi.ask import Asked
from nagara.context.ngsi.fetch import Contexts
from nagara.context.ngsi.read import (
    is_uri,
    read_attribute,
    read_attrs,
    read_entity,
    read_scopes,
    read_types,
)
from nagara.context.ngsi.retrieve import get_seen
from nagara.context.ngsi.tenants import Tenants
from nagara.context.ngsi.terms import TermMap
from nagara.guard.permission import allow
from nagara.guard.policy import KEPT_BY_ROOMS, demand_free

WRITE = allow("entity:write")


async def demand_writable(context: Context, op: Op, tenant: str) -> None:
    """Raises `KeptByRooms` for what only the city's rooms write: by the types of the body, and by
    those of the stored entity where its id is one that a room would give."""
    entity: Any = getattr(op, "entity", op)
    demand_free(getattr(entity, "types", None) or ())
    if entity.id.removeprefix("urn:ngsi-ld:").partition(":")[0] in KEPT_BY_ROOMS:
        stored = await context.find(entity.id, tenant)
        demand_free(stored.types if stored is not None else ())


def entity_routes(context: Context, contexts: Contexts) -> type[Controller]:
    """The routes of entities and their attributes."""
    tenants = Tenants(context.db)

    class Entities(Controller):
        path = "/ngsi-ld/v1/entities"
        tags = ("NGSI-LD",)

        @post("/", opt=WRITE, summary="Create an entity")
        async def create(self, request: Asked) -> Response[None]:
            tenant = await tenants.writable(request)
            sent = await ask.read_sent(request, contexts)
            entity = read_entity(sent.body, sent.terms)
            await tenants.make(tenant)
            await self._write(request, Create(entity), tenant)
            place = f"/ngsi-ld/v1/entities/{quote(entity.id, safe=':')}"
            return _nothing(request, 201, {"Location": place})

        @put("/{entity_id:str}", opt=WRITE, summary="Replace an entity")
        async def replace(self, request: Asked, entity_id: FromPath[str]) -> Response[None]:
            tenant = await tenants.existing(request)
            sent = await ask.read_sent(request, contexts)
            before = await get_seen(context, request, entity_id, tenant)
            body = sent.body
            if isinstance(body, dict) and "type" not in body and "@type" not in body:
                body = {**body, "type": [sent.terms.compact(t) for t in before.types]}
            entity = read_entity(body, sent.terms, entity_id)
            await self._write(request, Replace(entity, _if_match(request)), tenant)
            return _nothing(request)

        @patch("/{entity_id:str}", opt=WRITE, summary="Merge an entity")
        async def merge(self, request: Asked, entity_id: FromPath[str]) -> Response[None]:
            tenant = await tenants.existing(request)
            sent = await ask.read_sent(request, contexts)
            await get_seen(context, request, entity_id, tenant)
            change = _fragment(sent.body, sent.terms, entity_id, "merge", nulls=True)
            change = msgspec.structs.replace(change, if_version=_if_match(request))
            await self._write(request, change, tenant)
            return _nothing(request)

        @delete("/{entity_id:str}", opt=WRITE, status_code=204, summary="Delete an entity")
        async def remove(self, request: Asked, entity_id: FromPath[str]) -> Response[None]:
            tenant = await tenants.existing(request)
            await get_seen(context, request, entity_id, tenant)
            await self._write(request, Delete(entity_id, _if_match(request)), tenant)
            return _nothing(request)

        @post("/{entity_id:str}/attrs", opt=WRITE, summary="Append attributes")
        async def append(self, request: Asked, entity_id: FromPath[str]) -> Response[Any]:
            tenant = await tenants.existing(request)
            sent = await ask.read_sent(request, contexts)
            await get_seen(context, request, entity_id, tenant)
            keep = "noOverwrite" in request.query_params.get("options", "")
            change = _fragment(sent.body, sent.terms, entity_id, "append_new" if keep else "append")
            written = await self._write(request, change, tenant)
            return _partly(request, written, change, sent.terms, "is there already")

        @patch("/{entity_id:str}/attrs", opt=WRITE, summary="Update attributes")
        async def update(self, request: Asked, entity_id: FromPath[str]) -> Response[Any]:
            tenant = await tenants.existing(request)
            sent = await ask.read_sent(request, contexts)
            await get_seen(context, request, entity_id, tenant)
            change = _fragment(sent.body, sent.terms, entity_id, "update")
            written = await self._write(request, change, tenant)
            return _partly(request, written, change, sent.terms, "is not there")

        @patch("/{entity_id:str}/attrs/{name:str}", opt=WRITE, summary="Change an attribute")
        async def change_attribute(
            self, request: Asked, entity_id: FromPath[str], name: FromPath[str]
        ) -> Response[None]:
            tenant = await tenants.existing(request)
            sent = await ask.read_sent(request, contexts)
            entity = await get_seen(context, request, entity_id, tenant)
            canonical = sent.terms.expand(name)
            known = default_instance(entity.attrs.get(canonical))
            if known is None:
                raise AttributeNotFound(id=entity_id, attribute=name)
            said = sent.body
            if isinstance(said, dict) and "type" not in said and "@context" in said:
                said = {k: v for k, v in said.items() if k != "@context"}
            if isinstance(said, dict) and "type" not in said:
                said = {"type": known.get("type", "Property"), **said}
            fragment = read_attribute(said, name, sent.terms, entity_id, nulls=True)
            await self._write(request, Patch(entity_id, {canonical: fragment}, "merge"), tenant)
            return _nothing(request)

        @put("/{entity_id:str}/attrs/{name:str}", opt=WRITE, summary="Replace an attribute")
        async def replace_attribute(
            self, request: Asked, entity_id: FromPath[str], name: FromPath[str]
        ) -> Response[None]:
            tenant = await tenants.existing(request)
            sent = await ask.read_sent(request, contexts)
            await get_seen(context, request, entity_id, tenant)
            canonical = sent.terms.expand(name)
            said = sent.body
            if isinstance(said, dict):
                said = {k: v for k, v in said.items() if k != "@context"}
            made = read_attribute(said, name, sent.terms, entity_id)
            await self._write(request, Patch(entity_id, {canonical: made}, "strict"), tenant)
            return _nothing(request)

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
            await get_seen(context, request, entity_id, tenant)
            params = request.query_params
            op = DeleteAttribute(
                entity_id,
                terms.expand(name),
                params.get("datasetId"),
                params.get("deleteAll") == "true",
            )
            await self._write(request, op, tenant)
            return _nothing(request)

        async def _write(self, request: Asked, op: Op, tenant: str) -> Written:
            await demand_writable(context, op, tenant)
            [written] = await context.write(
                op, actor=request.user.name_for_audit, key=ask.key_of(request), tenant=tenant
            )
            return written

    return Entities


def _fragment(body: Any, terms: TermMap, entity_id: str, mode: Any, nulls: bool = False) -> Patch:
    if not isinstance(body, dict):
        raise EntityInvalid(id=entity_id, reason="attributes are sent as a JSON object")
    if not is_uri(body.get("id", entity_id)):
        raise EntityInvalid(id=entity_id, reason="the id in the body is no URI")
    return Patch(
        entity_id,
        read_attrs(body, terms, entity_id, nulls),
        mode,
        types=read_types(body.get("type"), terms, entity_id, needed=False),
        scopes=read_scopes(body["scope"], entity_id) if "scope" in body else None,
    )


def _if_match(request: Asked) -> int | None:
    said = request.headers.get("if-match", "").strip().removeprefix("W/").strip('"')
    return int(said) if ask.is_whole(said) else None


def _nothing(
    request: Asked, status: int = 204, headers: dict[str, str] | None = None
) -> Response[None]:
    sent = dict(headers or {})
    tenant = request.headers.get("ngsild-tenant")
    if tenant:
        sent["NGSILD-Tenant"] = tenant
    return Response(None, status_code=status, headers=sent)


def _partly(
    request: Asked, written: Written, change: Patch, terms: TermMap, why: str
) -> Response[Any]:
    """204 where all was done, else 207 with what was and what was not (clause 5.2.18)."""
    if not written.untouched:
        return _nothing(request)
    done = [terms.compact(n) for n in change.attrs if n not in written.untouched]
    undone = [{"attributeName": terms.compact(n), "reason": why} for n in written.untouched]
    return ask.answer(request, {"updated": done, "notUpdated": undone}, terms, status=207)
