"""Writing history: instances that are told with their times (clauses 5.6.11, 5.6.12)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from nagara.context.merge import is_removal
from nagara.context.model import (
    Attrs,
    Chronicle,
    Correction,
    Written,
    default_instance,
    instances_of,
)
from nagara.context.state import AHEAD, settled_sys, times_after
from nagara.values.time import format_instant, parse_instant

#: The name under which the log keeps the scopes of an entity (clause 4.5.6).
SCOPE = "scope"


def tell_scopes(scopes: tuple[str, ...], now: datetime) -> dict[str, Any]:
    """The scopes that an entity has from now on, as the log keeps them."""
    if not scopes:
        return {SCOPE: None}
    value: Any = scopes[0] if len(scopes) == 1 else list(scopes)
    stamp = format_instant(now)
    return {SCOPE: {"type": "Property", "value": value, "observedAt": stamp, "modifiedAt": stamp}}


def with_scopes(rows: list[Any], scopes: tuple[str, ...], now: datetime, row: Any) -> list[Any]:
    """Rows of the log that tell new scopes too; `row` makes one of (op, at, attrs)."""
    told = tell_scopes(scopes, now)
    if rows and rows[0].at == now and rows[0].op != "d":
        rows[0].attrs = {**rows[0].attrs, **told}
        return rows
    return [*rows, row("u", now, told)]


def chronicle(
    state: Any, op: Chronicle, now: datetime, row: Callable[[str, datetime, Attrs], Any]
) -> tuple[Any, list[Any], Written]:
    """The state after what was told, the rows of the log, and what was done.

    `state` is a `State` of `nagara.context.apply`, `row` makes one of its `LogRow`.
    """
    created = not state.exists and op.makes
    by_instant: dict[datetime, Attrs] = {}
    stored = 0
    told: dict[str, list[dict[str, Any]]] = dict(op.attrs)
    if op.scopes:
        told[SCOPE] = list(op.scopes)
    for name, instances in told.items():
        for instance in instances:
            said = instance.get("observedAt")
            holder = by_instant.setdefault(parse_instant(said) if said else now, {})
            held = holder.get(name)
            holder[name] = instance if held is None else [*instances_of(held), instance]
            stored += 1
    rows = [row("t", at, by_instant[at]) for at in sorted(by_instant)]
    after = state
    if created:
        rows.insert(0, row("c", now, {}))
        after = msgspec.structs.replace(
            state,
            exists=True,
            version=state.version + 1,
            types=op.types,
            attrs=_newest({}, op.attrs),
            sys={},
            scopes=_newest_scopes(op.scopes),
            created_at=now,
            modified_at=now,
            expires_at=None,
        )
    elif state.exists:
        attrs = _newest(state.attrs, op.attrs)
        types = state.types + tuple(t for t in op.types if t not in state.types)
        scopes = _scopes_after(state.scopes, op.scopes)
        if (attrs, types, scopes) != (state.attrs, state.types, state.scopes):
            after = msgspec.structs.replace(
                state,
                version=state.version + 1,
                types=types,
                attrs=attrs,
                scopes=scopes,
                sys=_sys_after(state, attrs, format_instant(now)),
                modified_at=now,
            )
    return after, rows, Written(op.id, "temporal", after.version, created=created, stored=stored)


def _sys_after(state: Any, attrs: Attrs, stamp: str) -> dict[str, Any]:
    """The times of attributes, those that what was told has changed moved on."""
    sys = {n: kept for n, kept in settled_sys(state).items() if n in attrs or n == AHEAD}
    for name, attribute in attrs.items():
        old = state.attrs.get(name)
        if attribute != old:
            was = instances_of(old)
            changed = [i for i in instances_of(attribute) if i not in was]
            sys[name] = times_after(sys.get(name), old, attribute, changed, stamp)
    return sys


def _newest(current: Attrs, told: dict[str, list[dict[str, Any]]]) -> Attrs:
    """The present state: of each datasetId the newest instance that is known."""
    attrs = dict(current)
    for name, instances in told.items():
        by_dataset = {i.get("datasetId"): i for i in instances_of(attrs.get(name))}
        for instance in instances:
            known = by_dataset.get(instance.get("datasetId"))
            if known is None or _is_newer(instance, known):
                by_dataset[instance.get("datasetId")] = instance
        kept = [i for i in by_dataset.values() if not is_removal(i)]
        if kept:
            attrs[name] = kept[0] if len(kept) == 1 else kept
        else:
            attrs.pop(name, None)
    return attrs


def _is_newer(instance: dict[str, Any], known: dict[str, Any]) -> bool:
    said, before = instance.get("observedAt"), known.get("observedAt")
    if said is None or before is None:
        return said is None and before is None
    return parse_instant(said) >= parse_instant(before)


def _scopes_after(current: tuple[str, ...], told: tuple[dict[str, Any], ...]) -> tuple[str, ...]:
    """The present scopes: those that are told without a time are from now on; others only where
    there are none, for since when those that are there hold is not known here."""
    of_now = tuple(scope for scope in told if "observedAt" not in scope)
    if of_now:
        return _newest_scopes(of_now[-1:])
    return current or _newest_scopes(told)


def _newest_scopes(told: tuple[dict[str, Any], ...]) -> tuple[str, ...]:
    if not told:
        return ()
    newest = max(told, key=lambda i: i.get("observedAt") or "~")["value"]
    return tuple(newest) if isinstance(newest, list) else (newest,)


def corrected(state: Any, of: Correction) -> Any:
    """The state after a value of the history was changed: the present follows where it was that
    value, or where what is put there is as new."""
    held = state.attrs.get(of.name)
    if not state.exists or held is None:
        return state
    instance = default_instance(held) or {}
    if instance != of.was and (of.now is None or _time_of(of.now) < _time_of(instance)):
        return state
    others = [one for one in instances_of(held) if one is not instance]
    left = [*([] if of.now is None else [of.now]), *others]
    attrs = {name: value for name, value in state.attrs.items() if name != of.name}
    if left:
        attrs[of.name] = left if isinstance(held, list) else left[0]
    return msgspec.structs.replace(state, attrs=attrs, version=state.version + 1)


def _time_of(instance: dict[str, Any]) -> datetime:
    said = instance.get("observedAt")
    return parse_instant(said) if isinstance(said, str) else datetime.min.replace(tzinfo=UTC)
