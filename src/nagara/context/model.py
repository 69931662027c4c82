"""Entities, operations on them, and what the change log says: pure types.

Names follow ETSI GS CIM 009. Attribute names are canonical: the suffix of an IRI under the default
context, a core term's own name, or the full IRI of any other (`nagara.context.jsonld`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType, field

from nagara.context.sought import Sought
from nagara.values.time import parse_instant

Attrs = dict[str, Any]
ChangeOp = Literal["create", "update", "replace", "delete", "temporal"]
PatchMode = Literal["append", "append_new", "change", "update", "merge", "partial", "strict"]

#: Sent as a value to remove an attribute in a merge (clause 4.5.0, NGSI-LD Null).
NGSI_NULL = "urn:ngsi-ld:null"

_VALUE_KEYS = ("value", "object", "languageMap", "vocab", "json", "valueList", "objectList")


class Entity(Struct, frozen=True):
    """The current state of one entity."""

    id: str
    types: tuple[str, ...]
    attrs: Attrs
    version: int = 0
    created_at: datetime | None = None
    modified_at: datetime | None = None
    scopes: tuple[str, ...] = ()
    sys: dict[str, Any] = field(default_factory=dict)
    expires_at: datetime | None = None

    @property
    def type(self) -> str:
        """The first of its types, for the many entities that have one."""
        return self.types[0]

    def instance(self, name: str) -> dict[str, Any] | None:
        """The default instance of an attribute, or the first where all carry a datasetId."""
        return default_instance(self.attrs.get(name))

    def value(self, name: str, otherwise: Any = None) -> Any:
        """The plain value of an attribute's default instance."""
        instance = self.instance(name)
        return otherwise if instance is None else plain_value(instance)

    def object(self, name: str) -> str | None:
        """The target of a relationship."""
        instance = self.instance(name)
        target = None if instance is None else instance.get("object")
        return target if isinstance(target, str) else None

    def instant(self, name: str) -> datetime | None:
        """The value of an attribute as an instant; None where there is none."""
        value = self.value(name)
        return parse_instant(value) if isinstance(value, str) else None


def default_instance(attribute: Any) -> dict[str, Any] | None:
    """The instance without datasetId of a stored attribute, else its first."""
    if isinstance(attribute, dict):
        return attribute
    if isinstance(attribute, list) and attribute:
        plain: dict[str, Any] = next((i for i in attribute if "datasetId" not in i), attribute[0])
        return plain
    return None


def instances_of(attribute: Any) -> list[dict[str, Any]]:
    """All instances of a stored attribute."""
    if attribute is None:
        return []
    return attribute if isinstance(attribute, list) else [attribute]


def plain_value(instance: dict[str, Any]) -> Any:
    """What an attribute instance holds, whatever its type; typed values unwrapped."""
    for key in _VALUE_KEYS:
        if key in instance:
            value = instance[key]
            if isinstance(value, dict) and "@value" in value:
                return value["@value"]
            return value
    return None


class Create(Struct, frozen=True):
    """Make a new entity (clause 5.6.1). EntityAlreadyExists where the id is taken."""

    entity: Entity


class Upsert(Struct, frozen=True):
    """Create or change (clause 5.6.8): replace everything, or append and overwrite attributes."""

    entity: Entity
    mode: Literal["replace", "update"] = "replace"


class Replace(Struct, frozen=True):
    """Replace an entity that exists (clause 5.6.18). EntityNotFound otherwise."""

    entity: Entity
    if_version: int | None = None


class Gone(Struct, frozen=True):
    """In a patch: the instance of this datasetId is removed, the others stay (clause 4.5.5)."""

    dataset_id: str | None = None


class Patch(Struct, frozen=True):
    """Change attributes of an entity that exists.

    append: add and overwrite (5.6.3); append_new: add, never overwrite; change: as append, but a
    scope only where there is one (5.6.2); update: only attributes that are there; merge: JSON merge
    (5.6.17); partial: members of one attribute (5.6.4); strict: as update (5.6.19). The last two
    raise AttributeNotFound for an instance that is absent. An attribute that is None is removed
    with all its instances, one that is `Gone` (or has such an instance) only that one.

    `types` are added. `scopes` are replaced, by append_new added; empty ones are removed.
    `observed_at`: in a merge, the time of values that had one and are sent without.
    """

    id: str
    attrs: Attrs
    mode: PatchMode = "append"
    if_version: int | None = None
    types: tuple[str, ...] = ()
    scopes: tuple[str, ...] | None = None
    expires_at: datetime | UnsetType | None = UNSET
    observed_at: str | None = None


class Delete(Struct, frozen=True):
    """Delete an entity (5.6.6); its history stays."""

    id: str
    if_version: int | None = None


class DeleteAttribute(Struct, frozen=True):
    """Delete an attribute: its default instance, that of one datasetId, or all (5.6.5)."""

    id: str
    name: str
    dataset_id: str | None = None
    everything: bool = False


class DeleteScope(Struct, frozen=True):
    """Delete all scopes of an entity (5.6.5.4, where the attribute is `scope`)."""

    id: str


