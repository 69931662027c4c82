"""The register of members told as entities: what the rows say, NGSI-LD says a moment later."""

from __future__ import annotations

from nagara.context import Entity
from nagara.context.room import Floor
from nagara.network import kept
from nagara.network.model import Member
from nagara.network.told import tell_untold
from nagara.values.ids import urn
from nagara.vocab import member as noun
from nagara.vocab.attribute import Attrs, point_at, property_of, text_of


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
    hub = floor.city.code
    return await tell_untold(
        floor, kept.list_untold, lambda member: entity_of(member, hub), kept.set_told
    )
