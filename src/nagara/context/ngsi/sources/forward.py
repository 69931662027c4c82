"""One request to another broker: guarded, bounded in time and size, held off where it fails."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal
from urllib.parse import quote

import httpx
import msgspec
import structlog
from msgspec import Struct, field

from nagara.context.ngsi.ask import JSONLD_REL
from nagara.context.ngsi.fetch import pinned
from nagara.context.ngsi.sources.registration import Registration
from nagara.context.ngsi.sources.registry import Registry
from nagara.guard.outbound import ONE_USE, certificates
from nagara.values.errors import Problem

log = structlog.get_logger("context.sources")

#: An answer of 20,000 entities; one that is larger is treated as one that is no NGSI-LD.
ANSWER_BYTES_MAX = 10_000_000
#: Requests under way at once for one request of ours: eight answers are 80 MB.
ABREAST_MAX = 8
#: Requests under way at once in all: their answers lie in memory.
UNDERWAY_MAX = 16
#: Brokers in a Via chain. Longer is a loop, whatever the names are.
HOPS_MAX = 32
#: Failures in a row from which on a source is left alone for a while.
FAILURES_BEFORE_REST = 3
REST_FIRST_S, REST_MAX_S = 1.0, 60.0

Guard = Callable[[str], Awaitable[str]]
Outcome = Literal["answered", "timeout", "unreachable", "forbidden", "resting", "oversize"]

#: Headers that the binding or other members of a registration decide (clauses 4.3.6.5, 6.3.19).
_OURS = frozenset(
    {"host", "via", "link", "connection", "content-type", "content-length", "ngsild-tenant",
     "transfer-encoding", "upgrade", "te", "trailer", "keep-alive", "proxy-connection", "expect",
     "accept-encoding", "accept", "contenttype", "jsonldcontext", "ngsildconformance",
     "ngsild-entitymap"}
)  # fmt: skip
FROM_REQUEST = "urn:ngsi-ld:request"


class Sending(Struct, frozen=True):
    """What goes out. `path` is below the source's endpoint, encoded, as /ngsi-ld/v1/entities."""

    method: str
    path: str
    params: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    content_type: str | None = None
    context_url: str | None = None
    accept: str = "application/json"
    entity_map: str | None = None


