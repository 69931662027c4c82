"""Who is told of registrations that come, change and go (clauses 5.11 and 5.3.2)."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
import structlog
from msgspec import Struct

from nagara.context.context import Context
from nagara.context.ngsi.fetch import Contexts
from nagara.context.ngsi.query import make_query
from nagara.context.ngsi.read import is_uri
from nagara.context.ngsi.sources.directory import Wanted
from nagara.context.ngsi.sources.discovery import Question, during_of, types_of
from nagara.context.ngsi.sources.errors import RegistrationInvalid
from nagara.context.ngsi.sources.registration import Registration, render_doc
from nagara.context.ngsi.sources.registry import Registry
from nagara.context.ngsi.subscriptions.delivery import Delivery
from nagara.context.ngsi.subscriptions.endpoint import Endpoint, read_endpoint
from nagara.context.ngsi.subscriptions.letters import Box, Parcel, Standing
from nagara.context.ngsi.terms import CORE_CONTEXT, TermMap
from nagara.context.q import parse_q
from nagara.guard.identity import Actor, system
from nagara.values.errors import Problem
from nagara.values.time import format_instant, parse_instant

Reason = Literal["newlyMatching", "updated", "noLongerMatching"]
log = structlog.get_logger("context.sources")

WATCHES_MAX = 1_000  # of one tenant
ENTITIES_MAX = 100
TOLD_MAX = 1_000  # registrations in one notification
LOOK_EVERY_S = 1.0
TYPE = "Subscription"
_LINK = '<{}>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'
_KNOWN = frozenset(
    {"id", "type", "subscriptionName", "description", "entities", "watchedAttributes", "q", "geoQ",
     "csf", "scopeQ", "temporalQ", "timeInterval", "throttling", "isActive", "expiresAt",
     "notification", "lang", "jsonldContext", "datasetId", "notificationTrigger", "splitEntities",
     "localOnly", "showChanges"}
)  # fmt: skip


class Watch(Struct, frozen=True):
    """A subscription to registrations. Its words are read with `terms`."""

    id: str
    tenant: str
    doc: dict[str, Any]
    questions: tuple[Question, ...]
    endpoint: Endpoint
    terms: TermMap
    interval_s: float | None
    expires_at: datetime | None
    active: bool

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


def box_of(watch_id: str, tenant: str, first: bool = False) -> Box:
    """Its queue. What is told first has one of its own: a receiver that is slow at first hears of
    changes all the same."""
    return ("source-first" if first else "source", tenant, watch_id)


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
    interval = body.get("timeInterval")
    if interval is not None and (type(interval) not in (int, float) or interval <= 0):
        raise _wrong("timeInterval is a number of seconds above 0")
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
        interval_s=None if interval is None else float(interval),
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


class Watcher:
    """Knows the subscriptions to registrations, and queues what they are told."""

    def __init__(
        self,
        context: Context,
        contexts: Contexts,
        registry: Registry,
        guard_url: Callable[[str], Awaitable[str]],
        delivery: Delivery | None = None,
    ) -> None:
        self._context = context
        self._contexts = contexts
        self._registry = registry
        self._own = delivery is None
        self.delivery = delivery or Delivery(context.db, guard_url)
        self._known: dict[tuple[str, str], Watch] = {}
        self._due: dict[tuple[str, str], datetime] = {}
        self._moved: asyncio.Queue[tuple[Registration | None, Registration | None]] = (
            asyncio.Queue()
        )
        self._numbers = itertools.count(1)
        registry.watchers.append(lambda before, after: self._moved.put_nowait((before, after)))

    def find(self, tenant: str, name: str) -> Watch | None:
        """A subscription, or None."""
        return self._known.get((tenant, name))

    def all_of(self, tenant: str) -> list[Watch]:
        """The subscriptions of a tenant, by id."""
        return [w for (t, _), w in sorted(self._known.items()) if t == tenant]

    def standing(self, watch: Watch) -> Standing:
        """What became of its notifications."""
        one = self.delivery.standing(box_of(watch.id, watch.tenant))
        first = self.delivery.standing(box_of(watch.id, watch.tenant, True))
        newest = max(
            (s for s in (one, first) if s.last_notification is not None),
            key=lambda s: s.last_notification or datetime.min.replace(tzinfo=UTC),
            default=one,
        )
        return Standing(
            times_sent=one.times_sent + first.times_sent,
            times_failed=one.times_failed + first.times_failed,
            last_notification=newest.last_notification,
            last_success=_later(one.last_success, first.last_success),
            last_failure=_later(one.last_failure, first.last_failure),
            last_error=newest.last_error,
        )

    def take_up(self, watch: Watch) -> None:
        """Serve a new or changed subscription, and tell it what matches now."""
        self._known[watch.tenant, watch.id] = watch
        self._serve(watch)
        now = datetime.now(UTC)
        self._due[watch.tenant, watch.id] = now

    def _serve(self, watch: Watch) -> None:
        held = not watch.active
        self.delivery.serve(box_of(watch.id, watch.tenant), watch.endpoint, held)
        self.delivery.serve(box_of(watch.id, watch.tenant, True), watch.endpoint, held)

    async def let_go(self, watch: Watch) -> None:
        """A subscription has ended."""
        self._known.pop((watch.tenant, watch.id), None)
        self._due.pop((watch.tenant, watch.id), None)
        async with self._context.db.acquire() as conn, conn.transaction():
            for first in (False, True):
                await self.delivery.forget(conn, box_of(watch.id, watch.tenant, first))

    async def load(self) -> None:
        """Take up what is kept; it was told what matched before."""
        async with self._context.db.acquire() as conn:
            rows = await conn.fetch("select tenant, doc from context.source_subscription")
        for row in rows:
            try:
                terms = await self._contexts.terms(row["doc"].get("@source"), row["tenant"])
                body = {k: v for k, v in row["doc"].items() if not k.startswith("@")}
                watch = read_watch(body, terms, row["tenant"], "", None)
            except Problem as problem:
                log.warning("source.watch", id=row["doc"].get("id"), code=problem.code)
                continue
            self._known[watch.tenant, watch.id] = watch
            self._serve(watch)

    async def run(self) -> None:
        """Runs for the life of the city."""
        async with asyncio.TaskGroup() as tasks:
            if self._own:
                tasks.create_task(self.delivery.run())
            tasks.create_task(self._hear())
            while True:
                await self._look()
                await asyncio.sleep(0.05 if self._due else LOOK_EVERY_S)

    async def _hear(self) -> None:
        while True:
            before, after = await self._moved.get()
            try:
                await self._tell_change(before, after)
            except Problem:
                log.exception("source.watch")

    async def _tell_change(self, before: Registration | None, after: Registration | None) -> None:
        one = after or before
        assert one is not None
        now = datetime.now(UTC)
        for watch in self.all_of(one.tenant):
            if watch.interval_s is not None or not watch.is_served(now):
                continue
            was = before is not None and watch.matches(before)
            is_now = after is not None and watch.matches(after)
            if not was and not is_now:
                continue
            reason: Reason = "updated"
            if not was:
                reason = "newlyMatching"
            elif not is_now:
                reason = "noLongerMatching"
            await self._send(watch, [one], reason, False)

    async def _look(self) -> None:
        """What is due now: the first word to those who are new, and periodic ones."""
        now = datetime.now(UTC)
        for key, at in list(self._due.items()):
            if at > now:
                continue
            watch = self._known.get(key)
            self._due.pop(key, None)
            if watch is None or not watch.is_served(now):
                continue
            found = [r for r in self._registry.all_of(watch.tenant) if watch.matches(r)]
            if watch.interval_s is not None:
                self._due[key] = datetime.fromtimestamp(now.timestamp() + watch.interval_s, UTC)
            if found or watch.interval_s is not None:
                await self._send(watch, found[:TOLD_MAX], "newlyMatching", True)

    async def _send(
        self, watch: Watch, found: Sequence[Registration], reason: Reason, first: bool
    ) -> None:
        now = datetime.now(UTC)
        number = f"{int(now.timestamp() * 1e6)}-{next(self._numbers)}"
        body = {
            "id": f"urn:ngsi-ld:ContextSourceNotification:{number}",
            "type": "ContextSourceNotification",
            "subscriptionId": watch.id,
            "notifiedAt": format_instant(now),
            "triggerReason": reason,
            "data": [_shown(watch, r) for r in found],
        }
        parcel = Parcel(
            box_of(watch.id, watch.tenant, first), number, msgspec.json.encode(body).decode()
        )
        async with self._context.db.acquire() as conn, conn.transaction():
            queued = await self.delivery.put(conn, [parcel])
        self.delivery.posted(queued)


def _shown(watch: Watch, registration: Registration) -> dict[str, Any]:
    """A registration with only what matters to a subscriber: the parts that match, no secrets."""
    doc = {k: v for k, v in registration.doc.items() if k != "contextSourceInfo"}
    parts = [
        said
        for said, part in zip(doc["information"], registration.parts, strict=True)
        if any(
            q.concerns(msgspec.structs.replace(registration, parts=(part,)), watch.terms)
            for q in watch.questions
        )
    ]
    made = render_doc({**doc, "information": parts or doc["information"]}, watch.terms)
    for part in made["information"]:
        for entity in part.get("entities", ()):
            if isinstance(entity.get("type"), str):
                entity["type"] = [entity["type"]]
    return made


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((t for t in (one, other) if t is not None), default=None)


def _wrong(reason: str) -> RegistrationInvalid:
    return RegistrationInvalid(reason=reason)
