"""From a value down to the very readings and cases it was counted from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Literal

from msgspec import Struct

from nagara.context import Context
from nagara.engines.database import Database
from nagara.indicators import alert_facts, case_facts, day_facts
from nagara.indicators.errors import ValueInvalid
from nagara.indicators.kept import Kept
from nagara.indicators.measures import (
    AlertSet,
    CaseSet,
    DaySet,
    GroundSet,
    PeopleSet,
    Period,
    ReadingSet,
    Set,
    StationSet,
    read_set,
)
from nagara.indicators.periods import instants_of
from nagara.indicators.service import Answer, Indicators
from nagara.values.time import format_instant
from nagara.vocab.observation import flags_of, provenance_of

Part = Literal["numerator", "denominator"]
#: Records of one answer: a screen shows fewer, a program follows the cursor.
RECORDS_MAX = 500
#: Readings of one station and day: one a minute, with room.
READINGS_MAX = 2_000


class Records(Struct, frozen=True):
    """The records behind a number. `kind`: cases, alerts, station-days, stations, places, none."""

    kind: str
    said: str
    items: list[dict[str, Any]]
    next: str | None = None


class Lineage:
    """Walks values down."""

    def __init__(self, indicators: Indicators, context: Context, db: Database) -> None:
        self._indicators = indicators
        self._context = context
        self._db = db

    async def counted_now(self, value: Kept) -> Answer | None:
        """The same formula counted again over the same period, to be set beside the value."""
        formula = self._indicators.formulas.get(value.code)
        if formula is None or value.method != "computed":
            return None
        (answer,) = await self._indicators.count([formula], [self._period(value)])
        return answer

    async def records(
        self,
        value: Kept,
        part: Part,
        district: str | None,
        after: str | None,
        limit: int,
        departments: Sequence[str] | None,
        cases_seen: bool,
    ) -> Records:
        """The records that a half of a value was counted from, a page of them.

        Cases are told to those who see cases, and of their departments alone.
        """
        formula = self._indicators.formulas.get(value.code)
        if formula is None or value.method != "computed":
            return Records("none", "", [])
        said = formula.numerator if part == "numerator" else formula.denominator
        one = read_set(said)
        size = max(1, min(limit, RECORDS_MAX))
        period, district = self._period(value), district or value.area or None
        if isinstance(one, CaseSet):
            if not cases_seen:
                return Records("cases", said, [])
            return await self._cases(one, said, period, district, after, size, departments)
        if isinstance(one, AlertSet):
            return await self._alerts(one, said, period, district, after, size)
        observed = _observed(one)
        if observed is not None:
            return await self._days(observed, said, period, district, after, size)
        if isinstance(one, PeopleSet | GroundSet):
            places = self._indicators.counting.ground.list_places(one)
            start = int(after) if after and after.isdigit() else 0
            page = places[start : start + size]
            more = start + size < len(places)
            return Records("places", said, page, str(start + size) if more else None)
        return Records("none", said, [])

    async def _cases(
        self,
        one: CaseSet,
        said: str,
        period: Period,
        district: str | None,
        after: str | None,
        size: int,
        departments: Sequence[str] | None,
    ) -> Records:
        word = "resolved_then" if one.count == "resolved_per_day" else one.count
        async with self._db.acquire() as conn:
            found = await case_facts.list_counted(
                conn, word, self._indicators.now(), period, district, after, size + 1, departments
            )
        items = [
            {"id": f.case_id, "district": f.district, "department": f.department, "state": f.state}
            for f in found[:size]
        ]
        return Records("cases", said, items, found[size - 1].case_id if len(found) > size else None)

    async def _alerts(
        self,
        one: AlertSet,
        said: str,
        period: Period,
        district: str | None,
        after: str | None,
        size: int,
    ) -> Records:
        async with self._db.acquire() as conn:
            found = await alert_facts.list_counted(
                conn, one.count, period, district, after, size + 1
            )
        items = [
            {
                "id": f.alert_id,
                "district": f.district,
                "severity": f.severity,
                "issuedAt": format_instant(f.issued_at) if f.issued_at else None,
            }
            for f in found[:size]
        ]
        more = len(found) > size
        return Records("alerts", said, items, found[size - 1].alert_id if more else None)

    async def _days(
        self,
        one: DaySet | ReadingSet,
        said: str,
        period: Period,
        district: str | None,
        after: str | None,
        size: int,
    ) -> Records:
        async with self._db.acquire() as conn:
            found = await day_facts.list_counted(
                conn,
                one,
                self._indicators.now(),
                period,
                self._indicators.zone,
                district,
                _cursor(after),
                size + 1,
            )
        items = [
            {
                "entity": f["entity_id"],
                "attribute": f["attribute"],
                "day": str(f["day"]),
                "district": f["district"],
                "readings": f["readings"],
                "good": f["good"],
                "sum": f["total"],
                "highest": f["highest"],
            }
            for f in found[:size]
        ]
        more = len(found) > size
        last = items[-1] if items else {}
        return Records(
            "station-days", said, items, f"{last['day']}|{last['entity']}" if more else None
        )

    async def readings(self, value: Kept, entity_id: str, day: date) -> list[dict[str, Any]]:
        """The readings of one station in one local day, as they came: the flagged ones too."""
        formula = self._indicators.formulas.get(value.code)
        one = _observed(read_set(formula.numerator)) if formula else None
        if one is None or not value.period_start <= day < value.period_end:
            return []
        zone = self._indicators.zone
        begins = datetime.combine(day, datetime.min.time(), zone)
        ends = datetime.combine(day + timedelta(days=1), datetime.min.time(), zone)
        names = () if one.attribute == "any" else (one.attribute,)
        samples = await self._context.history(entity_id, names, begins, ends, limit=READINGS_MAX)
        return [
            {
                "attribute": sample.attr,
                "observedAt": format_instant(sample.observed_at),
                "value": sample.value,
                "unitCode": sample.instance.get("unitCode"),
                "flags": list(flags_of(sample.instance)),
                "provenance": provenance_of(sample.instance),
            }
            for sample in samples
            if isinstance(sample.value, int | float)
        ]

    def _period(self, value: Kept) -> Period:
        return instants_of((value.period_start, value.period_end), self._indicators.zone)


def _observed(one: Set | None) -> DaySet | ReadingSet | None:
    """The station days behind a set, of whatever kind; None where there are none."""
    if isinstance(one, DaySet | ReadingSet):
        return one
    if isinstance(one, StationSet):
        return ReadingSet(one.entity_type, one.attribute, "good")
    if isinstance(one, PeopleSet) and one.entity_type:
        return ReadingSet(one.entity_type, one.attribute, "good")
    return None


def _cursor(after: str | None) -> tuple[str, date] | None:
    if not after:
        return None
    day, _, entity = after.partition("|")
    try:
        return entity, date.fromisoformat(day)
    except ValueError as error:
        raise ValueInvalid(reason=f"after={after[:40]}") from error
