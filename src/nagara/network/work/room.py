"""The network's work, assembled: routes and the task that watches due times."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from litestar.handlers import HTTPRouteHandler
from msgspec import Struct

from nagara.context import Task
from nagara.context.room import Floor
from nagara.guard.keyring import load_key, secrets_folder
from nagara.network.register import tell_members
from nagara.network.work.agreements import agreement_routes
from nagara.network.work.certificates import Seal
from nagara.network.work.comparison import comparison_routes
from nagara.network.work.definitions import read_definitions
from nagara.network.work.meeting_routes import meeting_routes
from nagara.network.work.meetings import Meetings
from nagara.network.work.members import list_seats
from nagara.network.work.need_routes import match_routes, need_routes, offer_routes
from nagara.network.work.needs import Exchange
from nagara.network.work.practices import Knowledge, practice_routes
from nagara.network.work.process_routes import application_routes, definition_routes, return_routes
from nagara.network.work.returns import Returns
from nagara.network.work.service import Processes
from nagara.network.work.telling import tell_processes
from nagara.network.work.values import NoValues, ValueBook

#: Due times are days; looked at this often, for the clock may have been set.
LOOK_EVERY_S = 5.0


class Work(Struct, frozen=True):
    """What the room adds to the network."""

    processes: Processes
    returns: Returns
    routes: Sequence[HTTPRouteHandler]
    tasks: Sequence[Task]


def assemble_work(floor: Floor, values: ValueBook | None = None) -> Work:
    """The work of a network on a floor; `values` of indicators come from the room that has them."""
    seal = Seal(load_key(secrets_folder(floor.guard.data_dir), "network-certificates"))
    processes = Processes(floor, read_definitions(), seal, list_seats)
    book = values or NoValues()
    returns = Returns(processes, book)
    exchange = Exchange(floor)

    async def tend_for_ever() -> None:
        while True:
            wait = await processes.tend()
            await tell_members(floor)  # also those who were admitted just now
            await tell_processes(floor, processes.definitions)
            wait_s = LOOK_EVERY_S
            if wait is not None:
                wall_s = floor.context.clock.wall_delay(max(wait, timedelta()))
                wait_s = min(LOOK_EVERY_S, max(0.05, wall_s))
            await asyncio.sleep(wait_s)

    return Work(
        processes,
        returns,
        [
            *definition_routes(processes),
            *application_routes(processes),
            *return_routes(returns),
            *comparison_routes(floor, book),
            *need_routes(exchange),
            *offer_routes(exchange),
            *match_routes(exchange),
            *agreement_routes(processes),
            *practice_routes(Knowledge(exchange, floor.context)),
            *meeting_routes(Meetings(exchange, floor.files / "network")),
        ],
        [Task("network.work", tend_for_ever)],
    )
