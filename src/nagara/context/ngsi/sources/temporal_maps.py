"""Entity maps of temporal queries: which sources hold which histories (5.7.3, 5.7.4, 5.14.5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar import Response

from nagara.context.errors import EntityNotFound, QueryInvalid
from nagara.context.ngsi import ask
from nagara.context.ngsi.ask import Asked
from nagara.context.ngsi.query import LIMIT_MAX, is_counted, make_query
from nagara.context.ngsi.retrieve import page_links
from nagara.context.ngsi.sources.elsewhere import Elsewhere, Histories, as_it_is
from nagara.context.ngsi.sources.forward import Asking
from nagara.context.ngsi.sources.linked_maps import Linked, is_trusted
from nagara.context.ngsi.sources.map_store import (
    HERE,
    OF_MAP,
    OF_PAGES,
    EntityMap,
    MapStore,
    lifetime_of,
)
from nagara.context.ngsi.sources.posed import Posed
from nagara.context.ngsi.temporal.asked import temporal_of
from nagara.context.ngsi.terms import TermMap

#: What decides how histories look, not whose they are.
_OF_FORM = frozenset({"lastN", "aggrMethods", "aggrPeriodDuration", "format"})


class TemporalMaps:
    """Temporal queries that make entity maps and go by them."""

    def __init__(self, elsewhere: Elsewhere, store: MapStore) -> None:
        self._elsewhere = elsewhere
        self.store = store

    async def make(self, query: Posed) -> tuple[EntityMap, Histories]:
        """A new map of all whose history fulfils a query. Raises `QueryInvalid` where it is no
        temporal query."""
        request, asked, terms, said = query.request, query.asked, query.terms, query.said
        lifetime = lifetime_of(said)
        temporal_of(said, needed=True)
        whole = [(k, v) for k, v in query.params if k not in OF_PAGES | _OF_FORM]
        whole += [("limit", str(LIMIT_MAX)), ("lastN", "1")]
        linked = await self._elsewhere.link(request, asked, whole, terms, lifetime)
        found = await self._elsewhere.histories(request, asked, whole, terms, linked=linked)
        if found.refused is not None:
            problem = found.refused.json()
            reason = problem.get("detail", "") if isinstance(problem, dict) else ""
            raise QueryInvalid(query="", position=0, reason=str(reason)[:300])
        entities: dict[str, list[str]] = {}
        for source, one in found.told:
            entities.setdefault(one["id"], []).append(HERE if source is None else source.id)
        if is_trusted(query.actor, said):
            linked.add_to(entities)
        made = await self.store.make(query.tenant, query.actor, entities, lifetime, linked.maps)
        return made, found

    async def query(self, query: Posed, name: str) -> Response[Any]:
        """A page of the histories of a map; 201 where a new map was made for it."""
        request, asked, terms, said = query.request, query.asked, query.terms, query.said
        temporal_of(said, needed=True)
        plain = {k: v for k, v in said.items() if k not in ("orderBy", "lastN")}
        wanted = make_query(plain, terms, query.tenant, query.actor)
        held = await self.store.find_own(query.tenant, name, query.actor)
        status = 200
        if held is None:
            held, _ = await self.make(query)
            status = 201
        ids = held.meant(said)
        page = ids[wanted.offset : wanted.offset + wanted.limit]
        narrowed = [(k, v) for k, v in query.params if k not in OF_MAP]
        merged: list[Any] = []
        headers = {"NGSILD-EntityMap": held.url}
        if page:
            narrowed += [("id", ",".join(page)), ("limit", str(len(page)))]
            only = frozenset(source for one in page for source in held.entities[one])
            found = await self._elsewhere.histories(
                request, asked, narrowed, terms, only, linked=Linked(held.linked)
            )
            if found.refused is not None:
                return as_it_is(found.refused)
            merged = found.merged()
            if found.warnings:
                headers["NGSILD-Warning"] = ", ".join(found.warnings)
        if is_counted(said):
            headers["NGSILD-Results-Count"] = str(len(ids))
        accept = ask.accept_of(request)
        if wanted.limit and query.body is None:
            has_more = wanted.offset + wanted.limit < len(ids)
            links = page_links(request, wanted, has_more, accept)
            if links:
                headers["Link"] = ", ".join(links)
        return ask.answer(request, merged, terms, accept, status=status, headers=headers)

    async def retrieve(
        self, request: Asked, asked: Asking, entity_id: str, terms: TermMap, name: str
    ) -> Response[Any]:
        """One history, from the sources that a map names; where there is none such, a new one is
        made of it."""
        params: Mapping[str, Any] = request.query_params
        lifetime = lifetime_of(params)
        held = await self.store.find_own(asked.tenant, name, request.user)
        if held is not None and entity_id not in held.entities:
            raise EntityNotFound(id=entity_id)
        only = frozenset(held.entities[entity_id]) if held is not None else None
        listed = list(params.items())
        linked = Linked(held.linked) if held is not None else None
        found = await self._elsewhere.histories(
            request, asked, listed, terms, only, entity_id, linked
        )
        if found.refused is not None:
            return as_it_is(found.refused)
        if not found.told:
            raise EntityNotFound(id=entity_id)
        if held is None:
            who = [HERE if source is None else source.id for source, _ in found.told]
            entities = {entity_id: who}
            held = await self.store.make(asked.tenant, request.user, entities, lifetime)
        headers = {"NGSILD-EntityMap": held.url}
        if found.warnings:
            headers["NGSILD-Warning"] = ", ".join(found.warnings)
        [merged] = found.merged()
        return ask.answer(request, merged, terms, ask.accept_of(request), headers=headers)
