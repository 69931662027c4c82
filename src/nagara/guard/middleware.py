"""Who is asking, how often, and whether the browser means it; then whether he may.

`Doorkeeper` is the Litestar middleware: it sets `request.user` to an `Actor`, takes from the rate
limits, refuses what another site makes a browser send, and compares the actor with the permission
in the route's `opt` (`authorise`; as a Litestar guard it would copy the handler at each request).
"""

from __future__ import annotations

import hmac
import math
from base64 import b64decode
from binascii import Error as Base64Error
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any, cast
from urllib.parse import urlsplit

from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send
from msgspec import Struct

from nagara.guard.errors import (
    CredentialRefused,
    CrossSiteRefused,
    CsrfRefused,
    Forbidden,
    NotSignedIn,
    TooManyRequests,
)
from nagara.guard.gate import Gate
from nagara.guard.headers import PRIVATE, RETRY_AFTER, note
from nagara.guard.identity import ANONYMOUS, OPEN, Actor
from nagara.guard.permission import needed
from nagara.guard.policy import may
from nagara.guard.sessions import COOKIE, csrf_of, is_secret
from nagara.values.errors import Problem

ADDRESS = "nagara.address"
#: Key in a handler's `opt`: the session's CSRF token is not asked for, only the same origin. For
#: logging in, which happens while an older session may still be there.
ORIGIN_ONLY = "origin_only"

_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
#: A wrong credential costs as much of the address's bucket as this many requests.
_WRONG_CREDENTIAL_COST = 20.0
_WANTED = frozenset(
    {b"authorization", b"cookie", b"host", b"origin", b"sec-fetch-site", b"x-csrf-token",
     b"x-forwarded-for"}
)  # fmt: skip


class _Asked(Struct):
    """What of the request the door looks at."""

    said: dict[bytes, str]
    address: str
    secret: str | None = None  # of the session cookie, when it made the actor

    def get(self, name: bytes) -> str | None:
        return self.said.get(name)


class Doorkeeper(ASGIMiddleware):
    """The middleware. One for the app, without state of its own: everything is the gate's."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._proxies = [ip_network(text) for text in gate.proxies]

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Set the actor or refuse."""
        asked = self._asked(scope)
        socket = scope["type"] == ScopeType.WEBSOCKET
        unsafe = socket or scope.get("method") not in _SAFE
        gate = self._gate
        if gate.open_mode:
            actor = self._open_actor(asked)
        else:
            actor = await self._identify(scope, asked)
            wait_s = self._take(actor, asked)
            if wait_s > 0:
                raise held_back(scope, TooManyRequests, wait_s)
        if unsafe and asked.get(b"authorization") is None:
            self._demand_same_origin(asked)
            if asked.secret is not None and not scope["route_handler"].opt.get(ORIGIN_ONLY):
                offered = (asked.get(b"x-csrf-token") or "").encode()
                if not socket and not hmac.compare_digest(offered, csrf_of(asked.secret).encode()):
                    raise CsrfRefused()
        scope["user"] = actor
        scope["auth"] = asked.secret
        note(scope, ADDRESS, asked.address)
        if actor.is_known:
            note(scope, PRIVATE, True)
        authorise(actor, cast("BaseRouteHandler", scope["route_handler"]))
        await next_app(scope, receive, send)

    def at_once(self, scope: Scope, permission: str) -> Actor | None:
        """Who asks, where he is known without waiting, holds `permission`, is within his limits and
        reads or comes with a header of his own (no cookie that another site could use).

        None where anything needs a second look: the request then takes the long way through
        `handle`, which alone refuses. What is counted is counted once, by whoever lets him in.
        """
        asked = self._asked(scope)
        said, gate = asked.said, self._gate
        unsafe = scope.get("method") not in _SAFE
        if unsafe and (b"origin" in said or b"sec-fetch-site" in said or b"cookie" in said):
            return None
        if gate.open_mode:
            actor: Actor | None = self._open_actor(asked)
        elif b"authorization" in said:
            scheme, _, offered = said[b"authorization"].partition(" ")
            actor = gate.held(offered.strip()) if scheme.lower() == "bearer" else None
        elif b"cookie" in said:
            secret = _cookie(said[b"cookie"])
            actor = gate.held(secret) if secret else None
        else:
            actor = ANONYMOUS
        if actor is None or not may(actor, permission):
            return None
        if not gate.open_mode and self._take(actor, asked) > 0:
            return None
        return actor

    def _asked(self, scope: Scope) -> _Asked:
        said = {
            name: value.decode("latin-1") for name, value in scope["headers"] if name in _WANTED
        }
        return _Asked(said, self._address(scope, said.get(b"x-forwarded-for")))

    async def _identify(self, scope: Scope, asked: _Asked) -> Actor:
        authorization = asked.get(b"authorization")
        if authorization is not None:
            return await self._by_header(scope, authorization, asked.address)
        secret = _cookie(asked.get(b"cookie"))
        if secret is None:
            return ANONYMOUS
        actor = await self._gate.by_session(secret)
        if actor.is_known:
            asked.secret = secret
        return actor

    async def _by_header(self, scope: Scope, authorization: str, address: str) -> Actor:
        gate, now_s = self._gate, self._gate.wall().timestamp()
        scheme, _, offered = authorization.partition(" ")
        strangers = gate.buckets["anonymous"]
        wait_s = strangers.wait_s(address, now_s)
        if wait_s > 0 and not gate.is_cached(offered):  # who guesses is not even looked up
            raise held_back(scope, TooManyRequests, wait_s)
        actor: Actor | None = None
        if scheme.lower() == "bearer":
            actor = await gate.by_token(offered.strip())
        elif scheme.lower() == "basic":
            device, secret = _basic(offered)
            actor = await gate.by_device(device, secret)
        if actor is None:
            strangers.take(address, now_s, cost=_WRONG_CREDENTIAL_COST)
            raise CredentialRefused()
        return actor

    def _take(self, actor: Actor, asked: _Asked) -> float:
        """Count a request of the caller: the seconds that he has to wait, 0 where he need not."""
        buckets = self._gate.buckets.get(actor.kind)
        if buckets is None:
            return 0.0
        key = actor.id if actor.is_known else asked.address
        return buckets.take(key, self._gate.wall().timestamp())

    def _open_actor(self, asked: _Asked) -> Actor:
        """Everybody on this machine. A page of another site that resolves its name to this
        machine (DNS rebinding) comes with its own name as host and stays a stranger."""
        here = asked.address == "unix" or _is_loopback(asked.address)
        return OPEN if here and _host_name(asked.get(b"host")) in _LOOPBACK_NAMES else ANONYMOUS

    def _demand_same_origin(self, asked: _Asked) -> None:
        """Browsers say where a request comes from; programs say nothing and have no cookie."""
        if asked.get(b"sec-fetch-site") in ("cross-site", "same-site"):
            raise CrossSiteRefused()
        origin = asked.get(b"origin")
        if origin is None:
            return
        try:
            place = urlsplit(origin).netloc.lower()
        except ValueError:
            place = ""
        if not place or place not in {(asked.get(b"host") or "").lower(), *self._gate.hosts}:
            raise CrossSiteRefused()

    def _address(self, scope: Scope, forwarded: str | None) -> str:
        client = scope.get("client")
        peer = client[0] if client else "unix"
        if forwarded and self._is_proxy(peer):
            # The last entry is the one our own proxy wrote; all before it anybody may invent.
            peer = forwarded.rpartition(",")[2].strip()
        return _group(peer)

    def _is_proxy(self, peer: str) -> bool:
        try:
            there = ip_address(peer)
        except ValueError:
            return False
        return any(there in network for network in self._proxies)