class Observe(Struct, frozen=True):
    """Hear measured values: each (attribute, observedAt) is kept once, however often it is heard.

    Every instance carries `observedAt`. Values older than the current one, and values that are not
    to become current, go to history only. The entity is made with `base` where it is absent.
    `anew`: a value of an instant that has one is another value (a program's second POST), and kept.
    """

    id: str
    types: tuple[str, ...]
    attrs: Attrs
    base: Attrs | None = None
    current: bool = True
    anew: bool = False


class Chronicle(Struct, frozen=True):
    """Tell instances of the past of an entity; the newest become the present state of what is not
    known newer. An entity that is not there is made, where `makes`."""

    id: str
    types: tuple[str, ...]
    attrs: dict[str, list[dict[str, Any]]]
    scopes: tuple[dict[str, Any], ...] = ()
    makes: bool = True


class Correction(Struct, frozen=True):
    """What a change of history means for the present: where an attribute has the value `was`, or
    one no newer than `now`, it has `now` from here on; None: it has none left."""

    name: str
    was: dict[str, Any]
    now: dict[str, Any] | None


class Amended(Struct, frozen=True):
    """A sign in the log that history of an entity was changed; what, is in tables of history."""

    id: str
    present: Correction | None = None


Op = (
    Create
    | Upsert
    | Replace
    | Patch
    | Delete
    | DeleteAttribute
    | DeleteScope
    | Observe
    | Chronicle
    | Amended
)


class Written(Struct, frozen=True):
    """What one operation did. `repeated`: the key was heard before, nothing was done again."""

    id: str
    op: str
    version: int
    created: bool = False
    stored: int = 0
    duplicate: int = 0
    untouched: tuple[str, ...] = ()  # attributes that the mode left alone
    repeated: bool = False


class Change(Struct, frozen=True):
    """One row of the change log. `attrs` is the patch; None for an attribute that was removed."""

    seq: int
    tenant: str
    id: str
    types: tuple[str, ...]
    op: ChangeOp
    attrs: Attrs
    at: datetime
    recorded_at: datetime


class Sample(Struct, frozen=True):
    """One instance of an attribute in history."""

    attr: str
    observed_at: datetime
    value: Any
    instance: dict[str, Any]
    recorded_at: datetime


class GeoQuery(Struct, frozen=True):
    """A geo-query (clause 4.10): `georel` with its parameter, and a GeoJSON geometry."""

    georel: Literal["near", "within", "contains", "intersects", "equals", "disjoint", "overlaps"]
    geometry: dict[str, Any]
    max_distance_m: float | None = None
    min_distance_m: float | None = None
    geoproperty: str = "location"


class Selector(Struct, frozen=True):
    """Which entities one part of a query means (clause 5.2.33): types, and ids or their pattern.

    `types`: any of these; `types_all`: or all of one of these sets.
    """

    types: tuple[str, ...] = ()
    types_all: tuple[tuple[str, ...], ...] = ()
    ids: tuple[str, ...] = ()
    id_pattern: str | None = None


class OrderTerm(Struct, frozen=True):
    """One part of an order (clause 4.23): a path of attribute, sub-attribute or member, and a way
    into a compound value. `by_distance`: from the query's `order_from`."""

    names: tuple[str, ...]
    inside: tuple[str, ...] = ()
    descending: bool = False
    by_distance: bool = False


class Query(Struct, frozen=True):
    """What to look for. `after` is the cursor of the page before; `order` one of id, -modifiedAt,
    -createdAt. `selectors`: instead of types, ids and id_pattern, any of several."""

    types: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    id_pattern: str | None = None
    q: str | None = None
    geo: GeoQuery | None = None
    attrs: tuple[str, ...] = ()  # entities that have one of these
    scopes: tuple[tuple[str, ...], ...] = ()  # clause 4.19: any of these sets of patterns
    limit: int = 20
    after: str | None = None
    offset: int = 0
    order: Literal["id", "-modifiedAt", "-createdAt"] = "id"
    hidden_types: tuple[str, ...] | None = None  # types that the caller may not see
    visible_types: tuple[str, ...] | None = None  # the only types that the caller may see
    tenant: str = ""
    at: datetime | None = None  # the city's time: what has expired by then is not found
    types_all: tuple[tuple[str, ...], ...] = ()  # or entities that have all types of one of these
    selectors: tuple[Selector, ...] = ()
    expand_values: tuple[str, ...] = ()  # attributes whose values in q are terms (clause 4.9)
    ordered_by: tuple[OrderTerm, ...] = ()  # instead of `order` (clause 4.23)
    order_from: tuple[float, float] | None = None  # longitude, latitude
    collation: str | None = None  # a language tag: how texts are ordered
    #: A condition of another language: SQL on the entity `e`, its values bound by the function that
    #: it is given. As selective as it is, it is asked together with all the rest.
    also: Callable[[Callable[[Any], str]], str] | None = None
    #: What each entity that fulfils `also` must hold (`nagara.context.sought`).
    also_sought: tuple[Sought, ...] = ()


class Page(Struct, frozen=True):
    """One page of entities and the cursor of the next, None at the end."""

    entities: list[Entity]
    next_cursor: str | None


class Count(Struct, frozen=True):
    """How many entities fulfil a query; `is_estimated` where counting would read too many."""

    total: int
    is_estimated: bool = False
