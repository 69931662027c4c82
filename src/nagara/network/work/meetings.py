"""Meetings at work: called, papers laid, attended, decided, followed up."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from nagara.engines.database import Connection
from nagara.guard.identity import Actor
from nagara.network.work import errors, kept
from nagara.network.work.checks import TITLE_CHARACTERS_MAX, WORDS_CHARACTERS_MAX, demand_text
from nagara.network.work.meeting_model import (
    PRESENT,
    Action,
    Decision,
    Item,
    Meeting,
    Presence,
    carried,
    demand_decidable,
)
from nagara.network.work.needs import Exchange
from nagara.network.work.rights import offices_of
from nagara.network.work.rows import Table
from nagara.values.time import format_instant

PAPER_BYTES_MAX = 20_000_000  # a scanned report of a hundred pages
SEATS_MAX, ITEMS_MAX, DECISIONS_MAX, CARRIED_MAX = 100, 200, 200, 100
_NAME = re.compile(r"[\w][\w .()-]{0,118}[\w)]")
_OWNER = re.compile(r"secretariat|(?:country|city|partner):[A-Za-z0-9._-]{1,80}")
MEETINGS, ACTIONS = Table("meeting", Meeting), Table("action", Action)


class Meetings:
    """The use cases around meetings. `files`: folder of the papers, by their hash."""

    def __init__(self, exchange: Exchange, files: Path) -> None:
        self._exchange = exchange
        self.db = exchange.db
        self._files = files

    def now(self) -> datetime:
        """The city's time."""
        return self._exchange.now()

    def today(self) -> date:
        """The day in the city's zone."""
        return self._exchange.today()

    async def get(self, conn: Connection, code: str) -> Meeting:
        """Raises `WorkUnknown`."""
        found: Meeting | None = await MEETINGS.find(conn, code)
        if found is None:
            raise errors.WorkUnknown(what="meeting", id=code[:80])
        return found

    async def call(self, meeting: Meeting, actor: Actor) -> Meeting:
        """Call a meeting; open actions of the body's earlier ones stand on its agenda."""
        demand_text("title", meeting.title, TITLE_CHARACTERS_MAX, empty=False)
        demand_text("body", meeting.body, 80, empty=False)
        demand_text("place", meeting.place, TITLE_CHARACTERS_MAX)
        if not 0 < len(set(meeting.seats)) == len(meeting.seats) <= SEATS_MAX:
            raise errors.WorkInvalid(name="seats", reason=f"1 to {SEATS_MAX}, each once")
        if not 0 < meeting.quorum_of <= meeting.quorum_in <= SEATS_MAX:
            raise errors.WorkInvalid(name="quorum", reason="a share such as 2 in 3")
        async with self.db.acquire() as conn, conn.transaction():
            rows = await conn.fetch(
                f"select {ACTIONS.list} from network_work.action"  # noqa: S608 - of our types
                " where body = $1 and done_at is null order by due_on, id limit $2",
                meeting.body,
                CARRIED_MAX,
            )
            number = await kept.next_number(conn, f"meeting-{meeting.starts_at.year}")
            made = replace(
                meeting,
                id=f"meeting-{meeting.starts_at.year}-{number:04}",
                agenda=carried([ACTIONS.read(row) for row in rows]),
            )
            await MEETINGS.insert(conn, made)
            await self._exchange.audit(conn, actor, "meeting", made)
        return made

    async def change(
        self, code: str, actor: Actor, act: str, decide: Callable[[Meeting], Meeting]
    ) -> Meeting:
        """Read and lock a meeting, decide, write."""
        async with self.db.acquire() as conn, conn.transaction():
            await conn.execute(
                "select 1 from network_work.meeting where id = $1 for update", code[:200]
            )
            found = await self.get(conn, code)
            made = replace(decide(found), version=found.version + 1)
            await MEETINGS.update(conn, made, found.version)
            await self._exchange.audit(conn, actor, act, made)
        return made

    async def add_item(self, code: str, title: str, words: str, actor: Actor) -> Meeting:
        """A point more on the agenda, until the meeting is closed."""
        demand_text("title", title, TITLE_CHARACTERS_MAX, empty=False)
        demand_text("words", words, WORDS_CHARACTERS_MAX)

        def decide(found: Meeting) -> Meeting:
            _demand_state(found, "agenda", "called", "running")
            if len(found.agenda) >= ITEMS_MAX:
                raise errors.TooMany(limit=ITEMS_MAX)
            return replace(found, agenda=(*found.agenda, Item(len(found.agenda) + 1, title, words)))

        return await self.change(code, actor, "agenda", decide)

    async def attend(self, code: str, seat: str, presence: Presence, actor: Actor) -> Meeting:
        """Note whether a seat is there."""

        def decide(found: Meeting) -> Meeting:
            _demand_state(found, "attendance", "called", "running")
            if seat not in found.seats:
                raise errors.WorkInvalid(name=seat[:40], reason="no such seat")
            return replace(found, attendance=found.attendance | {seat: presence})

        return await self.change(code, actor, "attendance", decide)

    async def begin(self, code: str, actor: Actor) -> Meeting:
        """The meeting begins, with or without quorum: without one nothing is decided."""

        def decide(found: Meeting) -> Meeting:
            _demand_state(found, "begin", "called")
            return replace(found, state="running")

        return await self.change(code, actor, "begin", decide)

    async def close(self, code: str, actor: Actor) -> Meeting:
        """The meeting is over: agenda, attendance and decisions stand. Actions go on."""

        def decide(found: Meeting) -> Meeting:
            _demand_state(found, "close", "running")
            return replace(found, state="closed")

        return await self.change(code, actor, "close", decide)

    async def decide(
        self,
        code: str,
        item: int | None,
        words: str,
        positions: dict[str, dict[str, str]],
        actor: Actor,
    ) -> Meeting:
        """Keep a decision. Raises `NoQuorum`, `Objected`, `WordsMissing`."""
        demand_text("words", words, WORDS_CHARACTERS_MAX, empty=False)
        for seat, said in positions.items():
            if said.get("position") == "object" and not said.get("words", "").strip():
                raise errors.WordsMissing(act=f"object ({seat[:10]})")

        def made(found: Meeting) -> Meeting:
            demand_decidable(found, item, positions)
            if len(found.decisions) >= DECISIONS_MAX:
                raise errors.TooMany(limit=DECISIONS_MAX)
            there = sum(p in PRESENT for p in found.attendance.values())
            decision = Decision(
                len(found.decisions) + 1, item, words.strip(), positions,
                format_instant(self.now()), there,
            )  # fmt: skip
            return replace(found, decisions=(*found.decisions, decision))

        return await self.change(code, actor, "decision", made)

    async def add_action(
        self, code: str, item: int | None, words: str, owner: str, due_on: date, actor: Actor
    ) -> Action:
        """Somebody takes something on, until a day."""
        demand_text("words", words, WORDS_CHARACTERS_MAX, empty=False)
        if not _OWNER.fullmatch(owner):
            raise errors.WorkInvalid(name="owner", reason="country:TH, city:…, secretariat")
        async with self.db.acquire() as conn, conn.transaction():
            found = await self.get(conn, code)
            if item is not None and item not in {one.n for one in found.agenda}:
                raise errors.WorkInvalid(name="item", reason="no such point of the agenda")
            now = self.now()
            number = await kept.next_number(conn, f"action-{now.year}")
            made = Action(
                f"action-{now.year}-{number:05}", code, found.body, item, words.strip(), owner,
                due_on, now,
            )  # fmt: skip
            await ACTIONS.insert(conn, made)
            await self._exchange.audit(conn, actor, "action", made)
        return made

    async def done(self, code: str, words: str, actor: Actor) -> Action:
        """Its owner reports that an action is done, and how."""
        if not words.strip():
            raise errors.WordsMissing(act="done")
        demand_text("words", words, WORDS_CHARACTERS_MAX)
        async with self.db.acquire() as conn, conn.transaction():
            found: Action | None = await ACTIONS.find(conn, code)
            if found is None:
                raise errors.WorkUnknown(what="action", id=code[:80])
            if not offices_of(actor).is_owner(found.owner):
                raise errors.WorkNotYours(office=found.owner, of=found.owner)
            if found.done_at is not None:
                raise errors.WorkTaken(id=found.id)
            made = replace(
                found, done_at=self.now(), done_words=words.strip(), done_by=actor.name_for_audit
            )
            await conn.execute(
                "update network_work.action set done_at = $2, done_words = $3, done_by = $4"
                " where id = $1",
                made.id,
                made.done_at,
                made.done_words,
                made.done_by,
            )
            await self._exchange.audit(conn, actor, "action", made)
        return made

    # --- papers -----------------------------------------------------------------------------

    async def add_paper(
        self, code: str, name: str, title: str, item: int | None, content: bytes, actor: Actor
    ) -> dict[str, Any]:
        """Keep a version of a paper; the same content again is the same version."""
        if not _NAME.fullmatch(name):
            raise errors.WorkInvalid(name="name", reason="a file name")
        demand_text("title", title, TITLE_CHARACTERS_MAX)
        if not 0 < len(content) <= PAPER_BYTES_MAX:
            raise errors.TooMany(limit=f"{PAPER_BYTES_MAX} bytes")
        digest = hashlib.sha256(content).hexdigest()
        await asyncio.to_thread(_keep, self._files, digest, content)
        async with self.db.acquire() as conn, conn.transaction():
            await conn.execute(
                "select 1 from network_work.meeting where id = $1 for update", code[:200]
            )
            meeting = await self.get(conn, code)
            known = await conn.fetchrow(
                "select version, sha256 from network_work.paper where meeting = $1 and name = $2"
                " order by version desc limit 1",
                code,
                name,
            )
            version = known["version"] if known else 0
            if known is None or known["sha256"] != digest:
                version += 1
                await conn.execute(
                    "insert into network_work.paper values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                    code, name, version, title or name, item, digest, len(content), self.now(),
                    actor.name_for_audit,
                )  # fmt: skip
                await self._exchange.audit(conn, actor, "paper", meeting)
        return {"name": name, "version": version, "sha256": digest, "bytes": len(content)}

    async def read_paper(self, code: str, name: str, version: int | None) -> tuple[bytes, str]:
        """The content of a version, the newest where none is named, and its hash."""
        async with self.db.acquire() as conn:
            row = await conn.fetchrow(
                "select sha256 from network_work.paper where meeting = $1 and name = $2"
                " and ($3::int is null or version = $3) order by version desc limit 1",
                code,
                name,
                version,
            )
        if row is None:
            raise errors.WorkUnknown(what="paper", id=name[:80])
        content = await asyncio.to_thread((self._files / row["sha256"]).read_bytes)
        return content, row["sha256"]


def _keep(folder: Path, digest: str, content: bytes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / digest
    if not path.exists():
        fresh = path.with_suffix(".new")
        fresh.write_bytes(content)
        fresh.replace(path)


def _demand_state(meeting: Meeting, act: str, *states: str) -> None:
    if meeting.state not in states:
        raise errors.StepNotPossible(
            act=act, state=meeting.state, why="state", possible=", ".join(states)
        )
