"""Routes of what people do with values: enter, take through their steps, count, aim."""

from __future__ import annotations

from typing import Any

from litestar import patch, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody

from nagara.guard.language import language_of
from nagara.guard.permission import allow
from nagara.indicators import shapes
from nagara.indicators.errors import PeriodInvalid, ValueInvalid
from nagara.indicators.routes import API, Asked
from nagara.indicators.targets import Target
from nagara.indicators.value_routes import VALUE, Desk, today
from nagara.indicators.workflow import Act


def write_routes(desk: Desk) -> list[HTTPRouteHandler]:
    """What people do with values."""
    register, library = desk.register, desk.reading.library

    @post(f"{API}/{{code:str}}/values", opt=allow("indicator:write"), status_code=201)
    async def enter(
        request: Asked, code: FromPath[str], data: JSONBody[shapes.EntryBody]
    ) -> dict[str, Any]:
        """Enter a value by hand; it is a draft."""
        made, _ = await register.enter(code, shapes.entry_of(data), request.user)
        return shapes.value_out(made, language_of(request), library, True)

    @patch(VALUE, opt=allow("indicator:write"))
    async def change(
        request: Asked,
        code: FromPath[str],
        value_id: FromPath[int],
        data: JSONBody[shapes.EntryBody],
    ) -> dict[str, Any]:
        """Change a draft; `If-Match` names the version that was read."""
        found = await register.get(code, value_id, True)
        entry = shapes.entry_of(data, (found.period_start, found.period_end))
        said = request.headers.get("if-match", "").strip('"')
        version = int(said) if said.isdigit() else None
        made, _ = await register.change(found, entry, request.user, version)
        return shapes.value_out(made, language_of(request), library, True)

    def step(act: Act, permission: str) -> HTTPRouteHandler:
        @post(f"{VALUE}/{act}", opt=allow(permission), status_code=200, name=f"indicator-{act}")
        async def take(
            request: Asked,
            code: FromPath[str],
            value_id: FromPath[int],
            data: JSONBody[shapes.WordsBody],
        ) -> dict[str, Any]:
            """Take a value a step on, or back."""
            found = await register.get(code, value_id, True)
            made = await register.act(found, act, request.user, data.words[:2000])
            return shapes.value_out(made, language_of(request), library, True)

        return take

    @post(f"{API}/compute", opt=allow("indicator:compute"), status_code=200)
    async def compute(data: JSONBody[shapes.ComputeBody]) -> dict[str, Any]:
        """Count now, and keep what was counted."""
        day = today(desk)
        start, end = data.start or day, data.end or day
        if end < start:
            raise PeriodInvalid(start=str(start), end=str(end))
        done = await desk.computing.compute(data.codes, start, end)
        return {"formulas": done.formulas, "periods": done.periods, "values": done.values}

    @put(f"{API}/{{code:str}}/target", opt=allow("indicator:target"))
    async def target(
        request: Asked, code: FromPath[str], data: JSONBody[shapes.TargetBody]
    ) -> dict[str, Any]:
        """Set a target; the ones before stay in its history."""
        definition = library.get(code)
        sense = data.sense or ("down" if definition.direction == "down" else "up")
        if len(data.source) > 400 or len(data.note or "") > 2000:
            raise ValueInvalid(reason="source, note")
        wanted = Target(
            "",
            code,
            data.area,
            0,
            data.baseline,
            data.baseline_on,
            data.target,
            data.target_on,
            sense,
            data.note,
            data.source,
            "",
            register.now(),
        )
        made = await register.set_target(wanted, request.user)
        told = await desk.reading.targets(code, today(desk), True)
        return next(shapes.target_out(t, p, v, True) for t, p, v in told if t.area == made.area)

    return [
        enter,
        change,
        step("check", "indicator:check"),
        step("return", "indicator:check"),
        step("approve", "indicator:approve"),
        step("lock", "indicator:approve"),
        step("reopen", "indicator:approve"),
        compute,
        target,
    ]
