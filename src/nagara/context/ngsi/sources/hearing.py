"""What sources notify of reaches the subscriber (clause 5.8.6).

A notification is answered when what it brings is queued for the subscriber, so a source that asks
again after a failure loses nothing. Who knows the id of a copy, which nobody can guess, may notify.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from litestar import Response, post
from msgspec import Struct

from nagara.context.model import NGSI_NULL, Entity
from nagara.context.ngsi import ask
from nagara.context.ngsi.ask import Asked
from nagara.context.ngsi.held import BY_HOLDER, HOLDERS, is_null
from nagara.context.ngsi.sources.copies import passes_q
from nagara.context.ngsi.sources.errors import (
    RegistrationInvalid,
    RegistrationNotFound,
    SubscriptionAway,
)
from nagara.context.ngsi.sources.merge import Told, merge, read_told, without_proxied
from nagara.context.ngsi.sources.registration import Registration
from nagara.context.ngsi.sources.relay import NOTIFY, Relay
from nagara.context.ngsi.sources.wording import Wire, wire_of
from nagara.context.ngsi.subscriptions.delivery import encode_body
from nagara.context.ngsi.subscriptions.letters import Parcel
from nagara.context.ngsi.subscriptions.notifier import box_of
from nagara.context.ngsi.subscriptions.subscription import Shape, Subscription
from nagara.context.ngsi.subscriptions.tell import geometry_of, notification, show
from nagara.context.ngsi.terms import TermMap
from nagara.guard.permission import PUBLIC

DATA_MAX = 1_000  # entities of one notification
_MEMBERS = frozenset({"id", "@id", "type", "@type", "@context", "scope"})


class Fragment(Struct, frozen=True):
    """An entity of a notification: what it is, which attributes are gone, with their kinds, and
    when it was deleted if it was."""

    entity: Entity
    gone: dict[str, str]
    deleted_at: str | None = None


def hearing_routes(relay: Relay) -> list[Any]:
    """The address that copies of subscriptions notify."""

    @post(
        NOTIFY,
        opt=PUBLIC,
        status_code=200,
        tags=["NGSI-LD"],
        summary="Be notified by a context source",
    )
    async def notified(request: Asked) -> Response[None]:
        ask.media_type_of(request)
        body = ask.read_json(await request.body())
        if not isinstance(body, dict) or body.get("type") != "Notification":
            raise RegistrationInvalid(reason="it is an object of type Notification")
        source = body.get("@context", ask.link_context(request))
        await hear(relay, body, source)
        return Response(None, status_code=200)

    return [notified]


async def hear(relay: Relay, body: Mapping[str, Any], context: Any) -> None:
    """Queue for the subscriber what a source notifies of. Raises `RegistrationNotFound` for a copy
    that is none, `SubscriptionAway`, `RegistrationInvalid`, and the Problems of an @context."""
    name = str(body.get("subscriptionId"))
    copy = relay.copies.get(name)
    if copy is None:
        raise RegistrationNotFound(id=name[:200])
    key = (copy.tenant, copy.subscription)
    subscription = relay.notifier.find(key)
    if subscription is None and relay.notifier.is_away(key):
        raise SubscriptionAway()
    now = datetime.now(UTC)
    if subscription is None or not relay.notifier.is_served(subscription, now):
        return
    data = body.get("data")
    listed = data if isinstance(data, list) else [data]
    if not 0 < len(listed) <= DATA_MAX:
        raise RegistrationInvalid(reason=f"data is a list of 1 to {DATA_MAX} entities")
    source = relay.source_of(copy)
    wire = await wire_of(source, subscription.terms, relay.exchange.contexts)
    terms = wire.terms
    if context is not None:
        terms = await relay.exchange.contexts.terms(context, copy.tenant)
    fragments = [f for f in (read_fragment(one, terms, source) for one in listed) if f is not None]
    meant = await _meant(relay, subscription, source, fragments, wire)
    if not meant or is_throttled(relay, subscription, now):
        return
    made: list[dict[str, Any]] = []
    geometries = []
    for fragment in meant:
        linked = await relay.notifier.linked(subscription, [fragment.entity])
        shown = show(fragment.entity, subscription.shape, subscription.terms, linked)
        put_gone(shown[0], fragment, subscription)
        made += shown
        geometries += [geometry_of(fragment.entity)] * len(shown)
    number = f"{name.rpartition(':')[2]}-{body.get('id') or int(now.timestamp() * 1e6)}"
    told = notification(subscription, number[:200], made, geometries, now)
    parcel = Parcel(box_of(subscription.key), number, encode_body(told))
    async with relay.exchange.context.db.acquire() as conn, conn.transaction():
        queued = await relay.notifier.delivery.put(conn, [parcel])
    relay.notifier.delivery.posted(queued)


def is_throttled(relay: Relay, subscription: Subscription, now: datetime) -> bool:
    """Whether the subscriber was told something within the time that he wishes between."""
    last = relay.notifier.delivery.standing(box_of(subscription.key)).last_notification
    if not subscription.throttling_s or last is None:
        return False
    return (now - last).total_seconds() < subscription.throttling_s


async def _meant(
    relay: Relay,
    subscription: Subscription,
    source: Registration,
    fragments: Sequence[Fragment],
    wire: Wire,
) -> list[Fragment]:
    """The entities that the subscriber may see and asked for. With split entities, or where the
    source was not asked all of it, together with what lies here (clause 5.8.6)."""
    sight = relay.notifier.owners.sight(subscription.owner, subscription.tenant)
    keeping = relay.exchange.context.keeping
    split = subscription.doc.get("splitEntities") is True
    if sight is None:
        return []
    found = []
    for fragment in fragments:
        entity = fragment.entity
        if not sight.allows(entity.types) or keeping.holds(subscription.tenant, entity.id):
            continue
        if subscription.selectors and not any(
            s.selects(entity.id, entity.types) for s in subscription.selectors
        ):
            continue
        if split or (subscription.q and not passes_q(subscription, wire)):
            whole = await _whole(relay, subscription, source, entity)
            if fragment.deleted_at is None and not subscription.fits(whole):
                continue
            if split:
                fragment = Fragment(whole, fragment.gone, fragment.deleted_at)
        found.append(fragment)
    return found


async def _whole(
    relay: Relay, subscription: Subscription, source: Registration, entity: Entity
) -> Entity:
    told = [Told(entity, source)]
    local = await relay.exchange.context.find(entity.id, subscription.tenant)
    keeping, tenant = relay.exchange.context.keeping, subscription.tenant
    if local is not None:
        proxies = [source] if source.is_proxy else []
        here = without_proxied(local, proxies, keeping, tenant)
        told += [] if here is None else [Told(here)]
    return merge(told, keeping, tenant)


def read_fragment(body: Any, terms: TermMap, source: Registration) -> Fragment | None:
    """An entity of a notification, which may say that attributes are gone (clauses 4.5.7, 5.5.4);
    None for what is none, or not what the source registered."""
    if not isinstance(body, dict):
        return None
    gone: dict[str, str] = {}
    live: dict[str, Any] = {}
    for word, said in body.items():
        if word in _MEMBERS:
            live[word] = said
            continue
        kinds = [null_kind(one) for one in (said if _is_list(said) else [said])]
        if all(kind is not None for kind in kinds):
            gone[terms.expand(word)] = kinds[0] or "Property"
        elif any(kind is not None for kind in kinds):
            live[word] = [one for one, kind in zip(said, kinds, strict=True) if kind is None]
        else:
            live[word] = said
    deleted = live.pop("deletedAt", None)
    live = {k: _without_history(v) for k, v in live.items() if k != "@context"}
    entity = read_told(live, terms, source)
    if entity is None:
        return None
    covered = source.covered(entity.id, entity.types)
    if covered:
        gone = {name: kind for name, kind in gone.items() if name in covered}
    return Fragment(entity, gone, deleted if isinstance(deleted, str) else None)


def _is_list(said: Any) -> bool:
    return isinstance(said, list) and bool(said) and all(isinstance(i, dict) for i in said)


def _without_history(said: Any) -> Any:
    """An attribute without what it was before: that is not told on."""
    if isinstance(said, list):
        return [_without_history(one) for one in said]
    if not isinstance(said, dict):
        return said
    return {k: v for k, v in said.items() if not k.startswith("previous") and k != "deletedAt"}


def null_kind(said: Any) -> str | None:
    """The kind of an attribute that is told to be gone; None for one that is there."""
    if isinstance(said, str):
        return "Property" if said == NGSI_NULL else None
    if not isinstance(said, dict):
        return None
    kind = said.get("type")
    if isinstance(kind, str) and kind in HOLDERS:
        return kind if is_null(said.get(HOLDERS[kind])) else None
    return next((k for h, k in BY_HOLDER.items() if h in said and is_null(said[h])), None)


def put_gone(one: dict[str, Any], fragment: Fragment, subscription: Subscription) -> None:
    """Tell which attributes are gone, in the form that is asked for."""
    shape, terms = subscription.shape, subscription.terms
    only = shape.attributes if shape.attributes is not None else shape.pick
    for name, kind in fragment.gone.items():
        if name in shape.omit or (only is not None and name not in only):
            continue
        one[terms.compact(name)] = _null(kind, shape)
    if fragment.deleted_at is not None:
        one["deletedAt"] = fragment.deleted_at


def _null(kind: str, shape: Shape) -> Any:
    null: Any = {"@none": NGSI_NULL} if kind == "LanguageProperty" else NGSI_NULL
    if shape.form == "simplified":
        return null
    made = {HOLDERS[kind]: null}
    return made if shape.form == "concise" else {"type": kind, **made}
