"""Resource paths (OGC 18-088 clause 9.2): sets, keys, navigation of any depth, properties."""

from __future__ import annotations

import re
from typing import Literal

from msgspec import Struct

from nagara.sensorthings.errors import PathUnknown
from nagara.sensorthings.model import SETS, EntitySet
from nagara.sensorthings.odata import steps_of

STEPS_MAX = 12
PATH_CHARS_MAX = 1_000
_SEGMENT = re.compile(r"([A-Za-z]+)(?:\(\s*'?(-?\d{1,18})'?\s*\))?")


class Step(Struct, frozen=True):
    """One segment: a set or a navigation property, with a key where it names one entity."""

    name: str
    of: str  # the set it leads to
    many: bool
    key: int | None


class Place(Struct, frozen=True):
    """What a path names. `prop`: a property and what lies in it; `label`: as it was written;
    `form`: `$ref` or `$value` behind it."""

    steps: tuple[Step, ...]
    prop: tuple[str, ...] = ()
    form: Literal["", "ref", "value"] = ""
    label: str = ""

    @property
    def set(self) -> EntitySet:
        """The set of what is named."""
        return SETS[self.steps[-1].of]

    @property
    def is_one(self) -> bool:
        """Whether one entity is named, and not a collection."""
        last = self.steps[-1]
        return last.key is not None or not last.many


def read_path(text: str) -> Place:
    """The place of a path without the service root. Raises `PathUnknown`."""
    if len(text) > PATH_CHARS_MAX:
        raise PathUnknown(path=text[:80], reason="it is too long")
    parts = text.strip("/").split("/")
    if len(parts) > STEPS_MAX:
        raise PathUnknown(path=text[:80], reason=f"more than {STEPS_MAX} segments")
    steps: list[Step] = []
    prop: list[str] = []
    form: Literal["", "ref", "value"] = ""
    for part in parts:
        if form or "\x00" in part:
            raise PathUnknown(path=text[:80], reason="nothing follows there")
        if part in ("$ref", "$value"):
            form = "ref" if part == "$ref" else "value"
            continue
        if prop:
            prop.append(part)
            continue
        step = _step(part, steps)
        if step is not None:
            steps.append(step)
        elif steps and _is_property(part.partition("[")[0], steps[-1]):
            prop.append("id" if part == "@iot.id" else part)
        else:
            raise PathUnknown(path=text[:80], reason=f"“{part[:60]}” is not known there")
    if not steps:
        raise PathUnknown(path=text[:80], reason="it begins with one of the sets")
    inside = tuple(steps_of("/".join(prop))) if prop else ()
    made = Place(tuple(steps), inside, form, prop[-1] if prop else "")
    if form == "value" and not prop:
        raise PathUnknown(path=text[:80], reason="$value follows a property")
    if form == "ref" and prop:
        raise PathUnknown(path=text[:80], reason="$ref follows an entity or a set")
    return made


def _step(part: str, before: list[Step]) -> Step | None:
    match = _SEGMENT.fullmatch(part)
    if match is None:
        return None
    name, key = match.group(1), match.group(2)
    number = None if key is None else int(key)
    if not before:
        return Step(name, name, True, number) if name in SETS else None
    last = before[-1]
    if last.many and last.key is None:
        return None
    nav = SETS[last.of].navs.get(name)
    if nav is None or (number is not None and not nav.many):
        return None
    return Step(name, nav.target, nav.many, number)


def _is_property(part: str, last: Step) -> bool:
    if last.many and last.key is None:
        return False
    return part in SETS[last.of].columns or part == "@iot.id"
