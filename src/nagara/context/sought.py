"""What a query's terms say about where to look: values that an entity must hold somewhere.

Only for finding candidates: what is said here is necessary, never sufficient. An entity that is
found is still tested by the whole query, so that a bound may be wider than the term's, but never
narrower.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from nagara.context.q import SYSTEM_TIMES, And, Between, Node, Or, Term
from nagara.context.q_sql import (
    INSIDE_HOLDERS,
    LINK_HOLDERS,
    MEMBERS,
    Expand,
    quoted,
    values_for,
)
from nagara.context.q_times import instant_of

#: Any attribute: what is sought may lie in each of them.
ANY = "*"
#: Texts are known by their beginnings (13_lookups.sql).
TEXT_CHARS = 100
#: Values of one term that are looked up each by itself; beyond, walking is as good.
RANGES_MAX = 50
#: Conditions of a query that are looked up; any one of them narrows it.
SOUGHT_MAX = 4
_WIDE, _NARROW = 1e300, 1e-300  # context.near_number
#: Behind every text that goes on from another.
_LAST = "\U0010ffff"
#: Seconds since 1970 have some ten-millionths as a float.
_ROUNDED_S = 0.001


class Range(Struct, frozen=True):
    """Numbers, or texts, from `low` to `high`, both included; None: no bound."""

    low: float | str | None
    high: float | str | None
    is_text: bool


class Place(Struct, frozen=True):
    """Where in an entity: the attribute and the jsonpaths of what it holds there; or `own`, a time
    that the store keeps."""

    attr: str
    holders: tuple[str, ...]
    own: str = ""


class Sought(Struct, frozen=True):
    """An entity holds a value in one of the ranges there; without ranges, whatever it is."""

    place: Place
    ranges: tuple[Range, ...] = ()


def sought_of(node: Node | None, expand: Expand) -> tuple[Sought, ...]:
    """What each entity that fulfils a tree must hold: all of these. Empty where nothing is said."""
    if node is None:
        return ()
    if isinstance(node, And):
        found = [one for part in node.parts for one in sought_of(part, expand)]
        return tuple(dict.fromkeys(found))[:SOUGHT_MAX]
    one = _either(node.parts, expand) if isinstance(node, Or) else _of_term(node, expand)
    return () if one is None else (one,)


def having(name: str) -> Sought:
    """The attribute is there. The name is canonical."""
    return Sought(_place((name,), None, (), as_it_is, is_there=True))


def as_it_is(name: str) -> str:
    """For canonical names: nothing to expand."""
    return name


def holding(name: str, op: str, values: Sequence[Any]) -> Sought | None:
    """What a comparison of an attribute's own value says, of another language than `q`; `op` as
    there. None where it says nothing that can be looked up: texts have another order there."""
    ranges = _ranges(op, values, as_instants=False)
    if ranges is None or (op != "==" and any(r.is_text for r in ranges)):
        return None
    return Sought(_place((name,), None, (), as_it_is), ranges)


def observed_between(start: datetime | None, end: datetime | None) -> Sought:
    """Any attribute was observed in this time."""
    place = Place(ANY, ('$.*[*]."observedAt"',))
    return Sought(place, (_span(start, end),))


def _span(start: datetime | None, end: datetime | None) -> Range:
    low = None if start is None else start.timestamp() - _ROUNDED_S
    high = None if end is None else end.timestamp() + _ROUNDED_S
    return Range(low, high, is_text=False)


def _either(parts: Sequence[Node], expand: Expand) -> Sought | None:
    """Alternatives about one and the same place are one set of ranges."""
    found = [_of_term(part, expand) if isinstance(part, Term) else None for part in parts]
    made = [one for one in found if one is not None]
    if len(made) < len(found) or len({one.place for one in made}) > 1:
        return None
    ranges = tuple(dict.fromkeys(r for one in made for r in one.ranges))
    return Sought(made[0].place, ranges) if len(ranges) <= RANGES_MAX else None


def _of_term(term: Term, expand: Expand) -> Sought | None:
    path = term.path
    if path.link is not None or term.op not in (None, *_BOUNDS):
        return None
    if path.is_system_time:
        return _of_time(term)
    names = path.names
    member = names[-1] if len(names) > 1 and names[-1] in MEMBERS else None
    is_there = term.op is None
    place = _place(names[:-1] if member else names, member, path.inside, expand, is_there)
    if term.op is None:
        return Sought(place)
    values = dict.fromkeys((*values_for(term, True), *values_for(term, False)))
    ranges = _ranges(term.op, list(values), as_instants=True)
    return None if ranges is None else Sought(place, ranges)


def _of_time(term: Term) -> Sought | None:
    """When an entity was made or changed; the times of its attributes are not looked up."""
    if len(term.path.names) > 1 or term.path.names[0] not in SYSTEM_TIMES or term.op is None:
        return None
    ranges = []
    for value in term.values:
        low, high = (value.low, value.high) if isinstance(value, Between) else (value, value)
        first, last = instant_of(low), instant_of(high)
        if first is None or last is None:
            return None
        start = None if term.op in ("<", "<=") else first
        ranges.append(_span(start, None if term.op in (">", ">=") else last))
    name = term.path.names[0]
    # What is replaced or new is told anyway; what changes is told by whatever changes.
    return Sought(Place(ANY if name == "modifiedAt" else "", (), name), tuple(ranges))


def _place(
    names: Sequence[str],
    member: str | None,
    inside: tuple[str, ...],
    expand: Expand,
    is_there: bool = False,
) -> Place:
    """The counterpart of the holders of `nagara.context.q_sql`: all of them, whatever is asked.
    `is_there`: nothing but that something is held."""
    attr = expand(names[0])
    at = "$" + "".join(f".{quoted(expand(name))}[*]" for name in names)
    if member is not None:
        held = [quoted(member)]
    elif inside == ("*",):
        held = ["languageMap.*", "value.*", "json.*"]
    elif inside:
        steps = "".join(".*" if step == "*" else f".{quoted(step)}" for step in inside)
        held = [f"{holder}{steps}" for holder in INSIDE_HOLDERS]
    elif is_there:
        return Place(attr, (at,))
    else:
        held = ["value", 'value."@value"', "valueList", "json", "vocab"]
        held += [*LINK_HOLDERS, "objectList.object"]
    # A filter opens an array, and the comparison in it what lies in there.
    opened = "" if is_there else "[*][*]"
    return Place(attr, tuple(f"{at}.{holder}{opened}" for holder in held))


_BOUNDS = ("==", ">", ">=", "<", "<=")


def _ranges(op: str, values: Sequence[Any], as_instants: bool) -> tuple[Range, ...] | None:
    if len(values) > RANGES_MAX or not values or op not in _BOUNDS:
        return None
    made = [_range(op, value, as_instants) for value in values]
    found = [one for one in made if one is not None]
    return tuple(found) if len(found) == len(made) else None


def _range(op: str, value: Any, as_instants: bool) -> Range | None:
    low, high = (value.low, value.high) if isinstance(value, Between) else (value, value)
    first, last = _bound(low, as_instants, False), _bound(high, as_instants, True)
    if first is None or last is None or first[1] != last[1]:
        return None
    if op in (">", ">="):
        return Range(first[0], None, first[1])
    if op in ("<", "<="):
        return Range(None, last[0], last[1])
    return Range(first[0], last[0], first[1])


def _bound(value: Any, as_instants: bool, is_last: bool) -> tuple[float | str, bool] | None:
    """A value as it is kept, and whether as a text."""
    if isinstance(value, bool):
        return ("true" if value else "false"), True
    if isinstance(value, int | float):
        return _near(value), False
    if not isinstance(value, str):
        return None
    at = instant_of(value) if as_instants else None
    if at is not None and not at.microsecond:
        # With or without fractions of a second: all that begin so.
        said = at.strftime("%Y-%m-%dT%H:%M:%S")
        return (said + _LAST if is_last else said), True
    return value[:TEXT_CHARS], True


def _near(number: int | float) -> float:
    if number == 0 or abs(number) < _NARROW:
        return 0.0
    if abs(number) > _WIDE:
        return math.copysign(math.inf, number)
    return float(number)
