"""A value that somebody answers for, as an entity that other rooms hear of."""

from __future__ import annotations

from nagara.context import Entity
from nagara.indicators.definitions import Library
from nagara.indicators.kept import Kept
from nagara.indicators.suppression import PERSONAL
from nagara.values.ids import urn
from nagara.vocab import indicator as noun
from nagara.vocab.attribute import property_of


def entity_of(value: Kept, library: Library) -> Entity:
    """The value as others hear of it."""
    local = f"{value.code}-{value.period_start}-{value.period_end}-{value.area}-{value.breakdown}"
    attrs = {
        noun.CODE: property_of(value.code),
        noun.CITY: property_of(value.city),
        noun.PERIOD_START: property_of(value.period_start.isoformat()),
        noun.PERIOD_END: property_of(value.period_end.isoformat()),
        noun.QUALITY: property_of(value.quality),
        noun.METHOD: property_of(value.method),
        noun.FORMULA_VERSION: property_of(value.formula_version),
        noun.VALUE_STATE: property_of(value.status),
    }
    if value.area:
        attrs[noun.AREA] = property_of(value.area)
    if value.breakdown:
        attrs[noun.BREAKDOWN] = property_of(value.breakdown)
    # Reopened: others are told that, not the draft. A part of the people: the entity tells no
    # number, for which cells are small is a matter of the whole table (suppression.py).
    definition = library.definitions.get(value.code)
    personal = value.breakdown.partition("=")[0] in PERSONAL
    of_people = personal or bool(value.area and definition and definition.people)
    hidden = value.status == "draft" or of_people
    if value.value is not None and not hidden:
        attrs[noun.VALUE] = property_of(value.value) | {"unitCode": value.unit}
        for name, number in (
            (noun.NUMERATOR, value.numerator),
            (noun.DENOMINATOR, value.denominator),
        ):
            if number is not None:
                attrs[name] = property_of(number)
    return Entity(urn(noun.VALUE_TYPE, value.city, local), (noun.VALUE_TYPE,), attrs)
