"""A value looked at beside others: its own past, its series, its peers, the people of its area."""

from __future__ import annotations

from msgspec.structs import replace

from nagara.city.model import City
from nagara.engines.database import Connection
from nagara.indicators import kept
from nagara.indicators.checks import Beside, Finding, check
from nagara.indicators.definitions import Definition
from nagara.indicators.kept import Kept

#: Past values that an entry is looked at beside: twenty years of yearly ones.
PAST_MAX = 20


class Beholding:
    """Brings together what the checks compare a value with."""

    def __init__(self, city: City) -> None:
        self._city = city

    async def findings(
        self, conn: Connection, definition: Definition, value: Kept
    ) -> list[Finding]:
        """What the checks find in a value."""
        beside = await self._beside(conn, value)
        return check(
            definition, value.value, value.numerator, value.denominator, value.breakdown, beside
        )

    async def _beside(self, conn: Connection, value: Kept) -> Beside:
        wanted = kept.Wanted(
            city=value.city, area=value.area, breakdown=None, drafts=True, limit=kept.PAGE_MAX
        )
        now = await kept.list_values(
            conn, replace(wanted, start=value.period_start, end=value.period_end)
        )
        length = value.period_end - value.period_start
        mine = await kept.list_values(
            conn,
            replace(
                wanted,
                codes=[value.code],
                breakdown=value.breakdown,
                start=value.period_start - (PAST_MAX + 1) * length,
                end=value.period_start,
            ),
        )
        same = [
            v
            for v in now
            if (v.period_start, v.period_end) == (value.period_start, value.period_end)
        ]
        population = self._population(value.area)
        return Beside(
            series={
                v.breakdown.partition("=")[2]: v.value
                for v in same
                if v.code == value.code and v.breakdown and v.value is not None
            },
            others={
                v.code: v.value
                for v in same
                if v.code != value.code and v.breakdown == value.breakdown and v.value is not None
            },
            population=population,
            past=[
                v.value
                for v in mine
                if v.value is not None and abs((v.period_end - v.period_start) - length).days <= 3
            ],
            peers=[]
            if value.area or value.breakdown
            else await kept.list_peers(conn, value.code, value.city, value.period_end),
        )

    def _population(self, area: str) -> float | None:
        people = [d.population for d in self._city.districts if area in ("", d.code)]
        return None if not people or None in people else float(sum(p or 0 for p in people))
