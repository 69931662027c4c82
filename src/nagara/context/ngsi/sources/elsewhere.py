"""History, types and attributes over all sources (clauses 5.6.11 to 5.6.16, 5.7.3 to 5.7.10)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
from nagara.context.ngsi.sources.operations import Act
from nagara.context.ngsi.sources.queries import query_params
from nagara.context.ngsi.sources.registration import Registration
from nagara.context.ngsi.sources.warnings import warn, warning
from nagara.context.ngsi.sources.wording import accept_from
from nagara.context.ngsi.sources.writes import Part, error_of, multi_status, success
from nagara.context.ngsi.terms import TermMap
from nagara.guard.policy import KEPT_BY_ROOMS, visible_types
from nagara.http.problem import language_of

#: Parameters about the form of our own answer, which sources are not asked for.
_OURS = frozenset({"local", "csf", "entityMap", "entityMapLifetime", "splitEntities", "orderBy"})
#: Instances of one attribute in one answer, from all sources together.
INSTANCES_MAX = 50_000
TEMPORAL = "/ngsi-ld/v1/temporal/entities"
_NOT_SERIES = frozenset({"id", "type", "scope", "@context", "createdAt", "modifiedAt", "expiresAt"})
_SERIES = ("values", "objects", "languageMaps", "vocabs", "jsons", "valueLists", "objectLists")


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
    ) -> Histories:
        """What fulfils a temporal query, here and elsewhere; of one entity where it is named.
        `only`: ids of registrations to ask, `@none` for this broker."""
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
            found.told += [(None, one) for one in _listed(local.json()) if local.ok]
        if said.get("local") == "true" or (url is None and terms.terms):
            return found
        sources = [
            s
            for s in await self._sources(request, asked, act, said, terms)
            if only is None or s.id in only
        ]
        work = []
        for source in sources:
            extra = [("local", "true")] if source.local_only else []
            sent = (*_plain(params), *extra)
            accept = accept_from(source)
            work.append((source, Sending("GET", path, sent, None, None, url, accept)))
        replies = await self._exchange.forwarder.send_all(asked, work)
        alias = self._exchange.alias_of(asked)
        for source, reply in zip(sources, replies, strict=True):
            warn(found.warnings, alias, source, reply)
            if reply.ok:
                made = self._checked(request, act, source, reply.json(), terms)
                if made is None:
                    found.warnings.append(warning(111, alias, source, "it sent something else"))
                found.told += [(source, one) for one in _listed(made) if isinstance(one, dict)]
        return found

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
        sight = visible_types(request.user)
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
            if not KEPT_BY_ROOMS.isdisjoint(types):
                continue  # their history is what the rooms wrote
            if covered is not None:
                one = {
                    k: v for k, v in one.items() if k in _NOT_SERIES or terms.expand(k) in covered
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


def url_of(terms: TermMap) -> str | None:
    """The URL of an @context that has one."""
    source = terms.source
    if isinstance(source, list) and len(source) == 1:
        [source] = source
    return source if isinstance(source, str) else None


def _plain(params: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(k, v) for k, v in params if k not in _OURS]


def merge_told(act: Act, told: Sequence[Any]) -> Any:
    """One answer of several of the same form."""
    if act.operation == "queryTemporal":
        by_id: dict[str, Any] = {}
        for listed in told:
            for one in listed if isinstance(listed, list) else [listed]:
                if isinstance(one, dict) and "id" in one:
                    held = by_id.get(one["id"])
                    by_id[one["id"]] = one if held is None else merge_evolutions(held, one)
        return [by_id[name] for name in sorted(by_id)]
    merged = told[0]
    for other in told[1:]:
        if act.operation == "retrieveTemporal":
            merged = merge_evolutions(merged, other)
        else:
            merged = merge_facts(merged, other)
    return merged


def merge_evolutions(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """The history of one entity from two sources, each instance once, by time."""
    made = dict(one)
    for word, said in other.items():
        if word in _NOT_SERIES or word not in made:
            made.setdefault(word, said)
            continue
        mine = made[word]
        if (
            isinstance(mine, dict)
            and isinstance(said, dict)
            and mine.get("type") == said.get("type")
        ):
            made[word] = _merged_values(mine, said)
        else:
            made[word] = _merged_instances(_listed(mine), _listed(said))
    return made


def _merged_values(mine: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    made = dict(mine)
    for member in _SERIES:
        if isinstance(mine.get(member), list) and isinstance(said.get(member), list):
            both = mine[member] + [v for v in said[member] if v not in mine[member][-1_000:]]
            made[member] = sorted(both, key=_time_of_pair)[:INSTANCES_MAX]
    return made


def _time_of_pair(pair: Any) -> str:
    return str(pair[1]) if isinstance(pair, list) and len(pair) > 1 else ""


def _merged_instances(mine: list[Any], said: list[Any]) -> list[Any]:
    seen = {msgspec.json.encode(_without_ids(i), order="sorted") for i in mine}
    both = list(mine)
    for instance in said:
        key = msgspec.json.encode(_without_ids(instance), order="sorted")
        if key not in seen:
            seen.add(key)
            both.append(instance)
    both.sort(key=lambda i: str(i.get("observedAt", "")) if isinstance(i, dict) else "")
    return both[:INSTANCES_MAX]


def _without_ids(instance: Any) -> Any:
    if not isinstance(instance, dict):
        return instance
    return {k: v for k, v in instance.items() if k not in ("instanceId", "createdAt", "modifiedAt")}


def merge_facts(one: Any, other: Any) -> Any:
    """Two lists of types or attributes, or two descriptions of the same one."""
    if isinstance(one, list) and isinstance(other, list):
        by_id = {_key(item): item for item in one}
        for item in other:
            held = by_id.get(_key(item))
            by_id[_key(item)] = item if held is None else merge_facts(held, item)
        return list(by_id.values())
    if not isinstance(one, dict) or not isinstance(other, dict):
        return one
    made = dict(one)
    for word, said in other.items():
        mine = made.get(word)
        if mine is None:
            made[word] = said
        elif word in ("entityCount", "attributeCount") and isinstance(said, int):
            made[word] = mine + said if isinstance(mine, int) else said
        elif isinstance(mine, list) and isinstance(said, list):
            made[word] = merge_facts(mine, said)
    return made


def _key(item: Any) -> str:
    return str(item.get("id", item)) if isinstance(item, dict) else str(item)


def _listed(said: Any) -> list[Any]:
    if said is None:
        return []
    return said if isinstance(said, list) else [said]


def as_it_is(reply: Reply) -> Response[Any]:
    kept = ("location", "ngsild-tenant", "ngsild-warning", "link", "content-range",
            "content-language", "ngsild-results-count")  # fmt: skip
    return Response(
        reply.body or None,
        status_code=reply.status,
        media_type=reply.headers.get("content-type", ask.JSON),
        headers={k: reply.headers[k] for k in kept if k in reply.headers},
    )
