"""A subscription: read from what a client sends, and asked whether a change concerns it."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

from msgspec import Struct

from nagara.context.errors import EntityInvalid
from nagara.context.find import fulfils
from nagara.context.model import Change, Entity, GeoQuery
from nagara.context.ngsi.ask import make_query
from nagara.context.ngsi.fetch import KEPT_LENGTH_MAX
from nagara.context.ngsi.read import is_uri
from nagara.context.ngsi.render import Form
from nagara.context.ngsi.terms import ContextInvalid, TermMap
from nagara.context.pattern import demand_pattern, read_pattern
from nagara.context.q import Node, parse_q
from nagara.context.q_match import matches
from nagara.guard.identity import Actor
from nagara.values.time import parse_instant

ENTITIES_MAX = 100
#: ETSI GS CIM 009 clause 5.2.14.2: media types of notifications.
ACCEPTS = ("application/json", "application/ld+json", "application/geo+json")


class Selector(Struct, frozen=True):
    """Which entities (clause 5.2.33, EntitySelector)."""

    types: frozenset[str]
    id: str | None = None
    pattern: str | None = None

    def selects(self, change_id: str, types: tuple[str, ...]) -> bool:
        """Whether an entity of that id and these types is meant."""
        if self.types and self.types.isdisjoint(types):
            return False
        if self.id is not None:
            return self.id == change_id
        return self.pattern is None or read_pattern(self.pattern).found_in(change_id)


class Subscription(Struct, frozen=True):
    """A subscription to changes (clause 5.2.12), with canonical names."""

    id: str
    tenant: str
    doc: dict[str, Any]  # as the client sent it, without what the city adds
    selectors: tuple[Selector, ...]
    watched: frozenset[str]
    q: str | None
    tree: Node | None
    geo: GeoQuery | None
    attrs: frozenset[str] | None
    form: Form
    uri: str
    accept: str
    headers: tuple[tuple[str, str], ...]
    throttling_s: float
    expires_at: datetime | None
    active: bool
    terms: TermMap  # the @context that its words were read with, and answers are written in
    sees: frozenset[str] | None  # the types that its owner may see; None: all

    def may_concern(self, change: Change) -> bool:
        """What can be said from the change alone."""
        if change.op in ("delete", "temporal") or change.tenant != self.tenant:
            return False
        if self.sees is not None and not self.sees.issuperset(change.types):
            return False
        if self.watched and self.watched.isdisjoint(change.attrs):
            return False
        return not self.selectors or any(s.selects(change.id, change.types) for s in self.selectors)

    def concerns(self, entity: Entity, expand: Any) -> bool:
        """What needs the entity as it is now: q and the geo-query."""
        if self.tree is not None and not matches(self.tree, entity.attrs, expand):
            return False
        return self.geo is None or fulfils(entity.attrs, self.geo)


def read_subscription(
    body: Any, terms: TermMap, tenant: str, owner: Actor, sees: frozenset[str] | None, new_id: str
) -> Subscription:
    """The subscription of a payload. Raises `EntityInvalid` and the Problems of its parts."""
    if not isinstance(body, dict) or body.get("type") != "Subscription":
        raise _wrong("", "a subscription is an object of type Subscription")
    name = body.get("id", new_id)
    # It is held as long as the subscription; what is fetched from a URL is held once for all.
    if len(json.dumps(terms.source)) > KEPT_LENGTH_MAX:
        raise ContextInvalid(reason=f"above {KEPT_LENGTH_MAX} characters, name it by its URL")
    if not is_uri(name):
        raise _wrong(str(name), "its id must be a URI")
    selectors = _selectors(body.get("entities"), terms, name)
    watched = _names(body, "watchedAttributes", terms, name)
    if not selectors and not watched:
        raise _wrong(name, "it names entities, or watchedAttributes, or both")
    if "timeInterval" in body:
        raise _wrong(name, "periodic subscriptions (timeInterval) are not supported yet")
    query = make_query(_geo_params(body), terms, tenant, owner)
    notification = body.get("notification")
    if not isinstance(notification, dict) or not isinstance(notification.get("endpoint"), dict):
        raise _wrong(name, "it needs a notification with an endpoint")
    endpoint = notification["endpoint"]
    uri = endpoint.get("uri")
    if not isinstance(uri, str) or not re.match(r"https?://[^/\s]+", uri):
        raise _wrong(name, "the endpoint's uri starts with http:// or https://")
    accept = endpoint.get("accept", ACCEPTS[0])
    if accept not in ACCEPTS:
        raise _wrong(name, f"accept is one of {', '.join(ACCEPTS)}")
    attrs = _names(notification, "attributes", terms, name)
    expires = body.get("expiresAt")
    throttling = body.get("throttling", 0)
    if type(throttling) not in (int, float) or throttling < 0:
        raise _wrong(name, "throttling is a number of seconds")
    return Subscription(
        id=name,
        tenant=tenant,
        doc={k: v for k, v in body.items() if k != "@context"} | {"id": name},
        selectors=selectors,
        watched=watched,
        q=body.get("q"),
        tree=parse_q(body["q"]) if body.get("q") else None,
        geo=query.geo,
        attrs=attrs or None,
        form=_form(notification.get("format", "normalized"), name),
        uri=uri,
        accept=accept,
        headers=_headers(endpoint.get("receiverInfo"), name),
        throttling_s=float(throttling),
        expires_at=parse_instant(expires) if expires is not None else None,
        active=body.get("isActive", True) is not False,
        terms=terms,
        sees=sees,
    )


def _selectors(said: Any, terms: TermMap, name: str) -> tuple[Selector, ...]:
    if said is None:
        return ()
    if not isinstance(said, list) or not said or len(said) > ENTITIES_MAX:
        raise _wrong(name, f"entities is a list of 1 to {ENTITIES_MAX}")
    made = []
    for one in said:
        if not isinstance(one, dict) or "type" not in one:
            raise _wrong(name, "each of its entities names a type")
        if "id" in one and not is_uri(one["id"]):
            raise _wrong(name, "an entity's id is a URI")
        pattern = one.get("idPattern")
        if pattern is not None:
            demand_pattern(pattern, "idPattern")
        types = one["type"] if isinstance(one["type"], list) else [one["type"]]
        canonical = frozenset(terms.expand(str(t)) for t in types if t != "*")
        made.append(Selector(canonical, one.get("id"), pattern))
    return tuple(made)


def _names(holder: dict[str, Any], member: str, terms: TermMap, name: str) -> frozenset[str]:
    said = holder.get(member)
    if said is None:
        return frozenset()
    if not isinstance(said, list) or not said or not all(isinstance(s, str) for s in said):
        raise _wrong(name, f"{member} is a list of names")
    return frozenset(map(terms.expand, said))


def _geo_params(body: dict[str, Any]) -> dict[str, Any]:
    geo = body.get("geoQ")
    if geo is None:
        return {}
    if not isinstance(geo, dict):
        raise _wrong(str(body.get("id")), "geoQ is an object")
    return {k: geo[k] for k in ("georel", "geometry", "coordinates", "geoproperty") if k in geo}


def _form(said: Any, name: str) -> Form:
    forms: dict[Any, Form] = {
        "normalized": "normalized",
        "concise": "concise",
        "keyValues": "simplified",
        "simplified": "simplified",
    }
    if said not in forms:
        raise _wrong(name, f"format is one of {', '.join(forms)}")
    return forms[said]


def _headers(said: Any, name: str) -> tuple[tuple[str, str], ...]:
    if said is None:
        return ()
    pairs: list[tuple[str, str]] = []
    for one in said if isinstance(said, list) else [None]:
        if not isinstance(one, dict) or not {"key", "value"} <= one.keys():
            raise _wrong(name, "receiverInfo is a list of key and value")
        key, value = str(one["key"]), str(one["value"])
        good = value.isascii() and value.isprintable()
        if not re.fullmatch(r"[A-Za-z0-9\-_]{1,80}", key) or not good:
            raise _wrong(name, f"receiverInfo “{key[:40]}” cannot be a header")
        pairs.append((key, value))
    return tuple(pairs)


def _wrong(name: str, reason: str) -> EntityInvalid:
    return EntityInvalid(id=name, reason=reason)
