"""Contexts by what clients named: fetched with limits, guarded, kept, compiled once."""

from __future__ import annotations

import asyncio
import json
import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from nagara.context.ngsi.contexts.compiled import compile_terms
from nagara.context.ngsi.contexts.core import DATA_INTEGRITY, data_integrity
from nagara.context.ngsi.contexts.shelf import PATH, Shelf, implicit_id, kept_id
from nagara.context.ngsi.read import has_nul
from nagara.context.ngsi.terms import CORE, ContextInvalid, ContextUnavailable, TermMap, is_core
from nagara.guard.outbound import (
    ONE_USE,
    AddressForbidden,
    HostUnknown,
    certificates,
    demand_public,
    pinned,
)

__all__ = ["AddressForbidden", "Contexts", "demand_public", "pinned"]

FETCH_TIMEOUT_S = 5.0  # a client waits for it: all parts of a context together
CONTEXT_BYTES_MAX = 1_000_000  # the whole of smartdatamodels.org is 0.4 MB
INLINE_LENGTH_MAX = 256_000  # an @context in the request itself, as JSON text
PARTS_MAX = 10  # remote contexts that one request may name, those they name counted
KEPT_MAX = 500
KEPT_LENGTH_MAX = 20_000  # longer ones are compiled anew: 500 of them would fill the memory
DOCUMENTS_BYTES_MAX = 32_000_000
NESTED_MAX = 5
REDIRECTS_MAX = 3
BIG_TERMS = 300  # from here on, compiling takes milliseconds and is done beside the event loop

#: What a server may call an @context. Repositories serve files as plain text or bytes.
_JSON_TYPE = re.compile(
    r"(application/([\w.\-]+\+)?json|text/json|text/plain|(application|binary)/octet-stream)?"
)
_ALTERNATE = re.compile(r"<([^>]*)>[^,]*rel=\"?alternate\"?[^,]*")

_SHAPES = "an @context is a URL, an object, or a list of them"

Document = Mapping[str, Any]


