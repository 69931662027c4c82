"""What people do in the network: members, offices, notices of change, matches."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Literal

import msgspec

from nagara.context.room import Floor
from nagara.engines.database import Connection
from nagara.guard import audit
from nagara.guard.audit import AuditEntry
from nagara.guard.identity import Actor
from nagara.network import errors, kept
from nagara.network.loading import Loader, note_of
from nagara.network.model import (
    MEMBER_STATUSES,
    YEAR_MAX,
    YEAR_MIN,
    Member,
    Row,
    Term,
    demand_term,
)
from nagara.network.register import tell_members
from nagara.network.tables import countries
from nagara.vocab.project import FOCUS_AREAS, ProjectBook, fold_name

TEXT_CHARACTERS_MAX = 2_000
_CODE_CHARACTERS_MAX = 80
SPLIT_MIN = 2  # into one is a change of name


class Network:
    """The room's use cases."""

    def __init__(self, floor: Floor, book: ProjectBook | None) -> None:
        self._floor, self.db, self.book = floor, floor.db, book
        self.loader = Loader(floor, book)

    def today(self) -> date:
        """The hub's day."""
        return self._floor.city.calendar.local_day(self._floor.context.clock.now())

    def now(self) -> datetime:
        """Wall time: what people settle here is settled in the world, not in a replay."""
        return self._floor.guard.wall()

    # --- members ----------------------------------------------------------------------------

    async def get_member(self, code: str) -> Member:
        """The member of a code. Raises `MemberUnknown`."""
        async with self.db.acquire() as conn:
            found = await kept.find_member(conn, code)
        if found is None:
            raise errors.MemberUnknown(code=code[:_CODE_CHARACTERS_MAX])
        return found

    async def put_member(self, member: Member, actor: Actor) -> Member:
        """Keep a member. `version` 0: it is new. Raises `MemberInvalid`, `MemberChanged`."""
        _demand_member(member)
        async with self.db.acquire() as conn, conn.transaction():
            known = await kept.find_member(conn, member.code)
            if (known.version if known else 0) != member.version:
                raise errors.MemberChanged(code=member.code)
            await kept.put_member(conn, member, self.now())
            await self._audit(conn, actor, "network:member", member.code, member)
            found = await kept.find_member(conn, member.code)
        assert found is not None
        await tell_members(self._floor)
        return found

    # --- offices ----------------------------------------------------------------------------

    async def add_term(self, term: Term, actor: Actor) -> Term:
        """A term of office. Raises `TermInvalid`."""
        async with self.db.acquire() as conn, conn.transaction():
            await self._demand_term(conn, term)
            number = await kept.add_term(conn, term, self.now())
            await self._audit(conn, actor, "network:term", f"term:{number}", term)
        return msgspec.structs.replace(term, id=number)

    async def announce(self, term: Term, words: str, actor: Actor) -> kept.Notice:
        """Announce who follows in an office and from when. Raises `TermInvalid`."""
        if len(words) > TEXT_CHARACTERS_MAX:
            raise errors.TermInvalid(
                role=term.role[:40], scope=term.scope[:80], why=f"words ≤ {TEXT_CHARACTERS_MAX}"
            )
        async with self.db.acquire() as conn, conn.transaction():
            await self._demand_term(conn, term)
            holds = await kept.find_term(conn, term.role, term.scope, term.starts)
            number = await kept.add_notice(
                conn, term, words, holds.id if holds else None, actor.name_for_audit, self.now()
            )
            await self._audit(conn, actor, "network:announce", f"notice:{number}", term)
            found = await kept.find_notice(conn, number)
        assert found is not None
        return found

    async def settle_notice(
        self, notice_id: int, confirm: bool, words: str, actor: Actor
    ) -> kept.Notice:
        """Confirm a change, so that the old term ends and the new one begins; or refuse it.

        Raises `NoticeUnknown`, `NoticeSettled`, `OwnNotice`.
        """
        async with self.db.acquire() as conn, conn.transaction():
            notice = await kept.find_notice(conn, notice_id)
            if notice is None:
                raise errors.NoticeUnknown(id=notice_id)
            if notice.state != "announced":
                raise errors.NoticeSettled(id=notice_id, state=notice.state)
            own = notice.announced_by == actor.name_for_audit
            if own and not self._floor.guard.open_mode:
                raise errors.OwnNotice(id=notice_id)
            number = None
            if confirm:
                if notice.replaces is not None:
                    last = notice.from_on - timedelta(days=1)
                    await kept.end_term(conn, notice.replaces, last)
                term = Term(
                    notice.role, notice.scope, notice.from_on, notice.until_on,
                    f"notice {notice_id}", notice.office, notice.account,
                )  # fmt: skip
                number = await kept.add_term(conn, term, self.now())
            state: Literal["confirmed", "refused"] = "confirmed" if confirm else "refused"
            await kept.settle_notice(
                conn, notice_id, state, actor.name_for_audit, self.now(), number
            )
            await self._audit(conn, actor, f"network:{state}", f"notice:{notice_id}", words)
            found = await kept.find_notice(conn, notice_id)
        assert found is not None
        return found

    async def _demand_term(self, conn: Connection, term: Term) -> None:
        member = await kept.find_member(conn, term.scope) if term.role == "chief" else None
        members = {term.scope: member} if member else {}
        demand_term(term, members, {c: n["en"] for c, n in countries().items()})

    # --- matches ----------------------------------------------------------------------------

    async def settle_match(
        self,
        match_id: int,
        confirm: bool,
        kind: str,
        note: str,
        actor: Actor,
        others: Sequence[int] = (),
    ) -> kept.Match:
        """Say whether a later title is an earlier project under another name (`renamed`), took it
        in (`merged`), is one of several that it became (`split`; `others`: the proposals of the
        other parts), or is another. Identities follow in the book of projects.

        Raises `MatchUnknown`, `MatchSettled`, `MatchWithoutBook`, `SplitAlone`, and the book's
        Problems.
        """
        book, by = self.book, actor.name_for_audit
        if book is None:
            raise errors.MatchWithoutBook()
        async with self.db.acquire() as conn, conn.transaction():
            match = await kept.find_match(conn, match_id, lock=True)
            if match is None:
                raise errors.MatchUnknown(id=match_id)
            if match.state != "proposed":
                raise errors.MatchSettled(id=match_id, why=match.state)
            settled = {match_id: match.later}
            if confirm and kind == "split":
                settled |= dict(await kept.open_parts(conn, match.earlier, others))
                await self._split(conn, match, list(settled.values()), by)
            elif confirm:
                await self._join(conn, match, kind, by)
            state = "confirmed" if confirm else "rejected"
            for one in settled:
                await kept.settle_match(
                    conn, one, state, kind if confirm else None, note[:TEXT_CHARACTERS_MAX], by,
                    self.now(),
                )  # fmt: skip
                await self._audit(conn, actor, f"network:{state}", f"match:{one}", [kind, note])
        await self.loader.give_identities({match.member}, by, _silently)
        async with self.db.acquire() as conn:
            found = await kept.find_match(conn, match_id)
        assert found is not None
        return found

    async def _join(self, conn: Connection, match: kept.Match, kind: str, by: str) -> None:
        """The identities of a confirmed match. What the book does, it does once."""
        assert self.book is not None
        if match.earlier_project is None:
            raise errors.MatchSettled(id=match.id, why="earlier-undecided")
        rows = await self._rows_of(conn, match.member, [match.later])
        year, source = match.later_first, rows[0].file if rows else ""
        if kind == "renamed":
            if match.later_project not in (None, match.earlier_project):
                raise errors.MatchSettled(id=match.id, why="later-has-identity")
            await self.book.rename(match.earlier_project, match.later_name, year, source, by)
            for row in rows:
                await self.book.note_year(match.earlier_project, note_of(row), by)
            await kept.set_project(conn, [match.later], [match.earlier_project])
            return
        into = match.later_project
        if into is None:
            records = await self.book.register_many(
                [(row.member, row.country, note_of(row)) for row in rows], by
            )
            into = records[0].id
            await kept.set_project(conn, [match.later], [into])
        await self.book.merge(match.earlier_project, into, year, source, by)

    async def _split(
        self, conn: Connection, match: kept.Match, titles: Sequence[int], by: str
    ) -> None:
        """The earlier project ends; each later title is a project that was split from it."""
        assert self.book is not None
        if match.earlier_project is None:
            raise errors.MatchSettled(id=match.id, why="earlier-undecided")
        if len(titles) < SPLIT_MIN:
            raise errors.SplitAlone(id=match.id)
        rows = await self._rows_of(conn, match.member, titles)
        if any(row.project is not None for row in rows):
            raise errors.MatchSettled(id=match.id, why="later-has-identity")
        names = {row.title: row.name for row in rows}
        source = rows[0].file if rows else ""
        parts = await self.book.split(
            match.earlier_project, list(names.values()), match.later_first, source, by
        )
        by_name = {fold_name(part.name): part.id for part in parts}
        found = {title: by_name[fold_name(name)] for title, name in names.items()}
        for row in rows:
            await self.book.note_year(found[row.title], note_of(row), by)
        await kept.set_project(conn, list(found), list(found.values()))

    async def _rows_of(self, conn: Connection, member: str, titles: Sequence[int]) -> list[Row]:
        rows = await kept.rows_of_members(conn, [member])
        return [row for row in rows if row.title in titles]

    async def _audit(
        self, conn: Connection, actor: Actor, act: str, subject: str, said: Any
    ) -> None:
        digest = audit.digest_of([msgspec.json.encode(said)])
        entry = AuditEntry(actor.name_for_audit, act, subject, digest)
        await audit.record(conn, self.now(), entry)


def _silently(_step: str, _done: int, _total: int) -> None:
    return


def _demand_member(member: Member) -> None:
    """Raises `MemberInvalid` with the field that cannot be."""
    lon, lat = member.location or (0.0, 0.0)
    wrong = {
        "code": not 0 < len(member.code) <= _CODE_CHARACTERS_MAX,
        "name": not member.name.get("en") or any(len(n) > 300 for n in member.name.values()),
        "country": member.country not in countries(),
        "joinedYear": not YEAR_MIN <= member.joined_year <= YEAR_MAX,
        "leftYear": member.left_year is not None and member.left_year < member.joined_year,
        "status": member.status not in MEMBER_STATUSES,
        "location": not (-180 <= lon <= 180 and -90 <= lat <= 90),
        "focus": any(code not in FOCUS_AREAS for code in member.focus),
        "source": not 0 < len(member.source.strip()) <= TEXT_CHARACTERS_MAX,
    }
    found = [name for name, bad in wrong.items() if bad]
    if found:
        raise errors.MemberInvalid(fields=", ".join(found))
