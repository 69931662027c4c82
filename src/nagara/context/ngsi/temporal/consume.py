"""Asking for history: retrieve and query temporal evolutions (clauses 5.7.3, 5.7.4)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from msgspec import Struct

from nagara.context.chronicle import SCOPE
from nagara.context.context import Context
from nagara.context.errors import (
    AttributeNotFound,
    EntityInvalid,
    EntityNotFound,
    QueryInvalid,
)
from nagara.context.history import Series, Span, read_instances
from nagara.context.history_query import find_subject, kinds_before
from nagara.context.ngsi import ask
from nagara.context.ngsi.ask import Asked
from nagara.context.ngsi.fetch import Contexts
from nagara.context.ngsi.names import is_uri
from nagara.context.ngsi.query import (
    is_counted,
    listed,
    make_query,
    params_of,
    params_of_body,
)
from nagara.context.ngsi.retrieve import page_links
from nagara.context.ngsi.temporal.aggregates import tell_aggregates
from nagara.context.ngsi.temporal.asked import (
    Temporal,
    demand_plain,
    is_scope_shown,
    is_wide,
    names_of,
    shown_of,
    temporal_of,
)
from nagara.context.ngsi.temporal.evolve import (
    History,
    Shown,
    head,
    kind_of,
    normalized,
    simplified,
    subject_of,
    types_in,
)
from nagara.context.ngsi.temporal.select import Chosen, Interval, is_within, select
from nagara.context.ngsi.tenants import Tenants
from nagara.context.ngsi.terms import TermMap
from nagara.context.packed import Packed, instant_text, is_removal, micros
from nagara.context.store import Conn
from nagara.guard.permission import allow
from nagara.guard.policy import visible_types

READ = allow("entity:read")
PATH = "/ngsi-ld/v1/temporal/entities"
BY_BODY = "/ngsi-ld/v1/temporal/entityOperations/query"
#: Instances of one answer: what a program takes in a second. A page holds fewer entities instead.
INSTANCES_MAX = 200_000

#: Instances of an attribute where a request sets no bounds: enough to see what there is. A sensor
#: of years would fill the answer of who only looks. ETSI's conformance suite expects less than 20.
FIRST_PAGE = 15
LAST_N_SOME = 20
#: A period that is longer sets no bounds: who asks for all years does not know how much that is.
PERIOD_SOME = timedelta(days=366)


class Told(Struct):
    """The evolutions of an answer, and the range of time that it is cut to (clause 6.3.10)."""

    body: list[dict[str, Any]]
    content_range: str | None = None


def consume_routes(context: Context, contexts: Contexts, page: int) -> list[Any]:
    """The routes that read history; `page`: instances of one attribute in one answer."""
    tenants = Tenants(context.db)

    @get(PATH, opt=READ, tags=["NGSI-LD"], summary="Query the history of entities")
    async def query_history(request: Asked) -> Response[bytes]:
        tenant = await tenants.existing(request)
        terms = await ask.terms_of(request, contexts)
        return await answer(request, params_of(request), terms, tenant)

    @post(BY_BODY, opt=READ, status_code=200, tags=["NGSI-LD"], summary="Query history by a body")
    async def query_history_by_body(request: Asked) -> Response[bytes]:
        sent = await ask.read_sent(request, contexts)
        tenant = await tenants.existing(request)
        return await answer(request, params_in(sent.body, request, sent.terms), sent.terms, tenant)

    @get(
        f"{PATH}/{{entity_id:str}}",
        opt=READ,
        tags=["NGSI-LD"],
        summary="Retrieve the history of an entity",
    )
    async def retrieve_history(request: Asked, entity_id: FromPath[str]) -> Response[bytes]:
        tenant = await tenants.existing(request)
        terms = await ask.terms_of(request, contexts)
        params = params_of(request)
        demand_plain(params)
        temporal = temporal_of(params, needed=False)
        shown = shown_of(params, terms)
        accept = ask.accept_of(request)
        if not is_uri(entity_id):
            raise EntityInvalid(id=entity_id[:200], reason="an id is a URI")
        async with context.db.acquire() as conn:
            row = await find_subject(conn, tenant, entity_id)
            if row is None or not visible_types(request.user).allows(types_in(row)):
                raise EntityNotFound(id=entity_id)
            most = page_for(request, temporal, page)
            told = await tell(conn, [Chosen(row)], temporal, shown, terms, most, keep_empty=True)
            await demand_some(conn, row["no"], told.body[0], shown, params)
        return said(request, told, told.body[0], terms, accept, {})

    async def answer(
        request: Asked, params: Mapping[str, Any], terms: TermMap, tenant: str
    ) -> Response[bytes]:
        demand_plain(dict(params))
        temporal = temporal_of(dict(params), needed=True)
        if is_wide(dict(params)) and "selectors" not in params:
            raise QueryInvalid(
                query="",
                position=0,
                reason="name at least one of type, attrs, q, georel, scopeQ or local",
            )
        shown = shown_of(dict(params), terms)
        accept = ask.accept_of(request)
        plain = {k: v for k, v in params.items() if k not in ("orderBy", "lastN")}
        wanted = make_query(plain, terms, tenant, request.user)
        names = names_of(shown)
        headers: dict[str, str] = {}
        async with context.db.acquire() as conn:
            selection = await select(
                conn,
                wanted,
                temporal.span,
                names,
                terms,
                is_counted(params),
                str(params.get("orderBy") or "").endswith(";desc"),
            )
            most = page_for(request, temporal, page)
            told = await tell(conn, selection.chosen, temporal, shown, terms, most)
        if selection.total is not None:
            headers["NGSILD-Results-Count"] = str(selection.total)
        if wanted.limit and "selectors" not in params:
            links = page_links(request, wanted, selection.has_more, accept)
            if links:
                headers["Link"] = ", ".join(links)
        return said(request, told, told.body, terms, accept, headers)

    return [query_history, query_history_by_body, retrieve_history]


def said(
    request: Asked, told: Told, body: Any, terms: TermMap, accept: str, headers: dict[str, str]
) -> Response[bytes]:
    """The answer: 206 with its range where there is more (clause 6.3.10)."""
    if told.content_range is None:
        return ask.answer(request, body, terms, accept, headers=headers)
    headers["Content-Range"] = told.content_range
    return ask.answer(request, body, terms, accept, status=206, headers=headers)


async def demand_some(
    conn: Conn, no: int, body: dict[str, Any], shown: Shown, params: Mapping[str, Any]
) -> None:
    """Raise `AttributeNotFound` where nothing is left of an entity, or where it never had any of
    the attributes that were named (clause 5.7.3.4)."""
    names = names_of(shown)
    if body and (not names or not body.keys() <= {"id", "type", "createdAt", "modifiedAt"}):
        return
    if body:
        if shown.picked and not body.keys().isdisjoint(listed(params.get("pick"))):
            return  # a member of the entity itself was asked for
        known, _ = await read_instances(conn, [no], names, Span(), 1)
        if known:
            return  # it has them, at another time
    asked = params.get("attrs") or params.get("pick") or params.get("omit") or ""
    raise AttributeNotFound(id=str(body.get("id", "")), attribute=str(asked)[:200])


def params_in(body: Any, request: Asked, terms: TermMap) -> dict[str, Any]:
    """A Query with a temporalQ (clauses 5.2.21, 5.2.23, 5.2.44) as parameters."""
    if not isinstance(body, dict):
        raise QueryInvalid(query="", position=0, reason="the body is an object of type Query")
    rest = {k: v for k, v in body.items() if k not in ("temporalQ", "aggrParams", "@context")}
    params = params_of_body(rest, params_of(request), terms)
    for word in ("temporalQ", "aggrParams"):
        part = body.get(word, {})
        if not isinstance(part, dict):
            raise QueryInvalid(query=word, position=0, reason=f"{word} is an object")
        params |= {k: v for k, v in part.items() if k != "type"}
    for word in ("options", "format", "lang", "datasetId", "attrs", "pick", "omit"):
        if word in body:
            params[word] = body[word]
    return params


def page_for(request: Asked, temporal: Temporal, page: int) -> int:
    """Instances of an attribute in this answer: `page` for who says how much he wants (a period of
    a year at most, a lastN beyond some) and for brokers, which put histories together; else the
    first few, with 206 and how to go on."""
    last_n, span = temporal.last_n, temporal.span
    is_said = False
    if last_n is not None:
        is_said = last_n > LAST_N_SOME
    elif span.start is not None and span.end is not None:
        is_said = span.end - span.start <= PERIOD_SOME
    if is_said or "via" in request.headers or request.query_params.get("local") == "true":
        return page
    return min(page, FIRST_PAGE)


async def tell(
    conn: Conn,
    chosen: list[Chosen],
    temporal: Temporal,
    shown: Shown,
    terms: TermMap,
    page: int,
    keep_empty: bool = False,
) -> Told:
    """The evolutions of entities, in the form that is asked for."""
    names = names_of(shown)
    nos = [one.row["no"] for one in chosen]
    if temporal.form == "aggregatedValues":
        return Told(await tell_aggregates(conn, chosen, temporal, shown, terms, keep_empty))
    series: Series = {}
    cut: int | None = None
    newest = temporal.last_n is not None
    most = min(page, temporal.last_n or page) + 1
    if names != []:
        series, cut = await read_instances(conn, nos, names, temporal.span, most, newest)
    intervals = {one.row["no"]: one.intervals for one in chosen}
    series = {
        key: kept
        for key, found in series.items()
        if key[1] not in shown.omit
        and (shown.datasets is None or key[2] in shown.datasets)
        and (kept := _within(found, intervals[key[0]]))
    }
    if temporal.last_n is not None:
        series = _last(series, temporal.last_n)
    horizon = _horizon(series, page, newest, cut)
    removed = sorted({(k[0], k[1]) for k, found in series.items() if is_removal(found[0])})
    kinds = await kinds_before(conn, removed)
    body = await asyncio.to_thread(
        _evolutions, chosen, series, kinds, horizon, temporal, shown, terms, keep_empty
    )
    return Told(body, _content_range(series, horizon, temporal))


def _within(found: list[Packed], intervals: Sequence[Interval] | None) -> list[Packed]:
    if intervals is None:
        return found
    return [packed for packed in found if is_within(packed.at, intervals)]


def _last(series: Series, last_n: int) -> Series:
    """The newest instances of each attribute."""
    times: dict[tuple[int, str], list[Packed]] = {}
    for (no, name, _), found in series.items():
        times.setdefault((no, name), []).extend(found)
    first = {key: sorted(found)[-last_n] for key, found in times.items() if len(found) > last_n}
    made = {}
    for key, found in series.items():
        least = first.get(key[:2])
        kept = found if least is None else [p for p in found if p >= least]
        if kept:
            made[key] = kept
    return made


def _horizon(series: Series, page: int, newest: bool, cut: int | None) -> int | None:
    """The time up to which (from which, with `newest`) all attributes are told whole; None where
    all is. An attribute that has more than a page ends the page for all, so that none has a gap."""
    times: dict[tuple[int, str], list[int]] = {}
    for (no, name, _), found in series.items():
        times.setdefault((no, name), []).extend(p.key for p in found)
    ends = [] if cut is None else [cut]
    for keys in times.values():
        if len(keys) > page:
            keys.sort()
            ends.append(keys[-page] if newest else keys[page - 1])
    total = sum(map(len, times.values()))
    if total > INSTANCES_MAX:
        every = sorted((k for keys in times.values() for k in keys), reverse=newest)
        ends.append(every[INSTANCES_MAX - 1])
    if not ends:
        return None
    return max(ends) if newest else min(ends)


def _evolutions(
    chosen: list[Chosen],
    series: Series,
    kinds: dict[tuple[int, str, str], str],
    horizon: int | None,
    temporal: Temporal,
    shown: Shown,
    terms: TermMap,
    keep_empty: bool,
) -> list[dict[str, Any]]:
    by_entity: dict[int, dict[str, History]] = {}
    newest = temporal.last_n is not None
    for (no, name, dataset), found in series.items():
        history = by_entity.setdefault(no, {}).setdefault(name, History({}, {}))
        kept = found
        if horizon is not None:
            kept = [p for p in found if (p.key >= horizon if newest else p.key <= horizon)]
        history.found[dataset] = kept
        kind = kind_of(found[0]) if not is_removal(found[0]) else kinds.get((no, name, dataset))
        history.kinds[dataset] = kind or "Property"
    names = names_of(shown)
    body = []
    for one in chosen:
        attrs = by_entity.get(one.row["no"], {})
        if one.scope is not None and attrs and is_scope_shown(shown):
            history = attrs.setdefault(SCOPE, History({}, {"": "Property"}))
            history.found[""] = [one.scope, *history.found.get("", [])][-(temporal.last_n or 0) :]
        if not attrs and not keep_empty and names != []:
            continue
        made = head(subject_of(one.row), terms, shown, temporal.span.by == "deletedAt")
        for name in sorted(attrs):
            word = name if name == SCOPE else terms.compact(name)
            made[word] = (
                simplified(name, attrs[name], terms, shown)
                if temporal.form == "temporalValues"
                else normalized(name, attrs[name], terms, shown)
            )
        body.append(made)
    return body


def _content_range(series: Series, horizon: int | None, temporal: Temporal) -> str | None:
    if horizon is None:
        return None
    newest = temporal.last_n is not None
    told = [
        p.key
        for found in series.values()
        for p in found
        if (p.key >= horizon if newest else p.key <= horizon)
    ]
    low, high = min(told), max(told)
    span = temporal.span
    if newest:
        start = high if span.end is None else micros(span.end)
        return f"date-time {instant_text(start)}-{instant_text(low)}/{temporal.last_n}"
    start = low if span.start is None else micros(span.start)
    return f"date-time {instant_text(start)}-{instant_text(high)}/*"