class Contexts:
    """Compiled term maps by what clients named. A failed download is never kept.

    With a `shelf`, documents outlive a restart, and the @contexts that this city hosts are known.
    """

    def __init__(
        self,
        allow_loopback: bool = False,
        allowed_hosts: frozenset[str] = frozenset(),
        shelf: Shelf | None = None,
    ) -> None:
        self._allow_loopback = allow_loopback
        self._allowed_hosts = allowed_hosts
        self.shelf = shelf
        self._compiled: OrderedDict[tuple[str | None, str], TermMap] = OrderedDict()
        self._documents: OrderedDict[str, tuple[Document, int]] = OrderedDict()
        self._documents_bytes = 0
        self._fetching: dict[str, asyncio.Task[tuple[Document, int]]] = {}

    async def terms(self, source: Any, tenant: str | None = None) -> TermMap:
        """The term map of an @context as a client gave it: URL, object, or list of both.

        `tenant`: whose hosted contexts are known besides those from elsewhere; None: everybody's.
        Raises `ContextInvalid`, `ContextUnavailable`, `AddressForbidden`.
        """
        if source is None or (isinstance(source, str) and is_core(source)):
            return CORE
        said = source if isinstance(source, str) else json.dumps(source, sort_keys=True)
        key = (tenant, said)
        made = self._compiled.get(key)
        if made is not None:
            self._compiled.move_to_end(key)
        else:
            if len(said) > INLINE_LENGTH_MAX:
                raise ContextInvalid(reason=f"it is longer than {INLINE_LENGTH_MAX} characters")
            made = await self._compile(source, tenant)
            if len(said) <= KEPT_LENGTH_MAX:
                self._compiled[key] = made
                while len(self._compiled) > KEPT_MAX:
                    self._compiled.popitem(last=False)
        self._count(source, tenant)
        return made

    async def _compile(self, source: Any, tenant: str | None) -> TermMap:
        try:
            async with asyncio.timeout(FETCH_TIMEOUT_S):
                parts = await _Resolver(self, tenant).resolve(source, None, 0)
        except TimeoutError as error:
            raise ContextUnavailable(
                url=json.dumps(source)[:200], reason=f"no answer in {FETCH_TIMEOUT_S:g} s"
            ) from error
        own = (
            [p for p in source if not (isinstance(p, str) and is_core(p))]
            if (isinstance(source, list))
            else [source]
        )
        link = own[0] if len(own) == 1 and isinstance(own[0], str) else None
        if link is None and own:
            link = PATH + implicit_id(source)
        if sum(len(p) for p in parts if p) > BIG_TERMS:
            return await asyncio.to_thread(compile_terms, source, parts, link)
        return compile_terms(source, parts, link)

    def _count(self, source: Any, tenant: str | None) -> None:
        if self.shelf is None:
            return
        for part in source if isinstance(source, list) else (source,):
            if isinstance(part, str) and not is_core(part):
                hosted = hosted_id(part)
                self.shelf.used(tenant or "" if hosted else "", hosted or kept_id(part))

    async def host_inline(self, source: Any, tenant: str, owner: str, anew: bool = False) -> str:
        """Keep an inline @context under a stable id (ImplicitlyCreated); its local id.

        `anew`: nothing there is made it; if it is still kept, its uses are counted from now.
        """
        local = implicit_id(source)
        if self.shelf is None:
            return local
        if await self.shelf.find(local, tenant) is None:
            await self.shelf.put(tenant, local, "ImplicitlyCreated", source, owner)
        elif anew:
            await self.shelf.begin_anew(tenant, local)
        return local

    def forget(self) -> None:
        """Compile all anew: a context was changed or taken away."""
        self._compiled.clear()

    def forget_document(self, url: str) -> None:
        """Let go of a document from elsewhere."""
        held = self._documents.pop(url, None)
        if held is not None:
            self._documents_bytes -= held[1]
        self.forget()

    async def reload(self, url: str) -> None:
        """Fetch a document anew in place of the kept one, which stays where that fails.

        Raises `ContextUnavailable`, also for a document that is no @context (clause 5.13.5.4).
        """
        try:
            document, size = await self._fetch(url)
            compile_terms(url, await _Resolver(self, "").resolve(document["@context"], url, 1))
        except (ContextInvalid, AddressForbidden) as error:
            reason = str(error.params.get("reason", "the address is not called"))
            raise ContextUnavailable(url=url[:200], reason=reason) from error
        self.forget_document(url)
        await self._keep(url, document, size)

    async def document(self, url: str) -> Document:
        """The document at a URL: from memory, from the shelf, or fetched once for all who wait."""
        known = self._documents.get(url)
        if known is not None:
            self._documents.move_to_end(url)
            return known[0]
        if self.shelf is not None:
            shelved = await self.shelf.find(kept_id(url), "")
            if shelved is not None and shelved.kind == "Cached":
                document = {"@context": shelved.body}
                self._hold(url, document, len(json.dumps(shelved.body)))
                return document
        task = self._fetching.get(url)
        if task is None:
            task = asyncio.create_task(self._fetch_and_keep(url))
            task.add_done_callback(lambda _: self._fetching.pop(url, None))
            self._fetching[url] = task
        return (await asyncio.shield(task))[0]

    async def _fetch_and_keep(self, url: str) -> tuple[Document, int]:
        document, size = await self._fetch(url)
        await self._keep(url, document, size)
        return document, size

    async def _keep(self, url: str, document: Document, size: int) -> None:
        self._hold(url, document, size)
        if self.shelf is not None:
            await self.shelf.put(
                "", kept_id(url), "Cached", document["@context"], "system:contexts", url
            )

    def _hold(self, url: str, document: Document, size: int) -> None:
        if url not in self._documents:  # another request may have been faster
            self._documents[url] = document, size
            self._documents_bytes += size
        while self._documents_bytes > DOCUMENTS_BYTES_MAX or len(self._documents) > KEPT_MAX:
            _, (_, gone) = self._documents.popitem(last=False)
            self._documents_bytes -= gone

    async def _fetch(self, url: str) -> tuple[Document, int]:
        named = url
        try:
            async with (
                asyncio.timeout(FETCH_TIMEOUT_S),
                httpx.AsyncClient(trust_env=False, limits=ONE_USE, verify=certificates()) as client,
            ):
                for _ in range(REDIRECTS_MAX + 1):
                    address = await demand_public(url, self._allowed_hosts, self._allow_loopback)
                    to = pinned(url, address)
                    headers = {"Accept": "application/ld+json, application/json", "Host": to.host}
                    async with client.stream(
                        "GET", to.url, headers=headers, extensions=to.extensions
                    ) as answer:
                        further = _leads_to(answer, url)
                        if further is not None:
                            url = further
                            continue
                        if answer.status_code != 200:
                            raise ContextUnavailable(
                                url=named[:200], reason=f"status {answer.status_code}"
                            )
                        body = await _body(answer, named)
                        return _read(body, named), len(body)
        except HostUnknown as error:
            raise ContextUnavailable(url=named[:200], reason="the name is not known") from error
        except TimeoutError as error:
            raise ContextUnavailable(
                url=named[:200], reason=f"no answer in {FETCH_TIMEOUT_S:g} s"
            ) from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            raise ContextUnavailable(url=named[:200], reason=type(error).__name__) from error
        raise ContextUnavailable(url=named[:200], reason="too many redirects")


