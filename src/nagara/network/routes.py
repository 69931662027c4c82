"""Routes of members, offices, projects over the years and matches."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
from litestar import Request, get, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from nagara.guard.identity import Actor
from nagara.guard.language import language_of
from nagara.guard.permission import allow
from nagara.guard.policy import may
from nagara.network import kept, shapes
from nagara.network.errors import FilterInvalid
from nagara.network.figures import FRESH, STATUS_ORDER, Fate
from nagara.network.kept import PAGE_MAX, Wanted
from nagara.network.model import (
    BECAME,
    MEMBER_STATUSES,
    Member,
    Row,
    Words,
)
from nagara.network.reports import AfterFate, Reports
from nagara.network.service import Network
from nagara.network.wording import focus_in, status_in
from nagara.vocab.project import FOCUS_AREAS

Asked = Request[Actor, Any, Any]
API = "/api/v1/network"
From = Annotated[int, QueryParameter(name="from")]
TEXT_MAX = 200


def member_routes(network: Network) -> list[HTTPRouteHandler]:
    """Members and the map."""

    @get(f"{API}/members", opt=allow("network:read"))
    async def members(
        request: Asked,
        country: FromQuery[str | None] = None,
        status: FromQuery[str | None] = None,
        year: FromQuery[int | None] = None,
        after: FromQuery[str | None] = None,
        limit: FromQuery[int] = 200,
    ) -> dict[str, Any]:
        """Members in the order of their codes."""
        one_of("status", status, MEMBER_STATUSES)
        size = page_size(limit)
        async with network.db.acquire() as conn:
            found = await kept.list_members(
                conn, country, status, year_asked(year), clean(after), size + 1
            )
        language = language_of(request)
        return {
            "items": [shapes.member_out(member, language) for member in found[:size]],
            "next": found[size - 1].code if len(found) > size else None,
        }

    @get(f"{API}/members/{{code:str}}", opt=allow("network:read"))
    async def member(request: Asked, code: FromPath[str]) -> dict[str, Any]:
        """One member, with offices and its projects over the years."""
        found = await network.get_member(clean(code) or "")
        async with network.db.acquire() as conn:
            rows = await kept.rows_of_members(conn, [found.code])
            terms = [
                *await kept.list_terms(conn, "chief", found.code),
                *await kept.list_terms(conn, "national", found.country),
            ]
        keeper = may(request.user, "network:write")
        language = language_of(request)
        return shapes.member_out(found, language) | {
            "terms": [shapes.term_out(term, keeper) for term in terms],
            "projects": _over_the_years(rows, language),
        }

    @put(f"{API}/members/{{code:str}}", opt=allow("network:write"), status_code=200)
    async def put_member(
        request: Asked, code: FromPath[str], data: JSONBody[shapes.MemberBody]
    ) -> dict[str, Any]:
        """A new member, or a correction."""
        said = msgspec.to_builtins(data)
        made = Member(
            code, data.name, data.country, data.joined_year, data.pilot,
            said["status"], data.left_year, data.location, tuple(data.focus), data.source,
            data.version,
        )  # fmt: skip
        found = await network.put_member(made, request.user)
        return shapes.member_out(found, language_of(request))

    @get(f"{API}/years", opt=allow("network:read"))
    async def years() -> dict[str, Any]:
        """Years that have rows."""
        async with network.db.acquire() as conn:
            found = await kept.years(conn)
        return {
            "items": [
                {"year": r["year"], "projects": r["rows"], "cities": r["cities"]} for r in found
            ],
            "next": None,
        }

    @get(f"{API}/summary", opt=allow("network:read"))
    async def summary(request: Asked, year: FromQuery[int | None] = None) -> dict[str, Any]:
        """Each member with its counts of a year: what the map shows."""
        async with network.db.acquire() as conn:
            known = [r["year"] for r in await kept.years(conn)]
            wanted = year_asked(year) or (known[-1] if known else network.today().year)
            found = await kept.list_members(conn, limit=None)
            counted = await kept.summary(conn, wanted)
        focus: dict[str, dict[str, int]] = defaultdict(dict)
        status: dict[str, dict[str, int]] = defaultdict(dict)
        for r in counted:
            for held, key in ((focus, r["focus"]), (status, r["status"] or "none")):
                mine = held[r["member"]]
                mine[key] = mine.get(key, 0) + r["n"]
        language = language_of(request)
        return {
            "year": wanted,
            "years": known,
            "focusNames": {code: focus_in(code, language) for code in FOCUS_AREAS},
            "statusNames": {code: status_in(code, language) for code in STATUS_ORDER}
            | {"none": status_in(None, language)},
            "items": [
                shapes.member_out(one, language)
                | {
                    "projects": sum(focus[one.code].values()),
                    "byFocus": focus[one.code],
                    "byStatus": status[one.code],
                }
                for one in found
            ],
            "next": None,
        }

    @get(f"{API}/status", opt=allow("network:read"))
    async def status(request: Asked, year: FromQuery[int | None] = None) -> dict[str, Any]:
        """How many projects of a year stand where: by country, focus area and status together."""
        async with network.db.acquire() as conn:
            known = {r["year"]: r for r in await kept.years(conn)}
            wanted = year_asked(year) or max(known, default=network.today().year)
            found = await kept.status_of_year(conn, wanted)
        language = language_of(request)
        return {
            "year": wanted,
            "years": sorted(known),
            "projects": known[wanted]["rows"] if wanted in known else 0,
            "cities": known[wanted]["cities"] if wanted in known else 0,
            "items": [
                {
                    "country": r["country"],
                    "countryName": shapes.country_name(r["country"], language),
                    "focus": r["focus"],
                    "focusName": focus_in(r["focus"], language),
                    "status": r["status"],
                    "statusName": status_in(r["status"], language),
                    "count": r["n"],
                }
                for r in found
            ],
            "next": None,
        }

    return [members, member, put_member, years, summary, status]


def project_routes(network: Network, reports: Reports) -> list[HTTPRouteHandler]:
    """Rows of the reports, what became of them, matches."""

    @get(f"{API}/projects", opt=allow("network:read"))
    async def projects(
        request: Asked,
        year: FromQuery[int | None] = None,
        country: FromQuery[str | None] = None,
        city: FromQuery[str | None] = None,
        focus: FromQuery[str | None] = None,
        status: FromQuery[str | None] = None,
        q: FromQuery[str | None] = None,
        after: FromQuery[str | None] = None,
        limit: FromQuery[int] = 200,
    ) -> dict[str, Any]:
        """Rows, the latest year first."""
        one_of("focus", focus, tuple(FOCUS_AREAS))
        one_of("status", status, (*STATUS_ORDER, "none"))
        size = page_size(limit)
        wanted = Wanted(
            year_asked(year), clean(country), clean(city), focus, status, clean(q), _cursor(after),
            size + 1,
        )  # fmt: skip
        async with network.db.acquire() as conn:
            found = await kept.list_rows(conn, wanted)
            names = await names_of(conn, (row.member for row in found))
        language = language_of(request)
        return {
            "items": [
                shapes.row_out(row, names.get(row.member, {"en": row.member}), language)
                for row in found[:size]
            ],
            "next": _cursor_of(found[size - 1]) if len(found) > size else None,
        }

    @get(f"{API}/projects/became", opt=allow("network:read"))
    async def became(
        request: Asked,
        start: From,
        to: FromQuery[int],
        kind: FromQuery[str | None] = None,
        after: FromQuery[str | None] = None,
        limit: FromQuery[int] = PAGE_MAX,
    ) -> dict[str, Any]:
        """What became of each row of a year by another: all counts, and a page of the rows."""
        one_of("kind", kind, BECAME)
        size = page_size(limit)
        found = await reports.became(
            year_asked(start) or 0, year_asked(to) or 0, kind, _after_fate(after), size + 1
        )
        items = found.items[:size]
        async with network.db.acquire() as conn:
            matches = await kept.matches_of_titles(conn, [fate.title for fate in items])
        language = language_of(request)
        return {
            "from": start,
            "to": to,
            "counts": found.counts,
            "items": [
                shapes.fate_out(fate, matches.get(fate.title, []), language) for fate in items
            ],
            "next": _fate_cursor(items[-1]) if len(found.items) > size else None,
        }

    @get(f"{API}/matches", opt=allow("network:read"))
    async def matches(
        request: Asked,
        which: Annotated[str | None, QueryParameter(name="state")] = None,
        city: FromQuery[str | None] = None,
        after: FromQuery[int | None] = None,
        limit: FromQuery[int] = 200,
    ) -> dict[str, Any]:
        """Proposals that a later name is an earlier project."""
        one_of("state", which, ("proposed", "confirmed", "rejected"))
        size = page_size(limit)
        bounded = None if after is None else min(max(after, 0), 2**62)
        async with network.db.acquire() as conn:
            found = await kept.list_matches(conn, which, clean(city), bounded, size + 1)
            names = await names_of(conn, (match.member for match in found))
        language, keeper = language_of(request), may(request.user, "network:match")
        return {
            "items": [
                shapes.match_out(match, names.get(match.member, {}), language, keeper)
                for match in found[:size]
            ],
            "next": found[size - 1].id if len(found) > size else None,
        }

    @post(f"{API}/matches/{{match_id:int}}", opt=allow("network:match"), status_code=200)
    async def settle(
        request: Asked, match_id: FromPath[int], data: JSONBody[shapes.MatchDecision]
    ) -> dict[str, Any]:
        """Confirm or reject a proposal."""
        made = await network.settle_match(
            min(match_id, 2**62), data.decision == "confirm", data.kind, clean(data.note) or "",
            request.user, [min(max(one, 0), 2**62) for one in data.others[:PAGE_MAX]],
        )  # fmt: skip
        async with network.db.acquire() as conn:
            names = await names_of(conn, [made.member])
        return shapes.match_out(made, names.get(made.member, {}), language_of(request), True)

    return [projects, became, matches, settle]


async def names_of(conn: Any, codes: Any) -> Mapping[str, Words]:
    """Names of members by code."""
    wanted = set(codes)
    if not wanted:
        return {}
    rows = await conn.fetch(
        "select code, name from network.member where code = any($1)", sorted(wanted)
    )
    return {row["code"]: row["name"] for row in rows}


def clean(text: str | None) -> str | None:
    """A text that a database can look for; None for an empty one."""
    return (text or "").replace("\0", "")[:TEXT_MAX] or None


def page_size(limit: int) -> int:
    """The size of a page: 1 – 1,000."""
    return max(1, min(limit, PAGE_MAX))


def year_asked(year: int | None) -> int | None:
    """A year that can be. Raises `FilterInvalid`."""
    if year is not None and not 0 < year < 10_000:
        raise FilterInvalid(field="year", got=str(year)[:20], why="1 – 9999")
    return year


def one_of(field: str, got: str | None, known: Sequence[str]) -> None:
    """Raises `FilterInvalid` for a word that is none of those known."""
    if got is not None and got not in known:
        raise FilterInvalid(field=field, got=got[:40], why=", ".join(known))


def _over_the_years(rows: Sequence[Row], language: str) -> list[dict[str, Any]]:
    """A city's projects: rows of one identity together; of none, by title."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.project or f"title:{row.title}"].append(row)
    found = []
    for mine in groups.values():
        last = mine[-1]
        found.append(
            {
                "project": last.project,
                "name": last.name,
                "formerNames": list(dict.fromkeys(r.name for r in mine if r.title != last.title)),
                "focus": last.focus,
                "focusName": focus_in(last.focus, language),
                "years": [
                    {"year": r.year, "name": r.name, "focus": r.focus, "status": r.status,
                     "statusName": status_in(r.status, language)}
                    for r in mine
                ],
            }
        )  # fmt: skip
    return sorted(found, key=lambda one: str(one["name"]))


