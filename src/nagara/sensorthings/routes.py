"""The service over HTTP: every path of the standard under one root."""

from __future__ import annotations

import secrets
from typing import Any

import msgspec
from litestar import Controller, Response, delete, get, patch, post, put
from litestar.params import FromPath

from nagara.context.ngsi.ask import Asked
from nagara.context.ngsi.names import has_nul
from nagara.guard.errors import Forbidden
from nagara.guard.permission import allow
from nagara.guard.policy import may
from nagara.http.problem import language_of, problem_body
from nagara.sensorthings import batch, multipart
from nagara.sensorthings.answer import Answer, Answering
from nagara.sensorthings.doer import Doer
from nagara.sensorthings.errors import BodyInvalid, BodyTooMuch
from nagara.sensorthings.tenancy import doer_of, doer_of_batch, tenant_headers
from nagara.sensorthings.together import Wanted, act_together
from nagara.values.errors import Problem
from nagara.values.unread import reason_unread

READ, WRITE = allow("entity:read"), allow("entity:write")
#: Where the service is: by its name, and at the address that most servers of the standard have.
ROOTS = ("/sensorthings/v1.1", "/v1.1")
BODY_MAX = 10_000_000  # CreateObservations of 20,000 values


def service_routes(answering: Answering) -> list[type[Controller]]:
    """The routes, once under each root."""
    return [_controller(answering, root) for root in ROOTS]


def _controller(answering: Answering, base: str) -> type[Controller]:
    tenants = answering.writing.tenants

    class Service(Controller):
        path = base
        tags = ("SensorThings",)

        @get("/", opt=READ, summary="The sets and what the service conforms to")
        async def root(self, request: Asked) -> Response[Any]:
            return _response(answering.root(_root(request, base)))

        @get("/{rest:path}", opt=READ, summary="Retrieve entities, properties, links")
        async def read(self, request: Asked, rest: FromPath[str]) -> Response[Any]:
            query = request.scope["query_string"].decode("ascii", "replace")
            doer = await doer_of(tenants, request)
            return _response(await answering.get(rest, query, _root(request, base), doer), doer)

        # GET requests of a batch need no more than reading; each request is checked by itself.
        @post("/$batch", opt=READ, status_code=200, summary="Several requests in one")
        async def batch(self, request: Asked) -> Response[Any]:
            root = _root(request, base)
            kind = request.headers.get("content-type", "")
            is_parts = multipart.is_multipart(kind)
            raw = await _raw(request)
            said, groups = multipart.read_parts(kind, raw) if is_parts else (_decode(raw), [])
            doer = await doer_of_batch(tenants, request, batch.writes(said))

            async def act(method: str, path: str, query: str, body: Any) -> Answer:
                _demand(request, method)
                return await _act(answering, doer, root, method, path, query, body)

            async def together(wanted: list[Wanted]) -> list[Answer]:
                for one in wanted:
                    _demand(request, one.method)
                return await act_together(answering, wanted, root, doer)

            def say(problem: Problem) -> dict[str, Any]:
                return problem_body(problem, language_of(request))

            answered = await batch.run(said, root, act, together, say)
            if not is_parts:
                return _response(answered, doer)
            boundary = f"batch_{secrets.token_hex(12)}"
            told = answered.body["responses"]
            kind, raw = multipart.write_parts(told, groups, boundary)
            return Response(raw, status_code=200, media_type=kind, headers=tenant_headers(doer))

        @post("/{rest:path}", opt=WRITE, summary="Create an entity, or Observations")
        async def create(self, request: Asked, rest: FromPath[str]) -> Response[Any]:
            root = _root(request, base)
            body = await _body(request)
            doer = await doer_of(tenants, request, makes=True)
            return _response(await answering.post(rest, body, root, doer), doer)

        @patch("/{rest:path}", opt=WRITE, summary="Change an entity")
        async def change(self, request: Asked, rest: FromPath[str]) -> Response[Any]:
            root, doer = _root(request, base), await doer_of(tenants, request)
            body = await _body(request)
            if request.headers.get("content-type", "").startswith("application/json-patch"):
                return _response(await answering.patch(rest, body, root, doer), doer)
            return _response(await answering.change(rest, body, False, root, doer), doer)

        @put("/{rest:path}", opt=WRITE, summary="Replace an entity")
        async def replace(self, request: Asked, rest: FromPath[str]) -> Response[Any]:
            root, doer = _root(request, base), await doer_of(tenants, request)
            body = await _body(request)
            return _response(await answering.change(rest, body, True, root, doer), doer)

        @delete("/{rest:path}", opt=WRITE, status_code=200, summary="Delete an entity")
        async def remove(self, request: Asked, rest: FromPath[str]) -> Response[Any]:
            doer = await doer_of(tenants, request)
            return _response(await answering.delete(rest, doer), doer)

    return Service


async def _act(
    answering: Answering, doer: Doer, root: str, method: str, path: str, query: str, body: Any
) -> Answer:
    """One request of a batch."""
    if method == "get":
        return await answering.get(path, query, root, doer)
    if method == "post":
        return await answering.post(path, body, root, doer)
    if method == "delete":
        return await answering.delete(path, doer)
    return await answering.change(path, body, method == "put", root, doer)


def _demand(request: Asked, method: str) -> None:
    if not may(request.user, batch.NEEDED[method]):
        raise Forbidden(permission=batch.NEEDED[method])


def _root(request: Asked, base: str) -> str:
    return str(request.base_url).rstrip("/") + base


async def _body(request: Asked) -> Any:
    """The JSON body. Raises `BodyInvalid`, `BodyTooMuch`."""
    return _decode(await _raw(request))


def _decode(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BodyInvalid(kind="body", reason=reason_unread(error, raw)) from error


async def _raw(request: Asked) -> bytes:
    raw = await request.body()
    if len(raw) > BODY_MAX:
        raise BodyTooMuch(what="bytes", limit=BODY_MAX)
    if has_nul(raw):
        raise BodyInvalid(kind="body", reason="a NUL character is in it; no text here has one")
    return raw


def _response(answer: Answer, doer: Doer | None = None) -> Response[Any]:
    headers = {"Location": answer.location} if answer.location else {}
    if doer is not None:
        headers |= tenant_headers(doer)
    if answer.text is not None:
        return Response(answer.text, status_code=200, media_type="text/plain", headers=headers)
    if answer.body is None:
        return Response(b"", status_code=answer.status, headers=headers)
    return Response(
        msgspec.json.encode(answer.body),
        status_code=answer.status,
        media_type="application/json",
        headers=headers,
    )
