"""From what a client tells of the past to instances (clauses 4.5.6, 4.5.7, 5.2.20)."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from nagara.context.errors import EntityInvalid, EntityOverLimit
from nagara.context.model import NGSI_NULL, Gone
from nagara.context.ngsi.held import HOLDERS, is_null
from nagara.context.ngsi.instance import is_instance, read_instances
from nagara.context.ngsi.names import is_uri, read_instant, read_scopes, read_types
from nagara.context.ngsi.read import read_attribute_name
from nagara.context.ngsi.terms import TermMap

#: Instances in one request: a week of one-minute values of one attribute.
TOLD_MAX = 10_000
_MEMBERS = frozenset(
    {"id", "@id", "type", "@type", "@context", "scope", "createdAt", "modifiedAt", "deletedAt"}
)
_TIMES = ("createdAt", "modifiedAt", "deletedAt", "instanceId")
Told = dict[str, list[dict[str, Any]]]


class Evolution(Struct, frozen=True):
    """The temporal evolution of an entity, as sent."""

    id: str
    types: tuple[str, ...]
    attrs: Told
    scopes: tuple[dict[str, Any], ...]


def read_evolution(body: Any, terms: TermMap) -> Evolution:
    """An EntityTemporal. Raises `EntityInvalid`, `EntityOverLimit`, `InstantUnreadable`."""
    if not isinstance(body, dict):
        raise EntityInvalid(id="", reason="an entity is a JSON object")
    found = body.get("id", body.get("@id"))
    if not is_uri(found) or found == NGSI_NULL:
        raise EntityInvalid(id=str(found)[:200], reason="its id must be a URI, as urn:ngsi-ld:…")
    types = read_types(body.get("type", body.get("@type")), terms, str(found))
    attrs, scopes = read_told_attrs(body, terms, str(found))
    return Evolution(str(found), types, attrs, scopes)


def read_told_attrs(
    body: Any, terms: TermMap, entity_id: str
) -> tuple[Told, tuple[dict[str, Any], ...]]:
    """The attributes and the scopes of an evolution or of a part of one."""
    if not isinstance(body, dict):
        raise EntityInvalid(id=entity_id, reason="attributes are sent as a JSON object")
    if body.get("id", entity_id) != entity_id:
        raise EntityInvalid(id=entity_id, reason="the id in the body is another")
    attrs: Told = {}
    count = 0
    for word, said in body.items():
        if word in _MEMBERS:
            continue
        if said is None or said == NGSI_NULL:
            raise EntityInvalid(id=entity_id, reason=f"{word} is null; history has instances")
        if word == "expiresAt":
            read_instant(said, "expiresAt")
            continue
        name = read_attribute_name(word, terms, entity_id)
        listed = said if isinstance(said, list) and said and _are_instances(said) else [said]
        count += len(listed)
        if count > TOLD_MAX:
            raise EntityOverLimit(id=entity_id, what="instances", limit=TOLD_MAX)
        attrs[name] = [_instance(one, word, name, terms, entity_id) for one in listed]
    return attrs, _scopes(body.get("scope"), entity_id)


def _are_instances(said: list[Any]) -> bool:
    return all(is_instance(i) for i in said)


def _instance(said: Any, word: str, name: str, terms: TermMap, entity_id: str) -> dict[str, Any]:
    if isinstance(said, dict) and any(t in said for t in _TIMES):
        said = {k: v for k, v in said.items() if k not in _TIMES}  # the city's own to say
    if isinstance(said, dict):
        kind = said.get("type", "Property")
        holder = HOLDERS.get(kind) if isinstance(kind, str) else None
        if holder is not None and holder in said and is_null(said[holder]):
            return _null(said, str(kind), holder, word)
    made = read_instances(said, word, name, terms, entity_id, "refused")
    if not isinstance(made, dict):
        raise EntityInvalid(id=entity_id, reason=f"{word} is no instance of an attribute")
    return made


def _null(said: dict[str, Any], kind: str, holder: str, word: str) -> dict[str, Any]:
    """An instance that says that the attribute was not there (clause 4.5.7)."""
    made: dict[str, Any] = {"type": kind, holder: said[holder]}
    if "observedAt" in said:
        made["observedAt"] = read_instant(said["observedAt"], f"{word}.observedAt")
    if isinstance(said.get("datasetId"), str):
        made["datasetId"] = said["datasetId"]
    return made


def _scopes(said: Any, entity_id: str) -> tuple[dict[str, Any], ...]:
    """The scopes of an evolution: plain, or as a temporal property (clause 4.5.6)."""
    if said is None:
        return ()
    listed = said if isinstance(said, list) and all(isinstance(s, dict) for s in said) else [said]
    made = []
    for one in listed:
        value = one.get("value") if isinstance(one, dict) else one
        scopes = read_scopes(value, entity_id)
        instance: dict[str, Any] = {
            "type": "Property",
            "value": scopes[0] if len(scopes) == 1 else list(scopes),
        }
        if isinstance(one, dict) and "observedAt" in one:
            instance["observedAt"] = read_instant(one["observedAt"], "scope.observedAt")
        made.append(instance)
    return tuple(made)


def read_told_instance(
    body: Any, word: str, terms: TermMap, entity_id: str, before: dict[str, Any]
) -> dict[str, Any]:
    """An instance after a partial update (clause 5.6.14): members that are sent replace those that
    are there. The body is the instance, or an object that has it under its name."""
    if isinstance(body, dict) and word in body and not is_instance(body):
        body = body[word]
    if isinstance(body, list) and len(body) == 1:
        body = body[0]
    if not isinstance(body, dict):
        raise EntityInvalid(id=entity_id, reason=f"{word} is sent as one instance")
    body = {k: v for k, v in body.items() if k not in (*_TIMES, "@context")}
    name = terms.expand(word)
    kind = before.get("type", "Property")
    if body.get("type", kind) != kind:
        raise EntityInvalid(id=entity_id, reason=f"{word} is a {kind} and stays one")
    holder = HOLDERS.get(kind, "value")
    made = {k: v for k, v in before.items() if k != "modifiedAt"}
    if holder in body:
        new = _instance({"type": kind, **body}, word, name, terms, entity_id)
    else:
        new = read_instances({"type": kind, **body}, word, name, terms, entity_id, "partial")
    if isinstance(new, Gone) or not isinstance(new, dict):
        raise EntityInvalid(id=entity_id, reason=f"{word} cannot be null; delete the instance")
    for member, value in new.items():
        if value == NGSI_NULL and member != holder:
            made.pop(member, None)
        else:
            made[member] = value
    return made
