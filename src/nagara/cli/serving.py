"""`nagara up` and `nagara demo`: a whole city in one process, until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import structlog
import typer
from granian.constants import Interfaces
from granian.server.embed import Server

from nagara.city import named_kit
from nagara.cli.frame import DataOption, aside, in_words, progress, run, say
from nagara.engines.meta import settle_city
from nagara.engines.nats import check_port_free
from nagara.engines.running import Engines
from nagara.guard.accounts import Credentials
from nagara.http.observe import configure_logs
from nagara.settings import Settings, list_unknown, read_settings
from nagara.values.errors import Problem

if TYPE_CHECKING:
    from nagara.app import Application

log = structlog.get_logger("cli")

STOP_S_MAX = 20.0  # waiting writes are committed in a fraction of a second
GC_OBJECTS = 100_000  # made and not freed, before the young are looked at: some 20 MB at most
DRAIN_S = 5  # what an answer may still take when the city is told to stop
CITIES = {"bangkok": "th-bkk", "phuket": "th-pkt"}  # names a newcomer types

PortOption = Annotated[
    int | None,
    typer.Option("--port", metavar="N", help="HTTP; MQTT and WebSocket are on the ports after it."),
]
KitDataOption = Annotated[
    Path | None,
    typer.Option("--kit-data", metavar="DIR", help="The kit's archives and shapes."),
]
KitOption = Annotated[
    str | None, typer.Option("--kit", metavar="DIR", help="A city kit: a folder or a name.")
]
SpeedOption = Annotated[
    float | None,
    typer.Option("--speed", metavar="X", help="Seconds of the archive in one second."),
]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("up")(up)
    app.command("demo")(demo)
    app.command("replay")(replay)


def up(
    data: DataOption = None,
    port: PortOption = None,
    kit: KitOption = None,
    kit_data: KitDataOption = None,
    host: Annotated[str | None, typer.Option("--host", help="The address to listen on.")] = None,
    open_: Annotated[
        bool, typer.Option("--open", help="No authorisation; only on a loopback address.")
    ] = False,
    bare: Annotated[
        bool, typer.Option("--bare", help="The broker alone: no kit's entities, no rooms at work.")
    ] = False,
) -> None:
    """Run a city."""
    flags = {"data": data, "port": port, "kit": kit, "kit_data": kit_data, "host": host}
    switches = {"open": open_ or None, "bare": bare or None}
    run(serve(read_settings("up", {**flags, **switches})))


def demo(
    city: Annotated[str, typer.Argument(help="The city to show: bangkok.")] = "bangkok",
    port: PortOption = None,
    speed: SpeedOption = None,
    data: DataOption = None,
    kit_data: KitDataOption = None,
) -> None:
    """Run a living city on archived data, faster than life, with demo accounts."""
    kit = CITIES.get(city.lower(), city)
    flags = {"data": data, "port": port, "kit": kit, "kit_data": kit_data, "speed": speed}
    run(serve(read_settings("demo", flags)))


def replay(
    data: DataOption = None,
    port: PortOption = None,
    kit: KitOption = None,
    kit_data: KitDataOption = None,
    speed: SpeedOption = None,
) -> None:
    """Run a city whose clock and sensors are played from its kit's archives; no demo accounts."""
    flags = {"data": data, "port": port, "kit": kit, "kit_data": kit_data, "speed": speed}
    run(serve(read_settings("replay", flags)))


def _warn_of_unknown() -> None:
    for name, close in list_unknown():
        english = f"{name} is no setting and changes nothing."
        thai = f"{name} ไม่ใช่ชื่อการตั้งค่า จึงไม่มีผล"
        if close:
            english, thai = f"{english} Is {close} meant?", f"{thai} หมายถึง {close} หรือไม่"
        aside.print(in_words(thai, english), markup=False, soft_wrap=True)


