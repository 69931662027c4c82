"""Temporal representations: the evolution of an entity, normalised, simplified, aggregated
(clauses 4.5.6 to 4.5.9, 4.5.19)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from asyncpg import Record
from msgspec import Struct

from nagara.context.chronicle import SCOPE
from nagara.context.history_aggregate import Aggregates, Encoded
from nagara.context.history_amend import instance_id
from nagara.context.model import NGSI_NULL, Entity
from nagara.context.ngsi.read import HOLDERS
from nagara.context.ngsi.render import Form, View, render
from nagara.context.ngsi.terms import TermMap
from nagara.context.packed import Packed, instance_of, instant_text, is_removal, number_of
from nagara.values.time import format_instant

#: The member of the simplified form that holds the pairs of value and time.
_MEMBERS = {
    "Property": "values",
    "GeoProperty": "values",
    "Relationship": "objects",
    "LanguageProperty": "languageMaps",
    "VocabProperty": "vocabs",
    "JsonProperty": "jsons",
    "ListProperty": "valueLists",
    "ListRelationship": "objectLists",
}
_WRAPPED = ("LanguageProperty", "VocabProperty", "JsonProperty")


class Shown(Struct, frozen=True):
    """What of an entity is shown, and how. Names are canonical."""

    form: Form = "normalized"
    sys_attrs: bool = False
    attrs: frozenset[str] | None = None
    picked: bool = False  # by pick, which chooses among id and type too
    omit: frozenset[str] = frozenset()
    lang: str | None = None
    datasets: frozenset[str] | None = None


class Subject(Struct, frozen=True):
    """An entity as history knows it, whether or not it is still there."""

    no: int
    id: str
    types: tuple[str, ...]
    created_at: datetime
    modified_at: datetime
    deleted: bool = False


def types_in(row: Record) -> tuple[str, ...]:
    """The types of an entity in a row of it."""
    return tuple(row["types"]) if row["types"] else (row["type"],)


def subject_of(row: Record) -> Subject:
    """The entity of a row."""
    return Subject(
        row["no"], row["id"], types_in(row), row["created_at"], row["modified_at"], row["deleted"]
    )


class History(Struct):
    """What was found of one attribute: by datasetId, and the kinds of attribute of those that have
    nothing left in this page or were removed."""

    found: dict[str, list[Packed]]
    kinds: dict[str, str]


def head(subject: Subject, terms: TermMap, view: Shown, removals: bool = False) -> dict[str, Any]:
    """The members of the entity itself."""
    entity = Entity(
        subject.id,
        subject.types,
        {},
        created_at=subject.created_at,
        modified_at=subject.modified_at,
    )
    shown = View(sys_attrs=view.sys_attrs)
    made = render(entity, terms, shown)
    if subject.deleted and (view.sys_attrs or removals):
        made["deletedAt"] = format_instant(subject.modified_at)
    return {name: value for name, value in made.items() if is_shown(name, view)}


def is_shown(name: str, view: Shown) -> bool:
    """Whether a member of the entity is wanted (clause 4.21)."""
    if name in view.omit:
        return False
    if view.attrs is None or name not in ("id", "type"):
        return True
    return name in view.attrs if view.picked else True


def normalized(
    name: str, history: History, terms: TermMap, view: Shown, by_time: bool = True
) -> list[dict[str, Any]]:
    """The instances of an attribute (clause 4.5.7)."""
    made: list[tuple[Packed, dict[str, Any]]] = []
    templates: dict[str, Mapping[str, Any]] = {}
    for dataset, found in history.found.items():
        for packed in found:
            shown = (
                _removal(name, dataset, packed, history)
                if is_removal(packed)
                else _instance(packed, terms, view, templates)
            )
            if view.sys_attrs:
                written = instant_text(packed.recorded)
                if name == SCOPE:  # said with it where it was set by the core API (4.5.6)
                    written = shown.get("modifiedAt") or written
                shown["createdAt"] = written
                shown["modifiedAt"] = shown.get("modifiedAt") or written
            else:
                shown.pop("modifiedAt", None)
            if name != SCOPE:
                shown["instanceId"] = instance_id(packed.seq, name, packed.index)
            made.append((packed, shown))
    if by_time and len(history.found) > 1:
        made.sort(key=lambda pair: pair[0])
    return [shown for _, shown in made]


def _instance(
    packed: Packed, terms: TermMap, view: Shown, templates: dict[str, Mapping[str, Any]]
) -> dict[str, Any]:
    if packed.number is None:
        return _rendered(instance_of(packed), terms, view)
    template = templates.get(packed.rest)
    if template is None:
        template = templates[packed.rest] = _rendered(instance_of(packed), terms, view)
    made = dict(template)
    made["value"] = number_of(packed)
    if packed.rest[1] == "t":
        made["observedAt"] = instant_text(packed.at)
    return made


def _rendered(instance: dict[str, Any], terms: TermMap, view: Shown) -> dict[str, Any]:
    amended = instance.pop("modifiedAt", None)
    ends = instance.pop("expiresAt", None)
    form = View(form=view.form, lang=view.lang)
    shown = render(Entity("urn:x:x", ("X",), {"x": instance}), terms, form)[terms.compact("x")]
    if not isinstance(shown, dict):  # concise: a bare value
        shown = {"value": shown}
    if amended is not None:
        shown = {**shown, "modifiedAt": format_instant(datetime.fromisoformat(amended))}
    if ends is not None and view.sys_attrs:  # 6.3.11
        shown = {**shown, "expiresAt": ends}
    return dict(shown)


def _removal(name: str, dataset: str, packed: Packed, history: History) -> dict[str, Any]:
    kind = history.kinds.get(dataset, "Property")
    made: dict[str, Any] = {"type": kind, HOLDERS[kind]: _null(name, kind)}
    if dataset:
        made["datasetId"] = dataset
    made["deletedAt"] = instant_text(packed.at)
    return made


def _null(name: str, kind: str) -> Any:
    if name == SCOPE:
        return []
    return {"@none": NGSI_NULL} if kind == "LanguageProperty" else NGSI_NULL


def simplified(name: str, history: History, terms: TermMap, view: Shown) -> Any:
    """The pairs of value and time of an attribute, by datasetId (clause 4.5.9)."""
    made = []
    for dataset, found in history.found.items():
        kind = history.kinds.get(dataset, "Property")
        pairs = []
        for packed in found:
            if is_removal(packed):
                value = _null(name, kind)
                value = {HOLDERS[kind]: value} if kind in _WRAPPED else value
            elif packed.number is not None:
                value = number_of(packed)
            else:
                value = _value(packed, kind, terms, view)
            pairs.append([value, instant_text(packed.key)])
        shown: dict[str, Any] = {"type": kind}
        if dataset:
            shown["datasetId"] = dataset
        if kind == "LanguageProperty" and view.lang is not None:
            shown["type"] = "Property"
        shown[_MEMBERS[kind] if shown["type"] == kind else "values"] = pairs
        made.append(shown)
    return made[0] if len(made) == 1 else made


def _value(packed: Packed, kind: str, terms: TermMap, view: Shown) -> Any:
    shown = _rendered(instance_of(packed), terms, Shown(lang=view.lang))
    holder = HOLDERS.get(shown.get("type", kind), "value")
    value = shown.get(holder)
    if kind == "ListRelationship" and isinstance(value, list):
        return [v["object"] if isinstance(v, dict) and "object" in v else v for v in value]
    return {holder: value} if shown.get("type") in _WRAPPED else value


def aggregated(by_dataset: dict[str, tuple[str, Aggregates]]) -> Any:
    """Aggregates of an attribute, by datasetId (clause 4.5.19)."""
    made = []
    for dataset, (kind, aggregates) in by_dataset.items():
        shown: dict[str, Any] = {"type": kind}
        if dataset:
            shown["datasetId"] = dataset
        told = {m: v.text if isinstance(v, Encoded) else v for m, v in aggregates.items()}
        made.append({**shown, **told})
    return made[0] if len(made) == 1 else made


def kind_of(packed: Packed) -> str:
    """The type of attribute that an instance is of."""
    return str(instance_of(packed).get("type", "Property"))
