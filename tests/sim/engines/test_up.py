"""`nagara up` as a process: it serves, says its addresses, stops cleanly, leaves nobody behind."""

from __future__ import annotations

import itertools
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from engine_fixtures import free_port
from nagara.engines.supervise import processes_in

pytestmark = pytest.mark.sim
STOP_S_MAX = 60.0  # PostgreSQL writes a checkpoint on its way out
START_S_MAX = 120.0  # a first start on a busy machine; nothing is asserted of the time


_numbers = itertools.count(1)


class City:
    """A `nagara` process with what it said."""

    def __init__(self, root: Path, port: int, *more: str) -> None:
        self.root, self.port = root, port
        self.said = root.parent / f"{root.name}.{next(_numbers)}.said"
        with self.said.open("wb") as sink:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "nagara", *more, "--data", str(root), "--port", str(port)],
                stdout=sink,
                stderr=subprocess.STDOUT,
                env={**os.environ, "LANG": "en_GB.UTF-8", "NO_COLOR": "1"},
            )

    def wait_ready(self) -> None:
        deadline = time.monotonic() + START_S_MAX
        while "Ctrl-C" not in self.text():
            assert self.process.poll() is None, self.text()
            assert time.monotonic() < deadline, self.text()
            time.sleep(0.05)

    def stop(self, number: signal.Signals) -> int:
        """Tells it to stop; its exit code."""
        self.process.send_signal(number)
        try:
            return self.process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"does not stop: {self.text()}") from None

    def text(self) -> str:
        return self.said.read_text(encoding="utf-8")

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


@pytest.fixture
def city(city_root: Path) -> Iterator[Callable[..., City]]:
    """Starts cities in the test's data folder, one after another."""
    started: list[City] = []

    def start(*more: str) -> City:
        port = started[0].port if started else free_port()
        started.append(City(city_root, port, *(more or ("up",))))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
        one.process.wait()
        one.said.unlink(missing_ok=True)


def test_a_city_serves_stops_with_open_streams_and_starts_again(
    city: Callable[..., City],
) -> None:
    first = city()
    first.wait_ready()
    assert re.search(r"admin +\S{10,} +administrator", first.text())
    assert httpx.get(first.url("/health/live"), verify=False).status_code == 200
    assert httpx.get(first.url("/health/ready"), verify=False).json()["status"] == "ready"
    with httpx.stream("GET", first.url("/api/v1/live?types=Alert"), timeout=30) as stream:
        assert stream.status_code == 200
        next(stream.iter_bytes())
        assert first.stop(signal.SIGINT) == 0
    assert processes_in(first.root / "pg") == []
    assert processes_in(first.root / "nats") == []

    second = city()
    second.wait_ready()
    assert "administrator" not in second.text()  # its password is shown once
    assert second.stop(signal.SIGTERM) == 0


def test_a_city_that_is_killed_leaves_nobody_and_comes_back(city: Callable[..., City]) -> None:
    first = city()
    first.wait_ready()
    first.process.kill()
    first.process.wait()
    second = city()  # at once, while the engines of the first are going down
    second.wait_ready()
    assert httpx.get(second.url("/health/ready"), verify=False).status_code == 200
    third = City(second.root, free_port(), "up")
    assert third.process.wait(START_S_MAX) == 2
    assert "running already" in third.text()
    assert "Traceback" not in third.text()
    third.said.unlink()
    assert httpx.get(second.url("/health/ready"), verify=False).status_code == 200


def test_a_city_told_to_stop_while_it_starts_stops(city: Callable[..., City]) -> None:
    early = city()
    deadline = time.monotonic() + START_S_MAX
    while not (early.root / "pg" / "postmaster.pid").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert early.stop(signal.SIGINT) == 0
    assert processes_in(early.root / "pg") == []
