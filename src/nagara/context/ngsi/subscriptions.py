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
from nagara.context.ngsi.notify import Notifier
from nagara.context.ngsi.subscription import Subscription, read_subscription
from nagara.context.ngsi.terms import CORE
from nagara.guard.permission import allow
from nagara.guard.policy import visible_types
from nagara.values.time import format_instant

READ, WRITE = allow("subscription:read"), allow("subscription:write")

#: Subscriptions of one tenant: each costs a courier and a look at every change.
SUBSCRIPTIONS_MAX = 20_000


def render_subscription(row: Record, at: datetime) -> dict[str, Any]:
    """A kept subscription with what became of its notifications."""
    doc = {k: v for k, v in row["doc"].items() if not k.startswith("@")}
    expires = doc.get("expiresAt")
    active = doc.get("isActive", True) is not False
    status = "active" if active else "paused"
    if expires is not None and expires <= format_instant(at):
        status = "expired"
    notification = dict(doc["notification"])
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


def subscription_routes(
    context: Context, contexts: Contexts, notifier: Notifier, new_id: Callable[[], str]
) -> type[Controller]:
    """The routes of subscriptions."""

    async def keep(subscription: Subscription, source: Any, request: Asked) -> bool:
        sees = subscription.sees
        doc = {**subscription.doc, "@source": source, "@sees": sorted(sees) if sees else None}
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

    async def load(tenant: str, name: str) -> Record:
        async with context.db.acquire() as conn:
            row = await conn.fetchrow(
                "select * from context.subscription where tenant = $1 and id = $2", tenant, name
            )
        if row is None:
            raise EntityNotFound(id=name)
        return row

    class Subscriptions(Controller):
        path = "/ngsi-ld/v1/subscriptions"
        tags = ("NGSI-LD",)

        @post("/", opt=WRITE, summary="Subscribe")
        async def create(self, request: Asked) -> Response[None]:
            tenant = ask.tenant_of(request)
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
            if not await keep(made, sent.terms.source, request):
                raise EntityAlreadyExists(id=made.id)
            await notifier.take_up(made)
            place = f"/ngsi-ld/v1/subscriptions/{quote(made.id, safe=':')}"
            return Response(None, status_code=201, headers={"Location": place})

        @get("/", opt=READ, summary="List subscriptions")
        async def list_all(self, request: Asked) -> Response[bytes]:
            tenant = ask.tenant_of(request)
            params = dict(request.query_params)
            limit = ask.whole(params, "limit", ask.LIMIT_DEFAULT, ask.LIMIT_MAX)
            offset = ask.whole(params, "offset", 0, 1_000_000)
            async with context.db.acquire() as conn:
                rows = await conn.fetch(
                    """select * from context.subscription where tenant = $1
                       order by id limit $2 offset $3""",
                    tenant,
                    limit,
                    offset,
                )
                total = await conn.fetchval(
                    "select count(*) from context.subscription where tenant = $1", tenant
                )
            counted = params.get("count") == "true" or "count" in str(params.get("options", ""))
            headers = {"NGSILD-Results-Count": str(total)} if counted else {}
            now = datetime.now(UTC)
            body = [render_subscription(row, now) for row in rows]
            return ask.answer(request, body, CORE, ask.accept_of(request), headers=headers)

        @get("/{name:str}", opt=READ, summary="Retrieve a subscription")
        async def retrieve(self, request: Asked, name: FromPath[str]) -> Response[bytes]:
            row = await load(ask.tenant_of(request), name)
            body = render_subscription(row, datetime.now(UTC))
            return ask.answer(request, body, CORE, ask.accept_of(request))

        @patch("/{name:str}", opt=WRITE, summary="Change a subscription")
        async def change(self, request: Asked, name: FromPath[str]) -> Response[None]:
            tenant = ask.tenant_of(request)
            row = await load(tenant, name)
            sent = await ask.read_sent(request, contexts)
            if not isinstance(sent.body, dict):
                raise EntityInvalid(id=name, reason="a change is a JSON object")
            kept = {k: v for k, v in row["doc"].items() if not k.startswith("@")}
            merged = {**kept, **{k: v for k, v in sent.body.items() if k != "@context"}, "id": name}
            source = sent.body.get("@context", row["doc"].get("@source"))
            terms = await contexts.terms(source)
            sees = visible_types(request.user).only
            made = read_subscription(merged, terms, tenant, request.user, sees, name)
            doc = {**made.doc, "@source": source, "@sees": sorted(sees) if sees else None}
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
            tenant = ask.tenant_of(request)
            await load(tenant, name)
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
