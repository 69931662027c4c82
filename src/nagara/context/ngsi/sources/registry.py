"""All registrations, in memory by tenant: matched here, kept in the database."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import structlog
from msgspec import Struct

from nagara.context.ngsi.sources.directory import Directory, Wanted
from nagara.context.ngsi.sources.errors import SourceConflict, SourceLimit
from nagara.context.ngsi.sources.registration import Picked, Registration, compile_doc
from nagara.engines.database import Database

log = structlog.get_logger("context.sources")

#: Registrations of one tenant: 26 cities with some dozens each, ten times over.
REGISTRATIONS_MAX = 10_000
NOTED_EVERY_S = 1.0

Watcher = Callable[[Registration | None, Registration | None], None]


class Reckoning(Struct):
    """What became of the requests to one source since it was last written down."""

    sent: int = 0
    failed: int = 0
    success_at: datetime | None = None
    failure_at: datetime | None = None
    ok: bool = True


class Registry:
    """The registrations of this broker. `load` before use; one process owns it."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._by_tenant: dict[str, Directory] = {}
        self._reckonings: dict[tuple[str, str], Reckoning] = {}
        self.alias = "nagara"
        self.watchers: list[Watcher] = []

    async def load(self) -> None:
        """Take all registrations from the database, and the name of this broker."""
        async with self._db.acquire() as conn:
            await conn.execute(
                "insert into context.source_alias (alias) values ($1) on conflict do nothing",
                f"nagara-{secrets.token_hex(8)}",
            )
            self.alias = await conn.fetchval("select alias from context.source_alias")
            rows = await conn.fetch("select tenant, doc from context.source_registration")
        for row in rows:
            try:
                made = compile_doc(row["doc"], row["tenant"])
            except Exception:  # one that is of an older form must not stop the city
                log.exception("source.unreadable", id=row["doc"].get("id"))
                continue
            self._by_tenant.setdefault(made.tenant, Directory()).put(made)

    def alias_of(self, tenant: str) -> str:
        """The name in Via of a tenant of this broker (clause 5.2.40)."""
        return f"{self.alias}~{tenant}" if tenant else self.alias

    @property
    def is_used(self) -> bool:
        """Whether anything is registered by anybody."""
        return bool(self._by_tenant)

    def has_any(self, tenant: str) -> bool:
        """Whether anything is registered for a tenant."""
        return tenant in self._by_tenant

    def all_of(self, tenant: str) -> list[Registration]:
        """The registrations that hold now, by id."""
        now = datetime.now(UTC)
        held = self._by_tenant.get(tenant)
        if held is None:
            return []
        return [held.by_id[name] for name in sorted(held.by_id) if _holds(held.by_id[name], now)]

    def find(self, tenant: str, name: str) -> Registration | None:
        """One registration, or None."""
        held = self._by_tenant.get(tenant)
        return None if held is None else held.by_id.get(name)

    def put(self, made: Registration) -> None:
        """Take up a new or changed registration, once it is stored."""
        held = self._by_tenant.setdefault(made.tenant, Directory())
        before = held.by_id.get(made.id)
        held.put(made)
        self._tell(before, made)

    def drop(self, tenant: str, name: str) -> None:
        """Forget a registration, once it is gone from the store."""
        held = self._by_tenant.get(tenant)
        before = held.drop(name) if held is not None else None
        if held is not None and not held.by_id:
            self._by_tenant.pop(tenant, None)
        self._reckonings.pop((tenant, name), None)
        if before is not None:
            self._tell(before, None)

    def _tell(self, before: Registration | None, after: Registration | None) -> None:
        for watcher in self.watchers:
            watcher(before, after)

    def matching(self, tenant: str, wanted: Wanted, seen: Iterable[str] = ()) -> list[Registration]:
        """The registrations that may hold something of what is wanted (clause 5.12).

        Whether they support the operation is not looked at. `seen`: brokers that the request has
        been through; those that are registered under such a name are left out.
        """
        been = frozenset(seen)
        return [
            r
            for r in self.candidates(tenant, wanted)
            if (r.alias is None or r.alias not in been) and covers(r, wanted)
        ]

    def candidates(self, tenant: str, wanted: Wanted) -> list[Registration]:
        """The registrations that may be concerned, by id, found without looking at the others."""
        held = self._by_tenant.get(tenant)
        if held is None:
            return []
        now = datetime.now(UTC)
        return [r for r in held.candidates(wanted) if _holds(r, now)]

    def is_alone(self, tenant: str, entity_id: str | None, types: Iterable[str]) -> bool:
        """Whether no source may hold a part of an entity; without an id, of any of such types."""
        held = self._by_tenant.get(tenant)
        if held is None:
            return True
        ids = None if entity_id is None else frozenset((entity_id,))
        wanted = Wanted("", ids, frozenset(types))
        return not self.matching(tenant, wanted)

    def demand_room(self, tenant: str) -> None:
        """Raises `SourceLimit` where no more may be registered."""
        held = self._by_tenant.get(tenant)
        if held is not None and len(held.by_id) >= REGISTRATIONS_MAX:
            raise SourceLimit(limit=REGISTRATIONS_MAX, what="registrations")

    def demand_no_clash(self, made: Registration) -> None:
        """Raises `SourceConflict` where two sources would be the only one (clause 4.3.6.3)."""
        if not made.is_proxy:
            return
        for other in self._beside(made):
            if other.id == made.id or not other.is_proxy:
                continue
            if "exclusive" in (made.mode, other.mode) and _overlap(made, other):
                raise SourceConflict(reason=f"{other.id} is {other.mode} for the same already")

    def _beside(self, made: Registration) -> list[Registration]:
        """Those that may cover something that a registration covers."""
        found: dict[str, Registration] = {}
        for part in made.parts:
            for one in part.entities or (Picked(frozenset()),):
                ids = None if one.id is None else frozenset((one.id,))
                wanted = Wanted("", ids, one.types or None, part.attrs)
                found |= {r.id: r for r in self.candidates(made.tenant, wanted)}
        return list(found.values())

    def note(self, made: Registration, ok: bool) -> None:
        """Count one request to a source (Table 5.2.9-2)."""
        at = datetime.now(UTC)
        kept = self._reckonings.setdefault((made.tenant, made.id), Reckoning())
        kept.sent += 1
        kept.ok = ok
        if ok:
            kept.success_at = at
        else:
            kept.failed += 1
            kept.failure_at = at

    async def write_notes(self) -> None:
        """Write down what was counted."""
        if not self._reckonings:
            return
        counted, self._reckonings = self._reckonings, {}
        async with self._db.acquire() as conn:
            await conn.executemany(
                """update context.source_registration set times_sent = times_sent + $3,
                       times_failed = times_failed + $4,
                       last_success = coalesce($5, last_success),
                       last_failure = coalesce($6, last_failure), status = $7
                   where tenant = $1 and id = $2""",
                [
                    (*key, r.sent, r.failed, r.success_at, r.failure_at, "ok" if r.ok else "failed")
                    for key, r in counted.items()
                ],
            )

    async def sweep(self) -> None:
        """Remove what has expired."""
        now = datetime.now(UTC)
        async with self._db.acquire() as conn:
            rows = await conn.fetch(
                """delete from context.source_registration where expires_at < $1
                   returning tenant, id""",
                now,
            )
        for row in rows:
            self.drop(row["tenant"], row["id"])


