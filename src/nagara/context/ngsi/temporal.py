"""/ngsi-ld/v1/temporal/entities: reading history (clauses 6.18 and 6.19)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from litestar import Controller, Response, get
from litestar.params import FromPath
from msgspec import Struct

from nagara.context.context import SAMPLES_MAX, Context
from nagara.context.errors import EntityNotFound, QueryInvalid
from nagara.context.find import encode_cursor
from nagara.context.model import Entity, Page, Sample
from nagara.context.ngsi import ask
from nagara.context.ngsi.ask import Asked
from nagara.context.ngsi.fetch import Contexts
from nagara.context.ngsi.render import View, render
from nagara.context.ngsi.retrieve import READ, get_seen
from nagara.context.ngsi.tenants import Tenants
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

    tenants = Tenants(context.db)

    async def heard(entity: Entity, view: View, span: Span, most: int, tenant: str) -> list[Sample]:
        names = tuple(view.attrs or ()) or tuple(entity.attrs)
        return await context.history(
            entity.id, names, span.start, span.end, span.last_n, most, tenant
        )

    async def told(
        page: Page, view: View, span: Span, tenant: str
    ) -> tuple[list[tuple[Entity, list[Sample]]], bool]:
        """Entities one by one with their samples while those of one answer last; whether
        others of the page had to be left out."""
        found: list[tuple[Entity, list[Sample]]] = []
        left = SAMPLES_MAX
        for entity in page.entities:
            if found and left <= 0:
                return found, True
            samples = await heard(entity, view, span, min(left + 1, SAMPLES_MAX), tenant)
            if found and len(samples) > left:
                return found, True
            found.append((entity, samples))
            left -= len(samples)
        return found, False

    class Temporal(Controller):
        path = "/ngsi-ld/v1/temporal/entities"
        tags = ("NGSI-LD",)

        @get("/", opt=READ, summary="Query the history of entities")
        async def query(self, request: Asked) -> Response[bytes]:
            tenant = await tenants.existing(request)
            terms = await ask.terms_of(request, contexts)
            accept = ask.accept_of(request)
            span = span_of(request, needed=True)
            wanted = ask.query_of(request, terms, tenant)
            ask.demand_selection(wanted)
            view = ask.view_of(request, terms)
            page = await context.query(wanted, terms.expand)
            plain = _is_plain(request)
            found, cut = await told(page, view, span, tenant)
            body = [render_evolution(e, s, terms, view, plain) for e, s in found if s]
            headers: dict[str, str] = {}
            cursor = encode_cursor([found[-1][0].id]) if cut else page.next_cursor
            if cursor is not None:
                headers["NGSILD-Next"] = cursor
            if cut:
                headers["NGSILD-Warning"] = f'199 - "{SAMPLES_MAX} samples in one answer"'
            return ask.answer(request, body, terms, accept, headers=headers)

        @get("/{entity_id:str}", opt=READ, summary="Retrieve the history of an entity")
        async def retrieve(self, request: Asked, entity_id: FromPath[str]) -> Response[bytes]:
            tenant = await tenants.existing(request)
            terms = await ask.terms_of(request, contexts)
            accept = ask.accept_of(request)
            span = span_of(request, needed=False)
            view = ask.view_of(request, terms)
            entity = await get_seen(context, request, entity_id, tenant)
            if view.attrs is not None and not view.attrs & entity.attrs.keys():
                raise EntityNotFound(id=entity_id)
            samples = await heard(entity, view, span, SAMPLES_MAX, tenant)
            made = render_evolution(entity, samples, terms, view, _is_plain(request))
            return ask.answer(request, made, terms, accept)

    return Temporal


def _is_plain(request: Asked) -> bool:
    params = request.query_params
    return "temporalValues" in params.get("options", "") + params.get("format", "")


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
