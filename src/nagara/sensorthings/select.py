"""The statements that bring rows of a set: alone, or for many parents at once (pure)."""

# ruff: noqa: S608 - built of constants of this package; every value is a parameter

from __future__ import annotations

import base64
import json
import re
from datetime import datetime
from typing import Any

from msgspec import Struct

from nagara.sensorthings.errors import OptionInvalid
from nagara.sensorthings.functions import call
from nagara.sensorthings.model import SLOTS, EntitySet, Nav
from nagara.sensorthings.odata import Apply, Node, Path, Value
from nagara.sensorthings.options import Options
from nagara.sensorthings.sql import condition, value
from nagara.sensorthings.statement import Scope, Seen, Statement

#: Columns that are not shown: where navigation leads, and what finds a stream's values.
HIDDEN = {
    "HistoricalLocations": ("thing",),
    "Datastreams": ("thing", "sensor", "property", "attr", "slot", "since", "own"),
    "Observations": ("datastream", "feature", "seq", "at"),
}
_STREAM = "sensorthings.{leg}({p}.id, {p}.no, {p}.attr, {p}.slot, {p}.since) x"
_LEGS = ("stream", "amended")


_COLUMN = re.compile(r"\bx\.(\w+)")


class Stream(Struct, frozen=True):
    """One stream, known beforehand: the index of the history then brings its values in order."""

    id: int
    thing: int
    attr: str
    slot: int
    since: int


class Where(Struct, frozen=True):
    """Which rows: those of one parent, of one key, of one stream; all of it optional."""

    nav: Nav | None = None
    parent: int | None = None
    key: int | None = None
    stream: Stream | None = None


class Plan(Struct, frozen=True):
    """A statement with its parameters, and whether a cursor can go on behind its last row."""

    sql: str
    parameters: list[Any]
    cursor: str = ""


def stream_named(node: Any) -> int | None:
    """The Datastream that a filter demands: `Datastream/id eq 5 and …`."""
    if isinstance(node, Apply) and node.op == "and":
        return next((s for s in map(stream_named, node.args) if s is not None), None)
    if isinstance(node, Apply) and node.op == "eq":
        path = next((a for a in node.args if isinstance(a, Path)), None)
        said = next((a for a in node.args if isinstance(a, Value)), None)
        if path and said and path.steps == ("Datastream", "id") and said.kind in ("num", "text"):
            text = said.text
            return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else None
    return None


def _conjuncts(node: Any) -> list[Any]:
    """The parts of a filter all of which must hold."""
    if isinstance(node, Apply) and node.op == "and":
        return [part for arg in node.args for part in _conjuncts(arg)]
    return [node]


def _columns(of: EntitySet, options: Options | None) -> list[str]:
    wanted = set(options.select) if options is not None and options.select else None
    made = []
    for name, column in of.columns.items():
        if wanted is not None and name not in wanted and name != "id":
            continue
        text = column.sql.format(x="x")
        cast = "::text" if column.kind in ("json", "geo") else ""
        made.append(f'{text}{cast} as "{name}"')
        if column.end:
            made.append(f'{column.end.format(x="x")} as "{name}.end"')
    made += [f'x.{name} as "_{name}"' for name in HIDDEN.get(of.name, ())]
    return made


