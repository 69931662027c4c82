"""What holds for every request below /ngsi-ld (clauses 6.3.2, 6.3.4, 6.3.6, 6.3.14, 6.3.20).

`ngsi_common` is a hook for Litestar's `on_app_init`.
"""

from __future__ import annotations

import re
from typing import Any

from litestar import Request, Response
from litestar.config.app import AppConfig
from litestar.exceptions import HTTPException
from litestar.types import Message, Scope

from nagara.context.errors import OptionUnknown, QueryInvalid
from nagara.context.ngsi.parameters import parameters_of, words_of
from nagara.context.ngsi.slashes import FLAGS, uncover
from nagara.values.errors import Problem

BASE = "/ngsi-ld/"
_WRITING = frozenset({"POST", "PUT", "PATCH"})
_TENANT = re.compile(rb"[A-Za-z0-9_\-]{1,64}")

_FLAGS = sorted(FLAGS - {"entityMap"})


class ParameterUnknown(Problem):
    """A parameter that the operation does not have (clause 6.3.20)."""

    code = "parameter-unknown"
    ngsi_type = "InvalidRequest"


def ngsi_common(config: AppConfig) -> AppConfig:
    """Litestar's hook: see the module."""
    config.before_send = [*config.before_send, _finish]
    before = config.before_request
    if before is not None:
        raise RuntimeError("another before_request is there already")
    config.before_request = _begin
    if config.after_request is not None:
        raise RuntimeError("another after_request is there already")
    config.after_request = _without_null
    return config


def _begin(request: Request[Any, Any, Any]) -> Response[bytes] | None:
    """Refuses what the operation does not take.

    Raises `ParameterUnknown`, `OptionUnknown`, `QueryInvalid`.
    """
    if not request.scope["path"].startswith(BASE):
        return None
    if request.method in _WRITING and "content-length" not in request.headers:
        return Response(b"", status_code=411)  # without a body, as clause 6.3.4 wants it
    _demand_parameters(request)
    for name in _FLAGS:
        if request.query_params.get(name, "") not in ("", "true", "false"):
            said = f"{name}={request.query_params[name]}"[:80]
            raise QueryInvalid(query=said, position=0, reason=f"{name} is true or false")
    uncover(request.scope["path_params"])
    return None


def _demand_parameters(request: Request[Any, Any, Any]) -> None:
    """What an operation does not have is refused (6.3.7, 6.3.20). Raises `ParameterUnknown`,
    `OptionUnknown`."""
    if not request.query_params:
        return
    operation = request.method, request.scope["path_template"]
    known = parameters_of(*operation)
    for name in request.query_params:
        if known is not None and name not in known:
            raise ParameterUnknown(name=name[:80])
    for name in ("options", "format"):
        said = request.query_params.getall(name, [])
        unknown = {word.strip() for text in said for word in text.split(",")} - {""}
        if unknown and (unknown := unknown - words_of(*operation)):
            raise OptionUnknown(name=",".join(sorted(unknown))[:80])


def _without_null(response: Response[Any]) -> Response[Any]:
    """What was created is told by its Location alone: no body, not even `null`."""
    if (
        response.status_code == 201
        and response.content is None
        and response.headers.get("Location", "").startswith(BASE)
    ):
        response.content = b""
    return response


async def _finish(message: Message, scope: Scope) -> None:
    """The tenant is told back whatever becomes of a request; a 204 has no length."""
    if message["type"] != "http.response.start" or not scope["path"].startswith(BASE):
        return
    headers = list(message["headers"])
    if message["status"] in (204, 411):
        headers = [pair for pair in headers if pair[0].lower() != b"content-length"]
        if message["status"] == 411:
            headers = [pair for pair in headers if pair[0].lower() != b"content-type"]
            headers.append((b"content-length", b"0"))
    if message["status"] == 405 or scope.get("method") == "OPTIONS":
        headers = [pair for pair in headers if pair[0].lower() != b"allow"]
        headers.append((b"allow", ", ".join(_methods(scope)).encode()))
    tenant = next((v for n, v in scope["headers"] if n == b"ngsild-tenant"), b"")
    if _TENANT.fullmatch(tenant) and all(n.lower() != b"ngsild-tenant" for n, _ in headers):
        headers.append((b"ngsild-tenant", tenant))
    message["headers"] = headers


def _methods(scope: Scope) -> list[str]:
    """The methods of an address: Litestar tells only those of the first of its controllers."""
    router = scope["litestar_app"].asgi_router
    found = ["OPTIONS"]
    for method in ("DELETE", "GET", "PATCH", "POST", "PUT"):
        try:
            router.handle_routing(path=scope["path"].rstrip("/"), method=method)
        except HTTPException:
            continue
        found.append(method)
    return sorted(found)
