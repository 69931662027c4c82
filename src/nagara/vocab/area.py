"""Nouns of the ground a city stands on, shared by kits, rooms and screens.

`District`, in the terms of a kit, is an `AdministrativeArea` entity: a city of another country
may call it ward, khan or barangay. None of these nouns concerns a person; all are kept as long as
the kit names them and may be seen by everybody.
"""

from __future__ import annotations

from typing import Final

ADMINISTRATIVE_AREA: Final = "AdministrativeArea"  # first level below the city
DEPARTMENT: Final = "Department"  # who answers for cases
POINT_OF_INTEREST: Final = "PointOfInterest"  # hospital, fire station, park, market …
TRANSIT_STATION: Final = "TransitStation"  # rapid transit, one entity per station and line

AREA_TYPES: Final = (ADMINISTRATIVE_AREA, DEPARTMENT, POINT_OF_INTEREST, TRANSIT_STATION)

#: Attribute of many nouns: code of the district where a thing is, as a Property.
DISTRICT: Final = "district"
#: Attribute of everything that comes from a kit: where the fact was read.
SOURCE: Final = "source"
