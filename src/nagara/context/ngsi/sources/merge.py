"""One entity out of what several sources say (clause 4.5.5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from nagara.context.apply import attribute_times
from nagara.context.model import Entity, instances_of
from nagara.context.ngsi.read import read_entity
from nagara.context.ngsi.sources.registration import Registration
from nagara.context.ngsi.terms import TermMap
from nagara.guard.policy import Keeping
from nagara.values.errors import Problem
from nagara.values.time import format_instant, parse_instant

#: Attributes of one merged entity: ten sources with a thousand each.
ATTRS_MAX = 10_000


class Told(Struct, frozen=True):
    """What one source says of an entity. `source` None: what lies here."""

    entity: Entity
    source: Registration | None = None

    @property
    def is_filler(self) -> bool:
        """Whether it only fills gaps."""
        return self.source is not None and self.source.mode == "auxiliary"


def read_told(body: Any, terms: TermMap, source: Registration) -> Entity | None:
    """The entity of a source's answer, or None where it is none or not what it registered."""
    try:
        entity = read_entity(body, terms)
    except (Problem, RecursionError, ValueError, TypeError, KeyError):
        return None
    covered = source.covered(entity.id, entity.types)
    if covered is False or len(entity.attrs) > ATTRS_MAX:
        return None
    attrs = entity.attrs
    if covered is not None:  # what it was not registered for is left out, clause 4.3.6.1
        attrs = {name: value for name, value in attrs.items() if name in covered}
    made, changed = _instant(body.get("createdAt")), _instant(body.get("modifiedAt"))
    return msgspec.structs.replace(
        entity,
        attrs=attrs,
        created_at=made,
        modified_at=changed,
        sys=_times(body, attrs, terms),
    )


def _times(body: Mapping[str, Any], attrs: Mapping[str, Any], terms: TermMap) -> dict[str, Any]:
    """createdAt and modifiedAt of attributes, where the source told them."""
    found: dict[str, Any] = {}
    for word, said in body.items():
        first = said[0] if isinstance(said, list) and said else said
        if not isinstance(first, dict) or "modifiedAt" not in first:
            continue
        name = terms.expand(word)
        made, changed = _instant(first.get("createdAt")), _instant(first.get("modifiedAt"))
        if name in attrs and changed is not None:
            found[name] = [format_instant(made or changed), format_instant(changed)]
    return found


def _instant(said: Any) -> datetime | None:
    try:
        return parse_instant(said) if isinstance(said, str) else None
    except Problem:
        return None


def without_proxied(
    entity: Entity, proxies: Iterable[Registration], keeping: Keeping, tenant: str
) -> Entity | None:
    """What of an entity counts that lies here; None where all of it lies elsewhere. What the
    city's rooms keep lies here, whatever is registered."""
    if keeping.holds(tenant, entity.id):
        return entity
    attrs = entity.attrs
    for proxy in proxies:
        covered = proxy.covered(entity.id, entity.types)
        if covered is False:
            continue
        if covered is None:
            return None
        attrs = {name: value for name, value in attrs.items() if name not in covered}
    return entity if attrs is entity.attrs else msgspec.structs.replace(entity, attrs=attrs)


def merge(told: Iterable[Told], keeping: Keeping, tenant: str) -> Entity:
    """One entity of one id. What is said first wins where nothing else decides.

    The newer `observedAt` wins, else the newer `modifiedAt`. Auxiliary sources only fill gaps. What
    the city's rooms keep is never replaced by what others say of it.
    """
    parts = sorted(told, key=lambda t: t.is_filler)
    first = parts[0].entity
    kept = any(t.source is None and keeping.holds(tenant, first.id) for t in parts)
    types: dict[str, None] = {}
    scopes: dict[str, None] = {}
    attrs: dict[str, dict[str | None, tuple[dict[str, Any], str]]] = {}
    sys: dict[str, Any] = {}
    for part in parts:
        entity = part.entity
        filler = part.is_filler or (kept and part.source is not None)
        if not filler or not types:
            types |= dict.fromkeys(entity.types)
            scopes |= dict.fromkeys(entity.scopes)
        for name, said in entity.attrs.items():
            times = attribute_times(entity.sys, name, entity.modified_at)
            held = attrs.setdefault(name, {})
            won = _take(held, said, times[1] if times else "", filler)
            if times is not None and (won or name not in sys):
                sys[name] = list(times)
    made = [p.entity.created_at for p in parts if p.entity.created_at is not None]
    changed = [p.entity.modified_at for p in parts if p.entity.modified_at is not None]
    return Entity(
        id=first.id,
        types=tuple(types),
        attrs={name: _shape(held) for name, held in attrs.items()},
        version=first.version,
        created_at=min(made) if made else None,
        modified_at=max(changed) if changed else None,
        scopes=tuple(scopes),
        sys=sys,
        expires_at=next((p.entity.expires_at for p in parts if p.entity.expires_at), None),
    )


def _take(
    held: dict[str | None, tuple[dict[str, Any], str]], said: Any, modified: str, filler: bool
) -> bool:
    """Take instances that are new or newer; whether any was."""
    won = False
    for instance in instances_of(said):
        key = instance.get("datasetId")
        other = held.get(key)
        if other is None or (not filler and _is_newer(instance, modified, *other)):
            held[key] = (instance, modified)
            won = True
    return won


def _is_newer(one: Mapping[str, Any], modified: str, other: Mapping[str, Any], then: str) -> bool:
    mine, theirs = one.get("observedAt"), other.get("observedAt")
    if mine is not None and theirs is not None:
        if mine != theirs:
            return parse_instant(mine) > parse_instant(theirs)
    elif mine is not None or theirs is not None:
        return mine is not None
    return bool(modified and then) and parse_instant(modified) > parse_instant(then)


def _shape(held: Mapping[str | None, tuple[dict[str, Any], str]]) -> Any:
    instances = [instance for instance, _ in held.values()]
    return instances[0] if len(instances) == 1 else instances
