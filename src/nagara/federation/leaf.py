"""NATS: the same message as a request over a leaf node.

The upper level's server takes leaf connections; each member logs in with a password that both make
of the enrolment code, may send on its own subject and hear its own answers and calls, no other's.
What is lost on the way is asked for again: the chain, not the stream, promises that nothing is
missing, so no JetStream lies between the two databases.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import nats
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from nagara.engines.nats import LeafRemote, LeafUser, NatsEngine
from nagara.federation.carriers import read_answer
from nagara.federation.exchange import Message
from nagara.federation.kept import Link
from nagara.federation.service import Federation, told
from nagara.values.errors import Problem

TIMEOUT_S = 20.0
RETRY_EVERY_S = 2.0

log = structlog.get_logger("federation")


def exchange_subject(upper: str, member: str) -> str:
    """Where a member sends its messages to an upper level."""
    return f"federation.exchange.{upper}.{member}"


def call_subject(member: str) -> str:
    """Where a member is called when something waits for it."""
    return f"federation.call.{member}"


def inbox_prefix(member: str) -> str:
    """Where answers to a member come."""
    return f"_INBOX.{member}"


def leaf_user(upper: str, member: str, password: str) -> LeafUser:
    """What a member may do on our server."""
    return LeafUser(
        member,
        password,
        publish=(exchange_subject(upper, member),),
        subscribe=(call_subject(member), f"{inbox_prefix(member)}.>"),
    )


class NatsCarrier:
    """The room's client of its own NATS: sends for uppers, answers members."""

    def __init__(self, engine: NatsEngine, own: str) -> None:
        self._engine = engine
        self._own = own
        self._client: Client | None = None
        self._answering: set[asyncio.Task[None]] = set()
        self.called: Callable[[], None] = lambda: None
        self.answer: Callable[[str, bytes], Awaitable[bytes]] | None = None

    async def send(self, link: Link, message: Message) -> Message:
        """The answer of an upper level. Raises OSError while there is no way to it."""
        if self._client is None or not self._client.is_connected:
            raise ConnectionError("NATS")
        try:
            reply = await self._client.request(
                exchange_subject(link.peer, self._own),
                msgspec.json.encode(message),
                timeout=TIMEOUT_S,
            )
        except NatsError as error:
            raise ConnectionError(type(error).__name__) from error
        return read_answer(200, reply.data)

    async def call(self, member: str) -> None:
        """Tell a member that something waits."""
        if self._client is not None and self._client.is_connected:
            with contextlib.suppress(NatsError, OSError):
                await self._client.publish(call_subject(member), b"")

    async def run(self) -> None:
        """Keeps the connection for the life of the city."""
        while True:
            closed = asyncio.get_running_loop().create_future()

            async def on_closed(done: asyncio.Future[None] = closed) -> None:
                if not done.done():
                    done.set_result(None)

            try:
                client = await nats.connect(
                    self._engine.url,
                    user=self._engine.federation_user,
                    password=self._engine.federation_password,
                    name="federation",
                    inbox_prefix=inbox_prefix(self._own).encode(),
                    allow_reconnect=False,
                    connect_timeout=5,
                    closed_cb=on_closed,
                    error_cb=_quiet,
                )
            except (NatsError, OSError, TimeoutError):
                await asyncio.sleep(RETRY_EVERY_S)
                continue
            try:
                self._client = client
                await client.subscribe(exchange_subject(self._own, "*"), cb=self._hear)
                await client.subscribe(call_subject(self._own), cb=self._called)
                await closed
            except (NatsError, OSError):
                await asyncio.sleep(RETRY_EVERY_S)
            finally:
                self._client = None
                with contextlib.suppress(Exception):
                    await client.close()

    async def _hear(self, msg: Msg) -> None:
        if self.answer is None or not msg.reply:
            return
        member = msg.subject.rpartition(".")[2]
        task = asyncio.get_running_loop().create_task(self._respond(member, msg))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _respond(self, member: str, msg: Msg) -> None:
        assert self.answer is not None
        try:
            body = await self.answer(member, msg.data)
        except Exception:
            log.exception("federation.nats", member=member)
            return  # it is asked again
        with contextlib.suppress(NatsError, OSError):
            await msg.respond(body)

    async def _called(self, _msg: Msg) -> None:
        self.called()


def answering(service: Federation) -> Callable[[str, bytes], Awaitable[bytes]]:
    """What answers the members' requests: the same as over HTTPS, a refusal as a message."""

    async def answer(member: str, data: bytes) -> bytes:
        try:
            message = msgspec.json.decode(data, type=Message)
            made: dict[str, Any] = await service.answer(message, "nats", "en", only=member)
        except Problem as problem:
            made = {"refused": [told(problem, "en")]}
        except (msgspec.DecodeError, UnicodeDecodeError):
            made = {"refused": [{"code": "federation-unreadable"}]}
        return msgspec.json.encode(made)

    return answer


async def _quiet(_error: Exception) -> None:
    """The couriers tell of what does not arrive."""


def remote_of(url: str, own: str, password: str) -> LeafRemote:
    """How our server reaches an upper level's."""
    scheme, _, place = url.partition("://")
    return LeafRemote(f"{scheme}://{own}:{password}@{place}")
