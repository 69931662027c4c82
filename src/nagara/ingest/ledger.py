"""Counters that balance: received = stored + duplicate + parked + refused + in flight.

What is settled is written in the transaction that settles it, so that after any crash the
counters say exactly what the store holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal
from uuid import UUID

import msgspec
from msgspec import Struct
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from nagara.engines.database import Connection, Database

Result = Literal["stored", "duplicate", "parked", "refused"]
RESULTS: tuple[Result, ...] = ("stored", "duplicate", "parked", "refused")

_ADD = """
insert into ingest.counter as c (source, stored, duplicate, parked, refused)
select * from unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
on conflict (source) do update set
    stored = c.stored + excluded.stored, duplicate = c.duplicate + excluded.duplicate,
    parked = c.parked + excluded.parked, refused = c.refused + excluded.refused
"""
_ADD_REASONS = """
insert into ingest.reason as r (source, outcome, code, count, last_at, last_device)
select s, o, c, n, now(), d
from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[]) as w(s, o, c, n, d)
on conflict (source, outcome, code) do update set
    count = r.count + excluded.count, last_at = excluded.last_at,
    last_device = coalesce(excluded.last_device, r.last_device)
"""
_ONCE = "insert into ingest.batch (id) values ($1) on conflict do nothing returning id"
_FORGET = "delete from ingest.batch where at < now() - interval '1 day'"


#: The longest id that a device can have; what is longer was made up by its sender.
DEVICE_CHARS_MAX = 64


def named(device: str | None) -> str | None:
    """A device's id as it can be written down; None for what no device is called.

    Senders choose it: a NUL in it is refused by PostgreSQL, and the transaction with it.
    """
    return device[:DEVICE_CHARS_MAX] if device and device.isprintable() else None


class Tally(Struct):
    """How messages of one source ended."""

    stored: int = 0
    duplicate: int = 0
    parked: int = 0
    refused: int = 0

    @property
    def settled(self) -> int:
        """All that ended."""
        return self.stored + self.duplicate + self.parked + self.refused

    def add(self, other: Tally) -> None:
        """Count another tally in."""
        self.stored += other.stored
        self.duplicate += other.duplicate
        self.parked += other.parked
        self.refused += other.refused


class Delta(Struct):
    """What one batch adds to the counters."""

    tallies: dict[str, Tally] = msgspec.field(default_factory=dict)
    #: (source, outcome, code) → (count, device heard last)
    reasons: dict[tuple[str, str, str], tuple[int, str | None]] = msgspec.field(
        default_factory=dict
    )

    def count(
        self, source: str, result: Result, code: str | None = None, device: str | None = None
    ) -> None:
        """Count one message."""
        tally = self.tallies.get(source)
        if tally is None:
            tally = self.tallies[source] = Tally()
        if result == "stored":
            tally.stored += 1
            return
        setattr(tally, result, getattr(tally, result) + 1)
        if code is not None:
            key = (source, result, code)
            held = self.reasons.get(key)
            self.reasons[key] = ((held[0] if held else 0) + 1, named(device))

    def moved_on(self, source: str, result: Result) -> None:
        """Count a parked message that was replayed or thrown away: it is parked no longer."""
        self.count(source, result)
        self.tallies[source].parked -= 1

    def merge(self, other: Delta) -> None:
        """Take another delta in."""
        for source, tally in other.tallies.items():
            self.tallies.setdefault(source, Tally()).add(tally)
        for key, (count, device) in other.reasons.items():
            held = self.reasons.get(key)
            self.reasons[key] = ((held[0] if held else 0) + count, device)

    async def claim(self, conn: Connection, batch: UUID) -> bool:
        """First thing in the transaction: False where this batch was counted before."""
        return await conn.fetchval(_ONCE, batch) is not None

    async def write(self, conn: Connection) -> None:
        """Add to the counters inside the caller's transaction."""
        sources = sorted(self.tallies)  # in one order: two processes never wait in a ring
        tallies = [self.tallies[source] for source in sources]
        columns = [[getattr(tally, name) for tally in tallies] for name in RESULTS]
        await conn.execute(_ADD, sources, *columns)
        if self.reasons:
            keys = sorted(self.reasons)
            counts = [self.reasons[key] for key in keys]
            await conn.execute(
                _ADD_REASONS,
                [key[0] for key in keys],
                [key[1] for key in keys],
                [key[2] for key in keys],
                [count for count, _ in counts],
                [device for _, device in counts],
            )


