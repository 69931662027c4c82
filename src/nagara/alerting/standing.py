"""What alerting keeps in its own schema: windows, open alerts, steps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec
from asyncpg import UniqueViolationError
from msgspec import Struct

from nagara.alerting.model import Standing
from nagara.engines.database import Connection
from nagara.values.time import format_instant, parse_instant

Key = tuple[str, str, str]  # tenant, ladder, entity


class Contended(Exception):
    """Somebody else changed a standing or an open alert since it was read: read again."""


class Kept(Struct):
    """A standing with the change it is as of, and its open alert.

    `prior` is the change as of which it lies in the database; -1 where it is not there yet.
    """

    standing: Standing
    seq: int
    prior: int
    alert_id: str | None


class Step(Struct, frozen=True):
    """Something that was done to an alert: when (city time), by whom."""

    alert_id: str
    at: datetime
    kind: str
    severity: str
    value: float | None
    who: str
    role: str
    note: str | None = None


_LOAD = """
select w.tenant, w.ladder, w.entity_id, coalesce(s.seq, -1) as seq, s.last_at,
       coalesce(s.samples, '[]') as samples, coalesce(s.holding, '{}') as holding,
       o.rule_id, o.alert_id
from unnest($1::text[], $2::text[], $3::text[]) as w(tenant, ladder, entity_id)
left join alerting.standing s using (tenant, ladder, entity_id)
left join alerting.open o using (tenant, ladder, entity_id)
"""

_SAVE = """
insert into alerting.standing as s
    (tenant, ladder, entity_id, seq, last_at, samples, holding, prior)
select tenant, ladder, entity_id, seq, last_at, samples::jsonb,
       coalesce((select array_agg(h) from jsonb_array_elements_text(holding::jsonb) h), '{}'),
       prior
from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::timestamptz[], $6::text[],
            $7::text[], $8::bigint[])
     as w(tenant, ladder, entity_id, seq, last_at, samples, holding, prior)
order by tenant, ladder, entity_id
on conflict (tenant, ladder, entity_id) do update
    set seq = excluded.seq, last_at = excluded.last_at, samples = excluded.samples,
        holding = excluded.holding, prior = excluded.prior
    where s.seq = excluded.prior
returning entity_id
"""

_STEP = """
insert into alerting.step (tenant, alert_id, n, at, kind, severity, value, who, role, note)
select $1, $2, coalesce(max(n), 0) + 1, $3, $4, $5, $6, $7, $8, $9
from alerting.step where tenant = $1 and alert_id = $2
"""


async def load(conn: Connection, keys: Iterable[Key]) -> dict[Key, Kept]:
    """The standings of these keys; a fresh one where nothing is kept."""
    columns: list[list[str]] = [list(column) for column in zip(*keys, strict=True)]
    found = {}
    for row in await conn.fetch(_LOAD, *columns):
        samples = tuple((parse_instant(at), float(value)) for at, value in row["samples"])
        standing = Standing(samples, frozenset(row["holding"]), row["rule_id"], row["last_at"])
        key = (row["tenant"], row["ladder"], row["entity_id"])
        found[key] = Kept(standing, row["seq"], row["seq"], row["alert_id"])
    return found


async def save(conn: Connection, kept: Sequence[tuple[Key, Kept]]) -> None:
    """Keep standings. Raises `Contended` where one has changed since it was loaded."""
    if not kept:
        return
    rows = await conn.fetch(
        _SAVE,
        [key[0] for key, _ in kept],
        [key[1] for key, _ in kept],
        [key[2] for key, _ in kept],
        [one.seq for _, one in kept],
        [one.standing.last_at for _, one in kept],
        [_samples(one.standing) for _, one in kept],
        [msgspec.json.encode(sorted(one.standing.holding)).decode() for _, one in kept],
        [one.prior for _, one in kept],
    )
    if len(rows) < len(kept):
        raise Contended


async def open_alert(conn: Connection, key: Key, rule_id: str, alert_id: str, at: datetime) -> None:
    """Note that an alert is open. Raises `Contended` where the ladder has one open."""
    try:
        await conn.execute(
            """insert into alerting.open (tenant, ladder, entity_id, rule_id, alert_id, opened_at)
               values ($1, $2, $3, $4, $5, $6)""",
            *key,
            rule_id,
            alert_id,
            at,
        )
    except UniqueViolationError as error:
        raise Contended from error


async def move_alert(conn: Connection, key: Key, rule_id: str, alert_id: str) -> None:
    """Note that the open alert is now of another rule. Raises `Contended` where it has ended."""
    done = await conn.execute(
        """update alerting.open set rule_id = $4
           where tenant = $1 and ladder = $2 and entity_id = $3 and alert_id = $5""",
        *key,
        rule_id,
        alert_id,
    )
    if done == "UPDATE 0":
        raise Contended


async def end_alert(conn: Connection, tenant: str, alert_id: str) -> None:
    """Note that an alert is over. Raises `Contended` where it was before."""
    done = await conn.execute(
        "delete from alerting.open where tenant = $1 and alert_id = $2", tenant, alert_id
    )
    if done == "DELETE 0":
        raise Contended


async def forget_alert(conn: Connection, tenant: str, alert_id: str) -> int:
    """Forget that an alert is open; how many there were."""
    done = await conn.execute(
        "delete from alerting.open where tenant = $1 and alert_id = $2", tenant, alert_id
    )
    return int(done.rpartition(" ")[2])


async def hold_open(conn: Connection, tenant: str, alert_id: str) -> None:
    """Keep an alert from ending in this transaction. Raises `Contended` where it has ended."""
    row = await conn.fetchrow(
        "select 1 from alerting.open where tenant = $1 and alert_id = $2 for update",
        tenant,
        alert_id,
    )
    if row is None:
        raise Contended


async def list_open(conn: Connection) -> list[tuple[Key, str]]:
    """All alerts that are open: their key and their id."""
    rows = await conn.fetch("select tenant, ladder, entity_id, alert_id from alerting.open")
    return [((r["tenant"], r["ladder"], r["entity_id"]), r["alert_id"]) for r in rows]


async def forget_holding(conn: Connection, key: Key) -> None:
    """Let the next value of an entity decide as if nothing had held before."""
    await conn.execute(
        """update alerting.standing set holding = '{}', samples = '[]'
           where tenant = $1 and ladder = $2 and entity_id = $3""",
        *key,
    )


async def add_step(conn: Connection, tenant: str, step: Step) -> None:
    """Append to what was done to an alert."""
    await conn.execute(
        _STEP,
        tenant,
        step.alert_id,
        step.at,
        step.kind,
        step.severity,
        step.value,
        step.who,
        step.role,
        step.note,
    )


async def list_steps(conn: Connection, tenant: str, alert_id: str) -> list[Step]:
    """All that was done to an alert, in order."""
    rows = await conn.fetch(
        """select alert_id, at, kind, severity, value, who, role, note
           from alerting.step where tenant = $1 and alert_id = $2 order by n""",
        tenant,
        alert_id,
    )
    return [Step(**dict(row)) for row in rows]


def _samples(standing: Standing) -> str:
    pairs = [(format_instant(at), value) for at, value in standing.samples]
    return msgspec.json.encode(pairs).decode()
