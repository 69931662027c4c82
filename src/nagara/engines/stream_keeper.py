"""Brings JetStream back after a full disk.

NATS acknowledges nothing that it could not write; but a stream that once failed to write stays
failed until the server is started again (nats-server 2.15, seen in its log as "critical write
error"). So the log is watched, and when there is space again the server is restarted; nothing that
was acknowledged is lost by that.
"""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import structlog

from nagara.engines.supervise import Child

LOOK_EVERY_S = 2.0
FREE_BYTES_MIN = 32_000_000  # four blocks of a stream: less would fail again at once
_WOUND = b"critical write error"

log = structlog.get_logger("engines")


async def keep_stream(child: Child, store: Path) -> None:
    """Runs as long as the city."""
    seen = _size(child.recipe.log_path)
    wounded = False
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        said, seen = _read_from(child.recipe.log_path, seen)
        if _WOUND in said and not wounded:
            wounded = True
            child.reason = "disk full"
            log.error("the stream cannot write: the disk is full", engine=child.recipe.name)
        if wounded and shutil.disk_usage(store).free > FREE_BYTES_MIN:
            wounded = False
            seen = _size(child.recipe.log_path)
            child.restart()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _read_from(path: Path, start: int) -> tuple[bytes, int]:
    """What was written since, and the place to go on from; a log that was turned over starts
    again."""
    size = _size(path)
    if size <= start:
        return b"", size
    with path.open("rb") as source:
        source.seek(start)
        said = source.read(1_000_000)
    return said, start + len(said)
