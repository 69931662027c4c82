"""The statements that bring rows of a set: alone, or for many parents at once (pure)."""

# ruff: noqa: S608 - built of constants of this package; every value is a parameter

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from msgspec import Struct

from nagara.sensorthings.cursors import read_cursor
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
_STREAM = (
    "(select o.*, {p}.sensor, {p}.property"
    " from sensorthings.{leg}({p}.id, {p}.no, {p}.attr, {p}.slot, {p}.since) o) x"
)
_LEGS = ("stream", "amended")


_COLUMN = re.compile(r"\bx\.(\w+)")


class Stream(Struct, frozen=True):
    """One stream, known beforehand: the index of the history then brings its values in order."""

    id: int
    thing: int
    attr: str
    slot: int
    since: int
    sensor: int
    property: int


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
        if (wanted is not None and name not in wanted and name != "id") or name in of.later:
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
        about = f"{bind(stream.sensor)}::bigint as sensor, {bind(stream.property)}::bigint"
        return [
            f"(select o.*, {about} as property from sensorthings.{leg}({said}) o) x"
            for leg in _LEGS
        ]

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


def page_plan(
    of: EntitySet,
    options: Options,
    where: Where,
    seen: Seen,
    limit: int,
    bound: datetime | None = None,
    is_whole: bool = False,
) -> Plan:
    """One page of rows, one more than asked where there are more. `bound`: of rows in the order of
    time, the page ends before that one; `is_whole`: they are so few that all of them are sorted."""
    query = _Query(of, options, where, seen)
    newest = is_timely(of, options, where)
    query.add_conditions()
    query.add_orders(lateral=newest)
    skip = 0 if options.after else options.skip
    legs = query.legs()
    if bound is not None:
        sign = ">=" if options.orders[0].falling else "<="
        query.conditions.append(f"x.at {sign} {query.into.bind(bound)}::timestamptz")
    elif newest and not is_whole:
        legs = [_each_stream(query, limit + skip), legs[1]]
    sql = query.joined(legs, limit, skip)
    return Plan(sql, query.into.parameters, query.cursor)


def is_timely(of: EntitySet, options: Options, where: Where) -> bool:
    """Whether rows of all streams are asked in the order of time: each brings its first ones."""
    return (
        of.name == "Observations"
        and where.stream is None
        and where.key is None
        and bool(options.orders)
        and options.orders[0].text == "phenomenonTime"
    )


def bound_plan(options: Options, seen: Seen, rows: int, need: int) -> Plan:
    """The time before which the first rows of a page end, where as many rows of the log say so:
    looked for in those that were written last, or first. And how many rows there were."""
    falling = options.orders[0].falling
    way, sign, end = (" desc", "<=", "min") if falling else ("", ">=", "max")
    parameters: list[Any] = [seen.tenant, rows, need]
    begin = ""
    if options.after:
        parameters.append(read_cursor(options.after, "at")[0])
        begin = f" and c.at {sign} $4::timestamptz"
    return Plan(
        f"with c as materialized (select c.at, c.tenant, c.attrs from context.change c"
        f" order by c.seq{way} limit $2)"
        f" select (select count(*) from c) as looked, count(*) as found, {end}(u.at) as bound"
        f" from (select c.at from c where c.tenant = $1{begin}"
        f" and jsonb_path_exists(c.attrs, '$.*.observedAt') order by c.at{way} limit $3) u",
        parameters,
    )


def _each_stream(query: _Query, limit: int) -> str:
    where = " and ".join(f"({c})" for c in query.conditions)
    falling = " desc" if query.options.orders[0].falling else ""
    # What asks for the stream alone is asked once, and not of each of its values.
    own = {"datastream": "id", "thing": "no", "sensor": "sensor", "property": "property"}
    about = [c for c in query.conditions if set(_COLUMN.findall(c)) <= own.keys()]
    streams = "".join(f" and ({_COLUMN.sub(lambda found: f'd.{own[found[1]]}', c)})" for c in about)
    return (
        "(select x.* from sensorthings.datastream d join context.entity e on e.no = d.no"
        " and not e.deleted cross join lateral (select x.* from"
        " (select d.tenant, o.*, d.sensor, d.property,"
        " coalesce(e.types, array[e.type]) as kinds from"
        " sensorthings.stream(d.id, d.no, d.attr, d.slot, d.since) o) x"
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
    stream = Stream(0, 0, "", 0, 0, 0, 0) if bound else None
    query = _Query(of, options, Where(nav=nav, stream=stream), seen)
    bind = query.into.bind
    ids = bind([p["id"] for p in parents])
    if bound:
        kinds = {"no": "bigint", "attr": "text", "slot": "int", "since": "bigint",
                 "sensor": "bigint", "property": "bigint"}  # fmt: skip
        held = [
            f"{bind([p['_thing' if name == 'no' else '_' + name] for p in parents])}::{kind}[]"
            for name, kind in kinds.items()
        ]
        source = f"unnest({ids}::bigint[], {', '.join(held)}) as p(id, {', '.join(kinds)})"
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


def times_plan(rows: list[dict[str, Any]]) -> Plan:
    """From when to when the values of Datastreams are, in the order of the rows."""
    into = [
        ([row["id"] for row in rows], "bigint"),
        ([row["_thing"] for row in rows], "bigint"),
        ([row["_attr"] for row in rows], "text"),
        ([row["_slot"] for row in rows], "int"),
        ([row["_since"] for row in rows], "bigint"),
    ]

    def ends(order: str) -> str:
        legs = " union all ".join(
            f"(select o.at, o.end_at, o.result_at from sensorthings.{leg}"
            f"(p.id, p.no, p.attr, p.slot, p.since) o order by o.at{order} limit 5)"
            for leg in _LEGS
        )
        return f"from ({legs}) u"

    said = ", ".join(f"${i}::{kind}[]" for i, (_, kind) in enumerate(into, 1))
    sql = (
        "select f.first_at, l.last_at, f.first_result_at, l.last_result_at"
        f" from unnest({said}) with ordinality as p(id, no, attr, slot, since, i)"
        " cross join lateral (select min(u.at) as first_at, min(u.result_at) as first_result_at"
        f" {ends('')}) f cross join lateral (select max(coalesce(u.end_at, u.at)) as last_at,"
        f" max(u.result_at) as last_result_at {ends(' desc')}) l order by p.i"
    )
    return Plan(sql, [values for values, _ in into])


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


__all__ = ["Node", "Plan", "Stream", "Where"]
