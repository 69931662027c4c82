"""The book of projects for the rooms that report them: `nagara.vocab.project.ProjectBook`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from nagara.plans import errors, finding, kept
from nagara.plans.acts import Act, Acting
from nagara.plans.finding import Filter, Sight
from nagara.plans.kept import Row
from nagara.plans.model import Project, Standing
from nagara.plans.service import Projects, Write
from nagara.values.ids import urn
from nagara.vocab.project import (
    ENDED,
    FOCUS_AREAS,
    TYPE,
    ProjectRecord,
    State,
    Status,
    YearNote,
    fold_name,
)

#: Projects of one transaction: the lock on the log is held for some 50 ms.
BATCH = 200
#: Merges that were merged again: longer chains are a circle.
CHAIN_MAX = 20
Fresh = tuple[str, str, YearNote]


def record_of(row: Row) -> ProjectRecord:
    """A project as other rooms see it."""
    body, standing = row.body, row.standing
    return ProjectRecord(
        id=row.id,
        city=row.city,
        country=row.country,
        name=body.name,
        focus_area=body.focus_area,
        version=row.version,
        published=standing.published,
        state=standing.state,
        stage=standing.stage,
        status=row.status,
        project_type=body.project_type,
        former_names=row.former,
        years=row.years,
        merged_into=standing.merged_into,
        split_from=standing.split_from,
        ended_year=standing.ended_year,
        reason=standing.reason,
        source=body.source,
    )


class Book:
    """All projects of an installation, by city."""

    def __init__(self, projects: Projects) -> None:
        self._projects = projects
        self._db = projects.db

    async def register(
        self, city: str, country: str, note: YearNote, by: str, published: bool = True
    ) -> ProjectRecord:
        """See `ProjectBook.register`."""
        (found,) = await self.register_many([(city, country, note)], by, published)
        return found

    async def register_many(
        self, rows: Sequence[Fresh], by: str, published: bool = True
    ) -> list[ProjectRecord]:
        """See `ProjectBook.register_many`."""
        for _, _, note in rows:
            _demand(note)
        found: list[ProjectRecord] = []
        for start in range(0, len(rows), BATCH):
            batch = rows[start : start + BATCH]
            try:
                found += await self._register(batch, by, published)
            except (errors.ProjectNameTaken, errors.ProjectChanged):
                # somebody registered one of them a moment ago: it is found now
                found += await self._register(batch, by, published)
        return found

    async def _register(
        self, rows: Sequence[Fresh], by: str, published: bool
    ) -> list[ProjectRecord]:
        known = await self._known(rows)
        before: dict[str, Row] = {row.id: row for row in known.values()}
        after: dict[str, Row] = {}
        order: list[str] = []
        for city, country, note in rows:
            key = (city, fold_name(note.name))
            row = known.get(key)
            if row is None:
                own = city == self._projects.city.code
                body = Project(note.name, focus_area=note.focus_area, source=note.source)
                row = self._projects.make(
                    city, country, "own" if own else "register", body,
                    Standing(published=published),
                )  # fmt: skip
                after[row.id] = row
                known[key] = row
            row = after.get(row.id, row)
            years = _noted(row.years, note)
            if years != row.years or row.id in after:
                after[row.id] = replace(row, years=years)
            order.append(row.id)
        writes = []
        for one, row in after.items():
            old = before.get(one)
            if old is not None:
                row = replace(row, version=old.version + 1, changed_at=self._projects.now())
                after[one] = row
            writes.append(Write(old, row, "noted" if old else "registered"))
        if writes:
            await self._projects.write(writes, _acting(by))
        return [record_of(after.get(one) or before[one]) for one in order]

    async def _known(self, rows: Sequence[Fresh]) -> dict[tuple[str, str], Row]:
        """The project that goes on under each (city, folded name)."""
        keys = [(city, fold_name(note.name)) for city, _, note in rows]
        async with self._db.acquire() as conn:
            named = await kept.list_named(conn, keys)
            found = {row.id: row for row in await kept.list_rows(conn, [one for _, one in named])}
            chosen: dict[tuple[str, str], Row] = {}
            for key, one in named:
                row = found[one]
                for _ in range(CHAIN_MAX):  # what went into another is noted there
                    into = row.standing.merged_into
                    if into is None:
                        break
                    if into not in found:
                        found |= {r.id: r for r in await kept.list_rows(conn, [into])}
                    row = found.get(into, row)
                standing = chosen.get(key)
                if standing is None or (
                    standing.standing.state in ENDED and row.standing.state not in ENDED
                ):
                    chosen[key] = row
        return chosen

    async def find(self, project_id: str) -> ProjectRecord | None:
        """See `ProjectBook.find`."""
        async with self._db.acquire() as conn:
            row = await kept.find(conn, project_id)
        return None if row is None else record_of(row)

    async def find_by_name(self, city: str, name: str) -> list[ProjectRecord]:
        """See `ProjectBook.find_by_name`."""
        async with self._db.acquire() as conn:
            named = await kept.list_named(conn, [(city, fold_name(name))])
            rows = await kept.list_rows(conn, [one for _, one in named])
        return [record_of(row) for row in rows]

    async def list_projects(
        self,
        city: str | None = None,
        country: str | None = None,
        year: int | None = None,
        focus_area: str | None = None,
        after: str | None = None,
        limit: int = 1_000,
        published: bool = True,
    ) -> tuple[list[ProjectRecord], str | None]:
        """See `ProjectBook.list_projects`. `after` is an id."""
        sight = Sight(None if published else self._projects.city.code)
        wanted = Filter(city=city, country=country, noted_year=year, focus=focus_area)
        async with self._db.acquire() as conn:
            last = None
            if after is not None:
                row = await kept.find(conn, after)
                if row is None:
                    raise errors.ProjectUnknown(id=after[:200])
                last = (fold_name(row.body.name), row.id)
            found = await finding.list_summaries(conn, wanted, sight, last, limit)
            rows = await kept.list_rows(conn, [one["id"] for one in found[:limit]])
        more = len(found) > limit
        return [record_of(row) for row in rows], rows[-1].id if more else None

    async def list_ended(self, year: int, by_year: int) -> Mapping[str, State]:
        """See `ProjectBook.list_ended`."""
        async with self._db.acquire() as conn:
            return await finding.list_ended(conn, year, by_year)

    async def note_year(self, project_id: str, note: YearNote, by: str) -> ProjectRecord:
        """See `ProjectBook.note_year`."""
        _demand(note)
        row = await self._get(project_id)
        years = _noted(row.years, note)
        if years == row.years:
            return record_of(row)
        after = replace(
            row, years=years, version=row.version + 1, changed_at=self._projects.now()
        )  # fmt: skip
        await self._projects.write([Write(row, after, "noted")], _acting(by))
        return record_of(after)

    async def rename(
        self, project_id: str, name: str, year: int, source: str, by: str
    ) -> ProjectRecord:
        """See `ProjectBook.rename`."""
        row = await self._get(project_id)
        if row.body.name == " ".join(name.split()):
            return record_of(row)
        act = Act("rename", new_name=name, year=year, source=source)
        return await self._act(row, act, by)

    async def merge(
        self, project_id: str, into: str, year: int, source: str, by: str
    ) -> ProjectRecord:
        """See `ProjectBook.merge`."""
        row = await self._get(project_id)
        if row.standing.merged_into != into:
            await self._act(row, Act("merge", into=into, year=year, source=source), by)
        return record_of(await self._get(into))

    async def split(
        self, project_id: str, names: Sequence[str], year: int, source: str, by: str
    ) -> list[ProjectRecord]:
        """See `ProjectBook.split`."""
        row = await self._get(project_id)
        if row.standing.state != "split":
            act = Act("split", names=tuple(names), year=year, source=source)
            await self._act(row, act, by)
        async with self._db.acquire() as conn:
            parts = await kept.list_rows(conn, await kept.list_parts(conn, project_id))
        return [record_of(part) for part in parts]

    async def suspend(
        self, project_id: str, year: int, reason: str, source: str, by: str
    ) -> ProjectRecord:
        """See `ProjectBook.suspend`."""
        return await self._end(project_id, Act("suspend", words=reason, year=year), source, by)

    async def cancel(
        self, project_id: str, year: int, reason: str, source: str, by: str
    ) -> ProjectRecord:
        """See `ProjectBook.cancel`."""
        return await self._end(project_id, Act("cancel", words=reason, year=year), source, by)

    async def _end(self, project_id: str, act: Act, source: str, by: str) -> ProjectRecord:
        row = await self._get(project_id)
        words = f"{act.words} ({source})" if source else act.words
        if row.standing.reason == words and row.standing.state in ("suspended", "cancelled"):
            return record_of(row)
        return await self._act(row, replace(act, words=words, source=source), by)

    async def receive(
        self, city: str, records: Sequence[ProjectRecord], by: str
    ) -> list[ProjectRecord]:
        """See `ProjectBook.receive`."""
        if city == self._projects.city.code or any(one.city != city for one in records):
            raise errors.ProjectInvalid(field="city", reason=city[:40])
        done: list[ProjectRecord] = []
        for start in range(0, len(records), BATCH):
            batch = list({one.id: one for one in records[start : start + BATCH]}.values())
            async with self._db.acquire() as conn:
                known = {row.id: row for row in await kept.list_rows(conn, [r.id for r in batch])}
            found = await self._known([(city, one.country, _as_note(one)) for one in batch])
            writes: list[Write] = []
            for one in batch:
                _demand_record(one, city)
                old = known.get(one.id)
                row = self._received(one, old)
                reported = found.get((city, fold_name(one.name)))
                if reported is not None and reported.origin == "register":
                    # a report named it before its city spoke: the same name is the same project
                    ended = self._merged(reported, row)
                    writes.insert(0, Write(reported, ended, "merge", row.id))
                    row = replace(row, years=_joined(reported.years, row.years))
                same = old is not None and replace(
                    old, version=row.version, changed_at=row.changed_at
                ) == row  # fmt: skip
                if old is not None and same:
                    row = old
                else:
                    writes.append(Write(old, row, "received"))
                done.append(record_of(row))
            if writes:
                await self._projects.write(writes, _acting(by))
        return done

    def _received(self, one: ProjectRecord, old: Row | None) -> Row:
        """The row of a project as its own city says it is; what the record leaves out stays."""
        before = old.body if old else Project(one.name)
        body = replace(
            before,
            name=one.name,
            focus_area=one.focus_area,
            project_type=one.project_type,
            source=one.source,
        )
        standing = Standing(
            one.stage, one.state, one.published, one.merged_into, one.split_from,
            one.ended_year, one.reason,
        )  # fmt: skip
        made = self._projects.make(one.city, one.country, "received", body, standing, one.id)
        version = old.version + 1 if old else 1
        years = _joined(old.years if old else (), one.years)
        return replace(made, version=version, former=one.former_names, years=years)

    def _merged(self, reported: Row, into: Row) -> Row:
        standing = replace(reported.standing, state="merged", merged_into=into.id)
        return replace(
            reported,
            standing=standing,
            version=reported.version + 1,
            changed_at=self._projects.now(),
        )

    async def _get(self, project_id: str) -> Row:
        async with self._db.acquire() as conn:
            row = await kept.find(conn, project_id)
        if row is None:
            raise errors.ProjectUnknown(id=project_id[:200])
        return row

    async def _act(self, row: Row, act: Act, by: str) -> ProjectRecord:
        return record_of(await self._projects.act(row, act, _acting(by), None))


def _acting(by: str) -> Acting:
    return Acting(by, "network", True)


def _noted(years: Sequence[YearNote], note: YearNote) -> tuple[YearNote, ...]:
    return _joined(years, [note])


def _joined(years: Sequence[YearNote], newer: Sequence[YearNote]) -> tuple[YearNote, ...]:
    """Notes of both, in order; of the same year and source the newer holds."""
    notes: dict[Any, YearNote] = {(one.year, one.source): one for one in (*years, *newer)}
    return tuple(notes[key] for key in sorted(notes))


def _as_note(one: ProjectRecord) -> YearNote:
    return YearNote(2000, one.name, one.source)  # for its name alone


def _demand(note: YearNote) -> None:
    if note.focus_area is not None and note.focus_area not in FOCUS_AREAS:
        raise errors.ProjectInvalid(field="focusArea", reason=note.focus_area[:40])
    if not note.name.strip() or len(note.name) > 300 or len(note.source) > 4_000:
        raise errors.ProjectInvalid(field="name", reason=note.name[:40] or "…")
    if not 1900 <= note.year <= 2200:
        raise errors.ProjectInvalid(field="year", reason=str(note.year))
    status: Status | None = note.status
    try:
        msgspec.convert(status, Status | None)
    except msgspec.ValidationError as error:
        raise errors.ProjectInvalid(field="status", reason=str(status)[:40]) from error


def _demand_record(one: ProjectRecord, city: str) -> None:
    """What came from another system has the shape that was said, whatever carried it."""
    try:
        msgspec.convert(msgspec.to_builtins(one), ProjectRecord)
    except msgspec.ValidationError as error:
        raise errors.ProjectInvalid(field="record", reason=str(error)[:200]) from error
    if not one.id.startswith(urn(TYPE, city, "")):
        raise errors.ProjectInvalid(field="id", reason=one.id[:200])  # of another city
    if one.focus_area is not None and one.focus_area not in FOCUS_AREAS:
        raise errors.ProjectInvalid(field="focusArea", reason=one.focus_area[:40])
    if not one.name.strip() or len(one.name) > 300:
        raise errors.ProjectInvalid(field="name", reason=one.id[:200])
    for note in one.years:
        _demand(note)
