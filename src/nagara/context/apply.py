"""What an operation does to an entity: pure functions from state to state and log rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from msgspec import UNSET

from nagara.context.chronicle import chronicle, corrected, with_scopes
from nagara.context.errors import (
    AttributeNotFound,
    EntityAlreadyExists,
    EntityInvalid,
    EntityNotFound,
    EntityOverLimit,
    VersionConflict,
)
from nagara.context.merge import Absent, Joined, Unfit, join
from nagara.context.model import (
    Amended,
    Attrs,
    Chronicle,
    Create,
    Delete,
    DeleteAttribute,
    DeleteScope,
    Entity,
    Gone,
    Observe,
    Op,
    Patch,
    PatchMode,
    Replace,
    Upsert,
    Written,
    default_instance,
)
from nagara.context.state import (
    AHEAD,
    LogRow,
    State,
    attribute_times,
    rows_of,
    settled_sys,
    times_after,
)
from nagara.values.time import format_instant, parse_instant

__all__ = ["AHEAD", "LogRow", "State", "apply", "attribute_times"]

#: A city's busiest entity type has about sixty attributes; beyond this a client is in a loop.
ATTRIBUTES_MAX = 1000

#: Whether (attribute, observedAt) of this entity is in its history already.
Heard = Callable[[str, datetime], bool]


def apply(state: State, op: Op, now: datetime, heard: Heard) -> tuple[State, list[LogRow], Written]:
    """The state after `op`, the log rows that say so, and what was done.

    Raises a Problem of `nagara.context.errors` where the operation does not fit the state; the
    given state is never changed in place.
    """
    if isinstance(op, Observe) and state.expires_at is None:
        return _observe(state, op, now, heard)  # the busiest of all
    after, rows, written = _applied(state, op, now, heard)
    if after.scopes is state.scopes:  # nearly all
        return after, rows, written
    if after.scopes != state.scopes and after.exists and not isinstance(op, Chronicle):
        rows = with_scopes(rows, after.scopes, now, LogRow)
    return after, rows, written


def _applied(
    state: State, op: Op, now: datetime, heard: Heard
) -> tuple[State, list[LogRow], Written]:
    if state.expires_at is not None and _is_over(state, now) and not isinstance(op, Delete):
        gone, rows, _ = _delete(state, now)  # the sweep has not come by yet: it is not there
        after, more, written = _applied(gone, op, now, heard)
        return after, rows + more, written
    if isinstance(op, Observe):
        return _observe(state, op, now, heard)
    if isinstance(op, Patch):
        return _patch(state, op, now)
    if isinstance(op, Chronicle):
        return chronicle(state, op, now, LogRow)
    if isinstance(op, Amended):
        after = state if op.present is None else corrected(state, op.present)
        return after, [LogRow("t", now, {})], Written(op.id, "amend", after.version)
    if isinstance(op, Upsert):
        if not state.exists:
            return _create(state, op.entity, now)
        if op.mode == "replace":
            return _replace(state, op.entity, now)
        entity = op.entity
        return _patch(
            state,
            Patch(
                entity.id,
                entity.attrs,
                "append",
                types=entity.types,
                scopes=entity.scopes or None,
                expires_at=entity.expires_at or UNSET,
            ),
            now,
        )
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
    if isinstance(op, DeleteScope):
        return _delete_scope(state, now)
    return _delete_attribute(state, op, now)


def _is_over(state: State, now: datetime) -> bool:
    return state.expires_at is not None and state.exists and state.expires_at <= now


def _demand_version(state: State, expected: int | None) -> None:
    if expected is not None and expected != state.version:
        raise VersionConflict(id=state.id, expected=expected, found=state.version)


def _create(state: State, entity: Entity, now: datetime) -> tuple[State, list[LogRow], Written]:
    if not entity.types:
        raise EntityInvalid(id=entity.id, reason="an entity has at least one type")
    _demand_few(entity.id, entity.attrs)
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
    return after, rows_of("c", entity.attrs, now), written


def _replace(state: State, entity: Entity, now: datetime) -> tuple[State, list[LogRow], Written]:
    types = entity.types or state.types
    _demand_few(entity.id, entity.attrs)
    after = State(
        id=state.id,
        exists=True,
        no=state.no,
        version=state.version + 1,
        types=types,
        attrs=entity.attrs,
        sys={},
        scopes=entity.scopes,
        created_at=state.created_at,
        modified_at=now,
        expires_at=entity.expires_at,
    )
    rows = rows_of("r", entity.attrs, now)
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
    attrs, sys = dict(state.attrs), settled_sys(state)
    patch: Attrs = {}
    untouched: list[str] = []
    replaces = op.mode in ("append", "change")
    for name, new in op.attrs.items():
        old = attrs.get(name)
        if (
            replaces
            and type(new) is dict
            and "datasetId" not in new
            and (old is None or (type(old) is dict and "datasetId" not in old))
        ):  # nearly all: one instance, before and after
            attrs[name] = patch[name] = new
            sys[name] = [sys[name][0] if name in sys else stamp, stamp]
            continue
        if new is None:
            if old is None:
                untouched.append(name)
            else:
                del attrs[name]
                sys.pop(name, None)
                patch[name] = None
            continue
        joined = _joined(state.id, name, old, new, op)
        if joined.untouched:
            untouched.append(name)
        if not joined.changed and not joined.removed:
            continue
        if joined.value is None:
            del attrs[name]
            sys.pop(name, None)
            patch[name] = None
            continue
        attrs[name] = joined.value
        sys[name] = times_after(sys.get(name), old, joined.value, joined.changed, stamp)
        changed = joined.changed + joined.removed
        patch[name] = changed[0] if len(changed) == 1 else changed
    _demand_few(state.id, attrs)
    types = state.types
    if op.types:
        types += tuple(t for t in op.types if t not in types)
    scopes = state.scopes if op.scopes is None else _scopes(state, op.scopes, op.mode, untouched)
    expires_at = state.expires_at if op.expires_at is UNSET else op.expires_at
    if not patch and (types, scopes, expires_at) == (
        state.types,
        state.scopes,
        state.expires_at,
    ):
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
        expires_at=expires_at,
    )
    return (
        after,
        rows_of("u", patch, now),
        Written(state.id, "update", after.version, untouched=tuple(untouched)),
    )


def _joined(entity_id: str, name: str, old: Any, new: Any, op: Patch) -> Joined:
    try:
        return join(old, new, op.mode, op.observed_at)
    except Absent:
        raise AttributeNotFound(id=entity_id, attribute=name) from None
    except Unfit as unfit:
        raise EntityInvalid(id=entity_id, reason=f"{name}: {unfit}") from None


def _scopes(
    state: State, said: tuple[str, ...], mode: PatchMode, untouched: list[str]
) -> tuple[str, ...]:
    """The scopes after a patch that names some (clause 4.18)."""
    if mode == "append_new":
        return state.scopes + tuple(s for s in said if s not in state.scopes)
    if mode in ("change", "update") and not state.scopes:
        untouched.append("scope")
        return state.scopes
    return said


def _demand_few(entity_id: str, attrs: Attrs) -> None:
    if len(attrs) > ATTRIBUTES_MAX:
        raise EntityOverLimit(id=entity_id, what="attributes", limit=ATTRIBUTES_MAX)


def _delete_attribute(
    state: State, op: DeleteAttribute, now: datetime
) -> tuple[State, list[LogRow], Written]:
    old = state.attrs.get(op.name)
    if old is None:
        raise AttributeNotFound(id=state.id, attribute=op.name)
    new: Any = None
    said: Any = None
    if not op.everything:
        patch = Patch(state.id, {}, "strict")
        joined = _joined(state.id, op.name, old, Gone(op.dataset_id), patch)
        new = joined.value
        said = None if new is None else joined.removed[0]
    attrs, sys = dict(state.attrs), settled_sys(state)
    if new is None:
        del attrs[op.name]
        sys.pop(op.name, None)
    else:
        attrs[op.name] = new
        sys[op.name] = times_after(sys.get(op.name), old, new, [], format_instant(now))
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
    row = LogRow("u", now, {op.name: said})
    return after, [row], Written(state.id, "update", after.version)


def _delete_scope(state: State, now: datetime) -> tuple[State, list[LogRow], Written]:
    if not state.scopes:
        raise AttributeNotFound(id=state.id, attribute="scope")
    return _patch(state, Patch(state.id, {}, scopes=()), now)


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
        attrs, sys, types, rows = dict(state.attrs), settled_sys(state), state.types, []
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
        if (
            not op.anew
            and not surely_new
            and (
                (current_said is not None and parse_instant(current_said) == at) or heard(name, at)
            )
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
