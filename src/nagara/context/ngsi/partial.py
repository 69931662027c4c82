"""Partial attribute update (clause 5.6.4): from a fragment to an operation. Pure."""

from __future__ import annotations

from typing import Any

from nagara.context.errors import AttributeNotFound, EntityInvalid
from nagara.context.model import Entity, Patch, instances_of
from nagara.context.ngsi.read import read_attribute, read_attribute_name
from nagara.context.ngsi.terms import TermMap


def partial_update(
    entity: Entity, name: str, body: Any, terms: TermMap, if_version: int | None = None
) -> Patch:
    """The operation of a PATCH of one attribute of `entity` as it is.

    Raises `EntityInvalid` for a fragment that is none, `AttributeNotFound`.
    """
    said = attribute_body(body, name, entity.id)
    canonical = read_attribute_name(name, terms.of_types(entity.types), entity.id)
    if not said:
        raise EntityInvalid(id=entity.id, reason="the fragment is empty")
    dataset = said.get("datasetId")
    stored = instances_of(entity.attrs.get(canonical))
    same = [i for i in stored if i.get("datasetId", "@none") == (dataset or "@none")]
    if not stored:
        raise AttributeNotFound(id=entity.id, attribute=name)
    kind = (same or stored)[0].get("type", "Property")
    fragment = read_attribute(said, name, terms.of_types(entity.types), entity.id, "partial", kind)
    return Patch(entity.id, {canonical: fragment}, "partial", if_version)


def attribute_body(body: Any, name: str, entity_id: str) -> dict[str, Any]:
    """The members of an attribute that was sent alone. Raises `EntityInvalid`."""
    if name == "scope":
        raise EntityInvalid(id=entity_id, reason="scope is changed with the other attributes")
    if not isinstance(body, dict):
        raise EntityInvalid(id=entity_id, reason="an attribute is sent as a JSON object")
    return {member: value for member, value in body.items() if member != "@context"}
