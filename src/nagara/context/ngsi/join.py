"""Linked entity retrieval (ETSI GS CIM 009 clause 4.5.23): what entities point at, by levels."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeAlias

import msgspec

from nagara.context.context import Context
from nagara.context.errors import QueryTooComplex
from nagara.context.find import LIMIT_MAX
from nagara.context.model import Entity, Query, instances_of
from nagara.context.ngsi.query import Linking
from nagara.context.ngsi.render import Inline, View, targets_of

#: Linked entities of one answer: as many as it may have of its own.
LINKED_MAX = LIMIT_MAX
#: Finds entities by their ids, as far as the caller may see them.
Find: TypeAlias = Callable[[Sequence[str]], Awaitable[Mapping[str, Entity]]]


async def linked_to(
    context: Context,
    roots: Sequence[Entity],
    view: View,
    linking: Linking,
    seen: Query,
    find: Find | None = None,
) -> list[tuple[Entity, View]]:
    """The entities that are linked to `roots`, each once, nearer ones first, and how each is shown.

    `seen`: a query that holds the tenant and what the caller may see; `find`: where to look instead
    of this broker's own store. Raises `QueryTooComplex`
    where they are more than `LINKED_MAX`.
    """
    if not linking.is_on:
        return []
    known = {entity.id for entity in roots} | linking.contained_by
    found: list[tuple[Entity, View]] = []
    level = [(entity, view) for entity in roots]
    for _ in range(linking.level):
        wanted: dict[str, View] = {}
        for entity, shown in level:
            for name, target in _links(entity, shown):
                if target not in known:
                    wanted.setdefault(target, shown.behind(name))
        if len(found) + len(wanted) > LINKED_MAX:
            raise QueryTooComplex(what="linked entities", limit=LINKED_MAX)
        if not wanted:
            break
        known |= wanted.keys()
        by_id = await (find(list(wanted)) if find else _find_here(context, list(wanted), seen))
        level = [(by_id[i], shown) for i, shown in wanted.items() if i in by_id]
        found += level
    return found


async def _find_here(context: Context, ids: Sequence[str], seen: Query) -> Mapping[str, Entity]:
    page = await context.query(
        msgspec.structs.replace(
            Query(),
            ids=tuple(ids),
            limit=len(ids),
            tenant=seen.tenant,
            visible_types=seen.visible_types,
            hidden_types=seen.hidden_types,
        )
    )
    return {entity.id: entity for entity in page.entities}


def _links(entity: Entity, view: View) -> list[tuple[str, str]]:
    """The relationships that are shown of an entity, and what they point at."""
    return [
        (name, target)
        for name, attribute in entity.attrs.items()
        if (view.attrs is None or name in view.attrs) and view.shows(name)
        for instance in instances_of(attribute)
        if view.datasets is None or instance.get("datasetId", "@none") in view.datasets
        for target in targets_of(instance)
    ]


def inline_of(
    root: Entity, roots: Sequence[Entity], linked: Sequence[tuple[Entity, View]], linking: Linking
) -> Inline | None:
    """What is shown inside of one of `roots`."""
    if linking.join != "inline":
        return None
    entities = {entity.id: entity for entity in (*roots, *(one for one, _ in linked))}
    return Inline(entities, linking.level, linking.contained_by | {root.id})
