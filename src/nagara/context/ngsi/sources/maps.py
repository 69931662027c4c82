"""Entity maps of queries and retrievals (clauses 4.5.25, 5.5.9.3, 5.5.14, 5.7.1, 5.7.2, 5.14.4)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from litestar import Response
from msgspec import Struct

from nagara.context.errors import EntityNotFound, QueryInvalid
from nagara.context.model import Entity
from nagara.context.ngsi.ask import Asked
from nagara.context.ngsi.query import LIMIT_MAX, demand_selection, is_counted, make_query
from nagara.context.ngsi.retrieve import page_links
from nagara.context.ngsi.sources.discovery import Question, question_of
from nagara.context.ngsi.sources.exchange import Exchange
from nagara.context.ngsi.sources.forward import Asking, Sending
from nagara.context.ngsi.sources.inquiries import QUERYING
from nagara.context.ngsi.sources.linked_maps import OF_ENTITIES, Linked, is_trusted, link
from nagara.context.ngsi.sources.map_store import (
    BASE,
    HERE,
    OF_MAP,
    OF_PAGES,
    EntityMap,
    MapStore,
    lifetime_of,
)
from nagara.context.ngsi.sources.posed import Posed
from nagara.context.ngsi.sources.reads import Found, Reads
from nagara.context.ngsi.sources.wording import Params, accept_from, forwarded_params, wire_of
from nagara.context.ngsi.terms import TermMap


class Walk(Struct):
    """What was found of the entities of a map, in their order."""

    entities: list[Entity]
    gone: list[str]
    warnings: list[str]
    seen: int  # how many of the map were looked at


class Maps:
    """Queries that make entity maps and go by them."""

    def __init__(self, exchange: Exchange, reads: Reads, store: MapStore) -> None:
        self._exchange = exchange
        self._reads = reads
        self.store = store

    async def make(self, query: Posed) -> tuple[EntityMap, Found]:
        """A new map of all that fulfils a query now, and what was said of it."""
        request, asked, terms = query.request, query.asked, query.terms
        lifetime = lifetime_of(query.said)
        whole = [(k, v) for k, v in query.params if k not in OF_PAGES]
        whole.append(("limit", str(LIMIT_MAX)))
        said = dict(whole)
        local = said.get("local") == "true"
        demand_selection(make_query(said, terms, query.tenant, query.actor), local)
        question = question_of(said, "queryEntity", terms, query.tenant, query.actor)
        sources = [] if local else self._reads.sources(asked, question, terms, QUERYING)
        linked = Linked() if local else await self._link(asked, whole, terms, question, lifetime)
        found = await self._reads.collect(
            request, asked, whole, terms, sources, question, query.body, linked
        )
        entities = {
            entity.id: [
                told.source.id if told.source is not None else HERE
                for told in found.told[entity.id]
            ]
            for entity in self._reads.assemble(request, found, said, terms)
        }
        if is_trusted(query.actor, said):
            linked.add_to(entities)
        made = await self.store.make(query.tenant, query.actor, entities, lifetime, linked.maps)
        return made, found

    async def _link(
        self,
        asked: Asking,
        params: Params,
        terms: TermMap,
        question: Question,
        lifetime: timedelta,
    ) -> Linked:
        """The maps that sources make of a query."""
        work = []
        for source in self._reads.sources(asked, question, terms, (OF_ENTITIES,)):
            wire = await wire_of(source, terms, self._exchange.contexts)
            passed = forwarded_params(source, params, terms, wire, question, LIMIT_MAX)
            accept = accept_from(source)
            sending = Sending("GET", BASE, tuple(passed), None, None, wire.url, accept)
            work.append((source, sending))
        return await link(self._exchange, asked, work, lifetime)

    async def query(self, query: Posed, name: str) -> Response[Any]:
        """A page of the entities of a map: only the sources that hold them are asked. `name`: the
        map that is named; where there is none such, a new one is made (201)."""
        said = query.said
        if said.get("orderBy"):
            raise QueryInvalid(query="orderBy", position=0, reason="a map has the order of ids")
        wanted = make_query(said, query.terms, query.tenant, query.actor)
        held = await self.store.find_own(query.tenant, name, query.actor)
        status = 200
        if held is None:
            held, _ = await self.make(query)
            status = 201
        counted = is_counted(said)
        ids = held.meant(said)
        begin = 0 if counted else wanted.offset
        most = None if counted else wanted.limit
        walk = await self._walk(query, held, ids[begin:], most)
        held = await self.store.prune(held, walk.gone)
        headers = {"NGSILD-EntityMap": held.url}
        page = walk.entities
        if counted:
            headers["NGSILD-Results-Count"] = str(len(walk.entities))
            page = walk.entities[wanted.offset : wanted.offset + wanted.limit]
            has_more = len(walk.entities) > wanted.offset + wanted.limit
        else:
            has_more = begin + walk.seen < len(ids)
        answer = await self._reads.respond(
            query.request, query.asked, said, query.terms, page, headers, walk.warnings, status
        )
        if wanted.limit and query.body is None:
            links = page_links(query.request, wanted, has_more, str(answer.media_type))
            if links:
                beside = answer.headers.get("Link")
                answer.headers["Link"] = ", ".join([*links, beside] if beside else links)
        return answer

    async def _walk(
        self, query: Posed, held: EntityMap, ids: Sequence[str], most: int | None
    ) -> Walk:
        """Look at the entities of a map until a page is full; all of them where `most` is None."""
        walk = Walk([], [], [], 0)
        while walk.seen < len(ids) and (most is None or len(walk.entities) < most):
            step = LIMIT_MAX if most is None else most - len(walk.entities)
            part = ids[walk.seen : walk.seen + step]
            walk.seen += len(part)
            found, entities, silent = await self._page(query, held, part)
            walk.entities += entities
            walk.warnings += found.warnings
            if not found.warnings:  # who could not be asked may hold it still
                there = {entity.id for entity in entities}
                walk.gone += [
                    name
                    for name in part
                    if name not in there and silent.isdisjoint(held.entities[name])
                ]
        return walk

    async def _page(
        self, query: Posed, held: EntityMap, ids: Sequence[str]
    ) -> tuple[Found, list[Entity], frozenset[str]]:
        """What is told of these entities, what of it fulfils the query, and the sources among
        those that hold them which take no such question."""
        request, asked, terms = query.request, query.asked, query.terms
        narrowed = [(k, v) for k, v in query.params if k not in OF_MAP]
        narrowed += [("id", ",".join(ids)), ("limit", str(len(ids)))]
        said = dict(narrowed)
        only = frozenset(source for name in ids for source in held.entities[name])
        question = question_of(said, "queryEntity", terms, query.tenant, query.actor)
        sources = self._reads.sources(asked, question, terms, QUERYING, only)
        found = await self._reads.collect(
            request, asked, narrowed, terms, sources, question, None, Linked(held.linked)
        )
        find = self._exchange.registry.find
        told = {source.id for source in sources}
        silent = frozenset(i for i in only - told if find(query.tenant, i) is not None)
        return found, self._reads.assemble(request, found, said, terms), silent

    async def retrieve(
        self, request: Asked, asked: Asking, entity_id: str, name: str
    ) -> Response[Any] | None:
        """One entity, from the sources that a map names; where there is no such map, a new one is
        made of it."""
        held = await self.store.find_own(asked.tenant, name, request.user)
        if held is not None and entity_id not in held.entities:
            raise EntityNotFound(id=entity_id)
        lifetime = lifetime_of(request.query_params)
        only = frozenset(held.entities[entity_id]) if held is not None else None
        linked = Linked(held.linked) if held is not None else None
        made = await self._reads.retrieve(request, asked, entity_id, only, True, linked)
        if made is None:
            return None  # the handler says what is wrong
        if held is None and made.sources:
            who = [HERE if source is None else source.id for source in made.sources]
            entities = {entity_id: who}
            held = await self.store.make(asked.tenant, request.user, entities, lifetime)
        if held is not None:
            made.answer.headers["NGSILD-EntityMap"] = held.url
        return made.answer
