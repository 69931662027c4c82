"""What an operation does to an entity: pure functions from state to state and log rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from msgspec import Struct

from nagara.context.errors import (
    AttributeNotFound,
    EntityAlreadyExists,
    EntityInvalid,
    EntityNotFound,
    VersionConflict,
)
from nagara.context.model import (
    NGSI_NULL,
    Attrs,
    Create,
    Delete,
    DeleteAttribute,
    Entity,
    Observe,
    Op,
    Patch,
    Replace,
    Upsert,
    Written,
    default_instance,
    instances_of,
)
from nagara.values.time import format_instant, parse_instant

#: A city's busiest entity type has about sixty attributes; beyond this a client is in a loop.
ATTRIBUTES_MAX = 1000

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


#: Whether (attribute, observedAt) of this entity is in its history already.
Heard = Callable[[str, datetime], bool]


def apply(state: State, op: Op, now: datetime, heard: Heard) -> tuple[State, list[LogRow], Written]:
    """The state after `op`, the log rows that say so, and what was done.

    Raises a Problem of `nagara.context.errors` where the operation does not fit the state; the
    given state is never changed in place.
    """
    if isinstance(op, Observe):
        return _observe(state, op, now, heard)
    if isinstance(op, Patch):
        return _patch(state, op, now)
    if isinstance(op, Upsert):
        if not state.exists:
            return _create(state, op.entity, now)
        if op.mode == "replace":
            return _replace(state, op.entity, now)
        patch = Patch(op.entity.id, op.entity.attrs, "append", None, op.entity.types)
        return _patch(state, patch, now)
    if isinstance(op, Create):
        if state.exists:
            raise EntityAlreadyExists(id=state.id)
        return _create(state, op.entity, now)
    if not state.exists:
        raise EntityNotFound(id=state.id)
    if isinstance(op, Replace):
        _demand_version(state, op.if_version)
        return _replace(state, op.entity, now)
    if isinstance(op, Delete):
        _demand_version(state, op.if_version)
        return _delete(state, now)
    return _delete_attribute(state, op, now)


def _demand_version(state: State, expected: int | None) -> None:
    if expected is not None and expected != state.version:
        raise VersionConflict(id=state.id, expected=expected, found=state.version)


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


def _settled_sys(state: State) -> dict[str, Any]:
    """The times of all attributes made explicit, before the entity's own move on."""
    if state.modified_at is None:
        return {}
    stamp = format_instant(state.modified_at)
    sys = {name: state.sys.get(name) or [stamp, stamp] for name in state.attrs}
    if AHEAD in state.sys:
        sys[AHEAD] = state.sys[AHEAD]
    return sys


def _create(state: State, entity: Entity, now: datetime) -> tuple[State, list[LogRow], Written]:
    if not entity.types:
        raise EntityInvalid(id=entity.id, reason="an entity has at least one type")
    if len(entity.attrs) > ATTRIBUTES_MAX:
        raise EntityInvalid(id=entity.id, reason=f"more than {ATTRIBUTES_MAX} attributes")
    after = State(
        id=state.id,
        exists=True,
        no=state.no,
        version=state.version + 1,
        types=entity.types,
        attrs=entity.attrs,
        sys={},
        scopes=entity.scopes,
        created_at=now,
        modified_at=now,
        expires_at=entity.expires_at,
    )
    written = Written(state.id, "create", after.version, created=True)
    return after, _rows("c", entity.attrs, now), written


def _replace(state: State, entity: Entity, now: datetime) -> tuple[State, list[LogRow], Written]:
    types = entity.types or state.types
    if len(entity.attrs) > ATTRIBUTES_MAX:
        raise EntityInvalid(id=entity.id, reason=f"more than {ATTRIBUTES_MAX} attributes")
    after = State(
        id=state.id,
        exists=True,
        no=state.no,
        version=state.version + 1,
        types=types,
        attrs=entity.attrs,
        sys={},
        scopes=entity.scopes or state.scopes,
        created_at=state.created_at,
        modified_at=now,
        expires_at=entity.expires_at,
    )
    rows = _rows("r", entity.attrs, now)
    if not state.attrs.keys() <= entity.attrs.keys():
        gone: Attrs = {name: None for name in state.attrs if name not in entity.attrs}
        rows[0].attrs = {**rows[0].attrs, **gone}
    return after, rows, Written(state.id, "replace", after.version)


