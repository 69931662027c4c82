"""Errors on the wire: RFC 9457 problem+json that says what was wrong and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import (
    ClientException,
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
    SerializationException,
    ValidationException,
)
from litestar.utils.scope.state import ScopeState

from nagara.engines.errors import as_problem, is_unstorable_text
from nagara.http.words import choose_language, words_of
from nagara.values.errors import Problem
from nagara.values.unread import reason_unread

PROBLEM_JSON = "application/problem+json"
_NGSI_TYPE = "https://uri.etsi.org/ngsi-ld/errors/"
#: Types of the standard (table 6.3.2-1) for problems that name none of their own.
_NGSI_BY_STATUS = {
    400: "BadRequestData",
    404: "ResourceNotFound",
    405: "OperationNotSupported",
    406: "BadRequestData",
    411: "InvalidRequest",
    413: "BadRequestData",
    415: "BadRequestData",
    500: "InternalError",
    503: "InternalError",
}

log = structlog.get_logger("http")


class RouteUnknown(Problem):
    """Nothing is at that address."""

    code = "route-unknown"
    status = 404


class MethodWrong(Problem):
    """The address is there, the method is not."""

    code = "method-wrong"
    status = 405


class RequestMalformed(Problem):
    """A request that does not have the shape that the address asks for."""

    code = "request-malformed"
    status = 400
    ngsi_type = "InvalidRequest"


class BodyTooLarge(Problem):
    """A body beyond the limit of the address."""

    code = "body-too-large"
    status = 413


class DefectFound(Problem):
    """Something that nobody foresaw. The log has it under the number that the answer names."""

    code = "defect-found"
    status = 500
    ngsi_type = "InternalError"


def language_of(request: Request[Any, Any, Any]) -> str:
    """The language that a request asks for."""
    return choose_language(
        request.query_params.get("lang"),
        request.cookies.get("lang"),
        request.headers.get("accept-language"),
    )


def problem_body(problem: Problem, language: str, ngsi: bool = False) -> dict[str, Any]:
    """The members of an RFC 9457 problem."""
    words = words_of(problem, language)
    named = (problem.ngsi_type or _NGSI_BY_STATUS.get(problem.status)) if ngsi else None
    params = {k: v for k, v in problem.params.items() if _sendable(v)}
    return {
        **params,
        "type": f"{_NGSI_TYPE}{named}" if named else f"urn:nagara:problem:{problem.code}",
        "title": words.title,
        "status": problem.status,
        "detail": words.detail,
        "hint": words.hint,
        "code": problem.code,
    }


def _sendable(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | bool | list | tuple | dict)


def answer_problem(request: Request[Any, Any, Any], problem: Problem) -> Response[bytes]:
    """The HTTP answer that tells of a problem."""
    language = language_of(request)
    ngsi = request.url.path.startswith("/ngsi-ld/")
    body = problem_body(problem, language, ngsi)
    headers = {"Content-Language": language}
    retry_after = problem.params.get("retry_after_s")
    if retry_after is not None or problem.status == 503:
        headers["Retry-After"] = str(max(1, round(float(retry_after or 1))))
    return Response(
        msgspec.json.encode(body, enc_hook=str),
        status_code=problem.status,
        media_type="application/json" if ngsi else PROBLEM_JSON,
        headers=headers,
    )


def on_problem(request: Request[Any, Any, Any], error: Problem) -> Response[bytes]:
    """Litestar's exception handler for Problems."""
    return answer_problem(request, error)


def on_http_exception(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Litestar's own exceptions, in our words."""
    problem: Problem
    if isinstance(error, NotFoundException):
        problem = RouteUnknown(path=request.url.path[:200])
    elif isinstance(error, MethodNotAllowedException):
        problem = MethodWrong(path=request.url.path[:200], method=request.method)
    elif error.status_code == 413:
        problem = BodyTooLarge()
    elif isinstance(error, ClientException) and error.status_code == 400:
        problem = RequestMalformed(reason=_reason(error, request))
    elif error.status_code < 500:
        problem = RequestMalformed(reason=error.detail[:300])
        answer = answer_problem(request, problem)
        answer.status_code = error.status_code
        return answer
    else:
        return on_defect(request, error)
    return answer_problem(request, problem)


def _reason(error: HTTPException, request: Request[Any, Any, Any]) -> str:
    unread = error.__cause__
    if isinstance(unread, SerializationException) and isinstance(unread.__cause__, Exception):
        body = ScopeState.from_scope(request.scope).body
        return reason_unread(unread.__cause__, body if isinstance(body, bytes) else b"?")
    if isinstance(error, ValidationException) and isinstance(error.extra, list):
        said = [_of_part(item) for item in error.extra if isinstance(item, Mapping)]
        if said:
            return "; ".join(said)[:500]
    return str(error.detail)[:500]


def _of_part(item: Mapping[str, Any]) -> str:
    part = item.get("key") or item.get("source") or ""
    # "data" is what handlers call the body: nothing that a caller has written
    return f"{'' if part in ('data', 'body') else part}: {item.get('message', '')}".strip(": ")


def on_defect(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """What nobody foresaw: said in words, the trace in the log and not in the answer."""
    problem = as_problem(error)
    if problem is None and isinstance(error, RecursionError) and "deserializing" in str(error):
        problem = RequestMalformed(reason=reason_unread(error, b"?"))  # msgspec says so of a body
    if problem is None and is_unstorable_text(error):
        problem = RequestMalformed(reason="a NUL character is in it")
    if problem is None:
        problem = DefectFound(error=type(error).__name__)
        log.error(
            "http.defect",
            # not the whole path: the one of a report ends in its tracking code
            path="/".join(request.url.path.split("/", 4)[:4]),
            method=request.method,
            error=type(error).__name__,
            exc_info=error,
        )
    return answer_problem(request, problem)


EXCEPTION_HANDLERS: Mapping[Any, Any] = {
    Problem: on_problem,
    HTTPException: on_http_exception,
    Exception: on_defect,
}
