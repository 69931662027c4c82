"""Publications to forbidden topics, counted from NATS's own log.

NATS acknowledges such a publication and drops it (MQTT 3.1.1 has no way to say no), so that its log
is the only witness. With a NATS that is not the city's child there is no log to read.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import structlog

LOOK_EVERY_S = 0.5
#: Read at one look: a device in a loop must not fill the memory; the rest comes next time.
BYTES_AT_ONCE = 1_000_000

#: NATS 2.15: `127.0.0.1:53590 - mid:32 - "<client id>" - Publish Violation - Subject "<subject>"`.
#: The log-in demands that a client id begins with the device's id (`mqtt_login.is_own_client_id`).
_VIOLATION = re.compile(
    rb"\"([A-Za-z0-9_-]+)(?::[^\"]*)?\" - Publish Violation - .*?Subject \"([^\"]*)\""
)
_ANY = b"Publish Violation"

log = structlog.get_logger("ingest.violations")


def violations_in(text: bytes) -> list[tuple[str | None, str]]:
    """(device, subject) of each violation in a piece of the log."""
    found: list[tuple[str | None, str]] = []
    for line in text.splitlines():
        if _ANY not in line:
            continue
        match = _VIOLATION.search(line)
        if match is None:
            found.append((None, ""))
        else:
            found.append((match[1].decode(), match[2].decode(errors="replace")))
    return found


async def follow(path: Path, at: int, on_violation: Callable[[str | None, str], None]) -> None:
    """Reports each violation behind byte `at` of the log; runs for the life of the city."""
    rest = b""
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        size = await asyncio.to_thread(log_size, path)
        if size < at:  # the log was turned over
            at, rest = 0, b""
        if size == at:
            continue
        fresh = await asyncio.to_thread(_read, path, at)
        at += len(fresh)
        text, newline, rest_of = (rest + fresh).rpartition(b"\n")
        rest = rest_of[-4096:]
        for device, subject in violations_in(text + newline):
            on_violation(device, subject)


def log_size(path: Path) -> int:
    """How long the log is; 0 where it is not there yet."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _read(path: Path, at: int) -> bytes:
    with path.open("rb") as source:
        source.seek(at)
        return source.read(BYTES_AT_ONCE)
