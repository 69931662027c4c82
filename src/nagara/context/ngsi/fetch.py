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
KEPT_MAX = 500
NESTED_MAX = 5
REDIRECTS_MAX = 3


class AddressForbidden(Problem):
    """An address that the city does not call: inside its own network."""

    code = "address-forbidden"
    status = 400
    ngsi_type = "BadRequestData"


async def demand_public(url: str, allowed_hosts: frozenset[str], allow_loopback: bool) -> None:
    """Raise `AddressForbidden` for a URL that leads into the city's own network.

    `allowed_hosts` is the administrator's list (`host` or `host:port`); with `allow_loopback` this
    machine may be called. The address is looked up here: a name that points inside is inside.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host:
        raise AddressForbidden(url=url[:200])
    if host in allowed_hosts or f"{host}:{parts.port}" in allowed_hosts:
        return
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, parts.port or 443, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ContextUnavailable(url=url[:200], reason="the name is not known") from error
    for *_, address in found:
        ip = ipaddress.ip_address(str(address[0]).split("%")[0])
        if not ip.is_global and not (allow_loopback and ip.is_loopback):
            raise AddressForbidden(url=url[:200])


class Contexts:
    """Compiled term maps by what clients named. A failed download is never kept."""

    def __init__(
        self, allow_loopback: bool = False, allowed_hosts: frozenset[str] = frozenset()
    ) -> None:
        self._allow_loopback = allow_loopback
        self._allowed_hosts = allowed_hosts
        self._compiled: OrderedDict[str, TermMap] = OrderedDict()
        self._documents: OrderedDict[str, Mapping[str, Any]] = OrderedDict()

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
        made = compile_terms(source, await self._resolve(source, 0))
        self._compiled[key] = made
        while len(self._compiled) > KEPT_MAX:
            self._compiled.popitem(last=False)
        return made

    async def _resolve(self, source: Any, depth: int) -> list[Mapping[str, Any]]:
        if depth > NESTED_MAX:
            raise ContextInvalid(reason="contexts name each other without end")
        if isinstance(source, list):
            found: list[Mapping[str, Any]] = []
            for part in source:
                found += await self._resolve(part, depth + 1)
            return found
        if isinstance(source, Mapping):
            inner = source.get("@context")
            return await self._resolve(inner, depth + 1) if inner is not None else [source]
        if isinstance(source, str):
            if is_core(source):
                return []
            return await self._resolve(await self._document(source), depth + 1)
        if source is None:
            return []
        raise ContextInvalid(reason="an @context is a URL, an object, or a list of them")

    async def _document(self, url: str) -> Mapping[str, Any]:
        known = self._documents.get(url)
        if known is not None:
            return known
        document = await self._fetch(url)
        self._documents[url] = document
        while len(self._documents) > KEPT_MAX:
            self._documents.popitem(last=False)
        return document

    async def _fetch(self, url: str) -> Mapping[str, Any]:
        try:
            async with (
                asyncio.timeout(FETCH_TIMEOUT_S),
                httpx.AsyncClient(follow_redirects=False, trust_env=False) as client,
            ):
                for _ in range(REDIRECTS_MAX + 1):
                    await demand_public(url, self._allowed_hosts, self._allow_loopback)
                    async with client.stream(
                        "GET", url, headers={"Accept": "application/ld+json, application/json"}
                    ) as answer:
                        if answer.is_redirect:
                            url = urljoin(url, answer.headers.get("location", ""))
                            continue
                        if answer.status_code != 200:
                            raise ContextUnavailable(
                                url=url[:200], reason=f"status {answer.status_code}"
                            )
                        return _read(await _body(answer, url), url)
        except (httpx.HTTPError, TimeoutError, OSError, ValueError) as error:
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
    document = json.loads(body)
    if not isinstance(document, Mapping) or "@context" not in document:
        raise ContextUnavailable(url=url[:200], reason="no @context in it")
    return document
