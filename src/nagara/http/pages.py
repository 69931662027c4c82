"""The built screens: served from memory, before any route is looked for.

A screen is a page of its own (`ops.html`), the resident's is `index.html`; where in a screen one
is stands behind `#` and never comes here. Files with a hash in their name never change and are
kept by the browser for a year; pages are asked for again each time and answered 304 where nothing
is new. At every other address a browser is told in a page that nothing is there.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from msgspec import Struct

from nagara.http.missing import TEMPLATE, missing_page

#: Screens by their address. A slash behind it is forgiven.
SCREENS = {
    "/": "index.html",
    **{
        f"/{name}": f"{name}.html"
        for name in ("ops", "desk", "admin", "about", "login", "measure", "network")
    },
}
#: What belongs to programs: never answered with a page.
PROGRAMS = ("api", "ngsi-ld", "health", "metrics", "v1.1", "open311", "ogc", "sensorthings")
_TEXT = {".html", ".js", ".css", ".json", ".svg", ".webmanifest", ".txt", ".map", ".mjs"}
_YEAR_S = 31_536_000


class File(Struct, frozen=True):
    """A file of the built screens, with its compressed form where that is smaller."""

    body: bytes
    packed: bytes | None
    media_type: str
    etag: str
    lasting: bool


def static_folder() -> Path:
    """Where the build of `web/` puts the screens."""
    return Path(str(files("nagara"))) / "http" / "static"


def read_files(folder: Path) -> dict[str, File]:
    """All files of a folder by their path below it."""
    found: dict[str, File] = {}
    for path in sorted(folder.rglob("*")) if folder.is_dir() else []:
        if path.is_file():
            name = path.relative_to(folder).as_posix()
            found[name] = _read(path, name)
    return found


def _read(path: Path, name: str) -> File:
    body = path.read_bytes()
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    if name.endswith(".webmanifest"):
        media_type = "application/manifest+json"
    packed: bytes | None = None
    if path.suffix in _TEXT:
        packed = gzip.compress(body, 6, mtime=0)
        if media_type.startswith("text/") or path.suffix in {".js", ".mjs"}:
            media_type += "; charset=utf-8"
    digest = hashlib.sha256(body).hexdigest()[:20]
    return File(
        body,
        packed if packed is not None and len(packed) < len(body) else None,
        media_type,
        f'"{digest}"',
        name.startswith("assets/"),
    )


class Pages:
    """An ASGI layer in front of the app that answers for files and pages.

    `city`: the city's name by language, for the page of an address where nothing is.
    """

    def __init__(
        self,
        app: Any,
        folder: Path,
        headers: Iterable[tuple[bytes, bytes]],
        city: Mapping[str, str],
    ) -> None:
        self._app = app
        self._files = read_files(folder)
        self._headers = tuple(headers)
        self._city = city

    @property
    def is_built(self) -> bool:
        """Whether there are screens at all."""
        return "index.html" in self._files

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI 3."""
        if scope["type"] == "http" and scope["method"] in ("GET", "HEAD"):
            path, headers = scope["path"], dict(scope["headers"])
            found = self._find(path, headers)
            if found is not None:
                await self._answer(scope, send, found)
                return
            if self._is_lost(path, headers):
                await self._say_missing(scope, send, headers)
                return
        await self._app(scope, receive, send)

    def _find(self, path: str, headers: Mapping[bytes, bytes]) -> File | None:
        name = path.lstrip("/")
        if name in self._files and not name.endswith(".html"):
            return self._files[name]
        screen = SCREENS.get(path if path == "/" else path.removesuffix("/"))
        accept = headers.get(b"accept", b"*/*")
        # Whoever says nothing, or takes anything, gets the page: it is what is there.
        if screen is None or not any(kind in accept for kind in (b"text/html", b"text/*", b"*/*")):
            return None
        return self._files.get(screen)

    def _is_lost(self, path: str, headers: Mapping[bytes, bytes]) -> bool:
        """Whether a browser asks for what is neither a screen nor belongs to programs."""
        is_page = path.lstrip("/").split("/", 1)[0] not in PROGRAMS
        return is_page and TEMPLATE in self._files and b"text/html" in headers.get(b"accept", b"")

    async def _say_missing(self, scope: Any, send: Any, asked: Mapping[bytes, bytes]) -> None:
        template = self._files[TEMPLATE].body.decode()
        body, language = missing_page(
            template, self._city, scope["path"], scope["query_string"], asked
        )
        headers = [
            (b"content-type", b"text/html; charset=utf-8"),
            (b"content-language", language.encode()),
            (b"cache-control", b"no-store"),
            (b"vary", b"Accept, Accept-Language, Cookie"),
            (b"content-length", str(len(body)).encode()),
            *self._headers,
        ]
        await send({"type": "http.response.start", "status": 404, "headers": headers})
        await _send_body(scope, send, body)

    async def _answer(self, scope: Any, send: Any, file: File) -> None:
        asked = dict(scope["headers"])
        keep = f"public, max-age={_YEAR_S}, immutable" if file.lasting else "no-cache"
        headers = [
            (b"content-type", file.media_type.encode()),
            (b"etag", file.etag.encode()),
            (b"cache-control", keep.encode()),
            (b"vary", b"Accept-Encoding"),
            *self._headers,
        ]
        if file.etag.encode() in asked.get(b"if-none-match", b""):
            await send({"type": "http.response.start", "status": 304, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
        body = file.body
        if file.packed is not None and b"gzip" in asked.get(b"accept-encoding", b""):
            body = file.packed
            headers.append((b"content-encoding", b"gzip"))
        headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await _send_body(scope, send, body)


async def _send_body(scope: Any, send: Any, body: bytes) -> None:
    """The end of an answer: HEAD is told all but the body."""
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
