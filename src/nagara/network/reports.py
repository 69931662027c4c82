"""The yearly report: asked of the rows once, frozen, sent on its way."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from nagara.engines.database import Connection, Database
from nagara.guard import audit
from nagara.guard.audit import AuditEntry
from nagara.network import errors, kept
from nagara.network.figures import (
    ROWS_MAX,
    Became,
    Figures,
    count,
    sha256_of,
    title_key,
    what_became,
)
from nagara.network.model import next_stage
from nagara.network.printed import compare
from nagara.network.tables import countries
from nagara.vocab.project import ENDED, ProjectBook

_decode = msgspec.json.Decoder(Figures).decode
_BOOK_PAGE = 1_000


class Edition(Struct, frozen=True):
    """Figures as they are given out: live (`version` None), or a frozen version."""

    figures: Figures
    as_of: datetime
    sha256: str
    version: int | None = None
    stage: str | None = None


class Version(Struct, frozen=True):
    """A frozen version, without its figures."""

    year: int
    version: int
    stage: str
    sha256: str
    by: str
    at: datetime


class Step(Struct, frozen=True):
    """A step of a version on its way."""

    n: int
    before: str | None
    after: str
    words: str
    by: str
    at: datetime


class Reports:
    """The room's use cases around reports."""

    def __init__(
        self, db: Database, book: ProjectBook | None, wall: Callable[[], datetime]
    ) -> None:
        self._db, self._book, self._wall = db, book, wall

    async def edition(self, year: int, version: int | None = None) -> Edition:
        """A report's figures: of a frozen version, or as the rows are now.

        Raises `ReportYearUnknown`, `ReportVersionUnknown`, `ReportSpoilt`.
        """
        if version is not None:
            return await self._frozen(year, version)
        figures = await self.figures(year)
        digest = await asyncio.to_thread(sha256_of, figures)
        return Edition(figures, self._wall(), digest)

    async def figures(self, year: int) -> Figures:
        """The one query. Raises `ReportYearUnknown`."""
        async with self._db.acquire() as conn, conn.transaction(isolation="repeatable_read"):
            rows = await kept.rows_of_year(conn, year, ROWS_MAX)
            known = [row["year"] for row in await kept.years(conn)]
            if not rows:
                raise errors.ReportYearUnknown(year=year, known=", ".join(map(str, known)) or "–")
            earlier = max((y for y in known if y < year), default=None)
            before = await kept.rows_of_year(conn, earlier, ROWS_MAX) if earlier else []
            seen = await kept.titles_before(conn, earlier) if earlier else frozenset()
            names = {m.code: m.name for m in await kept.list_members(conn, limit=None)}
            members = await kept.count_members(conn, year)
            printed = await kept.list_printed(conn, year)
        ended, parts = await self._ended(earlier, year) if earlier else ({}, {})

        def work() -> Figures:
            made = count(year, rows, before, seen, ended, names, countries(), members, parts)
            return msgspec.structs.replace(made, differences=compare(made, printed))

        return await asyncio.to_thread(work)

    async def became(self, earlier: int, later: int, kind: str | None) -> Became:
        """What became of the rows of one year by another. Raises `ReportYearUnknown`."""
        async with self._db.acquire() as conn, conn.transaction(isolation="repeatable_read"):
            before = await kept.rows_of_year(conn, earlier, ROWS_MAX)
            rows = await kept.rows_of_year(conn, later, ROWS_MAX)
            known = ", ".join(str(row["year"]) for row in await kept.years(conn)) or "–"
            for year, found in ((earlier, before), (later, rows)):
                if not found:
                    raise errors.ReportYearUnknown(year=year, known=known)
            if earlier >= later:
                raise errors.FilterInvalid(field="from", got=str(earlier), why=f"< {later}")
            seen = await kept.titles_before(conn, earlier)
        ended, parts = await self._ended(earlier, later)
        return what_became(before, rows, seen, ended, lambda one: kind in (None, one), parts)

    async def _ended(
        self, earlier: int, later: int
    ) -> tuple[Mapping[str, str], Mapping[int, Sequence[int]]]:
        """Projects of the earlier year that the book says have ended by the later one, and the
        titles that each was split into."""
        async with self._db.acquire() as conn:
            settled = await kept.ended_titles(conn)
        # The book gives a merged project's notes to the one that took it in: what was decided
        # about the names is known here.
        found = {title_key(title): kind for title, _, kind in settled}
        parts: dict[int, list[int]] = {}
        for title, part, kind in settled:
            if kind == "split":
                parts.setdefault(title, []).append(part)
        if self._book is None:
            return found, parts
        after: str | None = None
        while True:
            records, after = await self._book.list_projects(
                year=earlier, after=after, limit=_BOOK_PAGE
            )
            for one in records:
                if one.state in ENDED and (one.ended_year is None or one.ended_year <= later):
                    found[one.id] = one.state
            if after is None:
                return found, parts

    # --- on its way -------------------------------------------------------------------------

    async def freeze(self, year: int, by: str, words: str = "") -> Version:
        """Freeze the figures of a year as a new draft. Raises `ReportYearUnknown`."""
        figures = await self.figures(year)
        data = await asyncio.to_thread(msgspec.json.encode, figures, order="sorted")
        digest = sha256_of(figures)
        at = self._wall()
        async with self._db.acquire() as conn, conn.transaction():
            await conn.execute("select pg_advisory_xact_lock(hashtext('network.report'), $1)", year)
            number = int(
                await conn.fetchval(
                    "insert into network.report (year, version, sha256, figures, by, at)"
                    " select $1, coalesce(max(version), 0) + 1, $2, $3, $4, $5"
                    " from network.report where year = $1 returning version",
                    year, digest, zlib.compress(data), by, at,
                )
            )  # fmt: skip
            await _step(conn, year, number, None, "draft", words, by, at)
            await self._audit(conn, by, "network:draft", year, number, digest)
        return Version(year, number, "draft", digest, by, at)

    async def move(self, year: int, version: int, wanted: str, words: str, by: str) -> Version:
        """Take a version a stage on, or back with words.

        Raises `ReportVersionUnknown`, `ReportStepRefused`.
        """
        at = self._wall()
        async with self._db.acquire() as conn, conn.transaction():
            stage = await conn.fetchval(
                "select stage from network.report where year = $1 and version = $2 for update",
                year, version,
            )  # fmt: skip
            if stage is None:
                raise errors.ReportVersionUnknown(year=year, version=version)
            after = next_stage(stage, wanted, words)
            await conn.execute(
                "update network.report set stage = $3 where year = $1 and version = $2",
                year, version, after,
            )  # fmt: skip
            await _step(conn, year, version, stage, after, words, by, at)
            await self._audit(conn, by, f"network:{after}", year, version, words)
        (found,) = [v for v in await self.list_versions(year) if v.version == version]
        return found

    async def list_versions(self, year: int | None = None) -> list[Version]:
        """Frozen versions, the newest year and version first."""
        async with self._db.acquire() as conn:
            rows = await conn.fetch(
                "select year, version, stage, sha256, by, at from network.report"
                " where $1::int is null or year = $1 order by year desc, version desc limit 1000",
                year,
            )
        return [Version(**dict(row)) for row in rows]

    async def list_steps(self, year: int, version: int) -> list[Step]:
        """The steps of a version."""
        async with self._db.acquire() as conn:
            rows = await conn.fetch(
                "select n, before, after, words, by, at from network.report_step"
                " where year = $1 and version = $2 order by n",
                year, version,
            )  # fmt: skip
        return [Step(**dict(row)) for row in rows]

    async def _frozen(self, year: int, version: int) -> Edition:
        async with self._db.acquire() as conn:
            row = await conn.fetchrow(
                "select stage, sha256, figures, at from network.report"
                " where year = $1 and version = $2",
                year, version,
            )  # fmt: skip
        if row is None:
            raise errors.ReportVersionUnknown(year=year, version=version)
        figures = _decode(zlib.decompress(row["figures"]))
        if sha256_of(figures) != row["sha256"]:
            raise errors.ReportSpoilt(year=year, version=version)
        return Edition(figures, row["at"], row["sha256"], version, row["stage"])

    async def _audit(
        self, conn: Connection, by: str, act: str, year: int, version: int, said: str
    ) -> None:
        digest = audit.digest_of([said.encode()])
        entry = AuditEntry(by, act, f"report:{year}:{version}", digest)
        await audit.record(conn, self._wall(), entry)


async def _step(
    conn: Connection, year: int, version: int, before: str | None, after: str, words: str,
    by: str, at: datetime,
) -> None:  # fmt: skip
    await conn.execute(
        "insert into network.report_step (year, version, n, before, after, words, by, at)"
        " select $1, $2, count(*) + 1, $3, $4, $5, $6, $7 from network.report_step"
        " where year = $1 and version = $2",
        year, version, before, after, words, by, at,
    )  # fmt: skip
