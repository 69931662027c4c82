"""The body of a notification (clause 5.3.1): what happened, as it was asked for. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Any

import msgspec

from nagara.context.model import NGSI_NULL, Entity, default_instance, instances_of
from nagara.context.ngsi.read import HOLDERS
from nagara.context.ngsi.render import View, render
from nagara.context.ngsi.subscriptions.happening import Happening, by_dataset
from nagara.context.ngsi.subscriptions.subscription import Shape, Subscription, left_out
from nagara.context.ngsi.terms import CORE_CONTEXT, TermMap
from nagara.context.state import instance_times
from nagara.values.time import format_instant

_PREVIOUS = {
    "value": "previousValue",
    "object": "previousObject",
    "languageMap": "previousLanguageMap",
    "vocab": "previousVocab",
    "json": "previousJson",
    "valueList": "previousValueList",
    "objectList": "previousObjectList",
}
_TELLS_DELETED = frozenset({"attributeDeleted", "entityUpdated"})

#: Entities that relationships point at, by their id.
Linked = Mapping[str, Entity]
JSON_LD, GEO_JSON = "application/ld+json", "application/geo+json"


def notification(
    subscription: Subscription,
    key: str,
    data: list[dict[str, Any]],
    geometries: list[Any],
    now: datetime,
) -> dict[str, Any]:
    """A notification around its data. `key`: what it tells of; told again, it has the same id."""
    digest = blake2b(f"{subscription.tenant}\0{subscription.id}".encode(), digest_size=6)
    body: dict[str, Any] = {
        "id": f"urn:ngsi-ld:Notification:{key}:{digest.hexdigest()}",
        "type": "Notification",
        "subscriptionId": subscription.id,
        "notifiedAt": format_instant(now),
        "data": data,
    }
    accept = subscription.reception.accept
    if accept == JSON_LD:
        source = context_source(subscription)
        body["data"] = [{**one, "@context": source} for one in data]
        body["@context"] = source
    elif accept == GEO_JSON:
        features = [_feature(one, geometry) for one, geometry in zip(data, geometries, strict=True)]
        body["data"] = {"type": "FeatureCollection", "features": features}
    return body


def context_source(subscription: Subscription) -> Any:
    """The @context of its notifications, as the subscriber named it."""
    return subscription.doc.get("jsonldContext") or subscription.doc.get("@source") or CORE_CONTEXT


def _feature(one: dict[str, Any], geometry: Any) -> dict[str, Any]:
    properties = {k: v for k, v in one.items() if k != "id"}
    return {"type": "Feature", "id": one.get("id"), "geometry": geometry, "properties": properties}


def geometry_of(entity: Entity) -> Any:
    """The geometry of a GeoJSON feature: that of `location` (clause 4.5.16)."""
    instance = default_instance(entity.attrs.get("location"))
    return instance.get("value") if instance else None


def tell(happening: Happening, subscription: Subscription, linked: Linked) -> list[dict[str, Any]]:
    """The entities of a notification of something that happened: the one, and those it links to
    where they were asked for flat."""
    shape, terms = subscription.shape, subscription.terms
    if happening.deleted:
        return [_deleted(happening, subscription)]
    made = show(happening.entity, shape, terms, linked)
    one = made[0]
    if not subscription.triggers.isdisjoint(_TELLS_DELETED):
        for name in _shown(happening.attrs_deleted, shape):
            _put_deleted(one, happening, name, shape, terms)
    if shape.show_changes and happening.before is not None:
        for name in _shown(happening.attrs_updated, shape):
            _put_previous(one, happening, name, shape, terms)
    return made


def show(entity: Entity, shape: Shape, terms: TermMap, linked: Linked) -> list[dict[str, Any]]:
    """An entity in the form that was asked for, and behind it those it links to (clause 4.5.23)."""
    attrs = {name: entity.attrs[name] for name in _shown(entity.attrs, shape)}
    chosen = msgspec.structs.replace(entity, attrs=attrs)
    view = View(
        form=shape.form, sys_attrs=shape.sys_attrs, lang=shape.lang, datasets=shape.datasets
    )
    one = _without(render(chosen, terms, view), shape)
    made = [one]
    if shape.join is None:
        return made
    for name in attrs:
        bare = _behind(shape, name)
        for index, instance in enumerate(instances_of(attrs[name])):
            found = [linked[o] for o in objects_of(instance) if o in linked]
            if not found:
                continue
            shown = [show(other, bare, terms, linked) for other in found]
            if shape.join == "flat":
                made += [each for group in shown for each in group]
            else:
                _put_inline(one, terms.compact(name), index, instance, shown, shape)
    if shape.join == "flat":
        made = list({each.get("id", id(each)): each for each in reversed(made)}.values())[::-1]
    return made


def _behind(shape: Shape, name: str) -> Shape:
    """How the entities that an attribute links to are shown (clause 4.21)."""
    picks = None if shape.picks is None else shape.picks.of(name)
    omits = None if shape.omits is None else shape.omits.of(name)
    return msgspec.structs.replace(
        shape, attributes=None, datasets=None, show_changes=False,
        pick=None if picks is None else picks.names, omit=left_out(omits), picks=picks, omits=omits,
        join=shape.join if shape.join_level > 1 else None, join_level=shape.join_level - 1,
    )  # fmt: skip


def objects_of(instance: Mapping[str, Any]) -> list[str]:
    """The ids that an instance of a relationship points at."""
    found: list[str] = []
    for held in (instance.get("object"), instance.get("objectList")):
        for one in held if isinstance(held, list) else [held]:
            target = one.get("object") if isinstance(one, dict) else one
            if isinstance(target, str):
                found.append(target)
    return found


def _put_inline(
    one: dict[str, Any],
    word: str,
    index: int,
    instance: Mapping[str, Any],
    shown: list[Any],
    shape: Shape,
) -> None:
    several = isinstance(instance.get("object"), list) or "objectList" in instance
    entities = [group[0] for group in shown]
    value: Any = entities if several else entities[0]
    if shape.form == "simplified":
        one[word] = value
        return
    holder = one.get(word)
    target = holder[index] if isinstance(holder, list) and index < len(holder) else holder
    if isinstance(target, dict):
        target["entityList" if "objectList" in instance else "entity"] = value


def _shown(names: Iterable[str], shape: Shape) -> list[str]:
    only = shape.attributes if shape.attributes is not None else shape.pick
    return [n for n in names if (only is None or n in only) and n not in shape.omit]


def _without(one: dict[str, Any], shape: Shape) -> dict[str, Any]:
    """Without the members of an entity that were not picked, or that were left out."""
    if shape.pick is not None:
        for member in ("id", "type", "scope"):
            if member not in shape.pick:
                one.pop(member, None)
    for member in ("id", "type", "scope", "createdAt", "modifiedAt", "expiresAt"):
        if member in shape.omit:
            one.pop(member, None)
    return one


def _deleted(happening: Happening, subscription: Subscription) -> dict[str, Any]:
    """An entity that is no more: what it was, and its attributes as the NGSI-LD Null where their
    deletion was asked for."""
    shape, terms, entity = subscription.shape, subscription.terms, happening.entity
    view = View(form=shape.form, sys_attrs=shape.sys_attrs)
    bare = msgspec.structs.replace(entity, attrs={}, scopes=(), expires_at=None)
    one = render(bare, terms, view)
    one["deletedAt"] = format_instant(happening.at)
    if shape.show_changes or "attributeDeleted" in subscription.triggers:
        for name in _shown(entity.attrs, shape):
            if not subscription.watched or name in subscription.watched:
                _put_deleted(one, happening, name, shape, terms)
    return _without(one, shape)


def _put_deleted(
    one: dict[str, Any], happening: Happening, name: str, shape: Shape, terms: TermMap
) -> None:
    """An attribute, or an instance of it, that is gone: the NGSI-LD Null (clause 5.8.6)."""
    before = happening.before
    was = None if before is None else before.attrs.get(name)
    word = terms.compact(name)
    if word not in one:
        kept = next(iter(instances_of(was)), {"type": "Property"})
        one[word] = _null(kept, name, happening, shape, terms)
        return
    here = by_dataset(happening.entity.attrs.get(name))
    gone = [i for dataset, i in by_dataset(was).items() if dataset not in here]
    if shape.datasets is not None:
        gone = [i for i in gone if i.get("datasetId", "@none") in shape.datasets]
    for instance in gone:
        dataset = instance.get("datasetId", "@none")
        null = _null(instance, name, happening, shape, terms)
        if shape.form == "simplified":
            held = one[word]
            if not (isinstance(held, dict) and "dataset" in held):
                rest = next(iter(here), None) or "@none"
                held = one[word] = {"dataset": {rest: held}}
            held["dataset"][dataset] = null
            continue
        if dataset != "@none":
            null["datasetId"] = dataset
        held = one[word]
        one[word] = [*held, null] if isinstance(held, list) else [held, null]


def _null(
    instance: Mapping[str, Any], name: str, happening: Happening, shape: Shape, terms: TermMap
) -> Any:
    kind = instance.get("type", "Property")
    holder = HOLDERS.get(kind, "value")
    null: Any = NGSI_NULL
    if kind == "LanguageProperty" and not happening.deleted:
        null = {"@none": NGSI_NULL}
    if shape.form == "simplified":
        return {holder: null} if kind in ("LanguageProperty", "VocabProperty") else null
    made: dict[str, Any] = {holder: null}
    if shape.form == "normalized":
        made = {"type": kind, holder: null}
    if shape.show_changes and holder in instance:
        made[_PREVIOUS[holder]] = _value(instance, holder, terms)
    before = happening.before
    if shape.sys_attrs and before is not None:
        dataset = instance.get("datasetId")
        times = instance_times(before.sys, name, dataset, before.modified_at)
        if times is not None:
            made["createdAt"], made["modifiedAt"] = times
        made["deletedAt"] = format_instant(happening.at)
    return made


def _put_previous(
    one: dict[str, Any], happening: Happening, name: str, shape: Shape, terms: TermMap
) -> None:
    """What an attribute held before (showChanges)."""
    before = happening.before
    assert before is not None
    word = terms.compact(name)
    if word not in one:
        return
    if shape.form == "concise":  # a bare value has no room for another
        only = msgspec.structs.replace(happening.entity, attrs={name: happening.entity.attrs[name]})
        view = View(sys_attrs=shape.sys_attrs, lang=shape.lang, datasets=shape.datasets)
        full = render(only, terms, view)[word]
        for instance in instances_of(full):
            instance.pop("type", None)
        one[word] = full
    was = by_dataset(before.attrs.get(name))
    for instance in instances_of(one[word]):
        old = was.get(instance.get("datasetId"))
        if old is None:
            continue
        holder = HOLDERS.get(old.get("type", "Property"), "value")
        if holder in old:
            instance[_PREVIOUS[holder]] = _value(old, holder, terms)


def _value(instance: Mapping[str, Any], holder: str, terms: TermMap) -> Any:
    value = instance[holder]
    if holder != "vocab":
        return value
    return [terms.compact(v) for v in value] if isinstance(value, list) else terms.compact(value)
