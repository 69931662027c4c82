"""What the room keeps in its own schema: the row of a case, its steps, photos and origins."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct
from msgspec.structs import asdict, replace

from nagara.cases.model import Case, Resolution, StepKind
from nagara.engines.database import Connection
from nagara.vocab.case import State
from nagara.vocab.request import Status


class Contended(Exception):
    """Somebody else changed the case since it was read: read again."""


class OriginTaken(Exception):
    """A case was opened from this origin before. `case_id` is that case."""

    def __init__(self, case_id: str) -> None:
        self.case_id = case_id


class Row(Struct, frozen=True):
    """A case as the room keeps it; the columns of `cases.case`."""

    case_id: str
    number: str
    version: int
    state: State
    category: str
    department: str
    district: str | None
    lon: float | None
    lat: float | None
    source: str
    priority: str | None
    provenance: str
    opened_at: datetime
    due_at: datetime
    accepted_at: datetime | None = None
    resolved_at: datetime | None = None
    closed_at: datetime | None = None
    ended_at: datetime | None = None
    next_at: datetime | None = None
    resolution: Resolution | None = None
    rating: int | None = None
    reopened_count: int = 0
    overdue: bool = False
    crew: str | None = None
    foreign_status: Status | None = None
    ref_alert: str | None = None
    ref_request: str | None = None
    photo_count: int = 0
    step_count: int = 0
    record: UUID | None = None
    by_account: bool = False
    tracking_hash: bytes | None = None

    def case(self) -> Case:
        """What decisions are made on."""
        return Case(
            state=self.state,
            department=self.department,
            opened_at=self.opened_at,
            due_at=self.due_at,
            accepted_at=self.accepted_at,
            resolved_at=self.resolved_at,
            closed_at=self.closed_at,
            ended_at=self.ended_at,
            resolution=self.resolution,
            rating=self.rating,
            reopened_count=self.reopened_count,
            overdue=self.overdue,
            assigned=self.crew is not None,
            foreign=self.foreign_status,
        )

    def after(self, case: Case) -> Row:
        """The row of the case after something happened to it."""
        return replace(
            self,
            state=case.state,
            department=case.department,
            due_at=case.due_at,
            accepted_at=case.accepted_at,
            resolved_at=case.resolved_at,
            closed_at=case.closed_at,
            ended_at=case.ended_at,
            next_at=case.next_at,
            resolution=case.resolution,
            rating=case.rating,
            reopened_count=case.reopened_count,
            overdue=case.overdue,
            crew=self.crew if case.assigned else None,
            foreign_status=case.foreign,
        )


class Step(Struct, frozen=True):
    """One step as it is kept. `n` counts from 1."""

    n: int
    at: datetime
    kind: StepKind
    state: State
    department: str
    who: str
    role: str
    stars: int | None = None
    status: Status | None = None
    words: str | None = None
    sealed: str | None = None
    key: str | None = None


class Photo(Struct, frozen=True):
    """What is known of a photo; its content is a file of the same name."""

    id: str
    case_id: str
    n: int
    sealed: bool
    media_type: str
    bytes: int
    width: int
    height: int


_COLUMNS = Row.__struct_fields__
_LIST = ", ".join(_COLUMNS)
_MARKS = ", ".join(f"${i}" for i in range(1, len(_COLUMNS) + 1))
_SETS = ", ".join(f"{name} = ${i}" for i, name in enumerate(_COLUMNS, 1) if name != "version")
_INSERT = f"insert into cases.case ({_LIST}) values ({_MARKS})"  # noqa: S608 - as _SELECT
_UPDATE = (
    f"update cases.case set {_SETS}, version = version + 1"  # noqa: S608 - as _SELECT
    " where case_id = $1 and version = $3"
)
_SELECT = f"select {_LIST} from cases.case "  # noqa: S608 - the columns of a type of ours


async def next_number(conn: Connection) -> int:
    """The next number of a case; a number that is not used in the end leaves a gap."""
    found: int = await conn.fetchval("select nextval('cases.number')")
    return found


async def insert(conn: Connection, row: Row) -> None:
    """Keep a new case."""
    await conn.execute(_INSERT, *_values(row))


async def update(conn: Connection, row: Row) -> None:
    """Keep a case that changed. Raises `Contended` where it is not the version that was read."""
    if await conn.execute(_UPDATE, *_values(row)) == "UPDATE 0":
        raise Contended


async def claim_origin(conn: Connection, kind: str, foreign_id: str, case_id: str) -> None:
    """Note what a case came from. Raises `OriginTaken` where another case came from it."""
    claimed = await conn.fetchval(
        "insert into cases.origin values ($1, $2, $3) on conflict do nothing returning case_id",
        kind,
        foreign_id,
        case_id,
    )
    if claimed is None:  # the other has committed by now: the insert waited for it
        taken = await find_origin(conn, kind, foreign_id)
        if taken is not None:
            raise OriginTaken(taken)


async def find_origin(conn: Connection, kind: str, foreign_id: str) -> str | None:
    """The case that came from an alert, a ticket or a keyed report."""
    found: str | None = await conn.fetchval(
        "select case_id from cases.origin where kind = $1 and foreign_id = $2", kind, foreign_id
    )
    return found


async def find_row(conn: Connection, case_id: str) -> Row | None:
    """The row of a case."""
    return _row(await conn.fetchrow(_SELECT + "where case_id = $1", case_id))


async def find_by_code(conn: Connection, tracking_hash: bytes) -> Row | None:
    """The row of the case of a tracking code."""
    return _row(await conn.fetchrow(_SELECT + "where tracking_hash = $1", tracking_hash))


async def list_by_records(conn: Connection, records: Sequence[UUID]) -> list[Row]:
    """The cases of private records, newest first."""
    rows = await conn.fetch(
        _SELECT + "where record = any($1::uuid[]) order by opened_at desc, case_id desc", records
    )
    return [Row(**dict(row)) for row in rows]


async def list_due(conn: Connection, now: datetime, limit: int) -> list[Row]:
    """The cases that the city has to look at now, the longest waiting first."""
    rows = await conn.fetch(_SELECT + "where next_at < $1 order by next_at limit $2", now, limit)
    return [Row(**dict(row)) for row in rows]


async def next_due(conn: Connection) -> datetime | None:
    """When the next case has to be looked at."""
    found: datetime | None = await conn.fetchval(
        "select min(next_at) from cases.case where next_at is not null"
    )
    return found


async def stop_looking(conn: Connection, case_id: str) -> None:
    """Take a case out of those that time moves; whatever is done to it puts it in again."""
    await conn.execute("update cases.case set next_at = null where case_id = $1", case_id)


async def add_steps(conn: Connection, case_id: str, steps: Sequence[Step]) -> None:
    """Append numbered steps, after the row of the case has been written."""
    await conn.executemany(
        "insert into cases.step (case_id, n, at, kind, state, department, who, role, stars,"
        " status, words, sealed, key)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        [(case_id, *asdict(step).values()) for step in steps],
    )


async def is_done(conn: Connection, case_id: str, who: str, key: str) -> bool:
    """Whether somebody's request or change was heard before and is a step of the case."""
    found: bool = await conn.fetchval(
        "select exists (select from cases.step where case_id = $1 and who = $2 and key = $3)",
        case_id,
        who,
        key,
    )
    return found


