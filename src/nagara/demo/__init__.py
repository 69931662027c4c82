"""A living city on archived or simulated data, faster than life: `nagara demo`, `nagara replay`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from pathlib import Path

import structlog
from rich.progress import Progress

from nagara.app import Application
from nagara.city.sources import Replay
from nagara.context import Task
from nagara.context.clock import HELD, LAST_HEARD, Anchor
from nagara.demo.people import demo_people
from nagara.demo.program import Program, make_program
from nagara.demo.projects import load_projects
from nagara.demo.schedule import Schedule, plan
from nagara.guard.accounts import Credentials
from nagara.ingest.model import Observation
from nagara.ingest.service import IngestService
from nagara.pack import installed_packs

#: A kit without a replay of its own is simulated from this day on, which the simulator knows as
#: one of rising dust.
SIMULATED = Replay(date(2025, 5, 22), 3, "12:00")
PRELOADED = timedelta(days=1)
#: Observations handed to ingest at once: it answers in some 50 ms, so the screens keep moving.
BATCH = 500
#: How often the player looks at the clock: 72 s of city time at speed 720.
LOOK_EVERY_S = 0.1

log = structlog.get_logger("demo")


class Player:
    """Plays a program along the city clock."""

    def __init__(self, application: Application, program: Program) -> None:
        self._context = application.context
        self._ingest: IngestService = application.ingest_service
        self.program = program
        self.played_until: datetime | None = None

    async def begin(self, speed: float, progress: Progress | None = None) -> None:
        """Set the clock to the start of the next loop and load the day before."""
        schedule = self.program.schedule
        clock = self._context.clock
        known = await self._known_city_time()
        loop, start = schedule.next_start(known) if known else (0, schedule.start_of(0))
        wall = clock.wall()
        # The clock stands (nearly) still while the day before is loaded: it is the past.
        await clock.set(self._context.db, self._anchor(start, wall, HELD, loop))
        observations = self.program.between(start - PRELOADED, start)
        task = progress.add_task("…", total=len(observations)) if progress else None
        for batch in _batches(observations):
            await self._take(batch)
            if progress is not None and task is not None:
                progress.advance(task, len(batch))
        self.played_until = start
        await clock.set(self._context.db, self._anchor(start, clock.wall(), speed, loop))

    async def run(self) -> None:
        """Runs for the life of the demo: whatever the clock has passed is heard."""
        if self.played_until is None:
            raise RuntimeError("begin comes first")
        while True:
            now = self._context.clock.now()
            await self.play_to(now)
            await self._note_loop(now)
            await asyncio.sleep(LOOK_EVERY_S)

    async def play_to(self, now: datetime) -> None:
        """Let the city hear all that lies between what was played last and `now`."""
        assert self.played_until is not None
        for batch in _batches(self.program.between(self.played_until, now)):
            await self._take(batch)
        self.played_until = now

    async def _take(self, batch: list[Observation]) -> None:
        for source, part in _by_source(batch).items():
            await self._ingest.accept(part, source=source, patient=True)

    async def _note_loop(self, now: datetime) -> None:
        anchor = self._context.clock.anchor
        loop = self.program.schedule.loop_at(now)
        if loop != anchor.loop:
            log.info("demo.loop", loop=loop)
            wall = self._context.clock.wall()
            city_at = self._context.clock.now()
            await self._context.clock.set(
                self._context.db, self._anchor(city_at, wall, anchor.speed, loop)
            )

    def _anchor(self, city_at: datetime, wall: datetime, speed: float, loop: int) -> Anchor:
        replayed = self.program.provenance == "replayed"
        return Anchor(
            city_at,
            wall,
            speed,
            "replay" if replayed else "simulated",
            loop,
            loop * self.program.schedule.length,
        )

    async def _known_city_time(self) -> datetime | None:
        """Where the kept clock stands, or the newest thing that was heard; None for a new city."""
        async with self._context.db.acquire() as conn:
            kept: datetime | None = await conn.fetchval("select city_at from context.clock")
            heard: datetime | None = await conn.fetchval(LAST_HEARD)
        if kept is None:
            return None
        return max(kept, heard) if heard else kept


def schedule_of(application: Application) -> Schedule:
    """How the city's kit wants its archives played."""
    replay = application.city.replay or SIMULATED
    return plan(
        replay.first_day,
        replay.days,
        replay.starts,
        replay.archive_days,
        application.city.time_zone,
    )


async def read_program(application: Application, kit_data: Path | None) -> Program:
    """The program of the city's kit, read beside the event loop."""
    return await asyncio.to_thread(
        make_program,
        application.city,
        schedule_of(application),
        kit_data,
        installed_packs(),
    )


@asynccontextmanager
async def run_demo(
    application: Application, progress: Progress | None = None
) -> AsyncIterator[list[Credentials]]:
    """Bring the demo to life; gives the demo's accounts with their passwords."""
    program = await read_program(application, application.settings.kit_data)
    accounts: list[Credentials] = []
    if application.settings.mode == "demo":  # a replay has the city's own people
        accounts = await application.guard.demo_accounts(demo_people(application.city))
        await load_projects(application.plans, application.city)
    player = Player(application, program)
    await player.begin(application.settings.speed, progress)
    application.context.spawn(Task("demo.player", player.run))
    yield accounts


def _batches(observations: list[Observation]) -> list[list[Observation]]:
    return [observations[i : i + BATCH] for i in range(0, len(observations), BATCH)]


def _by_source(batch: list[Observation]) -> dict[str, list[Observation]]:
    """Split by what the counters call them: replay or simulator, and the kind of thing."""
    parts: dict[str, list[Observation]] = {}
    for observation in batch:
        name = "replay" if observation.provenance == "replayed" else "simulator"
        parts.setdefault(f"{name}.{observation.entity_type}", []).append(observation)
    return parts
