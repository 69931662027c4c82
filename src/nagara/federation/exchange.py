"""One message for every carrier: what I have, what I have for you. The answer is another one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from nagara.engines.database import Connection, Database
from nagara.federation import chains, errors, kept
from nagara.federation.believing import read_claim
from nagara.federation.envelope import ASK, ENVELOPE, open_jws
from nagara.federation.inbox import Inbox, Outcome
from nagara.federation.kept import Link
from nagara.federation.keys import OwnKeys
from nagara.federation.model import ASK_GOOD_FOR, MESSAGE_BYTES_MAX, VERSION, Ask, Claim
from nagara.values.errors import Problem
from nagara.values.unread import reason_unread

ENVELOPES_MAX = 100  # of one message


class Message(Struct, frozen=True):
    """What goes over a carrier. In an answer `refused` tells why, and `pauseS` after how many
    seconds to ask again when nothing waits."""

    ask: str | None = None
    envelopes: list[str] = []
    refused: list[dict[str, Any]] = []
    pause_s: float | None = msgspec.field(default=None, name="pauseS")


class Taken(Struct, frozen=True):
    """What became of a message. `peer` is known where the question could be believed."""

    peer: str | None
    outcomes: list[Outcome]
    problems: list[Problem]


class Exchange:
    """Composes and takes messages. `acknowledged` is called when a peer has kept something.

    Without an inbox (a command beside the city) it only composes.
    """

    def __init__(
        self,
        db: Database,
        own: str,
        keys: OwnKeys,
        inbox: Inbox | None,
        wall: Callable[[], datetime],
    ) -> None:
        self._db = db
        self.own = own
        self._keys = keys
        self._inbox = inbox
        self._wall = wall
        self.acknowledged: Callable[[str], None] = lambda _peer: None

    async def compose(
        self,
        peer: str,
        after: int | None = None,
        bytes_max: int = MESSAGE_BYTES_MAX,
        count_max: int = ENVELOPES_MAX,
    ) -> Message:
        """What a peer is to hear: our question, and envelopes behind `after` (None: behind what
        it has acknowledged). Raises `LinkUnknown`."""
        async with self._db.acquire() as conn:
            link = await kept.get_link(conn, peer)
            start = link.out_acked if after is None else after
            found = await chains.list_sealed(conn, peer, start, count_max)
        envelopes: list[str] = []
        size = 0
        for _, jws in found:
            if envelopes and size + len(jws) > bytes_max:
                break
            envelopes.append(jws)
            size += len(jws)
        # With the key of the first envelope beside it: a newer one may be introduced behind it.
        kid = open_jws(envelopes[0], ENVELOPE).header.kid if envelopes else link.my_kid
        if not self._keys.has(kid):  # long acknowledged, so that a newer one is known there
            kid = link.my_kid
        told = Ask(VERSION, self.own, link.peer, self._wall(), link.in_seq)
        return Message(self._keys.get(kid).sign(told, ASK), envelopes)

    async def take(self, message: Message, carrier: str, fresh: bool = True) -> Taken:
        """Keep what a message brings, envelope by envelope until one is refused, then believe its
        question: an acknowledgement, and the right to an answer.

        Raises the Problem of an envelope that was refused where nothing else can be said.
        """
        assert self._inbox is not None
        outcomes: list[Outcome] = []
        problems: list[Problem] = []
        for jws in message.envelopes[:ENVELOPES_MAX]:
            try:
                outcomes.append(await self._inbox.take(jws, carrier))
            except Problem as problem:
                problems.append(problem)
                if isinstance(problem, errors.OutOfOrder | errors.ChainBroken):
                    break  # those behind it do not fit either
        if message.ask is None:
            if problems:
                raise problems[0]
            return Taken(None, outcomes, problems)
        try:
            peer, is_news = await self._believe(message.ask, fresh)
        except Problem as problem:
            raise (problems[0] if problems else problem) from problem
        if is_news:
            self.acknowledged(peer)
            await self._destroy_old_keys()
        return Taken(peer, outcomes, problems)

    async def _destroy_old_keys(self) -> None:
        """What was signed with an old key has arrived: destroy those that nobody needs."""
        if not self._keys.has_old():
            return
        async with self._db.acquire() as conn:
            in_use = await chains.list_kids_in_use(conn)
        self._keys.keep_only(in_use)

    async def _believe(self, jws: str, fresh: bool) -> tuple[str, bool]:
        assert self._inbox is not None
        opened = open_jws(jws, ASK)
        claim = read_claim(opened)
        try:
            ask = msgspec.json.decode(opened.payload, type=Ask)
        except msgspec.DecodeError as error:
            raise errors.EnvelopeUnreadable(reason=reason_unread(error, opened.payload)) from error
        async with self._db.acquire() as conn, conn.transaction():
            link, made = await self._inbox.believe(conn, opened, Claim(1, claim.from_, claim.to))
            if made is not None:
                raise errors.KeyUnknown(kid=opened.header.kid[:60], peer=link.peer)
            now = self._wall()
            if fresh and abs(now - ask.at) > ASK_GOOD_FOR:
                raise errors.AskStale(at=ask.at.isoformat(), now=now.isoformat())
            return link.peer, await self._acknowledge(conn, link, ask.have)

    async def _acknowledge(self, conn: Connection, link: Link, have: int) -> bool:
        news = await chains.acknowledge(conn, link.peer, have)
        if news and link.side == "upper" and have > link.out_acked:
            status = "active" if link.status == "invited" else link.status
            await kept.set_link(conn, link.peer, secret=None, status=status)
        return news
