"""The query language in memory, for subscriptions and live screens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nagara.context.model import Attrs, instances_of
from nagara.context.pattern import read_pattern
from nagara.context.q import And, Between, Node, Or, Path, Term
from nagara.context.q_sql import _HOLDERS, _MEMBERS, Expand


def matches(node: Node, attrs: Attrs, expand: Expand = lambda name: name) -> bool:
    """Whether a document of canonical names fulfils the query."""
    if isinstance(node, And):
        return all(matches(part, attrs, expand) for part in node.parts)
    if isinstance(node, Or):
        return any(matches(part, attrs, expand) for part in node.parts)
    found = list(_values(node.path, attrs, expand))
    if node.op is None:
        return bool(found)
    return any(_holds(node, value) for value in found)


def _values(path: Path, attrs: Attrs, expand: Expand) -> Iterator[Any]:
    """Every value the path may mean; items of an array value one by one, as jsonpath does."""
    level: list[Any] = instances_of(attrs.get(expand(path.names[0])))
    for name in path.names[1:]:
        if name in _MEMBERS:
            yield from (i[name] for i in level if name in i)
            return
        level = [s for i in level for s in instances_of(i.get(expand(name)))]
    for instance in level:
        for holder in _HOLDERS:
            if holder not in instance:
                continue
            for value in _inside(instance[holder], path.inside):
                if isinstance(value, dict) and "@value" in value:
                    yield value["@value"]
                yield from value if isinstance(value, list) else [value]


def _inside(value: Any, steps: tuple[str, ...]) -> Iterator[Any]:
    if not steps:
        yield value
    elif isinstance(value, dict) and steps[0] in value:
        yield from _inside(value[steps[0]], steps[1:])
    elif isinstance(value, list):
        for item in value:
            yield from _inside(item, steps)


def _holds(term: Term, value: Any) -> bool:
    wanted = term.values[0]
    match term.op:
        case "==":
            return any(_equal(value, w) for w in term.values)
        case "!=":
            return not any(_equal(value, w) for w in term.values)
        case "~=":
            return _is_like(value, wanted)
        case "!~=":
            return not _is_like(value, wanted)
    if not _comparable(value, wanted):
        return False
    match term.op:
        case ">":
            return bool(value > wanted)
        case ">=":
            return bool(value >= wanted)
        case "<":
            return bool(value < wanted)
        case _:
            return bool(value <= wanted)


def _is_like(value: Any, wanted: Any) -> bool:
    return isinstance(value, str) and read_pattern(str(wanted)).found_in(value)


def _equal(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, Between):
        return (
            _comparable(value, wanted.low)
            and _comparable(value, wanted.high)
            and wanted.low <= value <= wanted.high
        )
    return _comparable(value, wanted) and bool(value == wanted)


def _comparable(a: Any, b: Any) -> bool:
    """jsonpath compares numbers with numbers and texts with texts; a boolean is neither."""
    if isinstance(a, bool) or isinstance(b, bool):
        return isinstance(a, bool) and isinstance(b, bool)
    number = (int, float)
    return (isinstance(a, number) and isinstance(b, number)) or (
        isinstance(a, str) and isinstance(b, str)
    )
