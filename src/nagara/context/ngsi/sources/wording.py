"""In which words, and how much, a source is asked: never more than it registered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from nagara.context.ngsi import ask
from nagara.context.ngsi.fetch import Contexts
from nagara.context.ngsi.query import listed
from nagara.context.ngsi.sources.discovery import Question
from nagara.context.ngsi.sources.registration import Registration
from nagara.context.ngsi.terms import CORE, CORE_CONTEXT, TermMap
from nagara.values.errors import Problem

#: Parameters that only narrow what is found; the rest is about the form of the answer, ours.
_PASSED = frozenset(
    {"type", "id", "idPattern", "q", "georel", "geometry", "coordinates", "geoproperty", "scopeQ",
     "attrs", "pick", "datasetId", "splitEntities", "containedBy"}
)  # fmt: skip
_FILTERS = frozenset(
    {"q", "georel", "geometry", "coordinates", "geoproperty", "scopeQ", "attrs", "pick"}
)
Params = Sequence[tuple[str, str]]


class Wire(Struct, frozen=True):
    """The @context in which a source is spoken to."""

    terms: TermMap
    url: str
    same: bool  # as the client's own


async def wire_of(source: Registration, terms: TermMap, contexts: Contexts) -> Wire:
    """The @context for a source: the one it registered, else the client's where it has a URL."""
    named = next((v for k, v in source.pairs if k == "jsonldContext"), None)
    if named is not None:
        try:
            return Wire(await contexts.terms(named, source.tenant), named, False)
        except Problem:
            return Wire(CORE, CORE_CONTEXT, terms is CORE)
    said = terms.source
    if isinstance(said, list) and len(said) == 1:
        [said] = said
    if isinstance(said, str):
        return Wire(terms, said, True)
    return Wire(CORE, CORE_CONTEXT, terms is CORE)


def wants_times(params: Mapping[str, Any]) -> bool:
    """Whether createdAt and modifiedAt are asked for."""
    return "sysAttrs" in listed(params.get("options")) or params.get("sysAttrs") == "true"


def accept_from(source: Registration) -> str:
    """The form in which a source answers: the one it registered (clause 4.3.6.6)."""
    return next((v for k, v in source.pairs if k == "accept"), ask.JSON)


def narrowed_attrs(
    source: Registration,
    entity_id: str | None,
    types: Iterable[str] | None,
    params: Mapping[str, Any],
    terms: TermMap,
) -> list[str] | None:
    """The attributes to ask a source for; None: whatever it has."""
    said = [a for a in listed(params.get("attrs")) + listed(params.get("pick"))
            if a not in ("id", "type", "scope")]  # fmt: skip
    asked = list(map(terms.expand, said))
    covered = source.covered(entity_id, types)
    if covered is None or covered is False:
        return asked or None
    return [a for a in asked if a in covered] if asked else sorted(covered)


def forwarded_params(
    source: Registration,
    params: Params,
    terms: TermMap,
    wire: Wire,
    question: Question,
    most: int,
) -> list[tuple[str, str]]:
    """The parameters of a query to one source: the client's, in its order, then what narrows."""
    said = dict(params)
    split = said.get("splitEntities") == "true"
    passed: list[tuple[str, str]] = []
    for name, value in params:
        if name not in _PASSED or (name in _FILTERS and (split or (name == "q" and not wire.same))):
            continue
        if name in ("type", "attrs", "pick", "geoproperty") and not wire.same:
            value = ",".join(wire.terms.compact(terms.expand(v)) for v in listed(value))
        passed.append((name, str(value)))
    names = {name for name, _ in passed}
    ids = _ids_of(source, question)
    if ids is not None:
        passed = [p for p in passed if p[0] != "id"] if "id" in names and ids else passed
        if "id" not in names or ids:
            passed.append(("id", ",".join(ids)))
    attrs = narrowed_attrs(source, None, question.wanted.types, {} if split else said, terms)
    client = question.wanted.attrs
    if attrs is not None and (client is None or split or frozenset(attrs) != client):
        passed = [p for p in passed if p[0] not in ("attrs", "pick")]
        passed.append(("attrs", ",".join(wire.terms.compact(a) for a in attrs)))
    if "limit" in said or "offset" in said:
        passed.append(("limit", str(most)))
    if said.get("count") == "true":
        passed.append(("count", "true"))
    if wants_times(said):
        passed.append(("options", "sysAttrs"))
    if source.local_only:
        passed.append(("local", "true"))
    return passed


def _ids_of(source: Registration, question: Question) -> list[str] | None:
    """Ids that narrow a query to a source; None where the client's own do, or nothing can."""
    held: set[str] = set()
    for part in source.parts:
        if not part.entities:
            return None
        for one in part.entities:
            if not one.covers(None, question.wanted.types):
                continue
            if one.id is None:
                if question.wanted.ids is None:
                    return None
                held |= {i for i in question.wanted.ids if one.covers(i, None)}
            else:
                held.add(one.id)
    ids = question.wanted.ids
    if ids is None:
        return sorted(held)
    both = ids & held
    return None if both == ids else sorted(both)


def body_of(passed: Params) -> dict[str, Any]:
    """A Query (clause 5.2.23) of parameters."""
    said = dict(passed)
    entity = {k: said[k] for k in ("type", "idPattern") if k in said}
    ids = listed(said.get("id"))
    entities = [{**entity, "id": i} for i in ids] or ([entity] if entity else [])
    made: dict[str, Any] = {"type": "Query"}
    if entities:
        made["entities"] = entities
    for name in ("q", "scopeQ"):
        if name in said:
            made[name] = said[name]
    if "attrs" in said:
        made["attrs"] = listed(said["attrs"])
    if "georel" in said:
        made["geoQ"] = {k: said[k] for k in ("georel", "geometry", "coordinates") if k in said}
    return made


def narrowed_body(body: Mapping[str, Any], passed: Params) -> dict[str, Any]:
    sent = {k: v for k, v in body.items() if k not in ("@context", "entityMap", "csf", "orderBy")}
    said = dict(passed)
    for name in ("q", "scopeQ"):
        if name not in said:
            sent.pop(name, None)
    if "attrs" in said:
        sent["attrs"] = listed(said["attrs"])
    ids = listed(said.get("id"))
    entities = sent.get("entities")
    if ids and isinstance(entities, list) and len(entities) == 1:
        sent["entities"] = [{**entities[0], "id": i} for i in ids]
    return sent
