"""The short way for the two most frequent requests: GET of one entity as it is, by its id, and
PATCH of one of its attributes.

An ASGI layer in front of the application. It answers only where nothing is asked beside: no
parameters, the core context, the default tenant, an entity that lies in memory, a caller who is
known without waiting. Everything else, and everything that is refused, goes the long way through
the application; both do and answer the same (proved by a test over both).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import msgspec

from nagara.context.context import Context
from nagara.context.expiry import MARK
from nagara.context.ngsi.ask import JSON, JSONLD_REL, read_json
from nagara.context.ngsi.partial import partial_update
from nagara.context.ngsi.render import View, render
from nagara.context.ngsi.terms import CORE_CONTEXT, TermMap
from nagara.context.store import Held
from nagara.guard.identity import Actor
from nagara.guard.middleware import Doorkeeper
from nagara.guard.policy import KEPT_BY_ROOMS, visible_types
from nagara.values.errors import Problem

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
#: An attribute of a megabyte or more is no reading: it takes the long way.
_SIZE_DIGITS = 7


class Express:
    """See the module. `is_alone`: whether no other source may hold a part of an entity of
    such an id and such types."""

    def __init__(
        self,
        app: Any,
        context: Context,
        door: Doorkeeper,
        core: TermMap,
        headers: Iterable[tuple[bytes, bytes]],
        is_alone: Callable[[str, Iterable[str]], bool] = lambda _id, _types: True,
    ) -> None:
        self._app, self._context, self._door, self._core = app, context, door, core
        self._is_alone = is_alone
        link = f'<{CORE_CONTEXT}>; rel="{JSONLD_REL}"; type="application/ld+json"'
        self._link = (b"link", link.encode())
        self._headers = tuple(headers)
        self._after = ((b"content-type", JSON.encode()), *self._headers)
        self._private = (b"cache-control", b"no-store")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI 3."""
        path = scope["path"] if scope["type"] == "http" else ""
        if not path.startswith(PREFIX) or scope["query_string"]:
            await self._app(scope, receive, send)
        elif scope["method"] == "GET":
            await self._get(scope, receive, send)
        elif scope["method"] == "PATCH":
            await self._patch(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _get(self, scope: Any, receive: Any, send: Any) -> None:
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
        if "/" in entity_id:
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
        if not self._is_alone(entity_id, held.types):
            return None
        if held.plain is None and MARK in held.doc:
            return None  # an attribute of it runs out
        actor = self._door.at_once(scope, "entity:read")
        if actor is None or not visible_types(actor).allows(held.types):
            return None
        return held.version, held.plain or self._rendered(held), actor.is_known

    async def _patch(self, scope: Any, receive: Any, send: Any) -> None:
        found = self._target(scope)
        if found is None:
            await self._app(scope, receive, send)
            return
        held, name, actor = found
        message = await receive()
        body = message.get("body", b"")
        done = False
        if message["type"] == "http.request" and not message.get("more_body") and body:
            done = await self._changed(held, name, body, actor)
        if not done:
            # Nothing was written: the long way says why, and hears the body as if it were new.
            await self._app(scope, _heard_again(message, receive), send)
            return
        headers = [*self._headers, self._private] if actor.is_known else self._headers
        await send({"type": "http.response.start", "status": 204, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    def _target(self, scope: Any) -> tuple[Held, str, Actor] | None:
        """What a PATCH is for, and who may do it; None: long way."""
        entity_id, _, rest = scope["path"][len(PREFIX) :].partition("/")
        attrs, _, name = rest.partition("/")
        if attrs != "attrs" or not name or "/" in name:
            return None
        is_json = is_sized = False
        for header, value in scope["headers"]:
            if header == b"content-type":
                is_json = value == b"application/json"
            elif header == b"content-length":
                is_sized = value.isdigit() and len(value) < _SIZE_DIGITS
            elif header != b"accept" and header not in _HARMLESS:
                return None
        held = self._context.cache.find(("", entity_id))
        if not (is_json and is_sized) or held is None or not held.exists or held.expires_at:
            return None
        if not KEPT_BY_ROOMS.isdisjoint(held.types):
            return None
        if not self._is_alone(entity_id, held.types):
            return None
        actor = self._door.at_once(scope, "entity:write")
        if actor is None or not visible_types(actor).allows(held.types):
            return None
        return held, name, actor

    async def _changed(self, held: Held, name: str, body: bytes, actor: Actor) -> bool:
        """Whether the attribute was changed; otherwise nothing was."""
        try:
            said = read_json(body)
            if isinstance(said, dict) and "@context" in said:
                return False
            change = partial_update(held.state().entity(), name, said, self._core)
            await self._context.write(change, actor=actor.name_for_audit)
        except Problem:
            return False
        return True

    def _rendered(self, held: Held) -> bytes:
        body = msgspec.json.encode(render(held.state().entity(), self._core, _VIEW))
        held.plain = body  # lives as long as this version of the entity
        return body


def _heard_again(message: Any, receive: Any) -> Callable[[], Awaitable[Any]]:
    """A `receive` that gives a message once more before those that follow."""
    waiting = [message]

    async def heard() -> Any:
        return waiting.pop() if waiting else await receive()

    return heard
