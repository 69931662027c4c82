"""What can be asked of ingest: one use case a function. Routes, MQTT and feeds call these."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import datetime
from uuid import uuid4

import structlog
from msgspec import Struct
from msgspec.structs import replace

from nagara.city import City
from nagara.context import Context
from nagara.engines.database import Database
from nagara.ingest import ledger, parking
from nagara.ingest.errors import (
    DeviceDisabled,
    DeviceUnknown,
    EntityRefused,
    NotReplayable,
    PayloadTooLarge,
    PayloadUnreadable,
    RateExceeded,
)
from nagara.ingest.intake import BATCH_MAX, Intake
from nagara.ingest.item import Item, observation_from, payload_of
from nagara.ingest.ledger import Delta
from nagara.ingest.model import Observation, Rules
from nagara.ingest.parking import PAYLOAD_BYTES_KEPT, Parked
from nagara.ingest.registry import Registry
from nagara.pack import Pack, QualityLimits
from nagara.values.errors import Problem
from nagara.vocab.observation import Provenance

SWEEP_EVERY_S = 600.0
OWED_EVERY_S = 1.0

log = structlog.get_logger("ingest")


class Trouble(Struct, frozen=True):
    """What was wrong with the item at `index` of a batch, and whether it was parked or refused."""

    index: int
    result: str
    problem: Problem


class Outcome(Struct, frozen=True):
    """How a batch ended: received = stored + duplicate + parked + refused."""

    received: int
    stored: int
    duplicate: int
    parked: int
    refused: int
    troubles: tuple[Trouble, ...] = ()


def rules_of(packs: Sequence[Pack]) -> Rules:
    """The quality limits of all packs by attribute; the first pack to name one has the say."""
    limits: dict[str, QualityLimits] = {}
    for pack in packs:
        for limit in pack.quality:
            if limit.attribute in limits:
                log.warning("quality.named_twice", attribute=limit.attribute, pack=pack.name)
                continue
            limits[limit.attribute] = limit
    return Rules(limits)


class IngestService:
    """The way into the city for everything that is measured."""

    def __init__(
        self, context: Context, db: Database, city: City, packs: Sequence[Pack] = ()
    ) -> None:
        codecs = [codec for pack in packs for codec in pack.codecs]
        self.context = context
        self.db = db
        self.city = city
        self.registry = Registry(context, db, city, codecs)
        self.intake = Intake(context, rules_of(packs))
        self._loading = asyncio.Lock()
        self._is_loaded = False

    async def ready(self) -> None:
        """Return when devices and counters are taken over from the database; else do it."""
        if self._is_loaded:
            return
        async with self._loading:
            if not self._is_loaded:
                await self.load()

    async def load(self) -> None:
        """Take over devices and counters from the database; before anything is taken in."""
        await self.registry.load()
        await self.intake.ledger.load(self.db)
        self._is_loaded = True

    # -- taking in ----------------------------------------------------------------------------

    async def accept(
        self,
        observations: Sequence[Observation],
        *,
        source: str,
        topic: str = "",
        provenance: Provenance | None = None,
        patient: bool = False,
    ) -> Outcome:
        """Store observations of a feed, an archive or a simulator; heard twice, nothing changes.

        `source` names them in the counters. What cannot be stored is parked. Raises `IngestBusy`
        and the store's Problems, unless `patient`: then it waits until there is room.
        """
        await self.ready()
        wall = self.context.clock.wall()
        arrived = self.city_time(wall)
        items = []
        for observation in observations:
            if provenance is not None and observation.provenance != provenance:
                observation = replace(observation, provenance=provenance)
            payload = payload_of(observation)
            items.append(
                Item(
                    source,
                    topic or source,
                    payload,
                    wall,
                    arrived,
                    "observation",
                    key=digest(source, payload),
                    observation=observation,
                )
            )
        await self.intake.take(items, patient)
        return outcome_of(items)

    def read_message(
        self,
        device_id: str,
        payload: bytes,
        *,
        source: str,
        topic: str,
        received_at: datetime,
        key: str | None = None,
        told: bool = False,
        limited: bool = True,
    ) -> Item:
        """One payload of a device as an item, its problem noted if it has one.

        `received_at` is wall time. `told`: the sender hears the answer, so that what he can mend
        himself (a payload too large) is refused instead of parked. `limited`: it is counted
        against the rate of its device, by `received_at`; not so what was heard before.
        """
        arrived = self.city_time(received_at)
        item = Item(source, topic, payload, received_at, arrived, "message", device_id, key)
        bound = self.registry.find(device_id)
        if bound is None:
            item.fail(DeviceUnknown(device=device_id[:64]), refused=True)
            return item
        bound.messages += 1
        bound.heard_at = received_at
        if not bound.device.enabled:
            item.fail(DeviceDisabled(device=device_id), refused=True)
        elif len(payload) > PAYLOAD_BYTES_KEPT:
            item.fail(PayloadTooLarge(bytes=len(payload), most=PAYLOAD_BYTES_KEPT), refused=told)
            item.kind = "fragment"
        elif limited and (wait_s := bound.wait_s(received_at.timestamp())) > 0:
            item.fail(
                RateExceeded(
                    device=device_id,
                    per_minute=bound.profile.rate_per_minute,
                    retry_after_s=round(wait_s, 1),
                ),
                refused=True,
            )
        else:
            try:
                item.observation = bound.decode(payload, arrived)
            except Problem as problem:
                item.fail(problem)
            except Exception as error:  # a codec may be a stranger's
                log.warning("codec.failed", device=device_id, error=type(error).__name__)
                item.fail(PayloadUnreadable(reason=type(error).__name__))
        return item

    def city_time(self, wall: datetime) -> datetime:
        """The city's time at a wall time."""
        anchor = self.context.clock.anchor
        return wall if anchor.mode == "live" else anchor.city_time(wall)

    # -- parked messages ----------------------------------------------------------------------

    async def replay(self, parked: Sequence[Parked]) -> Outcome:
        """Read parked messages again. What fails again stays, with its reason of today.

        Raises `NotReplayable` for a single message of which not everything was kept.
        """
        items: list[Item] = []
        for message in parked:
            if message.kind == "fragment" or not message.is_whole:
                if len(parked) == 1:
                    raise NotReplayable(id=message.id)
                continue
            items.append(self._read_again(message))
        await self.intake.take(items)
        return outcome_of(items)

    async def replay_all(self, code: str | None, device: str | None = None) -> Outcome:
        """Read again all that waits for one reason (or for any), oldest first."""
        total = Outcome(0, 0, 0, 0, 0)
        after = 0
        while True:
            waiting = await parking.list_replayable(self.db, after, code, device, BATCH_MAX)
            if not waiting:
                return total
            after = waiting[-1].id
            done = await self.replay(waiting)
            total = Outcome(
                total.received + done.received,
                total.stored + done.stored,
                total.duplicate + done.duplicate,
                total.parked + done.parked,
                total.refused + done.refused,
            )

    async def discard(self, number: int, actor: str) -> None:
        """Throw a parked message away; it counts as refused. Raises `ParkedUnknown`."""
        message = await parking.get_parked(self.db, number)
        await self._discard([(message.id, message.source)], actor)

    async def sweep(self) -> int:
        """Enforce the limits of parked messages; how many were thrown away."""
        async with self.db.acquire() as conn:
            overdue = await parking.list_overdue(conn)
            await parking.forget_settled(conn)
        await ledger.forget_batches(self.db)
        if overdue:
            log.warning("parked.overdue", count=len(overdue))
            await self._discard(overdue, "system:ingest")
        return len(overdue)

    def _read_again(self, message: Parked) -> Item:
        if message.kind == "message" and message.device is not None:
            item = self.read_message(
                message.device,
                message.payload,
                source=message.source,
                topic=message.topic,
                received_at=message.received_at,
                limited=False,
            )
            bound = self.registry.find(message.device)
            if item.observation is not None and bound is not None:  # the time it came, not today's
                item.observation = bound.decode(message.payload, message.arrived_at)
        else:
            item = Item(
                message.source,
                message.topic,
                message.payload,
                message.received_at,
                message.arrived_at,
                message.kind,
            )
            try:
                item.observation = observation_from(message.payload)
            except ValueError as error:
                item.fail(EntityRefused(reason=str(error)[:200]))
        item.parked_id = message.id
        item.is_refused = False  # it stays where it is
        return item

    async def _discard(self, messages: Sequence[tuple[int, str]], actor: str) -> None:
        delta = Delta()
        async with self.db.acquire() as conn, conn.transaction():
            gone = set(
                await parking.settle(conn, [number for number, _ in messages], "discarded", actor)
            )
            for number, source in messages:
                if number in gone:
                    delta.moved_on(source, "refused")
            await delta.claim(conn, uuid4())
            await delta.write(conn)
        self.intake.ledger.take_in(delta)


def outcome_of(items: Sequence[Item]) -> Outcome:
    """The counts of settled items, and what was wrong with which."""
    counts = {"stored": 0, "duplicate": 0, "parked": 0, "refused": 0}
    troubles = []
    for index, item in enumerate(items):
        result = item.result or "refused"
        counts[result] += 1
        if item.problem is not None:
            troubles.append(Trouble(index, result, item.problem))
    return Outcome(len(items), **counts, troubles=tuple(troubles))


def digest(source: str, payload: bytes, device: str = "") -> str:
    """Names a message that has no number of its own, so that it is not parked twice.

    The device's name is hashed as well: it is as long, and as strange, as its sender makes it.
    """
    said = hashlib.blake2b(device.encode("utf-8", "replace") + b"\n", digest_size=16)
    said.update(payload)
    return f"{source}:{said.hexdigest()}"
