"""A publisher on this machine that behaves as publishers do, and a city that polls it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from nagara.city import City, bundled_kit
from nagara.context import Context
from nagara.engines.database import Database
from nagara.ingest.service import IngestService
from nagara.packs import air, building, sensors, water
from unit.feeds.publisher import Publisher

PACKS = [air.PACK, water.PACK, building.PACK, sensors.PACK]


@pytest.fixture(scope="session")
def city() -> City:
    return bundled_kit("th-bkk")


@pytest_asyncio.fixture
async def publisher() -> AsyncIterator[Publisher]:
    made = Publisher()
    await made.start()
    yield made
    await made.stop()


@pytest_asyncio.fixture
async def service(context: Context, database: Database, city: City) -> AsyncIterator[IngestService]:
    made = IngestService(context, database, city, PACKS)
    await made.load()
    task = asyncio.create_task(made.intake.run())
    yield made
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
