"""Needs and offers: kept, weighed against each other, accepted or declined by persons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from nagara.context.room import Floor
from nagara.engines.database import Connection
from nagara.guard import audit
from nagara.guard.audit import AuditEntry
from nagara.guard.identity import Actor
from nagara.network.work import errors, kept, matching
from nagara.network.work.checks import TITLE_CHARACTERS_MAX, demand_place, demand_text
from nagara.network.work.matching import Need, Offer, Reason
from nagara.network.work.members import find_members
from nagara.network.work.peers import plain
from nagara.network.work.rights import offices_of
from nagara.network.work.rows import Table
from nagara.vocab.project import FOCUS_AREAS, STAGES

WORDS_MAX = 10_000
#: Offers weighed for a need: the newest that are open.
OFFERS_WEIGHED_MAX = 2_000
#: Matches proposed at once: more than a person reads are no proposal.
PROPOSED_MAX = 20
#: Below, the kind alone or a word in common speaks for it.
SCORE_MIN = 8.0
KINDS = ("solution", "funding", "partner", "twin")

NEEDS, OFFERS = Table("need", Need), Table("offer", Offer)


class Match(Struct, frozen=True):
    """A need and an offer that could meet: the columns of `network_work.match`."""

    id: str
    version: int
    need: str
    offer: str
    city: str
    country: str
    partner: str
    score: float
    state: str
    reasons: tuple[Reason, ...]
    steps: tuple[dict[str, Any], ...]
    at: datetime


MATCHES = Table("match", Match)


class Exchange:
    """The use cases around needs, offers and matches."""

    def __init__(self, floor: Floor) -> None:
        self.db = floor.db
        self._floor = floor

    def now(self) -> datetime:
        """The city's time."""
        return self._floor.context.clock.now()

    def today(self) -> date:
        """The day in the city's zone."""
        return self._floor.city.calendar.local_day(self.now())

    async def save_need(self, need: Need, actor: Actor, before: int | None) -> Need:
        """Keep a need; `before`: the version that is changed. Raises `WorkNotYours` and others."""
        demand_place(need.city, need.country)
        offices_of(actor).demand_city(need.city, need.country)
        check_texts(need.title, need.words, (need.focus,) if need.focus else (), need.stage)
        _demand_kinds(need.kinds)
        _demand_money(need.amount, need.currency)
        if need.state not in ("open", "met", "withdrawn"):
            raise errors.WorkInvalid(name="state", reason="open, met or withdrawn")
        made: Need = await self._save(NEEDS, need, actor, before, "need")
        return made

    async def save_offer(self, offer: Offer, actor: Actor, before: int | None) -> Offer:
        """Keep an offer or call. Raises `WorkNotYours` and others."""
        offices = offices_of(actor)
        if offer.city is not None and offer.city != offer.partner:
            raise errors.WorkInvalid(name="city", reason="a city offers under its own code")
        offices.demand_partner(offer.partner)
        check_texts(offer.title, offer.words, offer.focus, None)
        _demand_kinds((offer.kind,))
        for amount in (offer.amount_min, offer.amount_max):
            _demand_money(amount, offer.currency)
        if offer.opens_on and offer.closes_on and offer.closes_on < offer.opens_on:
            raise errors.WorkInvalid(name="closesOn", reason="before opensOn")
        if offer.state not in ("open", "withdrawn"):
            raise errors.WorkInvalid(name="state", reason="open or withdrawn")
        made: Offer = await self._save(OFFERS, offer, actor, before, "offer")
        return made

    async def _save(
        self, table: Table, row: Any, actor: Actor, before: int | None, kind: str
    ) -> Any:
        async with self.db.acquire() as conn, conn.transaction():
            if before is None:
                now = self.now()
                number = await kept.next_number(conn, f"{kind}-{now.year}")
                row = replace(row, id=f"{kind}-{now.year}-{number:05}", at=now, version=1)
                await table.insert(conn, row)
            else:
                row = replace(row, version=before + 1, at=self.now())
                await table.update(conn, row, before)
            await self.audit(conn, actor, kind, row)
        return row

    async def audit(self, conn: Connection, actor: Actor, act: str, row: Any) -> None:
        """Remember an act, last in its transaction."""
        digest = audit.digest_of([msgspec.json.encode(row)])
        entry = AuditEntry(actor.name_for_audit, f"network:{act}", f"{act}:{row.id}", digest)
        await audit.record(conn, self._floor.guard.wall(), entry)

    async def get_need(self, conn: Connection, need_id: str) -> Need:
        """Raises `WorkUnknown`."""
        found: Need | None = await NEEDS.find(conn, need_id)
        if found is None:
            raise errors.WorkUnknown(what="need", id=need_id[:80])
        return found

    async def get_offer(self, conn: Connection, offer_id: str) -> Offer:
        """Raises `WorkUnknown`."""
        found: Offer | None = await OFFERS.find(conn, offer_id)
        if found is None:
            raise errors.WorkUnknown(what="offer", id=offer_id[:80])
        return found

    async def rules(self, need_id: str, offer_id: str) -> list[matching.Rule]:
        """The rules of an offer, and whether a need fulfils them today."""
        async with self.db.acquire() as conn:
            need = await self.get_need(conn, need_id)
            offer = await self.get_offer(conn, offer_id)
            mine = await _classes(conn, [need.city])
        return matching.eligibility(need, offer, mine.get(need.city, {}), self.today())

    async def propose(self, need_id: str, actor: Actor) -> list[Match]:
        """Weigh the open offers; keep the best as proposals. What is there already stays."""
        async with self.db.acquire() as conn, conn.transaction():
            need = await self.get_need(conn, need_id)
            offices_of(actor).demand_city(need.city, need.country)
            if need.state != "open":
                raise errors.WorkLocked(id=need.id, state=need.state)
            rows = await conn.fetch(
                f"select {OFFERS.list} from network_work.offer"  # noqa: S608 - of our types
                " where state = 'open' and kind = any($1) order by id desc limit $2",
                list(need.kinds),
                OFFERS_WEIGHED_MAX,
            )
            offers: list[Offer] = [OFFERS.read(row) for row in rows]
            classes = await _classes(conn, [need.city, *(o.city for o in offers if o.city)])
            mine, today = classes.get(need.city, {}), self.today()
            weighed = []
            for offer in offers:
                theirs = classes.get(offer.city or "", {})
                why = matching.reasons(need, offer, mine, theirs)
                rules = matching.eligibility(need, offer, mine, today)
                score = matching.scored(why)
                if score >= SCORE_MIN and all(rule.fulfilled for rule in rules):
                    weighed.append((score, offer, why))
            weighed.sort(key=lambda one: (-one[0], one[1].id))
            made = []
            for score, offer, why in weighed[:PROPOSED_MAX]:
                match = self._match(need, offer, score, why)
                await conn.execute(
                    "delete from network_work.match where id = $1 and state = 'proposed'", match.id
                )
                known = await MATCHES.find(conn, match.id)
                if known is None:
                    await MATCHES.insert(conn, match)
                made.append(known or match)
            await self.audit(conn, actor, "propose", need)
        return made

    def _match(self, need: Need, offer: Offer, score: float, why: Sequence[Reason]) -> Match:
        now = self.now()
        return Match(
            f"{need.id}~{offer.id}", 1, need.id, offer.id, need.city, need.country, offer.partner,
            score, "proposed", tuple(why), (), now,
        )  # fmt: skip

    async def apply(self, need_id: str, offer_id: str, words: str, actor: Actor) -> Match:
        """Apply to a call. Raises `WindowClosed`, `NotEligible` with the first rule not met."""
        demand_text("words", words, WORDS_MAX)
        async with self.db.acquire() as conn, conn.transaction():
            need = await self.get_need(conn, need_id)
            side, of = offices_of(actor).demand_city(need.city, need.country)
            offer = await self.get_offer(conn, offer_id)
            classes = await _classes(conn, [need.city, *((offer.city,) if offer.city else ())])
            mine, today = classes.get(need.city, {}), self.today()
            if not matching.is_open(offer, today):
                raise errors.WindowClosed(
                    opens=str(offer.opens_on or "…"),
                    closes=str(offer.closes_on or "…"),
                    today=str(today),
                )
            for rule in matching.eligibility(need, offer, mine, today):
                if not rule.fulfilled:
                    raise errors.NotEligible(rule=rule.rule, words=rule.words["en"], offer=offer.id)
            why = matching.reasons(need, offer, mine, classes.get(offer.city or "", {}))
            match = self._match(need, offer, matching.scored(why), why)
            step = _step(self.now(), side, of, "apply", words, actor)
            match = replace(match, state="accepted-by-city", steps=(step,))
            known = await MATCHES.find(conn, match.id)
            if known is not None and known.state != "proposed":
                raise errors.WorkTaken(id=known.id)
            if known is not None:
                match = replace(match, version=known.version + 1)
                await MATCHES.update(conn, match, known.version)
            else:
                await MATCHES.insert(conn, match)
            await self.audit(conn, actor, "apply", match)
        return match

    async def answer(
        self,
        match_id: str,
        side: Literal["city", "partner"],
        words: str,
        actor: Actor,
        *,
        accept: bool,
    ) -> Match:
        """Accept or decline for one side; a decline needs words.

        Raises `WorkNotYours`, `WordsMissing`, `StepNotPossible`.
        """
        demand_text("words", words, WORDS_MAX)
        act = "accept" if accept else "decline"
        if not accept and not words.strip():
            raise errors.WordsMissing(act=act)
        async with self.db.acquire() as conn, conn.transaction():
            found: Match | None = await MATCHES.find(conn, match_id)
            offices = offices_of(actor)
            if found is None:
                raise errors.WorkUnknown(what="match", id=match_id[:80])
            if side == "city":
                office, of = offices.demand_city(found.city, found.country)
            else:
                office, of = offices.demand_partner(found.partner)
            state = matching.side_of(found.state, side, accept)
            if state is None:
                raise errors.StepNotPossible(act=act, state=found.state, why="state", possible="–")
            step = _step(self.now(), office, of, act, words, actor)
            made = replace(
                found, state=state, version=found.version + 1, steps=(*found.steps, step)
            )
            await MATCHES.update(conn, made, found.version)
            await self.audit(conn, actor, act, made)
        return made


