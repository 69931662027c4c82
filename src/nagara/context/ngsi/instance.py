"""One attribute of a payload: its instances, what they hold, their sub-attributes (clause 4.5)."""

from __future__ import annotations

from typing import Any

from nagara.context.errors import EntityInvalid, EntityOverLimit
from nagara.context.model import NGSI_NULL, Gone
from nagara.context.ngsi.held import BY_HOLDER, HELD, HOLDERS, Nulls, is_null
from nagara.context.ngsi.names import is_name, is_uri, read_instant, read_types
from nagara.context.ngsi.terms import TermMap
from nagara.values.geo import GEOMETRY_TYPES

DEPTH_MAX = 10  # sub-attributes of sub-attributes
INSTANCES_MAX = 500  # of one attribute, told apart by datasetId
SYSTEM_MEMBERS = frozenset({"createdAt", "modifiedAt", "deletedAt", "instanceId"})
_PLAIN = frozenset({"unitCode", "datasetId", "objectType", "lang", "valueType", "expiresAt"})
_SEALED = frozenset({"entityIdSealed", "entityTypeSealed"})
_LINKED = frozenset({"entity", "entityList"})
_PREVIOUS = frozenset(f"previous{holder[0].upper()}{holder[1:]}" for holder in BY_HOLDER)
#: Members without parts of their own: none of them names an attribute (4.5.1).
NOT_ATTRIBUTES = frozenset(
    {"observedAt", "id", "type", "instanceId"}
    | BY_HOLDER.keys()
    | (_PLAIN - {"expiresAt"})
    | _SEALED
    | _LINKED
    | _PREVIOUS
)
_UNITLESS = frozenset(
    {"Relationship", "ListRelationship", "LanguageProperty", "VocabProperty", "JsonProperty"}
)
_NUMBERS = frozenset({int, float, bool})
_GEO_NAMES = frozenset({"location", "observationSpace", "operationSpace"})
_LANG_STRING = frozenset(
    {"langString", "rdf:langString", "http://www.w3.org/1999/02/22-rdf-syntax-ns#langString"}
)


def read_instances(
    said: Any, word: str, name: str, terms: TermMap, entity_id: str, nulls: Nulls, depth: int = 0
) -> Any:
    """The instance or the instances of an attribute; None, or `Gone`, where it is to go."""
    if said is None and nulls != "refused":
        return None
    if isinstance(said, list) and _are_instances(said):
        if len(said) > INSTANCES_MAX:
            raise EntityOverLimit(id=entity_id, what=f"instances of {word}", limit=INSTANCES_MAX)
        found = [_instance(i, word, name, terms, entity_id, depth, nulls) for i in said]
        datasets = {i.dataset_id if isinstance(i, Gone) else i.get("datasetId") for i in found}
        if len(datasets) != len(found):
            raise EntityInvalid(
                id=entity_id, reason=f"two instances of {word} have the same datasetId"
            )
        return found[0] if len(found) == 1 else found
    return _instance(said, word, name, terms, entity_id, depth, nulls)


def _are_instances(said: list[Any]) -> bool:
    """Whether a list is instances of one attribute. Concise, the default one may be a bare value
    among those that say their datasetId."""
    alike = [is_instance(i) for i in said]
    return any(alike) and (
        all(alike) or any(a and "datasetId" in i for a, i in zip(alike, said, strict=True))
    )


def is_instance(said: Any) -> bool:
    """Whether something said of an attribute is an instance of it, normalized or concise."""
    if not isinstance(said, dict):
        return False
    kind = said.get("type")
    return (isinstance(kind, str) and kind in HOLDERS) or not BY_HOLDER.keys().isdisjoint(said)


