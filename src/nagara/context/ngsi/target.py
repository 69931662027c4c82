"""The entity that a change is for: by its id, and its type where the caller names one (4.17)."""

from __future__ import annotations

import re
from typing import Any

from nagara.context.context import Context
from nagara.context.errors import EntityInvalid, EntityNotFound, QueryInvalid
from nagara.context.model import Entity, Op
from nagara.context.ngsi.ask import Asked
from nagara.context.ngsi.names import is_name, is_uri
from nagara.context.ngsi.retrieve import get_seen
from nagara.context.ngsi.terms import TermMap
from nagara.guard.policy import visible_types

SELECTOR_CHARS_MAX = 2_000
_DEPTH_MAX = 20
_PART = re.compile(r"[^,|;()]+|[,|;()]")


async def get_target(
    context: Context, request: Asked, entity_id: str, tenant: str, terms: TermMap
) -> Entity:
    """The entity of an address that the caller may see, if it is of the type that is named.

    Raises `EntityNotFound`, `EntityInvalid` for an id that is no URI.
    """
    entity = await get_seen(context, request, entity_id, tenant)
    said = request.query_params.get("type")
    if said and not selects(said, entity.types, terms):
        raise EntityNotFound(id=entity_id)
    return entity


def words(said: str | None) -> list[str]:
    """The words of a parameter that is a list by comma."""
    return [word for word in said.split(",") if word] if said else []


def demand_id(entity_id: str) -> None:
    """Raises `EntityInvalid` for an id of an address that is no URI."""
    if not is_uri(entity_id):
        raise EntityInvalid(id=entity_id[:200], reason="an id is a URI")


def selects(said: str, types: tuple[str, ...], terms: TermMap) -> bool:
    """Whether a type selection (clause 4.17) holds for an entity of these types.

    `,` and `|` mean or, `;` means and, brackets as usual. Raises `QueryInvalid`.
    """
    if len(said) > SELECTOR_CHARS_MAX:
        raise QueryInvalid(query=said[:80], position=0, reason="the type selection is too long")
    parts = _PART.findall(said)
    found, rest = _either(parts, 0, frozenset(types), terms, said, 0)
    if rest != len(parts):
        raise _unreadable(said)
    return found


def _either(
    parts: list[str], at: int, types: frozenset[str], terms: TermMap, said: str, depth: int
) -> tuple[bool, int]:
    found, at = _both(parts, at, types, terms, said, depth)
    while at < len(parts) and parts[at] in ",|":
        more, at = _both(parts, at + 1, types, terms, said, depth)
        found = found or more
    return found, at


def _both(
    parts: list[str], at: int, types: frozenset[str], terms: TermMap, said: str, depth: int
) -> tuple[bool, int]:
    found, at = _one(parts, at, types, terms, said, depth)
    while at < len(parts) and parts[at] == ";":
        more, at = _one(parts, at + 1, types, terms, said, depth)
        found = found and more
    return found, at


def _one(
    parts: list[str], at: int, types: frozenset[str], terms: TermMap, said: str, depth: int
) -> tuple[bool, int]:
    word = parts[at] if at < len(parts) else ""
    if word == "(" and depth < _DEPTH_MAX:
        found, at = _either(parts, at + 1, types, terms, said, depth + 1)
        if at < len(parts) and parts[at] == ")":
            return found, at + 1
    elif is_name(word):
        return terms.expand(word) in types, at + 1
    raise _unreadable(said)


def _unreadable(said: str) -> QueryInvalid:
    return QueryInvalid(query=said[:80], position=0, reason="types are written as A, (A;B)|C")


def demand_writable(context: Context, op: Op, tenant: str) -> None:
    """Raises `KeptByRooms` for what only the city's rooms write, whether it is there or not."""
    entity: Any = getattr(op, "entity", op)
    context.keeping.demand_free(tenant, entity.id)


async def is_hidden(context: Context, request: Asked, entity_id: str, tenant: str) -> bool:
    """Whether an entity is there that the caller may not see."""
    sight = visible_types(request.user)
    if sight.only is None and not sight.never:
        return False
    stored = await context.find(entity_id, tenant)
    return stored is not None and not sight.allows(stored.types)
