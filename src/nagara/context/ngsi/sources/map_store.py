"""Entity maps as they are kept: which sources hold which entities of a query.

ETSI GS CIM 009 clauses 4.5.25, 5.2.39, 5.5.14.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from nagara.context.ngsi.query import listed
from nagara.context.ngsi.sources.durations import seconds_of
from nagara.context.ngsi.sources.errors import RegistrationInvalid, SourceLimit
from nagara.context.pattern import read_pattern
from nagara.engines.database import Database
from nagara.guard.identity import Actor
from nagara.guard.policy import may
from nagara.values.time import format_instant

BASE = "/ngsi-ld/v1/entityMaps"
HERE = "@none"
MAPS_MAX = 200  # of one owner in one tenant: each is some 100 kB at most
#: Parameters about pages and maps, which a query within a map leaves out.
OF_PAGES = frozenset({"limit", "offset", "after", "count", "entityMap", "entityMapLifetime"})
OF_MAP = OF_PAGES | {"id", "idPattern"}
LIFETIME, LIFETIME_MAX = timedelta(hours=1), timedelta(days=1)


class EntityMap(Struct, frozen=True):
    """An entity map: entity id → ids of registrations, `@none` for what lies here. `linked`:
    registration id → id of the entity map that this source made of the same query."""

    id: str
    tenant: str
    owner: str
    entities: dict[str, list[str]]
    linked: dict[str, str]
    expires_at: datetime

    @property
    def url(self) -> str:
        """Where it is, as the NGSILD-EntityMap header names it."""
        return f"{BASE}/{self.id}"

    def meant(self, params: Mapping[str, Any]) -> list[str]:
        """Those of its entities that a request may mean by their ids, in the order of pages."""
        ids, pattern = listed(params.get("id")), params.get("idPattern")
        meant = set(ids) if ids else None
        found = read_pattern(pattern).found_in if pattern else None
        return [
            name
            for name in sorted(self.entities)
            if (meant is None or name in meant) and (found is None or found(name))
        ]

    def body(self) -> dict[str, Any]:
        """As a client sees it (Table 5.2.39-1)."""
        return {
            "id": self.id,
            "type": "EntityMap",
            "expiresAt": format_instant(self.expires_at),
            "entityMap": self.entities,
            "linkedMaps": self.linked,
        }


def owns(actor: Actor, owner: str) -> bool:
    """Whether a map, which says what somebody may see, is open to somebody."""
    return actor.name_for_audit == owner or may(actor, "source:write")


def lifetime_of(params: Mapping[str, Any]) -> timedelta:
    """How long a new map is kept: what was wished, within the limit. Raises `RegistrationInvalid`
    for what is no duration."""
    said = params.get("entityMapLifetime")
    if said is None:
        return LIFETIME
    wished = seconds_of(said)
    if not wished:
        raise RegistrationInvalid(reason="entityMapLifetime is a duration as PT1H")
    return min(timedelta(seconds=min(wished, 1e6)), LIFETIME_MAX)


class MapStore:
    """The entity maps of this broker."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def find(self, tenant: str, name: str) -> EntityMap | None:
        """A map that has not expired, or None."""
        async with self._db.acquire() as conn:
            row = await conn.fetchrow(
                """select doc, linked, owner, expires_at from context.entity_map
                   where tenant = $1 and id = $2 and expires_at > $3""",
                tenant,
                name,
                datetime.now(UTC),
            )
        if row is None:
            return None
        return EntityMap(name, tenant, row["owner"], row["doc"], row["linked"], row["expires_at"])

    async def find_own(self, tenant: str, name: str, actor: Actor) -> EntityMap | None:
        """A map that is open to somebody; "" for none at all."""
        held = await self.find(tenant, name) if name else None
        return held if held is not None and owns(actor, held.owner) else None

    async def make(
        self,
        tenant: str,
        actor: Actor,
        entities: dict[str, list[str]],
        lifetime: timedelta,
        linked: dict[str, str] | None = None,
    ) -> EntityMap:
        """Keep a new map. Raises `SourceLimit`."""
        now = datetime.now(UTC)
        made = EntityMap(
            f"urn:ngsi-ld:EntityMap:{secrets.token_hex(12)}",
            tenant,
            actor.name_for_audit,
            entities,
            linked or {},
            now + lifetime,
        )
        async with self._db.acquire() as conn:
            await conn.execute("delete from context.entity_map where expires_at <= $1", now)
            count = await conn.fetchval(
                "select count(*) from context.entity_map where tenant = $1 and owner = $2",
                tenant,
                made.owner,
            )
            if count >= MAPS_MAX:
                raise SourceLimit(limit=MAPS_MAX, what="entity maps")
            await conn.execute(
                """insert into context.entity_map
                       (tenant, id, doc, linked, owner, created_at, expires_at)
                   values ($1, $2, $3, $4, $5, $6, $7)""",
                tenant,
                made.id,
                made.entities,
                made.linked,
                made.owner,
                now,
                made.expires_at,
            )
        return made

    async def prune(self, held: EntityMap, gone: Sequence[str]) -> EntityMap:
        """A map without entities that fulfil its query no longer (clause 5.5.9.3)."""
        if not gone:
            return held
        rest = {k: v for k, v in held.entities.items() if k not in set(gone)}
        async with self._db.acquire() as conn:
            await conn.execute(
                """update context.entity_map set doc = doc - $3::text[]
                   where tenant = $1 and id = $2""",
                held.tenant,
                held.id,
                list(gone),
            )
        return msgspec.structs.replace(held, entities=rest)

    async def expire(self, held: EntityMap, at: datetime) -> None:
        """Let a map end at a time, at the latest after the longest lifetime."""
        until = min(at, datetime.now(UTC) + LIFETIME_MAX)
        async with self._db.acquire() as conn:
            await conn.execute(
                "update context.entity_map set expires_at = $3 where tenant = $1 and id = $2",
                held.tenant,
                held.id,
                until,
            )

    async def remove(self, held: EntityMap) -> None:
        """Forget a map."""
        async with self._db.acquire() as conn:
            await conn.execute(
                "delete from context.entity_map where tenant = $1 and id = $2", held.tenant, held.id
            )