def _holds(registration: Registration, now: datetime) -> bool:
    return registration.expires_at is None or registration.expires_at > now


def covers(registration: Registration, wanted: Wanted) -> bool:
    """Whether a registration may hold something of what is wanted."""
    for part in registration.parts:
        if part.attrs is not None and wanted.attrs and part.attrs.isdisjoint(wanted.attrs):
            continue
        if wanted.ids is None:
            if part.covers(None, wanted.types):
                return True
        elif any(part.covers(name, wanted.types) for name in wanted.ids):
            return True
    return False


def _overlap(one: Registration, other: Registration) -> bool:
    for mine in one.parts:
        for theirs in other.parts:
            if (
                mine.attrs is not None
                and theirs.attrs is not None
                and mine.attrs.isdisjoint(theirs.attrs)
            ):
                continue
            for a in mine.entities or (None,):
                for b in theirs.entities or (None,):
                    if a is None or b is None or _meet(a, b):
                        return True
    return False


def _meet(a: Any, b: Any) -> bool:
    if a.types and b.types and a.types.isdisjoint(b.types):
        return False
    if a.id is not None:
        return bool(b.covers(a.id, None))
    if b.id is not None:
        return bool(a.covers(b.id, None))
    return True  # two patterns: nobody can say that no id fits both
