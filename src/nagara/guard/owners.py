"""Who is behind the name of an owner, now: for what goes on when nobody is logged in.

A subscription is served as long as the account or token that made it may have it.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from nagara.guard.identity import Actor, system
from nagara.guard.sessions import may_keep

_ACCOUNTS = """
select id, roles, departments from guard.account where id = any($1::uuid[]) and disabled_at is null
"""
_TOKENS = """
select t.id, t.role, t.owner, a.roles, a.disabled_at
from guard.token t left join guard.account a on a.id = t.owner
where t.id = any($1::uuid[]) and t.expires_at > $2
"""


async def find_actors(conn: Any, names: Collection[str], at: datetime) -> dict[str, Actor]:
    """The actors behind names for the audit (`account:…`, `token:…`) who may still act.

    Disabled accounts, tokens that were revoked, have expired or whose owner lost his right to
    them, and names that nobody has are left out. The city's own parts are always there.
    """
    found = {n: system(n.partition(":")[2]) for n in names if n.startswith("system:")}
    accounts, tokens = _uuids(names, "account"), _uuids(names, "token")
    if accounts:
        for row in await conn.fetch(_ACCOUNTS, accounts):
            name = f"account:{row['id']}"
            found[name] = Actor(
                "account", str(row["id"]), "", tuple(row["roles"]), tuple(row["departments"])
            )
    if tokens:
        for row in await conn.fetch(_TOKENS, tokens, at):
            if row["owner"] is not None and (
                row["disabled_at"] is not None or not may_keep(row["roles"], row["role"])
            ):
                continue
            found[f"token:{row['id']}"] = Actor("token", str(row["id"]), "", (row["role"],))
    return found


def _uuids(names: Collection[str], kind: str) -> list[UUID]:
    made = []
    for name in names:
        head, _, rest = name.partition(":")
        try:
            if head == kind:
                made.append(UUID(rest))
        except ValueError:
            continue
    return made
