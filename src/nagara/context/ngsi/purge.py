"""Purge: deletes the entities that a query finds, or attributes of them (5.6.21, 6.4.3.3)."""

from __future__ import annotations

import msgspec

from nagara.context.context import Context
from nagara.context.errors import EntityInvalid, QueryInvalid
from nagara.context.model import Delete, Entity, Op, Patch, Query
from nagara.context.ngsi import ask
from nagara.context.ngsi.ask import Asked
from nagara.context.ngsi.names import is_name
from nagara.context.ngsi.query import query_of
from nagara.context.ngsi.target import words
from nagara.context.ngsi.terms import TermMap
from nagara.context.q import And, Node, Or, Term, parse_q

PAGE = 1_000  # entities of one commit
_SYSTEM = frozenset({"createdAt", "modifiedAt", "deletedAt", "id", "type", "scope", "expiresAt"})


async def purge(context: Context, request: Asked, terms: TermMap, tenant: str) -> int:
    """Purge what the parameters of a request name; how many entities were changed.

    What the city's rooms keep, and what the caller does not see, stays. Raises `QueryInvalid` for
    a query that is too wide, `KeptByRooms` for types of which there is nothing but what rooms keep.
    """
    params = request.query_params
    keep, drop = words(params.get("keep")), words(params.get("drop"))
    if keep and drop:
        raise QueryInvalid(query="keep, drop", position=0, reason="name one of keep and drop")
    for word in keep + drop + words(params.get("attrs")):
        if not is_name(word):
            raise QueryInvalid(query=word[:80], position=0, reason="no attribute is called so")
    wanted = query_of(request, terms, tenant)
    if "{" in (params.get("q") or ""):
        raise QueryInvalid(query=str(wanted.q)[:80], position=0, reason="no linked entities here")
    for entity_id in wanted.ids:
        context.keeping.demand_free(tenant, entity_id)
    _demand_narrow(wanted, params.get("local") == "true", bool(keep or drop))
    kept = {terms.expand(word) for word in keep}
    dropped = {terms.expand(word) for word in drop}
    key = ask.key_of(request)
    changed = number = 0
    spared: str | None = None
    after: str | None = None
    while True:
        page = await context.query(
            msgspec.structs.replace(wanted, limit=PAGE, offset=0, after=after), terms.expand
        )
        ops = []
        for entity in page.entities:
            if context.keeping.holds(tenant, entity.id):
                spared = spared or entity.id
            elif (op := _purged(entity, kept, dropped)) is not None:
                ops.append(op)
        if ops:
            await context.write(
                *ops,
                actor=request.user.name_for_audit,
                key=None if key is None else f"{key}/{number}",
                tenant=tenant,
            )
        changed += len(ops)
        number += 1
        after = page.next_cursor
        if after is None:
            if spared is not None and not changed and wanted.types:
                # Whoever named a type and hit nothing but what rooms keep is told so.
                context.keeping.demand_free(tenant, spared)
            return changed


def _purged(entity: Entity, kept: set[str], dropped: set[str]) -> Op | None:
    if not kept and not dropped:
        return Delete(entity.id, entity.version)
    gone = [n for n in entity.attrs if (n in dropped if dropped else n not in kept)]
    scopes = () if "scope" in dropped and entity.scopes else None
    if not gone and scopes is None:
        return None
    return Patch(entity.id, dict.fromkeys(gone), scopes=scopes)


def _demand_narrow(query: Query, local: bool, attributes_only: bool) -> None:
    """At least types, an attribute, a query on one, a place or the local scope (5.6.21.4). Ids
    alone narrow where entities stay and only attributes of them go."""
    asks = query.q is not None and any(name not in _SYSTEM for name in _names(parse_q(query.q)))
    has_attr = any(name not in _SYSTEM for name in query.attrs)
    if query.types or asks or has_attr or query.geo is not None or local:
        return
    if attributes_only and query.ids:
        return
    raise QueryInvalid(
        query="", position=0, reason="too wide: name type, attrs, q, georel or local=true"
    )


def _names(node: Node) -> list[str]:
    if isinstance(node, Term):
        return [node.path.names[0]]
    if isinstance(node, And | Or):
        return [name for part in node.parts for name in _names(part)]
    raise EntityInvalid(id="", reason="a query on linked entities purges nothing")
