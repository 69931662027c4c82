"""A small town to test rooms in: Bangkok's kit on a real database, with clocks the test moves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest_asyncio
from msgspec import Struct

from nagara.city import City, bundled_kit
from nagara.context import Context, Observe
from nagara.context.clock import Anchor
from nagara.context.room import Floor
from nagara.engines.database import Database
from nagara.guard import Guard, audit
from nagara.values.ids import urn
from nagara.values.time import format_instant

#: Thursday noon in Bangkok; offices open again at 13:00.
NOON = datetime(2025, 5, 22, 5, tzinfo=UTC)


class Town(Struct):
    """The floor and what a test does with it."""

    floor: Floor

    @property
    def context(self) -> Context:
        return self.floor.context

    @property
    def city(self) -> City:
        return self.floor.city

    @property
    def now(self) -> datetime:
        """The city's time, which stands still but for `pass_`."""
        return self.context.clock.now()

    def stand_at(self, at: datetime) -> None:
        """Set the city clock; it creeps so slowly that it stands."""
        self.context.clock.anchor = Anchor(at, datetime.now(UTC), 1e-9, "replay")

    def pass_(self, **time: float) -> None:
        """Let city time pass."""
        self.stand_at(self.now + timedelta(**time))

    async def measure(
        self, code: str, pm25: float, *, flags: tuple[str, ...] = (), at: datetime | None = None
    ) -> str:
        """A value of an air station of the kit, observed now."""
        station = next(s for s in self.city.air_stations if s.code == code)
        instance: dict[str, Any] = {
            "type": "Property",
            "value": pm25,
            "unitCode": "GQ",
            "observedAt": format_instant(at or self.now),
            "provenance": {"type": "Property", "value": "replayed"},
        }
        if flags:
            instance["quality"] = {"type": "Property", "value": list(flags)}
        base = {
            "name": {"type": "LanguageProperty", "languageMap": dict(station.name)},
            "stationCode": {"type": "Property", "value": code},
            "district": {"type": "Property", "value": station.district},
            "location": {
                "type": "GeoProperty",
                "value": {"type": "Point", "coordinates": list(station.location)},
            },
        }
        entity_id = urn("AirQualityObserved", self.city.code, code)
        op = Observe(entity_id, ("AirQualityObserved",), {"pm25": instance}, base=base)
        await self.context.write(op, actor="device:test")
        return entity_id

    async def settle(self) -> None:
        """Until every reader has read what is there, and what came of it."""
        head = -1
        while head != self.context.tail.head:
            head = self.context.tail.head
            await self.context.caught_up(60.0)


@pytest_asyncio.fixture
async def town(database: Database, tmp_path: Path) -> AsyncIterator[Town]:
    """Bangkok at noon on a real database, with nobody in it yet."""
    guard = Guard(database, tmp_path, wall=lambda: datetime.now(UTC))
    await guard.start()
    context = Context(database, audit.append)
    await context.start()
    floor = Floor(context, database, bundled_kit("th-bkk"), guard, tmp_path / "files")
    made = Town(floor)
    made.stand_at(NOON)
    yield made
    await context.stop()
