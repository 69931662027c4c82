"""The room, assembled."""

from __future__ import annotations

import asyncio

import msgspec

from nagara.context import Reader, Task
from nagara.context.room import Floor, Room
from nagara.engines.nats import LeafRemote, LeafUser, NatsEngine
from nagara.federation.arrivals import Arrivals
from nagara.federation.carriers import Carrier, CheckUrl, Couriers, HttpsCarrier
from nagara.federation.exchange import Exchange
from nagara.federation.inbox import Inbox
from nagara.federation.keys import OwnKeys
from nagara.federation.leaf import NatsCarrier, answering, leaf_user, remote_of
from nagara.federation.links import Links
from nagara.federation.matters import Matters
from nagara.federation.outbox import Outbox
from nagara.federation.routes import exchange_routes, link_routes, matter_routes, status_routes
from nagara.federation.service import Federation
from nagara.vocab import case
from nagara.vocab.federation import ValueBook
from nagara.vocab.project import ProjectBook

GAUGES_EVERY_S = 10.0

Gauge = tuple[str, str, dict[str, str], float]


class FederationRoom(Room, frozen=True):
    """The room, with what the composition root counts."""

    service: Federation | None = None
    gauges: list[Gauge] = msgspec.field(default_factory=list)  # read again every few seconds


def assemble(
    floor: Floor,
    values: ValueBook,
    projects: ProjectBook | None,
    check: CheckUrl,
    nats: NatsEngine | None = None,
) -> FederationRoom:
    """Signed envelopes to and from other installations. `check` looks at an address before it is
    called."""
    own, wall = floor.city.code, floor.guard.wall
    keys = OwnKeys(floor.guard.data_dir)
    outbox = Outbox(floor.context, floor.db, own, keys, values, projects, wall)
    matters = Matters(floor.context, floor.db, floor.city, wall)
    inbox = Inbox(floor.context, floor.db, own, values, projects, matters, wall)
    exchange = Exchange(floor.db, own, keys, inbox, wall)
    links = Links(floor.db, own, keys, outbox, wall)
    service = Federation(floor.db, own, keys, links, outbox, inbox, exchange, matters, wall)
    carriers: dict[str, Carrier] = {"https": HttpsCarrier(check)}
    couriers = Couriers(floor.db, exchange, carriers)
    leaf = NatsCarrier(nats, own) if nats is not None else None
    if leaf is not None and nats is not None:
        carriers["nats"] = leaf
        leaf.answer = answering(service)
        leaf.called = couriers.look
        links.admit_leaf = lambda city, password: _keep(nats, leaf_user(own, city, password))
        links.connect_leaf = lambda url, password: _keep(nats, remote_of(url, own, password))
    arrivals = Arrivals(floor.db, exchange, outbox)

    async def call_member(peer: str) -> None:
        couriers.call(peer)
        if leaf is not None:
            await leaf.call(peer)

    outbox.sealed = call_member
    matters.sent = outbox.wake
    links.changed = couriers.look
    exchange.acknowledged = lambda _peer: outbox.wake()
    gauges: list[Gauge] = []  # read again every few seconds

    async def gauge_for_ever() -> None:
        while True:
            gauges[:] = await service.gauges()
            await asyncio.sleep(GAUGES_EVERY_S)

    tasks = [
        Task("federation.seal", outbox.run),
        Task("federation.couriers", couriers.run),
        Task("federation.arrivals", arrivals.run),
        Task("federation.gauges", gauge_for_ever),
    ]
    if leaf is not None:
        tasks.append(Task("federation.nats", leaf.run))
    return FederationRoom(
        name="federation",
        routes=[
            *exchange_routes(service),
            *status_routes(service),
            *link_routes(service),
            *matter_routes(service),
        ],
        readers=[
            Reader("federation.publish", outbox.hear),
            Reader("federation.cases", matters.hear_cases, types=(case.TYPE,)),
        ],
        tasks=tasks,
        service=service,
        gauges=gauges,
    )


def _keep(nats: NatsEngine, leaf: LeafUser | LeafRemote) -> None:
    if isinstance(leaf, LeafUser):
        nats.keep_leaf(user=leaf)
    else:
        nats.keep_leaf(remote=leaf)
