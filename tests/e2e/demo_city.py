"""A real `nagara demo` in a process of its own, for browser tests and for the screenshots."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from e2e.installation import LOOK_S, Installation


class DemoCity(Installation):
    """A demo on a port, with its data folder: `with DemoCity(folder, port) as city`."""

    def __init__(self, data: Path, port: int, options: Sequence[str] = ()) -> None:
        super().__init__(data, port, ("demo", *options))

    def is_there(self) -> bool:
        """The demo prints its accounts once the day before is loaded and the clock runs."""
        return "Ctrl-C" in self.said

    def passwords(self) -> Mapping[str, str]:
        """The demo's accounts, as the data folder keeps them for its owner."""
        kept = (self.data / "secrets" / "demo-accounts.json").read_text(encoding="utf-8")
        found: dict[str, str] = json.loads(kept)
        return found


def poll(look: Callable[[], Any], what: str, within_s: float = 240, every_s: float = LOOK_S) -> Any:
    """What `look` gives as soon as it is true; fails with words when the time is over."""
    deadline = time.monotonic() + within_s
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {within_s} s; last seen {found!r}")
        time.sleep(every_s)
