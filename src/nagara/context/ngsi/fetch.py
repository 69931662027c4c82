"""Contexts that stand at a URL: fetched with limits, guarded, kept."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import socket
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
from msgspec import Struct

from nagara.context.ngsi.read import has_nul
from nagara.context.ngsi.terms import (
    CORE,
    ContextInvalid,
    ContextUnavailable,
    TermMap,
    compile_terms,
    is_core,
)
from nagara.values.errors import Problem

FETCH_TIMEOUT_S = 5.0  # a client waits for it
CONTEXT_BYTES_MAX = 1_000_000  # the whole of smartdatamodels.org is 0.4 MB
INLINE_LENGTH_MAX = 256_000  # an @context in the request itself, as JSON text
PARTS_MAX = 10  # remote contexts that one request may name, those they name counted
KEPT_MAX = 500
KEPT_LENGTH_MAX = 20_000  # longer ones are compiled anew: 500 of them would fill the memory
DOCUMENTS_BYTES_MAX = 32_000_000
NESTED_MAX = 5
REDIRECTS_MAX = 3


class AddressForbidden(Problem):
    """An address that the city does not call: inside its own network."""

    code = "address-forbidden"
    status = 400
    ngsi_type = "BadRequestData"


async def demand_public(url: str, allowed_hosts: frozenset[str], allow_loopback: bool) -> str:
    """Raise `AddressForbidden` for a URL that leads into the city's own network.

    `allowed_hosts` is the administrator's list (`host` or `host:port`); with `allow_loopback` this
    machine may be called. The address is looked up here: a name that points inside is inside. What
    comes back is the address to connect to (see `pinned`): a second look-up could be told another.
    Hosts on the list come back as they are. Raises `ContextUnavailable` for a name not known.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise AddressForbidden(url=url[:200]) from error
    if parts.scheme not in ("http", "https") or not host:
        raise AddressForbidden(url=url[:200])
    if host in allowed_hosts or f"{host}:{port}" in allowed_hosts:
        return host
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port or 443, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ContextUnavailable(url=url[:200], reason="the name is not known") from error
    addresses = [ipaddress.ip_address(str(a[0]).split("%")[0]) for *_, a in found]
    for ip in addresses:
        if not ip.is_global and not (allow_loopback and ip.is_loopback):
            raise AddressForbidden(url=url[:200])
    # IPv4 first: many a network has addresses of the newer kind and no way to them.
    return str(min(addresses, key=lambda ip: ip.version))


class Pinned(Struct, frozen=True):
    """A request that goes to the address that was checked, under the name that was asked for."""

    url: httpx.URL
    host: str  # for the Host header
    extensions: dict[str, str]  # the name that the certificate must have


def pinned(url: str, address: str) -> Pinned:
    """How to ask for a URL at the address that `demand_public` gave. Raises httpx.InvalidURL."""
    named = httpx.URL(url)
    name = named.raw_host.decode("ascii")
    return Pinned(
        named.copy_with(host=address), named.netloc.decode("ascii"), {"sni_hostname": name}
    )


