"""What goes out: changes are noted by name, and sealed into envelopes when there is room.

A note of a change holds no content; what is sent is how the thing stands when the envelope is
sealed. So a week offline costs one row for each thing that changed, the newest state of everything
gets through, and the window of envelopes that wait for an acknowledgement is bounded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import date, datetime
from typing import Any

import msgspec
import structlog
from msgspec import Struct

from nagara.context import Change, Context, Entity, Query
from nagara.context.model import default_instance, plain_value
from nagara.engines.database import Connection, Database
from nagara.federation import chains, kept
from nagara.federation.clearance import clear_entity
from nagara.federation.envelope import ENVELOPE, digest_of
from nagara.federation.kept import Choice, Link
from nagara.federation.keys import OwnKeys
from nagara.federation.model import (
    ITEM_BYTES_MAX,
    ITEMS_MAX,
    SEAL_BYTES,
    VERSION,
    Gone,
    NewKey,
    Payload,
    Project,
    Thing,
    Value,
    enrolment,
    item_digest,
    write_item,
)
from nagara.guard.policy import KEPT_BY_ROOMS
from nagara.values.ids import given_pattern, is_given
from nagara.vocab import indicator, project
from nagara.vocab.federation import ValueBook
from nagara.vocab.project import ProjectBook

#: Envelopes on their way and not acknowledged: 100,000 items. Beyond, changes only keep their name.
WINDOW_MAX = 200
#: Acts that wait; an upper level that nobody reaches for months is a matter for people.
NOTES_MAX = 10_000
SEAL_EVERY_S = 0.5

#: Attributes that name a value's definition and period.
_NAMED_BY = (indicator.CODE, indicator.PERIOD_START, indicator.PERIOD_END)

log = structlog.get_logger("federation")
Said = dict[tuple[str, str], str | None]


class Batch(Struct):
    """What the next envelope holds, and what it settles."""

    items: list[dict[str, Any]] = []
    notes: list[int] = []
    dirty: list[tuple[str, str, int]] = []
    said: Said = {}
    too_large: list[tuple[str, str]] = []
    bytes: int = 0

    @property
    def is_full(self) -> bool:
        """Whether the envelope is to be closed."""
        return self.bytes >= SEAL_BYTES or len(self.items) >= ITEMS_MAX


class Outbox:
    """The room's outgoing side. `sealed` is called with the peer when an envelope is ready."""

    def __init__(
        self,
        context: Context,
        db: Database,
        own: str,
        keys: OwnKeys,
        values: ValueBook,
        projects: ProjectBook | None,
        wall: Callable[[], datetime],
    ) -> None:
        self._context = context
        self._db = db
        self._own = own
        self._keys = keys
        self._values = values
        self._projects = projects
        self._wall = wall
        self._choices: list[Choice] | None = None
        self._wake = asyncio.Event()
        self.sealed: Callable[[str], Awaitable[None]] = _nobody

    # --- noting -------------------------------------------------------------------------------

    def forget_choices(self) -> None:
        """The choices were changed: read them again."""
        self._choices = None
        self._wake.set()

    def wake(self) -> None:
        """There is something to seal."""
        self._wake.set()

    async def hear(self, changes: Sequence[Change]) -> None:
        """Note what changed of that which is published; heard twice, it is one note."""
        if self._choices is None:
            async with self._db.acquire() as conn:
                self._choices = await kept.list_choices(conn)
        choices = self._choices
        if not choices:
            return
        rows: dict[tuple[str, str, str], None] = {}
        for change in changes:
            if change.tenant or change.op == "temporal":
                continue
            for choice in choices:
                subject = _subject(choice, change)
                if subject is not None:
                    rows[(choice.peer, choice.kind, subject)] = None
        if rows:
            async with self._db.acquire() as conn:
                await chains.touch(conn, rows)
            self._wake.set()

    async def note_all(self, choice: Choice) -> int:
        """Note everything there is of a choice, page by page; how many."""
        own = None
        if choice.kind == "entity":
            types: tuple[str, ...] = (choice.type,)
        else:
            types = (indicator.VALUE_TYPE if choice.kind == "value" else project.TYPE,)
            own = given_pattern(types[0])
        after, total = None, 0
        while True:
            page = await self._context.query(
                Query(types=types, id_pattern=own, limit=500, after=after)
            )
            subjects = []
            for entity in page.entities:
                if choice.kind != "value":
                    subjects.append(entity.id)
                elif all(said := [entity.value(name) for name in _NAMED_BY]):
                    subjects.append("|".join(map(str, said)))
            async with self._db.acquire() as conn:
                await chains.touch(
                    conn, {(choice.peer, choice.kind, one): None for one in subjects}
                )
            total += len(subjects)
            after = page.next_cursor
            self._wake.set()
            if after is None:
                return total

    # --- sealing ------------------------------------------------------------------------------

    async def run(self) -> None:
        """Seals for the life of the city."""
        while True:
            async with self._db.acquire() as conn:
                ready = await kept.list_ready(conn, self._keys.current().kid, WINDOW_MAX)
            busy = False
            for peer in ready:
                busy |= await self.seal(peer)
            if busy:
                continue
            self._wake.clear()
            try:
                await asyncio.wait_for(self._wake.wait(), SEAL_EVERY_S * 10)
            except TimeoutError:
                continue
            await asyncio.sleep(SEAL_EVERY_S)  # what changes together goes together

    async def seal(self, peer: str) -> bool:
        """Seal one envelope for a peer, if there is anything and room for it."""
        async with self._db.acquire() as conn:
            link = await kept.find_link(conn, peer)
            if link is None or link.out_seq - link.out_acked >= WINDOW_MAX:
                return False
            if link.side == "member" and link.peer_kid is None:
                return False  # who does not know us yet has nothing to hear
            notes = await chains.list_notes(conn, peer, ITEMS_MAX)
            dirty = await chains.list_dirty(conn, peer, ITEMS_MAX) if link.side == "upper" else []
        batch = Batch()
        for number, body in notes:
            batch.items.append(body)
            batch.notes.append(number)
            batch.bytes += len(msgspec.json.encode(body))
            if batch.is_full:
                break
        if link.side == "upper" and link.status in ("active", "invited"):
            await self._gather(link, batch, dirty)
        greets = _greets(link) and link.out_seq == link.out_acked
        rotates = link.my_kid != self._keys.current().kid
        if not (batch.items or batch.dirty or greets or rotates):
            return False
        return await self._close(link, batch)

    async def _gather(
        self, link: Link, batch: Batch, dirty: Sequence[tuple[str, str, int]]
    ) -> None:
        async with self._db.acquire() as conn:
            choices = await kept.list_choices(conn, link.peer)
            # of things that are one item each, in one question
            single = [(kind, subject) for kind, subject, _ in dirty if kind != "value"]
            known = await chains.told(conn, link.peer, single)
        chosen = {(one.kind, one.type): frozenset(one.attrs) for one in choices}
        for kind, subject, mark in dirty:
            if batch.is_full:
                return
            if kind == "value":
                found = await self._value_items(link, subject, ("value", "") in chosen)
                async with self._db.acquire() as conn:
                    known.update(await chains.told(conn, link.peer, list(found)))
            elif kind == "project":
                found = await self._project_items(subject, ("project", "") in chosen)
            else:
                found = await self._entity_items(subject, chosen)
            for key, item in found.items():
                if batch.is_full:  # what is left of it stays noted; what was told is not told again
                    return
                self._put(batch, key, item, known.get(key))
            batch.dirty.append((kind, subject, mark))

    def _put(self, batch: Batch, key: tuple[str, str], item: Any | None, known: str | None) -> None:
        if item is None:
            if known is None:
                return
            raw = write_item(Gone(key[0], key[1], self._own, self._wall()))  # type: ignore[arg-type]  # a kind that was told
            digest = None
        else:
            raw = write_item(item)
            digest = item_digest(raw)
            if digest == known:
                return
        size = len(msgspec.json.encode(raw))
        if size > ITEM_BYTES_MAX:
            batch.too_large.append(key)
            return
        batch.items.append(raw)
        batch.said[key] = digest
        batch.bytes += size

    async def _value_items(self, link: Link, subject: str, chosen: bool) -> dict[Any, Any]:
        async with self._db.acquire() as conn:
            before = await chains.told_under(conn, link.peer, "value", subject + "|")
        found: dict[Any, Any] = {("value", one): None for one in before}
        code, _, span = subject.partition("|")
        try:
            start, end = map(date.fromisoformat, span.split("|")[:2])
        except ValueError:  # an entity of this type that names no period is no value of ours
            return found
        for own in await self._values.list_public(code, start, end) if chosen else ():
            said = own.value
            item = Value(
                code=said.code,
                start=said.period_start,
                end=said.period_end,
                unit=said.unit,
                status=own.status,
                author=self._own,
                at=own.at,
                area=said.area,
                breakdown=said.breakdown,
                value=None if own.hidden else said.value,
                numerator=None if own.hidden else said.numerator,
                denominator=None if own.hidden else said.denominator,
                quality="missing" if own.hidden or said.value is None else said.quality,
                formula_version=said.formula_version,
                hidden=own.hidden,
            )
            found[("value", item.subject)] = item
        return found

    async def _project_items(self, subject: str, chosen: bool) -> dict[Any, Any]:
        record = await self._projects.find(subject) if self._projects and chosen else None
        if record is None or not record.published or record.city != self._own:
            return {("project", subject): None}
        return {("project", subject): Project(record, self._own)}

    async def _entity_items(
        self, subject: str, chosen: dict[tuple[str, str], frozenset[str]]
    ) -> dict[Any, Any]:
        entity = await self._context.find(subject)
        key = ("entity", subject)
        if entity is None or entity.modified_at is None or self._is_stray(entity):
            return {key: None}
        wanted = [chosen[("entity", one)] for one in entity.types if ("entity", one) in chosen]
        if len(wanted) != len(entity.types):
            return {key: None}
        narrow = [one for one in wanted if one]
        attrs = clear_entity(
            entity.types,
            entity.attrs,
            frozenset.intersection(*narrow) if narrow else frozenset(),
        )
        if attrs is None:
            return {key: None}
        return {key: Thing(entity.id, entity.types, attrs, self._own, entity.modified_at)}

    def _is_stray(self, entity: Entity) -> bool:
        """Whether a client's own entity has a type of a room's: the city does not answer for it."""
        kept = KEPT_BY_ROOMS.intersection(entity.types)
        return any(not is_given(entity.id, one, self._own) for one in kept)

    async def _close(self, link: Link, batch: Batch) -> bool:
        """Sign and keep, in one transaction with what the envelope settles."""
        current = self._keys.current()
        at = self._wall()
        async with self._db.acquire() as conn, conn.transaction():
            now = await kept.get_link(conn, link.peer, lock=True)
            if now.out_seq != link.out_seq or now.my_kid != link.my_kid:
                return True  # somebody else sealed meanwhile: look again
            greets = _greets(now)
            key, items = current, batch.items
            if now.secret is None and now.my_kid != current.kid:
                key = self._keys.get(now.my_kid)
                items = [*items, write_item(NewKey(current.kid, current.x))]
            if items or greets:
                seq = now.out_seq + 1
                enrol = enrolment(now.secret, self._own, now.peer, key.kid) if now.secret else None
                payload = Payload(
                    v=VERSION, from_=self._own, to=now.peer, seq=seq, prev=now.out_digest,
                    at=at, items=items, enrol=enrol,
                )  # fmt: skip
                jws = key.sign(payload, ENVELOPE, show=greets or now.out_seq == 0)
                digest = digest_of(jws)
                await conn.execute(
                    "insert into federation.sealed values ($1, $2, $3, $4, $5)",
                    now.peer, seq, digest, jws, at,
                )  # fmt: skip
                await kept.set_link(
                    conn, now.peer, out_seq=seq, out_digest=digest, my_kid=current.kid
                )
                await chains.tell(conn, now.peer, seq, batch.said)
            await self._settle(conn, now.peer, batch, at)
        if items or greets:
            await self.sealed(link.peer)
        return True

    async def _settle(self, conn: Connection, peer: str, batch: Batch, at: datetime) -> None:
        await chains.clean(conn, peer, batch.dirty)
        await conn.execute("delete from federation.note where id = any($1::bigint[])", batch.notes)
        for kind, subject in batch.too_large:
            params = {"bytes": ITEM_BYTES_MAX, "what": f"{kind} {subject}"[:200]}
            await chains.refuse(
                conn, at, self._own, "outbox", None, "federation-too-large", params, ""
            )


async def _nobody(_peer: str) -> None:
    return None


def _greets(link: Link) -> bool:
    """Whether our key is yet to be shown: to an upper level with the code, to a member at first."""
    return link.secret is not None or (link.side == "member" and link.out_seq == 0)


def _subject(choice: Choice, change: Change) -> str | None:
    if choice.kind == "entity":
        return change.id if choice.type in change.types else None
    if choice.kind == "project":
        return change.id if is_given(change.id, project.TYPE) else None
    if not is_given(change.id, indicator.VALUE_TYPE):
        return None
    said = [default_instance(change.attrs.get(name)) for name in _NAMED_BY]
    return "|".join(str(plain_value(one)) for one in said if one) if all(said) else None
