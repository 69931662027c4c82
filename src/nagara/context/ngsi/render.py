"""From stored entities to what a client asked for: normalised, concise, simplified, GeoJSON."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

from nagara.context.model import Entity, default_instance, instances_of
from nagara.context.ngsi.projection import Projection
from nagara.context.ngsi.read import HOLDERS
from nagara.context.ngsi.terms import TermMap
from nagara.context.state import instance_times
from nagara.values.geo import GEOMETRY_TYPES
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
        "instanceId",
        "expiresAt",
        "deletedAt",
        "ngsildproof",
        "valueType",
        "entityIdSealed",
        "entityTypeSealed",
    }
)
#: Members that hold a term or several, so that they are told in the words of the context.
_TERMS = frozenset({"objectType", "valueType", "entityTypeSealed"})
#: A value that has one of these is not shown bare: it would be read as something else.
_TELLING = frozenset({"type", "dataset", "datasetId", "observedAt", "unitCode", *HOLDERS.values()})


class View(Struct, frozen=True):
    """How a client wants to see entities. Names are canonical.

    `attrs` leaves id, type and scope where they are; `pick` and `drop` (clause 4.21) do not.
    """

    form: Form = "normalized"
    sys_attrs: bool = False
    attrs: frozenset[str] | None = None
    omit: frozenset[str] = frozenset()
    lang: str | None = None
    datasets: frozenset[str] | None = None
    pick: Projection | None = None
    drop: Projection | None = None

    def shows(self, name: str) -> bool:
        """Whether a member of the entity is shown."""
        if (self.pick is not None and name not in self.pick.names) or name in self.omit:
            return False
        return not (
            self.drop is not None and any(n == name and p is None for n, p in self.drop.terms)
        )

    def behind(self, name: str) -> View:
        """How entities that an attribute links to are shown."""
        if self.pick is None and self.drop is None and self.attrs is None:
            return self
        return msgspec.structs.replace(
            self,
            attrs=None,
            pick=None if self.pick is None else self.pick.of(name),
            drop=None if self.drop is None else self.drop.of(name),
        )


class Inline(Struct, frozen=True):
    """Linked entities that are shown inside of what links to them (clause 4.5.23)."""

    entities: Mapping[str, Entity]
    level: int
    above: frozenset[str]  # ids that an entity is inside of already

    def below(self, entity_id: str) -> Inline | None:
        """What is shown inside of one of them; None at the end."""
        if self.level == 1:
            return None
        return Inline(self.entities, self.level - 1, self.above | {entity_id})


def render(
    entity: Entity, terms: TermMap, view: View, inline: Inline | None = None
) -> dict[str, Any]:
    """The payload of an entity (clause 4.5.1 normalised, 4.5.4 simplified, 4.5.1.2 concise)."""
    made: dict[str, Any] = {}
    if view.shows("id"):
        made["id"] = entity.id
    if view.shows("type"):
        types = [terms.compact(t) for t in entity.types]
        made["type"] = types[0] if len(types) == 1 else types
    if entity.scopes and view.shows("scope"):
        made["scope"] = list(entity.scopes) if len(entity.scopes) > 1 else entity.scopes[0]
    if view.sys_attrs:
        _add_times(made, entity, view)
    terms = terms.of_types(entity.types)
    for name, attribute in entity.attrs.items():
        if (view.attrs is not None and name not in view.attrs) or not view.shows(name):
            continue
        found = _attribute(name, attribute, entity, terms.of_attribute(name), view, inline)
        if found is not None:
            made[terms.compact(name)] = found
    return made


def _add_times(made: dict[str, Any], entity: Entity, view: View) -> None:
    for name, at in (
        ("createdAt", entity.created_at),
        ("modifiedAt", entity.modified_at),
        ("expiresAt", entity.expires_at),
    ):
        dropped = view.drop is not None and not view.shows(name)
        if at is not None and not dropped and (view.pick is None or view.shows(name)):
            made[name] = format_instant(at)


def has_any(entity: Entity, attrs: Collection[str]) -> bool:
    """Whether an entity has at least one of the attributes."""
    return any(name in entity.attrs for name in attrs)


def _attribute(
    name: str, attribute: Any, entity: Entity, terms: TermMap, view: View, inline: Inline | None
) -> Any:
    instances = instances_of(attribute)
    if view.datasets is not None:
        instances = [i for i in instances if i.get("datasetId", "@none") in view.datasets]
        if not instances:
            return None
    behind = None if inline is None else (inline, view.behind(name))
    made = []
    for one in instances:
        times = None
        if view.sys_attrs:
            times = instance_times(entity.sys, name, one.get("datasetId"), entity.modified_at)
        made.append(_instance(one, times, terms, view, behind))
    if view.form == "simplified" and len(instances) > 1:
        return {
            "dataset": {
                i.get("datasetId", "@none"): m for i, m in zip(instances, made, strict=True)
            }
        }
    return made[0] if len(made) == 1 else made


Behind = tuple[Inline, View]


def _instance(
    instance: dict[str, Any], times: Any, terms: TermMap, view: View, behind: Behind | None = None
) -> Any:
    kind = instance.get("type", "Property")
    holder = HOLDERS.get(kind, "value")
    value = instance.get(holder)
    spoken: str | None = None
    if kind == "VocabProperty":
        value = (
            [terms.compact(str(v)) for v in value]
            if isinstance(value, list)
            else (terms.compact(str(value)))
        )
    if kind == "LanguageProperty" and view.lang is not None and isinstance(value, dict):
        spoken, value = choose(value, view.lang)
        kind, holder = "Property", "value"
    linked = None if behind is None else _linked(kind, value, terms, behind)
    if view.form == "simplified":
        if linked is not None:
            return linked
        if kind == "ListRelationship":
            return targets_of(instance)
        wrapped = kind in ("LanguageProperty", "VocabProperty", "JsonProperty")
        return {holder: value} if wrapped else value
    made: dict[str, Any] = {"type": kind, holder: value}
    if linked is not None:
        made["entityList" if kind == "ListRelationship" else "entity"] = linked
    if spoken is not None:
        made["lang"] = spoken
    for name, member in instance.items():
        if name in (holder, "type", "languageMap"):
            continue
        if name in _KEEP:
            if name in _TERMS:
                made[name] = (
                    [terms.compact(m) for m in member]
                    if isinstance(member, list)
                    else terms.compact(member)
                )
            elif name != "expiresAt" or view.sys_attrs:  # 6.3.11
                made[name] = member
        else:
            subs = [
                _instance(s, None, terms, view) if isinstance(s, dict) else s
                for s in instances_of(member)
            ]
            made[terms.compact(name)] = subs[0] if len(subs) == 1 else subs
    if times is not None:
        made["createdAt"], made["modifiedAt"] = times
    if view.form == "concise":
        del made["type"]
        if kind in ("Property", "GeoProperty") and set(made) == {"value"}:
            told = kind == "Property" and isinstance(value, dict) and _TELLING & value.keys()
            return made if told else value
    return made


def targets_of(instance: Mapping[str, Any]) -> list[str]:
    """The ids that one instance of a relationship points at."""
    kind = instance.get("type")
    if kind == "Relationship":
        said = instance.get("object")
    elif kind == "ListRelationship":
        said = instance.get("objectList")
    else:
        return []
    found = [v.get("object") if isinstance(v, dict) else v for v in _as_list(said)]
    return [v for v in found if isinstance(v, str)]


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _linked(kind: str, value: Any, terms: TermMap, behind: Behind) -> Any:
    """The linked entities of an instance, or None where there are none to show."""
    inline, view = behind
    if kind not in ("Relationship", "ListRelationship"):
        return None
    ids = targets_of({"type": kind, "object": value, "objectList": value})
    shown = [
        render(inline.entities[i], terms, view, inline.below(i))
        if i in inline.entities and i not in inline.above
        else None
        for i in ids
    ]
    if not any(s is not None for s in shown):
        return None
    if kind == "Relationship" and not isinstance(value, list):
        return shown[0]
    if view.form == "simplified":
        return [i if s is None else s for i, s in zip(ids, shown, strict=True)]
    return [s for s in shown if s is not None]


def choose(texts: dict[str, Any], wish: str) -> tuple[str, Any]:
    """The text in the language wished for (clause 4.15): by weight and then by order (RFC 3282),
    each exactly, else a shorter or longer tag of it (RFC 5646); else @none, else any."""
    known = {tag.lower(): tag for tag in texts}
    for asked in _wishes(wish):
        if asked == "*":
            break
        if asked in known:
            return known[asked], texts[known[asked]]
        short = asked
        while "-" in short:
            short = short.rpartition("-")[0]
            if short in known:
                return known[short], texts[known[short]]
        longer = next((t for low, t in known.items() if low.startswith(short + "-")), None)
        if longer is not None:
            return longer, texts[longer]
    tag = "@none" if "@none" in texts else next(iter(texts), "@none")
    return tag, texts.get(tag)


def _wishes(wish: str) -> list[str]:
    weighed: list[tuple[float, int, str]] = []
    for number, part in enumerate(wish.split(",")[:50]):
        tag, _, weight = part.partition(";")
        value = 1.0
        name, _, said = weight.partition("=")
        if name.strip() == "q":
            try:
                value = float(said)
            except ValueError:
                value = 1.0
        if value > 0 and tag.strip():
            weighed.append((-value, number, tag.strip().lower()))
    return [tag for _, _, tag in sorted(weighed)]


def render_feature(
    entity: Entity,
    terms: TermMap,
    view: View,
    geometry_property: str,
    inline: Inline | None = None,
) -> dict[str, Any]:
    """The entity as a GeoJSON feature (clauses 4.5.16, 4.5.17)."""
    payload = render(entity, terms, view, inline)
    instance = default_instance(entity.attrs.get(geometry_property))
    value = instance.get("value") if instance else None
    is_geometry = isinstance(value, dict) and value.get("type") in GEOMETRY_TYPES
    feature: dict[str, Any] = {
        "id": entity.id,
        "type": "Feature",
        "geometry": value if is_geometry else None,
    }
    payload.pop("id", None)
    feature["properties"] = payload
    return feature
