"""Routes of processes: definitions, inbox, applications, certificates, returns."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from litestar import Request, get, patch, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Struct, field

from nagara.guard.identity import Actor
from nagara.guard.permission import allow
from nagara.network.work import certificates, errors, shapes
from nagara.network.work.changing import Opening
from nagara.network.work.kept import PAGE, Wanted
from nagara.network.work.members import list_places
from nagara.network.work.model import Process
from nagara.network.work.returns import Correction, Due, Returns
from nagara.network.work.service import Processes

Asked = Request[Actor, Any, Any]
API = "/api/v1/network"
APPLICATIONS = ("joining", "thailand")
#: The state in which a process stands: Litestar keeps the plain name for itself.
StateOf = Annotated[str | None, QueryParameter(name="state")]
#: Country of the programme of each process that has phases.
PROGRAMMES = {"thailand": "TH"}
BODY_BYTES_MAX = 2_000_000


class Applying(Struct, frozen=True):
    """The body of a new application."""

    process: Literal["joining", "thailand"]
    city: str
    country: str
    title: str
    phase: str | None = None


class Editing(Struct, frozen=True):
    """The body of an edit."""

    version: int
    parts: dict[str, str] = {}
    fields: dict[str, Any] = {}
    lines: tuple[Correction, ...] = ()


class Acting(Struct, frozen=True):
    """The body of an act."""

    version: int | None = None
    words: str = ""
    fields: dict[str, Any] = {}


class Reviewing(Struct, frozen=True):
    """The body of a review."""

    verdict: Literal["fit", "fit-with-comments", "not-yet"]
    words: str = ""


class Positioning(Struct, frozen=True):
    """The body of a position."""

    position: Literal["agree", "agree-with-comments", "abstain", "object"]
    words: str = ""


class OpeningYear(Struct, frozen=True):
    """The body that opens a year's returns."""

    year: int
    cities: tuple[Due, ...] = ()
    codes: tuple[str, ...] = ()


class Checking(Struct, frozen=True):
    """The body of a check."""

    jws: str = field(default="")


async def tell(processes: Processes, process: Process, actor: Actor) -> dict[str, Any]:
    """The process after a write, whole."""
    return shapes.whole(await processes.get(process.id, actor))


async def demand_kind(
    processes: Processes, process_id: str, kinds: tuple[str, ...], actor: Actor
) -> None:
    """Raises `WorkUnknown` where a process is of another kind than the route's."""
    told = await processes.get(process_id, actor)
    if told.process.process not in kinds:
        raise errors.WorkUnknown(what=kinds[0], id=process_id[:80])


def definition_routes(processes: Processes) -> list[HTTPRouteHandler]:
    """What processes there are, what waits for whom, and certificates."""

    @get(f"{API}/processes", opt=allow("certificate:read"))
    async def definitions() -> dict[str, Any]:
        """All processes as data."""
        found = processes.definitions.all.values()
        return {"items": [shapes.definition(one) for one in found], "next": None}

    @get(f"{API}/processes/{{code:str}}", opt=allow("certificate:read"))
    async def definition(code: FromPath[str]) -> dict[str, Any]:
        """One process as data."""
        return shapes.definition(processes.definitions.get(code))

    @get(f"{API}/inbox", opt=allow("inbox:read"))
    async def inbox(request: Asked) -> dict[str, Any]:
        """What waits for the caller's office, soonest due first."""
        found = await processes.inbox(request.user)
        return {"items": [shapes.with_acts(told) for told in found], "next": None}

    @get(f"{API}/programmes/{{code:str}}", opt=allow("certificate:read"))
    async def programme(code: FromPath[str]) -> dict[str, Any]:
        """Phases of a programme, with the process of each named place."""
        country = PROGRAMMES.get(code)
        if country is None:
            raise errors.WorkUnknown(what="programme", id=code[:80])
        async with processes.db.acquire() as conn:
            places = await list_places(conn, country)
            ids = [place_id(code, p.phase, p.province) for p in places]
            rows = await conn.fetch(
                "select id, state from network_work.process where id = any($1)", ids
            )
        states = {row["id"]: row["state"] for row in rows}
        definition = processes.definitions.get(code)
        return {
            "items": [
                {
                    "phase": str(p.phase),
                    "period": p.period,
                    "place": p.province or None,
                    "how": p.how,
                    "source": p.source,
                    "process": at if at in states else None,
                    "state": states.get(at),
                    "stateName": dict(definition.state(states[at]).name) if at in states else None,
                }
                for p, at in zip(places, ids, strict=True)
            ],
            "next": None,
        }

    @get(f"{API}/certificates/key", opt=allow("certificate:read"))
    async def key() -> dict[str, Any]:
        """The hub's public key, as JWK (RFC 8037)."""
        return dict(processes.seal.jwk)

    @get(f"{API}/certificates/{{code:str}}", opt=allow("certificate:read"))
    async def certificate(code: FromPath[str]) -> dict[str, Any]:
        """One certificate with its signature."""
        async with processes.db.acquire() as conn:
            found = await certificates.get(conn, code)
        return (shapes.certificate(found) or {}) | {
            "document": found["document"],
            "jws": found["jws"],
            "key": dict(processes.seal.jwk),
        }

    @post(f"{API}/certificates/check", opt=allow("certificate:read"), status_code=200)
    async def check(data: JSONBody[Checking]) -> dict[str, Any]:
        """Whether a certificate is genuine, and still holds."""
        checked = processes.seal.check(data.jws)
        kept = None
        if checked.document is not None:
            async with processes.db.acquire() as conn:
                kept = await conn.fetchrow(
                    "select withdrawn_at from network_work.certificate where id = $1",
                    str(checked.document.get("certificate")),
                )
        return {
            "genuine": checked.genuine,
            "issuedHere": kept is not None,
            "withdrawn": bool(kept and kept["withdrawn_at"]),
            "document": checked.document,
            "why": checked.why,
        }

    return [definitions, definition, inbox, programme, key, certificate, check]