def _delete(state: State, now: datetime) -> tuple[State, list[LogRow], Written]:
    after = State(
        id=state.id,
        exists=False,
        no=state.no,
        version=state.version + 1,
        types=state.types,
        created_at=state.created_at,
        modified_at=now,
    )
    return after, [LogRow("d", now, {})], Written(state.id, "delete", after.version)


def _patch(state: State, op: Patch, now: datetime) -> tuple[State, list[LogRow], Written]:
    if not state.exists:
        raise EntityNotFound(id=state.id)
    _demand_version(state, op.if_version)
    stamp = format_instant(now)
    attrs, sys = dict(state.attrs), _settled_sys(state)
    patch: Attrs = {}
    untouched: list[str] = []
    for name, new in op.attrs.items():
        old = attrs.get(name)
        if old is None and op.mode == "strict":
            raise AttributeNotFound(id=state.id, attribute=name)
        if (old is None and (op.mode == "update" or new is None)) or (
            old is not None and op.mode == "append_new"
        ):
            untouched.append(name)
            continue
        if op.mode == "merge" and new is not None:
            new = _merge_attribute(old, new)
        kept = None if new is None else _join_instances(old, new)
        if kept is None:
            attrs.pop(name, None)
            sys.pop(name, None)
            patch[name] = None
            continue
        attrs[name] = kept
        patch[name] = new
        born = sys[name][0] if name in sys else stamp
        sys[name] = [born, stamp]
    if len(attrs) > ATTRIBUTES_MAX:
        raise EntityInvalid(id=state.id, reason=f"more than {ATTRIBUTES_MAX} attributes")
    types = state.types + tuple(t for t in op.types if t not in state.types)
    scopes = state.scopes if op.scopes is None else op.scopes
    if not patch and types == state.types and scopes == state.scopes:
        return state, [], Written(state.id, "update", state.version, untouched=tuple(untouched))
    after = State(
        id=state.id,
        exists=True,
        no=state.no,
        version=state.version + 1,
        types=types,
        attrs=attrs,
        sys=sys,
        scopes=scopes,
        created_at=state.created_at,
        modified_at=now,
        expires_at=state.expires_at,
    )
    written = Written(state.id, "update", after.version, untouched=tuple(untouched))
    return after, _rows("u", patch, now), written


def _delete_attribute(
    state: State, op: DeleteAttribute, now: datetime
) -> tuple[State, list[LogRow], Written]:
    old = state.attrs.get(op.name)
    kept: list[dict[str, Any]] = []
    if not op.everything:
        kept = [i for i in instances_of(old) if i.get("datasetId") != op.dataset_id]
    if old is None or (not op.everything and len(kept) == len(instances_of(old))):
        raise AttributeNotFound(id=state.id, attribute=op.name)
    new: Any = None if not kept else kept[0] if len(kept) == 1 else kept
    attrs, sys = dict(state.attrs), _settled_sys(state)
    if new is None:
        del attrs[op.name]
        sys.pop(op.name, None)
    else:
        attrs[op.name] = new
    after = State(
        id=state.id,
        exists=True,
        no=state.no,
        version=state.version + 1,
        types=state.types,
        attrs=attrs,
        sys=sys,
        scopes=state.scopes,
        created_at=state.created_at,
        modified_at=now,
        expires_at=state.expires_at,
    )
    row = LogRow("u", now, {op.name: new})
    return after, [row], Written(state.id, "update", after.version)


