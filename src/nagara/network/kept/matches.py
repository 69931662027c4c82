"""Proposals that one title went on as another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from nagara.engines.database import Connection


class Match(Struct, frozen=True):
    """A proposal, with both titles."""

    id: int
    earlier: int
    later: int
    score: float
    reasons: list[dict[str, Any]]
    state: str
    kind: str | None
    note: str
    settled_by: str | None
    settled_at: datetime | None
    member: str
    earlier_name: str
    earlier_first: int
    earlier_last: int
    earlier_project: str | None
    later_name: str
    later_first: int
    later_last: int
    later_project: str | None
    earlier_focus: str | None = None
    later_focus: str | None = None


_MATCH = (
    "select m.id, m.earlier, m.later, m.score, m.reasons, m.state, m.kind, m.note, m.settled_by,"
    " m.settled_at, e.member, e.name as earlier_name, e.first_year as earlier_first,"
    " e.last_year as earlier_last, e.project as earlier_project, l.name as later_name,"
    " l.first_year as later_first, l.last_year as later_last, l.project as later_project,"
    " (select focus from network.row where title = e.id and year = e.last_year) as earlier_focus,"
    " (select focus from network.row where title = l.id and year = l.last_year) as later_focus"
    " from network.match m join network.title e on e.id = m.earlier"
    " join network.title l on l.id = m.later"
)


async def put_matches(
    conn: Connection, found: Sequence[tuple[int, int, float, list[dict[str, Any]]]]
) -> int:
    """Keep proposals that are new; a settled one is left alone. How many were new."""
    made = 0
    for earlier, later, score, reasons in found:
        done = await conn.execute(
            "insert into network.match (earlier, later, score, reasons) values ($1, $2, $3, $4)"
            " on conflict (earlier, later) do nothing",
            earlier, later, score, reasons,
        )  # fmt: skip
        made += done.endswith(" 1")
    return made


async def list_matches(
    conn: Connection,
    state: str | None,
    member: str | None,
    after: int | None,
    limit: int,
) -> list[Match]:
    """Proposals by number; numbers follow likeness at the time of proposing."""
    rows = await conn.fetch(
        f"{_MATCH} where ($1::text is null or m.state = $1) and ($2::text is null or e.member = $2)"
        " and m.id > $3 order by m.id limit $4",
        state, member, after or 0, limit,
    )  # fmt: skip
    return [Match(**dict(row)) for row in rows]


async def find_match(conn: Connection, match_id: int, lock: bool = False) -> Match | None:
    """The proposal of a number; `lock`: nobody else settles it meanwhile."""
    tail = " for update of m, l" if lock else ""
    row = await conn.fetchrow(f"{_MATCH} where m.id = $1{tail}", match_id)
    return None if row is None else Match(**dict(row))


async def settle_match(
    conn: Connection, match_id: int, state: str, kind: str | None, note: str, by: str, at: datetime
) -> None:
    """Write down what was decided."""
    await conn.execute(
        "update network.match set state = $2, kind = $3, note = $4, settled_by = $5,"
        " settled_at = $6 where id = $1",
        match_id, state, kind, note, by, at,
    )  # fmt: skip


async def open_for_later(conn: Connection, later: int) -> list[int]:
    """Proposals for a later title that nobody settled yet."""
    rows = await conn.fetch(
        "select id from network.match where later = $1 and state = 'proposed'", later
    )
    return [row["id"] for row in rows]


async def ended_titles(conn: Connection) -> list[tuple[int, int, str]]:
    """(earlier, later, kind) where somebody said that a title went into another project, or was
    split into several."""
    rows = await conn.fetch(
        "select earlier, later, kind from network.match where state = 'confirmed'"
        " and kind in ('merged', 'split') order by earlier, later"
    )
    return [(row["earlier"], row["later"], row["kind"]) for row in rows]


async def open_parts(
    conn: Connection, earlier: int, wanted: Sequence[int]
) -> list[tuple[int, int]]:
    """(proposal, later title) of those wanted that are open and of this earlier title; nobody else
    settles them meanwhile."""
    rows = await conn.fetch(
        "select id, later from network.match where id = any($2) and earlier = $1"
        " and state = 'proposed' order by id for update",
        earlier, list(wanted),
    )  # fmt: skip
    return [(row["id"], row["later"]) for row in rows]


async def matches_of_titles(conn: Connection, titles: Sequence[int]) -> Mapping[int, list[int]]:
    """Earlier title → proposals that are open."""
    rows = await conn.fetch(
        "select earlier, array_agg(id order by id) as ids from network.match"
        " where earlier = any($1) and state = 'proposed' group by earlier",
        list(titles),
    )
    return {row["earlier"]: list(row["ids"]) for row in rows}