def application_routes(processes: Processes) -> list[HTTPRouteHandler]:
    """Joining the network, and the programmes that go the same way."""
    one = f"{API}/applications/{{code:str}}"

    @get(f"{API}/applications", opt=allow("application:read"))
    async def listed(
        request: Asked,
        process: FromQuery[str | None] = None,
        stands: StateOf = None,
        country: FromQuery[str | None] = None,
        city: FromQuery[str | None] = None,
        phase: FromQuery[str | None] = None,
        overdue: FromQuery[bool | None] = None,
        after: FromQuery[str | None] = None,
        limit: FromQuery[int] = PAGE,
    ) -> dict[str, Any]:
        """Applications that the caller sees."""
        kinds = (process,) if process in APPLICATIONS else APPLICATIONS
        wanted = Wanted(
            kinds, stands, country, city, phase, overdue=overdue, after=after, limit=limit
        )
        found = await processes.list_seen(wanted, request.user)
        return shapes.page([shapes.head(told) for told in found], limit)

    @post(f"{API}/applications", opt=allow("application:act"))
    async def begin(request: Asked, data: JSONBody[Applying]) -> dict[str, Any]:
        """Begin an application."""
        country = PROGRAMMES.get(data.process)
        if country is not None:
            await _demand_phase(processes, country, data)
        elif data.phase is not None:
            raise errors.WorkInvalid(name="phase", reason="this process has no phases")
        opening = Opening(data.process, data.city, data.country, data.title, data.phase)
        return await tell(processes, await processes.open(opening, request.user), request.user)

    @get(one, opt=allow("application:read"))
    async def read(request: Asked, code: FromPath[str]) -> dict[str, Any]:
        """One application with its steps."""
        await demand_kind(processes, code, APPLICATIONS, request.user)
        return shapes.whole(await processes.get(code, request.user))

    @patch(one, opt=allow("application:act"), request_max_body_size=BODY_BYTES_MAX)
    async def edit(request: Asked, code: FromPath[str], data: JSONBody[Editing]) -> dict[str, Any]:
        """Write parts of an application."""
        await demand_kind(processes, code, APPLICATIONS, request.user)
        done = await processes.edit(code, data.version, request.user, data.parts, data.fields)
        return await tell(processes, done, request.user)

    @put(f"{one}/reviews/{{lane:str}}", opt=allow("application:act"))
    async def review(
        request: Asked, code: FromPath[str], lane: FromPath[str], data: JSONBody[Reviewing]
    ) -> dict[str, Any]:
        """Review a lane, for another country's application."""
        done = await processes.review(code, lane, data.verdict, data.words, request.user)
        return await tell(processes, done, request.user)

    @put(f"{one}/position", opt=allow("application:act"))
    async def position(
        request: Asked, code: FromPath[str], data: JSONBody[Positioning]
    ) -> dict[str, Any]:
        """Take one's country's position."""
        done = await processes.take_position(code, data.position, data.words, request.user)
        return await tell(processes, done, request.user)

    @post(f"{one}/acts/{{act:str}}", opt=allow("application:act"), status_code=200)
    async def act(
        request: Asked, code: FromPath[str], act: FromPath[str], data: JSONBody[Acting]
    ) -> dict[str, Any]:
        """Do an act of the definition."""
        await demand_kind(processes, code, APPLICATIONS, request.user)
        done = await processes.act(code, act, data.version, request.user, data.words, data.fields)
        return await tell(processes, done, request.user)

    return [listed, begin, read, edit, review, position, act]


