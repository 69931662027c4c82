"""From what a client sends to entities with canonical names (clauses 4.5, 5.2.4, 5.5.4)."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

from nagara.context.errors import EntityInvalid
from nagara.context.model import NGSI_NULL, Attrs, Entity, instances_of
from nagara.context.ngsi.held import HOLDERS, LIST_MAX, VALUE_DEPTH_MAX, Nulls
from nagara.context.ngsi.instance import (
    DEPTH_MAX,
    INSTANCES_MAX,
    NOT_ATTRIBUTES,
    SYSTEM_MEMBERS,
    read_instances,
    simplified,
)
from nagara.context.ngsi.names import (
    has_nul,
    is_name,
    is_uri,
    read_instant,
    read_scopes,
    read_types,
)
from nagara.context.ngsi.terms import TermMap
from nagara.values.time import parse_instant

__all__ = [
    "DEPTH_MAX",
    "HOLDERS",
    "INSTANCES_MAX",
    "LIST_MAX",
    "VALUE_DEPTH_MAX",
    "Fragment",
    "Nulls",
    "Simple",
    "has_nul",
    "is_uri",
    "read_attribute",
    "read_attrs",
    "read_entity",
    "read_fragment",
    "read_scopes",
    "read_types",
]

_ENTITY_MEMBERS = frozenset(
    {"id", "@id", "type", "@type", "@context", "scope", "expiresAt", *SYSTEM_MEMBERS}
)


class Simple(Struct, frozen=True):
    """What is sent is simplified (clause 4.5.4): values alone. `before` and `lang` say what kind of
    attribute a value is for, where there is one already (clause 5.6.17)."""

    before: Entity | None = None
    lang: str | None = None

    def kind(self, name: str) -> str | None:
        """The type of the attribute that is there."""
        if self.before is None:
            return None
        instance = next(iter(instances_of(self.before.attrs.get(name))), None)
        return None if instance is None else instance.get("type")


class Fragment(Struct, frozen=True):
    """A part of an entity (clause 5.4). What was not sent is empty, `scopes` None, `expires_at`
    unset."""

    attrs: Attrs
    types: tuple[str, ...]
    scopes: tuple[str, ...] | None
    expires_at: datetime | UnsetType | None


def read_entity(
    body: Any, terms: TermMap, entity_id: str | None = None, simple: Simple | None = None
) -> Entity:
    """The entity of a payload: normalised, concise, or with `simple` simplified.

    `entity_id`: the one of the address. Raises `EntityInvalid`, `EntityOverLimit`,
    `GeometryInvalid`, `InstantUnreadable` in words.
    """
    found = _read_id(body, entity_id)
    types = read_types(body.get("type", body.get("@type")), terms, found)
    expires = body.get("expiresAt")
    return Entity(
        id=found,
        types=types,
        attrs=read_attrs(body, terms.of_types(types), found, "refused", simple),
        scopes=read_scopes(body.get("scope"), found) if "scope" in body else (),
        expires_at=None if expires is None else parse_instant(read_instant(expires, "expiresAt")),
    )


def read_fragment(
    body: Any,
    terms: TermMap,
    entity_id: str | None,
    nulls: Nulls,
    types_known: tuple[str, ...] = (),
    simple: Simple | None = None,
) -> tuple[str, Fragment]:
    """The id and the rest of a fragment. With `nulls`, the NGSI-LD Null removes."""
    found = _read_id(body, entity_id)
    types = read_types(body.get("type", body.get("@type")), terms, found, needed=False)
    scopes: tuple[str, ...] | None = None
    if "scope" in body:
        gone = nulls != "refused" and body["scope"] in (None, NGSI_NULL)
        scopes = () if gone else read_scopes(body["scope"], found)
    expires_at: datetime | UnsetType | None = UNSET
    if "expiresAt" in body:
        said = body["expiresAt"]
        gone = nulls != "refused" and said in (None, NGSI_NULL)
        expires_at = None if gone else parse_instant(read_instant(said, "expiresAt"))
    inner = terms.of_types(types or types_known)
    return found, Fragment(read_attrs(body, inner, found, nulls, simple), types, scopes, expires_at)


def _read_id(body: Any, entity_id: str | None) -> str:
    if not isinstance(body, dict):
        raise EntityInvalid(id=entity_id or "", reason="an entity is a JSON object")
    found = body.get("id", body.get("@id", entity_id))
    if not is_uri(found) or found == NGSI_NULL:
        raise EntityInvalid(id=str(found)[:200], reason="its id must be a URI, as urn:ngsi-ld:…")
    if entity_id is not None and found != entity_id:
        raise EntityInvalid(id=entity_id, reason="the id in the body is another")
    return str(found)


def read_attrs(
    body: dict[str, Any],
    terms: TermMap,
    entity_id: str,
    nulls: Nulls = "refused",
    simple: Simple | None = None,
) -> Attrs:
    """The attributes of an entity or a fragment, by canonical name."""
    attrs: Attrs = {}
    for word, said in body.items():
        if word in _ENTITY_MEMBERS and word != "instanceId":
            continue
        name = read_attribute_name(word, terms, entity_id)
        if name in attrs:
            raise EntityInvalid(id=entity_id, reason=f"{word} is there twice")
        if simple is not None:
            said = simplified(said, simple.kind(name), simple.lang)
        attrs[name] = read_instances(said, word, name, terms, entity_id, nulls)
    return attrs


def read_attribute_name(word: str, terms: TermMap, entity_id: str) -> str:
    """The canonical name of an attribute. Raises `EntityInvalid` for a word that names none."""
    if not is_name(word):
        raise EntityInvalid(id=entity_id, reason=f"“{word[:80]}” cannot be an attribute's name")
    name = terms.expand(word)
    if name in NOT_ATTRIBUTES:
        raise EntityInvalid(id=entity_id, reason=f"“{word}” is a word of the core @context")
    return name


def read_attribute(
    said: Any,
    word: str,
    terms: TermMap,
    entity_id: str,
    nulls: Nulls = "refused",
    kind: Literal[None] | str = None,
) -> Any:
    """One attribute: an instance, or a list of instances that differ by datasetId.

    `kind`: its type where it says none itself. With `nulls`: None for an attribute that goes,
    `Gone` for an instance that goes.
    """
    name = read_attribute_name(word, terms, entity_id)
    if kind is not None and isinstance(said, dict) and "type" not in said and "@type" not in said:
        said = {"type": kind, **said}
    return read_instances(said, word, name, terms, entity_id, nulls)
