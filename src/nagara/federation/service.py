"""The room as one value: what the routes, the carriers and the command line ask for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from nagara.engines.database import Database
from nagara.federation import errors, kept
from nagara.federation.exchange import Exchange, Message
from nagara.federation.inbox import Inbox
from nagara.federation.kept import PAGE_MAX, Waiting
from nagara.federation.keys import OwnKeys
from nagara.federation.links import Links
from nagara.federation.matters import Matters
from nagara.federation.outbox import Outbox
from nagara.federation.shapes import instant, key_view, link_view
from nagara.http.words import words_of
from nagara.values.errors import Problem, problem_class

#: Questions a second that a level wants to be asked by members that have nothing to say: a tenth of
#: a core.
ASKED_PER_S_MAX = 20.0


class Federation:
    """The room's questions, and the one answer that every carrier brings back."""

    def __init__(
        self,
        db: Database,
        own: str,
        keys: OwnKeys,
        links: Links,
        outbox: Outbox,
        inbox: Inbox,
        exchange: Exchange,
        matters: Matters,
        wall: Callable[[], datetime],
    ) -> None:
        self.db = db
        self.own = own
        self.keys = keys
        self.links = links
        self.outbox = outbox
        self.inbox = inbox
        self.exchange = exchange
        self.matters = matters
        self.wall = wall

    async def answer(
        self, message: Message, carrier: str, language: str, only: str | None = None
    ) -> dict[str, Any]:
        """Take a message, and what is to be answered. `only`: whose the line is, where the carrier
        knows it. Raises the Problem where the question cannot be believed."""
        taken = await self.exchange.take(message, carrier)
        if only is not None and taken.peer != only:
            raise errors.SenderUnknown(peer=only[:60])
        refused = [told(problem, language) for problem in taken.problems]
        outcomes = [{"seq": one.seq, "what": one.what} for one in taken.outcomes]
        if taken.peer is None:
            return {"outcomes": outcomes, "refused": refused}
        await self.outbox.seal(taken.peer)
        back = await self.exchange.compose(taken.peer)
        async with self.db.acquire() as conn:
            members = await kept.count_members(conn)
        return {
            "ask": back.ask,
            "envelopes": back.envelopes,
            "refused": refused,
            "outcomes": outcomes,
            "pauseS": members / ASKED_PER_S_MAX,
        }

    # --- how it stands ------------------------------------------------------------------------

    async def status(self) -> dict[str, Any]:
        """Links with what waits, for how long, and the digest of what both know; and what was
        counted. It costs what there is to list, not what was ever told."""
        async with self.db.acquire() as conn:
            links = await kept.list_links(conn)
            waiting = await kept.list_waiting(conn)
            keys = await kept.list_keys(conn)
            rows = await conn.fetch("select code, count from federation.counter order by code")
        now = self.wall()
        items = []
        for link in links:
            found = waiting.get(link.peer, Waiting(link.peer, 0, None))
            lag_s = max(0.0, (now - found.oldest).total_seconds()) if found.oldest else 0.0
            items.append(
                {
                    **link_view(link),
                    "waiting": found.count,
                    "lagS": round(lag_s, 1),
                    "digest": link.out_state if link.side == "upper" else link.in_state,
                    "keys": [key_view(key) for key in keys.get(link.peer, ())],
                }
            )
        return {
            "city": self.own,
            "kid": self.keys.current().kid,
            "links": items,
            "counters": {row["code"]: row["count"] for row in rows},
        }

    async def gauges(self) -> list[tuple[str, str, dict[str, str], float]]:
        """For Prometheus: cheap numbers of each link."""
        async with self.db.acquire() as conn:
            links = await kept.list_links(conn)
            rows = await conn.fetch("select code, count from federation.counter")
        made: list[tuple[str, str, dict[str, str], float]] = []
        for one in links:
            labels = {"peer": one.peer, "carrier": one.carrier}
            made += [
                ("nagara_federation_unacknowledged", "Envelopes not acknowledged", labels,
                 float(one.out_seq - one.out_acked)),
                ("nagara_federation_received", "Envelopes kept", labels, float(one.in_seq)),
                ("nagara_federation_failures", "Failures in a row", labels, float(one.failures)),
            ]  # fmt: skip
        made += [
            ("nagara_federation_outcomes", "What became of envelopes", {"code": r["code"]},
             float(r["count"]))
            for r in rows
        ]  # fmt: skip
        return made

    # --- lists --------------------------------------------------------------------------------

    async def list_received(self, city: str, after: int) -> dict[str, Any]:
        """Envelopes of a member, the newest first."""
        async with self.db.acquire() as conn:
            rows = await conn.fetch(
                """select peer, seq, kid, carrier, digest, created_at, received_at, items
                   from federation.received where peer = $1 and ($2 = 0 or seq < $2)
                   order by seq desc limit $3""",
                city,
                after,
                PAGE_MAX,
            )
        items = [
            {"peer": r["peer"], "seq": r["seq"], "kid": r["kid"], "carrier": r["carrier"],
             "digest": r["digest"], "createdAt": instant(r["created_at"]),
             "receivedAt": instant(r["received_at"]), "items": r["items"]}
            for r in rows
        ]  # fmt: skip
        return {"items": items, "next": items[-1]["seq"] if len(items) == PAGE_MAX else None}

    async def envelope(self, city: str, seq: int) -> str:
        """An envelope as it was signed. Raises `LinkUnknown`."""
        async with self.db.acquire() as conn:
            found: str | None = await conn.fetchval(
                "select jws from federation.received where peer = $1 and seq = $2", city, seq
            )
        if found is None:
            raise errors.LinkUnknown(peer=f"{city[:60]} {seq}")
        return found

    async def list_lineage(
        self, city: str, kind: str | None, subject: str | None, after: str | None
    ) -> dict[str, Any]:
        """Where things came from, by kind and subject, each with its envelope."""
        start = after.split("\t") if after and after.count("\t") == 2 else ["", "", "0"]
        async with self.db.acquire() as conn:
            rows = await conn.fetch(
                """select l.*, r.kid, r.carrier, r.received_at from federation.lineage l
                   join federation.received r on r.peer = l.peer and r.seq = l.seq
                   where l.peer = $1 and ($2::text is null or l.kind = $2)
                     and ($3::text is null or l.subject = $3)
                     and (l.kind, l.subject, l.seq) > ($4, $5, $6)
                   order by l.kind, l.subject, l.seq limit $7""",
                city,
                kind,
                subject,
                start[0],
                start[1],
                int(start[2]) if start[2].isdecimal() and len(start[2]) < 18 else 0,
                PAGE_MAX,
            )
        items = [
            {"peer": r["peer"], "kind": r["kind"], "subject": r["subject"], "seq": r["seq"],
             "n": r["n"], "digest": r["digest"], "kid": r["kid"], "carrier": r["carrier"],
             "author": r["author"], "authoredAt": instant(r["authored_at"]),
             "receivedAt": instant(r["received_at"]), "gone": r["gone"],
             "withdrawnAt": instant(r["withdrawn_at"])}
            for r in rows
        ]  # fmt: skip
        last = rows[-1] if len(rows) == PAGE_MAX else None
        cursor = "\t".join((last["kind"], last["subject"], str(last["seq"]))) if last else None
        return {"items": items, "next": cursor}

    async def list_refused(self, after: int, language: str) -> dict[str, Any]:
        """What was refused, the newest first, in words."""
        async with self.db.acquire() as conn:
            rows = await conn.fetch(
                """select * from federation.refused where $1 = 0 or id < $1
                   order by id desc limit $2""",
                after,
                PAGE_MAX,
            )
        items = []
        for r in rows:
            found = problem_class(r["code"]) or errors.EnvelopeUnreadable
            words = told(found(**r["params"]), language)
            items.append(
                {"id": r["id"], "at": instant(r["at"]), "peer": r["peer"], "seq": r["seq"],
                 "carrier": r["carrier"], "digest": r["digest"],
                 "item": r["params"].get("item"), **words}
            )  # fmt: skip
        return {"items": items, "next": items[-1]["id"] if len(items) == PAGE_MAX else None}


def told(problem: Problem, language: str) -> dict[str, Any]:
    """A refusal in words."""
    words = words_of(problem, language)
    return {
        "code": problem.code,
        "title": words.title,
        "detail": words.detail,
        "hint": words.hint,
    }
