"""Writing over all sources (clauses 5.6.1 to 5.6.10, 5.6.17 to 5.6.21)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec
from litestar import Response
from msgspec import Struct

from nagara.context.ngsi import ask
from nagara.context.ngsi.ask import Asked
from nagara.context.ngsi.read import is_uri, read_attribute, read_attrs, read_entity
from nagara.context.ngsi.sources.directory import Wanted
from nagara.context.ngsi.sources.discovery import types_of
from nagara.context.ngsi.sources.errors import (
    LoopDetected,
    SourceConflict,
    SourceFailed,
    SourceMissing,
    SourceTimeout,
)
from nagara.context.ngsi.sources.exchange import Exchange
from nagara.context.ngsi.sources.forward import HOPS_MAX, Asking, Reply, Sending
from nagara.context.ngsi.sources.inner import ask_here
from nagara.context.ngsi.sources.operations import Act
from nagara.context.ngsi.sources.registration import Registration
from nagara.context.ngsi.sources.sharing import (
    NOT_ATTRS,
    Share,
    Shares,
    part_of,
    reworded,
    reworded_attribute,
    share,
)
from nagara.context.ngsi.sources.wording import wire_of
from nagara.context.ngsi.terms import CORE, CORE_CONTEXT, TermMap
from nagara.http.problem import language_of, problem_body
from nagara.values.errors import Problem

#: Statuses of this broker's own part that say "not here" or "here already": others may do theirs.
#: Every other refusal means that the request is bad, and it goes nowhere.
_GO_ON = frozenset({404, 409, 412})
DETAIL_CHARS_MAX = 500
_BODILESS = frozenset({"deleteEntity", "deleteAttrs", "purgeEntity"})
_OF_ATTRIBUTE = frozenset({"updateAttrs", "replaceAttrs", "deleteAttrs"})
#: Batches above this are shared out by the types that they name, not by those stored.
LOOKED_UP_MAX = 1_000


class Part(Struct, frozen=True):
    """What became of one part of a write. `source` None: this broker's."""

    source: Registration | None
    reply: Reply
    supported: bool = True

    @property
    def ok(self) -> bool:
        """Whether it was done."""
        return self.supported and self.reply.ok


