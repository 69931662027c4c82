"""Routes of the room."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Literal

from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, QueryParameter

from nagara.guard.identity import Actor
from nagara.guard.language import language_of
from nagara.guard.permission import allow
from nagara.guard.policy import case_departments
from nagara.indicators.errors import BreakdownUnknown, PeriodInvalid
from nagara.indicators.measures import Period
from nagara.indicators.model import Fact, Value
from nagara.indicators.service import Answer, Indicators, said
from nagara.values.time import format_instant, parse_instant

Asked = Request[Actor, Any, Any]
_API = "/api/v1"
RECORDS_PAGE_MAX = 500
From = Annotated[str | None, QueryParameter(name="from")]


def indicator_routes(indicators: Indicators) -> list[HTTPRouteHandler]:
    """Values with their lineage, and the cases behind them."""

    @get(f"{_API}/indicators", opt=allow("indicator:read"))
    async def list_indicators(request: Asked) -> dict[str, Any]:
        """All indicators with the city's value of each."""
        language = language_of(request)
        answers = await indicators.list_latest()
        return {"items": [_head(answer, language) for answer in answers], "next": None}

    @get(f"{_API}/indicators/{{code:str}}", opt=allow("indicator:read"))
    async def one(
        request: Asked,
        code: FromPath[str],
        by: FromQuery[str | None] = None,
        start: From = None,
        to: FromQuery[str | None] = None,
    ) -> dict[str, Any]:
        """One indicator, by district where asked, over the cases opened in a period."""
        if by not in (None, "", "district"):
            raise BreakdownUnknown(got=str(by)[:40])
        answer = await indicators.answer(code, _period(start, to))
        head = _head(answer, language_of(request))
        if by == "district":
            head["rows"] = [
                {
                    "district": district,
                    "value": value.value,
                    "numerator": value.numerator,
                    "denominator": value.denominator,
                }
                for district, value in answer.rows
            ]
        return head

    @get(f"{_API}/indicators/{{code:str}}/cases", opt=allow("case:read"))
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


@cache
def _reasons() -> Mapping[str, Mapping[str, str]]:
    folder = files("nagara.indicators").joinpath("words")
    return {
        file.name.removesuffix(".json"): json.loads(file.read_text("utf-8"))
        for file in folder.iterdir()
        if file.name.endswith(".json")
    }


def _head(answer: Answer, language: str) -> dict[str, Any]:
    formula, value = answer.formula, answer.value
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
        "quality": value.quality,
        "missing": _missing(value, language, formula.caveat),
        "caveat": formula.caveat.get(language) or None,
        "distance": formula.distance,
        "version": formula.version,
        "frames": formula.frames,
    }


def _missing(value: Value, language: str, caveat: Mapping[str, str]) -> list[str]:
    texts = _reasons().get(language) or _reasons()["en"]
    return [
        texts[why].format(count=count, caveat=caveat.get(language) or caveat.get("en", ""))
        for why, count in value.missing
    ]


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
