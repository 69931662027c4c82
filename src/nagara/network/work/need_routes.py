"""Routes of needs, offers, partners and matches."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from litestar import get, patch, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import asdict, replace

from nagara.guard.identity import Actor
from nagara.guard.permission import allow
from nagara.network.work import errors
from nagara.network.work.kept import PAGE
from nagara.network.work.matching import Need, Offer, OfferKind
from nagara.network.work.needs import MATCHES, NEEDS, OFFERS, Exchange
from nagara.network.work.process_routes import API, Asked, StateOf
from nagara.network.work.rights import Offices, offices_of
from nagara.network.work.rows import out
from nagara.network.work.shapes import page


class NeedBody(Struct, frozen=True, rename="camel"):
    """The body of a new need."""

    city: str
    country: str
    title: str
    kinds: tuple[str, ...]
    words: str = ""
    focus_area: str | None = None
    stage: str | None = None
    amount: float | None = None
    currency: str | None = None
    project: str | None = None
    until: date | None = None


class NeedChange(Struct, frozen=True, rename="camel"):
    """The body of a change of a need: what is absent stays."""

    version: int
    title: str | UnsetType = UNSET
    words: str | UnsetType = UNSET
    kinds: tuple[str, ...] | UnsetType = UNSET
    focus_area: str | UnsetType | None = UNSET
    stage: str | UnsetType | None = UNSET
    amount: float | UnsetType | None = UNSET
    currency: str | UnsetType | None = UNSET
    project: str | UnsetType | None = UNSET
    until: date | UnsetType | None = UNSET
    state: str | UnsetType = UNSET


class OfferBody(Struct, frozen=True, rename="camel"):
    """The body of a new offer, or of a change of one with its `version`."""

    partner: str
    kind: OfferKind
    title: str
    words: str = ""
    focus_areas: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
    climates: tuple[str, ...] = ()
    incomes: tuple[str, ...] = ()
    amount_min: float | None = None
    amount_max: float | None = None
    currency: str | None = None
    opens_on: date | None = None
    closes_on: date | None = None
    city: str | None = None
    source: str = ""
    state: str = "open"
    version: int | None = None


class Answering(Struct, frozen=True):
    """The body of an answer to a match."""

    side: Literal["city", "partner"]
    words: str = ""


class Words(Struct, frozen=True):
    """A body of words."""

    words: str = ""


def _need_out(need: Need) -> dict[str, Any]:
    said = out(need, "who")
    said["focusArea"] = said.pop("focus")
    return said


def _offer_out(offer: Offer, exchange: Exchange) -> dict[str, Any]:
    from_day, to_day = offer.opens_on, offer.closes_on
    said = out(offer, "who")
    said["focusAreas"] = said.pop("focus")
    today = exchange.today()
    said["openNow"] = offer.state == "open" and not (
        (from_day and today < from_day) or (to_day and today > to_day)
    )
    return said


def _sees_need(need: Need, offices: Offices) -> bool:
    return bool(offices.network or offices.guided or offices.partners) or bool(
        {"city", "national"} & set(offices.sides(need.city, need.country, None))
    )


def need_routes(exchange: Exchange) -> list[HTTPRouteHandler]:
    """What cities need."""

    @get(f"{API}/needs", opt=allow("need:read"))
    async def needs(
        request: Asked,
        city: FromQuery[str | None] = None,
        country: FromQuery[str | None] = None,
        focus: FromQuery[str | None] = None,
        stands: StateOf = None,
        after: FromQuery[str | None] = None,
        limit: FromQuery[int] = PAGE,
    ) -> dict[str, Any]:
        """Needs of the cities that the caller sees."""
        offices = offices_of(request.user)
        wide = offices.network or offices.guided or offices.partners
        conditions: list[tuple[str, Any]] = [
            ("city = ?", city),
            ("country = ?", country),
            ("focus = ?", focus),
            ("state = ?", stands),
        ]
        if not wide:
            mine = sorted(offices.cities | offices.countries)
            conditions.append(("(city = any(?::text[]) or country = any(?::text[]))", mine))
        async with exchange.db.acquire() as conn:
            found = await NEEDS.page(conn, conditions, after, limit, newest=True)
        return page([_need_out(need) for need in found], limit)

    @get(f"{API}/needs/{{code:str}}", opt=allow("need:read"))
    async def need(request: Asked, code: FromPath[str]) -> dict[str, Any]:
        """One need."""
        async with exchange.db.acquire() as conn:
            found = await exchange.get_need(conn, code)
        if not _sees_need(found, offices_of(request.user)):
            raise errors.WorkUnknown(what="need", id=code[:80])
        return _need_out(found)

    @post(f"{API}/needs", opt=allow("need:write"))
    async def ask(request: Asked, data: JSONBody[NeedBody]) -> dict[str, Any]:
        """Say what a city needs."""
        said = asdict(data)
        said["focus"] = said.pop("focus_area")
        made = Need(
            id="",
            version=1,
            state="open",
            at=exchange.now(),
            who=request.user.name_for_audit,
            **said | {"country": data.country.upper()},
        )
        return _need_out(await exchange.save_need(made, request.user, None))

    @patch(f"{API}/needs/{{code:str}}", opt=allow("need:write"))
    async def change(
        request: Asked, code: FromPath[str], data: JSONBody[NeedChange]
    ) -> dict[str, Any]:
        """Change a need; also met, or withdrawn."""
        async with exchange.db.acquire() as conn:
            found = await exchange.get_need(conn, code)
        said = {k: v for k, v in asdict(data).items() if v is not UNSET and k != "version"}
        if "focus_area" in said:
            said["focus"] = said.pop("focus_area")
        made = replace(found, **said)
        return _need_out(await exchange.save_need(made, request.user, data.version))

    return [needs, need, ask, change]


def offer_routes(exchange: Exchange) -> list[HTTPRouteHandler]:
    """Partners, and what they offer."""

    @get(f"{API}/partners", opt=allow("offer:read"))
    async def partners(after: FromQuery[str | None] = None) -> dict[str, Any]:
        """Partners of the network, with the source that names them."""
        async with exchange.db.acquire() as conn:
            rows = await conn.fetch(
                "select code as id, name, class, topic, source from network_work.partner"
                " where code > $1 order by code limit 201",
                after or "",
            )
        return page([dict(row) | {"code": row["id"]} for row in rows], 200)

    @get(f"{API}/offers", opt=allow("offer:read"))
    async def offers(
        kind: FromQuery[str | None] = None,
        focus: FromQuery[str | None] = None,
        partner: FromQuery[str | None] = None,
        is_open: StateOf = None,
        standing: FromQuery[bool | None] = None,
        after: FromQuery[str | None] = None,
        limit: FromQuery[int] = PAGE,
    ) -> dict[str, Any]:
        """Offers and calls, newest first; `state=open` for those that are not withdrawn,
        `standing=false` without what only says that a partner is there."""
        conditions = [
            ("kind = ?", kind),
            ("? = any(focus)", focus),
            ("partner = ?", partner),
            ("state = ?", is_open),
            ("(id = 'offer-' || partner) = ?", standing),
        ]
        async with exchange.db.acquire() as conn:
            found = await OFFERS.page(conn, conditions, after, limit, newest=True)
        return page([_offer_out(offer, exchange) for offer in found], limit)

    @get(f"{API}/offers/{{code:str}}", opt=allow("offer:read"))
    async def offer(code: FromPath[str]) -> dict[str, Any]:
        """One offer."""
        async with exchange.db.acquire() as conn:
            return _offer_out(await exchange.get_offer(conn, code), exchange)

    @post(f"{API}/offers", opt=allow("offer:write"))
    async def make(request: Asked, data: JSONBody[OfferBody]) -> dict[str, Any]:
        """Make an offer, or open a call."""
        made = _offer_of(data, "", exchange, request.user)
        return _offer_out(await exchange.save_offer(made, request.user, None), exchange)

    @patch(f"{API}/offers/{{code:str}}", opt=allow("offer:write"))
    async def change(
        request: Asked, code: FromPath[str], data: JSONBody[OfferBody]
    ) -> dict[str, Any]:
        """Replace an offer, or withdraw it."""
        async with exchange.db.acquire() as conn:
            found = await exchange.get_offer(conn, code)
        if data.version is None or data.partner != found.partner:
            raise errors.WorkInvalid(name="version, partner", reason="as they were read")
        made = _offer_of(data, code, exchange, request.user)
        return _offer_out(await exchange.save_offer(made, request.user, data.version), exchange)

    @get(f"{API}/offers/{{code:str}}/eligibility", opt=allow("need:read"))
    async def eligible(request: Asked, code: FromPath[str], need: FromQuery[str]) -> dict[str, Any]:
        """The rules of an offer, and whether a need fulfils each."""
        async with exchange.db.acquire() as conn:
            asked = await exchange.get_need(conn, need)
        if not _sees_need(asked, offices_of(request.user)):
            raise errors.WorkUnknown(what="need", id=need[:80])
        rules = await exchange.rules(need, code)
        return {
            "eligible": all(rule.fulfilled for rule in rules),
            "rules": [out(rule) for rule in rules],
        }

    return [partners, offers, offer, make, change, eligible]


def match_routes(exchange: Exchange) -> list[HTTPRouteHandler]:
    """The matching inbox."""

    @post(f"{API}/needs/{{code:str}}/matches", opt=allow("need:match"), status_code=200)
    async def propose(request: Asked, code: FromPath[str]) -> dict[str, Any]:
        """Have the open offers weighed."""
        found = await exchange.propose(code, request.user)
        return {"items": [out(match) for match in found], "next": None}

    @post(f"{API}/needs/{{code:str}}/apply/{{offer:str}}", opt=allow("need:match"))
    async def apply(
        request: Asked, code: FromPath[str], offer: FromPath[str], data: JSONBody[Words]
    ) -> dict[str, Any]:
        """Apply to a call."""
        return out(await exchange.apply(code, offer, data.words, request.user))

    @get(f"{API}/matches-of-needs", opt=allow("need:read"))
    async def matches(
        request: Asked,
        stands: StateOf = None,
        city: FromQuery[str | None] = None,
        partner: FromQuery[str | None] = None,
        need: FromQuery[str | None] = None,
        after: FromQuery[str | None] = None,
        limit: FromQuery[int] = PAGE,
    ) -> dict[str, Any]:
        """Matches of the caller's own city, country or organisation."""
        offices = offices_of(request.user)
        conditions: list[tuple[str, Any]] = [
            ("state = ?", stands),
            ("city = ?", city),
            ("partner = ?", partner),
            ("need = ?", need),
        ]
        if not (offices.network or offices.guided):
            mine = sorted(offices.cities | offices.countries | offices.partners)
            seen = "(city = any(?::text[]) or country = any(?::text[]) or partner = any(?::text[]))"
            conditions.append((seen, mine))
        async with exchange.db.acquire() as conn:
            found = await MATCHES.page(conn, conditions, after, limit, newest=True)
            named = {
                table.name: {
                    row["id"]: row["title"]
                    for row in await conn.fetch(
                        f"select id, title from {table.name} where id = any($1)",  # noqa: S608
                        [getattr(m, key) for m in found],
                    )
                }
                for table, key in ((NEEDS, "need"), (OFFERS, "offer"))
            }
        return page(
            [
                out(m)
                | {
                    "needTitle": named[NEEDS.name].get(m.need),
                    "offerTitle": named[OFFERS.name].get(m.offer),
                }
                for m in found
            ],
            limit,
        )

    @post(f"{API}/matches-of-needs/{{code:str}}/accept", opt=allow("need:match"), status_code=200)
    async def accept(
        request: Asked, code: FromPath[str], data: JSONBody[Answering]
    ) -> dict[str, Any]:
        """Accept for one's side; agreed once both have."""
        return out(await exchange.answer(code, data.side, data.words, request.user, accept=True))

    @post(f"{API}/matches-of-needs/{{code:str}}/decline", opt=allow("need:match"), status_code=200)
    async def decline(
        request: Asked, code: FromPath[str], data: JSONBody[Answering]
    ) -> dict[str, Any]:
        """Decline for one's side, with a reason."""
        return out(await exchange.answer(code, data.side, data.words, request.user, accept=False))

    return [propose, apply, matches, accept, decline]


def _offer_of(data: OfferBody, code: str, exchange: Exchange, actor: Actor) -> Offer:
    said = asdict(data)
    said["focus"] = said.pop("focus_areas")
    said["version"] = said["version"] or 1
    return Offer(id=code, at=exchange.now(), who=actor.name_for_audit, **said)
