"""Takes what a folder says into the room: once, however often it is heard."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from nagara.context.room import Floor
from nagara.engines.database import Connection
from nagara.guard import audit
from nagara.guard.audit import AuditEntry
from nagara.network import kept
from nagara.network.archive import Found
from nagara.network.likeness import Proposal, propose, rows_as_titles
from nagara.network.model import Member, Row
from nagara.network.register import tell_members
from nagara.network.tables import shepherds
from nagara.vocab.project import ProjectBook, Status, YearNote, fold_name

Progress = Callable[[str, int, int], None]
BATCH = 2_000


class Loaded(Struct, frozen=True):
    """What a load changed; a second one changes nothing."""

    members_changed: int
    rows_changed: int
    matches_proposed: int
    titles_with_identity: int
    titles_undecided: int


class Loader:
    """The use case of `nagara network load`."""

    def __init__(self, floor: Floor, book: ProjectBook | None) -> None:
        self._floor, self._db, self._book = floor, floor.db, book
        self._wall = floor.guard.wall

    async def load(self, found: Found, by: str, tell: Progress) -> Loaded:
        """Keep everything found, propose matches, give identities to what is certain."""
        now = self._wall()
        async with self._db.acquire() as conn, conn.transaction():
            members = 0
            for n, member in enumerate(found.members.values()):
                tell("members", n, len(found.members))
                members += await _put_loaded(conn, member, now)
            await kept.put_printed(conn, found.printed)
            await kept.put_phases(conn, found.phases)
            await _put_shepherds(conn, now)
            rows = await self._rows(conn, found.rows, tell)
            proposed = await self._propose(conn, {row.member for row in found.rows}, tell)
            digest = audit.digest_of([msgspec.json.encode(found.rows)])
            entry = AuditEntry(by, "network:load", f"rows:{len(found.rows)}", digest)
            await audit.record(conn, now, entry)
        await tell_members(self._floor)
        named, undecided = await self.give_identities({row.member for row in found.rows}, by, tell)
        return Loaded(members, rows, proposed, named, undecided)

    async def _rows(self, conn: Connection, rows: Sequence[Row], tell: Progress) -> int:
        changed = 0
        for start in range(0, len(rows), BATCH):
            tell("rows", start, len(rows))
            part = rows[start : start + BATCH]
            await kept.put_titles(
                conn, [(r.member, fold_name(r.name), r.name, r.year) for r in part]
            )
        titles = await kept.titles_by_name(conn) if rows else {}
        for start in range(0, len(rows), BATCH):
            part = [
                replace(row, title=titles[row.member, fold_name(row.name)])
                for row in rows[start : start + BATCH]
            ]
            changed += await kept.put_rows(conn, part)
        await kept.count_years(conn, sorted({row.year for row in rows}))
        return changed

    async def _propose(self, conn: Connection, members: set[str], tell: Progress) -> int:
        """Proposals of all cities together, the likeliest first, so that they get low numbers."""
        by_city: dict[str, list[Row]] = defaultdict(list)
        for row in await kept.rows_of_members(conn, sorted(members)):
            by_city[row.member].append(row)
        found: list[Proposal] = []
        for n, rows in enumerate(by_city.values()):
            tell("likeness", n, len(by_city))
            with_identity = {row.title for row in rows if row.project}
            found += [p for p in propose(rows_as_titles(rows)) if p.later not in with_identity]
        found.sort(key=lambda p: (-p.score, p.later, p.earlier))
        return await kept.put_matches(
            conn, [(p.earlier, p.later, p.score, msgspec.to_builtins(p.reasons)) for p in found]
        )

    async def give_identities(self, members: set[str], by: str, tell: Progress) -> tuple[int, int]:
        """An identity for each title that nobody has to decide about; (with one, without)."""
        async with self._db.acquire() as conn:
            rows = await kept.rows_of_members(conn, sorted(members))
            waiting = {
                title
                for title in {row.title for row in rows if row.project is None}
                if await kept.open_for_later(conn, title)
            }
        titles = {row.title for row in rows}
        if self._book is None:
            return 0, len(titles)
        certain = [row for row in rows if row.title not in waiting]
        tell("identities", 0, len(certain))
        records = await self._book.register_many(
            [(row.member, row.country, note_of(row)) for row in certain], by
        )
        async with self._db.acquire() as conn, conn.transaction():
            pairs = {row.title: record.id for row, record in zip(certain, records, strict=True)}
            await kept.set_project(conn, list(pairs), list(pairs.values()))
        return len(titles - waiting), len(waiting)


def note_of(row: Row) -> YearNote:
    """What a row says, as the book of projects keeps it."""
    status: Status | None = row.status  # type: ignore[assignment]  # read from the same words
    return YearNote(row.year, row.name, f"{row.file}:{row.year}", row.focus, status)


async def _put_loaded(conn: Connection, member: Member, now: datetime) -> bool:
    """A file says nothing of status and focus: what people entered of them stays."""
    known = await kept.find_member(conn, member.code)
    if known is not None:
        member = replace(
            member,
            status=known.status,
            left_year=known.left_year,
            focus=known.focus,
            location=member.location or known.location,
        )
    return await kept.put_member(conn, member, now)


async def _put_shepherds(conn: Connection, now: datetime) -> None:
    if not await kept.list_terms(conn, "shepherd"):
        for term in shepherds():
            await kept.add_term(conn, term, now)
