"""/ngsi-ld/v1/entities: retrieve and query (clauses 5.7.1, 5.7.2, 6.4, 6.5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath

from nagara.context.context import Context
from nagara.context.errors import AttributeNotFound, EntityInvalid, EntityNotFound
from nagara.context.expiry import MARK, entity_at
from nagara.context.model import Entity, Query
from nagara.context.ngsi import ask
from nagara.context.ngsi.ask import Asked
from nagara.context.ngsi.discovery import discovery_routes
from nagara.context.ngsi.fetch import Contexts
from nagara.context.ngsi.join import Find, inline_of, linked_to
from nagara.context.ngsi.older import amend
from nagara.context.ngsi.projection import MEMBERS
from nagara.context.ngsi.query import (
    Linking,
    demand_selection,
    geometry_property,
    is_counted,
    linking_of,
    make_query,
    params_of,
    params_of_body,
    read_view,
    types_of,
)
from nagara.context.ngsi.read import is_uri
from nagara.context.ngsi.render import View, has_any, render, render_feature
from nagara.context.ngsi.tenants import Tenants
from nagara.context.ngsi.terms import CORE, TermMap
from nagara.context.selection import are_types_meant
from nagara.context.store import Held
from nagara.guard.permission import allow
from nagara.guard.policy import visible_types

READ = allow("entity:read")
PATH = "/ngsi-ld/v1/entities"
QUERY = "/ngsi-ld/v1/entityOperations/query"
_PLAIN = View()


async def get_seen(context: Context, request: Asked, entity_id: str, tenant: str) -> Entity:
    """An entity that the caller may see; to others it is not there. Raises `EntityNotFound`."""
    if not is_uri(entity_id):
        raise EntityInvalid(id=entity_id[:200], reason="an id is a URI")
    entity = await context.get(entity_id, tenant)
    if not visible_types(request.user).allows(entity.types):
        raise EntityNotFound(id=entity_id)
    return entity


def retrieve_routes(context: Context, contexts: Contexts) -> list[Any]:
    """The routes that read entities: functions, since two controllers cannot share a path."""
    tenants = Tenants(context.db)

    @get(PATH, opt=READ, tags=["NGSI-LD"], summary="Query entities")
    async def query(request: Asked) -> Response[bytes]:
        tenant = await tenants.existing(request)
        terms = await ask.terms_of(request, contexts)
        accept = ask.accept_of(request, geo=True)
        params = params_of(request)
        wanted = make_query(params, terms, tenant, request.user)
        local = params.get("local") == "true" or params.get("type") == "*"
        demand_selection(wanted, local)
        return await answer_query(context, request, wanted, terms, accept, params)

    @get(PATH + "/{entity_id:str}", opt=READ, tags=["NGSI-LD"], summary="Retrieve an entity")
    async def retrieve(request: Asked, entity_id: FromPath[str]) -> Response[bytes]:
        tenant = await tenants.existing(request)
        terms = await ask.terms_of(request, contexts)
        accept = ask.accept_of(request, geo=True)
        params = params_of(request)
        view = read_view(params, terms)
        linking = linking_of(params, view)
        where = geometry_property(params, terms, accept == ask.GEO_JSON)
        entity = await get_seen(context, request, entity_id, tenant)
        demand_shown(entity, params, view, terms)
        headers = {"ETag": f'"{entity.version}"'}
        made = await shown(context, request, [entity], view, linking, terms, accept, where, tenant)
        # 018_14: where nothing is linked, a flat answer is the entity alone.
        body = made if linking.join == "flat" and len(made) > 1 else made[0]
        if accept == ask.GEO_JSON and isinstance(body, list):
            body = {"type": "FeatureCollection", "features": body}
        return amend(request, ask.answer(request, body, terms, accept, headers=headers))

    @post(QUERY, opt=READ, status_code=200, tags=["NGSI-LD"], summary="Query by a body")
    async def query_by_body(request: Asked) -> Response[bytes]:
        tenant = await tenants.existing(request)
        sent = await ask.read_sent(request, contexts)
        params = params_of_body(sent.body, params_of(request), sent.terms)
        wanted = make_query(params, sent.terms, tenant, request.user)
        demand_selection(wanted, params.get("local") == "true")
        accept = ask.accept_of(request, geo=True)
        return await answer_query(context, request, wanted, sent.terms, accept, params)

    return [query, retrieve, query_by_body, *discovery_routes(context, contexts)]


def demand_shown(entity: Entity, params: Mapping[str, Any], view: View, terms: TermMap) -> None:
    """Raise `EntityNotFound` where the entity is not of the type that was named (clause 5.7.1.4),
    `AttributeNotFound` where it has nothing of what was asked for, or all of it was left out."""
    if "type" in params and params["type"] != "*":
        types, types_all = types_of(params["type"], terms)
        if not are_types_meant(entity.types, (*((t,) for t in types), *types_all)):
            raise EntityNotFound(id=entity.id)
    asked = view.attrs if view.pick is None else view.pick.names
    if asked is not None and not asked & MEMBERS and not has_any(entity, asked):
        said = params.get("attrs") or params.get("pick") or ""
        raise AttributeNotFound(id=entity.id, attribute=str(said)[:200])
    if view.drop is not None:
        kept = {"id", "type", *entity.attrs, *(["scope"] if entity.scopes else ())}
        if kept <= {name for name, inner in view.drop.terms if inner is None}:
            raise AttributeNotFound(id=entity.id, attribute=str(params.get("omit"))[:200])


async def answer_query(
    context: Context,
    request: Asked,
    wanted: Query,
    terms: TermMap,
    accept: str,
    params: Mapping[str, Any] | None = None,
) -> Response[bytes]:
    """One page of entities, with the count where it is asked and links to the pages around.

    `params`: the query by the standard's names, where it came in a body.
    """
    by_body = params is not None and "selectors" in params
    params = params_of(request) if params is None else params
    view = read_view(params, terms)
    linking = linking_of(params, view)
    where = geometry_property(params, terms, accept == ask.GEO_JSON)
    headers: dict[str, str] = {}
    if is_counted(params):
        total = await context.count_entities(wanted, terms.expand)
        headers["NGSILD-Results-Count"] = str(total.total)
        if total.is_estimated:
            headers["NGSILD-Results-Count-Estimated"] = "true"
    is_plain = view == _PLAIN and not linking.is_on and accept == ask.JSON and not terms.terms
    held: list[Held] = []
    texts: str | None = None
    more: str | None = None
    if wanted.limit and is_plain:
        page = await context.query_plain(wanted, terms.expand)
        texts, more = page if page is not None else (None, None)
    if wanted.limit and texts is None:
        held, more = await context.query_held(wanted, terms.expand)
    links = (
        [] if by_body or not wanted.limit else page_links(request, wanted, more is not None, accept)
    )
    if more is not None and not wanted.ordered_by:
        headers["NGSILD-Next"] = more
    if is_plain:
        now = context.clock.now()
        made_here = b",".join(plain_json(one, now) for one in held)
        told = texts.encode() if texts is not None else made_here
        body = b"[" + told + b"]"
        return _linked_answer(request, ask.answer_encoded(request, body, terms, headers), links)
    entities = [entity_at(one, context.clock.now()) for one in held]
    made = await shown(
        context, request, entities, view, linking, terms, accept, where, wanted.tenant, wanted
    )
    payload: Any = made
    if accept == ask.GEO_JSON:
        payload = {"type": "FeatureCollection", "features": made}
    answer = ask.answer(request, payload, terms, accept, headers=headers)
    return _linked_answer(request, answer, links)


def _linked_answer(
    request: Asked, response: Response[bytes], links: Sequence[str]
) -> Response[bytes]:
    """The answer with links to the pages around it, and to the context unless the client named
    that himself."""
    if links:
        named = request.headers.get("link") or "Link" not in response.headers
        response.headers["Link"] = ", ".join(links if named else [*links, response.headers["Link"]])
    return amend(request, response)


def plain_json(held: Held, now: datetime) -> bytes:
    """The payload of an entity as it lies in the store, for one who asks for nothing special."""
    if held.plain is not None:
        return held.plain
    if MARK in held.doc:  # of an attribute: told with sysAttrs alone, and while it lasts
        from_state = render(entity_at(held, now), CORE, _PLAIN)
        return msgspec.json.encode(from_state)
    types = held.types[0] if len(held.types) == 1 else held.types
    head: dict[str, Any] = {"id": held.id, "type": types}
    if held.scopes:
        head["scope"] = held.scopes[0] if len(held.scopes) == 1 else held.scopes
    made = msgspec.json.encode(head)
    return made if len(held.doc) <= 2 else made[:-1] + b"," + held.doc[1:]


async def shown(
    context: Context,
    request: Asked,
    entities: Sequence[Entity],
    view: View,
    linking: Linking,
    terms: TermMap,
    accept: str,
    geometry: str,
    tenant: str,
    seen: Query | None = None,
    find: Find | None = None,
) -> list[dict[str, Any]]:
    """Entities as they were asked for, and behind them those that are linked, where they were.
    `find`: where linked ones are looked for instead of this broker's own store."""
    if seen is None:
        sight = visible_types(request.user)
        seen = Query(
            tenant=tenant,
            visible_types=tuple(sight.only) if sight.only is not None else None,
            hidden_types=tuple(sight.never) or None,
        )
    linked = await linked_to(context, entities, view, linking, seen, find)
    all_shown = [
        (entity, view, inline_of(entity, entities, linked, linking)) for entity in entities
    ]
    if linking.join == "flat":
        all_shown += [(entity, behind, None) for entity, behind in linked]
    if accept == ask.GEO_JSON:
        return [render_feature(e, terms, v, geometry, inline) for e, v, inline in all_shown]
    return [render(e, terms, v, inline) for e, v, inline in all_shown]


def page_links(request: Asked, wanted: Query, has_more: bool, accept: str) -> list[str]:
    """Links to the pages before and after (clauses 4.12, 6.3.10). A page that was reached by the
    cursor has no number; the NGSILD-Next header goes on from it."""
    if wanted.after is not None:
        return []
    path, params = request.url.path.rstrip("/"), params_of(request)
    made = []
    if wanted.offset:
        before = max(0, wanted.offset - wanted.limit)
        made.append(_page_link(path, params, wanted, accept, "prev", before))
    if has_more:
        made.append(next_link(path, params, wanted, accept))
    return made


def next_link(path: str, params: Mapping[str, Any], wanted: Query, accept: str) -> str:
    """The link to the page after."""
    return _page_link(path, params, wanted, accept, "next", wanted.offset + wanted.limit)


def _page_link(
    path: str, params: Mapping[str, Any], wanted: Query, accept: str, rel: str, offset: int
) -> str:
    there = {**params, "limit": str(wanted.limit), "offset": str(offset)}
    said = "&".join(
        f"{quote(name)}={quote(str(value), safe=':/.*-_~!$@()')}"
        for name, value in sorted(there.items())
    )
    return f'<{path}?{said}>; rel="{rel}";type="{accept}"'
