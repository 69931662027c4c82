"""The syntax tree of CQL2 (OGC 21-065r2), whichever of its two forms it came in: pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TypeAlias

from msgspec import Struct
from shapely.geometry.base import BaseGeometry

LENGTH_MAX = 16_000
DEPTH_MAX = 30
#: Predicates of one filter: each is looked at for every row that comes before the page.
NODES_MAX = 100
LIST_MAX = 1_000
POINTS_MAX = 5_000

SPATIAL = (
    "s_intersects", "s_equals", "s_disjoint", "s_touches", "s_within", "s_overlaps", "s_crosses",
    "s_contains",
)  # fmt: skip
#: Of the fifteen those that make sense between an instant and a span of time.
TEMPORAL = (
    "t_after", "t_before", "t_equals", "t_disjoint", "t_intersects", "t_during", "t_contains",
)  # fmt: skip
COMPARISONS = ("=", "<>", "<", ">", "<=", ">=")


class Prop(Struct, frozen=True):
    """A property by its name; `at` is where it stands, from 1."""

    name: str
    at: int = 1


class Lit(Struct, frozen=True):
    """A text, number or truth value."""

    value: str | float | int | bool


class Span(Struct, frozen=True):
    """An instant (both ends the same), a day, or an interval; None is open."""

    start: datetime | None
    end: datetime | None


class CaseI(Struct, frozen=True):
    """A text without regard to capitals."""

    of: Prop | Lit | CaseI


Scalar: TypeAlias = Prop | Lit | Span | CaseI


class Shape(Struct, frozen=True):
    """A geometry, in the coordinates of the filter's system."""

    geometry: BaseGeometry
    at: int = 1
    is_box: bool = False
    box: tuple[float, float, float, float] | None = None


class Logic(Struct, frozen=True):
    """`and`, `or` of several; `not` of one."""

    op: str
    parts: tuple[Node, ...]


class Compare(Struct, frozen=True):
    """Two scalars, and one of COMPARISONS."""

    op: str
    left: Scalar
    right: Scalar


class Like(Struct, frozen=True):
    """A text and a pattern with % and _."""

    of: Scalar
    pattern: str
    ignores_case: bool = False


class Between(Struct, frozen=True):
    """A number between two."""

    of: Scalar
    low: Scalar
    high: Scalar


class In(Struct, frozen=True):
    """A scalar that is one of a list."""

    of: Scalar
    values: tuple[Scalar, ...]


class IsNull(Struct, frozen=True):
    """A property that a feature does not have."""

    of: Scalar


class Spatial(Struct, frozen=True):
    """A property and a geometry, and one of SPATIAL as said of the property."""

    op: str
    prop: Prop
    shape: Shape


class Temporal(Struct, frozen=True):
    """A property and a time, and one of TEMPORAL as said of the property."""

    op: str
    prop: Prop
    span: Span


class Truth(Struct, frozen=True):
    """TRUE or FALSE."""

    value: bool


Node: TypeAlias = Logic | Compare | Like | Between | In | IsNull | Spatial | Temporal | Truth

#: A relation said of the geometry as it is said of the property.
TURNED = {"s_within": "s_contains", "s_contains": "s_within"}
TURNED_TIMES = {
    "t_after": "t_before",
    "t_before": "t_after",
    "t_during": "t_contains",
    "t_contains": "t_during",
}


def spatial_terms(node: Node) -> Iterator[Spatial]:
    """Every spatial predicate of a tree."""
    if isinstance(node, Spatial):
        yield node
    elif isinstance(node, Logic):
        for part in node.parts:
            yield from spatial_terms(part)


def conjuncts(node: Node) -> Iterator[Node]:
    """The parts that must all hold."""
    if isinstance(node, Logic) and node.op == "and":
        for part in node.parts:
            yield from conjuncts(part)
    else:
        yield node
