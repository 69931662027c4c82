"""A subscription to registrations: read from what a client sends, asked what it concerns (5.11)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from nagara.context.ngsi.query import make_query
from nagara.context.ngsi.read import is_uri
from nagara.context.ngsi.sources.directory import Wanted
from nagara.context.ngsi.sources.discovery import Question, during_of, types_of
from nagara.context.ngsi.sources.errors import RegistrationInvalid
from nagara.context.ngsi.sources.registration import Registration
from nagara.context.ngsi.subscriptions.endpoint import Endpoint, read_endpoint
from nagara.context.ngsi.terms import CORE_CONTEXT, TermMap
from nagara.context.q import parse_q
from nagara.guard.identity import Actor, system
from nagara.values.time import parse_instant

Key = tuple[str, str]

WATCHES_MAX = 1_000  # of one tenant
ENTITIES_MAX = 100
SECONDS_MAX = 366 * 86_400.0  # of timeInterval and throttling
TYPE = "Subscription"
_LINK = '<{}>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'


class Watch(Struct, frozen=True):
    """A subscription to registrations. Its words are read with `terms`."""

    id: str
    tenant: str
    doc: dict[str, Any]
    questions: tuple[Question, ...]
    endpoint: Endpoint
    terms: TermMap
    interval_s: float | None
    throttling_s: float
    expires_at: datetime | None
    active: bool

    @property
    def key(self) -> Key:
        """Its tenant and id."""
        return self.tenant, self.id

    def matches(self, registration: Registration) -> bool:
        """Whether a registration concerns it (clause 5.11.2.4)."""
        temporal = any(q.during for q in self.questions)
        has_times = registration.observed is not None or registration.managed is not None
        if temporal != has_times:
            return False
        return any(q.concerns(registration, self.terms, strict=True) for q in self.questions)

    def is_served(self, now: datetime) -> bool:
        """Whether it is told anything now."""
        return self.active and (self.expires_at is None or self.expires_at > now)


def read_watch(body: Any, terms: TermMap, tenant: str, new_id: str, now: datetime | None) -> Watch:
    """The subscription of a payload. `now`: it must not have expired by then, where given.

    Raises `RegistrationInvalid` and the Problems of its parts.
    """
    if not isinstance(body, dict) or body.get("type") != TYPE:
        raise _wrong(f"it is an object of type {TYPE}")
    name = body.get("id", new_id)
    if not is_uri(name):
        raise _wrong("its id must be a URI")
    for word, value in body.items():
        if value is None:
            raise _wrong(f"“{word[:80]}” is null; leave it out")
    if not body.get("entities") and not body.get("watchedAttributes"):
        raise _wrong("it names entities, or watchedAttributes, or both")
    for member in ("watchedAttributes", "entities"):
        if member in body and (not isinstance(body[member], list) or not body[member]):
            raise _wrong(f"{member} is a list of at least one")
    notification = body.get("notification")
    if not isinstance(notification, dict):
        raise _wrong("it needs a notification with an endpoint")
    reception = read_endpoint(notification.get("endpoint"), str(name))
    interval, throttling = _seconds(body, "timeInterval"), _seconds(body, "throttling")
    if interval == 0:
        raise _wrong("timeInterval is a number of seconds above 0")
    if interval is not None and throttling is not None:
        raise _wrong("throttling does not go with timeInterval")
    if "isActive" in body and type(body["isActive"]) is not bool:
        raise _wrong("isActive is true or false")
    expires = body.get("expiresAt")
    until = parse_instant(expires) if expires is not None else None
    if until is not None and now is not None and until <= now:
        raise _wrong("expiresAt has passed")
    headers = {"Content-Type": reception.accept, "Link": _LINK.format(_url_of(terms))}
    if tenant:
        headers["NGSILD-Tenant"] = tenant
    return Watch(
        id=str(name),
        tenant=tenant,
        doc={k: v for k, v in body.items() if k not in ("@context", "status")} | {"id": name},
        questions=_questions(body, terms, tenant),
        endpoint=msgspec.structs.replace(
            reception.endpoint, headers=(*headers.items(), *reception.endpoint.headers)
        ),
        terms=terms,
        interval_s=interval,
        throttling_s=throttling or 0,
        expires_at=until,
        active=body.get("isActive", True) is not False,
    )


def _questions(body: dict[str, Any], terms: TermMap, tenant: str) -> tuple[Question, ...]:
    watched = [*(body.get("watchedAttributes") or ())]
    told = body["notification"].get("attributes") or ()
    names = [*watched, *told]
    if not all(isinstance(n, str) for n in names):
        raise _wrong("attributes are names")
    attrs = frozenset(map(terms.expand, names)) if names else None
    actor: Actor = system("sources")
    geo = make_query(_part(body, "geoQ"), terms, tenant, actor).geo
    csf = body.get("csf")
    if isinstance(body.get("q"), str):
        parse_q(body["q"])
    temporal = _part(body, "temporalQ")
    base = Question(
        wanted=Wanted("", None, None, attrs),
        csf=parse_q(csf) if isinstance(csf, str) and csf else None,
        geo=geo,
        scope=body.get("scopeQ") or None,
        during=during_of(temporal),
        by_management=temporal.get("timeproperty") in ("createdAt", "modifiedAt", "deletedAt"),
    )
    found: list[Question] = []
    entities = body.get("entities") or [{"type": "*"}]
    if len(entities) > ENTITIES_MAX:
        raise _wrong(f"entities is a list of 1 to {ENTITIES_MAX}")
    for one in entities:
        if not isinstance(one, dict) or "type" not in one:
            raise _wrong("each of its entities names a type")
        ids = one.get("id")
        listed = ids if isinstance(ids, list) else [ids] if ids is not None else []
        if not all(is_uri(i) for i in listed):
            raise _wrong("an entity's id is a URI")
        wanted = Wanted(
            "", frozenset(listed) if listed else None, types_of(one["type"], terms), attrs
        )
        found.append(msgspec.structs.replace(base, wanted=wanted, pattern=one.get("idPattern")))
    return tuple(found)


def _seconds(body: dict[str, Any], name: str) -> float | None:
    said = body.get(name)
    if said is None:
        return None
    if type(said) not in (int, float) or not 0 <= said <= SECONDS_MAX:
        raise _wrong(f"{name} is a number of seconds, {SECONDS_MAX:.0f} at most")
    return float(said)


def _part(body: dict[str, Any], name: str) -> dict[str, Any]:
    said = body.get(name)
    if said is None:
        return {}
    if not isinstance(said, dict):
        raise _wrong(f"{name} is an object")
    return said


def _url_of(terms: TermMap) -> str:
    source = terms.source
    if isinstance(source, list) and len(source) == 1:
        [source] = source
    return source if isinstance(source, str) else CORE_CONTEXT


def _wrong(reason: str) -> RegistrationInvalid:
    return RegistrationInvalid(reason=reason)