class Ledger:
    """The counters of this city, as they stand."""

    def __init__(self) -> None:
        self.tallies: dict[str, Tally] = {}
        self.in_flight: dict[str, int] = {}

    async def load(self, db: Database) -> None:
        """Take over what the database says is settled."""
        async with db.acquire() as conn:
            rows = await conn.fetch("select * from ingest.counter")
        self.tallies = {row["source"]: Tally(*(row[name] for name in RESULTS)) for row in rows}

    def begin(self, source: str, count: int) -> None:
        """Messages were received and wait to be settled."""
        self.in_flight[source] = self.in_flight.get(source, 0) + count

    def end(self, source: str, count: int) -> None:
        """Messages are no longer in flight: settled, or given back to the sender."""
        self.in_flight[source] = self.in_flight.get(source, 0) - count

    def take_in(self, delta: Delta) -> None:
        """Follow what was committed."""
        for source, tally in delta.tallies.items():
            self.tallies.setdefault(source, Tally()).add(tally)

    @property
    def flying(self) -> int:
        """Messages in flight, of all sources."""
        return sum(self.in_flight.values())

    def rows(self) -> list[dict[str, Any]]:
        """One row a source: received, the four ways to end, in flight."""
        rows = []
        for source in sorted({*self.tallies, *self.in_flight}):
            tally = self.tallies.get(source, Tally())
            flying = self.in_flight.get(source, 0)
            rows.append(_row(source, tally, flying))
        return rows

    def total(self) -> dict[str, Any]:
        """The sum of all sources."""
        total = Tally()
        for tally in self.tallies.values():
            total.add(tally)
        return _row("total", total, self.flying)


def _row(source: str, tally: Tally, flying: int) -> dict[str, Any]:
    return {
        "source": source,
        "received": tally.settled + flying,
        "stored": tally.stored,
        "duplicate": tally.duplicate,
        "parked": tally.parked,
        "refused": tally.refused,
        "inFlight": flying,
    }


async def reasons(db: Database) -> list[dict[str, Any]]:
    """Why messages were parked and refused, most frequent first."""
    async with db.acquire() as conn:
        rows = await conn.fetch(
            "select * from ingest.reason order by count desc, source, outcome, code"
        )
    return [dict(row) for row in rows]


async def forget_batches(db: Database) -> None:
    """Forget batches that nobody will write again."""
    async with db.acquire() as conn:
        await conn.execute(_FORGET)


class LedgerMetrics(Collector):
    """The counters for Prometheus: `nagara_ingest_received_total` and the ways to end.

    Parked messages go down when they are replayed, so that one is a gauge, like in-flight.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def collect(self) -> Iterator[Metric]:
        """Called by the registry at each scrape."""
        rows = self._ledger.rows()
        yield _family(CounterMetricFamily, "received", "Messages received.", rows, "received")
        yield _family(CounterMetricFamily, "stored", "Messages stored.", rows, "stored")
        yield _family(CounterMetricFamily, "duplicate", "Heard before.", rows, "duplicate")
        yield _family(CounterMetricFamily, "refused", "Refused at the door.", rows, "refused")
        yield _family(GaugeMetricFamily, "parked", "Waiting for a fix.", rows, "parked")
        yield _family(GaugeMetricFamily, "in_flight", "Not settled yet.", rows, "inFlight")


def _family(
    kind: type[CounterMetricFamily] | type[GaugeMetricFamily],
    name: str,
    meaning: str,
    rows: Iterable[dict[str, Any]],
    column: str,
) -> Metric:
    family = kind(f"nagara_ingest_{name}", meaning, labels=["source"])
    for row in rows:
        family.add_metric([row["source"]], row[column])
    return family


def register_metrics(registry: CollectorRegistry, ledger: Ledger) -> None:
    """Show the counters at `/metrics`."""
    registry.register(LedgerMetrics(ledger))