class _Query:
    """The parts of one statement, before they are joined."""

    def __init__(self, of: EntitySet, options: Options, where: Where, seen: Seen) -> None:
        self.of, self.options, self.where = of, options, where
        self.into = Statement(seen, call)
        self.conditions: list[str] = []
        self.orders: list[tuple[str, bool]] = []
        self.cursor = ""

    @property
    def is_bound(self) -> bool:
        return self.where.stream is not None

    def add_conditions(self, parent: str | None = None) -> None:
        where, into = self.where, self.into
        if not self.is_bound:
            self.conditions.append(into.sees("x"))
        if where.nav is not None and not self.is_bound:
            p = parent or f"{into.bind(where.parent)}::bigint"
            self.conditions.append(where.nav.join.format(c="x", p=p))
        if where.key is not None:
            self.conditions.append(f"x.id = {into.bind(where.key)}::bigint")
            if self.of.name == "Observations":
                self.conditions.append(f"x.seq = {into.bind(where.key // SLOTS)}::bigint")
        if self.options.filter is not None:
            scope = Scope(self.of, "x")
            self.conditions += [condition(n, scope, into) for n in _conjuncts(self.options.filter)]

    def add_orders(self, lateral: bool = False) -> None:
        """The order, made total by the id; and whether a cursor can follow it."""
        into, options = self.into, self.options
        into.option = "$orderby"
        is_stream = self.of.name == "Observations"
        timely = self.is_bound or lateral
        if not options.orders:
            self.cursor = "at" if is_stream and timely else "seq" if is_stream else "id"
            falling = False
        else:
            falling = options.orders[-1].falling
            texts = [o.text for o in options.orders]
            if is_stream and texts in (["phenomenonTime"], ["phenomenonTime", "id"]):
                self.cursor = "at"
            elif not is_stream and texts == ["id"]:
                self.cursor = "id"
            if len({o.falling for o in options.orders}) > 1:
                self.cursor = ""
        if not self.cursor:
            for order in options.orders:
                made = value(order.node, Scope(self.of, "x"), into)
                text = made.text if made.kind != "geo" else f'({made.text})::text collate "C"'
                if order.text == "id" and is_stream:
                    text = "x.seq"
                self.orders.append((text, order.falling))
        elif self.cursor != "id":
            self.orders.append((f"x.{self.cursor}", falling))
        self.orders.append(("x.id", falling))
        into.option = "$filter"
        if options.after:
            self._go_on(falling)

    def _go_on(self, falling: bool) -> None:
        """Behind the last row of the page before."""
        first, last_id = read_cursor(self.options.after, self.cursor)
        sign = "<" if falling else ">"
        no = f"{self.into.bind(last_id)}::bigint"
        if self.cursor == "id":
            self.conditions.append(f"x.id {sign} {no}")
            return
        kind = "timestamptz" if self.cursor == "at" else "bigint"
        at = f"{self.into.bind(first)}::{kind}"
        column = f"x.{self.cursor}"
        self.conditions.append(f"{column} {sign}= {at}")
        self.conditions.append(f"{column} {sign} {at} or x.id {sign} {no}")

    def legs(self) -> list[str]:
        """Where the rows come from; values that were changed afterwards are a leg of their own."""
        if self.of.name != "Observations":
            return [f"{self.of.view} x"]
        stream = self.where.stream
        if stream is None:
            return ["sensorthings.observations_logged x", "sensorthings.observations_amended x"]
        bind = self.into.bind
        said = (
            f"{bind(stream.id)}::bigint, {bind(stream.thing)}::bigint, {bind(stream.attr)}::text,"
            f" {bind(stream.slot)}::int, {bind(stream.since)}::bigint"
        )
        return [f"sensorthings.{leg}({said}) x" for leg in _LEGS]

    def order_by(self, inner: bool) -> str:
        """The order, by expressions or by the names they have further out."""
        said = []
        for i, (text, falling) in enumerate(self.orders):
            way = "" if not falling else " desc" if _plain(text) else " desc nulls last"
            said.append(f"{text if inner else f'o{i}'}{way}")
        return ", ".join(said)

    def joined(self, legs: list[str], limit: int, skip: int) -> str:
        """The legs as one list of rows in order."""
        ranks = [f"{text} as o{i}" for i, (text, _) in enumerate(self.orders)]
        columns = ", ".join([*_columns(self.of, self.options), *ranks])
        where = " and ".join(f"({c})" for c in self.conditions) or "true"
        order = self.order_by(inner=True)
        one = [f"select {columns} from {leg} where {where} order by {order}" for leg in legs]
        if len(one) == 1:
            return f"{one[0]} limit {limit} offset {skip}"
        parts = " union all ".join(f"({sql} limit {limit + skip})" for sql in one)
        return (
            f"select * from ({parts}) u order by {self.order_by(inner=False)}"
            f" limit {limit} offset {skip}"
        )


def _plain(text: str) -> bool:
    """Columns that are never null: their index serves either direction."""
    return text in ("x.id", "x.at", "x.seq")


def page_plan(of: EntitySet, options: Options, where: Where, seen: Seen, limit: int) -> Plan:
    """One page of rows, one more than asked where there are more."""
    query = _Query(of, options, where, seen)
    newest = _by_stream(of, options, where)
    query.add_conditions()
    query.add_orders(lateral=newest)
    skip = 0 if options.after else options.skip
    legs = query.legs()
    if newest:
        legs = [_each_stream(query, leg, limit + skip) for leg in _LEGS]
    sql = query.joined(legs, limit, skip)
    return Plan(sql, query.into.parameters, query.cursor)


def _by_stream(of: EntitySet, options: Options, where: Where) -> bool:
    """Whether rows of all streams are asked in the order of time: each brings its first ones."""
    return (
        of.name == "Observations"
        and where.stream is None
        and where.key is None
        and bool(options.orders)
        and options.orders[0].text == "phenomenonTime"
    )


