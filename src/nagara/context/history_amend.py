"""What is said of history afterwards: instances changed or deleted, evolutions deleted.

The log keeps its rows, for its readers' sake; tables beside it say what counts no longer, and the
chunks follow in the same transaction. Each function is for the transaction of a commit.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from nagara.context.packed import DAY_US, micros
from nagara.context.store import Conn
from nagara.values.time import parse_instant

_PREFIX = "urn:ngsi-ld:Instance:"


class Place(Struct, frozen=True):
    """Where an instance lies in the log."""

    seq: int
    index: int


def instance_id(seq: int, name: str, index: int) -> str:
    """The instanceId (clause 4.5.7): the same as long as the instance is there."""
    return f"{_PREFIX}{seq}-{zlib.crc32(name.encode()):08x}-{index}"


def place_of(said: str, name: str) -> Place | None:
    """Where the instance of an attribute lies; None for an id that is none of ours."""
    seq, _, rest = said.removeprefix(_PREFIX).partition("-")
    mark, _, index = rest.partition("-")
    if not (said.startswith(_PREFIX) and seq.isdecimal() and index.isdecimal()):
        return None
    if len(seq) > 18 or len(index) > 6 or mark != f"{zlib.crc32(name.encode()):08x}":
        return None
    return Place(int(seq), int(index))


class Found(Struct, frozen=True):
    """An instance as it counts now."""

    instance: dict[str, Any]
    at: datetime
    born_at: datetime  # the time of its row


async def find_instance(conn: Conn, no: int, name: str, place: Place) -> Found | None:
    """An instance of the history of an entity; None where there is none (any more)."""
    row = await conn.fetchrow(
        """select case when m.no is null then x.instance else m.instance end as instance,
                  coalesce(m.at, c.at) as at, c.at as born_at
           from context.change c
           cross join lateral context.instances(c.attrs) x
           left join context.amendment m
               on m.no = c.no and m.seq = c.seq and m.name = x.name and m.idx = x.idx
           where c.seq = $2 and c.no = $1 and x.name = $3 and x.idx = $4
             and not context.is_erased(
                 c.no, x.name, coalesce(x.instance ->> 'datasetId', ''), c.seq)""",
        no,
        place.seq,
        name,
        place.index,
    )
    if row is None or not isinstance(row["instance"], dict):
        return None
    return Found(row["instance"], row["at"], row["born_at"])


async def amend(
    conn: Conn,
    no: int,
    name: str,
    place: Place,
    before: Found,
    instance: dict[str, Any] | None,
    at: datetime,
    wall: datetime,
) -> None:
    """Put another instance in the place of one, or none."""
    await conn.execute(
        """insert into context.amendment (no, seq, name, idx, instance, at, modified_at)
           values ($1, $2, $3, $4, $5, $6, $7)
           on conflict (no, seq, name, idx) do update set instance = excluded.instance,
               at = excluded.at, modified_at = excluded.modified_at""",
        no,
        place.seq,
        name,
        place.index,
        None if instance is None else msgspec.Raw(msgspec.json.encode(instance)),
        at,
        wall,
    )
    days = {micros(t) // DAY_US for t in (before.at, before.born_at, at)}
    await conn.execute("select context.refold($1, $2, $3)", no, name, sorted(days))


_SAID_BEFORE = """
with told as (
    select * from unnest($2::text[], $3::text[], $4::timestamptz[]) t(name, dataset, at)
), rows as (
    select c.seq, c.at, c.attrs from (select distinct at from told) t
    join context.change c on c.no = $1 and c.at = t.at
    union
    select c.seq, c.at, c.attrs from (select distinct at from told) t
    join context.amendment a on a.no = $1 and a.at = t.at
    join context.change c on c.seq = a.seq
)
select c.seq, x.name, x.idx, c.at as born_at, i.at
from rows c
cross join lateral context.instances(c.attrs) x
left join context.amendment m
    on m.no = $1 and m.seq = c.seq and m.name = x.name and m.idx = x.idx
cross join lateral (
    select coalesce(m.at, c.at) as at,
           case when m.no is null then x.instance else m.instance end as instance
) i
join told t on t.name = x.name and t.at = i.at
    and t.dataset = coalesce(i.instance ->> 'datasetId', '')
where i.instance ? 'observedAt'
  and not context.is_erased($1, x.name, coalesce(i.instance ->> 'datasetId', ''), c.seq)
"""


async def supersede(
    conn: Conn, no: int, told: Mapping[str, Sequence[Mapping[str, Any]]], wall: datetime
) -> None:
    """Let what was said before of the same instants, attributes and datasetIds count no longer:
    an attribute has one value at a time (clause 4.5.7)."""
    said = [
        (name, str(one.get("datasetId") or ""), parse_instant(one["observedAt"]))
        for name, instances in told.items()
        for one in instances
        if "observedAt" in one
    ]
    if not said:
        return
    rows = await conn.fetch(_SAID_BEFORE, no, *map(list, zip(*said, strict=True)))
    if not rows:
        return
    await conn.execute(
        """insert into context.amendment (no, seq, name, idx, instance, at, modified_at)
           select $1, s.seq, s.name, s.idx, null, s.at, $6
           from unnest($2::bigint[], $3::text[], $4::int[], $5::timestamptz[]) s(seq, name, idx, at)
           on conflict (no, seq, name, idx) do update set instance = null,
               modified_at = excluded.modified_at""",
        no,
        [row["seq"] for row in rows],
        [row["name"] for row in rows],
        [row["idx"] for row in rows],
        [row["at"] for row in rows],
        wall,
    )
    days: dict[str, set[int]] = {}
    for row in rows:
        days.setdefault(row["name"], set()).update(
            micros(row[at]) // DAY_US for at in ("at", "born_at")
        )
    for name, of_name in sorted(days.items()):
        await conn.execute("select context.refold($1, $2, $3)", no, name, sorted(of_name))


async def erase(conn: Conn, no: int, name: str = "", dataset: str = "*") -> None:
    """Let the history of an entity, of an attribute (`name`) or of one of its datasetIds ('' is
    the default instance) count no longer, as far as it goes now."""
    await conn.execute("select seq from context.folded for update")
    await conn.execute(
        """insert into context.erasure (no, name, dataset, seq)
           values ($1, $2, $3, (select max(seq) from context.change))
           on conflict (no, name, dataset) do update set seq = excluded.seq""",
        no,
        name,
        dataset,
    )
    await conn.execute(
        """delete from context.chunk
           where no = $1 and ($2 = '' or name = $2) and ($3 = '*' or dataset = $3)""",
        no,
        name,
        dataset,
    )
