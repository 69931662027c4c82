"""What 10,000 subscriptions cost: the same PATCHes without them and with them, in the same run.

Of the updates, as many each second as the goal names concern one subscription each, and are told to
a receiver; the others concern none, though they are of the same type.
"""

from __future__ import annotations

import asyncio
import json
import sys
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from city import running_city
from frame import HERE, Row, Scale
from http_load import request
from made import ENTITIES, TYPE, entity_id, fill, send
from procs import processor_note

SUBSCRIPTIONS = 10_000
CLIENTS = 64
MATCHED_PER_S = 1_000
REQUESTS = 20_000
SETTLE_S = 60.0
BODY = b'{"type":"Property","value":%d,"unitCode":"CEL","observedAt":"2026-02-01T00:00:00Z"}'


def _patches(numbers: list[int]) -> list[bytes]:
    return [
        request("PATCH", f"{ENTITIES}/{entity_id(number)}/attrs/temperature", BODY % turn)
        for turn, number in enumerate(numbers)
    ]


def _subscription(number: int, port: int) -> bytes:
    """One entity each, a watched attribute, and a condition that holds."""
    body = {
        "type": "Subscription",
        "entities": [{"id": entity_id(number), "type": TYPE}],
        "watchedAttributes": ["temperature"],
        "q": "temperature>=0",
        "notification": {"endpoint": {"uri": f"http://127.0.0.1:{port}/{number}"}},
    }
    return request("POST", "/ngsi-ld/v1/subscriptions", json.dumps(body).encode())


async def bench(scale: Scale) -> list[Row]:
    """Requests a second without and with subscriptions, and with all that match."""
    few = min(SUBSCRIPTIONS, scale.entities // 2)
    rest = list(range(few, scale.entities))
    plain = _patches([rest[i % len(rest)] for i in range(min(REQUESTS, scale.entities))])
    async with running_city() as city, _receiver() as port:
        await fill(city, range(scale.entities))
        before = await send(city.port, plain, connections=CLIENTS, seconds=scale.run_s)
        rate = before["count"] / before["seconds"]
        made = (_subscription(number, port) for number in range(few))
        await send(city.port, made, connections=8, once=True)
        share = min(1.0, MATCHED_PER_S / rate)
        mixed = [
            i % few if i * share % 1 < share else rest[i % len(rest)]
            for i in range(min(REQUESTS, scale.entities))
        ]
        used = city.processor_s()
        after = await send(city.port, _patches(mixed), connections=CLIENTS, seconds=scale.run_s)
        spent = processor_note(used, city.processor_s(), after["count"])
        told = await _told(port)
        matching = _patches([i % few for i in range(min(REQUESTS, scale.entities))])
        all_match = await send(city.port, matching, connections=CLIENTS, seconds=scale.run_s)
        all_told = await _settled(port, told) - told
    matched = after["count"] / after["seconds"] * share
    return [
        Row(
            f"PATCH with {few:,} subscriptions, {matched:,.0f}/s of them concerning one",
            after["count"] / after["seconds"],
            "requests/s",
            None,
            "at least",
            rate,
            "the same city before there were subscriptions",
            0.7,
            (f"{told:,} notifications told by its end", spent),
        ),
        Row(
            f"PATCH with {few:,} subscriptions, each concerning one",
            all_match["count"] / all_match["seconds"],
            "requests/s",
            None,
            "at least",
            rate,
            "the same city before there were subscriptions",
            None,
            (f"{all_told:,} notifications told of {all_match['count']:,} changes",),
        ),
    ]


@asynccontextmanager
async def _receiver() -> AsyncIterator[int]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(HERE / "receiver.py"), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield int(await process.stdout.readline())
    finally:
        process.kill()
        await process.wait()


async def _told(port: int) -> int:
    def ask() -> int:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as answer:
            return int(answer.read())

    return await asyncio.to_thread(ask)


async def _settled(port: int, before: int) -> int:
    """How many were told, once no more come."""
    last = before
    for _ in range(int(SETTLE_S)):
        await asyncio.sleep(1.0)
        now = await _told(port)
        if now == last:
            break
        last = now
    return last
