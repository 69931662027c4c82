"""The board: what the screens ask for all the time, in memory, following the change log.

Stations, alerts that are not over, cases that are not closed, indicators of the whole city. It is
read from the store once and kept by what changes; after a hole it is read again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from nagara.context import Change, Context, Entity, Query
from nagara.context.model import default_instance, plain_value
from nagara.values.ids import given_pattern, is_given
from nagara.values.time import parse_instant
from nagara.vocab import alert, case, indicator

#: How long a wait for changes lasts before it is begun again; nothing depends on it.
_WAIT_S = 30.0


class CaseState(Struct, frozen=True):
    """What is counted of a case."""

    state: str
    overdue: bool
    opened_at: datetime | None


class Board:
    """Kept by `follow`; `ready` waits until it is there."""

    def __init__(self, context: Context, station_types: frozenset[str], city_code: str) -> None:
        self._city_code = city_code
        self._context = context
        self._station_types = station_types
        self._types = (*sorted(station_types), alert.TYPE, case.TYPE, indicator.TYPE)
        self._loaded = asyncio.Event()
        self._loading = asyncio.Lock()
        self.version = 0  # moves with every change: answers are kept until it does
        self.stations: dict[str, Entity] = {}
        self.alerts: dict[str, str] = {}  # id → severity
        self.cases: dict[str, CaseState] = {}
        self.indicators: dict[str, Entity] = {}

    async def ready(self) -> None:
        """Return when the board has been read; reads it where nobody follows yet."""
        if not self._loaded.is_set():
            async with self._loading:
                if not self._loaded.is_set():
                    await self._load()

    async def follow(self) -> None:
        """Runs for the life of the city."""
        with self._context.live.subscribe(self._types) as watcher:
            async with self._loading:
                await self._load()
            while not watcher.ended:
                self.hear(await watcher.next(_WAIT_S))
                if watcher.overrun:
                    watcher.overrun = False
                    await self._load()

    def hear(self, changes: Sequence[Change]) -> None:
        """Take in changes; one that is in already changes nothing."""
        for change in changes:
            if change.tenant or change.op == "temporal":
                continue
            self.version += 1
            kind = set(change.types)
            if kind & self._station_types:
                self._entity(self.stations, change)
            elif not any(is_given(change.id, one, self._city_code) for one in kind):
                continue
            elif indicator.TYPE in kind:
                self._entity(self.indicators, change)
            elif alert.TYPE in kind:
                self._alert(change)
            elif case.TYPE in kind:
                self._case(change)

    async def _load(self) -> None:
        context = self._context
        stations = await context.query_all(Query(types=tuple(sorted(self._station_types))))
        indicators = await context.query_all(self._own(indicator.TYPE))
        live = f'{alert.STATE}=="open","acknowledged"'
        alerts = await context.query_all(self._own(alert.TYPE, live))
        cases = await context.query_all(self._own(case.TYPE, f'{case.STATE}!="closed"'))
        self.stations = {e.id: e for e in stations}
        self.indicators = {e.id: e for e in indicators}
        self.alerts = {e.id: e.value(alert.SEVERITY) for e in alerts}
        self.cases = {
            e.id: CaseState(
                e.value(case.STATE), e.value(case.OVERDUE) is True, e.instant(case.CREATED_AT)
            )
            for e in cases
        }
        self.version += 1
        self._loaded.set()

    def _own(self, entity_type: str, q: str | None = None) -> Query:
        """Entities that a room of the city keeps: clients have some of these types, too."""
        return Query(
            types=(entity_type,), id_pattern=given_pattern(entity_type, self._city_code), q=q
        )

    def _entity(self, held: dict[str, Entity], change: Change) -> None:
        if change.op == "delete":
            held.pop(change.id, None)
            return
        known = held.get(change.id) or Entity(change.id, change.types, {})
        attrs = known.attrs | change.attrs
        held[change.id] = replace(
            known, attrs={name: said for name, said in attrs.items() if said is not None}
        )

    def _alert(self, change: Change) -> None:
        state = _said(change, alert.STATE)
        if change.op == "delete" or state == "resolved":
            self.alerts.pop(change.id, None)
            return
        severity = _said(change, alert.SEVERITY)
        if severity is not None and (state is not None or change.id in self.alerts):
            self.alerts[change.id] = severity

    def _case(self, change: Change) -> None:
        state = _said(change, case.STATE)
        if change.op == "delete" or state == "closed":
            self.cases.pop(change.id, None)
            return
        known = self.cases.get(change.id)
        if known is None and state is None:
            return  # a closed case that was rated
        known = known or CaseState("new", False, None)
        overdue = _said(change, case.OVERDUE)
        opened = _said(change, case.CREATED_AT)
        self.cases[change.id] = CaseState(
            state or known.state,
            known.overdue if overdue is None else overdue is True,
            parse_instant(opened) if opened else known.opened_at,
        )


def _said(change: Change, name: str) -> Any:
    instance = default_instance(change.attrs.get(name))
    return None if instance is None else plain_value(instance)
