"""The service over HTTP, under one root."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import litestar
import msgspec
from litestar import Controller, Response, get
from litestar.params import FromPath

from nagara.context.ngsi.tenants import Tenants
from nagara.features import html
from nagara.features.answer import Answer, Answering, Request
from nagara.features.errors import ParameterInvalid
from nagara.features.show import ROOT
from nagara.features.store import Who
from nagara.guard.identity import Actor
from nagara.guard.permission import allow
from nagara.http.problem import language_of

Asked = litestar.Request[Actor, Any, Any]
READ = allow("entity:read")
_FORMS = ("json", "html")


def feature_routes(
    answering: Answering, fonts: Mapping[str, str], tenants: Tenants
) -> list[type[Controller]]:
    """The routes. `fonts`: addresses of the city's own, by script."""
    sheet = html.style(fonts)

    async def read(request: Asked) -> Request:
        return _read(request, await tenants.existing(request))

    class Service(Controller):
        path = ROOT
        tags = ("OGC API Features",)

        @get("/", opt=READ, summary="Landing page")
        async def landing(self, request: Asked) -> Response[Any]:
            return _response(answering.landing(await read(request)))

        @get("/style.css", opt=READ, summary="The style sheet of the pages")
        async def style(self) -> Response[str]:
            kept = {"Cache-Control": "public, max-age=3600"}
            return Response(sheet, media_type="text/css", headers=kept)

        @get("/conformance", opt=READ, summary="What the service conforms to")
        async def conformance(self, request: Asked) -> Response[Any]:
            return _response(answering.conformance(await read(request)))

        @get("/api", opt=READ, summary="The OpenAPI document of the service")
        async def api(self, request: Asked) -> Response[Any]:
            return _response(await answering.api(await read(request)))

        @get("/collections", opt=READ, summary="The collections")
        async def collections(self, request: Asked) -> Response[Any]:
            return _response(await answering.collections(await read(request)))

        @get("/collections/{collection:str}", opt=READ, summary="One collection")
        async def collection(self, request: Asked, collection: FromPath[str]) -> Response[Any]:
            return _response(await answering.collection(await read(request), collection))

        @get("/collections/{collection:str}/queryables", opt=READ, summary="What can be asked")
        async def queryables(self, request: Asked, collection: FromPath[str]) -> Response[Any]:
            return _response(await answering.queryables(await read(request), collection))

        @get("/collections/{collection:str}/schema", opt=READ, summary="Properties of features")
        async def schema(self, request: Asked, collection: FromPath[str]) -> Response[Any]:
            return _response(await answering.schema(await read(request), collection))

        @get("/collections/{collection:str}/items", opt=READ, summary="Features")
        async def items(self, request: Asked, collection: FromPath[str]) -> Response[Any]:
            return _response(await answering.items(await read(request), collection))

        @get("/collections/{collection:str}/items/{_feature:path}", opt=READ, summary="A feature")
        async def feature(
            self, request: Asked, collection: FromPath[str], _feature: FromPath[str]
        ) -> Response[Any]:
            said = _last(request, "/items/")
            return _response(await answering.feature(await read(request), collection, said))

    return [Service]


def _read(request: Asked, tenant: str) -> Request:
    return Request(
        root=str(request.base_url).rstrip("/") + ROOT,
        pairs=tuple(request.query_params.items()),
        who=Who(request.user, tenant),
        is_html=_is_html(request),
        language=language_of(request),
    )


def _is_html(request: Asked) -> bool:
    """`f`, else what Accept prefers; JSON for who does not say. Raises `ParameterInvalid`."""
    form = request.query_params.get("f")
    if form is not None:
        if form not in _FORMS:
            raise ParameterInvalid(name="f", reason=f"“{form[:40]}” is neither json nor html")
        return bool(form == "html")
    as_html, as_json = 0.0, 0.0
    for part in request.headers.get("accept", "")[:1_000].split(","):
        kind, _, parameters = part.strip().lower().partition(";")
        weight = _weight(parameters)
        if kind in ("text/html", "application/xhtml+xml", "text/*"):
            as_html = max(as_html, weight)
        elif kind in ("application/json", "application/geo+json", "application/*") or (
            kind.endswith("+json") or kind.startswith("application/vnd.oai")
        ):
            as_json = max(as_json, weight)
    return as_html > as_json


def _weight(parameters: str) -> float:
    for part in parameters.split(";"):
        name, _, value = part.strip().partition("=")
        if name.strip() == "q":
            try:
                return min(1.0, max(0.0, float(value)))
            except ValueError:
                return 0.0
    return 1.0


def _last(request: Asked, behind: str) -> str:
    """The id at the end of the path as it was sent: an IRI has slashes of its own."""
    raw = request.scope.get("raw_path") or b""
    whole = raw.split(b"?")[0].decode("latin-1") if raw else ""
    if behind not in whole:
        return request.scope["path"].partition(behind)[2]
    return unquote(whole.partition(behind)[2])


def _response(answer: Answer) -> Response[Any]:
    headers = {"Vary": "Accept, Accept-Language, NGSILD-Tenant", **answer.headers}
    if answer.page is not None:
        return Response(answer.page, media_type=answer.kind, headers=headers)
    return Response(msgspec.json.encode(answer.body), media_type=answer.kind, headers=headers)
