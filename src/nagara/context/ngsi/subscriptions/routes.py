"""/ngsi-ld/v1/subscriptions: make, list, change and end them (clauses 6.10, 6.11)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from asyncpg import Record
from litestar import Controller, Response, delete, get, patch, post
from litestar.params import FromPath

from nagara.context.context import Context
from nagara.context.errors import EntityAlreadyExists, EntityInvalid, EntityNotFound
from nagara.context.ngsi import ask
from nagara.context.ngsi.ask import Asked
from nagara.context.ngsi.fetch import Contexts
from nagara.context.ngsi.read import is_uri
from nagara.context.ngsi.subscriptions.notifier import Notifier
from nagara.context.ngsi.subscriptions.subscription import Subscription, read_subscription
from nagara.context.ngsi.tenants import Tenants
from nagara.context.ngsi.terms import CORE
from nagara.guard.identity import Actor
from nagara.guard.permission import allow
from nagara.guard.policy import visible_types
from nagara.values.time import format_instant

READ, WRITE = allow("subscription:read"), allow("subscription:write")

#: Subscriptions of one tenant: each costs a courier and a look at every change.
SUBSCRIPTIONS_MAX = 20_000


#: Who sees the subscriptions of all; others see their own.
_KEEPERS = frozenset({"steward", "administrator"})
HIDDEN = "…"  # stands for what only the owner is shown


def owner_seen(actor: Actor) -> str | None:
    """The owner whose subscriptions an actor sees; None: everybody's."""
    return None if _KEEPERS & set(actor.roles) else actor.name_for_audit


def render_subscription(row: Record, at: datetime, reader: Actor) -> dict[str, Any]:
    """A kept subscription with what became of its notifications. Secrets for its receiver are
    shown to the owner alone."""
    doc = {k: v for k, v in row["doc"].items() if not k.startswith("@")}
    expires = doc.get("expiresAt")
    active = doc.get("isActive", True) is not False
    status = "active" if active else "paused"
    if expires is not None and expires <= format_instant(at):
        status = "expired"
    notification = dict(doc["notification"])
    if row["owner"] != reader.name_for_audit:
        notification["endpoint"] = _without_secrets(notification["endpoint"])
    notification["status"] = "failed" if row["status"] == "failed" else "ok"
    notification["timesSent"] = row["times_sent"]
    notification["timesFailed"] = row["times_failed"]
    for member, column in (
        ("lastNotification", "last_notification"),
        ("lastSuccess", "last_success"),
        ("lastFailure", "last_failure"),
    ):
        if row[column] is not None:
            notification[member] = format_instant(row[column])
    return {**doc, "status": status, "isActive": active, "notification": notification}


def _kept(subscription: Subscription, source: Any) -> dict[str, Any]:
    """The document with what the city adds: its @context and what its owner may see."""
    sees = subscription.sees
    said = None if sees is None else sorted(sees)
    return {**subscription.doc, "@source": source, "@sees": said}


def _without_secrets(endpoint: dict[str, Any]) -> dict[str, Any]:
    if "receiverInfo" not in endpoint:
        return endpoint
    hidden = [{**pair, "value": HIDDEN} for pair in endpoint["receiverInfo"]]
    return {**endpoint, "receiverInfo": hidden}


def _with_secrets(changed: dict[str, Any], kept: dict[str, Any]) -> dict[str, Any]:
    """A change in which `HIDDEN` stands for what is kept, for the same receiver only: who sends
    the notifications elsewhere must know the secrets himself."""
    notification = changed.get("notification")
    endpoint = notification.get("endpoint") if isinstance(notification, dict) else None
    if not isinstance(notification, dict) or not isinstance(endpoint, dict):
        return changed
    if not isinstance(endpoint.get("receiverInfo"), list):
        return changed
    before = kept["notification"]["endpoint"]
    secrets = {pair["key"]: pair["value"] for pair in before.get("receiverInfo") or ()}
    if endpoint.get("uri") != before["uri"]:
        secrets = {}
    pairs = [
        {**pair, "value": secrets.get(pair.get("key"), HIDDEN)}
        if isinstance(pair, dict) and pair.get("value") == HIDDEN
        else pair
        for pair in endpoint["receiverInfo"]
    ]
    return {
        **changed,
        "notification": {**notification, "endpoint": {**endpoint, "receiverInfo": pairs}},
    }


