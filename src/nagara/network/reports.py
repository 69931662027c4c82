"""The yearly report: asked of the rows once, frozen, sent on its way."""

from __future__ import annotations

import asyncio
import hashlib
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from nagara.engines.database import Connection, Database
from nagara.guard import audit
from nagara.guard.audit import AuditEntry
from nagara.network import errors, kept
from nagara.network.figures import (
    FRESH,
    ROWS_MAX,
    Became,
    Ended,
    Fate,
    Figures,
    Tally,
    count,
    in_order,
    lines_of,
    names_of,
    sha256_of,
    tally,
    what_became,
)
from nagara.network.model import Row, Signs, fate_of, next_stage
from nagara.network.printed import compare
from nagara.network.tables import countries
from nagara.vocab.project import ProjectBook

_decode = msgspec.json.Decoder(Figures).decode


class Edition(Struct, frozen=True):
    """Figures as they are given out: live (`version` None), or a frozen version. `sha256` is of
    the figures with all rows; empty where those were not read."""

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


class AfterFate(Struct, frozen=True):
    """Where a page of what became of rows ended; `fresh`: among those that are new."""

    fresh: bool
    place: kept.Place


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
        """A report with all its rows: of a frozen version, or as they are now.

        Raises `ReportYearUnknown`, `ReportTooLong`, `ReportVersionUnknown`, `ReportSpoilt`.
        """
        if version is not None:
            return await self._frozen(year, version)
        figures = await self.figures(year)
        digest = await asyncio.to_thread(sha256_of, figures)
        return Edition(figures, self._wall(), digest)

    async def counted(self, year: int, version: int | None = None) -> Edition:
        """The figures of a report without its rows; live ones have no hash, for that is of all.

        Raises as `edition` does, but no report is too long to be counted.
        """
        if version is not None:
            return await self._frozen(year, version)
        return Edition(await self.totals(year), self._wall(), "")

    async def totals(self, year: int) -> Figures:
        """The figures of a year as the rows are now, without them. Raises `ReportYearUnknown`."""
        earlier, ended = await self._before(year)
        async with self._db.acquire() as conn, conn.transaction(isolation="repeatable_read"):
            tallies = await kept.tallies_of_year(conn, year)
            if not tallies:
                raise await _unknown(conn, year)
            found = await _counts(conn, earlier, year, ended) if earlier else None
            return await _figures(conn, year, tallies, found)

    async def figures(self, year: int) -> Figures:
        """The figures of a year with its rows. Raises `ReportYearUnknown`, `ReportTooLong`."""
        earlier, ended = await self._before(year)
        async with self._db.acquire() as conn, conn.transaction(isolation="repeatable_read"):
            rows = await _rows(conn, year)
            before = await _rows(conn, earlier) if earlier else []
            seen = await kept.titles_before(conn, earlier) if earlier else frozenset()
            found = None
            if before:
                found = await asyncio.to_thread(what_became, before, rows, seen, ended)
            made = await _figures(conn, year, await asyncio.to_thread(tally, rows), found)
            names = {m.code: m.name for m in await kept.list_members(conn, limit=None)}
        return msgspec.structs.replace(
            made,
            rows=lines_of(rows),
            city_names=names_of((row.member for row in (*rows, *before)), names),
        )

    async def became(
        self,
        earlier: int,
        later: int,
        kind: str | None,
        after: AfterFate | None = None,
        limit: int = kept.PAGE_MAX,
    ) -> Became:
        """What became of the rows of one year by another: all counts, and a page of the rows of a
        kind, what is new last.

        Raises `ReportYearUnknown`, `FilterInvalid`.
        """
        ended = await self._ended(earlier, later)
        async with self._db.acquire() as conn, conn.transaction(isolation="repeatable_read"):
            known = {row["year"] for row in await kept.years(conn)}
            for year in (earlier, later):
                if year not in known:
                    raise await _unknown(conn, year)
            if earlier >= later:
                raise errors.FilterInvalid(field="from", got=str(earlier), why=f"< {later}")
            counted = await kept.count_signs(conn, earlier, later, ended)
            fresh = await kept.count_new(conn, earlier, later, ended)
            items: list[Fate] = []
            if after is None or not after.fresh:
                wanted = [one for one, _ in counted if kind in (None, fate_of(one))]
                place = after.place if after else None
                rows = await kept.list_signs(conn, earlier, later, ended, wanted, place, limit)
                items = await _fates(conn, earlier, later, ended, rows)
            if len(items) < limit:
                place = after.place if after and after.fresh else None
                left = limit - len(items)
                items += await _fresh(conn, earlier, later, ended, kind, place, left)
        return Became(earlier, _by_kind(counted, fresh), tuple(items))

    async def _before(self, year: int) -> tuple[int | None, Ended]:
        """The last year before one that has rows, and what of it has ended by then."""
        async with self._db.acquire() as conn:
            known = [row["year"] for row in await kept.years(conn)]
        earlier = max((one for one in known if one < year), default=None)
        return earlier, Ended() if earlier is None else await self._ended(earlier, year)

    async def _ended(self, earlier: int, later: int) -> Ended:
        """What of the earlier year has ended by the later one, by the book of projects and by who
        settled names."""
        async with self._db.acquire() as conn:
            settled = await kept.ended_titles(conn)
        # The book gives a merged project's notes to the one that took it in: what was decided
        # about the names is known here.
        parts: dict[int, list[int]] = {}
        for title, part, kind in settled:
            if kind == "split":
                parts.setdefault(title, []).append(part)
        booked = await self._book.list_ended(earlier, later) if self._book else {}
        return Ended({title: kind for title, _, kind in settled}, booked, parts)

    # --- on its way -------------------------------------------------------------------------

    async def freeze(self, year: int, by: str, words: str = "") -> Version:
        """Freeze the figures of a year as a new draft. Raises `ReportYearUnknown`."""
        figures = await self.figures(year)
        data = await asyncio.to_thread(msgspec.json.encode, figures, order="sorted")
        digest = hashlib.sha256(data).hexdigest()
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
        figures = await asyncio.to_thread(_thaw, row["figures"], row["sha256"])
        if figures is None:
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


