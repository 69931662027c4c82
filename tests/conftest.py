"""Fixtures of the whole suite."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, settings

from nagara.city import City, bundled_kit
from nagara.context import Context
from nagara.context.room import Floor
from nagara.engines.database import Database
from nagara.guard import Guard, audit

# On a machine that others use too, how long something takes says nothing about it.
settings.register_profile("crowded", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("crowded")

pytest_plugins = ["broker_fixtures", "engine_fixtures"]

#: Where the archives lie when they are there; tests that read them have a twin on made data.
ARCHIVES = (
    Path(os.environ.get("NAGARA_KIT_DATA", ""))
    if os.environ.get("NAGARA_KIT_DATA")
    else (Path(__file__).parents[2] / "shared" / "data")
)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `--dist loadfile`, the order is ours."""
    if config.getvalue("dist") != "loadfile":
        return None
    from longest_first import LongestFirst

    return LongestFirst(config, log)


@pytest.fixture(scope="session")
def nagara_archives() -> Path:
    """The folder of real archives; the test is skipped, with this reason, where it is absent."""
    if not (ARCHIVES / "MANIFEST.csv").is_file():
        pytest.skip("the archives are not beside the project; the twin test on made data has run")
    return ARCHIVES


@pytest.fixture(scope="session")
def city() -> City:
    """A small real city: the Phuket kit, without shapes."""
    return bundled_kit("th-pkt")


@pytest.fixture
def guard(database: Database, city_root: Path) -> Guard:
    """A guard with limits and keys of its own."""
    return Guard(database, city_root, wall=partial(datetime.now, UTC))


@pytest_asyncio.fixture
async def context(database: Database) -> AsyncIterator[Context]:
    """A started context on a fresh database."""
    made = Context(database, audit.append)
    await made.start()
    yield made
    await made.stop()


@pytest_asyncio.fixture
async def floor(context: Context, city: City, guard: Guard, city_root: Path) -> Floor:
    """What a room stands on: context, database, a small city, a guard, a folder for files."""
    await guard.start()
    files = city_root / "files"
    files.mkdir(parents=True, exist_ok=True)
    return Floor(context, context.db, city, guard, files)
