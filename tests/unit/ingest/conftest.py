"""A city with one air-quality rule, on a real database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from nagara.city import City, bundled_kit
from nagara.context import Context
from nagara.engines.database import Database
from nagara.guard import audit
from nagara.ingest.registry import Device
from nagara.ingest.service import IngestService
from nagara.pack import Pack, QualityLimits

PM25 = QualityLimits("pm25", "GQ", 0.5, 500.0, 10.0, 12, 3600.0, "made for the tests")


@pytest.fixture(scope="session")
def city() -> City:
    return bundled_kit("th-bkk")


@pytest_asyncio.fixture
async def context(database: Database) -> AsyncIterator[Context]:
    made = Context(database, audit.append)
    await made.start()
    yield made
    await made.stop()


@pytest_asyncio.fixture
async def service(context: Context, database: Database, city: City) -> AsyncIterator[IngestService]:
    made = IngestService(context, database, city, [Pack("test", quality=(PM25,))])
    await made.load()
    await made.registry.add(
        Device(
            "d1",
            "air-json",
            made.registry.entity_id_for("d1", "air-json"),
            {"en": "Test post", "th": "จุดทดสอบ"},
            (100.5, 13.75),
        ),
        "account:tester",
    )
    task = asyncio.create_task(made.intake.run())
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
