"""Made entities: three attributes, about 400 bytes, spread over a city."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from city import City
from frame import run_apart
from http_load import request, write_requests

ENTITIES = "/ngsi-ld/v1/entities"
UPSERT = "/ngsi-ld/v1/entityOperations/upsert"
TYPE = "BenchSensor"
WEST, SOUTH, STEP = 100.35, 13.55, 0.0005  # degrees; a grid of 1,000 columns over the city
_LOAD_BATCH = 1_000


def entity_id(number: int) -> str:
    """The id of made entity `number`."""
    return f"urn:ngsi-ld:{TYPE}:th-bkk:bench-{number:08d}"


def entity(number: int, turn: int = 0) -> dict[str, Any]:
    """Made entity `number`; `turn` changes what was measured."""
    value = round(20 + (number * 7 + turn * 13) % 1500 / 100, 2)
    place = [round(WEST + number % 1000 * STEP, 5), round(SOUTH + number // 1000 % 800 * STEP, 5)]
    return {
        "id": entity_id(number),
        "type": TYPE,
        "temperature": {
            "type": "Property",
            "value": value,
            "unitCode": "CEL",
            "observedAt": f"2026-01-01T{turn % 24:02d}:00:00Z",
        },
        "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": place}},
        "refDevice": {
            "type": "Relationship",
            "object": f"urn:ngsi-ld:Device:th-bkk:bench-sensor-{number:08d}",
        },
    }


def batches(numbers: Iterable[int], size: int, turn: int = 0) -> Iterator[bytes]:
    """Upsert requests of `size` entities each."""
    part: list[dict[str, Any]] = []
    for number in numbers:
        part.append(entity(number, turn))
        if len(part) == size:
            yield _upsert(part)
            part = []
    if part:
        yield _upsert(part)


def _upsert(part: list[dict[str, Any]]) -> bytes:
    return request("POST", UPSERT, json.dumps(part, separators=(",", ":")).encode())


async def fill(city: City, numbers: Iterable[int], turn: int = 0) -> None:
    """Put made entities into a city."""
    await send(city.port, batches(numbers, _LOAD_BATCH, turn), connections=2, once=True)


async def send(
    port: int,
    requests: Iterable[bytes],
    *,
    connections: int,
    seconds: float = 0.0,
    once: bool = False,
) -> dict[str, Any]:
    """Send requests from a process of its own; raises RuntimeError where one was not answered
    well."""
    with TemporaryDirectory(prefix="nagara-bench-") as folder:
        path = Path(folder) / "requests"
        write_requests(path, requests)
        asked = {"port": port, "connections": connections, "seconds": seconds, "once": once}
        answer = await run_apart("http_load.py", {**asked, "requests": str(path)})
    if answer["bad"]:
        raise RuntimeError(f"answers that are not good: {answer['bad']}")
    return answer