async def serve(settings: Settings) -> None:
    """Runs the city until SIGINT or SIGTERM; a second signal ends it at once.

    Raises the problems of starting: `PortInUse`, `FolderBusy`, `EngineFailed` …
    """
    configure_logs(settings.log_level, settings.log_format)
    _warn_of_unknown()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if stop.is_set():
            os._exit(130)  # the engines die with their parent
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, on_signal)
    city = asyncio.create_task(_live(settings, stop))
    stopped = asyncio.create_task(stop.wait())
    # Told to stop while still starting: nothing is served yet, so the start is given up.
    await asyncio.wait({city, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    await city


async def _live(settings: Settings, stop: asyncio.Event) -> None:
    check_port_free(settings.host, settings.port, "HTTP")
    named_kit(settings.kit)  # what is wrong with it is said before engines are made for it
    from nagara.app import assemble  # the whole city is loaded only by those who run one

    async with contextlib.AsyncExitStack() as stack:
        with aside.status(in_words("กำลังเริ่มระบบของเมือง…", "Starting the engines…")):
            engines = await stack.enter_async_context(Engines.start(settings.engine_options()))
        if stop.is_set():
            return
        with aside.status(in_words("กำลังเปิดเมือง…", "Opening the city…")):
            application = await assemble(settings, engines)
            await settle_city(engines.database, application.city.code)
            stack.push_async_callback(_stop, application)
            await application.start(_first_moment(application))
            # What is loaded now stays: the collector need not walk it again. And a batch of 2,000
            # readings is 50,000 objects that die young; looking at every 700 cost a third.
            gc.freeze()
            gc.set_threshold(GC_OBJECTS, 10, 10)
            server = _server(settings, application.asgi)
            serving = asyncio.create_task(server.serve())
            await _until_served(settings, serving, stop)
        credentials = [c for c in (application.first_administrator,) if c is not None]
        if settings.mode != "up" and not stop.is_set():
            from nagara.demo import run_demo

            with progress() as bar:
                credentials += await stack.enter_async_context(run_demo(application, bar))
        _announce(settings, credentials)
        waiting = asyncio.create_task(stop.wait())
        await asyncio.wait({waiting, serving}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        application.context.live.close()  # Granian waits for open streams
        server.stop()
        with contextlib.suppress(TimeoutError, asyncio.CancelledError):
            await asyncio.wait_for(serving, DRAIN_S + 1)


async def _stop(application: Application) -> None:
    """Ends the city's parts; a database that is away must not keep the city from ending."""
    try:
        await asyncio.wait_for(application.stop(), STOP_S_MAX)
    except (TimeoutError, Problem) as error:
        log.error("the city did not end in order", reason=str(error) or "time")


def _first_moment(application: Any) -> datetime | None:
    """Where the clock of a replay stands before its player begins; None for a living city."""
    if application.settings.mode == "up":
        return None
    from nagara.demo import schedule_of

    return schedule_of(application).start_of(0)


def _server(settings: Settings, asgi: Any) -> Server:
    server = Server(
        asgi,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGINL,  # the city starts and stops its parts itself
        websockets=True,
        log_enabled=False,
        backlog=1024,
    )
    # Granian waits for open streams for ever unless told otherwise.
    server.workers_kill_timeout = DRAIN_S
    return server


async def _until_served(
    settings: Settings, serving: asyncio.Task[None], stop: asyncio.Event
) -> None:
    host = settings.address.removeprefix("http://").rpartition(":")[0].strip("[]")
    while not stop.is_set():
        if serving.done():
            await serving  # tells why
            return
        try:
            _, writer = await asyncio.open_connection(host, settings.port)
        except OSError:
            await asyncio.sleep(0.01)
        else:
            writer.close()
            return


def _announce(settings: Settings, credentials: Sequence[Credentials]) -> None:
    address = settings.address
    say(in_words("เมืองพร้อมแล้ว", "The city is up."))
    for path, thai, english in (
        ("/", "ประชาชน", "residents"),
        ("/ops", "ศูนย์ปฏิบัติการ", "operations centre"),
        ("/desk", "งานของหน่วยงาน", "department desk"),
        ("/measure", "ตัวชี้วัดและแผน", "indicators and plans"),
        ("/admin", "ผู้ดูแลระบบ", "administration"),
    ):
        say(f"  {address}{path:<10}{in_words(thai, english)}")
    say(f"  mqtt://{settings.host}:{settings.port + 1}  {in_words('อุปกรณ์ (MQTT)', 'devices')}")
    if credentials:
        once = in_words("บัญชีผู้ใช้ (แสดงครั้งเดียว โปรดจดไว้)", "Accounts (shown once: write them down):")
        again = in_words("บัญชีสำหรับการสาธิต", "Demo accounts:")
        say(again if settings.mode == "demo" else once)
        width = max(len(one.username) for one in credentials)
        for one in credentials:
            say(f"  {one.username:<{width}}  {one.password}  {', '.join(one.roles)}")
    say(in_words("กด Ctrl-C เพื่อหยุด", "Ctrl-C stops it."))
