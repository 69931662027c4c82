"""A registration: read from what a client sends, shown again, and asked what it covers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal

from msgspec import Struct

from nagara.context.geometry import demand_geometry
from nagara.context.model import NGSI_NULL
from nagara.context.ngsi.read import is_uri
from nagara.context.ngsi.sources.members import (
    CHECKS,
    NAMES_MAX,
    Mode,
    as_list,
    demand_management,
    is_texts,
    wrong,
)
from nagara.context.ngsi.sources.operations import AUXILIARY, expand_operations
from nagara.context.ngsi.terms import TermMap
from nagara.context.pattern import demand_pattern, read_pattern
from nagara.values.errors import Problem
from nagara.values.time import parse_instant

TYPE = "ContextSourceRegistration"

INFORMATION_MAX = 100  # parts of one registration
TIMEOUT_DEFAULT_S = 5.0
TIMEOUT_MAX_S = 30.0

_GEOMETRIES = ("location", "observationSpace", "operationSpace")
#: Members that we write and that nobody else may (Table 5.2.9-2).
READ_ONLY = ("timesSent", "timesFailed", "lastSuccess", "lastFailure", "status", "createdAt",
             "modifiedAt")  # fmt: skip
_TEXTS = ("description", "registrationName")
_MEMBERS = frozenset(
    {"id", "type", "endpoint", "information", "contextSourceInfo", "contextSourceAlias",
     "datasetId", "expiresAt", "management", "managementInterval", "mode", "observationInterval",
     "operations", "refreshRate", "scope", "tenant", *_GEOMETRIES, *_TEXTS}
)  # fmt: skip


class Picked(Struct, frozen=True):
    """Which entities (clause 5.2.8, EntityInfo). No types: of whatever type."""

    types: frozenset[str]
    id: str | None = None
    pattern: str | None = None

    def covers(self, entity_id: str | None, types: Iterable[str] | None) -> bool:
        """Whether it may mean an entity; what is None is not known and does not exclude."""
        if types is not None and self.types and self.types.isdisjoint(types):
            return False
        if entity_id is None:
            return True
        if self.id is not None:
            return self.id == entity_id
        return self.pattern is None or read_pattern(self.pattern).found_in(entity_id)


class Part(Struct, frozen=True):
    """One element of `information` (clause 5.2.10). `attrs` None: whatever attributes."""

    entities: tuple[Picked, ...]
    attrs: frozenset[str] | None

    def covers(self, entity_id: str | None, types: Iterable[str] | None) -> bool:
        """Whether it may hold something of an entity."""
        return not self.entities or any(e.covers(entity_id, types) for e in self.entities)


class Span(Struct, frozen=True):
    """A TimeInterval (clause 5.2.11), open at its end where that is None."""

    start: datetime
    end: datetime | None


class Registration(Struct, frozen=True):
    """A registration ready for use. Names are canonical."""

    id: str
    tenant: str
    doc: dict[str, Any]
    parts: tuple[Part, ...]
    mode: Mode
    operations: frozenset[str]
    endpoint: str
    source_tenant: str | None
    pairs: tuple[tuple[str, str], ...]
    alias: str | None
    timeout_s: float
    cooldown_s: float | None
    local_only: bool
    expires_at: datetime | None
    observed: Span | None
    managed: Span | None

    @property
    def is_proxy(self) -> bool:
        """Whether what it covers lies there and not here."""
        return self.mode in ("exclusive", "redirect")

    def covered(
        self, entity_id: str | None, types: Iterable[str] | None
    ) -> frozenset[str] | Literal[False] | None:
        """The attributes that it covers of an entity; None: all of them; False: nothing."""
        found: set[str] = set()
        known = None if types is None else tuple(types)
        hit = False
        for part in self.parts:
            if part.covers(entity_id, known):
                if part.attrs is None:
                    return None
                found |= part.attrs
                hit = True
        return frozenset(found) if hit else False

    def types_of(self, ids: Iterable[str]) -> frozenset[str]:
        """The types under which it registered these entities; none where one may have any type."""
        found: set[str] = set()
        for part in self.parts:
            for one in part.entities:
                if any(one.covers(name, None) for name in ids):
                    if not one.types:
                        return frozenset()
                    found |= one.types
            if not part.entities:
                return frozenset()
        return frozenset(found)


def read_doc(body: Any, terms: TermMap, new_id: str, now: datetime) -> dict[str, Any]:
    """The document of a registration with canonical names. Raises `RegistrationInvalid`."""
    if not isinstance(body, dict):
        raise wrong("it is a JSON object")
    if body.get("type", body.get("@type")) != TYPE:
        raise wrong(f"its type is {TYPE}")
    doc: dict[str, Any] = {"id": body.get("id", body.get("@id", new_id)), "type": TYPE}
    if not is_uri(doc["id"]):
        raise wrong("its id must be a URI")
    for name in ("endpoint", "information"):
        if name not in body:
            raise wrong(f"it needs “{name}”")
    for word, value in body.items():
        if word in ("@context", "id", "@id", "type", "@type") or word in READ_ONLY:
            continue
        if value is None or value == NGSI_NULL:
            raise wrong(f"“{word[:80]}” is null; leave it out")
        if word in _MEMBERS:
            doc[word] = _member(word, value, terms)
        else:
            doc[terms.expand(word)] = value
    expires = doc.get("expiresAt")
    if expires is not None and parse_instant(expires) <= now:
        raise wrong("expiresAt has passed")
    _demand_mode(doc)
    return doc


def merge_doc(kept: Mapping[str, Any], change: Any, terms: TermMap) -> dict[str, Any]:
    """A registration with a change (clause 5.9.3), in the client's words where they are new."""
    if not isinstance(change, dict):
        raise wrong("a change is a JSON object")
    if change.get("type", TYPE) != TYPE:
        raise wrong(f"its type is {TYPE}")
    if change.get("id", kept["id"]) != kept["id"]:
        raise wrong("its id cannot be changed")
    merged = render_doc(kept, terms)
    for word, value in change.items():
        if word == "@context" or word in READ_ONLY:
            continue
        if value is None or value == NGSI_NULL:
            merged.pop(word, None)
        else:
            merged[word] = value
    return merged


