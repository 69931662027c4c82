"""Entity maps: which sources hold which entities of a query (clauses 4.5.25, 5.2.39, 5.14)."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from litestar import Response, delete, get, patch, post
from litestar.params import FromPath
from msgspec import Struct

from nagara.context.context import Context
from nagara.context.errors import EntityNotFound, QueryInvalid
from nagara.context.ngsi import ask
from nagara.context.ngsi.ask import Asked
from nagara.context.ngsi.fetch import Contexts
from nagara.context.ngsi.query import LIMIT_MAX, demand_selection, is_counted, make_query
from nagara.context.ngsi.read import is_uri
from nagara.context.ngsi.sources.discovery import question_of
from nagara.context.ngsi.sources.durations import seconds_of
from nagara.context.ngsi.sources.errors import (
    RegistrationInvalid,
    RegistrationNotFound,
    SourceLimit,
)
from nagara.context.ngsi.sources.forward import Asking
from nagara.context.ngsi.sources.queries import query_params
from nagara.context.ngsi.sources.reads import Found, Reads
from nagara.context.ngsi.tenants import Tenants
from nagara.context.ngsi.terms import CORE, TermMap
from nagara.guard.identity import Actor
from nagara.guard.permission import allow
from nagara.guard.policy import may
from nagara.values.time import format_instant, parse_instant

BASE = "/ngsi-ld/v1/entityMaps"
HERE = "@none"
MAPS_MAX = 200  # of one owner in one tenant: each is some 100 kB at most
LIFETIME, LIFETIME_MAX = timedelta(hours=1), timedelta(days=1)
_QUERIES = ("queryEntity", "queryBatch")


class EntityMap(Struct, frozen=True):
    """An entity map: entity id → ids of registrations, `@none` for what lies here."""

    id: str
    owner: str
    entities: dict[str, list[str]]
    expires_at: datetime

    def body(self) -> dict[str, Any]:
        """As a client sees it (Table 5.2.39-1)."""
        return {
            "id": self.id,
            "type": "EntityMap",
            "expiresAt": format_instant(self.expires_at),
            "entityMap": self.entities,
            "linkedMaps": {},
        }


class Maps:
    """The entity maps of this broker."""

    def __init__(self, context: Context, contexts: Contexts, reads: Reads) -> None:
        self._context = context
        self._contexts = contexts
        self._reads = reads

    async def find(self, tenant: str, name: str) -> EntityMap | None:
        """A map that has not expired, or None."""
        async with self._context.db.acquire() as conn:
            row = await conn.fetchrow(
                """select doc, owner, expires_at from context.entity_map
                   where tenant = $1 and id = $2 and expires_at > $3""",
                tenant,
                name,
                datetime.now(UTC),
            )
        return None if row is None else EntityMap(name, row["owner"], row["doc"], row["expires_at"])

    async def make(
        self,
        request: Asked,
        asked: Asking,
        params: Sequence[tuple[str, str]],
        terms: TermMap,
        body: dict[str, Any] | None = None,
    ) -> tuple[EntityMap, Found]:
        """A new map of all that fulfils a query now, and what was said of it."""
        whole = [(k, v) for k, v in params if k not in ("limit", "offset", "after", "entityMap")]
        whole.append(("limit", str(LIMIT_MAX)))
        said = dict(whole)
        demand_selection(make_query(said, terms, asked.tenant, request.user))
        question = question_of(said, "queryEntity", terms, asked.tenant, request.user)
        local = said.get("local") == "true"
        sources = [] if local else self._reads.sources(asked, question, terms, _QUERIES)
        found = await self._reads.collect(request, asked, whole, terms, sources, question, body)
        entities = {
            entity.id: [
                told.source.id if told.source is not None else HERE
                for told in found.told[entity.id]
            ]
            for entity in self._reads.assemble(request, found, said, terms)
        }
        now = datetime.now(UTC)
        lifetime = seconds_of(dict(params).get("entityMapLifetime"))
        until = LIFETIME if lifetime is None else timedelta(seconds=min(lifetime, 1e6))
        made = EntityMap(
            f"urn:ngsi-ld:EntityMap:{secrets.token_hex(12)}",
            request.user.name_for_audit,
            entities,
            now + min(until, LIFETIME_MAX),
        )
        await self._keep(made, asked.tenant, now)
        return made, found

    async def _keep(self, made: EntityMap, tenant: str, now: datetime) -> None:
        async with self._context.db.acquire() as conn:
            await conn.execute("delete from context.entity_map where expires_at <= $1", now)
            count = await conn.fetchval(
                "select count(*) from context.entity_map where tenant = $1 and owner = $2",
                tenant,
                made.owner,
            )
            if count >= MAPS_MAX:
                raise SourceLimit(limit=MAPS_MAX, what="entity maps")
            await conn.execute(
                """insert into context.entity_map (tenant, id, doc, owner, created_at, expires_at)
                   values ($1, $2, $3, $4, $5, $6)""",
                tenant,
                made.id,
                made.entities,
                made.owner,
                now,
                made.expires_at,
            )

    async def query(
        self,
        request: Asked,
        asked: Asking,
        params: Sequence[tuple[str, str]],
        terms: TermMap,
        body: dict[str, Any] | None,
        name: str | None,
    ) -> Response[Any]:
        """A page of the entities of a map: only the sources that hold them are asked."""
        if dict(params).get("orderBy"):
            raise QueryInvalid(query="orderBy", position=0, reason="a map has the order of ids")
        held = await self.find(asked.tenant, name) if name is not None else None
        if held is None or not owns(request.user, held.owner):
            held, _ = await self.make(request, asked, params, terms, body)
        said: dict[str, Any] = dict(params)
        wanted = make_query(said, terms, asked.tenant, request.user)
        ids = sorted(held.entities)[wanted.offset : wanted.offset + wanted.limit]
        found = Found({}, [])
        if ids:
            found = await self._page(request, asked, params, terms, held, ids)
        page = self._reads.assemble(request, found, said, terms)
        headers = {"NGSILD-EntityMap": f"{BASE}/{held.id}"}
        if found.warnings:
            headers["NGSILD-Warning"] = ", ".join(found.warnings)
        if is_counted(said):
            headers["NGSILD-Results-Count"] = str(len(held.entities))
        return await self._reads.respond(request, asked.tenant, said, terms, page, headers)

    async def _page(
        self,
        request: Asked,
        asked: Asking,
        params: Sequence[tuple[str, str]],
        terms: TermMap,
        held: EntityMap,
        ids: Sequence[str],
    ) -> Found:
        left_out = ("id", "idPattern", "limit", "offset", "after", "entityMap", "count")
        narrowed = [(k, v) for k, v in params if k not in left_out]
        narrowed += [("id", ",".join(ids)), ("limit", str(len(ids)))]
        only = frozenset(source for name in ids for source in held.entities[name])
        question = question_of(dict(narrowed), "queryEntity", terms, asked.tenant, request.user)
        sources = self._reads.sources(asked, question, terms, _QUERIES, only)
        return await self._reads.collect(request, asked, narrowed, terms, sources, question)

    async def retrieve(
        self, request: Asked, asked: Asking, entity_id: str, name: str | None
    ) -> Response[Any] | None:
        """One entity, from the sources that a map names; None where nothing but this broker is."""
        held = await self.find(asked.tenant, name) if name is not None else None
        if held is None or not owns(request.user, held.owner):
            return None
        if entity_id not in held.entities:
            raise EntityNotFound(id=entity_id)
        only = frozenset(held.entities[entity_id])
        made = await self._reads.retrieve(request, asked, entity_id, only)
        if made is not None:
            made.headers["NGSILD-EntityMap"] = f"{BASE}/{held.id}"
        return made


def owns(actor: Actor, owner: str) -> bool:
    """Whether a map, which says what somebody may see, is open to somebody."""
    return actor.name_for_audit == owner or may(actor, "source:write")


def map_routes(context: Context, contexts: Contexts, maps: Maps) -> list[Any]:
    """The routes of entity maps (6.32 and 6.34)."""
    tenants = Tenants(context.db)
    read = allow("entity:read")
    tags = ["NGSI-LD"]

    async def held(request: Asked, name: str) -> tuple[str, EntityMap]:
        tenant = await tenants.existing(request)
        if not is_uri(name):
            raise RegistrationInvalid(reason="an id is a URI")
        found = await maps.find(tenant, name)
        if found is None or not owns(request.user, found.owner):
            raise RegistrationNotFound(id=name)
        return tenant, found

    def told(request: Asked, made: EntityMap, found: Found) -> Response[Any]:
        headers = {"Location": f"{BASE}/{made.id}", "NGSILD-EntityMap": f"{BASE}/{made.id}"}
        if found.warnings:
            headers["NGSILD-Warning"] = ", ".join(found.warnings)
        accept = ask.accept_of(request)
        return ask.answer(request, made.body(), CORE, accept, status=201, headers=headers)

    def asking(request: Asked, tenant: str) -> Asking:
        return Asking(tenant, {k.lower(): v for k, v in request.headers.items()})

    @get(BASE, opt=read, tags=tags, status_code=201, summary="Make an entity map")
    async def make(request: Asked) -> Response[Any]:
        tenant = await tenants.existing(request)
        terms = await ask.terms_of(request, contexts)
        params = list(request.query_params.items())
        return told(request, *await maps.make(request, asking(request, tenant), params, terms))

    @post(BASE, opt=read, tags=tags, summary="Make an entity map by a query")
    async def make_by_body(request: Asked) -> Response[Any]:
        tenant = await tenants.existing(request)
        sent = await ask.read_sent(request, contexts)
        params = query_params(request, sent.body)
        if params is None:
            raise QueryInvalid(query="", position=0, reason="the body is an object of type Query")
        asked = asking(request, tenant)
        return told(request, *await maps.make(request, asked, params, sent.terms, sent.body))

    @get(BASE + "/{name:str}", opt=read, tags=tags, summary="Retrieve an entity map")
    async def retrieve(request: Asked, name: FromPath[str]) -> Response[Any]:
        _, found = await held(request, name)
        return ask.answer(request, found.body(), CORE, ask.accept_of(request))

    @patch(BASE + "/{name:str}", opt=read, tags=tags, summary="Change when a map expires")
    async def change(request: Asked, name: FromPath[str]) -> Response[None]:
        tenant, found = await held(request, name)
        sent = await ask.read_sent(request, contexts)
        if not isinstance(sent.body, dict) or sent.body.get("type", "EntityMap") != "EntityMap":
            raise RegistrationInvalid(reason="a change is an object of type EntityMap")
        said = sent.body.get("expiresAt")
        if said is not None:
            at, now = parse_instant(said), datetime.now(UTC)
            if at <= now:
                raise RegistrationInvalid(reason="expiresAt has passed")
            found = msgspec.structs.replace(found, expires_at=min(at, now + LIFETIME_MAX))
            async with context.db.acquire() as conn:
                await conn.execute(
                    "update context.entity_map set expires_at = $3 where tenant = $1 and id = $2",
                    tenant,
                    name,
                    found.expires_at,
                )
        return Response(None, status_code=204)

    @delete(BASE + "/{name:str}", opt=read, tags=tags, status_code=204, summary="Delete a map")
    async def remove(request: Asked, name: FromPath[str]) -> Response[None]:
        tenant, _ = await held(request, name)
        async with context.db.acquire() as conn:
            await conn.execute(
                "delete from context.entity_map where tenant = $1 and id = $2", tenant, name
            )
        return Response(None, status_code=204)

    return [make, make_by_body, retrieve, change, remove]
