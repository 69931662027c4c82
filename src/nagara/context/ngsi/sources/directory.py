"""Which registrations may hold something: found by id, type and attribute, without looking at the
others. A registration is written under every name that it may be asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from msgspec import Struct

from nagara.context.ngsi.sources.registration import Part, Picked, Registration

#: What a registration is written under: an id; a type with or without an attribute; neither.
Place: TypeAlias = tuple[str, ...]


class Wanted(Struct, frozen=True):
    """What a request needs from sources. What is None does not narrow."""

    operation: str
    ids: frozenset[str] | None = None
    types: frozenset[str] | None = None
    attrs: frozenset[str] | None = None


class Directory:
    """The registrations of one tenant, by the names they are found under."""

    def __init__(self) -> None:
        self.by_id: dict[str, Registration] = {}
        self._at: dict[Place, dict[str, None]] = {}

    def put(self, made: Registration) -> None:
        """Take up a registration, in the place of an older one of its id."""
        self.drop(made.id)
        self.by_id[made.id] = made
        for place in set(places_of(made)):
            self._at.setdefault(place, {})[made.id] = None

    def drop(self, name: str) -> Registration | None:
        """Forget a registration; it, or None."""
        before = self.by_id.pop(name, None)
        if before is None:
            return None
        for place in set(places_of(before)):
            held = self._at.get(place, {})
            held.pop(name, None)
            if not held:
                self._at.pop(place, None)
        return before

    def candidates(self, wanted: Wanted) -> list[Registration]:
        """Those that may hold something of what is wanted, by id: all that do, and some more."""
        if wanted.ids is None and wanted.types is None and not wanted.attrs:
            return [self.by_id[name] for name in sorted(self.by_id)]
        found: set[str] = set()
        for place in places_asked(wanted):
            found.update(self._at.get(place, ()))
        return [self.by_id[name] for name in sorted(found)]


def places_of(made: Registration) -> Iterator[Place]:
    """All places of a registration."""
    for part in made.parts:
        for one in part.entities or (Picked(frozenset()),):
            yield from _places_of_part(one, part)


def _places_of_part(one: Picked, part: Part) -> Iterator[Place]:
    if one.id is not None:
        yield ("id", one.id)
        kind = "named"
    else:
        kind = "all"
    for a_type in one.types or ("",):
        # Under the type alone for who asks for no attribute in particular.
        yield (kind, a_type)
        if part.attrs is None:
            yield (kind, a_type, "")
        else:
            for name in part.attrs:
                yield (kind, a_type, name)
    yield (kind,)


def places_asked(wanted: Wanted) -> Iterator[Place]:
    """Where those lie that may hold something of what is wanted."""
    kinds: tuple[str, ...] = ("all",)
    if wanted.ids is None:
        kinds = ("all", "named")
    else:
        for name in wanted.ids:
            yield ("id", name)
    for kind in kinds:
        if wanted.types is None:
            yield (kind,)  # whatever the type: its attributes are looked at later
            continue
        for a_type in (*wanted.types, ""):
            if not wanted.attrs:
                yield (kind, a_type)
            else:
                yield (kind, a_type, "")
                for name in wanted.attrs:
                    yield (kind, a_type, name)