def compile_doc(doc: dict[str, Any], tenant: str) -> Registration:
    """A registration ready for use, from its document."""
    management = doc.get("management", {})
    timeout = management.get("timeout")
    cooldown = management.get("cooldown")
    expires = doc.get("expiresAt")
    return Registration(
        id=doc["id"],
        tenant=tenant,
        doc=doc,
        parts=tuple(_part(part) for part in doc["information"]),
        mode=doc.get("mode", "inclusive"),
        operations=expand_operations(doc.get("operations")),
        endpoint=doc["endpoint"].rstrip("/").removesuffix("/ngsi-ld/v1"),
        source_tenant=doc.get("tenant"),
        pairs=tuple((p["key"], str(p["value"])) for p in doc.get("contextSourceInfo", ())),
        alias=doc.get("contextSourceAlias"),
        timeout_s=TIMEOUT_DEFAULT_S if timeout is None else min(timeout / 1000, TIMEOUT_MAX_S),
        cooldown_s=None if cooldown is None else cooldown / 1000,
        local_only=management.get("localOnly", doc.get("localOnly")) is True,
        expires_at=None if expires is None else parse_instant(expires),
        observed=_span(doc.get("observationInterval")),
        managed=_span(doc.get("managementInterval")),
    )


def render_doc(doc: Mapping[str, Any], terms: TermMap) -> dict[str, Any]:
    """The document in a client's words."""
    made: dict[str, Any] = {}
    for name, value in doc.items():
        if name == "information":
            made[name] = [_shown(part, terms) for part in value]
        else:
            made[name if name in _MEMBERS else terms.compact(name)] = value
    return made


def _shown(part: Mapping[str, Any], terms: TermMap) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in part.items():
        if name == "entities":
            made[name] = [
                {**e, "type": _each(e["type"], terms.compact)} if "type" in e else e for e in value
            ]
        else:
            made[name] = [terms.compact(n) for n in value]
    return made


def _each(said: Any, of: Any) -> Any:
    return [of(s) for s in said] if isinstance(said, list) else of(said)


