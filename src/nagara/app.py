"""The composition root: the only module that knows every room.

async with Engines.start(settings.engine_options()) as engines:
    city = await assemble(settings, engines)
    await city.start()
    ... serve city.asgi ...
    await city.stop()
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from litestar import Litestar, Router
from litestar.config.compression import CompressionConfig
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from prometheus_client import CollectorRegistry

from nagara import __version__
from nagara.alerting.room import assemble as assemble_alerting
from nagara.cases.room import assemble as assemble_cases
from nagara.city import City, bundled_kit, bundled_kits, read_kit
from nagara.city.entities import city_entities
from nagara.city.shapes import read_shapes
from nagara.context import Context, Create, Entity, Replace, Task
from nagara.context.clock import Anchor
from nagara.context.ngsi.batch import batch_routes
from nagara.context.ngsi.common import ngsi_common
from nagara.context.ngsi.contexts.routes import context_routes
from nagara.context.ngsi.contexts.shelf import Shelf
from nagara.context.ngsi.entities import entity_routes
from nagara.context.ngsi.express import Express
from nagara.context.ngsi.fetch import Contexts, demand_public
from nagara.context.ngsi.retrieve import retrieve_routes
from nagara.context.ngsi.slashes import Slashes
from nagara.context.ngsi.sources.distribute import Sources
from nagara.context.ngsi.subscriptions.letter_routes import letter_routes
from nagara.context.ngsi.subscriptions.notifier import Notifier
from nagara.context.ngsi.subscriptions.routes import subscription_routes
from nagara.context.ngsi.temporal import temporal_routes
from nagara.context.ngsi.tenant_routes import tenant_routes
from nagara.context.ngsi.terms import CORE
from nagara.context.reader_routes import reader_routes
from nagara.context.room import Floor, Room
from nagara.context.stream import live_route
from nagara.engines.running import Engines
from nagara.features.room import assemble as assemble_features
from nagara.federation.room import assemble as assemble_federation
from nagara.guard import PUBLIC, Guard, audit
from nagara.guard.accounts import Credentials
from nagara.guard.headers import page_headers
from nagara.guard.middleware import Doorkeeper
from nagara.guard.policy import Keeping
from nagara.http.about import about_route
from nagara.http.health import health_routes
from nagara.http.observe import Gauges, Lines, Watch, make_tracer
from nagara.http.pages import Pages, static_folder
from nagara.http.problem import EXCEPTION_HANDLERS
from nagara.indicators.definitions import Definition
from nagara.indicators.kept import Whole
from nagara.indicators.reading import Reading
from nagara.indicators.room import assemble as assemble_indicators
from nagara.ingest.room import assemble as assemble_ingest
from nagara.ingest.service import IngestService
from nagara.network.room import assemble as assemble_network
from nagara.network.work.values import Point
from nagara.overview.room import Facts
from nagara.overview.room import assemble as assemble_overview
from nagara.pack import installed_packs
from nagara.plans.room import assemble as assemble_plans
from nagara.sensorthings.mqtt import PREFIX as MQTT_PREFIX
from nagara.sensorthings.room import assemble as assemble_sensorthings
from nagara.settings import Settings
from nagara.values.time import format_instant

#: The largest body that any route takes; each route that takes less says so.
REQUEST_BYTES_MAX = 30_000_000  # five photos of six megapixels, as phones send them

#: Values of one city in one answer: 250 definitions over twenty years.
CITY_POINTS_MAX = 5_000

log = structlog.get_logger("app")


def read_city(settings: Settings) -> City:
    """The kit that the settings name, with the shapes of its data folder."""
    kit = settings.kit
    city = bundled_kit(kit) if kit in bundled_kits() else read_kit(Path(kit))
    return city.with_shapes(read_shapes(city, settings.kit_data, settings.data / "shapes"))


class Application:
    """A city that is put together: `asgi` is what a server serves."""

    def __init__(self, settings: Settings, engines: Engines, city: City) -> None:
        self.settings = settings
        self.engines = engines
        self.city = city
        self.registry = CollectorRegistry()
        db = engines.database
        self.guard = Guard(
            db,
            settings.data,
            wall=partial(datetime.now, UTC),
            open_mode=settings.open,
            https=settings.https,
            hosts=settings.hosts,
            proxies=settings.proxies,
        )
        kept = timedelta(days=settings.history_days) if settings.history_days else None
        self.context = Context(db, audit.append, kept)
        self.context.keeping = Keeping("" if settings.bare else city.code)
        self.shelf = Shelf(db)
        self.call_hosts = frozenset(settings.call_hosts)
        self.contexts = Contexts(settings.open, self.call_hosts, self.shelf)
        self.notifier = Notifier(self.context, self.contexts, self._check_call)
        self.sources = Sources(self.context, self.contexts, self._check_call, self.notifier)
        self.floor = Floor(self.context, db, city, self.guard, settings.data / "files")
        self.rooms: list[Room] = []
        self.first_administrator: Credentials | None = None

    def build(self) -> None:
        """Assemble the rooms and the ASGI application."""
        packs = installed_packs()
        sensorthings = assemble_sensorthings(
            self.floor, self._mqtt_address(), self.engines.nats, f"{self.settings.address}/v1.1"
        )
        topics = {MQTT_PREFIX: sensorthings.hearing.hear}
        ingest = assemble_ingest(self.floor, self.engines.nats, packs, self.registry, topics)
        assert ingest.service is not None
        self.ingest_service: IngestService = ingest.service
        self.plans = assemble_plans(self.floor)
        indicators = assemble_indicators(self.floor, packs)
        assert indicators.lending is not None
        assert indicators.reading is not None
        self.federation = assemble_federation(
            self.floor,
            indicators.lending,
            self.plans.book,
            self._check_call,
            self.engines.nats,
        )
        self.rooms = [
            ingest,
            assemble_alerting(self.floor, packs),
            assemble_cases(self.floor),
            indicators,
            self.plans,
            assemble_network(self.floor, self.plans.book, ValuesOfCities(indicators.reading)),
            self.federation,
            assemble_overview(self.floor, packs, self._facts()),
            sensorthings,
            assemble_features(self.floor),
        ]
        self.registry.register(Gauges(self._gauges))
        litestar = Litestar(
            route_handlers=[
                *health_routes(self._health, self.registry),
                about_route(__version__, self.city.attributions),
                live_route(self.context),
                *reader_routes(self.context),
                entity_routes(self.context, self.contexts),
                *retrieve_routes(self.context, self.contexts),
                batch_routes(self.context, self.contexts),
                temporal_routes(self.context, self.contexts, self.settings.temporal_page),
                context_routes(self.engines.database, self.contexts, self.shelf),
                tenant_routes(self.engines.database),
                subscription_routes(self.context, self.contexts, self.notifier, _subscription_id),
                *letter_routes(self.context, self.contexts, self.notifier),
                *self.sources.routes(),
                *(route for room in self.rooms for route in room.routes),
            ],
            on_app_init=[self.guard.on_app_init, ngsi_common, self.sources.on_app_init],
            exception_handlers=dict(EXCEPTION_HANDLERS),
            openapi_config=OpenAPIConfig(
                "Nagara",
                __version__,
                # JSON alone: Litestar's viewers load their scripts from third-party hosts.
                render_plugins=[JsonRenderPlugin()],
                openapi_router=Router("/api/openapi", route_handlers=[], opt=PUBLIC),
            ),
            compression_config=CompressionConfig("gzip", exclude=["/api/v1/live"]),
            request_max_body_size=REQUEST_BYTES_MAX,
            debug=False,
        )
        self.litestar = litestar
        headers = page_headers(self.settings.https)
        express = Express(
            Slashes(litestar),
            self.context,
            Doorkeeper(self.guard),
            CORE,
            headers,
            self.sources.is_alone,
        )
        pages = Pages(express, static_folder(), headers, self.city.name)
        self.asgi: Any = Watch(pages, self.registry, make_tracer(self.settings.otel_endpoint))

    def _mqtt_address(self) -> str:
        return f"mqtt://{self.settings.host}:{self.settings.port + 1}"

    async def _check_call(self, url: str) -> str:
        """The address of a URL that the city may call (`guard.outbound`)."""
        return await demand_public(url, self.call_hosts, allow_loopback=self.settings.open)

    def _facts(self) -> Facts:
        settings = self.settings
        return Facts(
            mqtt_port=settings.port + 1,
            ws_port=settings.port + 2,
            basemap=settings.basemap,
            open=settings.open,
        )

    async def start(self, held_at: datetime | None = None) -> None:
        """Begin: keys, first administrator, the kit's entities, readers, tasks.

        A bare city has no entities of its kit, and its rooms follow no change and begin no work.
        `held_at`: where the clock of a replay stands until its player begins.
        """
        self.floor.files.mkdir(parents=True, exist_ok=True)
        self.first_administrator = await self.guard.start()
        await self.context.start(held_at=held_at)
        await self.sources.start()
        if self.settings.mode == "up":
            await self._live_on()
        if not self.settings.bare:
            await load_city(self.context, self.city)
        for room in () if self.settings.bare else self.rooms:
            for reader in room.readers:
                self.context.add_reader(reader)
            for task in room.tasks:
                self.context.spawn(task)
        self.context.add_reader(self.notifier.reader())
        self.context.spawn(Task("subscriptions", self.notifier.run))
        self.context.spawn(Task("contexts.count", self.shelf.write_down_for_ever))
        for task in self.sources.tasks():
            self.context.spawn(task)
        for guard_task in self.guard.tasks():
            self.context.spawn(Task(guard_task.name, guard_task.run))

    async def _live_on(self) -> None:
        """A city that was once a replay goes on in real time, if that does not lead back."""
        clock = self.context.clock
        wall = clock.wall()
        if clock.anchor.mode != "live" and wall > clock.anchor.city_at:
            await clock.set(self.context.db, Anchor(wall, wall))

    async def stop(self) -> None:
        """End cleanly: streams closed, waiting writes committed, the audit's head anchored."""
        await self.context.stop()
        await self.guard.anchor()

    async def _health(self) -> list[dict[str, Any]]:
        parts = [
            {
                "name": engine.name,
                "state": engine.state,
                "ok": engine.state in ("ready", "external"),
                "reason": engine.reason,
            }
            for engine in self.engines.health()
        ]
        async with asyncio.timeout(5), self.engines.database.acquire() as conn:
            await conn.fetchval("select 1")
        return parts

    def _gauges(self) -> list[tuple[str, str, dict[str, str], float]]:
        context = self.context
        rows: list[tuple[str, str, dict[str, str], float]] = [
            ("nagara_log_head", "Number of the newest change", {}, float(context.tail.head)),
            ("nagara_commit_groups", "Groups committed", {}, float(context.committer.groups)),
            ("nagara_commit_changes", "Changes written", {}, float(context.committer.written)),
            ("nagara_commit_waiting", "Writes waiting", {}, float(context.committer.waiting)),
            ("nagara_cache_entities", "Entities held in memory", {}, float(len(context.cache))),
            ("nagara_lookups", "Values looked up behind the log", {}, float(len(context.lookups))),
            ("nagara_live_streams", "Open live streams", {}, float(len(context.live))),
            ("nagara_log_lines_lost", "Log lines nobody could take", {}, float(Lines.lost)),
        ]
        rows += [
            ("nagara_reader_lag", "Changes a reader is behind", {"reader": name}, float(r.lag))
            for name, r in context.readers.items()
        ]
        rows += self.federation.gauges
        return rows


