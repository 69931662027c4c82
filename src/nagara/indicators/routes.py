"""Routes of what the city counts by itself, and of what is measured at all."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, QueryParameter

from nagara.guard.identity import Actor
from nagara.guard.language import language_of
from nagara.guard.permission import allow
from nagara.guard.policy import case_departments, may
from nagara.indicators import shapes
from nagara.indicators.errors import BreakdownUnknown, PeriodInvalid
from nagara.indicators.measures import Period
from nagara.indicators.model import Fact, Value
from nagara.indicators.reading import Reading
from nagara.indicators.service import Answer, Indicators, said
from nagara.indicators.suppression import hidden_cells
from nagara.values.time import format_instant, parse_instant

Asked = Request[Actor, Any, Any]
API = "/api/v1/indicators"
RECORDS_PAGE_MAX = 500
From = Annotated[str | None, QueryParameter(name="from")]
SetName = Annotated[str | None, QueryParameter(name="set")]


def indicator_routes(indicators: Indicators, reading: Reading) -> list[HTTPRouteHandler]:
    """Values as counted now, with their lineage, and the cases behind them."""

    @get(API, opt=allow("indicator:read"))
    async def list_indicators(request: Asked) -> dict[str, Any]:
        """All indicators with the city's value of each."""
        language = language_of(request)
        answers = await indicators.list_latest()
        return {"items": [_head(answer, language) for answer in answers], "next": None}

    @get(f"{API}/{{code:str}}", opt=allow("indicator:read"))
    async def one(
        request: Asked,
        code: FromPath[str],
        by: FromQuery[str | None] = None,
        start: From = None,
        to: FromQuery[str | None] = None,
    ) -> dict[str, Any]:
        """One indicator, by district where asked: the year behind as it was last counted (`asOf`),
        or counted now over the period that is named."""
        if by not in (None, "", "district"):
            raise BreakdownUnknown(got=str(by)[:40])
        language = language_of(request)
        period = _period(start, to)
        if period == Period():
            answer = await indicators.latest(code)
        else:
            answer = await indicators.answer(code, period)
        head = _head(answer, language)
        if by == "district":
            head["rows"] = _rows(answer, reading.below, may(request.user, "indicator:check"))
        return head

    @get(f"{API}/{{code:str}}/cases", opt=allow("case:read"))
    async def counted(
        request: Asked,
        code: FromPath[str],
        which: FromQuery[Literal["numerator", "denominator"]] = "denominator",
        district: FromQuery[str | None] = None,
        start: From = None,
        to: FromQuery[str | None] = None,
        after: FromQuery[str | None] = None,
        limit: FromQuery[int] = 100,
    ) -> dict[str, Any]:
        """The cases that a number was counted from; of them those of departments whose cases the
        actor sees. What a crew was given is told by its work list alone."""
        size = max(1, min(limit, RECORDS_PAGE_MAX))
        found = await indicators.list_counted(
            code,
            which,
            _period(start, to),
            district,
            after,
            size + 1,
            case_departments(request.user),
        )
        items = [_case(fact) for fact in found[:size]]
        return {"items": items, "next": items[-1]["id"] if len(found) > size else None}

    return [list_indicators, one, counted]


