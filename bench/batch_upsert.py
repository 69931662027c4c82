"""Batch upsert over HTTP, half of each batch new, beside COPY of the very same rows."""

from __future__ import annotations

import random
import time
from typing import Any

import asyncpg
import msgspec

from city import City, running_city
from frame import Row, Scale, ms, quantile
from made import batches, entity_id, fill, send
from nagara.engines.running import attach
from procs import processor_note

IN_FLIGHT = 3
STATE = (
    "tenant", "id", "no", "type", "types", "scopes", "doc", "sys", "version", "prior",
    "created_at", "modified_at", "expires_at", "deleted", "extent", "geometry",
)  # fmt: skip
LOG = ("seq", "tenant", "no", "at", "recorded_at", "op", "attrs")


async def bench(scale: Scale) -> list[Row]:
    """Entities a second, beside two floors: COPY into the same tables, COPY into a bare one."""
    size, count = scale.batch_entities, scale.batches
    half = size * count // 2
    numbers = list(range(2 * half))
    random.Random(1).shuffle(numbers)  # what exists is met in no order
    known, new = iter(n for n in numbers if n < half), iter(n for n in numbers if n >= half)
    mixed = [next(known) if i % 2 else next(new) for i in range(2 * half)]
    async with running_city() as city:
        await fill(city, range(half))
        async with attach(city.root / "data") as attached, attached.database.acquire() as conn:
            before = await conn.fetchval("select coalesce(max(seq), 0) from context.change")
        used = city.processor_s()
        answer = await send(city.port, batches(mixed, size, 1), connections=IN_FLIGHT, once=True)
        spent = processor_note(used, city.processor_s(), len(mixed))
        rate = len(mixed) / answer["seconds"]
        same, bare = await _copies(city, size, before)
    times = answer["latencies_s"]
    what = f"batch upsert, {size:,} a batch, half of them new, {IN_FLIGHT} in flight"
    notes = (f"p50 of a batch {ms(quantile(times, 0.5))}, p99 {ms(quantile(times, 0.99))}", spent)
    return [
        Row(
            what, rate, "entities/s", 20_000, "at least", same,
            "COPY of the same state and log rows into tables of the same definition, one commit "
            f"each {size:,}", 0.3, notes,
        ),
        Row(
            "  the same", rate, "entities/s", None, "at least", bare,
            f"COPY of (id, document) into one bare table, one commit each {size:,}",
        ),
    ]  # fmt: skip


async def _copies(city: City, size: int, before: int) -> tuple[float, float]:
    """Entities a second that COPY puts into tables with the same columns, keys and indexes; and
    into a table without any."""
    async with attach(city.root / "data") as attached:
        conn = await attached.database.connect()
        try:
            await conn.execute(
                """create schema bench;
                   create table bench.entity (like context.entity including all);
                   create table bench.change (like context.change including all);
                   create table bench.bare (id text, doc jsonb)"""
            )
            state = await _rows(conn, "entity", STATE, f"id >= '{entity_id(0)}'")
            log = await _rows(conn, "change", LOG, f"seq > {before}")
            began = time.perf_counter()
            each = len(log) / len(state)  # log rows of an entity: one for each of its instants
            for at in range(0, len(state), size):
                part = log[round(at * each) : round((at + size) * each)]
                async with conn.transaction():
                    await _copy(conn, "entity", STATE, state[at : at + size])
                    await _copy(conn, "change", LOG, part)
            same = len(state) / (time.perf_counter() - began)
            plain = [(row[1], row[6]) for row in state]
            began = time.perf_counter()
            for at in range(0, len(plain), size):
                await _copy(conn, "bare", ("id", "doc"), plain[at : at + size])
            return same, len(plain) / (time.perf_counter() - began)
        finally:
            await conn.execute("drop schema if exists bench cascade")
            await conn.close()


async def _rows(
    conn: asyncpg.Connection[asyncpg.Record], table: str, columns: tuple[str, ...], where: str
) -> list[tuple[Any, ...]]:
    """Rows as they shall be copied: documents stay encoded, so that COPY pays for no codec."""
    chosen = ", ".join(f"{c}::text" if c in ("doc", "sys", "attrs") else c for c in columns)
    rows = await conn.fetch(f"select {chosen} from context.{table} where {where}")
    documents = [i for i, c in enumerate(columns) if c in ("doc", "sys", "attrs")]
    found = []
    for row in rows:
        values = list(row)
        for i in documents:
            values[i] = msgspec.Raw(values[i].encode())
        found.append(tuple(values))
    return found


async def _copy(
    conn: asyncpg.Connection[asyncpg.Record],
    table: str,
    columns: tuple[str, ...],
    rows: list[tuple[Any, ...]],
) -> None:
    await conn.copy_records_to_table(table, schema_name="bench", columns=columns, records=rows)
