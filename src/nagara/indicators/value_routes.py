"""Routes of values: asked for, and walked down to the records."""

from __future__ import annotations

import base64
import json
from datetime import date
from typing import Any, Literal

from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery
from msgspec import Struct
from msgspec.structs import replace

from nagara.guard.identity import Actor
from nagara.guard.language import language_of
from nagara.guard.permission import allow
from nagara.guard.policy import case_departments, may
from nagara.indicators import shapes
from nagara.indicators.computing import Computing
from nagara.indicators.errors import PeriodInvalid, ValueInvalid
from nagara.indicators.kept import PAGE_MAX, Kept, Wanted
from nagara.indicators.lineage import Lineage
from nagara.indicators.periods import read_label
from nagara.indicators.reading import Reading, Told
from nagara.indicators.register import Register
from nagara.indicators.routes import API, Asked, From, SetName

VALUE = f"{API}/{{code:str}}/values/{{value_id:int}}"


class Desk(Struct, frozen=True):
    """What the routes of values work with."""

    register: Register
    reading: Reading
    computing: Computing
    lineage: Lineage


def sees_drafts(actor: Actor) -> bool:
    """Whether an actor sees drafts, authors and proofs."""
    return may(actor, "indicator:draft")


def read_routes(desk: Desk) -> list[HTTPRouteHandler]:
    """What everybody may ask."""
    register, reading = desk.register, desk.reading
    library = reading.library

    async def page(request: Asked, wanted: Wanted) -> dict[str, Any]:
        size = max(1, min(wanted.limit, PAGE_MAX))
        drafts = sees_drafts(request.user)
        found = await reading.list_values(
            replace(wanted, drafts=drafts, limit=size + 1), may(request.user, "indicator:check")
        )
        language = language_of(request)
        items = [shapes.value_out(told, language, library, drafts) for told in found[:size]]
        return {
            "items": items,
            "next": _cursor(found[size - 1].kept) if len(found) > size else None,
        }

    @get(f"{API}/values", opt=allow("indicator:read"))
    async def values(
        request: Asked,
        code: FromQuery[str | None] = None,
        city: FromQuery[str | None] = None,
        start: From = None,
        to: FromQuery[str | None] = None,
        area: FromQuery[str | None] = "",
        breakdown: FromQuery[str | None] = "",
        status: FromQuery[str | None] = None,
        entered: FromQuery[bool] = False,
        after: FromQuery[str | None] = None,
        limit: FromQuery[int] = 100,
    ) -> dict[str, Any]:
        """Values of the city, or of another; `area=*` and `breakdown=*`: of all; `entered`: by
        people alone."""
        return await page(
            request,
            Wanted(
                city or register.city.code,
                code.split(",")[:PAGE_MAX] if code else None,
                read_day(start),
                read_day(to),
                None if area == "*" else area,
                None if breakdown == "*" else breakdown,
                status.split(",") if status else [],
                entered=entered,
                after=_read_cursor(after),
                limit=limit,
            ),
        )

    @get(f"{API}/{{code:str}}/values", opt=allow("indicator:read"))
    async def story(
        request: Asked,
        code: FromPath[str],
        city: FromQuery[str | None] = None,
        start: From = None,
        to: FromQuery[str | None] = None,
        area: FromQuery[str | None] = "",
        breakdown: FromQuery[str | None] = "",
        after: FromQuery[str | None] = None,
        limit: FromQuery[int] = 200,
    ) -> dict[str, Any]:
        """The story of one definition in time."""
        library.get(code)
        return await page(
            request,
            Wanted(
                city or register.city.code,
                [code],
                read_day(start),
                read_day(to),
                None if area == "*" else area,
                None if breakdown == "*" else breakdown,
                after=_read_cursor(after),
                limit=limit,
            ),
        )

    @get(VALUE, opt=allow("indicator:read"))
    async def value(request: Asked, code: FromPath[str], value_id: FromPath[int]) -> dict[str, Any]:
        """One value with its steps."""
        drafts = sees_drafts(request.user)
        found = await register.get(code, value_id, drafts)
        (told,) = await _hidden(reading, found, request.user)
        out = shapes.value_out(told, language_of(request), library, drafts)
        steps = [] if told.hidden else await register.list_steps(value_id)
        return out | {"steps": [shapes.step_out(step, drafts) for step in steps]}

    @get(f"{API}/answers", opt=allow("indicator:read"))
    async def answers(
        request: Asked, of: SetName = None, year: FromQuery[int | None] = None
    ) -> dict[str, Any]:
        """Each definition of a set with its answer, its own or over the crosswalk."""
        definitions = library.of_set(of or "nagara")
        lines = await reading.lines(definitions, year_asked(desk, year), sees_drafts(request.user))
        language = language_of(request)
        return {"items": [shapes.line_out(line, language) for line in lines], "next": None}

    @get(f"{API}/scorecard", opt=allow("indicator:read"))
    async def scorecard(
        request: Asked, frame: FromQuery[str] = "ascf", year: FromQuery[int | None] = None
    ) -> dict[str, Any]:
        """Each place of a frame with its indicators, their change and their target."""
        cards = await reading.scorecard(frame, year_asked(desk, year), sees_drafts(request.user))
        language = language_of(request)
        return {
            "items": [
                {
                    "frame": place.frame,
                    "level": place.level,
                    "code": place.code,
                    "name": place.name,
                    "parent": place.parent or None,
                    "answered": sum(line.reply.value is not None for line in lines),
                    "indicators": [shapes.line_out(line, language) for line in lines],
                }
                for place, lines in cards
            ],
            "next": None,
        }

    @get(f"{API}/compare", opt=allow("indicator:read"))
    async def compare(
        request: Asked,
        code: FromQuery[str],
        cities: FromQuery[str],
        start: From = None,
        to: FromQuery[str | None] = None,
    ) -> dict[str, Any]:
        """One definition in several cities over time."""
        drafts = sees_drafts(request.user)
        found = await reading.compare(
            code,
            [c for c in dict.fromkeys(cities.split(",")) if c],
            read_day(start) or date(1900, 1, 1),
            read_day(to) or date(2900, 1, 1),
            drafts,
        )
        language = language_of(request)
        return {
            "definition": shapes.definition_out(library.get(code), library),
            "items": [
                {
                    "city": city,
                    "values": [shapes.value_out(v, language, library, False) for v in mine],
                }
                for city, mine in found.items()
            ],
            "next": None,
        }

    @get(f"{API}/targets", opt=allow("indicator:read"))
    async def targets(request: Asked, code: FromQuery[str | None] = None) -> dict[str, Any]:
        """The targets that hold, and where the city stands."""
        drafts = sees_drafts(request.user)
        found = await reading.targets(code, today(desk), drafts)
        return {"items": [shapes.target_out(t, p, v, drafts) for t, p, v in found], "next": None}

    return [values, story, value, answers, scorecard, compare, targets]


