"""The room, assembled."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import structlog

from nagara.cases.photos import PhotoFiles
from nagara.cases.readers import CaseReaders
from nagara.cases.reports import Reports
from nagara.cases.routes import case_routes, photo_routes, report_routes
from nagara.cases.service import Casework
from nagara.context import Task
from nagara.context.room import Floor, Room
from nagara.guard.keyring import load_key, secrets_folder

#: Due times are looked at this often, however far the next one is: the clock may have been set.
LOOK_EVERY_S = 1.0
#: Files of photos that no commit came to name; by then every commit has long ended.
SWEEP_AGE = timedelta(days=1)
SWEEP_EVERY_S = 86_400.0

log = structlog.get_logger("cases")


def assemble(floor: Floor) -> Room:
    """Cases: residents' reports, work lists, photos; opened by alerts and foreign tickets."""
    secret = load_key(secrets_folder(floor.guard.data_dir), "cases")
    photos = PhotoFiles(floor.files, floor.guard.persons, secret)
    work = Casework(floor.context, floor.db, floor.city, floor.guard, photos)
    reports = Reports(work, secret)
    floor.guard.find_person_by("trackingCode", reports.person_of)

    async def tend_for_ever() -> None:
        while True:
            wait = await work.tend()
            wait_s = LOOK_EVERY_S
            if wait is not None:
                wall_s = floor.context.clock.wall_delay(max(wait, timedelta()))
                wait_s = min(LOOK_EVERY_S, max(0.01, wall_s))
            await asyncio.sleep(wait_s)

    async def sweep_for_ever() -> None:
        while True:
            taken = await photos.sweep(floor.db, floor.guard.wall() - SWEEP_AGE)
            if taken:
                log.info("photos.swept", photos=taken)
            await asyncio.sleep(SWEEP_EVERY_S)

    return Room(
        name="cases",
        routes=[*report_routes(work, reports), *case_routes(work), *photo_routes(work)],
        readers=CaseReaders(work).readers(),
        tasks=[Task("cases.tend", tend_for_ever), Task("cases.sweep", sweep_for_ever)],
    )
