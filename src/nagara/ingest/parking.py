"""Parked messages: what could not be read, kept with its reason until somebody has a fix.

A parked message holds up nobody. It is bounded in size, number and age: `PAYLOAD_BYTES_KEPT` of
a message, `PARKED_MAX` messages, `KEPT_DAYS` days.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from asyncpg import Record
from msgspec import Struct

from nagara.engines.database import Connection, Database
from nagara.ingest.errors import ParkedUnknown
from nagara.ingest.ledger import named

Kind = Literal["message", "observation", "fragment"]
State = Literal["parked", "replayed", "discarded"]

PAYLOAD_BYTES_KEPT = 64 * 1024  # eight hundred times a reading; a longer one is no reading
PARKED_MAX = 200_000  # 16 MB at 80 bytes; a sensor type that changed its format over a weekend
TOPIC_CHARS_KEPT = 2_000  # a path or an address is as long as its sender makes it
KEPT_DAYS = 30  # a month to write the fix
SETTLED_KEPT_DAYS = 7
#: Settled and old messages are removed in bites, so that no lock is felt.
SWEEP_ROWS = 10_000

_PARK = """
insert into ingest.parked (source, device, topic, kind, received_at, arrived_at, code, params,
    payload, size_bytes, key)
select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[],
    $6::timestamptz[], $7::text[], $8::jsonb[], $9::bytea[], $10::bigint[], $11::text[])
on conflict (key) where state = 'parked' and key is not null do nothing
returning key
"""
_LIST = """
select * from ingest.parked
where state = $1 and ($2::text is null or code = $2) and ($3::text is null or source = $3)
    and ($4::text is null or device = $4) and ($5::bigint is null or id < $5)
order by id desc limit $6
"""
_WAITING = """
select * from ingest.parked where state = 'parked' and kind <> 'fragment' and id > $1
    and ($2::text is null or code = $2) and ($3::text is null or device = $3)
    and size_bytes <= $5
order by id limit $4
"""
_SETTLE = """
update ingest.parked set state = $2, settled_at = now(), settled_by = $3, attempts = attempts + 1
where id = any($1::bigint[]) and state = 'parked' returning id
"""
_STILL = """
update ingest.parked as p set attempts = p.attempts + 1, code = w.code, params = w.params
from unnest($1::bigint[], $2::text[], $3::jsonb[]) as w(id, code, params)
where p.id = w.id and p.state = 'parked'
"""
_OLD = """
select id, source from ingest.parked
where state = 'parked' and (received_at < now() - make_interval(days => $1)
    or id < coalesce((select id from ingest.parked where state = 'parked'
                      order by id desc offset $2 limit 1), 0))
limit $3
"""
_FORGET_SETTLED = """
delete from ingest.parked where id in (
    select id from ingest.parked where state <> 'parked'
        and settled_at < now() - make_interval(days => $1) limit $2)
"""


class Parking(Struct, frozen=True):
    """One message to be parked. `code` and `params` are those of the Problem."""

    source: str
    device: str | None
    topic: str
    kind: Kind
    received_at: datetime
    arrived_at: datetime
    code: str
    params: dict[str, Any]
    payload: bytes
    key: str | None = None


class Parked(Struct, frozen=True):
    """A parked message as it lies there."""

    id: int
    source: str
    device: str | None
    topic: str
    kind: Kind
    received_at: datetime
    arrived_at: datetime
    code: str
    params: dict[str, Any]
    payload: bytes
    size_bytes: int
    state: State
    attempts: int
    settled_at: datetime | None

    @property
    def is_whole(self) -> bool:
        """Whether all of the payload was kept."""
        return len(self.payload) == self.size_bytes


def plain(value: Any) -> Any:
    """Parameters of a Problem as JSON that PostgreSQL takes: no NUL, nothing it cannot encode."""
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, bool | int | float) or value is None:
        return value
    return str(value).replace("\x00", "�").encode("utf-8", "replace").decode()


async def park(conn: Connection, parkings: Sequence[Parking]) -> list[str | None]:
    """Park messages inside the caller's transaction; the keys of those not parked already."""
    rows = await conn.fetch(
        _PARK,
        [p.source for p in parkings],
        [named(p.device) for p in parkings],
        [plain(p.topic)[:TOPIC_CHARS_KEPT] for p in parkings],
        [p.kind for p in parkings],
        [p.received_at for p in parkings],
        [p.arrived_at for p in parkings],
        [p.code for p in parkings],
        [plain(p.params) for p in parkings],
        [p.payload[:PAYLOAD_BYTES_KEPT] for p in parkings],
        [len(p.payload) for p in parkings],
        [p.key for p in parkings],
    )
    return [row["key"] for row in rows]


async def settle(conn: Connection, ids: Sequence[int], state: State, actor: str) -> list[int]:
    """Mark messages as replayed or discarded; those that were still waiting."""
    return [row["id"] for row in await conn.fetch(_SETTLE, ids, state, actor)]


async def still_parked(
    conn: Connection, ids: Sequence[int], codes: Sequence[str], params: Sequence[dict[str, Any]]
) -> None:
    """Note that a replay failed, and why now."""
    await conn.execute(_STILL, ids, codes, [plain(p) for p in params])


async def list_parked(
    db: Database,
    state: State = "parked",
    code: str | None = None,
    source: str | None = None,
    device: str | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[Parked]:
    """Parked messages, newest first, in front of the number `before`."""
    async with db.acquire() as conn:
        rows = await conn.fetch(_LIST, state, *map(plain, (code, source, device)), before, limit)
    return [_parked_from(row) for row in rows]


async def list_replayable(
    db: Database, after: int, code: str | None, device: str | None, limit: int
) -> list[Parked]:
    """Waiting messages that can be read again, oldest first, behind the number `after`."""
    async with db.acquire() as conn:
        rows = await conn.fetch(
            _WAITING, after, plain(code), plain(device), limit, PAYLOAD_BYTES_KEPT
        )
    return [_parked_from(row) for row in rows]


async def get_parked(db: Database, number: int) -> Parked:
    """A message that waits. Raises `ParkedUnknown`."""
    async with db.acquire() as conn:
        row = await conn.fetchrow(
            "select * from ingest.parked where id = $1 and state = 'parked'", number
        )
    if row is None:
        raise ParkedUnknown(id=number)
    return _parked_from(row)


async def count_by_code(db: Database) -> list[dict[str, Any]]:
    """How many messages wait, by reason."""
    async with db.acquire() as conn:
        rows = await conn.fetch(
            """select code, source, count(*) as count, min(received_at) as since
               from ingest.parked where state = 'parked' group by code, source order by 3 desc"""
        )
    return [dict(row) for row in rows]


async def list_overdue(conn: Connection) -> list[tuple[int, str]]:
    """(number, source) of waiting messages that are past the limits of age or number."""
    rows = await conn.fetch(_OLD, KEPT_DAYS, PARKED_MAX, SWEEP_ROWS)
    return [(row["id"], row["source"]) for row in rows]


async def forget_settled(conn: Connection) -> None:
    """Remove messages that were replayed or discarded some days ago."""
    await conn.execute(_FORGET_SETTLED, SETTLED_KEPT_DAYS, SWEEP_ROWS)


def _parked_from(row: Record) -> Parked:
    return Parked(**{name: row[name] for name in Parked.__struct_fields__})
