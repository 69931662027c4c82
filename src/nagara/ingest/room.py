"""The room, assembled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

import structlog
from prometheus_client import CollectorRegistry

from nagara.context import Task
from nagara.context.room import Floor, Room
from nagara.engines.nats import NatsEngine
from nagara.guard.policy import may
from nagara.ingest.adapters.feeds import feed_of
from nagara.ingest.adapters.mqtt import SOURCE as MQTT
from nagara.ingest.adapters.mqtt import Hear, MqttIntake
from nagara.ingest.adapters.mqtt_login import (
    Grant,
    LoginRequest,
    LoginService,
    is_own_client_id,
    rights_of,
)
from nagara.ingest.adapters.polling import FeedRunner
from nagara.ingest.adapters.violations import Violation, follow, log_size
from nagara.ingest.departures import Departures, departure_route
from nagara.ingest.ledger import register_metrics
from nagara.ingest.routes import device_routes, feed_routes, parked_routes, push_routes
from nagara.ingest.service import OWED_EVERY_S, SWEEP_EVERY_S, IngestService
from nagara.pack import Pack

log = structlog.get_logger("ingest")


class IngestRoom(Room, frozen=True):
    """The room, with what the demo and the bench drive directly."""

    service: IngestService | None = None
    feeds: FeedRunner | None = None
    mqtt: MqttIntake | None = None


def assemble(
    floor: Floor,
    nats: NatsEngine | None,
    packs: Sequence[Pack] = (),
    metrics: CollectorRegistry | None = None,
    topics: Mapping[str, Hear] | None = None,
) -> IngestRoom:
    """Devices by MQTT and HTTP, polled feeds, parking and counters.

    `topics`: beginnings of NATS subjects that another room hears; programs may publish there with
    a token that may write entities. Without `nats` (a command that only loads an archive) nobody
    comes in by MQTT.
    """
    service = IngestService(floor.context, floor.db, floor.city, packs)
    feeds = FeedRunner(
        service,
        floor.db,
        [feed_of(floor.city, source) for source in floor.city.feeds],
        allow_loopback=floor.guard.open_mode,
    )
    mqtt = MqttIntake(service, nats, topics) if nats is not None else None
    if metrics is not None:
        register_metrics(metrics, service.intake.ledger)
    tasks = [
        Task("ingest.write", service.intake.run),
        Task("ingest.tend", lambda: _tend(service)),
        Task("ingest.feeds", lambda: _poll(service, feeds)),
    ]
    if mqtt is not None and nats is not None:
        tasks.append(Task("ingest.mqtt", lambda: _listen(floor, service, mqtt, nats, topics)))
        if nats.child is not None:
            path = nats.child.recipe.log_path
            at = log_size(path)
            tasks.append(Task("ingest.violations", lambda: follow(path, at, _refuse(service))))
    return IngestRoom(
        name="ingest",
        routes=[
            *push_routes(service),
            *device_routes(service, floor),
            *parked_routes(service),
            *feed_routes(service, feeds),
            departure_route(Departures(floor.context, floor.db)),
        ],
        tasks=tasks,
        service=service,
        feeds=feeds,
        mqtt=mqtt,
    )


async def _tend(service: IngestService) -> None:
    """Writes down refusals each second, and keeps parked messages within their limits."""
    await service.ready()
    loop = asyncio.get_running_loop()
    swept_at = 0.0
    while True:
        try:
            await service.intake.pay_owed()
        except Exception as error:  # owed still; parked messages are tended all the same
            log.warning("owed.unpaid", error=type(error).__name__)
        if loop.time() - swept_at > SWEEP_EVERY_S:
            await service.sweep()
            swept_at = loop.time()
        await asyncio.sleep(OWED_EVERY_S)


async def _poll(service: IngestService, feeds: FeedRunner) -> None:
    await service.ready()
    await feeds.load()
    await feeds.run()


async def _listen(
    floor: Floor,
    service: IngestService,
    mqtt: MqttIntake,
    nats: NatsEngine,
    topics: Mapping[str, Hear] | None = None,
) -> None:
    """Consumer first, log-ins second: nothing is acknowledged that nobody would read."""
    await service.ready()
    await mqtt.prepare()

    async def decide(request: LoginRequest) -> Grant | None:
        bound = service.registry.find(request.user)
        if bound is None and topics:
            return await _program(floor, request, tuple(f"{prefix}>" for prefix in topics))
        if bound is None or not bound.device.enabled:
            return None
        if not is_own_client_id(request.user, request.client_id):
            log.warning("login.client_id_refused", device=request.user)
            return None
        actor = await floor.guard.by_device(request.user, request.password)
        return None if actor is None else rights_of(request.user)

    login = await LoginService.start(nats, decide)
    try:
        await mqtt.run()
    finally:
        await login.close()


async def _program(floor: Floor, request: LoginRequest, subjects: tuple[str, ...]) -> Grant | None:
    """A program that comes with a token: it publishes where it may write, and hears what anybody
    may read. While a city is open on its own machine, who comes without a name is let in too."""
    if not request.user and floor.guard.open_mode:
        return Grant("open", subjects, subjects)
    if not request.user or not is_own_client_id(request.user, request.client_id):
        return None
    program = await floor.guard.by_token(request.password)
    if program is None or not may(program, "entity:read"):
        return None
    return Grant(request.user, subjects if may(program, "entity:write") else (), subjects)


def _refuse(service: IngestService) -> Callable[[Violation], None]:
    def refuse(violation: Violation) -> None:
        device = violation.device
        known = device if device is not None and service.registry.find(device) else None
        service.intake.refuse(MQTT, violation.problem, known)

    return refuse
