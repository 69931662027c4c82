"""A real `nagara demo` in a process of its own, for browser tests and for the screenshots."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

ROOT = Path(__file__).parents[2]
COMMAND = Path(sys.executable).with_name("nagara")
START_S = (
    180  # a first start takes 10 s; a machine that runs the whole suite beside it takes longer
)
STOP_S = 40
LOOK_S = 0.2


class CityFailed(Exception):
    """The demo ended, or did not serve in time; the message holds what it said."""


class DemoCity:
    """A demo on a port, with its data folder: `with DemoCity(folder, port) as city`."""

    def __init__(self, data: Path, port: int, options: Sequence[str] = ()) -> None:
        self.data = data
        self.port = port
        self.base = f"http://127.0.0.1:{port}"
        self._options = tuple(options)
        self._process: subprocess.Popen[str] | None = None
        self._said = data.with_name(data.name + ".said")

    def __enter__(self) -> DemoCity:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("NAGARA_")}
        command = [COMMAND, "demo", "--port", str(self.port), "--data", self.data, *self._options]
        with self._said.open("w", encoding="utf-8") as said:
            self._process = subprocess.Popen(
                [str(part) for part in command],
                cwd=ROOT,  # ../shared/data is looked for from here
                env=environment | {"LANG": "C.UTF-8"},
                stdout=said,
                stderr=subprocess.STDOUT,
                text=True,
            )
        try:
            self._wait_until_announced()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        self._said.unlink(missing_ok=True)

    @property
    def said(self) -> str:
        """What the process has printed."""
        return self._said.read_text(encoding="utf-8", errors="replace")

    def _wait_until_announced(self) -> None:
        """The demo prints its accounts once the day before is loaded and the clock runs."""
        deadline = time.monotonic() + START_S
        while "Ctrl-C" not in self.said:
            assert self._process is not None
            if self._process.poll() is not None:
                raise CityFailed(f"The demo ended: {self.said[-3000:]}")
            if time.monotonic() > deadline:
                raise CityFailed(f"Not up after {START_S} s: {self.said[-3000:]}")
            time.sleep(LOOK_S)

    def stop(self) -> None:
        """Ctrl-C, as a person would; killed if it does not listen."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def passwords(self) -> dict[str, str]:
        """The demo's accounts, as the data folder keeps them for its owner."""
        kept = (self.data / "secrets" / "demo-accounts.json").read_text(encoding="utf-8")
        return json.loads(kept)

    def as_account(self, username: str) -> httpx.Client:
        """A client of the API that is signed in."""
        client = self.as_stranger()
        answer = client.post(
            "/api/v1/session",
            json={"username": username, "password": self.passwords()[username]},
        )
        answer.raise_for_status()
        client.headers["X-CSRF-Token"] = answer.json()["csrf"]
        return client

    def as_stranger(self) -> httpx.Client:
        """A client of the API that nobody knows."""
        return httpx.Client(base_url=self.base, timeout=60)


def poll(look: Callable[[], Any], what: str, within_s: float = 120) -> Any:
    """What `look` gives as soon as it is true; fails with words when the time is over."""
    deadline = time.monotonic() + within_s
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {within_s} s; last seen {found!r}")
        time.sleep(LOOK_S)
