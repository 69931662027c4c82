"""A subscription as it is served: read from its document, asked whether something concerns it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from msgspec import Struct

from nagara.context.errors import EntityInvalid, QueryInvalid, QueryTooComplex
from nagara.context.geometry import fulfils, shape_of
from nagara.context.model import Entity, GeoQuery
from nagara.context.ngsi.fetch import Contexts
from nagara.context.ngsi.projection import Projection
from nagara.context.ngsi.query import make_query
from nagara.context.ngsi.read import is_uri
from nagara.context.ngsi.render import Form
from nagara.context.ngsi.subscriptions.endpoint import Reception, read_endpoint
from nagara.context.ngsi.subscriptions.happening import DEFAULT_TRIGGERS, Happening
from nagara.context.ngsi.subscriptions.payload import projection, wrong
from nagara.context.ngsi.subscriptions.selector import Selector, read_selectors
from nagara.context.ngsi.terms import CORE, TermMap
from nagara.context.q import Node, parse_q, terms_of
from nagara.context.q_match import matches, times_of
from nagara.context.selection import Alternatives, are_scopes_meant, read_scope_query
from nagara.guard.identity import system
from nagara.values.time import parse_instant

#: An @context in the body of a subscription is held as long as the subscription.
CONTEXT_LENGTH_MAX = 20_000
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")

_FORMS: dict[str, Form] = {
    "normalized": "normalized",
    "concise": "concise",
    "keyValues": "simplified",
    "simplified": "simplified",
}

Key = tuple[str, str]  # tenant, id


class Shape(Struct, frozen=True):
    """What of an entity a notification shows, and how (clauses 5.2.14 and 4.21)."""

    form: Form = "normalized"
    attributes: frozenset[str] | None = None
    pick: frozenset[str] | None = None
    omit: frozenset[str] = frozenset()
    picks: Projection | None = None  # of linked entities too
    omits: Projection | None = None
    datasets: frozenset[str] | None = None
    lang: str | None = None
    sys_attrs: bool = False
    show_changes: bool = False
    join: str | None = None
    join_level: int = 1


class Subscription(Struct, frozen=True):
    """A subscription (clause 5.2.12), with canonical names."""

    id: str
    tenant: str
    owner: str
    doc: dict[str, Any]
    since: int  # changes up to this number do not concern it
    selectors: tuple[Selector, ...]
    watched: frozenset[str]
    triggers: frozenset[str]
    tree: Node | None
    q: str | None
    q_terms: TermMap
    linked: bool  # q asks about other entities than the one that changed
    geo: GeoQuery | None
    scopes: Alternatives | None
    shape: Shape
    reception: Reception
    throttling_s: float
    interval_s: float | None
    expires_at: datetime | None
    active: bool
    terms: TermMap  # the @context of its notifications

    @property
    def key(self) -> Key:
        """Tenant and id."""
        return self.tenant, self.id

    def may_concern(self, happening: Happening) -> bool:
        """What can be said without reading the entity's values."""
        if happening.seq <= self.since or not self.active or self.interval_s is not None:
            return False
        entity = happening.entity
        if self.selectors and not any(s.selects(entity.id, entity.types) for s in self.selectors):
            return False
        return happening.triggers(self.triggers, self.watched)

    def fits(self, entity: Entity) -> bool:
        """Whether an entity fulfils q (but for linked entities), the geo-query and the scopes."""
        if self.scopes is not None and not are_scopes_meant(entity.scopes, self.scopes):
            return False
        if (
            self.tree is not None
            and not self.linked
            and not matches(self.tree, entity.attrs, self.q_terms.expand, times_of(entity))
        ):
            return False
        return self.geo is None or fulfils(entity.attrs, self.geo)


