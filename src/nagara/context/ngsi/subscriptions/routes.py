"""/ngsi-ld/v1/subscriptions: make, list, change and end them (clauses 5.8.1–5.8.5, 6.10, 6.11)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from asyncpg import Record
from litestar import Controller, Response, delete, get, patch, post
from litestar.params import FromPath

from nagara.context.context import Context
from nagara.context.errors import EntityInvalid
from nagara.context.ngsi import ask
from nagara.context.ngsi.ask import Asked
from nagara.context.ngsi.fetch import Contexts
from nagara.context.ngsi.query import LIMIT_DEFAULT, LIMIT_MAX, whole
from nagara.context.ngsi.read import is_uri
from nagara.context.ngsi.subscriptions.errors import SubscriptionExists, SubscriptionNotFound
from nagara.context.ngsi.subscriptions.letters import Standing
from nagara.context.ngsi.subscriptions.notifier import Notifier, box_of
from nagara.context.ngsi.subscriptions.payload import canonical_doc, worded, wrong
from nagara.context.ngsi.subscriptions.subscription import (
    CONTEXT_LENGTH_MAX,
    Subscription,
    read_subscription,
)
from nagara.context.ngsi.tenants import Tenants
from nagara.context.ngsi.terms import ContextInvalid, TermMap
from nagara.guard.identity import Actor
from nagara.guard.permission import allow
from nagara.values.time import format_instant, parse_instant

READ, WRITE = allow("subscription:read"), allow("subscription:write")

#: Subscriptions of one tenant: some kilobytes of memory each.
SUBSCRIPTIONS_MAX = 20_000
#: Who sees the subscriptions of all; others see their own.
_KEEPERS = frozenset({"steward", "administrator"})
HIDDEN = "…"  # stands for what only the owner is shown
_PREFER = re.compile(r"ngsi-ld\s*=\s*\"?(\d+\.\d+)\"?", re.IGNORECASE)


def owner_seen(actor: Actor) -> str | None:
    """The owner whose subscriptions an actor sees; None: everybody's."""
    return None if _KEEPERS & set(actor.roles) else actor.name_for_audit


def render_subscription(
    row: Record, standing: Standing, at: datetime, reader: Actor, terms: TermMap
) -> dict[str, Any]:
    """A kept subscription with what became of its notifications (clauses 5.2.12 and 5.2.14).

    Secrets for its receiver are shown to the owner alone.
    """
    doc = worded(row["doc"], terms.compact)
    if "@link" in row["doc"]:  # an @context of its own is hosted for its notifications
        doc.setdefault("jsonldContext", row["doc"]["@link"])
    expires = doc.get("expiresAt")
    status = "active" if doc.get("isActive", True) else "paused"
    if expires is not None and parse_instant(expires) <= at:
        status = "expired"
    notification = doc["notification"]
    if row["owner"] != reader.name_for_audit:
        notification["endpoint"] = _without_secrets(notification["endpoint"])
    if standing.times_sent or standing.times_failed:
        notification["status"] = "failed" if standing.failed else "ok"
        notification["timesSent"] = standing.times_sent
        if standing.times_failed:
            notification["timesFailed"] = standing.times_failed
    for member, when in (
        ("lastNotification", standing.last_notification),
        ("lastSuccess", standing.last_success),
        ("lastFailure", standing.last_failure),
    ):
        if when is not None:
            notification[member] = format_instant(when)
    return {**doc, "status": status}


def _without_secrets(endpoint: dict[str, Any]) -> dict[str, Any]:
    uri = re.sub(r"(?<=//)[^/@]*@", f"{HIDDEN}@", endpoint["uri"])
    hidden = {
        member: [{**pair, "value": HIDDEN} for pair in endpoint[member]]
        for member in ("receiverInfo", "notifierInfo")
        if endpoint.get(member)
    }
    return {**endpoint, **hidden, "uri": uri}


