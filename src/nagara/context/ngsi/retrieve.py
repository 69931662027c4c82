"""/ngsi-ld/v1/entities: retrieve and query (clauses 5.7.1, 5.7.2, 6.4, 6.5)."""

from __future__ import annotations

from typing import Any

from litestar import Response, get
from litestar.params import FromPath

from nagara.context.context import Context
from nagara.context.errors import AttributeNotFound, EntityInvalid, EntityNotFound
from nagara.context.model import Entity, Query
from nagara.context.ngsi import ask
from nagara.context.ngsi.ask import Asked
from nagara.context.ngsi.fetch import Contexts
from nagara.context.ngsi.read import is_uri
from nagara.context.ngsi.render import View, has_any, render, render_feature
from nagara.context.ngsi.tenants import Tenants
from nagara.context.ngsi.terms import TermMap
from nagara.guard.permission import allow
from nagara.guard.policy import visible_types

READ = allow("entity:read")
PATH = "/ngsi-ld/v1/entities"


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
        wanted = ask.query_of(request, terms, tenant)
        ask.demand_selection(wanted, request.query_params.get("local") == "true")
        return await answer_query(context, request, wanted, terms, accept)

    @get(PATH + "/{entity_id:str}", opt=READ, tags=["NGSI-LD"], summary="Retrieve an entity")
    async def retrieve(request: Asked, entity_id: FromPath[str]) -> Response[bytes]:
        tenant = await tenants.existing(request)
        terms = await ask.terms_of(request, contexts)
        accept = ask.accept_of(request, geo=True)
        entity = await get_seen(context, request, entity_id, tenant)
        view = ask.view_of(request, terms)
        if view.attrs is not None and not has_any(entity, view.attrs):
            asked = request.query_params.get("attrs") or request.query_params.get("pick") or ""
            if not view.attrs & {"id", "type", "scope"}:
                raise AttributeNotFound(id=entity_id, attribute=asked)
        headers = {"ETag": f'"{entity.version}"'}
        if accept == ask.GEO_JSON:
            where = request.query_params.get("geometryProperty")
            feature = render_feature(
                entity, terms, view, terms.expand(where) if where else "location"
            )
            return ask.answer(request, feature, terms, accept, headers=headers)
        return ask.answer(request, render(entity, terms, view), terms, accept, headers=headers)

    return [query, retrieve]


async def answer_query(
    context: Context, request: Asked, wanted: Query, terms: TermMap, accept: str
) -> Response[bytes]:
    """One page of entities, with the count where it is asked and links to the pages around."""
    view = ask.view_of(request, terms)
    headers: dict[str, str] = {}
    params = request.query_params
    if params.get("count") == "true" or "count" in params.get("options", "").split(","):
        headers["NGSILD-Results-Count"] = str(await context.count(wanted, terms.expand))
    page = await context.query(wanted, terms.expand)
    if page.next_cursor is not None and wanted.limit:
        headers["NGSILD-Next"] = page.next_cursor
    return render_page(request, page.entities, terms, view, accept, headers)


def render_page(
    request: Asked,
    entities: list[Entity],
    terms: TermMap,
    view: View,
    accept: str,
    headers: dict[str, str],
) -> Response[bytes]:
    """Entities as a list, or as a GeoJSON feature collection."""
    if accept == ask.GEO_JSON:
        where = request.query_params.get("geometryProperty")
        name = terms.expand(where) if where else "location"
        features = [render_feature(e, terms, view, name) for e in entities]
        body: Any = {"type": "FeatureCollection", "features": features}
    else:
        body = [render(e, terms, view) for e in entities]
    return ask.answer(request, body, terms, accept, headers=headers)
