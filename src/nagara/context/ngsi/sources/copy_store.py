"""Copies of subscriptions as they are kept: which source has which, and what is still to be done.
Only SQL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from nagara.context.store import Conn


class Copy(Struct):
    """A copy of a subscription at a source. `address`: the registration as it was."""

    id: str
    tenant: str
    subscription: str
    registration: str
    address: dict[str, Any]
    digest: str
    made: bool = False
    ending: bool = False
    attempts: int = 0
    not_before_s: float = 0.0  # time.monotonic
    checked_s: float = 0.0

    @property
    def is_due(self) -> bool:
        """Whether the source has still to hear of it, or of its end."""
        return self.ending or not self.made


async def load_copies(conn: Conn) -> list[Copy]:
    """All copies. Those whose subscription has gone are to end."""
    rows = await conn.fetch(
        """select c.*, s.id is null as is_lost from context.source_copy c
           left join context.subscription s on s.tenant = c.tenant and s.id = c.subscription"""
    )
    return [
        Copy(
            row["copy"],
            row["tenant"],
            row["subscription"],
            row["registration"],
            row["address"],
            row["digest"],
            row["made"],
            row["ending"] or row["is_lost"],
        )
        for row in rows
    ]


async def keep_copy(conn: Conn, copy: Copy) -> None:
    """Keep a new copy, before the source hears of it."""
    await conn.execute(
        """insert into context.source_copy
               (copy, tenant, subscription, registration, address, digest, created_at)
           values ($1, $2, $3, $4, $5, $6, $7)""",
        copy.id,
        copy.tenant,
        copy.subscription,
        copy.registration,
        copy.address,
        copy.digest,
        datetime.now(UTC),
    )


async def note_copy(conn: Conn, copy: Copy) -> None:
    """Keep how far a copy is."""
    await conn.execute(
        "update context.source_copy set made = $2, ending = $3 where copy = $1",
        copy.id,
        copy.made,
        copy.ending,
    )


async def forget_copy(conn: Conn, copy: Copy) -> None:
    """A copy has ended, or is given up."""
    await conn.execute("delete from context.source_copy where copy = $1", copy.id)


async def load_via(conn: Conn) -> dict[tuple[str, str], str]:
    """The brokers through which subscriptions came."""
    rows = await conn.fetch("select * from context.subscription_via")
    return {(row["tenant"], row["subscription"]): row["via"] for row in rows}


async def keep_via(conn: Conn, tenant: str, subscription: str, via: str) -> None:
    """Keep through which brokers a subscription came."""
    await conn.execute(
        """insert into context.subscription_via (tenant, subscription, via) values ($1, $2, $3)
           on conflict do nothing""",
        tenant,
        subscription,
        via,
    )


async def forget_via(conn: Conn, tenant: str, subscription: str) -> None:
    """A subscription has gone."""
    await conn.execute(
        "delete from context.subscription_via where tenant = $1 and subscription = $2",
        tenant,
        subscription,
    )


async def load_url(conn: Conn) -> str | None:
    """The address under which this broker was last spoken to."""
    url: str | None = await conn.fetchval("select url from context.source_alias")
    return url


async def keep_url(conn: Conn, url: str) -> None:
    """Keep the address under which this broker is spoken to."""
    await conn.execute("update context.source_alias set url = $1", url)
