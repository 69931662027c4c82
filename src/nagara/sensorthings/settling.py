"""What a filter of Observations says of their streams, found out before the values are read.

Few properties, sensors and things lead to many values, or to few: which, the database knows of
their numbers, and not of their names. So a part such as `Datastream/Sensor/name eq 'S'` becomes
the numbers that fulfil it.
"""

from __future__ import annotations

from typing import Any

from nagara.context.store import Conn
from nagara.sensorthings.fetching import fetch
from nagara.sensorthings.model import HOPS, SETS, EntitySet
from nagara.sensorthings.odata import Apply, Call, Node, Path, Value, paths_of
from nagara.sensorthings.options import Options
from nagara.sensorthings.select import Where, page_plan
from nagara.sensorthings.statement import GeoHit, Seen

#: More of them stay a part of the statement.
FOUND_MAX = 1_000


async def settle_streams(conn: Conn, node: Any, of: EntitySet, seen: Seen) -> Any:
    """The filter with what it says of streams replaced by what fulfils that."""
    if of.name != "Observations":
        return node
    if isinstance(node, Apply) and node.op in ("and", "or", "not"):
        return Apply(node.op, tuple([await settle_streams(conn, a, of, seen) for a in node.args]))
    head = _head(node)
    if head is None:
        return node
    target = HOPS[of.name, head[0], head[1]].target if len(head) > 1 else "Datastreams"
    inner = Options(filter=_behind(node, len(head)), select=("id",))
    rows = await fetch(conn, page_plan(SETS[target], inner, Where(), seen, FOUND_MAX + 1))
    if len(rows) > FOUND_MAX:
        return node
    return GeoHit((*head, "id"), tuple(row["id"] for row in rows))


def _head(node: Node | GeoHit) -> tuple[str, ...] | None:
    """The steps from a value to what the whole condition is about, where that is one."""
    if not isinstance(node, Apply | Call) or _names_null(node):
        return None
    heads = set()
    for path in paths_of(node):
        is_far = len(path.steps) > 2 and ("Observations", *path.steps[:2]) in HOPS
        heads.add(path.steps[: 2 if is_far else 1] if len(path.steps) > 1 else ())
    [head] = heads if len(heads) == 1 else [()]
    if not head or head[0] != "Datastream":
        return None
    return None if all(path.steps == (*head, "id") for path in paths_of(node)) else head


def _names_null(node: Any) -> bool:
    if isinstance(node, Value):
        return node.kind == "null"
    return any(_names_null(arg) for arg in getattr(node, "args", ()))


def _behind(node: Any, steps: int) -> Any:
    if isinstance(node, Path):
        return Path(node.steps[steps:])
    if isinstance(node, Call):
        return Call(node.name, tuple(_behind(arg, steps) for arg in node.args))
    if isinstance(node, Apply):
        return Apply(node.op, tuple(_behind(arg, steps) for arg in node.args))
    return node
