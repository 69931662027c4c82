"""The short way for the three most frequent requests: GET of one entity as it is, by its id; PATCH
of one of its attributes; and a page of entities of one type, as they are.

An ASGI layer in front of the application. It answers only where nothing is asked beside: no
parameters (but `type`, `q` and `limit` of a page), the core context, the default tenant, an entity
that lies in memory, a caller who is known without waiting. Everything else, and everything that is
refused, goes the long way through the application; both do and answer the same (proved by a test
over both).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct

from nagara.context.context import Context
from nagara.context.expiry import MARK
from nagara.context.find_rows import encode_cursor
from nagara.context.ngsi.ask import JSON, JSONLD_REL, read_json
from nagara.context.ngsi.partial import partial_update
from nagara.context.ngsi.query import make_query
from nagara.context.ngsi.render import View, render
from nagara.context.ngsi.retrieve import PATH, next_link
from nagara.context.ngsi.terms import CORE_CONTEXT, TermMap
from nagara.context.plain import PlainPage, plain_page_of
from nagara.context.store import Held
from nagara.guard.identity import OPEN, Actor
from nagara.guard.middleware import Doorkeeper
from nagara.guard.policy import visible_types
from nagara.values.errors import Problem

PREFIX = PATH + "/"
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

#: What a page may ask for on the short way. A screen asks the same again and again: what it said is
#: read once.
_OF_A_PAGE = frozenset({"type", "q", "limit"})
_SAID_BYTES_MAX = 500
_QUESTIONS_KEPT = 2_000  # 2 MB


class _Question(Struct, frozen=True):
    """What was asked, read."""

    page: PlainPage
    next_link: bytes


class Express:
    """See the module. `is_alone`: whether no other source may hold a part of an entity of
    such an id (of any, where there is none) and such types."""

    def __init__(
        self,
        app: Any,
        context: Context,
        door: Doorkeeper,
        core: TermMap,
        headers: Iterable[tuple[bytes, bytes]],
        is_alone: Callable[[str | None, Iterable[str]], bool] = lambda _id, _types: True,
    ) -> None:
        self._app, self._context, self._door, self._core = app, context, door, core
        self._is_alone = is_alone
        link = f'<{CORE_CONTEXT}>; rel="{JSONLD_REL}"; type="application/ld+json"'
        self._link = (b"link", link.encode())
        self._headers = tuple(headers)
        self._after = ((b"content-type", JSON.encode()), *self._headers)
        self._private = (b"cache-control", b"no-store")
        self._questions: dict[bytes, _Question | None] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI 3."""
        path = scope["path"] if scope["type"] == "http" else ""
        if path == PATH and scope["method"] == "GET":
            await self._get_page(scope, receive, send)
        elif not path.startswith(PREFIX) or scope["query_string"]:
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
        packs = _packs(scope)
        if packs is None:
            return None
        held = self._context.cache.find(("", entity_id))
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

    async def _get_page(self, scope: Any, receive: Any, send: Any) -> None:
        found = self._find_page(scope)
        made = None if found is None else await self._context.read_plain(found[0].page)
        if found is None or made is None:
            await self._app(scope, receive, send)
            return
        asked, actor = found
        body = b"[%b]" % made.body.encode()
        headers = [(b"content-length", b"%d" % len(body)), *self._after]
        if made.more_after is None:
            headers.append(self._link)
        else:
            headers.append((b"link", b"%b, %b" % (asked.next_link, self._link[1])))
            headers.append((b"ngsild-next", encode_cursor([made.more_after]).encode()))
        if actor.is_known:
            headers.append(self._private)
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _find_page(self, scope: Any) -> tuple[_Question, Actor] | None:
        """What is asked, and by whom; None: long way."""
        said = scope["query_string"]
        # A page is far larger than what is worth packing: who can unpack takes the long way.
        if len(said) > _SAID_BYTES_MAX or not said.isascii() or _packs(scope) is not False:
            return None
        if said not in self._questions:
            if len(self._questions) >= _QUESTIONS_KEPT:
                del self._questions[next(iter(self._questions))]
            self._questions[said] = self._compiled(said.decode())
        asked = self._questions[said]
        if asked is None or not self._is_alone(None, (asked.page.type,)):
            return None
        actor = self._door.at_once(scope, "entity:read")
        if actor is None or not visible_types(actor).allows((asked.page.type,)):
            return None
        return asked, actor

    def _compiled(self, said: str) -> _Question | None:
        pairs = parse_qsl(said, keep_blank_values=True)
        params = dict(pairs)
        if len(params) < len(pairs) or not params.keys() <= _OF_A_PAGE or "" in params.values():
            return None
        try:
            # Whether the caller may see the type is asked for each caller.
            query = make_query(params, self._core, "", OPEN)
            page = plain_page_of(query, self._core.expand, "")
        except Problem:  # the long way says what is wrong
            return None
        if page is None:
            return None
        return _Question(page, next_link(PATH, params, query, JSON).encode())

    async def _patch(self, scope: Any, receive: Any, send: Any) -> None:
        found = self._target(scope)
        if found is None:
            await self._app(scope, receive, send)
            return
        held, name, actor = found
        messages = [await receive()]
        while messages[-1]["type"] == "http.request" and messages[-1].get("more_body"):
            messages.append(await receive())
        done = False
        if messages[-1]["type"] == "http.request":
            body = b"".join(message.get("body", b"") for message in messages)
            done = bool(body) and await self._changed(held, name, body, actor)
        if not done:
            # Nothing was written: the long way says why, and hears the body as if it were new.
            await self._app(scope, _heard_again(messages, receive), send)
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
        if self._context.keeping.holds("", entity_id):
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


def _packs(scope: Any) -> bool | None:
    """Whether the client can read what is packed; None where a header asks for something."""
    packs = False
    for name, value in scope["headers"]:
        if name == b"accept":
            if value not in _PLAIN_ACCEPT:
                return None
        elif name not in _HARMLESS:
            return None
        elif name == b"accept-encoding":
            packs = b"gzip" in value
    return packs


def _heard_again(messages: list[Any], receive: Any) -> Callable[[], Awaitable[Any]]:
    """A `receive` that gives messages once more before those that follow."""
    waiting = iter(messages)

    async def heard() -> Any:
        return next(waiting, None) or await receive()

    return heard
