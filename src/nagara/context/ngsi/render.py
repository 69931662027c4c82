"""From stored entities to what a client asked for: normalised, concise, simplified, GeoJSON."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal

from msgspec import Struct

from nagara.context.apply import attribute_times
from nagara.context.model import Entity, default_instance, instances_of
from nagara.context.ngsi.read import HOLDERS
from nagara.context.ngsi.terms import TermMap
from nagara.values.time import format_instant

Form = Literal["normalized", "concise", "simplified"]
_KEEP = frozenset(
    {
        "type",
        "value",
        "object",
        "languageMap",
        "vocab",
        "json",
        "valueList",
        "objectList",
        "observedAt",
        "unitCode",
        "datasetId",
        "objectType",
        "lang",
    }
)


class View(Struct, frozen=True):
    """How a client wants to see entities. Names are canonical."""

    form: Form = "normalized"
    sys_attrs: bool = False
    attrs: frozenset[str] | None = None
    omit: frozenset[str] = frozenset()
    lang: str | None = None
    datasets: frozenset[str] | None = None


def render(entity: Entity, terms: TermMap, view: View) -> dict[str, Any]:
    """The payload of an entity (clause 4.5.1 normalised, 4.5.3 simplified, 4.5.1.2 concise)."""
    made: dict[str, Any] = {}
    if view.attrs is None or "id" in view.attrs or not view.attrs & {"id", "type"}:
        made["id"] = entity.id
    if "id" in view.omit:
        made.pop("id", None)
    if "type" not in view.omit:
        types = [terms.compact(t) for t in entity.types]
        made["type"] = types[0] if len(types) == 1 else types
    if entity.scopes and "scope" not in view.omit:
        made["scope"] = list(entity.scopes) if len(entity.scopes) > 1 else entity.scopes[0]
    if view.sys_attrs and entity.created_at and entity.modified_at:
        made["createdAt"] = format_instant(entity.created_at)
        made["modifiedAt"] = format_instant(entity.modified_at)
    if entity.expires_at is not None:
        made["expiresAt"] = format_instant(entity.expires_at)
    for name, attribute in entity.attrs.items():
        if (view.attrs is not None and name not in view.attrs) or name in view.omit:
            continue
        times = attribute_times(entity.sys, name, entity.modified_at) if view.sys_attrs else None
        found = _attribute(attribute, times, terms, view)
        if found is not None:
            made[terms.compact(name)] = found
    return made


def has_any(entity: Entity, attrs: Collection[str]) -> bool:
    """Whether an entity has at least one of the attributes."""
    return any(name in entity.attrs for name in attrs)


def _attribute(attribute: Any, times: Any, terms: TermMap, view: View) -> Any:
    instances = instances_of(attribute)
    if view.datasets is not None:
        instances = [i for i in instances if i.get("datasetId", "@none") in view.datasets]
        if not instances:
            return None
    made = [_instance(i, times, terms, view) for i in instances]
    if view.form == "simplified" and len(instances) > 1:
        return {
            "dataset": {
                i.get("datasetId", "@none"): m for i, m in zip(instances, made, strict=True)
            }
        }
    return made[0] if len(made) == 1 else made


def _instance(instance: dict[str, Any], times: Any, terms: TermMap, view: View) -> Any:
    kind = instance.get("type", "Property")
    holder = HOLDERS.get(kind, "value")
    value = instance.get(holder)
    spoken: str | None = None
    if kind == "VocabProperty":
        value = (
            [terms.compact(v) for v in value]
            if isinstance(value, list)
            else (terms.compact(str(value)))
        )
    if kind == "LanguageProperty" and view.lang is not None and isinstance(value, dict):
        spoken, value = _choose(value, view.lang)
        kind, holder = "Property", "value"
    if view.form == "simplified":
        wrapped = kind in ("LanguageProperty", "VocabProperty", "JsonProperty")
        return {holder: value} if wrapped else value
    made: dict[str, Any] = {"type": kind, holder: value}
    if spoken is not None:
        made["lang"] = spoken
    for name, member in instance.items():
        if name in (holder, "type", "languageMap"):
            continue
        if name in _KEEP:
            made[name] = terms.compact(member) if name == "objectType" else member
        else:
            subs = [_instance(s, None, terms, view) for s in instances_of(member)]
            made[terms.compact(name)] = subs[0] if len(subs) == 1 else subs
    if times is not None:
        made["createdAt"], made["modifiedAt"] = times
    if view.form == "concise":
        del made["type"]
        if kind in ("Property", "GeoProperty") and set(made) == {"value"}:
            return value
    return made


def _choose(texts: dict[str, Any], wish: str) -> tuple[str, Any]:
    """The text in the language wished for (clause 4.15): exact, prefix, @none, else the first."""
    for part in wish.split(","):
        tag = part.split(";")[0].strip()
        if tag in texts:
            return tag, texts[tag]
        near = next((t for t in texts if t.split("-")[0] == tag.split("-")[0]), None)
        if near is not None:
            return near, texts[near]
    tag = "@none" if "@none" in texts else next(iter(texts), "@none")
    return tag, texts.get(tag)


def render_feature(
    entity: Entity, terms: TermMap, view: View, geometry_property: str
) -> dict[str, Any]:
    """The entity as a GeoJSON feature (clause 4.5.16)."""
    payload = render(entity, terms, view)
    instance = default_instance(entity.attrs.get(geometry_property))
    feature: dict[str, Any] = {
        "type": "Feature",
        "id": entity.id,
        "geometry": instance.get("value") if instance else None,
    }
    payload.pop("id", None)
    feature["properties"] = payload
    return feature