def _instance(
    said: Any, word: str, name: str, terms: TermMap, entity_id: str, depth: int, nulls: Nulls
) -> dict[str, Any] | Gone:
    if depth > DEPTH_MAX:
        raise EntityOverLimit(id=entity_id, what=f"levels in {word}", limit=DEPTH_MAX)
    if type(said) is not dict:
        said = {"type": "Property", "value": said}
    kind = said.get("type", said.get("@type"))
    if kind is None or (kind in GEOMETRY_TYPES and _is_geometry(said)):
        said, kind = _inferred(said, word, entity_id, nulls)
    made: dict[str, Any] = {}
    holder = None
    if kind is not None:
        if not isinstance(kind, str) or kind not in HOLDERS:
            reason = f"{word} has the type “{str(kind)[:80]}”, which is none"
            raise EntityInvalid(id=entity_id, reason=reason)
        holder = HOLDERS[kind]
        made["type"] = kind
        if holder in said:
            value = said[holder]
            if nulls != "refused" and is_null(value):
                return Gone(_dataset(said.get("datasetId"), word, entity_id))
            if name in _GEO_NAMES and kind != "GeoProperty":
                raise EntityInvalid(id=entity_id, reason=f"{word} is a GeoProperty, no {kind}")
            if kind == "Property" and type(value) in _NUMBERS:  # nearly all that is measured
                made[holder] = value
            else:
                made[holder] = HELD[kind](value, word, terms, entity_id, nulls)
        elif nulls in ("refused", "whole"):
            raise EntityInvalid(id=entity_id, reason=f"{word} is a {kind} without “{holder}”")
    for member, value in said.items():
        if member == holder or member == "type":
            continue
        if member == "observedAt":
            if is_null(value) and nulls in ("partial", "merge"):
                made[member] = NGSI_NULL
            else:
                made[member] = read_instant(value, f"{word}.observedAt")
        elif member in _PLAIN:
            _plain_member(made, member, value, kind, word, terms, entity_id, nulls)
        else:
            _other_member(made, member, value, kind, word, name, terms, entity_id, depth, nulls)
    if name == "ngsildproof":
        _demand_proof(made, entity_id)
    return made


def _is_geometry(said: dict[str, Any]) -> bool:
    return "coordinates" in said or "geometries" in said


def _inferred(
    said: dict[str, Any], word: str, entity_id: str, nulls: Nulls
) -> tuple[dict[str, Any], str | None]:
    """What an attribute without a type is (concise representation, 4.5.2.3)."""
    if "type" in said:
        return {"type": "GeoProperty", "value": said}, "GeoProperty"
    holders = [h for h in BY_HOLDER if h in said]
    if len(holders) > 1:
        raise EntityInvalid(id=entity_id, reason=f"{word} has both {' and '.join(holders[:2])}")
    if holders:
        value = said["value"] if holders[0] == "value" else None
        if isinstance(value, dict) and value.get("type") in GEOMETRY_TYPES and _is_geometry(value):
            return said, "GeoProperty"
        return said, BY_HOLDER[holders[0]]
    if "@value" in said:
        return {"value": said}, "Property"
    if nulls in ("partial", "merge"):
        return said, None  # members of what is there
    if "observedAt" in said or "datasetId" in said or "unitCode" in said:
        raise EntityInvalid(id=entity_id, reason=f"{word} has no value")
    return {"value": said}, "Property"


def _plain_member(
    made: dict[str, Any],
    member: str,
    value: Any,
    kind: str | None,
    word: str,
    terms: TermMap,
    entity_id: str,
    nulls: Nulls,
) -> None:
    """A member that has no parts of its own: datasetId, unitCode, lang, objectType, valueType."""
    if member == "datasetId":
        dataset = _dataset(value, word, entity_id)
        if dataset is not None:
            made[member] = dataset
        return
    if (
        (member == "unitCode" and kind in _UNITLESS)
        or (member == "objectType" and kind not in ("Relationship", "ListRelationship", None))
        or (member == "valueType" and kind in ("Relationship", "ListRelationship"))
    ):
        raise EntityInvalid(id=entity_id, reason=f"{word} is a {kind} and has no {member}")
    if is_null(value) and nulls in ("partial", "merge"):
        made[member] = NGSI_NULL
        return
    if member == "objectType":
        types = read_types(value, terms, entity_id)
        made[member] = list(types) if len(types) > 1 else types[0]
        return
    if not isinstance(value, str) or not value or value == NGSI_NULL:
        raise EntityInvalid(id=entity_id, reason=f"{member} of {word} must be a text")
    if member == "expiresAt":
        made[member] = read_instant(value, f"{word}.expiresAt")
    elif member == "valueType":
        if kind == "LanguageProperty" and value not in _LANG_STRING:
            raise EntityInvalid(id=entity_id, reason=f"valueType of {word} is langString")
        made[member] = terms.expand(value)
    else:
        made[member] = value


