"""Routes of offices: chairs, terms, notices of change, a country's programme."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any

import msgspec
from litestar import get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from nagara.guard.language import language_of
from nagara.guard.permission import allow
from nagara.guard.policy import may
from nagara.network import kept, shapes
from nagara.network.model import Chair, Term, chair_by_rule
from nagara.network.routes import API, TEXT_MAX, Asked, clean, one_of
from nagara.network.service import Network
from nagara.network.tables import chairs, rotation

RULE = {
    "en": "The chair of the network is the chair of ASEAN: member states in the alphabetical order"
    " of their English names, a year each (ASEAN Charter, article 31 (1)). Exceptions are"
    " recorded.",
    "th": "ประธานเครือข่ายคือประธานอาเซียน หมุนเวียนปีละประเทศตามลำดับตัวอักษรชื่อภาษาอังกฤษ"
    " (กฎบัตรอาเซียน ข้อ 31 วรรค 1) ข้อยกเว้นบันทึกไว้",
}


def office_routes(network: Network) -> list[HTTPRouteHandler]:
    """Chairs, terms, notices of change, a country's programme."""

    @get(f"{API}/chairs", opt=allow("network:read"))
    async def chair_list(request: Asked) -> dict[str, Any]:
        """Who chairs in which year, and how that is known."""
        language, today = language_of(request), network.today()
        known = list(chairs())
        async with network.db.acquire() as conn:
            terms = await kept.list_terms(conn, "chair")
        known += [
            Chair(t.starts.year, t.scope, "", t.source)
            for t in terms
            if t.starts.year not in {c.year for c in known}
        ]
        items = [_chair_out(one, known, language) for one in known]
        following = max((c.year for c in known), default=today.year) + 1
        expected = chair_by_rule(following, known, rotation(following))
        if expected:
            items.append(
                {
                    "year": following,
                    "country": expected,
                    "countryName": shapes.country_name(expected, language),
                    "byRule": expected,
                    "exception": None,
                    "source": None,
                    "expected": True,
                }
            )
        items.sort(key=lambda item: item["year"])
        return {"items": items, "rule": RULE[language], "now": today.year, "next": None}

    @get(f"{API}/terms", opt=allow("network:read"))
    async def terms(
        request: Asked,
        role: FromQuery[str | None] = None,
        whose: Annotated[str | None, QueryParameter(name="scope")] = None,
        on: FromQuery[date | None] = None,
    ) -> dict[str, Any]:
        """Terms of office, and what ends next."""
        async with network.db.acquire() as conn:
            found = await kept.list_terms(conn, clean(role), clean(whose), on)
        today, keeper = network.today(), may(request.user, "network:write")
        ending = sorted(
            (t for t in found if t.ends is not None and t.ends >= today),
            key=lambda t: (t.ends or today, t.id),
        )
        return {
            "items": [shapes.term_out(term, keeper) for term in found],
            "endsNext": [
                shapes.term_out(t, keeper) | {"days": ((t.ends or today) - today).days}
                for t in ending[:50]
            ],
            "next": None,
        }

    @post(f"{API}/terms", opt=allow("network:write"), status_code=201)
    async def add_term(request: Asked, data: JSONBody[shapes.TermBody]) -> dict[str, Any]:
        """A term of office."""
        return shapes.term_out(await network.add_term(_term(data), request.user), True)

    @get(f"{API}/notices", opt=allow("network:read"))
    async def notices(
        request: Asked, which: Annotated[str | None, QueryParameter(name="state")] = None
    ) -> dict[str, Any]:
        """Notices that somebody follows somebody in an office."""
        one_of("state", which, ("announced", "confirmed", "refused"))
        async with network.db.acquire() as conn:
            found = await kept.list_notices(conn, which)
        keeper = may(request.user, "network:write")
        return {"items": [shapes.notice_out(one, keeper) for one in found], "next": None}

    @post(f"{API}/notices", opt=allow("network:write"), status_code=201)
    async def announce(request: Asked, data: JSONBody[shapes.TermBody]) -> dict[str, Any]:
        """Announce who follows in an office and from when."""
        term = _term(data)
        term = term if term.source else msgspec.structs.replace(term, source="notice")
        made = await network.announce(term, clean(data.words) or "", request.user)
        return shapes.notice_out(made, True)

    @post(f"{API}/notices/{{notice_id:int}}", opt=allow("network:write"), status_code=200)
    async def settle_notice(
        request: Asked, notice_id: FromPath[int], data: JSONBody[shapes.NoticeDecision]
    ) -> dict[str, Any]:
        """Confirm or refuse a change; not by him who announced it."""
        made = await network.settle_notice(
            min(notice_id, 2**62), data.decision == "confirm", data.words, request.user
        )
        return shapes.notice_out(made, True)

    @get(f"{API}/programme", opt=allow("network:read"))
    async def programme(country: FromQuery[str | None] = None) -> dict[str, Any]:
        """Phases and provinces of a country's own programme."""
        async with network.db.acquire() as conn:
            found = await kept.list_phases(conn, clean(country))
        return {"items": [msgspec.to_builtins(one) for one in found], "next": None}

    return [chair_list, terms, add_term, notices, announce, settle_notice, programme]


def _term(data: shapes.TermBody) -> Term:
    return Term(
        data.role, data.scope[:TEXT_MAX], data.starts, data.ends, data.source[:2_000],
        data.office[:TEXT_MAX], clean(data.account),
    )  # fmt: skip


def _chair_out(one: Chair, known: Sequence[Chair], language: str) -> dict[str, Any]:
    return {
        "year": one.year,
        "country": one.country,
        "countryName": shapes.country_name(one.country, language),
        "byRule": chair_by_rule(one.year, known, rotation(one.year)),
        "exception": (one.exception_th if language == "th" else "") or one.exception or None,
        "source": one.source,
        "expected": False,
    }
