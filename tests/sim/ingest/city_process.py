"""A city of engines, context, guard and ingest, as a process that tests kill.

`city_process.py DATA PORT` says one JSON line when devices can log in, then serves until SIGTERM.
The whole city (`nagara up`) does the same and more; this one starts in a second, without screens.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import signal
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import structlog
import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server
from litestar import Litestar
from prometheus_client import CollectorRegistry

from nagara.city import bundled_kit
from nagara.context import Context
from nagara.context.room import Floor
from nagara.engines.running import EngineOptions, Engines
from nagara.guard import Guard, audit, system
from nagara.http.problem import EXCEPTION_HANDLERS
from nagara.ingest.room import assemble
from nagara.pack import installed_packs


async def main(data: Path, port: int) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with Engines.start(EngineOptions(data=data, http_port=port)) as engines:
        db = engines.database
        guard = Guard(db, data, wall=partial(datetime.now, UTC))
        await guard.start()
        context = Context(db, audit.append)
        await context.start()
        floor = Floor(context, db, bundled_kit("th-bkk"), guard, data / "files")
        room = assemble(floor, engines.nats, installed_packs(), CollectorRegistry())
        for task in room.tasks:
            context.spawn(task)
        app = Litestar(
            [*room.routes],
            on_app_init=[guard.on_app_init],
            exception_handlers=dict(EXCEPTION_HANDLERS),
            openapi_config=None,
        )
        server = Server(
            app,
            address="127.0.0.1",
            port=port,
            interface=Interfaces.ASGINL,
            log_enabled=False,
        )
        serving = asyncio.create_task(server.serve())
        async with db.acquire() as conn:
            _, token = await guard.tokens.create(
                conn, "kill test", "steward", at=datetime.now(UTC), by=system("test")
            )
        assert room.mqtt is not None
        while not room.mqtt.is_connected:
            await asyncio.sleep(0.01)
        gc.freeze()  # as `nagara up` does
        gc.set_threshold(100_000, 10, 10)
        said = {"token": token, "pid": os.getpid()}
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()
        await stop.wait()
        server.stop()
        with contextlib.suppress(asyncio.CancelledError, TimeoutError):
            await asyncio.wait_for(serving, 5)
        await context.stop()


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    uvloop.run(main(Path(sys.argv[1]), int(sys.argv[2])))
