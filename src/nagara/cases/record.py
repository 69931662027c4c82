"""A case as NGSI-LD attributes: what everybody in town hall and every program may know. Pure."""

from __future__ import annotations

from nagara.cases.kept import Row
from nagara.vocab import case as noun
from nagara.vocab.attribute import Attrs, point_at, property_of, relation_to

#: Attributes that change in the life of a case, with the column they come from.
_CHANGING = {
    noun.STATE: "state",
    noun.DEPARTMENT: "department",
    noun.DUE_AT: "due_at",
    noun.ACCEPTED_AT: "accepted_at",
    noun.RESOLVED_AT: "resolved_at",
    noun.CLOSED_AT: "closed_at",
    noun.RESOLUTION: "resolution",
    noun.RATING: "rating",
    noun.REOPENED_COUNT: "reopened_count",
    noun.OVERDUE: "overdue",
    noun.PHOTO_COUNT: "photo_count",
    noun.STEP_COUNT: "step_count",
}


def attrs_of(row: Row) -> Attrs:
    """All attributes of a new case."""
    attrs: Attrs = {
        noun.NUMBER: property_of(row.number),
        noun.CATEGORY: property_of(row.category),
        noun.SOURCE: property_of(row.source),
        noun.CREATED_AT: property_of(row.opened_at),
        noun.PROVENANCE: property_of(row.provenance),
        noun.ASSIGNED: property_of(row.crew is not None),
    }
    for name, column in _CHANGING.items():
        value = getattr(row, column)
        if value is not None:
            attrs[name] = property_of(value)
    if row.district is not None:
        attrs[noun.DISTRICT] = property_of(row.district)
    if row.lon is not None and row.lat is not None:
        attrs[noun.LOCATION] = point_at(row.lon, row.lat)
    if row.priority is not None:
        attrs[noun.PRIORITY] = property_of(row.priority)
    if row.ref_alert is not None:
        attrs[noun.REF_ALERT] = relation_to(row.ref_alert)
    if row.ref_request is not None:
        attrs[noun.REF_REQUEST] = relation_to(row.ref_request)
    return attrs


def patch_of(before: Row, after: Row) -> Attrs:
    """What a step changes; None for an attribute that goes."""
    patch: Attrs = {}
    for name, column in _CHANGING.items():
        old, new = getattr(before, column), getattr(after, column)
        if old != new:
            patch[name] = None if new is None else property_of(new)
    if (before.crew is None) != (after.crew is None):
        patch[noun.ASSIGNED] = property_of(after.crew is not None)
    if before.priority != after.priority and after.priority is not None:
        patch[noun.PRIORITY] = property_of(after.priority)
    return patch