def _member(name: str, value: Any, terms: TermMap) -> Any:
    """One member of the standard, checked. Raises `RegistrationInvalid`."""
    if name == "information":
        return _information(value, terms)
    if name in _GEOMETRIES:
        return _geometry(name, value)
    if name in ("managementInterval", "observationInterval"):
        return _interval(name, value)
    check = CHECKS.get(name)
    if check is not None and not check[0](value):
        raise wrong(f"{name} {check[1]}")
    if name == "expiresAt":
        try:
            parse_instant(value)
        except Problem as problem:
            raise wrong("expiresAt is no instant") from problem
    if name == "management":
        demand_management(value)
    return value


def _geometry(name: str, value: Any) -> Any:
    held = value.get("value") if isinstance(value, dict) and "value" in value else value
    try:
        demand_geometry(held)
    except Problem as problem:
        raise wrong(f"{name} is no geometry") from problem
    return value


def _interval(name: str, value: Any) -> Any:
    try:
        span = _span(value)
    except (Problem, TypeError, KeyError, AttributeError) as problem:
        raise wrong(f"{name} has startAt, and endAt if it ends") from problem
    if span is None or (span.end is not None and span.end < span.start):
        raise wrong(f"{name} ends before it begins")
    return value


def _span(said: Any) -> Span | None:
    if said is None:
        return None
    end = said.get("endAt")
    return Span(parse_instant(said["startAt"]), parse_instant(end) if end is not None else None)


def _information(said: Any, terms: TermMap) -> list[dict[str, Any]]:
    if not isinstance(said, list) or not 0 < len(said) <= INFORMATION_MAX:
        raise wrong(f"information is a list of 1 to {INFORMATION_MAX}")
    made: list[dict[str, Any]] = []
    for part in said:
        if not isinstance(part, dict):
            raise wrong("each part of information is an object")
        one: dict[str, Any] = {}
        if "entities" in part:
            one["entities"] = _entities(part["entities"], terms)
        for name in ("propertyNames", "relationshipNames"):
            if name in part:
                if not isinstance(part[name], list) or not is_texts(part[name], bool):
                    raise wrong(f"{name} is a list of names")
                one[name] = [terms.expand(n) for n in part[name]]
        if not one:
            raise wrong("each part of information names entities or attributes")
        made.append(one)
    return made


def _entities(said: Any, terms: TermMap) -> list[dict[str, Any]]:
    if not isinstance(said, list) or not 0 < len(said) <= NAMES_MAX:
        raise wrong(f"entities is a list of 1 to {NAMES_MAX}")
    made = []
    for one in said:
        if not isinstance(one, dict) or not is_texts(one.get("type"), bool):
            raise wrong("each of its entities names a type")
        if "id" in one and not is_uri(one["id"]):
            raise wrong("an entity's id is a URI")
        if "idPattern" in one:
            demand_pattern(one["idPattern"], "idPattern")
        kept = {k: one[k] for k in ("id", "idPattern") if k in one}
        made.append({**kept, "type": _each(one["type"], terms.expand)})
    return made


def _part(said: Mapping[str, Any]) -> Part:
    entities = tuple(
        Picked(
            frozenset(t for t in as_list(e.get("type")) if t != "*"),
            e.get("id"),
            e.get("idPattern"),
        )
        for e in said.get("entities", ())
    )
    names = [*said.get("propertyNames", ()), *said.get("relationshipNames", ())]
    return Part(entities, frozenset(names) if names else None)


def _demand_mode(doc: Mapping[str, Any]) -> None:
    """What a mode asks of the rest (clauses 4.3.6.3 and 5.9.2.4)."""
    mode = doc.get("mode", "inclusive")
    named = doc.get("operations")
    if mode == "auxiliary" and named is not None and not expand_operations(named) <= AUXILIARY:
        raise wrong("an auxiliary source is only asked: retrieveOps, or parts of it")
    if mode != "exclusive":
        return
    for part in doc["information"]:
        entities = part.get("entities", ())
        if not entities or any("id" not in e or "idPattern" in e for e in entities):
            raise wrong("an exclusive registration names the id of each entity")
        if not (part.get("propertyNames") or part.get("relationshipNames")):
            raise wrong("an exclusive registration names its attributes")