def with_secrets(changed: dict[str, Any], kept: dict[str, Any]) -> dict[str, Any]:
    """A change in which `HIDDEN` stands for what is kept, for the same receiver only: who sends
    the notifications elsewhere must know the secrets himself."""
    notification = changed.get("notification")
    if not isinstance(notification, dict):
        return changed
    endpoint, before = notification["endpoint"], kept["notification"]["endpoint"]
    made = dict(endpoint)
    if made.get("uri") == _without_secrets(before)["uri"]:
        made["uri"] = before["uri"]
    for member in ("receiverInfo", "notifierInfo"):
        if not isinstance(made.get(member), list):
            continue
        secrets = {pair["key"]: pair["value"] for pair in before.get(member) or ()}
        if made.get("uri") != before["uri"]:
            secrets = {}
        made[member] = [
            {**pair, "value": secrets.get(pair.get("key"), HIDDEN)}
            if isinstance(pair, dict) and pair.get("value") == HIDDEN
            else pair
            for pair in made[member]
        ]
    return {**changed, "notification": {**notification, "endpoint": made}}


def _preferred(request: Asked) -> dict[str, str]:
    """The version of the API that a client prefers (clause 6.3.6): applied, where no member of a
    subscription depends on it."""
    found = _PREFER.search(request.headers.get("prefer", ""))
    return {"Preference-Applied": f"ngsi-ld={found.group(1)}"} if found else {}


def _demand_future(doc: dict[str, Any], name: str) -> None:
    expires = doc.get("expiresAt")
    if expires is None:
        return
    try:
        at = parse_instant(expires)
    except (ValueError, TypeError) as error:
        raise wrong(name, "expiresAt is an instant in UTC") from error
    if at <= datetime.now(UTC):
        raise wrong(name, "expiresAt is past")


def _source_of(request: Asked, body: Any) -> Any:
    """The @context of a request as the client named it."""
    if isinstance(body, dict) and "@context" in body:
        return body["@context"]
    return ask.link_context(request)