def definition_routes(reading: Reading) -> list[HTTPRouteHandler]:
    """What is measured: sets, definitions, frames."""
    library = reading.library

    @get(f"{API}/sets", opt=allow("indicator:read"))
    async def sets() -> dict[str, Any]:
        """The sets of definitions, with how much of each the city counts by itself."""
        items = []
        for one in library.sets:
            definitions = library.of_set(one.code)
            counted = sum(
                any(d.formula for d in library.of_measure(definition.measure))
                for definition in definitions
            )
            items.append(
                {
                    "code": one.code,
                    "name": one.name,
                    "publisher": one.publisher,
                    "kind": one.kind,
                    "definitions": len(definitions),
                    "computed": counted,
                    "unconfirmed": sum(d.evidence != "confirmed" for d in definitions),
                }
            )
        return {"items": items, "next": None}

    @get(f"{API}/definitions", opt=allow("indicator:read"))
    async def definitions(
        of: SetName = None,
        frame: FromQuery[str | None] = None,
        q: FromQuery[str | None] = None,
        computed: FromQuery[bool | None] = None,
        after: FromQuery[str | None] = None,
        limit: FromQuery[int] = 100,
    ) -> dict[str, Any]:
        """Definitions: of a set, at a place of a frame (`ascf:FA4.1`), with a word in them."""
        found = library.of_set(of) if of else list(library.definitions.values())
        if frame:
            found = [d for d in found if frame in d.frames]
        if q:
            word = q.strip().lower()[:80]
            found = [
                d
                for d in found
                if any(word in text.lower() for text in (d.code, d.standard_code, *d.name.values()))
            ]
        if computed is not None:
            found = [
                d
                for d in found
                if any(o.formula for o in library.of_measure(d.measure)) == computed
            ]
        size = max(1, min(limit, RECORDS_PAGE_MAX))
        start = next((n + 1 for n, d in enumerate(found) if d.code == after), 0) if after else 0
        page = found[start : start + size]
        more = start + size < len(found)
        return {
            "items": [shapes.definition_out(d, library) for d in page],
            "next": page[-1].code if more else None,
        }

    @get(f"{API}/definitions/{{code:str}}", opt=allow("indicator:read"))
    async def definition(code: FromPath[str]) -> dict[str, Any]:
        """One definition with the others of its measure."""
        return shapes.definition_out(library.get(code), library)

    @get(f"{API}/frames", opt=allow("indicator:read"))
    async def frames() -> dict[str, Any]:
        """The frames as trees, with the codes at each place."""
        return {
            "items": [
                {
                    "frame": p.frame,
                    "level": p.level,
                    "code": p.code,
                    "name": p.name,
                    "parent": p.parent or None,
                    "source": p.source,
                    "definitions": [d.code for d in library.at_place(p.frame, p.code)],
                }
                for p in library.places
            ],
            "next": None,
        }

    return [sets, definitions, definition, frames]


def _head(answer: Answer, language: str) -> dict[str, Any]:
    formula, value = answer.formula, answer.value
    period = answer.period
    return {
        "code": formula.code,
        "name": formula.name,
        "unit": formula.unit,
        "formula": formula.meaning,
        "counted": said(formula),
        "direction": formula.direction,
        "source": formula.source,
        "value": value.value,
        "numerator": value.numerator,
        "denominator": value.denominator,
        "asOf": format_instant(answer.as_of),
        "from": format_instant(period.start) if period.start else None,
        "to": format_instant(period.end) if period.end else None,
        "quality": value.quality,
        "missing": shapes.missing_of(value, language, formula.caveat),
        "distance": formula.distance,
        "version": formula.version,
        "frames": formula.frames,
    }


def _rows(answer: Answer, below: int, reveal: bool) -> list[dict[str, Any]]:
    """The districts of an answer; small cells hidden from all but those who check."""
    hidden: frozenset[str | None] = frozenset()
    if answer.formula.people and not reveal:
        cells = {d: (v.numerator or 0.0, v.denominator or 0.0) for d, v in answer.rows}
        hidden = hidden_cells(cells, below)
    return [_row(district, value, district in hidden) for district, value in answer.rows]


def _row(district: str | None, value: Value, hidden: bool) -> dict[str, Any]:
    return {
        "district": district,
        "value": None if hidden else value.value,
        "numerator": None if hidden else value.numerator,
        "denominator": None if hidden else value.denominator,
        "suppressed": hidden,
    }


def _case(fact: Fact) -> dict[str, Any]:
    return {
        "id": fact.case_id,
        "district": fact.district,
        "department": fact.department,
        "category": fact.category,
        "source": fact.source,
        "state": fact.state,
        "provenance": fact.provenance,
        "openedAt": format_instant(fact.opened_at) if fact.opened_at else None,
        "dueAt": format_instant(fact.due_at) if fact.due_at else None,
        "resolvedAt": format_instant(fact.resolved_at) if fact.resolved_at else None,
        "missed": fact.missed,
    }


def _period(start: str | None, end: str | None) -> Period:
    """Raises `InstantUnreadable`, `PeriodInvalid`."""
    period = Period(parse_instant(start) if start else None, parse_instant(end) if end else None)
    if period.start and period.end and period.end <= period.start:
        raise PeriodInvalid(start=start, end=end)
    return period
