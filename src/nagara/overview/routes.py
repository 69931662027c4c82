"""Routes of the room: all reading, all public facts of the city."""

from __future__ import annotations

import asyncio
import hashlib
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, QueryParameter

from nagara.guard.identity import Actor
from nagara.guard.permission import allow
from nagara.overview.errors import LayerUnknown, StepUnreadable
from nagara.overview.service import BASEMAP_URL, Overview
from nagara.values.time import parse_instant

Asked = Request[Actor, Any, Any]
_API = "/api/v1"
_GEOJSON = "application/geo+json"
_STEP = re.compile(r"(?:PT)?(\d{1,6})\s*([smhSMH]?)")
_RANGE = re.compile(r"bytes=(\d{1,15})-(\d{0,15})")
#: A tile or a directory of tiles; a whole file is not asked for at once.
RANGE_BYTES_MAX = 16_000_000
_UNITS_S = {"": 1, "s": 1, "m": 60, "h": 3600}
From = Annotated[str | None, QueryParameter(name="from")]


def overview_routes(overview: Overview) -> list[HTTPRouteHandler]:
    """The city, its stations and measures."""

    @get(f"{_API}/city", opt=allow("city:read"))
    async def city() -> dict[str, Any]:
        """The city's facts and its clock."""
        return overview.city()

    @get(f"{_API}/city/districts", opt=allow("city:read"))
    async def districts(request: Asked) -> Response[bytes]:
        """The districts as GeoJSON."""
        return _lasting(request, overview.districts())

    @get(f"{_API}/city/layers/{{layer:str}}", opt=allow("city:read"))
    async def layer(request: Asked, layer: FromPath[str]) -> Response[bytes]:
        """A layer of the map as GeoJSON."""
        return _lasting(request, overview.layer(layer))

    @get(f"{_API}/city/now", opt=allow("city:read"))
    async def now() -> dict[str, Any]:
        """How the city is now."""
        return await overview.now()

    @get(f"{_API}/stations", opt=allow("station:read"))
    async def stations(
        entity_type: Annotated[str | None, QueryParameter(name="type")] = None,
    ) -> dict[str, Any]:
        """All stations with their newest values."""
        return {"items": await overview.stations(entity_type), "next": None}

    @get(f"{_API}/measures", opt=allow("station:read"))
    async def measures() -> dict[str, Any]:
        """What the map can show, with the colours and words of each step."""
        return {"items": overview.measures(), "next": None}

    @get(f"{_API}/measures/{{code:str}}/frames", opt=allow("station:read"))
    async def frames(
        code: FromPath[str],
        start: From = None,
        to: FromQuery[str | None] = None,
        step: FromQuery[str] = "3600",
    ) -> dict[str, Any]:
        """A measure through time; the last 24 hours by the hour where nothing is asked."""
        return await overview.frames(
            code,
            parse_instant(start) if start else None,
            parse_instant(to) if to else None,
            _step(step),
        )

    @get(BASEMAP_URL, opt=allow("city:read"))
    async def basemap(request: Asked) -> Response[bytes]:
        """A stretch of the basemap's PMTiles file (RFC 9110, 14.2: one range of bytes)."""
        path = overview.facts.basemap
        if path is None or not path.is_file():
            raise LayerUnknown(layer="basemap.pmtiles", known="–")
        size = path.stat().st_size
        match = _RANGE.fullmatch(request.headers.get("range", ""))
        first = int(match[1]) if match else 0
        last = min(int(match[2]) if match and match[2] else size - 1, size - 1)
        if first > last or last - first >= RANGE_BYTES_MAX:
            return Response(b"", status_code=416, headers={"content-range": f"bytes */{size}"})
        body = await asyncio.to_thread(_read_range, path, first, last)
        headers = {
            "content-range": f"bytes {first}-{last}/{size}",
            "accept-ranges": "bytes",
            "etag": f'"{size:x}-{int(path.stat().st_mtime):x}"',
        }
        return Response(
            body, status_code=206, media_type="application/octet-stream", headers=headers
        )

    return [city, districts, layer, now, stations, measures, frames, basemap]


def _read_range(path: Path, first: int, last: int) -> bytes:
    with path.open("rb") as file:
        file.seek(first)
        return file.read(last - first + 1)


def _step(text: str) -> timedelta:
    """Seconds, or a number with s, m or h. Raises `StepUnreadable`."""
    match = _STEP.fullmatch(text.strip())
    seconds = int(match[1]) * _UNITS_S[match[2].lower()] if match else 0
    if seconds <= 0:
        raise StepUnreadable(got=text[:40])
    return timedelta(seconds=seconds)


def _lasting(request: Asked, body: bytes) -> Response[bytes]:
    """An answer that a browser asks for again only by its tag."""
    tag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
    headers = {"etag": tag, "cache-control": "no-cache"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=headers, media_type=_GEOJSON)
    return Response(body, media_type=_GEOJSON, headers=headers)
