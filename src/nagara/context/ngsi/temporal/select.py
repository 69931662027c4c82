"""Which entities a page of history has: q, geometry and scopes are judged on what was so in the
span, not on what is so now (clause 5.7.4.4)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from asyncpg import Record
from msgspec import Struct

from nagara.context.chronicle import SCOPE
from nagara.context.geometry import fulfils
from nagara.context.history import Series, Span, bounds_of, read_instances
from nagara.context.history_query import count_subjects, find_subjects
from nagara.context.model import Query
from nagara.context.ngsi.terms import TermMap
from nagara.context.packed import Packed, instance_of
from nagara.context.q import And, Node, Or
from nagara.context.q_match import matches
from nagara.context.selection import are_scopes_meant
from nagara.context.store import Conn
from nagara.context.where import tree_of

#: Entities whose history is judged at once.
BATCH = 100
#: Instances of one attribute that a condition is judged on.
JUDGED_MAX = 100_000

#: From when to when (microseconds, both included) a scope held.
Interval = tuple[int, int]


class Chosen(Struct, frozen=True):
    """An entity of a page; `intervals` are the times at which it had a scope asked for, `scope`
    is that of them which held already when the span began."""

    row: Record
    intervals: tuple[Interval, ...] | None = None
    scope: Packed | None = None


class Selection(Struct):
    """A page of entities."""

    chosen: list[Chosen]
    has_more: bool
    total: int | None


async def select(
    conn: Conn,
    query: Query,
    span: Span,
    names: Sequence[str] | None,
    terms: TermMap,
    counted: bool,
    descending: bool = False,
) -> Selection:
    """One page of the entities that a temporal query means, and their number where `counted`."""
    if not (query.q or query.geo or query.scopes):
        total = await count_subjects(conn, query, span, names) if counted else None
        rows: list[Record] = []
        if query.limit:
            rows = await find_subjects(
                conn, query, span, names, None, query.limit + 1, query.offset, descending
            )
        found = [Chosen(row) for row in rows[: query.limit]]
        return Selection(found, len(rows) > query.limit, total)
    tree = tree_of(query, terms.expand)
    judged: list[Chosen] = []
    passed, at = 0, 0
    while True:
        rows = await find_subjects(conn, query, span, names, None, BATCH, at, descending)
        at += len(rows)
        for chosen in await _judge(conn, rows, query, tree, span, terms):
            passed += 1
            if passed > query.offset and len(judged) <= query.limit:
                judged.append(chosen)
        if len(rows) < BATCH or (not counted and len(judged) > query.limit):
            break
    return Selection(judged[: query.limit], len(judged) > query.limit, passed if counted else None)


def _names_of(node: Node | None, terms: TermMap) -> set[str]:
    if node is None:
        return set()
    if isinstance(node, And | Or):
        return {name for part in node.parts for name in _names_of(part, terms)}
    return {terms.expand(node.path.names[0])}


async def _judge(
    conn: Conn,
    rows: Sequence[Record],
    query: Query,
    tree: Node | None,
    span: Span,
    terms: TermMap,
) -> list[Chosen]:
    if not rows:
        return []
    nos = [row["no"] for row in rows]
    held: dict[int, tuple[Interval, ...]] = {}
    before: dict[int, Packed] = {}
    if query.scopes:
        told, _ = await read_instances(conn, nos, [SCOPE], Span(None, span.end), JUDGED_MAX)
        gone, _ = await read_instances(
            conn, nos, [SCOPE], Span(None, span.end, "deletedAt"), JUDGED_MAX
        )
        held = {no: _held(told, gone, no, query, span) for no in nos}
        before = {no: one for no in nos if (one := _before(told, no, held[no], span)) is not None}
        rows = [row for row in rows if held[row["no"]]]
        nos = [row["no"] for row in rows]
    if query.geo is None and tree is None:
        return [Chosen(row, held.get(row["no"]), before.get(row["no"])) for row in rows]
    names = _names_of(tree, terms)
    if query.geo is not None:
        names.add(query.geo.geoproperty)
    series, _ = await read_instances(conn, nos, sorted(names), span, JUDGED_MAX)
    fit = await asyncio.to_thread(_fulfilling, rows, series, query, tree, terms, held)
    return [Chosen(row, held.get(row["no"]), before.get(row["no"])) for row in fit]


def _fulfilling(
    rows: Iterable[Record],
    series: Series,
    query: Query,
    tree: Node | None,
    terms: TermMap,
    held: dict[int, tuple[Interval, ...]],
) -> list[Record]:
    docs: dict[int, dict[str, list[Any]]] = {}
    for (no, name, _), found in series.items():
        instances = docs.setdefault(no, {}).setdefault(name, [])
        instances += [instance_of(p) for p in found if is_within(p.at, held.get(no))]
    fit = []
    for row in rows:
        doc = docs.get(row["no"], {})
        doc = {name: instances for name, instances in doc.items() if instances}
        if tree is not None and not matches(tree, doc, terms.expand):
            continue
        if query.geo is not None and not any(
            fulfils({query.geo.geoproperty: one}, query.geo)
            for one in doc.get(query.geo.geoproperty, [])
        ):
            continue
        fit.append(row)
    return fit


def is_within(at: int, intervals: Sequence[Interval] | None) -> bool:
    """Whether a time is in one of some intervals; None means any time."""
    return intervals is None or any(low <= at <= high for low, high in intervals)


def _held(told: Series, gone: Series, no: int, query: Query, span: Span) -> tuple[Interval, ...]:
    """When an entity had a scope that is asked for, within the span (clause 4.18: from the time it
    was set until it is set anew or removed)."""
    steps: list[tuple[int, int, list[str]]] = []
    for found in (told.get((no, SCOPE, ""), []), gone.get((no, SCOPE, ""), [])):
        for packed in found:
            value = None if packed.rest == "v-null" else instance_of(packed).get("value")
            scopes = value if isinstance(value, list) else [value] if value else []
            steps.append((packed.at, packed.seq, scopes))
    steps.sort(key=lambda step: step[:2])
    first, last = bounds_of(span)
    made: list[Interval] = []
    for index, (at, _, scopes) in enumerate(steps):
        until = steps[index + 1][0] - 1 if index + 1 < len(steps) else last
        low, high = max(at, first), min(until, last)
        if low <= high and scopes and are_scopes_meant(scopes, query.scopes):
            made.append((low, high))
    return tuple(made)


def _before(told: Series, no: int, held: tuple[Interval, ...], span: Span) -> Packed | None:
    """The scope that held when the span began, where it is one asked for: it is told with what was
    measured under it, though it was set earlier (annex C.5.16)."""
    first, _ = bounds_of(span)
    if span.by != "observedAt" or not held or held[0][0] != first:
        return None
    set_by_then = [packed for packed in told.get((no, SCOPE, ""), []) if packed.at <= first]
    return set_by_then[-1] if set_by_then and set_by_then[-1].at < first else None
