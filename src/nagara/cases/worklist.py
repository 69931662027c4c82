"""The work list: filtered, by due time, page by page, and only what the actor sees."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import Struct

from nagara.cases.kept import Row
from nagara.cases.rights import Sight
from nagara.engines.database import Connection
from nagara.values.time import format_instant, parse_instant
from nagara.vocab.case import OPEN, STATES

PAGE_MAX = 200  # rows; about 100 kB of JSON
Order = Literal["due", "newest"]

_ORDERS = {"due": ("due_at", ">", ""), "newest": ("opened_at", "<", " desc")}


class Filter(Struct, frozen=True):
    """What is asked for; None: whatever it be. `state` may be several, and `open` all open ones."""

    department: str | None = None
    state: str | None = None
    district: str | None = None
    category: str | None = None
    source: str | None = None
    overdue: bool | None = None
    order: Order = "due"
    after: str | None = None
    limit: int = 50


class _Clauses:
    """Conditions with their parameters, joined by `and`."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.params: list[Any] = []

    def add(self, condition: str, *values: Any) -> None:
        """`?` in the condition stands for the next value."""
        for value in values:
            self.params.append(value)
            condition = condition.replace("?", f"${len(self.params)}", 1)
        self.said.append(condition)


async def list_rows(conn: Connection, asked: Filter, sight: Sight) -> tuple[list[Row], str | None]:
    """One page of cases and the cursor of the next."""
    column, beyond, direction = _ORDERS[asked.order]
    clauses = _Clauses()
    clauses.add("true")
    _add_sight(clauses, sight)
    _add_filter(clauses, asked)
    place = _read_cursor(asked.after)
    if place is not None:
        clauses.add(f"({column}, case_id) {beyond} (?, ?)", *place)
    limit = max(1, min(asked.limit, PAGE_MAX))
    rows = await conn.fetch(
        f"select {', '.join(Row.__struct_fields__)} from cases.case"  # noqa: S608 - our own words
        f" where {' and '.join(clauses.said)}"
        f" order by {column}{direction}, case_id{direction} limit {limit + 1}",
        *clauses.params,
    )
    found = [Row(**dict(row)) for row in rows[:limit]]
    cursor = _cursor(getattr(found[-1], column), found[-1].case_id) if len(rows) > limit else None
    return found, cursor


def _add_sight(clauses: _Clauses, sight: Sight) -> None:
    if not sight.everywhere:
        clauses.add(
            "(department = any(?::text[]) or crew = ?::text)", list(sight.departments), sight.crew
        )


def _add_filter(clauses: _Clauses, asked: Filter) -> None:
    for column in ("department", "district", "category", "source"):
        value = getattr(asked, column)
        if value:
            clauses.add(f"{column} = any(?::text[])", value.split(","))
    if asked.state:
        states: set[str] = set()
        for state in asked.state.split(","):
            states |= OPEN if state == "open" else {state} & set(STATES)
        clauses.add("state = any(?::text[])", sorted(states))
    if asked.overdue is not None:
        late = "overdue and state = any(?::text[])"
        clauses.add(late if asked.overdue else f"not ({late})", sorted(OPEN))


def _cursor(at: datetime, case_id: str) -> str:
    said = msgspec.json.encode([format_instant(at), case_id])
    return base64.urlsafe_b64encode(said).decode().rstrip("=")


def _read_cursor(text: str | None) -> tuple[datetime, str] | None:
    """Where the page begins; the first page for a text that is no cursor of ours."""
    if not text:
        return None
    try:
        said = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        at, case_id = msgspec.json.decode(said, type=tuple[str, str])
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        return None
    return parse_instant(at), case_id
