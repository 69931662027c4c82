"""Files on a stick: written from what is sealed; read into a table, from where the running city
takes them. One line an envelope, the question first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec
import structlog
from msgspec import Struct

from nagara.engines.database import Database
from nagara.federation import errors
from nagara.federation.exchange import Exchange, Message
from nagara.federation.outbox import Outbox
from nagara.values.errors import Problem

LOOK_EVERY_S = 1.0
#: Lines of one file: the window of envelopes that can wait, with room.
LINES_MAX = 2_000
#: A file of so many envelopes of 300 kB is not read at one go.
FILE_BYTES_MAX = 300_000_000
_FORMAT = 1

log = structlog.get_logger("federation")


class Head(Struct, frozen=True):
    """The first line of a file."""

    nagara_federation: int
    from_: str = msgspec.field(name="from")
    to: str
    ask: str


async def export_file(exchange: Exchange, peer: str, since: int | None, path: Path) -> int:
    """Write what a peer is to hear behind `since` (None: behind what it acknowledged); how many
    envelopes. Raises `LinkUnknown`, `FileTaken`."""
    message = await exchange.compose(peer, since, FILE_BYTES_MAX, LINES_MAX)
    assert message.ask is not None
    head = Head(_FORMAT, exchange.own, peer, message.ask)
    lines = [msgspec.json.encode(head), *(jws.encode() for jws in message.envelopes)]
    await asyncio.to_thread(_write, path, b"\n".join(lines) + b"\n")
    return len(message.envelopes)


async def import_file(db: Database, path: Path, at: datetime) -> list[int]:
    """Read a file into the table of arrivals; the numbers of its lines there.

    Raises `FileUnreadable`.
    """
    lines = await asyncio.to_thread(_read, path)
    async with db.acquire() as conn, conn.transaction():
        return [
            await conn.fetchval(
                "insert into federation.arrived (line, at) values ($1, $2) returning id", line, at
            )
            for line in lines
        ]


def _write(path: Path, content: bytes) -> None:
    if path.exists():
        raise errors.FileTaken(path=str(path))
    fresh = path.with_name(f".{path.name}.part")
    fresh.write_bytes(content)
    fresh.replace(path)


def _read(path: Path) -> list[str]:
    """The envelopes of a file, and behind them its question."""
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise errors.FileUnreadable(path=str(path), reason=f"> {FILE_BYTES_MAX} bytes")
        lines = path.read_text(encoding="ascii").split("\n")
        head = msgspec.json.decode(lines[0], type=Head)
    except (OSError, ValueError, msgspec.DecodeError) as error:
        raise errors.FileUnreadable(path=str(path), reason=str(error)[:200]) from error
    envelopes = [line.strip() for line in lines[1:] if line.strip()]
    if head.nagara_federation != _FORMAT or len(envelopes) > LINES_MAX:
        raise errors.FileUnreadable(path=str(path), reason=f"format {head.nagara_federation}")
    return [*envelopes, "ask " + head.ask]


async def outcomes_of(db: Database, numbers: Sequence[int]) -> list[str | None]:
    """What became of lines; None: they wait still."""
    async with db.acquire() as conn:
        rows = await conn.fetch(
            "select id, outcome from federation.arrived where id = any($1::bigint[]) order by id",
            list(numbers),
        )
    return [row["outcome"] for row in rows]


class Arrivals:
    """Takes what a stick brought, in the order of the file."""

    def __init__(self, db: Database, exchange: Exchange, outbox: Outbox) -> None:
        self._db = db
        self._exchange = exchange
        self._outbox = outbox

    async def run(self) -> None:
        """Runs for the life of the city."""
        while True:
            while await self.take_some():
                self._outbox.wake()
            await asyncio.sleep(LOOK_EVERY_S)

    async def take_some(self) -> int:
        """Take what waits; how many lines."""
        async with self._db.acquire() as conn:
            rows = await conn.fetch(
                """select id, line from federation.arrived where outcome is null
                   order by id limit 50"""
            )
        for row in rows:
            outcome = await self._take(row["line"])
            async with self._db.acquire() as conn:
                await conn.execute(
                    "update federation.arrived set outcome = $2, line = '' where id = $1",
                    row["id"],
                    outcome,
                )
                await conn.execute(
                    "delete from federation.arrived where id < $1 and outcome is not null",
                    row["id"] - 10 * LINES_MAX,
                )
        return len(rows)

    async def _take(self, line: str) -> str:
        try:
            if line.startswith("ask "):
                # A stick travels for weeks: its question only acknowledges, nothing is answered.
                await self._exchange.take(Message(ask=line[4:]), "file", fresh=False)
                return "acknowledged"
            taken = await self._exchange.take(Message(envelopes=[line]), "file")
            return taken.outcomes[0].what
        except Problem as problem:
            return problem.code