class Writes:
    """Writes to here and to everywhere that is registered."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def matching(
        self,
        asked: Asking,
        act: Act,
        ids: frozenset[str] | None,
        types: frozenset[str] | None,
        words: Mapping[str, str] | None = None,
    ) -> list[Registration]:
        """The sources of a write; `words`: of its attributes, with their names, where it has some.
        Raises `LoopDetected` where it has been here before."""
        attrs = frozenset(words.values()) if words else None
        sources = [
            s
            for s in self._exchange.registry.matching(
                asked.tenant, Wanted(act.operation, ids, types, attrs), asked.hops
            )
            if s.mode != "auxiliary"
            and (s.is_proxy or act.operation in s.operations)
            and s.observed is None
            and s.managed is None  # those tell history alone
        ]
        hops = asked.hops
        if sources and (self._exchange.alias_of(asked) in hops or len(hops) > HOPS_MAX):
            raise LoopDetected(alias=self._exchange.alias_of(asked))
        return sources

    async def one(self, request: Asked, asked: Asking, act: Act) -> Response[Any] | None:
        """A write to one entity; None where no source is concerned."""
        body, terms = await self._sent(request, act)
        entity_id = act.entity_id
        if act.operation == "createEntity":
            if not isinstance(body, dict):
                return None  # the handler says what is wrong
            entity_id = body.get("id", body.get("@id"))
        if not is_uri(entity_id):
            return None
        assert entity_id is not None
        if self._exchange.context.keeping.holds(asked.tenant, entity_id):
            return None  # it goes nowhere, and the handler says why
        types = await self._types(asked, entity_id, body, terms, act.operation == "createEntity")
        words = self._words(act, body, terms)
        sources = self.matching(asked, act, frozenset((entity_id,)), types, words)
        if not sources:
            return None
        shares = share(act.operation, entity_id, types, words, sources)
        if not shares.there:
            return None
        parts: list[Part] = []
        if shares.here is not None:
            local = await self._here(request, act, body, shares, words)
            if not local.ok and local.status not in (*_GO_ON, 207):
                return _as_it_is(local)
            parts.append(Part(None, local))
        else:
            _demand_sane(act, body, terms, entity_id)
        parts += await self._there(request, asked, act, body, terms, shares.there)
        return self._combine(request, act, entity_id, parts)

    async def purge(self, request: Asked, asked: Asking, act: Act) -> Response[Any] | None:
        """Deleting what fulfils a query (5.6.21), here and at every source that supports it."""
        terms = await ask.terms_of(request, self._exchange.contexts)
        params = [(k, v) for k, v in request.query_params.items()]
        types = types_of(dict(params).get("type"), terms)
        sources = [
            s for s in self.matching(asked, act, None, types) if act.operation in s.operations
        ]
        if not sources:
            return None
        local = await ask_here(request, params=[*_without_local(params), ("local", "true")])
        if not local.ok and local.status not in _GO_ON:
            return _as_it_is(local)
        shares = [Share(s, None) for s in sources]
        parts = [Part(None, local)]
        parts += await self._there(request, asked, act, None, terms, shares)
        return self._combine(request, act, "urn:ngsi-ld:null", parts)

    async def _sent(self, request: Asked, act: Act) -> tuple[Any, TermMap]:
        if act.operation in _BODILESS:
            return None, await ask.terms_of(request, self._exchange.contexts)
        sent = await ask.read_sent(request, self._exchange.contexts)
        return sent.body, sent.terms

    async def _types(
        self, asked: Asking, entity_id: str, body: Any, terms: TermMap, new: bool
    ) -> frozenset[str] | None:
        if not new:
            stored = await self._exchange.context.find(entity_id, asked.tenant)
            if stored is not None:
                return frozenset(stored.types)
        said = body.get("type", body.get("@type")) if isinstance(body, dict) else None
        if new and isinstance(said, str | list):
            return types_of(said, terms)
        return None

    def _words(self, act: Act, body: Any, terms: TermMap) -> dict[str, str]:
        if act.name is not None:
            return {act.name: terms.expand(act.name)}
        if not isinstance(body, dict) or act.operation in _BODILESS:
            return {}
        return {w: terms.expand(w) for w in body if isinstance(w, str) and w not in NOT_ATTRS}

    async def _here(
        self, request: Asked, act: Act, body: Any, shares: Shares, words: Mapping[str, str]
    ) -> Reply:
        params = [*_without_local(request.query_params.items()), ("local", "true")]
        sent: bytes | None = None
        if act.operation not in _OF_ATTRIBUTE and words and shares.here != frozenset(words):
            sent = msgspec.json.encode(part_of(body, shares.here))
        return await ask_here(request, params=params, body=sent)

    async def _there(
        self,
        request: Asked,
        asked: Asking,
        act: Act,
        body: Any,
        terms: TermMap,
        shares: Sequence[Share],
    ) -> list[Part]:
        able = [s for s in shares if s.supported]
        work = [(s.source, await self.sending(request, act, body, terms, s)) for s in able]
        replies = await self._exchange.forwarder.send_all(asked, work)
        parts = [Part(s.source, r) for s, r in zip(able, replies, strict=True)]
        refused = Reply("answered", 409)
        return parts + [Part(s.source, refused, False) for s in shares if not s.supported]

    async def sending(
        self, request: Asked, act: Act, body: Any, terms: TermMap, one: Share
    ) -> Sending:
        """The part of a write that one source gets, in the @context and form that it registered."""
        source = one.source
        wire = await wire_of(source, terms, self._exchange.contexts)
        registered = any(k == "jsonldContext" for k, _ in source.pairs)
        raw = request.scope.get("raw_path") or request.scope["path"].encode()
        path = raw.decode("latin-1").partition("?")[0].rstrip("/")
        if registered and act.name is not None:
            word = quote(wire.terms.compact(terms.expand(act.name)), safe=":")
            path = f"{path.rpartition('/')[0]}/{word}"
        params = _without_local(request.query_params.items())
        if source.local_only:
            params.append(("local", "true"))
        if act.operation in _OF_ATTRIBUTE:  # its body is the attribute, not an entity
            one = Share(source, None)
        if body is None or act.operation in _BODILESS:
            link = None if terms is CORE else wire.url
            return Sending(request.method, path, tuple(params), None, None, link)
        sent = (
            [self._part(b, one) for b in body] if isinstance(body, list) else self._part(body, one)
        )
        kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
        wish = next((v for k, v in source.pairs if k == "contentType"), None)
        url: str | None = wire.url
        if registered or (wish == ask.JSON and kind == ask.JSON_LD):
            kind = ask.JSON
            listed = sent if isinstance(sent, list) else [sent]
            own = [await self._terms_in(request, one, terms) for one in listed]
            made = [
                _stripped(self._reworded(act, one, its, wire))
                for one, its in zip(listed, own, strict=True)
            ]
            sent = made if isinstance(sent, list) else made[0]
        elif wish == ask.JSON_LD and kind != ask.JSON_LD:
            kind, url = ask.JSON_LD, None
            sent = _each(sent, lambda b: {**b, "@context": terms.source or CORE_CONTEXT})
        elif kind == ask.JSON_LD:
            url = None
        return Sending(
            request.method, path, tuple(params), msgspec.json.encode(sent), kind or ask.JSON, url
        )

    async def _terms_in(self, request: Asked, body: Any, terms: TermMap) -> TermMap:
        """What the words of an item of a batch mean: it may have an @context of its own."""
        return (await ask.item_terms(request, self._exchange.contexts, body, terms))[1]

    def _part(self, body: Any, one: Share) -> Any:
        return part_of(body, one.words) if isinstance(body, dict) and one.words else body

    def _reworded(self, act: Act, body: Any, terms: TermMap, wire: Any) -> Any:
        if not isinstance(body, dict):
            return body
        if act.operation in _OF_ATTRIBUTE:
            return reworded_attribute(body, terms, wire)
        return reworded(body, terms, wire)

    def _combine(
        self, request: Asked, act: Act, entity_id: str, parts: Sequence[Part]
    ) -> Response[Any]:
        """One answer of several (clauses 5.2.16, 6.3.17)."""
        if len(parts) == 1 and parts[0].source is None:
            return _as_it_is(parts[0].reply)
        if all(part.ok for part in parts):
            return success(request, act, entity_id)
        if all(not part.supported for part in parts):
            raise SourceConflict(reason=f"no source of it supports {act.operation}")
        if len(parts) == 1:
            raise_for(parts[0])
        language = language_of(request)
        errors = [error_of(part, entity_id, language) for part in parts if not part.ok]
        done = [entity_id] if any(part.ok for part in parts) else []
        return multi_status(request, done, errors)


def _demand_sane(act: Act, body: Any, terms: TermMap, entity_id: str) -> None:
    """Refuse what would be refused here, before it goes out: bad input is ours to explain."""
    if act.operation in _BODILESS:
        return
    if act.operation in ("createEntity", "replaceEntity"):
        if act.operation == "createEntity" or "type" in body:
            read_entity(body, terms, entity_id)
    elif act.operation in _OF_ATTRIBUTE:
        said = body
        if isinstance(body, dict):
            said = {k: v for k, v in body.items() if k != "@context"}
        read_attribute(said, act.name or "", terms, entity_id, "merge")
    elif isinstance(body, dict):
        read_attrs(body, terms, entity_id, "merge")


def success(request: Asked, act: Act, entity_id: str) -> Response[Any]:
    """Everything was done."""
    headers: dict[str, str] = {}
    tenant = request.headers.get("ngsild-tenant")
    if tenant:
        headers["NGSILD-Tenant"] = tenant
    if act.operation == "createEntity":
        headers["Location"] = f"/ngsi-ld/v1/entities/{quote(entity_id, safe=':')}"
        return Response(None, status_code=201, headers=headers)
    return Response(None, status_code=204, headers=headers)


def multi_status(
    request: Asked, done: Sequence[str], errors: Sequence[dict[str, Any]]
) -> Response[Any]:
    """207 with a BatchOperationResult (clause 5.2.16)."""
    tenant = request.headers.get("ngsild-tenant")
    return Response(
        {"success": list(done), "errors": list(errors)},
        status_code=207,
        media_type=ask.JSON,
        headers={"NGSILD-Tenant": tenant} if tenant else {},
    )


def problem_of(part: Part) -> Problem:
    """The problem of a part that was not done."""
    source = part.source.id if part.source is not None else "this broker"
    if not part.supported:
        return SourceConflict(reason=f"{source} does not support it")
    reply = part.reply
    if reply.outcome in ("timeout", "resting"):
        return SourceTimeout(source=source)
    if reply.outcome != "answered":
        return SourceFailed(source=source, reason=reply.outcome)
    if reply.status == 508:
        return LoopDetected(alias=source)
    if reply.status == 404:
        return SourceMissing(source=source)
    if reply.status == 409:
        return SourceConflict(reason=f"{source} has it already")
    return SourceFailed(source=source, reason=f"status {reply.status}")


def raise_for(part: Part) -> None:
    """Raise what the only source of something made of it."""
    raise problem_of(part)


def error_of(part: Part, entity_id: str, language: str) -> dict[str, Any]:
    """A BatchEntityError (clause 5.2.17): the source's own words where it sent some."""
    said = part.reply.json() if part.supported else None
    error = problem_body(problem_of(part), language, ngsi=True)
    if isinstance(said, dict) and isinstance(said.get("title"), str):
        error |= {
            k: said[k][:DETAIL_CHARS_MAX]
            for k in ("type", "title", "detail")
            if isinstance(said.get(k), str)
        }
    if part.reply.outcome == "answered":
        error["status"] = part.reply.status
    made: dict[str, Any] = {"entityId": entity_id, "error": error}
    if part.source is not None:
        made["registrationId"] = part.source.id
    return made


def _as_it_is(reply: Reply) -> Response[Any]:
    """This broker's own answer, unchanged."""
    kept = ("location", "ngsild-tenant", "ngsild-warning", "link", "retry-after",
            "content-language", "ngsild-results-count")  # fmt: skip
    return Response(
        reply.body or None,
        status_code=reply.status,
        media_type=reply.headers.get("content-type", ask.JSON),
        headers={k: reply.headers[k] for k in kept if k in reply.headers},
    )


def _without_local(params: Any) -> list[tuple[str, str]]:
    return [(k, v) for k, v in params if k != "local"]


def _stripped(body: Any) -> Any:
    return {k: v for k, v in body.items() if k != "@context"} if isinstance(body, dict) else body


def _each(said: Any, of: Any) -> Any:
    if isinstance(said, list):
        return [of(s) if isinstance(s, dict) else s for s in said]
    return of(said)
