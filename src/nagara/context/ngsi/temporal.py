"""/ngsi-ld/v1/temporal/entities: reading history (clauses 6.18 and 6.19)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from litestar import Controller, Response, get
from litestar.params import FromPath
from msgspec import Struct

from nagara.context.context import SAMPLES_MAX, Context
from nagara.context.errors import EntityNotFound, QueryInvalid
from nagara.context.model import Entity, Sample
from nagara.context.ngsi import ask
from nagara.context.ngsi.ask import Asked
from nagara.context.ngsi.entities import READ, get_seen
from nagara.context.ngsi.fetch import Contexts
from nagara.context.ngsi.render import View, render
from nagara.context.ngsi.terms import TermMap
from nagara.values.time import format_instant, parse_instant


class Span(Struct, frozen=True):
    """The temporal query (clause 4.11): half-open, start included."""

    start: datetime | None
    end: datetime | None
    last_n: int | None


def span_of(request: Asked, needed: bool) -> Span:
    """The span of timerel, timeAt and endTimeAt. Raises `QueryInvalid`."""
    params = request.query_params
    relation, at, end = params.get("timerel"), params.get("timeAt"), params.get("endTimeAt")
    last = ask.whole(dict(params), "lastN", 0, SAMPLES_MAX) or None
    if relation is None:
        if at is not None or end is not None or needed:
            raise QueryInvalid(
                query="timerel", position=0, reason="timerel is before, after or between"
            )
        return Span(None, None, last)
    if relation not in ("before", "after", "between") or at is None:
        raise QueryInvalid(
            query=f"timerel={relation}"[:80],
            position=0,
            reason="timerel is before, after or between, with timeAt",
        )
    if (relation == "between") != (end is not None):
        raise QueryInvalid(
            query=f"timerel={relation}", position=0, reason="endTimeAt goes with between"
        )
    when = parse_instant(at)
    if relation == "before":
        return Span(None, when, last)
    return Span(when, parse_instant(end) if end is not None else None, last)


def temporal_routes(context: Context, contexts: Contexts) -> type[Controller]:
    """The routes that read history."""

    async def evolution(
        entity: Entity, request: Asked, terms: TermMap, view: View, span: Span, tenant: str
    ) -> dict[str, Any] | None:
        names = tuple(view.attrs or ()) or tuple(entity.attrs)
        samples = await context.history(
            entity.id, names, span.start, span.end, span.last_n, SAMPLES_MAX, tenant
        )
        if not samples:
            return None
        params = request.query_params
        plain = "temporalValues" in params.get("options", "") + params.get("format", "")
        return render_evolution(entity, samples, terms, view, plain)

    class Temporal(Controller):
        path = "/ngsi-ld/v1/temporal/entities"
        tags = ("NGSI-LD",)

        @get("/", opt=READ, summary="Query the history of entities")
        async def query(self, request: Asked) -> Response[bytes]:
            tenant = ask.tenant_of(request)
            terms = await ask.terms_of(request, contexts)
            accept = ask.accept_of(request)
            span = span_of(request, needed=True)
            wanted = ask.query_of(request, terms, tenant)
            ask.demand_selection(wanted)
            view = ask.view_of(request, terms)
            page = await context.query(wanted, terms.expand)
            made = await asyncio.gather(
                *(evolution(e, request, terms, view, span, tenant) for e in page.entities)
            )
            headers = {"NGSILD-Next": page.next_cursor} if page.next_cursor else {}
            body = [m for m in made if m is not None]
            return ask.answer(request, body, terms, accept, headers=headers)

        @get("/{entity_id:str}", opt=READ, summary="Retrieve the history of an entity")
        async def retrieve(self, request: Asked, entity_id: FromPath[str]) -> Response[bytes]:
            tenant = ask.tenant_of(request)
            terms = await ask.terms_of(request, contexts)
            accept = ask.accept_of(request)
            span = span_of(request, needed=False)
            view = ask.view_of(request, terms)
            entity = await get_seen(context, request, entity_id, tenant)
            if view.attrs is not None and not view.attrs & entity.attrs.keys():
                raise EntityNotFound(id=entity_id)
            made = await evolution(entity, request, terms, view, span, tenant)
            empty = render(msgspec.structs.replace(entity, attrs={}), terms, view)
            return ask.answer(request, made or empty, terms, accept)

    return Temporal


def render_evolution(
    entity: Entity, samples: list[Sample], terms: TermMap, view: View, plain: bool
) -> dict[str, Any]:
    """The temporal evolution (clause 4.5.6), or its simplified form with `plain` (4.5.8)."""
    made = render(msgspec.structs.replace(entity, attrs={}), terms, view)
    series: dict[str, list[Sample]] = {}
    for sample in samples:
        series.setdefault(sample.attr, []).append(sample)
    for name, found in series.items():
        word = terms.compact(name)
        if plain:
            kind = found[0].instance.get("type", "Property")
            member = "objects" if kind == "Relationship" else "values"
            pairs = [[s.value, format_instant(s.observed_at)] for s in found]
            made[word] = {"type": kind, member: pairs}
        else:
            made[word] = [_instance(s, terms, view) for s in found]
    return made


def _instance(sample: Sample, terms: TermMap, view: View) -> Mapping[str, Any]:
    shown = render(Entity("urn:x:x", ("X",), {"x": sample.instance}), terms, View(sys_attrs=False))[
        "x"
    ]
    if view.sys_attrs:
        shown["modifiedAt"] = format_instant(sample.recorded_at)
    stamp = int(sample.recorded_at.timestamp() * 1e6)
    said = format_instant(sample.observed_at)
    return {**shown, "instanceId": f"urn:ngsi-ld:Instance:{stamp}:{sample.attr}:{said}"}
