"""What a benchmark is: a scale, and rows of what was measured beside its goal and its floor."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

HERE = Path(__file__).parent


class Scale(Struct, frozen=True):
    """How long and how much. `tiny` shows that the code runs; it measures nothing."""

    name: str
    sustained_s: float  # of MQTT, publish to commit
    run_s: float  # of each other load
    batches: int  # of 1,000 entities
    entities: int  # that single reads and patches go to
    history_rows: int
    queries: int  # of each kind, with and without history
    rest_s: float  # before memory is looked at
    batch_entities: int = 1_000


SCALES = {
    "tiny": Scale("tiny", 0.5, 0.3, 4, 60, 10_000, 20, 0.2, 50),
    "default": Scale("default", 60, 6, 100, 20_000, 10_000_000, 500, 15),
    "large": Scale("large", 300, 30, 1_000, 100_000, 100_000_000, 5_000, 60),
}


def scale_asked() -> Scale:
    """The scale that the environment's SCALE names. Raises SystemExit for another word."""
    name = os.environ.get("SCALE", "default") or "default"
    if name not in SCALES:
        raise SystemExit(f"SCALE={name}: one of {', '.join(SCALES)}")
    return SCALES[name]


class Row(Struct, frozen=True):
    """One line of the table. `sense` says whether more or less is better.

    `ratio` is measured / floor; `ratio_goal` is None where the issue asks for no ratio.
    """

    what: str
    measured: float
    unit: str
    goal: float | None = None
    sense: Literal["at least", "at most"] = "at least"
    floor: float | None = None
    floor_what: str = ""
    ratio_goal: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def ratio(self) -> float | None:
        """Measured beside the floor of the same run."""
        return None if not self.floor else self.measured / self.floor

    @property
    def is_met(self) -> bool | None:
        """Whether the goal of the figure is met; None where there is none."""
        return None if self.goal is None else self._good(self.measured, self.goal)

    @property
    def is_ratio_met(self) -> bool | None:
        """Whether the ratio that binds is met; None where none is asked."""
        if self.ratio_goal is None or self.ratio is None:
            return None
        return self._good(self.ratio, self.ratio_goal)

    def _good(self, got: float, wanted: float) -> bool:
        return got >= wanted if self.sense == "at least" else got <= wanted


Bench = Callable[[Scale], Awaitable[list[Row]]]


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of all lie; nan of nothing."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def ms(seconds: float) -> str:
    """A time for a note."""
    return f"{seconds * 1000:.1f} ms"


async def run_apart(program: str, asked: dict[str, Any], timeout_s: float = 900) -> dict[str, Any]:
    """Run a load generator of this folder in a process of its own; its answer.

    Raises RuntimeError with its last words where it failed.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(HERE / program),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(
            process.communicate(json.dumps(asked).encode()), timeout_s
        )
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise RuntimeError(f"{program} failed: {err.decode()[-2000:]}")
    answer: dict[str, Any] = msgspec.json.decode(out)
    return answer


def answer_asked(run: Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]) -> None:
    """The other side of `run_apart`: read what is asked, do it, say what came of it."""
    import uvloop

    asked = json.loads(sys.stdin.read())
    answer = json.dumps(uvloop.run(run(asked))).encode()
    with os.fdopen(1, "wb") as out:  # an unbuffered sys.stdout would write only what a pipe takes
        out.write(answer)