def authorise(actor: Actor, handler: BaseRouteHandler) -> None:
    """Refuse who lacks the route's permission.

    Raises `NotSignedIn` to strangers, `Forbidden` to the known.
    """
    asked = needed(handler)
    if asked is None or may(actor, asked):
        return
    if actor.is_known:
        raise Forbidden(permission=asked)
    raise NotSignedIn()


def held_back(scope: Scope, problem: type[Problem], wait_s: float) -> Problem:
    """The problem, with the seconds in its words and in the Retry-After header."""
    seconds = max(1, math.ceil(wait_s))
    note(scope, RETRY_AFTER, seconds)
    return problem(retry_after_s=seconds)


def address_of(scope: Scope) -> str:
    """The caller's address as limits count it."""
    return str(cast("dict[str, Any]", scope).get(ADDRESS, "unknown"))


def _cookie(header: str | None) -> str | None:
    """The session's secret. Two different ones are none: a neighbour host under the same domain
    could have planted the second (RFC 6265, 8.6)."""
    if header is None or COOKIE not in header:
        return None
    named = (part.strip().partition("=") for part in header.split(";"))
    found = {value for name, _, value in named if name == COOKIE}
    secret = found.pop() if len(found) == 1 else ""
    return secret if is_secret(secret) else None


def _basic(offered: str) -> tuple[str, str]:
    try:
        text = b64decode(offered.strip(), validate=True).decode()
    except (Base64Error, ValueError):
        return "", ""
    device, _, secret = text.partition(":")
    return device, secret


@lru_cache(maxsize=8_192)  # reading an address takes longer than all the rest of the door
def _group(address: str) -> str:
    """One subscriber: an IPv4 address, or the /64 that an IPv6 line is given."""
    try:
        there = ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown" if address != "unix" else "unix"
    if there.version == 4:
        return str(there)
    if there.ipv4_mapped is not None:
        return str(there.ipv4_mapped)
    return "::1" if there.is_loopback else str(ip_network((there, 64), strict=False))


@lru_cache(maxsize=1_024)
def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


@lru_cache(maxsize=1_024)
def _host_name(host: str | None) -> str:
    if not host:
        return ""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""
