"""Counts what formulas name, by district: each kind of set by its source, many at once."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from nagara.city.model import City
from nagara.context import Context, Entity, Query
from nagara.context.census import read_census
from nagara.engines.database import Database
from nagara.guard.identity import ANONYMOUS
from nagara.guard.policy import visible_types
from nagara.indicators import alert_facts, case_facts, day_facts
from nagara.indicators.ground import Ground
from nagara.indicators.measures import (
    EMPTY,
    AlertSet,
    CaseSet,
    DaySet,
    GroundSet,
    PeopleSet,
    Period,
    ReadingSet,
    Set,
    StationSet,
    Tally,
)
from nagara.values.ids import given_pattern
from nagara.values.time import parse_instant
from nagara.vocab import device
from nagara.vocab.attribute import point_of
from nagara.vocab.observation import is_suspect

#: A value older than twice its period is stale; for attributes of which no pack names a period.
FRESH_S = 7200.0

Tallies = dict[tuple[Set, int], Tally]


class Counting:
    """Counts what formulas name. `fresh_s`: attribute → how long its value is fresh; `observed`:
    types of stations that packs know."""

    def __init__(
        self,
        context: Context,
        db: Database,
        city: City,
        fresh_s: Mapping[str, float],
        observed: Collection[str] = (),
    ) -> None:
        self._context = context
        self._db = db
        self._city = city
        self._fresh_s = fresh_s
        self.observed = frozenset(observed)
        self.ground = Ground(city)
        self.zone = ZoneInfo(city.time_zone)

    async def count(
        self, wanted: Collection[Set], now: datetime, periods: Sequence[Period]
    ) -> Tallies:
        """Every set in every period. What stands as it is now is the same in all of them."""
        sets = set(wanted)
        for one in tuple(sets):
            sets |= _needed(one)
        found: Tallies = {}
        cases = [s for s in sets if isinstance(s, CaseSet) and not _follows(s)]
        alerts = [s for s in sets if isinstance(s, AlertSet)]
        days = [s for s in sets if isinstance(s, DaySet | ReadingSet)]
        async with self._db.acquire() as conn:
            if cases:
                found.update(await case_facts.count(conn, cases, now, periods))
            if alerts:
                found.update(await alert_facts.count(conn, alerts, periods, now))
            if days:
                found.update(await day_facts.count(conn, days, now, periods, self.zone))
            live = await alert_facts.list_live_districts(conn)
            first = await case_facts.first_opened_at(conn)
        stations = [s for s in sets if isinstance(s, StationSet | PeopleSet | GroundSet)]
        still = await self._still([s for s in stations if not _follows(s)], now, live)
        for i in range(len(periods)):
            found |= {(one, i): tally for one, tally in still.items()}
            for one in sets:
                if isinstance(one, PeopleSet | GroundSet | CaseSet) and _follows(one):
                    found[one, i] = self._following(one, i, found, _days_of(periods[i], now, first))
        return found

    async def _still(
        self, sets: Sequence[StationSet | PeopleSet | GroundSet], now: datetime, live: set[str]
    ) -> dict[Set, Tally]:
        """What is so now, whatever the period."""
        found: dict[Set, Tally] = {}
        entities: dict[str, list[Entity]] = {}
        for one in sets:
            if isinstance(one, StationSet):
                found[one] = await self._stations(one, now, entities)
            elif isinstance(one, PeopleSet) and one.what == "alerted":
                people = self.ground.population
                rows = {d: p if d in live else 0.0 for d, p in people.items()}
                found[one] = Tally(dict(rows), sum(rows.values())) if people else EMPTY
            elif isinstance(one, PeopleSet) and one.what == "fresh":
                fresh = StationSet(one.entity_type, one.attribute, "fresh")
                stations = await self._stations(fresh, now, entities)
                found[one] = self._people_where(stations)
            elif isinstance(one, GroundSet) and one.word.startswith("devices."):
                found[one] = await self._devices(one.word)
            elif isinstance(one, GroundSet) and one.word.startswith("datasets."):
                found[one] = await self._datasets(one.word)
            else:
                found[one] = await asyncio.to_thread(self.ground.tally, one)
        return found

    def _people_where(self, stations: Tally) -> Tally:
        people = self.ground.population
        if stations.whole is None or not people:
            return EMPTY
        rows = {d: p if stations.rows.get(d) else 0.0 for d, p in people.items()}
        return Tally(dict(rows), sum(rows.values()))

    async def _stations(
        self, wanted: StationSet, now: datetime, known: dict[str, list[Entity]]
    ) -> Tally:
        types = sorted(self.observed) if wanted.entity_type == "any" else [wanted.entity_type]
        counted: Counter[str | None] = Counter()
        for entity_type in types:
            if entity_type not in known:
                known[entity_type] = await self._context.query_all(Query(types=(entity_type,)))
            for entity in known[entity_type]:
                district = self.district_of(entity)
                counted[district] += self._is_in(wanted, entity, district, now)
        if not counted:
            return EMPTY
        return Tally({d: float(n) for d, n in counted.items()}, float(sum(counted.values())))

    def _is_in(
        self, wanted: StationSet, entity: Entity, district: str | None, now: datetime
    ) -> bool:
        if wanted.which == "all":
            return True
        if wanted.which == "placed":
            return district is not None
        names = (wanted.attribute,) if wanted.attribute != "any" else tuple(entity.attrs)
        return any(self._is_fresh(entity, name, now) for name in names)

    def _is_fresh(self, entity: Entity, name: str, now: datetime) -> bool:
        instance = entity.instance(name)
        said = instance.get("observedAt") if instance else None
        if instance is None or said is None or is_suspect(instance):
            return False
        fresh_s = self._fresh_s.get(name, FRESH_S)
        every = entity.value("reportingPeriod")
        if isinstance(every, int | float):
            fresh_s = max(fresh_s, 2 * float(every))
        return now - parse_instant(said) <= timedelta(seconds=fresh_s)

    async def _devices(self, word: str) -> Tally:
        own = given_pattern(device.TYPE, self._city.code)
        entities = await self._context.query_all(Query(types=(device.TYPE,), id_pattern=own))
        if not entities:
            return EMPTY
        rows: dict[str | None, float] = defaultdict(float)
        for entity in entities:
            counts = word == "devices.all" or entity.value(device.STATE) == "enabled"
            rows[self.district_of(entity)] += counts
        return Tally(dict(rows), sum(rows.values()))

    async def _datasets(self, word: str) -> Tally:
        """Types of entities that the city holds: all, and those that a stranger reads."""
        open_ = visible_types(ANONYMOUS).allows
        seen = open_ if word == "datasets.open" else _anything
        async with self._db.acquire() as conn:
            count = len((await read_census(conn, "", seen)).entities)
        return Tally({}, float(count), additive=False)

    def _following(
        self,
        one: PeopleSet | GroundSet | CaseSet,
        i: int,
        found: Tallies,
        days: float,
    ) -> Tally:
        """What follows from other numbers of the same period."""
        if isinstance(one, CaseSet):
            resolved = found[CaseSet("resolved_then"), i]
            each = {district: count / days for district, count in resolved.rows.items()}
            return Tally(each, None if resolved.whole is None else resolved.whole / days)
        if isinstance(one, GroundSet):
            reports = found[CaseSet("from_people"), i].rows
            codes = [d.code for d in self._city.districts]
            rows: dict[str | None, float] = {c: float(bool(reports.get(c))) for c in codes}
            return Tally(rows, sum(rows.values()))
        good = found[ReadingSet(one.entity_type, one.attribute, "good"), i]
        total = found[ReadingSet(one.entity_type, one.attribute, "sum"), i]
        if good.whole is None:
            return EMPTY
        rows = {}
        for district, people in self.ground.population.items():
            readings = good.rows.get(district, 0.0)
            if not readings:
                continue
            mean = total.rows[district] / readings
            if one.what == "weighted":
                rows[district] = people * mean
            else:
                above = one.limit is None or mean > one.limit
                rows[district] = people if above else 0.0
        return Tally(rows, sum(rows.values()))

    def district_of(self, entity: Entity) -> str | None:
        """The district that an entity names, else the one its place lies in."""
        said = entity.value("district")
        if isinstance(said, str) and said:
            return said
        point = point_of(entity.value("location"))
        area = self._city.district_at(*point) if point else None
        return area.code if area else None


def _days_of(period: Period, now: datetime, first: datetime | None) -> float:
    """Days of a period that have passed since the city knows cases; an hour at the least."""
    until = min(period.end or now, now)
    start = max(period.start or first or until, first or until)
    return max((until - start).total_seconds() / 86_400, 1 / 24)


def _anything(_types: Iterable[str]) -> bool:
    return True


def _follows(one: Set) -> bool:
    if isinstance(one, CaseSet):
        return one.count == "resolved_per_day"
    if isinstance(one, GroundSet):
        return one.word == "districts.with_reports"
    return isinstance(one, PeopleSet) and one.what in ("measured", "weighted", "above")


def _needed(one: Set) -> set[Set]:
    if isinstance(one, PeopleSet) and _follows(one):
        return {
            ReadingSet(one.entity_type, one.attribute, "good"),
            ReadingSet(one.entity_type, one.attribute, "sum"),
        }
    if one == GroundSet("districts.with_reports"):
        return {CaseSet("from_people")}
    if one == CaseSet("resolved_per_day"):
        return {CaseSet("resolved_then")}
    return set()
