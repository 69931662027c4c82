"""Calling out: which addresses the city calls, and that it calls the one that was looked at.

Whoever can make a city ask an address (a feed, an @context, a subscription, another broker) could
else look into the city's own network. A name is looked up once; the connection goes to the address
that was checked, under the name that was asked for, so that a second look-up cannot lead inside.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from functools import cache
from urllib.parse import urlsplit

import httpx
from msgspec import Struct

from nagara.values.errors import Problem


class AddressForbidden(Problem):
    """An address that the city does not call: inside its own network."""

    code = "address-forbidden"
    status = 400
    ngsi_type = "BadRequestData"


class HostUnknown(Problem):
    """A name of a host that nobody knows, now."""

    code = "host-unknown"
    status = 503


async def demand_public(url: str, allowed_hosts: frozenset[str], allow_loopback: bool) -> str:
    """The address to connect to for a URL (see `pinned`).

    `allowed_hosts` is the administrator's list (`host` or `host:port`); those come back as they
    are. With `allow_loopback` this machine may be called, by 0.0.0.0 and [::] too: test suites
    name their receivers so. Raises `AddressForbidden` for a URL that leads into the city's own
    network or is no http one, `HostUnknown` for a name not known.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise AddressForbidden(url=url[:200]) from error
    if parts.scheme not in ("http", "https", "mqtt", "mqtts") or not host:
        raise AddressForbidden(url=url[:200])
    if host in allowed_hosts or f"{host}:{port}" in allowed_hosts:
        return host
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port or 443, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise HostUnknown(url=url[:200], reason="the name is not known") from error
    addresses = [ipaddress.ip_address(str(a[0]).split("%")[0]) for *_, a in found]
    for ip in addresses:
        # An address of the older kind inside one of the newer is what it leads to.
        inner = getattr(ip, "ipv4_mapped", None) or ip
        if (not inner.is_global or inner.is_multicast) and not (
            allow_loopback and (inner.is_loopback or inner.is_unspecified)
        ):
            raise AddressForbidden(url=url[:200])
    # IPv4 first: many a network has addresses of the newer kind and no way to them.
    first = min(addresses, key=lambda ip: ip.version)
    if first.is_unspecified:  # no system need take it as one to call: this machine is meant
        return "127.0.0.1" if first.version == 4 else "::1"
    return str(first)


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


@cache
def certificates() -> ssl.SSLContext:
    """What the certificates of other servers are checked against.

    Read once: that takes 50 ms of a processor, and a client of httpx that is given none reads them
    again, though it only calls another machine of the house by plain HTTP.
    """
    return httpx.create_ssl_context(trust_env=False)


#: No connection is used twice: two names at one address are two receivers.
ONE_USE = httpx.Limits(max_keepalive_connections=0)