async def read_subscription(
    doc: dict[str, Any], contexts: Contexts, tenant: str, owner: str, since: int
) -> Subscription:
    """The subscription of a canonical document, whose members with @ say in which @context it was
    written. Raises `EntityInvalid` and the Problems of its parts; `ContextUnavailable` where a
    remote @context cannot be had now.
    """
    name = doc["id"]
    if not isinstance(name, str) or not is_uri(name):
        raise wrong(str(name), "its id must be a URI")
    selectors = read_selectors(doc.get("entities"), _as_written, name)
    if not selectors and not doc.get("watchedAttributes"):
        raise wrong(name, "it names entities, or watchedAttributes, or both")
    if doc.get("timeInterval") is not None and doc.get("throttling") is not None:
        raise wrong(name, "throttling does not go with timeInterval")
    if doc.get("csf"):
        parse_q(doc["csf"])
    notification = doc.get("notification")
    if not isinstance(notification, dict):
        raise wrong(name, "it needs a notification with an endpoint")
    source = doc.get("@source")
    terms = await contexts.terms(doc.get("jsonldContext") or source, tenant)
    q = decoded_q(doc.get("q")) or None
    tree = parse_q(q) if q else None
    geo = make_query(dict(doc.get("geoQ") or {}), CORE, tenant, system("subscriptions")).geo
    if geo is not None:
        shape_of(geo)  # a geometry that is none is refused now, not when something changes
    expires = doc.get("expiresAt")
    return Subscription(
        id=name,
        tenant=tenant,
        owner=owner,
        doc=doc,
        since=since,
        selectors=selectors,
        watched=frozenset(doc.get("watchedAttributes") or ()),
        triggers=frozenset(doc.get("notificationTrigger") or DEFAULT_TRIGGERS),
        tree=tree,
        q=q,
        q_terms=await contexts.terms(doc.get("@q", source), tenant) if q else CORE,
        linked=tree is not None and any(t.path.link is not None for t in terms_of(tree)),
        geo=geo,
        scopes=read_scope_query(doc["scopeQ"]) if doc.get("scopeQ") else None,
        shape=_shape(doc, notification),
        reception=read_endpoint(notification.get("endpoint"), name),
        throttling_s=float(doc.get("throttling") or 0),
        interval_s=float(doc["timeInterval"]) if doc.get("timeInterval") else None,
        expires_at=_instant(expires, name) if expires is not None else None,
        active=doc.get("isActive", True) is not False,
        terms=terms,
    )


def decoded_q(said: str | None) -> str | None:
    """q in a body, also as it stands in an address: percent-encoded as a whole, or its values.
    Where only values may be, they are meant as they are written as well."""
    if not said or not _ESCAPE.search(said):
        return said
    try:
        plain = unquote(said, errors="strict")
        both = plain if "%22" in said and '"' not in said else f"({said})|({plain})"
        parse_q(both)
    except (UnicodeDecodeError, QueryInvalid, QueryTooComplex):
        return said
    return both


def _shape(doc: dict[str, Any], notification: dict[str, Any]) -> Shape:
    def chosen(member: str) -> Projection | None:
        return projection(notification[member], member) if member in notification else None

    join = notification.get("join")
    picks, omits = chosen("pick"), chosen("omit")
    attributes = notification.get("attributes")
    return Shape(
        form=_FORMS[notification.get("format", "normalized")],
        attributes=frozenset(attributes) if attributes is not None else None,
        pick=None if picks is None else picks.names,
        omit=left_out(omits),
        picks=picks,
        omits=omits,
        datasets=frozenset(doc["datasetId"]) if doc.get("datasetId") else None,
        lang=doc.get("lang"),
        sys_attrs=bool(notification.get("sysAttrs")),
        show_changes=bool(notification.get("showChanges")),
        join=join if join in ("flat", "inline") else None,
        join_level=notification.get("joinLevel", 1),
    )


def left_out(omits: Projection | None) -> frozenset[str]:
    """The members that an omit leaves out wholly; of others it speaks of what they link to."""
    return frozenset() if omits is None else frozenset(n for n, p in omits.terms if p is None)


def _instant(said: Any, name: str) -> datetime:
    try:
        return parse_instant(said)
    except (ValueError, TypeError) as error:
        raise EntityInvalid(id=name, reason="expiresAt is an instant in UTC") from error


def _as_written(name: str) -> str:
    return name


#: Whether an entity that changed also fulfils what q asks of linked ones.
AskLinked = Callable[[Subscription, Entity], Awaitable[bool]]