async def list_steps(conn: Connection, case_id: str) -> list[Step]:
    """The steps of a case in order."""
    rows = await conn.fetch(
        "select n, at, kind, state, department, who, role, stars, status, words, sealed, key"
        " from cases.step where case_id = $1 order by n",
        case_id,
    )
    return [Step(**dict(row)) for row in rows]


async def add_photos(conn: Connection, photos: Sequence[Photo]) -> None:
    """Note photos that lie in the files folder."""
    if not photos:
        return
    await conn.executemany(
        "insert into cases.photo values ($1, $2, $3, $4, $5, $6, $7, $8)",
        [tuple(asdict(photo).values()) for photo in photos],
    )


async def list_photos(conn: Connection, case_id: str) -> list[Photo]:
    """The photos of a case by step."""
    rows = await conn.fetch("select * from cases.photo where case_id = $1 order by n, id", case_id)
    return [Photo(**dict(row)) for row in rows]


async def list_known_photos(conn: Connection, photo_ids: Sequence[str]) -> set[str]:
    """Those of the ids that are photos."""
    rows = await conn.fetch(
        "select id from cases.photo where id = any($1::text[])", list(photo_ids)
    )
    return {row["id"] for row in rows}


async def find_photo(conn: Connection, photo_id: str) -> Photo | None:
    """What is known of a photo."""
    row = await conn.fetchrow("select * from cases.photo where id = $1", photo_id)
    return None if row is None else Photo(**dict(row))


def _values(row: Row) -> tuple[Any, ...]:
    return tuple(asdict(row).values())


def _row(found: Any) -> Row | None:
    return None if found is None else Row(**dict(found))