class Reply(Struct, frozen=True):
    """What came back, or what kept it from coming."""

    outcome: Outcome
    status: int = 0
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the source did what it was asked, all of it."""
        return self.outcome == "answered" and 200 <= self.status < 300 and self.status != 207

    def json(self) -> Any:
        """The decoded body; None where there is none or it is no JSON."""
        try:
            return msgspec.json.decode(self.body) if self.body else None
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return None


class Asking(Struct, frozen=True):
    """The request that is passed on: of its headers only what a registration names goes along."""

    tenant: str
    headers: Mapping[str, str]

    @property
    def hops(self) -> tuple[str, ...]:
        """The brokers that it has been through."""
        return read_via(self.headers.get("via", ""))


class _Rest(Struct):
    failures: int = 0
    until_s: float = 0.0  # time.monotonic


class Forwarder:
    """The client of all sources."""

    def __init__(self, registry: Registry, guard_url: Guard) -> None:
        self._registry = registry
        self._guard_url = guard_url
        self._rests: dict[tuple[str, str], _Rest] = {}
        self._underway = asyncio.Semaphore(UNDERWAY_MAX)
        registry.watchers.append(self._changed)

    def _changed(self, before: Registration | None, _: Registration | None) -> None:
        if before is not None:
            self._rests.pop((before.tenant, before.id), None)

    async def send_all(
        self, asked: Asking, work: Sequence[tuple[Registration, Sending]]
    ) -> list[Reply]:
        """All of it, some at a time; the answers in the order of the work."""
        abreast = asyncio.Semaphore(ABREAST_MAX)

        async def one(registration: Registration, sending: Sending) -> Reply:
            async with abreast:
                return await self.send(asked, registration, sending)

        return list(await asyncio.gather(*(one(r, s) for r, s in work)))

    async def send(self, asked: Asking, source: Registration, sending: Sending) -> Reply:
        """One request. Never raises for what a source does."""
        key = (source.tenant, source.id)
        rest = self._rests.setdefault(key, _Rest())
        if rest.until_s > time.monotonic():
            return Reply("resting")
        async with self._underway:
            try:
                async with asyncio.timeout(source.timeout_s):
                    reply = await self._exchange(asked, source, sending)
            except TimeoutError:
                reply = Reply("timeout")
            except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
                log.info("source.unreachable", id=source.id, error=type(error).__name__)
                reply = Reply("unreachable")
            except Problem as problem:  # the address leads inside, or is not known
                log.info("source.forbidden", id=source.id, code=problem.code)
                return Reply("forbidden")
        self._settle(source, rest, reply)
        return reply

    def _settle(self, source: Registration, rest: _Rest, reply: Reply) -> None:
        """Count it; a source that answers is well, even where it refuses."""
        self._registry.note(source, reply.ok)
        if reply.outcome == "answered":
            rest.failures, rest.until_s = 0, 0.0
            return
        rest.failures += 1
        if source.cooldown_s is not None:
            rest.until_s = time.monotonic() + source.cooldown_s
        elif rest.failures >= FAILURES_BEFORE_REST:
            pause_s = REST_FIRST_S * 2.0 ** min(rest.failures - FAILURES_BEFORE_REST, 10)
            rest.until_s = time.monotonic() + min(pause_s, REST_MAX_S)

    async def _exchange(self, asked: Asking, source: Registration, sending: Sending) -> Reply:
        url = source.endpoint + sending.path + encode_params(sending.params)
        to = pinned(url, await self._guard_url(source.endpoint))
        headers = headers_of(asked, source, sending, self._registry.alias_of(asked.tenant))
        async with (
            httpx.AsyncClient(
                timeout=source.timeout_s, trust_env=False, limits=ONE_USE, verify=certificates()
            ) as client,
            client.stream(
                sending.method,
                to.url,
                headers={**headers, "Host": to.host},
                content=sending.body,
                extensions=to.extensions,
            ) as answer,
        ):
            said = dict(answer.headers)
            # What was packed although we asked for nothing packed may unpack without end.
            if said.get("content-encoding", "identity") != "identity":
                return Reply("oversize", answer.status_code)
            chunks: list[bytes] = []
            size = 0
            async for chunk in answer.aiter_raw():
                size += len(chunk)
                if size > ANSWER_BYTES_MAX:
                    return Reply("oversize", answer.status_code)
                chunks.append(chunk)
            return Reply("answered", answer.status_code, b"".join(chunks), said)


def headers_of(asked: Asking, source: Registration, sending: Sending, alias: str) -> dict[str, str]:
    """The headers of a request to a source. Nothing of the caller's but what it registered."""
    sent = {
        "Accept": sending.accept,
        "Accept-Encoding": "identity",
        "Via": ", ".join(filter(None, (asked.headers.get("via", "").strip(), f"1.1 {alias}"))),
    }
    for key, value in source.pairs:
        if key.lower() in _OURS:
            continue
        said = asked.headers.get(key.lower()) if value == FROM_REQUEST else value
        if said is not None:
            sent[key] = said
    if source.source_tenant:
        sent["NGSILD-Tenant"] = source.source_tenant
    if sending.entity_map is not None:
        sent["NGSILD-EntityMap"] = sending.entity_map
    if sending.content_type is not None:
        sent["Content-Type"] = sending.content_type
    if sending.context_url is not None:
        sent["Link"] = f'<{sending.context_url}>; rel="{JSONLD_REL}"; type="application/ld+json"'
    return sent


def encode_params(params: Sequence[tuple[str, str]]) -> str:
    """A query string that leaves legible what may stay so (RFC 3986, 3.4)."""
    if not params:
        return ""
    return "?" + "&".join(f"{quote(k, safe='')}={quote(v, safe=_LEGIBLE)}" for k, v in params)


_LEGIBLE = ":,;/@!$'()*=-._~"


def read_via(said: str) -> tuple[str, ...]:
    """The brokers that a Via header names (RFC 9110, 7.6.3)."""
    names = []
    for hop in said.split(","):
        words = hop.split()
        if len(words) >= 2:
            names.append(words[1])
        elif words:
            names.append(words[0])
    return tuple(names)