def _step(at: datetime, office: str, of: str, act: str, words: str, actor: Actor) -> dict[str, Any]:
    return {
        "at": at.isoformat(),
        "office": office,
        "of": of,
        "act": act,
        "words": words.strip() or None,
        "who": actor.name_for_audit,
    }


async def _classes(conn: Connection, cities: Sequence[str]) -> Mapping[str, dict[str, str]]:
    return {member.code: plain(member) for member in await find_members(conn, cities)}


def check_texts(title: str, words: str, focus: Sequence[str], stage: str | None) -> None:
    """Raises `WorkInvalid` for texts or codes that cannot be kept."""
    demand_text("title", title, TITLE_CHARACTERS_MAX, empty=False)
    demand_text("words", words, WORDS_MAX)
    for code in focus:
        if code not in FOCUS_AREAS:
            raise errors.WorkInvalid(name="focusArea", reason=", ".join(FOCUS_AREAS))
    if stage is not None and stage not in STAGES:
        raise errors.WorkInvalid(name="stage", reason=", ".join(STAGES))


def _demand_kinds(kinds: Sequence[str]) -> None:
    if not kinds or not set(kinds) <= set(KINDS):
        raise errors.WorkInvalid(name="kinds", reason=", ".join(KINDS))


def _demand_money(amount: float | None, currency: str | None) -> None:
    if amount is None:
        return
    if not 0 < amount < 1e15:
        raise errors.WorkInvalid(name="amount", reason="more than nothing")
    if currency is None or len(currency) != 3 or not currency.isalpha():
        raise errors.WorkInvalid(name="currency", reason="three letters of ISO 4217")
