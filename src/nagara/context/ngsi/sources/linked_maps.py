"""Entity maps that sources make beside one of ours (clauses 5.2.39, 5.14.4.4, 5.14.5.4).

Later pages name them again, so that a source too goes by what fulfilled the query when the map was
made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec
from msgspec import Struct, field

from nagara.context.ngsi.read import is_uri
from nagara.context.ngsi.sources.exchange import Exchange
from nagara.context.ngsi.sources.forward import Asking, Forwarder, Reply, Sending
from nagara.context.ngsi.sources.inquiries import TOLD_MAX
from nagara.context.ngsi.sources.map_store import BASE
from nagara.context.ngsi.sources.registration import Registration
from nagara.context.ngsi.sources.wording import Params
from nagara.guard.identity import Actor
from nagara.guard.policy import visible_types

#: How sources are asked for maps of entities and of histories.
OF_ENTITIES, OF_HISTORY = "createEntityMapQueryEntity", "createEntityMapQueryTemporal"
HISTORY_BASE = "/ngsi-ld/v1/temporal/entityMaps"
ID_CHARS_MAX = 500
#: What is said of pages and of the form of entities, and not of whose they are.
_LEFT_OUT = frozenset({"limit", "offset", "count", "options", "lastN"})


class Linked(Struct):
    """The maps that sources made: registration id → id of the map, and which entities it names.
    `unanswered`: who did not answer at all, and what kept him from it."""

    maps: dict[str, str] = field(default_factory=dict)
    named: dict[str, list[str]] = field(default_factory=dict)
    unanswered: dict[str, Reply] = field(default_factory=dict)

    async def send(
        self, forwarder: Forwarder, asked: Asking, work: Sequence[tuple[Registration, Sending]]
    ) -> list[Reply]:
        """The answers to requests, in their order. Each goes by the map of its source, where that
        made one; who has just not answered is not waited for again."""
        sent = [(s, self._by_map(s, one)) for s, one in work if s.id not in self.unanswered]
        replies = iter(await forwarder.send_all(asked, sent))
        return [self.unanswered.get(source.id) or next(replies) for source, _ in work]

    def _by_map(self, source: Registration, sending: Sending) -> Sending:
        name = self.maps.get(source.id)
        if name is None:
            return sending
        return msgspec.structs.replace(sending, entity_map=f"{BASE}/{name}")

    def add_to(self, entities: dict[str, list[str]]) -> None:
        """Say in a map of ours who else holds what."""
        for source, names in self.named.items():
            for name in names:
                held = entities.setdefault(name, [])
                if source not in held:
                    held.append(source)


async def link(
    exchange: Exchange,
    asked: Asking,
    work: Sequence[tuple[Registration, Sending]],
    lifetime: timedelta,
) -> Linked:
    """Let sources make maps; each is asked with the path and parameters of its `work`. One that
    answers with none is asked for entities as if there were no maps."""
    lasting = ("entityMapLifetime", f"PT{max(1, int(lifetime.total_seconds()))}S")
    sent = [(source, _without_pages(sending, lasting)) for source, sending in work]
    replies = await exchange.forwarder.send_all(asked, sent)
    linked = Linked()
    for (source, _), reply in zip(sent, replies, strict=True):
        if reply.outcome != "answered":
            linked.unanswered[source.id] = reply
        told = reply.json() if reply.ok else None
        if not isinstance(told, dict) or not isinstance(told.get("entityMap"), dict):
            continue
        name = str(told.get("id"))
        if is_uri(name) and name.isascii() and len(name) <= ID_CHARS_MAX:
            linked.maps[source.id] = name
        linked.named[source.id] = [
            entity
            for entity in list(told["entityMap"])[:TOLD_MAX]
            if is_uri(entity) and source.covered(entity, None) is not False
        ]
    return linked


def is_trusted(actor: Actor, params: Mapping[str, Any]) -> bool:
    """Whether what a source's map names may stand in ours without its types being looked at: who
    sees everything may hear of it, and no filter is left to us."""
    sight = visible_types(actor)
    return sight.only is None and not sight.never and params.get("splitEntities") != "true"


def _without_pages(sending: Sending, lasting: tuple[str, str]) -> Sending:
    params: Params = [p for p in sending.params if p[0] not in _LEFT_OUT]
    return msgspec.structs.replace(sending, params=(*params, lasting))
