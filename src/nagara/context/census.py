"""Which types and attributes there are, from the counts that the store keeps (11_census.sql)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from msgspec import Struct

from nagara.context.state import State
from nagara.context.store import Conn

#: Rows beyond which a reader sums them up for those who come after.
_FOLD_FROM = 2_000

#: One commit in so many sums the rows up: each adds a few.
_FOLD_EVERY = 200

_ADD = """
insert into context.census (tenant, types, attr, kind, n)
select tenant, array(select jsonb_array_elements_text(types)), attr, kind, n
from jsonb_to_recordset($1::text::jsonb)
  as w(tenant text, types jsonb, attr text, kind text, n bigint)
"""

_READ = """
select types, attr, kind, sum(n)::bigint as n, count(*) as rows from context.census
where tenant = $1 group by types, attr, kind having sum(n) > 0
"""


class Census(Struct, frozen=True):
    """Counts of what a caller may see. Names are canonical."""

    entities: dict[str, int]  # type → how many entities
    attributes: dict[str, int]  # attribute → how many entities have it
    attributes_of: dict[str, dict[str, set[str]]]  # type → attribute → its kinds
    types_of: dict[str, set[str]]  # attribute → types that have it


Counted = tuple[str, tuple[str, ...], str, str]  # tenant, types, attribute or "", its kind


class Tally:
    """What a commit changes in the census."""

    def __init__(self) -> None:
        self.counts: Counter[Counted] = Counter()

    def step(self, tenant: str, before: State, after: State, touched: Iterable[str]) -> None:
        """One operation: an entity as it was and as it is; `touched`: attributes it is about."""
        if before.exists and after.exists and before.types == after.types:
            if before.attrs.keys() != after.attrs.keys():
                for name in before.attrs.keys() ^ after.attrs.keys():
                    sign = 1 if name in after.attrs else -1
                    held = (after if sign > 0 else before).attrs[name]
                    self.counts[tenant, after.types, name, _kind(held)] += sign
            for name in set(touched):
                if name not in before.attrs or name not in after.attrs:
                    continue
                was, now = _kind(before.attrs[name]), _kind(after.attrs[name])
                if was != now:
                    self.counts[tenant, after.types, name, was] -= 1
                    self.counts[tenant, after.types, name, now] += 1
            return
        for state, sign in ((before, -1), (after, 1)):
            if state.exists:
                self.counts[tenant, state.types, "", ""] += sign
                for name, held in state.attrs.items():
                    self.counts[tenant, state.types, name, _kind(held)] += sign

    def add(self, other: Tally) -> None:
        """Take in what another has counted."""
        for counted, n in other.counts.items():
            self.counts[counted] += n

    async def write(self, conn: Conn, group: int) -> None:
        """Write what differs, in the transaction of the commit; `group` is its number."""
        rows = [
            {"tenant": tenant, "types": types, "attr": attr, "kind": kind, "n": n}
            for (tenant, types, attr, kind), n in self.counts.items()
            if n
        ]
        if not rows:
            return
        await conn.execute(_ADD, msgspec.json.encode(rows).decode())
        if group % _FOLD_EVERY == 0:
            await conn.execute("select context.fold_census()")


def _kind(held: Any) -> str:
    """The type of a stored attribute: of its first instance where there are several."""
    first = held[0] if isinstance(held, list) and held else held
    return str(first.get("type", "")) if isinstance(first, dict) else ""


async def read_census(conn: Conn, tenant: str, is_seen: Callable[[Iterable[str]], bool]) -> Census:
    """The census of a tenant, without entities that `is_seen` hides by their types."""
    rows = await conn.fetch(_READ, tenant)
    if sum(row["rows"] for row in rows) > _FOLD_FROM + len(rows):
        await conn.execute("select context.fold_census()")
    census = Census({}, {}, {}, {})
    for row in rows:
        types, attr, n = row["types"], row["attr"], row["n"]
        if not is_seen(types):
            continue
        if attr:
            census.attributes[attr] = census.attributes.get(attr, 0) + n
        for one in types:
            kinds = census.attributes_of.setdefault(one, {})
            if attr:
                kinds.setdefault(attr, set()).add(row["kind"])
                census.types_of.setdefault(attr, set()).add(one)
            else:
                census.entities[one] = census.entities.get(one, 0) + n
    return census


async def count_of_types(conn: Conn, tenant: str, is_meant: Callable[[Iterable[str]], bool]) -> int:
    """How many entities are of types that are meant."""
    rows = await conn.fetch(
        """select types, sum(n)::bigint as n from context.census
           where tenant = $1 and attr = '' group by types""",
        tenant,
    )
    return sum(row["n"] for row in rows if is_meant(row["types"]))
