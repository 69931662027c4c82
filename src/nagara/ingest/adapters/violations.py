"""What NATS turned away at its door, counted from its own log.

NATS acknowledges a publication to a forbidden topic and drops it, and closes the connection of a
device that sends too large a packet (MQTT 3.1.1 has no way to say no), so that its log is the only
witness. With a NATS that is not the city's child there is no log to read.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from nagara.ingest.errors import PayloadTooLarge, TopicForbidden
from nagara.values.errors import Problem

LOOK_EVERY_S = 0.5
#: Read at one look: a device in a loop must not fill the memory; the rest comes next time.
BYTES_AT_ONCE = 1_000_000

#: NATS 2.15: `127.0.0.1:53590 - mid:32 - "<client id>" - Publish Violation - Subject "<subject>"`.
#: The log-in demands that a client id begins with the device's id (`mqtt_login.is_own_client_id`).
_LINE = re.compile(
    rb"\"(?P<device>[A-Za-z0-9_-]*)(?::[^\"]*)?\" - "
    rb"(?:Publish Violation - .*?Subject \"(?P<subject>[^\"]*)\""
    rb"|maximum payload exceeded: (?P<size>\d+) vs (?P<most>\d+))"
)


class Violation(NamedTuple):
    """Who was turned away (None where the log does not say), and why."""

    device: str | None
    problem: Problem


def violations_in(text: bytes) -> list[Violation]:
    """The violations in a piece of the log."""
    found = []
    for match in _LINE.finditer(text):
        device = match["device"].decode() or None
        if match["size"]:
            size, most = int(match["size"]), int(match["most"])
            found.append(Violation(device, PayloadTooLarge(bytes=size, most=most)))
        else:
            topic = topic_of(match["subject"].decode(errors="replace"))
            found.append(Violation(device, TopicForbidden(topic=topic[:200])))
    return found


def topic_of(subject: str) -> str:
    """The MQTT topic of a NATS subject: `.` was `/`, and `//` was a dot."""
    return "/".join(part.replace("//", ".") for part in subject.split("."))


async def follow(path: Path, at: int, on_violation: Callable[[Violation], None]) -> None:
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
        for violation in violations_in(text + newline):
            on_violation(violation)


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
