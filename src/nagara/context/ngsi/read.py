"""From what a client sends to entities with canonical names (clauses 4.5, 5.2.4)."""

from __future__ import annotations

import re
from typing import Any

from nagara.context.errors import EntityInvalid
from nagara.context.geometry import demand_geometry
from nagara.context.model import NGSI_NULL, Attrs, Entity
from nagara.context.ngsi.terms import NAME_CHARS_KEPT, SEEN_MAX, TermMap
from nagara.values.time import format_instant, parse_instant

DEPTH_MAX = 10  # sub-attributes of sub-attributes
INSTANCES_MAX = 500
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[^\s\x00-\x1f\x7f<>\"{}|\\^`]+")
_NUL = re.compile(rb"\x00|(?<!\\)(?:\\\\)*\\u0000")
_NAME = re.compile(r"[^\s\x00-\x1f\x7f()<>\"';=\\,\[\]{}|^`&?]+")

#: Attribute type → the member that holds what it is about.
HOLDERS = {
    "Property": "value",
    "Relationship": "object",
    "GeoProperty": "value",
    "LanguageProperty": "languageMap",
    "VocabProperty": "vocab",
    "JsonProperty": "json",
    "ListProperty": "valueList",
    "ListRelationship": "objectList",
}
_BY_HOLDER = {
    "value": "Property",
    "object": "Relationship",
    "languageMap": "LanguageProperty",
    "vocab": "VocabProperty",
    "json": "JsonProperty",
    "valueList": "ListProperty",
    "objectList": "ListRelationship",
}
_GEOMETRIES = frozenset(
    {
        "Point",
        "MultiPoint",
        "LineString",
        "MultiLineString",
        "Polygon",
        "MultiPolygon",
        "GeometryCollection",
    }
)
_good_names: set[str] = set()
_SYSTEM = frozenset({"createdAt", "modifiedAt", "deletedAt", "instanceId"})
_PLAIN_MEMBERS = frozenset({"unitCode", "datasetId", "objectType", "lang"})
_ENTITY_MEMBERS = frozenset({"id", "@id", "type", "@type", "@context", "scope", "expiresAt"})


def has_nul(raw: bytes) -> bool:
    """Whether a NUL character is in a JSON text, plain or escaped. PostgreSQL keeps none."""
    return (b"\x00" in raw or b"\\u0000" in raw) and _NUL.search(raw) is not None


def is_uri(text: Any) -> bool:
    """Whether a value is an absolute URI (RFC 3986) as ids must be."""
    return isinstance(text, str) and len(text) <= 2048 and _URI.fullmatch(text) is not None


def _is_name(word: str) -> bool:
    if word in _good_names:  # a batch says the same few names thousands of times
        return True
    good = _NAME.fullmatch(word) is not None
    if good and len(word) <= NAME_CHARS_KEPT and len(_good_names) < SEEN_MAX:
        _good_names.add(word)
    return good


def read_entity(body: Any, terms: TermMap, entity_id: str | None = None) -> Entity:
    """The entity of a payload, normalised or concise. `entity_id`: the one of the address.

    Raises `EntityInvalid`, `GeometryInvalid`, `InstantUnreadable` in words.
    """
    if not isinstance(body, dict):
        raise EntityInvalid(id="", reason="an entity is a JSON object")
    found = body.get("id", body.get("@id", entity_id))
    if not is_uri(found):
        raise EntityInvalid(id=str(found)[:200], reason="its id must be a URI, as urn:ngsi-ld:…")
    if entity_id is not None and found != entity_id:
        raise EntityInvalid(id=entity_id, reason="the id in the body is another")
    types = read_types(body.get("type", body.get("@type")), terms, str(found))
    expires = body.get("expiresAt")
    return Entity(
        id=str(found),
        types=types,
        attrs=read_attrs(body, terms, str(found)),
        scopes=read_scopes(body.get("scope"), str(found)),
        expires_at=parse_instant(expires) if expires is not None else None,
    )


def read_types(said: Any, terms: TermMap, entity_id: str, needed: bool = True) -> tuple[str, ...]:
    """Canonical types, each once."""
    if said is None and not needed:
        return ()
    if isinstance(said, str) and _is_name(said):
        return (terms.expand(said),)
    listed = said if isinstance(said, list) else [said]
    if not listed or not all(isinstance(t, str) and _is_name(t) for t in listed):
        raise EntityInvalid(id=entity_id, reason="it needs a type, a text or a list of texts")
    return tuple(dict.fromkeys(terms.expand(t) for t in listed))


def read_scopes(said: Any, entity_id: str) -> tuple[str, ...]:
    """Scopes, with their leading slash (clause 4.18)."""
    if said is None:
        return ()
    if isinstance(said, dict):
        said = said.get("value")
    listed = said if isinstance(said, list) else [said]
    if not all(isinstance(s, str) and re.fullmatch(r"/?[\w\-/]+", s) for s in listed):
        raise EntityInvalid(id=entity_id, reason="a scope is a text as /Madrid/Gardens")
    return tuple(s if s.startswith("/") else f"/{s}" for s in listed)


def read_attrs(body: dict[str, Any], terms: TermMap, entity_id: str, nulls: bool = False) -> Attrs:
    """The attributes of an entity or a fragment. With `nulls`, a null marks one for removal."""
    attrs: Attrs = {}
    for word, said in body.items():
        if word in _ENTITY_MEMBERS or word in _SYSTEM:
            continue
        if not isinstance(word, str) or not _is_name(word):
            raise EntityInvalid(id=entity_id, reason=f"“{word}” cannot be an attribute's name")
        attrs[terms.expand(word)] = read_attribute(said, word, terms, entity_id, nulls)
    return attrs


