"""What a kit says of the files of its data folder: archives, how they are played, shapes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from msgspec import Struct

#: Roles an archive can play, and the columns a reader cannot do without.
ARCHIVE_ROLES: Mapping[str, tuple[str, ...]] = {
    "air": ("time", "station"),
    "rain": ("time", "name", "precipitation"),
    "tickets": ("time", "id", "category"),
}


class ArchiveMap(Struct, frozen=True):
    """A file of the kit-data folder: its role, and which column means what.

    `role`: air, rain, tickets. `columns` maps our word to the file's column, `values` the file's
    word in a cell to ours; `options` are settings of the reader.
    """

    role: str
    path: str
    columns: Mapping[str, str]
    options: Mapping[str, str]
    values: Mapping[str, str]
    title: str


class Replay(Struct, frozen=True, forbid_unknown_fields=True):
    """How the kit's archives are played: `days` whole days from the local midnight of `first_day`,
    round and round, the clock starting at `starts` (HH:MM) of the first. `archive_days` says which
    day of an archive, by its role, is played as the first; others play their own dates."""

    first_day: date
    days: int
    starts: str
    archive_days: Mapping[str, date] = {}


class ShapeSource(Struct, frozen=True):
    """A GeoJSON file of the kit-data folder and the property names we read from it."""

    layer: str  # districts, parks, water, buildings …
    paths: tuple[str, ...]
    properties: Mapping[str, str]
    simplify_m: float