class Contexts:
    """Compiled term maps by what clients named. A failed download is never kept."""

    def __init__(
        self, allow_loopback: bool = False, allowed_hosts: frozenset[str] = frozenset()
    ) -> None:
        self._allow_loopback = allow_loopback
        self._allowed_hosts = allowed_hosts
        self._compiled: OrderedDict[str, TermMap] = OrderedDict()
        self._documents: OrderedDict[str, tuple[Mapping[str, Any], int]] = OrderedDict()
        self._documents_bytes = 0

    async def terms(self, source: Any) -> TermMap:
        """The term map of an @context as a client gave it: URL, object, or list of both.

        Raises `ContextInvalid`, `ContextUnavailable`, `AddressForbidden`.
        """
        if source is None or (isinstance(source, str) and is_core(source)):
            return CORE
        key = json.dumps(source, sort_keys=True)
        known = self._compiled.get(key)
        if known is not None:
            self._compiled.move_to_end(key)
            return known
        if len(key) > INLINE_LENGTH_MAX:
            raise ContextInvalid(reason=f"it is longer than {INLINE_LENGTH_MAX} characters")
        made = compile_terms(source, await self._resolve(source, 0, set()))
        if len(key) <= KEPT_LENGTH_MAX:
            self._compiled[key] = made
            while len(self._compiled) > KEPT_MAX:
                self._compiled.popitem(last=False)
        return made

    async def _resolve(self, source: Any, depth: int, urls: set[str]) -> list[Mapping[str, Any]]:
        if depth > NESTED_MAX:
            raise ContextInvalid(reason="contexts name each other without end")
        if isinstance(source, list):
            found: list[Mapping[str, Any]] = []
            for part in source:
                found += await self._resolve(part, depth + 1, urls)
            return found
        if isinstance(source, Mapping):
            inner = source.get("@context")
            return await self._resolve(inner, depth + 1, urls) if inner is not None else [source]
        if isinstance(source, str):
            if is_core(source):
                return []
            urls.add(source)
            if len(urls) > PARTS_MAX:
                raise ContextInvalid(reason=f"it names more than {PARTS_MAX} contexts")
            return await self._resolve(await self._document(source), depth + 1, urls)
        if source is None:
            return []
        raise ContextInvalid(reason="an @context is a URL, an object, or a list of them")

    async def _document(self, url: str) -> Mapping[str, Any]:
        known = self._documents.get(url)
        if known is not None:
            self._documents.move_to_end(url)
            return known[0]
        document, size = await self._fetch(url)
        if url not in self._documents:  # another request may have been faster
            self._documents[url] = document, size
            self._documents_bytes += size
        while self._documents_bytes > DOCUMENTS_BYTES_MAX or len(self._documents) > KEPT_MAX:
            _, (_, gone) = self._documents.popitem(last=False)
            self._documents_bytes -= gone
        return document

    async def _fetch(self, url: str) -> tuple[Mapping[str, Any], int]:
        try:
            async with (
                asyncio.timeout(FETCH_TIMEOUT_S),
                # No connection is used twice: two names at one address are two receivers.
                httpx.AsyncClient(
                    trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)
                ) as client,
            ):
                for _ in range(REDIRECTS_MAX + 1):
                    address = await demand_public(url, self._allowed_hosts, self._allow_loopback)
                    to = pinned(url, address)
                    headers = {"Accept": "application/ld+json, application/json", "Host": to.host}
                    async with client.stream(
                        "GET", to.url, headers=headers, extensions=to.extensions
                    ) as answer:
                        if answer.is_redirect:
                            url = urljoin(url, answer.headers.get("location", ""))
                            continue
                        if answer.status_code != 200:
                            raise ContextUnavailable(
                                url=url[:200], reason=f"status {answer.status_code}"
                            )
                        body = await _body(answer, url)
                        return _read(body, url), len(body)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError, ValueError) as error:
            raise ContextUnavailable(url=url[:200], reason=type(error).__name__) from error
        raise ContextUnavailable(url=url[:200], reason="too many redirects")


async def _body(answer: httpx.Response, url: str) -> bytes:
    body = b""
    async for chunk in answer.aiter_bytes():
        body += chunk
        if len(body) > CONTEXT_BYTES_MAX:
            raise ContextUnavailable(url=url[:200], reason="more than 1 MB")
    return body


def _read(body: bytes, url: str) -> Mapping[str, Any]:
    try:
        document = json.loads(body)
    except RecursionError as error:
        raise ContextUnavailable(url=url[:200], reason="nested too deeply") from error
    if has_nul(body):
        raise ContextUnavailable(url=url[:200], reason="a NUL character is in it")
    if not isinstance(document, Mapping) or "@context" not in document:
        raise ContextUnavailable(url=url[:200], reason="no @context in it")
    return document
