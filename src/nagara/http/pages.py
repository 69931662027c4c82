"""The built screens: served from memory, before any route is looked for.

A screen is a page of its own (`ops.html`), the resident's pages share `index.html`. Files with a
hash in their name never change and are kept by the browser for a year; pages are asked for again
each time and answered 304 where nothing is new.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any

from msgspec import Struct

#: Screens with a page of their own; every other path that a browser opens is the resident's.
SCREENS = ("ops", "desk", "admin", "about", "login", "data", "measure", "network")
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
    """An ASGI layer in front of the app that answers for files and pages."""

    def __init__(self, app: Any, folder: Path, headers: Iterable[tuple[bytes, bytes]]) -> None:
        self._app = app
        self._files = read_files(folder)
        self._headers = tuple(headers)

    @property
    def is_built(self) -> bool:
        """Whether there are screens at all."""
        return "index.html" in self._files

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI 3."""
        if scope["type"] == "http" and scope["method"] in ("GET", "HEAD"):
            found = self._find(scope["path"], scope["headers"])
            if found is not None:
                await self._answer(scope, send, found)
                return
        await self._app(scope, receive, send)

    def _find(self, path: str, headers: Iterable[tuple[bytes, bytes]]) -> File | None:
        name = path.lstrip("/")
        if name in self._files and not name.endswith(".html"):
            return self._files[name]
        first = name.split("/", 1)[0]
        if first in PROGRAMS or "." in name.rsplit("/", 1)[-1]:
            return None
        accept = next((v for k, v in headers if k == b"accept"), b"")
        if name and b"text/html" not in accept:
            return None
        return self._files.get(f"{first}.html" if first in SCREENS else "index.html")

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
        await send(
            {"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body}
        )
