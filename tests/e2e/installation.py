"""A Nagara of its own, as a person starts it: a process, its address, its accounts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

ROOT = Path(__file__).parents[2]
COMMAND = Path(sys.executable).with_name("nagara")
START_S = (
    180  # a first start takes 10 s; a machine that runs the whole suite beside it takes longer
)
STOP_S = 40
LOOK_S = 0.5


class CityFailed(Exception):
    """It ended, or did not serve in time; the message holds what it said."""


class Installation:
    """A process on a data folder: `with Installation(…) as city`."""

    def __init__(
        self,
        data: Path,
        port: int,
        arguments: Sequence[object],
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.data = data
        self.port = port
        self.base = f"http://127.0.0.1:{port}"
        self._arguments = (*arguments, "--port", port, "--data", data)
        self._environment = _environment() | dict(settings or {})
        self._process: subprocess.Popen[str] | None = None
        self._said = data.with_name(data.name + ".said")

    def __enter__(self) -> Self:
        with self._said.open("w", encoding="utf-8") as said:
            self._process = subprocess.Popen(
                [str(COMMAND), *map(str, self._arguments)],
                cwd=ROOT,  # ../shared/data is looked for from here
                env=self._environment,
                stdout=said,
                stderr=subprocess.STDOUT,
                text=True,
            )
        try:
            self._wait_until_there()
            self.begin()
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

    def is_there(self) -> bool:
        """Whether it can be visited."""
        try:
            answer = httpx.get(f"{self.base}/health/ready", timeout=5, verify=False)
        except httpx.HTTPError:
            return False
        return answer.status_code == 200

    def begin(self) -> None:
        """What is done before anybody visits: nothing, unless it is said."""

    def passwords(self) -> Mapping[str, str]:
        """The words of its accounts."""
        return {}

    def _wait_until_there(self) -> None:
        deadline = time.monotonic() + START_S
        while not self.is_there():
            assert self._process is not None
            if self._process.poll() is not None:
                raise CityFailed(f"It ended: {self.said[-3000:]}")
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

    def run(self, *arguments: object) -> str:
        """A command on its data folder; what it prints."""
        done = subprocess.run(
            [str(COMMAND), *map(str, arguments), "--data", str(self.data)],
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=START_S,
            check=False,
        )
        if done.returncode:
            raise CityFailed(done.stdout + done.stderr)
        return done.stdout

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
        # Reading the certificates of the world takes 50 ms of a processor; here is none to check.
        return httpx.Client(base_url=self.base, timeout=60, verify=False)


def _environment() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("NAGARA_")}
    return kept | {"LANG": "C.UTF-8"}
