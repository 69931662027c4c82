"""What /proc says of a process and all that descend from it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

PROC = Path("/proc")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def pss_of_tree(root: int) -> Counter[str]:
    """Bytes of memory by program; pages that are shared are divided."""
    return _summed(root, _pss)


def processor_of_tree(root: int) -> Counter[str]:
    """Seconds of processor time by program."""
    return _summed(root, _processor_s)


def processor_note(before: Counter[str], after: Counter[str], count: float) -> str:
    """Processor time of one unit, for a note: what is left when others crowd the machine."""
    shares = {
        name: (after[name] - before[name]) / count * 1e6
        for name in ("python", "postgres", "nats-server")
    }
    said = ", ".join(f"{name} {share:.0f} µs" for name, share in shares.items() if share >= 1)
    return f"processor time each: {said}"


def _summed(root: int, size: Callable[[int], float]) -> Counter[str]:
    children: dict[int, list[int]] = {}
    names: dict[int, str] = {}
    for folder in PROC.iterdir():
        if not folder.name.isdigit():
            continue
        try:
            said = (folder / "stat").read_text()
        except OSError:  # it has just ended
            continue
        pid, rest = int(folder.name), said[said.rfind(")") + 2 :].split()
        children.setdefault(int(rest[1]), []).append(pid)
        names[pid] = said[said.find("(") + 1 : said.rfind(")")]
    sizes: Counter[str] = Counter()
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        waiting += children.get(pid, [])
        name = names.get(pid, "gone")
        sizes["python" if name == "nagara" else name] += size(pid)  # type: ignore[assignment]
    return sizes


def _pss(pid: int) -> float:
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def _processor_s(pid: int) -> float:
    try:
        said = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return 0
    rest = said[said.rfind(")") + 2 :].split()
    return (int(rest[11]) + int(rest[12])) / TICKS_PER_S
