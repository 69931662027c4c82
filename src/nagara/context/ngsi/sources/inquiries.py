"""How one source is asked for entities, and what its answer says (clauses 4.3.6, 5.7.1, 5.7.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct

from nagara.context.model import Entity
from nagara.context.ngsi.query import LIMIT_MAX
from nagara.context.ngsi.sources.discovery import Question
from nagara.context.ngsi.sources.exchange import Exchange
from nagara.context.ngsi.sources.forward import Reply, Sending
from nagara.context.ngsi.sources.merge import read_told
from nagara.context.ngsi.sources.registration import Registration
from nagara.context.ngsi.sources.warnings import warning
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
from nagara.values.errors import Problem

ENTITIES = "/ngsi-ld/v1/entities"
QUERY = "/ngsi-ld/v1/entityOperations/query"
#: Entities that one source may tell in one answer: as many as we tell ourselves.
TOLD_MAX = LIMIT_MAX
#: A source is asked for one entity by any of these, the first that it supports.
RETRIEVING = ("retrieveEntity", "queryEntity", "queryBatch")
QUERYING = ("queryEntity", "queryBatch")


class Inquiry(Struct, frozen=True):
    """A question to one source, and the @context of its words."""

    source: Registration
    sending: Sending
    wire: Wire


async def inquiry_of_one(
    exchange: Exchange,
    source: Registration,
    params: Mapping[str, Any],
    terms: TermMap,
    entity_id: str,
    types: Iterable[str] | None,
) -> Inquiry:
    """Ask for one entity: by its id, else by a query for it (clause 5.7.1.4)."""
    wire = await wire_of(source, terms, exchange.contexts)
    passed: list[tuple[str, str]] = []
    if wants_times(params):
        passed.append(("options", "sysAttrs"))
    attrs = narrowed_attrs(source, entity_id, types, params, terms)
    if attrs is not None:
        passed.append(("attrs", ",".join(wire.terms.compact(a) for a in attrs)))
    if source.local_only:
        passed.append(("local", "true"))
    if "retrieveEntity" in source.operations:
        path = f"{ENTITIES}/{quote(entity_id, safe=':')}"
        sending = Sending("GET", path, tuple(passed), None, None, wire.url, accept_from(source))
        return Inquiry(source, sending, wire)
    named = types or source.types_of((entity_id,))
    narrow = [("id", entity_id), *passed]
    if named:
        narrow.insert(0, ("type", ",".join(map(wire.terms.compact, sorted(named)))))
    return Inquiry(source, query_sending(source, narrow, wire), wire)


async def inquiry_of_ids(
    exchange: Exchange, source: Registration, terms: TermMap, ids: Sequence[str]
) -> Inquiry:
    """Ask for some entities by their ids."""
    wire = await wire_of(source, terms, exchange.contexts)
    passed = [("id", ",".join(ids)), ("limit", str(TOLD_MAX))]
    named = source.types_of(ids)
    if named:
        passed.insert(0, ("type", ",".join(map(wire.terms.compact, sorted(named)))))
    attrs = narrowed_attrs(source, None, None, {}, terms)
    if attrs is not None:
        passed.append(("attrs", ",".join(wire.terms.compact(a) for a in attrs)))
    if source.local_only:
        passed.append(("local", "true"))
    return Inquiry(source, query_sending(source, passed, wire), wire)


async def inquiry_of_query(
    exchange: Exchange,
    source: Registration,
    params: Params,
    terms: TermMap,
    question: Question,
    body: dict[str, Any] | None,
    most: int,
) -> Inquiry:
    """Ask what fulfils a query: by the client's own verb where the source supports it."""
    wire = await wire_of(source, terms, exchange.contexts)
    passed = forwarded_params(source, params, terms, wire, question, most)
    # ETSI's conformance suite expects that who names the group redirectionOps, in which Table
    # 4.20-2 has queryEntity alone, is asked with the client's verb all the same.
    named = source.doc.get("operations", ())
    if body is not None and ("queryBatch" in source.operations or "redirectionOps" in named):
        beside = tuple(p for p in passed if p[0] in ("limit", "count", "options", "local"))
        sent = narrowed_body(body, passed)
        return Inquiry(source, _posted(source, sent, beside, wire), wire)
    return Inquiry(source, query_sending(source, passed, wire), wire)


def query_sending(source: Registration, passed: Params, wire: Wire) -> Sending:
    """A query by GET, or by POST where only that is supported."""
    if "queryEntity" in source.operations:
        accept = accept_from(source)
        return Sending("GET", ENTITIES, tuple(passed), None, None, wire.url, accept)
    beside = tuple(p for p in passed if p[0] in ("limit", "count", "options", "local"))
    return _posted(source, body_of(passed), beside, wire)


def _posted(source: Registration, body: Any, beside: Params, wire: Wire) -> Sending:
    encoded = msgspec.json.encode(body)
    kind, accept = "application/json", accept_from(source)
    return Sending("POST", QUERY, tuple(beside), encoded, kind, wire.url, accept)


async def entity_told(exchange: Exchange, body: Any, asked: Inquiry) -> Entity | None:
    """The entity of an answer; None for what is none, or not what the source registered."""
    terms = asked.wire.terms
    if isinstance(body, dict) and "@context" in body:
        try:
            terms = await exchange.contexts.terms(body["@context"], asked.source.tenant)
        except (Problem, RecursionError, TypeError):
            return None
        body = {k: v for k, v in body.items() if k != "@context"}
    return read_told(body, terms, asked.source)


async def one_told(
    exchange: Exchange, reply: Reply, asked: Inquiry, entity_id: str
) -> Entity | None:
    """The entity of an answer to `inquiry_of_one`, alone or in a list."""
    said = reply.json()
    for body in said if isinstance(said, list) else [said]:
        entity = await entity_told(exchange, body, asked)
        if entity is not None and entity.id == entity_id:
            return entity
    return None


async def all_told(
    exchange: Exchange, reply: Reply, asked: Inquiry, alias: str, warnings: list[str]
) -> list[Entity]:
    """The entities of an answer to a query; what is wrong with it is added to the warnings."""
    listed = reply.json()
    if isinstance(listed, dict) and "id" in listed:
        listed = [listed]  # one alone is still an answer
    if not isinstance(listed, list):
        if reply.body:
            warnings.append(warning(111, alias, asked.source, "it sent no list"))
        return []
    made = [await entity_told(exchange, one, asked) for one in listed[:TOLD_MAX]]
    entities = [entity for entity in made if entity is not None]
    if len(entities) < len(made):
        words = f"{len(made) - len(entities)} of its entities are none, or none that it registered"
        warnings.append(warning(111, alias, asked.source, words))
    return entities
