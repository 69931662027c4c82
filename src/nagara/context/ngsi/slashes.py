"""What of an address is set right before it is routed: slashes of ids, and `True` for `true`.

Ids may hold a slash (`http://example.org/things/1`), percent-encoded. A server hands on the path
decoded, so that the router would take such a slash for one of its own. Here it is put under a
character that no id may have, until the route is found.

Truth values come with a capital from clients in Python and from test suites in it.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote_to_bytes

#: A private-use character: `is_uri` refuses it, so no id of the city has one.
_COVER = "\ue000"
_SLASH = re.compile(rb"%2[fF]")
_UNDER = b"/ngsi-ld/"
#: Parameters that are true or false; `entityMap` may name one instead.
FLAGS = frozenset(
    {"count", "deleteAll", "details", "entityMap", "local", "reload", "retainEntityMap",
     "splitEntities", "sysAttrs"}
)  # fmt: skip
_CAPITAL = re.compile(
    rb"(?<![^&])(%s)=(True|TRUE|False|FALSE)(?![^&])" % "|".join(sorted(FLAGS)).encode()
)


class Slashes:
    """An ASGI layer before the router: see the module."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI 3."""
        raw: bytes = scope.get("raw_path") or b""
        if scope["type"] == "http" and raw.startswith(_UNDER):
            if _SLASH.search(raw):
                path = raw.partition(b"?")[0]
                covered = _SLASH.sub(_COVER.encode(), path)
                scope = {**scope, "path": unquote_to_bytes(covered).decode(errors="replace")}
            asked = scope["query_string"]
            if _CAPITAL.search(asked):
                asked = _CAPITAL.sub(lambda found: b"%s=%s" % (found[1], found[2].lower()), asked)
                scope = {**scope, "query_string": asked}
        await self._app(scope, receive, send)


def uncover(path_params: dict[str, Any]) -> None:
    """Give the parameters of a path their slashes back, before a handler reads them."""
    for name, value in path_params.items():
        if isinstance(value, str) and _COVER in value:
            path_params[name] = value.replace(_COVER, "/")
