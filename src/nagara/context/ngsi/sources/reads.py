"""Retrieving and querying entities over all sources (clauses 5.7.1 and 5.7.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec
from litestar import Response
from msgspec import Struct

from nagara.context.context import Context
from nagara.context.errors import EntityNotFound, QueryInvalid
from nagara.context.find import fulfils
from nagara.context.model import Entity
from nagara.context.ngsi import ask
from nagara.context.ngsi.ask import Asked
from nagara.context.ngsi.fetch import Contexts
from nagara.context.ngsi.query import (
    LIMIT_MAX,
    demand_selection,
    geometry_property,
    is_counted,
    is_whole,
    linking_of,
    make_query,
    params_of,
    read_view,
)
from nagara.context.ngsi.read import is_uri
from nagara.context.ngsi.render import has_any
from nagara.context.ngsi.retrieve import demand_shown, shown
from nagara.context.ngsi.sources.discovery import Question, question_of
from nagara.context.ngsi.sources.forward import Asking, Forwarder, Reply, Sending
from nagara.context.ngsi.sources.merge import Told, merge, read_told, without_proxied
from nagara.context.ngsi.sources.registration import Registration
from nagara.context.ngsi.sources.registry import Registry, Wanted
from nagara.context.ngsi.sources.warnings import warn, warning
from nagara.context.ngsi.sources.wording import (
    Params,
    Wire,
    accept_from,
    body_of,
    forwarded_params,
    narrowed_attrs,
    narrowed_body,
    wants_times,
    wire_of,
)
from nagara.context.ngsi.terms import TermMap
from nagara.context.q import parse_q
from nagara.context.q_match import matches, times_of
from nagara.context.selection import are_scopes_meant
from nagara.guard.policy import visible_types
from nagara.http.problem import language_of, problem_body
from nagara.values.errors import Problem

ENTITIES = "/ngsi-ld/v1/entities"
#: Entities that one source may tell in one answer: as many as we tell ourselves.
TOLD_MAX = LIMIT_MAX


class Found(Struct):
    """What came of asking everybody."""

    told: dict[str, list[Told]]
    warnings: list[str]
    totals: int = 0  # what sources say that they hold beyond what they told
    full: bool = False  # somebody has more than was told


class Reads:
    """Entities from here and from everywhere that is registered."""

    def __init__(
        self, context: Context, contexts: Contexts, registry: Registry, forwarder: Forwarder
    ) -> None:
        self._context = context
        self._contexts = contexts
        self._registry = registry
        self._forwarder = forwarder

    async def retrieve(
        self, request: Asked, asked: Asking, entity_id: str, only: frozenset[str] | None = None
    ) -> Response[Any] | None:
        """One entity; None where no source is concerned. `only`: ids of registrations to ask."""
        params = request.query_params
        if not is_uri(entity_id):
            return None
        terms = await ask.terms_of(request, self._contexts)
        local = await self._context.find(entity_id, asked.tenant)
        question = question_of(
            {k: params[k] for k in ("attrs", "pick", "csf", "type") if k in params},
            "retrieveEntity",
            terms,
            asked.tenant,
            request.user,
        )
        types = local.types if local is not None else question.wanted.types
        wanted = Wanted(
            "retrieveEntity",
            frozenset((entity_id,)),
            frozenset(types) if types else None,
            question.wanted.attrs,
        )
        question = msgspec.structs.replace(question, wanted=wanted)
        sources = self.sources(asked, question, terms, ("retrieveEntity",), only)
        if not sources:
            return None
        accept = ask.accept_of(request, geo=True)
        view = read_view(params_of(request), terms)
        linking = linking_of(params_of(request), view)
        where = geometry_property(params_of(request), terms, accept == ask.GEO_JSON)
        path = f"{ENTITIES}/{quote(entity_id, safe=':')}"
        work = [
            (s, *await self._retrieval(s, path, request, terms, entity_id, types)) for s in sources
        ]
        replies = await self._forwarder.send_all(asked, [(s, sending) for s, sending, _ in work])
        alias = self._registry.alias_of(asked.tenant)
        warnings: list[str] = []
        told: list[Told] = []
        if local is not None:
            here = without_proxied(local, [s for s in sources if s.is_proxy])
            if here is not None and visible_types(request.user).allows(local.types):
                told.append(Told(here))
        for (source, _, wire), reply in zip(work, replies, strict=True):
            warn(warnings, alias, source, reply)
            if reply.ok:
                entity = await self._one(reply.json(), wire, source, entity_id)
                if entity is None:
                    warnings.append(warning(111, alias, source, "it sent no such entity"))
                else:
                    told.append(Told(entity, source))
        headers = {"NGSILD-Warning": ", ".join(warnings)} if warnings else {}
        told = [t for t in told if visible_types(request.user).allows(t.entity.types)]
        if not told:
            if warnings:
                return missing(request, entity_id, warnings)
            raise EntityNotFound(id=entity_id)
        entity = merge(told)
        demand_shown(entity, params_of(request), view, terms)
        made = await shown(
            self._context, request, [entity], view, linking, terms, accept, where, asked.tenant
        )
        body: Any = made if linking.join == "flat" and len(made) > 1 else made[0]
        if accept == ask.GEO_JSON and isinstance(body, list):
            body = {"type": "FeatureCollection", "features": body}
        return ask.answer(request, body, terms, accept, headers=headers)

    async def query(
        self,
        request: Asked,
        asked: Asking,
        params: Params,
        terms: TermMap,
        body: dict[str, Any] | None = None,
    ) -> Response[Any] | None:
        """Entities by a query; None where no source is concerned. `body`: the Query of a POST."""
        said: dict[str, Any] = dict(params)
        if said.get("type") == "*":
            return None  # implies local scope
        question = question_of(said, "queryEntity", terms, asked.tenant, request.user)
        sources = self.sources(asked, question, terms, ("queryEntity", "queryBatch"))
        if not sources:
            return None
        if "orderBy" in said:
            raise QueryInvalid(
                query="orderBy", position=0, reason="an order is only kept with local=true"
            )
        wanted = make_query(said, terms, asked.tenant, request.user)
        demand_selection(wanted)
        found = await self.collect(request, asked, params, terms, sources, question, body)
        entities = self.assemble(request, found, said, terms)
        page = entities[wanted.offset : wanted.offset + wanted.limit]
        headers: dict[str, str] = {}
        if found.warnings:
            headers["NGSILD-Warning"] = ", ".join(found.warnings)
        if is_counted(said):
            headers["NGSILD-Results-Count"] = str(max(len(entities), found.totals))
        return await self.respond(request, asked.tenant, said, terms, page, headers)

    async def respond(
        self,
        request: Asked,
        tenant: str,
        said: Mapping[str, Any],
        terms: TermMap,
        entities: Sequence[Entity],
        headers: dict[str, str],
    ) -> Response[Any]:
        """Entities as they were asked for."""
        accept = ask.accept_of(request, geo=True)
        view = read_view(said, terms)
        linking = linking_of(said, view)
        where = geometry_property(said, terms, accept == ask.GEO_JSON)
        made: Any = await shown(
            self._context, request, entities, view, linking, terms, accept, where, tenant
        )
        if accept == ask.GEO_JSON:
            made = {"type": "FeatureCollection", "features": made}
        return ask.answer(request, made, terms, accept, headers=headers)

    def sources(
        self,
        asked: Asking,
        question: Question,
        terms: TermMap,
        operations: Iterable[str],
        only: frozenset[str] | None = None,
    ) -> list[Registration]:
        """The sources that are to be asked."""
        names = frozenset(operations)
        return [
            r
            for r in self._registry.matching(asked.tenant, question.wanted, asked.hops)
            if names & r.operations
            and (only is None or r.id in only)
            and question.concerns(r, terms)
        ]

    async def collect(
        self,
        request: Asked,
        asked: Asking,
        params: Params,
        terms: TermMap,
        sources: Sequence[Registration],
        question: Question,
        body: dict[str, Any] | None = None,
    ) -> Found:
        """What all say that fulfils the query, without a page of it being cut."""
        said: dict[str, Any] = dict(params)
        wanted = make_query(said, terms, asked.tenant, request.user)
        most = min(wanted.offset + wanted.limit, TOLD_MAX) or 1
        split = said.get("splitEntities") == "true"
        local = msgspec.structs.replace(wanted, limit=most, offset=0, after=None)
        if split:
            local = msgspec.structs.replace(local, q=None, geo=None, scopes=(), attrs=())
        page = await self._context.query(local, terms.expand)
        found = Found({}, [], 0, page.next_cursor is not None)
        proxies = [s for s in sources if s.is_proxy]
        for entity in page.entities:
            here = without_proxied(entity, proxies)
            if here is not None:
                found.told.setdefault(entity.id, []).append(Told(here))
        work = [(s, *await self._query(s, params, terms, question, body, most)) for s in sources]
        replies = await self._forwarder.send_all(asked, [(s, sending) for s, sending, _ in work])
        alias = self._registry.alias_of(asked.tenant)
        for (source, _, wire), reply in zip(work, replies, strict=True):
            warn(found.warnings, alias, source, reply)
            if reply.ok:
                await self._take(found, asked, source, wire, reply)
        if "count" in str(said.get("options", "")) or said.get("count") == "true":
            found.totals += await self._context.count(
                msgspec.structs.replace(local, limit=1), terms.expand
            )
        return found

    async def _take(
        self, found: Found, asked: Asking, source: Registration, wire: Wire, reply: Reply
    ) -> None:
        alias = self._registry.alias_of(asked.tenant)
        listed = reply.json()
        if not isinstance(listed, list):
            if reply.body:
                found.warnings.append(warning(111, alias, source, "it sent no list"))
            return
        bad = 0
        for one in listed[:TOLD_MAX]:
            entity = await self._one(one, wire, source)
            if entity is None:
                bad += 1
            else:
                found.told.setdefault(entity.id, []).append(Told(entity, source))
        if bad:
            words = f"{bad} of its entities are none, or none that it registered"
            found.warnings.append(warning(111, alias, source, words))
        total = reply.headers.get("ngsild-results-count", "")
        found.totals += int(total) if is_whole(total) else 0

    def assemble(
        self, request: Asked, found: Found, said: Mapping[str, Any], terms: TermMap
    ) -> list[Entity]:
        """Whole entities by id: what the caller may see, and what fulfils the filters now."""
        sight = visible_types(request.user)
        wanted = make_query(dict(said), terms, "", request.user)
        tree = parse_q(wanted.q) if wanted.q else None
        entities: list[Entity] = []
        for name in sorted(found.told):
            told = [t for t in found.told[name] if sight.allows(t.entity.types)]
            if not told:
                continue
            entity = merge(told)
            if said.get("splitEntities") == "true":
                if tree is not None and not matches(
                    tree, entity.attrs, terms.expand, times_of(entity)
                ):
                    continue
                if wanted.geo is not None and not fulfils(entity.attrs, wanted.geo):
                    continue
                if wanted.scopes and not are_scopes_meant(entity.scopes, wanted.scopes):
                    continue
            if wanted.attrs and not has_any(entity, wanted.attrs):
                continue
            entities.append(entity)
        return entities

    async def _one(
        self, body: Any, wire: Wire, source: Registration, entity_id: str | None = None
    ) -> Entity | None:
        terms = wire.terms
        if isinstance(body, dict) and "@context" in body:
            try:
                terms = await self._contexts.terms(body["@context"], source.tenant)
            except (Problem, RecursionError, TypeError):
                return None
            body = {k: v for k, v in body.items() if k != "@context"}
        entity = read_told(body, terms, source)
        return None if entity is None or entity_id not in (None, entity.id) else entity

    async def _retrieval(
        self,
        source: Registration,
        path: str,
        request: Asked,
        terms: TermMap,
        entity_id: str,
        types: Iterable[str] | None,
    ) -> tuple[Sending, Wire]:
        wire = await wire_of(source, terms, self._contexts)
        params: list[tuple[str, str]] = []
        if wants_times(request.query_params):
            params.append(("options", "sysAttrs"))
        attrs = narrowed_attrs(source, entity_id, types, request.query_params, terms)
        if attrs is not None:
            params.append(("attrs", ",".join(wire.terms.compact(a) for a in attrs)))
        if source.local_only:
            params.append(("local", "true"))
        return Sending("GET", path, tuple(params), None, None, wire.url, accept_from(source)), wire

    async def _query(
        self,
        source: Registration,
        params: Params,
        terms: TermMap,
        question: Question,
        body: dict[str, Any] | None,
        most: int,
    ) -> tuple[Sending, Wire]:
        wire = await wire_of(source, terms, self._contexts)
        passed = forwarded_params(source, params, terms, wire, question, most)
        if body is not None and "queryBatch" in source.operations:
            sent = narrowed_body(body, passed)
            return (
                Sending(
                    "POST",
                    "/ngsi-ld/v1/entityOperations/query",
                    tuple(p for p in passed if p[0] in ("limit", "count", "options", "local")),
                    msgspec.json.encode(sent),
                    "application/json",
                    wire.url,
                    accept_from(source),
                ),
                wire,
            )
        if "queryEntity" not in source.operations:
            sent = body_of(passed)
            path = "/ngsi-ld/v1/entityOperations/query"
            encoded = msgspec.json.encode(sent)
            return Sending("POST", path, (), encoded, "application/json", wire.url), wire
        accept = accept_from(source)
        return Sending("GET", ENTITIES, tuple(passed), None, None, wire.url, accept), wire


def missing(request: Asked, entity_id: str, warnings: list[str]) -> Response[Any]:
    """404 while some source could not be asked: the answer says so."""
    body = problem_body(EntityNotFound(id=entity_id), language_of(request), ngsi=True)
    headers = {"NGSILD-Warning": ", ".join(warnings)}
    return Response(body, status_code=404, media_type=ask.JSON, headers=headers)