class ValuesOfCities:
    """The values of all cities that the indicators keep, as the network's work asks for them."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    async def list_points(
        self, cities: Sequence[str], codes: Sequence[str] | None, start: date, end: date, /
    ) -> list[Point]:
        """Values that somebody answers for, of whole cities: one question for all of them."""
        known = self._reading.library.definitions
        found = await self._reading.list_whole(cities, codes, start, end, CITY_POINTS_MAX)
        points = [_point(value, known.get(value.code)) for value in found]
        return sorted(points, key=lambda p: (p.city, p.code, p.start))


def _point(value: Whole, definition: Definition | None) -> Point:
    return Point(
        value.city,
        value.code,
        dict(definition.name) if definition else {"en": value.code, "th": value.code},
        value.period_start,
        value.period_end,
        value.value,
        value.unit,
        value.quality,
        format_instant(value.at),
        value.method,
        (value.note or "no value was told") if value.value is None else None,
        definition.direction if definition else None,
    )


def _subscription_id() -> str:
    return f"urn:ngsi-ld:Subscription:{secrets.token_hex(12)}"


async def load_city(context: Context, city: City) -> int:
    """Write the kit's entities where they are new or other than kept; how many were written."""
    wanted = [
        Entity(
            one["id"],
            (one["type"],),
            {name: value for name, value in one.items() if name not in ("id", "type")},
        )
        for one in city_entities(city)
    ]
    changed: list[Create | Replace] = []
    for entity in wanted:
        known = await context.find(entity.id)
        if known is None:
            changed.append(Create(entity))
        elif known.attrs != entity.attrs:
            changed.append(Replace(entity))
    for start in range(0, len(changed), 500):
        await context.write(*changed[start : start + 500], actor="system:kit")
    return len(changed)


async def assemble(settings: Settings, engines: Engines) -> Application:
    """Put a city together; `start` begins it. Raises the Problems of kit and guard."""
    city = await asyncio.to_thread(read_city, settings)
    application = Application(settings, engines, city)
    application.build()
    return application
