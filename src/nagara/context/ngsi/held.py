"""What an attribute of each type may hold (clauses 4.5.2 to 4.5.24, 4.6, 4.7)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from nagara.context.errors import EntityInvalid, EntityOverLimit
from nagara.context.geometry import demand_geometry
from nagara.context.model import NGSI_NULL
from nagara.context.ngsi.names import is_uri
from nagara.context.ngsi.terms import TermMap

LIST_MAX = 10_000  # items of valueList, objectList, or of several targets or terms
VALUE_DEPTH_MAX = 64  # objects and lists inside one another in a value

#: What an NGSI-LD Null does: nowhere allowed (create, append, replace); removes an attribute or an
#: instance (update attributes, 5.6.2); a member too (partial update, 5.6.4); and what is inside a
#: value (merge, 5.6.17).
Nulls = Literal["refused", "whole", "partial", "merge"]

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
BY_HOLDER = {
    "value": "Property",
    "object": "Relationship",
    "languageMap": "LanguageProperty",
    "vocab": "VocabProperty",
    "json": "JsonProperty",
    "valueList": "ListProperty",
    "objectList": "ListRelationship",
}
_LANGUAGE = re.compile(r"@none|[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*")


def is_null(value: Any) -> bool:
    """Whether a value is the NGSI-LD Null, in one of its two forms (4.5.0, 4.6.5)."""
    if isinstance(value, str):
        return value == NGSI_NULL
    return isinstance(value, dict) and len(value) == 1 and value.get("@none") == NGSI_NULL


def _wrong(word: str, kind: str, why: str, entity_id: str) -> EntityInvalid:
    return EntityInvalid(id=entity_id, reason=f"{word} is a {kind} and {why}")


def _held_value(value: Any, word: str, _terms: TermMap, entity_id: str, nulls: Nulls) -> Any:
    if isinstance(value, dict | list):
        _demand_value(value, word, entity_id, nulls == "merge", 1)
    elif value is None:
        raise EntityInvalid(id=entity_id, reason=f"{word} is null; leave it out or delete it")
    elif value == NGSI_NULL:
        raise EntityInvalid(id=entity_id, reason=f"{word}: {NGSI_NULL} removes, and cannot be kept")
    return value


def _demand_value(value: Any, word: str, entity_id: str, nulls: bool, depth: int) -> None:
    """No NGSI-LD Null in what is kept (5.5.4), and not too deep."""
    if depth > VALUE_DEPTH_MAX:
        raise EntityOverLimit(id=entity_id, what=f"levels in {word}", limit=VALUE_DEPTH_MAX)
    inside_object = isinstance(value, dict)
    for part in value.values() if inside_object else value:
        if isinstance(part, dict | list):
            _demand_value(part, word, entity_id, nulls, depth + 1)
        elif part == NGSI_NULL and not (nulls and inside_object):
            raise EntityInvalid(
                id=entity_id, reason=f"{word}: {NGSI_NULL} removes, and cannot be kept"
            )


def _held_geometry(value: Any, word: str, _terms: TermMap, entity_id: str, _nulls: Nulls) -> Any:
    if isinstance(value, str):  # 4.7.2: a geometry may come as a text
        try:
            value = msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError) as error:
            raise _wrong(word, "GeoProperty", "has a GeoJSON geometry", entity_id) from error
    if isinstance(value, dict) and value.get("type") == "GeometryCollection":
        raise _wrong(word, "GeoProperty", "cannot be a GeometryCollection", entity_id)
    demand_geometry(value)
    return value


def _held_target(value: Any, word: str, _terms: TermMap, entity_id: str, _nulls: Nulls) -> Any:
    if type(value) is not str:
        _demand_list(value, word, "Relationship", entity_id)
    for target in value if isinstance(value, list) else (value,):
        if not is_uri(target) or target == NGSI_NULL:
            raise _wrong(word, "Relationship", "points at a URI", entity_id)
    return value


def _held_targets(value: Any, word: str, _terms: TermMap, entity_id: str, _nulls: Nulls) -> Any:
    _demand_list(value, word, "ListRelationship", entity_id)
    made = []
    for item in value:
        target = item.get("object") if isinstance(item, dict) else item
        if not is_uri(target) or target == NGSI_NULL:
            raise _wrong(word, "ListRelationship", "points at URIs", entity_id)
        made.append({"object": target})
    return made


def _held_texts(value: Any, word: str, _terms: TermMap, entity_id: str, nulls: Nulls) -> Any:
    if not isinstance(value, dict) or (not value and nulls != "merge"):
        raise _wrong(word, "LanguageProperty", "maps languages to texts", entity_id)
    for tag, text in value.items():
        if _LANGUAGE.fullmatch(tag) is None:
            raise _wrong(word, "LanguageProperty", f"“{tag[:40]}” is no language", entity_id)
        texts = text if isinstance(text, list) else (text,)
        if nulls == "merge" and (text is None or text == NGSI_NULL):
            continue
        if not all(isinstance(t, str) and t != NGSI_NULL for t in texts):
            raise _wrong(word, "LanguageProperty", "maps languages to texts", entity_id)
    return value


def _held_terms(value: Any, word: str, terms: TermMap, entity_id: str, _nulls: Nulls) -> Any:
    if isinstance(value, str) and value and value != NGSI_NULL:
        return terms.expand(value)
    _demand_list(value, word, "VocabProperty", entity_id)
    if not all(isinstance(v, str) and v and v != NGSI_NULL for v in value):
        raise _wrong(word, "VocabProperty", "has a term, or a list of terms", entity_id)
    return [terms.expand(v) for v in value]


def _held_json(value: Any, word: str, _terms: TermMap, entity_id: str, nulls: Nulls) -> Any:
    if not isinstance(value, dict | list):
        raise _wrong(word, "JsonProperty", "has an object, or a list of objects", entity_id)
    _demand_value(value, word, entity_id, nulls == "merge", 1)
    return value


def _held_list(value: Any, word: str, _terms: TermMap, entity_id: str, _nulls: Nulls) -> Any:
    _demand_list(value, word, "ListProperty", entity_id)
    _demand_value(value, word, entity_id, False, 1)
    return value


def _demand_list(value: Any, word: str, kind: str, entity_id: str) -> None:
    if not isinstance(value, list) or (not value and kind != "ListProperty"):
        raise _wrong(word, kind, f"“{HOLDERS[kind]}” is not of its form", entity_id)
    if len(value) > LIST_MAX:
        raise EntityOverLimit(id=entity_id, what=f"items in {word}", limit=LIST_MAX)


HELD: dict[str, Callable[[Any, str, TermMap, str, Nulls], Any]] = {
    "Property": _held_value,
    "Relationship": _held_target,
    "GeoProperty": _held_geometry,
    "LanguageProperty": _held_texts,
    "VocabProperty": _held_terms,
    "JsonProperty": _held_json,
    "ListProperty": _held_list,
    "ListRelationship": _held_targets,
}
