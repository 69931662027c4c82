"""The routes of entity maps (clauses 5.14, 6.32, 6.34 and 6.35)."""

from __future__ import annotations

from typing import Any

from litestar import Response, delete, get, patch, post
from litestar.params import FromPath

from nagara.context.errors import QueryInvalid
from nagara.context.ngsi import ask
from nagara.context.ngsi.ask import Asked
from nagara.context.ngsi.read import is_uri
from nagara.context.ngsi.sources.errors import RegistrationInvalid, RegistrationNotFound
from nagara.context.ngsi.sources.exchange import Exchange
from nagara.context.ngsi.sources.forward import Asking
from nagara.context.ngsi.sources.map_store import BASE, EntityMap, MapStore, owns
from nagara.context.ngsi.sources.maps import Maps
from nagara.context.ngsi.sources.posed import Posed
from nagara.context.ngsi.sources.queries import query_params
from nagara.context.ngsi.sources.temporal_maps import TemporalMaps
from nagara.context.ngsi.tenants import Tenants
from nagara.context.ngsi.terms import CORE
from nagara.guard.permission import allow
from nagara.values.time import parse_instant

OF_HISTORY = "/ngsi-ld/v1/temporal/entityMaps"
READ = allow("entity:read")
TAGS = ["NGSI-LD"]


def told(request: Asked, made: EntityMap, warnings: list[str]) -> Response[Any]:
    """201 with a new map."""
    headers = {"Location": made.url, "NGSILD-EntityMap": made.url}
    if warnings:
        headers["NGSILD-Warning"] = ", ".join(warnings)
    accept = ask.accept_of(request)
    return ask.answer(request, made.body(), CORE, accept, status=201, headers=headers)


def map_routes(
    exchange: Exchange, maps: Maps, of_history: TemporalMaps, store: MapStore
) -> list[Any]:
    """All routes of entity maps."""
    return [
        *making_routes(exchange, BASE, maps),
        *making_routes(exchange, OF_HISTORY, of_history),
        *kept_routes(exchange, store),
    ]


def making_routes(exchange: Exchange, path: str, maps: Maps | TemporalMaps) -> list[Any]:
    """Make a map, by parameters or by a body."""
    tenants = Tenants(exchange.context.db)
    contexts = exchange.contexts
    what = "an entity map of histories" if path == OF_HISTORY else "an entity map"

    async def asking(request: Asked) -> Asking:
        tenant = await tenants.existing(request)
        return Asking(tenant, {k.lower(): v for k, v in request.headers.items()})

    @get(path, opt=READ, tags=TAGS, status_code=201, summary=f"Make {what}")
    async def make(request: Asked) -> Response[Any]:
        asked = await asking(request)
        terms = await ask.terms_of(request, contexts)
        params = list(request.query_params.items())
        made, found = await maps.make(Posed(request, asked, params, terms))
        return told(request, made, found.warnings)

    @post(path, opt=READ, tags=TAGS, summary=f"Make {what} by a query")
    async def make_by_body(request: Asked) -> Response[Any]:
        asked = await asking(request)
        sent = await ask.read_sent(request, contexts)
        params = query_params(request, sent.body)
        if params is None:
            raise QueryInvalid(query="", position=0, reason="the body is an object of type Query")
        made, found = await maps.make(Posed(request, asked, params, sent.terms, sent.body))
        return told(request, made, found.warnings)

    return [make, make_by_body]


def kept_routes(exchange: Exchange, store: MapStore) -> list[Any]:
    """Retrieve, change and delete maps."""
    tenants = Tenants(exchange.context.db)

    async def held(request: Asked, name: str) -> EntityMap:
        tenant = await tenants.existing(request)
        if not is_uri(name):
            raise RegistrationInvalid(reason="an id is a URI")
        found = await store.find(tenant, name)
        if found is None or not owns(request.user, found.owner):
            raise RegistrationNotFound(id=name)
        return found

    @get(BASE + "/{name:str}", opt=READ, tags=TAGS, summary="Retrieve an entity map")
    async def retrieve(request: Asked, name: FromPath[str]) -> Response[Any]:
        found = await held(request, name)
        return ask.answer(request, found.body(), CORE, ask.accept_of(request))

    @patch(BASE + "/{name:str}", opt=READ, tags=TAGS, summary="Change when a map expires")
    async def change(request: Asked, name: FromPath[str]) -> Response[None]:
        found = await held(request, name)
        sent = await ask.read_sent(request, exchange.contexts)
        if not isinstance(sent.body, dict) or sent.body.get("type", "EntityMap") != "EntityMap":
            raise RegistrationInvalid(reason="a change is an object of type EntityMap")
        said = sent.body.get("expiresAt")
        if said is not None:  # one that is past ends the map (clause 5.5.14)
            await store.expire(found, parse_instant(said))
        return Response(None, status_code=204)

    @delete(BASE + "/{name:str}", opt=READ, tags=TAGS, status_code=204, summary="Delete a map")
    async def remove(request: Asked, name: FromPath[str]) -> Response[None]:
        await store.remove(await held(request, name))
        return Response(None, status_code=204)

    return [retrieve, change, remove]
