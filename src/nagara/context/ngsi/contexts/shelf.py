"""Where @contexts are kept: a table, so that a restart without internet knows what was known."""

from __future__ import annotations

import asyncio
import hashlib
import json
from datetime import UTC, datetime
from typing import Any, Literal

from asyncpg import Record
from msgspec import Struct

from nagara.engines.database import Database
from nagara.values.errors import Problem

PATH = "/ngsi-ld/v1/jsonldContexts/"
HOSTED_MAX = 1_000  # of a tenant; a city has some tens
IMPLICIT_MAX = 10_000  # of a tenant: one for each subscription that brings its own
KEPT_MAX = 2_000  # from elsewhere, 1 MB each at most; those longest unused are let go beyond
WRITE_DOWN_EVERY_S = 60.0
PENDING_MAX = 10_000  # contexts with uses not yet written down

Kind = Literal["Hosted", "Cached", "ImplicitlyCreated"]
_CODES: dict[str, Kind] = {"h": "Hosted", "c": "Cached", "i": "ImplicitlyCreated"}
_LETTERS = {kind: code for code, kind in _CODES.items()}


class ContextsFull(Problem):
    """A tenant hosts as many @contexts as it may."""

    code = "jsonld-contexts-full"
    status = 403
    ngsi_type = "BadRequestData"


class Shelved(Struct, frozen=True):
    """An @context on the shelf, with what is told about it (clause 5.13.3.5)."""

    tenant: str
    id: str
    kind: Kind
    url: str | None
    body: Any
    owner: str
    created_at: datetime
    used_at: datetime | None
    hits: int


def kept_id(url: str) -> str:
    """The local id of an @context from elsewhere."""
    return hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def implicit_id(source: Any) -> str:
    """The local id of an inline @context: the same words, the same id."""
    said = json.dumps(source, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(b"inline " + said.encode()).hexdigest()[:32]


class Shelf:
    """The table of @contexts. Uses are counted in memory and written down now and then."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._pending: dict[tuple[str, str], tuple[int, datetime]] = {}

    async def put(
        self, tenant: str, local_id: str, kind: Kind, body: Any, owner: str, url: str | None = None
    ) -> None:
        """Keep an @context, in place of one of that id. Raises `ContextsFull`."""
        letter = _LETTERS[kind]
        most = {"Hosted": HOSTED_MAX, "ImplicitlyCreated": IMPLICIT_MAX}.get(kind)
        async with self._db.acquire() as conn:
            if most is not None:
                held = await conn.fetchval(
                    """select count(*) from context.jsonld
                       where tenant = $1 and kind = $2::text::"char" and id <> $3""",
                    tenant,
                    letter,
                    local_id,
                )
                if held >= most:
                    raise ContextsFull(limit=most)
            await conn.execute(
                """insert into context.jsonld (tenant, id, kind, url, body, owner, created_at)
                   values ($1, $2, $3::text::"char", $4, $5, $6, $7)
                   on conflict (tenant, id) do update
                   set body = excluded.body, created_at = case
                       when context.jsonld.kind = 'c' then excluded.created_at
                       else context.jsonld.created_at end""",
                tenant,
                local_id,
                letter,
                url,
                body,
                owner,
                datetime.now(UTC),
            )
            if kind == "Cached":
                await conn.execute(
                    """delete from context.jsonld where kind = 'c' and (tenant, id) in (
                           select tenant, id from context.jsonld where kind = 'c'
                           order by coalesce(used_at, created_at) desc offset $1)""",
                    KEPT_MAX,
                )

    async def find(self, local_id: str, tenant: str | None) -> Shelved | None:
        """The @context of a local id that a tenant sees; `tenant` None: of any tenant."""
        async with self._db.acquire() as conn:
            row = await conn.fetchrow(
                """select * from context.jsonld where id = $1
                   and ($2::text is null or tenant = $2 or kind = 'c') limit 1""",
                local_id,
                tenant,
            )
        return _shelved(row) if row is not None else None

    async def list_all(
        self, tenant: str, kind: Kind | None, limit: int, offset: int
    ) -> list[Shelved]:
        """The @contexts that a tenant sees: its own and those from elsewhere; without bodies."""
        await self.write_down()
        async with self._db.acquire() as conn:
            rows = await conn.fetch(
                """select tenant, id, kind, url, null as body, owner, created_at, used_at, hits
                   from context.jsonld
                   where (tenant = $1 or kind = 'c') and ($2::text is null or kind::text = $2)
                   order by kind, id limit $3 offset $4""",
                tenant,
                _LETTERS[kind] if kind is not None else None,
                limit,
                offset,
            )
        return [_shelved(row) for row in rows]

    async def remove(self, shelved: Shelved) -> None:
        """Take an @context from the shelf, and with it the uses not yet written down."""
        self._pending.pop((shelved.tenant, shelved.id), None)
        async with self._db.acquire() as conn:
            await conn.execute(
                "delete from context.jsonld where tenant = $1 and id = $2",
                shelved.tenant,
                shelved.id,
            )

    async def begin_anew(self, tenant: str, local_id: str) -> None:
        """An implicitly created @context is made again: its uses are counted from now."""
        self._pending.pop((tenant, local_id), None)
        async with self._db.acquire() as conn:
            await conn.execute(
                """update context.jsonld set hits = 0, used_at = null, created_at = $3
                   where tenant = $1 and id = $2 and kind = 'i'""",
                tenant,
                local_id,
                datetime.now(UTC),
            )

    def used(self, tenant: str, local_id: str) -> None:
        """Count a use."""
        key = (tenant, local_id)
        before = self._pending.get(key)
        if before is not None or len(self._pending) < PENDING_MAX:
            self._pending[key] = (before[0] + 1 if before else 1, datetime.now(UTC))

    async def write_down_for_ever(self) -> None:
        """Runs for the life of the city: what a crash forgets is a minute of counting."""
        while True:
            await asyncio.sleep(WRITE_DOWN_EVERY_S)
            await self.write_down()

    async def write_down(self) -> None:
        """Write the counted uses to the table."""
        if not self._pending:
            return
        pending, self._pending = self._pending, {}
        async with self._db.acquire() as conn:
            await conn.execute(
                """update context.jsonld as j set hits = j.hits + u.n, used_at = u.at
                   from unnest($1::text[], $2::text[], $3::bigint[], $4::timestamptz[])
                       as u(tenant, id, n, at)
                   where j.tenant = u.tenant and j.id = u.id""",
                [tenant for tenant, _ in pending],
                [one for _, one in pending],
                [n for n, _ in pending.values()],
                [at for _, at in pending.values()],
            )


def _shelved(row: Record) -> Shelved:
    kind = row["kind"]
    code = kind.decode() if isinstance(kind, bytes) else str(kind)
    return Shelved(
        row["tenant"],
        row["id"],
        _CODES[code],
        row["url"],
        row["body"],
        row["owner"],
        row["created_at"],
        row["used_at"],
        row["hits"],
    )
