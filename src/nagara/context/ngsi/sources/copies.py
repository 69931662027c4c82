"""A subscription as a source gets it: only what the source registered, told to this broker instead
of to the subscriber (clause 5.8.1.4). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Any

import msgspec

from nagara.context.ngsi.sources.directory import Wanted
from nagara.context.ngsi.sources.discovery import Question
from nagara.context.ngsi.sources.registration import Part, Picked, Registration
from nagara.context.ngsi.sources.wording import Wire
from nagara.context.ngsi.subscriptions.selector import Selector, write_types
from nagara.context.ngsi.subscriptions.subscription import Subscription
from nagara.context.ngsi.terms import CORE
from nagara.context.q import parse_q

OPERATION = "createSubscription"
_NOT_ATTRS = frozenset({"id", "type", "scope"})
_PASSED = ("timeInterval", "notificationTrigger", "expiresAt")


def questions_of(subscription: Subscription) -> list[Question]:
    """What a subscription asks of registrations."""
    csf = subscription.doc.get("csf")
    attrs = subscription.watched or None
    base = Question(
        wanted=Wanted(OPERATION, None, None, attrs),
        csf=parse_q(csf) if csf else None,
        geo=subscription.geo,
        scope=subscription.doc.get("scopeQ") or None,
    )
    if not subscription.selectors:
        return [base]
    return [
        msgspec.structs.replace(
            base,
            wanted=Wanted(OPERATION, one.ids or None, _types(one), attrs),
            pattern=None if one.ids else one.pattern,
        )
        for one in subscription.selectors
    ]


def _types(selector: Selector) -> frozenset[str] | None:
    if selector.types is None:
        return None
    return frozenset(name for alternative in selector.types for name in alternative)


def copy_of(subscription: Subscription, source: Registration, wire: Wire) -> dict[str, Any] | None:
    """The body of a copy, without its id and its endpoint; None where nothing is left to ask."""
    doc, shape = subscription.doc, subscription.shape
    split = doc.get("splitEntities") is True
    held = _attrs_of(source, subscription)
    watched = _narrowed(subscription.watched or None, held)
    if watched is not None and not watched:
        return None
    made: dict[str, Any] = {"type": "Subscription"}
    entities = list(_entities(subscription, source, wire))
    if entities:
        made["entities"] = entities
    elif subscription.selectors:
        return None
    compact = wire.terms.compact
    if watched is not None:
        made["watchedAttributes"] = sorted(map(compact, watched))
    elif not entities:
        return None
    made |= {name: doc[name] for name in _PASSED if name in doc}
    if split:
        made["splitEntities"] = True
    else:
        if subscription.q and passes_q(subscription, wire):
            made["q"] = subscription.q
        if doc.get("scopeQ"):
            made["scopeQ"] = doc["scopeQ"]
        if doc.get("geoQ"):
            geo = dict(doc["geoQ"])
            if "geoproperty" in geo:
                geo["geoproperty"] = compact(geo["geoproperty"])
            made["geoQ"] = geo
    if source.local_only:
        made["localOnly"] = True
    notification: dict[str, Any] = {"format": "normalized"}
    shown = shape.attributes if shape.attributes is not None else shape.pick
    if shown is not None:
        shown = shown - _NOT_ATTRS or None
    told = held if split else _narrowed(shown, held)
    if told:
        notification["attributes"] = sorted(map(compact, told))
    if shape.sys_attrs:
        notification["sysAttrs"] = True
    made["notification"] = notification
    return made


def passes_q(subscription: Subscription, wire: Wire) -> bool:
    """Whether a source understands q: its words are those of the @context that it is spoken to in.
    Else what it tells is looked at here."""
    return subscription.q_terms.source == wire.terms.source or subscription.q_terms is CORE


def digest_of(body: dict[str, Any]) -> str:
    """What tells two bodies of copies apart."""
    return blake2b(msgspec.json.encode(body, order="sorted"), digest_size=12).hexdigest()


def _narrowed(wanted: frozenset[str] | None, held: frozenset[str] | None) -> frozenset[str] | None:
    if held is None:
        return wanted
    return held if wanted is None else wanted & held


def _attrs_of(source: Registration, subscription: Subscription) -> frozenset[str] | None:
    """The attributes that a source may tell of what is subscribed to; None: any."""
    found: set[str] = set()
    for part in _parts(subscription, source):
        if part.attrs is None:
            return None
        found |= part.attrs
    return frozenset(found)


def _parts(subscription: Subscription, source: Registration) -> Iterator[Part]:
    for part in source.parts:
        picked = part.entities or (Picked(frozenset()),)
        if not subscription.selectors or any(
            _meet(selector, one) is not None
            for selector in subscription.selectors
            for one in picked
        ):
            yield part


def _meet(selector: Selector, one: Picked) -> dict[str, Any] | None:
    """What a selector and a part of a registration both mean: id or idPattern; None: nothing."""
    types = _types(selector)
    if types is not None and one.types and types.isdisjoint(one.types):
        return None
    if one.id is not None:
        if selector.ids:
            return {"id": one.id} if one.id in selector.ids else None
        pattern = Picked(frozenset(), None, selector.pattern)
        return {"id": one.id} if pattern.covers(one.id, None) else None
    if selector.ids:
        ids = sorted(i for i in selector.ids if one.covers(i, None))
        return {"id": ids[0] if len(ids) == 1 else ids} if ids else None
    pattern_said = selector.pattern or one.pattern
    return {} if pattern_said is None else {"idPattern": pattern_said}


def _entities(
    subscription: Subscription, source: Registration, wire: Wire
) -> Iterator[dict[str, Any]]:
    compact = wire.terms.compact
    seen = set()
    for selector in subscription.selectors or (Selector(None),):
        for part in source.parts:
            for one in part.entities:
                narrow = _meet(selector, one)
                if narrow is None:
                    continue
                for said in _types_said(selector, one.types, compact):
                    made = {"type": said, **narrow}
                    key = msgspec.json.encode(made)
                    if key not in seen:
                        seen.add(key)
                        yield made
            if not part.entities and subscription.selectors:
                narrow = _meet(selector, Picked(frozenset())) or {}
                yield {"type": write_types(selector.types, compact), **narrow}


def _types_said(selector: Selector, held: Iterable[str], compact: Any) -> list[str]:
    """The types to ask for, in the source's words."""
    if selector.types is None:
        return sorted(map(compact, held)) or ["*"]
    if any(len(alternative) > 1 for alternative in selector.types):
        return [write_types(selector.types, compact)]
    named = {alternative[0] for alternative in selector.types}
    both = named & set(held) if held else named
    return sorted(map(compact, both))
