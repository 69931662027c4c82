"""What the demo promises: it tells the truth about its values, and its story happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest_asyncio

from nagara.app import Application
from nagara.city import City, bundled_kit
from nagara.context import Query
from nagara.context.clock import Anchor
from nagara.context.model import default_instance
from nagara.demo import Player, read_program, schedule_of
from nagara.engines.database import Database
from nagara.engines.folder import Folder
from nagara.engines.owner import engine_owner
from nagara.engines.running import Engines
from nagara.settings import Settings
from nagara.vocab.observation import flags_of, provenance_of

NOON = datetime(2025, 5, 22, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)


async def start_city(database: Database, root: Path, city: City) -> Application:
    nats: Any = None
    engines = Engines(Folder.make(root, engine_owner()), database, nats, None)
    made = Application(Settings(data=root, mode="demo", kit=city.code, speed=1e-6), engines, city)
    made.build()
    await made.start()
    return made


@pytest_asyncio.fixture
async def bangkok(database: Database, city_root: Path) -> AsyncIterator[Application]:
    made = await start_city(database, city_root, bundled_kit("th-bkk"))
    yield made
    await made.stop()


async def play(application: Application, player: Player, until: datetime) -> None:
    """Play up to a city time, hour by hour, with the readers keeping up as they would."""
    clock = application.context.clock
    at = player.played_until
    assert at is not None
    while at < until:
        at = min(until, at + HOUR)
        anchor = Anchor(at, clock.wall(), 1e-6, clock.anchor.mode, 0, timedelta())
        await clock.set(application.context.db, anchor)
        await player.play_to(at)
        await application.context.caught_up(240)


async def open_alerts(application: Application) -> set[str]:
    found = await application.context.query_all(Query(types=("Alert",), q='state=="open"'))
    return {str(a.object("refEntity")) for a in found if "pm25" in str(a.value("ruleId"))}


async def test_without_archives_every_value_says_that_it_is_simulated(
    bangkok: Application,
) -> None:
    program = await read_program(bangkok, kit_data=None)
    assert program.provenance == "simulated"
    player = Player(bangkok, program)
    await player.begin(1e-6)
    stations = await bangkok.context.query_all(Query(types=("AirQualityObserved",)))
    assert len(stations) == len(bangkok.city.air_stations) == 80
    for station in stations:
        instance = default_instance(station.attrs["pm25"])
        assert instance is not None
        assert provenance_of(instance) == "simulated"
    assert bangkok.context.clock.anchor.mode == "simulated"
    await play(bangkok, player, NOON + 5 * HOUR)
    assert await open_alerts(bangkok)
    alerts = await bangkok.context.query_all(Query(types=("Alert",)))
    assert {a.value("provenance") for a in alerts} == {"simulated"}
    cases = await bangkok.context.query_all(Query(types=("Case",)))
    assert any(case.value("source") == "alert" for case in cases)


async def test_the_archive_plays_its_story(bangkok: Application, nagara_archives: Path) -> None:
    program = await read_program(bangkok, kit_data=nagara_archives)
    player = Player(bangkok, program)
    await player.begin(1e-6)
    clock = bangkok.context.clock
    assert abs(clock.now() - NOON) < timedelta(seconds=1)
    assert clock.anchor.mode == "replay"
    await bangkok.context.caught_up(240)
    stations = await bangkok.context.query_all(Query(types=("AirQualityObserved",)))
    assert len(stations) == 80
    one = default_instance(stations[0].attrs["pm25"])
    assert one is not None
    assert provenance_of(one) == "replayed"
    assert one["originalObservedAt"]["value"]["@value"]
    await play(bangkok, player, NOON + 2 * HOUR)
    before = await open_alerts(bangkok)
    await play(bangkok, player, NOON + 5 * HOUR)
    crossed = await open_alerts(bangkok) - before
    assert 12 <= len(crossed) <= 28  # twenty stations, some of them while flagged
    tickets = await bangkok.context.count(Query(types=("ServiceRequest",)))
    cases = await bangkok.context.query_all(Query(types=("Case",)))
    assert tickets > 100
    assert sum(case.value("source") == "traffy" for case in cases) == tickets
    routed = [c for c in cases if c.value("department")]
    assert len(routed) == len(cases)


async def test_the_jump_of_24_may_is_suspect_and_raises_no_alarm(
    bangkok: Application, nagara_archives: Path
) -> None:
    program = await read_program(bangkok, kit_data=nagara_archives)
    program.tracks[:] = [t for t in program.tracks if t.role == "air"]
    player = Player(bangkok, program)
    await player.begin(1e-6)
    await play(bangkok, player, datetime(2025, 5, 24, 16, tzinfo=UTC))
    jumped = "urn:ngsi-ld:AirQualityObserved:th-bkk:54t"
    samples = await bangkok.context.history(
        jumped, ("pm25",), start=datetime(2025, 5, 24, 12, tzinfo=UTC)
    )
    high = [s for s in samples if s.value > 40]
    assert high
    assert all("jump" in flags_of(s.instance) for s in high)
    alerts = await bangkok.context.query_all(Query(types=("Alert",)))
    during = [
        a
        for a in alerts
        if a.object("refEntity") == jumped and (a.value("observedValue") or 0) > 40
    ]
    assert not during


async def test_a_second_start_begins_the_next_round_at_the_same_hour(
    bangkok: Application,
) -> None:
    program = await read_program(bangkok, kit_data=None)
    first = Player(bangkok, program)
    await first.begin(1e-6)
    await play(bangkok, first, NOON + 2 * HOUR)
    second = Player(bangkok, program)
    await second.begin(1e-6)
    clock = bangkok.context.clock
    assert clock.anchor.loop == 1
    start = schedule_of(bangkok).start_of(1)
    assert timedelta(0) <= clock.now() - start < timedelta(seconds=1)
    await asyncio.sleep(0)
