"""Processes told as entities, so that a due time can be subscribed to like anything else."""

from __future__ import annotations

from nagara.context import Entity, Upsert
from nagara.context.room import Floor
from nagara.engines.database import Connection
from nagara.network.work import kept
from nagara.network.work.definitions import Definitions
from nagara.network.work.inbox import waiting_for
from nagara.network.work.model import Definition, Process
from nagara.values.ids import urn
from nagara.values.time import format_instant
from nagara.vocab import network_process as noun
from nagara.vocab.attribute import Attrs, property_of

#: Entities of one write: a group of this size is committed in some milliseconds.
BATCH = 200
BY = "system:network"


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
    told = 0
    while True:
        async with floor.db.acquire() as conn:
            found = await kept.list_untold(conn, BATCH)
        if not found:
            return told

        async def within(conn: Connection, found: list[Process] = found) -> None:
            await kept.set_told(conn, found)

        entities = [
            Upsert(entity_of(process, definitions.get(process.process), floor.city.code))
            for process in found
        ]
        await floor.context.write(*entities, actor=BY, within=within)
        told += len(found)
