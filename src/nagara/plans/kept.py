"""What the room keeps of projects in its own schema: rows, names, notes of the years, steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec
from asyncpg import UniqueViolationError
from msgspec import Struct

from nagara.engines.database import Connection
from nagara.plans.errors import ProjectChanged, ProjectNameTaken
from nagara.plans.model import Project, Standing, due_on, funding_gap, status_of
from nagara.plans.readiness import score
from nagara.vocab.project import FormerName, Status, YearNote, fold_name

Origin = Literal["own", "register", "received"]


class Row(Struct, frozen=True):
    """A project as it is kept. `noted`: the state that its newest report gives."""

    id: str
    city: str
    country: str
    origin: Origin
    version: int
    changed_at: datetime
    body: Project
    standing: Standing
    former: tuple[FormerName, ...] = ()
    years: tuple[YearNote, ...] = ()

    @property
    def status(self) -> Status | None:
        """As the yearly reports speak; None: not derivable."""
        noted = self.years[-1].status if self.years else None
        return status_of(self.standing, noted)


class Step(Struct, frozen=True):
    """What happened; `before` and `after` hold the fields that changed."""

    n: int
    at: datetime
    kind: str
    who: str
    role: str
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    words: str | None = None


_STANDING = (
    "stage", "state", "published", "merged_into", "split_from", "ended_year", "reason",
)  # fmt: skip
_SCALARS = (
    "id", "city", "country", "name", "sort_name", "origin", "published", "focus_area",
    "project_type", "stage", "state", "status", "start_year", "end_year", "currency", "cost", "gap",
    "readiness", "lon", "lat", "worked_example", "merged_into", "split_from", "adopted_from",
    "ended_year", "reason", "due_on", "version", "changed_at",
)  # fmt: skip
_COLUMNS = (*_SCALARS, "search", "body")
_LIST = ", ".join(_COLUMNS)
_MARKS = ", ".join(f"${n}" for n in range(1, len(_COLUMNS) + 1))
_SETS = ", ".join(f"{name} = ${n}" for n, name in enumerate(_COLUMNS, 1) if name != "id")
_INSERT = f"insert into plans.project ({_LIST}) values ({_MARKS})"  # noqa: S608 - names of ours
_UPDATE = f"update plans.project set {_SETS} where id = $1 and version = ${len(_COLUMNS) + 1}"  # noqa: S608
#: What a list shows of a project.
SUMMARY = ", ".join(f"p.{name}" for name in _SCALARS)
_SELECT = f"select {_LIST} from plans.project "  # noqa: S608 - names of ours


async def insert(conn: Connection, rows: Sequence[Row]) -> None:
    """Keep new projects. Raises `ProjectNameTaken`."""
    await conn.executemany(_INSERT, [_values(row) for row in rows])
    await _name(conn, rows)


async def update(conn: Connection, row: Row, version: int) -> None:
    """Keep a changed project. Raises `ProjectChanged` where another version stands, and
    `ProjectNameTaken`."""
    if await conn.execute(_UPDATE, *_values(row), version) == "UPDATE 0":
        stands = await conn.fetchval("select version from plans.project where id = $1", row.id)
        raise ProjectChanged(version=stands or 0)
    await conn.execute("delete from plans.project_name where project_id = $1", row.id)
    await conn.execute("delete from plans.year_note where project_id = $1", row.id)
    await _name(conn, [row])


async def _name(conn: Connection, rows: Sequence[Row]) -> None:
    names: list[tuple[Any, ...]] = []
    for row in rows:
        living = row.standing.state not in ("merged", "split")
        folded = fold_name(row.body.name)
        names.append((row.id, row.city, folded, row.body.name, living, None, "", 0))
        before = {fold_name(f.name): f for f in row.former}
        before.pop(folded, None)  # it has come back to an old one
        names += [
            (row.id, row.city, key, former.name, False, former.until, former.source, n)
            for n, (key, former) in enumerate(before.items(), 1)
        ]
    try:
        await conn.executemany(
            "insert into plans.project_name values ($1, $2, $3, $4, $5, $6, $7, $8)", names
        )
    except UniqueViolationError as error:
        raise ProjectNameTaken(name=", ".join(r.body.name for r in rows)[:300]) from error
    await conn.executemany(
        "insert into plans.year_note values ($1, $2, $3, $4, $5, $6)",
        [
            (row.id, note.year, note.source, note.name, note.focus_area, note.status)
            for row in rows
            for note in row.years
        ],
    )


async def add_steps(conn: Connection, steps: Iterable[tuple[str, Step]]) -> None:
    """Leave traces of (subject, step)."""
    await conn.executemany(
        "insert into plans.step values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        [
            (subject, s.n, s.at, s.kind, s.who, s.role, s.before, s.after, s.words)
            for subject, s in steps
        ],
    )


async def list_steps(conn: Connection, subject: str) -> list[Step]:
    """The trace of a project or plan, oldest first."""
    rows = await conn.fetch("select * from plans.step where subject = $1 order by n", subject)
    return [Step(**{name: row[name] for name in Step.__struct_fields__}) for row in rows]


async def find(conn: Connection, project_id: str) -> Row | None:
    """The project of an id."""
    found = await list_rows(conn, [project_id])
    return found[0] if found else None


async def list_rows(conn: Connection, ids: Sequence[str]) -> list[Row]:
    """Projects by id, in the order of the ids; those that are not there are left out."""
    if not ids:
        return []
    wanted = list(dict.fromkeys(ids))
    rows = await conn.fetch(_SELECT + "where id = any($1::text[])", wanted)
    names = await conn.fetch(
        "select * from plans.project_name where project_id = any($1::text[]) and n > 0"
        " order by project_id, n",
        wanted,
    )
    notes = await conn.fetch(
        "select * from plans.year_note where project_id = any($1::text[])"
        " order by project_id, year, source",
        wanted,
    )
    former: dict[str, list[FormerName]] = {}
    for name in names:
        said = FormerName(name["name"], name["until_year"], name["source"])
        former.setdefault(name["project_id"], []).append(said)
    years: dict[str, list[YearNote]] = {}
    for note in notes:
        told = YearNote(
            note["year"], note["name"], note["source"], note["focus_area"], note["status"]
        )
        years.setdefault(note["project_id"], []).append(told)
    found = {
        row["id"]: _row(row, former.get(row["id"], []), years.get(row["id"], [])) for row in rows
    }
    return [found[one] for one in wanted if one in found]


async def list_named(
    conn: Connection, names: Sequence[tuple[str, str]]
) -> list[tuple[tuple[str, str], str]]:
    """((city, folded name), id) of the projects that bear or bore these names.

    Those that bear one now come first, then in order of id.
    """
    rows = await conn.fetch(
        """select n.city, n.folded, n.project_id from plans.project_name n
           join unnest($1::text[], $2::text[]) as w (city, folded)
             on n.city = w.city and n.folded = w.folded
           order by n.current desc, n.project_id""",
        [city for city, _ in names],
        [folded for _, folded in names],
    )
    return [((row["city"], row["folded"]), row["project_id"]) for row in rows]


async def list_parts(conn: Connection, project_id: str) -> list[str]:
    """Ids of the projects that one was split into."""
    rows = await conn.fetch(
        "select id from plans.project where split_from = $1 order by sort_name, id", project_id
    )
    return [row["id"] for row in rows]


def _row(row: Any, former: list[FormerName], years: list[YearNote]) -> Row:
    return Row(
        id=row["id"],
        city=row["city"],
        country=row["country"],
        origin=row["origin"],
        version=row["version"],
        changed_at=row["changed_at"],
        body=msgspec.convert(row["body"], Project),
        standing=Standing(**{name: row[name] for name in _STANDING}),
        former=tuple(former),
        years=tuple(years),
    )


def scalars(row: Row) -> dict[str, Any]:
    """The columns of a project but for the search and the body."""
    body, standing = row.body, row.standing
    lon, lat = body.location if body.location else (None, None)
    return {
        "id": row.id,
        "city": row.city,
        "country": row.country,
        "name": body.name,
        "sort_name": fold_name(body.name),
        "origin": row.origin,
        "published": standing.published,
        "focus_area": body.focus_area,
        "project_type": body.project_type,
        "stage": standing.stage,
        "state": standing.state,
        "status": row.status,
        "start_year": body.start_year,
        "end_year": body.end_year,
        "currency": body.cost.currency if body.cost else None,
        "cost": body.cost.amount if body.cost else None,
        "gap": funding_gap(body),
        "readiness": score(body).score,
        "lon": lon,
        "lat": lat,
        "worked_example": body.worked_example,
        "merged_into": standing.merged_into,
        "split_from": standing.split_from,
        "adopted_from": body.adopted_from.id if body.adopted_from else None,
        "ended_year": standing.ended_year,
        "reason": standing.reason,
        "due_on": due_on(body, standing),
        "version": row.version,
        "changed_at": row.changed_at,
    }


def _values(row: Row) -> tuple[Any, ...]:
    body = row.body
    words = [body.name, *body.names.values(), *(f.name for f in row.former), body.place]
    search = fold_name(" ".join([*words, *body.summary.values()]))
    return (*scalars(row).values(), search, body)
