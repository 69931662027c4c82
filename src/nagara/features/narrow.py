"""What a filter says about where its features are, for the store's lookups: necessary conditions,
never sufficient ones (`nagara.context.sought`)."""

from __future__ import annotations

from nagara.context.sought import Sought, holding, observed_between
from nagara.features.cql import (
    Between,
    Compare,
    In,
    Lit,
    Node,
    Prop,
    Scalar,
    Span,
    Temporal,
    conjuncts,
)
from nagara.features.cql_sql import TIME, TURNED_COMPARISONS, Queryables

#: Kinds whose own value is what a lookup knows: not texts in languages, not geometries.
_PLAIN_KINDS = frozenset(
    {"Property", "Relationship", "VocabProperty", "JsonProperty", "ListProperty"}
    | {"ListRelationship"}
)
_OPS = {"=": "==", "<": "<", ">": ">", "<=": "<=", ">=": ">="}


def narrowed_by(tree: Node | None, time: Span | None, queryables: Queryables) -> tuple[Sought, ...]:
    """What each feature that a filter and a time select must hold."""
    parts = [] if tree is None else list(conjuncts(tree))
    found = [_of(part, queryables) for part in parts]
    if time is not None:
        found.append(observed_between(time.start, time.end))
    return tuple(one for one in found if one is not None)


def _of(node: Node, queryables: Queryables) -> Sought | None:
    match node:
        case Compare(op, Prop() as prop, Lit(value)) if op in _OPS and _is_plain(prop, queryables):
            return holding(prop.name, _OPS[op], [value])
        case Compare(op, Lit() as left, Prop() as prop):
            return _of(Compare(TURNED_COMPARISONS[op], prop, left), queryables)
        case Between(Prop() as prop, Lit(low), _) if _is_plain(prop, queryables):
            return holding(prop.name, ">=", [low])
        case In(Prop() as prop, values) if _is_plain(prop, queryables):
            said = [value.value for value in values if isinstance(value, Lit)]
            return holding(prop.name, "==", said) if len(said) == len(values) else None
        case Temporal(op, prop, span) if _is_time(prop, queryables):
            return _of_time(op, span)
    return None


def _of_time(op: str, span: Span) -> Sought | None:
    if op == "t_after":
        return None if span.end is None else observed_between(span.end, None)
    if op == "t_before":
        return None if span.start is None else observed_between(None, span.start)
    if op in ("t_during", "t_intersects", "t_equals"):
        return observed_between(span.start, span.end)
    return None


def _is_plain(prop: Scalar, queryables: Queryables) -> bool:
    if not isinstance(prop, Prop) or prop.name not in queryables:
        return False
    return queryables[prop.name] <= _PLAIN_KINDS


def _is_time(prop: Prop, queryables: Queryables) -> bool:
    return prop.name == TIME and TIME not in queryables
