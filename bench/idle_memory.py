"""Memory of an idle city: the proportional set size of its processes together."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

from city import running_city
from frame import Row, Scale

PROC = Path("/proc")
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


def pss_of_tree(root: int) -> Counter[str]:
    """Bytes by program of a process and all that descend from it; shared pages are divided."""
    children: dict[int, list[int]] = {}
    names: dict[int, str] = {}
    for folder in PROC.iterdir():
        if not folder.name.isdigit():
            continue
        try:
            said = (folder / "stat").read_text()
        except OSError:  # it has just ended
            continue
        pid, name = int(folder.name), said[said.find("(") + 1 : said.rfind(")")]
        parent = int(said[said.rfind(")") + 2 :].split()[1])
        children.setdefault(parent, []).append(pid)
        names[pid] = name
    sizes: Counter[str] = Counter()
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        waiting += children.get(pid, [])
        sizes[names.get(pid, "gone")] += _pss(pid)
    return sizes


def _pss(pid: int) -> int:
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
