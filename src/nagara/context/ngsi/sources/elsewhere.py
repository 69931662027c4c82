"""History, types and attributes over all sources (clauses 5.6.11 to 5.6.16, 5.7.3 to 5.7.10)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import msgspec
from litestar import Response
from msgspec import Struct, field

from nagara.context.ngsi import ask
from nagara.context.ngsi.ask import Asked
from nagara.context.ngsi.sources.directory import Wanted
from nagara.context.ngsi.sources.discovery import Question, question_of
from nagara.context.ngsi.sources.errors import LoopDetected
from nagara.context.ngsi.sources.exchange import Exchange
from nagara.context.ngsi.sources.forward import Asking, Reply, Sending
from nagara.context.ngsi.sources.inner import ask_here
from nagara.context.ngsi.sources.joining import NOT_SERIES, merge_evolutions, merge_told
from nagara.context.ngsi.sources.linked_maps import (
    HISTORY_BASE,
    OF_HISTORY,
    Linked,
    link,
)
from nagara.context.ngsi.sources.members import as_list
from nagara.context.ngsi.sources.operations import Act
from nagara.context.ngsi.sources.queries import query_params
from nagara.context.ngsi.sources.registration import Registration
from nagara.context.ngsi.sources.warnings import warn, warning
from nagara.context.ngsi.sources.wording import accept_from
from nagara.context.ngsi.sources.writes import Part, error_of, multi_status, success
from nagara.context.ngsi.terms import TermMap
from nagara.guard.policy import visible_types
from nagara.http.problem import language_of

#: Parameters about the form of our own answer, which sources are not asked for.
_OURS = frozenset({"local", "csf", "entityMap", "entityMapLifetime", "splitEntities", "orderBy"})
TEMPORAL = "/ngsi-ld/v1/temporal/entities"


class Histories(Struct):
    """Evolutions of entities, each with who told it; None: this broker. `refused`: what this broker
    had against the question."""

    told: list[tuple[Registration | None, dict[str, Any]]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    refused: Reply | None = None

    def merged(self) -> list[dict[str, Any]]:
        """One evolution of each entity, by id."""
        by_id: dict[str, dict[str, Any]] = {}
        for _, one in self.told:
            held = by_id.get(one["id"])
            by_id[one["id"]] = one if held is None else merge_evolutions(held, one)
        return [by_id[name] for name in sorted(by_id)]


class Elsewhere:
    """What is neither an entity nor a write of one: merged as JSON, in the client's words."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def read(self, request: Asked, asked: Asking, act: Act) -> Response[Any] | None:
        """History, or the types and attributes that there are; None where no source is asked."""
        body: Any = None
        params = list(request.query_params.items())
        said: list[tuple[str, str]] | None = list(params)
        if request.method == "POST":
            sent = await ask.read_sent(request, self._exchange.contexts)
            body, terms = sent.body, sent.terms
            said = query_params(request, body)
        else:
            terms = await ask.terms_of(request, self._exchange.contexts)
        if said is None or not (terms.source is None or isinstance(terms.source, str)):
            return None  # the handler says what is wrong; a context without a URL is ours alone
        sources = await self._sources(request, asked, act, dict(said), terms)
        if not sources:
            return None
        local = await ask_here(request, params=[*_plain(params), ("local", "true")])
        if not local.ok and local.status not in (404, 206):
            return as_it_is(local)
        replies = await self._asked(request, asked, sources, params, body, terms)
        warnings: list[str] = []
        told: list[Any] = [local.json()] if local.ok else []
        for source, reply in zip(sources, replies, strict=True):
            warn(warnings, self._exchange.alias_of(asked), source, reply)
            if not reply.ok:
                continue
            found = self._checked(request, act, source, reply.json(), terms)
            if found is None:
                alias = self._exchange.alias_of(asked)
                warnings.append(warning(111, alias, source, "it sent something else"))
            else:
                told.append(found)
        headers = {"NGSILD-Warning": ", ".join(warnings)} if warnings else {}
        if not told:
            answer = as_it_is(local)
            answer.headers.update(headers)
            return answer
        merged = merge_told(act, told)
        return ask.answer(request, merged, terms, ask.accept_of(request), headers=headers)

    async def histories(
        self,
        request: Asked,
        asked: Asking,
        params: Sequence[tuple[str, str]],
        terms: TermMap,
        only: frozenset[str] | None = None,
        entity_id: str | None = None,
        linked: Linked | None = None,
    ) -> Histories:
        """What fulfils a temporal query, here and elsewhere; of one entity where it is named.
        `only`: ids of registrations to ask, `@none` for this broker; `linked`: the entity maps by
        which they go."""
        act = Act("queryTemporal") if entity_id is None else Act("retrieveTemporal", entity_id)
        path = TEMPORAL if entity_id is None else f"{TEMPORAL}/{quote(entity_id, safe=':')}"
        url = url_of(terms)
        found = Histories()
        said = dict(params)
        if only is None or "@none" in only:
            beside = [*_plain(params), ("local", "true")]
            local = await ask_here(request, path, beside, b"", "GET", url or "")
            if not local.ok and local.status != 404:
                return Histories(refused=local)
            found.told += [(None, one) for one in as_list(local.json()) if local.ok]
        if said.get("local") == "true" or (url is None and terms.terms):
            return found
        sources = [
            s
            for s in await self._sources(request, asked, act, said, terms)
            if only is None or s.id in only
        ]
        work = [(s, _asked_of(s, path, params, url)) for s in sources]
        replies = await (linked or Linked()).send(self._exchange.forwarder, asked, work)
        alias = self._exchange.alias_of(asked)
        for source, reply in zip(sources, replies, strict=True):
            warn(found.warnings, alias, source, reply)
            if reply.ok:
                made = self._checked(request, act, source, reply.json(), terms)
                if made is None:
                    found.warnings.append(warning(111, alias, source, "it sent something else"))
                found.told += [(source, one) for one in as_list(made) if isinstance(one, dict)]
        return found

    async def link(
        self,
        request: Asked,
        asked: Asking,
        params: Sequence[tuple[str, str]],
        terms: TermMap,
        lifetime: timedelta,
    ) -> Linked:
        """The entity maps that sources make of a temporal query."""
        url, said = url_of(terms), dict(params)
        if said.get("local") == "true" or (url is None and terms.terms):
            return Linked()
        sources = await self._sources(request, asked, Act(OF_HISTORY), said, terms)
        work = [(s, _asked_of(s, HISTORY_BASE, params, url)) for s in sources]
        return await link(self._exchange, asked, work, lifetime)

    async def _sources(
        self, request: Asked, asked: Asking, act: Act, said: Mapping[str, Any], terms: TermMap
    ) -> list[Registration]:
        if act.is_temporal:
            question = question_of(said, act.operation, terms, asked.tenant, request.user)
            if act.entity_id is not None:
                ids = frozenset((act.entity_id,))
                question = msgspec.structs.replace(
                    question, wanted=msgspec.structs.replace(question.wanted, ids=ids)
                )
        else:
            name = terms.expand(act.name) if act.name else None
            about = frozenset((name,)) if name else None
            is_type = act.operation.startswith("retrieveEntityType")
            wanted = Wanted(
                act.operation, None, about if is_type else None, None if is_type else about
            )
            question = Question(wanted)
        return [
            r
            for r in self._exchange.registry.matching(asked.tenant, question.wanted, asked.hops)
            if act.operation in r.operations and question.concerns(r, terms)
        ]

    async def _asked(
        self,
        request: Asked,
        asked: Asking,
        sources: Sequence[Registration],
        params: Sequence[tuple[str, str]],
        body: Any,
        terms: TermMap,
    ) -> list[Reply]:
        path = (request.scope.get("raw_path") or b"").decode("latin-1").partition("?")[0]
        url = terms.source if isinstance(terms.source, str) else None
        sent = None
        if isinstance(body, dict):
            sent = msgspec.json.encode({k: v for k, v in body.items() if k != "@context"})
        work = []
        for source in sources:
            extra = [("local", "true")] if source.local_only else []
            sending = Sending(
                request.method,
                path,
                (*_plain(params), *extra),
                sent,
                ask.JSON if sent is not None else None,
                url,
                accept_from(source),
            )
            work.append((source, sending))
        return await self._exchange.forwarder.send_all(asked, work)

    def _checked(
        self, request: Asked, act: Act, source: Registration, body: Any, terms: TermMap
    ) -> Any:
        """A source's answer, where it is of the form that was asked for; else None."""
        if not act.is_temporal:
            return body if isinstance(body, dict | list) else None
        sight, tenant = visible_types(request.user), ask.tenant_of(request)
        listed = body if isinstance(body, list) else [body]
        found = []
        for one in listed:
            if not isinstance(one, dict) or not isinstance(one.get("id"), str):
                return None
            said = one.get("type")
            names = said if isinstance(said, list) else [said]
            if not all(isinstance(n, str) for n in names):
                return None
            types = [terms.expand(str(n)) for n in names]
            covered = source.covered(one["id"], types)
            if covered is False or not sight.allows(types):
                continue
            if self._exchange.context.keeping.holds(tenant, one["id"]):
                continue  # their history is what the rooms wrote
            if covered is not None:
                one = {
                    k: v for k, v in one.items() if k in NOT_SERIES or terms.expand(k) in covered
                }
            found.append(one)
        if isinstance(body, list):
            return found
        return found[0] if found and found[0]["id"] == act.entity_id else None

    async def write(self, request: Asked, asked: Asking, act: Act) -> Response[Any] | None:
        """Writing history: here, and at every source that says it takes such writes."""
        terms = await ask.terms_of(request, self._exchange.contexts)
        ids = frozenset((act.entity_id,)) if act.entity_id else None
        sources = [
            r
            for r in self._exchange.registry.matching(
                asked.tenant, Wanted(act.operation, ids), asked.hops
            )
            if act.operation in r.operations and r.mode != "auxiliary"
        ]
        if not sources:
            return None
        alias = self._exchange.alias_of(asked)
        if alias in asked.hops:
            raise LoopDetected(alias=alias)
        params = request.query_params.items()
        local = await ask_here(request, params=[*_plain(params), ("local", "true")])
        if not local.ok and local.status not in (404, 409):
            return as_it_is(local)
        path = (request.scope.get("raw_path") or b"").decode("latin-1").partition("?")[0]
        kind = request.headers.get("content-type")
        url = terms.source if isinstance(terms.source, str) and kind != ask.JSON_LD else None
        sending = Sending(
            request.method, path, tuple(_plain(params)), await request.body() or None, kind, url
        )
        replies = await self._exchange.forwarder.send_all(asked, [(s, sending) for s in sources])
        parts = [Part(None, local)]
        parts += [Part(s, r) for s, r in zip(sources, replies, strict=True)]
        name = act.entity_id or "urn:ngsi-ld:null"
        if all(part.ok for part in parts):
            return as_it_is(local) if local.ok else success(request, act, name)
        language = language_of(request)
        errors = [error_of(p, name, language) for p in parts if not p.ok]
        return multi_status(request, [name] if len(errors) < len(parts) else [], errors)


def _asked_of(
    source: Registration, path: str, params: Sequence[tuple[str, str]], url: str | None
) -> Sending:
    """A question about history to one source."""
    sent = [*_plain(params), *([("local", "true")] if source.local_only else [])]
    return Sending("GET", path, tuple(sent), None, None, url, accept_from(source))


def url_of(terms: TermMap) -> str | None:
    """The URL of an @context that has one."""
    source = terms.source
    if isinstance(source, list) and len(source) == 1:
        [source] = source
    return source if isinstance(source, str) else None


def _plain(params: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(k, v) for k, v in params if k not in _OURS]


def as_it_is(reply: Reply) -> Response[Any]:
    kept = ("location", "ngsild-tenant", "ngsild-warning", "link", "content-range",
            "content-language", "ngsild-results-count")  # fmt: skip
    return Response(
        reply.body or None,
        status_code=reply.status,
        media_type=reply.headers.get("content-type", ask.JSON),
        headers={k: reply.headers[k] for k in kept if k in reply.headers},
    )
