"""Emptying a city that serves several tests: one of its own takes a second."""

from __future__ import annotations

import httpx

from nagara.context import Context

#: Deleting some rows takes a millisecond, truncating these tables a tenth of a second. The last row
#: of the log stays: its readers stand there.
_EMPTIED = "".join(
    f"delete from context.{table};"
    for table in (
        "change where seq < (select max(seq) from context.change)",
        *("entity", "census", "tenant", "idempotency", "chunk", "amendment", "erasure", "jsonld"),
        *("subscription", "delivery", "letter", "dead_notification", "entity_map", "snapshot"),
        *("source_copy", "subscription_via"),
    )
)
#: What is also in memory is ended by who made it: table → path.
_ENDED = {
    "subscription": "subscriptions",
    "source_subscription": "csourceSubscriptions",
    "source_registration": "csourceRegistrations",
}


async def empty(context: Context, client: httpx.AsyncClient) -> None:
    """Forget all that a city knows, as if it had just been set up.

    `client` may do everything; what it asks is below http://…/ngsi-ld/v1, if it has a path at all.
    """
    base = "" if client.base_url.path.rstrip("/") else "/ngsi-ld/v1"
    for table, path in _ENDED.items():
        async with context.db.acquire() as conn:
            rows = await conn.fetch(f"select tenant, id from context.{table}")
        for tenant, name in rows:
            headers = {"NGSILD-Tenant": tenant} if tenant else {}
            gone = await client.delete(f"{base}/{path}/{name}", headers=headers)
            # A copy of a subscription is ended by the broker that made it, maybe just now.
            assert gone.status_code in (204, 404), gone.text
    await context.caught_up(60)
    async with context.db.acquire() as conn:
        await conn.execute(_EMPTIED)
    context.cache.clear()