class SubscriptionStore:
    """The subscriptions as they are kept, for the routes."""

    def __init__(self, context: Context, contexts: Contexts, notifier: Notifier) -> None:
        self.context = context
        self.contexts = contexts
        self.notifier = notifier
        self.tenants = Tenants(context.db)

    async def load(self, request: Asked, tenant: str, name: str) -> Record:
        """A subscription that the caller sees. Raises `SubscriptionNotFound`, `EntityInvalid`."""
        if not is_uri(name):
            raise wrong(name, "its id must be a URI")
        async with self.context.db.acquire() as conn:
            row = await conn.fetchrow(
                """select * from context.subscription where tenant = $1 and id = $2
                       and ($3::text is null or owner = $3)""",
                tenant,
                name,
                owner_seen(request.user),
            )
        if row is None:
            raise SubscriptionNotFound(id=name[:200])
        return row

    async def context_members(self, request: Asked, source: Any, terms: TermMap) -> dict[str, Any]:
        """What is kept of an @context: as the client named it, and where it is served."""
        if len(str(source)) > CONTEXT_LENGTH_MAX:
            raise ContextInvalid(
                reason=f"above {CONTEXT_LENGTH_MAX} characters, name it by its URL"
            )
        made = {"@source": source}
        if (terms.link or "").startswith("/"):
            tenant = ask.tenant_of(request)
            made["@link"] = str(request.base_url).rstrip("/") + str(terms.link)
            anew = not await self._brings(tenant, made["@link"])
            await self.contexts.host_inline(source, tenant, request.user.name_for_audit, anew)
        return made

    async def _brings(self, tenant: str, link: str) -> bool:
        """Whether a subscription there is has brought this @context."""
        async with self.context.db.acquire() as conn:
            return bool(
                await conn.fetchval(
                    """select exists (select from context.subscription
                           where tenant = $1 and doc ->> '@link' = $2)""",
                    tenant,
                    link,
                )
            )

    async def keep_new(self, subscription: Subscription) -> None:
        """Keep a subscription. Raises `SubscriptionExists`, `EntityInvalid` for one too many."""
        async with self.context.db.acquire() as conn:
            count = await conn.fetchval(
                "select count(*) from context.subscription where tenant = $1", subscription.tenant
            )
            if count >= SUBSCRIPTIONS_MAX:
                raise wrong(subscription.id, f"{SUBSCRIPTIONS_MAX} are the most")
            done = await conn.execute(
                """insert into context.subscription
                       (tenant, id, doc, owner, since, created_at, modified_at)
                   values ($1, $2, $3, $4, $5, $6, $6) on conflict do nothing""",
                subscription.tenant,
                subscription.id,
                subscription.doc,
                subscription.owner,
                subscription.since,
                datetime.now(UTC),
            )
        if not done.endswith("1"):
            raise SubscriptionExists(id=subscription.id)

    async def keep_changed(self, subscription: Subscription) -> None:
        """Keep a changed subscription."""
        async with self.context.db.acquire() as conn:
            await conn.execute(
                """update context.subscription set doc = $3, since = $4, modified_at = $5
                   where tenant = $1 and id = $2""",
                subscription.tenant,
                subscription.id,
                subscription.doc,
                subscription.since,
                datetime.now(UTC),
            )

    async def remove(self, tenant: str, name: str) -> None:
        """End a subscription, and what waits for its receiver."""
        self.notifier.let_go((tenant, name))
        async with self.context.db.acquire() as conn, conn.transaction():
            await conn.execute(
                "delete from context.subscription where tenant = $1 and id = $2", tenant, name
            )
            await self.notifier.delivery.forget(conn, box_of((tenant, name)))

    async def page(
        self, tenant: str, owner: str | None, limit: int, offset: int
    ) -> tuple[list[Record], int]:
        """One page of subscriptions, and how many there are."""
        async with self.context.db.acquire() as conn:
            rows = await conn.fetch(
                """select * from context.subscription where tenant = $1
                       and ($4::text is null or owner = $4)
                   order by id limit $2 offset $3""",
                tenant,
                limit,
                offset,
                owner,
            )
            total = await conn.fetchval(
                """select count(*) from context.subscription where tenant = $1
                       and ($2::text is null or owner = $2)""",
                tenant,
                owner,
            )
        return rows, total


def _page_links(limit: int, offset: int, total: int) -> list[str]:
    """The pages before and behind (clause 6.3.10)."""
    links = []
    pattern = '</ngsi-ld/v1/subscriptions?limit={}&offset={}>;rel="{}";type="application/ld+json"'
    if offset > 0 and limit:
        links.append(pattern.format(limit, max(0, offset - limit), "prev"))
    if limit and offset + limit < total:
        links.append(pattern.format(limit, offset + limit, "next"))
    return links