def _dataset(said: Any, word: str, entity_id: str) -> str | None:
    """The datasetId; None for the default instance (4.5.5.1)."""
    if said is None or said == "@none":
        return None
    if not is_uri(said) or said == NGSI_NULL:
        raise EntityInvalid(id=entity_id, reason=f"datasetId of {word} must be a URI")
    return str(said)


def _other_member(
    made: dict[str, Any],
    member: str,
    value: Any,
    kind: str | None,
    word: str,
    name: str,
    terms: TermMap,
    entity_id: str,
    depth: int,
    nulls: Nulls,
) -> None:
    """A sub-attribute, or a member that is not for this kind of attribute."""
    if member in SYSTEM_MEMBERS or member == "@type":
        return
    if member in _LINKED and kind in ("Relationship", "ListRelationship"):
        return  # told by linked retrieval, and not a part of the relationship
    if member in _SEALED and name == "ngsildproof":
        if not isinstance(value, str) or not value:
            raise EntityInvalid(id=entity_id, reason=f"{member} must be a text")
        made[member] = terms.expand(value) if member == "entityTypeSealed" else value
        return
    if member == "@context" or not is_name(member):
        raise EntityInvalid(id=entity_id, reason=f"“{member[:80]}” cannot be a name in {word}")
    inner = terms.of_attribute(name)
    sub_name = inner.expand(member)
    if sub_name in NOT_ATTRIBUTES:
        raise EntityInvalid(id=entity_id, reason=f"{word} is a {kind} and has no {member}")
    gone = value is None or is_null(value)
    if nulls != "merge":
        gone = gone or (isinstance(value, dict) and _holds_null(value))
    if gone and nulls != "refused":
        if nulls != "whole":
            made[sub_name] = NGSI_NULL
        return
    deeper: Nulls = "merge" if nulls == "merge" else "refused"
    made[sub_name] = read_instances(value, member, sub_name, inner, entity_id, deeper, depth + 1)


def _holds_null(said: dict[str, Any]) -> bool:
    return any(is_null(said[holder]) for holder in BY_HOLDER if holder in said)


def _demand_proof(made: dict[str, Any], entity_id: str) -> None:
    """`ngsildproof` is a Property that holds a W3C Data Integrity proof (4.5.2.2)."""
    if made.get("type", "Property") != "Property" or not isinstance(made.get("value", {}), dict):
        raise EntityInvalid(id=entity_id, reason="ngsildproof is a Property that holds an object")


def simplified(said: Any, kind: str | None, lang: str | None) -> Any:
    """The instance, or the instances, that a simplified value stands for (4.5.4).

    `kind`: the type of the attribute that is there, if there is one.
    """
    if said is None or (isinstance(said, str) and said == NGSI_NULL):
        return said
    if isinstance(said, dict) and len(said) == 1:
        [(member, value)] = said.items()
        if member == "dataset" and isinstance(value, dict) and value:
            return [
                {**_simple_instance(v, kind, lang), "datasetId": dataset}
                for dataset, v in value.items()
            ]
        if member in BY_HOLDER and member not in ("value", "object"):
            return {"type": BY_HOLDER[member], member: value}
    return _simple_instance(said, kind, lang)


def _simple_instance(said: Any, kind: str | None, lang: str | None) -> dict[str, Any]:
    if isinstance(said, dict) and said.get("type") in GEOMETRY_TYPES and _is_geometry(said):
        return {"type": "GeoProperty", "value": said}
    if kind == "LanguageProperty" and isinstance(said, str | list):
        return {"type": kind, "languageMap": {lang or "@none": said}}
    if kind in ("Relationship", "VocabProperty") and isinstance(said, str | list):
        return {"type": kind, HOLDERS[kind]: said}
    if kind in ("ListProperty", "ListRelationship") and isinstance(said, list):
        return {"type": kind, HOLDERS[kind]: said}
    if kind == "JsonProperty" and isinstance(said, dict | list):
        return {"type": kind, "json": said}
    return {"type": "Property", "value": said}
