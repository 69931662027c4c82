"""`make bench`: one benchmark after the other, a table, and the same as JSON in bench/results.

SCALE=large for the long runs, SCALE=tiny to see that it runs. Words after the command name the
benchmarks wanted: `nagara bench get-by-id`.
"""

from __future__ import annotations

import asyncio
import math
import os
import platform
import sys
import time
from datetime import UTC, datetime

import msgspec
from rich.console import Console
from rich.table import Table

import batch_upsert
import features
import federation
import geo_query
import get_by_id
import history
import idle_memory
import indicators
import mqtt_to_commit
import network_report
import patch
import projects
import query_entities
import sensor_to_screen
import subscriptions
from frame import HERE, Bench, Row, Scale, scale_asked

BENCHES: dict[str, Bench] = {
    "mqtt": mqtt_to_commit.bench,
    "batch": batch_upsert.bench,
    "patch": patch.bench,
    "get-by-id": get_by_id.bench,
    "query": query_entities.bench,
    "area": geo_query.bench,
    "screen": sensor_to_screen.bench,
    "memory": idle_memory.bench,
    "history": history.bench,
    "subscriptions": subscriptions.bench,
    "network": network_report.bench,
    "projects": projects.bench,
    "features": features.bench,
    "indicators": indicators.bench,
    "federation": federation.bench,
}
#: Run where they are named, or at the large scale: the others fill a quarter of an hour.
EXTRA = ("projects", "features", "federation")
RESULTS = HERE / "results"
WIDTH_MIN = 150
CROWDED = 0.7  # load average of the last minute, before the first benchmark


def main() -> int:
    """Run what is asked; 0 where every ratio that binds and every goal is met."""
    scale = scale_asked()
    usual = [name for name in BENCHES if scale.name == "large" or name not in EXTRA]
    asked = sys.argv[1:] or usual
    unknown = [name for name in asked if name not in BENCHES]
    if unknown:
        raise SystemExit(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHES)}")
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH_MIN)
    crowd = os.getloadavg()[0]
    if crowd > CROWDED:
        console.print(
            f"[yellow]This machine is busy with other things (load {crowd:.1f}): "
            "what follows is less than it can do.[/]"
        )
    began = time.monotonic()
    rows, failed = asyncio.run(_measure(scale, asked, console))
    if rows:
        console.print(table(rows, scale))
        _keep(rows, scale, crowd)
    took = time.monotonic() - began
    console.print(f"{took / 60:.1f} minutes, {os.cpu_count()} cores, load generators included")
    for name, reason in failed.items():
        console.print(f"[red]{name}: {reason}[/]", soft_wrap=True, highlight=False)
    return 1 if failed else 0


async def _measure(
    scale: Scale, asked: list[str], console: Console
) -> tuple[list[Row], dict[str, str]]:
    rows: list[Row] = []
    failed: dict[str, str] = {}
    for name in asked:
        began = time.monotonic()
        try:
            with console.status(f"{name} …"):
                rows += await BENCHES[name](scale)
        except Exception as error:  # the others are still worth measuring
            failed[name] = f"{type(error).__name__}: {error}"
        console.print(f"{name} {time.monotonic() - began:.0f} s", style="dim", highlight=False)
    return rows, failed


def table(rows: list[Row], scale: Scale) -> Table:
    """The rows for a reader."""
    made = Table(title=f"Nagara, SCALE={scale.name}", show_lines=True)
    for name in ("what", "measured", "goal", "floor of the same run", "ratio", "ratio wanted"):
        right = name in ("measured", "goal", "ratio", "ratio wanted")
        made.add_column(name, justify="right" if right else "left")
    for row in rows:
        notes = "".join(f"\n[dim]{note}[/]" for note in row.notes)
        floor = "" if row.floor is None else f"{figure(row.floor)} {row.unit}: {row.floor_what}"
        made.add_row(
            row.what + notes,
            _coloured(f"{figure(row.measured)} {row.unit}", row.is_met),
            "" if row.goal is None else f"{_sign(row)} {figure(row.goal)}",
            floor,
            "" if row.ratio is None else _coloured(f"{row.ratio:.2f}", row.is_ratio_met),
            "" if row.ratio_goal is None else f"{_sign(row)} {row.ratio_goal:g}",
        )
    return made


def figure(value: float) -> str:
    """A number with three digits that mean something."""
    if not math.isfinite(value):
        return "none"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _sign(row: Row) -> str:
    return "≥" if row.sense == "at least" else "≤"


def _coloured(text: str, good: bool | None) -> str:
    return text if good is None else f"[{'green' if good else 'red'}]{text}[/]"


def _keep(rows: list[Row], scale: Scale, crowd: float) -> None:
    RESULTS.mkdir(exist_ok=True)
    at = datetime.now(UTC)
    said = {
        "at": at.isoformat(timespec="seconds"),
        "scale": scale.name,
        "cores": os.cpu_count(),
        "loadBefore": crowd,
        "python": platform.python_version(),
        "rows": [
            {**msgspec.to_builtins(row), "ratio": row.ratio, "isMet": row.is_met,
             "isRatioMet": row.is_ratio_met}
            for row in rows
        ],
    }  # fmt: skip
    path = RESULTS / f"{at:%Y%m%dT%H%M%SZ}-{scale.name}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(said)))


if __name__ == "__main__":
    raise SystemExit(main())
