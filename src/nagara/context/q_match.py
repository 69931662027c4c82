"""The query language in memory, for subscriptions and live screens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from nagara.context.model import Attrs, Entity, instances_of
from nagara.context.pattern import read_pattern
from nagara.context.q import And, Between, Node, Or, Path, Term
from nagara.context.q_sql import INSIDE_HOLDERS, MEMBERS, Expand, values_for
from nagara.context.q_times import instant_of

#: The time that the store keeps beside an entity (name None) or one of its attributes.
TimeOf = Callable[[str | None, str], datetime | None]

_ORDERED = (">", ">=", "<", "<=")


def matches(
    node: Node,
    attrs: Attrs,
    expand: Expand = lambda name: name,
    time_of: TimeOf = lambda _name, _time: None,
) -> bool:
    """Whether a document of canonical names fulfils the query.

    `time_of` gives the system's times. Linked entities are not at hand here: a term on one does
    not match.
    """
    if isinstance(node, And):
        return all(matches(part, attrs, expand, time_of) for part in node.parts)
    if isinstance(node, Or):
        return any(matches(part, attrs, expand, time_of) for part in node.parts)
    if node.op == "!":
        return not matches(Term(node.path), attrs, expand, time_of)
    if node.path.link is not None:
        return False
    if node.path.is_system_time:
        return _time_holds(node, expand, time_of)
    return any(_instance_holds(node, instance) for instance in _instances(node.path, attrs, expand))


def times_of(entity: Entity) -> TimeOf:
    """The system's times of an entity, for `matches`."""

    def time_of(name: str | None, time: str) -> datetime | None:
        if time == "expiresAt":
            return entity.expires_at
        if name is None:
            return entity.created_at if time == "createdAt" else entity.modified_at
        if name not in entity.attrs:
            return None
        kept = entity.sys.get(name)
        if kept is None:
            return entity.modified_at
        return instant_of(kept[0 if time == "createdAt" else 1])

    return time_of


def _time_holds(term: Term, expand: Expand, time_of: TimeOf) -> bool:
    names = term.path.names
    if len(names) > 2:
        return False
    at = time_of(expand(names[0]) if len(names) == 2 else None, names[-1])
    if at is None:
        return False
    return term.op is None or _holds(term, [at.isoformat()], term.values)


def _instances(path: Path, attrs: Attrs, expand: Expand) -> list[dict[str, Any]]:
    """The instances that hold what the path means; a member is looked up in the one around it."""
    names = path.names
    if len(names) > 1 and names[-1] in MEMBERS:
        names = names[:-1]
    level: list[Any] = instances_of(attrs.get(expand(names[0])))
    for name in names[1:]:
        level = [s for i in level if isinstance(i, dict) for s in instances_of(i.get(expand(name)))]
    return [i for i in level if isinstance(i, dict)]


def _instance_holds(term: Term, instance: dict[str, Any]) -> bool:
    """Whether one instance fulfils a term: any of what it holds, or for != none of it."""
    if term.op is None and not term.path.inside and term.path.names[-1] not in MEMBERS:
        return True
    plain = list(_plain_values(term, instance))
    vocab = [] if term.path.inside or term.op in _ORDERED else _listed(instance.get("vocab"))
    if term.op is None:
        return bool(plain)
    if term.op in ("!=", "!~="):
        positive = Term(term.path, "==" if term.op == "!=" else "~=", term.values, term.is_expanded)
        return bool(plain or vocab) and not _instance_holds(positive, instance)
    return _holds(term, plain, values_for(term, False)) or _holds(
        term, vocab, values_for(term, True)
    )


def _plain_values(term: Term, instance: dict[str, Any]) -> Iterator[Any]:
    path = term.path
    if len(path.names) > 1 and path.names[-1] in MEMBERS:
        if path.names[-1] in instance:
            yield from _listed(instance[path.names[-1]])
        return
    if path.inside:
        for holder in INSIDE_HOLDERS:
            if holder in instance:
                for value in _inside(instance[holder], path.inside):
                    yield from _listed(value)
        return
    holders: tuple[str, ...] = ("value", "valueList", "json")
    if term.op not in _ORDERED:
        holders += ("object", "objectList")
    for holder in holders:
        for value in _listed(instance.get(holder)):
            if isinstance(value, dict):
                inner = value.get("object" if holder == "objectList" else "@value")
                yield value if inner is None else inner
            else:
                yield value


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _inside(value: Any, steps: tuple[str, ...]) -> Iterator[Any]:
    if not steps:
        yield value
    elif isinstance(value, dict):
        if steps[0] == "*":
            for item in value.values():
                yield from _inside(item, steps[1:])
        elif steps[0] in value:
            yield from _inside(value[steps[0]], steps[1:])
    elif isinstance(value, list):
        for item in value:
            yield from _inside(item, steps)


def _holds(term: Term, found: list[Any], wanted: Any) -> bool:
    if not wanted:
        return False
    if term.op == "==":
        return any(_equal(value, w) for value in found for w in wanted)
    if term.op == "~=":
        pattern = read_pattern(str(wanted[0]))
        return any(isinstance(value, str) and pattern.found_in(value) for value in found)
    if term.op == "!=":  # of a system time
        return not any(_equal(value, w) for value in found for w in wanted)
    return any(_ordered(term.op, value, wanted[0]) for value in found)


def _ordered(op: str | None, value: Any, wanted: Any) -> bool:
    value, wanted = _alike(value, wanted)
    if not _comparable(value, wanted):
        return False
    match op:
        case ">":
            return bool(value > wanted)
        case ">=":
            return bool(value >= wanted)
        case "<":
            return bool(value < wanted)
        case "<=":
            return bool(value <= wanted)
    return False


def _equal(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, Between):
        return _ordered(">=", value, wanted.low) and _ordered("<=", value, wanted.high)
    value, wanted = _alike(value, wanted)
    return _comparable(value, wanted) and bool(value == wanted)


def _alike(value: Any, wanted: Any) -> tuple[Any, Any]:
    """Two instants as instants, everything else as it is."""
    wanted_at = instant_of(wanted)
    if wanted_at is not None:
        at = instant_of(value)
        if at is not None:
            return at, wanted_at
    return value, wanted


def _comparable(a: Any, b: Any) -> bool:
    """jsonpath compares numbers with numbers and texts with texts; a boolean is neither."""
    if isinstance(a, bool) or isinstance(b, bool):
        return isinstance(a, bool) and isinstance(b, bool)
    if isinstance(a, datetime):
        return isinstance(b, datetime)
    number = (int, float)
    return (isinstance(a, number) and isinstance(b, number)) or (
        isinstance(a, str) and isinstance(b, str)
    )
