"""A filter as SQL over the stored documents; nothing of a client's becomes SQL text.

What a feature does not have is null, and a comparison with null is neither true nor false, as in
SQL and as CQL2 wants it: NOT of it selects nothing. Each property is read by jsonpaths that are
parameters; which of them, the kinds of the attribute in the census tell.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from nagara.context.q_sql import MEMBERS, quoted
from nagara.features.cql import (
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
    Span,
    Spatial,
    Temporal,
    Truth,
)
from nagara.features.errors import FilterInvalid

Bind = Callable[[Any], str]
#: Of each attribute of the collection its kinds (Property, Relationship, …).
Queryables = Mapping[str, set[str]]
#: The numbers of the rows that fulfil a spatial predicate; inverted: that do not.
Hits = Mapping[int, tuple[Sequence[int], bool]]

#: The time of a feature: the newest `observedAt` of its attributes.
TIME = "observedAt"
TIME_SQL = (
    "(select max((x #>> '{}')::timestamptz) from jsonb_path_query(e.doc, '$.*[*].observedAt') x)"
)
_HELD = {
    "Property": ('."value"."@value"', '."value"'),
    "GeoProperty": ('."value"',),
    "Relationship": ('."object"',),
    "VocabProperty": ('."vocab"',),
    "JsonProperty": ('."json"',),
    "ListProperty": ('."valueList"',),
    "ListRelationship": ('."objectList"',),
}
_TYPED = {
    "number": ' ? (@.type() == "number")',
    "text": ' ? (@.type() == "string")',
    "truth": ' ? (@.type() == "boolean")',
    "time": ' ? (@ like_regex "^[0-9]{4}-[0-9]{2}-[0-9]{2}")',
    "any": ' ? (@.type() != "null")',
}
_OPS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}
#: A comparison with its sides changed.
TURNED_COMPARISONS = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "<>": "<>"}


class Filter:
    """Makes the condition of a tree on the entity `e`. `language`: of texts that have several."""

    def __init__(self, queryables: Queryables, language: str, hits: Hits | None = None) -> None:
        self.queryables = queryables
        self.language = language
        self.hits = hits or {}

    def sql(self, node: Node, bind: Bind) -> str:
        """The condition. Raises `FilterInvalid` for a name that the collection does not have."""
        match node:
            case Logic("not", (part,)):
                return f"(not {self.sql(part, bind)})"
            case Logic(op, parts):
                return "(" + f" {op} ".join(self.sql(part, bind) for part in parts) + ")"
            case Truth(value):
                return "true" if value else "false"
            case Compare():
                return self._compare(node, bind)
            case Between(of, low, high):
                return (
                    f"({self._compare(Compare('>=', of, low), bind)} and"
                    f" {self._compare(Compare('<=', of, high), bind)})"
                )
            case In(of, values):
                return self._in(of, values, bind)
            case Like():
                return self._like(node, bind)
            case IsNull(of):
                return self._is_null(of, bind)
            case Temporal():
                return self._temporal(node, bind)
            case Spatial():
                numbers, inverted = self.hits[id(node)]
                found = f"e.no = any({bind(list(numbers))}::bigint[])"
                found = f"not ({found})" if inverted else found
                return f"(case when {self.has_place(node.prop, bind)} then {found} end)"
        raise FilterInvalid(position=1, reason="it is not understood")  # pragma: no cover

    def has_place(self, prop: Prop, bind: Bind) -> str:
        """Whether a feature has the geometry that a predicate is about."""
        if is_location(prop):
            return "e.extent is not null"
        return f"e.doc ? {bind(self.known(prop)[0])}::text"

    # --- values ---

    def known(self, prop: Prop) -> tuple[str, tuple[str, ...]]:
        """The attribute that a name means, and the way into it."""
        if prop.name in self.queryables:
            return prop.name, ()
        head, *steps = prop.name.split(".")
        if steps and all(steps) and head in self.queryables and len(steps) <= 10:
            return head, tuple(steps)
        raise FilterInvalid(
            position=prop.at, reason=f"the collection has no property “{prop.name[:80]}”"
        )

    def paths(self, prop: Prop) -> list[str]:
        """Where a property may be held, as jsonpaths, the best first."""
        name, steps = self.known(prop)
        inside = "".join(f".{quoted(step)}" for step in steps)
        found: list[str] = []
        for kind in sorted(self.queryables[name] or {"Property"}):
            if kind == "LanguageProperty":
                tags = [f".{quoted(t)}" for t in (self.language, "@none", "en")]
                found += [f'."languageMap"{t}' for t in ([inside] if steps else [*tags, ".*"])]
            elif not steps:
                found += _HELD.get(kind, ('."value"',))
            else:
                found += [f"{held}{inside}" for held in _HELD.get(kind, ('."value"',))]
        if len(steps) == 1 and steps[0] in MEMBERS:
            found.append(inside)
        elif steps:  # a property of the property
            found.append(f'{inside}."value"')
        # The instance without datasetId is the property; where there is none, the first.
        first, other = (
            f'$.{quoted(name)}[*] ? (!exists(@."datasetId"))',
            f"$.{quoted(name)}[0]",
        )
        return [f"{place}{held}" for place in (first, other) for held in found]

    def value(self, prop: Prop, kind: str, bind: Bind) -> str:
        """A property as jsonb of one kind, null where it is of another."""
        made = [
            f"jsonb_path_query_first(e.doc, {bind(path + _TYPED[kind])}::jsonpath)"
            for path in self.paths(prop)
        ]
        return f"coalesce({', '.join(made)})"

    def scalar(self, of: Scalar, kind: str, bind: Bind) -> str:
        """An operand as SQL of one kind."""
        match of:
            case CaseI(inner):
                return f"lower({self.scalar(inner, 'text', bind)})"
            case Lit(value):
                return _literal(value, kind, bind)
            case Prop("id"):
                return {"text": "e.id", "time": "null::timestamptz"}.get(kind, "null")
            case Prop(name) if name == TIME and name not in self.queryables:
                text = f"to_char({TIME_SQL} at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
                return {"time": TIME_SQL, "text": text}.get(kind, "null")
            case Prop():
                value = self.value(of, kind, bind)
                if kind == "number":
                    return f"({value})::numeric"
                if kind == "truth":
                    return f"({value})::boolean"
                text = f"({value} #>> '{{}}')"
                if kind == "time":
                    return (
                        f"(case when pg_input_is_valid({text}, 'timestamptz')"
                        f" then {text}::timestamptz end)"
                    )
                return text
        return "null"

    # --- predicates ---

    def _compare(self, node: Compare, bind: Bind) -> str:
        left, right, op = node.left, node.right, node.op
        if not _has_property(left) and _has_property(right):
            left, right, op = right, left, TURNED_COMPARISONS[op]
        if not _has_property(left):
            return _constant(op, left, right)
        if isinstance(right, Span):
            return self._compare_time(op, left, right, bind)
        if _has_property(right):
            kinds = ["text"] if isinstance(left, CaseI) or isinstance(right, CaseI) else [
                "number", "text", "truth"
            ]  # fmt: skip
            parts = [
                f"{self.scalar(left, k, bind)} {op} {self.scalar(right, k, bind)}" for k in kinds
            ]
            return f"(coalesce({', '.join(parts)}))"
        kind = _kind_of(right)
        return f"({self.scalar(left, kind, bind)} {op} {self.scalar(right, kind, bind)})"

    def _compare_time(self, op: str, left: Scalar, span: Span, bind: Bind) -> str:
        if span.start is None or span.end is None:
            raise FilterInvalid(position=1, reason="an open interval cannot be compared")
        at = self.scalar(left, "time", bind)
        ends = {"<": (span.start,), ">=": (span.start,), ">": (span.end,), "<=": (span.end,)}
        # Only what is asked is bound: PostgreSQL knows no type of a parameter that nobody uses.
        bound = [f"{bind(t)}::timestamptz" for t in ends.get(op, (span.start, span.end))]
        if op in ends:
            return f"({at} {op} {bound[0]})"
        negation = "not " if op == "<>" else ""
        return f"({at} {negation}between {bound[0]} and {bound[1]})"

    def _in(self, of: Scalar, values: Sequence[Scalar], bind: Bind) -> str:
        if any(_has_property(v) or isinstance(v, Span | CaseI) for v in values) or not (
            _has_property(of)
        ):
            parts = [self._compare(Compare("=", of, v), bind) for v in values]
            return "(" + " or ".join(parts) + ")"
        parts = []
        for kind in ("number", "text", "truth"):
            held = [v.value for v in values if isinstance(v, Lit) and _kind_of(v) == kind]
            if held:
                cast = {"number": "numeric", "text": "text", "truth": "boolean"}[kind]
                sent = [str(v) for v in held] if kind == "number" else held
                through = "text[]" if kind == "number" else f"{cast}[]"
                parts.append(
                    f"{self.scalar(of, kind, bind)} = any({bind(sent)}::{through}::{cast}[])"
                )
        return f"(coalesce({', '.join(parts)}))"

    def _like(self, node: Like, bind: Bind) -> str:
        text, pattern = self.scalar(node.of, "text", bind), bind(node.pattern)
        if node.ignores_case:
            return f"(lower({text}) like lower({pattern}::text))"
        return f"({text} like {pattern}::text)"

    def _is_null(self, of: Scalar, bind: Bind) -> str:
        while isinstance(of, CaseI):
            of = of.of
        if not isinstance(of, Prop):
            return "false"
        if is_location(of):
            return "(e.extent is null)"
        if of.name == "id":
            return "false"
        if of.name == TIME and TIME not in self.queryables:
            return f"({TIME_SQL} is null)"
        return f"({self.value(of, 'any', bind)} is null)"

    def _temporal(self, node: Temporal, bind: Bind) -> str:
        at, span = self.scalar(node.prop, "time", bind), node.span
        return time_sql(node.op, at, span, bind)

    def during(self, span: Span, bind: Bind) -> str:
        """The condition of the parameter `datetime`."""
        return time_sql("t_intersects", self.scalar(Prop(TIME), "time", bind), span, bind)


def time_sql(op: str, at: str, span: Span, bind: Bind) -> str:
    """A temporal predicate between an instant and a time; open ends bound nothing."""

    def end(of: datetime | None) -> str:
        return f"{bind(of)}::timestamptz"

    start, last = span.start, span.end
    never = f"(case when {at} is not null then false end)"  # neither where there is no time
    if op == "t_after":
        return never if last is None else f"({at} > {end(last)})"
    if op == "t_before":
        return never if start is None else f"({at} < {end(start)})"
    if op == "t_equals":
        return never if start is None or start != last else f"({at} = {end(start)})"
    if op == "t_contains":  # an instant contains no span
        return never
    more, less = (">", "<") if op == "t_during" else (">=", "<=")
    parts = [] if start is None else [f"{at} {more} {end(start)}"]
    parts += [] if last is None else [f"{at} {less} {end(last)}"]
    inside = "(" + (" and ".join(parts) or f"case when {at} is not null then true end") + ")"
    return f"(not {inside})" if op == "t_disjoint" else inside


def is_location(prop: Prop) -> bool:
    """Whether a name means the geometry of the feature."""
    return prop.name in ("location", "geometry", "geom")


def _has_property(of: Scalar) -> bool:
    while isinstance(of, CaseI):
        of = of.of
    return isinstance(of, Prop)


def _kind_of(of: Scalar) -> str:
    if isinstance(of, CaseI):
        return "text"
    if isinstance(of, Lit):
        if isinstance(of.value, bool):
            return "truth"
        return "text" if isinstance(of.value, str) else "number"
    return "time"


def _literal(value: Any, kind: str, bind: Bind) -> str:
    if kind == "number":
        return f"{bind(str(value))}::text::numeric"
    if kind == "truth":
        return f"{bind(value)}::boolean"
    return f"{bind(str(value))}::text"


def _constant(op: str, left: Scalar, right: Scalar) -> str:
    """Two things that are known already."""
    a, b = _known_value(left), _known_value(right)
    same = _kind_of(left) == _kind_of(right) and a is not None and b is not None
    return "true" if same and _OPS[op](a, b) else "false"


def _known_value(of: Scalar) -> Any:
    if isinstance(of, CaseI):
        return str(_known_value(of.of)).lower()
    if isinstance(of, Span):
        return of.start
    return of.value if isinstance(of, Lit) else None
