"""Processes told as entities, so that a due time can be subscribed to like anything else."""

from __future__ import annotations

from nagara.context import Entity
from nagara.context.room import Floor
from nagara.network.told import tell_untold
from nagara.network.work import kept
from nagara.network.work.definitions import Definitions
from nagara.network.work.inbox import waiting_for
from nagara.network.work.model import Definition, Process
from nagara.values.ids import urn
from nagara.values.time import format_instant
from nagara.vocab import network_process as noun
from nagara.vocab.attribute import Attrs, property_of


def entity_of(process: Process, definition: Definition, hub: str) -> Entity:
    """The process as its secretariat reads it: where it stands, until when, who is waited for."""
    waited = [f"{one['office']}:{one['of']}" for one in waiting_for(process, definition)]
    said = {
        noun.NAME: process.title,
        noun.KIND: process.process,
        noun.CITY: process.city,
        noun.COUNTRY: process.country,
        noun.YEAR: process.year,
        noun.STATE: process.state,
        noun.ENDED: process.ended,
        noun.ENTERED_AT: format_instant(process.entered_at),
        noun.DUE_AT: format_instant(process.due_at) if process.due_at else None,
        noun.OVERDUE: process.overdue,
        noun.REMINDERS: process.doc.reminded,
        noun.WAITING_FOR: list(dict.fromkeys(waited)) or None,
        noun.VERSION: process.version,
    }
    attrs: Attrs = {name: property_of(value) for name, value in said.items() if value is not None}
    return Entity(urn(noun.TYPE, hub, process.id), (noun.TYPE,), attrs)


async def tell_processes(floor: Floor, definitions: Definitions) -> int:
    """Write the entity of every process whose row is newer; how many there were."""

    def told_as(process: Process) -> Entity:
        return entity_of(process, definitions.get(process.process), floor.city.code)

    return await tell_untold(floor, kept.list_untold, told_as, kept.set_told)