def subscription_routes(
    context: Context, contexts: Contexts, notifier: Notifier, new_id: Callable[[], str]
) -> type[Controller]:
    """The routes of subscriptions."""
    store = SubscriptionStore(context, contexts, notifier)
    tenants = store.tenants

    def shown(request: Asked, row: Record, terms: TermMap) -> dict[str, Any]:
        standing = notifier.delivery.standing(box_of((row["tenant"], row["id"])))
        return render_subscription(row, standing, datetime.now(UTC), request.user, terms)

    class Subscriptions(Controller):
        path = "/ngsi-ld/v1/subscriptions"
        tags = ("NGSI-LD",)

        @post("/", opt=WRITE, summary="Subscribe")
        async def create(self, request: Asked) -> Response[None]:
            tenant = await tenants.writable(request)
            sent = await ask.read_sent(request, contexts)
            source = _source_of(request, sent.body)
            name = sent.body.get("id", None) if isinstance(sent.body, dict) else None
            name = new_id() if name is None else str(name)
            doc = canonical_doc(sent.body, sent.terms.expand, name) | {"id": name}
            _demand_future(doc, name)
            doc |= await store.context_members(request, source, sent.terms)
            owner, since = request.user, context.tail.head
            made = await read_subscription(doc, contexts, tenant, owner.name_for_audit, since)
            await tenants.make(tenant)
            await store.keep_new(made)
            notifier.owners.know(owner, owner.name_for_audit)
            notifier.take_up(made)
            place = f"/ngsi-ld/v1/subscriptions/{quote(made.id, safe=':')}"
            return Response(None, status_code=201, headers={"Location": place})

        @get("/", opt=READ, summary="List subscriptions")
        async def list_all(self, request: Asked) -> Response[bytes]:
            tenant = await tenants.existing(request)
            terms = await ask.terms_of(request, contexts)
            params = dict(request.query_params)
            limit = whole(params, "limit", LIMIT_DEFAULT, LIMIT_MAX)
            offset = whole(params, "offset", 0, 1_000_000)
            counted = params.get("count") == "true" or "count" in str(params.get("options", ""))
            if limit == 0 and not counted:
                raise EntityInvalid(id="", reason="limit=0 goes with count=true")
            rows, total = await store.page(tenant, owner_seen(request.user), limit, offset)
            headers = {"NGSILD-Results-Count": str(total)} if counted else {}
            headers |= _preferred(request)
            body = [shown(request, row, terms) for row in rows]
            answer = ask.answer(request, body, terms, ask.accept_of(request), headers=headers)
            links = _page_links(limit, offset, total)
            if links:
                said = answer.headers.get("Link")
                answer.headers["Link"] = ", ".join([*([said] if said else []), *links])
            return answer

        @get("/{name:str}", opt=READ, summary="Retrieve a subscription")
        async def retrieve(self, request: Asked, name: FromPath[str]) -> Response[bytes]:
            accept = ask.accept_of(request)  # whether it is there or not (clause 6.3.4)
            row = await store.load(request, await tenants.existing(request), name)
            terms = await ask.terms_of(request, contexts)
            body = shown(request, row, terms)
            return ask.answer(request, body, terms, accept, headers=_preferred(request))

        @patch("/{name:str}", opt=WRITE, summary="Change a subscription")
        async def change(self, request: Asked, name: FromPath[str]) -> Response[None]:
            tenant = await tenants.existing(request)
            ask.media_type_of(request)
            row = await store.load(request, tenant, name)
            sent = await ask.read_sent(request, contexts)
            source = _source_of(request, sent.body)
            fragment = canonical_doc(sent.body, sent.terms.expand, name, fragment=True)
            if fragment.get("id", name) != name:
                raise wrong(name, "its id cannot be changed")
            _demand_future(fragment, name)
            kept: dict[str, Any] = row["doc"]
            merged = {**kept, **with_secrets(fragment, kept), "id": name}
            merged = {k: v for k, v in merged.items() if v is not None}
            if "q" in fragment:
                merged["@q"] = source
            elif "q" in merged:
                merged["@q"] = kept.get("@q", kept.get("@source"))
            if source is not None:
                merged |= await store.context_members(request, source, sent.terms)
            since = row["since"]
            known = notifier.find((tenant, name))
            resumed = merged.get("isActive", True) and not kept.get("isActive", True)
            if resumed or (known and not notifier.is_served(known, datetime.now(UTC))):
                since = context.tail.head  # what changed during a pause is not told
            # Its owner stays, and with him what it may see, whoever mends it.
            made = await read_subscription(merged, contexts, tenant, row["owner"], since)
            await store.keep_changed(made)
            notifier.take_up(made)
            return Response(None, status_code=204)

        @delete("/{name:str}", opt=WRITE, status_code=204, summary="End a subscription")
        async def remove(self, request: Asked, name: FromPath[str]) -> Response[None]:
            tenant = await tenants.existing(request)
            await store.load(request, tenant, name)
            await store.remove(tenant, name)
            return Response(None, status_code=204)

    return Subscriptions
