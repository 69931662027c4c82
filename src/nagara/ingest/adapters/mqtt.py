"""MQTT: reads what devices publish, straight from the log that NATS writes before a PUBACK.

A message of QoS 1 or 2 is in NATS's stream `$MQTT_msgs` before the device is told so. A durable
consumer of ours stands on that stream from before the first log-in, and a message is acknowledged
to it after the transaction that stored, parked or refused it: whatever is killed in between, the
message is delivered again and recognised. A message of QoS 0 is in no log; it is heard while we
listen, as the standard promises for it and no more.
https://docs.oasis-open.org/mqtt/mqtt/v3.1.1/os/mqtt-v3.1.1-os.html clause 4.3
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec
import nats
import structlog
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from nagara.engines.mqtt_log import open_mqtt_log
from nagara.engines.nats import NatsEngine
from nagara.ingest.adapters.nats_lines import Delivered, Lines, LinesClosed, connect
from nagara.ingest.adapters.violations import topic_of
from nagara.ingest.errors import IngestBusy, TopicUnknown
from nagara.ingest.intake import BATCH_MAX
from nagara.ingest.item import Item
from nagara.ingest.service import IngestService
from nagara.values.errors import Problem

STREAM = "$MQTT_msgs"
CONSUMER = "ingest"
SOURCE = "mqtt"

#: What was delivered and not acknowledged is delivered again after this; a commit takes
#: 0.1 s. Too early costs a duplicate that is recognised, too late a wait after a restart.
ACK_WAIT_S = 6.0
#: Delivered and unacknowledged: four batches, one decoded, two written, one on its way.
UNACKED_MAX = 4 * BATCH_MAX
PULL_EXPIRES_S = 20.0
PULL_BYTES_MAX = 32 * 1024 * 1024
BATCHES_AT_ONCE = 3
#: Messages of QoS 0 that wait; beyond, they are refused, as nobody was promised them.
UNPROMISED_MAX = 10_000
RETRY_S_MAX = 2.0

_SID_PULLED, _SID_UNPROMISED = 1, 2
_INBOX = "_INBOX.nagara.ingest"
_PREFIX = b"$MQTT.msgs."
_UNPROMISED = b"Nmqtt-Pub:0"  # header that NATS gives a message of QoS 0

#: What hears the messages of another room's topics: topic, payload, and a key by which a message
#: that is delivered again is recognised. It returns when the message is stored.
Hear = Callable[[str, bytes, str | None], Awaitable[None]]

log = structlog.get_logger("ingest.mqtt")


class MqttIntake:
    """The consumer of one city. `prepare` before log-ins are answered, then `run` for life."""

    def __init__(
        self, service: IngestService, engine: NatsEngine, others: Mapping[str, Hear] | None = None
    ) -> None:
        self._service = service
        self._others = {prefix.encode(): hear for prefix, hear in (others or {}).items()}
        self._engine = engine
        self._pulled: list[Delivered] = []
        self._unpromised: list[tuple[datetime, Delivered]] = []
        self._arrived = asyncio.Event()
        self._wanted = 0
        self._asked_at = 0.0
        self._log_name = ""
        self._lines: Lines | None = None

    @property
    def is_connected(self) -> bool:
        """Whether messages can arrive now."""
        return self._lines is not None and not self._lines.closed.done()

    async def prepare(self) -> None:
        """Make the durable consumer, and the log itself where no device was ever there.

        Raises `StreamUnreachable`, or nats-py's errors.
        """
        await open_mqtt_log(self._engine)
        client = await nats.connect(
            self._engine.url,
            user=self._engine.app_user,
            password=self._engine.app_password,
            name="ingest-setup",
            allow_reconnect=False,
            connect_timeout=5,
        )
        try:
            stream = client.jetstream()
            await stream.add_consumer(
                STREAM,
                ConsumerConfig(
                    durable_name=CONSUMER,
                    ack_policy=AckPolicy.EXPLICIT,
                    deliver_policy=DeliverPolicy.ALL,
                    ack_wait=ACK_WAIT_S,
                    max_ack_pending=UNACKED_MAX,
                    max_deliver=-1,
                    filter_subject="$MQTT.msgs.>",
                ),
            )
            info = await stream.stream_info(STREAM)
            born = getattr(info, "created", None)
            self._log_name = f"mqtt:{born.timestamp() if isinstance(born, datetime) else born}"
        finally:
            await client.close()

    async def run(self) -> None:
        """Reads for the life of the city; comes back when NATS was away."""
        slots = asyncio.Semaphore(BATCHES_AT_ONCE)
        pause = 0.1
        is_first = True
        async with asyncio.TaskGroup() as batches:
            while True:
                try:
                    if not is_first:
                        await self.prepare()
                    is_first = False
                    lines = await self._connect()
                    pause = 0.1
                    await self._read(lines, slots, batches)
                except (OSError, TimeoutError, nats.errors.Error, LinesClosed) as error:
                    log.warning("mqtt.away", reason=f"{type(error).__name__}: {error}")
                    is_first = False
                except Exception as error:
                    log.exception("mqtt.failed", error=type(error).__name__)
                finally:
                    if self._lines is not None:
                        self._lines.close()
                await asyncio.sleep(pause)
                pause = min(pause * 2, RETRY_S_MAX)

    # -- reading ------------------------------------------------------------------------------

    async def _connect(self) -> Lines:
        at = urlsplit(self._engine.url)
        engine = self._engine

        def options(_info: dict[str, Any]) -> dict[str, Any]:
            return {"user": engine.app_user, "pass": engine.app_password, "name": "ingest"}

        lines = await connect(
            at.hostname or "127.0.0.1", at.port or 4222, options, self._on_messages
        )
        try:
            lines.subscribe(f"{_INBOX}.*", _SID_PULLED)
            for prefix in ("devices.", *(p.decode() for p in self._others)):
                lines.subscribe(f"{prefix}>", _SID_UNPROMISED)
            await lines.flush()
        except BaseException:
            lines.close()
            raise
        self._wanted = 0
        self._lines = lines
        log.info("mqtt.listening")
        return lines

    def _on_messages(self, messages: list[Delivered]) -> None:
        for message in messages:
            if message.sid == _SID_PULLED:
                if message.reply:
                    self._wanted -= 1
                    self._pulled.append(message)
                else:  # a status: the request expired or was ended
                    self._wanted = 0
            elif _UNPROMISED in message.header:
                if len(self._unpromised) < UNPROMISED_MAX:
                    self._unpromised.append((datetime.now(UTC), message))
                else:
                    self._service.intake.refuse(SOURCE, IngestBusy(), _device_of(message.subject))
        self._arrived.set()

    def _ask(self, lines: Lines) -> None:
        now_s = asyncio.get_running_loop().time()
        if self._wanted > 0 and now_s - self._asked_at > PULL_EXPIRES_S + 5:
            self._wanted = 0  # the request was lost with a consumer that was made anew
        if self._wanted <= BATCH_MAX // 2 and len(self._pulled) <= BATCH_MAX:
            request = {
                "batch": BATCH_MAX,
                "expires": int(PULL_EXPIRES_S * 1e9),
                "max_bytes": PULL_BYTES_MAX,
            }
            subject = f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{CONSUMER}"
            lines.publish(subject, msgspec.json.encode(request), f"{_INBOX}.1")
            self._wanted += BATCH_MAX
            self._asked_at = now_s

    async def _read(
        self, lines: Lines, slots: asyncio.Semaphore, batches: asyncio.TaskGroup
    ) -> None:
        while not lines.closed.done():
            self._ask(lines)
            if not self._pulled and not self._unpromised:
                self._arrived.clear()
                arrived = asyncio.ensure_future(self._arrived.wait())
                try:
                    await asyncio.wait(
                        (arrived, lines.closed),
                        timeout=5.0,
                        return_when=asyncio.FIRST_COMPLETED,
                    )
                finally:
                    arrived.cancel()
                continue
            await slots.acquire()
            pulled, self._pulled = self._pulled[:BATCH_MAX], self._pulled[BATCH_MAX:]
            unpromised, self._unpromised = self._unpromised, []
            theirs = [m for m in pulled if self._hear(m.subject.removeprefix(_PREFIX))]
            late = [m for _, m in unpromised if self._hear(m.subject)]
            ours = [m for m in pulled if m not in theirs] if theirs else pulled
            items = [self._item(message) for message in ours]
            items += [self._unpromised_item(at, m) for at, m in unpromised if m not in late]
            replies = [m.reply for m in ours]
            task = batches.create_task(self._store(items, replies, theirs + late))
            task.add_done_callback(lambda _: slots.release())
            await asyncio.sleep(0)
        raise LinesClosed("NATS closed the connection")

    def _hear(self, subject: bytes) -> Hear | None:
        """What hears a subject that is another room's."""
        return next((h for prefix, h in self._others.items() if subject.startswith(prefix)), None)

    async def _hand_over(self, message: Delivered) -> Item | None:
        """Hand a message to its room; the item to park where it cannot be read there.

        Raises what is the store's trouble: then it is delivered again."""
        subject = message.subject.removeprefix(_PREFIX)
        hear = self._hear(subject)
        assert hear is not None
        topic = topic_of(subject.decode(errors="replace"))
        at, key = datetime.now(UTC), None
        if message.reply:
            tokens = message.reply.split(b".")
            key = f"{self._log_name}:{tokens[5 + (0 if len(tokens) < 11 else 2)].decode()}"
        try:
            await hear(topic, message.payload, key)
            return None
        except Problem as problem:
            if problem.status >= 500:
                raise
            arrived = self._service.city_time(at)
            item = Item(SOURCE, topic, message.payload, at, arrived, "fragment", key=key)
            item.fail(problem)
            return item

    async def _store(
        self, items: list[Item], replies: list[bytes], theirs: Sequence[Delivered] = ()
    ) -> None:
        try:
            for message in theirs:
                parked = await self._hand_over(message)
                items += [parked] if parked is not None else []
                replies += [message.reply] if message.reply else []
            await self._service.intake.take(items, patient=True)
        except Exception as error:  # not acknowledged: it is delivered again
            log.exception("mqtt.batch_failed", error=type(error).__name__, messages=len(items))
            return
        with contextlib.suppress(LinesClosed):  # unacknowledged, delivered again, recognised
            if self._lines is not None:
                self._lines.acknowledge(replies)

    # -- one message --------------------------------------------------------------------------

    def _item(self, message: Delivered) -> Item:
        tokens = message.reply.split(b".")
        shift = 0 if len(tokens) < 11 else 2  # $JS.ACK with a domain and an account (ADR-15)
        delivered, sequence, stamp_ns = (tokens[at + shift] for at in (4, 5, 7))
        received_at = datetime.fromtimestamp(int(stamp_ns) / 1e9, UTC)
        subject = message.subject.removeprefix(_PREFIX)
        # Delivered again, it has had its place in the rate of its device.
        is_first = delivered == b"1"
        return self._read_message(
            subject, message.payload, received_at, sequence.decode(), is_first
        )

    def _unpromised_item(self, at: datetime, message: Delivered) -> Item:
        return self._read_message(message.subject, message.payload, at, None)

    def _read_message(
        self,
        subject: bytes,
        payload: bytes,
        received_at: datetime,
        sequence: str | None,
        limited: bool = True,
    ) -> Item:
        device_id = _device_of(subject)
        key = None if sequence is None else f"{self._log_name}:{sequence}"
        topic = topic_of(subject.decode(errors="replace"))
        if device_id is None:
            arrived = self._service.city_time(received_at)
            item = Item(SOURCE, topic, payload, received_at, arrived, "fragment", key=key)
            item.fail(TopicUnknown(topic=topic[:200]))
            return item
        return self._service.read_message(
            device_id,
            payload,
            source=SOURCE,
            topic=topic,
            received_at=received_at,
            key=key,
            limited=limited,
        )


def _device_of(subject: bytes) -> str | None:
    """The device of `devices.<id>.up`; None for any other subject."""
    parts = subject.split(b".")
    if len(parts) == 3 and parts[0] == b"devices" and parts[2] == b"up" and parts[1]:
        return parts[1].decode(errors="replace")
    return None
