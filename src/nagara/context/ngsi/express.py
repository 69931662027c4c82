"""The short way for the most frequent request: GET of one entity as it is, by its id.

An ASGI layer in front of the application. It answers only where nothing is asked but the entity:
no parameters, the core context, the default tenant, an entity that lies in memory, a caller who is
known without waiting. Everything else, and everything that is refused, goes the long way through
the application; both give the same bytes (proved by a test over both).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from nagara.context.context import Context
from nagara.context.ngsi.ask import JSON, JSONLD_REL
from nagara.context.ngsi.render import View, render
from nagara.context.ngsi.terms import CORE_CONTEXT, TermMap
from nagara.context.store import Held
from nagara.guard.middleware import Doorkeeper
from nagara.guard.policy import visible_types

PREFIX = "/ngsi-ld/v1/entities/"
#: Answers from this size on are compressed where the client can read it: by the long way.
PACKED_FROM_BYTES = 500

#: Headers that change nothing about the answer to such a request. One that is not known here may
#: ask for something: the long way knows.
_HARMLESS = frozenset(
    {b"host", b"user-agent", b"connection", b"authorization", b"cookie", b"accept-language",
     b"accept-encoding", b"cache-control", b"pragma", b"x-forwarded-for", b"x-forwarded-proto",
     b"x-forwarded-host", b"x-real-ip", b"content-type", b"content-length", b"dnt", b"priority",
     b"keep-alive", b"te", b"origin", b"referer", b"sec-fetch-site", b"sec-fetch-mode",
     b"sec-fetch-dest", b"sec-ch-ua", b"sec-ch-ua-mobile", b"sec-ch-ua-platform"}
)  # fmt: skip
_PLAIN_ACCEPT = frozenset({b"*/*", b"application/json", b"application/*"})
_VIEW = View()


class Express:
    """See the module. `is_alone`: whether no other source may hold a part of an entity."""

    def __init__(
        self,
        app: Any,
        context: Context,
        door: Doorkeeper,
        core: TermMap,
        headers: Iterable[tuple[bytes, bytes]],
        is_alone: Callable[[], bool] = lambda: True,
    ) -> None:
        self._app, self._context, self._door, self._core = app, context, door, core
        self._is_alone = is_alone
        link = f'<{CORE_CONTEXT}>; rel="{JSONLD_REL}"; type="application/ld+json"'
        self._link = (b"link", link.encode())
        self._after = ((b"content-type", JSON.encode()), *headers)
        self._private = (b"cache-control", b"no-store")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI 3."""
        if (
            scope["type"] != "http"
            or scope["method"] != "GET"
            or scope["query_string"]
            or not scope["path"].startswith(PREFIX)
        ):
            await self._app(scope, receive, send)
            return
        found = self._find(scope)
        if found is None:
            await self._app(scope, receive, send)
            return
        version, body, is_known = found
        headers = [
            (b"etag", b'"%d"' % version),
            self._link,
            (b"content-length", b"%d" % len(body)),
            *self._after,
        ]
        if is_known:
            headers.append(self._private)
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _find(self, scope: Any) -> tuple[int, bytes, bool] | None:
        """Version and body of what is asked, and whether the caller is known; None: long way."""
        entity_id = scope["path"][len(PREFIX) :]
        if "/" in entity_id or not self._is_alone():
            return None
        packs = False
        for name, value in scope["headers"]:
            if name == b"accept":
                if value not in _PLAIN_ACCEPT:
                    return None
            elif name not in _HARMLESS:
                return None
            elif name == b"accept-encoding":
                packs = b"gzip" in value
        context = self._context
        held = context.cache.find(("", entity_id))
        if held is None or not held.exists or held.expires_at is not None:
            return None
        if packs and len(held.doc) >= PACKED_FROM_BYTES // 2:
            return None
        actor = self._door.at_once(scope, "entity:read")
        if actor is None or not visible_types(actor).allows(held.types):
            return None
        return held.version, held.plain or self._rendered(held), actor.is_known

    def _rendered(self, held: Held) -> bytes:
        body = msgspec.json.encode(render(held.state().entity(), self._core, _VIEW))
        held.plain = body  # lives as long as this version of the entity
        return body