def _observe(
    state: State, op: Observe, now: datetime, heard: Heard
) -> tuple[State, list[LogRow], Written]:
    """Each (attribute, observedAt) once. One log row for each distinct observedAt, so that the
    time of a row is the time of every value in it."""
    stamp = format_instant(now)
    created = not state.exists
    if created:
        base = {k: v for k, v in (op.base or {}).items() if k not in op.attrs}
        attrs: Attrs = base
        sys: dict[str, Any] = {}
        types = op.types
        rows = [LogRow("c", now, dict(base))]
    else:
        attrs, sys, types, rows = dict(state.attrs), _settled_sys(state), state.types, []
    by_instant: dict[datetime, Attrs] = {}
    stored = duplicate = 0
    ahead: str | None = sys.get(AHEAD)
    for name, instance in op.attrs.items():
        said = instance.get("observedAt")
        if said is None:
            raise EntityInvalid(id=op.id, reason=f"{name} has no observedAt")
        at = parse_instant(said)
        current = default_instance(attrs.get(name))
        current_said = current.get("observedAt") if current else None
        newer = current_said is None or parse_instant(current_said) < at
        surely_new = newer and op.current and (ahead is None or parse_instant(ahead) < at)
        if not surely_new and (
            (current_said is not None and parse_instant(current_said) == at) or heard(name, at)
        ):
            duplicate += 1
            continue
        stored += 1
        by_instant.setdefault(at, {})[name] = instance
        if newer and op.current:
            attrs[name] = instance
            born = sys[name][0] if name in sys else stamp
            sys[name] = [born, stamp]
        elif not op.current and (ahead is None or parse_instant(ahead) < at):
            ahead = sys[AHEAD] = said
    if not stored and not created:
        return state, [], Written(op.id, "observe", state.version, duplicate=duplicate)
    after = State(
        id=op.id,
        exists=True,
        no=state.no,
        version=state.version + 1,
        types=types,
        attrs=attrs,
        sys=sys,
        scopes=state.scopes,
        created_at=now if created else state.created_at,
        modified_at=now,
        expires_at=state.expires_at,
    )
    for at in sorted(by_instant):
        patch = by_instant[at]
        is_current = any(attrs.get(name) is instance for name, instance in patch.items())
        rows.append(LogRow("u" if is_current else "t", at, patch))
    written = Written(
        op.id, "observe", after.version, created=created, stored=stored, duplicate=duplicate
    )
    return after, rows, written


_WHOLE_OPS = ("c", "r")  # log rows that say what an entity is from now on


def _rows(op: str, attrs: Attrs, now: datetime) -> list[LogRow]:
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


def _join_instances(old: Any, new: Any) -> Any:
    """The attribute after `new`: instances of other datasetIds stay (clause 4.5.5)."""
    if isinstance(new, dict) and "datasetId" not in new and not isinstance(old, list):
        return new
    by_dataset = {i.get("datasetId"): i for i in instances_of(old)}
    for instance in instances_of(new):
        by_dataset[instance.get("datasetId")] = instance
    kept = list(by_dataset.values())
    return kept[0] if len(kept) == 1 else kept


def _merge_attribute(old: Any, new: Any) -> Any:
    if isinstance(new, list):
        by_dataset = {i.get("datasetId"): i for i in instances_of(old)}
        return [_merge_value(by_dataset.get(i.get("datasetId")), i) for i in new]
    same = next((i for i in instances_of(old) if i.get("datasetId") == new.get("datasetId")), None)
    return _merge_value(same, new)


def _merge_value(old: Any, new: Any) -> Any:
    """JSON merge (RFC 7396) with the NGSI-LD Null as the sign of removal."""
    if not isinstance(new, dict):
        return new
    merged = dict(old) if isinstance(old, dict) else {}
    for key, value in new.items():
        if value is None or value == NGSI_NULL:
            merged.pop(key, None)
        else:
            merged[key] = _merge_value(merged.get(key), value)
    return merged
