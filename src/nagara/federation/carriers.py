"""Carriers: how a message reaches an upper level and its answer comes back.

A member begins every exchange, so that nobody needs a way into its town hall. A task for each link
asks when something was sealed, when it is called, and every few seconds; a level that does not
answer is asked less and less often.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import httpx
import msgspec
import structlog

from nagara.engines.database import Database
from nagara.federation import errors, kept
from nagara.federation.exchange import Exchange, Message
from nagara.federation.kept import Link
from nagara.guard.outbound import ONE_USE, AddressForbidden, certificates, pinned
from nagara.values.errors import Problem

POLL_EVERY_S = 5.0
#: Whoever has a thousand members says how seldom they are to ask; never less than once in a minute.
POLL_MAX_S = 60.0
#: After a week offline the first minute counts; a try that fails costs both sides next to nothing.
BACKOFF_MAX_S = 15.0
ANSWER_BYTES_MAX = 2_000_000
TIMEOUT_S = 30.0
PATH = "/api/v1/federation/envelopes"

CheckUrl = Callable[[str], Awaitable[str]]
log = structlog.get_logger("federation")


class Carrier(Protocol):
    """Sends a message to the upper level of a link; its answer."""

    async def send(self, link: Link, message: Message) -> Message:
        """Raises OSError, TimeoutError, httpx's errors, or a Problem."""


class HttpsCarrier:
    """POST to the upper level's address. The address is looked at first: none inside our own
    network but those that the administrator allowed."""

    def __init__(self, check: CheckUrl) -> None:
        self._check = check

    async def send(self, link: Link, message: Message) -> Message:
        """The answer. Raises `PeerRefuses` with the code that the peer gave."""
        url = link.url.rstrip("/") + PATH
        to = pinned(url, await self._check(url))
        headers = {"content-type": "application/json", "host": to.host}
        async with (
            httpx.AsyncClient(
                timeout=TIMEOUT_S, limits=ONE_USE, trust_env=False, verify=certificates()
            ) as client,
            client.stream(
                "POST",
                to.url,
                content=msgspec.json.encode(message),
                headers=headers,
                extensions=dict(to.extensions),
            ) as answer,
        ):
            body = b""
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > ANSWER_BYTES_MAX:
                    raise errors.EnvelopeTooLarge(bytes=ANSWER_BYTES_MAX, what=link.peer)
        return read_answer(answer.status_code, body)


class PeerRefusesError(Exception):
    """The other side refuses, for a reason that it gave."""


def read_answer(status: int, body: bytes) -> Message:
    """The answer of a peer. Raises `PeerRefusesError`."""
    try:
        if status >= 400:
            told = msgspec.json.decode(body, type=dict[str, Any])
            raise PeerRefusesError(str(told.get("code") or told.get("type") or status)[:200])
        return msgspec.json.decode(body, type=Message)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PeerRefusesError(f"{status}: no message") from error


class Couriers:
    """A task for each link to an upper level that is reached by a carrier."""

    def __init__(self, db: Database, exchange: Exchange, carriers: dict[str, Carrier]) -> None:
        self._db = db
        self._exchange = exchange
        self._carriers = carriers
        self._calls: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()

    def call(self, peer: str) -> None:
        """There is something for or from a peer: ask at once."""
        if peer in self._calls:
            self._calls[peer].set()

    def look(self) -> None:
        """Links were changed."""
        self._changed.set()
        for event in self._calls.values():
            event.set()

    async def run(self) -> None:
        """Runs for the life of the city."""
        try:
            while True:
                self._changed.clear()
                async with self._db.acquire() as conn:
                    links = await kept.list_links(conn)
                for link in links:
                    task = self._tasks.get(link.peer)
                    if _is_carried(link) and (task is None or task.done()):
                        self._calls[link.peer] = asyncio.Event()
                        self._tasks[link.peer] = asyncio.create_task(self._run(link.peer))
                try:
                    await asyncio.wait_for(self._changed.wait(), POLL_EVERY_S)
                except TimeoutError:
                    continue
        finally:
            for task in self._tasks.values():
                task.cancel()

    async def _run(self, peer: str) -> None:
        failures = 0
        while True:
            self._calls[peer].clear()
            async with self._db.acquire() as conn:
                link = await kept.find_link(conn, peer)
            if link is None or not _is_carried(link):
                return
            try:
                pause_s = await self.exchange_once(link)
                failures = 0
                if pause_s == 0:
                    continue
            except (OSError, TimeoutError, httpx.HTTPError, Problem, PeerRefusesError) as error:
                failures += 1
                pause_s = min(BACKOFF_MAX_S, 0.5 * 2 ** min(failures, 10))
                await self._note(peer, failures, error)
            except Exception as error:
                failures += 1
                pause_s = BACKOFF_MAX_S
                log.exception("federation.courier", peer=peer)
                await self._note(peer, failures, error)
            try:
                waiting = asyncio.sleep(pause_s) if failures else self._calls[peer].wait()
                await asyncio.wait_for(waiting, pause_s)
            except TimeoutError:
                continue

    async def exchange_once(self, link: Link) -> float:
        """One message and its answer; after how many seconds the next, 0 where there is more.

        Raises what the carrier raises, and the Problem of an answer that cannot be believed.
        """
        message = await self._exchange.compose(link.peer)
        if link.status == "invited" and not message.envelopes:
            return POLL_EVERY_S
        answer = await self._carriers[link.carrier].send(link, message)
        taken = await self._exchange.take(answer, link.carrier)
        refused = answer.refused or [{"code": problem.code} for problem in taken.problems]
        async with self._db.acquire() as conn:
            await conn.execute(
                """update federation.link set sent_at = now(), failures = case when $2::text is null
                   then 0 else failures + 1 end, trouble = $2 where peer = $1""",
                link.peer,
                str(refused[0].get("code", "refused"))[:200] if refused else None,
            )
        if refused:
            raise PeerRefusesError(str(refused[0].get("code", "refused"))[:200])
        if message.envelopes or answer.envelopes:
            return 0.0
        return min(max(answer.pause_s or POLL_EVERY_S, POLL_EVERY_S), POLL_MAX_S)

    async def _note(self, peer: str, failures: int, error: Exception) -> None:
        code = error.code if isinstance(error, Problem) else str(error) or type(error).__name__
        if isinstance(error, AddressForbidden):
            code = f"{code}: NAGARA_CALL_HOSTS"
        async with self._db.acquire() as conn:
            await kept.set_link(conn, peer, failures=failures, trouble=code[:200])


def _is_carried(link: Link) -> bool:
    return (
        link.side == "upper"
        and link.carrier in ("https", "nats")
        and link.status in ("invited", "active", "withdrawing")
    )
