"""The statements of a commit, and their parameters.

Columns travel as texts joined by a separator and are taken apart by the server. An array costs the
driver about half a microsecond an element, which is half of the work of a large group; joining
costs a fifth of that, and the server takes texts apart as fast as it reads arrays.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from nagara.context.plan import BREATH_EVERY, SEPARATOR, Plan
from nagara.context.store import Key, encode

#: Each row of the upsert: tenant, id, type, types, scopes, doc, sys, version, prior, created_at,
#: modified_at, expires_at, deleted, extent, geometry. These may be null.
_NULLABLE = frozenset({4, 5, 12, 14, 15})


def _column(number: int, otherwise: str = "") -> str:
    return f"string_to_array(${number}::text, chr(31){otherwise})"


def _tenants(number: int) -> str:
    # One empty text, the default tenant, is taken apart into nothing.
    return f"coalesce(nullif({_column(number)}, '{{}}'::text[]), array[''])"


_COLUMNS = ", ".join(
    [_tenants(1), *(_column(n, ", ''" if n in _NULLABLE else "") for n in range(2, 16))]
)

UPSERT = f"""
insert into context.entity as e (tenant, id, type, types, scopes, doc, sys, version, prior,
    created_at, modified_at, expires_at, deleted, extent, geometry)
select w.tenant, w.id, w.type,
    case when w.types is null then null
         else array(select jsonb_array_elements_text(w.types::jsonb)) end,
    case when w.scopes is null then null
         else array(select jsonb_array_elements_text(w.scopes::jsonb)) end,
    w.doc::jsonb, w.sys::jsonb, w.version::bigint, w.prior::bigint, w.created_at::timestamptz,
    w.modified_at::timestamptz, w.expires_at::timestamptz, w.deleted::boolean, w.extent::box,
    decode(w.geometry, 'hex')
from unnest({_COLUMNS})
  as w(tenant, id, type, types, scopes, doc, sys, version, prior, created_at, modified_at,
       expires_at, deleted, extent, geometry)
on conflict (tenant, id) do update set
    type = excluded.type, types = excluded.types, scopes = excluded.scopes, doc = excluded.doc,
    sys = excluded.sys, version = excluded.version, prior = excluded.prior,
    created_at = excluded.created_at, modified_at = excluded.modified_at,
    expires_at = excluded.expires_at, deleted = excluded.deleted,
    extent = coalesce(excluded.extent, e.extent), geometry = coalesce(excluded.geometry, e.geometry)
where e.version = excluded.prior
returning e.tenant, e.id, e.no
"""  # noqa: S608 - built from constants of this module

UNPLACE = """
update context.entity e set extent = null, geometry = null
from unnest($1::text[], $2::text[]) as w(tenant, id) where e.tenant = w.tenant and e.id = w.id
"""

APPEND = f"""
select * from context.append({_tenants(1)}, {_column(2)}::bigint[], {_column(3)}::timestamptz[],
    $4, {_column(5)}, {_column(6)})
"""  # noqa: S608 - built from constants of this module

KEYS = """
select k.tenant, k.scope, k.key, k.result::text as result
from unnest($1::text[], $2::text[], $3::text[]) as w(tenant, scope, key)
join context.idempotency k on k.tenant = w.tenant and k.scope = w.scope and k.key = w.key
"""

KEEP_KEYS = """
insert into context.idempotency (tenant, scope, key, at, result)
select t, s, k, now(), r::jsonb
from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as w(t, s, k, r)
"""


async def upsert_parameters(plan: Plan) -> list[str]:
    """The columns of `UPSERT`, ordered by key so that two processes cannot deadlock.

    Keeps what was encoded in `plan.docs`.
    """
    columns: list[list[str]] = [[] for _ in range(15)]
    (tenants, ids, kinds, types, scopes, docs, systems, versions, priors, births, changes, ends,
     deletions, extents, geometries) = columns  # fmt: skip
    times = _Times()
    for number, key in enumerate(sorted(plan.changed), 1):
        if number % (2 * BREATH_EVERY) == 0:
            await asyncio.sleep(0)
        state = plan.states[key]
        held = plan.held.get(key)
        placed = plan.placed.get(key)
        doc, sys = plan.docs[key] = (encode(state.attrs), encode(state.sys))
        assert state.created_at is not None
        assert state.modified_at is not None
        tenants.append(key[0])
        ids.append(key[1])
        kinds.append(state.types[0])
        types.append(encode(state.types).decode() if len(state.types) > 1 else "")
        scopes.append(encode(state.scopes).decode() if state.scopes else "")
        docs.append(doc.decode())
        systems.append(sys.decode())
        versions.append(str(state.version))
        priors.append(str(held.version) if held else "0")
        births.append(times.say(state.created_at))
        changes.append(times.say(state.modified_at))
        ends.append(state.expires_at.isoformat() if state.expires_at else "")
        deletions.append("f" if state.exists else "t")
        extents.append(placed[0] if placed else "")
        geometries.append(placed[1].hex() if placed else "")
    return [_joined(column) for column in columns]


def append_parameters(plan: Plan, nos: Mapping[Key, int], recorded: datetime) -> list[Any]:
    """The parameters of `APPEND`."""
    rows, times = plan.rows, _Times()
    return [
        _joined([made.key[0] for made in rows]),
        _joined([str(nos[made.key]) for made in rows]),
        _joined([times.say(made.row.at) for made in rows]),
        recorded,
        _joined([made.row.op for made in rows]),
        SEPARATOR.encode().join([made.patch for made in rows]).decode(),
    ]


class _Times:
    """Instants as texts; a commit has few that differ."""

    def __init__(self) -> None:
        self._texts: dict[datetime, str] = {}

    def say(self, at: datetime) -> str:
        text = self._texts.get(at)
        if text is None:
            text = self._texts[at] = at.isoformat()
        return text


def _joined(texts: Iterable[str]) -> str:
    return SEPARATOR.join(texts)
