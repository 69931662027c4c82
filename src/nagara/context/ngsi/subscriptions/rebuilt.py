"""What an entity was before a row of the log, made up from the rows in front of it.

The commit hands over what was before and after each of the newest changes; after a restart, and
where the city is far behind, that is gone, and the log itself says it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from nagara.context.chronicle import SCOPE
from nagara.context.merge import is_removal
from nagara.context.model import Attrs, instances_of
from nagara.context.ngsi.subscriptions.happening import by_dataset
from nagara.context.store import Conn

#: Rows in front that are looked at: some milliseconds of work. A busy sensor has more; of it the
#: attributes are known that are in these.
ROWS_MAX = 200

# The index of history gives the newest of an entity; the order of the writes is that of seq.
_ROWS = """
select s.* from (
    select c.seq, c.op::text as op, c.attrs::text as attrs
    from context.entity e join context.change c on c.no = e.no
    where e.tenant = $1 and e.id = $2 and c.seq < $3
    order by c.at desc, c.seq desc limit $4
) s order by s.seq
"""


class Past(Struct):
    """An entity as it was. `is_whole`: all of it is known; `gone`: attributes that are known not
    to have been there."""

    attrs: Attrs
    exists: bool
    is_whole: bool
    gone: set[str] = msgspec.field(default_factory=set)

    def knows(self, names: Iterable[str]) -> bool:
        """Whether it is known what these attributes were, or that they were not there."""
        return self.is_whole or all(n in self.attrs or n in self.gone for n in names)

    def follow(self, op: str, patch: Attrs) -> None:
        """Go on by one row of the log: `op` is create, update, replace or delete."""
        if op in ("create", "replace", "delete"):
            self.attrs, self.is_whole = {}, True
            self.exists = op != "delete"
        for name, said in patch.items():
            if name == SCOPE:
                continue
            left = None if said is None else overlaid(self.attrs.get(name), said)
            if left is None:
                self.attrs.pop(name, None)
                self.gone.add(name)
            else:
                self.attrs[name] = left
                self.gone.discard(name)


def overlaid(old: Any, new: Any) -> Any:
    """An attribute after what the log says of it: instances of other datasetIds stay (4.5.5), those
    that are told as the NGSI-LD Null go. None where nothing is left."""
    kept = by_dataset(old)
    for instance in instances_of(new):
        kept.pop(instance.get("datasetId"), None)
        if not is_removal(instance):
            kept[instance.get("datasetId")] = instance
    left = list(kept.values())
    return None if not left else left[0] if len(left) == 1 else left


_OPS = {"c": "create", "u": "update", "r": "replace", "d": "delete"}


async def rebuild(conn: Conn, tenant: str, entity_id: str, seq: int) -> Past:
    """The entity as it was in front of a row of the log."""
    rows = await conn.fetch(_ROWS, tenant, entity_id, seq, ROWS_MAX)
    past = Past({}, bool(rows), False)  # whole from the row on that made it
    for row in rows:
        if row["op"] in _OPS:
            past.follow(_OPS[row["op"]], msgspec.json.decode(row["attrs"]))
    return past
