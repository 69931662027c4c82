"""Memory of an idle city: the proportional set size of its processes together."""

from __future__ import annotations

import asyncio

from city import running_city
from frame import Row, Scale
from procs import pss_of_tree

MB = 1_000_000
GOAL_MB = 600


async def bench(scale: Scale) -> list[Row]:
    """Megabytes after a rest."""
    async with running_city() as city:
        await asyncio.sleep(scale.rest_s)
        parts = pss_of_tree(city.pid)
    total = sum(parts.values()) / MB
    shares = ", ".join(f"{name} {size / MB:.0f}" for name, size in parts.most_common())
    return [
        Row(
            "an idle city's processes together, PSS",
            total,
            "MB",
            GOAL_MB,
            "at most",
            notes=(f"the demo's kit loaded, {scale.rest_s:g} s of rest: {shares}",),
        )
    ]
