"""The state of an entity, and the rows of the log that tell of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct

from nagara.context.model import Attrs, Entity, instances_of
from nagara.values.time import format_instant, parse_instant

AHEAD = "@ahead"  # in `sys`: the newest observedAt that was kept without becoming current


class State(Struct):
    """An entity as the store holds it; `exists` is false for one never made or deleted."""

    id: str
    exists: bool = False
    no: int | None = None
    version: int = 0
    types: tuple[str, ...] = ()
    attrs: Attrs = {}
    sys: dict[str, Any] = {}
    scopes: tuple[str, ...] = ()
    created_at: datetime | None = None
    modified_at: datetime | None = None
    expires_at: datetime | None = None

    def entity(self) -> Entity:
        """The state as callers see it."""
        return Entity(
            id=self.id,
            types=self.types,
            attrs=self.attrs,
            version=self.version,
            created_at=self.created_at,
            modified_at=self.modified_at,
            scopes=self.scopes,
            sys=self.sys,
            expires_at=self.expires_at,
        )


class LogRow(Struct):
    """A row for the change log, before it has a number."""

    op: str  # c create, u update, r replace, d delete, t history only
    at: datetime
    attrs: Attrs


def attribute_times(
    sys: dict[str, Any], name: str, modified_at: datetime | None
) -> tuple[str, str] | None:
    """createdAt and modifiedAt of an attribute.

    Kept only where they differ from the entity's modifiedAt: an entity that is written whole, as
    batches do, has nothing to keep.
    """
    kept = sys.get(name)
    if kept is not None:
        return kept[0], kept[1]
    return None if modified_at is None else (format_instant(modified_at),) * 2


def instance_times(
    sys: dict[str, Any], name: str, dataset: str | None, modified_at: datetime | None
) -> tuple[str, str] | None:
    """createdAt and modifiedAt of one instance of an attribute (clause 4.5.5)."""
    kept = sys.get(name)
    own = kept[2].get(dataset or "") if kept is not None and len(kept) > 2 else None
    return (own[0], own[1]) if own else attribute_times(sys, name, modified_at)


def times_after(kept: Any, old: Any, new: Any, changed: list[dict[str, Any]], stamp: str) -> Any:
    """The times of an attribute that has become `new`: [createdAt, modifiedAt], and where its
    instances differ in them, theirs by datasetId ('' is the default instance).

    `kept`: the times of `old`; `changed`: the instances that were written.
    """
    was = {i.get("datasetId") for i in instances_of(old)}
    touched = {i.get("datasetId") for i in changed}
    times: dict[str, list[str]] = {}
    for instance in instances_of(new):
        dataset = instance.get("datasetId")
        known = instance_times({"x": kept}, "x", dataset, None) if kept and dataset in was else None
        born, moved = known or (stamp, stamp)
        times[dataset or ""] = [born, stamp if dataset in touched else moved]
    every = list(times.values())
    if all(own == every[0] for own in every):
        return every[0]
    return [kept[0] if kept else stamp, stamp, times]


def settled_sys(state: State) -> dict[str, Any]:
    """The times of all attributes made explicit, before the entity's own move on."""
    if state.modified_at is None:
        return {}
    stamp = format_instant(state.modified_at)
    sys = {name: state.sys.get(name) or [stamp, stamp] for name in state.attrs}
    if AHEAD in state.sys:
        sys[AHEAD] = state.sys[AHEAD]
    return sys


_WHOLE_OPS = ("c", "r")  # log rows that say what an entity is from now on


def rows_of(op: str, attrs: Attrs, now: datetime) -> list[LogRow]:
    """The log rows of a write: values measured at one instant carry that instant."""
    timeless: Attrs = {}
    by_instant: dict[str, Attrs] = {}
    for name, attribute in attrs.items():
        if isinstance(attribute, dict):  # nearly all: one instance
            at = attribute.get("observedAt")
            if at is None:
                timeless[name] = attribute
            elif at in by_instant:
                by_instant[at][name] = attribute
            else:
                by_instant[at] = {name: attribute}
            continue
        for instance in instances_of(attribute) or [{}]:
            at = instance.get("observedAt")
            holder = timeless if at is None else by_instant.setdefault(at, {})
            held = holder.get(name)
            one = instance or None
            holder[name] = one if held is None else [*instances_of(held), one]
    if not by_instant:
        return [LogRow(op, now, timeless)]
    if not timeless and len(by_instant) == 1:
        [(at, patch)] = by_instant.items()
        return [LogRow(op, parse_instant(at), patch)]
    rows = [LogRow(op, now, timeless)] if timeless or op in _WHOLE_OPS else []
    later = "u" if op in _WHOLE_OPS else op
    rows.extend(LogRow(later, parse_instant(at), patch) for at, patch in sorted(by_instant.items()))
    return rows
