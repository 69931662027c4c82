"""Asks the publisher of a feed: guarded, in bounds of time and size, redirects one by one.

A steward can give a feed another address, and what cannot be read is shown to stewards: without a
guard that would be a window into the city's own network.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin

import httpx
from msgspec import Struct

from nagara import __version__
from nagara.guard.outbound import ONE_USE, HostUnknown, certificates, demand_public, pinned
from nagara.ingest.errors import FeedFailed
from nagara.ingest.feed import Feed

REDIRECTS_MAX = 5


class Fetched(Struct, frozen=True):
    """An answer of a publisher; `body` is None where nothing is new (304)."""

    body: bytes | None
    etag: str | None = None
    last_modified: str | None = None
    content_type: str = ""


async def demand_callable(feed: Feed, url: str, allow_loopback: bool) -> None:
    """Raise `AddressForbidden` for an address inside the city's own network.

    The address that the kit names is trusted; one that a steward or a redirect names is not.
    Raises `HostUnknown` for a name that is not known.
    """
    if url != feed.url:
        await demand_public(url, frozenset(), allow_loopback)


async def fetch(
    feed: Feed,
    url: str,
    conditions: Mapping[str, str],
    transport: httpx.AsyncBaseTransport | None = None,
    allow_loopback: bool = False,
) -> Fetched:
    """What the publisher says at `url`; `conditions` are the headers of a conditional request.

    Raises `FeedFailed`, `AddressForbidden`.
    """
    try:
        async with (
            asyncio.timeout(feed.timeout_s),
            httpx.AsyncClient(
                timeout=feed.timeout_s,
                follow_redirects=False,
                transport=transport,
                trust_env=False,
                limits=ONE_USE,
                verify=certificates(),
            ) as client,
        ):
            return await _follow(feed, client, url, conditions, allow_loopback)
    except TimeoutError:
        raise FeedFailed(feed=feed.name, reason=f"no answer in {feed.timeout_s:g} s") from None
    except HostUnknown as unknown:
        raise FeedFailed(feed=feed.name, reason=str(unknown.params["reason"])) from None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as error:
        said = str(error) or type(error).__name__
        raise FeedFailed(feed=feed.name, reason=said[:300]) from error


async def _follow(
    feed: Feed,
    client: httpx.AsyncClient,
    url: str,
    conditions: Mapping[str, str],
    allow_loopback: bool,
) -> Fetched:
    # The kit's own address is trusted, and the server that it names may redirect to itself.
    server = _server_of(feed.url) if url == feed.url else None
    first = _server_of(url)
    for _ in range(REDIRECTS_MAX + 1):
        headers = {"User-Agent": f"nagara/{__version__}", **conditions}
        if _server_of(url) == first:  # keys in the feed's headers are for its own server alone
            headers |= feed.headers
        if _server_of(url) == server:
            request = client.build_request("GET", url, headers=headers)
        else:
            to = pinned(url, await demand_public(url, frozenset(), allow_loopback))
            headers["Host"] = to.host
            request = client.build_request("GET", to.url, headers=headers, extensions=to.extensions)
        answer = await client.send(request, stream=True)
        async with contextlib.aclosing(answer):
            if not answer.has_redirect_location:
                return await _read(feed, answer)
            url = urljoin(url, answer.headers["location"])
    raise FeedFailed(feed=feed.name, reason=f"more than {REDIRECTS_MAX} redirects")


def _server_of(url: str) -> tuple[str, str, int | None]:
    named = httpx.URL(url)
    return named.scheme, named.host, named.port


async def _read(feed: Feed, answer: httpx.Response) -> Fetched:
    if answer.status_code == 304:
        return Fetched(None)
    if answer.status_code != 200:
        params: dict[str, Any] = {}
        retry_after = answer.headers.get("retry-after", "")
        if retry_after.isdigit():
            params["retry_after_s"] = int(retry_after)
        reason = f"HTTP {answer.status_code} {answer.reason_phrase}".strip()
        raise FeedFailed(feed=feed.name, reason=reason, **params)
    parts, size = [], 0
    async for part in answer.aiter_bytes():
        size += len(part)
        if size > feed.bytes_max:
            raise FeedFailed(feed=feed.name, reason=f"more than {feed.bytes_max} bytes")
        parts.append(part)
    said: Mapping[str, str] = answer.headers
    return Fetched(
        b"".join(parts),
        said.get("etag"),
        said.get("last-modified"),
        said.get("content-type", ""),
    )