def subscription_routes(
    context: Context, contexts: Contexts, notifier: Notifier, new_id: Callable[[], str]
) -> type[Controller]:
    """The routes of subscriptions."""
    tenants = Tenants(context.db)

    async def keep(subscription: Subscription, source: Any, request: Asked) -> bool:
        sees = subscription.sees
        doc = {
            **subscription.doc,
            "@source": source,
            "@sees": None if sees is None else sorted(sees),
        }
        async with context.db.acquire() as conn:
            done = await conn.execute(
                """insert into context.subscription
                       (tenant, id, doc, owner, created_at, modified_at)
                   values ($1, $2, $3, $4, $5, $5) on conflict do nothing""",
                subscription.tenant,
                subscription.id,
                doc,
                request.user.name_for_audit,
                datetime.now(UTC),
            )
        return bool(done.endswith("1"))

    async def load(request: Asked, tenant: str, name: str) -> Record:
        if not is_uri(name):
            raise EntityNotFound(id=name[:200])
        async with context.db.acquire() as conn:
            row = await conn.fetchrow(
                """select * from context.subscription where tenant = $1 and id = $2
                       and ($3::text is null or owner = $3)""",
                tenant,
                name,
                owner_seen(request.user),
            )
        if row is None:
            raise EntityNotFound(id=name)
        return row

    class Subscriptions(Controller):
        path = "/ngsi-ld/v1/subscriptions"
        tags = ("NGSI-LD",)

        @post("/", opt=WRITE, summary="Subscribe")
        async def create(self, request: Asked) -> Response[None]:
            tenant = await tenants.writable(request)
            sent = await ask.read_sent(request, contexts)
            made = read_subscription(
                sent.body,
                sent.terms,
                tenant,
                request.user,
                visible_types(request.user).only,
                new_id(),
            )
            async with context.db.acquire() as conn:
                count = await conn.fetchval(
                    "select count(*) from context.subscription where tenant = $1", tenant
                )
            if count >= SUBSCRIPTIONS_MAX:
                raise EntityInvalid(id=made.id, reason=f"{SUBSCRIPTIONS_MAX} are the most")
            await tenants.make(tenant)
            if not await keep(made, sent.terms.source, request):
                raise EntityAlreadyExists(id=made.id)
            await notifier.take_up(made)
            place = f"/ngsi-ld/v1/subscriptions/{quote(made.id, safe=':')}"
            return Response(None, status_code=201, headers={"Location": place})

        @get("/", opt=READ, summary="List subscriptions")
        async def list_all(self, request: Asked) -> Response[bytes]:
            tenant = await tenants.existing(request)
            params = dict(request.query_params)
            owner = owner_seen(request.user)
            limit = ask.whole(params, "limit", ask.LIMIT_DEFAULT, ask.LIMIT_MAX)
            offset = ask.whole(params, "offset", 0, 1_000_000)
            async with context.db.acquire() as conn:
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
            counted = params.get("count") == "true" or "count" in str(params.get("options", ""))
            headers = {"NGSILD-Results-Count": str(total)} if counted else {}
            now = datetime.now(UTC)
            body = [render_subscription(row, now, request.user) for row in rows]
            return ask.answer(request, body, CORE, ask.accept_of(request), headers=headers)

        @get("/{name:str}", opt=READ, summary="Retrieve a subscription")
        async def retrieve(self, request: Asked, name: FromPath[str]) -> Response[bytes]:
            row = await load(request, await tenants.existing(request), name)
            body = render_subscription(row, datetime.now(UTC), request.user)
            return ask.answer(request, body, CORE, ask.accept_of(request))

        @patch("/{name:str}", opt=WRITE, summary="Change a subscription")
        async def change(self, request: Asked, name: FromPath[str]) -> Response[None]:
            tenant = await tenants.existing(request)
            row = await load(request, tenant, name)
            sent = await ask.read_sent(request, contexts)
            if not isinstance(sent.body, dict):
                raise EntityInvalid(id=name, reason="a change is a JSON object")
            kept = {k: v for k, v in row["doc"].items() if not k.startswith("@")}
            changed = _with_secrets({k: v for k, v in sent.body.items() if k != "@context"}, kept)
            merged = {**kept, **changed, "id": name}
            source = sent.body.get("@context", row["doc"].get("@source"))
            terms = await contexts.terms(source)
            # Its owner's sight, not that of a steward who mends it.
            sees = visible_types(request.user).only
            if row["owner"] != request.user.name_for_audit:
                stored = row["doc"].get("@sees")
                sees = None if stored is None else frozenset(stored)
            made = read_subscription(merged, terms, tenant, request.user, sees, name)
            doc = _kept(made, source)
            async with context.db.acquire() as conn:
                await conn.execute(
                    """update context.subscription set doc = $3, modified_at = $4
                       where tenant = $1 and id = $2""",
                    tenant,
                    name,
                    doc,
                    datetime.now(UTC),
                )
            await notifier.take_up(made)
            return Response(None, status_code=204)

        @delete("/{name:str}", opt=WRITE, status_code=204, summary="End a subscription")
        async def remove(self, request: Asked, name: FromPath[str]) -> Response[None]:
            tenant = await tenants.existing(request)
            await load(request, tenant, name)
            notifier.let_go((tenant, name))
            async with context.db.acquire() as conn, conn.transaction():
                await conn.execute(
                    "delete from context.notification where tenant = $1 and subscription = $2",
                    tenant,
                    name,
                )
                await conn.execute(
                    "delete from context.subscription where tenant = $1 and id = $2", tenant, name
                )
            return Response(None, status_code=204)

    return Subscriptions
