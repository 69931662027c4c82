"""Ids that hold a slash (`http://example.org/things/1`), percent-encoded in an address.

A server hands on the path decoded, so that the router would take such a slash for one of its own.
Here it is put under a character that no id may have, until the route is found.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote_to_bytes

#: A private-use character: `is_uri` refuses it, so no id of the city has one.
_COVER = "\ue000"
_SLASH = re.compile(rb"%2[fF]")
_UNDER = b"/ngsi-ld/"


class Slashes:
    """An ASGI layer before the router: covers the slashes of ids."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI 3."""
        raw: bytes = scope.get("raw_path") or b""
        if scope["type"] == "http" and raw.startswith(_UNDER) and _SLASH.search(raw):
            path = raw.partition(b"?")[0]
            covered = _SLASH.sub(_COVER.encode(), path)
            scope = {**scope, "path": unquote_to_bytes(covered).decode(errors="replace")}
        await self._app(scope, receive, send)


def uncover(path_params: dict[str, Any]) -> None:
    """Give the parameters of a path their slashes back, before a handler reads them."""
    for name, value in path_params.items():
        if isinstance(value, str) and _COVER in value:
            path_params[name] = value.replace(_COVER, "/")
