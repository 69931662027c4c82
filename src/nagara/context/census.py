"""Which types and attributes there are, from the counts that the store keeps (11_census.sql)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct

from nagara.context.store import Conn

#: Rows beyond which a reader sums them up for those who come after.
_FOLD_FROM = 2_000

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
