"""Security headers on every answer, errors too.

Set by a `before_send` hook: it sees the answers that the app gives before any middleware runs.
"""

from __future__ import annotations

from typing import Any, cast

from litestar.types import Message, Scope

#: Key in the ASGI scope: seconds after which a refused caller may come back (RFC 9110, 10.2.3).
RETRY_AFTER = "nagara.retry_after_s"
#: Key in the ASGI scope: the answer is for one person, and no cache may keep it.
PRIVATE = "nagara.private"

#: The screens are our own files. MapLibre runs its workers from blob: addresses and draws images
#: from data:; it and Svelte set style attributes, never style sheets or scripts in the page.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self'",
        "worker-src 'self' blob:",
        "child-src 'self' blob:",
        "style-src 'self'",
        "style-src-attr 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "media-src 'none'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)

_ALWAYS: tuple[tuple[bytes, bytes], ...] = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    # Not `no-referrer`: browsers would then send `Origin: null` from our own forms.
    (b"referrer-policy", b"same-origin"),
    (
        b"permissions-policy",
        b"camera=(self), geolocation=(self), microphone=(), payment=(), usb=(), serial=(),"
        b" midi=(), display-capture=(), browsing-topics=()",
    ),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
#: A year, as browsers' preload lists ask for; only where the city is served by https.
_HSTS = (b"strict-transport-security", b"max-age=31536000")


def page_headers(https: bool) -> tuple[tuple[bytes, bytes], ...]:
    """The headers for what is served in front of the app: the built screens."""
    return (*_ALWAYS, _HSTS) if https else _ALWAYS


def note(scope: Scope, key: str, value: Any) -> None:
    """Leave a word in the ASGI scope for the hook (the scope is Litestar's, the keys ours)."""
    cast("dict[str, Any]", scope)[key] = value


class SecurityHeaders:
    """The hook. A header that the handler set itself is left alone."""

    def __init__(self, https: bool) -> None:
        self._headers = page_headers(https)

    async def __call__(self, message: Message, scope: Scope) -> None:
        """Add the headers to the start of an answer."""
        if message["type"] != "http.response.start":
            return
        headers = list(message["headers"])
        there = {name.lower() for name, _ in headers}
        headers += [pair for pair in self._headers if pair[0] not in there]
        words = cast("dict[str, Any]", scope)
        wait_s = words.get(RETRY_AFTER)
        if wait_s is not None and b"retry-after" not in there:
            headers.append((b"retry-after", str(int(wait_s)).encode()))
        if words.get(PRIVATE) and b"cache-control" not in there:
            headers.append((b"cache-control", b"no-store"))
        message["headers"] = headers
