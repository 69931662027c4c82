"""A request to this broker itself, without leaving the process: its own part of the work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, unquote

from nagara.context.ngsi.ask import JSONLD_REL, Asked
from nagara.context.ngsi.sources.forward import Reply, encode_params

#: Marks a request of ours: it is not distributed again.
INNER = "nagara.inner"
#: Headers that would change the answer's form, or speak of another body.
_LEFT_OUT = frozenset(
    {b"accept-encoding", b"accept", b"content-length", b"transfer-encoding", b"via",
     b"if-none-match", b"ngsild-entitymap", b"ngsild-snapshot"}
)  # fmt: skip


async def ask_here(
    request: Asked,
    path: str | None = None,
    params: Sequence[tuple[str, str]] | None = None,
    body: bytes | None = None,
    method: str | None = None,
    context_url: str | None = None,
) -> Reply:
    """What this broker answers to a request by itself: the same caller, rights and limits.

    What is None is as in the request. `context_url`: the @context of its words, "" for the core.
    """
    scope: dict[str, Any] = {
        k: request.scope[k]
        for k in ("type", "asgi", "http_version", "method", "scheme", "client", "server")
        if k in request.scope
    }
    sent = await request.body() if body is None else body
    raw = quote(path or request.scope["path"], safe="/:;,@!$'()*=-._~%")
    query = request.scope["query_string"]
    if params is not None:
        query = encode_params(params)[1:].encode()
    headers = [h for h in request.scope["headers"] if h[0].lower() not in _LEFT_OUT]
    if context_url is not None:
        headers = [h for h in headers if h[0].lower() not in (b"link", b"content-type")]
    if context_url:
        link = f'<{context_url}>; rel="{JSONLD_REL}"; type="application/ld+json"'
        headers.append((b"link", link.encode()))
    headers += [(b"accept", b"application/json"), (b"content-length", b"%d" % len(sent))]
    scope |= {
        "path": unquote(raw),
        "method": method or request.scope["method"],
        "raw_path": raw.encode(),
        "query_string": query,
        "root_path": "",
        "headers": headers,
        INNER: True,
    }
    waiting = [{"type": "http.request", "body": sent, "more_body": False}]

    async def receive() -> Any:
        return waiting.pop() if waiting else {"type": "http.disconnect"}

    status, found, chunks = 500, {}, []

    async def send(message: Any) -> None:
        nonlocal status, found
        if message["type"] == "http.response.start":
            status = message["status"]
            found = {
                k.decode("latin-1").lower(): v.decode("latin-1") for k, v in message["headers"]
            }
        elif message["type"] == "http.response.body":
            chunks.append(message.get("body", b""))

    await request.app(scope, receive, send)  # type: ignore[arg-type]
    return Reply("answered", status, b"".join(chunks), found)


def is_inner(request: Asked) -> bool:
    """Whether a request is one of ours."""
    return bool(request.scope.get(INNER))
