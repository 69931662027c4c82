"""What the network's processes keep: rows, steps, numbers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import asdict

from nagara.engines.database import Connection
from nagara.network.work.errors import WorkChanged
from nagara.network.work.model import Body, Process, Step
from nagara.network.work.rights import Offices

PAGE, PAGE_MAX = 50, 200

_COLUMNS = Process.__struct_fields__
_LIST = ", ".join(_COLUMNS)
_MARKS = ", ".join(f"${n}" for n in range(1, len(_COLUMNS) + 1))
_SETS = ", ".join(f"{name} = ${n}" for n, name in enumerate(_COLUMNS, 1) if n > 1)
_SELECT = f"select {_LIST} from network_work.process "  # noqa: S608 - columns of a type of ours
_UNTOLD = _SELECT.replace("doc", "doc - 'parts' - 'lines' as doc")  # who reviewed is told
#: Lists leave the long texts and lines where they are.
_LISTED = _SELECT.replace("doc", "doc - 'parts' - 'lines' - 'reviews' as doc")


class Wanted(Struct, frozen=True):
    """A question for processes; None: any."""

    processes: tuple[str, ...]
    state: str | None = None
    country: str | None = None
    city: str | None = None
    phase: str | None = None
    year: int | None = None
    partner: str | None = None
    overdue: bool | None = None
    after: str | None = None
    limit: int = PAGE


def page_size(limit: int) -> int:
    """A limit between one and the largest page."""
    return max(1, min(limit, PAGE_MAX))


async def next_number(conn: Connection, name: str) -> int:
    """The next number under a name; a number that is not used leaves a gap."""
    found: int = await conn.fetchval(
        "insert into network_work.counter values ($1, 1)"
        " on conflict (name) do update set n = counter.n + 1 returning n",
        name,
    )
    return found


async def insert(conn: Connection, process: Process) -> bool:
    """Keep a new process; False where there is one of its id."""
    done = await conn.execute(
        f"insert into network_work.process ({_LIST}) values ({_MARKS})"  # noqa: S608
        " on conflict (id) do nothing",
        *_values(process),
    )
    return bool(done.endswith("1"))


async def update(conn: Connection, process: Process, before: int) -> None:
    """Keep a changed process. Raises `WorkChanged` where it is no longer version `before`."""
    done = await conn.execute(
        f"update network_work.process set {_SETS} where id = $1"  # noqa: S608
        f" and version = {int(before)}",
        *_values(process),
    )
    if done == "UPDATE 0":
        raise WorkChanged(id=process.id)


async def add_steps(conn: Connection, process_id: str, steps: Sequence[Step]) -> None:
    """Append steps, which are numbered already."""
    await conn.executemany(
        "insert into network_work.process_step values"
        " ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        [(process_id, *asdict(step).values()) for step in steps],
    )


async def find(conn: Connection, process_id: str) -> Process | None:
    """The process of an id."""
    row = await conn.fetchrow(_SELECT + "where id = $1", process_id)
    return None if row is None else _process(row)


async def list_steps(conn: Connection, process_id: str) -> list[Step]:
    """The steps of a process in order."""
    rows = await conn.fetch(
        "select n, at, act, source, target, who, office, of, words, automatic, by_silence, doc"
        " from network_work.process_step where process_id = $1 order by n",
        process_id,
    )
    return [Step(**dict(row)) for row in rows]


async def list_due(conn: Connection, now: datetime, limit: int) -> list[str]:
    """The processes that the clock has to look at, the longest waiting first."""
    rows = await conn.fetch(
        "select id from network_work.process where next_at <= $1 order by next_at limit $2",
        now,
        limit,
    )
    return [row["id"] for row in rows]


async def next_due(conn: Connection) -> datetime | None:
    """When the next process has to be looked at."""
    found: datetime | None = await conn.fetchval(
        "select min(next_at) from network_work.process where next_at is not null"
    )
    return found


async def list_untold(conn: Connection, limit: int) -> list[Process]:
    """Processes whose entity is behind, by id."""
    rows = await conn.fetch(f"{_UNTOLD}where told < version order by id limit {int(limit)}")
    return [_process(row) for row in rows]


async def set_told(conn: Connection, found: Sequence[Process]) -> None:
    """Remember which version each entity tells."""
    await conn.execute(
        "update network_work.process p set told = v.version"
        " from unnest($1::text[], $2::int[]) as v(id, version) where p.id = v.id"
        " and p.told < v.version",
        [process.id for process in found], [process.version for process in found],
    )  # fmt: skip


class _Where:
    """Conditions with their arguments, numbered as they come."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.arguments: list[Any] = []

    def mark(self, value: Any) -> str:
        self.arguments.append(value)
        return f"${len(self.arguments)}"

    def add(self, text: str, value: Any) -> None:
        if value is not None:
            self.parts.append(text.replace("?", self.mark(value)))

    def seen_by(self, offices: Offices) -> None:
        if offices.network or offices.guided:
            return
        mine = [
            f"city = any({self.mark(sorted(offices.cities))})",
            f"country = any({self.mark(sorted(offices.countries))})",
            f"partner = any({self.mark(sorted(offices.partners))})",
        ]
        if offices.countries:
            mine.append("shared")
        self.parts.append(f"({' or '.join(mine)})")


async def list_processes(conn: Connection, wanted: Wanted, offices: Offices) -> list[Process]:
    """One row more than a page of what the offices see, by id."""
    where = _Where()
    where.add("process = any(?)", list(wanted.processes))
    for name in ("state", "country", "city", "phase", "year", "partner", "overdue"):
        where.add(f"{name} = ?", getattr(wanted, name))
    where.add("id > ?", wanted.after)
    where.seen_by(offices)
    rows = await conn.fetch(
        f"{_LISTED}where {' and '.join(where.parts)}"
        f" order by id limit {page_size(wanted.limit) + 1}",
        *where.arguments,
    )
    return [_process(row) for row in rows]


async def list_open(
    conn: Connection, offices: Offices, stands: Sequence[str], limit: int
) -> list[Process]:
    """Open processes that the offices see, in any of `process:state`, soonest due first."""
    where = _Where()
    where.parts.append("not ended")
    where.add("process || ':' || state = any(?)", list(stands))
    where.seen_by(offices)
    rows = await conn.fetch(
        f"{_SELECT}where {' and '.join(where.parts)} order by due_at, id limit {int(limit)}",
        *where.arguments,
    )
    return [_process(row) for row in rows]


async def count_states(
    conn: Connection, process: str, year: int | None, offices: Offices
) -> list[tuple[str, int, int]]:
    """State, how many, how many overdue."""
    where = _Where()
    where.add("process = ?", process)
    where.add("year = ?", year)
    where.seen_by(offices)
    rows = await conn.fetch(
        "select state, count(*) as n, count(*) filter (where overdue) as late"  # noqa: S608
        f" from network_work.process where {' and '.join(where.parts)} group by state",
        *where.arguments,
    )
    return [(row["state"], row["n"], row["late"]) for row in rows]


def _values(process: Process) -> tuple[Any, ...]:
    return tuple(getattr(process, name) for name in _COLUMNS)


def _process(row: Any) -> Process:
    said = dict(row)
    said["doc"] = msgspec.convert(said["doc"], Body)
    return Process(**said)
