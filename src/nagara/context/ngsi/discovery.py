"""/ngsi-ld/v1/types and /attributes: what there is to ask for (clauses 5.7.5 to 5.7.11)."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import unquote

from litestar import Response, get
from litestar.params import FromPath

from nagara.context.census import Census, read_census
from nagara.context.context import Context
from nagara.context.errors import AttributeUnknown, TypeNotFound
from nagara.context.ngsi import ask
from nagara.context.ngsi.ask import Asked
from nagara.context.ngsi.common import ParameterUnknown
from nagara.context.ngsi.contexts.core import CORE_TERMS, DEFAULT_VOCAB
from nagara.context.ngsi.fetch import Contexts
from nagara.context.ngsi.tenants import Tenants
from nagara.context.ngsi.terms import TermMap
from nagara.guard.permission import allow
from nagara.guard.policy import visible_types

READ = allow("entity:read")
TYPES = "/ngsi-ld/v1/types"
ATTRIBUTES = "/ngsi-ld/v1/attributes"
_OF_LISTS = frozenset({"details", "local", "count"})
_OF_ONE = frozenset({"local"})


def iri_of(name: str) -> str:
    """The full IRI of a canonical name."""
    return CORE_TERMS.get(name) or (name if ":" in name else DEFAULT_VOCAB + name)


def discovery_routes(context: Context, contexts: Contexts) -> list[Any]:
    """The routes of discovery."""
    tenants = Tenants(context.db)

    async def begin(request: Asked, known: frozenset[str]) -> tuple[Census, TermMap, str]:
        for name in request.query_params:
            if name not in known:
                raise ParameterUnknown(name=name[:80])
        tenant = await tenants.existing(request)
        terms = await ask.terms_of(request, contexts)
        accept = ask.accept_of(request)
        sight = visible_types(request.user)
        async with context.db.acquire() as conn:
            return await read_census(conn, tenant, sight.allows), terms, accept

    async def types(request: Asked) -> Response[bytes]:
        census, terms, accept = await begin(request, _OF_LISTS)
        names = sorted(census.entities)
        body: Any
        if request.query_params.get("details") == "true":
            body = [
                {
                    "id": iri_of(name),
                    "type": "EntityType",
                    "typeName": terms.compact(name),
                    "attributeNames": sorted(map(terms.compact, census.attributes_of[name])),
                }
                for name in names
            ]
        else:
            body = _list("EntityTypeList", "typeList", list(map(terms.compact, names)))
        return ask.answer(request, body, terms, accept, headers=_counted(request, len(names)))

    @get(TYPES + "/{_name:path}", opt=READ, tags=["NGSI-LD"], summary="Tell of an entity type")
    async def tell_type(request: Asked, _name: FromPath[str]) -> Response[bytes]:
        said = _last(request, TYPES)
        if not said:
            return await types(request)
        census, terms, accept = await begin(request, _OF_ONE)
        name = terms.expand(said)
        if name not in census.entities:
            raise TypeNotFound(name=said[:200])
        body = {
            "id": iri_of(name),
            "type": "EntityTypeInfo",
            "typeName": terms.compact(name),
            "entityCount": census.entities[name],
            "attributeDetails": [
                {
                    "id": iri_of(attr),
                    "type": "Attribute",
                    "attributeName": terms.compact(attr),
                    "attributeTypes": sorted(kinds),
                }
                for attr, kinds in sorted(census.attributes_of[name].items())
            ],
        }
        return ask.answer(request, body, terms, accept)

    async def attributes(request: Asked) -> Response[bytes]:
        census, terms, accept = await begin(request, _OF_LISTS)
        names = sorted(census.attributes)
        body: Any
        if request.query_params.get("details") == "true":
            body = [_attribute(name, census, terms) for name in names]
        else:
            body = _list("AttributeList", "attributeList", list(map(terms.compact, names)))
        return ask.answer(request, body, terms, accept, headers=_counted(request, len(names)))

    @get(ATTRIBUTES + "/{_name:path}", opt=READ, tags=["NGSI-LD"], summary="Tell of an attribute")
    async def tell_attribute(request: Asked, _name: FromPath[str]) -> Response[bytes]:
        said = _last(request, ATTRIBUTES)
        if not said:
            return await attributes(request)
        census, terms, accept = await begin(request, _OF_ONE)
        name = terms.expand(said)
        if name not in census.attributes:
            raise AttributeUnknown(name=said[:200])
        kinds = {kind for of in census.attributes_of.values() for kind in of.get(name, ())}
        body = {
            **_attribute(name, census, terms),
            "attributeCount": census.attributes[name],
            "attributeTypes": sorted(kinds),
        }
        return ask.answer(request, body, terms, accept)

    @get(TYPES, opt=READ, tags=["NGSI-LD"], summary="List entity types")
    async def list_types(request: Asked) -> Response[bytes]:
        return await types(request)

    @get(ATTRIBUTES, opt=READ, tags=["NGSI-LD"], summary="List attributes")
    async def list_attributes(request: Asked) -> Response[bytes]:
        return await attributes(request)

    return [list_types, tell_type, list_attributes, tell_attribute]


def _attribute(name: str, census: Census, terms: TermMap) -> dict[str, Any]:
    return {
        "id": iri_of(name),
        "type": "Attribute",
        "attributeName": terms.compact(name),
        "typeNames": sorted(map(terms.compact, census.types_of[name])),
    }


def _list(kind: str, member: str, names: list[str]) -> dict[str, Any]:
    """A list with an id that is the same as long as its content is."""
    digest = hashlib.sha256("\n".join(names).encode()).hexdigest()[:32]
    return {"id": f"urn:ngsi-ld:{kind}:{digest}", "type": kind, member: names}


def _counted(request: Asked, total: int) -> dict[str, str]:
    if request.query_params.get("count") != "true":
        return {}
    return {"NGSILD-Results-Count": str(total)}


def _last(request: Asked, path: str) -> str:
    """The name at the end of the path as it was sent: an IRI has slashes of its own."""
    raw = request.scope.get("raw_path") or b""
    whole = unquote(raw.split(b"?")[0].decode("latin-1")) if raw else request.scope["path"]
    at = whole.find(path)
    return whole[at + len(path) + 1 :].strip()
