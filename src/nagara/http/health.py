"""GET /health/live, /health/ready, /metrics: for those who keep the city running."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Response, get
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from nagara.guard.permission import PUBLIC, allow

Check = Callable[[], Awaitable[list[dict[str, Any]]]]


def health_routes(check: Check, registry: CollectorRegistry) -> list[Any]:
    """The routes. `check` gives {name, state, ok, reason} of each part of the city."""

    @get("/health/live", opt=PUBLIC, summary="Is the process alive", tags=["Operation"])
    async def live() -> dict[str, str]:
        return {"status": "live"}

    @get("/health/ready", opt=PUBLIC, summary="Can the city serve", tags=["Operation"])
    async def ready() -> Response[dict[str, Any]]:
        parts = await check()
        good = all(part["ok"] for part in parts)
        return Response(
            {"status": "ready" if good else "not ready", "parts": parts},
            status_code=200 if good else 503,
            headers={"Cache-Control": "no-store"},
        )

    @get("/metrics", opt=allow("metrics:read"), summary="Prometheus metrics", tags=["Operation"])
    async def metrics() -> Response[bytes]:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return [live, ready, metrics]