class _Resolver:
    """Puts the parts of one @context in a row, each an object in which nothing is remote."""

    def __init__(self, contexts: Contexts, tenant: str | None) -> None:
        self._contexts = contexts
        self._tenant = tenant
        self._urls: set[str] = set()

    async def resolve(self, source: Any, base: str | None, depth: int) -> list[Document | None]:
        """The objects of a context in order; `base`: the URL of the document that it stands in."""
        if depth > NESTED_MAX:
            raise ContextInvalid(reason="contexts name each other without end")
        if source is None:
            return [None]  # what was said before is forgotten (JSON-LD 1.1, 4.1.2)
        if isinstance(source, list):
            if not all(p is None or isinstance(p, str | Mapping | list) for p in source):
                raise ContextInvalid(reason=_SHAPES)  # before anything is fetched
            found: list[Document | None] = []
            for part in source:
                found += await self.resolve(part, base, depth + 1)
            return found
        if isinstance(source, Mapping):
            if "@context" in source:
                return await self.resolve(source["@context"], base, depth + 1)
            return [await self._local(source, base, depth)]
        if not isinstance(source, str):
            raise ContextInvalid(reason=_SHAPES)
        if is_core(source):
            return []
        if source == DATA_INTEGRITY:
            return [data_integrity()]
        return await self._remote(source, base, depth)

    async def _remote(self, source: str, base: str | None, depth: int) -> list[Document | None]:
        shelf = self._contexts.shelf
        hosted = hosted_id(source)
        if hosted is not None and shelf is not None:
            shelved = await shelf.find(hosted, self._tenant)
            if shelved is not None and shelved.kind != "Cached":
                return await self.resolve(shelved.body, base, depth + 1)
        try:
            url = urljoin(base, source) if base is not None else source
            is_url = bool(urlsplit(url).scheme)
        except ValueError:  # half a bracket, or so
            is_url = False
        if not is_url:
            raise ContextInvalid(reason=f"“{source[:80]}” is no URL, nor an @context of this city")
        if is_core(url):
            return []
        self._urls.add(url)
        if len(self._urls) > PARTS_MAX:
            raise ContextInvalid(reason=f"it names more than {PARTS_MAX} contexts")
        document = await self._contexts.document(url)
        return await self.resolve(document["@context"], url, depth + 1)

    async def _local(self, source: Document, base: str | None, depth: int) -> Document:
        """An object in which what it imports stands inside.

        A term with an @context of its own is refused: it could turn what the core context says
        (clause 5.5.7).
        """
        made = dict(source)
        if "@import" in made:
            named = made.pop("@import")
            if not isinstance(named, str):
                raise ContextInvalid(reason="@import names one URL")
            parts = await self.resolve(named, base, depth + 1)
            if len(parts) != 1 or parts[0] is None:
                raise ContextInvalid(reason="@import names a single context object")
            made = {**parts[0], **made}
        for word, definition in source.items():
            if isinstance(definition, Mapping) and "@context" in definition:
                raise ContextInvalid(reason=f"“{word[:80]}” has an @context of its own")
        return made


def hosted_id(url: str) -> str | None:
    """The local id in a URL of an @context that a city hosts; None for any other URL."""
    _, found, local = url.partition(PATH)
    local = local.rpartition("/")[2]  # a client may have put the path behind its own base twice
    return local if found and re.fullmatch(r"[0-9a-f]{32}", local) else None


def _leads_to(answer: httpx.Response, url: str) -> str | None:
    if answer.is_redirect:
        return urljoin(url, str(answer.headers.get("location", "")))
    kind = str(answer.headers.get("content-type", "")).split(";")[0].strip().lower()
    if answer.status_code != 200 or _JSON_TYPE.fullmatch(kind):
        return None
    for found in _ALTERNATE.finditer(answer.headers.get("link", "")):
        if "application/ld+json" in found[0]:  # JSON-LD 1.1 API, 6.1: a page names its context
            return urljoin(url, str(found[1]))
    raise ContextInvalid(reason=f"what stands at {url[:100]} is {kind[:60]}, no JSON")


async def _body(answer: httpx.Response, url: str) -> bytes:
    body = b""
    async for chunk in answer.aiter_bytes():
        body += chunk
        if len(body) > CONTEXT_BYTES_MAX:
            raise ContextUnavailable(url=url[:200], reason="more than 1 MB")
    return body


def _read(body: bytes, url: str) -> Document:
    """Raises `ContextInvalid`: what came is no @context (clause 5.5.6)."""
    try:
        document = json.loads(body)
    except (RecursionError, ValueError) as error:
        raise ContextInvalid(reason=f"what stands at {url[:100]} is no JSON") from error
    if has_nul(body):
        raise ContextInvalid(reason=f"a NUL character is in {url[:100]}")
    if not isinstance(document, Mapping) or "@context" not in document:
        raise ContextInvalid(reason=f"there is no @context in {url[:100]}")
    return {"@context": document["@context"]}
