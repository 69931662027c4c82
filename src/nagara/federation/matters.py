"""Incidents raised to the upper level and calls passed down, with how they stand on both sides.

A call that an officer accepts becomes a `ServiceRequest`, the entity that foreign tickets are; the
cases room opens a case for it, and what becomes of the case is told to the upper level.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from nagara.city.model import City
from nagara.context import Change, Context, Create, Entity
from nagara.context.errors import EntityAlreadyExists
from nagara.engines.database import Connection, Database
from nagara.federation import chains, errors, kept
from nagara.federation.clearance import RAISED, clear_attributes
from nagara.federation.kept import Link
from nagara.federation.model import (
    Call,
    CallState,
    Incident,
    IncidentState,
    Item,
    next_status,
    told_status,
    write_item,
)
from nagara.federation.outbox import NOTES_MAX
from nagara.guard import audit
from nagara.guard.audit import AuditEntry
from nagara.guard.identity import Actor
from nagara.values.ids import is_given, urn
from nagara.vocab import case, request
from nagara.vocab.attribute import property_of

REASONS = ("beyond-means", "crosses-border", "needs-support", "for-information")
ACTOR = "system:federation"
TITLE_CHARACTERS_MAX = 140
_LISTED_MAX = 200

#: How a case of an accepted call stands, in the words of the call.
_OF_CASE = {
    "accepted": "in-progress",
    "in_progress": "in-progress",
    "reopened": "in-progress",
    "resolved": "done",
    "closed": "done",
    "rejected": "declined",
}


class Step(Struct, frozen=True):
    """One step of a matter."""

    n: int
    status: str
    who: str
    at: datetime


class Matter(Struct, frozen=True):
    """A row of `federation.matter` with its steps."""

    id: str
    kind: str
    peer: str
    ours: bool
    status: str
    body: dict[str, Any]
    entity: str | None
    at: datetime
    changed_at: datetime
    case_id: str | None = None  # of a call that was accepted: the case that it became
    steps: tuple[Step, ...] = ()


class Matters:
    """The room's use cases on matters. `sent` is called when something waits to be sealed."""

    def __init__(
        self, context: Context, db: Database, city: City, wall: Callable[[], datetime]
    ) -> None:
        self._context = context
        self._db = db
        self._city = city
        self._wall = wall
        self.sent: Callable[[], None] = lambda: None

    # --- by officers --------------------------------------------------------------------------

    async def raise_incident(self, peer: str, entity_id: str, reason: str, actor: Actor) -> Matter:
        """Raise an alert or a case to the upper level: what it is about and how it stands.

        Raises `LinkUnknown`, `LinkInvalid`, `NotCleared`, `EntityNotFound`, `OutboxFull`.
        """
        if reason not in REASONS:
            raise errors.LinkInvalid(what="reason", got=reason[:60], known=", ".join(REASONS))
        entity = await self._context.get(entity_id)
        if not is_given(entity_id, entity.type, self._city.code):
            raise errors.NotCleared(what=entity_id[:80])  # a client's own: no room answers for it
        allowed = RAISED.get(entity.type) if len(entity.types) == 1 else None
        if allowed is None:
            raise errors.NotCleared(what=", ".join(entity.types)[:80])
        at = self._wall()
        item = Incident(
            self._new_id(), reason, entity.type, clear_attributes(entity.attrs, allowed),
            _role(actor), at,
        )  # fmt: skip
        return await self._begin(peer, "upper", item, "incident", "raised", entity_id, actor)

    async def pass_call(
        self,
        peer: str,
        category: str,
        severity: str,
        title: dict[str, str],
        district: str,
        actor: Actor,
    ) -> Matter:
        """Pass a task or warning down to a member. Raises as `raise_incident`."""
        if severity not in ("watch", "warning", "critical"):
            raise errors.LinkInvalid(
                what="severity", got=severity[:40], known="watch, warning, critical"
            )
        texts = list(title.values())
        if not texts or len(texts) > 12 or any(len(t) > TITLE_CHARACTERS_MAX for t in texts):
            raise errors.LinkInvalid(
                what="title", got="", known=f"1 – {TITLE_CHARACTERS_MAX} characters"
            )
        item = Call(
            self._new_id(), category[:80], severity, title, _role(actor), self._wall(),  # type: ignore[arg-type]  # looked at above
            district[:80],
        )  # fmt: skip
        return await self._begin(peer, "member", item, "call", "passed", None, actor)

    async def act(self, matter_id: str, kind: str, step: str, actor: Actor) -> Matter:
        """Take a matter a step on. Raises `MatterUnknown`, `MatterStep`, `LinkInvalid` where the
        city has no category for a call."""
        matter = await self.get(matter_id, kind)
        status = next_status(kind, step, matter.ours, matter.status)
        entity = self._ticket(matter) if status == "accepted" else None

        async def within(conn: Connection) -> None:
            done = await conn.execute(
                """update federation.matter
                   set status = $2, changed_at = $3, entity = coalesce($5, entity)
                   where id = $1 and status = $4""",
                matter.id,
                status,
                self._wall(),
                matter.status,
                entity.id if entity else None,
            )
            if done != "UPDATE 1":
                raise errors.MatterStep(step=step[:40], status=matter.status)
            await self._step(conn, matter.id, status, _role(actor))
            await self._tell(conn, matter, status, _role(actor))

        if entity is not None:
            try:
                await self._context.write(Create(entity), actor=actor.name_for_audit, within=within)
            except EntityAlreadyExists as error:
                raise errors.MatterStep(step=step[:40], status=matter.status) from error
        else:
            async with self._db.acquire() as conn, conn.transaction():
                await within(conn)
                await self._audit(conn, actor.name_for_audit, f"federation:{step}", matter.id)
        self.sent()
        return await self.get(matter_id, kind)

    # --- by the other side --------------------------------------------------------------------

    async def hear(self, conn: Connection, link: Link, item: Item) -> None:
        """An item of the other side about a matter, in the transaction of its envelope."""
        if isinstance(item, Incident):
            attrs = clear_attributes(item.attrs, RAISED.get(item.type, frozenset()))
            body = {**write_item(item), "attrs": attrs}
            await self._arrive(conn, link, item.id, "incident", body, item.at, item.role)
        elif isinstance(item, Call):
            await self._arrive(conn, link, item.id, "call", write_item(item), item.at, item.role)
        elif isinstance(item, IncidentState | CallState):
            kind = "incident" if isinstance(item, IncidentState) else "call"
            row = await conn.fetchrow(
                "select status from federation.matter where id = $1 and peer = $2 and kind = $3",
                item.id,
                link.peer,
                kind,
            )
            status = told_status(kind, row["status"], item.status) if row else None
            if status is not None:
                await self._set(conn, item.id, status, f"{link.peer}:{item.role}"[:80])

    async def hear_cases(self, changes: Sequence[Change]) -> None:
        """What becomes of the case of an accepted call is told; heard twice, it is told once."""
        cases: dict[str, Entity] = {}
        for change in changes:
            if change.tenant or change.op == "delete" or case.STATE not in change.attrs:
                continue
            if not is_given(change.id, case.TYPE, self._city.code):
                continue
            entity = await self._context.find(change.id)
            ticket = entity.object(case.REF_REQUEST) if entity else None
            if entity is not None and ticket is not None:
                cases[ticket] = entity
        if not cases:
            return
        async with self._db.acquire() as conn, conn.transaction():
            rows = await conn.fetch(
                """select id, entity from federation.matter
                   where kind = 'call' and entity = any($1::text[]) order by id for update""",
                list(cases),
            )
            for row in rows:
                await self._follow(conn, row["id"], cases[row["entity"]])
        if rows:
            self.sent()

    async def _follow(self, conn: Connection, matter_id: str, found: Entity) -> None:
        await conn.execute(
            "update federation.matter set case_id = $2 where id = $1 and case_id is null",
            matter_id,
            found.id,
        )
        said = _OF_CASE.get(str(found.value(case.STATE)))
        matter = await self._load(conn, matter_id)
        status = told_status("call", matter.status, said) if said else None
        if status is not None:
            await self._set(conn, matter.id, status, "system")
            await self._tell(conn, matter, status, "system")

    # --- reading ------------------------------------------------------------------------------

    async def get(self, matter_id: str, kind: str) -> Matter:
        """A matter. Raises `MatterUnknown`."""
        async with self._db.acquire() as conn:
            matter = await self._load(conn, matter_id)
        if matter.kind != kind:
            raise errors.MatterUnknown(id=matter_id[:80])
        return matter

    async def list_all(
        self, kind: str, status: str | None, after: str | None
    ) -> tuple[list[Matter], str | None]:
        """Matters, the newest first; `after` is the id of the last one."""
        async with self._db.acquire() as conn:
            rows = await conn.fetch(
                """select id from federation.matter m where kind = $1
                     and ($2::text is null or status = $2)
                     and ($3::text is null or (at, id) <
                          (select at, id from federation.matter where id = $3))
                   order by at desc, id desc limit $4""",
                kind,
                status,
                after,
                _LISTED_MAX + 1,
            )
            found = [await self._load(conn, row["id"]) for row in rows[:_LISTED_MAX]]
        return found, found[-1].id if len(rows) > _LISTED_MAX else None

    # --- inside -------------------------------------------------------------------------------

    def _new_id(self) -> str:
        return f"{self._city.code}:{secrets.token_hex(8)}"

    async def _begin(
        self, peer: str, side: str, item: Item, kind: str, status: str, entity: str | None,
        actor: Actor,
    ) -> Matter:  # fmt: skip
        body = write_item(item)
        async with self._db.acquire() as conn, conn.transaction():
            link = await kept.get_link(conn, peer)
            if link.side != side or link.status != "active":
                raise errors.LinkInvalid(what="link", got=f"{peer}: {link.status}", known=side)
            waiting = await conn.fetchval(
                "select count(*) from federation.note where peer = $1", peer
            )
            if waiting >= NOTES_MAX:
                raise errors.OutboxFull(peer=peer, limit=NOTES_MAX)
            await conn.execute(
                "insert into federation.matter values ($1, $2, $3, true, $4, $5, $6, $7, $7)",
                *(body["id"], kind, peer, status, body, entity, self._wall()),
            )
            await self._step(conn, body["id"], status, _role(actor))
            await chains.add_note(conn, peer, body)
            await self._audit(conn, actor.name_for_audit, f"federation:{status}", body["id"])
            matter = await self._load(conn, body["id"])
        self.sent()
        return matter

    async def _arrive(
        self,
        conn: Connection,
        link: Link,
        matter_id: str,
        kind: str,
        body: dict[str, Any],
        at: datetime,
        role: str,
    ) -> None:
        if not matter_id.startswith(f"{link.peer}:") or len(matter_id) > 120:
            raise errors.ItemInvalid(kind=kind, reason=matter_id[:80])
        done = await conn.execute(
            """insert into federation.matter
               values ($1, $2, $3, false, 'delivered', $4, null, $5, $6) on conflict do nothing""",
            *(matter_id, kind, link.peer, body, at, self._wall()),
        )
        if done == "INSERT 0 1":
            await self._step(conn, matter_id, "delivered", f"{link.peer}:{role}"[:80])
            await self._tell(conn, await self._load(conn, matter_id), "delivered", "system")

    async def _set(self, conn: Connection, matter_id: str, status: str, who: str) -> None:
        await conn.execute(
            "update federation.matter set status = $2, changed_at = $3 where id = $1",
            matter_id,
            status,
            self._wall(),
        )
        await self._step(conn, matter_id, status, who)

    async def _step(self, conn: Connection, matter_id: str, status: str, who: str) -> None:
        await conn.execute(
            """insert into federation.matter_step
               select $1, coalesce(max(n), 0) + 1, $2, $3, $4
               from federation.matter_step where matter = $1""",
            *(matter_id, status, who, self._wall()),
        )

    async def _tell(self, conn: Connection, matter: Matter, status: str, role: str) -> None:
        kind = IncidentState if matter.kind == "incident" else CallState
        item = kind(matter.id, status, role, self._wall())
        await chains.add_note(conn, matter.peer, write_item(item))

    async def _load(self, conn: Connection, matter_id: str) -> Matter:
        row = await conn.fetchrow("select * from federation.matter where id = $1", matter_id)
        if row is None:
            raise errors.MatterUnknown(id=matter_id[:80])
        steps = await conn.fetch(
            "select n, status, who, at from federation.matter_step where matter = $1 order by n",
            matter_id,
        )
        return Matter(**dict(row), steps=tuple(Step(*one) for one in steps))

    def _ticket(self, matter: Matter) -> Entity | None:
        """The ticket that an accepted call becomes here. The title is not a resident's words, but
        stays with the matter all the same: an entity holds no prose."""
        if matter.kind != "call":
            return None
        body, city = matter.body, self._city
        if not (city.find_code("category", body["category"]) or city.find_category("other")):
            raise errors.LinkInvalid(
                what="category",
                got=body["category"],
                known=", ".join(c.code for c in city.categories),
            )
        attrs = {
            request.CATEGORY: property_of(body["category"]),
            request.STATUS: property_of("received"),
            request.SOURCE: property_of(matter.peer),
            request.TICKET: property_of(matter.id),
            request.REQUESTED_AT: property_of(self._context.clock.now()),
            request.PROVENANCE: property_of("measured"),
        }
        if body.get("district"):
            attrs[request.DISTRICT] = property_of(body["district"])
        local = matter.id.replace(":", "-")
        return Entity(urn(request.TYPE, self._city.code, local), (request.TYPE,), attrs)

    async def _audit(self, conn: Connection, actor: str, act: str, matter_id: str) -> None:
        body = audit.digest_of([matter_id.encode()])
        entry = AuditEntry(actor, act, f"matter:{matter_id}", body)
        await audit.record(conn, self._wall(), entry)


def _role(actor: Actor) -> str:
    """In which office somebody acts; his name stays at home."""
    return actor.roles[0] if actor.roles else actor.kind