def _cursor_of(row: Row) -> str:
    return _sealed(row.year, row.country, row.member, row.title)


def _fate_cursor(fate: Fate) -> str:
    """From where the next page goes on: 1, among rows that are new; else 0."""
    return _sealed(int(fate.kind in FRESH), fate.country, fate.city, fate.title)


def _after_fate(text: str | None) -> AfterFate | None:
    last = _cursor(text, least=0)
    return last and AfterFate(last[0] == 1, last[1:])


def _sealed(number: int, country: str, member: str, title: int) -> str:
    said = msgspec.json.encode([number, country, member, title])
    return base64.urlsafe_b64encode(said).decode().rstrip("=")


def _cursor(text: str | None, least: int = 1) -> tuple[int, str, str, int] | None:
    """What `_sealed` made; its number is not below `least`. Raises `FilterInvalid`."""
    if not text:
        return None
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        number, country, member, title = msgspec.json.decode(data, type=tuple[int, str, str, int])
    except (ValueError, msgspec.DecodeError) as error:
        raise FilterInvalid(field="after", got=text[:40], why="next") from error
    if not (least <= number < 10_000 and 0 <= title < 2**62) or "\0" in country + member:
        raise FilterInvalid(field="after", got=text[:40], why="next")
    return number, country[:2], member[:TEXT_MAX], title