def read_attribute(
    said: Any, word: str, terms: TermMap, entity_id: str, nulls: bool = False
) -> Any:
    """One attribute: an instance, or a list of instances that differ by datasetId."""
    if nulls and (said is None or said == NGSI_NULL):
        return None
    if isinstance(said, list) and said and all(_is_instance(i) for i in said):
        if len(said) > INSTANCES_MAX:
            raise EntityInvalid(id=entity_id, reason=f"{word} has too many instances")
        found = [_instance(i, word, terms, entity_id, 0, nulls) for i in said]
        datasets = [i.get("datasetId") for i in found]
        if len(set(datasets)) != len(datasets):
            raise EntityInvalid(
                id=entity_id, reason=f"two instances of {word} have the same datasetId"
            )
        return found[0] if len(found) == 1 else found
    return _instance(said, word, terms, entity_id, 0, nulls)


def _is_instance(said: Any) -> bool:
    return isinstance(said, dict) and (said.get("type") in HOLDERS or _holder(said) is not None)


def _holder(said: dict[str, Any]) -> str | None:
    return next((h for h in _BY_HOLDER if h in said), None)


def _instance(
    said: Any, word: str, terms: TermMap, entity_id: str, depth: int, nulls: bool
) -> dict[str, Any]:
    if depth > DEPTH_MAX:
        raise EntityInvalid(id=entity_id, reason=f"{word} is nested deeper than {DEPTH_MAX}")
    if not isinstance(said, dict):
        said = {"type": "Property", "value": said}
    elif said.get("type") in _GEOMETRIES and ("coordinates" in said or "geometries" in said):
        said = {"type": "GeoProperty", "value": said}
    kind = said.get("type")
    if kind is None:
        holder = _holder(said)
        if holder is None and not nulls:
            said, holder = {"value": said}, "value"
        kind = _BY_HOLDER.get(holder or "value", "Property")
        value = said.get("value")
        if kind == "Property" and isinstance(value, dict) and value.get("type") in _GEOMETRIES:
            kind = "GeoProperty"
    if not isinstance(kind, str) or kind not in HOLDERS:
        raise EntityInvalid(id=entity_id, reason=f"{word} has the type “{kind}”, which is none")
    holder = HOLDERS[kind]
    made: dict[str, Any] = {"type": kind}
    if holder in said:
        made[holder] = _held(said[holder], kind, word, terms, entity_id, nulls)
    elif not nulls:
        raise EntityInvalid(id=entity_id, reason=f"{word} is a {kind} without “{holder}”")
    for name, value in said.items():
        if name == holder or name == "type" or name in _SYSTEM:
            continue
        if name == "observedAt":
            made[name] = _instant(value)
        elif name in _PLAIN_MEMBERS:
            made[name] = _member(name, value, word, terms, entity_id)
        elif nulls and (value is None or value == NGSI_NULL):
            made[terms.expand(name)] = NGSI_NULL
        else:
            if not _is_name(name):
                raise EntityInvalid(id=entity_id, reason=f"“{name}” cannot be a name in {word}")
            made[terms.expand(name)] = (
                [_instance(i, name, terms, entity_id, depth + 1, nulls) for i in value]
                if isinstance(value, list) and value and all(_is_instance(i) for i in value)
                else _instance(value, name, terms, entity_id, depth + 1, nulls)
            )
    return made


def _instant(said: Any) -> str:
    if isinstance(said, dict):
        said = said.get("value", said.get("@value"))
    at = parse_instant(said)
    return said if isinstance(said, str) and said.endswith("Z") else format_instant(at)


def _member(name: str, value: Any, word: str, terms: TermMap, entity_id: str) -> Any:
    if name == "objectType":
        return (
            list(read_types(value, terms, entity_id))
            if isinstance(value, list)
            else (terms.expand(str(value)))
        )
    if not isinstance(value, str):
        raise EntityInvalid(id=entity_id, reason=f"{name} of {word} must be a text")
    if name == "datasetId" and not is_uri(value):
        raise EntityInvalid(id=entity_id, reason=f"datasetId of {word} must be a URI")
    return value


def _held(value: Any, kind: str, word: str, terms: TermMap, entity_id: str, nulls: bool) -> Any:
    """What an attribute of a kind may hold."""
    if value is None:
        raise EntityInvalid(id=entity_id, reason=f"{word} is null; leave it out or delete it")
    if kind == "Property" or (nulls and value == NGSI_NULL):
        return value
    wrong: str | None = None
    if kind == "Relationship" or kind == "ListRelationship":
        listed = value if isinstance(value, list) else [value]
        if kind == "ListRelationship" and all(isinstance(v, dict) for v in listed):
            listed = [v.get("object") for v in listed]
        if not listed or not all(is_uri(v) for v in listed):
            wrong = "points at a URI"
    elif kind == "GeoProperty":
        demand_geometry(value)
    elif kind == "LanguageProperty":
        if not isinstance(value, dict) or not all(
            isinstance(v, str) or (isinstance(v, list) and all(isinstance(s, str) for s in v))
            for v in value.values()
        ):
            wrong = "has a languageMap from language tags to texts"
    elif kind == "VocabProperty":
        listed = value if isinstance(value, list) else [value]
        if not all(isinstance(v, str) for v in listed):
            wrong = "has a term, or a list of terms"
        elif isinstance(value, list):
            return [terms.expand(v) for v in value]
        else:
            return terms.expand(value)
    elif kind == "ListProperty" and not isinstance(value, list):
        wrong = "has a list"
    if wrong is not None:
        raise EntityInvalid(id=entity_id, reason=f"{word} is a {kind} and {wrong}")
    return value
