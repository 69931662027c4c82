"""What opens and moves cases from outside the room: alerts, and tickets of foreign systems."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

from nagara.cases import kept
from nagara.cases.errors import ReportCategoryUnknown
from nagara.cases.kept import Row
from nagara.cases.model import AlertEnded, AlertWorse, Mirror
from nagara.cases.service import SYSTEM, Casework, Doing, Opening
from nagara.context import Change, Entity, Patch, Reader
from nagara.context.errors import EntityNotFound
from nagara.context.model import default_instance, plain_value
from nagara.values.ids import is_given
from nagara.vocab import alert, request
from nagara.vocab import case as noun
from nagara.vocab.attribute import point_of, relation_to

#: Where a city's kit names a category for what nobody has named.
_OTHER = "other"
_MIRRORED = ":mirrored"
#: Cases opened side by side when a feed brings many: of the pool's 20 connections others need most.
LANES_MAX = 6
#: Several kinds in one ticket, as Traffy exports them: "{ถนน,ทางเท้า}".
_SEPARATORS = re.compile(r"[{},;|]")


class CaseReaders:
    """Reads Alert and ServiceRequest from the change log. What is heard twice is done once."""

    def __init__(self, work: Casework) -> None:
        self._work = work

    def readers(self) -> list[Reader]:
        """The room's readers."""
        return [
            Reader("cases.alerts", self.on_alerts, types=(alert.TYPE,), batch=50),
            Reader("cases.requests", self.on_requests, types=(request.TYPE,), batch=50),
        ]

    async def on_alerts(self, changes: Sequence[Change]) -> None:
        """An alert that names a category of case opens one for the department responsible."""
        code = self._work.city.code
        own = [c for c in changes if is_given(c.id, alert.TYPE, code)]
        await _each_in_order(own, self._on_alert)

    async def on_requests(self, changes: Sequence[Change]) -> None:
        """A ticket of a foreign system opens a case, and its state is mirrored."""
        await _each_in_order(changes, self._on_request)

    async def _on_alert(self, change: Change) -> None:
        row = await self._from("alert", change.id)
        if row is None and change.attrs.get(alert.CASE_CATEGORY) is not None:
            row = await self._open_for_alert(change)
        elif row is not None and alert.SEVERITY_PEAK in change.attrs:
            priority = _said(change, alert.SEVERITY)
            doing = self._doing("alert", change, priority=priority)
            await self._work.advance(row.case_id, AlertWorse(), doing)
        if row is not None and _said(change, alert.STATE) == "resolved":
            doing = self._doing("alert", change, what=":ended")
            await self._work.advance(row.case_id, AlertEnded(), doing)

    async def _on_request(self, change: Change) -> None:
        status = _said(change, request.STATUS)
        row = await self._from("request", change.id)
        if row is None:
            row = await self._open_for_request(change, status)
        if row is not None and status in request.STATUSES and status != row.foreign_status:
            command = Mirror(status, self._work.new_due_at(row))
            doing = self._doing("foreign", change, what=_MIRRORED)
            await self._work.advance(row.case_id, command, doing)

    async def _from(self, kind: str, foreign_id: str) -> Row | None:
        async with self._work.db.acquire() as conn:
            case_id = await kept.find_origin(conn, kind, foreign_id)
            return None if case_id is None else await kept.find_row(conn, case_id)

    def _doing(
        self, role: str, change: Change, priority: str | None = None, what: str = ""
    ) -> Doing:
        """Keyed by the change: the one that opens a case is not heard again as a worsening."""
        return Doing(SYSTEM, role, priority=priority, key=f"{role}:{change.seq}{what}")

    async def _open_for_alert(self, change: Change) -> Row | None:
        entity = await self._work.context.find(change.id)
        if entity is None:
            return None
        district, location = self._place(entity)
        category, department = self._answering(entity, district)
        opening = Opening(
            category=category,
            district=district,
            location=location,
            source=noun.ALERT,
            provenance=entity.value(alert.PROVENANCE, "measured"),
            opened_at=entity.instant(alert.DATE_ISSUED) or self._work.context.clock.now(),
            department=department,
            priority=entity.value(alert.SEVERITY),
            ref_alert=entity.id,
        )
        link = Patch(entity.id, {alert.REF_CASE: relation_to("{case}")})
        return await self._opened(opening, self._doing("alert", change), ("alert", entity.id), link)

    def _answering(self, entity: Entity, district: str | None) -> tuple[str, str | None]:
        """Category and department: the city's table of alerts first, else by the category alone."""
        found = self._work.city.route_alert(entity.value(alert.CATEGORY, ""), district)
        if found is not None:
            return found[1], found[0].code
        asked = entity.value(alert.CASE_CATEGORY, "")
        return self._category(asked), None

    async def _open_for_request(self, change: Change, status: Any) -> Row | None:
        entity = await self._work.context.find(change.id)
        if entity is None:
            return None
        district, location = self._place(entity)
        now = self._work.context.clock.now()
        requested: datetime = entity.instant(request.REQUESTED_AT) or now
        opening = Opening(
            category=self._category(entity.value(request.CATEGORY, "")),
            district=district,
            location=location,
            source=str(entity.value(request.SOURCE, "foreign"))[:40],
            provenance=entity.value(request.PROVENANCE, "measured"),
            opened_at=min(requested, now),
            ref_request=entity.id,
            foreign="received" if status == "received" else None,
        )
        # "received" is what opening says already; any other state is a step of its own
        what = _MIRRORED if status == "received" else ""
        doing = self._doing("foreign", change, what=what)
        return await self._opened(opening, doing, ("request", entity.id))

    async def _opened(
        self, opening: Opening, doing: Doing, origin: tuple[str, str], *also: Patch
    ) -> Row | None:
        try:
            return await self._work.open(opening, doing, origin, also=also)
        except EntityNotFound:
            return None  # what asked for the case was deleted meanwhile

    def _category(self, said: Any) -> str:
        """The city's category for a foreign word. Raises `ReportCategoryUnknown` where the kit has
        neither a name for it nor a category for the rest."""
        city = self._work.city
        words = said if isinstance(said, list) else _SEPARATORS.split(str(said))
        for word in words:
            code = city.find_code("category", str(word))
            if code is not None:
                return code
        if city.find_category(_OTHER) is None:
            raise ReportCategoryUnknown(got=str(said)[:80])
        return _OTHER

    def _place(self, entity: Entity) -> tuple[str | None, tuple[float, float] | None]:
        """District and position: the position decides, the name stands in for it."""
        location = point_of(entity.value(alert.LOCATION))
        if location is not None:
            area = self._work.city.district_at(*location)
            if area is not None:
                return area.code, location
        said = entity.value(alert.DISTRICT)
        code = self._work.city.find_code("district", str(said)) if said else None
        return code, location


async def _each_in_order(
    changes: Sequence[Change], handle: Callable[[Change], Awaitable[None]]
) -> None:
    """Handle changes, those of one entity in their order and several entities side by side.

    Raises the first trouble after all have been tried; the batch is then read again.
    """
    lanes: dict[str, list[Change]] = {}
    for change in changes:
        if change.op not in ("delete", "temporal") and not change.tenant:
            lanes.setdefault(change.id, []).append(change)  # cases are the city's own: no tenants
    side_by_side = asyncio.Semaphore(LANES_MAX)

    async def run(lane: list[Change]) -> None:
        async with side_by_side:
            for change in lane:
                await handle(change)

    done = await asyncio.gather(*map(run, lanes.values()), return_exceptions=True)
    for trouble in done:
        if isinstance(trouble, BaseException):
            raise trouble


def _said(change: Change, name: str) -> Any:
    instance = default_instance(change.attrs.get(name))
    return None if instance is None else plain_value(instance)
