"""What a believed envelope changes outside this room: values, projects, entities of the sender.

Said twice it changes nothing, so it may happen before the chain goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime

import msgspec
import structlog
from msgspec.structs import replace

from nagara.context import Context, Delete, Entity, Op, Upsert
from nagara.engines.database import Database
from nagara.federation import chains, errors
from nagara.federation.clearance import clear_entity, may_be_chosen
from nagara.federation.kept import Link
from nagara.federation.model import Gone, Item, Project, Receipt, Thing, Value
from nagara.vocab.federation import ValueBook, tenant_of_city
from nagara.vocab.indicator import ReceivedValue
from nagara.vocab.project import ProjectBook

ACTOR = "system:federation"
_DELETES_AT_ONCE = 500

log = structlog.get_logger("federation")
#: (kind, subject) → the newest that an envelope says of it.
Newest = Mapping[tuple[str, str], Item]


class Applying:
    """Hands what a member says to those who keep it."""

    def __init__(
        self,
        context: Context,
        db: Database,
        values: ValueBook,
        projects: ProjectBook | None,
        wall: Callable[[], datetime],
    ) -> None:
        self._context = context
        self._db = db
        self._values = values
        self._projects = projects
        self._wall = wall

    def demand_own(self, link: Link, item: Item) -> None:
        """An item that speaks of another city, or of what nobody here knows, is no item. Raises
        `ItemInvalid`, `ItemUnknown`, `NotCleared`."""
        if isinstance(item, Value):
            self._demand_value(item.code, item.start, item.end, item.area, item.breakdown)
        if isinstance(item, Thing) and not all(map(may_be_chosen, item.types or ("",))):
            raise errors.NotCleared(what=", ".join(item.types)[:80])
        if isinstance(item, Gone) and item.of == "value":
            try:
                code, start, end, area, breakdown = item.id.split("|")
                span = date.fromisoformat(start), date.fromisoformat(end)
            except ValueError as error:
                raise errors.ItemInvalid(kind="gone", reason=item.id[:80]) from error
            self._demand_value(code, *span, area, breakdown)
        if isinstance(item, Project):
            if self._projects is None:
                raise errors.ItemUnknown(kind="project")
            if item.record.city != link.peer:
                raise errors.ItemInvalid(kind="project", reason=f"of {item.record.city[:60]}")

    def _demand_value(self, code: str, start: date, end: date, area: str, breakdown: str) -> None:
        if not self._values.knows(code):
            raise errors.ItemInvalid(kind="value", reason=f"no definition {code[:80]}")
        if start >= end or len(area) > 80 or len(breakdown) > 80 or "|" in area + breakdown:
            raise errors.ItemInvalid(kind="value", reason=f"{code}: {start} {end}")

    async def keep(self, link: Link, newest: Newest) -> list[Op]:
        """Keep values and projects; what is to be written of entities, in the sender's tenant."""
        await self._keep_values(link, newest)
        await self._keep_projects(link, newest)
        return await self._entity_ops(link, newest)

    async def _keep_values(self, link: Link, newest: Newest) -> None:
        values = []
        for (kind, subject), item in newest.items():
            if isinstance(item, Value):
                values.append(
                    ReceivedValue(
                        item.code, item.start, item.end, item.value, item.unit, item.numerator,
                        item.denominator, item.area, item.breakdown, item.quality,
                        item.formula_version, "hidden: small cell" if item.hidden else None,
                    )
                )  # fmt: skip
            elif kind == "value":
                code, start, end, area, breakdown = subject.split("|")
                values.append(
                    msgspec.convert(
                        {"code": code, "period_start": start, "period_end": end, "value": None,
                         "unit": "", "area": area, "breakdown": breakdown, "quality": "missing",
                         "note": "taken back by the city"},
                        ReceivedValue,
                    )
                )  # fmt: skip
        if values:
            await self._values.receive(link.peer, values, ACTOR)

    async def _keep_projects(self, link: Link, newest: Newest) -> None:
        if self._projects is None:
            return
        records = [item.record for item in newest.values() if isinstance(item, Project)]
        for (kind, subject), item in newest.items():
            if kind == "project" and isinstance(item, Gone):
                found = await self._projects.find(subject)
                if found is not None and found.city == link.peer:
                    records.append(replace(found, published=False))
        if records:
            await self._projects.receive(link.peer, records, ACTOR)

    async def _entity_ops(self, link: Link, newest: Newest) -> list[Op]:
        tenant = tenant_of_city(link.peer)
        ops: list[Op] = []
        for (kind, subject), item in newest.items():
            if isinstance(item, Thing):
                # Cleared here once more: a member that publishes too much does not spread it.
                attrs = clear_entity(item.types, item.attrs, frozenset()) or {}
                ops.append(Upsert(Entity(item.id, item.types, attrs)))
            elif kind == "entity" and await self._context.find(subject, tenant=tenant) is not None:
                ops.append(Delete(subject))
        return ops

    async def withdraw(self, link: Link, seq: int) -> Receipt:
        """Take everything of a city out of the answers; done twice, the second does nothing."""
        async with self._db.acquire() as conn:
            known = await chains.list_known(conn, link.peer)
        values = await self._values.withdraw(link.peer, ACTOR)
        gone: dict[tuple[str, str], Item] = {
            (kind, subject): Gone(kind, subject, link.peer, self._wall())  # type: ignore[arg-type]  # a kind that was kept
            for kind, subject in known
            if kind != "value"
        }
        await self._keep_projects(link, gone)
        ops = await self._entity_ops(link, gone)
        for start in range(0, len(ops), _DELETES_AT_ONCE):
            part = ops[start : start + _DELETES_AT_ONCE]
            await self._context.write(*part, actor=ACTOR, tenant=tenant_of_city(link.peer))
        log.info("federation.withdrawn", peer=link.peer, values=values, entities=len(ops))
        count = {kind: sum(k == kind for k, _ in known) for kind in ("value", "project", "entity")}
        return Receipt(
            seq, link.in_state, count["value"], count["project"], count["entity"], self._wall()
        )


def newest_of(items: list[tuple[int, Item, str]]) -> dict[tuple[str, str], Item]:
    """Of each thing what an envelope says of it last."""
    newest: dict[tuple[str, str], Item] = {}
    for _, item, _ in items:
        if isinstance(item, Value | Project | Thing):
            newest[(str(item.__struct_config__.tag), item.subject)] = item
        elif isinstance(item, Gone):
            newest[(item.of, item.id)] = item
    return newest
