"""Agreements of cities with partners: a process, with outputs that fall due, and their routes."""

from __future__ import annotations

from datetime import date
from typing import Any

from litestar import get, patch, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody
from msgspec import Struct, to_builtins
from msgspec.structs import replace

from nagara.guard.permission import allow
from nagara.network.work import errors, shapes, timing
from nagara.network.work.changing import Decided, Opening
from nagara.network.work.checks import demand_side, demand_text
from nagara.network.work.inbox import Told
from nagara.network.work.kept import PAGE, Wanted
from nagara.network.work.model import Definition, Process
from nagara.network.work.process_routes import API, Acting, Asked, StateOf, demand_kind
from nagara.network.work.rights import offices_of
from nagara.network.work.service import Processes

PROCESS = ("agreement",)
OUTPUTS_MAX = 50


class Output(Struct, frozen=True, rename="camel"):
    """Something that an agreement promises."""

    code: str
    words: str
    due_on: date
    delivered_on: date | None = None
    evidence: str | None = None


class AgreementBody(Struct, frozen=True, rename="camel"):
    """The body of a new agreement."""

    city: str
    country: str
    partner: str
    title: str
    starts_on: date
    ends_on: date
    match: str | None = None
    outputs: tuple[Output, ...] = ()


class OutputsBody(Struct, frozen=True):
    """The body of a change of the outputs of a draft."""

    version: int
    outputs: tuple[Output, ...]


class Delivered(Struct, frozen=True, rename="camel"):
    """The body that says an output was delivered."""

    delivered_on: date
    evidence: str


def _outputs(said: tuple[Output, ...]) -> list[Any]:
    if len(said) > OUTPUTS_MAX:
        raise errors.TooMany(limit=OUTPUTS_MAX)
    for one in said:
        demand_text("outputs", one.words, 1_000, empty=False)
    if len({one.code for one in said}) != len(said):
        raise errors.WorkInvalid(name="outputs", reason="each code once")
    found: list[Any] = to_builtins(said)
    return found


def _shape(told: Told, today: date) -> dict[str, Any]:
    outputs = [
        one | {"overdue": not one.get("deliveredOn") and one["dueOn"] < today.isoformat()}
        for one in told.process.doc.fields.get("outputs", [])
    ]
    return {"outputs": outputs}


def agreement_routes(processes: Processes) -> list[HTTPRouteHandler]:
    """Agreements with dates, outputs and renewal."""
    one = f"{API}/agreements/{{code:str}}"

    def today() -> date:
        return processes.floor.city.calendar.local_day(processes.now())

    async def tell(request: Asked, code: str) -> dict[str, Any]:
        told = await processes.get(code, request.user)
        return shapes.whole(told) | _shape(told, today())

    @get(f"{API}/agreements", opt=allow("agreement:read"))
    async def listed(
        request: Asked,
        city: FromQuery[str | None] = None,
        country: FromQuery[str | None] = None,
        partner: FromQuery[str | None] = None,
        stands: StateOf = None,
        after: FromQuery[str | None] = None,
        limit: FromQuery[int] = PAGE,
    ) -> dict[str, Any]:
        """Agreements that the caller sees."""
        wanted = Wanted(PROCESS, stands, country, city, partner=partner, after=after, limit=limit)
        found = await processes.list_seen(wanted, request.user)
        return shapes.page([shapes.head(t) | _shape(t, today()) for t in found], limit)

    @post(f"{API}/agreements", opt=allow("agreement:act"))
    async def begin(request: Asked, data: JSONBody[AgreementBody]) -> dict[str, Any]:
        """Begin an agreement."""
        if data.ends_on <= data.starts_on:
            raise errors.WorkInvalid(name="endsOn", reason=f"a day after {data.starts_on}")
        fields = {
            "startsOn": data.starts_on.isoformat(),
            "endsOn": data.ends_on.isoformat(),
            "match": data.match,
            "outputs": _outputs(data.outputs),
        }
        opening = Opening(
            "agreement", data.city, data.country, data.title, partner=data.partner, fields=fields
        )
        return await tell(request, (await processes.open(opening, request.user)).id)

    @get(one, opt=allow("agreement:read"))
    async def read(request: Asked, code: FromPath[str]) -> dict[str, Any]:
        """One agreement."""
        await demand_kind(processes, code, PROCESS, request.user)
        return await tell(request, code)

    @patch(one, opt=allow("agreement:act"))
    async def edit(
        request: Asked, code: FromPath[str], data: JSONBody[OutputsBody]
    ) -> dict[str, Any]:
        """Change the outputs of a draft; what was signed has to be signed again."""
        await demand_kind(processes, code, PROCESS, request.user)
        fields = {"outputs": _outputs(data.outputs)}
        await processes.edit(code, data.version, request.user, {}, fields)
        return await tell(request, code)

    @post(f"{one}/outputs/{{output:str}}", opt=allow("agreement:act"), status_code=200)
    async def deliver(
        request: Asked, code: FromPath[str], output: FromPath[str], data: JSONBody[Delivered]
    ) -> dict[str, Any]:
        """Say that an output was delivered, with what proves it."""
        await demand_kind(processes, code, PROCESS, request.user)
        demand_text("evidence", data.evidence, 1_000, empty=False)
        actor = request.user

        def decide(_definition: Definition, process: Process) -> Decided:
            side, of = demand_side(
                offices_of(actor).of(process), ("city", "partner", "secretariat"), process
            )
            if process.state != "active":
                raise errors.WorkLocked(id=process.id, state=process.state)
            outputs = [dict(o) for o in process.doc.fields.get("outputs", [])]
            mine = next((o for o in outputs if o["code"] == output), None)
            if mine is None:
                raise errors.WorkUnknown(what="output", id=output[:80])
            mine |= {"deliveredOn": data.delivered_on.isoformat(), "evidence": data.evidence}
            body = replace(process.doc, fields=process.doc.fields | {"outputs": outputs})
            said = timing.step(
                process, f"deliver:{output}", process.state, processes.now(),
                who=actor.name_for_audit, office=side, of=of, words=data.evidence,
            )  # fmt: skip
            return replace(process, doc=body, step_count=said.n), [said], None

        await processes.change(code, actor, "deliver", decide)
        return await tell(request, code)

    @post(f"{one}/acts/{{act:str}}", opt=allow("agreement:act"), status_code=200)
    async def act(
        request: Asked, code: FromPath[str], act: FromPath[str], data: JSONBody[Acting]
    ) -> dict[str, Any]:
        """Sign, put into force, renew, end."""
        await demand_kind(processes, code, PROCESS, request.user)
        await processes.act(code, act, data.version, request.user, data.words, data.fields)
        return await tell(request, code)

    return [listed, begin, read, edit, deliver, act]
