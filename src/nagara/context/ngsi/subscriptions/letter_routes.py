"""/api/v1/subscriptions/{id}: what waits, what was given up, and telling it again. Beyond the
standard; the tenant is named by NGSILD-Tenant as there."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from litestar import get, post
from litestar.params import FromPath

from nagara.context.context import Context
from nagara.context.ngsi.ask import Asked
from nagara.context.ngsi.fetch import Contexts
from nagara.context.ngsi.query import whole
from nagara.context.ngsi.subscriptions import letters
from nagara.context.ngsi.subscriptions.errors import ReplayInvalid
from nagara.context.ngsi.subscriptions.notifier import Notifier, box_of
from nagara.context.ngsi.subscriptions.replay import number_before
from nagara.context.ngsi.subscriptions.routes import SubscriptionStore
from nagara.guard.permission import allow
from nagara.values.time import format_instant, parse_instant

READ, WRITE = allow("subscription:read"), allow("subscription:write")
SHOWN_DEFAULT, SHOWN_MAX = 20, 200


def letter_routes(context: Context, contexts: Contexts, notifier: Notifier) -> list[Any]:
    """The routes."""
    store = SubscriptionStore(context, contexts, notifier)

    async def key_of(request: Asked, name: str) -> tuple[str, str]:
        tenant = await store.tenants.existing(request)
        await store.load(request, tenant, name)
        return tenant, name

    @get("/api/v1/subscriptions/{name:str}/dead", opt=READ, summary="Notifications given up")
    async def dead(request: Asked, name: FromPath[str]) -> dict[str, Any]:
        box = box_of(await key_of(request, name))
        params = dict(request.query_params)
        limit = whole(params, "limit", SHOWN_DEFAULT, SHOWN_MAX)
        offset = whole(params, "offset", 0, 1_000_000)
        await notifier.delivery.flush()  # what was given up a moment ago is listed too
        async with context.db.acquire() as conn:
            found = await letters.list_dead(conn, box, limit, offset)
            count = await letters.count_dead(conn, box)
        return {
            "waiting": notifier.delivery.waiting(box),
            "count": count,
            "items": [
                {
                    "no": one.no,
                    "reason": one.reason,
                    "attempts": one.attempts,
                    "at": format_instant(one.at),
                    "parkedAt": format_instant(one.parked_at),
                    "notification": msgspec.Raw(one.body.encode()),
                }
                for one in found
            ],
        }

    @post(
        "/api/v1/subscriptions/{name:str}/dead/retry",
        opt=WRITE,
        status_code=200,
        summary="Queue again the notifications given up",
    )
    async def retry(request: Asked, name: FromPath[str]) -> dict[str, int]:
        box = box_of(await key_of(request, name))
        await notifier.delivery.flush()
        return {"queued": await notifier.delivery.revive(box)}

    @post(
        "/api/v1/subscriptions/{name:str}/replay",
        opt=WRITE,
        status_code=202,
        summary="Tell again what changed since an instant",
    )
    async def replay(request: Asked, name: FromPath[str]) -> dict[str, int]:
        key = await key_of(request, name)
        at = _read_from(await request.body())
        async with context.db.acquire() as conn:
            after = await number_before(conn, at)
            await conn.execute(
                """update context.subscription set replay_from = $3, since = least(since, $3)
                   where tenant = $1 and id = $2""",
                *key,
                after,
            )
        subscription = notifier.find(key)
        if subscription is not None:
            since = min(subscription.since, after)
            notifier.take_up(msgspec.structs.replace(subscription, since=since))
        notifier.replayer.begin(key, after)
        return {"after": after, "head": context.tail.head}

    return [dead, retry, replay]


def _read_from(raw: bytes) -> datetime:
    try:
        body = msgspec.json.decode(raw, type=dict[str, str])
        at = parse_instant(body["from"])
    except (msgspec.DecodeError, KeyError, ValueError, RecursionError) as error:
        raise ReplayInvalid(reason="the body names an instant “from”") from error
    if at > datetime.now(UTC):
        raise ReplayInvalid(reason="“from” is to come")
    return at