def lineage_routes(desk: Desk) -> list[HTTPRouteHandler]:
    """From a value down to the records."""

    @get(f"{VALUE}/lineage", opt=allow("indicator:read"))
    async def lineage(
        request: Asked,
        code: FromPath[str],
        value_id: FromPath[int],
        part: FromQuery[Literal["numerator", "denominator"]] = "numerator",
        district: FromQuery[str | None] = None,
        after: FromQuery[str | None] = None,
        limit: FromQuery[int] = 100,
    ) -> dict[str, Any]:
        """What a value was made of: formula, counts by district, records."""
        actor = request.user
        found = await desk.register.get(code, value_id, sees_drafts(actor))
        (told,) = await _hidden(desk.reading, found, actor)
        if told.hidden:
            return {
                "value": shapes.value_out(told, language_of(request), desk.reading.library, False)
            }
        records = await desk.lineage.records(
            found,
            part,
            district,
            after,
            limit,
            case_departments(actor),
            may(actor, "case:read"),
        )
        again = await desk.lineage.counted_now(found) if after is None else None
        return {
            "value": shapes.value_out(
                found, language_of(request), desk.reading.library, sees_drafts(actor)
            ),
            "definition": shapes.definition_out(
                desk.reading.library.get(code), desk.reading.library
            ),
            "inputs": found.inputs,
            "countedNow": None
            if again is None
            else {
                "value": again.value.value,
                "numerator": again.value.numerator,
                "denominator": again.value.denominator,
            },
            "part": part,
            "set": records.said,
            "kind": records.kind,
            "items": records.items,
            "next": records.next,
        }

    @get(f"{VALUE}/lineage/readings", opt=allow("indicator:read"))
    async def readings(
        request: Asked,
        code: FromPath[str],
        value_id: FromPath[int],
        entity: FromQuery[str],
        day: FromQuery[str],
    ) -> dict[str, Any]:
        """The very readings of one station in one day."""
        found = await desk.register.get(code, value_id, sees_drafts(request.user))
        wanted = read_day(day)
        if wanted is None:
            raise PeriodInvalid(start=day[:40], end="")
        return {"items": await desk.lineage.readings(found, entity, wanted), "next": None}

    return [lineage, readings]


async def _hidden(reading: Reading, value: Kept, actor: Actor) -> list[Told]:
    if may(actor, "indicator:check"):
        return [Told(value)]
    return await reading.hide([value])


def today(desk: Desk) -> date:
    """The city's day."""
    return desk.register.today()


def year_asked(desk: Desk, year: int | None) -> int:
    """The year that is asked for, else the running one; a Buddhist year is taken as such."""
    if year is None:
        return today(desk).year
    return read_label(str(year))[0].year


def read_day(said: str | None) -> date | None:
    """The day that a parameter names. Raises `PeriodInvalid`."""
    if not said:
        return None
    try:
        return date.fromisoformat(said[:10])
    except ValueError as error:
        raise PeriodInvalid(start=said[:40], end="") from error


def _cursor(value: Kept) -> str:
    key = [
        value.city,
        value.code,
        str(value.period_end),
        str(value.period_start),
        value.area,
        value.breakdown,
    ]
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode()


def _read_cursor(said: str | None) -> tuple[str, str, date, date, str, str] | None:
    if not said:
        return None
    try:
        city, code, end, start, area, breakdown = json.loads(base64.urlsafe_b64decode(said))
        return (
            str(city),
            str(code),
            date.fromisoformat(end),
            date.fromisoformat(start),
            str(area),
            str(breakdown),
        )
    except (ValueError, TypeError) as error:
        raise ValueInvalid(reason=f"after={said[:40]}") from error