def return_routes(returns: Returns) -> list[HTTPRouteHandler]:
    """Yearly returns."""
    processes = returns.processes
    one = f"{API}/returns/{{code:str}}"
    kinds = ("return",)

    @get(f"{API}/returns", opt=allow("return:read"))
    async def listed(
        request: Asked,
        year: FromQuery[int | None] = None,
        stands: StateOf = None,
        country: FromQuery[str | None] = None,
        city: FromQuery[str | None] = None,
        overdue: FromQuery[bool | None] = None,
        after: FromQuery[str | None] = None,
        limit: FromQuery[int] = PAGE,
    ) -> dict[str, Any]:
        """Returns that the caller sees."""
        wanted = Wanted(
            kinds, stands, country, city, year=year, overdue=overdue, after=after, limit=limit
        )
        found = await processes.list_seen(wanted, request.user)
        return shapes.page([shapes.head(told) for told in found], limit)

    @post(f"{API}/returns/open", opt=allow("application:act"), status_code=200)
    async def open_year(request: Asked, data: JSONBody[OpeningYear]) -> dict[str, Any]:
        """Open a year's returns, filled already."""
        opened, there = await returns.open_year(data.year, data.cities, data.codes, request.user)
        return {"opened": opened, "there": there}

    @get(f"{API}/returns/progress", opt=allow("return:read"))
    async def progress(request: Asked, year: FromQuery[int]) -> dict[str, Any]:
        """How far a year's returns are."""
        found = await returns.progress(year, request.user)
        return {"year": year, "total": sum(s["count"] for s in found), "states": found}

    @get(one, opt=allow("return:read"))
    async def read(request: Asked, code: FromPath[str]) -> dict[str, Any]:
        """One return with its lines and steps."""
        await demand_kind(processes, code, kinds, request.user)
        return shapes.whole(await processes.get(code, request.user))

    @post(f"{one}/fill", opt=allow("return:act"), status_code=200)
    async def fill(request: Asked, code: FromPath[str]) -> dict[str, Any]:
        """Fill again from the city's own system."""
        return await tell(processes, await returns.refill(code, request.user), request.user)

    @patch(one, opt=allow("return:act"), request_max_body_size=BODY_BYTES_MAX)
    async def edit(request: Asked, code: FromPath[str], data: JSONBody[Editing]) -> dict[str, Any]:
        """Change parts and lines."""
        done = await returns.correct(code, data.version, request.user, data.parts, data.lines)
        return await tell(processes, done, request.user)

    @post(f"{one}/acts/{{act:str}}", opt=allow("return:act"), status_code=200)
    async def act(
        request: Asked, code: FromPath[str], act: FromPath[str], data: JSONBody[Acting]
    ) -> dict[str, Any]:
        """Send, forward, send back, accept, reopen."""
        await demand_kind(processes, code, kinds, request.user)
        done = await processes.act(code, act, data.version, request.user, data.words, data.fields)
        return await tell(processes, done, request.user)

    return [listed, open_year, progress, read, fill, edit, act]


def place_id(process: str, phase: int, place: str) -> str:
    """The id of the process of a place that is named in a phase."""
    return f"{process}-{phase}-{place.lower().replace(' ', '-')}" if place else ""


async def _demand_phase(processes: Processes, country: str, data: Applying) -> None:
    """Raises `WorkInvalid` for an unknown phase, `PlaceNotNamed` for a place not in its list."""
    async with processes.db.acquire() as conn:
        places = [p for p in await list_places(conn, country) if str(p.phase) == data.phase]
    if not places:
        raise errors.WorkInvalid(name="phase", reason="no such phase")
    if data.country != country:
        raise errors.WorkInvalid(name="country", reason=country)
    named = [p.province for p in places if p.province]
    if named and data.title.casefold() not in {name.casefold() for name in named}:
        raise errors.PlaceNotNamed(place=data.title[:80], phase=data.phase, named=", ".join(named))