def _each_stream(query: _Query, leg: str, limit: int) -> str:
    where = " and ".join(f"({c})" for c in query.conditions)
    falling = " desc" if query.options.orders[0].falling else ""
    # What asks for the stream alone is asked once, and not of each of its values.
    about = [c for c in query.conditions if set(_COLUMN.findall(c)) <= {"datastream", "thing"}]
    streams = "".join(
        f" and ({c.replace('x.datastream', 'd.id').replace('x.thing', 'd.no')})" for c in about
    )
    return (
        "(select x.* from sensorthings.datastream d join context.entity e on e.no = d.no"
        " and not e.deleted cross join lateral (select x.* from"
        " (select d.tenant, o.*, coalesce(e.types, array[e.type]) as kinds from"
        f" sensorthings.{leg}(d.id, d.no, d.attr, d.slot, d.since) o) x"
        f" where {where} order by x.at{falling} limit {limit}) x where not d.ended{streams}) x"
    )


def children_plan(
    of: EntitySet,
    options: Options,
    nav: Nav,
    seen: Seen,
    parents: list[dict[str, Any]],
    limit: int,
    rows_max: int,
) -> Plan:
    """The rows of many parents at once, so many of each."""
    bound = of.name == "Observations" and nav.join == "{c}.datastream = {p}"
    stream = Stream(0, 0, "", 0, 0) if bound else None
    query = _Query(of, options, Where(nav=nav, stream=stream), seen)
    bind = query.into.bind
    ids = bind([p["id"] for p in parents])
    if bound:
        columns = [
            bind([p[name] for p in parents]) for name in ("_thing", "_attr", "_slot", "_since")
        ]
        source = (
            f"unnest({ids}::bigint[], {columns[0]}::bigint[], {columns[1]}::text[],"
            f" {columns[2]}::int[], {columns[3]}::bigint[]) as p(id, no, attr, slot, since)"
        )
        legs = [_STREAM.format(leg=leg, p="p") for leg in _LEGS]
    else:
        source = f"unnest({ids}::bigint[]) as p(id)"
        legs = query.legs()
    query.add_conditions(parent="p.id")
    query.add_orders()
    inner = query.joined(legs, limit, options.skip)
    sql = (
        f"select p.id as _parent, r.* from {source} cross join lateral ({inner}) r limit {rows_max}"
    )
    return Plan(sql, query.into.parameters)


def keyed_plan(of: EntitySet, options: Options, seen: Seen, keys: list[int]) -> Plan:
    """The rows of these ids: what navigation to one leads to."""
    query = _Query(of, options, Where(), seen)
    query.add_conditions()
    query.conditions.append(f"x.id = any({query.into.bind(keys)}::bigint[])")
    if of.name == "Observations":
        rows = sorted({key // SLOTS for key in keys})
        query.conditions.append(f"x.seq = any({query.into.bind(rows)}::bigint[])")
    query.orders = [("x.id", False)]
    return Plan(query.joined(query.legs(), len(keys), 0), query.into.parameters)


def count_plan(of: EntitySet, options: Options, where: Where, seen: Seen, most: int) -> Plan:
    """How many rows there are, counted up to `most`."""
    query = _Query(of, options, where, seen)
    query.add_conditions()
    said = " and ".join(f"({c})" for c in query.conditions) or "true"
    parts = [f"(select 1 as one from {leg} where {said} limit {most + 1})" for leg in query.legs()]
    return Plan(f"select count(*) from ({' union all '.join(parts)}) u", query.into.parameters)


def guess_plan(of: EntitySet, options: Options, where: Where, seen: Seen) -> Plan:
    """What the planner believes how many rows there are."""
    query = _Query(of, options, where, seen)
    query.add_conditions()
    said = " and ".join(f"({c})" for c in query.conditions) or "true"
    leg = query.legs()[0]
    return Plan(f"explain (format json) select 1 from {leg} where {said}", query.into.parameters)


def write_cursor(cursor: str, row: Any) -> str:
    """The cursor behind a row of a statement with that `Plan.cursor`."""
    first = {"at": lambda: row["_at"].isoformat(), "seq": lambda: row["_seq"]}.get(
        cursor, lambda: row["id"]
    )()
    text = json.dumps([cursor, first, row["id"]]).encode()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def read_cursor(text: str, cursor: str) -> tuple[Any, int]:
    """What a cursor says. Raises `OptionInvalid` for one that we did not make."""
    try:
        padded = text[:500] + "=" * (-len(text[:500]) % 4)
        kind, first, last = json.loads(base64.urlsafe_b64decode(padded.encode()))
        if cursor and kind == cursor and type(last) is int and abs(last) < 2**63:
            if cursor == "at":
                at = datetime.fromisoformat(first)
                if at.tzinfo is not None:
                    return at, last
            elif type(first) is int and abs(first) < 2**63:
                return first, last
    except (ValueError, TypeError):
        pass  # the words below serve every way a cursor can be wrong
    raise OptionInvalid(option="$skiptoken", position=0, reason="not one of ours for this order")


__all__ = ["Node", "Plan", "Stream", "Where"]
