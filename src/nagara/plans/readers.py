"""What indicators say: heard from the log where somebody answers for it, else as counted now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from nagara.context import Change, Context, Reader
from nagara.context.model import Entity
from nagara.engines.database import Database
from nagara.plans.progress import Reading
from nagara.values.ids import is_given, urn
from nagara.vocab import indicator as noun

Place = tuple[str, str]  # code of an indicator, area


class Readings:
    """The newest value of each indicator."""

    def __init__(self, context: Context, db: Database) -> None:
        self._context = context
        self._db = db

    def readers(self) -> list[Reader]:
        """The room's readers."""
        return [Reader("plans.values", self.hear, types=(noun.VALUE_TYPE,), batch=200)]

    async def hear(self, changes: Sequence[Change]) -> None:
        """Keep values that somebody answers for; one that was reopened is no value any more."""
        own = (c.id for c in changes if not c.tenant and is_given(c.id, noun.VALUE_TYPE))
        for one in dict.fromkeys(own):
            entity = await self._context.find(one)
            async with self._db.acquire() as conn:
                await conn.execute("delete from plans.heard where entity_id = $1", one)
                if entity is not None and entity.value(noun.VALUE_STATE) != "draft":
                    await self._keep(conn, entity)

    async def _keep(self, conn: object, entity: Entity) -> None:
        if entity.value(noun.BREAKDOWN):
            return  # a target speaks of the whole
        instance = entity.instance(noun.VALUE) or {}
        await conn.execute(  # type: ignore[attr-defined]
            """insert into plans.heard values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
               on conflict (city, code, area, period_end) do update
               set period_start = excluded.period_start, value = excluded.value,
                   unit = excluded.unit, quality = excluded.quality,
                   value_state = excluded.value_state, entity_id = excluded.entity_id""",
            entity.value(noun.CITY, ""),
            entity.value(noun.CODE, ""),
            entity.value(noun.AREA, "") or "",
            date.fromisoformat(entity.value(noun.PERIOD_START)),
            date.fromisoformat(entity.value(noun.PERIOD_END)),
            entity.value(noun.VALUE),
            instance.get("unitCode"),
            entity.value(noun.QUALITY),
            entity.value(noun.VALUE_STATE),
            entity.id,
        )

    async def list_readings(self, city: str, places: Iterable[Place]) -> dict[Place, Reading]:
        """The newest value of each indicator of a city and area, or why there is none."""
        wanted = list(dict.fromkeys(places))
        async with self._db.acquire() as conn:
            rows = await conn.fetch(
                """select distinct on (h.code, h.area) h.*
                   from unnest($2::text[], $3::text[]) as w (code, area)
                   join plans.heard h on h.city = $1 and h.code = w.code and h.area = w.area
                   order by h.code, h.area, h.period_end desc""",
                city,
                [code for code, _ in wanted],
                [area for _, area in wanted],
            )
        found = {
            (row["code"], row["area"]): Reading(
                row["value"], row["unit"], row["period_end"], row["quality"], row["entity_id"],
                None if row["value"] is not None else "valueMissing",
            )
            for row in rows
        }  # fmt: skip
        for place in wanted:
            if place not in found:
                found[place] = await self._now(city, *place)
        return found

    async def _now(self, city: str, code: str, area: str) -> Reading:
        """As the city counts it now."""
        entity = await self._context.find(
            urn(noun.TYPE, city, f"{code}-{area}" if area else code)
        )  # fmt: skip
        if entity is None or entity.value(noun.CODE) != code:
            return Reading(why="indicatorUnknown")
        instance = entity.instance(noun.VALUE) or {}
        at = entity.instant(noun.AS_OF)
        value = entity.value(noun.VALUE)
        missing = entity.value(noun.MISSING) or ["valueMissing"]
        return Reading(
            value if isinstance(value, int | float) else None,
            instance.get("unitCode"),
            at.date() if at else None,
            entity.value(noun.QUALITY),
            entity.id,
            None if value is not None else str(missing[0] if missing else "valueMissing"),
        )
