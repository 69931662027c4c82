"""Linked entities, wherever they lie (clauses 4.5.23 and 5.7.1.4): found here and at the sources
that may hold them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nagara.context.model import Entity, Query
from nagara.context.ngsi.ask import Asked
from nagara.context.ngsi.sources.directory import Wanted
from nagara.context.ngsi.sources.discovery import Question
from nagara.context.ngsi.sources.exchange import Exchange
from nagara.context.ngsi.sources.forward import Asking
from nagara.context.ngsi.sources.inquiries import (
    QUERYING,
    RETRIEVING,
    Inquiry,
    all_told,
    inquiry_of_ids,
    inquiry_of_one,
)
from nagara.context.ngsi.sources.merge import Told, merge, without_proxied
from nagara.context.ngsi.sources.registration import Registration
from nagara.context.ngsi.sources.warnings import warn
from nagara.context.ngsi.terms import TermMap
from nagara.guard.policy import visible_types

#: Entities that a source which knows no queries is asked for one by one.
ONE_BY_ONE_MAX = 20


class Links:
    """Finds the entities that others point at, for one request. What went wrong with sources is
    added to `warnings`."""

    def __init__(
        self, exchange: Exchange, request: Asked, asked: Asking, terms: TermMap, warnings: list[str]
    ) -> None:
        self._exchange = exchange
        self._asked = asked
        self._terms = terms
        self._sight = visible_types(request.user)
        self._warnings = warnings

    async def find(self, ids: Sequence[str]) -> Mapping[str, Entity]:
        """Those of these entities that there are and that the caller may see."""
        sources = self._sources(frozenset(ids))
        page = await self._exchange.context.query(
            Query(ids=tuple(ids), limit=len(ids), tenant=self._asked.tenant)
        )
        told: dict[str, list[Told]] = {}
        proxies, keeping = [s for s in sources if s.is_proxy], self._exchange.context.keeping
        for entity in page.entities:
            here = without_proxied(entity, proxies, keeping, self._asked.tenant)
            if here is not None:
                told.setdefault(entity.id, []).append(Told(here))
        inquiries = [i for source in sources for i in await self._inquiries(source, ids)]
        work = [(i.source, i.sending) for i in inquiries]
        replies = await self._exchange.forwarder.send_all(self._asked, work)
        alias = self._exchange.alias_of(self._asked)
        for inquiry, reply in zip(inquiries, replies, strict=True):
            warn(self._warnings, alias, inquiry.source, reply)
            if reply.ok:
                found = await all_told(self._exchange, reply, inquiry, alias, self._warnings)
                for entity in found:
                    told.setdefault(entity.id, []).append(Told(entity, inquiry.source))
        wanted = frozenset(ids)
        made: dict[str, Entity] = {}
        for name, parts in told.items():
            seen = [t for t in parts if self._sight.allows(t.entity.types)]
            if seen and name in wanted:
                made[name] = merge(seen, keeping, self._asked.tenant)
        return made

    def _sources(self, ids: frozenset[str]) -> list[Registration]:
        question = Question(Wanted("retrieveEntity", ids))
        matching = self._exchange.registry.matching(
            self._asked.tenant, question.wanted, self._asked.hops
        )
        return [
            r
            for r in matching
            if not r.operations.isdisjoint(RETRIEVING) and question.concerns(r, self._terms)
        ]

    async def _inquiries(self, source: Registration, ids: Sequence[str]) -> list[Inquiry]:
        held = [i for i in ids if source.covered(i, None) is not False]
        if not source.operations.isdisjoint(QUERYING):
            return [await inquiry_of_ids(self._exchange, source, self._terms, held)]
        return [
            await inquiry_of_one(self._exchange, source, {}, self._terms, one, None)
            for one in held[:ONE_BY_ONE_MAX]
        ]
