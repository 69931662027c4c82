"""Counts the sets of a formula, by district: cases, stations, days of stations."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from nagara.city.model import City
from nagara.context import Context, Entity, Query
from nagara.engines.database import Database
from nagara.indicators import facts
from nagara.indicators.facts import Period
from nagara.indicators.model import CaseSet, Count, DaySet, Missing, StationSet, read_set
from nagara.pack import Formula
from nagara.values.time import parse_instant
from nagara.vocab.attribute import point_of
from nagara.vocab.observation import is_suspect

#: Days looked back where no period is asked for: a week shows working days and the weekend.
DAYS_BACK = 7
#: A value older than twice its period is stale; for attributes of which no pack names a period.
FRESH_S = 7200.0

#: Wall seconds that a count of days is believed: it reads a week of history.
DAYS_BELIEVED_S = 30.0

Counted = tuple[list[Count], Mapping[Missing, int]]


class Counting:
    """Counts what formulas name. `fresh_s`: attribute → how long its value is fresh."""

    def __init__(
        self, context: Context, db: Database, city: City, fresh_s: Mapping[str, float]
    ) -> None:
        self._context = context
        self._db = db
        self._city = city
        self._fresh_s = fresh_s
        self._days_known: dict[tuple[DaySet, DaySet], tuple[float, list[Count]]] = {}

    async def count(self, formula: Formula, now: datetime, period: Period) -> Counted | None:
        """Numerator and denominator by district; None where the sets are unknown, or of two
        kinds that cannot be divided by each other."""
        top, bottom = read_set(formula.numerator), read_set(formula.denominator)
        if isinstance(top, CaseSet) and isinstance(bottom, CaseSet):
            async with self._db.acquire() as conn:
                counts = await facts.count(conn, top.count, bottom.count, now, period)
                return counts, await facts.count_incomplete(conn, period)
        if isinstance(top, StationSet) and isinstance(bottom, StationSet):
            return await self._stations(top, bottom, now), {}
        if isinstance(top, DaySet) and isinstance(bottom, DaySet):
            return await self._days_believed(top, bottom, now, period), {}
        return None

    async def _stations(self, top: StationSet, bottom: StationSet, now: datetime) -> list[Count]:
        numerator: Counter[str | None] = Counter()
        denominator: Counter[str | None] = Counter()
        for entity in await self._context.query_all(Query(types=(bottom.entity_type,))):
            district = self._district_of(entity)
            numerator[district] += self._is_in(top, entity, now)
            denominator[district] += self._is_in(bottom, entity, now)
        return _joined(numerator, denominator)

    def _is_in(self, wanted: StationSet, entity: Entity, now: datetime) -> bool:
        if not wanted.fresh:
            return True
        instance = entity.instance(wanted.attribute)
        said = instance.get("observedAt") if instance else None
        if instance is None or said is None or is_suspect(instance):
            return False
        fresh_s = self._fresh_s.get(wanted.attribute, FRESH_S)
        return now - parse_instant(said) <= timedelta(seconds=fresh_s)

    async def _days_believed(
        self, top: DaySet, bottom: DaySet, now: datetime, period: Period
    ) -> list[Count]:
        if period != Period():
            return await self._days(top, bottom, now, period)
        at_s, counts = self._days_known.get((top, bottom), (-math.inf, []))
        if time.monotonic() - at_s >= DAYS_BELIEVED_S:
            counts = await self._days(top, bottom, now, period)
            self._days_known[top, bottom] = (time.monotonic(), counts)
        return counts

    async def _days(
        self, top: DaySet, bottom: DaySet, now: datetime, period: Period
    ) -> list[Count]:
        end = period.end or now + timedelta(seconds=1)  # a value of this very second counts
        start = period.start or end - timedelta(days=DAYS_BACK)
        entities = await self._context.query_all(Query(types=(bottom.entity_type,)))
        series = await self._context.series(
            [e.id for e in entities], bottom.attribute, start, end, timedelta(hours=1)
        )
        numerator: Counter[str | None] = Counter()
        denominator: Counter[str | None] = Counter()
        for entity in entities:
            district = self._district_of(entity)
            for highest in self._highest_by_day(series.get(entity.id, [])):
                numerator[district] += top.above is None or highest > top.above
                denominator[district] += bottom.above is None or highest > bottom.above
        return _joined(numerator, denominator)

    def _highest_by_day(self, series: Sequence[tuple[datetime, float | None]]) -> list[float]:
        highest: dict[object, float] = {}
        for at, value in series:
            if value is not None:
                day = self._city.calendar.local_day(at)
                highest[day] = max(value, highest.get(day, value))
        return list(highest.values())

    def _district_of(self, entity: Entity) -> str | None:
        said = entity.value("district")
        if isinstance(said, str) and said:
            return said
        point = point_of(entity.value("location"))
        area = self._city.district_at(*point) if point else None
        return area.code if area else None


def _joined(numerator: Counter[str | None], denominator: Counter[str | None]) -> list[Count]:
    return [
        Count(district, numerator[district], denominator[district])
        for district in sorted(denominator, key=lambda code: code or "")
    ]
