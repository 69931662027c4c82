"""CQL2 JSON, read to the same tree as CQL2 text (OGC 21-065r2 clause 9): pure, bounded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import msgspec
import shapely
from shapely.geometry import shape

from nagara.features.cql import (
    COMPARISONS,
    DEPTH_MAX,
    LENGTH_MAX,
    LIST_MAX,
    NODES_MAX,
    SPATIAL,
    TEMPORAL,
    TURNED,
    TURNED_TIMES,
    Between,
    CaseI,
    Compare,
    In,
    IsNull,
    Like,
    Lit,
    Logic,
    Node,
    Prop,
    Scalar,
    Shape,
    Span,
    Spatial,
    Temporal,
    Truth,
)
from nagara.features.cql_shapes import box_shape, checked
from nagara.features.errors import FilterInvalid, FilterTooComplex
from nagara.features.times import read_interval, read_time
from nagara.values.unread import reason_unread


def read_json(text: str) -> Node:
    """The tree of a filter. Raises `FilterInvalid`, `FilterTooComplex`."""
    if len(text) > LENGTH_MAX:
        raise FilterTooComplex(what="characters", limit=LENGTH_MAX)
    raw = text.encode("utf-8", "replace")
    try:
        said = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError) as error:
        raise FilterInvalid(position=1, reason=reason_unread(error, raw)) from None
    return _Reader().node(said, 0)


def _wrong(reason: str) -> NoReturn:
    raise FilterInvalid(position=1, reason=reason)


class _Reader:
    def __init__(self) -> None:
        self.nodes = 0

    def node(self, said: Any, depth: int) -> Node:
        self.nodes += 1
        if self.nodes > NODES_MAX:
            raise FilterTooComplex(what="predicates", limit=NODES_MAX)
        if depth > DEPTH_MAX:
            raise FilterTooComplex(what="nested operators", limit=DEPTH_MAX)
        if isinstance(said, bool):
            return Truth(said)
        if isinstance(said, dict) and "property" in said:
            return Compare("=", _scalar(said), Lit(True))
        op, args = _call(said)
        if op in ("and", "or") and len(args) >= 2:
            return Logic(op, tuple(self.node(a, depth + 1) for a in args))
        if op == "not" and len(args) == 1:
            return Logic("not", (self.node(args[0], depth + 1),))
        return _predicate(op, args)


def _call(said: Any) -> tuple[str, Sequence[Any]]:
    if not isinstance(said, dict) or not isinstance(said.get("op"), str):
        _wrong("an object with “op” and “args” was expected")
    args = said.get("args")
    if not isinstance(args, list):
        _wrong(f"“{said['op'][:40]}” has no list of “args”")
    return said["op"].lower(), args


def _predicate(op: str, args: Sequence[Any]) -> Node:
    if op in COMPARISONS and len(args) == 2:
        return Compare(op, _scalar(args[0]), _scalar(args[1]))
    if op == "isnull" and len(args) == 1:
        return IsNull(_scalar(args[0]))
    if op == "between" and len(args) == 3:
        return Between(_scalar(args[0]), _scalar(args[1]), _scalar(args[2]))
    if op == "in" and len(args) == 2 and isinstance(args[1], list) and args[1]:
        if len(args[1]) > LIST_MAX:
            raise FilterTooComplex(what="values of a list", limit=LIST_MAX)
        return In(_scalar(args[0]), tuple(_scalar(a) for a in args[1]))
    if op == "like" and len(args) == 2:
        of, pattern = _scalar(args[0]), _scalar(args[1])
        ignores = isinstance(of, CaseI)
        while isinstance(pattern, CaseI):
            ignores, pattern = True, pattern.of
        if isinstance(pattern, Lit) and isinstance(pattern.value, str):
            return Like(of, pattern.value, ignores)
        _wrong("a pattern is a text")
    if op in SPATIAL and len(args) == 2:
        left, right = _geometry(args[0]), _geometry(args[1])
        if isinstance(left, Shape):
            left, right, op = right, left, TURNED.get(op, op)
        if isinstance(left, Prop) and isinstance(right, Shape):
            return Spatial(op, left, right)
        _wrong(f"{op} has one property and one geometry")
    if op in TEMPORAL and len(args) == 2:
        first, second = _scalar(args[0]), _scalar(args[1])
        if isinstance(first, Span):
            first, second, op = second, first, TURNED_TIMES.get(op, op)
        if isinstance(first, Prop) and isinstance(second, Span):
            return Temporal(op, first, second)
        _wrong(f"{op} has one property and one time")
    _wrong(f"“{op[:40]}” with {len(args)} arguments is not known here")


def _scalar(said: Any, depth: int = 0) -> Scalar:
    if isinstance(said, bool | str | int | float):
        if isinstance(said, int) and not isinstance(said, bool) and abs(said) >= 10**18:
            _wrong("a number is too great")
        return Lit(said)
    if isinstance(said, dict):
        try:
            if isinstance(said.get("property"), str):
                return Prop(said["property"])
            for name in ("date", "timestamp"):
                if isinstance(said.get(name), str):
                    return read_time(said[name])
            ends = said.get("interval")
            if isinstance(ends, list) and len(ends) == 2 and all(isinstance(e, str) for e in ends):
                return read_interval(ends[0], ends[1])
        except ValueError as error:
            _wrong(str(error))
        if said.get("op") == "casei" and depth < 3:
            args = said.get("args")
            of = _scalar(args[0], depth + 1) if isinstance(args, list) and args else None
            if isinstance(of, Prop | Lit | CaseI):
                return CaseI(of)
    _wrong("a property, a time, a text, a number or a truth value was expected")


def _geometry(said: Any) -> Prop | Shape:
    if isinstance(said, dict):
        if isinstance(said.get("property"), str):
            return Prop(said["property"])
        box = said.get("bbox")
        if isinstance(box, list) and all(type(n) in (int, float) for n in box):
            return box_shape([float(n) for n in box], 1)
        if isinstance(said.get("type"), str):
            try:
                made = shape(said)
                shapely.get_num_coordinates(made)
            except Exception as error:
                raise FilterInvalid(position=1, reason=f"GeoJSON: {error}"[:150]) from None
            return Shape(checked(made, 1))
    _wrong("a property, a GeoJSON geometry or a bbox was expected")