async def _unknown(conn: Connection, year: int) -> errors.ReportYearUnknown:
    known = ", ".join(str(row["year"]) for row in await kept.years(conn))
    return errors.ReportYearUnknown(year=year, known=known or "–")


async def _rows(conn: Connection, year: int) -> list[Row]:
    rows = await kept.rows_of_year(conn, year, ROWS_MAX + 1)
    if not rows:
        raise await _unknown(conn, year)
    if len(rows) > ROWS_MAX:
        raise errors.ReportTooLong(year=year, most=ROWS_MAX)
    return rows


async def _counts(conn: Connection, earlier: int, later: int, ended: Ended) -> Became:
    """What became of the rows of a year, counted: the database sees the signs, the rule decides."""
    counted = await kept.count_signs(conn, earlier, later, ended)
    fresh = await kept.count_new(conn, earlier, later, ended)
    return Became(earlier, _by_kind(counted, fresh), ())


def _by_kind(counted: Sequence[tuple[Signs, int]], fresh: tuple[int, int]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for signs, n in counted:
        counts[fate_of(signs)] += n
    counts["new"], counts["returned"] = fresh
    return in_order(counts)


async def _fates(
    conn: Connection, earlier: int, later: int, ended: Ended, rows: Sequence[Any]
) -> list[Fate]:
    parts = [part for row in rows for part in ended.parts.get(row["title"], ())]
    names = await kept.names_of_rows(conn, later, parts) if parts else {}

    def stands_as(row: Any) -> str | None:
        if row["same"]:
            return str(row["later_name"])
        split = [names[part] for part in ended.parts.get(row["title"], ()) if part in names]
        return " · ".join(split) or None

    return [
        Fate(
            earlier, later, row["member"], row["country"], row["name"], row["focus"],
            fate_of(kept.signs_of(row)), stands_as(row), row["project"], row["title"],
        )
        for row in rows
    ]  # fmt: skip


async def _fresh(
    conn: Connection,
    earlier: int,
    later: int,
    ended: Ended,
    kind: str | None,
    place: kept.Place | None,
    limit: int,
) -> list[Fate]:
    returned = [name == "returned" for name in FRESH if kind in (None, name)]
    if not returned:
        return []
    rows = await kept.list_new(conn, earlier, later, ended, returned, place, limit)
    return [
        Fate(
            earlier, later, row["member"], row["country"], row["name"], row["focus"],
            "returned" if row["returned"] else "new", row["name"], row["project"], row["title"],
        )
        for row in rows
    ]  # fmt: skip


async def _figures(
    conn: Connection, year: int, tallies: Sequence[Tally], became: Became | None
) -> Figures:
    """The figures of a year without its rows, beside those that were printed."""
    names = {m.code: m.name for m in await kept.list_members(conn, limit=None)}
    members = await kept.count_members(conn, year)
    printed = await kept.list_printed(conn, year)

    def work() -> Figures:
        made = count(year, tallies, names, countries(), members, became)
        return msgspec.structs.replace(made, differences=compare(made, printed))

    return await asyncio.to_thread(work)


def _thaw(data: bytes, sha256: str) -> Figures | None:
    """Frozen figures; None where they are not those whose hash was kept."""
    said = zlib.decompress(data)
    return _decode(said) if hashlib.sha256(said).hexdigest() == sha256 else None
