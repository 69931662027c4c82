"""Walk the audit chain from its first row and say what was done to it.

Streams: a million rows take seconds and no memory to speak of. The hashes are computed here, not by
the server, whose owner may be the one we doubt.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from nagara.guard.anchors import Anchor, read_anchors
from nagara.guard.audit import GENESIS, AuditHead, AuditRow, canonical, link
from nagara.guard.errors import (
    AuditAnchorUnreadable,
    AuditRewritten,
    AuditRowChanged,
    AuditRowsRemoved,
    AuditRowsSwapped,
    AuditRowUnlinked,
    AuditTailCut,
)
from nagara.values.errors import Problem

#: Faults listed before the walk stops: an operator needs the first ones, not a million.
FAULTS_MAX = 100
_PREFETCH = 2_000  # rows a round trip


class Verdict(Struct, frozen=True):
    """What the walk found. `problems` have texts in every language; none when all is well."""

    rows: int
    head: AuditHead
    anchors: int
    problems: tuple[Problem, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing was found."""
        return not self.problems


class _Suspect(Struct):
    """A row that does not carry its hash: it may be one half of a swap."""

    row: AuditRow
    expected_prev: bytes


async def verify(conn: Any, anchor_path: Path | None) -> Verdict:
    """Verify the chain of the connected database against the anchors at `anchor_path`.

    The anchors are opened before the snapshot is taken, so that a city may go on writing.
    """
    anchors = read_anchors(anchor_path) if anchor_path is not None else iter(())
    known, problems = _collect(anchors)
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        cursor = conn.cursor("select * from guard.audit order by seq", prefetch=_PREFETCH)
        walk = _Walk(known)
        async for row in _rows(cursor):
            if not walk.step(row):
                break
    problems += walk.finish()
    return Verdict(walk.rows, walk.head, len(known), tuple(problems[:FAULTS_MAX]))


async def _rows(cursor: AsyncIterator[Any]) -> AsyncIterator[AuditRow]:
    async for row in cursor:
        yield AuditRow(*row)


def _collect(
    anchors: Iterator[Anchor | AuditAnchorUnreadable],
) -> tuple[dict[int, Anchor], list[Problem]]:
    known: dict[int, Anchor] = {}
    problems: list[Problem] = []
    for found in anchors:
        if isinstance(found, Anchor):
            first = known.setdefault(found.seq, found)
            if first.hash != found.hash:  # the same number was written twice with another past
                problems.append(AuditRewritten(seq=found.seq, anchored_at=first.at))
        else:
            problems.append(found)
    return known, problems


class _Walk:
    """The state of one pass. After a fault it goes on from the row as stored, to list them all."""

    def __init__(self, anchors: dict[int, Anchor]) -> None:
        self.rows = 0
        self.head = AuditHead(0, GENESIS)
        self._anchors = anchors
        self._last_anchor = max(anchors, default=0)
        self._problems: list[Problem] = []
        self._suspects: list[_Suspect] = []
        self._doubt = False

    def step(self, row: AuditRow) -> bool:
        """Take the next row; False when enough faults are known."""
        self.rows += 1
        expected_seq = self.head.seq + 1
        # After a fault the row before is no witness; the next one is judged by itself.
        expected_prev = row.prev if self._doubt else self.head.hash
        if row.seq > expected_seq:
            self._problems.append(AuditRowsRemoved(first=expected_seq, last=row.seq - 1))
            expected_prev = row.prev
        self._doubt = False
        body = canonical(row.at, row.actor, row.act, row.subject, row.digest)
        if row.prev != expected_prev or link(row.prev, row.seq, body) != row.hash:
            self._doubt = True
            if link(expected_prev, row.seq, body) == row.hash:
                self._problems.append(AuditRowChanged(seq=row.seq))  # only its own `prev`
            else:
                self._suspects.append(_Suspect(row, expected_prev))
        else:
            anchor = self._anchors.get(row.seq)
            if anchor is not None and anchor.hash != row.hash:
                self._problems.append(AuditRewritten(seq=row.seq, anchored_at=anchor.at))
        self.head = AuditHead(row.seq, row.hash)
        return len(self._problems) + len(self._suspects) < FAULTS_MAX

    def finish(self) -> list[Problem]:
        """All faults found, in the order of the chain."""
        found = self._problems + _judge(self._suspects)
        stopped_early = len(self._problems) + len(self._suspects) >= FAULTS_MAX
        if self._last_anchor > self.head.seq and not stopped_early:
            anchor = self._anchors[self._last_anchor]
            found.append(
                AuditTailCut(last=self.head.seq, anchored=anchor.seq, anchored_at=anchor.at)
            )
        return sorted(found, key=_place)


def _judge(suspects: list[_Suspect]) -> list[Problem]:
    """Tell swaps from changes: two rows are swapped when each fits where the other stands."""
    found: list[Problem] = []
    settled: set[int] = set()
    for one in suspects:
        if one.row.seq in settled:
            continue
        settled.add(one.row.seq)
        twin = next(
            (o for o in suspects if o.row.seq not in settled and _swapped(one, o)),
            None,
        )
        if twin is not None:
            settled.add(twin.row.seq)
            found.append(AuditRowsSwapped(first=one.row.seq, second=twin.row.seq))
        elif one.row.prev != one.expected_prev:
            found.append(AuditRowUnlinked(seq=one.row.seq))
        else:
            found.append(AuditRowChanged(seq=one.row.seq))
    return found


def _swapped(one: _Suspect, other: _Suspect) -> bool:
    return _fits(one.row, other) and _fits(other.row, one)


def _fits(row: AuditRow, place: _Suspect) -> bool:
    """Whether the row's content belongs at the other's number.

    Either the hashes moved along with the content or they stayed.
    """
    body = canonical(row.at, row.actor, row.act, row.subject, row.digest)
    seq = place.row.seq
    return (
        link(row.prev, seq, body) == row.hash or link(place.row.prev, seq, body) == place.row.hash
    )


def _place(problem: Problem) -> int:
    params = problem.params
    return int(params.get("seq", params.get("first", params.get("anchored", 0))))
