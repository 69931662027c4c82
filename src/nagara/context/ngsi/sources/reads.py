"""Retrieving and querying entities over all sources (clauses 5.7.1 and 5.7.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from litestar import Response
from msgspec import Struct

from nagara.context.errors import EntityNotFound, QueryInvalid
from nagara.context.geometry import fulfils
from nagara.context.model import Entity
from nagara.context.ngsi import ask
from nagara.context.ngsi.ask import Asked
from nagara.context.ngsi.query import (
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
from nagara.context.ngsi.sources.directory import Wanted
from nagara.context.ngsi.sources.discovery import Question, question_of
from nagara.context.ngsi.sources.exchange import Exchange
from nagara.context.ngsi.sources.forward import Asking
from nagara.context.ngsi.sources.inquiries import (
    QUERYING,
    RETRIEVING,
    TOLD_MAX,
    all_told,
    inquiry_of_one,
    inquiry_of_query,
    one_told,
)
from nagara.context.ngsi.sources.linked_maps import Linked
from nagara.context.ngsi.sources.links import Links
from nagara.context.ngsi.sources.merge import Told, merge, without_proxied
from nagara.context.ngsi.sources.registration import Registration
from nagara.context.ngsi.sources.warnings import warn, warning
from nagara.context.ngsi.sources.wording import (
    Params,
)
from nagara.context.ngsi.terms import TermMap
from nagara.context.q import parse_q
from nagara.context.q_match import matches, times_of
from nagara.context.selection import are_scopes_meant
from nagara.guard.policy import visible_types
from nagara.http.problem import language_of, problem_body


class Gathered(Struct, frozen=True):
    """The answer about one entity, and who told something of it; None: this broker."""

    answer: Response[Any]
    sources: tuple[Registration | None, ...]


class Found(Struct):
    """What came of asking everybody."""

    told: dict[str, list[Told]]
    warnings: list[str]
    totals: int = 0  # what sources say that they hold beyond what they told
    full: bool = False  # somebody has more than was told


class Reads:
    """Entities from here and from everywhere that is registered."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.contexts = exchange.contexts

    async def retrieve(
        self,
        request: Asked,
        asked: Asking,
        entity_id: str,
        only: frozenset[str] | None = None,
        always: bool = False,
        linked: Linked | None = None,
    ) -> Gathered | None:
        """One entity; None where no source is concerned, unless `always`. `only`: ids of
        registrations to ask; `linked`: the entity maps by which they go."""
        params = request.query_params
        if not is_uri(entity_id):
            return None
        terms = await ask.terms_of(request, self._exchange.contexts)
        local = await self._exchange.context.find(entity_id, asked.tenant)
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
        sources = []
        if params.get("local") != "true":
            sources = self.sources(asked, question, terms, RETRIEVING, only)
        if not sources and not always:
            return None
        told, warnings = await self._tell_one(
            request, asked, terms, entity_id, sources, local, linked or Linked()
        )
        if not told:
            if warnings:
                return Gathered(missing(request, entity_id, warnings), ())
            raise EntityNotFound(id=entity_id)
        whole = merge(told, self._exchange.context.keeping, asked.tenant)
        answer = await self._answer_one(request, asked, terms, whole, warnings)
        return Gathered(answer, tuple(t.source for t in told))

    async def _tell_one(
        self,
        request: Asked,
        asked: Asking,
        terms: TermMap,
        entity_id: str,
        sources: Sequence[Registration],
        local: Entity | None,
        linked: Linked,
    ) -> tuple[list[Told], list[str]]:
        """What is said of one entity, and what was abnormal."""
        types = local.types if local is not None else None
        params, exchange = request.query_params, self._exchange
        inquiries = [
            await inquiry_of_one(exchange, s, params, terms, entity_id, types) for s in sources
        ]
        work = [(i.source, i.sending) for i in inquiries]
        replies = await linked.send(exchange.forwarder, asked, work)
        alias = exchange.alias_of(asked)
        warnings: list[str] = []
        told: list[Told] = []
        if local is not None:
            proxies = [s for s in sources if s.is_proxy]
            here = without_proxied(local, proxies, exchange.context.keeping, asked.tenant)
            if here is not None:
                told.append(Told(here))
        for inquiry, reply in zip(inquiries, replies, strict=True):
            warn(warnings, alias, inquiry.source, reply)
            if not reply.ok:
                continue
            entity = await one_told(exchange, reply, inquiry, entity_id)
            if entity is not None:
                told.append(Told(entity, inquiry.source))
            elif reply.json() != []:
                warnings.append(warning(111, alias, inquiry.source, "it sent no such entity"))
        sight = visible_types(request.user)
        return [t for t in told if sight.allows(t.entity.types)], warnings

    async def _answer_one(
        self, request: Asked, asked: Asking, terms: TermMap, entity: Entity, warnings: list[str]
    ) -> Response[Any]:
        params = params_of(request)
        accept = ask.accept_of(request, geo=True)
        view = read_view(params, terms)
        linking = linking_of(params, view)
        where = geometry_property(params, terms, accept == ask.GEO_JSON)
        demand_shown(entity, params, view, terms)
        made = await shown(
            self._exchange.context, request, [entity], view, linking, terms, accept, where,
            asked.tenant, find=self._links(request, asked, terms, params, warnings).find,
        )  # fmt: skip
        body: Any = made if linking.join == "flat" and len(made) > 1 else made[0]
        if accept == ask.GEO_JSON and isinstance(body, list):
            body = {"type": "FeatureCollection", "features": body}
        headers = {"NGSILD-Warning": ", ".join(warnings)} if warnings else {}
        return ask.answer(request, body, terms, accept, headers=headers)

    def _links(
        self,
        request: Asked,
        asked: Asking,
        terms: TermMap,
        params: Mapping[str, Any],
        warnings: list[str],
    ) -> Links:
        """Where linked entities are looked for."""
        if params.get("local") == "true":  # as if nobody else were known
            asked = Asking(asked.tenant, {"via": self._exchange.alias_of(asked)})
        return Links(self._exchange, request, asked, terms, warnings)

    async def query(
        self,
        request: Asked,
        asked: Asking,
        params: Params,
        terms: TermMap,
        body: dict[str, Any] | None = None,
        always: bool = False,
    ) -> Response[Any] | None:
        """Entities by a query; None where no source is concerned, unless `always`. `body`: the
        Query of a POST."""
        said: dict[str, Any] = dict(params)
        if said.get("type") == "*":
            return None  # implies local scope
        question = question_of(said, "queryEntity", terms, asked.tenant, request.user)
        sources = self.sources(asked, question, terms, QUERYING)
        if not sources and not always:
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
        if is_counted(said):
            headers["NGSILD-Results-Count"] = str(max(len(entities), found.totals))
        return await self.respond(request, asked, said, terms, page, headers, found.warnings)

    async def respond(
        self,
        request: Asked,
        asked: Asking,
        said: Mapping[str, Any],
        terms: TermMap,
        entities: Sequence[Entity],
        headers: dict[str, str],
        warnings: list[str],
        status: int = 200,
    ) -> Response[Any]:
        """Entities as they were asked for, with those that they link to."""
        accept = ask.accept_of(request, geo=True)
        view = read_view(said, terms)
        linking = linking_of(said, view)
        where = geometry_property(said, terms, accept == ask.GEO_JSON)
        made: Any = await shown(
            self._exchange.context, request, entities, view, linking, terms, accept, where,
            asked.tenant, find=self._links(request, asked, terms, said, warnings).find,
        )  # fmt: skip
        if accept == ask.GEO_JSON:
            made = {"type": "FeatureCollection", "features": made}
        if warnings:
            headers["NGSILD-Warning"] = ", ".join(warnings)
        return ask.answer(request, made, terms, accept, status=status, headers=headers)

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
            for r in self._exchange.registry.matching(asked.tenant, question.wanted, asked.hops)
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
        linked: Linked | None = None,
    ) -> Found:
        """What all say that fulfils the query, without a page of it being cut. `linked`: the
        entity maps by which sources go."""
        said: dict[str, Any] = dict(params)
        wanted = make_query(said, terms, asked.tenant, request.user)
        most = min(wanted.offset + wanted.limit, TOLD_MAX) or 1
        split = said.get("splitEntities") == "true"
        local = msgspec.structs.replace(wanted, limit=most, offset=0, after=None)
        if split:
            local = msgspec.structs.replace(local, q=None, geo=None, scopes=(), attrs=())
        page = await self._exchange.context.query(local, terms.expand)
        found = Found({}, [], 0, page.next_cursor is not None)
        proxies = [s for s in sources if s.is_proxy]
        keeping = self._exchange.context.keeping
        for entity in page.entities:
            here = without_proxied(entity, proxies, keeping, asked.tenant)
            if here is not None:
                found.told.setdefault(entity.id, []).append(Told(here))
        inquiries = [
            await inquiry_of_query(self._exchange, s, params, terms, question, body, most)
            for s in sources
        ]
        work = [(i.source, i.sending) for i in inquiries]
        replies = await (linked or Linked()).send(self._exchange.forwarder, asked, work)
        alias = self._exchange.alias_of(asked)
        for inquiry, reply in zip(inquiries, replies, strict=True):
            warn(found.warnings, alias, inquiry.source, reply)
            if not reply.ok:
                continue
            for entity in await all_told(self._exchange, reply, inquiry, alias, found.warnings):
                found.told.setdefault(entity.id, []).append(Told(entity, inquiry.source))
            total = reply.headers.get("ngsild-results-count", "")
            found.totals += int(total) if is_whole(total) else 0
        if "count" in str(said.get("options", "")) or said.get("count") == "true":
            found.totals += await self._exchange.context.count(
                msgspec.structs.replace(local, limit=1), terms.expand
            )
        return found

    def assemble(
        self, request: Asked, found: Found, said: Mapping[str, Any], terms: TermMap
    ) -> list[Entity]:
        """Whole entities by id: what the caller may see, and what fulfils the filters now."""
        sight, tenant = visible_types(request.user), ask.tenant_of(request)
        keeping = self._exchange.context.keeping
        wanted = make_query(dict(said), terms, "", request.user)
        tree = parse_q(wanted.q) if wanted.q else None
        entities: list[Entity] = []
        for name in sorted(found.told):
            told = [t for t in found.told[name] if sight.allows(t.entity.types)]
            if not told:
                continue
            entity = merge(told, keeping, tenant)
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


def missing(request: Asked, entity_id: str, warnings: list[str]) -> Response[Any]:
    """404 while some source could not be asked: the answer says so."""
    body = problem_body(EntityNotFound(id=entity_id), language_of(request), ngsi=True)
    headers = {"NGSILD-Warning": ", ".join(warnings)}
    return Response(body, status_code=404, media_type=ask.JSON, headers=headers)
