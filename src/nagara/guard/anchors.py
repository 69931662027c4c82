"""Heads of the audit chain, kept outside the database.

`DATA/audit/heads.log`, one line a head: `seq hash time`. Append only; an operator copies it to
another machine, for whoever owns this one could rewrite both.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from nagara.guard.audit import AuditHead
from nagara.guard.errors import AuditAnchorUnreadable
from nagara.values.time import format_instant

#: Seconds between anchors: the longest tail that could be cut unseen. Shorter would cost little
#: time (an fsync is a millisecond) but 100 bytes a line: 30 s is 100 MB a year in a busy city.
ANCHOR_EVERY_S = 30.0


class Anchor(Struct, frozen=True):
    """A head as it was once."""

    seq: int
    hash: bytes
    at: str


def anchor_path(data_dir: Path) -> Path:
    """Where the anchors of the city in `data_dir` are."""
    return data_dir / "audit" / "heads.log"


def write_anchor(path: Path, head: AuditHead, at: datetime) -> bool:
    """Append the head unless it is the last one there; whether a line was written.

    On the disk on return (fsync). A line torn by a power cut is closed first, so that it stays
    alone in its line.
    """
    if head.seq == 0:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    tail = _tail(path)
    last = tail.rstrip(b"\n").rpartition(b"\n")[2].split(b" ")
    if last[:2] == [str(head.seq).encode(), head.hash.hex().encode()]:
        return False
    line = f"{head.seq} {head.hash.hex()} {format_instant(at)}\n".encode()
    if tail and not tail.endswith(b"\n"):
        line = b"\n" + line
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(handle, line)
        os.fsync(handle)
    finally:
        os.close(handle)
    return True


def last_anchor(path: Path) -> Anchor | None:
    """The newest anchor that can be read, or None."""
    for line in reversed(_tail(path).splitlines(keepends=True)):
        read = _parse(line)
        if read is not None:
            return read
    return None


def read_anchors(path: Path) -> Iterator[Anchor | AuditAnchorUnreadable]:
    """The anchors in the order of the file, line by line.

    A line that is none comes as the problem itself, except the last one: a power cut tears it.
    """
    if not path.exists():
        return
    with path.open("rb") as lines:
        torn: AuditAnchorUnreadable | None = None
        for number, line in enumerate(lines, 1):
            if torn is not None:
                yield torn
                torn = None
            read = _parse(line)
            if read is not None:
                yield read
            elif line.strip():
                torn = AuditAnchorUnreadable(line=number, path=path.name)


def _parse(line: bytes) -> Anchor | None:
    parts = line.decode("ascii", "replace").split()
    if len(parts) != 3 or not line.endswith(b"\n") or not parts[0].isdigit():
        return None
    try:
        digest = bytes.fromhex(parts[1])
    except ValueError:
        return None
    return Anchor(int(parts[0]), digest, parts[2]) if len(digest) == 32 else None


def _tail(path: Path) -> bytes:
    if not path.exists():
        return b""
    with path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - 512))
        return file.read()
