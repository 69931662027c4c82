"""The register of members told as entities: what the rows say, NGSI-LD says a moment later.

The row is written by whoever changes a member, in his own transaction; the version that was told
stands beside it. What is behind is told here, once, whatever happened in between.
"""

from __future__ import annotations

from nagara.context import Entity, Upsert
from nagara.context.room import Floor
from nagara.engines.database import Connection
from nagara.network import kept
from nagara.network.model import Member
from nagara.values.ids import urn
from nagara.vocab import member as noun
from nagara.vocab.attribute import Attrs, point_at, property_of, text_of

#: Entities of one write: a group of this size is committed in some milliseconds.
BATCH = 200
BY = "system:network"


def entity_of(member: Member, hub: str) -> Entity:
    """The member as everybody reads it, in the register of a hub."""
    attrs: Attrs = {
        noun.NAME: text_of(member.name),
        noun.CODE: property_of(member.code),
        noun.COUNTRY: property_of(member.country),
        noun.JOINED_YEAR: property_of(member.joined_year),
        noun.PILOT: property_of(member.pilot),
        noun.STATUS: property_of(member.status),
        noun.SOURCE: property_of(member.source),
        noun.VERSION: property_of(member.version),
    }
    if member.left_year is not None:
        attrs[noun.LEFT_YEAR] = property_of(member.left_year)
    if member.focus:
        attrs[noun.FOCUS_AREAS] = property_of(list(member.focus))
    if member.location:
        attrs[noun.LOCATION] = point_at(*member.location)
    return Entity(urn(noun.TYPE, hub, member.code), (noun.TYPE,), attrs)


async def tell_members(floor: Floor) -> int:
    """Write the entity of every member whose row is newer; how many there were."""
    told = 0
    while True:
        async with floor.db.acquire() as conn:
            found = await kept.list_untold(conn, BATCH)
        if not found:
            return told

        async def within(conn: Connection, found: list[Member] = found) -> None:
            await kept.set_told(conn, found)

        entities = [Upsert(entity_of(member, floor.city.code)) for member in found]
        await floor.context.write(*entities, actor=BY, within=within)
        told += len(found)
